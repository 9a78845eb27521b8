//! Weights that the tensor parallel ranks cannot divide.
//!
//! Restates three checks of vLLM 0.33.0:
//!
//! - `divide` of `vllm/distributed/utils.py`, as `vocab_parallel_embedding.py`, `linear.py` and
//!   `fused_moe/config.py` of `vllm/model_executor/layers/` call it: vocabulary and inner widths must divide
//!   evenly;
//! - `validate_fp8_block_shape` and `validate_fp8_block_shape_moe` of
//!   `vllm/model_executor/layers/quantization/utils/fp8_utils.py`: every rank must have whole quantization
//!   blocks of attention, MLP and experts;
//! - the same for groups of quantized weights.

use serde_json::Value as Json;

use crate::engine::ResolvedRequest;
use crate::engine::vllm::math::{gcd, round_up};
use crate::engine::widths::{has_experts, inner_widths, routed_width};
use crate::error::{Code, Error};
use crate::spec::hf_config::{HfConfig, whole};

/// Vocabularies are padded to a multiple of this (`DEFAULT_VOCAB_PADDING_SIZE`).
const VOCABULARY: u64 = 64;

/// The finest blocks that experts' scales are refined to, where coarser blocks cannot be divided
/// (`refine_fp8_moe_block_shape` of `vllm/model_executor/layers/fused_moe/oracle/fp8.py`).
const FINEST: u64 = 32;

/// Refuses a tensor parallel size that the engine refuses.
///
/// # Errors
/// The engine's own refusal.
pub fn check(run: &ResolvedRequest, config: HfConfig) -> Result<(), Error> {
    let tp = run.parallel.tp;
    // `vllm/model_executor/models/gpt_oss.py` divides KV heads by ranks, and does not stop at one head
    let kv_heads = run.model.kv_heads.unwrap_or(0);
    if config.class.starts_with("GptOss") && tp > kv_heads {
        return Err(Error::refused(
            Code::VllmTooFewKvHeads,
            say!("{0} KV heads cannot be shared by {1} tensor parallel ranks", kv_heads, tp),
        )
        .about("--tp")
        .way_out(say!("use {0}", format!("--tp {kv_heads}"))));
    }
    let experts = has_experts(config);
    // each rank of expert parallelism holds experts whole; else all replicas cut them together (`FusedMoEParallelConfig`)
    let cut = match run.expert_ranks() {
        Some(_) => 1,
        None if experts => tp * run.parallel.dp,
        None => tp,
    };
    if tp.max(cut) > 1 {
        whole_shares(config, tp, cut)?;
    }
    if !experts {
        groups(run, config)?;
    }
    let Some(block) = blocks(config) else { return Ok(()) };
    let part = |key: &str| config.number(&[key]).map(|width| width / tp);
    if experts && let Some(width) = config.number(&["moe_intermediate_size"]) {
        expert(width / cut, config.number(&["hidden_size"]).unwrap_or(0), block, cut)?;
    }
    // a matrix with several outputs may be divided anywhere, one with a single input may not
    let dense = !experts || config.number(&["first_k_dense_replace"]).is_some_and(|layers| layers > 0);
    let [_, k] = block;
    match part("intermediate_size").filter(|part| dense && tp > 1 && !part.is_multiple_of(k)) {
        Some(part) => Err(Error::quoted(Code::VllmQuantizationBlock, format!("Weight input_size_per_partition = {part} is not divisible by weight quantization block_k = {k}.")).about("--tp").way_out(words!("use a smaller --tp"))),
        None => Ok(()),
    }
}

/// One of `by` equal parts.
///
/// # Errors
/// The engine's refusal where the parts are not whole.
pub fn divide(what: &str, n: u64, by: u64) -> Result<u64, Error> {
    if by > 0 && n.is_multiple_of(by) {
        Ok(n / by)
    } else {
        Err(Error::quoted(Code::VllmWidthNotDivided, format!("{what} {n} is not divisible by {by}"))
            .about("--tp")
            .way_out(words!("use a smaller --tp")))
    }
}

/// `--tp` with the largest size below `tp` that divides the heads.
pub fn smaller_tp(heads: u64, tp: u64) -> String {
    let size = (1..tp).rev().find(|size| heads.is_multiple_of(*size)).unwrap_or(1);
    format!("--tp {size}")
}

/// Model types whose inner width the Transformers backend leaves whole: they have no tensor parallel plan, and
/// no gate by which it would recognise their MLP.
const UNCUT: [&str; 5] = ["biogpt", "jetmoe", "modernbert-decoder", "moshi", "persimmon"];

/// Refuses a vocabulary or an inner width that the ranks cannot share out; `cut` ranks share each routed expert.
fn whole_shares(config: HfConfig, tp: u64, cut: u64) -> Result<(), Error> {
    if let Some(vocabulary) = config.number(&["vocab_size"]) {
        divide("vocab_size", round_up(vocabulary, VOCABULARY), tp)?;
    }
    if !UNCUT.contains(&config.model_type) {
        for (key, width) in inner_widths(config) {
            divide(key, width, if Some(key) == routed_width(config) { cut } else { tp })?;
        }
    }
    Ok(())
}

/// Checks an expert's inner width on one rank.
fn expert(part: u64, hidden: u64, [n, k]: [u64; 2], tp: u64) -> Result<(), Error> {
    if gcd(gcd(n, k), gcd(part, hidden)) >= FINEST {
        return Ok(());
    }
    if !part.is_multiple_of(n) {
        return Err(Error::quoted(
            Code::VllmQuantizationBlock,
            format!(
                "The output_size of gate's and up's weight = {part} is not divisible by weight quantization \
             block_n = {n}."
            ),
        )
        .about("--tp")
        .way_out(words!("use a smaller --tp")));
    }
    if tp > 1 && !part.is_multiple_of(k) {
        return Err(Error::quoted(Code::VllmQuantizationBlock, format!("The input_size of down's weight = {part} is not divisible by weight quantization block_k = {k}.")).about("--tp").way_out(words!("use a smaller --tp")));
    }
    Ok(())
}

/// With AWQ, the inputs of a layer's matrices must be whole groups on every rank (`BaseAWQLinearMethod` of
/// `vllm/model_executor/layers/quantization/auto_awq.py`).
fn groups(run: &ResolvedRequest, config: HfConfig) -> Result<(), Error> {
    let Some(quantization) = config.quantization() else { return Ok(()) };
    let group = ["group_size", "q_group_size"].iter().find_map(|key| whole(quantization.get(*key)?));
    let awq = quantization.get("quant_method").and_then(Json::as_str) == Some("awq");
    let Some(group) = group.filter(|&group| awq && group > 0) else { return Ok(()) };
    let tp = run.parallel.tp;
    let heads = run.model.attention_heads.zip(run.model.head_dim).map(|(heads, width)| heads * width / tp);
    let inputs =
        [config.number(&["hidden_size"]), heads, config.number(&["intermediate_size"]).map(|n| n / tp)];
    match inputs.into_iter().flatten().find(|input| !input.is_multiple_of(group)) {
        Some(input) => Err(Error::quoted(Code::VllmQuantizationGroup, format!("The input size ({input}) is not aligned with the quantized weight shape (groups of {group}). This can be caused by too large tensor parallel size.")).about("--tp").way_out(words!("use a smaller --tp"))),
        None => Ok(()),
    }
}

/// `weight_block_size` of an fp8 checkpoint with block scales.
fn blocks(config: HfConfig) -> Option<[u64; 2]> {
    let quantization = config.quantization()?;
    if quantization.get("quant_method").and_then(Json::as_str) != Some("fp8") {
        return None;
    }
    match quantization.get("weight_block_size")?.as_array()?.as_slice() {
        [n, k] => Some([whole(n).filter(|&n| n > 0)?, whole(k).filter(|&k| k > 0)?]),
        _ => None,
    }
}
