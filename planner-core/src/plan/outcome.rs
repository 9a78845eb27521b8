//! The figures of a plan that one cell of a table has, without searches for longer sessions, other GPUs and settings.

use std::ops::ControlFlow;

use super::solve::{fits, most_users};
use super::{Kv, Memory, definition, report_notes, resolve, told};
use crate::engine::architecture::ReferenceCache;
use crate::engine::{Allocation, ResolvedRequest};
use crate::error::Result;
use crate::parallel::Parallel;
use crate::request::Request;
use crate::spec::model::{ModelSpec, Note};
use crate::units::product;

/// Figures of one plan; each is the plan's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Tokens of one session.
    pub tokens: u64,
    /// Parallel sizes.
    pub parallel: Parallel,
    /// Engine id.
    pub engine: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Bytes of one session by the engine, over all GPUs of a replica.
    pub session_bytes: u64,
    /// Bytes of all sessions by the engine, over all replicas.
    pub total_bytes: u64,
    /// What fits, where a GPU or `--kv-memory` is given.
    pub fitting: Option<Fitting>,
}

/// What fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fitting {
    /// Whether all users at the asked length fit.
    pub fits: bool,
    /// Most users at that length.
    pub max_users: u64,
    /// Most that run at once, at least `max_users`.
    pub steady_users: u64,
    /// Whether weights and reserve leave room for a cache at all.
    pub weights_fit: bool,
    /// Room for the cache on the GPU whose sessions take most.
    pub kv_bytes_available: u64,
    /// Bytes of that room that the sessions take.
    pub kv_bytes_used: u64,
}

/// The outcomes of a request with each of these numbers of users, for a model that is [`adjusted`](super::adjusted) to
/// the request already. The error of one is as [`plan`](super::plan())'s.
///
/// Most users are re-planned as they would be typed, so they are searched once for all.
pub fn outcomes(
    model: &ModelSpec,
    request: &Request,
    users: impl IntoIterator<Item = u64>,
    mut each: impl FnMut(u64, Result<Outcome>) -> ControlFlow<()>,
) {
    let mut most = None;
    let one = Request { users: 1, ..request.clone() };
    let shared = allocated(model, &one).ok().filter(|shared| !shared.run.engine.allocates_for_users());
    for users in users {
        let found = match &shared {
            Some(shared) => shared.outcome(users, &mut most).map_err(|error| told(error, model, request)),
            None => {
                let request = Request { users, ..request.clone() };
                let found = allocated(model, &request).and_then(|own| own.outcome(users, &mut most));
                found.map_err(|error| told(error, model, &request))
            }
        };
        if each(users, found).is_break() {
            return;
        }
    }
}

/// A request with its allocation and memory.
struct Allocated<'a> {
    run: ResolvedRequest<'a>,
    kv: Result<Kv>,
    allocation: Box<dyn Allocation + 'a>,
    memory: Option<Memory>,
    session_bytes: Result<u64>,
}

fn allocated<'a>(model: &'a ModelSpec, request: &'a Request) -> Result<Allocated<'a>> {
    let (run, _) = resolve(model, request)?;
    let reference = ReferenceCache::of_definition(run)?;
    let allocation = run.engine.allocate(run)?;
    let memory = Memory::of(&run, allocation.as_ref())?;
    let kv = definition::kv(&run, &reference);
    let session_bytes = allocation.session_bytes(run.tokens);
    Ok(Allocated { run, kv, allocation, memory, session_bytes })
}

impl Allocated<'_> {
    /// `most` is the most users, where they are searched already.
    fn outcome(&self, users: u64, most: &mut Option<(u64, u64)>) -> Result<Outcome> {
        let (run, allocation) = (&self.run, self.allocation.as_ref());
        let per_replica = run.parallel.users_per_replica(users);
        // in the order in which a plan refuses what is beyond 64 bits
        let replica = allocation.total_bytes(per_replica, run.tokens)?;
        let session_bytes = self.session_bytes.clone()?;
        let total_bytes = product(words!("bytes of all sessions"), &[replica, run.parallel.dp])?;
        let fitting = match &self.memory {
            Some(memory) => {
                let used = allocation.stage_bytes(per_replica, run.tokens)?;
                let (max_users, steady_users) =
                    *most.get_or_insert_with(|| most_users(run, allocation, memory));
                let (kv_bytes_available, kv_bytes_used) = memory.fullest(&used);
                Some(Fitting {
                    fits: fits(run, allocation, memory, users),
                    max_users,
                    steady_users,
                    weights_fit: memory.weights_fit,
                    kv_bytes_available,
                    kv_bytes_used,
                })
            }
            None => None,
        };
        let kv = self.kv.as_ref().map_err(Clone::clone)?;
        product(words!("bytes of all sessions"), &[kv.session_bytes, users])?;
        if let Some(all) = &kv.all_heads {
            product(words!("bytes with all heads"), &[all.session_bytes, users])?;
        }
        Ok(Outcome {
            tokens: run.tokens,
            parallel: run.parallel,
            engine: run.engine.id(),
            version: run.version,
            session_bytes,
            total_bytes,
            fitting,
        })
    }
}

/// What the reader of such figures should know: the plan's notes, but for those on what fits.
///
/// # Errors
/// As [`plan`](super::plan()).
pub fn notes(model: &ModelSpec, request: &Request) -> Result<Vec<Note>> {
    let (run, mut notes) = resolve(model, request)?;
    let allocation = run.engine.allocate(run)?;
    let memory = Memory::of(&run, allocation.as_ref())?;
    report_notes(&run, allocation.as_ref(), memory.as_ref(), &mut notes)?;
    Ok(notes)
}
