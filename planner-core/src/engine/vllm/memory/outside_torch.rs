//! Memory of the process outside PyTorch's allocator: CUDA context, NCCL, kernel workspaces.
//!
//! `non_torch_increase` of `vllm/utils/mem_utils.py`, with figures of start-up logs.

use super::constants;
use super::run::Run;
use crate::engine::memory::{MemoryPart, PartKind};
use crate::engine::vllm::version;

/// The part on a GPU of every rank.
pub fn part(run: &Run<'_>) -> MemoryPart {
    let lean = run.version.is_in(version::LEAN_OUTSIDE_TORCH);
    let found = match (run.tp, run.has_nvlink()) {
        (1, true) if run.resolved.parallel.pp > 1 => constants::OUTSIDE_PIPELINE,
        (1, true) if lean => constants::OUTSIDE_ONE_LEAN,
        (1, true) => constants::OUTSIDE_ONE,
        (1, false) if run.capability.0 < 8 => constants::OUTSIDE_TURING,
        (1, false) => constants::OUTSIDE_CARD,
        (_, true) if lean => constants::OUTSIDE_SEVERAL_LEAN,
        (2 | 3, true) => constants::OUTSIDE_TWO,
        (_, true) => constants::OUTSIDE_FOUR,
        (_, false) if lean => constants::OUTSIDE_CARDS_LEAN,
        (_, false) => constants::OUTSIDE_CARDS,
    };
    // later releases also count here what the allocator has reserved and does not use
    let unseen = if run.version.is_in(version::UNSEEN) { constants::OUTSIDE_UNSEEN.value } else { 0 };
    MemoryPart::estimate(PartKind::OutsideTorch, found.value, found.spread + unseen)
}
