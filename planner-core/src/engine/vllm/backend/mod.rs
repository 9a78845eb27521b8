//! The attention backends: which block sizes their kernels take, and which layouts they read.
//!
//! Restates `get_supported_kernel_block_sizes`, `get_preferred_block_size` and `supported_kv_cache_layouts` of
//! the backends under `vllm/v1/attention/backends/`, vLLM 0.33.0 on CUDA, installed from PyPI without
//! FlashInfer's optional kernel packages. [`support`] says which layers each backend serves.

pub mod assign;
pub mod flash;
pub mod inputs;
pub mod mla;
pub mod priority;
pub mod support;

use self::flash::FlashQuery;
use crate::engine::vllm::kv_cache::tensor_layout::TensorLayout;
use crate::engine::vllm::model::dtype;
use crate::error::{Code, Error};
use crate::text::Sentence;

/// A GPU as the engine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Compute capability, major.
    pub major: u64,
    /// Compute capability, minor.
    pub minor: u64,
}

/// Facts of the whole model and run that backends depend on.
#[derive(Clone, Debug)]
pub struct Context {
    /// The GPU.
    pub device: Device,
    /// Widest head of layers with keys and values (`ModelConfig.get_head_size`). Kernels of latents do not look
    /// at it.
    pub head_size: u64,
    /// Cache type of the run, `auto` resolved.
    pub cache_dtype: &'static str,
    /// Bytes of an element in the model's dtype.
    pub model_bytes: u64,
    /// Whether image tokens of a prompt attend to each other (`is_mm_prefix_lm`).
    pub mm_prefix: bool,
    /// Whether attention logits are capped.
    pub softcap: bool,
    /// Whether linear biases stand for positions (ALiBi).
    pub alibi: bool,
    /// Whether the model decodes by diffusion.
    pub diffusion: bool,
    /// Whether decoding is not causal (`attention_config.use_non_causal`).
    pub non_causal: bool,
    /// FlashAttention version that the model forces.
    pub flash_version: Option<u64>,
    /// Backend that the user or the model forces.
    pub forced: Option<Backend>,
    /// Decode context parallel size.
    pub dcp: u64,
    /// Block size given by the user.
    pub user_block: Option<u64>,
    /// Query heads on a rank.
    pub query_heads: u64,
    /// Widths of a latent cache's parts.
    pub latent: mla::Latent,
}

/// What one layer asks of a backend.
#[derive(Clone, Copy, Debug)]
pub struct BackendQuery<'a> {
    /// Width of a key; for a latent cache its whole width.
    pub head: u64,
    /// Cache type of this layer.
    pub cache_dtype: &'a str,
    /// Bytes of an element of the model's dtype.
    pub element: u64,
    /// Latent attention.
    pub mla: bool,
    /// Sparse attention over an index.
    pub sparse: bool,
    /// Attention sinks.
    pub sinks: bool,
    /// A sliding window.
    pub window: bool,
    /// Whether image tokens attend to each other in this layer.
    pub mm_prefix: bool,
    /// Attention to an encoder's output.
    pub cross: bool,
    /// Whether the checkpoint has a scale for each head.
    pub per_head_scales: bool,
}

/// A block size that kernels take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Exactly this many tokens.
    Exact(u64),
    /// Any multiple of this.
    Multiple(u64),
}

impl Size {
    /// Its number.
    pub fn base(self) -> u64 {
        match self {
            Self::Exact(n) | Self::Multiple(n) => n,
        }
    }
}

/// An attention backend, named as the engine logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Backend {
    FlashAttn,
    FlashInfer,
    TritonAttn,
    FlexAttention,
    TurboQuant,
    TritonFlashAttn,
    TritonFlashInfer,
    FlashAttnDiffKv,
    TritonAttnDiffKv,
    FlashAttnMla,
    FlashMla,
    FlashInferMla,
    TokenspeedMla,
    CutlassMla,
    TritonMla,
    FlashMlaSparse,
    FlashAttnMlaSparse,
    FlashAttnMlaSparseFa4,
    FlashInferMlaSparse,
    FlashInferMlaSparseSm90,
    FlashInferMlaSparseSm120,
    /// The cache of a sparse indexer.
    V32Indexer,
    /// A backend of one model class; that class's rule has its block sizes.
    OfModel(ModelBackend),
}

/// A backend that one model brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelBackend {
    /// Name in the log.
    pub name: &'static str,
    /// Its block size must be a multiple of this; 0 where only `preferred` works.
    pub multiple: u64,
    /// Block size it prefers.
    pub preferred: u64,
    /// Whether it packs pages side by side in a block.
    pub packed: bool,
}

const NAMES: [(&str, Backend); 22] = [
    ("FLASH_ATTN", Backend::FlashAttn),
    ("FLASHINFER", Backend::FlashInfer),
    ("TRITON_ATTN", Backend::TritonAttn),
    ("FLEX_ATTENTION", Backend::FlexAttention),
    ("TURBOQUANT", Backend::TurboQuant),
    ("TRITON_FLASH_ATTN", Backend::TritonFlashAttn),
    ("TRITON_FLASHINFER", Backend::TritonFlashInfer),
    ("FLASH_ATTN_DIFFKV", Backend::FlashAttnDiffKv),
    ("TRITON_ATTN_DIFFKV", Backend::TritonAttnDiffKv),
    ("FLASH_ATTN_MLA", Backend::FlashAttnMla),
    ("FLASHMLA", Backend::FlashMla),
    ("FLASHINFER_MLA", Backend::FlashInferMla),
    ("TOKENSPEED_MLA", Backend::TokenspeedMla),
    ("CUTLASS_MLA", Backend::CutlassMla),
    ("TRITON_MLA", Backend::TritonMla),
    ("FLASHMLA_SPARSE", Backend::FlashMlaSparse),
    ("FLASH_ATTN_MLA_SPARSE", Backend::FlashAttnMlaSparse),
    ("FLASH_ATTN_MLA_SPARSE_FA4", Backend::FlashAttnMlaSparseFa4),
    ("FLASHINFER_MLA_SPARSE", Backend::FlashInferMlaSparse),
    ("FLASHINFER_MLA_SPARSE_SM90", Backend::FlashInferMlaSparseSm90),
    ("FLASHINFER_MLA_SPARSE_SM120", Backend::FlashInferMlaSparseSm120),
    ("DEEPSEEK_V32_INDEXER", Backend::V32Indexer),
];

impl Backend {
    /// Name in the engine's log.
    pub fn name(self) -> &'static str {
        match self {
            Self::OfModel(own) => own.name,
            known => NAMES.iter().find(|(_, b)| *b == known).map_or("", |(name, _)| name),
        }
    }

    /// The backend with this name, for `--attention-backend`.
    ///
    /// # Errors
    /// An unknown name, with the list of known ones.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let found = NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, backend)| *backend).ok_or_else(|| {
            let known: Vec<&str> = NAMES.iter().map(|(n, _)| *n).collect();
            Error::refused(Code::VllmUnknownBackend, say!("it has no attention backend `{0}`", name))
                .about("--attention-backend")
                .way_out(say!("use one of {0}", Sentence::list(known)))
        })
    }

    /// Block sizes of its kernels (`get_supported_kernel_block_sizes()`): for the model as a whole, or for one
    /// spec where `spec` has its key width and cache type.
    pub fn sizes(self, model: &Context, spec: Option<(u64, u64, &str)>) -> Vec<Size> {
        use Size::{Exact, Multiple};
        match self {
            Self::FlashAttn | Self::FlashAttnDiffKv | Self::TritonFlashAttn => {
                match flash_page(self, model, spec) {
                    Some(page) => vec![Exact(page)],
                    None => vec![Multiple(16)],
                }
            }
            Self::TritonFlashInfer => vec![Exact(64)],
            Self::FlashInfer => vec![Exact(16), Exact(32), Exact(64)],
            Self::TurboQuant => vec![Exact(16), Exact(32), Exact(64), Exact(128)],
            Self::TritonAttn | Self::TritonAttnDiffKv | Self::FlexAttention => vec![Multiple(16)],
            Self::FlashAttnMla | Self::TritonMla => vec![Multiple(16)],
            Self::FlashMla | Self::V32Indexer => vec![Exact(64)],
            Self::FlashInferMla | Self::TokenspeedMla => vec![Exact(32), Exact(64)],
            Self::CutlassMla => vec![Exact(128)],
            Self::FlashInferMlaSparse => vec![Multiple(32)],
            Self::FlashMlaSparse
            | Self::FlashAttnMlaSparse
            | Self::FlashAttnMlaSparseFa4
            | Self::FlashInferMlaSparseSm90
            | Self::FlashInferMlaSparseSm120 => vec![Multiple(64)],
            Self::OfModel(own) => vec![Multiple(own.multiple)],
        }
    }

    /// Whether a block of this many tokens can be divided into its kernels' blocks.
    pub fn takes(self, model: &Context, block: u64) -> bool {
        self.sizes(model, None).iter().any(|size| block.is_multiple_of(size.base()))
    }

    /// The block size it prefers (`get_preferred_block_size(16)`).
    pub fn preferred(self, model: &Context) -> u64 {
        if let Self::FlashAttn | Self::FlashAttnDiffKv = self
            && let Some(page) = flash_page(self, model, None)
        {
            return page.max(16);
        }
        if let Self::OfModel(own) = self {
            return own.preferred;
        }
        if self.takes(model, 16) {
            return 16;
        }
        self.sizes(model, None).iter().map(|size| size.base()).min().unwrap_or(16)
    }

    /// Layouts its kernels read, or `None` for any (`supported_kv_cache_layouts`).
    pub fn layouts(self, model: &Context) -> Option<&'static [TensorLayout]> {
        match self {
            Self::FlashInfer if model.device.major == 10 => Some(&[TensorLayout::Lbhnc, TensorLayout::Blhnc]),
            Self::TritonFlashInfer => Some(&[TensorLayout::Lbhnc, TensorLayout::Blhnc]),
            Self::FlexAttention | Self::TurboQuant => Some(&[TensorLayout::Lbnhc]),
            Self::OfModel(own) if own.packed => Some(&[TensorLayout::Blhnc, TensorLayout::Blnhc]),
            _ => None,
        }
    }
}

/// The one page size of FlashAttention's kernel, where it takes only one.
fn flash_page(backend: Backend, model: &Context, spec: Option<(u64, u64, &str)>) -> Option<u64> {
    let default_v = if backend == Backend::FlashAttnDiffKv { Some(128) } else { None };
    let (head, head_v, kv) = match spec {
        Some((head, head_v, kv)) => (head, Some(head_v), kv),
        None => (model.head_size, default_v, model.cache_dtype),
    };
    let of = |head_v| FlashQuery { head: Some(head), head_v, head_256: true, ..FlashQuery::default() };
    let fp8 = dtype::e4m3(kv);
    let version = |ask| flash::version(model, ask);
    let wide = FlashQuery { head: Some(head), ..FlashQuery::default() };
    if model.device.major == 9 && fp8 && head == 512 && version(wide) == Some(4) {
        return Some(64);
    }
    let own = flash::head_256(Some(head), head_v, model.device.major);
    (own && version(of(head_v)) == Some(4)).then_some(flash::HEAD_256_PAGE)
}
