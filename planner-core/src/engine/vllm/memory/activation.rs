//! The highest use of activations during the step that the engine profiles.
//!
//! Restates `profile_run` and `_dummy_sampler_run` of `vllm/v1/worker/gpu_model_runner.py` (0.19.0) and of
//! `vllm/v1/worker/gpu/model_runner.py` (0.33.0). First the encoder runs, and its outputs stay. Then a step
//! with the most tokens runs, and the sampler over one row of logits for every sequence. Experts work in
//! buffers that stay (`workspace_shapes` of `vllm/model_executor/layers/fused_moe/`).

use serde_json::Value as Json;

use super::constants;
use super::run::{Run, Runner};
use crate::engine::memory::{MemoryPart, PartKind};
use crate::engine::vllm::version;
use crate::error::Result;
use crate::spec::hf_config::whole;
use crate::spec::model::WeightModule;
use crate::spec::value::ModuleKind;
use crate::text::Words;
use crate::units::{product, sum};

const ACTIVATION: Words = words!("bytes of activations");

/// Tokens of the largest image where the configuration has no size: 12,845,056 pixels, 28 × 28 for each token
/// (`Qwen2VLProcessingInfo` of `vllm/model_executor/models/qwen2_vl.py`).
const LARGEST_PICTURE: u64 = 16384;

/// The part on a rank of the first, a middle or the last stage.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn part(run: &Run<'_>, first: bool, last: bool) -> Result<MemoryPart> {
    let (sampler, spread) = if last { sampler(run)? } else { (0, 0) };
    let encoder = if first { encoder(run)? } else { Encoder::default() };
    let step = sum(ACTIVATION, [forward(run)?.max(sampler), experts(run)?, encoder.kept])?;
    let bytes = sum(ACTIVATION, [step.max(encoder.peak), if last { counts(run)? } else { 0 }])?;
    // uncertain: half of the encoder's part, which no log confirms; a 50th of the rest, a quarter without logs
    let read = if encoder.peak > step { encoder.peak } else { encoder.kept } / 2;
    let rest = bytes / if run.version.is_in(version::UNSEEN) { 4 } else { 50 };
    Ok(MemoryPart::estimate(PartKind::Activation, bytes, sum(ACTIVATION, [spread, read, rest])?))
}

/// The product of `factors` and a constant in hundredths.
fn hundredths(constant: u64, factors: &[u64]) -> Result<u64> {
    Ok(product(ACTIVATION, &[product(ACTIVATION, factors)?, constant])? / 100)
}

/// Bytes of the sampler (logits, copies, probabilities), and their uncertainty.
fn sampler(run: &Run<'_>) -> Result<(u64, u64)> {
    // bytes of a logit, and whether a Triton kernel finds the top k
    let (logit, kernel) = match run.runner {
        Runner::V1 if run.version.is_in(version::SORTING_SAMPLER) => (constants::SORTED_LOGIT, false),
        Runner::V1 => (constants::V1_LOGIT, true),
        Runner::V2 if run.version.is_in(version::WARM_SAMPLER) => (constants::V2_WARM_LOGIT, true),
        Runner::V2 => (constants::V2_LOGIT, false),
    };
    let (vocabulary, hidden) = (run.model.vocab_size, run.model.hidden_size);
    let logits = hundredths(logit.value, &[run.sequences, vocabulary])?;
    // the kernel has a row of f32 for every program, one for each multiprocessor (`apply_top_k_top_p_triton`)
    let programs = if kernel { multiprocessors(run).min(run.sequences) } else { 0 };
    let buffer = product(ACTIVATION, &[4, programs, vocabulary])?;
    let states = product(ACTIVATION, &[2, run.tokens, hidden])?;
    let sampled = product(ACTIVATION, &[4, run.sequences, hidden])?;
    let spread = hundredths(logit.spread, &[run.sequences, vocabulary])?;
    Ok((sum(ACTIVATION, [logits, buffer, states, sampled, cublas(run)])?, spread))
}

/// Counts of penalties, which are kept for every sequence whatever its request asks for.
fn counts(run: &Run<'_>) -> Result<u64> {
    if run.runner == Runner::V1 || !run.version.is_in(version::V2_PENALTY_COUNTS) {
        return Ok(0);
    }
    hundredths(constants::V2_COUNT.value, &[run.sequences, run.model.vocab_size])
}

fn cublas(run: &Run<'_>) -> u64 {
    let large = matches!(run.capability.0, 9 | 10);
    if large { constants::CUBLAS_LARGE.value } else { constants::CUBLAS_SMALL.value }
}

/// Multiprocessors of common cards, by compute capability (CUDA C++ programming guide, product data sheets).
fn multiprocessors(run: &Run<'_>) -> u64 {
    match run.capability {
        (7, _) => 40,
        (8, 0) => 108,
        (8, 6) => 82,
        (9, _) => 132,
        (10, _) => 148,
        (12, 0) => 170,
        (12, _) => 48,
        _ => 128,
    }
}

/// Inner states of the widest layer, and the hidden states around it.
fn forward(run: &Run<'_>) -> Result<u64> {
    let hidden = run.model.hidden_size;
    let up = |module: &&WeightModule| {
        let linear = module.part == "mlp" && module.shape.kind == ModuleKind::Linear;
        linear && module.shape.inputs == hidden && !module.path.contains("down")
    };
    let layers = run.model.modules.chunk_by(|a, b| a.layer == b.layer);
    let widths = layers
        .map(|layer| layer.iter().filter(up).map(|module| module.shape.outputs).fold(0, u64::saturating_add));
    // gate and up together, and half as much for their product
    let dense = product(ACTIVATION, &[3, run.tokens, widths.max().unwrap_or(0) / run.tp])?;
    // experts without buffers hold this for each active expert, and its output
    let inner = match routed(run)?.filter(|_| run.is_mxfp4()) {
        Some(Routed { active, inner }) => {
            let each = sum(ACTIVATION, [product(ACTIVATION, &[3, inner])?, hidden])?;
            dense.max(product(ACTIVATION, &[2, run.tokens, active, each])?)
        }
        None => dense,
    };
    let around = hundredths(constants::FORWARD_HIDDEN.value, &[2, run.tokens, hidden])?;
    // hidden states and residuals from the stage before
    let handed =
        if run.resolved.parallel.pp > 1 { product(ACTIVATION, &[4, run.tokens, hidden])? } else { 0 };
    sum(ACTIVATION, [inner, around, handed])
}

/// A layer's experts as one rank runs them.
struct Routed {
    /// Active experts for one token.
    active: u64,
    /// Inner width of one expert on this rank.
    inner: u64,
}

fn routed(run: &Run<'_>) -> Result<Option<Routed>> {
    let hidden = run.model.hidden_size;
    let back = |module: &&WeightModule| module.path.contains("down") || module.shape.outputs == hidden;
    let part = run.model.parts.iter().find(|part| part.name == "experts");
    let Some((expert, part)) = run.part("experts").find(back).zip(part) else { return Ok(None) };
    let active = product(ACTIVATION, &[expert.count, part.active])?.div_ceil(part.parameters.max(1));
    let cut = product(ACTIVATION, &[run.tp, run.resolved.parallel.dp])?;
    let ranks = if run.resolved.expert_ranks().is_some() { 1 } else { cut };
    Ok(Some(Routed { active, inner: expert.shape.inputs / ranks }))
}

/// Buffers around the two matrices of experts, which stay (`workspace_shapes` of `TritonExperts`). gpt-oss's
/// kernels have none.
fn experts(run: &Run<'_>) -> Result<u64> {
    let Some(Routed { active, inner }) = routed(run)?.filter(|_| !run.is_mxfp4()) else { return Ok(0) };
    let hidden = run.model.hidden_size;
    let widths = sum(ACTIVATION, [inner.max(hidden), inner.saturating_mul(2).max(hidden)])?;
    product(ACTIVATION, &[2, run.tokens, active, widths])
}

/// Memory of one step's images.
#[derive(Debug, Clone, Copy, Default)]
struct Encoder {
    /// Pixels and encoder outputs, which stay while the step runs.
    kept: u64,
    /// The peak while the encoder runs.
    peak: u64,
}

/// The memory of as many of the largest images as a step admits (`MultiModalBudget` of
/// `vllm/multimodal/encoder_budget.py`).
fn encoder(run: &Run<'_>) -> Result<Encoder> {
    let vision = run.config.root.get("vision_config").and_then(Json::as_object);
    let Some(vision) = vision.filter(|_| run.part("vision").next().is_some()) else {
        return Ok(Encoder::default());
    };
    let number = |key: &str| vision.get(key).and_then(whole);
    let merge =
        number("spatial_merge_size").or_else(|| run.config.number(&["spatial_merge_size"])).unwrap_or(1);
    let patch = number("patch_size").unwrap_or(14).max(1);
    let side = patch.saturating_mul(merge.max(1));
    let across = number("image_size").map(|size| size / side);
    let tokens = run.config.number(&["mm_tokens_per_image"]).or(across.map(|n| n.saturating_mul(n)));
    let tokens = tokens.unwrap_or(LARGEST_PICTURE).max(1);
    let budget = run.tokens.max(tokens);
    let pixels = match number("image_size") {
        Some(size) => product(ACTIVATION, &[size, size])?,
        None => product(ACTIVATION, &[tokens, side, side])?,
    };
    let pixels = product(ACTIVATION, &[budget / tokens, pixels])?;
    let batch = product(ACTIVATION, &[pixels, 3, number("temporal_patch_size").unwrap_or(1), 2])?;
    let kept = sum(ACTIVATION, [batch, product(ACTIVATION, &[2, budget, run.model.hidden_size])?])?;
    // in a layer: the states before and after its norm, the MLP's inner states and their activation
    let hidden = ["hidden_size", "embed_dim"].iter().find_map(|key| number(key)).unwrap_or(0);
    let inner = number("intermediate_size").unwrap_or(hidden.saturating_mul(4));
    let gated = run.part("vision").any(|module| module.path.contains("gate"));
    let widths =
        sum(ACTIVATION, [hidden.saturating_mul(2), inner.saturating_mul(if gated { 3 } else { 2 })])?;
    let layer = product(ACTIVATION, &[pixels / patch.saturating_mul(patch), 2, widths])?;
    Ok(Encoder { kept, peak: sum(ACTIVATION, [kept, layer])? })
}
