//! The room behind a printed one, which rounding hides.

use planner_core::plan::{Plan, plan};
use planner_core::request::Request;

use crate::figure::{Figure, Quantity};
use crate::log::StartupLog;

/// Of all rooms that print as a log's does, one that gives its tokens; as printed where none does.
pub fn of(log: &StartupLog, room: Figure, planned: &Plan<'_>) -> Option<u64> {
    let printed = u64::try_from(room.value).ok()?;
    let rounding = u64::try_from(room.rounding).ok()?;
    let logged = log.figure(Quantity::Tokens).and_then(|tokens| u64::try_from(tokens.value).ok());
    let Some(logged) = logged.filter(|logged| tokens(planned, printed) != Some(*logged)) else {
        return Some(printed);
    };
    let from = printed.saturating_sub(rounding);
    let enough = |more| tokens(planned, from + more).is_some_and(|tokens| tokens >= logged);
    let exact = from + least(rounding.saturating_mul(2), enough);
    Some(if tokens(planned, exact) == Some(logged) { exact } else { printed })
}

/// Tokens that a plan's cache holds in a room.
pub fn tokens(planned: &Plan<'_>, room: u64) -> Option<u64> {
    let request = Request { kv_memory: Some(room.max(1)), measured: Vec::new(), ..planned.request.clone() };
    plan(&planned.model, &request).ok()?.engine.report.pool()?.kv_cache_tokens
}

/// The least number up to a most for which something holds, which then holds for all above it.
pub fn least(most: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
