//! Chooses the backend of every cache, from what its layer needs.
//!
//! Restates the constructors of `Attention` and `MLAAttention` (`vllm/model_executor/layers/attention/`), and
//! the arguments that model classes pass to them, vLLM 0.33.0.

use super::flash;
use super::inputs::skipped;
use super::mla;
use super::priority;
use super::{Backend, BackendQuery, Context, Device, ModelBackend};
use crate::engine::vllm::kv_cache::build_specs::LayerBackend;
use crate::engine::vllm::kv_cache::layers::{Cache, CacheLayer};
use crate::engine::vllm::model::checkpoint;
use crate::engine::vllm::model::dtype;
use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;

/// Whether a layer has attention sinks.
fn sinks(config: HfConfig, window: Option<u64>) -> bool {
    match config.model_type {
        "gpt_oss" | "flint" => true,
        "granite" | "granitemoe" | "granite_swa" | "granitemoe_swa" => match config.get("attention_sinks") {
            Some(flag) => flag.as_bool().unwrap_or(false),
            // classes with windows list their layers themselves
            None => config.model_type.ends_with("_swa") || config.get("layer_types").is_some(),
        },
        "laguna" => window.is_some() && config.flag("swa_attention_sink_enabled"),
        _ => false,
    }
}

/// Whether the class builds its layers without the run's cache settings: the cache then stays in the model's
/// dtype (`vllm/model_executor/models/falcon.py`, rotary and ALiBi alike).
fn plain(config: HfConfig) -> bool {
    matches!(config.class, "FalconForCausalLM" | "RWForCausalLM")
}

/// The backend that a model class brings along, where it has one.
fn own(config: HfConfig, fact: &CacheLayer) -> Option<Backend> {
    let m3 = |name| Backend::OfModel(ModelBackend { name, multiple: 128, preferred: 128, packed: false });
    if config.class.starts_with("MiniMaxM3Sparse") {
        return match fact.cache {
            Cache::Index { .. } => Some(m3("MINIMAX_M3_SPARSE_INDEXER")),
            Cache::Attention { .. } if fact.indexed => Some(m3("MINIMAX_M3_SPARSE")),
            _ => None,
        };
    }
    match fact.cache {
        Cache::Index { .. } => Some(Backend::V32Indexer),
        // `vllm/models/inkling/nvidia/attention.py` does not ask the platform
        Cache::Attention { .. } if config.class.starts_with("Inkling") => Some(Backend::FlashAttn),
        Cache::Streams { .. } => Some(Backend::OfModel(ModelBackend {
            name: "INKLING_SCONV_SWA",
            multiple: 1,
            preferred: 16,
            packed: false,
        })),
        _ => None,
    }
}

/// Chooses the backend of every cache. A sparse backend may rename the run's cache type.
///
/// # Errors
/// A layer that no backend serves, or that the chosen one refuses to run.
pub fn serve(
    config: HfConfig,
    facts: &[CacheLayer],
    context: &mut Context,
    layers: u64,
    hybrid: bool,
) -> Result<Vec<LayerBackend>, Error> {
    let mut out: Vec<LayerBackend> = Vec::with_capacity(facts.len());
    let plain = plain(config);
    // caches seen before: cache, type asked for, backend and type stored
    let mut seen: Vec<(Cache, bool, &'static str, Option<Backend>, &'static str)> = Vec::new();
    for fact in facts {
        let skip = plain || skipped(context.cache_dtype, layers, hybrid, fact.layer);
        let kv = if skip { "auto" } else { context.cache_dtype };
        let known = seen.iter().find(|(cache, indexed, asked, ..)| {
            *cache == fact.cache && *indexed == fact.indexed && *asked == kv
        });
        if let Some(&(.., backend, stored)) = known {
            out.push(LayerBackend { fact: *fact, backend, cache_dtype: stored });
            continue;
        }
        let served = one(config, fact, context, kv)?;
        if matches!(fact.cache, Cache::Latent { .. }) && !skip {
            context.cache_dtype = served.cache_dtype;
        }
        seen.push((fact.cache, fact.indexed, kv, served.backend, served.cache_dtype));
        out.push(served);
    }
    Ok(out)
}

fn one(
    config: HfConfig,
    fact: &CacheLayer,
    context: &Context,
    kv: &'static str,
) -> Result<LayerBackend, Error> {
    let ask = |head: u64| BackendQuery {
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
        Cache::State(_) => LayerBackend { fact: *fact, backend: None, cache_dtype: kv },
        _ if own(config, fact).is_some() => {
            LayerBackend { fact: *fact, backend: own(config, fact), cache_dtype: kv }
        }
        Cache::Index { .. } | Cache::Streams { .. } => {
            LayerBackend { fact: *fact, backend: None, cache_dtype: kv }
        }
        Cache::Latent { rank, rope, sparse, .. } => {
            let ask = BackendQuery { mla: true, sparse, mm_prefix: false, ..ask(rank + rope) };
            let chosen = priority::choose(context, &ask)?;
            // only FLASHMLA_SPARSE supports its sinks (`vllm/models/hy_v4/nvidia/attention.py`)
            let sinks = config.model_type == "hy_v4"
                && config.get("learnable_sink") != Some(&false.into())
                && Backend::FlashMlaSparse.check(context, &ask).is_ok();
            let backend = if sinks { Backend::FlashMlaSparse } else { chosen };
            let stored = mla::stored_as(backend, kv);
            runs(context, backend, stored)?;
            LayerBackend { fact: *fact, backend: Some(backend), cache_dtype: stored }
        }
        Cache::Attention { head, head_v, window, cross, chunk, .. } => {
            let mut ask =
                BackendQuery { window: window.is_some(), cross, sinks: sinks(config, window), ..ask(head) };
            if chunk.is_some() {
                ask.mm_prefix = false;
            }
            let backend = if head == head_v {
                priority::choose(context, &ask)?
            } else {
                uneven(context, &ask, head_v, config, window)
            };
            if backend == Backend::TritonAttnDiffKv && dtype::quantized(kv) && !dtype::e4m3(kv) {
                return Err(Error::quoted(Code::VllmBackendKvDtype, format!("TritonAttentionDiffKVBackend supports only fp8/fp8_e4m3 quantized KV cache (got kv_cache_dtype='{kv}').")).about("--kv-dtype").way_out(say!("use {0} or {1}", "--kv-dtype auto", "--kv-dtype fp8")));
            }
            if config.class.starts_with("Flint") && backend != Backend::FlashInfer {
                return Err(Error::quoted(Code::VllmFlintBackend, "Flint requires FlashInfer attention")
                    .about("--attention-backend")
                    .way_out(say!("use {0}", "--attention-backend FLASHINFER")));
            }
            runs_attention(context, backend, kv, head, ask.sinks)?;
            LayerBackend { fact: *fact, backend: Some(backend), cache_dtype: kv }
        }
    };
    Ok(served)
}

/// The backend for keys and values of different widths: `FlashAttentionDiffKVBackend` where FA3 or FA4 takes
/// them, else its Triton counterpart.
fn uneven(
    context: &Context,
    ask: &BackendQuery,
    head_v: u64,
    config: HfConfig,
    window: Option<u64>,
) -> Backend {
    let key = if window.is_some() { "add_swa_attention_sink_bias" } else { "add_full_attention_sink_bias" };
    let version = flash::version(
        context,
        flash::FlashQuery {
            head: Some(ask.head),
            head_v: Some(head_v),
            sinks: config.flag(key),
            ..flash::FlashQuery::default()
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
) -> Result<(), Error> {
    let triton = matches!(backend, Backend::TritonAttn | Backend::TritonAttnDiffKv);
    if triton && kv.starts_with("fp8") && before_sm89(&context.device) {
        return Err(Error::quoted(Code::VllmNoNativeFp8, NATIVE_FP8)
            .about("--kv-dtype")
            .way_out(say!("use {0}", "--kv-dtype auto")));
    }
    let flash = matches!(backend, Backend::FlashAttn | Backend::FlashAttnDiffKv);
    let ask = flash::FlashQuery {
        head: Some(head),
        head_v: Some(head),
        sinks,
        softcap: context.softcap,
        alibi: context.alibi,
        head_256: true,
        block: None,
    };
    if flash && dtype::quantized(kv) && !flash::reads(context, kv, ask) {
        return Err(Error::quoted(
            Code::VllmBackendKvDtype,
            "FlashAttention does not support fp8 kv-cache on this device.",
        )
        .about("--kv-dtype")
        .way_out(say!("use {0}", "--kv-dtype auto")));
    }
    Ok(())
}

fn runs(context: &Context, backend: Backend, kv: &str) -> Result<(), Error> {
    if backend == Backend::TritonMla && kv.starts_with("fp8") && before_sm89(&context.device) {
        return Err(Error::quoted(Code::VllmNoNativeFp8, NATIVE_FP8)
            .about("--kv-dtype")
            .way_out(say!("use {0}", "--kv-dtype auto")));
    }
    if context.dcp > 1 && backend == Backend::FlashMlaSparse && kv != "fp8_ds_mla" {
        return Err(Error::quoted(
            Code::VllmDcpSparseMla,
            "DCP for FlashMLA sparse requires an fp8_ds_mla kv-cache; the bf16 sparse path is not \
             supported under DCP.",
        )
        .about("--kv-dtype")
        .way_out(say!("use {0}", "--kv-dtype fp8_ds_mla")));
    }
    Ok(())
}
