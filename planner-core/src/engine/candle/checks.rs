//! What candle's modules refuse, cannot load, or could not reach.

use serde_json::Value as Json;

use super::MAMBA_CONV;
use super::modules::{Module, Reach, Width};
use crate::dtype::DType;
use crate::engine::Run;
use crate::engine::architecture::kv_dtypes;
use crate::error::{Error, Result};
use crate::spec::layer::{Content, Store};
use crate::spec::model::ModelSpec;

/// Columns of a state that `mamba.rs` fixes: `D_STATE`.
const MAMBA_STATE: u64 = 16;

/// Refuses what the module would; the dtype of its cache otherwise.
pub(super) fn all(run: &Run<'_>, module: &Module) -> Result<DType> {
    check_single_device(run)?;
    check_plain_weights(run, module)?;
    check_module(run.model, module)?;
    check_reach(run, module)?;
    cache_dtype(run, module)
}

fn refuse<T>(model: &ModelSpec, module: &Module, why: &str) -> Result<T> {
    Err(Error::unsupported(
        format!("{} in candle", model.name),
        format!("its module `{}` {why}", module.file),
    ))
}

fn check_single_device(run: &Run<'_>) -> Result<()> {
    let parallel = run.parallel;
    let sizes = [("--tp", parallel.tp), ("--pp", parallel.pp), ("--dcp", parallel.dcp)];
    match sizes.into_iter().find(|(_, size)| *size > 1) {
        Some((flag, size)) => Err(Error::bad_value(flag, size, "1: candle's modules run on one device")),
        None => Ok(()),
    }
}

/// These modules read plain safetensors; what `--weight-dtype` names is taken as converted before.
fn check_plain_weights(run: &Run<'_>, module: &Module) -> Result<()> {
    let quantized = run.model.config.contains_key("quantization_config")
        || run.model.text_config().contains_key("quantization_config");
    if quantized && run.request.weight_dtype.is_none() {
        return refuse(
            run.model,
            module,
            "reads plain weights only (--weight-dtype if they are converted first)",
        );
    }
    Ok(())
}

/// The modules compute in one dtype and keep the cache in it.
fn cache_dtype(run: &Run<'_>, module: &Module) -> Result<DType> {
    let quantized = module.file.starts_with("quantized_");
    let own = if quantized { DType::F32 } else { run.model.dtype };
    let (k, v) = kv_dtypes(run.request, own)?;
    if k != v {
        return Err(Error::bad_value("--v-dtype", v.name, format!("{}, as the keys", k.name)));
    }
    if ![DType::F32, DType::F16, DType::BF16].contains(&k) {
        return Err(Error::bad_value(
            "--kv-dtype",
            k.name,
            "auto, f32, f16 or bf16: what candle computes in",
        ));
    }
    if quantized && k != DType::F32 {
        return Err(Error::bad_value(
            "--kv-dtype",
            k.name,
            format!("auto or f32: candle's `{}` computes in f32 whatever the file stores", module.file),
        ));
    }
    if module.file == "bigcode" && k != DType::F32 {
        return Err(Error::bad_value(
            "--kv-dtype",
            k.name,
            "f32: `bigcode.rs:Attention::attn` refuses queries of another type",
        ));
    }
    Ok(k)
}

/// Refuses what a module itself refuses, or cannot load.
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
                model,
                module,
                "supports neither alibi nor new_decoder_architecture (Config::validate)",
            );
        }
        "falcon" | "bigcode" if model.kv_heads != Some(1) => {
            return refuse(model, module, "reshapes correctly for one KV head (multi_query) only");
        }
        "qwen3" | "qwen3_moe" | "smol/smollm3" if on("use_sliding_window") => {
            return refuse(model, module, "refuses use_sliding_window");
        }
        "deepseek2"
            if !is("scoring_func", &["softmax"])
                || !is("topk_method", &["greedy", "group_limited_greedy"]) =>
        {
            return refuse(model, module, "knows softmax scoring with greedy or group_limited_greedy only");
        }
        "granitemoehybrid" if states(model).next().is_some() => {
            return refuse(model, module, "does not support mamba layers");
        }
        "gemma4/text" if model.layers.iter().any(|layer| layer.owner.is_some()) => {
            return refuse(
                model,
                module,
                "knows no layers that share keys and values (num_kv_shared_layers)",
            );
        }
        "gemma4/text" if on("attention_k_eq_v") => {
            return refuse(model, module, "loads a v_proj in every layer, which attention_k_eq_v leaves out");
        }
        "mamba" | "mamba2" => check_state(model, module)?,
        _ => {}
    }
    check_width(model, module)
}

fn states(model: &ModelSpec) -> impl Iterator<Item = (u64, u64, &Store)> {
    model.layers.iter().flat_map(|layer| &layer.stores).filter_map(|store| match store.content {
        Content::State { conv, recurrent, .. } => Some((conv, recurrent, store)),
        _ => None,
    })
}

/// `mamba.rs` fixes inner width, kernel and state size, `mamba2.rs` the kernel.
fn check_state(model: &ModelSpec, module: &Module) -> Result<()> {
    let inner = model.hidden_size.saturating_mul(2);
    for (conv, recurrent, store) in states(model) {
        let fits = match module.file {
            "mamba" => {
                conv == inner.saturating_mul(MAMBA_CONV) && recurrent == inner.saturating_mul(MAMBA_STATE)
            }
            _ => store.dim("conv_kernel").is_none_or(|kernel| kernel == MAMBA_CONV),
        };
        if !fits {
            return refuse(
                model,
                module,
                "fixes the kernel at 4 (and in mamba the state at 16, the width at twice the model's)",
            );
        }
    }
    Ok(())
}

/// Refuses a head width that the module would not arrive at.
fn check_width(model: &ModelSpec, module: &Module) -> Result<()> {
    let (Width::Divided, Some(heads)) = (module.width, model.attention_heads) else { return Ok(()) };
    let divided = model.hidden_size.checked_div(heads);
    let odd = model.layers.iter().flat_map(|layer| &layer.stores).any(|store| match store.content {
        Content::KeysValues { k_dim, v_dim, .. } => Some(k_dim) != divided || Some(v_dim) != divided,
        _ => false,
    });
    if odd {
        return refuse(
            model,
            module,
            "takes head_dim as hidden_size / num_attention_heads, which is not this model's",
        );
    }
    Ok(())
}

/// Refuses positions beyond the module's tables (`narrow` of `cos` and `sin` fails there).
fn check_reach(run: &Run<'_>, module: &Module) -> Result<()> {
    let reach = match module.reach {
        Reach::MaxPosition => run.model.max_position,
        Reach::Tokens(tokens) => Some(tokens),
        Reach::Unlimited => None,
    };
    match reach.filter(|&reach| run.tokens > reach) {
        Some(reach) => Err(Error::bad_value(
            "--seq",
            run.tokens,
            format!("at most {reach}: the position tables of candle's `{}` end there", module.file),
        )),
        None => Ok(()),
    }
}
