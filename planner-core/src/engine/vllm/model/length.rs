//! The longest session that a model's configuration admits: the engine does not start with a longer one.
//!
//! Restates `derive_max_model_len_and_key` of `vllm/transformers_utils/model_arch_config_convertor.py` and
//! `_get_and_verify_max_len` of `vllm/config/model.py`, vLLM 0.33.0. A tokenizer's files may lower the bound;
//! they are not read here.

use serde_json::{Map, Value as Json};

use crate::engine::ResolvedRequest;
use crate::error::{Code, Error};
use crate::spec::hf_config::{HfConfig, whole};

/// Keys that limit a session; the smallest counts.
const KEYS: [&str; 9] = [
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
];

/// Rotary scalings whose factor `max_position_embeddings` already includes.
const SCALED: [&str; 6] = ["su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"];

/// The longest session; `None` where no key limits it.
pub fn derived(config: HfConfig, class_default: Option<u64>) -> Option<u64> {
    let own = |key: &str| config.text.get(key).and_then(whole);
    let bound =
        own("model_max_length").or_else(|| KEYS.into_iter().filter_map(own).min()).or(class_default)?;
    if config.root_type().contains("gemma3") {
        return Some(bound);
    }
    let factor = ropes(config)
        .into_iter()
        .filter(|rope| !kind(rope).is_some_and(|kind| SCALED.contains(&kind)))
        .filter_map(|rope| rope.get("factor")?.as_f64())
        .next_back();
    Some(factor.map_or(bound, |factor| (bound as f64 * factor) as u64))
}

/// The engine's default length.
pub fn default(config: HfConfig, class_default: Option<u64>) -> Option<u64> {
    let original = config.root.get("original_max_position_embeddings").and_then(whole);
    let long = ropes(config).into_iter().any(|rope| kind(rope) == Some("longrope"));
    original.filter(|_| long).or_else(|| derived(config, class_default))
}

/// Refuses a longer session.
///
/// # Errors
/// The engine's own refusal.
pub fn check(run: &ResolvedRequest, config: HfConfig) -> Result<(), Error> {
    let length = run.request.max_model_len.unwrap_or(run.tokens);
    let Some(bound) = derived(config, run.model.max_position).filter(|&bound| length > bound) else {
        return Ok(());
    };
    let allowed = config.root.get("model_max_length").and_then(whole).is_some_and(|max| length <= max);
    if allowed {
        return Ok(());
    }
    let flag = if run.request.max_model_len.is_some() { "--max-model-len" } else { "--seq" };
    Err(Error::quoted(Code::VllmMaxModelLen, format!("User-specified max_model_len ({length}) is greater than the derived max_model_len ({bound}). To allow \
         overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1")).about(flag).way_out(say!("use {0} or less", format!("{flag} {bound}"))))
}

fn kind(rope: &Map<String, Json>) -> Option<&str> {
    rope.get("rope_type").or_else(|| rope.get("type")).and_then(Json::as_str)
}

/// Rotary parameters of the configuration: one set, or one for each kind of layer.
fn ropes(config: HfConfig<'_>) -> Vec<&Map<String, Json>> {
    let Some(outer) =
        ["rope_parameters", "rope_scaling"].iter().find_map(|key| config.text.get(*key)?.as_object())
    else {
        return Vec::new();
    };
    let nested: Vec<_> = outer.values().filter_map(Json::as_object).collect();
    if nested.is_empty() { vec![outer] } else { nested }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::from_config_json;

    fn bounds(extra: &str) -> (Option<u64>, Option<u64>) {
        let text = format!(
            r#"{{"model_type":"llama","architectures":["LlamaForCausalLM"],"hidden_size":64,"num_hidden_layers":2,
            "intermediate_size":64,"num_attention_heads":4,"vocab_size":64,"max_position_embeddings":4096{extra}}}"#
        );
        let model = from_config_json(&text, false).unwrap();
        let config = HfConfig::of(&model);
        (derived(config, model.max_position), default(config, model.max_position))
    }

    /// What the engine answered to these configurations: the bound that its refusal of 10,000,000 tokens
    /// names, and `ModelConfig.max_model_len` where no length is asked for.
    #[test]
    fn factors_of_linear_scaling_count_and_those_of_yarn_are_in_already() {
        assert_eq!(bounds(""), (Some(4096), Some(4096)));
        let linear = r#","rope_scaling":{"type":"linear","factor":2.0}"#;
        assert_eq!(bounds(linear), (Some(8192), Some(8192)));
        let yarn =
            r#","rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":1024}"#;
        assert_eq!(bounds(yarn), (Some(4096), Some(4096)));
        let long = r#","original_max_position_embeddings":1024,"rope_scaling":{"rope_type":"longrope","factor":4.0}"#;
        assert_eq!(bounds(long), (Some(4096), Some(1024)));
        assert_eq!(bounds(r#","seq_length":2048"#), (Some(2048), Some(2048)));
    }
}
