//! What a GPU holds before the cache gets the rest.
//!
//! Restates `determine_available_memory` of `vllm/v1/worker/gpu_worker.py`. The room for the cache is the
//! requested share of the memory, less the weights, the peak of a profiled step, the memory outside PyTorch's
//! allocator and, from 0.20 on, the CUDA graphs. [`weights`] is computed from the model's modules. The other
//! parts are sums of the engine's own code where that says them, with measured [`constants`] where it does not.

use crate::engine::ResolvedRequest;
use crate::engine::memory::{BeforeCache, MemoryPart, PartKind};
use crate::error::Result;

pub mod activation;
pub mod constants;
pub mod graphs;
pub mod outside_torch;
pub mod rotary;
pub mod run;
pub mod weights;

use run::Run;

/// The parts on a GPU of each pipeline stage; `None` where no GPU is named.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn parts(resolved: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
    let Some(device) = &resolved.request.gpu else { return Ok(None) };
    let run = Run::of(resolved)?;
    let weights = weights::stages(&run)?;
    let last = weights.len().saturating_sub(1);
    let stages = weights.into_iter().enumerate().map(|(stage, weights)| {
        let weights = MemoryPart::exact(PartKind::Weights, weights);
        if let Some(reserve) = resolved.request.reserve {
            return Ok(vec![weights, MemoryPart::exact(PartKind::Reserve, reserve)]);
        }
        let mut parts =
            vec![weights, activation::part(&run, stage == 0, stage == last)?, outside_torch::part(&run)];
        parts.extend(graphs::part(&run, stage)?);
        Ok(parts)
    });
    Ok(Some(BeforeCache { total_bytes: device.torch_memory(), stages: stages.collect::<Result<_>>()? }))
}

#[cfg(test)]
mod tests;
