//! The cache layers of a model as vLLM builds them on one tensor rank.
//!
//! Restates what the model classes under `vllm/model_executor/models/` and `vllm/models/` hand to
//! `Attention`, `MLAAttention`, `ChunkedLocalAttention` and the mixers, vLLM 0.33.0.

use super::state::{self, State, StateParams};
use super::windows::{self, WindowOverride};
use crate::engine::vllm::model::architectures;
use crate::engine::vllm::model::shards::smaller_tp;
use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;
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
    /// Inputs of a layer's short convolutions, kept as a window cache (Inkling).
    Streams {
        /// Head slots on the rank.
        heads: u64,
        /// Width of all streams of a slot.
        width: u64,
        /// Taps of the convolution: window and block alike.
        taps: u64,
    },
}

/// A cache and the layer of the configuration that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheLayer {
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
pub fn heads_on_rank(total: u64, tp: u64) -> Result<u64, Error> {
    let fits = if total >= tp { total.is_multiple_of(tp) } else { tp.is_multiple_of(total) };
    if fits {
        Ok((total / tp).max(1))
    } else {
        Err(Error::refused(
            Code::VllmKvHeadsNotDivided,
            say!(
                "it asserts that {0} KV heads and the tensor parallel size {1} divide one another",
                total,
                tp
            ),
        )
        .about("--tp")
        .way_out(say!("use {0}", smaller_tp(total, tp))))
    }
}

/// What the engine keeps of a layer: all where it builds the class itself. Its Transformers backend, which runs
/// the others, replaces the layer's attention and keeps nothing else.
pub fn kept(stores: &[Store], all: bool) -> impl Iterator<Item = &Store> {
    let attends = |store: &Store| !matches!(store.content, Content::IndexKey { .. } | Content::State { .. });
    stores.iter().filter(move |store| store.is_kept_by("vllm") && (all || attends(store)))
}

/// The caches of the model, in the order in which the engine registers them.
///
/// # Errors
/// Refuses what tensor ranks cannot share out and mixers without a rule.
pub fn cache_layers(model: &ModelSpec, set: StateParams) -> Result<Vec<CacheLayer>, Error> {
    let config = HfConfig::of(model);
    // LongCat-Flash attends twice in a layer of its configuration
    let per_config = (model.layers.len() as u64).checked_div(model.config_layers).unwrap_or(1).max(1);
    let mut out: Vec<CacheLayer> = Vec::new();
    // caches of layers that were seen: what the layer keeps, its query heads, where its caches are in `out`
    let mut seen: Vec<(usize, u64, std::ops::Range<usize>)> = Vec::new();
    let placed = WindowOverride::of(config);
    let known = architectures::known(config.class);
    for layer in &model.layers {
        if layer.owner.is_some() {
            continue;
        }
        let like = |(class, heads, _): &&(usize, u64, std::ops::Range<usize>)| {
            *class == layer.class && *heads == layer.query_heads && placed.is_none()
        };
        let index = layer.index / per_config;
        if let Some((.., range)) = seen.iter().find(like) {
            for at in range.clone() {
                out.extend(out.get(at).map(|fact| CacheLayer { layer: index, ..*fact }));
            }
            continue;
        }
        let start = out.len();
        let kept = || kept(&layer.stores, known);
        let indexed = kept().any(|s| matches!(s.content, Content::IndexKey { .. }));
        let sparse = indexed || config.number(&["index_topk"]).is_some();
        // the indexer of a latent layer is built before the layer's own cache
        let (first, rest): (Vec<&Store>, Vec<&Store>) =
            kept().partition(|s| matches!(s.content, Content::IndexKey { .. }));
        let streams = config.class.starts_with("Inkling");
        for store in first.into_iter().chain(rest) {
            if streams && matches!(store.content, Content::State { .. }) {
                continue;
            }
            let own = placed.as_ref().and_then(|placed| placed.store(index, store));
            let store = own.as_ref().unwrap_or(store);
            if streams && let Some(cache) = packed_streams(config, store, set.tp)? {
                out.push(CacheLayer { layer: index, cache, indexed: false, draft: false });
            }
            if let Some(cache) = cache(config, store, set, sparse, layer.query_heads)? {
                out.push(CacheLayer { layer: index, cache, indexed, draft: false });
            }
        }
        seen.push((layer.class, layer.query_heads, start..out.len()));
    }
    Ok(out)
}

fn cache(
    config: HfConfig,
    store: &Store,
    set: StateParams,
    sparse: bool,
    query_heads: u64,
) -> Result<Option<Cache>, Error> {
    let window = match store.extent {
        Extent::Window(n) => Some(n + windows::seen_beyond(config)),
        Extent::Full => windows::everywhere(config),
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
        Content::Latent { rope, .. } if !is_mla(config) => {
            // expanded keys, values padded to their width, for every query head
            let heads = heads_on_rank(query_heads, set.tp)?;
            let head = config.number(&["qk_nope_head_dim"]).unwrap_or(0).saturating_add(rope);
            Some(Cache::Attention { heads, head, head_v: head, window, chunk, cross: false })
        }
        Content::Latent { rank, rope } => Some(Cache::Latent { rank, rope, window, sparse }),
        Content::IndexKey { dim, .. } => Some(Cache::Index { dim, tokens: store.tokens_per_row }),
        Content::State { mixer, .. } => Some(Cache::State(state::state(config, store, mixer, set)?)),
    })
}

/// Whether the engine caches latents for this model (`ModelConfig.use_mla` of `vllm/config/model.py`): all
/// that its Transformers backend runs, and of its own classes the model types of `is_deepseek_mla`
/// (`vllm/transformers_utils/model_arch_config_convertor.py`); others it expands.
pub fn is_mla(config: HfConfig) -> bool {
    const TYPES: [&str; 17] = [
        "axk1",
        "bailing_hybrid",
        "deepseek_v2",
        "deepseek_v3",
        "deepseek_v32",
        "deepseek_v4",
        "deepseek_v41",
        "dots3_note",
        "glm4_moe_lite",
        "glm5_next",
        "glm5_next_text",
        "glm_moe_dsa",
        "hy_v4",
        "kimi_k2",
        "kimi_linear",
        "longcat_flash",
        "pangu_ultra_moe",
    ];
    !architectures::known(config.class) || TYPES.contains(&config.model_type)
}

/// `InklingConvState` of `vllm/models/inkling/nvidia/sconv_swa_attn.py`: per KV head a key, a value and its
/// shares of the two sublayers' outputs, padded to a power of two.
fn packed_streams(config: HfConfig, store: &Store, tp: u64) -> Result<Option<Cache>, Error> {
    let Content::KeysValues { heads, k_dim, .. } = store.content else { return Ok(None) };
    let hidden = config.number(&["hidden_size"]);
    let taps = config.number(&["sconv_kernel_size", "conv_kernel_size"]);
    let (Some(hidden), Some(taps)) = (hidden, taps) else {
        return Err(Error::refused(
            Code::VllmMissingKey,
            words!("config.json has no `hidden_size` or no `sconv_kernel_size`"),
        ));
    };
    if heads == 0 || tp > heads {
        return Err(Error::quoted(
            Code::VllmShortConvHeads,
            format!("sconv SWA cache supports tp_size <= num_kv_heads ({heads}), got {tp}"),
        )
        .about("--tp")
        .way_out(say!("use {0}", format!("--tp {heads}"))));
    }
    let width = (2 * k_dim).saturating_add(2 * (hidden / heads)).next_power_of_two();
    Ok(Some(Cache::Streams { heads: heads / tp, width, taps }))
}
