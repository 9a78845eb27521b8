//! Caches that speculative decoding adds: layers of a draft on the last pipeline rank.
//!
//! Restates what `vllm/v1/worker/gpu/spec_decode/` loads, vLLM 0.33.0: n-gram look-up adds no layer, the
//! model's own prediction layers (MTP) one like the model's last attention layer, an EAGLE head one full
//! layer of the model's shape.

use super::config::Config;
use super::facts::{Cache, Fact};
use super::refusal::Refusal;
use crate::engine::Run;
use crate::request::Speculative;

/// Adds the draft's caches.
///
/// # Errors
/// Refuses MTP for a model whose configuration names no prediction layers.
pub fn extend(facts: &mut Vec<Fact>, config: Config, run: Run, layers: u64) -> Result<(), Refusal> {
    let drafted = match run.request.speculative {
        None | Some(Speculative::Ngram(_)) => return Ok(()),
        Some(Speculative::Mtp(_)) => {
            let keys = ["num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers", "mtp_num_layers"];
            if config.number(&keys).unwrap_or(0) == 0 {
                return Err(Refusal::new(
                    "the configuration names no prediction layers (num_nextn_predict_layers), so MTP has \
                     nothing to draft with",
                ));
            }
            true
        }
        Some(Speculative::Eagle(_)) => false,
    };
    let last = facts
        .iter()
        .rev()
        .find(|f| match f.cache {
            Cache::Attention { window, chunk, cross, .. } => {
                !cross && (drafted || (window.is_none() && chunk.is_none()))
            }
            Cache::Latent { .. } => true,
            _ => false,
        })
        .copied();
    let Some(last) = last else { return Ok(()) };
    let index = facts.iter().rev().find(|f| matches!(f.cache, Cache::Index { .. })).copied();
    if drafted
        && let Some(index) = index
    {
        facts.push(Fact { layer: layers, draft: true, ..index });
    }
    let cache = match last.cache {
        Cache::Attention { heads, head, head_v, .. } => {
            Cache::Attention { heads, head, head_v, window: None, chunk: None, cross: false }
        }
        other => other,
    };
    facts.push(Fact { layer: layers, cache, draft: true, indexed: last.indexed });
    Ok(())
}
