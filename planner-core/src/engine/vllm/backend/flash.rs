//! The FlashAttention version of a layer on a device: it decides which caches are possible.
//!
//! Restates `get_flash_attn_version`, `_fa4_hd256_fallback_reason` and
//! `flash_attn_supports_kv_cache_dtype` of `vllm/v1/attention/backends/fa_utils.py`, and the version
//! checks of `vllm/vllm_flash_attn/flash_attn_interface.py`, vLLM 0.33.0.

use super::Context;
use crate::engine::vllm::model::dtype;

/// Tokens of a page in FA4's kernel for heads of 256 on Blackwell (`FA4_HD256_PAGE_SIZE`).
pub const HEAD_256_PAGE: u64 = 128;

/// What a version must support.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlashQuery {
    /// Width of a key, where it is known.
    pub head: Option<u64>,
    /// Width of a value, where it is known.
    pub head_v: Option<u64>,
    /// Attention sinks.
    pub sinks: bool,
    /// A cap on the logits.
    pub softcap: bool,
    /// Linear biases for positions (ALiBi).
    pub alibi: bool,
    /// Block size given by the user.
    pub block: Option<u64>,
    /// Whether the caller can use FA4's kernel for heads of 256.
    pub head_256: bool,
}

/// Whether a version runs on the device.
pub fn runs(version: u64, major: u64) -> bool {
    match version {
        2 => major >= 8,
        3 => major == 9,
        4 => matches!(major, 9..=11),
        _ => false,
    }
}

/// Whether FA4's kernel for heads of 256 takes these widths.
pub fn head_256(head: Option<u64>, head_v: Option<u64>, major: u64) -> bool {
    head == Some(256) && matches!(head_v, None | Some(256)) && matches!(major, 10 | 11)
}

/// The version; `None` where no version runs.
pub fn version(model: &Context, ask: FlashQuery) -> Option<u64> {
    let major = model.device.major;
    let mut version = match major {
        9 => 3,
        10 => 4,
        _ => 2,
    };
    if let Some(forced) = model.flash_version {
        version = forced;
    }
    if major >= 10 && version == 3 {
        version = if runs(4, major) { 4 } else { 2 };
    }
    if ask.alibi && matches!(version, 3 | 4) {
        version = 2;
    }
    if version == 3 && major == 9 {
        let wide = ask.head.is_some_and(|head| head > 256);
        let uneven = matches!((ask.head, ask.head_v), (Some(k), Some(v)) if k != v);
        if wide || (ask.sinks && uneven) || model.diffusion {
            version = 4;
        }
    }
    if version == 4
        && head_256(ask.head, ask.head_v, major)
        && (!ask.head_256 || falls_back_from_head_256(model, ask))
    {
        version = 2;
    }
    if version == 4 && major >= 10 {
        let fits = |head: u64| {
            head <= 128
                || (head == 256 && matches!(ask.head_v, None | Some(256)))
                || (head == 192 && ask.head_v == Some(128))
        };
        if !ask.head.is_none_or(fits) {
            version = 2;
        }
    }
    runs(version, major).then_some(version)
}

fn falls_back_from_head_256(model: &Context, ask: FlashQuery) -> bool {
    ask.sinks
        || ask.softcap
        || model.softcap
        || dtype::quantized(model.cache_dtype)
        || ask.block.is_some_and(|block| block % HEAD_256_PAGE != 0)
        || model.mm_prefix
        || model.dcp > 1
}

/// Whether FlashAttention reads a cache of this type.
pub fn reads(model: &Context, cache_dtype: &str, ask: FlashQuery) -> bool {
    if cache_dtype == "fp8_e5m2" {
        return false;
    }
    let version = version(model, ask);
    match model.device.major {
        9 => version == Some(3) || (version == Some(4) && matches!(ask.head, None | Some(512))),
        10 => version == Some(4),
        _ => false,
    }
}
