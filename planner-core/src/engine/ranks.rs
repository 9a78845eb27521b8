//! Weights of one rank of each pipeline stage, as engines with Megatron's layers load them.
//!
//! Restates `layers/linear.py` (`ColumnParallelLinear`, `RowParallelLinear`, `QKVParallelLinear`, `ReplicatedLinear`) and
//! `layers/vocab_parallel_embedding.py` of SGLang 0.5.23, which TensorRT-LLM's `_torch/modules/linear.py`, `attention.py`
//! and `embedding.py` follow: columns and rows are cut, KV heads that are fewer than ranks are copied, norms, routers and
//! the first of two factors stand on every rank.

use super::ResolvedRequest;
use super::common::experts_per_rank;
use crate::error::{Error, Result};
use crate::request::Speculative;
use crate::spec::hf_config::HfConfig;
use crate::spec::model::WeightModule;
use crate::spec::value::ModuleKind;
use crate::text::Words;
use crate::units::{product, sum};

const WEIGHTS: Words = words!("weight bytes");

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
    let mut stages = vec![0; layers.len()];
    if model.modules.is_empty() {
        let ranks = product(WEIGHTS, &[run.parallel.tp, run.parallel.pp])?;
        stages.fill(model.weight_bytes.div_ceil(ranks.max(1)));
        return Ok(stages);
    }
    let last = stages.len().saturating_sub(1);
    let tied = !model.modules.iter().any(|module| module.part == "head");
    // a layer that holds what the one before it does takes as much
    let mut before: Option<(&[WeightModule], u64)> = None;
    let mut stage = 0;
    let mut end = layers.first().copied().unwrap_or(0);
    for block in model.modules.chunk_by(|a, b| a.layer == b.layer) {
        let Some(layer) = block.first().and_then(|module| module.layer) else {
            for module in block {
                let bytes = on_rank(run, module)?;
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
        let bytes = match before.filter(|(other, _)| alike(other, block)) {
            Some((_, bytes)) => bytes,
            None => sum(WEIGHTS, block.iter().map(|module| held(run, module)).collect::<Result<Vec<_>>>()?)?,
        };
        before = Some((block, bytes));
        add(&mut stages, stage, bytes)?;
    }
    if let Some((_, layer)) = before.filter(|_| drafts > 0) {
        // `eh_proj`, two hidden states to one, is not cut
        let joins = model.dtype.row_bytes(product(WEIGHTS, &[2, model.hidden_size, model.hidden_size])?)?;
        add(&mut stages, last, product(WEIGHTS, &[sum(WEIGHTS, [layer, joins])?, drafts])?)?;
    }
    Ok(stages)
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

fn add(stages: &mut [u64], stage: usize, bytes: u64) -> Result<()> {
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

/// Bytes of a module of a layer, with the copies of a latent's second factor that decoding multiplies by instead
/// (`w_kc`, `w_vc` of SGLang's `models/deepseek_common/`, `k_b_proj_trans` and `v_b_proj` of TensorRT-LLM).
fn held(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    let own = on_rank(run, module)?;
    if module.part != "attention" || !module.path.ends_with("kv_b_proj") {
        return Ok(own);
    }
    let elements = product(WEIGHTS, &[module.shape.inputs, module.shape.outputs])?;
    sum(WEIGHTS, [own, run.model.dtype.row_bytes(elements)?.div_ceil(run.parallel.tp)])
}

/// Bytes of a module on one tensor-parallel rank.
fn on_rank(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    let bytes = loaded(run, module)?;
    // groups of data-parallel attention hold attention and embeddings whole, and cut the rest together
    let of_group = module.part == "attention" || is_vocabulary(module);
    let tp = if of_group { run.parallel.tp } else { run.parallel.tensor_ranks() };
    let last = module.path.rsplit('.').next().unwrap_or_default();
    if is_vocabulary(module) || module.part == "head" {
        let rows = if module.part == "head" { module.shape.outputs } else { module.shape.inputs };
        return scaled(bytes, rows.next_multiple_of(VOCABULARY), product(WEIGHTS, &[rows, tp])?);
    }
    let whole = module.shape.kind != ModuleKind::Linear
        || module.shape.outputs <= 1
        || WHOLE_PARTS.contains(&module.part)
        || WHOLE.contains(&last)
        || module.path.contains("compressor.")
        // DeepSeek V4: one key of all heads, and the mixing of its streams
        || run.model.model_type.starts_with("deepseek_v4") && matches!(last, "kv_proj" | "fn" | "hc_fn");
    if whole {
        return Ok(bytes);
    }
    if module.part == "experts"
        && let Some(ranks) = run.expert_ranks()
    {
        let own = scaled(bytes, experts_per_rank(run, module.count, ranks), module.count)?;
        return Ok(own.div_ceil((tp / ranks).max(1)));
    }
    let kv_heads = run.model.kv_heads.unwrap_or(1).max(1);
    if module.part != "attention" || tp <= kv_heads {
        return Ok(bytes.div_ceil(tp));
    }
    // fewer KV heads than ranks: each holds one of them
    match (last, run.model.attention_heads) {
        ("k_proj" | "v_proj", _) => scaled(bytes, 1, kv_heads),
        ("qkv_proj" | "query_key_value", Some(heads)) => {
            scaled(bytes, heads.div_ceil(tp).saturating_add(2), heads.saturating_add(2 * kv_heads))
        }
        _ => Ok(bytes.div_ceil(tp)),
    }
}

/// Bytes of a whole module as it is loaded: a `--weight-dtype` is taken by what the engine quantizes.
pub(super) fn loaded(run: &ResolvedRequest<'_>, module: &WeightModule) -> Result<u64> {
    let Some(dtype) = run.request.weight_dtype else { return Ok(module.bytes) };
    let elements = product(WEIGHTS, &[module.shape.parameters()?, module.count])?;
    let quantized = module.shape.kind == ModuleKind::Linear && !NOT_QUANTIZED.contains(&module.part);
    let is_plain = dtype.elements == 1 && dtype.bytes >= 2;
    if quantized || is_plain { dtype.row_bytes(elements) } else { run.model.dtype.row_bytes(elements) }
}

/// `bytes × part / whole`, rounded up.
fn scaled(bytes: u64, part: u64, whole: u64) -> Result<u64> {
    let exact = u128::from(bytes) * u128::from(part);
    u64::try_from(exact.div_ceil(u128::from(whole.max(1)))).map_err(|_| Error::overflow(WEIGHTS))
}
