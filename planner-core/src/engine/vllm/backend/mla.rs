//! Backends of latent (MLA) caches: the widths they take, and the demands of sparse ones.
//!
//! Restates the classes under `vllm/v1/attention/backends/mla/`, vLLM 0.33.0.

use super::{Backend, BackendQuery, Context};
use crate::engine::vllm::model::dtype;

/// Widths that latent attention kernels check, from the language model's configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latent {
    /// `qk_nope_head_dim`.
    pub nope: Option<u64>,
    /// `qk_rope_head_dim`.
    pub rope: Option<u64>,
    /// `kv_lora_rank`.
    pub rank: Option<u64>,
    /// `v_head_dim`.
    pub value: Option<u64>,
    /// `index_topk`.
    pub topk: Option<u64>,
}

/// Cache widths of dense kernels (`MLACommonBackend.get_supported_head_sizes`).
pub fn dense_width(head: u64) -> bool {
    matches!(head, 320 | 512 | 576)
}

/// Whether a sparse backend serves the layer.
pub fn check(backend: Backend, model: &Context, ask: &BackendQuery) -> Result<(), &'static str> {
    let kv = ask.cache_dtype;
    let head = ask.head;
    let major = model.device.major;
    let latent = model.latent;
    let bf16 = matches!(kv, "auto" | "bfloat16");
    let plain = !dtype::quantized(kv);
    let demand = |holds: bool, why: &'static str| if holds { Ok(()) } else { Err(why) };
    match backend {
        Backend::FlashMlaSparse => {
            demand(matches!(major, 9 | 10), "compute capability not supported")?;
            let stored = bf16 || matches!(kv, "fp8_ds_mla" | "fp8" | "nvfp4_ds_mla");
            demand(stored, "kv_cache_dtype not supported")?;
            demand(matches!(head, 576 | 512), "head_size not supported")?;
            if head == 512 {
                let stored = plain || kv == "fp8_ds_mla";
                demand(stored && major == 9 && latent.rope == Some(0), "head_size 512 needs NoPE")?;
            }
            demand(kv != "nvfp4_ds_mla" || major == 10, "nvfp4_ds_mla needs SM100")
        }
        Backend::FlashAttnMlaSparse => {
            demand(major == 9, "compute capability not supported")?;
            demand(plain, "FlashAttention MLA Sparse currently supports only FP16/BF16 KV cache")?;
            demand(latent.topk.is_some(), "FlashAttention MLA Sparse requires model with index_topk")
        }
        Backend::FlashInferMlaSparse => {
            demand(major == 10, "compute capability not supported")?;
            demand(plain || dtype::e4m3(kv), "kv_cache_dtype not supported")?;
            demand(matches!(head, 512 | 576), "head_size not supported")?;
            if latent.rope == Some(0) {
                let native = latent.nope == Some(256) && latent.rank == Some(512);
                demand(native, "no-rope MLA requires qk_nope_head_dim=256 and kv_lora_rank=512")?;
            } else {
                demand(matches!(latent.nope, Some(128 | 192)), "qk_nope_head_dim in [128, 192]")?;
            }
            demand(latent.topk.is_some(), "FlashInfer MLA Sparse requires index_topk")
        }
        // the kernels of FA4, SM90 and SM120
        _ => Err("needs FlashInfer's MLA kernels, which `pip install vllm` does not bring"),
    }
}

/// The cache type as a sparse backend spells it (`_canonicalize_sparse_mla_kv_cache_dtype`).
pub fn stored_as(backend: Backend, kv: &'static str) -> &'static str {
    let scaled = backend == Backend::FlashMlaSparse && dtype::quantized(kv) && kv != "nvfp4_ds_mla";
    if scaled { "fp8_ds_mla" } else { kv }
}
