//! The settings of a context, resolved as the constructor of `llama_context` does
//! (`src/llama-context.cpp`, `0c1e57098`).

use super::hparams::Hparams;
use crate::error::{Code, Error, Result};
use crate::units::product;

/// `n_batch` of llama.cpp's tools and of its C API.
const DEFAULT_BATCH: u64 = 2048;
/// `n_ubatch` of both.
const DEFAULT_UBATCH: u64 = 512;
/// Cells of a cache are a multiple of this.
const PAD: u64 = 256;
/// `LLAMA_MAX_SEQ`.
pub const MAX_SEQUENCES: u64 = 256;
/// Beyond this the engine's 32-bit counters would wrap.
const MAX_CONTEXT: u64 = 1 << 31;

/// What is asked of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextArgs {
    /// `n_ctx`; `None` and 0 mean the model's training context.
    pub ctx_size: Option<u64>,
    /// `n_seq_max`.
    pub sequences: u64,
    /// `n_batch`.
    pub batch: Option<u64>,
    /// `n_ubatch`; 0 means as many as the batch.
    pub ubatch: Option<u64>,
    /// `kv_unified`.
    pub unified: bool,
    /// `swa_full`.
    pub swa_full: bool,
}

/// What the context has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// `n_ctx`.
    pub n_ctx: u64,
    /// `n_ctx_seq`: cells of a full cache in each stream.
    pub n_ctx_seq: u64,
    /// `n_ubatch`.
    pub n_ubatch: u64,
    /// `n_seq_max`.
    pub sequences: u64,
    /// Whether all sequences share one stream of cells.
    pub unified: bool,
    /// Whether window layers keep the whole context.
    pub swa_full: bool,
}

/// Rounds up to whole blocks of 256 cells (`GGML_PAD(n, 256)`).
pub fn pad(cells: u64) -> u64 {
    cells.div_ceil(PAD).saturating_mul(PAD)
}

impl Context {
    /// Resolves a context.
    pub fn resolve(shape: &Hparams, asked: ContextArgs) -> Result<Self> {
        if asked.sequences > MAX_SEQUENCES {
            return Err(Error::quoted(
                Code::LlamacppTooManySequences,
                format!("n_seq_max must be <= {MAX_SEQUENCES}"),
            )
            .about("--n-parallel")
            .way_out(say!("use {0} or less", format!("--n-parallel {MAX_SEQUENCES}"))));
        }
        let sequences = asked.sequences.max(1);
        let wanted = match asked.ctx_size.filter(|&size| size > 0) {
            Some(size) => size,
            None => shape.trained.ok_or_else(|| {
                let looked_in = words!("the configuration, for llama.cpp's default --ctx-size");
                Error::missing("max_position_embeddings", looked_in)
            })?,
        };
        if wanted > MAX_CONTEXT {
            return Err(Error::bad_value("--ctx-size", wanted, say!("at most {0}", MAX_CONTEXT)));
        }
        let batch = asked.batch.unwrap_or(DEFAULT_BATCH);
        let n_batch = if shape.causal { wanted.min(batch) } else { batch };
        let n_ubatch = match asked.ubatch.unwrap_or(DEFAULT_UBATCH) {
            0 => n_batch.min(batch),
            ubatch => n_batch.min(ubatch),
        };
        let padded = pad(wanted);
        let n_ctx_seq = if asked.unified { padded } else { pad(padded / sequences) };
        // where the slots do not divide the context evenly it grows to whole slots
        let n_ctx = if asked.unified { padded } else { product(words!("cells"), &[n_ctx_seq, sequences])? };
        Ok(Self { n_ctx, n_ctx_seq, n_ubatch, sequences, unified: asked.unified, swa_full: asked.swa_full })
    }

    /// Streams of an ordinary cache.
    pub fn streams(&self) -> u64 {
        if self.unified { 1 } else { self.sequences }
    }

    /// Cells of a window layer's cache in each stream (`llama_kv_cache_iswa`).
    pub fn window_cells(&self, window: u64, unified: bool) -> u64 {
        if self.swa_full {
            return self.n_ctx_seq;
        }
        let slots = if unified { self.sequences } else { 1 };
        pad(self.n_ctx_seq.min(window.saturating_mul(slots).saturating_add(self.n_ubatch)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Hparams {
        Hparams {
            arch: "llama".into(),
            trained: Some(8192),
            causal: true,
            window: None,
            trunk: 0,
            layers: Vec::new(),
            mla: false,
            indexer: None,
            state: 0,
            extra_state: 0,
        }
    }

    fn asked(ctx_size: Option<u64>, sequences: u64, unified: bool) -> ContextArgs {
        ContextArgs { ctx_size, sequences, batch: None, ubatch: None, unified, swa_full: false }
    }

    // expected: the log lines of contexts of the engine (n_ctx, n_ctx_seq, n_ubatch)
    #[test]
    fn contexts_are_whole_blocks_and_grow_to_whole_slots() {
        for (ctx_size, sequences, unified, want) in [
            (Some(4096), 1, false, (4096, 4096, 512)),
            (Some(5000), 7, false, (5376, 768, 512)),
            (Some(256), 7, false, (1792, 256, 256)),
            (Some(5000), 7, true, (5120, 5120, 512)),
            (Some(1), 1, false, (256, 256, 1)),
            (None, 1, false, (8192, 8192, 512)),
            (Some(0), 4, true, (8192, 8192, 512)),
        ] {
            let got = Context::resolve(&shape(), asked(ctx_size, sequences, unified)).unwrap();
            assert_eq!((got.n_ctx, got.n_ctx_seq, got.n_ubatch), want, "{ctx_size:?} × {sequences}");
        }
    }

    #[test]
    fn windows_keep_a_batch_more_than_their_length() {
        let context = Context::resolve(&shape(), asked(Some(32_768), 4, true)).unwrap();
        // 4 × 1,024 + 512 in one stream; 1,024 + 512 in each of several
        assert_eq!(context.window_cells(1024, true), 4608);
        assert_eq!(context.window_cells(1024, false), 1536);
        assert_eq!(context.window_cells(1 << 20, true), 32_768);
        assert_eq!(Context { swa_full: true, ..context }.window_cells(1024, true), 32_768);
    }

    #[test]
    fn more_than_256_sequences_are_refused() {
        assert!(Context::resolve(&shape(), asked(Some(4096), 256, false)).is_ok());
        assert!(Context::resolve(&shape(), asked(Some(4096), 257, false)).is_err());
    }
}
