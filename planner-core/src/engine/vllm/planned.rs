//! A model and a run as vLLM plans them, and the answers that follow.

use serde_json::{Map, Value as Json, json};

use super::architectures;
use super::backend::{Backend, Context};
use super::block::{self, Blocks};
use super::capacity::{Ranks, logged};
use super::config::Config;
use super::draft;
use super::dtype;
use super::facts::{self, Cache};
use super::fields;
use super::group::{self, Group};
use super::layout;
use super::length;
use super::math::{gcd, lcm};
use super::refusal::Refusal;
use super::resolve::{self, Wish};
use super::select;
use super::settings::{self, Settings};
use super::shards;
use super::spec::{Kind, Run as Blocksof, Spec};
use super::specs::{self, Served};
use super::state::Setting;
use super::v4;
use crate::engine::{Details, Layout, Run};
use crate::error::{Error, Result};
use crate::parallel::stages;
use crate::request::Speculative;
use crate::spec::layer::{Content, Extent};
use crate::spec::model::Note;
use crate::units::product;

/// The planned run.
#[derive(Debug)]
pub struct Planned {
    settings: Settings,
    tokens: u64,
    ranks: Ranks,
    groups: Vec<Group>,
    block_size: u64,
    backends: Vec<&'static str>,
    cache_dtype: String,
    align_states: bool,
    encoder_tokens: u64,
    notes: Vec<Note>,
}

/// Plans a run.
///
/// # Errors
/// The engine's refusals, and what this rule does not restate.
pub fn plan(run: Run) -> std::result::Result<Planned, Refusal> {
    let model = run.model;
    let config = Config::of(model);
    let request = run.request;
    let kept = || model.layers.iter().flat_map(|l| &l.stores).filter(|s| s.is_kept_by("vllm"));
    let latent = facts::is_mla(config) && kept().any(|s| matches!(s.content, Content::Latent { .. }));
    let stateful = kept().any(|s| matches!(s.content, Content::State { .. }));
    let attends = kept().any(|s| !matches!(s.content, Content::State { .. }));
    let sparse = kept().any(|s| matches!(s.content, Content::IndexKey { .. }));
    let crosses = kept().any(|s| s.extent == Extent::Source);
    if let Some(why) = architectures::not_run(config, stateful, crosses) {
        return Err(Refusal::new(say!("Model architectures ['{0}'] {1}.", config.class, why)));
    }
    if let Some(why) = architectures::refused(config) {
        return Err(Refusal::new(why));
    }
    if let Some(key) = fields::missing(config) {
        return Err(Refusal::new(say!(
            "config.json says no `{0}`, which vLLM's {1} reads",
            key,
            config.class
        )));
    }
    length::check(&run, config)?;
    // the Transformers backend runs a sparse model as a dense one
    select::prefill(config, latent && !(sparse && architectures::known(config.class)))?;
    shards::check(&run, config)?;
    let set = settings::settings(&run, config, latent, stateful, attends)?;
    let given = dtype::name(request.kv_dtype.as_deref().unwrap_or("auto"))?;
    let hybrid = stateful && (attends || architectures::hybrid(config.class));
    let align_states = stateful && set.prefix_caching && hybrid;
    // float32 checkpoints run in half precision (`_resolve_auto_dtype` of `vllm/config/model.py`)
    let model_bytes = model.dtype.bytes.min(2);
    let state = Setting {
        tp: set.tp,
        drafts: set.drafts,
        device: &set.device,
        align: align_states,
        model_bytes,
        bf16: model.dtype.name != "f16" && set.device.major >= 8,
    };
    let mut facts = facts::facts(model, state)?;
    let drafted = draft::extend(&mut facts, config, run, model.config_layers)?;
    let wish = Wish {
        device: set.device.clone(),
        cache_dtype: resolve::cache_dtype(config, given, &set.device),
        model_bytes,
        dcp: set.dcp,
        block: request.block_size,
        backend: request.attention_backend.as_deref().map(Backend::parse).transpose()?,
        query_heads: model.attention_heads.unwrap_or(0) / set.tp,
    };
    let mut context = resolve::context(config, &facts, wish);
    let (specs, layers, block_size, backends) = if v4::is(config) {
        v4::plan(config, model, &mut context, request.block_size, drafted)?
    } else {
        let served = resolve::serve(config, &facts, &mut context, model.config_layers, hybrid)?;
        ordinary(&context, &served, &set, hybrid, align_states, model.config_layers)?
    };
    if specs.iter().any(|s| s.page() == 0) {
        return Err(Refusal::new(words!("ZeroDivisionError: a block of this size holds no whole state")));
    }
    let declared: Vec<&'static [layout::Layout]> =
        backends.iter().filter_map(|b| b.layouts(&context)).collect();
    let layout = layout::resolve(layout::supported(&declared)?, &specs)?;
    let groups = group::groups(&specs, layout, false)?;
    if groups.is_empty() {
        return Err(Refusal::new(words!("the model keeps no KV cache in vLLM")));
    }
    let stage_ends: Vec<u64> = stages(model.config_layers, set.pp)
        .iter()
        .scan(0, |end, n| {
            *end += n;
            Some(*end)
        })
        .collect();
    let stage = |i: usize| {
        let layer = layers.get(i).copied().unwrap_or(0);
        let at = stage_ends.iter().position(|end| layer < *end);
        at.map_or(set.pp - 1, |p| p as u64)
    };
    let ranks = Ranks::of(&groups, layout, set.pp, stage)?;
    let mut names: Vec<&'static str> = backends.iter().map(|b| b.name()).collect();
    names.extend(facts.iter().filter_map(|f| match f.cache {
        Cache::State(state) => Some(state.backend),
        _ => None,
    }));
    names.sort_unstable();
    names.dedup();
    let planned = Planned {
        tokens: run.tokens,
        notes: notes(&run, config, &set),
        ranks,
        groups,
        block_size,
        backends: names,
        cache_dtype: context.cache_dtype,
        align_states,
        encoder_tokens: if crosses { set.batched } else { 0 },
        settings: set,
    };
    planned.ranks.checked_blocks(&planned.run_of(planned.settings.max_model_len))?;
    Ok(planned)
}

fn notes(run: &Run, config: Config, set: &Settings) -> Vec<Note> {
    let mut notes = Vec::new();
    if !set.device_known {
        notes.push(Note::new(
            "vllm_device_assumed",
            words!(
                "no GPU of known compute capability named: vLLM's backends and block size are those of \
             Hopper (9.0)"
            ),
        ));
    }
    if !architectures::known(config.class) {
        notes.push(Note::new(
            "vllm_class_unknown",
            say!(
                "vLLM 0.33.0 does not build `{0}` itself: the figures are those of its general rule",
                config.class
            ),
        ));
    }
    if let Some(Speculative::Eagle(_)) = run.request.speculative {
        notes.push(Note::new(
            "vllm_draft_assumed",
            words!("the EAGLE head is taken to be one layer of the model's own heads and widths: one of another shape \
             takes other pages"),
        ));
    }
    if settings::old(run.request.engine_version) {
        notes.push(Note::new(
            "vllm_version",
            words!("of this version only the reserve of window layers for tokens in flight is restated; the rest \
             is that of 0.33.0"),
        ));
    }
    notes
}

type Made = (Vec<Spec>, Vec<u64>, u64, Vec<Backend>);

fn ordinary(
    context: &Context,
    served: &[Served],
    set: &Settings,
    hybrid: bool,
    align: bool,
    config_layers: u64,
) -> std::result::Result<Made, Refusal> {
    let mut backends: Vec<Backend> = Vec::new();
    for backend in served.iter().filter_map(|s| s.backend) {
        if !backends.contains(&backend) {
            backends.push(backend);
        }
    }
    let base = block::preferred(context, &backends)?;
    let states: Vec<_> = served
        .iter()
        .filter_map(|s| match s.fact.cache {
            Cache::State(state) => Some(state),
            _ => None,
        })
        .collect();
    let state_block = if align { context.user_block.unwrap_or(16) } else { set.max_model_len };
    let mut blocks = Blocks { attention: base, state: state_block, state_page: None, skipped_page: None };
    if hybrid && !backends.is_empty() && !states.is_empty() {
        let checkpoint =
            if align { states.iter().try_fold(1, |all, s| Some(lcm(all, s.alignment?))) } else { None };
        let (token, latent) = widest_token(context, served, &backends);
        let largest = states.iter().map(|s| s.bytes).max().unwrap_or(0);
        let made = block::align(context, &backends, base, token, largest, latent, checkpoint);
        blocks = Blocks { state: if align { made.state } else { state_block }, ..made };
    }
    if let Some(first) = backends.first()
        && (0..config_layers)
            .any(|layer| resolve::skipped(&context.cache_dtype, config_layers, hybrid, layer))
    {
        let (quantized, _) = widest_token(context, served, &backends);
        let plain = plain_token(context, served);
        blocks = block::align_skipped(context, *first, blocks, quantized, plain);
    }
    let drafts = set.drafts;
    let specs: Vec<Spec> = served.iter().map(|s| specs::spec(context, s, &blocks, drafts)).collect();
    let layers = served.iter().map(|s| if s.fact.draft { u64::MAX } else { s.fact.layer }).collect();
    Ok((specs, layers, blocks.attention, backends))
}

/// Bytes of one token in one attention layer as the platform's alignment counts them.
fn widest_token(context: &Context, served: &[Served], backends: &[Backend]) -> (u64, bool) {
    let kv = context.cache_dtype.as_str();
    let latent = served.iter().find_map(|s| match s.fact.cache {
        Cache::Latent { rank, rope, .. } if !s.fact.draft => Some(rank + rope),
        _ => None,
    });
    if let Some(width) = latent {
        return (width.saturating_mul(dtype::element(kv, context.model_bytes)), true);
    }
    let heads = served.iter().filter_map(|s| match s.fact.cache {
        Cache::Attention { heads, cross: false, .. } if !s.fact.draft => Some(heads),
        _ => None,
    });
    let backend = backends.first().copied().unwrap_or(Backend::FlashAttn);
    let heads = heads.max().unwrap_or(1);
    (specs::token_bytes(backend, kv, heads, context.head_size, context.model_bytes), false)
}

fn plain_token(context: &Context, served: &[Served]) -> u64 {
    let heads = served.iter().filter_map(|s| match s.fact.cache {
        Cache::Attention { heads, cross: false, .. } => Some(heads),
        _ => None,
    });
    let heads = heads.max().unwrap_or(1);
    specs::token_bytes(Backend::FlashAttn, "auto", heads, context.head_size, context.model_bytes)
}

impl Planned {
    fn run_of(&self, max_model_len: u64) -> Blocksof {
        Blocksof {
            max_model_len,
            in_flight: self.settings.batched.saturating_mul(self.settings.batches),
            dcp: self.settings.dcp,
            align_states: self.align_states,
            encoder_tokens: self.encoder_tokens,
        }
    }

    fn blocks(&self, tokens: u64) -> Result<u64> {
        let longest = self.settings.max_model_len.max(tokens);
        self.ranks.session_blocks(tokens, &self.run_of(longest)).map_err(refused)
    }

    /// Bytes of `blocks` block ids on all GPUs of a replica.
    fn everywhere(&self, blocks: u64) -> Result<u64> {
        let ranks = self.ranks.block_bytes.iter().fold(0, |all: u64, b| all.saturating_add(*b));
        product(words!("bytes of a session"), &[ranks, blocks, self.settings.tp])
    }

    /// Shortest shared prefix that can be reused: the grain of cache hits
    /// (`resolve_kv_cache_block_sizes`, `resolve_cache_hit_alignment_tokens`).
    fn hit_tokens(&self) -> Option<u64> {
        if !self.settings.prefix_caching {
            return None;
        }
        let span = |g: &Group| {
            g.spec.block_size.saturating_mul(if g.spec.dcp_sharded { self.settings.dcp } else { 1 })
        };
        let cached = || self.groups.iter().filter(|g| g.spec.kind != Kind::Ring);
        let coarse = self.groups.iter().map(span).fold(1, lcm);
        let fine = cached().map(span).fold(0, gcd);
        let split = self.groups.len() > 1
            && self.align_states
            && cached().any(|g| matches!(g.spec.kind, Kind::State { .. }) && g.spec.block_size > fine);
        Some(if split { fine } else { coarse })
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::unsupported(words!("this setting in vLLM"), refusal.0)
}

impl Layout for Planned {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        self.everywhere(self.blocks(tokens)?)
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        // the pool keeps one block back, and must hold one request of the longest length
        let longest = self.settings.max_model_len.max(tokens);
        let least = self.ranks.checked_blocks(&self.run_of(longest)).map_err(refused)?;
        let sessions = product(words!("blocks of all sessions"), &[self.blocks(tokens)?, users])?;
        let blocks = sessions.max(least).saturating_add(1);
        self.ranks
            .block_bytes
            .iter()
            .map(|bytes| product(words!("bytes of all sessions"), &[*bytes, blocks]))
            .collect()
    }

    fn floor_bytes(&self) -> Result<u64> {
        self.everywhere(self.blocks(1)?)
    }

    fn details(&self, available: Option<&[u64]>) -> Result<Details> {
        let run = self.run_of(self.settings.max_model_len);
        let per_request = self.ranks.logged_blocks(&run).map_err(refused)?;
        let mut keys = Map::new();
        keys.insert("block_size".into(), self.block_size.into());
        if let Some(memory) = available {
            let num_blocks = self.ranks.num_blocks(memory);
            let (tokens, concurrency) = logged(num_blocks, per_request, self.settings.max_model_len);
            keys.insert("num_blocks".into(), num_blocks.into());
            keys.insert("kv_cache_tokens".into(), tokens.into());
            keys.insert("max_concurrency".into(), json!(concurrency));
            // one block is never handed out
            let free = num_blocks.saturating_sub(1);
            let sessions = free.checked_div(self.blocks(self.tokens)?).unwrap_or(0);
            keys.insert("sessions_at_seq".into(), sessions.into());
        } else {
            for key in ["num_blocks", "kv_cache_tokens", "max_concurrency", "sessions_at_seq"] {
                keys.insert(key.into(), Json::Null);
            }
        }
        let groups: Result<Vec<Json>> = self
            .groups
            .iter()
            .map(|g| {
                let page = |(_, s): &(usize, Spec)| s.page();
                Ok(json!({
                    "layers": g.layers.len(),
                    "kind": kind(g),
                    "block_size": g.spec.block_size,
                    "page_bytes": if g.mixed {
                        g.layers.iter().map(page).fold(0, u64::saturating_add)
                    } else {
                        g.spec.page()
                    },
                    "blocks_per_session": g.spec.blocks(&run).map_err(refused)?,
                }))
            })
            .collect();
        keys.insert("groups".into(), Json::Array(groups?));
        keys.insert("block_bytes".into(), json!(self.ranks.block_bytes));
        keys.insert("blocks_per_request".into(), per_request.into());
        keys.insert("backends".into(), json!(self.backends));
        keys.insert("cache_dtype".into(), json!(self.cache_dtype));
        keys.insert("max_model_len".into(), self.settings.max_model_len.into());
        keys.insert("in_flight_tokens".into(), run.in_flight.into());
        keys.insert("prefix_caching".into(), self.settings.prefix_caching.into());
        keys.insert("min_prefix_hit_tokens".into(), json!(self.hit_tokens()));
        Ok(Details { keys, notes: self.notes.clone() })
    }
}

fn kind(group: &Group) -> &'static str {
    match group.spec.kind {
        Kind::Full { .. } | Kind::Sink | Kind::PromptAndWindow => "full",
        Kind::Mla => "latent",
        Kind::Sliding { .. } => "sliding",
        Kind::SlidingMla { .. } => "sliding_latent",
        Kind::Chunked { .. } => "chunked",
        Kind::Ring => "ring",
        Kind::State { .. } => "state",
        Kind::Cross => "cross",
    }
}
