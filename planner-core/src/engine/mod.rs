//! Engines: what each one allocates for a model.
//!
//! An engine is one file or folder and one line of `engines!` in `registry.rs`. It turns a [`ResolvedRequest`]
//! into an [`Allocation`], which gives the bytes of any number of sessions and tokens. Budgets, verdicts and
//! output are common to all engines.

use crate::error::Result;
use crate::parallel::Parallel;
use crate::request::{Ranks, Request};
use crate::spec::layer::Store;
use crate::spec::model::ModelSpec;
use crate::text::Words;
use crate::units::{Ratio, product};
use report::EngineReport;

#[doc(hidden)]
pub mod architecture;
#[doc(hidden)]
pub mod candle;
pub mod command;
#[doc(hidden)]
pub mod common;
#[doc(hidden)]
pub mod flag_support;
#[doc(hidden)]
pub mod llamacpp;
pub mod memory;
mod ranks;
mod registry;
pub mod report;
#[doc(hidden)]
pub mod sglang;
mod step;
#[doc(hidden)]
pub mod tensorrt_llm;
#[doc(hidden)]
pub mod transformers;
#[doc(hidden)]
pub mod vllm;
mod widths;

pub use registry::*;

/// A model and a request, with defaults put in.
#[derive(Debug, Clone, Copy)]
pub struct ResolvedRequest<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// The question.
    pub request: &'a Request,
    /// Tokens of one session (`--seq` or its default).
    pub tokens: u64,
    /// Encoder input tokens.
    pub encoder_tokens: u64,
    /// Parallel sizes.
    pub parallel: Parallel,
    /// The engine.
    pub engine: &'static dyn Engine,
    /// Its version.
    pub version: &'static str,
}

impl ResolvedRequest<'_> {
    /// Share of the GPU's memory: `--memory-utilization`, or the engine's default.
    pub fn utilization(&self) -> Ratio {
        self.request.memory_utilization.unwrap_or_else(|| self.engine.utilization(self))
    }

    /// Ranks that whole experts are shared out over (`--ep`), where they are.
    pub fn expert_ranks(&self) -> Option<u64> {
        match self.request.ep? {
            Ranks::Off => None,
            Ranks::On => Some(self.engine.expert_group(self.parallel)),
            Ranks::Size(ranks) => Some(ranks),
        }
        .filter(|ranks| *ranks > 1)
    }

    /// Tokens of `--shared-prefix` that a session of `tokens` finds in the cache, rounded down to a multiple of
    /// `grain`. At least one token of a session is always computed.
    pub fn shared_prefix(&self, tokens: u64, grain: u64) -> u64 {
        let shared = self.request.shared_prefix.unwrap_or(0).min(tokens.saturating_sub(1));
        shared - shared % grain.max(1)
    }
}

/// What an engine's memory fraction means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareOf {
    /// A share of the GPU's memory holds all that stands there (vLLM).
    Total,
    /// A share of what is free before the weights are loaded holds weights and cache (SGLang).
    FreeBeforeWeights,
    /// A share of what is free once the weights are loaded and a step has run holds the cache (TensorRT-LLM).
    FreeAfterWeights,
}

/// One engine's allocation rule.
pub trait Engine: Sync + std::fmt::Debug {
    /// Name as on the command line.
    fn id(&self) -> &'static str;

    /// Name as its authors write it.
    fn name(&self) -> &'static str {
        self.id()
    }

    /// Versions whose rule is known; the first is the default.
    fn versions(&self) -> &'static [&'static str];

    /// Share of the GPU's memory that the engine uses unless told otherwise.
    fn utilization(&self, _: &ResolvedRequest<'_>) -> Ratio {
        crate::device::DEFAULT_UTILIZATION
    }

    /// What that is a share of.
    fn utilization_of(&self) -> ShareOf {
        ShareOf::Total
    }

    /// Groups of data-parallel attention that `--dp` means where replicas over nodes of `node` GPUs do not run.
    fn attention_groups(&self, _: Parallel, _node: u64) -> u64 {
        1
    }

    /// Ranks over which expert parallelism can share out experts: all of a model's replicas that run as one.
    fn expert_group(&self, parallel: Parallel) -> u64 {
        parallel.tp * parallel.dp
    }

    /// In one line, why its bytes differ from the definition's.
    fn rule(&self) -> Words;

    /// Files of the engine's own source that its rule restates; empty for the definition.
    fn citation(&self) -> &'static str;

    /// What stands in a GPU's memory before the cache gets the rest of the engine's share. `None` where the
    /// engine has no rule for it: then weights are divided evenly over GPUs, and `--reserve` is kept free.
    fn before_cache(&self, _run: &ResolvedRequest<'_>) -> Result<Option<memory::BeforeCache>> {
        Ok(None)
    }

    /// Names of the flags that its figures depend on.
    fn reads(&self, request: &Request) -> &'static [&'static str];

    /// Whether a session takes its own length, not that of the longest.
    fn keeps_lengths_apart(&self) -> bool {
        true
    }

    /// Whether keys and values have one type.
    fn one_kv_dtype(&self) -> bool {
        true
    }

    /// Whether an allocation depends on `--users`; one that does not serves for every number of them.
    fn allocates_for_users(&self) -> bool {
        true
    }

    /// The command that starts the engine with these settings; `None` for engines that are not servers.
    fn command(&self, _run: &ResolvedRequest<'_>) -> Option<command::Command> {
        None
    }

    /// Figures behind its parts that its code does not say.
    fn constants(&self) -> &'static [memory::Constant] {
        &[]
    }

    /// Applies the rule.
    ///
    /// # Errors
    /// What the engine refuses, and what kvplan has no rule for.
    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>>;
}

/// What an engine allocates for one model and one setting.
pub trait Allocation {
    /// Bytes of one session of `tokens`, over all GPUs of one replica.
    fn session_bytes(&self, tokens: u64) -> Result<u64>;

    /// The products whose sum is [`Allocation::session_bytes`]; none where the engine's report already shows
    /// them.
    fn terms(&self, _tokens: u64) -> Result<Vec<Term>> {
        Ok(Vec::new())
    }

    /// Bytes of one session's `--shared-prefix` that all sessions share, over all GPUs of one replica: every
    /// session after the first takes that much less.
    fn shared_bytes(&self, _tokens: u64) -> Result<u64> {
        Ok(0)
    }

    /// Bytes of `users` sessions of `tokens`, over all GPUs of one replica.
    fn total_bytes(&self, users: u64, tokens: u64) -> Result<u64> {
        without_shared(users, self.session_bytes(tokens)?, self.shared_bytes(tokens)?)
    }

    /// Bytes of `users` sessions of `tokens`, on a GPU of each pipeline stage.
    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>>;

    /// Bytes that `users` sessions of `tokens` need to run at once, on a GPU of each pipeline stage; `None` where the
    /// engine grants as many as run ([`Allocation::stage_bytes`]).
    fn running_bytes(&self, _users: u64, _tokens: u64) -> Result<Option<Vec<u64>>> {
        Ok(None)
    }

    /// Sessions that a replica runs at once at most, whatever its memory; the others wait.
    fn max_sessions(&self) -> Option<u64> {
        None
    }

    /// What a step of `users` sessions of `tokens` works in on a GPU of each pipeline stage, beside the cache; nothing
    /// where the engine sets it aside before it knows of sessions.
    fn working(&self, _users: u64, _tokens: u64) -> Result<Vec<memory::MemoryPart>> {
        Ok(Vec::new())
    }

    /// Bytes of a session before its first token: states, rings, whole pages.
    fn min_session_bytes(&self) -> Result<u64>;

    /// Figures and notes that only this engine has. `available` is the room for the cache on a GPU of each
    /// stage.
    fn report(&self, _available: Option<&[u64]>) -> Result<EngineReport> {
        Ok(EngineReport::default())
    }
}

/// What a factor of a [`Term`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Layers with equal stores.
    Layers,
    /// Tokens in a pool.
    Tokens,
    /// Rows of a store.
    Rows,
    /// Blocks in a pool.
    Blocks,
    /// Slots for states.
    Slots,
    /// Bytes of one unit.
    Bytes,
}

/// One product; a session's bytes are the sum of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The kind of store or pool: `full`, `state`, `blocks` …
    pub kind: &'static str,
    /// The factors.
    pub factors: Vec<(u64, Unit)>,
    /// Divides the product, rounded up; 1 where a unit has whole bytes.
    pub over: u64,
    /// GPUs with this product: they hold copies, or equal shares.
    pub gpus: u64,
}

impl Term {
    /// A product of whole numbers, on each of `gpus` GPUs.
    pub fn new(kind: &'static str, factors: impl Into<Vec<(u64, Unit)>>, gpus: u64) -> Self {
        Self { kind, factors: factors.into(), over: 1, gpus }
    }

    /// The store of `layers` equal layers, `bytes` in each: shown as rows of `row` bytes where they divide
    /// evenly.
    pub(crate) fn of_layers(store: &Store, layers: u64, bytes: u64, row: Option<u64>) -> Self {
        let mut factors = vec![(layers, Unit::Layers)];
        match row.filter(|row| *row > 0 && bytes.is_multiple_of(*row)) {
            Some(row) => factors.extend([(bytes / row, Unit::Rows), (row, Unit::Bytes)]),
            None => factors.push((bytes, Unit::Bytes)),
        }
        Self::new(store.kind().name(), factors, 1)
    }

    /// The value of the product.
    pub fn bytes(&self) -> Result<u64> {
        let factors: Vec<u64> = self.factors.iter().map(|(factor, _)| *factor).collect();
        const WHAT: Words = words!("bytes of a session");
        product(WHAT, &[product(WHAT, &factors)?.div_ceil(self.over), self.gpus])
    }
}

/// Bytes of `users` sessions of `each` bytes. Every session but the first finds `shared` bytes already stored.
pub(crate) fn without_shared(users: u64, each: u64, shared: u64) -> Result<u64> {
    let all = product(words!("bytes of all sessions"), &[each, users])?;
    Ok(all - product(words!("bytes of all sessions"), &[shared.min(each), users.saturating_sub(1)])?)
}
