//! What settings and configuration decide before any cache is built: the cache type behind `auto`, and the
//! facts that backends depend on.
//!
//! Restates `resolve_kv_cache_dtype_string` of `vllm/utils/torch_utils.py`, `_resolve_auto_dtype` of
//! `vllm/config/model.py`, `_reject_mismatched_float_kv_cache` of `vllm/config/vllm.py` and the hooks of
//! `vllm/model_executor/models/config.py`, vLLM 0.33.0.

use serde_json::Value as Json;

use super::flash;
use super::mla;
use super::{Backend, Context, Device};
use crate::dtype::DType;
use crate::engine::vllm::kv_cache::layers::{Cache, CacheLayer};
use crate::engine::vllm::model::checkpoint;
use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;

/// Model types that do not run in float16.
const NEVER_F16: [&str; 4] = ["gemma2", "gemma3", "gemma3_text", "glm4"];

/// The dtype that the model computes in: its own half type where the GPU and the model support it, else the
/// first half type that they support.
pub fn computed_in(config: HfConfig, dtype: DType, device: &Device) -> DType {
    let supported: &[DType] = if device.major >= 8 { &[DType::BF16, DType::F16] } else { &[DType::F16] };
    let takes = |half: &&DType| **half != DType::F16 || !NEVER_F16.contains(&config.root_type());
    let supported = || supported.iter().filter(takes);
    let own = supported().find(|half| **half == dtype);
    own.or_else(|| supported().next()).copied().unwrap_or(DType::F32)
}

/// The cache type of the run.
///
/// # Errors
/// A half type other than the model's.
pub fn cache_dtype(
    config: HfConfig,
    given: &'static str,
    device: &Device,
    computed: DType,
) -> Result<&'static str, Error> {
    let name = if given == "auto" { checkpoint::dtype(config) } else { given };
    let name = match name {
        "auto" if config.class == "GlmMoeDsaForCausalLM" && device.major == 10 => "fp8_e4m3",
        "bfloat16" if config.class == "DeepseekV32ForCausalLM" => "auto",
        other => other,
    };
    let model = match computed {
        DType::BF16 => "bfloat16",
        DType::F16 => "float16",
        _ => "float32",
    };
    if matches!(name, "float16" | "bfloat16") && name != model {
        return Err(Error::quoted(Code::VllmKvDtypeOfModel, format!("kv_cache_dtype=\"{name}\" is incompatible with dtype=\"{model}\". Please set `--kv-cache-dtype` to `auto` or `{model}`.")).about("--kv-dtype").way_out(say!("use {0}", "--kv-dtype auto")));
    }
    Ok(name)
}

/// Settings that these facts depend on.
#[derive(Clone, Debug)]
pub struct BackendInputs {
    /// The GPU.
    pub device: Device,
    /// Cache type, `auto` resolved.
    pub cache_dtype: &'static str,
    /// Bytes of an element in the model's dtype.
    pub model_bytes: u64,
    /// Decode context parallel size.
    pub dcp: u64,
    /// Block size given by the user.
    pub block: Option<u64>,
    /// Backend given by the user.
    pub backend: Option<Backend>,
    /// Query heads on a rank.
    pub query_heads: u64,
}

/// Facts of the whole model that backends depend on.
pub fn context(config: HfConfig, facts: &[CacheLayer], wish: BackendInputs) -> Context {
    let widest = facts.iter().filter_map(|f| match f.cache {
        Cache::Attention { head, cross: false, .. } => Some(head),
        _ => None,
    });
    let head_size = widest.max().unwrap_or(0);
    let mut context = Context {
        head_size,
        cache_dtype: wish.cache_dtype,
        model_bytes: wish.model_bytes,
        mm_prefix: image_prefix(config),
        softcap: config.get("attn_logit_softcapping").is_some(),
        alibi: config.model_type == "bloom",
        diffusion: config.root_type().starts_with("diffusion_gemma"),
        non_causal: config.root_type().starts_with("diffusion_gemma"),
        flash_version: None,
        forced: wish.backend,
        dcp: wish.dcp,
        user_block: wish.block,
        query_heads: wish.query_heads,
        latent: mla::Latent {
            nope: config.number(&["qk_nope_head_dim"]),
            rope: config.number(&["qk_rope_head_dim"]),
            rank: config.number(&["kv_lora_rank"]),
            value: config.number(&["v_head_dim"]),
            topk: config.number(&["index_topk"]),
        },
        device: wish.device,
    };
    gemma4(config, facts, &mut context);
    context
}

/// Gemma4Config: two head widths force FA4 on all layers, or Triton where FA4 does not run.
fn gemma4(config: HfConfig, facts: &[CacheLayer], context: &mut Context) {
    let root = config.root_type();
    if !(root.starts_with("gemma4") || root.starts_with("diffusion_gemma")) {
        return;
    }
    let mut heads: Vec<u64> = facts
        .iter()
        .filter_map(|f| match f.cache {
            Cache::Attention { head, .. } => Some(head),
            _ => None,
        })
        .collect();
    heads.sort_unstable();
    heads.dedup();
    if heads.len() < 2 {
        return;
    }
    let major = context.device.major;
    if flash::runs(4, major) && heads.iter().all(|h| *h <= 512) {
        let per_layer = major == 9 && context.cache_dtype.starts_with("fp8");
        if matches!(context.forced, None | Some(Backend::FlashAttn)) && !per_layer {
            context.flash_version = Some(4);
        }
    } else if context.forced.is_none() {
        context.forced = Some(Backend::TritonAttn);
    }
}

/// `is_mm_prefix_lm`: whether image tokens of a prompt attend to each other.
pub fn image_prefix(config: HfConfig) -> bool {
    let root = config.root_type();
    if root.starts_with("gemma4") || root.starts_with("diffusion_gemma") {
        return config.text_of("use_bidirectional_attention") == Some("vision");
    }
    if let Some(flag) = config.root.get("is_mm_prefix_lm").and_then(Json::as_bool) {
        return flag;
    }
    matches!(root, "bagel" | "gemma3" | "molmo2" | "moondream3" | "paligemma")
}

/// Refuses packed types for a hybrid whose lists of layers have no full attention
/// (`_get_full_attention_layer_indices` of `vllm/model_executor/layers/quantization/turboquant/config.py`).
///
/// # Errors
/// The engine's own refusal.
pub fn packed_hybrid(config: HfConfig, cache_dtype: &str, hybrid: bool) -> Result<(), Error> {
    let list = ["layer_types", "layers_block_type"].iter().find_map(|key| config.text.get(*key)?.as_array());
    let named = |name: &Json| matches!(name.as_str(), Some("full_attention" | "attention"));
    let none = match list {
        Some(list) => !list.iter().any(named),
        // their configuration classes write `hybrid` for layers with attention and states
        None => matches!(config.model_type, "falcon_h1" | "zamba2"),
    };
    if hybrid && packed(cache_dtype) && none {
        return Err(Error::quoted(Code::VllmTurboquantLayers, "TurboQuant KV cache requires identifiable full-attention layers, but none were found in the hybrid \
             model config.").about("--kv-dtype").way_out(say!("use {0}", "--kv-dtype auto")));
    }
    Ok(())
}

fn packed(cache_dtype: &str) -> bool {
    cache_dtype.starts_with("turboquant_") || cache_dtype == "ultraquant_4bit"
}

/// Layers that packed types leave in the model's dtype (`get_boundary_skip_layers`): two at each end, none in
/// hybrids.
pub fn skipped(cache_dtype: &str, layers: u64, hybrid: bool, layer: u64) -> bool {
    let edge = 2.min(layers / 2);
    packed(cache_dtype) && !hybrid && (layer < edge || layer + edge >= layers)
}
