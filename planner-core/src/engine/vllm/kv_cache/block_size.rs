//! The block size: the one that the backends prefer, and in hybrids one that holds a state.
//!
//! Restates `update_block_size_for_backend`, `_preferred_block_size_for_backends` and
//! `_align_hybrid_block_size` of `vllm/platforms/interface.py`, vLLM 0.33.0.

use crate::engine::vllm::backend::{Backend, Context};
use crate::engine::vllm::math::{ceil_div, lcm};
use crate::error::{Code, Error};

/// The block size of a rank, and pages that caches are padded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Tokens of an attention block.
    pub attention: u64,
    /// Tokens of a state's block.
    pub state: u64,
    /// Page that states are padded to.
    pub state_page: Option<u64>,
    /// Page that layers in the model's dtype are padded to.
    pub skipped_page: Option<u64>,
}

/// The block size that all backends take (phase 1).
///
/// # Errors
/// The backends have none in common.
pub fn preferred(model: &Context, backends: &[Backend]) -> Result<u64, Error> {
    if let Some(user) = model.user_block {
        return Ok(user);
    }
    if let [one] = backends {
        return Ok(one.preferred(model));
    }
    if backends.iter().all(|b| b.takes(model, 16)) {
        return Ok(16);
    }
    let mut candidates = vec![1];
    for backend in backends {
        let sizes = backend.sizes(model, None);
        candidates =
            candidates.iter().flat_map(|c| sizes.iter().map(move |size| lcm(*c, size.base()))).collect();
    }
    candidates.sort_unstable();
    candidates.into_iter().find(|c| backends.iter().all(|b| b.takes(model, *c))).ok_or_else(|| {
        Error::refused(
            Code::VllmNoBlockSize,
            words!("The attention backends share no supported KV cache block size"),
        )
    })
}

/// Aligns attention blocks with states (phase 2). `token` is the bytes of one token in one attention layer,
/// `state` the bytes of the largest state, `checkpoint` the alignment of exported checkpoints.
pub fn align(
    model: &Context,
    backends: &[Backend],
    block: u64,
    token: u64,
    state: u64,
    latent: bool,
    checkpoint: Option<u64>,
) -> Blocks {
    let smallest = |b: &Backend| b.sizes(model, None).iter().map(|s| s.base()).min().unwrap_or(1);
    let first = backends.first().map_or(1, smallest);
    let mut unit = first.max(block);
    let common = backends.iter().map(smallest).fold(1, lcm);
    if latent {
        unit = unit.max(128);
    }
    if let Some(tokens) = checkpoint {
        unit = lcm(unit, tokens.max(1));
    }
    let aligned = unit.saturating_mul(ceil_div(state, unit.saturating_mul(token)));
    let aligned = common.saturating_mul(ceil_div(aligned, common));
    let attention = block.max(aligned);
    let page = attention.saturating_mul(token);
    let state_page = (page != state).then_some(page);
    Blocks { attention, state: attention, state_page, skipped_page: None }
}

/// Aligns blocks where some layers stay in the model's dtype (phase 3). `quantized` and `plain` are the bytes
/// of one token in a quantized layer and in a skipped one.
pub fn align_skipped(model: &Context, first: Backend, blocks: Blocks, quantized: u64, plain: u64) -> Blocks {
    if plain == quantized || quantized == 0 {
        return blocks;
    }
    let kernel = first.sizes(model, None).iter().map(|s| s.base()).min().unwrap_or(1);
    let unit = kernel.max(blocks.attention);
    let required = plain.saturating_mul(kernel).max(blocks.state_page.unwrap_or(0));
    let grown = unit.saturating_mul(ceil_div(required, unit.saturating_mul(quantized)));
    let attention = blocks.attention.max(grown);
    let page = attention.saturating_mul(quantized);
    Blocks {
        attention,
        state: blocks.state,
        state_page: blocks.state_page.map(|_| page),
        skipped_page: Some(page),
    }
}
