//! Settings as the engine resolves them: cache type, page, slots of a request.
//!
//! Restates `arg_groups/overrides.py` (`_attention_backend_default`, `_mla_backend_page_constraints`,
//! `_fa4_page_constraint`, `_page_size_default`, `_mamba_radix_cache_resolution`), the files of
//! `arg_groups/model_overrides` and `mem_cache/kv_cache_dtype.py`.

use serde_json::Value as Json;

use super::classes;
use crate::dtype::DType;
use crate::engine::ResolvedRequest;
use crate::engine::common::kv_dtypes;
use crate::engine::flag_support;
use crate::engine::widths::{inner_widths, routed_width};
use crate::error::{Code, Error, Result};
use crate::request::Speculative;
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Content, Store};
use crate::spec::model::{Note, nested};
use crate::text::Words;

/// A run's settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Dtype of cached keys and values.
    pub dtype: DType,
    /// Tokens of a page.
    pub page: u64,
    /// State slots that one running request takes.
    pub slots: u64,
    /// Whether prefixes of sessions are cached.
    pub prefix_caching: bool,
    /// Most requests that run at once, where the user or the class limits them.
    pub max_requests: Option<u64>,
    /// Whether the next step is planned while one runs.
    pub overlap: bool,
    /// Prediction layers that speculative decoding adds.
    pub drafts: u64,
    /// Draft tokens of a step that are looked up in the prompt.
    pub looked_up: Option<u64>,
    /// Compute capability of the GPU, Hopper where none is named.
    pub capability: (u64, u64),
}

impl Settings {
    pub fn new(run: &ResolvedRequest<'_>) -> Result<Self> {
        let request = run.request;
        classes::check(&run.model.architecture)?;
        check_context(run)?;
        check_shares(run)?;
        let class = run.model.architecture.as_str();
        let capability = capability(run);
        check_backend(run, capability)?;
        check_quantization(run, capability)?;
        let dtype = cache_dtype(run, capability)?;
        let (page, backend) = page(run, capability)?;
        let prefix_caching = request.prefix_caching.unwrap_or(true);
        // Under pipeline parallelism the engine switches overlap off, but only after it has chosen the slots.
        let asked_overlap = request.async_scheduling.unwrap_or(true);
        let snapshots =
            classes::keeps_snapshots(class) && (asked_overlap || request.block_size.is_some_and(|n| n > 1));
        let overlap = asked_overlap && run.parallel.pp == 1;
        let tracking = if overlap { 2 } else { 1 };
        let slots = match (prefix_caching, snapshots) {
            (false, _) => 1,
            (true, true) => 3 + tracking,
            (true, false) => 3,
        };
        let drafts = drafts(run)?;
        let looked_up = match request.speculative {
            Some(Speculative::Ngram(tokens)) => Some(tokens),
            _ => None,
        };
        if looked_up.is_some() && page > 1 && backend != "flashinfer" {
            return Err(Error::refused(
                Code::SglangDraftPages,
                say!(
                    "only its flashinfer backend drafts in pages of several tokens, and a page has {0}",
                    page
                ),
            )
            .about("--speculative")
            .way_out(say!("use {0}", "--attention-backend flashinfer")));
        }
        let usual =
            if classes::is_v4(class) { Some(256) } else { request.speculative.is_some().then_some(48) };
        let max_requests = request.max_num_seqs.or(usual);
        Ok(Self { dtype, page, slots, prefix_caching, max_requests, overlap, drafts, looked_up, capability })
    }
}

/// Keys for the longest session; the first one present counts (`CONTEXT_LENGTH_KEYS`).
const CONTEXT_KEYS: [&str; 5] =
    ["max_sequence_length", "seq_length", "max_seq_len", "model_max_length", "max_position_embeddings"];

/// The longest session where the configuration has none of these keys.
const CONTEXT: u64 = 2048;

/// The longest session that the configuration admits (`get_context_length` of
/// `utils/hf_transformers/common.py`).
fn bound(run: &ResolvedRequest<'_>) -> u64 {
    let config = HfConfig::of(run.model).text;
    let own = CONTEXT_KEYS.iter().find_map(|key| config.get(*key).and_then(Json::as_u64));
    let length = own.or(run.model.max_position).unwrap_or(CONTEXT);
    let rope = ["rope_scaling", "rope_parameters"].iter().find_map(|key| config.get(*key)?.as_object());
    let factor = rope
        .filter(|rope| !rope.contains_key("original_max_position_embeddings"))
        .filter(|rope| rope.get("rope_type").and_then(Json::as_str) != Some("llama3"))
        .and_then(|rope| rope.get("factor")?.as_f64())
        .unwrap_or(1.0);
    (length as f64 * factor) as u64
}

/// Refuses inner widths that do not divide by the tensor parallel size (`divide` of `layers/linear.py`, the
/// assertion of `layers/moe/fused_moe_triton/layer.py`). Vocabularies are padded instead.
fn check_shares(run: &ResolvedRequest<'_>) -> Result<()> {
    let tp = run.parallel.tp;
    if tp == 1 {
        return Ok(());
    }
    let ranks = run.parallel.tensor_ranks();
    let routed = routed_width(HfConfig::of(run.model));
    let cut = |key: &str| if Some(key) == routed { ranks / run.expert_ranks().unwrap_or(1) } else { ranks };
    match inner_widths(HfConfig::of(run.model)).find(|(key, width)| !width.is_multiple_of(cut(key).max(1))) {
        Some((key, width)) => {
            Err(Error::bad_value("--tp", tp, say!("a divisor of {0}, which is {1}", key, width)))
        }
        None => Ok(()),
    }
}

/// The longest session of the run.
pub(super) fn context(run: &ResolvedRequest<'_>) -> u64 {
    run.request.max_model_len.unwrap_or_else(|| bound(run))
}

/// Refuses sessions longer than the configuration admits (`ModelConfig._derive_context_length`).
fn check_context(run: &ResolvedRequest<'_>) -> Result<()> {
    let bound = bound(run);
    let length = run.request.max_model_len.unwrap_or(run.tokens);
    if length <= bound {
        return Ok(());
    }
    let flag = if run.request.max_model_len.is_some() { "--max-model-len" } else { "--seq" };
    Err(Error::refused(
        Code::SglangContextLength,
        say!("the configuration admits {0} tokens, not {1}, unless SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1", bound, length),
    )
    .about(flag)
    .way_out(say!("use {0} or less", format!("{flag} {bound}"))))
}

/// Backends with attention sinks, which gpt-oss needs (`arg_groups/model_hook.py`).
const SINKS: [&str; 4] = ["triton", "trtllm_mha", "fa3", "fa4"];

/// Refuses a backend that does not run on this GPU (`_mla_kv_cache_dtype_checks`,
/// `_cutedsl_prefill_backend_fill`) or does not serve this model.
fn check_backend(run: &ResolvedRequest<'_>, (major, _): (u64, u64)) -> Result<()> {
    let Some(backend) = run.request.attention_backend.as_deref() else { return Ok(()) };
    let runs = match backend.to_ascii_lowercase().as_str() {
        "trtllm_mha" => matches!(major, 9 | 10 | 12),
        "trtllm_mla" => matches!(major, 10 | 12),
        "cutedsl_mla" => major == 10,
        _ => true,
    };
    if run.model.architecture == "GptOssForCausalLM"
        && !SINKS.contains(&backend.to_ascii_lowercase().as_str())
    {
        return Err(Error::bad_value(
            "--attention-backend",
            backend,
            words!("triton, trtllm_mha, fa3 or fa4: GptOssForCausalLM requires one of them"),
        ));
    }
    if runs {
        return Ok(());
    }
    Err(Error::refused(
        Code::SglangBackendCapability,
        say!("--attention-backend {0} needs a Blackwell GPU, trtllm_mha also runs on Hopper", backend),
    )
    .about("--attention-backend")
    .way_out(words!("name another GPU with --gpu, or leave --attention-backend out")))
}

/// Refuses weights whose quantization does not run on this GPU (`get_min_capability` of `layers/quantization`,
/// called by `model_loader/loader.py`).
fn check_quantization(run: &ResolvedRequest<'_>, own: (u64, u64)) -> Result<()> {
    let quantized = nested(&run.model.config, "quantization_config")
        .or_else(|| nested(HfConfig::of(run.model).text, "quantization_config"));
    let Some(map) = quantized else { return Ok(()) };
    let text = |key: &str| map.get(key).and_then(Json::as_str).unwrap_or_default().to_ascii_lowercase();
    let method = text("quant_method");
    let least = match method.as_str() {
        "mxfp8" => (10, 0),
        "modelopt" if text("quant_algo") == "fp8" => (8, 9),
        "fp8" | "gptq" | "mxfp4" | "modelopt" => (8, 0),
        "awq" => (7, 5),
        _ => (7, 0),
    };
    if own >= least {
        return Ok(());
    }
    Err(Error::refused(
        Code::SglangQuantizationCapability,
        say!(
            "weights in {0} need a GPU of compute capability {1}.{2}, this one has {3}.{4}",
            method,
            least.0,
            least.1,
            own.0,
            own.1
        ),
    )
    .about("--gpu")
    .way_out(words!("name another GPU with --gpu")))
}

/// Prediction layers that `--speculative mtp:N` adds: all that the checkpoint has, whatever N is
/// (`SpecAuxHiddenStateConfig.eagle_draft_num_layers`).
fn drafts(run: &ResolvedRequest<'_>) -> Result<u64> {
    let Some(speculative) = &run.request.speculative else { return Ok(0) };
    let refused = |want: Words| Err(Error::bad_value("--speculative", speculative.to_string(), want));
    let not_restated = |want| refused(want).map_err(|error| error.coded(Code::SglangNotRestatedDrafts));
    let layers =
        HfConfig::of(run.model).text.get("num_nextn_predict_layers").and_then(Json::as_u64).unwrap_or(0);
    let class = run.model.architecture.as_str();
    match speculative {
        Speculative::Mtp(_) if layers == 0 => refused(words!("left out: the model has no prediction layers")),
        Speculative::Mtp(_)
            if classes::is_v4(class)
                || classes::has_window_pool(class)
                || super::states::kept(&run.model.layers) =>
        {
            not_restated(words!(
                "left out: kvplan has no rule for SGLang's draft pools of windows, states and compressed rows"
            ))
        }
        Speculative::Mtp(_) => Ok(layers),
        // drafts come from the prompt: no layers
        Speculative::Ngram(_) if !super::states::kept(&run.model.layers) && !classes::is_v4(class) => Ok(0),
        _ => not_restated(words!(
            "mtp:N or left out: kvplan has no rule for SGLang's other drafts of this model"
        )),
    }
}

/// `major.minor` of the GPU; Hopper where no GPU is named.
pub(super) fn capability(run: &ResolvedRequest<'_>) -> (u64, u64) {
    run.request.gpu.as_ref().and_then(|gpu| gpu.capability()).unwrap_or((9, 0))
}

/// Whether the engine serves the model with its `dsa` backend: a latent class with an indexer.
pub(super) fn is_sparse(run: &ResolvedRequest<'_>) -> bool {
    let mut stores = run.model.layers.iter().flat_map(|layer| &layer.stores);
    classes::is_deepseek(&run.model.architecture)
        && stores.any(|store| matches!(store.content, Content::IndexKey { .. }))
}

fn has_latent(run: &ResolvedRequest<'_>) -> bool {
    let latent = |store: &Store| matches!(store.content, Content::Latent { .. });
    run.model
        .layers
        .iter()
        .flat_map(|layer| &layer.stores)
        .any(|store| store.is_kept_by("sglang") && latent(store))
}

/// Dtype of the cache (`--kv-cache-dtype`). `auto` is the model's dtype, or fp8 where the checkpoint or the
/// class asks for it.
fn cache_dtype(run: &ResolvedRequest<'_>, capability: (u64, u64)) -> Result<DType> {
    let request = run.request;
    let given = flag_support::kv_dtype(request);
    let (k, _) = kv_dtypes(request, run.model.dtype)?;
    if given.is_some() && ![DType::BF16, DType::FP8].contains(&k) {
        return Err(Error::bad_value(
            "--kv-dtype",
            k.name,
            words!("auto, bf16 or fp8 (SGLang's fp8_e4m3): kvplan has no rule for its other types"),
        )
        .coded(Code::SglangNotRestatedKvDtype));
    }
    if given.is_some() {
        return Ok(k);
    }
    let class = run.model.architecture.as_str();
    let fp8 = classes::is_v4(class)
        || is_sparse(run) && capability.0 >= 10
        || !is_sparse(run) && checkpoint_says_fp8(run);
    Ok(if fp8 {
        DType::FP8
    } else if is_sparse(run) || k == DType::F32 {
        // Models in f32 are served in 16 bits.
        DType::BF16
    } else {
        k
    })
}

/// The cache type of a ModelOpt checkpoint (`layers/quantization/modelopt_quant.py`).
fn checkpoint_says_fp8(run: &ResolvedRequest<'_>) -> bool {
    let Some(outer) = nested(&run.model.config, "quantization_config") else { return false };
    let map = if outer.contains_key("quant_algo") { Some(outer) } else { nested(outer, "quantization") };
    let Some(map) = map.filter(|map| map.contains_key("quant_algo")) else { return false };
    match nested(map, "kv_cache_scheme") {
        Some(scheme) => {
            scheme.get("type").and_then(Json::as_str) == Some("float")
                && scheme.get("num_bits").and_then(Json::as_u64) == Some(8)
        }
        None => map
            .get("kv_cache_quant_algo")
            .and_then(Json::as_str)
            .is_some_and(|name| name.eq_ignore_ascii_case("fp8")),
    }
}

/// Tokens of a page, and the attention backend.
fn page(run: &ResolvedRequest<'_>, capability: (u64, u64)) -> Result<(u64, String)> {
    let class = run.model.architecture.as_str();
    let backend = match run.request.attention_backend.as_deref() {
        Some(name) => name.to_ascii_lowercase(),
        None => default_backend(run, capability).to_owned(),
    };
    if classes::is_v4(class) {
        return Ok((256, backend));
    }
    if is_sparse(run) {
        return Ok((64, backend));
    }
    if capability.0 == 10 && run.request.attention_backend.is_none() && classes::pages_by_prefix(class) {
        return Ok((if run.request.prefix_caching.unwrap_or(true) { 1 } else { 64 }, backend));
    }
    let asked = run.request.block_size;
    let one_of = |sizes: &[u64]| asked.filter(|size| sizes.contains(size)).unwrap_or(64);
    let page = match backend.as_str() {
        "flashmla" => 64,
        "trtllm_mla" | "cutedsl_mla" => one_of(&[32, 64]),
        "trtllm_mha" => one_of(&[16, 32, 64, 128]),
        "hpc_ops" => 64,
        "fa4" if capability.0 == 10 && !has_latent(run) => 128,
        "fa3" | "fa4" | "flashinfer" | "triton" | "torch_native" | "flex_attention" => asked.unwrap_or(1),
        _ => {
            return Err(Error::bad_value(
                "--attention-backend",
                backend,
                words!(
                    "one of fa3, fa4, flashinfer, triton, flashmla, trtllm_mla, cutedsl_mla, trtllm_mha, hpc_ops, \
                 torch_native or flex_attention"
                ),
            ));
        }
    };
    Ok((page, backend))
}

/// A note where the engine sets the page itself, whatever `--block-size` says.
pub(super) fn page_note(run: &ResolvedRequest<'_>, page: u64) -> Option<Note> {
    let asked = run.request.block_size.filter(|&asked| asked != page)?;
    let text = say!(
        "SGLang takes pages of {0} tokens for this model and backend, not --block-size {1}",
        page,
        asked
    );
    Some(Note::new("page_of_engine", text))
}

/// The backend that the engine picks on an NVIDIA GPU (`get_default_attn_backend`, `_gpt_oss_overrides`).
fn default_backend(run: &ResolvedRequest<'_>, capability: (u64, u64)) -> &'static str {
    let uneven =
        |store: &Store| matches!(store.content, Content::KeysValues { k_dim, v_dim, .. } if k_dim != v_dim);
    let class = run.model.architecture.as_str();
    let stores = || run.model.layers.iter().flat_map(|layer| &layer.stores);
    let looks_up = matches!(run.request.speculative, Some(Speculative::Ngram(_)));
    match (capability.0, has_latent(run)) {
        (9, _) if class == "BeamForCausalLM" => "trtllm_mha",
        (9, _) => "fa3",
        (10, true) if classes::is_deepseek(class) || class == "KimiK3ForConditionalGeneration" => {
            "trtllm_mla"
        }
        (10, true) => "flashinfer",
        (10, false) if class == "FalconH1ForCausalLM" => "triton",
        (10, _) if class == "GptOssForCausalLM" => "trtllm_mha",
        (_, false) if class == "GptOssForCausalLM" => "triton",
        (10, false) if looks_up && !class.starts_with("MiMoV2") => "flashinfer",
        (10, false) if stores().any(uneven) => "fa4",
        (10, false) => "trtllm_mha",
        (_, true) => "triton",
        (_, false) => "flashinfer",
    }
}
