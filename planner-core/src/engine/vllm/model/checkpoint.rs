//! What a checkpoint's quantization says about the cache: its type and its scales.
//!
//! Restates `get_kv_cache_quant_algo_string` of `vllm/utils/torch_utils.py`, `_normalize_quantization_config`
//! of `vllm/transformers_utils/model_arch_config_convertor.py`, `validate_kv_cache_scheme` of
//! `vllm/model_executor/layers/quantization/compressed_tensors/compressed_tensors.py` and
//! `_init_kv_cache_quant` of `vllm/model_executor/layers/attention/attention.py`, vLLM 0.33.0.

use serde_json::{Map, Value as Json};

use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;

/// The cache type that a checkpoint's quantization asks for.
pub fn dtype(config: HfConfig) -> &'static str {
    let Some(quantization) = config.quantization() else { return "auto" };
    let method = method(quantization);
    if method.starts_with("modelopt") {
        return modelopt_dtype(quantization);
    }
    if is_compressed(&method) && scheme(config).is_some() { "fp8" } else { "auto" }
}

fn is_compressed(method: &str) -> bool {
    method.replace('_', "-") == "compressed-tensors"
}

/// `kv_cache_scheme` of a compressed-tensors checkpoint.
fn scheme<'a>(config: HfConfig<'a>) -> Option<&'a Map<String, Json>> {
    let quantization = config.quantization().filter(|q| is_compressed(&method(q)))?;
    quantization.get("kv_cache_scheme")?.as_object()
}

/// Whether the checkpoint has a scale for each head.
pub fn per_head_scales(config: HfConfig) -> bool {
    scheme(config).and_then(|scheme| scheme.get("strategy")).and_then(Json::as_str) == Some("attn_head")
}

/// Refuses cache types that a checkpoint's scales do not fit.
///
/// # Errors
/// The engine's refusals: a scheme other than fp8 with scales by tensor or by head; fp8_e5m2 where the
/// checkpoint has scales for another fp8.
pub fn check(config: HfConfig, cache_dtype: &str, attends: bool) -> Result<(), Error> {
    let Some(quantization) = config.quantization().filter(|_| attends) else { return Ok(()) };
    if let Some(scheme) = scheme(config) {
        let text = |key: &str| scheme.get(key).and_then(Json::as_str).unwrap_or("None");
        let bits = scheme.get("num_bits").and_then(Json::as_u64).unwrap_or(0);
        if text("type") != "float" || bits != 8 {
            return Err(Error::quoted(Code::VllmKvCacheScheme, format!("Currently supported kv cache quantization is num_bits=8, type=float, however received num_bits={bits}, type={0}", text("type"))).about("kv_cache_scheme"));
        }
        if !matches!(text("strategy"), "tensor" | "attn_head") {
            return Err(Error::quoted(Code::VllmKvCacheScheme, format!("Invalid strategy for compressed-tensors KV cache: {0}, where tensor or attn_head is expected", text("strategy"))).about("kv_cache_scheme"));
        }
        if scheme.get("symmetric") != Some(&Json::Bool(true)) {
            return Err(Error::quoted(
                Code::VllmKvCacheScheme,
                "Only support symmetric scaling factor for compressed-tensors KV cache.",
            )
            .about("kv_cache_scheme"));
        }
    }
    let method = method(quantization);
    let scales = method == "fp8" || method.starts_with("modelopt") || scheme(config).is_some();
    if cache_dtype == "fp8_e5m2" && scales {
        return Err(Error::quoted(
            Code::VllmFp8Checkpoint,
            "fp8_e5m2 kv-cache is not supported with fp8 checkpoints.",
        )
        .about("--kv-dtype")
        .way_out(say!("use {0} or {1}", "--kv-dtype auto", "--kv-dtype fp8")));
    }
    Ok(())
}

/// `quant_method`. A ModelOpt file may name its producer instead; it then needs a `quant_algo`.
fn method(quantization: &Map<String, Json>) -> String {
    let text =
        |map: &Map<String, Json>, key: &str| map.get(key).and_then(Json::as_str).map(str::to_lowercase);
    let object = |key: &str| quantization.get(key).and_then(Json::as_object);
    let inner = object("quantization");
    let producer = object("producer").and_then(|p| text(p, "name"));
    let legacy = inner.is_some_and(|map| map.contains_key("modelopt_quant_config"));
    if producer.as_deref() == Some("modelopt") || legacy {
        let algorithm = inner.and_then(|map| text(map, "quant_algo"));
        if algorithm.is_some() {
            return "modelopt".to_owned();
        }
    }
    text(quantization, "quant_method").unwrap_or_default()
}

fn modelopt_dtype(quantization: &Map<String, Json>) -> &'static str {
    let inner = quantization.get("quantization").and_then(Json::as_object).unwrap_or(quantization);
    let set = |map: &'_ Map<String, Json>, key: &str| {
        map.get(key).filter(|v| !v.is_null() && **v != Json::Bool(false)).cloned()
    };
    let scheme = set(inner, "kv_cache_scheme")
        .or_else(|| set(quantization, "kv_cache_scheme"))
        .or_else(|| set(inner, "kv_cache_quant_algo"))
        .or_else(|| set(quantization, "kv_cache_quant_algo"));
    match scheme {
        Some(Json::Object(map)) => {
            let bits = map.get("num_bits").and_then(Json::as_u64);
            let float = map.get("type").and_then(Json::as_str) == Some("float");
            let fixed = map.get("dynamic") == Some(&Json::Bool(false));
            match bits {
                Some(8) if float && fixed => "fp8_e4m3",
                Some(4) if float => "nvfp4",
                _ => "auto",
            }
        }
        Some(Json::String(name)) => match name.to_lowercase().as_str() {
            "fp8" => "fp8_e4m3",
            "nvfp4" => "nvfp4",
            _ => "auto",
        },
        _ => "auto",
    }
}
