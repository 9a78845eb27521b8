//! Settings as the engine resolves them: defaults by release and GPU, parallel sizes.
//!
//! Restates `get_batch_defaults` of `vllm/engine/arg_utils.py` and its callers, `SchedulerConfig` of
//! `vllm/config/scheduler.py`, `verify_with_parallel_config` of `vllm/config/model.py` and
//! `max_concurrent_batches` of `vllm/config/vllm.py`, vLLM 0.33.0.

use super::backend::Device;
use super::backend::inputs;
use super::memory::run::{Runner, runner};
use super::model::architectures;
use super::model::shards::smaller_tp;
use super::version::{self, Version};
use crate::engine::ResolvedRequest;
use crate::engine::common::routed_experts;
use crate::error::{Code, Error};
use crate::request::{Ranks, Request, Speculative};
use crate::spec::hf_config::HfConfig;

const GIB: u64 = 1 << 30;

/// A run's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The release.
    pub version: Version,
    /// The GPU's compute capability.
    pub device: Device,
    /// Whether a GPU with a known capability is named.
    pub device_known: bool,
    /// The most tokens of one step.
    pub batched: u64,
    /// Batches that may be in flight.
    pub batches: u64,
    /// Tokens of the longest request.
    pub max_model_len: u64,
    /// Whether prefixes are cached.
    pub prefix_caching: bool,
    /// Draft tokens in a step.
    pub drafts: u64,
    /// Tensor parallel size.
    pub tp: u64,
    /// Pipeline parallel size.
    pub pp: u64,
    /// Decode context parallel size.
    pub dcp: u64,
}

/// The settings of a run.
///
/// # Errors
/// Parallel sizes that the engine refuses for this model.
pub fn settings(
    run: &ResolvedRequest,
    config: HfConfig,
    latent: bool,
    stateful: bool,
    attends: bool,
    crosses: bool,
) -> Result<Settings, Error> {
    let request = run.request;
    let parallel = run.parallel;
    let capability = capability(request);
    let device = capability.clone().unwrap_or(Device { major: 9, minor: 0 });
    let max_model_len = request.max_model_len.unwrap_or(run.tokens);
    let batched = batched(request, Version::of(run.version), config, max_model_len, crosses)?;
    check(run, config, latent)?;
    let pp = parallel.pp;
    let overlap = request.async_scheduling.unwrap_or(true);
    let version = Version::of(run.version);
    let batches = match (version.is_in(version::ONE_BATCH_IN_FLIGHT), overlap) {
        (true, _) => 1,
        // the first model runner does not overlap steps of a pipeline (`max_concurrent_batches`)
        (false, true) if pp == 1 || runner(run.model, config, version) == Runner::V2 => pp + 1,
        (false, _) => pp,
    };
    // models without attention cache prefixes only when told to (`is_prefix_caching_supported`)
    let caches = attends || !stateful || architectures::hybrid(config.class);
    let drafts = match request.speculative {
        Some(Speculative::Ngram(n) | Speculative::Mtp(n) | Speculative::Eagle(n)) => n,
        None => 0,
    };
    Ok(Settings {
        version,
        device_known: capability.is_some(),
        device,
        batched,
        batches,
        max_model_len,
        prefix_caching: request.prefix_caching.unwrap_or(caches && !crosses),
        drafts,
        tp: parallel.tp,
        pp,
        dcp: parallel.dcp,
    })
}

/// Default tokens and requests of one step, by the GPU (an H100 where none is named).
pub fn batch_defaults(request: &Request, version: Version) -> (u64, u64) {
    let gpu = request.gpu.as_ref();
    let memory = gpu.map_or(80 * GIB, |g| g.memory_bytes);
    let large = version.is_in(version::LARGE_STEPS);
    let a100 = gpu.is_some_and(|g| g.name.to_lowercase().contains("a100"));
    let gb10 = capability(request) == Some(Device { major: 12, minor: 1 });
    match memory {
        m if m >= 160 * GIB && large => (16384, 1024),
        m if m >= 70 * GIB && !a100 && !gb10 => (8192, 1024),
        _ => (2048, 256),
    }
}

/// The longest item of a prompt, which must fit into one step: 32 frames of a video, each of 70 tokens with 8
/// around them (`get_mm_max_tokens_per_item` of `vllm/model_executor/models/gemma4_mm.py`).
const GEMMA4_ITEM: u64 = 32 * (70 + 2 + 6);

/// Tokens of one step (`_set_default_max_num_seqs_and_batched_tokens_args`, `verify_max_model_len`).
pub(super) fn batched(
    request: &Request,
    version: Version,
    config: HfConfig,
    max_model_len: u64,
    crosses: bool,
) -> Result<u64, Error> {
    let (tokens, sequences) = batch_defaults(request, version);
    let most = request.max_num_seqs.unwrap_or(sequences);
    let batched = request.max_num_batched_tokens.unwrap_or_else(|| {
        // an encoder-decoder takes its prompt in one step, and so must an item whose tokens see each other
        let prompt = if crosses { max_model_len } else { 0 };
        let whole = config.class.starts_with("Gemma4") && inputs::image_prefix(config);
        let item = if whole { GEMMA4_ITEM } else { 0 };
        tokens.max(prompt).max(item).min(most.saturating_mul(max_model_len))
    });
    if crosses && batched < max_model_len {
        return Err(Error::quoted(Code::VllmBatchedTokensBelowPrompt, format!("max_num_batched_tokens ({batched}) is smaller than max_model_len ({max_model_len}), and an encoder-decoder takes a prompt in one step.")).about("--max-num-batched-tokens").way_out(say!("use {0}", format!("--max-num-batched-tokens {max_model_len}"))));
    }
    match request.max_num_seqs.filter(|&most| batched < most) {
        Some(most) => Err(Error::quoted(
            Code::VllmBatchedTokensBelowSeqs,
            format!(
                "max_num_batched_tokens ({batched}) must be greater than or equal to max_num_seqs ({most})."
            ),
        )
        .about("--max-num-batched-tokens")
        .way_out(say!("use {0}", format!("--max-num-seqs {batched}")))),
        None => Ok(batched),
    }
}

fn capability(request: &Request) -> Option<Device> {
    let (major, minor) = request.gpu.as_ref()?.capability()?;
    Some(Device { major, minor })
}

/// `verify_with_parallel_config`.
fn check(run: &ResolvedRequest, config: HfConfig, latent: bool) -> Result<(), Error> {
    let parallel = run.parallel;
    let (tp, dcp) = (parallel.tp, parallel.dcp);
    let heads = run.model.attention_heads.or_else(|| config.number(&["num_attention_heads"])).unwrap_or(0);
    if !heads.is_multiple_of(tp) {
        return Err(Error::quoted(
            Code::VllmHeadsNotDivided,
            format!(
                "Total number of attention heads ({heads}) must be divisible by tensor parallel size ({tp})."
            ),
        )
        .about("--tp")
        .way_out(say!("use {0}", smaller_tp(heads, tp))));
    }
    if parallel.pp > 1 && architectures::without_pipeline(config.class) {
        return Err(Error::quoted(
            Code::VllmNoPipeline,
            "Pipeline parallelism is not supported for this model. Supported models implement the \
             `SupportsPP` interface.",
        )
        .about("--pp")
        .way_out(say!("use {0}", "--pp 1")));
    }
    check_experts(run)?;
    if dcp > 1 && !latent {
        let kv = run.model.kv_heads.unwrap_or(heads);
        if kv == 0 {
            return Err(Error::refused(
                Code::VllmDcpNoKvHeads,
                words!("decode context parallelism needs KV heads, and the model has none"),
            )
            .about("--dcp")
            .way_out(say!("use {0}", "--dcp 1")));
        }
        if tp <= kv {
            return Err(Error::quoted(
                Code::VllmDcpTpTooSmall,
                format!(
                    "Decode context parallelism for GQA/MQA requires `--tensor-parallel-size` ({tp}) to be \
                 greater than the model's total number of KV heads ({kv})."
                ),
            )
            .about("--dcp")
            .way_out(say!("use {0}", "--dcp 1")));
        }
        if dcp > tp / kv {
            return Err(Error::quoted(
                Code::VllmDcpTooLarge,
                format!(
                    "`--decode-context-parallel-size` ({dcp}) exceeds the maximum supported value ({0}) for \
                 `--tensor-parallel-size` ({tp}) and {kv} model KV heads.",
                    tp / kv
                ),
            )
            .about("--dcp")
            .way_out(say!("use {0}", format!("--dcp {}", tp / kv))));
        }
        if !(heads / kv).is_multiple_of(dcp) {
            return Err(Error::quoted(
                Code::VllmDcpNotDivided,
                format!(
                    "The model's number of query heads per KV head ({0}) must be divisible by \
                 `--decode-context-parallel-size` ({dcp}) for GQA/MQA.",
                    heads / kv
                ),
            )
            .about("--dcp")
            .way_out(say!("use {0}", "--dcp 1")));
        }
    }
    Ok(())
}

/// `_verify_with_expert_parallelism` of `vllm/config/model.py`, and what `vllm/config/parallel.py` and
/// `vllm/model_executor/layers/fused_moe/layer.py` ask of expert parallel load balancing.
fn check_experts(run: &ResolvedRequest) -> Result<(), Error> {
    let (request, parallel) = (run.request, run.parallel);
    let copies = request.redundant_experts.unwrap_or(0);
    let asked = !matches!(request.ep, None | Some(Ranks::Off));
    let group = parallel.tp * parallel.dp;
    let experts = match routed_experts(run.model) {
        _ if !asked && copies > 0 => {
            return Err(Error::quoted(
                Code::VllmNoExperts,
                "enable_expert_parallel must be True to use EPLB.",
            )
            .about("--redundant-experts")
            .way_out(say!("use {0}", "--ep on")));
        }
        _ if !asked => return Ok(()),
        None => {
            return Err(Error::quoted(
                Code::VllmNoExperts,
                "Number of experts in the model must be greater than 0 when expert parallelism is enabled.",
            )
            .about("--ep")
            .way_out(words!("leave --ep out")));
        }
        Some(experts) => experts,
    };
    if let Some(Ranks::Size(ranks)) = request.ep
        && ranks != group
    {
        return Err(Error::bad_value("--ep", ranks, say!("on, or --tp × --dp, which is {0}", group)));
    }
    let held = experts.saturating_add(copies);
    if copies > 0 && !held.is_multiple_of(group) {
        return Err(Error::quoted(
            Code::VllmUnevenExperts,
            format!(
                "EPLB currently only supports even distribution of experts across ranks. Got {held} experts and \
                 {group} EP ranks."
            ),
        )
        .about("--redundant-experts")
        .way_out(say!("use {0}", format!("--redundant-experts {}", held.next_multiple_of(group) - experts))));
    }
    Ok(())
}
