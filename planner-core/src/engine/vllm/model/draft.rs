//! Caches of speculative decoding: layers of a draft, on the last pipeline rank.
//!
//! Restates what `vllm/v1/worker/gpu/spec_decode/` loads, vLLM 0.33.0. N-gram look-up has no layer. Each of the
//! model's own prediction layers (MTP) is like the model's last attention layer. An EAGLE head is one full
//! layer of the model's shape.

use crate::engine::ResolvedRequest;
use crate::engine::vllm::kv_cache::layers::{Cache, CacheLayer};
use crate::error::{Code, Error};
use crate::request::Speculative;
use crate::spec::hf_config::HfConfig;

/// Adds the draft's caches, and returns the number of its layers.
///
/// # Errors
/// MTP for a model without prediction layers.
pub fn extend(
    facts: &mut Vec<CacheLayer>,
    config: HfConfig,
    run: ResolvedRequest,
    layers: u64,
) -> Result<u64, Error> {
    let (drafted, count) = match run.request.speculative {
        None | Some(Speculative::Ngram(_)) => return Ok(0),
        Some(Speculative::Mtp(_)) => (true, prediction_layers(config)?),
        Some(Speculative::Eagle(_)) => (false, 1),
    };
    let last = facts
        .iter()
        .rev()
        .find(|f| matches!(f.cache, Cache::Attention { cross: false, .. } | Cache::Latent { .. }))
        .copied();
    let Some(last) = last else { return Ok(count) };
    let index = facts.iter().rev().find(|f| matches!(f.cache, Cache::Index { .. })).copied();
    let keeps_window = drafted && config.model_type.starts_with("mimo_v2");
    let last = if keeps_window { windowed(facts).unwrap_or(last) } else { last };
    let cache = match last.cache {
        Cache::Attention { heads, head, head_v, .. } if !keeps_window => {
            Cache::Attention { heads, head, head_v, window: None, chunk: None, cross: false }
        }
        other => other,
    };
    for _ in 0..count {
        let index = index.filter(|_| drafted).map(|index| index.cache);
        let own = index.into_iter().chain([cache]);
        facts.extend(own.map(|cache| CacheLayer {
            layer: layers,
            cache,
            draft: true,
            indexed: last.indexed,
        }));
    }
    Ok(count)
}

/// The last window layer, which MiMo-V2's prediction layers are like.
fn windowed(facts: &[CacheLayer]) -> Option<CacheLayer> {
    let window = |f: &&CacheLayer| matches!(f.cache, Cache::Attention { window: Some(_), .. });
    facts.iter().rev().find(window).copied()
}

/// Model types with prediction layers (`MTPModelTypes` and `hf_config_override` of
/// `vllm/config/speculative.py`).
const PREDICTING: [&str; 31] = [
    "bailing_hybrid",
    "bailing_moe_v3",
    "deepseek_v3",
    "deepseek_v32",
    "deepseek_v4",
    "dots3_note",
    "ernie4_5_moe",
    "exaone4_5",
    "exaone_moe",
    "glm4_moe",
    "glm4_moe_lite",
    "glm5_next",
    "glm_moe_dsa",
    "glm_ocr",
    "hy_v3",
    "hy_v4",
    "inkling",
    "kimi_k3",
    "longcat_flash",
    "mimo",
    "mimo_v2",
    "mimo_v2_flash",
    "minimax_m3",
    "nemotron_h",
    "pangu_ultra_moe",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_next",
    "qwen4_exp",
    "step3p5",
    "step5",
];

/// How many prediction layers the draft builds.
fn prediction_layers(config: HfConfig) -> Result<u64, Error> {
    // a wrapper of another type has no draft, whatever its language model
    let root = config.root_type();
    let layers = config.number(&["num_nextn_predict_layers", "mtp_num_hidden_layers"]);
    // Nemotron-H has prediction layers only where the configuration counts them
    let absent = root.starts_with("nemotron_h") && layers.unwrap_or(0) == 0;
    if absent || !PREDICTING.iter().any(|known| root.starts_with(known)) {
        return Err(Error::refused(
            Code::VllmNoDraftLayers,
            say!("it has no prediction layers (MTP) of model_type `{0}`", root),
        )
        .about("--speculative")
        .way_out(words!("leave --speculative out")));
    }
    Ok(layers.unwrap_or(1).max(1))
}
