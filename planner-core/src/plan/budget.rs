//! A GPU's memory: budget, weights, reserve, and the room for the cache.

use super::reserve;
use crate::engine::common::even_weights;
use crate::engine::memory::{BeforeCache, MemoryPart, PartKind};
use crate::engine::{ResolvedRequest, ShareOf};
use crate::error::Result;
use crate::units::sum;

/// One GPU's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuMemory {
    /// Position among all GPUs.
    pub rank: u64,
    /// Pipeline stage it belongs to.
    pub stage: u64,
    /// The memory that the engine's share is taken of: the driver's total, or PyTorch's under vLLM. `None`
    /// where only `--kv-memory` is given.
    pub total_bytes: Option<u64>,
    /// That share in bytes.
    pub budget_bytes: Option<u64>,
    /// Bytes of the weights on this GPU.
    pub weight_bytes: Option<u64>,
    /// Bytes for activations and runtime.
    pub reserve_bytes: Option<u64>,
    /// Room for the cache.
    pub kv_bytes_available: u64,
    /// Bytes of that room that the sessions take.
    pub kv_bytes_used: u64,
    /// What stands beside the cache, by part; with the room it adds up to the budget where all fits. Empty under
    /// `--kv-memory`.
    pub parts: Vec<MemoryPart>,
}

impl GpuMemory {
    /// The least and the most room for the cache, where a part beside it is an estimate.
    pub fn room_range(&self) -> Option<(u64, u64)> {
        let ranges = || self.parts.iter().filter_map(|part| Some((part.bytes, part.range?)));
        ranges().next()?;
        let under: u64 = ranges().map(|(bytes, (low, _))| bytes.saturating_sub(low)).sum();
        let over: u64 = ranges().map(|(bytes, (_, high))| high.saturating_sub(bytes)).sum();
        let room = self.kv_bytes_available;
        Some((room.saturating_sub(over), room.saturating_add(under)))
    }
}

/// Memory of all GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// One entry per GPU.
    pub gpus: Vec<GpuMemory>,
    /// Pipeline stages.
    pub stages: u64,
    /// Whether weights and reserve alone are more than the budget.
    pub weights_fit: bool,
}

impl Memory {
    /// The memory of a run; `None` where neither a GPU nor `--kv-memory` is given.
    pub fn of(run: &ResolvedRequest<'_>) -> Result<Option<Self>> {
        let (request, parallel) = (run.request, run.parallel);
        let gpus = parallel.gpus();
        if request.kv_memory.is_none()
            && let Some(before) = run.engine.before_cache(run)?
        {
            return Self::by_parts(run, before).map(Some);
        }
        let held = even_weights(run)?;
        let utilization = run.utilization();
        let mut weights_fit = true;
        let one = match (request.kv_memory, &request.gpu) {
            (None, None) => return Ok(None),
            (Some(kv_memory), device) => GpuMemory {
                rank: 0,
                stage: 0,
                total_bytes: device.as_ref().map(|device| device.memory_bytes),
                budget_bytes: None,
                weight_bytes: None,
                reserve_bytes: None,
                kv_bytes_available: kv_memory,
                kv_bytes_used: 0,
                parts: Vec::new(),
            },
            (None, Some(device)) => {
                let reserve = reserve(request);
                let after = |bytes: u64| bytes.checked_sub(held).and_then(|rest| rest.checked_sub(reserve));
                let room = match run.engine.utilization_of() {
                    ShareOf::Total => after(utilization.of(device.memory_bytes)),
                    ShareOf::FreeAfterWeights => after(device.memory_bytes).map(|free| utilization.of(free)),
                };
                let budget = match (run.engine.utilization_of(), room) {
                    (ShareOf::FreeAfterWeights, Some(room)) => sum(words!("budget"), [room, held, reserve])?,
                    _ => utilization.of(device.memory_bytes),
                };
                weights_fit = room.is_some();
                GpuMemory {
                    rank: 0,
                    stage: 0,
                    total_bytes: Some(device.memory_bytes),
                    budget_bytes: Some(budget),
                    weight_bytes: Some(held),
                    reserve_bytes: Some(reserve),
                    kv_bytes_available: room.unwrap_or(0),
                    kv_bytes_used: 0,
                    parts: vec![
                        MemoryPart::exact(PartKind::Weights, held),
                        MemoryPart::exact(PartKind::Reserve, reserve),
                    ],
                }
            }
        };
        let gpus = (0..gpus)
            .map(|rank| GpuMemory { rank, stage: rank / parallel.tp % parallel.pp, ..one.clone() })
            .collect();
        Ok(Some(Self { gpus, stages: parallel.pp, weights_fit }))
    }

    /// The memory of a run whose engine computes each part.
    fn by_parts(run: &ResolvedRequest<'_>, before: BeforeCache) -> Result<Self> {
        let budget = run.utilization().of(before.total_bytes);
        let mut weights_fit = true;
        let mut stages = Vec::new();
        for parts in before.stages {
            let of = |weights: bool| {
                let own = parts.iter().filter(|part| (part.kind == PartKind::Weights) == weights);
                sum(words!("budget"), own.map(|part| part.bytes))
            };
            let (weights, reserve) = (of(true)?, of(false)?);
            let room = budget.checked_sub(sum(words!("budget"), [weights, reserve])?);
            weights_fit &= room.is_some();
            stages.push(GpuMemory {
                rank: 0,
                stage: stages.len() as u64,
                total_bytes: Some(before.total_bytes),
                budget_bytes: Some(budget),
                weight_bytes: Some(weights),
                reserve_bytes: Some(reserve),
                kv_bytes_available: room.unwrap_or(0),
                kv_bytes_used: 0,
                parts,
            });
        }
        let parallel = run.parallel;
        let gpu = |rank| {
            let stage = rank / parallel.tp % parallel.pp;
            Some(GpuMemory { rank, ..stages.get(usize::try_from(stage).ok()?)?.clone() })
        };
        Ok(Self { gpus: (0..parallel.gpus()).filter_map(gpu).collect(), stages: parallel.pp, weights_fit })
    }

    /// Whether the other answer to "does it fit" is within the error of an estimate.
    pub fn may_be_otherwise(&self, fits: bool) -> bool {
        let ranges = || self.gpus.iter().filter_map(|gpu| Some((gpu.kv_bytes_used, gpu.room_range()?)));
        if fits {
            ranges().any(|(used, (low, _))| used > low)
        } else {
            self.weights_fit && ranges().next().is_some() && ranges().all(|(used, (_, high))| used <= high)
        }
    }

    /// Room for the cache on a GPU of each stage.
    pub fn available(&self) -> Vec<u64> {
        let of =
            |stage| self.gpus.iter().find(|gpu| gpu.stage == stage).map_or(0, |gpu| gpu.kv_bytes_available);
        (0..self.stages).map(of).collect()
    }

    /// Records the bytes of all sessions on a GPU of each stage.
    pub fn set_used(&mut self, stages: &[u64]) {
        for gpu in &mut self.gpus {
            gpu.kv_bytes_used = stages.get(gpu.stage as usize).copied().unwrap_or(0);
        }
    }
}
