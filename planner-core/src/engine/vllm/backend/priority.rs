//! The backend of a layer: the first of the platform's candidates that serves it.
//!
//! Restates `_get_backend_priorities`, `get_valid_backends` and `get_attn_backend_cls` of
//! `vllm/platforms/cuda.py` and `get_mla_prefill_backend_cls` of `vllm/platforms/interface.py`, vLLM 0.33.0.

use super::{Backend, BackendQuery, Context};
use crate::engine::vllm::model::dtype;
use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;

/// Candidates in the platform's order.
fn candidates(model: &Context, ask: &BackendQuery) -> Vec<Backend> {
    use Backend::*;
    let major = model.device.major;
    if ask.mla {
        return match major {
            10 => {
                let sparse: &[Backend] = if dtype::quantized(ask.cache_dtype) {
                    &[FlashInferMlaSparse, FlashMlaSparse]
                } else if model.query_heads <= 16 {
                    &[FlashAttnMlaSparseFa4, FlashInferMlaSparse, FlashMlaSparse]
                } else {
                    &[FlashMlaSparse, FlashInferMlaSparse]
                };
                let dense = [FlashInferMla, TokenspeedMla, CutlassMla, FlashAttnMla, FlashMla, TritonMla];
                [&dense, sparse].concat()
            }
            12 => vec![TritonMla, FlashInferMlaSparseSm120],
            _ => {
                let dense = [FlashAttnMla, FlashMla, FlashInferMla, TritonMla];
                let sparse: &[Backend] = if ask.head == 512 {
                    &[FlashInferMlaSparseSm90, FlashAttnMlaSparse, FlashMlaSparse]
                } else {
                    &[FlashAttnMlaSparse, FlashMlaSparse, FlashInferMlaSparseSm90]
                };
                [&dense, sparse].concat()
            }
        };
    }
    let (composite, first) = if major == 10 && !model.non_causal {
        (TritonFlashInfer, [FlashInfer, FlashAttn])
    } else {
        (TritonFlashAttn, [FlashAttn, FlashInfer])
    };
    let composite = ask.mm_prefix.then_some(composite);
    composite.into_iter().chain(first).chain([TritonAttn, FlexAttention, TurboQuant]).collect()
}

/// The backend that serves a layer.
///
/// # Errors
/// No candidate serves the layer, or the forced one does not.
pub fn choose(model: &Context, ask: &BackendQuery) -> Result<Backend, Error> {
    if let Some(forced) = model.forced {
        return forced.check(model, ask).map(|()| forced).map_err(|why| {
            Error::quoted(
                Code::VllmBackendNotValid,
                format!(
                    "Selected backend {0} is not valid for this configuration. Reason: {why}",
                    forced.name()
                ),
            )
            .about("--attention-backend")
            .way_out(words!("leave --attention-backend out"))
        });
    }
    let mut reasons = Vec::new();
    for backend in candidates(model, ask) {
        match backend.check(model, ask) {
            Ok(()) => return Ok(backend),
            Err(why) => reasons.push((backend, why)),
        }
    }
    let rejected = reasons
        .into_iter()
        .map(|(backend, why)| format!("{}: {why}", backend.name()))
        .collect::<Vec<_>>()
        .join("; ");
    let block = model.user_block.map_or_else(String::new, |block| format!(", block_size={block}"));
    let refusal = Error::quoted(
        Code::VllmNoBackend,
        format!(
            "No valid attention backend found for cuda with head_size={0}, kv_cache_dtype={1}{block}. {rejected}",
            ask.head, ask.cache_dtype
        ),
    );
    Err(if model.user_block.is_some() {
        refusal.about("--block-size").way_out(words!("leave --block-size out"))
    } else if dtype::quantized(ask.cache_dtype) {
        refusal.about("--kv-dtype").way_out(say!("use {0}", "--kv-dtype auto"))
    } else {
        refusal
    })
}

/// Widths (key without rotation, rotary key, value) for which a kernel reads prompts of latent attention. They
/// are FLASH_ATTN's, which is a candidate everywhere and takes all that the others take.
const PREFILL: [[u64; 3]; 4] = [[128, 64, 128], [192, 64, 256], [64, 64, 128], [256, 0, 256]];

/// Refuses dense latent attention of widths without a prefill kernel.
///
/// # Errors
/// The engine's own refusal.
pub fn prefill(config: HfConfig, dense_latent: bool) -> Result<(), Error> {
    let width = |key: &str| config.number(&[key]).unwrap_or(0);
    let own = [width("qk_nope_head_dim"), width("qk_rope_head_dim"), width("v_head_dim")];
    if !dense_latent || PREFILL.contains(&own) {
        return Ok(());
    }
    let [nope, rope, v] = own;
    Err(Error::quoted(
        Code::VllmNoPrefillKernel,
        format!(
            "No valid MLA prefill backend found with qk_nope_head_dim={nope}, qk_rope_head_dim={rope}, v_head_dim={v}"
        ),
    ))
}
