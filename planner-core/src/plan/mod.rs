//! The answer: bytes, what fits, and why.
//!
//! Capacity is searched, never divided: windows, blocks and padding make bytes a step function of
//! tokens and users, but always a monotone one.

use std::borrow::Cow;

use crate::dtype::DType;
use crate::engine::architecture::ReferenceCache;
use crate::engine::command::Command;
use crate::engine::report::EngineReport;
use crate::engine::{self, Allocation, Engine, ResolvedRequest, flag_support};
use crate::error::{Code, Error, Result};
use crate::parallel::Parallel;
use crate::request::Request;
use crate::spec::layer::Layer;
use crate::spec::model::{ModelSpec, Note};
use crate::units::{Ratio, product};

mod budget;
mod compare;
mod definition;
#[cfg(feature = "lengths")]
mod lengths;
mod measured;
#[cfg(feature = "lists")]
mod outcome;
#[cfg(feature = "recommend")]
mod recommend;
mod resolve;
mod solve;

pub use budget::{GpuMemory, Memory};
pub use compare::{Allocated, Compared, compare};
pub use definition::{AllHeads, Kv, LayerGroup, Slope};
#[cfg(feature = "lengths")]
pub use lengths::{Lengths, Mixed, mixed};
#[cfg(feature = "lists")]
pub use outcome::{Fitting, Outcome, notes, outcomes};
#[cfg(feature = "recommend")]
pub use recommend::{By, Choices, LeftOut, Placement, Recommendation, Recommended, ranked, recommend};
pub use resolve::{DEFAULT_SEQ_CAP, adjusted, reserve, resolve};
pub use solve::{Alternative, Candidate, Change, Limit, Verdict, candidates, max_users_by_length};

/// What the chosen engine allocates.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineAnswer {
    rule: &'static dyn Engine,
    /// Engine id.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Bytes of one session, over all GPUs of a replica.
    pub session_bytes: u64,
    /// Bytes of all sessions, over all replicas.
    pub total_bytes: u64,
    /// Bytes of a session before its first token: states, rings, whole pages.
    pub min_session_bytes: u64,
    /// Figures and notes that only this engine has.
    pub report: EngineReport,
}

/// A complete answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan<'a> {
    /// The model, with `--kv-heads` and `--weight-dtype` applied.
    pub model: Cow<'a, ModelSpec>,
    /// The question.
    pub request: &'a Request,
    /// Tokens of one session.
    pub tokens: u64,
    /// Encoder input tokens of one session.
    pub encoder_tokens: u64,
    /// Parallel sizes.
    pub parallel: Parallel,
    /// Types of keys and values by the definition.
    pub kv_dtypes: (DType, DType),
    /// Bytes by the definition.
    pub kv: Kv,
    /// The same by runs of equal layers.
    pub layers: Vec<LayerGroup>,
    /// Bytes by the engine.
    pub engine: EngineAnswer,
    /// GPU memory, where a GPU or `--kv-memory` is given.
    pub memory: Option<Memory>,
    /// What fits, where a GPU or `--kv-memory` is given.
    pub verdict: Option<Verdict>,
    /// What the reader should know.
    pub notes: Vec<Note>,
}

impl Plan<'_> {
    /// The resolved request that the engine got.
    pub fn run(&self) -> ResolvedRequest<'_> {
        ResolvedRequest {
            model: &self.model,
            request: self.request,
            tokens: self.tokens,
            encoder_tokens: self.encoder_tokens,
            parallel: self.parallel,
            engine: self.engine.rule,
            version: self.engine.version,
        }
    }

    /// The first layer of a group, which is like all others in it.
    pub fn layer(&self, group: &LayerGroup) -> Option<&Layer> {
        self.model.layers.get(group.at)
    }

    /// Most users at the asked length; `None` where neither a GPU nor `--kv-memory` is given.
    pub fn max_users(&self) -> Option<u64> {
        self.verdict.as_ref().map(|verdict| verdict.max_users)
    }

    /// Share of the GPU's memory that the engine may use.
    pub fn utilization(&self) -> Ratio {
        self.run().utilization()
    }

    /// The engine's allocation, for figures beyond those of the plan.
    ///
    /// # Errors
    /// None for a plan that was made.
    pub fn allocation(&self) -> Result<Box<dyn Allocation + '_>> {
        self.engine.rule.allocate(self.run())
    }

    /// The engine, with its rule in one line and the place in its source.
    pub fn rule(&self) -> &'static dyn Engine {
        self.engine.rule
    }

    /// The command that starts the engine with these settings, where it is a server.
    pub fn command(&self) -> Option<Command> {
        self.engine.rule.command(&self.run())
    }
}

/// Plans: bytes by the definition, by the engine, and what fits.
///
/// # Errors
/// A flag outside its range; a model or setting that the engine refuses or that kvplan has no rule for; sizes
/// beyond 64 bits. Not fitting is an answer, not an error.
pub fn plan<'a>(model: &'a ModelSpec, request: &'a Request) -> Result<Plan<'a>> {
    let model = adjusted(model, request)?;
    planned(model.clone(), request).map_err(|error| told(error, &model, request))
}

/// An error with the engine that was asked; an overflow at one token is the model's own.
fn told(error: Error, model: &ModelSpec, request: &Request) -> Error {
    let (engine, version) = match engine::resolve(request.engine.as_ref()) {
        Ok((engine, version)) => (engine.name(), version),
        Err(_) => return error,
    };
    let error = error.told_by(engine, version);
    let one_token = || ReferenceCache::of_definition(resolve(model, request)?.0)?.bytes(1);
    if error.code() == Code::Overflow && one_token().is_err() { error.of_model() } else { error }
}

/// The engine's report, and the notes that come with an allocation.
fn report_notes(
    run: &ResolvedRequest<'_>,
    allocation: &dyn Allocation,
    memory: Option<&Memory>,
    notes: &mut Vec<Note>,
) -> Result<EngineReport> {
    notes.extend(measured::note(run, allocation)?);
    let available = memory.map(Memory::available);
    let report = allocation.report(available.as_deref())?;
    notes.extend(report.notes.iter().cloned());
    notes.extend(flag_support::shared_prefix(run, allocation)?);
    Ok(report)
}

fn planned<'a>(model: Cow<'a, ModelSpec>, request: &'a Request) -> Result<Plan<'a>> {
    let (run, mut notes) = resolve(&model, request)?;
    let reference = ReferenceCache::of_definition(run)?;
    let allocation = run.engine.allocate(run)?;
    let memory = Memory::of(&run, allocation.as_ref())?;
    let report = report_notes(&run, allocation.as_ref(), memory.as_ref(), &mut notes)?;
    let per_replica = run.parallel.users_per_replica(request.users);
    let replica = allocation.total_bytes(per_replica, run.tokens)?;
    let engine = EngineAnswer {
        rule: run.engine,
        id: run.engine.id(),
        version: run.version,
        session_bytes: allocation.session_bytes(run.tokens)?,
        total_bytes: product(words!("bytes of all sessions"), &[replica, run.parallel.dp])?,
        min_session_bytes: allocation.min_session_bytes()?,
        report,
    };
    let (memory, verdict) = match memory {
        Some(mut memory) => {
            memory.set_used(&allocation.stage_bytes(per_replica, run.tokens)?);
            let verdict = solve::verdict(&run, allocation.as_ref(), &memory)?;
            if memory.may_be_otherwise(verdict.fits) {
                notes.push(Note::new(
                    "within_estimate",
                    words!(
                        "whether it fits is within the error of the estimated room: measure, or leave more"
                    ),
                ));
            }
            (Some(memory), Some(verdict))
        }
        None => (None, None),
    };
    let kv = definition::kv(&run, &reference)?;
    let layers = definition::layer_groups(&run, &reference)?;
    let kv_dtypes = reference.dtypes();
    let ResolvedRequest { tokens, encoder_tokens, parallel, .. } = run;
    drop(allocation);
    drop(reference);
    Ok(Plan {
        model,
        request,
        tokens,
        encoder_tokens,
        parallel,
        kv_dtypes,
        kv,
        layers,
        engine,
        memory,
        verdict,
        notes,
    })
}
