//! Blocks of sessions that run at once: what one is admitted with, and what each holds while it decodes.
//!
//! Restates `KVCacheManager.allocate_slots` (`v1/core/kv_cache_manager.py`) with `full_sequence_must_fit`, and
//! `get_num_blocks_to_allocate`, `remove_skipped_blocks` and `get_num_skipped_tokens` of
//! `v1/core/single_type_kv_cache_manager.py`, vLLM 0.33.0. Where layers free tokens the start-up check grants fewer
//! sessions: it counts a whole step in flight for each, and a session that decodes has a token or two.

use super::capacity::{Ranks, most, sum};
use super::spec::{BlockParams, Kind, Spec};
use crate::engine::vllm::math::ceil_div;
use crate::error::Error;

/// Tokens of a session that decodes, beside those it keeps.
#[derive(Clone, Copy, Debug)]
pub struct Decoding {
    /// Tokens of steps under way, whose windows are still read.
    pub in_flight: u64,
    /// Draft tokens that have a place before they are checked.
    pub lookahead: u64,
}

impl Ranks {
    /// Blocks of `users` sessions of `tokens`: the last one is being admitted, the others decode at their longest.
    ///
    /// # Errors
    /// What a spec refuses.
    pub fn running_blocks(
        &self,
        users: u64,
        tokens: u64,
        run: &BlockParams,
        decoding: Decoding,
    ) -> Result<u64, Error> {
        let groups = self.groups.first().map_or(&[][..], Vec::as_slice);
        let held = sum(groups, |group| most(group, |spec| held(spec, tokens, run, decoding)))?;
        let admitted = sum(groups, |group| most(group, |spec| admitted(spec, tokens, run)))?;
        Ok(held.saturating_mul(users.saturating_sub(1)).saturating_add(held.max(admitted)))
    }
}

fn held(spec: &Spec, tokens: u64, run: &BlockParams, decoding: Decoding) -> Result<u64, Error> {
    let block = spec.block_size.max(1);
    let more = decoding.in_flight.saturating_add(decoding.lookahead);
    let at_most = |blocks: u64| Ok(blocks.min(ceil_div(tokens, block)));
    match spec.kind {
        // wherever the window's ends fall
        Kind::Sliding { window } | Kind::SlidingMla { window } => {
            at_most(ceil_div(window.saturating_sub(1).saturating_add(more), block) + 1)
        }
        Kind::Chunked { chunk } => at_most(ceil_div(chunk, block) + more.min(1)),
        // the state before the last is freed a step later
        Kind::State { speculative, .. } => Ok(1 + speculative),
        _ => spec.blocks(&BlockParams { max_model_len: tokens, ..*run }),
    }
}

fn admitted(spec: &Spec, tokens: u64, run: &BlockParams) -> Result<u64, Error> {
    match spec.kind {
        Kind::State { speculative, checkpoint } => {
            Ok(1 + speculative + if run.align_states { checkpoint } else { 0 })
        }
        Kind::Full | Kind::Mla | Kind::Cross => spec.blocks(&BlockParams { max_model_len: tokens, ..*run }),
        _ => Ok(spec.blocks(run)?.min(ceil_div(tokens, spec.block_size.max(1)))),
    }
}
