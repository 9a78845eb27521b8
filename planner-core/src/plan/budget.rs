//! A GPU's memory: budget, weights, reserve, and the room for the cache.

use super::{measured, reserve};
use crate::engine::common::even_weights;
use crate::engine::memory::{BeforeCache, MemoryPart, PartKind};
use crate::engine::{Allocation, ResolvedRequest, ShareOf};
use crate::error::Result;
use crate::text::Words;
use crate::units::sum;

/// One GPU's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuMemory {
    /// Position among all GPUs.
    pub rank: u64,
    /// Pipeline stage it belongs to.
    pub stage: u64,
    /// The driver's total, or PyTorch's where the engine asks that; `None` where only `--kv-memory` is given.
    pub total_bytes: Option<u64>,
    /// The memory that the engine's share is taken of: the total, or what is free of it before or after loading.
    pub shared_bytes: Option<u64>,
    /// Bytes of the budget: weights, what stands beside them, and the room.
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
    /// Room on a GPU of each stage for the cache and what a step works in.
    pub(super) room: Vec<u64>,
    /// Whether steps work beside the cache (`Allocation::working`).
    pub(super) works: bool,
}

impl Memory {
    /// The memory of a run; `None` where neither a GPU nor `--kv-memory` is given.
    pub fn of(run: &ResolvedRequest<'_>, allocation: &dyn Allocation) -> Result<Option<Self>> {
        let device = run.request.gpu.as_ref();
        if let Some(kv_memory) = run.request.kv_memory {
            let one = GpuMemory {
                rank: 0,
                stage: 0,
                total_bytes: device.map(|device| device.memory_bytes),
                shared_bytes: None,
                budget_bytes: None,
                weight_bytes: None,
                reserve_bytes: None,
                kv_bytes_available: kv_memory,
                kv_bytes_used: 0,
                parts: Vec::new(),
            };
            let stages = vec![one; usize::try_from(run.parallel.pp).unwrap_or(1)];
            return Ok(Some(Self::on_stages(run, stages, true)));
        }
        if let Some(before) = run.engine.before_cache(run)? {
            return Self::by_parts(run, before, allocation).map(Some);
        }
        let Some(device) = device else { return Ok(None) };
        let parts = vec![
            MemoryPart::exact(PartKind::Weights, even_weights(run)?),
            MemoryPart::exact(PartKind::Reserve, reserve(run.request)),
        ];
        let stage = stage(run, device.memory_bytes, parts)?;
        let stages = vec![stage.gpu; usize::try_from(run.parallel.pp).unwrap_or(1)];
        Ok(Some(Self::on_stages(run, stages, stage.weights_fit)))
    }

    /// The memory of a run whose engine computes each part.
    fn by_parts(
        run: &ResolvedRequest<'_>,
        mut before: BeforeCache,
        allocation: &dyn Allocation,
    ) -> Result<Self> {
        if let Some(measured) = measured::of(run, allocation)? {
            let stages = before.stages.iter_mut().zip(&measured.stages);
            stages.for_each(|(parts, stage)| *parts = measured::parts(run, stage, parts));
        }
        let mut weights_fit = true;
        let mut stages = Vec::with_capacity(before.stages.len());
        for parts in before.stages {
            let stage = stage(run, before.total_bytes, parts)?;
            weights_fit &= stage.weights_fit;
            stages.push(stage.gpu);
        }
        let mut memory = Self::on_stages(run, stages, weights_fit);
        if run.request.reserve.is_some() {
            return Ok(memory);
        }
        let working = allocation.working(run.parallel.users_per_replica(run.request.users), run.tokens)?;
        memory.works = !working.is_empty();
        for gpu in &mut memory.gpus {
            let Some(part) = usize::try_from(gpu.stage).ok().and_then(|stage| working.get(stage)) else {
                continue;
            };
            gpu.reserve_bytes = gpu.reserve_bytes.map(|reserve| reserve.saturating_add(part.bytes));
            gpu.kv_bytes_available = gpu.kv_bytes_available.saturating_sub(part.bytes);
            gpu.parts.push(*part);
        }
        Ok(memory)
    }

    /// All GPUs, each as the one of its stage.
    fn on_stages(run: &ResolvedRequest<'_>, stages: Vec<GpuMemory>, weights_fit: bool) -> Self {
        let parallel = run.parallel;
        let gpu = |rank| {
            let stage = rank / parallel.tp % parallel.pp;
            Some(GpuMemory { rank, stage, ..stages.get(usize::try_from(stage).ok()?)?.clone() })
        };
        let gpus = (0..parallel.gpus()).filter_map(gpu).collect();
        let room = stages.iter().map(|gpu| gpu.kv_bytes_available).collect();
        Self { gpus, stages: parallel.pp, weights_fit, room, works: false }
    }

    /// Whether the engine's rule says more than weights and a reserve.
    pub fn has_parts(&self) -> bool {
        let plain = |part: &MemoryPart| matches!(part.kind, PartKind::Weights | PartKind::Reserve);
        self.gpus.iter().flat_map(|gpu| &gpu.parts).any(|part| !plain(part))
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

    /// Room for the cache, and bytes that the sessions take of it, on the GPU where they take most; by the bytes on a GPU
    /// of each stage.
    #[cfg(feature = "lists")]
    pub(super) fn fullest(&self, stages: &[u64]) -> (u64, u64) {
        let used = |gpu: &GpuMemory| stages.get(gpu.stage as usize).copied().unwrap_or(0);
        let figures = self.gpus.iter().map(|gpu| (gpu.kv_bytes_available, used(gpu)));
        figures.max_by_key(|(_, used)| *used).unwrap_or((0, 0))
    }

    /// Records the bytes of all sessions on a GPU of each stage.
    pub fn set_used(&mut self, stages: &[u64]) {
        for gpu in &mut self.gpus {
            gpu.kv_bytes_used = stages.get(gpu.stage as usize).copied().unwrap_or(0);
        }
    }
}

/// A GPU of one stage, and whether what stands there leaves its budget.
struct Stage {
    gpu: GpuMemory,
    weights_fit: bool,
}

/// What parts and the engine's share leave of a GPU's memory.
fn stage(run: &ResolvedRequest<'_>, total: u64, parts: Vec<MemoryPart>) -> Result<Stage> {
    const BUDGET: Words = words!("budget");
    let share = run.utilization();
    let of = |wanted: fn(PartKind) -> bool| {
        sum(BUDGET, parts.iter().filter(|part| wanted(part.kind)).map(|part| part.bytes))
    };
    let weights = of(|kind| kind == PartKind::Weights)?;
    let reserve = of(|kind| kind != PartKind::Weights)?;
    let held = sum(BUDGET, [weights, reserve])?;
    let (shared, budget, room) = match run.engine.utilization_of() {
        ShareOf::Total => {
            let budget = share.of(total);
            (total, budget, budget.checked_sub(held))
        }
        ShareOf::FreeBeforeWeights => {
            let outside = of(|kind| kind == PartKind::OutsideTorch)?;
            let free = total.saturating_sub(outside);
            let budget = sum(BUDGET, [share.of(free), outside])?;
            (free, budget, budget.checked_sub(held))
        }
        ShareOf::FreeAfterWeights => match total.checked_sub(held) {
            Some(free) => {
                let room = share.of(free);
                (free, sum(BUDGET, [held, room])?, Some(room))
            }
            None => (total, total, None),
        },
    };
    let gpu = GpuMemory {
        rank: 0,
        stage: 0,
        total_bytes: Some(total),
        shared_bytes: Some(shared),
        budget_bytes: Some(budget),
        weight_bytes: Some(weights),
        reserve_bytes: Some(reserve),
        kv_bytes_available: room.unwrap_or(0),
        kv_bytes_used: 0,
        parts,
    };
    Ok(Stage { gpu, weights_fit: room.is_some() })
}
