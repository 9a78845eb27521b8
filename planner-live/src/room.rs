//! The room behind an engine's blocks: what it really kept for the cache.

use planner_core::plan::{Plan, plan};
use planner_core::request::Request;
use planner_log::{Figure, Quantity, StartupLog};

/// The largest room that is looked for, in bytes: 1 PiB.
const MOST: u64 = 1 << 50;

/// A plan's blocks, or its tokens where `quantity` is these, in a room.
fn holds(planned: &Plan<'_>, room: u64, quantity: Quantity) -> Option<u64> {
    let request = Request { kv_memory: Some(room.max(1)), measured: Vec::new(), ..planned.request.clone() };
    let plan = plan(&planned.model, &request).ok()?;
    let pool = plan.engine.report.pool()?;
    if quantity == Quantity::Blocks { pool.num_blocks } else { pool.kv_cache_tokens }
}

/// The rooms, in bytes from the least to the most, in which a plan's cache has the engine's blocks (its tokens where
/// it tells no blocks); nothing where none has.
pub fn rooms(log: &StartupLog, planned: &Plan<'_>) -> Option<(u64, u64)> {
    let figure = log.figure(Quantity::Blocks).or_else(|| log.figure(Quantity::Tokens))?;
    let wanted = u64::try_from(figure.value).ok().filter(|count| *count > 0)?;
    let reaches = |count: u64| {
        planner_log::room::least(MOST, |room| {
            holds(planned, room, figure.quantity).is_some_and(|own| own >= count)
        })
    };
    let from = reaches(wanted);
    let to = reaches(wanted.checked_add(1)?).saturating_sub(1);
    (holds(planned, from, figure.quantity) == Some(wanted)).then_some((from, to))
}

/// The room as a figure: the middle of what gives the engine's blocks.
pub fn figure(log: &StartupLog, planned: &Plan<'_>) -> Option<Figure> {
    let (from, to) = rooms(log, planned)?;
    let half = (to - from) / 2;
    let [value, rounding] = [from + half, half + 1].map(i64::try_from);
    Some(Figure { quantity: Quantity::Room, value: value.ok()?, rounding: rounding.ok()? })
}
