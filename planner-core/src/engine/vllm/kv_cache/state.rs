//! Recurrent and convolution states: bytes on one tensor rank, and blocks.
//!
//! Restates `MambaStateShapeCalculator` and `MambaStateDtypeCalculator` of
//! `vllm/model_executor/layers/mamba/mamba_utils.py`, the `get_mamba_state_*_from_config` methods of the
//! models, the dtype hooks of `vllm/model_executor/models/config.py`, and `get_kv_cache_spec` of the
//! mixers, vLLM 0.33.0.

use super::spec::StaticName;
use crate::engine::vllm::backend::Device;
use crate::engine::vllm::model::shards::{divide, smaller_tp};
use crate::engine::vllm::version::{self, Version};
use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::Store;

/// The state of one layer on one rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Mixer as the engine's backend names it.
    pub mixer: StaticName,
    /// Bytes of the whole state on the rank.
    pub bytes: u64,
    /// Whether a checkpoint inside a prefill takes one more block.
    pub checkpoint: bool,
    /// Tokens that blocks are a multiple of where checkpoints are exported.
    pub alignment: Option<u64>,
    /// Name of the backend in the log.
    pub backend: StaticName,
}

/// Settings of the run that states depend on.
#[derive(Clone, Copy, Debug)]
pub struct StateParams<'a> {
    /// Tensor parallel size.
    pub tp: u64,
    /// Draft tokens (`num_speculative_tokens`).
    pub drafts: u64,
    /// The GPU.
    pub device: &'a Device,
    /// Whether states are kept block by block, for prefix caching.
    pub align: bool,
    /// Bytes of an element in the model's dtype.
    pub model_bytes: u64,
    /// Whether that dtype is bf16.
    pub bf16: bool,
    /// The release.
    pub version: Version,
}

/// The state that a store of mixer `mixer` keeps.
///
/// # Errors
/// A dimension that does not divide over the ranks; a mixer without a rule.
pub fn state(config: HfConfig, store: &Store, mixer: &str, set: StateParams) -> Result<State, Error> {
    let dim = |name: &str| {
        store.dim(name).ok_or_else(|| {
            Error::refused(
                Code::VllmNotRestatedState,
                say!("a {0} state whose `{1}` is not known", mixer, name),
            )
        })
    };
    let conv_bytes = set.model_bytes;
    let recurrent_bytes = recurrent_bytes(config, mixer, set.model_bytes);
    // the convolution also runs over a draft's tokens
    let taps = |kernel: u64| kernel.saturating_sub(1).saturating_add(set.drafts);
    let total = |conv: u64, recurrent: u64| {
        conv.saturating_mul(conv_bytes).saturating_add(recurrent.saturating_mul(recurrent_bytes))
    };
    let kept = |mixer, backend, bytes| State {
        mixer: StaticName(mixer),
        bytes,
        checkpoint: false,
        alignment: None,
        backend: StaticName(backend),
    };
    match mixer {
        "mamba1" => {
            let inner = divide("intermediate size", dim("inner")?, set.tp)?;
            let conv = inner.saturating_mul(dim("conv_kernel")?.saturating_sub(1));
            let bytes = total(conv, inner.saturating_mul(dim("state")?));
            Ok(kept("mamba1", "MAMBA1_ATTN", bytes))
        }
        "mamba2" => {
            let (heads, head, groups, state) =
                (dim("heads")?, dim("head_dim")?, dim("groups")?, dim("state")?);
            if groups % set.tp != 0 && groups != 1 {
                return Err(Error::quoted(
                    Code::VllmStateGroupsNotDivided,
                    "If tensor parallel world size does not divide num_groups, then \
                     num_groups must equal 1.",
                )
                .about("--tp")
                .way_out(say!("use {0}", smaller_tp(groups, set.tp))));
            }
            let groups = if groups % set.tp == 0 { groups } else { set.tp };
            let width = dim("inner")?.saturating_add(groups.saturating_mul(state).saturating_mul(2));
            let width = divide("convolution width", width, set.tp)?;
            let heads = divide("Mamba heads", heads, set.tp)?;
            let recurrent = heads.saturating_mul(head).saturating_mul(state);
            let bytes = total(width.saturating_mul(taps(dim("conv_kernel")?)), recurrent);
            let exports = set.version.is_in(version::MAMBA2_CHECKPOINT);
            let alignment = exports.then_some(1);
            Ok(State { checkpoint: exports, alignment, ..kept("mamba2", "MAMBA2_ATTN", bytes) })
        }
        "gated_delta" => {
            let (v_heads, k_dim, v_dim) = (dim("v_heads")?, dim("k_dim")?, dim("v_dim")?);
            let width = divide("convolution width", dim("conv_dim")?, set.tp)?;
            let heads = divide("value heads", v_heads, set.tp)?;
            let recurrent = heads.saturating_mul(v_dim).saturating_mul(k_dim);
            let bytes = total(width.saturating_mul(taps(dim("conv_kernel")?)), recurrent);
            // the Qwen layer exports checkpoints where FlashInfer's prefill kernel runs
            let flash = match (set.device.major, set.device.minor) {
                (9, 0) => true,
                (10 | 12, _) => k_dim == 128,
                _ => false,
            };
            let known = set.version.is_in(version::GDN_CHECKPOINT);
            let exports = known && set.align && flash && !config.model_type.starts_with("olmo");
            let alignment = exports.then_some(64);
            Ok(State { checkpoint: exports, alignment, ..kept("gdn", "GDN_ATTN", bytes) })
        }
        "kda" => {
            let (heads, head) = (dim("heads")?, dim("head_dim")?);
            let width = divide("convolution width", dim("conv_dim")?, set.tp)?;
            let own = divide("KDA heads", heads, set.tp)?;
            let recurrent = own.saturating_mul(head).saturating_mul(head);
            let bytes = total(width.saturating_mul(taps(dim("conv_kernel")?)), recurrent);
            let kimi = config.root_type().starts_with("kimi_k3");
            let backend = if kimi { "KIMI_K3_KDA" } else { "GDN_ATTN" };
            let runs = matches!(set.device.major, 9 | 10 | 12) && head == 128 && set.bf16;
            let exports = set.version.is_in(version::KDA_CHECKPOINT) && kimi && runs;
            Ok(State { checkpoint: exports, ..kept("kda", backend, bytes) })
        }
        "lightning" => {
            let (heads, head) = (dim("heads")?, dim("head_dim")?);
            let bytes = total(0, (heads / set.tp).saturating_mul(head).saturating_mul(head));
            Ok(kept("linear", "LINEAR_ATTN", bytes))
        }
        "short_conv" => {
            // `Lfm2ForCausalLM.get_mamba_state_shape_from_config` reads a width of its own
            let width = config.number(&["conv_dim"]).map_or_else(|| dim("conv_dim"), Ok)?;
            let width = divide("convolution width", width, set.tp)?;
            let bytes = total(width.saturating_mul(dim("conv_kernel")?.saturating_sub(1)), 0);
            Ok(kept("short_conv", "SHORT_CONV_ATTN", bytes))
        }
        other => Err(Error::refused(Code::VllmNotRestatedMixer, say!("states of the mixer `{0}`", other))),
    }
}

/// Bytes of an element of the recurrent part.
fn recurrent_bytes(config: HfConfig, mixer: &str, model_bytes: u64) -> u64 {
    let named = |name: &str| if name == "float32" { 4 } else { model_bytes };
    if mixer == "kda" {
        return 4;
    }
    if config.class.starts_with("NemotronH") {
        // NemotronHForCausalLMConfig: the configuration's dtype, else float32
        return config.text_of("mamba_ssm_cache_dtype").map_or(4, named);
    }
    if ["Qwen3_5", "ColQwen3_5"].iter().any(|class| config.class.starts_with(class)) {
        return config.text_of("mamba_ssm_dtype").map_or(model_bytes, named);
    }
    model_bytes
}
