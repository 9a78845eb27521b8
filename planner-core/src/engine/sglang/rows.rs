//! What one token and one request cost in each layer, on one rank.

use serde_json::Value as Json;

use super::classes;
use super::settings::{Settings, is_sparse};
use super::states;
use crate::dtype::DType;
use crate::engine::ResolvedRequest;
use crate::error::{Code, Error, Result};
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Content, Extent, Layer, Store};
use crate::text::Sentence;
use crate::units::{product, sum};

/// `DSATokenToKVPool.quant_block_size`: elements that share one f32 scale.
const SCALE_BLOCK: u64 = 128;

/// Bytes of a layer, or of the layers of a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// One token in the full pool.
    pub full: u64,
    /// One token in the window pool.
    pub window: u64,
    /// One state slot.
    pub state: u64,
}

impl Cost {
    pub fn plus(self, other: Self) -> Result<Self> {
        let add = |a, b| sum(words!("bytes of a row"), [a, b]);
        Ok(Self {
            full: add(self.full, other.full)?,
            window: add(self.window, other.window)?,
            state: add(self.state, other.state)?,
        })
    }
}

/// Every layer's cost, and the longest window of the window pool.
pub(super) fn layers(run: &ResolvedRequest<'_>, settings: &Settings) -> Result<(Vec<Cost>, Option<u64>)> {
    let model = run.model;
    let stateful = states::kept(&model.layers);
    let mut window = None;
    let mut costs = Vec::new();
    // Where the engine counts layers and not caches, a layer without a cache gets the rows of the first layer
    // that has one.
    let first = model.layers.iter().find(|layer| rows_of(layer).next().is_some());
    for layer in &model.layers {
        let owner = layer.owner.and_then(|owner| model.layers.get(owner as usize));
        let mut source = owner.unwrap_or(layer);
        if rows_of(source).next().is_none() && !stateful {
            source = first.unwrap_or(source);
        }
        let mut cost = Cost::default();
        for store in stores(source) {
            cost = cost.plus(one(run, settings, store, &mut window)?)?;
        }
        costs.push(cost);
    }
    Ok((costs, window))
}

/// Whether the class has a pool for window layers (`is_hybrid_swa_model`). Beam has one only where a layer has
/// a window, Laguna only where `sliding_window` is not 0.
pub(super) fn has_window_pool(run: &ResolvedRequest<'_>) -> bool {
    let model = run.model;
    match model.architecture.as_str() {
        "BeamForCausalLM" => model.layers.iter().flat_map(stores).any(|store| window_of(store).is_some()),
        "LagunaForCausalLM" => {
            HfConfig::of(model).text.get("sliding_window").and_then(Json::as_u64) != Some(0)
        }
        class => classes::has_window_pool(class),
    }
}

fn window_of(store: &Store) -> Option<u64> {
    match store.extent {
        Extent::Window(n) | Extent::Chunk(n) => Some(n),
        _ => None,
    }
}

/// Adds what the prediction layers cost to a stage of `layers` layers: each costs a layer's share of the rows'
/// bytes, and an index key where the model is sparse.
pub(super) fn with_drafts(
    run: &ResolvedRequest<'_>,
    settings: &Settings,
    stage: Cost,
    layers: u64,
) -> Result<Cost> {
    if settings.drafts == 0 || layers == 0 {
        return Ok(stage);
    }
    let mut keys = 0;
    let mut largest = 0;
    for store in run.model.layers.iter().flat_map(stores) {
        if matches!(store.content, Content::IndexKey { .. }) {
            let own = one(run, settings, store, &mut None)?.full;
            keys = sum(words!("bytes of a row"), [keys, own])?;
            largest = own.max(largest);
        }
    }
    let rows =
        product(words!("bytes of a row"), &[stage.full.saturating_sub(keys), settings.drafts])? / layers;
    let drafts = [stage.full, rows, product(words!("bytes of a row"), &[largest, settings.drafts])?];
    Ok(Cost { full: sum(words!("bytes of a row"), drafts)?, ..stage })
}

fn stores(layer: &Layer) -> impl Iterator<Item = &Store> {
    layer.stores.iter().filter(|store| store.is_kept_by("sglang"))
}

fn rows_of(layer: &Layer) -> impl Iterator<Item = &Store> {
    stores(layer).filter(|store| !matches!(store.content, Content::State { .. }))
}

fn one(
    run: &ResolvedRequest<'_>,
    settings: &Settings,
    store: &Store,
    window: &mut Option<u64>,
) -> Result<Cost> {
    let (tp, dtype) = (run.parallel.tp, settings.dtype);
    let class = run.model.architecture.as_str();
    let not_covered = |what: Sentence| {
        let refusal = Error::refused(Code::SglangNotRestatedCache, what).about(class);
        refusal.way_out(say!("use {0}", "--engine vllm"))
    };
    if store.tokens_per_row > 1 {
        return Err(not_covered(words!("a compressed cache").into()));
    }
    let row = match store.content {
        Content::State { .. } => {
            return Ok(Cost { state: states::bytes(run, store)?, ..Cost::default() });
        }
        Content::KeysValues { heads, k_dim, v_dim } => {
            let wide = sum(words!("width"), [k_dim, v_dim])?;
            product(words!("bytes of a row"), &[(heads / tp).max(1), wide, dtype.bytes])?
        }
        Content::Latent { .. } if !classes::stores_latents(class) => {
            return Err(not_covered(say!("the latent cache of `{0}`", class)));
        }
        Content::Latent { rank, rope } => latent(run, settings, rank, rope)?,
        Content::IndexKey { .. } if !is_sparse(run) => {
            return Err(not_covered(say!("the indexer of `{0}`", class)));
        }
        Content::IndexKey { heads, dim } => {
            product(words!("bytes of a row"), &[heads, sum(words!("width"), [dim, dim / SCALE_BLOCK * 4])?])?
        }
        // The encoder's tokens take rows of the same pool, in every layer.
        Content::Cross { heads, k_dim, v_dim } if class == "MllamaForConditionalGeneration" => {
            let wide = sum(words!("width"), [k_dim, v_dim])?;
            product(words!("bytes of a row"), &[(heads / tp).max(1), wide, dtype.bytes])?
        }
        Content::Cross { .. } => return Err(not_covered(words!("cross-attention").into())),
    };
    let Some(tokens) = window_of(store).filter(|_| has_window_pool(run)) else {
        return Ok(Cost { full: row, ..Cost::default() });
    };
    *window = Some(window.map_or(tokens, |longest: u64| longest.max(tokens)));
    Ok(Cost { window: row, ..Cost::default() })
}

/// Bytes of a latent. A sparse one in fp8 has a scale for every 128 elements and its rotary part in bf16,
/// except under TensorRT-LLM's kernels on Blackwell (`calculate_mla_kv_cache_dim`).
fn latent(run: &ResolvedRequest<'_>, settings: &Settings, rank: u64, rope: u64) -> Result<u64> {
    let scaled = is_sparse(run) && settings.dtype == DType::FP8 && settings.capability.0 < 10;
    if scaled {
        return sum(
            words!("bytes of a row"),
            [rank, rank / SCALE_BLOCK * 4, product(words!("bytes of a row"), &[rope, 2])?],
        );
    }
    product(words!("bytes of a row"), &[sum(words!("width"), [rank, rope])?, settings.dtype.bytes])
}
