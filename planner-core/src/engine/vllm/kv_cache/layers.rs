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

/// One cache of a layer.
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
        /// Whether they are of an encoder's output.
        cross: bool,
    },
    /// A latent, whole on every rank.
    Latent {
        /// `kv_lora_rank`.
        rank: u64,
        /// `qk_rope_head_dim`.
        rope: u64,
        /// Tokens of a sliding window.
        window: Option<u64>,
        /// Whether attention over it is sparse.
        sparse: bool,
    },
    /// Keys of a sparse indexer.
    Index {
        /// Width of a key.
        dim: u64,
        /// Tokens that share one key.
        tokens: u64,
    },
    /// A recurrent or convolution state.
    State(State),
    /// Inputs of a layer's short convolutions, in a window cache (Inkling).
    Streams {
        /// Head slots on the rank.
        heads: u64,
        /// Width of all streams in a slot.
        width: u64,
        /// Kernel width of the convolution: the tokens of its window, and of a block.
        taps: u64,
    },
}

/// A cache and the layer of the configuration that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheLayer {
    /// Layer of the configuration, from 0: it decides the pipeline rank.
    pub layer: u64,
    /// The cache.
    pub cache: Cache,
    /// Whether the layer has an index.
    pub indexed: bool,
    /// Whether a draft model owns it.
    pub draft: bool,
}

/// KV heads on one of `tp` ranks: a share of them, or a copy of one head.
///
/// # Errors
/// Neither number divides the other.
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

/// The stores of a layer that the engine keeps: `all` of them where it builds the class itself. Its
/// Transformers backend replaces the layer's attention and keeps nothing else.
pub fn kept(stores: &[Store], all: bool) -> impl Iterator<Item = &Store> {
    let attends = |store: &Store| !matches!(store.content, Content::IndexKey { .. } | Content::State { .. });
    stores.iter().filter(move |store| store.is_kept_by("vllm") && (all || attends(store)))
}

/// The caches of the model, in the order in which the engine registers them.
///
/// # Errors
/// A width that does not divide over the ranks; a mixer without a rule.
pub fn cache_layers(model: &ModelSpec, set: StateParams) -> Result<Vec<CacheLayer>, Error> {
    let config = HfConfig::of(model);
    // LongCat-Flash attends twice in a layer of its configuration
    let per_config = (model.layers.len() as u64).checked_div(model.config_layers).unwrap_or(1).max(1);
    let mut out: Vec<CacheLayer> = Vec::new();
    // layers seen before: class, query heads, and the range of their caches in `out`
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
        // a latent layer's indexer is built before its own cache
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
            // where the value is the key, the engine still stores both
            let head_v = if v_dim == 0 { k_dim } else { v_dim };
            Some(Cache::Attention { heads, head: k_dim, head_v, window, chunk, cross: false })
        }
        Content::Cross { heads, k_dim, v_dim } => {
            let heads = heads_on_rank(heads, set.tp)?;
            let head_v = v_dim;
            Some(Cache::Attention { heads, head: k_dim, head_v, window: None, chunk: None, cross: true })
        }
        Content::Latent { rope, .. } if !is_mla(config) => {
            // a key and a value for every query head, the value padded to the key's width
            let heads = heads_on_rank(query_heads, set.tp)?;
            let head = config.number(&["qk_nope_head_dim"]).unwrap_or(0).saturating_add(rope);
            Some(Cache::Attention { heads, head, head_v: head, window, chunk, cross: false })
        }
        Content::Latent { rank, rope } => Some(Cache::Latent { rank, rope, window, sparse }),
        Content::IndexKey { dim, .. } => Some(Cache::Index { dim, tokens: store.tokens_per_row }),
        Content::State { mixer, .. } => Some(Cache::State(state::state(config, store, mixer, set)?)),
    })
}

/// Whether the engine caches latents for this model (`ModelConfig.use_mla` of `vllm/config/model.py`). It does
/// so for every class that its Transformers backend runs. Of its own classes, it does so for the model types of
/// `is_deepseek_mla` (`vllm/transformers_utils/model_arch_config_convertor.py`) and expands the latents of
/// others.
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

/// `InklingConvState` of `vllm/models/inkling/nvidia/sconv_swa_attn.py`. Each KV head has a key, a value, and
/// its share of the outputs of two sublayers; the sum is padded to a power of two.
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
