//! vLLM's specification of one layer's cache, and the size of its page.
//!
//! Restates `KVCacheSpec` and its subclasses of `vllm/v1/kv_cache_interface.py`, vLLM 0.33.0.
//! A page is what one layer stores for one block.

use crate::engine::vllm::math::{ceil_div, lcm, round_up};
use crate::error::{Code, Error};

/// Tokens of one stored state, as `num / den` (`tokens_per_state`): 4/1 for a compressed cache, 1/4 where each
/// token has four states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokensPerState {
    /// Numerator, tokens.
    pub num: u64,
    /// Denominator, states.
    pub den: u64,
}

impl TokensPerState {
    /// One state for each token.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `tokens` tokens for each state.
    pub fn tokens(tokens: u64) -> Self {
        Self { num: tokens, den: 1 }
    }

    /// States in a block of `block` tokens, rounded down as the engine does (`get_num_kernel_states`).
    pub fn states(self, block: u64) -> u64 {
        block.saturating_mul(self.den).checked_div(self.num).unwrap_or(1)
    }
}

/// What the distance between physical blocks must be a multiple of (`block_stride_alignment`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageStride {
    /// No demand.
    Free,
    /// A number of bytes.
    Bytes(u64),
    /// Whole kernel blocks of up to this many tokens (`MultipleOf`).
    KernelBlocks(u64),
}

/// Which subclass of `KVCacheSpec` a layer's cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `FullAttentionSpec`.
    Full,
    /// `MLAAttentionSpec`, latent caches and indexer caches.
    Mla,
    /// `SlidingWindowSpec`.
    Sliding {
        /// Tokens of the window.
        window: u64,
    },
    /// `SlidingWindowMLASpec`.
    SlidingMla {
        /// Tokens of the window.
        window: u64,
    },
    /// `ChunkedLocalAttentionSpec`.
    Chunked {
        /// Tokens of a chunk.
        chunk: u64,
    },
    /// `MambaSpec`: a recurrent or convolution state.
    State {
        /// Blocks for draft tokens.
        speculative: u64,
        /// Blocks for a checkpoint inside a prefill.
        checkpoint: u64,
    },
    /// `CrossAttentionSpec`: keys and values of the encoder's output.
    Cross,
}

impl Kind {
    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Mla => "latent",
            Self::Sliding { .. } => "sliding",
            Self::SlidingMla { .. } => "sliding_latent",
            Self::Chunked { .. } => "chunked",
            Self::State { .. } => "state",
            Self::Cross => "cross",
        }
    }
}

/// A layer's cache specification on one tensor rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Subclass, with its own fields.
    pub kind: Kind,
    /// Tokens of a block.
    pub block_size: u64,
    /// Head slots of a page: usually the KV heads on this rank.
    pub slots: u64,
    /// Bytes of one slot in one stored state; of a recurrent state all its bytes.
    pub content: u64,
    /// Tokens of a stored state.
    pub per_state: TokensPerState,
    /// Page size after padding.
    pub padded: Option<u64>,
    /// Demand on the distance between blocks.
    pub stride: PageStride,
    /// Whether decode context parallelism divides its tokens.
    pub dcp_sharded: bool,
    /// All else that tells specs apart for the engine: head widths, dtype, cache dtype, role.
    pub identity: Identity,
}

/// A static name. Two names at the same address are equal without a comparison of their text.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub struct StaticName(pub &'static str);

impl PartialEq for StaticName {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0) || self.0 == other.0
    }
}

/// Specs of many caches, in the model's order: each distinct spec once, and an index for each cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specs {
    kinds: Vec<Spec>,
    of: Vec<usize>,
}

impl Specs {
    /// Distinct specs, in the order of first appearance.
    pub fn kinds(&self) -> &[Spec] {
        &self.kinds
    }

    /// The index of every cache's spec.
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// A number of caches with one spec.
    pub fn alike(spec: Spec, caches: usize) -> Self {
        Self { kinds: vec![spec], of: vec![0; caches] }
    }

    /// The index of a spec, added where it is new.
    pub fn kind(&mut self, spec: Spec) -> usize {
        self.kinds.iter().position(|kind| *kind == spec).unwrap_or_else(|| {
            self.kinds.push(spec);
            self.kinds.len() - 1
        })
    }

    /// Adds a cache with the spec of an index.
    pub fn push(&mut self, kind: usize) {
        self.of.push(kind);
    }

    /// Adds a cache.
    pub fn add(&mut self, spec: Spec) {
        let kind = self.kind(spec);
        self.push(kind);
    }

    /// The same caches, each distinct spec replaced.
    pub fn map(&self, kinds: impl IntoIterator<Item = Spec>) -> Self {
        let mut mapped = Self::default();
        let new: Vec<usize> = kinds.into_iter().map(|spec| mapped.kind(spec)).collect();
        mapped.of = self.of.iter().filter_map(|kind| new.get(*kind).copied()).collect();
        mapped
    }

    /// The specs of some of the caches.
    pub fn part(&self, caches: &[usize]) -> Self {
        let mut places: Vec<Option<usize>> = vec![None; self.kinds.len()];
        let mut part = Self { kinds: Vec::new(), of: Vec::with_capacity(caches.len()) };
        for kind in caches.iter().filter_map(|cache| self.of.get(*cache)) {
            let (Some(place), Some(spec)) = (places.get_mut(*kind), self.kinds.get(*kind)) else { continue };
            let at = *place.get_or_insert_with(|| {
                part.kinds.push(*spec);
                part.kinds.len() - 1
            });
            part.of.push(at);
        }
        part
    }

    /// The sum of a figure over all caches.
    pub fn sum(&self, figure: impl Fn(&Spec) -> u64) -> u64 {
        let figures: Vec<u64> = self.kinds.iter().map(figure).collect();
        self.of.iter().filter_map(|kind| figures.get(*kind)).fold(0, |all, one| all.saturating_add(*one))
    }
}

impl FromIterator<Spec> for Specs {
    fn from_iter<I: IntoIterator<Item = Spec>>(specs: I) -> Self {
        let mut all = Self::default();
        specs.into_iter().for_each(|spec| all.add(spec));
        all
    }
}

/// Why the engine tells two specs with equal pages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Identity {
    /// KV heads on this rank.
    pub kv_heads: u64,
    /// Width of a key.
    pub head: u64,
    /// Width of a value.
    pub head_v: u64,
    /// Cache dtype as the engine spells it.
    pub cache_dtype: StaticName,
    /// In words: role, model version and index sharing of a sparse cache, or the mixer of a state.
    pub role: StaticName,
}

impl Identity {
    /// For a cache in a dtype of its own: role, KV heads and width of a row.
    pub fn of(role: StaticName, kv_heads: u64, head: u64) -> Self {
        Self { kv_heads, head, head_v: 0, cache_dtype: StaticName(""), role }
    }
}

/// Settings that the number of a request's blocks depends on.
#[derive(Clone, Copy, Debug)]
pub struct BlockParams {
    /// Longest request, tokens (`max_model_len`).
    pub max_model_len: u64,
    /// Tokens of all batches in flight (`VllmConfig.max_in_flight_tokens`).
    pub in_flight: u64,
    /// Decode context parallel size.
    pub dcp: u64,
    /// Whether states are kept block by block for prefix caching (`mamba_cache_mode == "align"`).
    pub align_states: bool,
    /// Encoder tokens of a request (`max_num_encoder_input_tokens`).
    pub encoder_tokens: u64,
}

impl Spec {
    /// States in a page.
    pub fn states(&self) -> u64 {
        match self.kind {
            Kind::State { .. } => 1,
            _ => self.per_state.states(self.block_size),
        }
    }

    /// Bytes of a page before padding (`unpadded_page_size_bytes`).
    pub fn natural_page(&self) -> u64 {
        self.slots.saturating_mul(self.states()).saturating_mul(self.content)
    }

    /// Bytes of a page (`page_size_bytes`).
    pub fn page(&self) -> u64 {
        self.padded.unwrap_or_else(|| self.natural_page())
    }

    /// The same spec with another block size.
    pub fn with_block(&self, block_size: u64) -> Self {
        Self { block_size, ..*self }
    }

    /// Whether it keeps every token (`FullAttentionSpec` and its subclasses).
    pub fn is_full(&self) -> bool {
        matches!(self.kind, Kind::Full | Kind::Mla)
    }

    /// Whether it is attention of any kind (`AttentionSpec`).
    pub fn is_attention(&self) -> bool {
        !matches!(self.kind, Kind::State { .. })
    }

    /// What the distance between blocks must be a multiple of, in bytes (`get_block_stride_alignment`).
    pub fn stride_alignment(&self) -> u64 {
        match self.stride {
            PageStride::Free => 1,
            PageStride::Bytes(bytes) => bytes.max(1),
            PageStride::KernelBlocks(tokens) => {
                let kernel = crate::engine::vllm::math::gcd(tokens, self.block_size);
                if kernel == self.block_size { 1 } else { self.with_block(kernel).page() }
            }
        }
    }

    /// The page rounded up to that multiple (`_get_layer_block_stride`).
    pub fn strided_page(&self) -> u64 {
        round_up(self.page(), self.stride_alignment())
    }

    /// Blocks of one request of `max_model_len`: `cdiv(max_memory_usage_bytes, page)`.
    ///
    /// # Errors
    /// A sliding window under decode context parallelism, which the engine asserts against.
    pub fn blocks(&self, run: &BlockParams) -> Result<u64, Error> {
        let block = self.block_size.max(1);
        let capped = |kept: u64| kept.saturating_add(run.in_flight).min(run.max_model_len);
        Ok(match self.kind {
            Kind::Full | Kind::Mla => {
                let shared = if self.dcp_sharded { run.dcp.max(1) } else { 1 };
                ceil_div(ceil_div(run.max_model_len, shared), block)
            }
            Kind::Sliding { window } | Kind::SlidingMla { window } => {
                if self.dcp_sharded && run.dcp > 1 {
                    return Err(Error::quoted(Code::VllmDcpSlidingWindow, "DCP not support sliding window.")
                        .about("--dcp")
                        .way_out(say!("use {0}", "--dcp 1")));
                }
                ceil_div(capped(window.saturating_sub(1)), block) + 1
            }
            Kind::Chunked { chunk } => ceil_div(capped(chunk), block),
            Kind::State { speculative, checkpoint } => {
                if run.align_states {
                    2 + speculative + checkpoint
                } else {
                    1 + speculative
                }
            }
            Kind::Cross => ceil_div(run.encoder_tokens, block),
        })
    }

    /// Whether both merge into one spec for the group (`merge` of `self`'s subclass).
    pub fn merges(&self, other: &Self) -> bool {
        match (self.kind, other.kind) {
            (Kind::SlidingMla { window: a }, Kind::SlidingMla { window: b }) => {
                a == b
                    && self.per_state == other.per_state
                    && self.stride == other.stride
                    && self.dcp_sharded == other.dcp_sharded
                    && self.identity.cache_dtype == other.identity.cache_dtype
                    && self.identity.role == other.identity.role
            }
            _ => self == other,
        }
    }

    /// Whether both may share a group although their pages differ (`is_uniform_with_collection`;
    /// `UniformTypeKVCacheSpecs.is_uniform_type` asks for equal block size and DCP sharding).
    pub fn uniform_with(&self, other: &Self) -> bool {
        if self.block_size != other.block_size || self.dcp_sharded != other.dcp_sharded {
            return false;
        }
        match (self.kind, other.kind) {
            (Kind::Sliding { window: a }, Kind::Sliding { window: b })
            | (Kind::SlidingMla { window: a }, Kind::SlidingMla { window: b })
            | (Kind::Sliding { window: a }, Kind::SlidingMla { window: b }) => a == b,
            (Kind::Chunked { chunk: a }, Kind::Chunked { chunk: b }) => a == b,
            (Kind::Cross, Kind::Cross) => true,
            (
                Kind::State { speculative: a, checkpoint: c },
                Kind::State { speculative: b, checkpoint: d },
            ) => a == b && c == d && self.page() == other.page(),
            _ => self.is_full() && other.is_full(),
        }
    }
}

/// Least common multiple of the stride demands, for a block with the pages of all `specs`.
pub fn shared_stride<'a>(specs: impl Iterator<Item = &'a Spec>) -> u64 {
    specs.fold(1, |all, spec| lcm(all, spec.stride_alignment()))
}
