//! What candle's modules refuse, cannot load, or fail at.

use serde_json::Value as Json;

use super::MAMBA_CONV;
use super::modules::{Module, Reach, Width};
use crate::dtype::DType;
use crate::engine::ResolvedRequest;
use crate::engine::common::kv_dtypes;
use crate::error::{Code, Error, Result};
use crate::spec::layer::{Content, Store};
use crate::spec::model::ModelSpec;
use crate::text::Words;

/// Modules that decode one session only.
const ONE_SESSION: &[&str] = &["falcon", "glm4_new", "lfm2", "mamba"];

/// Columns of a state that `mamba.rs` fixes: `D_STATE`.
const MAMBA_STATE: u64 = 16;

/// The dtype of the module's cache, unless the module refuses the run.
pub(super) fn all(run: &ResolvedRequest<'_>, module: &Module) -> Result<DType> {
    check_single_device(run)?;
    check_plain_weights(run, module)?;
    check_sessions(run, module)?;
    check_module(run.model, module)?;
    check_reach(run, module)?;
    cache_dtype(run, module)
}

fn refuse<T>(code: Code, module: &Module, subject: &str, why: Words) -> Result<T> {
    Err(Error::refused(code, say!("its module `{0}` {1}", module.file, why)).about(subject))
}

fn check_single_device(run: &ResolvedRequest<'_>) -> Result<()> {
    let parallel = run.parallel;
    let sizes = [("--tp", parallel.tp), ("--pp", parallel.pp)];
    match sizes.into_iter().find(|(_, size)| *size > 1) {
        Some((flag, size)) => {
            Err(Error::bad_value(flag, size, words!("1: candle's modules run on one device")))
        }
        None => Ok(()),
    }
}

/// These modules read plain safetensors. `--weight-dtype` stands for weights that were converted before.
fn check_plain_weights(run: &ResolvedRequest<'_>, module: &Module) -> Result<()> {
    let quantized = run.model.config.contains_key("quantization_config")
        || run.model.text_config().contains_key("quantization_config");
    if quantized && run.request.weight_dtype.is_none() {
        let why = say!("its module `{0}` reads plain weights only", module.file);
        return Err(Error::refused(Code::CandleQuantizedWeights, why)
            .about("quantization_config")
            .way_out(words!("give the dtype of the converted weights with --weight-dtype")));
    }
    Ok(())
}

/// A module computes in one dtype, and its cache has it too.
fn cache_dtype(run: &ResolvedRequest<'_>, module: &Module) -> Result<DType> {
    let quantized = module.file.starts_with("quantized_");
    let own = if quantized { DType::F32 } else { run.model.dtype };
    let (k, _) = kv_dtypes(run.request, own)?;
    if ![DType::F32, DType::F16, DType::BF16].contains(&k) {
        return Err(Error::bad_value(
            "--kv-dtype",
            k.name,
            words!("auto, f32, f16 or bf16: what candle computes in"),
        ));
    }
    if quantized && k != DType::F32 {
        return Err(Error::bad_value(
            "--kv-dtype",
            k.name,
            say!("auto or f32: candle's `{0}` computes in f32 whatever the file stores", module.file),
        ));
    }
    let only_f32 = match module.file {
        "bigcode" => Some(words!("f32: `bigcode.rs:Attention::attn` refuses queries of another type")),
        "mixtral" => {
            Some(words!("f32: `mixtral.rs:SparseMoeBlock::forward` weighs what its experts give in f32"))
        }
        "phi" => Some(words!("f32: `phi.rs:RotaryEmbedding::apply_rotary_emb` has its tables in f32")),
        _ => None,
    };
    if let Some(why) = only_f32.filter(|_| k != DType::F32) {
        return Err(Error::bad_value("--kv-dtype", k.name, why));
    }
    Ok(k)
}

/// Modules that fail with more than one session:
///
/// - `falcon.rs:FalconAttention::forward` broadcasts one KV head over the heads of all sessions;
/// - `glm4_new.rs:RotaryEmbedding::apply` goes on with the first session's keys alone;
/// - `lfm2.rs:ShortConv::forward` and `mamba.rs:MambaBlock::forward` multiply a batch with one row.
fn check_sessions(run: &ResolvedRequest<'_>, module: &Module) -> Result<()> {
    if ONE_SESSION.contains(&module.file) && run.request.users > 1 {
        return Err(Error::bad_value(
            "--users",
            run.request.users,
            say!("1: candle's `{0}` cannot decode several sessions in a batch", module.file),
        ));
    }
    Ok(())
}

/// Refuses configurations that a module refuses or cannot load.
fn check_module(model: &ModelSpec, module: &Module) -> Result<()> {
    let config = model.text_config();
    let key = |name: &str| config.get(name);
    let on = |name: &str| key(name).and_then(Json::as_bool).unwrap_or(false);
    let is = |name: &str, allowed: &[&str]| {
        key(name).and_then(Json::as_str).is_none_or(|value| allowed.contains(&value))
    };
    match module.file {
        "falcon" if on("alibi") || on("new_decoder_architecture") => {
            return refuse(
                Code::CandleSetting,
                module,
                "alibi",
                words!("supports neither alibi nor new_decoder_architecture (Config::validate)"),
            );
        }
        "falcon" | "bigcode" if model.kv_heads != Some(1) => {
            return refuse(
                Code::CandleKvHeads,
                module,
                "num_kv_heads",
                words!("reshapes correctly for one KV head (multi_query) only"),
            );
        }
        "qwen3" | "qwen3_moe" | "smol/smollm3" if on("use_sliding_window") => {
            return refuse(
                Code::CandleSetting,
                module,
                "use_sliding_window",
                words!("refuses use_sliding_window"),
            );
        }
        "deepseek2"
            if !is("scoring_func", &["softmax"])
                || !is("topk_method", &["greedy", "group_limited_greedy"]) =>
        {
            return refuse(
                Code::CandleSetting,
                module,
                "scoring_func",
                words!("knows softmax scoring with greedy or group_limited_greedy only"),
            );
        }
        "granitemoehybrid" if states(model).next().is_some() => {
            return refuse(
                Code::CandleNoStates,
                module,
                &model.architecture,
                words!("does not support mamba layers"),
            );
        }
        "gemma4/text" if model.layers.iter().any(|layer| layer.owner.is_some()) => {
            return refuse(
                Code::CandleSharedLayers,
                module,
                "num_kv_shared_layers",
                words!("knows no layers that share keys and values (num_kv_shared_layers)"),
            );
        }
        "gemma4/text" if on("attention_k_eq_v") => {
            return refuse(
                Code::CandleSetting,
                module,
                "attention_k_eq_v",
                words!("loads a v_proj in every layer, which attention_k_eq_v leaves out"),
            );
        }
        "mamba" | "mamba2" => check_state(model, module)?,
        _ => {}
    }
    check_width(model, module)
}

fn states(model: &ModelSpec) -> impl Iterator<Item = (u64, &Store)> {
    model.layers.iter().flat_map(|layer| &layer.stores).filter_map(|store| match store.content {
        Content::State { recurrent, .. } => Some((recurrent, store)),
        _ => None,
    })
}

/// `mamba.rs` fixes inner width, kernel and state size, `mamba2.rs` the kernel.
fn check_state(model: &ModelSpec, module: &Module) -> Result<()> {
    let inner = model.hidden_size.saturating_mul(2);
    for (recurrent, store) in states(model) {
        let kernel = store.dim("conv_kernel") == Some(MAMBA_CONV);
        let fits = match module.file {
            "mamba" => {
                kernel
                    && store.dim("conv_dim") == Some(inner)
                    && recurrent == inner.saturating_mul(MAMBA_STATE)
            }
            _ => kernel,
        };
        if !fits {
            return refuse(
                Code::CandleStateWidth,
                module,
                &model.architecture,
                words!(
                    "fixes the kernel at 4 (and in mamba the state at 16, the width at twice the model's)"
                ),
            );
        }
    }
    Ok(())
}

/// Refuses a head width that the module would not derive.
fn check_width(model: &ModelSpec, module: &Module) -> Result<()> {
    let (Width::Divided, Some(heads)) = (module.width, model.attention_heads) else { return Ok(()) };
    let divided = model.hidden_size.checked_div(heads);
    let odd = model.layers.iter().flat_map(|layer| &layer.stores).any(|store| match store.content {
        Content::KeysValues { k_dim, v_dim, .. } => Some(k_dim) != divided || Some(v_dim) != divided,
        _ => false,
    });
    if odd {
        return refuse(
            Code::CandleHeadWidth,
            module,
            "head_dim",
            words!("takes head_dim as hidden_size / num_attention_heads, which is not this model's"),
        );
    }
    Ok(())
}

/// Refuses positions beyond the module's tables, where `narrow` of `cos` and `sin` fails.
fn check_reach(run: &ResolvedRequest<'_>, module: &Module) -> Result<()> {
    let reach = match module.reach {
        Reach::MaxPosition => run.model.max_position,
        Reach::Tokens(tokens) => Some(tokens),
        Reach::Unlimited => None,
    };
    match reach.filter(|&reach| run.tokens > reach) {
        Some(reach) => Err(Error::bad_value(
            "--seq",
            run.tokens,
            say!("at most {0}: the position tables of candle's `{1}` end there", reach, module.file),
        )),
        None => Ok(()),
    }
}
