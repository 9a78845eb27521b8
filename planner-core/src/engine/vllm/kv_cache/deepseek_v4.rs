//! DeepSeek-V4: window caches, compressed caches and their compressors side by side in a block.
//!
//! Restates `get_kv_cache_spec` of `vllm/models/deepseek_v4/attention.py`, `compressor.py` and of
//! `vllm/v1/attention/backends/mla/sparse_swa.py`, and `get_compress_ratios` of
//! `vllm/transformers_utils/deepseek_v4_utils.py`, vLLM 0.33.0. Every cache is `fp8_ds_mla`: 448 fp8
//! values, 64 bf16 values and 8 bytes of scales, 584 B a state; pages are padded to 576 B.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::group::Group;
use super::rank::{RankSpecs, Stages};
use super::spec::{Identity, Kind, PageStride, Spec, Specs, StaticName, TokensPerState};
use crate::engine::vllm::backend::{Backend, Context, ModelBackend};
use crate::engine::vllm::math::round_up;
use crate::error::{Code, Error};
use crate::spec::hf_config::{HfConfig, whole};

/// Bytes of a stored state.
const STATE: u64 = 584;
/// Pages are padded to a multiple of this.
const ALIGNMENT: u64 = 576;
/// Tokens of a block in a window cache.
const WINDOW_BLOCK: u64 = 64;
/// Tokens of a block of the run, unless the user sets them.
const BLOCK: u64 = 256;
/// Stands for a prediction layer's position.
const DRAFT: u64 = u64::MAX;

/// Whether the model is a DeepSeek-V4.
pub fn is(config: HfConfig) -> bool {
    config.model_type == "deepseek_v4"
}

/// Tokens that share a state, layer by layer; 0 where the layer has a window only.
fn ratios(config: HfConfig) -> Result<Vec<u64>, Error> {
    if let Some(list) = config.get("compress_ratios").and_then(Json::as_array) {
        return Ok(list.iter().filter_map(whole).collect());
    }
    let types = config.get("layer_types").and_then(Json::as_array);
    let rates = config.object("compress_rates");
    match (types, rates) {
        (Some(types), Some(rates)) => Ok(types
            .iter()
            .map(|t| t.as_str().and_then(|name| rates.get(name)).and_then(whole).unwrap_or(0))
            .collect()),
        _ => Err(Error::refused(
            Code::VllmDeepseekV4Ratio,
            words!("config.json has neither `compress_ratios` nor `compress_rates`"),
        )),
    }
}

fn own(name: &'static str, multiple: u64, preferred: u64, packed: bool) -> Backend {
    Backend::OfModel(ModelBackend { name, multiple, preferred, packed })
}

/// Specs, their ranks, the block size and the backends.
///
/// # Errors
/// Another cache type, a ratio without a compressor, a setting that the engine refuses.
pub fn plan(
    config: HfConfig,
    context: &mut Context,
    user_block: Option<u64>,
    drafts: u64,
    stages: &Stages,
) -> Result<RankSpecs, Error> {
    if context.cache_dtype != "auto" && !context.cache_dtype.starts_with("fp8") {
        return Err(Error::quoted(
            Code::VllmDeepseekV4Dtype,
            format!(
                "DeepSeek-V4 needs an fp8 kv-cache, got {0}. Please set --kv-cache-dtype fp8.",
                context.cache_dtype
            ),
        )
        .about("--kv-dtype")
        .way_out(say!("use {0}", "--kv-dtype fp8")));
    }
    if let Some(backend @ (Backend::FlashInferMlaSparse | Backend::FlashInferMlaSparseSm120)) = context.forced
    {
        return Err(Error::quoted(
            Code::VllmDeepseekV4Backend,
            format!("{0} is not a DeepSeek V4 attention backend.", backend.name()),
        )
        .about("--attention-backend")
        .way_out(words!("leave --attention-backend out")));
    }
    if context.device.major == 12 && context.forced != Some(Backend::FlashMlaSparse) {
        return Err(Error::quoted(Code::VllmDeepseekV4Kernel, "FLASHINFER_MLA_SPARSE_DSV4 on SM120 requires a FlashInfer DSV4 sparse MLA decode specialization, \
             which `pip install vllm` does not bring.").about("--gpu").way_out(say!("use {0}", "--attention-backend FLASHMLA_SPARSE")));
    }
    context.cache_dtype = "fp8_ds_mla";
    let block = user_block.unwrap_or(BLOCK);
    let head = config.number(&["head_dim"]).unwrap_or(512);
    let index = config.number(&["index_head_dim"]).unwrap_or(128);
    let window = config.number(&["sliding_window"]).unwrap_or(128);
    let ratios = ratios(config)?;
    if ratios.iter().any(|&ratio| ratio > 0) && head != 512 {
        return Err(Error::quoted(
            Code::VllmDeepseekV4Width,
            format!("Unsupported head_dim for fused quant+cache: {head}"),
        )
        .about("head_dim"));
    }
    if ratios.contains(&4) && index != 128 {
        return Err(Error::quoted(
            Code::VllmDeepseekV4Width,
            format!("Unsupported head_dim for fused quant+cache: {index}"),
        )
        .about("index_head_dim"));
    }
    let mut specs = Specs::default();
    let mut ranks = Vec::new();
    let mut push = |layer: u64, spec: Spec| {
        specs.add(spec);
        ranks.push(stages.rank(layer, layer == DRAFT));
    };
    for layer in 0..stages.layers() {
        let ratio = ratios.get(layer as usize).copied().unwrap_or(0);
        if ratio == 4 {
            push(layer, compressed(block, 4, [index + 4; 2], "index"));
            push(layer, compressor(4, index)?);
        }
        push(layer, cache(Kind::SlidingMla { window }, WINDOW_BLOCK, 1, [head, STATE], "window"));
        if ratio > 0 {
            push(layer, compressed(block, ratio, [head, STATE], "compressed"));
            push(layer, compressor(ratio, head)?);
        }
    }
    // prediction layers have a window only, and are on the last rank
    for _ in 0..drafts {
        push(DRAFT, cache(Kind::SlidingMla { window }, WINDOW_BLOCK, 1, [head, STATE], "window"));
    }
    let backends = vec![
        own("CompressorBackend", 1, 16, false),
        own("DEEPSEEK_SPARSE_SWA", 32, 256, false),
        own("DEEPSEEK_V4_INDEXER", 0, 256, true),
        own("FLASHMLA_SPARSE_DSV4", 0, 256, false),
    ];
    Ok(RankSpecs { specs, ranks, block_size: block, backends })
}

/// Bytes of one block id where layers of all groups share tensors (`_get_kv_cache_config_deepseek_v4`, vLLM
/// 0.22.1). They are the sum of the full caches' page sizes, each size once, times the most layers that have
/// one page size in any group.
pub fn tuple_bytes(groups: &[Group]) -> u64 {
    let sizes = |group: &Group| {
        let pages = group.specs.of().iter().filter_map(|kind| group.specs.kinds().get(*kind)).map(Spec::page);
        pages.fold(BTreeMap::new(), |mut counts: BTreeMap<u64, u64>, page| {
            *counts.entry(page).or_default() += 1;
            counts
        })
    };
    let tuples = groups.iter().filter_map(|group| sizes(group).into_values().max()).max().unwrap_or(0);
    let full = groups.iter().find(|group| group.spec.is_full());
    let page = full.map_or(0, |group| sizes(group).into_keys().fold(0, u64::saturating_add));
    page.saturating_mul(tuples)
}

/// The spec of a cache: a state is `width` elements wide and takes `content` bytes.
fn cache(kind: Kind, block: u64, ratio: u64, [width, content]: [u64; 2], role: &'static str) -> Spec {
    let spec = Spec {
        kind,
        block_size: block,
        slots: 1,
        content,
        per_state: TokensPerState::tokens(ratio),
        padded: None,
        stride: PageStride::Free,
        dcp_sharded: true,
        identity: Identity::of(StaticName(role), 1, width),
    };
    let page = round_up(spec.natural_page(), ALIGNMENT);
    if page == spec.natural_page() { spec } else { Spec { padded: Some(page), ..spec } }
}

fn compressed(block: u64, ratio: u64, state: [u64; 2], role: &'static str) -> Spec {
    cache(Kind::Mla, block, ratio, state, role)
}

/// `CompressorStateCache`: keys and scores in f32, twice as wide where windows overlap.
fn compressor(ratio: u64, head: u64) -> Result<Spec, Error> {
    let (block, overlap) = match ratio {
        4 => (4, 2),
        128 => (8, 1),
        _ => {
            return Err(Error::quoted(Code::VllmDeepseekV4Ratio, format!("Invalid compress ratio: {ratio}"))
                .about("compress_ratios"));
        }
    };
    let kind = Kind::SlidingMla { window: overlap * ratio };
    let width = 2 * overlap * head;
    Ok(cache(kind, block, 1, [width, width * 4], "compressor"))
}
