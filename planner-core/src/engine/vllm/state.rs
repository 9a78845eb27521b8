//! Recurrent and convolution states: their bytes on one tensor rank and the blocks they hold.
//!
//! Restates `MambaStateShapeCalculator` and `MambaStateDtypeCalculator` of
//! `vllm/model_executor/layers/mamba/mamba_utils.py`, the `get_mamba_state_*_from_config` methods of the
//! models, the dtype hooks of `vllm/model_executor/models/config.py`, and `get_kv_cache_spec` of the
//! mixers, vLLM 0.33.0.

use super::backend::Device;
use super::config::{Config, whole};
use super::refusal::Refusal;
use super::spec::Name;
use crate::spec::layer::Store;
use crate::text::{Sentence, Words};

/// A state of one layer on one rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Mixer as the engine's backend names it.
    pub mixer: Name,
    /// Bytes of the whole state on the rank.
    pub bytes: u64,
    /// Whether a checkpoint inside a prefill takes a block more.
    pub checkpoint: bool,
    /// Token alignment that exported checkpoints force on blocks.
    pub alignment: Option<u64>,
    /// Backend name in the log.
    pub backend: Name,
}

/// What the run decides about states.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Tensor parallel size.
    pub tp: u64,
    /// Draft tokens (`num_speculative_tokens`).
    pub drafts: u64,
    /// The GPU.
    pub device: &'a Device,
    /// Prefix caching keeps states block by block.
    pub align: bool,
    /// Bytes of an element in the model's dtype.
    pub model_bytes: u64,
    /// Whether that dtype is bf16.
    pub bf16: bool,
}

struct Dims<'a> {
    store: &'a Store,
    config: Config<'a>,
}

impl Dims<'_> {
    /// A dimension from the family's table, or from the first key that the configuration has.
    fn get(&self, name: &str, keys: &[&str]) -> Result<u64, Refusal> {
        let found = self.store.dim(name).or_else(|| self.config.number(keys));
        found.ok_or_else(|| {
            let keys = keys.iter().map(|key| Sentence::verbatim(*key));
            let keys = keys.reduce(|first, more| say!("{0} nor {1}", first, more));
            let keys = keys.unwrap_or_else(|| Sentence::verbatim(name));
            Refusal::new(say!("config.json says neither {0} for its states", keys))
        })
    }

    fn nested(&self, object: &str, key: &str) -> Option<u64> {
        whole(self.config.object(object)?.get(key)?)
    }
}

fn divide(what: Words, n: u64, by: u64) -> Result<u64, Refusal> {
    if by > 0 && n.is_multiple_of(by) {
        Ok(n / by)
    } else {
        Err(Refusal::new(say!("AssertionError: {0} {1} is not divisible by {2}", what, n, by)))
    }
}

/// The state that a store of mixer `mixer` keeps.
///
/// # Errors
/// Refuses dimensions that the tensor ranks do not divide, and mixers this rule does not restate.
pub fn state(config: Config, store: &Store, mixer: &str, set: Setting) -> Result<State, Refusal> {
    let dims = Dims { store, config };
    let d = |name: &str, keys: &[&str]| dims.get(name, keys);
    let conv_bytes = set.model_bytes;
    let recurrent_bytes = recurrent_bytes(config, mixer, set.model_bytes);
    let total = |conv: u64, recurrent: u64| {
        conv.saturating_mul(conv_bytes).saturating_add(recurrent.saturating_mul(recurrent_bytes))
    };
    let kept = |mixer, backend, bytes| State {
        mixer: Name(mixer),
        bytes,
        checkpoint: false,
        alignment: None,
        backend: Name(backend),
    };
    match mixer {
        "mamba1" | "mamba" => {
            let inner = match store.dim("inner").or_else(|| config.number(&["intermediate_size_mamba"])) {
                Some(inner) => inner,
                None => inner_width(config)?,
            };
            let state = d("state", &["mamba_d_state", "state_size", "ssm_state_size"])?;
            let kernel = d("conv_kernel", &["mamba_d_conv", "conv_kernel", "d_conv"])?;
            let inner = divide(words!("intermediate size"), inner, set.tp)?;
            let conv = inner.saturating_mul(kernel.saturating_sub(1));
            let bytes = total(conv, inner.saturating_mul(state));
            Ok(kept("mamba1", "MAMBA1_ATTN", bytes))
        }
        "mamba2" => {
            let heads = d("heads", &["mamba_num_heads", "n_mamba_heads", "mamba_n_heads", "num_heads"])?;
            let head = d("head_dim", &["mamba_head_dim", "mamba_headdim", "mamba_d_head", "head_dim"])?;
            let groups = d("groups", &["n_groups", "mamba_ngroups", "mamba_n_groups"])?;
            let state = d("state", &["ssm_state_size", "mamba_d_state", "state_size"])?;
            let kernel = d("conv_kernel", &["conv_kernel", "mamba_d_conv", "conv_kernel_size"])?;
            let inner = store.dim("inner").unwrap_or_else(|| heads.saturating_mul(head));
            if groups % set.tp != 0 && groups != 1 {
                return Err(Refusal::new(words!(
                    "AssertionError: If tensor parallel world size does not divide num_groups, then \
                     num_groups must equal 1."
                )));
            }
            let groups = if groups % set.tp == 0 { groups } else { set.tp };
            let width = inner.saturating_add(groups.saturating_mul(state).saturating_mul(2));
            let width = divide(words!("convolution width"), width, set.tp)?;
            let conv = width.saturating_mul(kernel.saturating_sub(1) + set.drafts);
            let heads = divide(words!("Mamba heads"), heads, set.tp)?;
            let recurrent = heads.saturating_mul(head).saturating_mul(state);
            let bytes = total(conv, recurrent);
            Ok(State { checkpoint: true, alignment: Some(1), ..kept("mamba2", "MAMBA2_ATTN", bytes) })
        }
        "gated_delta" | "gated_delta_net" | "gdn" => {
            let k_heads = d("k_heads", &["linear_num_key_heads"])?;
            let v_heads = d("v_heads", &["linear_num_value_heads"])?;
            let k_dim = d("k_head_dim", &["linear_key_head_dim"])?;
            let v_dim = d("v_head_dim", &["linear_value_head_dim"])?;
            let kernel = d("conv_kernel", &["linear_conv_kernel_dim"])?;
            let width = divide(words!("convolution width"), k_dim * k_heads * 2 + v_dim * v_heads, set.tp)?;
            let conv = width.saturating_mul(kernel.saturating_sub(1) + set.drafts);
            let heads = divide(words!("value heads"), v_heads, set.tp)?;
            let bytes = total(conv, heads.saturating_mul(v_dim).saturating_mul(k_dim));
            // the Qwen layer exports checkpoints where FlashInfer's prefill kernel runs
            let flash = match (set.device.major, set.device.minor) {
                (9, 0) => true,
                (10 | 12, _) => k_dim == 128,
                _ => false,
            };
            let exports = set.align && flash && !config.model_type.starts_with("olmo");
            let alignment = exports.then_some(64);
            Ok(State { checkpoint: exports, alignment, ..kept("gdn", "GDN_ATTN", bytes) })
        }
        "kda" => {
            let linear = |key: &str| dims.nested("linear_attn_config", key);
            let or = |name: &str, key: &str, keys: &[&str]| match linear(key) {
                Some(n) => Ok(n),
                None => d(name, keys),
            };
            let heads = or("heads", "num_heads", &["linear_num_key_heads", "num_attention_heads"])?;
            let head = or("head_dim", "head_dim", &["linear_key_head_dim", "head_dim"])?;
            let keys = ["linear_conv_kernel_dim", "short_conv_kernel_size", "linear_conv_kernel_size"];
            let kernel = or("conv_kernel", "short_conv_kernel_size", &keys)?;
            let width =
                divide(words!("convolution width"), heads.saturating_mul(head).saturating_mul(3), set.tp)?;
            let conv = width.saturating_mul(kernel.saturating_sub(1) + set.drafts);
            let own = divide(words!("KDA heads"), heads, set.tp)?;
            let bytes = total(conv, own.saturating_mul(head).saturating_mul(head));
            let kimi = config.root_type().starts_with("kimi_k3");
            let bounded = kimi || config.model_type.starts_with("glm5_next");
            let backend = if kimi { "KIMI_K3_KDA" } else { "GDN_ATTN" };
            let runs = matches!(set.device.major, 9 | 10 | 12) && head == 128 && set.bf16;
            Ok(State { checkpoint: bounded && runs, ..kept("kda", backend, bytes) })
        }
        "linear" | "lightning" | "linear_attention" => {
            let heads = d("heads", &["num_attention_heads"])?;
            let head = match store.dim("head_dim").or_else(|| config.number(&["head_dim"])) {
                Some(head) => head,
                None => d("hidden", &["hidden_size"])? / heads.max(1),
            };
            let bytes = total(0, (heads / set.tp.max(1)).saturating_mul(head).saturating_mul(head));
            Ok(kept("linear", "LINEAR_ATTN", bytes))
        }
        "short_conv" | "conv" => {
            let width = d("dim", &["conv_dim", "hidden_size"])?;
            let kernel = d("conv_kernel", &["conv_L_cache", "conv_kernel"])?;
            let width = divide(words!("convolution width"), width, set.tp)?;
            let bytes = total(width.saturating_mul(kernel.saturating_sub(1)), 0);
            Ok(kept("short_conv", "SHORT_CONV_ATTN", bytes))
        }
        other => Err(Refusal::new(say!("vLLM 0.33.0 keeps no state of mixer `{0}` in its cache", other))),
    }
}

fn inner_width(config: Config) -> Result<u64, Refusal> {
    if let (Some(expand), Some(hidden)) =
        (config.number(&["mamba_expand", "expand"]), config.number(&["hidden_size"]))
    {
        return Ok(expand.saturating_mul(hidden));
    }
    config
        .number(&["intermediate_size"])
        .ok_or_else(|| Refusal::new(words!("config.json says no inner width of its Mamba layers")))
}

/// Bytes of an element of the recurrent part.
fn recurrent_bytes(config: Config, mixer: &str, model_bytes: u64) -> u64 {
    let named = |name: &str| match name {
        "float32" => 4,
        "float16" | "bfloat16" => 2,
        _ => model_bytes,
    };
    if mixer == "kda" {
        return 4;
    }
    if config.class.starts_with("NemotronH") {
        // NemotronHForCausalLMConfig: the configuration's, else float32
        return config.text_of("mamba_ssm_cache_dtype").map_or(4, named);
    }
    let qwen = config.class.starts_with("Qwen3_5")
        || config.class.starts_with("Qwen4Exp")
        || config.class.starts_with("ColQwen3_5");
    if qwen {
        return config.text_of("mamba_ssm_dtype").map_or(model_bytes, named);
    }
    model_bytes
}
