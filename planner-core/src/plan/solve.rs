//! What fits: most users, longest sequence, fewest GPUs, and what would make it fit.

use serde::Serialize;

use super::{Memory, adjusted, resolve::try_allocate};
use crate::device::Device;
use crate::engine::{Allocation, ResolvedRequest};
use crate::error::Result;
use crate::parallel::MAX_GPUS;
use crate::request::Request;
use crate::spec::model::ModelSpec;

/// A search for users or tokens ends here; nothing serves more.
const SEARCH_LIMIT: u64 = 1 << 40;

/// What ends the growth of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Weights and reserve alone are more than the budget.
    Weights,
    /// The room for the cache.
    KvCache,
    /// The longest session that the model is made for.
    MaxPosition,
    /// Nothing: the cache does not grow, and the model names no longest session.
    #[serde(rename = "none")]
    Nothing,
}

/// Whether it fits, and the limits around it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether all users at the asked length fit.
    pub fits: bool,
    /// Most users at that length; 0 where not even one fits.
    pub max_users: u64,
    /// Longest length for that many users, at most the model's maximum, 0 where none fits; `None` where nothing
    /// limits it.
    pub max_seq: Option<u64>,
    /// Fewest GPUs of this kind, under tensor parallelism.
    pub min_gpus: Option<u64>,
    /// What sets the limit.
    pub limited_by: Limit,
    /// Changes that each make it fit.
    pub alternatives: Vec<Alternative>,
}

/// Changes that together make it fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alternative {
    /// What to change.
    pub changes: Vec<Change>,
    /// Most users at the asked length with it.
    pub max_users: u64,
}

/// A flag and another value for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// As many GPUs, under tensor parallelism.
    Gpus(u64),
    /// Fewer users.
    Users(u64),
    /// Shorter sessions.
    Seq(u64),
    /// Keys and values in this type.
    KvDtype(&'static str),
}

impl Change {
    /// The flag, with its dashes.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Gpus(_) => "--gpus",
            Self::Users(_) => "--users",
            Self::Seq(_) => "--seq",
            Self::KvDtype(_) => "--kv-dtype",
        }
    }

    /// The value, as typed.
    pub fn value(self) -> String {
        match self {
            Self::Gpus(count) | Self::Users(count) | Self::Seq(count) => count.to_string(),
            Self::KvDtype(name) => name.to_owned(),
        }
    }

    /// The request with it.
    fn apply(self, request: &Request) -> Request {
        let changed = request.clone();
        match self {
            Self::Gpus(gpus) => {
                Request { gpus: Some(gpus), tp: None, pp: None, dp: None, dcp: None, ..changed }
            }
            Self::Users(users) => Request { users, ..changed },
            Self::Seq(tokens) => Request { seq: Some(tokens), ..changed },
            Self::KvDtype(name) => Request { kv_dtype: Some(name.to_owned()), ..changed },
        }
    }
}

/// A GPU on which everything fits, with the fewest of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The GPU.
    pub device: Device,
    /// How many.
    pub gpus: u64,
    /// Bytes of room for the cache on each.
    pub kv_bytes_available: u64,
    /// Whether that is the engine's own rule, not a fixed reserve.
    pub by_parts: bool,
    /// Most users at the asked length.
    pub max_users: u64,
    /// Longest length for the asked users, as in [`Verdict`].
    pub max_seq: Option<u64>,
    /// What sets the limit.
    pub limited_by: Limit,
}

/// The largest `n` up to `limit` for which `fits` holds, 0 when not even 1 does.
fn max_satisfying(limit: u64, fits: impl Fn(u64) -> bool) -> u64 {
    if limit == 0 || !fits(1) {
        return 0;
    }
    let mut good = 1;
    let mut bad = 2;
    while bad <= limit && fits(bad) {
        good = bad;
        bad = bad.saturating_mul(2);
    }
    bad = bad.min(limit.saturating_add(1));
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// Answers "does it fit" for one allocation and memory.
struct Fit<'a> {
    run: &'a ResolvedRequest<'a>,
    allocation: &'a dyn Allocation,
    /// Room on a GPU of each stage for the cache and what a step works in.
    room: Vec<u64>,
    works: bool,
    weights_fit: bool,
}

impl<'a> Fit<'a> {
    fn new(run: &'a ResolvedRequest<'a>, allocation: &'a dyn Allocation, memory: &Memory) -> Self {
        Self {
            run,
            allocation,
            room: memory.room.clone(),
            works: memory.works,
            weights_fit: memory.weights_fit,
        }
    }

    /// Sizes that overflow do not fit either.
    fn fits(&self, users: u64, tokens: u64) -> bool {
        let users = self.run.parallel.users_per_replica(users);
        self.weights_fit && self.fits_replica(users, tokens).unwrap_or(false)
    }

    fn fits_replica(&self, users: u64, tokens: u64) -> Result<bool> {
        let used = self.allocation.stage_bytes(users, tokens)?;
        let working = if self.works { self.allocation.working(users, tokens)? } else { Vec::new() };
        let beside = |stage: usize| working.get(stage).map_or(0, |part| part.bytes);
        let mut stages = used.iter().zip(&self.room).enumerate();
        Ok(stages
            .all(|(stage, (used, room))| used.checked_add(beside(stage)).is_some_and(|all| all <= *room)))
    }

    fn max_users(&self, tokens: u64) -> u64 {
        let dp = self.run.parallel.dp;
        max_satisfying(SEARCH_LIMIT / dp.max(1), |per_replica| {
            self.fits(per_replica.saturating_mul(dp), tokens)
        })
        .saturating_mul(dp)
    }

    /// Longest session for so many users, and what ends its growth there.
    fn max_seq(&self, users: u64) -> (Option<u64>, Limit) {
        let longest = self.run.model.max_position.unwrap_or(SEARCH_LIMIT).max(self.run.tokens);
        let max_seq = max_satisfying(longest.min(SEARCH_LIMIT), |tokens| self.fits(users, tokens));
        if !self.weights_fit {
            (Some(max_seq), Limit::Weights)
        } else if self.run.model.max_position.is_some_and(|max| max_seq >= max) {
            (Some(max_seq), Limit::MaxPosition)
        } else if max_seq >= SEARCH_LIMIT {
            (None, Limit::Nothing)
        } else {
            (Some(max_seq), Limit::KvCache)
        }
    }
}

pub(super) fn verdict(
    run: &ResolvedRequest<'_>,
    allocation: &dyn Allocation,
    memory: &Memory,
) -> Result<Verdict> {
    let fit = Fit::new(run, allocation, memory);
    let users = run.request.users;
    let fits = fit.fits(users, run.tokens);
    let max_users = fit.max_users(run.tokens);
    let (max_seq, limited_by) = fit.max_seq(users);
    let min_gpus = fewest_gpus(run.model, run.request).map(|(gpus, _)| gpus);
    let alternatives = if fits { Vec::new() } else { alternatives(run, max_users, max_seq, min_gpus) };
    Ok(Verdict { fits, max_users, max_seq, min_gpus, limited_by, alternatives })
}

/// Numbers of GPUs that tensor parallelism can divide the model over.
fn tensor_sizes(model: &ModelSpec) -> impl Iterator<Item = u64> {
    let heads = model.attention_heads;
    (1..=MAX_GPUS).filter(move |&n| match heads {
        Some(heads) => n <= heads && heads % n == 0,
        None => n.is_power_of_two() && n <= 64,
    })
}

/// The fewest GPUs on which the request fits, and the request with that many.
fn fewest_gpus(model: &ModelSpec, request: &Request) -> Option<(u64, Request)> {
    request.gpu.as_ref()?;
    tensor_sizes(model).find_map(|tp| {
        let changed = Request {
            gpus: None,
            tp: Some(tp),
            pp: None,
            dp: None,
            dcp: None,
            kv_memory: None,
            ..request.clone()
        };
        let (run, allocation) = try_allocate(model, &changed)?;
        let memory = Memory::of(&run, allocation.as_ref()).ok()??;
        let fits = Fit::new(&run, allocation.as_ref(), &memory).fits(request.users, run.tokens);
        fits.then(|| (tp, changed.clone()))
    })
}

fn alternatives(
    run: &ResolvedRequest<'_>,
    max_users: u64,
    max_seq: Option<u64>,
    min_gpus: Option<u64>,
) -> Vec<Alternative> {
    let request = run.request;
    let own_dtype = request.kv_dtype.is_none() && request.k_dtype.is_none() && request.v_dtype.is_none();
    let changes = [
        min_gpus.filter(|_| request.kv_memory.is_none()).map(Change::Gpus),
        (max_users > 0).then_some(Change::Users(max_users)),
        max_seq.filter(|tokens| *tokens > 0).map(Change::Seq),
        own_dtype.then_some(Change::KvDtype("fp8")),
    ];
    let try_change = |change: Change| {
        let changed = change.apply(request);
        let (run, allocation) = try_allocate(run.model, &changed)?;
        let memory = Memory::of(&run, allocation.as_ref()).ok()??;
        let fit = Fit::new(&run, allocation.as_ref(), &memory);
        let max_users = || fit.max_users(run.tokens);
        fit.fits(changed.users, run.tokens)
            .then(|| Alternative { changes: vec![change], max_users: max_users() })
    };
    changes.into_iter().flatten().filter_map(try_change).collect()
}

/// For each GPU the fewest that hold weights and cache, with what fits on them.
pub fn candidates(model: &ModelSpec, request: &Request, gpus: &[&str]) -> Vec<Candidate> {
    let Ok(model) = &adjusted(model, request) else { return Vec::new() };
    let one = |id: &&str| {
        let device = Device::resolve(id).ok()?;
        let request = Request { gpu: Some(device.clone()), gpus: None, kv_memory: None, ..request.clone() };
        let (count, changed) = fewest_gpus(model, &request)?;
        let (run, allocation) = try_allocate(model, &changed)?;
        let memory = Memory::of(&run, allocation.as_ref()).ok()??;
        let fit = Fit::new(&run, allocation.as_ref(), &memory);
        let (max_seq, limited_by) = fit.max_seq(request.users);
        Some(Candidate {
            device,
            gpus: count,
            kv_bytes_available: memory.available().first().copied().unwrap_or(0),
            by_parts: memory.gpus.iter().any(|gpu| !gpu.parts.is_empty()),
            max_users: fit.max_users(run.tokens),
            max_seq,
            limited_by,
        })
    };
    gpus.iter().filter_map(one).collect()
}

/// Most users at each length; `None` where no memory is named or the engine refuses that length.
pub fn max_users_by_length(model: &ModelSpec, request: &Request, lengths: &[u64]) -> Vec<(u64, Option<u64>)> {
    let Ok(model) = &adjusted(model, request) else {
        return lengths.iter().map(|&tokens| (tokens, None)).collect();
    };
    let most = |tokens: u64| {
        let changed = Request { seq: Some(tokens), ..request.clone() };
        let (run, allocation) = try_allocate(model, &changed)?;
        let memory = Memory::of(&run, allocation.as_ref()).ok()??;
        Some(Fit::new(&run, allocation.as_ref(), &memory).max_users(run.tokens))
    };
    lengths.iter().map(|&tokens| (tokens, most(tokens))).collect()
}

#[cfg(test)]
mod tests {
    use super::max_satisfying;

    #[test]
    fn the_search_finds_the_last_that_fits() {
        for last in [0, 1, 2, 3, 7, 8, 9, 1000, 4095, 4096] {
            assert_eq!(max_satisfying(1 << 40, |n| n <= last), last);
            assert_eq!(max_satisfying(5, |n| n <= last), last.min(5));
        }
    }
}
