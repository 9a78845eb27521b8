//! What the forward pass of a step works in, for engines that keep no buffer of their own for it.

use super::ResolvedRequest;
use super::memory::{MemoryPart, PartKind};
use super::vllm::memory::constants::FORWARD_HIDDEN;
use crate::error::Result;
use crate::spec::model::ModelSpec;
use crate::text::Words;
use crate::units::{product, sum};

pub(super) const ACTIVATION: Words = words!("bytes of activations");

/// Bytes for a token on one tensor-parallel rank: gate, up and their product in the widest layer, and hidden states
/// around it, as many as logs of vLLM show.
pub(super) fn token_bytes(run: &ResolvedRequest<'_>) -> Result<u64> {
    let model = run.model;
    let inner = product(ACTIVATION, &[300, model.inner_size / run.parallel.tp])?;
    let around = product(ACTIVATION, &[FORWARD_HIDDEN.value, model.hidden_size])?;
    Ok(model.dtype.row_bytes(sum(ACTIVATION, [inner, around])?)? / 100)
}

/// What a library works in that runs the prompts of all sessions at once: so many bytes a token, and the logits of the
/// last token of each, on every stage alike.
pub(super) fn prompts(run: &ResolvedRequest<'_>, token: u64, users: u64, tokens: u64) -> Result<MemoryPart> {
    let states = product(ACTIVATION, &[users, tokens, token])?;
    let bytes = sum(ACTIVATION, [states, logits(run.model, users)?])?;
    Ok(MemoryPart::estimate(PartKind::Activation, bytes, bytes / 2))
}

/// Bytes of the logits of so many rows, and of their copy in f32.
pub(super) fn logits(model: &ModelSpec, rows: u64) -> Result<u64> {
    let elements = product(ACTIVATION, &[rows, model.vocab_size])?;
    sum(ACTIVATION, [model.dtype.row_bytes(elements)?, product(ACTIVATION, &[elements, 4])?])
}
