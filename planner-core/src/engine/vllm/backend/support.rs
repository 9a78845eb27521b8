//! Which layers an attention backend serves.
//!
//! Restates `AttentionBackend.validate_configuration` of `vllm/v1/attention/backend.py`, with the answers of
//! the backends under `vllm/v1/attention/backends/`, vLLM 0.33.0.

use super::flash::{self, FlashQuery};
use super::mla::{self, Latent};
use super::{Backend, BackendQuery, Context, Device};
use crate::engine::vllm::model::dtype;

impl Backend {
    /// Whether it serves this layer; `Err` has the engine's reason not to.
    pub(super) fn check(self, model: &Context, ask: &BackendQuery) -> Result<(), &'static str> {
        let head = ask.head;
        let plain = !dtype::quantized(ask.cache_dtype);
        let fp8 = dtype::e4m3(ask.cache_dtype);
        let half = ask.element == 2;
        let major = model.device.major;
        let demand = |holds: bool, why: &'static str| if holds { Ok(()) } else { Err(why) };
        demand(!ask.mla || self.is_mla(), "MLA not supported")?;
        demand(ask.mla || !self.is_mla(), "non-MLA not supported")?;
        demand(!ask.sparse || self.is_sparse(), "sparse not supported")?;
        demand(ask.sparse || !self.is_sparse(), "non-sparse not supported")?;
        demand(ask.cache_dtype.is_empty() || self.stores(model, ask), "kv_cache_dtype not supported")?;
        demand(model.user_block.is_none_or(|b| self.takes(model, b)), "block_size not supported")?;
        demand(!ask.window || !matches!(self, Self::TurboQuant), "sliding window not supported")?;
        demand(half || matches!(self, Self::TritonAttn | Self::FlexAttention), "dtype not supported")?;
        if model.dcp > 1 {
            let without = matches!(self, Self::TritonAttn | Self::FlexAttention | Self::TurboQuant)
                || matches!(self, Self::TritonFlashAttn | Self::TritonFlashInfer)
                || matches!(self, Self::FlashAttnMlaSparse);
            demand(!without, "DCP not supported")?;
        }
        let flash = FlashQuery {
            head: Some(head),
            sinks: ask.sinks,
            block: model.user_block,
            head_256: true,
            ..FlashQuery::default()
        };
        match self {
            Self::FlashAttn => {
                demand(major >= 8, "compute capability not supported")?;
                demand(flash_heads(model, head), "head_size not supported")?;
                demand(!ask.mm_prefix || flash::runs(4, major), "image prefix not supported")?;
                let version = flash::version(model, FlashQuery::default());
                demand(!ask.sinks || matches!(version, Some(3 | 4)), "attention sinks not supported")?;
                demand(!ask.per_head_scales || version.is_some_and(|v| v >= 3), "per-head scales")?;
                flash_combination(model, ask, flash)
            }
            Self::TritonFlashAttn => {
                demand(major == 9, "compute capability not supported")?;
                composite(Self::FlashAttn, model, ask)?;
                demand(matches!(flash::version(model, flash), Some(3 | 4)), "needs FlashAttention 3 or 4")
            }
            Self::TritonFlashInfer => {
                demand(major == 10, "compute capability not supported")?;
                composite(Self::FlashInfer, model, ask)
            }
            Self::FlashInfer => {
                demand(matches!(head, 64 | 128 | 256 | 512), "head_size not supported")?;
                demand((8..=12).contains(&major), "compute capability not supported")?;
                demand(!ask.mm_prefix && !ask.sinks && !ask.cross, "not supported")?;
                demand(!ask.per_head_scales, "per-head quant scales not supported")?;
                let four = ask.cache_dtype.starts_with("nvfp4");
                demand(!(four && head == 64), "fa2 prefill misreads an NVFP4 KV cache at head_size 64")
            }
            Self::TritonAttn => demand(head >= 32 && !ask.per_head_scales, "head_size not supported"),
            Self::FlexAttention => {
                demand(plain && !ask.sinks && !ask.cross && !ask.per_head_scales, "not supported")
            }
            Self::TurboQuant => {
                let plain = !ask.sinks && !ask.mm_prefix && !ask.cross && !ask.per_head_scales;
                demand(plain, "not supported")
            }
            Self::FlashAttnMla => demand(major == 9 && plain && mla::dense_width(head), "not supported"),
            Self::FlashMla => demand(major == 9 && (plain || fp8) && mla::dense_width(head), "not supported"),
            Self::FlashInferMla => {
                demand(major == 10 && (plain || fp8) && mla::dense_width(head), "not supported")?;
                demand(matches!(model.latent.nope, None | Some(64 | 128 | 192)), "qk_nope_head_dim")
            }
            Self::TokenspeedMla => {
                let Latent { nope, rope, value, .. } = model.latent;
                let widths = [nope, rope, value] == [Some(128), Some(64), Some(128)];
                demand(major == 10 && fp8 && widths, "not supported")
            }
            Self::CutlassMla => {
                demand(major == 10 && (plain || fp8) && mla::dense_width(head), "not supported")
            }
            Self::TritonMla => demand(plain || fp8, "kv_cache_dtype not supported"),
            _ => mla::check(self, model, ask),
        }
    }

    fn stores(self, model: &Context, ask: &BackendQuery) -> bool {
        let kv = ask.cache_dtype;
        let plain = !dtype::quantized(kv);
        let fp8 = dtype::e4m3(kv);
        match self {
            Self::FlashAttn => plain || (fp8 && flash::reads(model, kv, FlashQuery::default())),
            Self::FlashInfer => {
                let four = kv == "nvfp4" && matches!(model.device.major, 8 | 9 | 12);
                plain || fp8 || kv == "fp8_e5m2" || four
            }
            Self::TritonAttn => plain || fp8 || kv == "fp8_e5m2" || dtype::per_token_head(kv),
            Self::TurboQuant => kv.starts_with("turboquant_"),
            _ => true,
        }
    }

    fn is_sparse(self) -> bool {
        matches!(
            self,
            Self::FlashMlaSparse
                | Self::FlashAttnMlaSparse
                | Self::FlashAttnMlaSparseFa4
                | Self::FlashInferMlaSparse
                | Self::FlashInferMlaSparseSm90
                | Self::FlashInferMlaSparseSm120
        )
    }

    fn is_mla(self) -> bool {
        self.is_sparse()
            || matches!(
                self,
                Self::FlashAttnMla
                    | Self::FlashMla
                    | Self::FlashInferMla
                    | Self::TokenspeedMla
                    | Self::CutlassMla
                    | Self::TritonMla
            )
    }
}

/// The composite of two backends (`vllm/v1/attention/backends/composite.py`): Triton for tokens that see each
/// other, another backend for the rest. Triton stores whatever the other stores.
fn composite(causal: Backend, model: &Context, ask: &BackendQuery) -> Result<(), &'static str> {
    let served = matches!(ask.head, 256 | 512) && !ask.sinks && !ask.cross && !ask.per_head_scales;
    if !served {
        return Err("not supported");
    }
    causal.check(model, &BackendQuery { mm_prefix: false, ..*ask })
}

fn flash_heads(model: &Context, head: u64) -> bool {
    head.is_multiple_of(8) && (head <= 256 || (flash::runs(4, model.device.major) && head <= 512))
}

fn flash_combination(model: &Context, ask: &BackendQuery, flash: FlashQuery) -> Result<(), &'static str> {
    let Device { major, minor } = model.device;
    let quantized = dtype::quantized(ask.cache_dtype);
    if ask.sinks && major < 9 {
        return Err("sink not supported on compute capability < 9.0");
    }
    if ask.mm_prefix && quantized && (major, minor) == (9, 0) {
        return Err("SM90 FP8 KV with mm_prefix requires Triton");
    }
    if quantized && !flash::reads(model, ask.cache_dtype, flash) {
        return Err("FP8 KV cache requires FA3 on SM90, FA4 with head_size=512 on SM90, or FA4 on SM100");
    }
    if ask.mm_prefix && flash::version(model, flash) != Some(4) {
        return Err("mm_prefix requires FlashAttention v4");
    }
    Ok(())
}
