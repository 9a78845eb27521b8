//! A plan's figures beside a log's, and which part makes the difference.

use planner_core::engine::memory::PartKind;
use planner_core::engine::report::ReportKind;
use planner_core::plan::{GpuMemory, Plan};

use crate::figure::{Figure, Quantity};
use crate::log::{Rank, StartupLog};
use crate::room;

/// One figure of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The rank that printed it, by name; empty where lines name none.
    pub rank: String,
    /// The engine's.
    pub logged: Figure,
    /// The plan's.
    pub planned: Option<i64>,
}

impl Row {
    /// How much more the plan has.
    pub fn difference(&self) -> Option<i64> {
        Some(self.planned?.saturating_sub(self.logged.value))
    }

    /// Whether the plan's figure would be printed as the engine's is.
    pub fn agrees(&self) -> bool {
        self.planned.is_some_and(|planned| self.logged.agrees(planned))
    }
}

/// What one part adds to the difference between both rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The part; nothing for what the log does not print.
    pub part: Option<Quantity>,
    /// By how much it makes the plan's room larger.
    pub bytes: i64,
}

/// Both, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Figure by figure, rank by rank.
    pub rows: Vec<Row>,
    /// How much more room the plan has than the engine, on the GPU with the least.
    pub difference: Option<i64>,
    /// What that difference is made of, largest first.
    pub causes: Vec<Cause>,
    /// The cache of the plan in the engine's own room, where both print tokens.
    pub cache: Option<Cache>,
}

/// Tokens in one and the same room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// As the engine printed them.
    pub logged: i64,
    /// As planned: the engine's, where a room that is printed as its own gives them.
    pub planned: i64,
}

impl Comparison {
    /// The part that makes most of the difference, where there is one beyond rounding.
    pub fn largest(&self) -> Option<Cause> {
        self.causes.first().copied()
    }
}

/// Compares a log with a plan of the same run.
pub fn compare(log: &StartupLog, plan: Option<&Plan<'_>>) -> Comparison {
    let mut comparison = Comparison::default();
    for rank in &log.ranks {
        for figure in rank.figures.values() {
            let planned = plan.and_then(|plan| planned(plan, rank, figure.quantity));
            comparison.rows.push(Row { rank: rank.place.name(), logged: *figure, planned });
        }
    }
    comparison.rows.sort_by_key(|row| row.logged.quantity);
    merge_equal(&mut comparison.rows);
    if let Some(plan) = plan {
        (comparison.difference, comparison.causes) = causes(log, plan);
        comparison.cache = cache(log, plan);
    }
    comparison
}

/// The cache in the room of the GPU with the least.
fn cache(log: &StartupLog, plan: &Plan<'_>) -> Option<Cache> {
    let room = *tightest(log)?.figures.get(&Quantity::Room)?;
    let logged = log.figure(Quantity::Tokens)?.value;
    let tokens = room::tokens(plan, room::of(log, room, plan)?)?;
    Some(Cache { logged, planned: i64::try_from(tokens).ok()? })
}

/// Ranks that print and plan the same are one row.
fn merge_equal(rows: &mut Vec<Row>) {
    let mut at = 0;
    while at < rows.len() {
        let quantity = rows[at].logged.quantity;
        let end =
            rows[at..].iter().position(|row| row.logged.quantity != quantity).map_or(rows.len(), |n| at + n);
        let same = |row: &Row| (row.logged, row.planned) == (rows[at].logged, rows[at].planned);
        if end - at > 1 && rows[at..end].iter().all(same) {
            rows[at].rank.clear();
            rows.drain(at + 1..end);
        }
        at = rows[at..].iter().position(|row| row.logged.quantity != quantity).map_or(rows.len(), |n| at + n);
    }
}

/// The GPU of the plan that a rank is.
fn gpu<'a>(plan: &'a Plan<'_>, rank: &Rank) -> Option<&'a GpuMemory> {
    let stage = rank.place.stage(plan.parallel.tp(), plan.parallel.pp());
    plan.memory.as_ref()?.gpus.iter().find(|gpu| gpu.stage == stage)
}

fn part(gpu: &GpuMemory, kind: PartKind) -> Option<u64> {
    gpu.parts.iter().find(|part| part.kind == kind).map(|part| part.bytes)
}

/// The plan's figure on the GPU of a rank.
fn planned(plan: &Plan<'_>, rank: &Rank, quantity: Quantity) -> Option<i64> {
    if let ReportKind::LlamaCpp(report) = &plan.engine.report.kind {
        let bytes = match quantity {
            Quantity::Weights => plan.model.weight_bytes,
            Quantity::Room => report.k_bytes.checked_add(report.v_bytes)?,
            Quantity::Keys => report.k_bytes,
            Quantity::Values => report.v_bytes,
            Quantity::States => report.recurrent_bytes,
            Quantity::Slots => plan.request.n_parallel.unwrap_or(plan.request.users),
            // load_model of tools/server/server-context.cpp caps a slot at the training context
            Quantity::SlotTokens => report.n_ctx_seq.min(plan.model.max_position.unwrap_or(u64::MAX)),
            Quantity::Parameters => plan.model.parameters,
            Quantity::TrainedTokens => plan.model.max_position?,
            _ => return None,
        };
        return i64::try_from(bytes).ok();
    }
    let gpu = gpu(plan, rank)?;
    let bytes = match quantity {
        Quantity::Total => gpu.total_bytes,
        Quantity::Budget => gpu.budget_bytes,
        Quantity::Weights => gpu.weight_bytes,
        Quantity::Consumed => gpu.weight_bytes?.checked_add(part(gpu, PartKind::OutsideTorch)?),
        Quantity::Activation => part(gpu, PartKind::Activation),
        Quantity::OutsideTorch => part(gpu, PartKind::OutsideTorch),
        Quantity::Graphs | Quantity::GraphsEstimate => part(gpu, PartKind::Graphs),
        Quantity::Room => Some(gpu.kv_bytes_available),
        Quantity::BlockSize | Quantity::Blocks | Quantity::Tokens | Quantity::Concurrency => {
            return pool(plan, quantity);
        }
        _ => None,
    };
    i64::try_from(bytes?).ok()
}

/// A figure of the plan's pool.
fn pool(plan: &Plan<'_>, quantity: Quantity) -> Option<i64> {
    let pool = plan.engine.report.pool()?;
    let count = match quantity {
        Quantity::BlockSize => pool.block_size,
        Quantity::Blocks => pool.num_blocks?,
        Quantity::Tokens => pool.kv_cache_tokens?,
        // a ratio that the engine prints to two decimals
        Quantity::Concurrency => return Some((pool.max_concurrency? * 100.0).round() as i64),
        _ => return None,
    };
    i64::try_from(count).ok()
}

/// The rank whose room is least, which decides for all.
pub(crate) fn tightest(log: &StartupLog) -> Option<&Rank> {
    let with_room = log.ranks.iter().filter(|rank| rank.figures.contains_key(&Quantity::Room));
    with_room.min_by_key(|rank| rank.figures.get(&Quantity::Room).map(|room| room.value))
}

/// How much more room the plan has, and what makes it so.
fn causes(log: &StartupLog, plan: &Plan<'_>) -> (Option<i64>, Vec<Cause>) {
    let found = tightest(log).and_then(|rank| {
        let room = rank.figures.get(&Quantity::Room)?;
        Some((rank, *room, planned(plan, rank, Quantity::Room)?))
    });
    let Some((rank, room, ours)) = found else { return (None, Vec::new()) };
    let difference = ours.saturating_sub(room.value);
    if matches!(plan.engine.report.kind, ReportKind::LlamaCpp(_)) {
        let cause = Cause { part: Some(Quantity::Room), bytes: difference };
        return (Some(difference), Some(cause).filter(|_| !room.agrees(ours)).into_iter().collect());
    }
    let of = |quantity: Quantity| rank.figures.get(&quantity).copied().or_else(|| log.figure(quantity));
    // what is taken off: less of it in the plan is more room
    let mut causes = Vec::new();
    let mut roundings = room.rounding;
    let mut explain = |logged: Option<Figure>, larger_is_more: bool| {
        let Some(logged) = logged else { return };
        let Some(ours) = planned(plan, rank, logged.quantity) else { return };
        let more = ours.saturating_sub(logged.value);
        roundings = roundings.saturating_add(logged.rounding);
        let bytes = if larger_is_more { more } else { more.saturating_neg() };
        causes
            .push(Cause { part: Some(logged.quantity), bytes: if logged.agrees(ours) { 0 } else { bytes } });
    };
    explain(of(Quantity::Budget), true);
    match (of(Quantity::Weights), of(Quantity::OutsideTorch), of(Quantity::Consumed)) {
        (_, None, Some(consumed)) => explain(Some(consumed), false),
        (weights, outside, _) => {
            explain(weights, false);
            explain(outside, false);
        }
    }
    explain(of(Quantity::Activation), false);
    explain(of(Quantity::GraphsEstimate).or(of(Quantity::Graphs)), false);
    let explained = causes.iter().fold(0_i64, |sum, cause| sum.saturating_add(cause.bytes));
    let rest = difference.saturating_sub(explained);
    if rest.saturating_abs() > roundings {
        causes.push(Cause { part: None, bytes: rest });
    }
    causes.retain(|cause| cause.bytes != 0);
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.bytes.unsigned_abs()));
    (Some(difference), causes)
}
