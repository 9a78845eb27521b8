//! The names of `layer_types`: older spellings become today's, unknown ones are refused (`configuration_utils.py` of
//! transformers 5.24: `remap_legacy_layer_types`, `validate_layer_type`).

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::text::Sentence;

/// `_LEGACY_LAYER_TYPE_REMAP`.
const LEGACY: &[(&str, &str)] = &[
    ("mamba", "linear_attention"),
    ("attention", "full_attention"),
    ("deepseek_sparse_attention", "indexed_attention"),
    ("qwen_sparse_attention", "indexed_attention"),
];

/// `ALLOWED_ATTN_LAYER_TYPES`; `mlp`, which Nemotron-H adds to them, and `sparse_attention` of Hunyuan V4.
const KNOWN: &[&str] = &[
    "full_attention",
    "sliding_attention",
    "chunked_attention",
    "window_attention",
    "indexed_attention",
    "compressed_sparse_attention",
    "heavily_compressed_attention",
    "minimax_m3_sparse",
    "conv",
    "moe",
    "mlp",
    "sparse_attention",
    "hybrid",
    "hybrid_sliding",
    "reference_sliding_attention",
    "linear_attention",
];

/// The configuration with today's names, in its own list and in those of its nested parts.
///
/// # Errors
/// A name that transformers does not know.
pub fn current(config: Arc<Map<String, Json>>) -> Result<Arc<Map<String, Json>>> {
    let is_plain = |map: &Map<String, Json>| !map.contains_key("layer_types");
    let nested = |value: &Json| value.as_object().is_some_and(|part| !is_plain(part));
    if is_plain(&config) && !config.values().any(nested) {
        return Ok(config);
    }
    let mut map = Arc::unwrap_or_clone(config);
    rename(&mut map)?;
    for part in map.values_mut().filter_map(Json::as_object_mut) {
        rename(part)?;
    }
    Ok(Arc::new(map))
}

fn rename(map: &mut Map<String, Json>) -> Result<()> {
    let Some(Json::Array(types)) = map.get_mut("layer_types") else { return Ok(()) };
    for name in types {
        let Some(given) = name.as_str() else { continue };
        if let Some((_, today)) = LEGACY.iter().find(|(old, _)| *old == given) {
            *name = (*today).into();
        } else if !KNOWN.contains(&given) {
            let want = say!("one of {0}", Sentence::list(KNOWN.iter().copied()));
            return Err(Error::bad_value("layer_types", given, want));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn old_names_become_today_s_in_every_part() {
        let of = |value: Json| current(Arc::new(value.as_object().cloned().unwrap_or_default()));
        let old = json!({"layer_types": ["mamba", "attention"], "text_config": {"layer_types": ["qwen_sparse_attention"]}});
        let new = json!({"layer_types": ["linear_attention", "full_attention"], "text_config": {"layer_types": ["indexed_attention"]}});
        assert_eq!(of(old).ok().map(|map| json!(*map)), Some(new));
        let error =
            of(json!({"layer_types": ["sparse"]})).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("`layer_types` is sparse, but must be one of full_attention"), "{error}");
    }
}
