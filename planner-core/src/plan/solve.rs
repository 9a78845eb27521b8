//! What fits: most users, longest sequence, fewest GPUs, and what would make it fit.

use super::{Memory, try_allocate};
use crate::device::Device;
use crate::engine::{Allocation, ResolvedRequest};
use crate::error::Result;
use crate::parallel::MAX_GPUS;
use crate::request::Request;
use crate::spec::model::ModelSpec;

/// A search for users or tokens ends here; nothing serves more.
const SEARCH_LIMIT: u64 = 1 << 40;

/// Whether it fits, and the limits around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether all users at the asked length fit.
    pub fits: bool,
    /// Most users at that length.
    pub max_users: u64,
    /// Longest length for that many users, at most the model's maximum.
    pub max_seq: u64,
    /// Fewest GPUs of this kind, under tensor parallelism.
    pub min_gpus: Option<u64>,
    /// What sets the limit: `weights`, `kv_cache`, `max_position` when only the model's maximum does, or
    /// `none` where the cache does not grow and the model names no maximum.
    pub limited_by: &'static str,
    /// Changes that each make it fit.
    pub alternatives: Vec<Alternative>,
}

/// One change that makes it fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The flag to change.
    pub flag: &'static str,
    /// Its value.
    pub value: String,
    /// Most users at the asked length with it.
    pub max_users: u64,
}

/// A GPU on which everything fits, with the fewest of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The GPU.
    pub device: Device,
    /// How many.
    pub gpus: u64,
    /// Room for the cache on each.
    pub kv_bytes_available: u64,
    /// Most users at the asked length.
    pub max_users: u64,
    /// Longest length for the asked users.
    pub max_seq: u64,
    /// What sets the limit, as in [`Verdict`].
    pub limited_by: &'static str,
}

/// The largest `n` up to `limit` for which `fits` holds, 0 when not even 1 does.
fn largest(limit: u64, fits: impl Fn(u64) -> bool) -> u64 {
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

/// Answers "does it fit" for one layout and memory.
struct Fit<'a> {
    run: &'a ResolvedRequest<'a>,
    layout: &'a dyn Allocation,
    available: Vec<u64>,
    weights_fit: bool,
}

impl<'a> Fit<'a> {
    fn new(run: &'a ResolvedRequest<'a>, layout: &'a dyn Allocation, memory: &Memory) -> Self {
        Self { run, layout, available: memory.available(), weights_fit: memory.weights_fit }
    }

    /// Sizes that overflow do not fit either.
    fn fits(&self, users: u64, tokens: u64) -> bool {
        let users = self.run.parallel.users_per_replica(users);
        self.weights_fit
            && self
                .layout
                .stage_bytes(users, tokens)
                .is_ok_and(|used| used.iter().zip(&self.available).all(|(used, available)| used <= available))
    }

    fn max_users(&self, tokens: u64) -> u64 {
        let dp = self.run.parallel.dp;
        largest(SEARCH_LIMIT / dp.max(1), |per_replica| self.fits(per_replica.saturating_mul(dp), tokens))
            .saturating_mul(dp)
    }

    /// What ends the growth of a session at `max_seq` tokens.
    fn limited_by(&self, max_seq: u64) -> &'static str {
        if !self.weights_fit {
            "weights"
        } else if self.run.model.max_position.is_some_and(|max| max_seq >= max) {
            "max_position"
        } else if max_seq >= SEARCH_LIMIT {
            "none"
        } else {
            "kv_cache"
        }
    }

    fn max_seq(&self, users: u64) -> u64 {
        let longest = self.run.model.max_position.unwrap_or(SEARCH_LIMIT).max(self.run.tokens);
        let limit = longest.min(SEARCH_LIMIT);
        largest(limit, |tokens| self.fits(users, tokens))
    }
}

pub(super) fn verdict(
    run: &ResolvedRequest<'_>,
    layout: &dyn Allocation,
    memory: &Memory,
) -> Result<Verdict> {
    let fit = Fit::new(run, layout, memory);
    let users = run.request.users;
    let fits = fit.fits(users, run.tokens);
    let max_users = fit.max_users(run.tokens);
    let max_seq = fit.max_seq(users);
    let limited_by = fit.limited_by(max_seq);
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
        let (run, layout) = try_allocate(model, &changed)?;
        let memory = Memory::of(&run).ok()??;
        let fits = Fit::new(&run, layout.as_ref(), &memory).fits(request.users, run.tokens);
        fits.then(|| (tp, changed.clone()))
    })
}

fn alternatives(
    run: &ResolvedRequest<'_>,
    max_users: u64,
    max_seq: u64,
    min_gpus: Option<u64>,
) -> Vec<Alternative> {
    let request = run.request;
    let mut changes: Vec<(&'static str, String)> = Vec::new();
    if let Some(gpus) = min_gpus.filter(|_| request.kv_memory.is_none()) {
        changes.push(("--gpus", gpus.to_string()));
    }
    if max_users > 0 {
        changes.push(("--users", max_users.to_string()));
    }
    if max_seq > 0 {
        changes.push(("--seq", max_seq.to_string()));
    }
    if request.kv_dtype.is_none() && request.k_dtype.is_none() && request.v_dtype.is_none() {
        changes.push(("--kv-dtype", "fp8".into()));
    }
    let try_change = |(flag, value): (&'static str, String)| {
        let mut changed = request.clone();
        if flag == "--gpus" {
            changed = Request { tp: None, pp: None, dp: None, dcp: None, ..changed };
        }
        changed.set(flag.trim_start_matches('-'), &value).ok()?;
        let (run, layout) = try_allocate(run.model, &changed)?;
        let memory = Memory::of(&run).ok()??;
        let fit = Fit::new(&run, layout.as_ref(), &memory);
        fit.fits(changed.users, run.tokens).then(|| Alternative {
            flag,
            value,
            max_users: fit.max_users(run.tokens),
        })
    };
    changes.into_iter().filter_map(try_change).collect()
}

/// For each GPU the fewest that hold weights and cache, with what fits on them.
pub fn candidates(model: &ModelSpec, request: &Request, gpus: &[&str]) -> Vec<Candidate> {
    let one = |id: &&str| {
        let device = Device::resolve(id).ok()?;
        let request = Request { gpu: Some(device.clone()), gpus: None, kv_memory: None, ..request.clone() };
        let (count, changed) = fewest_gpus(model, &request)?;
        let (run, layout) = try_allocate(model, &changed)?;
        let memory = Memory::of(&run).ok()??;
        let fit = Fit::new(&run, layout.as_ref(), &memory);
        let max_seq = fit.max_seq(request.users);
        Some(Candidate {
            device,
            gpus: count,
            kv_bytes_available: memory.available().first().copied().unwrap_or(0),
            max_users: fit.max_users(run.tokens),
            max_seq,
            limited_by: fit.limited_by(max_seq),
        })
    };
    gpus.iter().filter_map(one).collect()
}

/// Most users at each length; `None` where no memory is named or the engine refuses that length.
pub fn max_users_by_length(model: &ModelSpec, request: &Request, lengths: &[u64]) -> Vec<(u64, Option<u64>)> {
    let most = |tokens: u64| {
        let changed = Request { seq: Some(tokens), ..request.clone() };
        let (run, layout) = try_allocate(model, &changed)?;
        let memory = Memory::of(&run).ok()??;
        Some(Fit::new(&run, layout.as_ref(), &memory).max_users(run.tokens))
    };
    lengths.iter().map(|&tokens| (tokens, most(tokens))).collect()
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn the_search_finds_the_last_that_fits() {
        for last in [0, 1, 2, 3, 7, 8, 9, 1000, 4095, 4096] {
            assert_eq!(largest(1 << 40, |n| n <= last), last);
            assert_eq!(largest(5, |n| n <= last), last.min(5));
        }
    }
}
