//! Memory of CUDA graphs, as the engine estimates it before it sizes the cache.
//!
//! Restates the sizes of `_set_cudagraph_sizes` of `vllm/config/vllm.py`, and `profile_cudagraph_memory` of
//! `vllm/v1/worker/gpu_model_runner.py` (0.19.0) and of `vllm/v1/worker/gpu/cudagraph_utils.py` (0.33.0): a
//! first graph, and an equal amount for each further one.

use super::constants;
use super::run::{Run, Runner};
use crate::engine::flag_support;
use crate::engine::memory::{MemoryPart, PartKind};
use crate::engine::vllm::version;
use crate::error::Result;
use crate::parallel::stages;
use crate::spec::layer::Content;
use crate::text::Words;
use crate::units::{product, sum};

const GRAPHS: Words = words!("bytes of CUDA graphs");

/// The largest captured batch, by default.
const LARGEST: u64 = 512;

/// The most parts into which FlashAttention 3 splits a sequence's decode.
const SPLITS: u64 = 32;

/// The part on a rank of a stage; `None` where the release does not subtract it from the room.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn part(run: &Run<'_>, stage: usize) -> Result<Option<MemoryPart>> {
    let silent = run.runner == Runner::V2 && !run.version.is_in(version::V2_GRAPHS);
    if silent || !run.version.is_in(version::GRAPHS_DEDUCTED) {
        return Ok(None);
    }
    let layers = stages(run.model.config_layers, run.resolved.parallel.pp).get(stage).copied().unwrap_or(0);
    let most = run.sequences.saturating_mul(2).min(LARGEST).min(run.tokens);
    let (piecewise, full) = (sizes(most), sizes(most.min(run.sequences)));
    let piece = if run.tp > 1 { constants::PIECEWISE_LAYER_TP } else { constants::PIECEWISE_LAYER };
    let further = |count: u64, each: u64| product(GRAPHS, &[count.saturating_sub(1), layers, each]);
    let bytes = sum(
        GRAPHS,
        [
            constants::FIRST_GRAPH.value.max(splits(run)?),
            further(piecewise, piece.value)?,
            further(full, constants::FULL_LAYER.value)?,
        ],
    )?;
    // there is no log of the second runner's estimate yet
    let unseen = if run.version.is_in(version::V2_GRAPHS) { bytes / 2 } else { 0 };
    Ok(Some(MemoryPart::estimate(PartKind::Graphs, bytes, constants::GRAPHS.spread.max(unseen))))
}

/// How many batch sizes are captured up to `most`: 1, 2, 4, then every 8th below 256, then every 16th.
fn sizes(most: u64) -> u64 {
    let small = [1, 2, 4].into_iter().filter(|size| *size <= most).count() as u64;
    small + (most / 8).min(31) + (most / 16).saturating_sub(15)
}

/// Partial results of FlashAttention 3's split decode, which the first graph holds.
fn splits(run: &Run<'_>) -> Result<u64> {
    if !run.is_hopper() {
        return Ok(0);
    }
    let heads = run.model.attention_heads.unwrap_or(0) / run.tp;
    let stores =
        || run.model.layers.iter().flat_map(|layer| &layer.stores).filter(|store| store.is_kept_by("vllm"));
    // sparse latents and latents in fp8 have other kernels
    let sparse = stores().any(|store| matches!(store.content, Content::IndexKey { .. }))
        || flag_support::kv_dtype(run.resolved.request).is_some_and(|dtype| dtype.starts_with("fp8"));
    let width = stores().map(|store| match store.content {
        Content::KeysValues { k_dim, v_dim, .. } => {
            if v_dim == 0 {
                k_dim
            } else {
                v_dim
            }
        }
        Content::Latent { rank, .. } if !sparse => rank,
        _ => 0,
    });
    let width = width.max().unwrap_or(0);
    product(GRAPHS, &[SPLITS, run.sequences.min(LARGEST), heads, width, 4])
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn sizes_are_the_engine_s_list() {
        // [1, 2, 4], 8 to 248 by 8, 256 to 512 by 16
        assert_eq!([1, 2, 8, 248, 256, 512].map(sizes), [1, 2, 4, 34, 35, 51]);
    }
}
