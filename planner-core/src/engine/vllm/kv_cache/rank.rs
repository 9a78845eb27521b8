//! What every pipeline rank decides for its own layers: block sizes, and the specs that follow.
//!
//! Restates `update_block_size_for_backend` and `_check_aligned_block_size` of `vllm/platforms/interface.py`
//! as the worker of a rank calls them, vLLM 0.33.0.

use super::block_size::{self, Blocks};
use super::build_specs::{self, LayerBackend};
use super::layers::Cache;
use super::spec::Specs;
use crate::engine::vllm::backend::inputs;
use crate::engine::vllm::backend::{Backend, Context};
use crate::engine::vllm::math::lcm;
use crate::engine::vllm::model::dtype;
use crate::engine::vllm::settings::Settings;
use crate::error::{Code, Error};
use crate::parallel::stages;

/// Which pipeline rank a layer is on.
#[derive(Debug)]
pub struct Stages {
    ends: Vec<u64>,
}

impl Stages {
    /// For `layers` layers on `pp` ranks.
    pub fn of(layers: u64, pp: u64) -> Self {
        let mut end = 0;
        let ends = stages(layers, pp).into_iter().map(|n| {
            end += n;
            end
        });
        Self { ends: ends.collect() }
    }

    /// Layers in all.
    pub fn layers(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The rank of a layer; drafts are on the last rank.
    pub fn rank(&self, layer: u64, draft: bool) -> u64 {
        let last = (self.ends.len() as u64).saturating_sub(1);
        let at = self.ends.iter().position(|end| layer < *end);
        if draft { last } else { at.map_or(last, |rank| rank as u64) }
    }
}

/// The specs of all ranks.
#[derive(Debug)]
pub struct RankSpecs {
    /// Specs in the model's order.
    pub specs: Specs,
    /// Pipeline rank of each spec.
    pub ranks: Vec<u64>,
    /// Tokens of a block of the run, by the first rank.
    pub block_size: u64,
    /// Backends in the order of the layers.
    pub backends: Vec<Backend>,
}

/// Facts of the whole run that a rank depends on.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Settings of the run.
    pub set: &'a Settings,
    /// Whether the model has both attention and states.
    pub hybrid: bool,
    /// Whether states are kept block by block.
    pub align: bool,
    /// Layers of the configuration.
    pub layers: u64,
}

/// Builds the specs of all ranks; `rank` gives the rank of a cache.
///
/// # Errors
/// Backends without a common block size.
pub fn specs(
    context: &Context,
    served: &[LayerBackend],
    rules: Rules,
    rank: impl Fn(&LayerBackend) -> u64,
) -> Result<RankSpecs, Error> {
    let ranks: Vec<u64> = served.iter().map(rank).collect();
    let of = |stage: u64| served.iter().zip(&ranks).filter(move |(_, rank)| **rank == stage).map(|(s, _)| s);
    let blocks: Result<Vec<Blocks>, Error> =
        (0..rules.set.pp).map(|stage| blocks(context, || of(stage), rules)).collect();
    let blocks = blocks?;
    // caches seen before: rank, backend, and the kind of their spec
    let mut seen: Vec<(u64, &LayerBackend, usize)> = Vec::new();
    let mut specs = Specs::default();
    for (served, rank) in served.iter().zip(&ranks) {
        let known = seen.iter().find(|(other, before, _)| other == rank && before.alike(served));
        let kind = match known {
            Some((.., kind)) => *kind,
            None => {
                let own = blocks.get(*rank as usize).ok_or_else(|| {
                    Error::refused(
                        Code::VllmEmptyRank,
                        words!("it asserts that every layer is on a pipeline rank"),
                    )
                })?;
                let kind = specs.kind(build_specs::spec(context, served, own, rules.set.drafts));
                seen.push((*rank, served, kind));
                kind
            }
        };
        specs.push(kind);
    }
    let block_size = blocks.first().map_or(16, |first| first.attention);
    Ok(RankSpecs { specs, ranks, block_size, backends: backends(served.iter()) })
}

fn backends<'a>(served: impl Iterator<Item = &'a LayerBackend>) -> Vec<Backend> {
    let mut backends: Vec<Backend> = Vec::new();
    for backend in served.filter_map(|s| s.backend) {
        if !backends.contains(&backend) {
            backends.push(backend);
        }
    }
    backends
}

fn blocks<'a, I: Iterator<Item = &'a LayerBackend>>(
    context: &Context,
    own: impl Fn() -> I,
    rules: Rules,
) -> Result<Blocks, Error> {
    let backends = backends(own());
    let base = block_size::preferred(context, &backends)?;
    let states = || {
        own().filter_map(|s| match &s.fact.cache {
            Cache::State(state) => Some(state),
            _ => None,
        })
    };
    let state_block = if rules.align { context.user_block.unwrap_or(16) } else { rules.set.max_model_len };
    let mut blocks = Blocks { attention: base, state: state_block, state_page: None, skipped_page: None };
    let Some(first) = backends.first().copied() else { return Ok(blocks) };
    if rules.hybrid {
        let checkpoint =
            if rules.align { states().try_fold(1, |all, s| Some(lcm(all, s.alignment?))) } else { None };
        let (token, latent) = widest_token(context, &own, first);
        let largest = states().map(|s| s.bytes).max().unwrap_or(0);
        let made = block_size::align(context, &backends, base, token, largest, latent, checkpoint);
        blocks = Blocks { state: if rules.align { made.state } else { state_block }, ..made };
    }
    if (0..rules.layers).any(|layer| inputs::skipped(context.cache_dtype, rules.layers, rules.hybrid, layer))
    {
        let (quantized, _) = widest_token(context, &own, first);
        let plain = build_specs::token_bytes(
            Backend::FlashAttn,
            "auto",
            widest_heads(&own),
            context.head_size,
            context.model_bytes,
        );
        blocks = block_size::align_skipped(context, first, blocks, quantized, plain);
    }
    let rejecting = backends.iter().find(|b| !b.takes(context, blocks.attention));
    match rejecting.filter(|_| blocks.attention != base) {
        Some(backend) => Err(Error::quoted(
            Code::VllmAlignedBlockSize,
            format!(
                "Aligned KV cache block size {0} is not supported by attention backend(s): {1}.",
                blocks.attention,
                backend.name()
            ),
        )),
        None => Ok(blocks),
    }
}

/// Bytes of one token in one attention layer, as the platform's alignment counts them.
fn widest_token<'a, I: Iterator<Item = &'a LayerBackend>>(
    context: &Context,
    own: impl Fn() -> I,
    first: Backend,
) -> (u64, bool) {
    let kv = context.cache_dtype;
    let latent = own().find_map(|s| match s.fact.cache {
        Cache::Latent { rank, rope, .. } => Some(rank + rope),
        _ => None,
    });
    if let Some(width) = latent {
        return (width.saturating_mul(dtype::element(kv, context.model_bytes)), true);
    }
    let heads = widest_heads(own);
    (build_specs::token_bytes(first, kv, heads, context.head_size, context.model_bytes), false)
}

fn widest_heads<'a, I: Iterator<Item = &'a LayerBackend>>(own: impl Fn() -> I) -> u64 {
    let heads = own().filter_map(|s| match s.fact.cache {
        Cache::Attention { heads, cross: false, .. } => Some(heads),
        _ => None,
    });
    heads.max().unwrap_or(1)
}
