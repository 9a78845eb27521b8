//! The keys that nearly every configuration has, checked before a family reads them: an error then names the key as it
//! is written.

use serde_json::{Map, Value as Json};

use crate::error::{Code, Error, Result};
use crate::text::Argument;

/// Whole numbers of at least 1 where they are given (`PreTrainedConfig` annotates them as `int`).
const COUNTS: &[&str] = &["hidden_size", "num_hidden_layers", "n_embd", "n_layer", "d_model"];

/// Whole numbers, or lists of them in models whose layers differ.
const NUMBERS: &[&str] = &[
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "v_head_dim",
    "intermediate_size",
    "moe_intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "n_head",
    "n_positions",
    "kv_lora_rank",
    "q_lora_rank",
    "qk_rope_head_dim",
    "qk_nope_head_dim",
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "num_experts_per_tok",
];

/// Checks a configuration and its nested parts that are models.
///
/// # Errors
/// The key with its value, and what it must be.
pub fn check(config: &Map<String, Json>) -> Result<()> {
    let class = config.get("architectures").and_then(|list| list.get(0)?.as_str()).unwrap_or_default();
    if ["Eagle", "EAGLE", "Medusa", "DFlash", "MLPSpeculator"].iter().any(|draft| class.contains(draft)) {
        let reason = words!(
            "it is the draft of a speculative decoder, which is not built as the class that it is named after"
        );
        return Err(Error::refused(Code::ModelDraft, reason)
            .about(class)
            .way_out(words!("plan the model that it drafts for, with --speculative")));
    }
    check_one(config)?;
    let is_model = |part: &&Map<String, Json>| part.contains_key("num_hidden_layers");
    config.values().filter_map(Json::as_object).filter(is_model).try_for_each(check_one)
}

fn check_one(config: &Map<String, Json>) -> Result<()> {
    for &key in COUNTS.iter().chain(NUMBERS) {
        let Some(value) = config.get(key) else { continue };
        let must_count = COUNTS.contains(&key);
        let is_right = match value {
            Json::Null => true,
            Json::Number(number) => {
                number.as_u64().is_some_and(|number| number > 0 || !must_count)
                    || number.as_f64().is_some_and(|float| float >= 1.0 && float.fract() == 0.0)
            }
            Json::Array(_) => !must_count,
            _ => false,
        };
        if !is_right {
            let want =
                if must_count { words!("a whole number of at least 1") } else { words!("a whole number") };
            return Err(Error::bad_value(key, value, want));
        }
    }
    let number = |key: &str| config.get(key).and_then(Json::as_u64);
    if let (Some(kv), Some(heads)) = (number("num_key_value_heads"), number("num_attention_heads"))
        && kv > heads
        && heads > 0
    {
        let want = say!("at most {0}, the number of num_attention_heads", heads.sentence());
        return Err(Error::bad_value("num_key_value_heads", kv, want));
    }
    if let (Some(0), Some(1..)) = (number("num_key_value_heads"), number("num_attention_heads")) {
        return Err(Error::bad_value("num_key_value_heads", 0, words!("a whole number of at least 1")));
    }
    for key in ["quantization_config", "compression_config"] {
        if let Some(value) = config.get(key).filter(|value| !value.is_object() && !value.is_null()) {
            return Err(Error::bad_value(key, value, words!("an object that names its quant_method")));
        }
    }
    Ok(())
}
