//! Weights on one rank of each pipeline stage, divided as the engine's layers divide them.
//!
//! Restates `vllm/model_executor/layers/linear.py` (`ColumnParallelLinear`, `RowParallelLinear`,
//! `QKVParallelLinear`, `ReplicatedLinear`), `vocab_parallel_embedding.py`, `fused_moe/config.py`
//! (`FusedMoEParallelConfig.make`) and `fused_moe/oracle/mxfp4.py`, and which of these layers the classes of
//! `vllm/model_executor/models/` use, vLLM 0.19.0 and 0.33.0.

use super::rotary;
use super::run::Run;
use crate::engine::common::experts_per_rank;
use crate::engine::ranks::{self, WEIGHTS, add, scaled};
use crate::engine::vllm::math::round_up;
use crate::error::Result;
use crate::parallel::stages as stage_layers;
use crate::spec::model::WeightModule;
use crate::units::{product, sum};

/// Bytes on a rank of each pipeline stage.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn stages(run: &Run<'_>) -> Result<Vec<u64>> {
    let layers = stage_layers(run.model.config_layers, run.resolved.parallel.pp);
    let of_module = |module: &WeightModule| Ok(counted(run, on_rank(run, module)?));
    let mut stages = ranks::on_stages(run.resolved, &layers, of_module, |block| tensors(run, block))?;
    if run.model.modules.is_empty() {
        return Ok(stages);
    }
    let tables = rotary::bytes(run)?;
    (0..stages.len()).try_for_each(|stage| add(&mut stages, stage, tables))?;
    add(&mut stages, layers.len().saturating_sub(1), draft(run)?)?;
    Ok(stages)
}

/// Bytes of modules on a rank, as the allocator counts their tensors.
fn tensors(run: &Run<'_>, modules: &[WeightModule]) -> Result<u64> {
    let mut tensors: Vec<(&str, &str, u64)> = Vec::with_capacity(modules.len());
    let mut copies = 0;
    for module in modules {
        let (name, bytes) = (fused(module.path), on_rank(run, module)?);
        match tensors.iter_mut().find(|(part, other, _)| *other == name && *part == module.part) {
            Some((_, _, tensor)) => *tensor = sum(WEIGHTS, [*tensor, bytes])?,
            None => tensors.push((module.part, name, bytes)),
        }
        copies = sum(WEIGHTS, [copies, ranks::absorbed(run.resolved, module)?])?;
    }
    sum(WEIGHTS, tensors.into_iter().map(|(_, _, bytes)| counted(run, bytes)).chain([copies]))
}

/// The tensor that the module is part of once loaded (`packed_modules_mapping`).
fn fused(path: &'static str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "q_proj" | "k_proj" | "v_proj" => "qkv_proj",
        "gate_proj" | "up_proj" => "gate_up_proj",
        _ => path,
    }
}

/// Bytes that PyTorch's allocator counts for a tensor. One of 10 MiB or more gets a segment of whole 2 MiB, and
/// keeps the segment's rest where that is at most 1 MiB (`c10/cuda/CUDACachingAllocator.cpp`: `kMinLargeAlloc`,
/// `kRoundLarge`, `should_split`). Quantized weights and their scales are separate tensors, so their sum is not
/// rounded.
fn counted(run: &Run<'_>, bytes: u64) -> u64 {
    let segment = round_up(bytes, 2 << 20);
    let kept = !run.quantized && bytes >= 10 << 20 && segment - bytes <= 1 << 20;
    if kept { segment } else { bytes }
}

/// Bytes of a module on one tensor-parallel rank.
fn on_rank(run: &Run<'_>, module: &WeightModule) -> Result<u64> {
    let bytes = ranks::loaded(run.resolved, module)?;
    match module.part {
        "experts" => experts(run, module, bytes),
        _ => ranks::share(run.resolved, module, bytes, run.tp),
    }
}

/// Experts are divided over the ranks of all replicas. Under expert parallelism each rank holds whole experts.
fn experts(run: &Run<'_>, module: &WeightModule, bytes: u64) -> Result<u64> {
    let ranks = product(WEIGHTS, &[run.tp, run.resolved.parallel.dp])?;
    if run.resolved.expert_ranks().is_some() {
        return scaled(bytes, experts_per_rank(run.resolved, module.count, ranks), module.count);
    }
    if !run.is_mxfp4() {
        return Ok(bytes.div_ceil(ranks));
    }
    ranks::tiled(module, bytes, ranks, |is_down| tile(run, is_down, ranks))
}

/// Multiples to which the kernels of MXFP4 experts pad the inner and the outer width
/// (`mxfp4_round_up_hidden_size_and_intermediate_size`).
fn tile(run: &Run<'_>, is_down: bool, ranks: u64) -> (u64, u64) {
    match run.capability.0 {
        // Triton's layout on Hopper pads inputs, and outputs too where widths are divided: by logs of gpt-oss
        9 if ranks == 1 && is_down => (256, 1),
        9 if ranks == 1 => (64, 256),
        10 => (256, 256),
        _ => (128, 256),
    }
}

/// What drafts add to the last stage: layers as wide as the model's.
fn draft(run: &Run<'_>) -> Result<u64> {
    let drafts = ranks::drafts(run.resolved);
    if drafts == 0 {
        return Ok(0);
    }
    let own =
        run.model.modules.iter().filter(|module| module.layer == run.model.config_layers.checked_sub(1));
    let layer = sum(WEIGHTS, own.map(|module| on_rank(run, module)).collect::<Result<Vec<_>>>()?)?;
    ranks::draft_bytes(run.resolved, layer, drafts)
}
