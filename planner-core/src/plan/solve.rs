//! What fits: most users, longest session, fewest GPUs, and changes that make it fit.

use super::resolve::{resolve, try_allocate};
use super::{Memory, adjusted};
use crate::device::Device;
use crate::engine::architecture::ReferenceCache;
use crate::engine::{Allocation, ResolvedRequest};
use crate::error::Result;
use crate::parallel::{MAX_GPUS, Parallel};
use crate::request::Request;
use crate::spec::model::ModelSpec;

/// A search for users or tokens ends here; no server has more.
const SEARCH_LIMIT: u64 = 1 << 40;

/// What ends the growth of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Weights and reserve alone are more than the budget.
    Weights,
    /// The room for the cache.
    KvCache,
    /// The longest session that the model is made for.
    MaxPosition,
    /// Nothing: the cache does not grow, and the model names no longest session.
    Nothing,
}

impl Limit {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::KvCache => "kv_cache",
            Self::MaxPosition => "max_position",
            Self::Nothing => "none",
        }
    }
}

/// Whether it fits, and the limits around it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether all users at the asked length fit.
    pub fits: bool,
    /// Most users at that length; 0 where not one fits.
    pub max_users: u64,
    /// Sessions of that length that run at once once all of them decode, by the engine's scheduler; at least `max_users`.
    pub steady_users: u64,
    /// Longest session for the asked users, at most the model's maximum; 0 where none fits; `None` where
    /// nothing limits it.
    pub max_seq: Option<u64>,
    /// Fewest GPUs of this kind, under tensor parallelism.
    pub min_gpus: Option<u64>,
    /// What sets the limit.
    pub limited_by: Limit,
    /// Sessions that run at once at most, whatever the memory; `None` where memory alone limits them.
    pub max_sessions: Option<u64>,
    /// Changes that each make it fit.
    pub alternatives: Vec<Alternative>,
}

/// Changes that together make it fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alternative {
    /// What to change.
    pub changes: Vec<Change>,
    /// Most users at the asked length after the changes.
    pub max_users: u64,
}

/// A flag and another value for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// This many GPUs.
    Gpus(u64),
    /// This tensor parallel size.
    Tp(u64),
    /// This pipeline parallel size.
    Pp(u64),
    /// This data parallel size.
    Dp(u64),
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
            Self::Tp(_) => "--tp",
            Self::Pp(_) => "--pp",
            Self::Dp(_) => "--dp",
            Self::Users(_) => "--users",
            Self::Seq(_) => "--seq",
            Self::KvDtype(_) => "--kv-dtype",
        }
    }

    /// The value, as typed.
    pub fn value(self) -> String {
        match self {
            Self::Gpus(count)
            | Self::Tp(count)
            | Self::Pp(count)
            | Self::Dp(count)
            | Self::Users(count)
            | Self::Seq(count) => count.to_string(),
            Self::KvDtype(name) => name.to_owned(),
        }
    }

    /// The request as if the flag were typed beside those given.
    fn apply(self, request: &mut Request) {
        match self {
            Self::Gpus(gpus) => request.gpus = Some(gpus),
            Self::Tp(tp) => request.tp = Some(tp),
            Self::Pp(pp) => request.pp = Some(pp),
            Self::Dp(dp) => request.dp = Some(dp),
            Self::Users(users) => request.users = users,
            Self::Seq(tokens) => request.seq = Some(tokens),
            Self::KvDtype(name) => request.kv_dtype = Some(name.to_owned()),
        }
    }
}

fn changed(request: &Request, changes: &[Change]) -> Request {
    let mut changed = request.clone();
    changes.iter().for_each(|change| change.apply(&mut changed));
    changed
}

/// A GPU on which everything fits, and the fewest of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The GPU.
    pub device: Device,
    /// How many.
    pub gpus: u64,
    /// How the model is divided over them.
    pub parallel: Parallel,
    /// Bytes of room for the cache on each GPU.
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

/// The largest `n` up to `limit` for which `fits` is true, looked for from `guess` outwards; 0 where it is false even
/// for 1.
fn max_satisfying(limit: u64, guess: u64, fits: &dyn Fn(u64) -> bool) -> u64 {
    if limit == 0 {
        return 0;
    }
    let (mut good, mut bad) = (0, limit.saturating_add(1));
    let (mut next, mut step) = (guess.clamp(1, limit), 1_u64);
    while bad - good > 1 {
        if fits(next) {
            good = next;
        } else {
            bad = next;
        }
        // away from the guess in growing steps, then halves
        next = if bad > limit {
            good.saturating_add(step).min(limit)
        } else if good == 0 {
            bad.saturating_sub(step).max(1)
        } else {
            good + (bad - good) / 2
        };
        step = step.saturating_mul(2);
    }
    good
}

/// Whether users and tokens fit, for one allocation and memory.
struct Fit<'a> {
    run: &'a ResolvedRequest<'a>,
    allocation: &'a dyn Allocation,
    memory: &'a Memory,
}

impl<'a> Fit<'a> {
    fn new(run: &'a ResolvedRequest<'a>, allocation: &'a dyn Allocation, memory: &'a Memory) -> Self {
        Self { run, allocation, memory }
    }

    /// Sizes that overflow, or that the engine refuses, do not fit.
    fn fits(&self, users: u64, tokens: u64) -> bool {
        let users = self.run.parallel.users_per_replica(users);
        self.memory.weights_fit
            && self.allocation.max_sessions().is_none_or(|most| users <= most)
            && self.fits_replica(users, tokens).unwrap_or(false)
    }

    fn fits_replica(&self, users: u64, tokens: u64) -> Result<bool> {
        self.has_room(&self.allocation.stage_bytes(users, tokens)?, users, tokens)
    }

    fn has_room(&self, used: &[u64], users: u64, tokens: u64) -> Result<bool> {
        let working = if self.memory.works { self.allocation.working(users, tokens)? } else { Vec::new() };
        let beside = |stage: usize| working.get(stage).map_or(0, |part| part.bytes);
        let mut stages = used.iter().zip(&self.memory.room).enumerate();
        Ok(stages
            .all(|(stage, (used, room))| used.checked_add(beside(stage)).is_some_and(|all| all <= *room)))
    }

    fn max_users(&self, tokens: u64) -> u64 {
        let dp = self.run.parallel.dp;
        let fits = |per_replica: u64| self.fits(per_replica.saturating_mul(dp), tokens);
        max_satisfying(SEARCH_LIMIT / dp.max(1), self.grown(1, 1, tokens), &fits).saturating_mul(dp)
    }

    /// A guess how often `amount` fits, where `users` sessions of `tokens` are that much.
    fn grown(&self, amount: u64, users: u64, tokens: u64) -> u64 {
        let used = self.allocation.stage_bytes(users, tokens).unwrap_or_default();
        let times =
            |(used, room): (&u64, &u64)| u128::from(*room) * u128::from(amount) / u128::from((*used).max(1));
        let least = used.iter().zip(&self.memory.room).map(times).min();
        least.and_then(|least| u64::try_from(least).ok()).unwrap_or(amount)
    }

    /// Most sessions that run at once, where `granted` are granted.
    fn steady_users(&self, tokens: u64, granted: u64) -> u64 {
        let runs = |users: u64| match self.allocation.running_bytes(users, tokens) {
            Ok(Some(used)) => self.has_room(&used, users, tokens).unwrap_or(false),
            Ok(None) | Err(_) => false,
        };
        let differs = self.memory.weights_fit && runs(1);
        let most = self.allocation.max_sessions().unwrap_or(SEARCH_LIMIT);
        let guess = granted / self.run.parallel.dp.max(1);
        let found = if differs { max_satisfying(most, guess, &runs) } else { 0 };
        found.saturating_mul(self.run.parallel.dp).max(granted)
    }

    /// The longest session for `users`, and what limits it.
    fn max_seq(&self, users: u64) -> (Option<u64>, Limit) {
        let longest = self.run.model.max_position.unwrap_or(SEARCH_LIMIT);
        let tokens = self.run.tokens;
        let guess = self.grown(tokens, self.run.parallel.users_per_replica(users), tokens);
        let max_seq = max_satisfying(longest.min(SEARCH_LIMIT), guess, &|tokens| self.fits(users, tokens));
        if !self.memory.weights_fit {
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

/// Plans a changed request as it would be typed and asks something of it; `None` where it is refused or names no memory.
fn replan<T>(model: &ModelSpec, request: &Request, ask: impl FnOnce(&Fit<'_>) -> T) -> Option<T> {
    let (run, allocation) = try_allocate(model, request)?;
    let memory = Memory::of(&run, allocation.as_ref()).ok()??;
    Some(ask(&Fit::new(&run, allocation.as_ref(), &memory)))
}

/// Whether a request fits when it is planned.
fn fits_when_planned(model: &ModelSpec, request: &Request) -> bool {
    replan(model, request, |fit| fit.fits(request.users, fit.run.tokens)).unwrap_or(false)
}

/// The largest value, at most `found`, that fits when it is planned: an allocation that is made for one number of users
/// or one length may answer otherwise for another.
fn verified(model: &ModelSpec, request: &Request, found: u64, change: fn(u64) -> Change) -> u64 {
    let fits = |value| fits_when_planned(model, &changed(request, &[change(value)]));
    if found == 0 || fits(found) { found } else { max_satisfying(found - 1, found - 1, &fits) }
}

/// Whether so many users fit at the asked length.
#[cfg(any(feature = "lists", feature = "recommend"))]
pub(super) fn fits(
    run: &ResolvedRequest<'_>,
    allocation: &dyn Allocation,
    memory: &Memory,
    users: u64,
) -> bool {
    Fit::new(run, allocation, memory).fits(users, run.tokens)
}

/// Most users at the asked length: those granted, and those that run at once.
pub(super) fn most_users(
    run: &ResolvedRequest<'_>,
    allocation: &dyn Allocation,
    memory: &Memory,
) -> (u64, u64) {
    let fit = Fit::new(run, allocation, memory);
    let granted = verified(run.model, run.request, fit.max_users(run.tokens), Change::Users);
    (granted, fit.steady_users(run.tokens, granted))
}

/// What fits, without a search for other GPUs or settings.
pub(super) struct Limits {
    pub(super) fits: bool,
    pub(super) max_users: u64,
    pub(super) steady_users: u64,
    pub(super) max_seq: Option<u64>,
    pub(super) limited_by: Limit,
}

pub(super) fn limits(run: &ResolvedRequest<'_>, allocation: &dyn Allocation, memory: &Memory) -> Limits {
    let fit = Fit::new(run, allocation, memory);
    let (model, request) = (run.model, run.request);
    let fits = fit.fits(request.users, run.tokens);
    let (max_users, steady_users) = most_users(run, allocation, memory);
    let (max_seq, limited_by) = fit.max_seq(request.users);
    let max_seq = max_seq.map(|found| longest(run, &fit, found, fits));
    let limited_by = match (limited_by, max_seq) {
        (Limit::MaxPosition, found) if found < model.max_position => Limit::KvCache,
        (limit, _) => limit,
    };
    Limits { fits, max_users, steady_users, max_seq, limited_by }
}

pub(super) fn verdict(
    run: &ResolvedRequest<'_>,
    allocation: &dyn Allocation,
    memory: &Memory,
) -> Result<Verdict> {
    let Limits { fits, max_users, steady_users, max_seq, limited_by } = limits(run, allocation, memory);
    let fewest = fewest_gpus(run);
    let min_gpus = fewest.as_ref().map(|fewest| fewest.gpus);
    let alternatives = if fits { Vec::new() } else { alternatives(run, max_users, max_seq, fewest) };
    let max_sessions = allocation.max_sessions().map(|most| most.saturating_mul(run.parallel.dp));
    Ok(Verdict { fits, max_users, steady_users, max_seq, min_gpus, limited_by, max_sessions, alternatives })
}

/// The longest session that fits when it is planned, where the allocation made for the asked length says `found`.
fn longest(run: &ResolvedRequest<'_>, fit: &Fit<'_>, found: u64, fits: bool) -> u64 {
    let (model, request) = (run.model, run.request);
    let found = match found {
        // an allocation for a length that does not fit may have no room for a shorter session either
        0 if !fits && fit.memory.weights_fit => {
            run.tokens.saturating_sub(1).min(model.max_position.unwrap_or(u64::MAX))
        }
        found => found,
    };
    verified(model, request, found, Change::Seq)
}

/// Tensor parallel sizes that divide the attention heads.
fn tensor_sizes(model: &ModelSpec) -> impl Fn(u64) -> bool {
    let heads = model.attention_heads;
    move |tp| match heads {
        Some(heads) => heads % tp == 0,
        None => tp.is_power_of_two() && tp <= 64,
    }
}

/// The fewest GPUs on which a request fits, and what to type for them.
struct Fewest {
    gpus: u64,
    parallel: Parallel,
    changes: Vec<Change>,
}

/// Numbers of GPUs tried beyond the least that could hold weights and cache.
const TRIED_BEYOND: u64 = 64;

/// Searches tensor, pipeline and data parallel sizes, a number of GPUs at a time, from the least that could hold weights
/// and cache. A `--dp` that is given stays.
fn fewest_gpus(run: &ResolvedRequest<'_>) -> Option<Fewest> {
    let (model, request) = (run.model, run.request);
    let device = request.gpu.as_ref()?;
    let held = if request.shared_prefix.is_some() { 0 } else { definition_bytes(run).unwrap_or(0) };
    // an engine may keep a little less than the definition
    let least = model.weight_bytes.saturating_add(held / 10 * 9).div_ceil(device.memory_bytes.max(1)).max(1);
    let divides = tensor_sizes(model);
    let heads = model.attention_heads.unwrap_or(64);
    let last = least.saturating_mul(2).saturating_add(TRIED_BEYOND).min(MAX_GPUS);
    let given = request.dp;
    (least..=last).find_map(|gpus| {
        let divisors = |n: u64| (1..=n).filter(move |size| n.is_multiple_of(*size));
        // tensor ranks before replicas before stages
        let sizes = divisors(gpus)
            .filter(|pp| *pp <= model.config_layers.max(1))
            .flat_map(|pp| divisors(gpus / pp).map(move |dp| (gpus / pp / dp, pp, dp)));
        let fitting = |(tp, pp, dp): (u64, u64, u64)| {
            let possible = tp <= heads && divides(tp) && given.is_none_or(|given| given == dp);
            let changes = possible.then(|| placement(request, tp, pp, dp))?;
            let placed = |changes: &[Change]| {
                let typed = changed(request, changes);
                let fits = |fit: &Fit<'_>| {
                    (fit.run.parallel.gpus() == gpus && fit.fits(typed.users, fit.run.tokens))
                        .then_some(fit.run.parallel)
                };
                replan(model, &typed, fits).flatten()
            };
            let parallel = placed(&changes)?;
            // nothing is typed that follows from the rest
            let mut changes = changes;
            let without = |changes: &[Change], index: usize| {
                let mut fewer = changes.to_vec();
                fewer.remove(index);
                (placed(&fewer) == Some(parallel)).then_some(fewer)
            };
            while let Some(fewer) = (0..changes.len()).rev().find_map(|index| without(&changes, index)) {
                changes = fewer;
            }
            Some(Fewest { gpus, parallel, changes })
        };
        sizes.into_iter().find_map(fitting)
    })
}

/// Bytes of all sessions by the definition.
fn definition_bytes(run: &ResolvedRequest<'_>) -> Option<u64> {
    let reference = ReferenceCache::of_definition(*run).ok()?;
    reference.total_bytes(run.request.users, run.tokens).ok()
}

/// The flags that place a model on `tp` × `pp` × `dp` GPUs, typed beside those given.
fn placement(request: &Request, tp: u64, pp: u64, dp: u64) -> Vec<Change> {
    let gpus = tp * pp * dp;
    let plain = request.tp.is_none() && request.pp.is_none() && pp == 1 && dp == request.dp.unwrap_or(1);
    let mut changes = Vec::new();
    if plain || request.gpus.is_some_and(|given| given != gpus) {
        changes.push(Change::Gpus(gpus));
    }
    if plain {
        return changes;
    }
    for (given, size, change) in [
        (request.tp, tp, Change::Tp as fn(u64) -> Change),
        (request.pp, pp, Change::Pp),
        (request.dp, dp, Change::Dp),
    ] {
        // what is not given is one, unless `--gpus` would make it more
        let same = match given {
            Some(given) => given == size,
            None => size == 1 && request.gpus.is_none(),
        };
        if !same {
            changes.push(change(size));
        }
    }
    changes
}

fn alternatives(
    run: &ResolvedRequest<'_>,
    max_users: u64,
    max_seq: Option<u64>,
    fewest: Option<Fewest>,
) -> Vec<Alternative> {
    let (model, request) = (run.model, run.request);
    let own_dtype = request.kv_dtype.is_none() && request.k_dtype.is_none() && request.v_dtype.is_none();
    let fp8 = own_dtype.then_some(Change::KvDtype("fp8"));
    let offer = |changes: Vec<Change>| {
        let changed = changed(request, &changes);
        let most = replan(model, &changed, |fit| {
            fit.fits(changed.users, fit.run.tokens).then(|| fit.max_users(fit.run.tokens))
        })??;
        let max_users = verified(model, &changed, most, Change::Users);
        Some(Alternative { changes, max_users })
    };
    let one = [
        fewest.filter(|_| request.kv_memory.is_none()).map(|fewest| fewest.changes),
        (max_users > 0).then(|| vec![Change::Users(max_users)]),
        max_seq.filter(|tokens| *tokens > 0 && *tokens < run.tokens).map(|tokens| vec![Change::Seq(tokens)]),
        fp8.map(|change| vec![change]),
    ];
    let found: Vec<Alternative> =
        one.into_iter().flatten().filter(|changes| !changes.is_empty()).filter_map(offer).collect();
    if !found.is_empty() {
        return found;
    }
    // two at once: a smaller type, or one user, and what then is the longest
    let first = [fp8, (request.users > 1).then_some(Change::Users(1))];
    let pairs = first.into_iter().flatten().filter_map(|first| {
        let changed = changed(request, &[first]);
        let found = replan(model, &changed, |fit| fit.max_seq(changed.users).0)??;
        let tokens = verified(model, &changed, found.min(run.tokens.saturating_sub(1)), Change::Seq);
        (tokens > 0).then(|| vec![first, Change::Seq(tokens)])
    });
    pairs.filter_map(offer).collect()
}

/// For each GPU, the fewest that hold weights and cache, and what fits on them.
pub fn candidates(model: &ModelSpec, request: &Request, gpus: &[&str]) -> Vec<Candidate> {
    let Ok(model) = &adjusted(model, request) else { return Vec::new() };
    let one = |id: &&str| {
        let device = Device::resolve(id).ok()?;
        let request = Request { gpu: Some(device.clone()), gpus: None, kv_memory: None, ..request.clone() };
        let (run, _) = resolve(model, &request).ok()?;
        let Fewest { gpus, parallel, changes } = fewest_gpus(&run)?;
        let request = changed(&request, &changes);
        replan(model, &request, |fit| {
            let (max_seq, limited_by) = fit.max_seq(request.users);
            Candidate {
                device,
                gpus,
                parallel,
                kv_bytes_available: fit.memory.available().first().copied().unwrap_or(0),
                by_parts: fit.memory.has_parts(),
                max_users: verified(model, &request, fit.max_users(fit.run.tokens), Change::Users),
                max_seq: max_seq.map(|found| verified(model, &request, found, Change::Seq)),
                limited_by,
            }
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
        replan(model, &changed, |fit| fit.max_users(fit.run.tokens))
    };
    lengths.iter().map(|&tokens| (tokens, most(tokens))).collect()
}

#[cfg(test)]
mod tests {
    use super::max_satisfying;

    #[test]
    fn the_search_finds_the_last_that_fits() {
        for last in [0, 1, 2, 3, 7, 8, 9, 1000, 4095, 4096] {
            for guess in [0, 1, last, last + 1, 3000, u64::MAX] {
                assert_eq!(max_satisfying(1 << 40, guess, &|n| n <= last), last);
                assert_eq!(max_satisfying(5, guess, &|n| n <= last), last.min(5));
            }
            assert_eq!(max_satisfying(0, 7, &|n| n <= last), 0);
        }
    }
}
