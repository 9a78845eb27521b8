//! Weights of one rank of each pipeline stage, as engines with Megatron's layers load them.
//!
//! Restates `layers/linear.py` (`ColumnParallelLinear`, `RowParallelLinear`, `QKVParallelLinear`, `ReplicatedLinear`) and
//! `layers/vocab_parallel_embedding.py` of SGLang 0.5.23 and vLLM 0.19.0 and 0.33.0 (`vllm/model_executor/layers/`), which
//! TensorRT-LLM's `_torch/modules/linear.py`, `attention.py` and `embedding.py` follow: columns and rows are cut, KV heads that are fewer than ranks are copied, norms, routers and
//! the first of two factors stand on every rank.

use super::ResolvedRequest;
use super::common::experts_per_rank;
use crate::error::{Error, Result};
use crate::request::{Speculative, WeightType};
use crate::spec::hf_config::HfConfig;
use crate::spec::model::WeightModule;
use crate::spec::value::ModuleKind;
use crate::text::Words;
use crate::units::{product, sum};

/// What a sum of weights is called.
pub(super) const WEIGHTS: Words = words!("weight bytes");

/// Modules that every rank holds whole, by the last part of their path.
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

/// Parts that stay in the model's dtype under `--weight-dtype`.
const NOT_QUANTIZED: [&str; 3] = ["embeddings", "head", "router"];

/// Vocabularies are padded to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`).
const VOCABULARY: u64 = 64;

/// Bytes on a rank of each pipeline stage of so many layers; `drafts` prediction layers stand on the last one.
///
/// # Errors
/// Sums beyond 64 bits.
pub(super) fn weights(run: &ResolvedRequest<'_>, layers: &[u64], drafts: u64) -> Result<Vec<u64>> {
    let model = run.model;
    let of_layer = |block: &[WeightModule]| {
        sum(WEIGHTS, block.iter().map(|module| held(run, module)).collect::<Result<Vec<_>>>()?)
    };
    let mut stages = on_stages(run, layers, |module| on_rank(run, module), of_layer)?;
    let last_layer =
        model.modules.chunk_by(|a, b| a.layer == b.layer).rfind(|block| block[0].layer.is_some());
    if let Some(block) = last_layer.filter(|_| drafts > 0) {
        let bytes = draft_bytes(run, of_layer(block)?, drafts)?;
        add(&mut stages, layers.len().saturating_sub(1), bytes)?;
    }
    Ok(stages)
}

/// Bytes on a rank of each pipeline stage of so many layers: `of_module` those of a module outside layers, `of_layer` of
/// one layer.
///
/// # Errors
/// Sums beyond 64 bits.
pub(super) fn on_stages(
    run: &ResolvedRequest<'_>,
    layers: &[u64],
    of_module: impl Fn(&WeightModule) -> Result<u64>,
    of_layer: impl Fn(&[WeightModule]) -> Result<u64>,
) -> Result<Vec<u64>> {
    let model = run.model;
    let mut stages = vec![0; layers.len()];
    if model.modules.is_empty() {
        let ranks = product(WEIGHTS, &[run.parallel.tp, run.parallel.pp])?;
        stages.fill(model.weight_bytes.div_ceil(ranks.max(1)));
        return Ok(stages);
    }
    let last = stages.len().saturating_sub(1);
    let tied = !model.modules.iter().any(|module| module.part == "head");
    // layers that differ, with their bytes
    let mut seen: Vec<(&[WeightModule], u64)> = Vec::new();
    let mut stage = 0;
    let mut end = layers.first().copied().unwrap_or(0);
    for block in model.modules.chunk_by(|a, b| a.layer == b.layer) {
        let Some(layer) = block.first().and_then(|module| module.layer) else {
            for module in block {
                let bytes = of_module(module)?;
                let at = if matches!(module.part, "head" | "norm") { last } else { 0 };
                add(&mut stages, at, bytes)?;
                if at != last && tied && is_vocabulary(module) {
                    add(&mut stages, last, bytes)?;
                }
            }
            continue;
        };
        while layer >= end && stage < last {
            stage += 1;
            end = end.saturating_add(layers.get(stage).copied().unwrap_or(0));
        }
        let bytes = match seen.iter().find(|(other, _)| alike(other, block)) {
            Some((_, bytes)) => *bytes,
            None => {
                let bytes = of_layer(block)?;
                seen.push((block, bytes));
                bytes
            }
        };
        add(&mut stages, stage, bytes)?;
    }
    Ok(stages)
}

/// Prediction layers of `layer` bytes, each with `eh_proj`, from two hidden states to one, which is not cut.
pub(super) fn draft_bytes(run: &ResolvedRequest<'_>, layer: u64, drafts: u64) -> Result<u64> {
    let hidden = run.model.hidden_size;
    let joins = run.model.dtype.row_bytes(product(WEIGHTS, &[2, hidden, hidden])?)?;
    product(WEIGHTS, &[sum(WEIGHTS, [layer, joins])?, drafts])
}

/// Prediction layers that `--speculative` loads.
pub(super) fn drafts(run: &ResolvedRequest<'_>) -> u64 {
    match run.request.speculative {
        Some(Speculative::Mtp(_)) => {
            HfConfig::of(run.model).number(&["num_nextn_predict_layers"]).unwrap_or(1).max(1)
        }
        Some(Speculative::Eagle(_)) => 1,
        Some(Speculative::Ngram(_)) | None => 0,
    }
}

/// Adds to one stage.
pub(super) fn add(stages: &mut [u64], stage: usize, bytes: u64) -> Result<()> {
    if let Some(held) = stages.get_mut(stage) {
        *held = sum(WEIGHTS, [*held, bytes])?;
    }
    Ok(())
}

/// Whether two layers hold the same, by the rules that made their modules.
fn alike(a: &[WeightModule], b: &[WeightModule]) -> bool {
    let same = |(a, b): (&WeightModule, &WeightModule)| {
        std::ptr::eq(a.path, b.path) && (a.bytes, a.count, a.shape) == (b.bytes, b.count, b.shape)
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

pub(super) fn is_vocabulary(module: &WeightModule) -> bool {
    let table = module.shape.kind == ModuleKind::Table && module.part == "embeddings";
    table && !module.path.contains("pos") && !module.path.ends_with("wpe") && !module.path.contains("type")
}

/// Bytes of a module of a layer, with its copy.
fn held(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    sum(WEIGHTS, [on_rank(run, module)?, absorbed(run, module)?])
}

/// The copy of a latent's second factor that decoding multiplies by instead (vLLM's `W_UK_T` and `W_UV` of
/// `layers/attention/mla_attention.py`, SGLang's `w_kc` and `w_vc` of `models/deepseek_common/`, TensorRT-LLM's
/// `k_b_proj_trans` and `v_b_proj`).
pub(super) fn absorbed(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    if module.part != "attention" || !module.path.ends_with("kv_b_proj") {
        return Ok(0);
    }
    let elements = product(WEIGHTS, &[module.shape.inputs, module.shape.outputs])?;
    Ok(run.model.dtype.row_bytes(elements)?.div_ceil(run.parallel.tp))
}

/// Bytes of a module on one tensor-parallel rank.
pub(super) fn on_rank(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    let bytes = loaded(run, module)?;
    // groups of data-parallel attention hold attention and embeddings whole, and cut the rest together
    let of_group = module.part == "attention" || is_vocabulary(module);
    let tp = if of_group { run.parallel.tp } else { run.parallel.tensor_ranks() };
    match run.expert_ranks().filter(|_| module.part == "experts" && !is_whole(run, module)) {
        Some(ranks) => {
            let own = scaled(bytes, experts_per_rank(run, module.count, ranks), module.count)?;
            Ok(own.div_ceil((tp / ranks).max(1)))
        }
        None => share(run, module, bytes, tp),
    }
}

/// Whether every rank holds a module whole.
fn is_whole(run: &ResolvedRequest<'_>, module: &WeightModule) -> bool {
    let last = module.path.rsplit('.').next().unwrap_or_default();
    module.shape.kind != ModuleKind::Linear
        || module.shape.outputs <= 1
        || WHOLE_PARTS.contains(&module.part)
        || WHOLE.contains(&last)
        || module.path.contains("compressor.")
        // DeepSeek V4: a single key for all heads, and the mixing of its streams
        || run.model.model_type.starts_with("deepseek_v4") && matches!(last, "kv_proj" | "fn" | "hc_fn")
}

/// What one of `tp` ranks has of the bytes of a module.
pub(super) fn share(run: &ResolvedRequest<'_>, module: &WeightModule, bytes: u64, tp: u64) -> Result<u64> {
    if is_vocabulary(module) || module.part == "head" {
        let rows = if module.part == "head" { module.shape.outputs } else { module.shape.inputs };
        return scaled(bytes, rows.next_multiple_of(VOCABULARY), product(WEIGHTS, &[rows, tp])?);
    }
    if is_whole(run, module) {
        return Ok(bytes);
    }
    let kv_heads = run.model.kv_heads.unwrap_or(1).max(1);
    if module.part != "attention" || tp <= kv_heads {
        return Ok(bytes.div_ceil(tp));
    }
    // fewer KV heads than ranks: each rank holds one of them
    match (module.path.rsplit('.').next().unwrap_or_default(), run.model.attention_heads) {
        ("k_proj" | "v_proj", _) => scaled(bytes, 1, kv_heads),
        ("qkv_proj" | "query_key_value", Some(heads)) => {
            scaled(bytes, heads.div_ceil(tp).saturating_add(2), heads.saturating_add(2 * kv_heads))
        }
        _ => Ok(bytes.div_ceil(tp)),
    }
}

/// What one of `ranks` has of the bytes of experts whose kernel pads the inner and the outer width to the multiples of
/// `tile`, which takes whether it is the way down. Gate and up are cut by rows, down by columns: along the inner width.
pub(super) fn tiled(
    module: &WeightModule,
    bytes: u64,
    ranks: u64,
    tile: impl Fn(bool) -> (u64, u64),
) -> Result<u64> {
    let (inputs, outputs) = (module.shape.inputs, module.shape.outputs);
    let is_down = module.path.contains("down");
    let (inner, hidden) = if is_down { (inputs, outputs) } else { (outputs, inputs) };
    let (to_inner, to_hidden) = tile(is_down);
    let up = |width: u64, tile: u64| width.checked_next_multiple_of(tile).unwrap_or(u64::MAX);
    let padded = product(WEIGHTS, &[up(inner.div_ceil(ranks), to_inner), up(hidden, to_hidden)])?;
    scaled(bytes, padded, product(WEIGHTS, &[inputs, outputs])?)
}

/// Bytes of a whole module as it is loaded: a `--weight-dtype` is taken by what the engine quantizes.
pub(super) fn loaded(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    let Some(dtype) = run.request.weight_dtype.and_then(WeightType::dtype) else { return Ok(module.bytes) };
    let elements = product(WEIGHTS, &[module.shape.parameters()?, module.count])?;
    let quantized = module.shape.kind == ModuleKind::Linear && !NOT_QUANTIZED.contains(&module.part);
    let is_plain = dtype.elements == 1 && dtype.bytes >= 2;
    if quantized || is_plain { dtype.row_bytes(elements) } else { run.model.dtype.row_bytes(elements) }
}

/// `bytes × part / whole`, rounded up.
pub(super) fn scaled(bytes: u64, part: u64, whole: u64) -> Result<u64> {
    let exact = u128::from(bytes) * u128::from(part);
    u64::try_from(exact.div_ceil(u128::from(whole.max(1)))).map_err(|_| Error::overflow(WEIGHTS))
}
