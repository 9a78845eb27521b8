//! Figures that only one engine has, as data: those of its start-up log, its caches, its class.
//!
//! The field names are keys of the JSON's `engine` object.

use serde::Serialize;

use crate::spec::model::Note;

/// One engine's own figures.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct EngineReport {
    /// Tokens of the shortest shared prefix that can be reused; `None` without prefix caching.
    pub min_prefix_hit_tokens: Option<u64>,
    /// By kind of engine.
    pub kind: ReportKind,
    /// Notes for the reader.
    pub notes: Vec<Note>,
}

impl EngineReport {
    /// A report of one kind.
    pub fn new(kind: impl Into<ReportKind>, min_prefix_hit_tokens: Option<u64>, notes: Vec<Note>) -> Self {
        Self { min_prefix_hit_tokens, kind: kind.into(), notes }
    }

    /// The block, token or page pool of an engine that has one.
    pub fn pool(&self) -> Option<&Pool> {
        match &self.kind {
            ReportKind::Vllm(report) => Some(&report.pool),
            ReportKind::Sglang(report) => Some(&report.pool),
            ReportKind::TensorRtLlm(report) => Some(&report.pool),
            _ => None,
        }
    }
}

/// The figures by kind of engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ReportKind {
    /// Nothing beyond the bytes.
    None {},
    /// vLLM's blocks.
    Vllm(VllmReport),
    /// SGLang's pools.
    Sglang(SglangReport),
    /// TensorRT-LLM's blocks.
    TensorRtLlm(TensorRtLlmReport),
    /// llama.cpp's context.
    LlamaCpp(LlamaCppReport),
    /// transformers' cache class.
    Transformers(TransformersReport),
    /// candle's module.
    Candle(CandleReport),
}

impl Default for ReportKind {
    fn default() -> Self {
        Self::None {}
    }
}

macro_rules! kinds {
    ($($kind:ident($report:ident),)*) => {
        $(impl From<$report> for ReportKind {
            fn from(report: $report) -> Self {
                Self::$kind(report)
            }
        })*
    };
}

kinds! {
    Vllm(VllmReport),
    Sglang(SglangReport),
    TensorRtLlm(TensorRtLlmReport),
    LlamaCpp(LlamaCppReport),
    Transformers(TransformersReport),
    Candle(CandleReport),
}

/// A pool of blocks or pages, in the figures of the engine's start-up log. They are `None` where no memory is
/// given.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pool {
    /// Tokens of a block or page.
    pub block_size: u64,
    /// Blocks that the room holds.
    pub num_blocks: Option<u64>,
    /// Tokens that the room holds.
    pub kv_cache_tokens: Option<u64>,
    /// How many sessions of the longest length run at once.
    pub max_concurrency: Option<f64>,
}

/// vLLM's blocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VllmReport {
    /// The block pool.
    #[serde(flatten)]
    pub pool: Pool,
    /// Sessions of `--seq` tokens that the blocks hold.
    pub sessions_at_seq: Option<u64>,
    /// Groups of layers that share a block table.
    pub groups: Vec<BlockGroup>,
    /// Bytes of one block id on a GPU of each pipeline stage.
    pub block_bytes: Vec<u64>,
    /// Blocks that one request of `max_model_len` takes, as the log counts them.
    pub blocks_per_request: u64,
    /// Names of attention backends and state kernels, as the engine has them.
    pub backends: Vec<&'static str>,
    /// The cache type that `auto` resolves to, by the engine's name.
    pub cache_dtype: &'static str,
    /// The longest session that the engine admits.
    pub max_model_len: u64,
    /// Tokens of all batches in flight.
    pub in_flight_tokens: u64,
    /// Whether prefixes are cached.
    pub prefix_caching: bool,
}

/// A group of layers that share a block table in vLLM.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockGroup {
    /// Layers.
    pub layers: usize,
    /// `full`, `latent`, `sliding`, `sliding_latent`, `chunked`, `state` or `cross`.
    pub kind: &'static str,
    /// Tokens of a block.
    pub block_size: u64,
    /// Bytes of a page: one layer's part of a block, or all layers' where their pages differ.
    pub page_bytes: u64,
    /// Blocks of one request of `max_model_len` tokens.
    pub blocks_per_session: u64,
}

/// SGLang's pools.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SglangReport {
    /// The token pool.
    #[serde(flatten)]
    pub pool: Pool,
    /// Requests that run at once.
    pub max_running_requests: Option<u64>,
    /// Tokens of the pool for window layers; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swa_tokens: Option<Option<u64>>,
    /// Slots for states; absent without states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_slots: Option<Option<u64>>,
    /// Slots that one request takes; absent without states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_slots_per_request: Option<u64>,
    /// The cache type that `auto` resolves to.
    pub cache_dtype: &'static str,
    /// The pools by kind; absent where pages hold compressed rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<RowGroup>>,
}

/// A pool of rows in SGLang.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowGroup {
    /// `full`, `window` or `state`.
    pub kind: &'static str,
    /// Bytes of a row in all layers of a stage.
    pub row_bytes: u64,
    /// Rows of one session.
    pub rows_per_session: u64,
}

/// TensorRT-LLM's blocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TensorRtLlmReport {
    /// The block pool.
    #[serde(flatten)]
    pub pool: Pool,
    /// Blocks of one session of `--seq` tokens.
    pub blocks_per_session: u64,
}

/// llama.cpp's context.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LlamaCppReport {
    /// Cells in all.
    pub n_ctx: u64,
    /// Cells of one stream.
    pub n_ctx_seq: u64,
    /// Tokens of a physical batch.
    pub n_ubatch: u64,
    /// Bytes of keys in all attention caches.
    pub k_bytes: u64,
    /// Bytes of values in all attention caches.
    pub v_bytes: u64,
    /// Bytes of recurrent states.
    pub recurrent_bytes: u64,
    /// `general.architecture` of the GGUF file.
    pub architecture: String,
    /// Caches of the context.
    pub caches: Vec<CellCache>,
}

/// A cache of cells in llama.cpp.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellCache {
    /// `full`, `sliding`, `chunked`, `latent`, `indexer`, `recurrent` …
    pub kind: &'static str,
    /// Cells of a stream.
    pub cells: u64,
    /// Layers.
    pub layers: u64,
    /// Streams.
    pub streams: u64,
    /// Bytes of keys.
    pub k_bytes: u64,
    /// Bytes of values.
    pub v_bytes: u64,
}

/// transformers' cache class.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TransformersReport {
    /// Class of the cache.
    pub cache: &'static str,
    /// Length that a static cache allocates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cache_len: Option<u64>,
    /// Package that packs a quantized cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<&'static str>,
}

/// candle's module.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CandleReport {
    /// Path of the module.
    pub module: String,
    /// `concatenated`, `grown`, `preallocated`, `expanded` or `state`.
    pub cache: &'static str,
    /// Bytes that hold tokens, all sessions.
    pub used_bytes: u64,
    /// Bytes allocated, all sessions.
    pub allocated_bytes: u64,
}
