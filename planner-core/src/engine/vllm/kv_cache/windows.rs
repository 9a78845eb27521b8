//! Windows and chunks where the engine's class reads other keys than the model's definition.
//!
//! Restates `create_engine_config` of `vllm/engine/arg_utils.py`, `Llama4Attention` of
//! `vllm/model_executor/models/llama4.py`, `OAIAttention` of `gpt_oss.py` and `InklingDecoderLayer` of
//! `vllm/models/inkling/nvidia/model.py`, vLLM 0.33.0.

use serde_json::Value as Json;

use crate::spec::hf_config::{HfConfig, whole};
use crate::spec::layer::{Content, Extent, Store};

/// How the engine's class gives layers their window or chunk, where it reads other keys than the definition.
pub enum WindowOverride<'a> {
    /// Llama 4: layers with rotary positions are chunked.
    Rotary {
        /// `no_rope_layers`.
        listed: Option<&'a Vec<Json>>,
        /// Without a list, every `interval`-th layer has no rotary positions.
        interval: u64,
        /// `attention_chunk_size`.
        chunk: Option<u64>,
    },
    /// gpt-oss: layers 0, 2, 4 … have the window.
    Alternate {
        /// `sliding_window`.
        window: Option<u64>,
    },
    /// Inkling without a list of local layers: all layers keep every token.
    Whole {
        /// `num_key_value_heads`.
        heads: u64,
        /// `head_dim`.
        head: Option<u64>,
    },
}

impl<'a> WindowOverride<'a> {
    /// The rule of a model's class; `None` where it follows the definition.
    pub fn of(config: HfConfig<'a>) -> Option<Self> {
        let is = |class: &str| config.class.starts_with(class);
        if is("Llama4") {
            let listed = config.text.get("no_rope_layers").and_then(Json::as_array);
            return Some(Self::Rotary {
                listed: listed.filter(|list| !list.is_empty()),
                interval: config.number(&["no_rope_layer_interval"]).unwrap_or(4),
                chunk: config.number(&["attention_chunk_size"]),
            });
        }
        if is("GptOss") {
            return Some(Self::Alternate { window: config.number(&["sliding_window"]) });
        }
        if is("Inkling") && config.get("local_layer_ids").is_none_or(|ids| !ids.is_array()) {
            let heads = config.number(&["num_key_value_heads"])?;
            return Some(Self::Whole { heads, head: config.number(&["head_dim"]) });
        }
        None
    }

    /// A layer's store as the engine's class builds it.
    pub fn store(&self, layer: u64, store: &Store) -> Option<Store> {
        let Content::KeysValues { k_dim, .. } = store.content else { return None };
        let (extent, content) = match *self {
            Self::Rotary { listed, interval, chunk } => {
                let rotary = match listed {
                    Some(list) => whole(list.get(layer as usize)?) != Some(0),
                    None => !(layer + 1).is_multiple_of(interval),
                };
                (chunk.filter(|_| rotary).map_or(Extent::Full, Extent::Chunk), store.content)
            }
            Self::Alternate { window } => {
                let window = window.filter(|_| layer.is_multiple_of(2));
                (window.map_or(Extent::Full, Extent::Window), store.content)
            }
            Self::Whole { heads, head } => {
                let head = head.unwrap_or(k_dim);
                (Extent::Full, Content::KeysValues { heads, k_dim: head, v_dim: head })
            }
        };
        Some(Store { extent, content, ..store.clone() })
    }
}

/// First letters of model types whose configuration class lists windows layer by layer, or has none unless it
/// is switched on (transformers, `configuration_*.py`: `layer_types`, `use_sliding_window`).
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

/// The window of layers that have none of their own. `create_engine_config` of `vllm/engine/arg_utils.py` takes
/// the configuration's `sliding_window` where `layer_types` are missing or all are sliding. Nemotron-H passes
/// it to its attention.
pub fn everywhere(config: HfConfig) -> Option<u64> {
    let by_layer = match config.text.get("layer_types").and_then(Json::as_array) {
        Some(types) => types.iter().any(|kind| kind != "sliding_attention"),
        None => BY_LAYER.iter().any(|name| config.model_type.starts_with(name)),
    };
    if by_layer && config.model_type != "nemotron_h" {
        return None;
    }
    config.text.get("sliding_window").and_then(whole).filter(|&window| window > 0)
}

/// Tokens that the engine's window has more than the configuration's. Cohere's classes add the token itself
/// (`vllm/model_executor/models/commandr.py`, `cohere2_moe.py`).
pub fn seen_beyond(config: HfConfig) -> u64 {
    u64::from(config.model_type.starts_with("cohere2"))
}
