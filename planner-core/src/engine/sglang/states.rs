//! Bytes of one request's states on a rank (`configs/mamba_utils.py`).
//!
//! The convolution's state is in bf16 whatever the model's dtype, and holds one token less than the kernel.
//! Groups that do not divide over the ranks become one for each rank.

use serde_json::Value as Json;

use crate::dtype::DType;
use crate::engine::ResolvedRequest;
use crate::error::{Code, Error, Result};
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Content, Layer, Store};
use crate::text::Words;
use crate::units::{product, sum};

const WHAT: Words = words!("bytes of a state");

/// Whether any layer keeps a state: the engine then counts caches, not layers.
pub(super) fn kept(layers: &[Layer]) -> bool {
    let mut stores = layers.iter().flat_map(|layer| &layer.stores);
    stores.any(|store| store.is_kept_by("sglang") && matches!(store.content, Content::State { .. }))
}

/// Dtype of a recurrent state (`mamba2_state_dtype`): f32, or `mamba_ssm_dtype` where the class reads that key.
fn recurrent_dtype(run: &ResolvedRequest<'_>, mixer: &str) -> DType {
    let asks = match mixer {
        "gated_delta" => true,
        "mamba2" => {
            !matches!(run.model.architecture.as_str(), "Mamba2ForCausalLM" | "GraniteMoeHybridForCausalLM")
        }
        _ => false,
    };
    let said = HfConfig::of(run.model).text.get("mamba_ssm_dtype").and_then(Json::as_str).filter(|_| asks);
    match said {
        Some("bfloat16") => DType::BF16,
        Some("float16") => DType::F16,
        _ => DType::F32,
    }
}

/// Channels of a Mamba 2 layer. The configuration of a pure Mamba 2 model must say them (`configs/mamba2.py`,
/// `mamba2_cache_params`).
fn inner(run: &ResolvedRequest<'_>, own: u64) -> Result<u64> {
    let class = run.model.architecture.as_str();
    if class != "Mamba2ForCausalLM" {
        return Ok(own);
    }
    HfConfig::of(run.model).text.get("intermediate_size").and_then(Json::as_u64).ok_or_else(|| {
        Error::quoted(Code::SglangMissingKey, "'Mamba2Config' object has no attribute 'intermediate_size'")
            .about("intermediate_size")
            .way_out(say!("add `{0}` to config.json", "intermediate_size"))
    })
}

/// Bytes of one request's state in one layer.
pub(super) fn bytes(run: &ResolvedRequest<'_>, store: &Store) -> Result<u64> {
    let tp = run.parallel.tp;
    let Content::State { mixer, recurrent, .. } = store.content else { return Ok(0) };
    let dim = |name: &str| {
        store.dim(name).ok_or_else(|| -> Error {
            Error::refused(
                Code::SglangNotRestatedState,
                say!("a {0} state whose `{1}` is not known", mixer, name),
            )
        })
    };
    let share = |what: Words, whole: u64| {
        if whole.is_multiple_of(tp) {
            Ok(whole / tp)
        } else {
            Err(Error::bad_value("--tp", tp, say!("a divisor of the {0} {1} of the states", whole, what)))
        }
    };
    // Groups on all ranks together.
    let groups = |groups: u64| if groups.is_multiple_of(tp) { groups } else { tp };
    let width = match mixer {
        "mamba2" => {
            let (inner, state) = (inner(run, dim("inner")?)?, dim("state")?);
            let keys = product(WHAT, &[2, groups(dim("groups")?), state])?;
            share(words!("channels"), sum(WHAT, [inner, keys])?)?
        }
        "gated_delta" => {
            let values = product(WHAT, &[dim("v_heads")?, dim("v_dim")?])?;
            let keys = product(WHAT, &[2, groups(dim("k_heads")?), dim("k_dim")?])?;
            share(words!("channels"), sum(WHAT, [values, keys])?)?
        }
        "kda" | "short_conv" | "mamba1" => share(words!("channels"), dim("conv_dim")?)?,
        "lightning" => 0,
        _ => {
            return Err(Error::refused(
                Code::SglangNotRestatedState,
                say!("states of the mixer `{0}`", mixer),
            )
            .way_out(say!("use {0}", "--engine vllm")));
        }
    };
    let kernel = if width == 0 { 1 } else { dim("conv_kernel")? };
    let conv = product(WHAT, &[width, kernel.saturating_sub(1)])?;
    let recurrent = share(words!("elements"), recurrent)?;
    sum(WHAT, [DType::BF16.row_bytes(conv)?, recurrent_dtype(run, mixer).row_bytes(recurrent)?])
}
