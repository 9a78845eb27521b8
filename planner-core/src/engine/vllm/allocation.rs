//! A model and a run as vLLM plans them, and the bytes that follow.

use super::backend::Backend;
use super::backend::assign;
use super::backend::inputs::{self, BackendInputs};
use super::backend::priority;
use super::kv_cache::capacity::{Ranks, logged};
use super::kv_cache::deepseek_v4;
use super::kv_cache::group::{self, Group};
use super::kv_cache::layers::{self, Cache};
use super::kv_cache::rank::{self, RankSpecs, Rules, Stages};
use super::kv_cache::running::Decoding;
use super::kv_cache::spec::{BlockParams, Kind, Spec, Specs};
use super::kv_cache::state::StateParams;
use super::kv_cache::tensor_layout;
use super::math::{gcd, lcm};
use super::model::architectures;
use super::model::checkpoint;
use super::model::draft;
use super::model::dtype;
use super::model::length;
use super::model::required_keys;
use super::model::shards;
use super::settings::{self, Settings};
use super::version::{self, Version};
use crate::dtype::DType;
use crate::engine::report::{BlockGroup, EngineReport, Pool, VllmReport};
use crate::engine::{Allocation, ResolvedRequest, Term, Unit, flag_support, without_shared};
use crate::error::{Code, Error, Result};
use crate::request::Speculative;
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Content, Extent, Store, classes};
use crate::spec::model::Note;
use crate::units::{product, unclamped};

/// A planned run.
#[derive(Debug)]
pub struct VllmAllocation<'a> {
    run: ResolvedRequest<'a>,
    settings: Settings,
    specs: Specs,
    ranks: Ranks,
    block_size: u64,
    backends: Vec<&'static str>,
    cache_dtype: &'static str,
    align_states: bool,
    encoder_tokens: u64,
    notes: Vec<Note>,
}

/// Plans a run.
///
/// # Errors
/// The engine's refusals, and what kvplan has no rule for.
pub fn plan(run: ResolvedRequest<'_>) -> Result<VllmAllocation<'_>> {
    let model = run.model;
    let config = HfConfig::of(model);
    let request = run.request;
    let classes = classes(&model.layers);
    let known = architectures::known(config.class);
    let kept = || classes.iter().flat_map(|class| layers::kept(class.stores, known));
    let is_state = |store: &Store| matches!(store.content, Content::State { .. });
    let latent = layers::is_mla(config) && kept().any(|s| matches!(s.content, Content::Latent { .. }));
    let stateful = kept().any(is_state);
    let attends = kept().any(|s| !is_state(s));
    let sparse = kept().any(|s| matches!(s.content, Content::IndexKey { .. }));
    let crosses = kept().any(|s| s.extent == Extent::Source);
    let only_states =
        classes.iter().any(|class| !class.stores.is_empty() && class.stores.iter().all(is_state));
    if let Some(refusal) = architectures::not_run(config, only_states, crosses) {
        return Err(refusal);
    }
    if let Some(refusal) = architectures::refused(config) {
        return Err(refusal);
    }
    if let Some((width, heads)) = required_keys::odd_heads(config) {
        return Err(Error::quoted(
            Code::VllmHiddenSizeNotDivided,
            format!(
                "The hidden size ({width}) is not a multiple of the number of attention heads ({heads})."
            ),
        )
        .about("hidden_size"));
    }
    if let Some(key) = required_keys::missing(config) {
        return Err(Error::refused(
            Code::VllmMissingKey,
            say!("config.json says no `{0}`, which vLLM's {1} reads", key, config.class),
        )
        .about(key)
        .way_out(say!("add `{0}` to config.json", key)));
    }
    length::check(&run, config)?;
    priority::prefill(config, latent && !sparse)?;
    let set = settings::settings(&run, config, latent, stateful, attends, crosses)?;
    shards::check(&run, config)?;
    let given = dtype::name(flag_support::kv_dtype(request).unwrap_or("auto"))?;
    let hybrid = stateful && architectures::hybrid(config.class);
    let align_states = stateful && set.prefix_caching;
    let computed = inputs::computed_in(config, model.dtype, &set.device);
    let model_bytes = computed.bytes;
    let cache_dtype = inputs::cache_dtype(config, given, &set.device, computed)?;
    inputs::packed_hybrid(config, cache_dtype, hybrid)?;
    let state = StateParams {
        tp: set.tp,
        drafts: set.drafts,
        device: &set.device,
        align: align_states,
        model_bytes,
        bf16: computed == DType::BF16,
        version: set.version,
    };
    let mut facts = layers::cache_layers(model, state)?;
    let keeps_heads = facts.iter().any(|f| matches!(f.cache, Cache::Attention { .. }));
    checkpoint::check(config, cache_dtype, keeps_heads)?;
    let drafted = draft::extend(&mut facts, config, run, model.config_layers)?;
    let wish = BackendInputs {
        device: set.device.clone(),
        cache_dtype,
        model_bytes,
        dcp: set.dcp,
        block: request.block_size,
        backend: request.attention_backend.as_deref().map(Backend::parse).transpose()?,
        query_heads: model.attention_heads.unwrap_or(0) / set.tp,
    };
    let mut context = inputs::context(config, &facts, wish);
    let stages = Stages::of(model.config_layers, set.pp);
    let made = if deepseek_v4::is(config) {
        deepseek_v4::plan(config, &mut context, request.block_size, drafted, &stages)?
    } else {
        let layers = model.config_layers;
        let served = assign::serve(config, &facts, &mut context, layers, hybrid)?;
        let rules = Rules { set: &set, hybrid, align: align_states, layers };
        rank::specs(&context, &served, rules, |s| stages.rank(s.fact.layer, s.fact.draft))?
    };
    let RankSpecs { specs, ranks, block_size, backends } = made;
    for spec in specs.kinds() {
        unclamped(words!("bytes of a page"), spec.page().max(spec.natural_page()))?;
    }
    if specs.kinds().iter().any(|s| s.page() == 0) {
        return Err(Error::refused(
            Code::VllmEmptyBlock,
            words!("a block of this size holds no whole state"),
        ));
    }
    let declared: Vec<&'static [tensor_layout::TensorLayout]> =
        backends.iter().filter_map(|b| b.layouts(&context)).collect();
    let layout = tensor_layout::resolve(tensor_layout::supported(&declared)?, specs.kinds())?;
    let groups = group::groups(&specs, layout)?;
    if groups.is_empty() {
        return Err(Error::refused(Code::VllmNoCache, words!("the model keeps no KV cache in it")));
    }
    let stage = |i: usize| ranks.get(i).copied().unwrap_or(0);
    let tuples = deepseek_v4::is(config) && set.version.is_in(version::DEEPSEEK_V4_TUPLES);
    let bytes = |groups: &[Group]| {
        if tuples { deepseek_v4::tuple_bytes(groups) } else { group::block_bytes(groups, layout) }
    };
    let ranks = Ranks::of(groups, bytes, set.pp, stage)?;
    for bytes in &ranks.block_bytes {
        unclamped(words!("bytes of a block"), *bytes)?;
    }
    let mut names: Vec<&'static str> = backends.iter().map(|b| b.name()).collect();
    names.extend(facts.iter().filter_map(|f| match f.cache {
        Cache::State(state) => Some(state.backend.0),
        _ => None,
    }));
    names.sort_unstable();
    names.dedup();
    let planned = VllmAllocation {
        run,
        notes: notes(&run, config, &set),
        specs,
        ranks,
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

fn notes(run: &ResolvedRequest, config: HfConfig, set: &Settings) -> Vec<Note> {
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
    if set.version != Version::of(version::VERSIONS[0]) {
        notes.push(Note::new(
            "vllm_version",
            say!(
                "of vLLM {0} these are restated: the default share of memory, what is taken off it before the cache, \
                 tokens in flight, blocks of states and of DeepSeek-V4, the tokens of the log; all else is that of 0.33.0",
                run.version
            ),
        ));
    }
    notes
}

impl VllmAllocation<'_> {
    /// The spec of every cache on a tensor rank, all pipeline ranks together, before grouping.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.specs.of().iter().filter_map(|kind| self.specs.kinds().get(*kind))
    }

    fn run_of(&self, max_model_len: u64) -> BlockParams {
        BlockParams {
            max_model_len,
            in_flight: self.settings.batched.saturating_mul(self.settings.batches),
            dcp: self.settings.dcp,
            align_states: self.align_states,
            encoder_tokens: self.encoder_tokens,
        }
    }

    fn blocks(&self, tokens: u64) -> Result<u64> {
        let longest = self.settings.max_model_len.max(tokens);
        let run = self.run_of(longest);
        // a session has blocks for its own encoder tokens
        let run = BlockParams { encoder_tokens: run.encoder_tokens.min(self.run.encoder_tokens), ..run };
        self.ranks.session_blocks(tokens, &run)
    }

    /// Blocks of a session that another with the same prefix has already: those of a whole hit. None where a
    /// layer frees tokens, because a hit needs that layer's last window, which may be gone.
    fn shared_blocks(&self, tokens: u64) -> u64 {
        let Some(grain) = self.hit_tokens().filter(|_| self.ranks.whole().iter().all(|g| g.spec.is_full()))
        else {
            return 0;
        };
        let hit = self.run.shared_prefix(tokens, grain);
        self.ranks.whole().iter().map(|g| hit / self.span(g).max(1)).fold(0, u64::saturating_add)
    }

    /// Ranks over which a group's tokens are divided.
    fn shares(&self, group: &Group) -> u64 {
        if group.spec.dcp_sharded { self.settings.dcp } else { 1 }
    }

    /// Tokens of a session in one block of a group.
    fn span(&self, group: &Group) -> u64 {
        group.spec.block_size.saturating_mul(self.shares(group))
    }

    /// Bytes of `blocks` blocks on a GPU of each pipeline stage.
    fn bytes_of(&self, blocks: u64) -> Result<Vec<u64>> {
        let stages = self.ranks.block_bytes.iter();
        stages.map(|bytes| product(words!("bytes of all sessions"), &[*bytes, blocks])).collect()
    }

    /// Bytes of `blocks` blocks on all GPUs of a replica.
    fn everywhere(&self, blocks: u64) -> Result<u64> {
        let ranks = self.ranks.block_bytes.iter().fold(0, |all: u64, b| all.saturating_add(*b));
        product(words!("bytes of a session"), &[ranks, blocks, self.settings.tp])
    }

    /// The shortest prefix that can be found in the cache: the alignment of hits
    /// (`resolve_kv_cache_block_sizes`, `resolve_cache_hit_alignment_tokens`).
    fn hit_tokens(&self) -> Option<u64> {
        if !self.settings.prefix_caching {
            return None;
        }
        let groups = self.ranks.whole();
        if let [only] = groups {
            // one group: the run's block size, whatever the group's own is
            return Some(self.block_size.saturating_mul(self.shares(only)));
        }
        let spans = || groups.iter().map(|group| self.span(group));
        let (coarse, fine) = (spans().fold(1, lcm), spans().fold(0, gcd));
        let state = |group: &Group| matches!(group.spec.kind, Kind::State { .. });
        // hits are finer where a state is kept inside a coarse block, or beside divided tokens
        // (`partial_hash_hits_enabled`)
        let inside = |group: &Group| group.spec.block_size > fine || self.settings.dcp > 1;
        let split = groups.iter().any(|group| state(group) && inside(group));
        Some(if split { fine } else { coarse })
    }
}

impl Allocation for VllmAllocation<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        self.everywhere(self.blocks(tokens)?)
    }

    fn terms(&self, tokens: u64) -> Result<Vec<Term>> {
        let blocks = (self.blocks(tokens)?, Unit::Blocks);
        let stage = |bytes: &u64| Term::new("blocks", [blocks, (*bytes, Unit::Bytes)], self.settings.tp);
        Ok(self.ranks.block_bytes.iter().map(stage).collect())
    }

    fn shared_bytes(&self, tokens: u64) -> Result<u64> {
        self.everywhere(self.shared_blocks(tokens))
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        flag_support::check_max_num_seqs(self.run.request.max_num_seqs, users)?;
        // the pool must hold one request of the longest length, and keeps one block back
        let longest = self.settings.max_model_len.max(tokens);
        let least = self.ranks.checked_blocks(&self.run_of(longest))?;
        let sessions = without_shared(users, self.blocks(tokens)?, self.shared_blocks(tokens))?;
        self.bytes_of(sessions.max(least).saturating_add(1))
    }

    fn running_bytes(&self, users: u64, tokens: u64) -> Result<Option<Vec<u64>>> {
        if self.ranks.whole().iter().all(|group| group.spec.is_full()) {
            return Ok(None);
        }
        let run = self.run_of(self.settings.max_model_len.max(tokens));
        let least = self.ranks.checked_blocks(&run)?;
        let step = self.settings.drafts.saturating_add(1);
        let decoding = Decoding {
            in_flight: self.settings.batches.saturating_sub(1).saturating_mul(step),
            lookahead: self.settings.drafts,
        };
        let sessions = self.ranks.running_blocks(users, tokens, &run, decoding)?;
        self.bytes_of(sessions.max(least).saturating_add(1)).map(Some)
    }

    fn min_session_bytes(&self) -> Result<u64> {
        self.everywhere(self.blocks(1)?)
    }

    fn report(&self, available: Option<&[u64]>) -> Result<EngineReport> {
        let run = self.run_of(self.settings.max_model_len);
        let blocks_per_request = self.ranks.logged_blocks(&run)?;
        let num_blocks = available.map(|memory| self.ranks.num_blocks(memory));
        let log = num_blocks.map(|blocks| {
            let (tokens, concurrency) = logged(blocks, blocks_per_request, run.max_model_len);
            match self.settings.version.is_in(version::TOKENS_BY_GROUP) {
                true => (self.ranks.tokens_by_group(blocks).saturating_mul(self.settings.dcp), concurrency),
                false => (tokens, concurrency),
            }
        });
        let each = self.blocks(self.run.tokens)?;
        // one block is never handed out
        let sessions = |blocks: u64| blocks.saturating_sub(1).checked_div(each).unwrap_or(0);
        let group = |group: &Group| {
            Ok(BlockGroup {
                layers: group.layers.len(),
                kind: group.spec.kind.name(),
                block_size: group.spec.block_size,
                page_bytes: if group.mixed { group.specs.sum(Spec::page) } else { group.spec.page() },
                blocks_per_session: group.spec.blocks(&run)?,
            })
        };
        let report = VllmReport {
            pool: Pool {
                block_size: self.block_size,
                num_blocks,
                kv_cache_tokens: log.map(|(tokens, _)| tokens),
                max_concurrency: log.map(|(_, concurrency)| concurrency),
            },
            sessions_at_seq: num_blocks.map(sessions),
            groups: self.ranks.whole().iter().map(group).collect::<Result<_>>()?,
            block_bytes: self.ranks.block_bytes.clone(),
            blocks_per_request,
            backends: self.backends.clone(),
            cache_dtype: self.cache_dtype,
            max_model_len: run.max_model_len,
            in_flight_tokens: run.in_flight,
            prefix_caching: self.settings.prefix_caching,
        };
        Ok(EngineReport::new(report, self.hit_tokens(), self.notes.clone()))
    }
}
