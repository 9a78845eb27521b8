//! Engines: what each one really allocates for a model.
//!
//! An engine is one file (or folder) and one line of the list of [`all`] engines. It turns a model and a request
//! into a [`Allocation`], which answers for any number of sessions and tokens; everything about budgets,
//! verdicts and output is common to all.

use crate::error::Result;
use crate::parallel::Parallel;
use crate::request::Request;
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

/// A model and a question, with what an engine needs resolved.
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
    /// The engine that is meant.
    pub engine: &'static dyn Engine,
    /// Its version.
    pub version: &'static str,
}

impl ResolvedRequest<'_> {
    /// Share of the GPU's memory: what the user says, or what the engine takes.
    pub fn utilization(&self) -> Ratio {
        self.request.memory_utilization.unwrap_or_else(|| self.engine.utilization(self))
    }

    /// Tokens of `--shared-prefix` that a session of `tokens` finds in the cache, in whole units of `grain`:
    /// at least one token is always computed.
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

    /// Versions whose rule is known; the first is the default.
    fn versions(&self) -> &'static [&'static str];

    /// Share of the GPU's memory that the engine uses unless told otherwise.
    fn utilization(&self, _: &ResolvedRequest<'_>) -> Ratio {
        crate::device::DEFAULT_UTILIZATION
    }

    /// What that share is a share of.
    fn utilization_of(&self) -> ShareOf {
        ShareOf::Total
    }

    /// In one line, why its bytes differ from the definition's.
    fn rule(&self) -> Words;

    /// Files of the engine's own source that its rule restates; empty for the definition.
    fn citation(&self) -> &'static str;

    /// What stands in a GPU's memory before the cache gets the rest of the engine's share; `None` where no GPU is named,
    /// or where the rule is weights by the number of GPUs and a reserve.
    fn before_cache(&self, _run: &ResolvedRequest<'_>) -> Result<Option<memory::BeforeCache>> {
        Ok(None)
    }

    /// Settings of a request that its figures depend on, by their flags' names.
    fn reads(&self, request: &Request) -> &'static [&'static str];

    /// Whether keys and values have one type.
    fn one_kv_dtype(&self) -> bool {
        true
    }

    /// The command that starts the engine with a run's settings, for engines that are servers.
    fn command(&self, _run: &ResolvedRequest<'_>) -> Option<command::Command> {
        None
    }

    /// Figures behind its parts that its code does not say.
    fn constants(&self) -> &'static [memory::Constant] {
        &[]
    }

    /// Applies the rule, or refuses with the engine's reason.
    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>>;
}

/// What an engine allocates for one model and one setting.
pub trait Allocation {
    /// Bytes one session of `tokens` takes, over all GPUs of one replica.
    fn session_bytes(&self, tokens: u64) -> Result<u64>;

    /// The products whose sum [`Allocation::session_bytes`] is; none where the engine's own keys say it.
    fn terms(&self, _tokens: u64) -> Result<Vec<Term>> {
        Ok(Vec::new())
    }

    /// Bytes over all GPUs of one replica that every session after the first does not take again, because
    /// its first `--shared-prefix` tokens are stored already.
    fn shared_bytes(&self, _tokens: u64) -> Result<u64> {
        Ok(0)
    }

    /// Bytes `users` sessions of `tokens` take, over all GPUs of one replica.
    fn total_bytes(&self, users: u64, tokens: u64) -> Result<u64> {
        without_shared(users, self.session_bytes(tokens)?, self.shared_bytes(tokens)?)
    }

    /// Bytes that `users` sessions of `tokens` take on a GPU of each pipeline stage.
    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>>;

    /// What a step of `users` sessions of `tokens` works in on a GPU of each pipeline stage, beside the cache; nothing
    /// where the engine sets it aside before it knows of sessions.
    fn working(&self, _users: u64, _tokens: u64) -> Result<Vec<memory::MemoryPart>> {
        Ok(Vec::new())
    }

    /// What a session holds before its first token counts: states, rings, whole pages.
    fn min_session_bytes(&self) -> Result<u64>;

    /// What only this engine has to say; `available` is the KV memory of a GPU of each stage.
    fn report(&self, _available: Option<&[u64]>) -> Result<EngineReport> {
        Ok(EngineReport::default())
    }
}

/// What the factors of a [`Term`] count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Layers that keep the same.
    Layers,
    /// Tokens of a pool.
    Tokens,
    /// Rows that tokens take.
    Rows,
    /// Blocks of a pool.
    Blocks,
    /// Slots for states.
    Slots,
    /// Bytes of one of them.
    Bytes,
}

/// One of the products whose sum a session's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What is kept, for instance `full`, `state` or `blocks`.
    pub kind: &'static str,
    /// What is multiplied.
    pub factors: Vec<(u64, Unit)>,
    /// What the product is divided by, rounded up: 1 where bytes of one are whole.
    pub over: u64,
    /// GPUs that hold the same, or the same share.
    pub gpus: u64,
}

impl Term {
    /// A product of whole numbers on each of so many GPUs.
    pub fn new(kind: &'static str, factors: impl Into<Vec<(u64, Unit)>>, gpus: u64) -> Self {
        Self { kind, factors: factors.into(), over: 1, gpus }
    }

    /// What some layers keep: rows of `row` bytes where `bytes` of a layer are made of them.
    pub(crate) fn of_layers(store: &Store, layers: u64, bytes: u64, row: Option<u64>) -> Self {
        let mut factors = vec![(layers, Unit::Layers)];
        match row.filter(|row| *row > 0 && bytes.is_multiple_of(*row)) {
            Some(row) => factors.extend([(bytes / row, Unit::Rows), (row, Unit::Bytes)]),
            None => factors.push((bytes, Unit::Bytes)),
        }
        Self::new(store.kind().name(), factors, 1)
    }

    /// The product.
    pub fn bytes(&self) -> Result<u64> {
        let factors: Vec<u64> = self.factors.iter().map(|(factor, _)| *factor).collect();
        const WHAT: Words = words!("bytes of a session");
        product(WHAT, &[product(WHAT, &factors)?.div_ceil(self.over), self.gpus])
    }
}

/// What `users` sessions of `each` take where all but the first find `shared` of it there already.
pub(crate) fn without_shared(users: u64, each: u64, shared: u64) -> Result<u64> {
    let all = product(words!("bytes of all sessions"), &[each, users])?;
    Ok(all - product(words!("bytes of all sessions"), &[shared.min(each), users.saturating_sub(1)])?)
}
