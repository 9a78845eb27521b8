//! Windows and chunks as the engine's classes read them, where that is not the configuration's own meaning.
//!
//! Restates `create_engine_config` of `vllm/engine/arg_utils.py`, `Llama4Attention` of
//! `vllm/model_executor/models/llama4.py`, `OAIAttention` of `gpt_oss.py` and `InklingDecoderLayer` of `vllm/models/inkling/nvidia/model.py`,
//! vLLM 0.33.0.

use serde_json::Value as Json;

use super::config::{Config, whole};
use crate::spec::layer::{Content, Extent, Store};

/// Whether the engine's class decides by a layer's position.
pub fn by_position(config: Config) -> bool {
    ["Llama4", "GptOss", "Inkling"].iter().any(|class| config.class.starts_with(class))
}

/// The store of a layer as the engine's class builds it, where the class decides by other keys than the
/// definition: Llama 4 takes the layers with rotary positions for the chunked ones, gpt-oss every second layer
/// for one with a window, Inkling those that `local_layer_ids` names.
pub fn own(config: Config, layer: u64, store: &Store) -> Option<Store> {
    let Content::KeysValues { k_dim, .. } = store.content else { return None };
    if config.class.starts_with("Llama4") {
        let listed =
            config.text.get("no_rope_layers").and_then(Json::as_array).filter(|list| !list.is_empty());
        let rotary = match listed {
            Some(list) => whole(list.get(layer as usize)?) != Some(0),
            None => !(layer + 1).is_multiple_of(config.number(&["no_rope_layer_interval"]).unwrap_or(4)),
        };
        let chunk = config.number(&["attention_chunk_size"]).filter(|_| rotary);
        return Some(Store { extent: chunk.map_or(Extent::Full, Extent::Chunk), ..store.clone() });
    }
    if config.class.starts_with("GptOss") {
        let window = config.number(&["sliding_window"]).filter(|_| layer.is_multiple_of(2));
        return Some(Store { extent: window.map_or(Extent::Full, Extent::Window), ..store.clone() });
    }
    if config.class.starts_with("Inkling") {
        let listed = config.get("local_layer_ids").and_then(Json::as_array);
        if listed.is_some() {
            return None;
        }
        let heads = config.number(&["num_key_value_heads"])?;
        let head = config.number(&["head_dim"]).unwrap_or(k_dim);
        let content = Content::KeysValues { heads, k_dim: head, v_dim: head };
        return Some(Store { extent: Extent::Full, content, ..store.clone() });
    }
    None
}

/// First letters of the model types whose configuration class says a window layer by layer, or not at all
/// unless told to (transformers, `configuration_*.py`: `layer_types`, `use_sliding_window`).
const BY_LAYER: [&str; 44] = [
    "afmoe",
    "axk2",
    "bailing",
    "bamba",
    "beam",
    "cohere",
    "cwm",
    "deepseek_v3",
    "deepseek_v4",
    "diffusion_gemma",
    "dots",
    "embedding_gemma",
    "exaone",
    "falcon_h1",
    "gemma",
    "glm",
    "gpt_oss",
    "granite",
    "hy_v4",
    "inkling",
    "jamba",
    "kimi",
    "kolibri",
    "laguna",
    "lfm",
    "llama4",
    "mamba",
    "mellum",
    "mimo",
    "minicpmv",
    "minimax",
    "modernbert",
    "muse",
    "olmo3",
    "olmo_hybrid",
    "qwen",
    "smollm3",
    "step",
    "t5gemma",
    "ultrabert",
    "unlimited",
    "vaultgemma",
    "zamba",
    "zaya",
];

/// The window that every layer without one of its own takes (`create_engine_config` of
/// `vllm/engine/arg_utils.py`: `sliding_window` of a configuration whose `layer_types` are missing or name nothing
/// else; Nemotron-H hands it to its attention itself).
pub fn everywhere(config: Config) -> Option<u64> {
    let by_layer = match config.text.get("layer_types").and_then(Json::as_array) {
        Some(types) => types.iter().any(|kind| kind != "sliding_attention"),
        None => BY_LAYER.iter().any(|name| config.model_type.starts_with(name)),
    };
    if by_layer && config.model_type != "nemotron_h" {
        return None;
    }
    config.text.get("sliding_window").and_then(whole).filter(|&window| window > 0)
}

/// Tokens by which the engine's window exceeds the configuration's: Cohere's classes count the token itself on
/// top (`vllm/model_executor/models/commandr.py`, `cohere2_moe.py`).
pub fn seen_beyond(config: Config) -> u64 {
    u64::from(config.model_type.starts_with("cohere2"))
}
