//! From the caches of a model to the engine's specs.
//!
//! Restates `get_kv_cache_spec` of `vllm/model_executor/layers/attention/attention.py`,
//! `mla_attention.py`, `chunked_local_attention.py`, `cross_attention.py`, of
//! `vllm/model_executor/layers/mamba/abstract.py`, of the indexer in
//! `vllm/model_executor/models/deepseek_v2.py`, and `customize_attention_spec` of
//! `vllm/v1/worker/utils.py`, vLLM 0.33.0.

use super::block_size::Blocks;
use super::layers::{Cache, CacheLayer};
use super::spec::{Identity, Kind, PageStride, Spec, StaticName, TokensPerState};
use crate::engine::vllm::backend::{Backend, Context, Size};
use crate::engine::vllm::model::dtype;

/// A cache with its backend and its cache type.
#[derive(Clone, Copy, Debug)]
pub struct LayerBackend {
    /// The cache.
    pub fact: CacheLayer,
    /// Its backend; `None` for recurrent states.
    pub backend: Option<Backend>,
    /// Its cache type; `auto` where the layer stays in the model's dtype.
    pub cache_dtype: &'static str,
}

impl LayerBackend {
    /// Whether both get the same spec.
    pub fn alike(&self, other: &Self) -> bool {
        self.fact.cache == other.fact.cache
            && self.backend == other.backend
            && std::ptr::eq(self.cache_dtype, other.cache_dtype)
    }
}

/// Bytes of one token in one slot, for dense or packed keys and values.
fn slot(backend: Backend, kv: &str, head: u64, head_v: u64, element: u64) -> u64 {
    let packed = match backend {
        Backend::TurboQuant => dtype::turboquant_slot(kv, head),
        Backend::TritonAttn | Backend::TritonAttnDiffKv => dtype::scaled_slot(kv, head, head_v),
        _ => None,
    };
    packed.unwrap_or_else(|| head.saturating_add(head_v).saturating_mul(element))
}

/// Bytes of one token in an attention layer with `heads` heads: the page of a block of 1.
pub fn token_bytes(backend: Backend, kv: &str, heads: u64, head: u64, model_bytes: u64) -> u64 {
    let element = dtype::element(kv, model_bytes);
    if kv.starts_with("nvfp4") && backend == Backend::FlashInfer {
        return heads.saturating_mul(2).saturating_mul(dtype::nvfp4_side(head));
    }
    heads.saturating_mul(slot(backend, kv, head, head, element))
}

/// The spec of a cache.
pub fn spec(model: &Context, served: &LayerBackend, blocks: &Blocks, drafts: u64) -> Spec {
    let kv = served.cache_dtype;
    let element = dtype::element(kv, model.model_bytes);
    let plain = Spec {
        kind: Kind::Full,
        block_size: blocks.attention,
        slots: 1,
        content: 0,
        per_state: TokensPerState::ONE,
        padded: None,
        stride: PageStride::Free,
        dcp_sharded: true,
        identity: Identity::default(),
    };
    match served.fact.cache {
        Cache::State(state) => Spec {
            kind: Kind::State { speculative: drafts, checkpoint: u64::from(state.checkpoint) },
            block_size: blocks.state,
            content: state.bytes,
            padded: blocks.state_page.filter(|page| *page >= state.bytes),
            dcp_sharded: false,
            identity: Identity::of(state.mixer, 0, 0),
            ..plain
        },
        Cache::Streams { heads, width, taps } => Spec {
            kind: Kind::Sliding { window: taps },
            block_size: taps,
            slots: heads,
            content: width.saturating_mul(model.model_bytes),
            identity: Identity::of(StaticName("streams"), heads, width),
            ..plain
        },
        Cache::Latent { rank, rope, window, sparse } => {
            let head = rank.saturating_add(rope);
            let content = match kv {
                "fp8_ds_mla" => 656,
                "nvfp4_ds_mla" => 352,
                _ => scaled_latent(kv, head).unwrap_or_else(|| head.saturating_mul(element)),
            };
            let kind = window.map_or(Kind::Mla, |window| Kind::SlidingMla { window });
            let identity = Identity {
                kv_heads: 1,
                head,
                head_v: 0,
                cache_dtype: StaticName(kv),
                role: StaticName(if sparse { "sparse" } else { "dense" }),
            };
            strided(model, served, Spec { kind, content, identity, ..plain })
        }
        Cache::Index { dim, tokens } => {
            let (width, content) = index_row(served.backend, dim);
            let identity = Identity::of(StaticName("index"), 1, width);
            let per_state = TokensPerState::tokens(tokens.max(1));
            strided(model, served, Spec { kind: Kind::Mla, content, per_state, identity, ..plain })
        }
        Cache::Attention { heads, head, head_v, window, chunk, cross } => {
            let backend = served.backend.unwrap_or(Backend::FlashAttn);
            let mut content = slot(backend, kv, head, head_v, element);
            let mut slots = heads;
            if kv.starts_with("nvfp4") && backend == Backend::FlashInfer {
                slots = heads.saturating_mul(2);
                content = dtype::nvfp4_side(head);
            }
            let cache_dtype = StaticName(kv);
            let identity = Identity { kv_heads: heads, head, head_v, cache_dtype, role: StaticName("") };
            // of windows only, padding applies to the page that is shared with skipped layers
            let padded = blocks.skipped_page.filter(|_| window.is_some());
            let base = Spec { slots, content, identity, ..plain };
            let made = match (window, chunk, cross) {
                (_, _, true) => Spec { kind: Kind::Cross, ..base },
                (_, Some(chunk), _) => Spec { kind: Kind::Chunked { chunk }, ..base },
                (Some(window), _, _) => {
                    let token = slots.saturating_mul(content);
                    let budget = padded.unwrap_or(token.saturating_mul(blocks.attention));
                    let sizes = backend.sizes(model, Some((head, head_v, kv)));
                    let block_size = largest_within(&sizes, token, budget, blocks.attention);
                    Spec { kind: Kind::Sliding { window }, block_size, padded, ..base }
                }
                _ => base,
            };
            strided(model, served, made)
        }
    }
}

/// Elements and bytes of an index key: fp8 with an f32 scale for every 128 values, or MiniMax-M3's bf16
/// (`vllm/models/minimax_m3/common/indexer.py`).
fn index_row(backend: Option<Backend>, dim: u64) -> (u64, u64) {
    let scaled = dim + dim.div_ceil(128) * 4;
    match backend {
        Some(Backend::V32Indexer) | None => (scaled, scaled),
        _ => (dim, dim * 2),
    }
}

/// A latent with a pair of scales (`MLACommonBackend.customize_spec`).
fn scaled_latent(kv: &str, head: u64) -> Option<u64> {
    if !dtype::per_token_head(kv) {
        return None;
    }
    Some(if kv.starts_with("int4") { head / 2 } else { head } + 8)
}

/// Demands on the distance between blocks (`customize_spec` of sparse backends, exact kernel sizes).
fn strided(model: &Context, served: &LayerBackend, spec: Spec) -> Spec {
    let Some(backend) = served.backend else { return spec };
    let kv = served.cache_dtype;
    let rows = |n: u64| PageStride::Bytes(n.saturating_mul(spec.content));
    let own = match backend {
        Backend::FlashMlaSparse if dtype::quantized(kv) && model.device.major != 10 => {
            PageStride::KernelBlocks(64)
        }
        Backend::FlashMlaSparse | Backend::FlashAttnMlaSparse => rows(1),
        Backend::FlashInferMlaSparse => rows(32),
        _ => spec.stride,
    };
    if own != PageStride::Free {
        return Spec { stride: own, ..spec };
    }
    let sizes = backend.sizes(model, Some((spec.identity.head, spec.identity.head_v, kv)));
    let exact = sizes.iter().all(|s| matches!(s, Size::Exact(_)));
    match sizes.iter().map(|s| s.base()).max() {
        Some(largest) if exact => Spec { stride: PageStride::KernelBlocks(largest), ..spec },
        _ => spec,
    }
}

/// `_largest_kernel_block_within`: the largest block whose page fits in `budget` bytes.
fn largest_within(sizes: &[Size], token: u64, budget: u64, fallback: u64) -> u64 {
    let most = budget.checked_div(token).unwrap_or(0);
    let candidate = |size: &Size| match *size {
        Size::Exact(n) => n,
        Size::Multiple(n) => n.max(most / n.max(1) * n),
    };
    let candidates: Vec<u64> = sizes.iter().map(candidate).collect();
    let fitting = candidates.iter().filter(|b| b.saturating_mul(token) <= budget).max();
    fitting.or(candidates.iter().min()).copied().unwrap_or(fallback)
}
