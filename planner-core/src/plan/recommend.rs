//! Deployments: on which GPUs, and how placed, a request fits.
//!
//! A placement is tried by the code that plans it when it is typed, so each one that is offered is a plan's own answer.

use std::cmp::Reverse;

use super::resolve::GPUS_OF_A_NODE;
use super::solve::{Limit, Limits, fits, limits, most_users};
use super::{Memory, adjusted, resolve, told};
use crate::device::Device;
use crate::engine::command::Command;
use crate::engine::common::routed_experts;
use crate::engine::{self, Allocation, ResolvedRequest};
use crate::error::{Error, Result};
use crate::parallel::{MAX_GPUS, Parallel};
use crate::request::{Ranks, Request};
use crate::spec::model::ModelSpec;

/// What makes one deployment better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Fewer GPUs, then a lower price, then less memory in all.
    Gpus,
    /// A lower price an hour; GPUs without one come last.
    Cost,
    /// More users at the asked length, then fewer GPUs.
    Headroom,
}

/// What may be chosen. An empty list of sizes leaves the size open.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The most GPUs, at most 4,096.
    pub most_gpus: u64,
    /// Tensor parallel sizes.
    pub tp: Vec<u64>,
    /// Pipeline parallel sizes.
    pub pp: Vec<u64>,
    /// Data parallel sizes.
    pub dp: Vec<u64>,
    /// Types of keys and values, the preferred first; `None` is `auto`. Empty leaves the request's own.
    pub kv_dtypes: Vec<Option<String>>,
}

/// How a model is placed on GPUs of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Tensor parallel size.
    pub tp: u64,
    /// Pipeline parallel size.
    pub pp: u64,
    /// Data parallel size.
    pub dp: u64,
    /// Whether routed experts are shared out beside what the request says.
    pub ep: bool,
    /// The type of keys and values, where it was chosen.
    pub kv_dtype: Option<Option<String>>,
}

impl Placement {
    /// The flags to type: sizes above 1 and what was chosen.
    pub fn flags(&self, device: &Device) -> Vec<(&'static str, String)> {
        let size = |flag, size: u64| (size > 1).then(|| (flag, size.to_string()));
        let kv_dtype = self.kv_dtype.as_ref().map(|name| name.as_deref().unwrap_or("auto").to_owned());
        let gpu = Some(("--gpu", device.id.clone()));
        let sizes = [size("--tp", self.tp), size("--pp", self.pp), size("--dp", self.dp)];
        let ep = self.ep.then(|| ("--ep", "on".to_owned()));
        let kv_dtype = kv_dtype.map(|name| ("--kv-dtype", name));
        std::iter::once(gpu).chain(sizes).chain([ep, kv_dtype]).flatten().collect()
    }

    /// The request with these flags; `--gpus` follows from the sizes.
    pub fn apply(&self, request: &Request, device: &Device) -> Request {
        let size = |size: u64| (size > 1).then_some(size);
        let mut placed = Request {
            gpu: Some(device.clone()),
            gpus: None,
            tp: size(self.tp),
            pp: size(self.pp),
            dp: size(self.dp),
            ..request.clone()
        };
        if self.ep {
            placed.ep = Some(Ranks::On);
        }
        if let Some(kv_dtype) = &self.kv_dtype {
            placed.kv_dtype.clone_from(kv_dtype);
        }
        placed
    }
}

/// A deployment on which the request fits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recommendation {
    /// The GPU.
    pub device: Device,
    /// How many.
    pub gpus: u64,
    /// How the model is placed.
    pub placement: Placement,
    /// Parallel sizes as the engine runs them.
    pub parallel: Parallel,
    /// Tokens of one session.
    pub tokens: u64,
    /// Most users at that length.
    pub max_users: u64,
    /// Most that run at once, at least `max_users`.
    pub steady_users: u64,
    /// Longest session for the asked users; `None` where nothing limits it.
    pub max_seq: Option<u64>,
    /// What sets the limit.
    pub limited_by: Limit,
    /// Room for the cache on the GPU with the least.
    pub kv_bytes_available: u64,
    /// What starts the engine so, where it is a server.
    pub command: Option<Command>,
}

/// Why no deployment is on a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// The engine refuses every placement; the first refusal.
    Refused(Box<Error>),
    /// Weights and what stands beside the cache leave no room.
    Weights,
    /// The cache of the asked users has no room.
    KvCache,
}

/// What was found on one GPU, the best first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recommended {
    /// Deployments; none where the GPU is left out.
    pub rows: Vec<Recommendation>,
    /// Why there are none.
    pub left_out: Option<LeftOut>,
}

/// A placement, and how many GPUs it takes.
struct Sized {
    gpus: u64,
    placement: Placement,
}

/// The deployments of a request on one kind of GPU: the best, or `all` of them.
///
/// # Errors
/// A model or a flag that is refused on every GPU.
pub fn recommend(
    model: &ModelSpec,
    request: &Request,
    device: &Device,
    choices: &Choices,
    by: By,
    all: bool,
) -> Result<Recommended> {
    let model = &*adjusted(model, request)?;
    let mut left_out = None;
    let mut found: Vec<(Sized, u64)> = Vec::new();
    for sized in placements(model, request, choices) {
        // the first that fits has the fewest GPUs
        if by != By::Headroom && !all && !found.is_empty() {
            break;
        }
        // an engine loads every weight at least once
        let held = device.memory_bytes.saturating_mul(sized.gpus);
        if request.kv_memory.is_none() && held < model.weight_bytes {
            worse(&mut left_out, LeftOut::Weights);
            continue;
        }
        let placed = sized.placement.apply(request, device);
        match tried(model, &placed, sized.gpus, by == By::Headroom || all) {
            Ok(Ok(users)) => found.push((sized, users)),
            Ok(Err(why)) => worse(&mut left_out, why),
            Err(error) => worse(&mut left_out, LeftOut::Refused(Box::new(told(error, model, &placed)))),
        }
    }
    if by == By::Headroom {
        found.sort_by_key(|(sized, users)| (Reverse(*users), sized.gpus));
    }
    found.truncate(if all { usize::MAX } else { 1 });
    let rows = found.into_iter().filter_map(|(sized, _)| row(model, request, device, sized).transpose());
    let rows = rows.collect::<Result<Vec<_>>>()?;
    Ok(Recommended { left_out: if rows.is_empty() { left_out } else { None }, rows })
}

/// Keeps the reason that came furthest: a cache without room before weights without, those before a refusal.
fn worse(kept: &mut Option<LeftOut>, why: LeftOut) {
    let place = |why: &LeftOut| match why {
        LeftOut::Refused(_) => 0,
        LeftOut::Weights => 1,
        LeftOut::KvCache => 2,
    };
    if kept.as_ref().is_none_or(|kept| place(kept) < place(&why)) {
        *kept = Some(why);
    }
}

/// Every placement by number of GPUs: tensor ranks before replicas before stages, the preferred type first.
fn placements(model: &ModelSpec, request: &Request, choices: &Choices) -> Vec<Sized> {
    let most = choices.most_gpus.min(MAX_GPUS);
    let sizes = |given: &[u64], most: u64| -> Vec<u64> {
        if given.is_empty() {
            (1..=most).collect()
        } else {
            given.iter().copied().filter(|size| *size <= most).collect()
        }
    };
    let divides = |tp: &u64| {
        !choices.tp.is_empty() || model.attention_heads.is_none_or(|heads| heads.is_multiple_of(*tp))
    };
    let tensor: Vec<u64> = sizes(&choices.tp, most).into_iter().filter(divides).collect();
    let own = [None];
    let kv_dtypes: Vec<Option<Option<String>>> = match choices.kv_dtypes.as_slice() {
        [] => own.to_vec(),
        chosen => chosen.iter().cloned().map(Some).collect(),
    };
    let experts = request.ep.is_none()
        && routed_experts(model).is_some()
        && engine::resolve(request.engine.as_ref())
            .is_ok_and(|(engine, _)| engine.reads(request).contains(&"ep"));
    let mut found = Vec::new();
    for &tp in &tensor {
        for pp in sizes(&choices.pp, (most / tp).min(model.config_layers.max(1))) {
            for dp in sizes(&choices.dp, (most / tp / pp).max(tp)) {
                for ep in [false, true] {
                    if ep && (!experts || tp * dp == 1) {
                        continue;
                    }
                    for kv_dtype in &kv_dtypes {
                        let placement = Placement { tp, pp, dp, ep, kv_dtype: kv_dtype.clone() };
                        if let Some(gpus) = gpus(&placement, request, most) {
                            found.push(Sized { gpus, placement });
                        }
                    }
                }
            }
        }
    }
    found.sort_by_key(|sized| {
        let Placement { pp, dp, ep, .. } = sized.placement;
        (sized.gpus, pp, dp, ep)
    });
    found
}

/// GPUs of a placement, at most `most`: an engine may run `--dp` as groups within its tensor ranks.
fn gpus(placement: &Placement, request: &Request, most: u64) -> Option<u64> {
    let product = placement.tp.checked_mul(placement.pp)?.checked_mul(placement.dp)?;
    let grouped = || {
        let sizes = Request {
            gpus: None,
            tp: Some(placement.tp),
            pp: Some(placement.pp),
            dp: Some(placement.dp),
            ..request.clone()
        };
        let parallel = sizes.parallel().ok()?;
        let (engine, _) = engine::resolve(request.engine.as_ref()).ok()?;
        let node = parallel.gpus() / request.nnodes.unwrap_or(1).max(1);
        let node = if request.nnodes.is_some() { node } else { GPUS_OF_A_NODE };
        let groups = engine.attention_groups(parallel, node).max(1);
        let within = if parallel.attention_groups == 1 { groups } else { 1 };
        Some(parallel.gpus() / within)
    };
    let gpus = if placement.dp == 1 && request.dp_attention.is_none() { product } else { grouped()? };
    (gpus <= most).then_some(gpus)
}

/// The most users of a placement that fits, where they are `counted`; why it does not fit.
fn tried(
    model: &ModelSpec,
    placed: &Request,
    gpus: u64,
    counted: bool,
) -> Result<std::result::Result<u64, LeftOut>> {
    let (run, _) = resolve(model, placed)?;
    let allocation = run.engine.allocate(run)?;
    let Some(memory) = Memory::of(&run, allocation.as_ref())? else { return Ok(Err(LeftOut::Weights)) };
    // what a plan computes, and may refuse
    let users = run.parallel.users_per_replica(placed.users);
    allocation.total_bytes(users, run.tokens)?;
    allocation.stage_bytes(users, run.tokens)?;
    if run.parallel.gpus() != gpus || !fits(&run, allocation.as_ref(), &memory, placed.users) {
        return Ok(Err(if memory.weights_fit { LeftOut::KvCache } else { LeftOut::Weights }));
    }
    Ok(Ok(if counted { most_users(&run, allocation.as_ref(), &memory).0 } else { 0 }))
}

/// The deployment of a placement that fits.
fn row(
    model: &ModelSpec,
    request: &Request,
    device: &Device,
    sized: Sized,
) -> Result<Option<Recommendation>> {
    let placed = sized.placement.apply(request, device);
    let (run, _) = resolve(model, &placed)?;
    let allocation: Box<dyn Allocation + '_> = run.engine.allocate(run)?;
    let ResolvedRequest { engine, parallel, tokens, .. } = run;
    let Some(memory) = Memory::of(&run, allocation.as_ref())? else { return Ok(None) };
    let Limits { fits, max_users, steady_users, max_seq, limited_by } =
        limits(&run, allocation.as_ref(), &memory);
    Ok(fits.then(|| Recommendation {
        device: device.clone(),
        gpus: sized.gpus,
        parallel,
        tokens,
        max_users,
        steady_users,
        max_seq,
        limited_by,
        kv_bytes_available: memory.available().into_iter().min().unwrap_or(0),
        command: engine.command(&run),
        placement: sized.placement,
    }))
}

/// Deployments in order, the best first; `price` is that of one GPU for an hour, in any unit.
pub fn ranked(
    mut rows: Vec<Recommendation>,
    by: By,
    price: impl Fn(&Device) -> Option<u64>,
) -> Vec<Recommendation> {
    rows.sort_by_cached_key(|row| {
        let cost = price(&row.device).map(|price| u128::from(price) * u128::from(row.gpus));
        // what has no price comes after what has
        let cost = (cost.is_none(), cost);
        let memory = u128::from(row.device.memory_bytes) * u128::from(row.gpus);
        let gpus = u128::from(row.gpus);
        let none = (false, None);
        let first = match by {
            By::Gpus => (Reverse(0), none, gpus),
            By::Cost => (Reverse(0), cost, gpus),
            By::Headroom => (Reverse(row.max_users), none, gpus),
        };
        (first, cost, memory, Reverse(row.max_users), row.device.id.clone())
    });
    rows
}
