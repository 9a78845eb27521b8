//! The cache layers of a model as vLLM builds them on one tensor rank.
//!
//! Restates what the model classes under `vllm/model_executor/models/` and `vllm/models/` hand to
//! `Attention`, `MLAAttention`, `ChunkedLocalAttention` and the mixers, vLLM 0.33.0.

use super::architectures;
use super::config::Config;
use super::refusal::Refusal;
use super::state::{self, Setting, State};
use crate::spec::layer::{Content, Extent, Store};
use crate::spec::model::ModelSpec;

/// What one cache of a layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cache {
    /// Keys and values.
    Attention {
        /// KV heads on the rank.
        heads: u64,
        /// Width of a key.
        head: u64,
        /// Width of a value.
        head_v: u64,
        /// Tokens of a sliding window.
        window: Option<u64>,
        /// Tokens of a chunk.
        chunk: Option<u64>,
        /// Keys and values of an encoder's output.
        cross: bool,
    },
    /// A latent, the same on every rank.
    Latent {
        /// `kv_lora_rank`.
        rank: u64,
        /// `qk_rope_head_dim`.
        rope: u64,
        /// Tokens of a sliding window.
        window: Option<u64>,
        /// Whether attention to it is sparse.
        sparse: bool,
    },
    /// Keys of a sparse indexer.
    Index {
        /// Width of a key.
        dim: u64,
        /// Tokens that share a key.
        tokens: u64,
    },
    /// A recurrent or convolution state.
    State(State),
}

/// A cache and the layer of the configuration that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact {
    /// Layer of the configuration, from 0; it decides the pipeline rank.
    pub layer: u64,
    /// What it is.
    pub cache: Cache,
    /// Whether the layer chooses tokens by an index.
    pub indexed: bool,
    /// Whether a draft model owns it.
    pub draft: bool,
}

/// KV heads that one of `tp` ranks holds: a share, or a replica of one head.
///
/// # Errors
/// Refuses counts that neither divide nor are divided.
pub fn heads_on_rank(total: u64, tp: u64) -> Result<u64, Refusal> {
    let fits = if total >= tp { total.is_multiple_of(tp) } else { total > 0 && tp.is_multiple_of(total) };
    if fits {
        Ok((total / tp).max(1))
    } else {
        Err(Refusal::new(format!(
            "AssertionError: {total} KV heads and tensor parallel size {tp} do not divide one another"
        )))
    }
}

/// The caches of the model, in the order in which the engine registers them.
///
/// # Errors
/// Refuses what tensor ranks cannot share out and mixers without a rule.
pub fn facts(model: &ModelSpec, set: Setting) -> Result<Vec<Fact>, Refusal> {
    let config = Config::of(model);
    let layers = model.layers.len() as u64;
    let per_config = if model.config_layers > 0 && layers.is_multiple_of(model.config_layers) {
        (layers / model.config_layers).max(1)
    } else {
        1
    };
    let mut out = Vec::new();
    for layer in &model.layers {
        if layer.owner.is_some() {
            continue;
        }
        // the Transformers backend, which runs what the engine does not build, has no index cache
        let index_too = architectures::known(config.class);
        let kept = || {
            let is_index = |s: &Store| matches!(s.content, Content::IndexKey { .. });
            layer.stores.iter().filter(move |s| s.is_kept_by("vllm") && (index_too || !is_index(s)))
        };
        let indexed = kept().any(|s| matches!(s.content, Content::IndexKey { .. }));
        let sparse = indexed || config.number(&["index_topk"]).is_some();
        // the indexer of a latent layer is built before the layer's own cache
        let (first, rest): (Vec<&Store>, Vec<&Store>) =
            kept().partition(|s| matches!(s.content, Content::IndexKey { .. }));
        for store in first.into_iter().chain(rest) {
            if let Some(cache) = cache(config, store, set, sparse)? {
                out.push(Fact { layer: layer.index / per_config, cache, indexed, draft: false });
            }
        }
    }
    Ok(out)
}

fn cache(config: Config, store: &Store, set: Setting, sparse: bool) -> Result<Option<Cache>, Refusal> {
    let window = match store.extent {
        Extent::Window(n) => Some(n + seen_beyond(config)),
        _ => None,
    };
    let chunk = match store.extent {
        Extent::Chunk(n) => Some(n),
        _ => None,
    };
    Ok(match store.content {
        Content::KeysValues { heads: 0, .. } => None,
        Content::KeysValues { heads, k_dim, v_dim } => {
            let heads = heads_on_rank(heads, set.tp)?;
            // a value that is the key is still stored
            let head_v = if v_dim == 0 { k_dim } else { v_dim };
            Some(Cache::Attention { heads, head: k_dim, head_v, window, chunk, cross: false })
        }
        Content::Cross { heads, k_dim, v_dim } => {
            let heads = heads_on_rank(heads, set.tp)?;
            let head_v = v_dim;
            Some(Cache::Attention { heads, head: k_dim, head_v, window: None, chunk: None, cross: true })
        }
        Content::Latent { rank, rope } => Some(Cache::Latent { rank, rope, window, sparse }),
        Content::IndexKey { dim, .. } => Some(Cache::Index { dim, tokens: store.tokens_per_row }),
        Content::State { mixer, .. } => Some(Cache::State(state::state(config, store, mixer, set)?)),
    })
}

/// Tokens by which the engine's window exceeds the configuration's: Cohere's classes count the token
/// itself on top (`vllm/model_executor/models/commandr.py`, `cohere2_moe.py`, `modernbert.py`).
fn seen_beyond(config: Config) -> u64 {
    let one_more = ["cohere2", "cohere2_moe", "cohere2_vision"];
    u64::from(one_more.contains(&config.model_type) || config.model_type.starts_with("cohere2"))
}
