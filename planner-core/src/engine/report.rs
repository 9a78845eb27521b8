//! Figures that only one engine has, as data: those of its start-up log, its caches, its class.
//!
//! The field names are keys of the JSON's `engine` object.

use serde_json::{Map, Value as Json};

use crate::spec::model::Note;
use crate::to_json::ToJson;

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
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum ReportKind {
    /// Nothing beyond the bytes.
    #[default]
    None,
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

macro_rules! kinds {
    ($($kind:ident($report:ident),)*) => {
        $(impl From<$report> for ReportKind {
            fn from(report: $report) -> Self {
                Self::$kind(report)
            }
        })*

        impl ToJson for ReportKind {
            fn json(&self) -> Json {
                match self {
                    Self::None => Json::Object(Map::new()),
                    $(Self::$kind(report) => report.json(),)*
                }
            }
        }
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

object! {
    /// A pool of blocks or pages, as the engine's start-up log prints it; `None` where no memory is named.
    #[derive(Debug, Clone, PartialEq)]
    Pool {
        /// Tokens of a block or page.
        block_size: u64,
        /// Blocks that the room holds.
        num_blocks: Option<u64>,
        /// Tokens that the room holds.
        kv_cache_tokens: Option<u64>,
        /// Longest sessions that run at once.
        max_concurrency: Option<f64>,
    }

    /// vLLM's blocks.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    VllmReport {
        /// The block pool.
        [flat] pool: Pool,
        /// Sessions of `--seq` tokens for which there are blocks.
        sessions_at_seq: Option<u64>,
        /// Layers that share a page table.
        groups: Vec<BlockGroup>,
        /// Bytes of one block id on a GPU of each pipeline stage.
        block_bytes: Vec<u64>,
        /// Blocks that one request of `max_model_len` takes, as the log counts them.
        blocks_per_request: u64,
        /// Attention backends and state kernels, by the engine's names.
        backends: Vec<&'static str>,
        /// Cache type after `auto`, by the engine's name.
        cache_dtype: &'static str,
        /// Longest session that is admitted.
        max_model_len: u64,
        /// Tokens scheduled but not settled.
        in_flight_tokens: u64,
        /// Whether prefixes are reused.
        prefix_caching: bool,
    }

    /// A group of layers that share a page table in vLLM.
    #[derive(Debug, Clone, PartialEq)]
    BlockGroup {
        /// Layers.
        layers: usize,
        /// `full`, `latent`, `sliding`, `sliding_latent`, `chunked`, `state` or `cross`.
        kind: &'static str,
        /// Tokens of a block.
        block_size: u64,
        /// Bytes of a page: one layer's part of a block, or all layers' where pages differ.
        page_bytes: u64,
        /// Blocks of one request of `max_model_len`.
        blocks_per_session: u64,
    }

    /// SGLang's pools.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    SglangReport {
        /// The token pool.
        [flat] pool: Pool,
        /// Requests that run at once.
        max_running_requests: Option<u64>,
        /// Tokens of the pool for window layers; absent without one.
        [absent] swa_tokens: Option<Option<u64>>,
        /// Slots for states; absent without states.
        [absent] state_slots: Option<Option<u64>>,
        /// Slots that one request takes; absent without states.
        [absent] state_slots_per_request: Option<u64>,
        /// Cache type after `auto`.
        cache_dtype: &'static str,
        /// Rows of each pool; absent where the pools are of compressed pages.
        [absent] groups: Option<Vec<RowGroup>>,
    }

    /// A pool of rows in SGLang.
    #[derive(Debug, Clone, PartialEq)]
    RowGroup {
        /// `full`, `window` or `state`.
        kind: &'static str,
        /// Bytes of a row in all layers of a stage.
        row_bytes: u64,
        /// Rows of one session.
        rows_per_session: u64,
    }

    /// TensorRT-LLM's blocks.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    TensorRtLlmReport {
        /// The block pool.
        [flat] pool: Pool,
        /// Blocks of one session of `--seq` tokens.
        blocks_per_session: u64,
    }

    /// llama.cpp's context.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    LlamaCppReport {
        /// Cells in all.
        n_ctx: u64,
        /// Cells of one stream.
        n_ctx_seq: u64,
        /// Tokens of a physical batch.
        n_ubatch: u64,
        /// Bytes of keys in all attention caches.
        k_bytes: u64,
        /// Bytes of values in all attention caches.
        v_bytes: u64,
        /// Bytes of recurrent states.
        recurrent_bytes: u64,
        /// `general.architecture` of the GGUF file.
        architecture: String,
        /// Caches of the context.
        caches: Vec<CellCache>,
    }

    /// A cache of cells in llama.cpp.
    #[derive(Debug, Clone, PartialEq)]
    CellCache {
        /// `full`, `sliding`, `chunked`, `latent`, `indexer`, `recurrent` …
        kind: &'static str,
        /// Cells of a stream.
        cells: u64,
        /// Layers.
        layers: u64,
        /// Streams.
        streams: u64,
        /// Bytes of keys.
        k_bytes: u64,
        /// Bytes of values.
        v_bytes: u64,
    }

    /// transformers' cache class.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    TransformersReport {
        /// Class of the cache.
        cache: &'static str,
        /// Length that a static cache allocates.
        [absent] max_cache_len: Option<u64>,
        /// Package that packs a quantized cache.
        [absent] backend: Option<&'static str>,
    }

    /// candle's module.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    CandleReport {
        /// Path of the module.
        module: String,
        /// `concatenated`, `grown`, `preallocated`, `expanded` or `state`.
        cache: &'static str,
        /// Bytes that hold tokens, all sessions.
        used_bytes: u64,
        /// Bytes allocated, all sessions.
        allocated_bytes: u64,
    }
}
