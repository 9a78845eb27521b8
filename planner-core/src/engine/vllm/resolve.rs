//! What a run's settings and a model's configuration decide before any cache is built: the cache type
//! behind `auto`, the facts backends look at, and the backend of every layer.
//!
//! Restates `resolve_kv_cache_dtype_string` of `vllm/utils/torch_utils.py`, `_resolve_auto_dtype` of
//! `vllm/config/model.py`, `_reject_mismatched_float_kv_cache` of `vllm/config/vllm.py` and the hooks of
//! `vllm/model_executor/models/config.py`, vLLM 0.33.0.

use serde_json::Value as Json;

use super::backend::{Ask, Backend, Context, Device, Own};
use super::checkpoint;
use super::config::Config;
use super::dtype;
use super::facts::{Cache, Fact};
use super::flash;
use super::refusal::Refusal;
use super::select;
use super::sparse;
use super::specs::Served;
use crate::dtype::DType;

/// Model types that do not run in float16.
const NEVER_F16: [&str; 4] = ["gemma2", "gemma3", "gemma3_text", "glm4"];

/// Whether the model computes in bfloat16: what is neither of the half types runs in it as well.
pub fn computes_in_bf16(config: Config, dtype: DType) -> bool {
    dtype != DType::F16 || NEVER_F16.contains(&config.root_type())
}

/// The cache type of the run.
///
/// # Errors
/// Refuses a half type that the model does not compute in.
pub fn cache_dtype(
    config: Config,
    given: &'static str,
    device: &Device,
    bf16: bool,
) -> Result<&'static str, Refusal> {
    let hopper_or_older = device.major != 10;
    let name = if given == "auto" { checkpoint::dtype(config) } else { given };
    let root = config.root_type();
    let name = match name {
        "auto" if config.class == "GlmMoeDsaForCausalLM" && !hopper_or_older => "fp8_e4m3",
        "auto" if root.starts_with("glm5_next") && !hopper_or_older => "fp8",
        "bfloat16" if config.class == "DeepseekV32ForCausalLM" => "auto",
        other => other,
    };
    let model = if bf16 { "bfloat16" } else { "float16" };
    if matches!(name, "float16" | "bfloat16") && name != model {
        return Err(Refusal::new(format!(
            "kv_cache_dtype=\"{name}\" is incompatible with dtype=\"{model}\". Please set `--kv-cache-dtype` to \
             `auto` or `{model}`."
        )));
    }
    Ok(name)
}

/// Settings that the facts of backends depend on.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The GPU.
    pub device: Device,
    /// Cache type after `auto`.
    pub cache_dtype: &'static str,
    /// Bytes of an element in the model's dtype.
    pub model_bytes: u64,
    /// Decode context parallel size.
    pub dcp: u64,
    /// Block size that the user gave.
    pub block: Option<u64>,
    /// Backend that the user gave.
    pub backend: Option<Backend>,
    /// Query heads on a rank.
    pub query_heads: u64,
}

/// The facts of the whole model that backends look at.
pub fn context(config: Config, facts: &[Fact], wish: Wish) -> Context {
    let widest = facts.iter().filter_map(|f| match f.cache {
        Cache::Attention { head, cross: false, .. } => Some(head),
        Cache::Latent { rank, rope, .. } => Some(rank + rope),
        _ => None,
    });
    let head_size = widest.max().unwrap_or(0);
    let mut context = Context {
        head_size,
        cache_dtype: wish.cache_dtype,
        model_bytes: wish.model_bytes,
        mm_prefix: image_prefix(config),
        softcap: config.get("attn_logit_softcapping").is_some(),
        alibi: alibi(config),
        diffusion: config.root_type().starts_with("diffusion_gemma"),
        non_causal: config.root_type().starts_with("diffusion_gemma"),
        rswa: false,
        flash_version: None,
        forced: wish.backend,
        dcp: wish.dcp,
        user_block: wish.block,
        query_heads: wish.query_heads,
        latent: sparse::Latent {
            nope: config.number(&["qk_nope_head_dim"]),
            rope: config.number(&["qk_rope_head_dim"]),
            rank: config.number(&["kv_lora_rank"]),
            topk: config.number(&["index_topk"]),
        },
        device: wish.device,
    };
    gemma4(config, facts, &mut context);
    context
}

/// Gemma4Config: layers of two head widths force FA4 on all of them, or Triton where FA4 does not run.
fn gemma4(config: Config, facts: &[Fact], context: &mut Context) {
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

/// `is_mm_prefix_lm`: image tokens of a prompt see each other.
pub fn image_prefix(config: Config) -> bool {
    let root = config.root_type();
    if root.starts_with("gemma4") || root.starts_with("diffusion_gemma") {
        return config.text_of("use_bidirectional_attention") == Some("vision");
    }
    if let Some(flag) = config.root.get("is_mm_prefix_lm").and_then(Json::as_bool) {
        return flag;
    }
    matches!(root, "bagel" | "gemma3" | "molmo2" | "moondream3" | "paligemma")
}

/// Whether positions are linear biases.
fn alibi(config: Config) -> bool {
    match config.model_type {
        "bloom" | "jais" => true,
        "falcon" | "RefinedWeb" | "RefinedWebModel" => config.flag("alibi"),
        "mpt" => {
            config.object("attn_config").and_then(|a| a.get("alibi")).and_then(Json::as_bool) == Some(true)
        }
        "baichuan" => config.number(&["hidden_size"]) != Some(4096),
        _ => false,
    }
}

/// Whether a layer has attention sinks.
fn sinks(config: Config, window: Option<u64>) -> bool {
    match config.model_type {
        "gpt_oss" | "flint" => true,
        "granite" | "granitemoe" | "granite_swa" => match config.get("attention_sinks") {
            Some(flag) => flag.as_bool().unwrap_or(false),
            None => config.get("layer_types").is_some(),
        },
        "laguna" => window.is_some() && config.flag("swa_attention_sink_enabled"),
        _ => false,
    }
}

/// Refuses packed types for a hybrid whose lists of layers name none of full attention
/// (`_get_full_attention_layer_indices` of `vllm/model_executor/layers/quantization/turboquant/config.py`).
///
/// # Errors
/// The engine's own refusal.
pub fn packed_hybrid(config: Config, cache_dtype: &str, hybrid: bool) -> Result<(), Refusal> {
    let list = ["layer_types", "layers_block_type"].iter().find_map(|key| config.text.get(*key)?.as_array());
    let named = |name: &Json| matches!(name.as_str(), Some("full_attention" | "attention"));
    let none = match list {
        Some(list) => !list.iter().any(named),
        // their configuration classes write `hybrid` for layers with both
        None => matches!(config.model_type, "falcon_h1" | "zamba2"),
    };
    if hybrid && packed(cache_dtype) && none {
        return Err(Refusal::new(
            "TurboQuant KV cache requires identifiable full-attention layers, but none were found in the hybrid \
             model config.",
        ));
    }
    Ok(())
}

fn packed(cache_dtype: &str) -> bool {
    cache_dtype.starts_with("turboquant_") || cache_dtype == "ultraquant_4bit"
}

/// Layers that packed types leave at the model's dtype (`get_boundary_skip_layers`): two at each end,
/// none in hybrids.
pub fn skipped(cache_dtype: &str, layers: u64, hybrid: bool, layer: u64) -> bool {
    let edge = 2.min(layers / 2);
    packed(cache_dtype) && !hybrid && (layer < edge || layer + edge >= layers)
}

/// Whether the layers are built without the run's cache settings, so that they keep the model's dtype
/// (`vllm/model_executor/models/falcon.py`, rotary and ALiBi alike).
fn plain(config: Config) -> bool {
    matches!(config.class, "FalconForCausalLM" | "RWForCausalLM")
}

/// Backends of one model's own.
fn own(config: Config, fact: &Fact) -> Option<Backend> {
    let m3 = |name| Backend::Own(Own { name, multiple: 128, preferred: 128, packed: false });
    if config.class.starts_with("MiniMaxM3Sparse") {
        return match fact.cache {
            Cache::Index { .. } => Some(m3("MINIMAX_M3_SPARSE_INDEXER")),
            Cache::Attention { .. } if fact.indexed => Some(m3("MINIMAX_M3_SPARSE")),
            _ => None,
        };
    }
    match fact.cache {
        Cache::Index { .. } => Some(Backend::V32Indexer),
        Cache::Streams { .. } => {
            Some(Backend::Own(Own { name: "INKLING_SCONV_SWA", multiple: 1, preferred: 16, packed: false }))
        }
        _ => None,
    }
}

/// Chooses the backend of every cache, and lets a sparse one rename the run's cache type.
///
/// # Errors
/// Refuses what no backend serves, and what the chosen one refuses to run.
pub fn serve(
    config: Config,
    facts: &[Fact],
    context: &mut Context,
    layers: u64,
    hybrid: bool,
) -> Result<Vec<Served>, Refusal> {
    let mut out = Vec::with_capacity(facts.len());
    for fact in facts {
        let skip = skipped(context.cache_dtype, layers, hybrid, fact.layer) || plain(config);
        let kv = if skip { "auto" } else { context.cache_dtype };
        let ask = |head: u64| Ask {
            head,
            cache_dtype: kv,
            element: context.model_bytes,
            mla: false,
            sparse: false,
            sinks: false,
            window: false,
            mm_prefix: context.mm_prefix,
            cross: false,
            per_head_scales: checkpoint::per_head_scales(config),
        };
        let served = match fact.cache {
            Cache::State(_) => Served { fact: *fact, backend: None, cache_dtype: kv },
            _ if own(config, fact).is_some() => {
                Served { fact: *fact, backend: own(config, fact), cache_dtype: kv }
            }
            Cache::Index { .. } | Cache::Streams { .. } => {
                Served { fact: *fact, backend: None, cache_dtype: kv }
            }
            Cache::Latent { rank, rope, sparse, .. } => {
                let ask = Ask { mla: true, sparse, mm_prefix: false, ..ask(rank + rope) };
                let mut backend = select::choose(context, &ask)?;
                if config.model_type == "hy_v4" && backend == Backend::FlashAttnMlaSparse {
                    backend = Backend::FlashMlaSparse;
                }
                let stored = sparse::stored_as(backend, kv);
                if !skip {
                    context.cache_dtype = stored;
                }
                runs(context, backend, stored)?;
                Served { fact: *fact, backend: Some(backend), cache_dtype: stored }
            }
            Cache::Attention { head, head_v, window, cross, chunk, .. } => {
                let mut ask =
                    Ask { window: window.is_some(), cross, sinks: sinks(config, window), ..ask(head) };
                if chunk.is_some() {
                    ask.mm_prefix = false;
                }
                let backend = if head == head_v {
                    select::choose(context, &ask)?
                } else {
                    uneven(context, &ask, head_v, config, window)
                };
                if backend == Backend::TritonAttnDiffKv
                    && dtype::quantized(kv)
                    && !matches!(kv, "fp8" | "fp8_e4m3")
                {
                    return Err(Refusal::new(format!(
                        "TritonAttentionDiffKVBackend supports only fp8/fp8_e4m3 quantized KV cache (got \
                         kv_cache_dtype='{kv}')."
                    )));
                }
                if config.class.starts_with("Flint") && backend != Backend::FlashInfer {
                    return Err(Refusal::new("Flint requires FlashInfer attention"));
                }
                runs_attention(context, backend, kv, head, ask.sinks)?;
                Served { fact: *fact, backend: Some(backend), cache_dtype: kv }
            }
        };
        out.push(served);
    }
    Ok(out)
}

/// `FlashAttentionDiffKVBackend` where FA3 or FA4 takes the widths, else its Triton twin.
fn uneven(context: &Context, ask: &Ask, head_v: u64, config: Config, window: Option<u64>) -> Backend {
    let key = if window.is_some() { "add_swa_attention_sink_bias" } else { "add_full_attention_sink_bias" };
    let version = flash::version(
        context,
        flash::Ask {
            head: Some(ask.head),
            head_v: Some(head_v),
            sinks: config.flag(key),
            ..flash::Ask::default()
        },
    );
    match version {
        Some(3 | 4) => Backend::FlashAttnDiffKv,
        _ => Backend::TritonAttnDiffKv,
    }
}

const NATIVE_FP8: &str = "FP8 KV cache is not supported by the Triton attention backend on this GPU; \
                          native FP8 (fp8e4nv) requires SM89+. Re-run with --kv-cache-dtype bfloat16.";

fn before_sm89(device: &Device) -> bool {
    (device.major, device.minor) < (8, 9)
}

fn runs_attention(
    context: &Context,
    backend: Backend,
    kv: &str,
    head: u64,
    sinks: bool,
) -> Result<(), Refusal> {
    let triton = matches!(backend, Backend::TritonAttn | Backend::TritonAttnDiffKv);
    if triton && kv.starts_with("fp8") && before_sm89(&context.device) {
        return Err(Refusal::new(NATIVE_FP8));
    }
    let flash = matches!(backend, Backend::FlashAttn | Backend::FlashAttnDiffKv);
    let ask = flash::Ask {
        head: Some(head),
        head_v: Some(head),
        sinks,
        softcap: context.softcap,
        alibi: context.alibi,
        head_256: true,
        block: None,
    };
    if flash && dtype::quantized(kv) && !flash::reads(context, kv, ask) {
        return Err(Refusal::new("FlashAttention does not support fp8 kv-cache on this device."));
    }
    Ok(())
}

fn runs(context: &Context, backend: Backend, kv: &str) -> Result<(), Refusal> {
    if backend == Backend::TritonMla && kv.starts_with("fp8") && before_sm89(&context.device) {
        return Err(Refusal::new(NATIVE_FP8));
    }
    if context.dcp > 1 && backend == Backend::FlashMlaSparse && kv != "fp8_ds_mla" {
        return Err(Refusal::new(
            "DCP for FlashMLA sparse requires an fp8_ds_mla kv-cache; the bf16 sparse path is not \
             supported under DCP.",
        ));
    }
    Ok(())
}
