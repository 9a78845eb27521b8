//! Weights on one rank of each pipeline stage, divided as the engine's layers divide them.
//!
//! Restates `vllm/model_executor/layers/linear.py` (`ColumnParallelLinear`, `RowParallelLinear`,
//! `QKVParallelLinear`, `ReplicatedLinear`), `vocab_parallel_embedding.py`, `fused_moe/config.py`
//! (`FusedMoEParallelConfig.make`) and `fused_moe/oracle/mxfp4.py`, and which of these layers the classes of
//! `vllm/model_executor/models/` use, vLLM 0.19.0 and 0.33.0.

use super::rotary;
use super::run::Run;
use crate::engine::common::experts_per_rank;
use crate::engine::vllm::math::round_up;
use crate::error::Result;
use crate::parallel::stages as stage_layers;
use crate::request::Speculative;
use crate::spec::model::WeightModule;
use crate::spec::value::ModuleKind;
use crate::text::Words;
use crate::units::{product, sum};

const WEIGHTS: Words = words!("weight bytes");

/// Vocabularies are padded to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`).
const VOCABULARY: u64 = 64;

/// Modules that every rank holds whole (`ReplicatedLinear`, `disable_tp`), by the last part of their path: the
/// first of two factors, and modules around experts or layers.
const WHOLE: [&str; 10] = [
    "f_a_proj",
    "fc1_latent_proj",
    "fc2_latent_proj",
    "g_a_proj",
    "kv_a_proj_with_mqa",
    "per_layer_input_gate",
    "per_layer_projection",
    "q_a_proj",
    "routed_expert_down_proj",
    "routed_expert_up_proj",
];

/// Parts that every rank holds whole.
const WHOLE_PARTS: [&str; 3] = ["indexer", "norm", "router"];

/// Parts whose linear layers stay in the model's dtype under `--quantization`.
const NOT_QUANTIZED: [&str; 3] = ["embeddings", "head", "router"];

/// Bytes on a rank of each pipeline stage.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn stages(run: &Run<'_>) -> Result<Vec<u64>> {
    let pp = run.resolved.parallel.pp;
    let mut stages = vec![0; usize::try_from(pp).unwrap_or(1)];
    if run.model.modules.is_empty() {
        let each = run.model.weight_bytes.div_ceil(product(WEIGHTS, &[run.tp, pp])?.max(1));
        stages.fill(each);
        return Ok(stages);
    }
    let ends: Vec<u64> = stage_layers(run.model.config_layers, pp)
        .into_iter()
        .scan(0, |end, layers| {
            *end += layers;
            Some(*end)
        })
        .collect();
    let last = stages.len().saturating_sub(1);
    let tied = !run.model.modules.iter().any(|module| module.part == "head");
    // layers that differ, with their bytes
    let mut seen: Vec<(&[WeightModule], u64)> = Vec::new();
    for block in run.model.modules.chunk_by(|a, b| a.layer == b.layer) {
        if let Some(layer) = block.first().and_then(|module| module.layer) {
            let bytes = match seen.iter().find(|(other, _)| alike(other, block)) {
                Some((_, bytes)) => *bytes,
                None => {
                    let bytes = tensors(run, block)?;
                    seen.push((block, bytes));
                    bytes
                }
            };
            add(&mut stages, ends.iter().position(|end| layer < *end).unwrap_or(last), bytes)?;
            continue;
        }
        for module in block {
            let bytes = counted(run, on_rank(run, module)?);
            let stage = if matches!(module.part, "head" | "norm") { last } else { 0 };
            add(&mut stages, stage, bytes)?;
            if stage != last && tied && is_vocabulary(module) {
                add(&mut stages, last, bytes)?;
            }
        }
    }
    let tables = rotary::bytes(run)?;
    (0..stages.len()).try_for_each(|stage| add(&mut stages, stage, tables))?;
    add(&mut stages, last, draft(run)?)?;
    Ok(stages)
}

fn add(stages: &mut [u64], stage: usize, bytes: u64) -> Result<()> {
    if let Some(held) = stages.get_mut(stage) {
        *held = sum(WEIGHTS, [*held, bytes])?;
    }
    Ok(())
}

/// Whether two layers have equal modules, made by the same rules.
fn alike(a: &[WeightModule], b: &[WeightModule]) -> bool {
    let same = |(a, b): (&WeightModule, &WeightModule)| {
        std::ptr::eq(a.path, b.path) && (a.bytes, a.count, a.shape) == (b.bytes, b.count, b.shape)
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
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
        copies = sum(WEIGHTS, [copies, absorbed(run, module)?])?;
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

/// Copies of a latent's second factor, which decoding multiplies by (`W_UK_T`, `W_UV` of
/// `process_weights_after_loading` in `vllm/model_executor/layers/attention/mla_attention.py`).
fn absorbed(run: &Run<'_>, module: &WeightModule) -> Result<u64> {
    if module.part != "attention" || !module.path.ends_with("kv_b_proj") {
        return Ok(0);
    }
    let elements = product(WEIGHTS, &[module.shape.inputs, module.shape.outputs])?;
    Ok(run.model.dtype.row_bytes(elements)?.div_ceil(run.tp))
}

fn is_vocabulary(module: &WeightModule) -> bool {
    let table = module.shape.kind == ModuleKind::Table && module.part == "embeddings";
    table && !module.path.contains("pos") && !module.path.ends_with("wpe") && !module.path.contains("type")
}

/// Bytes of a module on one tensor-parallel rank.
fn on_rank(run: &Run<'_>, module: &WeightModule) -> Result<u64> {
    let bytes = stored(run, module)?;
    let tp = run.tp;
    let last = module.path.rsplit('.').next().unwrap_or_default();
    if is_vocabulary(module) || module.part == "head" {
        let rows = if module.part == "head" { module.shape.outputs } else { module.shape.inputs };
        return scaled(bytes, round_up(rows, VOCABULARY), product(WEIGHTS, &[rows, tp])?);
    }
    if module.part == "experts" {
        return experts(run, module, bytes);
    }
    let whole = module.shape.kind != ModuleKind::Linear
        || module.shape.outputs <= 1
        || WHOLE_PARTS.contains(&module.part)
        || WHOLE.contains(&last)
        || module.path.contains("compressor.")
        // DeepSeek V4: a single key for all heads, and the mixing of its streams
        || run.config.model_type.starts_with("deepseek_v4") && (last == "kv_proj" || last == "fn" || last == "hc_fn");
    if whole {
        return Ok(bytes);
    }
    let kv_heads = run.model.kv_heads.unwrap_or(1).max(1);
    if module.part != "attention" || tp <= kv_heads {
        return Ok(bytes.div_ceil(tp));
    }
    // fewer KV heads than ranks: each rank holds one of them
    match (last, run.model.attention_heads) {
        ("k_proj" | "v_proj", _) => scaled(bytes, 1, kv_heads),
        ("qkv_proj" | "query_key_value", Some(heads)) => {
            scaled(bytes, heads.div_ceil(tp).saturating_add(2), heads.saturating_add(2 * kv_heads))
        }
        _ => Ok(bytes.div_ceil(tp)),
    }
}

/// Bytes of a module as the engine loads it. `--weight-dtype` applies to the modules that the engine quantizes.
fn stored(run: &Run<'_>, module: &WeightModule) -> Result<u64> {
    let Some(dtype) = run.resolved.request.weight_dtype else { return Ok(module.bytes) };
    let elements = product(WEIGHTS, &[module.shape.parameters()?, module.count])?;
    let quantized = module.shape.kind == ModuleKind::Linear && !NOT_QUANTIZED.contains(&module.part);
    let plain = run.model.dtype;
    let is_whole = dtype.elements == 1 && dtype.bytes >= 2;
    if quantized || is_whole { dtype.row_bytes(elements) } else { plain.row_bytes(elements) }
}

/// Experts are divided over the ranks of all replicas. Under expert parallelism each rank holds whole experts.
fn experts(run: &Run<'_>, module: &WeightModule, bytes: u64) -> Result<u64> {
    let ranks = product(WEIGHTS, &[run.tp, run.resolved.parallel.dp])?;
    if run.expert_parallel {
        return scaled(bytes, experts_per_rank(run.resolved, module.count, ranks), module.count);
    }
    let (inputs, outputs) = (module.shape.inputs, module.shape.outputs);
    if !run.is_mxfp4() {
        return Ok(bytes.div_ceil(ranks));
    }
    // gate and up are divided by rows, down by columns: along the inner width
    let is_down = module.path.contains("down");
    let inner = if is_down { inputs } else { outputs }.div_ceil(ranks);
    let hidden = if is_down { outputs } else { inputs };
    let (to_inner, to_hidden) = tile(run, is_down, ranks);
    let padded = product(WEIGHTS, &[round_up(inner, to_inner), round_up(hidden, to_hidden)])?;
    scaled(bytes, padded, product(WEIGHTS, &[inputs, outputs])?)
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

/// What a draft adds to the last stage: layers as wide as the model's, and the projection that joins them.
fn draft(run: &Run<'_>) -> Result<u64> {
    let layers = match run.resolved.request.speculative {
        Some(Speculative::Mtp(_)) => run.config.number(&["num_nextn_predict_layers"]).unwrap_or(1).max(1),
        Some(Speculative::Eagle(_)) => 1,
        Some(Speculative::Ngram(_)) | None => return Ok(0),
    };
    let own =
        run.model.modules.iter().filter(|module| module.layer == run.model.config_layers.checked_sub(1));
    let layer = sum(WEIGHTS, own.map(|module| on_rank(run, module)).collect::<Result<Vec<_>>>()?)?;
    // `eh_proj`, from two hidden states to one, is whole on every rank
    let hidden = run.model.hidden_size;
    let joins = run.model.dtype.row_bytes(product(WEIGHTS, &[2, hidden, hidden])?)?;
    product(WEIGHTS, &[sum(WEIGHTS, [layer, joins])?, layers])
}

/// `bytes × part / whole`, rounded up.
fn scaled(bytes: u64, part: u64, whole: u64) -> Result<u64> {
    let exact = u128::from(bytes) * u128::from(part);
    u64::try_from(exact.div_ceil(u128::from(whole.max(1))))
        .map_err(|_| crate::error::Error::overflow(WEIGHTS))
}
