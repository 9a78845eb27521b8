//! The KV cache types of vLLM 0.33.0, and how each is stored.
//!
//! Names: `CacheDType` of `vllm/config/cache.py`; storage: `STR_DTYPE_TO_TORCH_DTYPE` of
//! `vllm/utils/torch_utils.py`; packing: `customize_spec` of the backends,
//! `vllm/model_executor/layers/quantization/turboquant/config.py`.

use crate::error::{Code, Error};
use crate::text::Sentence;

/// All names, in the engine's order.
pub const NAMES: [&str; 22] = [
    "auto",
    "float16",
    "bfloat16",
    "fp8",
    "fp8_e4m3",
    "fp8_e5m2",
    "fp8_inc",
    "fp8_ds_mla",
    "nvfp4_ds_mla",
    "turboquant_k8v4",
    "turboquant_4bit_nc",
    "turboquant_k3v4_nc",
    "turboquant_3bit_nc",
    "octave_k3v4",
    "octave_k3v3",
    "octave_k3v3_compact",
    "ultraquant_4bit",
    "int4_per_token_head",
    "int8_per_token_head",
    "fp8_per_token_head",
    "nvfp4",
    "nvfp4_4over6",
];

/// The engine's spelling of a cache type; `bf16` and `f16` are accepted too.
///
/// # Errors
/// An unknown name, with the list of known ones.
pub fn name(given: &str) -> Result<&'static str, Error> {
    let given = match given {
        "bf16" => "bfloat16",
        "f16" | "half" => "float16",
        other => other,
    };
    NAMES.iter().copied().find(|n| *n == given).ok_or_else(|| {
        Error::refused(Code::VllmUnknownKvDtype, say!("it has no KV cache type `{0}`", given))
            .about("--kv-dtype")
            .way_out(say!("use one of {0}", Sentence::list(NAMES.iter().copied())))
    })
}

/// Whether the cache is quantized (`is_quantized_kv_cache`).
pub fn quantized(name: &str) -> bool {
    !matches!(name, "auto" | "float16" | "bfloat16")
}

/// Whether it is the fp8 format that every fp8 kernel reads (e4m3).
pub fn e4m3(name: &str) -> bool {
    matches!(name, "fp8" | "fp8_e4m3")
}

/// Whether each token has scales of its own for each head.
pub fn per_token_head(name: &str) -> bool {
    name.ends_with("_per_token_head")
}

/// Bytes of a stored element; `auto` is the model's dtype, of `model` bytes.
pub fn element(name: &str, model: u64) -> u64 {
    match name {
        "auto" => model,
        "float16" | "bfloat16" => 2,
        _ => 1,
    }
}

/// Bytes of a key and a value packed into one slot, for one head and token; `None` where they are dense.
///
/// TurboQuant (`TurboQuantConfig.slot_size_aligned`): an fp8 key takes a byte an element, another key
/// `ceil(d * bits / 8)` and a norm of 2 bytes; a value takes `ceil(d * bits / 8)` and 4 bytes of scale and
/// zero. The sum is rounded up to even.
pub fn turboquant_slot(name: &str, head: u64) -> Option<u64> {
    let (key_bits, value_bits) = match name {
        "turboquant_k8v4" => (8, 4),
        "turboquant_4bit_nc" => (4, 4),
        "turboquant_k3v4_nc" => (3, 4),
        "turboquant_3bit_nc" => (3, 3),
        _ => return None,
    };
    let packed = |bits: u64| head.saturating_mul(bits).div_ceil(8);
    let key = if key_bits == 8 { head } else { packed(key_bits) + 2 };
    let slot = key + packed(value_bits) + 4;
    Some(slot + slot % 2)
}

/// Bytes of a key or a value in NVFP4: half a byte an element, and an fp8 scale for 16 elements
/// (`nvfp4_kv_cache_full_dim`).
pub fn nvfp4_side(head: u64) -> u64 {
    head / 2 + head / 16
}

/// Bytes of a key and a value, each with a scale of 4 bytes (`TritonAttentionBackend.customize_spec`).
pub fn scaled_slot(name: &str, head: u64, head_v: u64) -> Option<u64> {
    if !per_token_head(name) {
        return None;
    }
    let half = if name.starts_with("int4") { 2 } else { 1 };
    Some(head / half + head_v / half + 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turboquant_slot_of_128_is_134_bytes() {
        // 4 bits: 64 + 2 for the key, 64 + 4 for the value
        assert_eq!(turboquant_slot("turboquant_4bit_nc", 128), Some(134));
        // 3 bits: 48 + 2 + 48 + 4, even already
        assert_eq!(turboquant_slot("turboquant_3bit_nc", 128), Some(102));
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_list() {
        let Err(Error::Refused(refusal)) = name("q8_0") else { panic!("q8_0 is a type of llama.cpp") };
        assert_eq!(refusal.code, Code::VllmUnknownKvDtype);
        assert!(refusal.way_out.is_some_and(|types| types.to_string().contains("nvfp4_4over6")));
    }

    #[test]
    fn nvfp4_takes_nine_sixteenths_of_a_byte_an_element() {
        assert_eq!(nvfp4_side(128), 72);
    }
}
