//! Tables of sines and cosines, whole on every rank.
//!
//! Restates `get_rope` of `vllm/model_executor/layers/rotary_embedding/__init__.py` and
//! `_compute_cos_sin_cache` of its classes, vLLM 0.33.0. Each distinct set of parameters has a table; its rows
//! are as wide as the rotation. There is a row for every position of the model, whatever `max_model_len` is.

use serde_json::{Map, Value as Json};

use super::run::Run;
use crate::error::Result;
use crate::spec::hf_config::whole;
use crate::spec::layer::Content;
use crate::spec::value::{ModuleKind, Number};
use crate::units::product;

/// Model types with linear biases for positions (ALiBi).
const SLOPED: [&str; 4] = ["bloom", "mpt", "baichuan", "jais"];

/// Bytes of all tables.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn bytes(run: &Run<'_>) -> Result<u64> {
    let Some(positions) = run.model.max_position.filter(|_| rotates(run)) else { return Ok(0) };
    let width = width(run);
    // Gemma 3 and 4 rotate window layers by other parameters: a second table
    let local =
        run.config.get("rope_local_base_freq").is_some() || run.config.model_type.starts_with("gemma3");
    let scaled = scaling(run).map_or(Ok(positions), |rope| rows(rope, positions))?;
    let rows = if local { scaled.saturating_add(positions) } else { scaled };
    // the class for scaled latents has its table in f32 (`deepseek_scaling_rope.py`)
    let scales = scaling(run).is_none_or(|rope| rope.contains_key("factor"));
    let element = if latent(run).is_some() && scales { 4 } else { run.model.dtype.row_bytes(1)? };
    product(words!("bytes of the rotary tables"), &[rows, width, element])
}

/// Whether the model rotates queries and keys: it has attention, and neither a position table nor ALiBi.
fn rotates(run: &Run<'_>) -> bool {
    let table = |path: &str| path.contains("pos") || path.ends_with("wpe");
    let mut modules = run.model.modules.iter().filter(|module| module.part == "embeddings");
    let tabled = modules.any(|module| module.shape.kind == ModuleKind::Table && table(module.path));
    run.model.attention_heads.is_some() && !tabled && !SLOPED.contains(&run.config.model_type)
}

/// Width of a latent's rotary part.
fn latent(run: &Run<'_>) -> Option<u64> {
    let mut stores = run.model.layers.iter().flat_map(|layer| &layer.stores);
    stores.find_map(|store| match store.content {
        Content::Latent { rope, .. } => Some(rope),
        _ => None,
    })
}

/// Elements of a row (`rotary_dim`).
fn width(run: &Run<'_>) -> u64 {
    let head = run.model.head_dim.unwrap_or(0);
    let share = ["partial_rotary_factor", "rotary_pct"].iter().find_map(|key| run.config.get(key));
    let part = share.and_then(|share| times(share, head)).filter(|part| *part <= head);
    latent(run).or(run.config.number(&["rotary_dim"])).or(part).unwrap_or(head)
}

fn scaling<'a>(run: &Run<'a>) -> Option<&'a Map<String, Json>> {
    let rope = run.config.object("rope_scaling").or_else(|| run.config.object("rope_parameters"))?;
    Some(rope.get("full_attention").and_then(Json::as_object).unwrap_or(rope))
}

/// A whole number times a configuration's decimal, rounded down.
fn times(decimal: &Json, number: u64) -> Option<u64> {
    let Json::Number(decimal) = decimal else { return None };
    Number::from_json(decimal).ok()?.multiply(Number::whole(number)).ok()?.floor().as_u64()
}

/// Rows of the table, for scaled positions.
fn rows(rope: &Map<String, Json>, positions: u64) -> Result<u64> {
    let kind = ["rope_type", "type"].iter().find_map(|key| rope.get(*key)?.as_str()).unwrap_or("default");
    let original = rope.get("original_max_position_embeddings").and_then(whole);
    let factor = rope.get("factor");
    let scale = |positions: u64| Ok(factor.and_then(|factor| times(factor, positions)).unwrap_or(positions));
    match kind {
        _ if rope.contains_key("mrope_section") => product(words!("rotary positions"), &[positions, 4]),
        "linear" | "dynamic" => scale(positions),
        "yarn" | "deepseek_yarn" => scale(original.unwrap_or(positions)),
        _ => Ok(positions),
    }
}
