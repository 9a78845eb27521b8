//! A GPU's memory: budget, weights, reserve, and the room that is left for the cache.

use super::{measured, reserve};
use crate::engine::memory::{BeforeCache, MemoryPart, PartKind};
use crate::engine::{ResolvedRequest, ShareOf};
use crate::error::Result;
use crate::units::{product, sum};

/// One GPU's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuMemory {
    /// Position among all GPUs.
    pub rank: u64,
    /// Pipeline stage it belongs to.
    pub stage: u64,
    /// What the engine's share is a share of: the driver's total, or PyTorch's where the engine asks that;
    /// unknown where only `--kv-memory` is given.
    pub total_bytes: Option<u64>,
    /// Share that the engine may use.
    pub budget_bytes: Option<u64>,
    /// Its part of the weights.
    pub weight_bytes: Option<u64>,
    /// Kept free.
    pub reserve_bytes: Option<u64>,
    /// Room for the cache.
    pub kv_bytes_available: u64,
    /// What the sessions take of it.
    pub kv_bytes_used: u64,
    /// Weights and reserve part by part, where the engine's rule says them.
    pub parts: Vec<MemoryPart>,
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
    /// The budget of a run, or nothing where no memory is named.
    pub fn of(run: &ResolvedRequest<'_>) -> Result<Option<Self>> {
        let (request, parallel) = (run.request, run.parallel);
        let gpus = parallel.gpus();
        if request.kv_memory.is_none()
            && let Some(before) = run.engine.before_cache(run)?
        {
            return Self::by_parts(run, before).map(Some);
        }
        let held = run
            .model
            .weight_bytes
            .div_ceil(product(words!("number of GPUs"), &[parallel.tp, parallel.pp])?.max(1));
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
                let (held, reserve) = match measured::of(run)? {
                    Some(measured) => measured::weights_and_rest(measured, held),
                    None => (held, reserve(request)),
                };
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
                    parts: Vec::new(),
                }
            }
        };
        let gpus = (0..gpus)
            .map(|rank| GpuMemory { rank, stage: rank / parallel.tp % parallel.pp, ..one.clone() })
            .collect();
        Ok(Some(Self { gpus, stages: parallel.pp, weights_fit }))
    }

    /// The budget of a run whose engine says what each part takes.
    fn by_parts(run: &ResolvedRequest<'_>, mut before: BeforeCache) -> Result<Self> {
        if let Some(measured) = measured::of(run)? {
            before
                .stages
                .iter_mut()
                .zip(&measured.stages)
                .for_each(|(parts, stage)| *parts = measured::parts(stage, parts));
        }
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

    /// Room for the cache on a GPU of each stage.
    pub fn available(&self) -> Vec<u64> {
        let of =
            |stage| self.gpus.iter().find(|gpu| gpu.stage == stage).map_or(0, |gpu| gpu.kv_bytes_available);
        (0..self.stages).map(of).collect()
    }

    /// Records what the sessions take on a GPU of each stage.
    pub fn set_used(&mut self, stages: &[u64]) {
        for gpu in &mut self.gpus {
            gpu.kv_bytes_used = stages.get(gpu.stage as usize).copied().unwrap_or(0);
        }
    }
}
