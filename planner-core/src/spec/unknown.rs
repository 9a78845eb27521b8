//! Configurations with a `model_type` that no family has.

use planner_models::Family;
use serde_json::{Map, Value as Json};

use super::family::{find, near_types};
use super::model::{Note, nested};
use crate::error::{Code, Error, Result};
use crate::text::Sentence;

/// Keys that a plain decoder must have.
const NEEDED: &[&str] =
    &["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"];

/// Parts of key names that may change the cache or the weights.
const SUSPECT: &[&str] = &[
    "lora",
    "layer_types",
    "sliding",
    "window",
    "chunk",
    "mamba",
    "ssm",
    "state_",
    "linear_",
    "conv",
    "recurrent",
    "rwkv",
    "block_types",
    "layers_block_type",
    "index_",
    "compress",
    "loop",
    "shared",
    "text_config",
    "encoder",
    "cross_attention",
    "hybrid",
    "attn_layer",
    "nope",
    "expert",
    "v_head_dim",
    "kv_channels",
    "multi_query",
    "vision",
    "visual",
    "image",
    "img_",
    "video",
    "audio",
    "speech",
    "projector",
    "codebook",
];

/// Keys whose meaning for the weights differs between models.
const SUSPECT_NAMES: &[&str] = &["bias", "use_bias", "qkv_bias", "add_bias_linear", "add_qkv_bias"];

/// Keys under which wrappers keep their language model.
const PARTS: &[&str] = &[
    "text_config",
    "llm_config",
    "language_config",
    "thinker_config",
    "thinker_config.text_config",
    "decoder_config",
    "decoder",
    "text_model",
];

/// Plans an unknown `model_type` as plain attention, provided that every key that could change its cache is a
/// standard one.
pub(super) fn plain(
    model_type: &str,
    class: &str,
    config: &Map<String, Json>,
    strict: bool,
    notes: &mut Vec<Note>,
) -> Result<(&'static Family, Map<String, Json>)> {
    let refuse = |why: Sentence| {
        let hint = part(config).unwrap_or_else(|| near_types(model_type));
        let what = match class {
            "" => say!("model_type `{0}`", model_type),
            class => say!("model_type `{0}` ({1})", model_type, class),
        };
        Error::refused(Code::ModelUnknownType, why).about(what).way_out(hint)
    };
    if strict {
        return Err(refuse(words!("no family knows it").into()));
    }
    if ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"]
        .iter()
        .any(|end| class.ends_with(end))
    {
        return Err(Error::NoCache {
            architecture: class.to_owned(),
            why: words!("it is an encoder: it reads its whole input at once and generates nothing").into(),
        });
    }
    if let Some(field) = NEEDED.iter().find(|field| !config.contains_key(**field)) {
        return Err(refuse(say!("no family knows it and it has no `{0}`", field)));
    }
    let suspect = config.iter().find(|(key, value)| {
        let is_set = !matches!(value, Json::Null | Json::Bool(false));
        is_set && (SUSPECT.iter().any(|part| key.contains(part)) || SUSPECT_NAMES.contains(&key.as_str()))
    });
    if let Some((key, _)) = suspect {
        return Err(refuse(say!(
            "no family knows it, and its key `{0}` may change what is cached or what the weights take",
            key
        )));
    }
    let act = config.get("hidden_act").and_then(Json::as_str).unwrap_or("silu");
    if !["silu", "swish"].contains(&act) {
        return Err(refuse(say!(
            "no family knows it, and its `hidden_act` `{0}` says that its MLP is not Llama's",
            act
        )));
    }
    notes.push(Note::new(
        "unknown_model_type",
        say!("no family knows model_type `{0}`: planned as plain attention with a Llama-like block; --strict refuses instead", model_type),
    ));
    find("llama").ok_or_else(|| refuse(words!("the family `llama` is missing").into()))
}

/// The part of an unknown wrapper that can be planned: a nested language model of a known type. Its cache is
/// the least that the wrapper keeps.
fn part(config: &Map<String, Json>) -> Option<Sentence> {
    PARTS.iter().find_map(|key| {
        let model_type = nested(config, key)?.get("model_type")?.as_str()?;
        let (family, _) = find(model_type).filter(|(family, _)| family.refuse.is_none())?;
        let of = if family.language_model.is_some() { words!("a part") } else { words!("the language model") };
        Some(say!(
            "{0}, `{1}` of type `{2}`, is known: give that object as the config.json for its own cache, the least \
             that the whole keeps",
            of,
            key,
            model_type
        ))
    })
}
