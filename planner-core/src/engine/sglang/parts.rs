//! What stands in a GPU's memory beside the pools.
//!
//! Restates `_profile_available_bytes` of `mem_cache/kv_cache_configurator.py`: what is free once the weights are
//! loaded, less the share of what was free before that `--mem-fraction-static` leaves out, less the cache of what
//! encoders give (`mm_runtime_reservation_gb`). Activations and graphs live in the share that is left out.

use serde_json::Value as Json;

use super::{classes, memory, settings};
use crate::dtype::DType;
use crate::engine::common::experts_per_rank;
use crate::engine::memory::{BeforeCache, CENT, MemoryPart, PartKind, figures};
use crate::engine::{ResolvedRequest, ranks};
use crate::error::Result;
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::Content;
use crate::spec::model::WeightModule;
use crate::spec::value::ModuleKind;
use crate::units::{product, sum};

figures! {
    /// Before the weights, one GPU of a data centre: the CUDA context, and kernels that are loaded by then.
    OUTSIDE_ONE = 74 * CENT, 36 * CENT, "0.5",
        "logs: PyTorch's total less what `Load weight begin` leaves", ["qwen3-30b-a3b-fp8", "llama3.1-8b", "qwen2.5-0.5b"];
    /// The same on several, with NCCL's buffers and those of the all-reduce kernels.
    OUTSIDE_SEVERAL = 175 * CENT, 30 * CENT, "0.5", "logs of H200: 138.09 GiB free at tp 16, 137.9 at tp 8", [];
    /// One card of a workstation or a small one of a data centre.
    OUTSIDE_CARD = 45 * CENT, 20 * CENT, "0.5", "log of an L40S: 44.02 GiB free", [];
    /// Several cards.
    OUTSIDE_CARDS = 65 * CENT, 30 * CENT, "0.5", "log of two 24 GB cards: 22.93 GiB free", [];
    /// What encoders give, kept for prompts to come.
    MULTIMODAL = 100 << 20, 0, "0.5.23", "environ.py, SGLANG_VLM_CACHE_SIZE_MB", [];
}

/// The parts on a GPU of each pipeline stage; none where no GPU is named.
pub(super) fn of(run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
    let Some(device) = &run.request.gpu else { return Ok(None) };
    let layers = super::pools::stage_layers(run.model.config_layers, run.parallel.pp);
    let tables = rotary(run)?;
    let stages = ranks::weights(run, &layers, ranks::drafts(run))?.into_iter();
    let stages = stages.zip(beyond_checkpoint(run, &layers)?).map(|(weights, more)| {
        let weights = sum(ranks::WEIGHTS, [weights, more, tables])?;
        let weights = MemoryPart::exact(PartKind::Weights, weights);
        if let Some(reserve) = run.request.reserve {
            return Ok(vec![weights, MemoryPart::exact(PartKind::Reserve, reserve)]);
        }
        let mut parts = vec![weights, outside(run)];
        if memory::is_multimodal(run) {
            parts.push(MULTIMODAL.part(PartKind::Multimodal));
        }
        Ok(parts)
    });
    Ok(Some(BeforeCache { total_bytes: device.torch_memory(), stages: stages.collect::<Result<_>>()? }))
}

fn outside(run: &ResolvedRequest<'_>) -> MemoryPart {
    let one = run.parallel.tp * run.parallel.pp == 1;
    let capability = capability(run);
    let has_nvlink = capability == (8, 0) || matches!(capability.0, 9 | 10);
    let found = match (one, has_nvlink) {
        (true, true) => OUTSIDE_ONE,
        (false, true) => OUTSIDE_SEVERAL,
        (true, false) => OUTSIDE_CARD,
        (false, false) => OUTSIDE_CARDS,
    };
    found.part(PartKind::OutsideTorch)
}

/// What a rank of each stage holds beyond its share of the checkpoint.
fn beyond_checkpoint(run: &ResolvedRequest<'_>, layers: &[u64]) -> Result<Vec<u64>> {
    let more: fn(&ResolvedRequest<'_>, &WeightModule) -> Result<u64> =
        match HfConfig::of(run.model).quant_method() {
            _ if classes::is_v4(&run.model.architecture) => grouped_projection,
            Some("mxfp4") => mxfp4_experts,
            _ => return Ok(vec![0; layers.len()]),
        };
    let of_layer = |block: &[WeightModule]| {
        sum(ranks::WEIGHTS, block.iter().map(|module| more(run, module)).collect::<Result<Vec<_>>>()?)
    };
    ranks::on_stages(run, layers, |_| Ok(0), of_layer)
}

/// That of Hopper where it is not known.
fn capability(run: &ResolvedRequest<'_>) -> (u64, u64) {
    run.request.gpu.as_ref().and_then(|gpu| gpu.capability()).unwrap_or((9, 0))
}

fn in_bf16(module: &WeightModule) -> Result<u64> {
    DType::BF16.row_bytes(product(ranks::WEIGHTS, &[module.shape.parameters()?, module.count])?)
}

/// DeepSeek V4's grouped output projection is loaded in bf16 where DeepGEMM does not run it in FP8
/// (`SGLANG_OPT_FP8_WO_A_GEMM`, which `arg_groups/serving_hook.py` turns off below sm_100).
fn grouped_projection(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    if capability(run).0 >= 10 || !module.path.ends_with("o_a_proj") {
        return Ok(0);
    }
    let more = in_bf16(module)?.saturating_sub(ranks::loaded(run, module)?);
    Ok(more.div_ceil(run.parallel.tp))
}

/// Experts in MXFP4 are padded to their kernel's tile: FlashInfer's from sm_100 on, Triton's below it
/// (`Mxfp4MoEMethod.create_weights` of `layers/quantization/mxfp4.py`; `FusedMoE` rounds the hidden width to 256 for
/// FlashInfer). Triton's run no expert parallelism: the experts are then cast to bf16
/// (`arg_groups/model_overrides/gpt_oss.py`).
fn mxfp4_experts(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    if module.part != "experts" || module.shape.kind != ModuleKind::Linear {
        return Ok(0);
    }
    let held = ranks::on_rank(run, module)?;
    let experts = run.expert_ranks().filter(|&ranks| ranks > 1);
    let tile = |is_down| match capability(run).0 {
        10.. => (128, 256),
        // Hopper's layout pads inputs to 256
        9 if experts.is_none() => {
            if is_down {
                (256, 1)
            } else {
                (64, 256)
            }
        }
        _ => (64, 1),
    };
    let cast = experts.is_some() && capability(run).0 < 10;
    let whole = if cast { in_bf16(module)? } else { ranks::loaded(run, module)? };
    let (own, cut) = match experts {
        Some(ranks) => {
            let count = experts_per_rank(run, module.count, ranks);
            (ranks::scaled(whole, count, module.count)?, (run.parallel.tensor_ranks() / ranks).max(1))
        }
        None => (whole, run.parallel.tensor_ranks()),
    };
    Ok(ranks::tiled(module, own, cut, tile)?.saturating_sub(held))
}

/// Tables of sines and cosines, in f32 on CUDA (`RotaryEmbedding` of `layers/rotary_embedding/base.py`), of a row for every
/// position of the longest session and 256 more, in whole 128 (`reserve_rope_cache_for_long_sequences` of
/// `utils/common.py`).
fn rotary(run: &ResolvedRequest<'_>) -> Result<u64> {
    let model = run.model;
    let placed = |path: &str| path.contains("pos") || path.ends_with("wpe");
    let mut tables = model.modules.iter().filter(|module| module.part == "embeddings");
    let placed = tables.any(|module| module.shape.kind == ModuleKind::Table && placed(module.path));
    if model.attention_heads.is_none() || placed {
        return Ok(0);
    }
    let config = HfConfig::of(model);
    let rope = model.layers.iter().flat_map(|layer| &layer.stores).find_map(|store| match store.content {
        Content::Latent { rope, .. } => Some(rope),
        _ => None,
    });
    let head = model.head_dim.unwrap_or(0);
    let part = config.get("partial_rotary_factor").and_then(Json::as_f64).filter(|part| *part <= 1.0);
    let width = rope.unwrap_or_else(|| part.map_or(head, |part| (part * head as f64) as u64));
    let reserved = settings::context(run).saturating_add(256).next_multiple_of(128);
    let rows = model.max_position.unwrap_or(0).max(reserved);
    // Gemma 3 and 4 turn windowed layers by parameters of their own
    let local = config.get("rope_local_base_freq").is_some() || config.model_type.starts_with("gemma3");
    product(words!("bytes of the rotary tables"), &[rows, width, 4, if local { 2 } else { 1 }])
}
