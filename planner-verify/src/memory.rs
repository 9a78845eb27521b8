//! Whether a measurement fits in memory, checked before any allocation.

use planner_core::error::Code;
use planner_core::text::Sentence;
use planner_core::units::human_bytes;
use planner_core::{Error, Result};

use crate::messages;

/// Assumed free memory where the system does not say.
const ASSUMED_AVAILABLE: u64 = 4 << 30;

/// Room left for everything else.
const SPARE: u64 = 256 << 20;

/// Bytes that may be allocated of those that are free.
pub fn budget(free: Option<u64>) -> u64 {
    free.unwrap_or(ASSUMED_AVAILABLE).saturating_sub(SPARE)
}

/// Bytes that the host may allocate.
pub fn available() -> u64 {
    budget(crate::gauge::Gauge::new(&candle_core::Device::Cpu).available())
}

/// Refuses a measurement that would not fit.
pub fn check(needed: u64, budget: u64) -> Result<()> {
    check_or(needed, budget, || messages::SMALLER_MODEL.into())
}

/// Refuses a measurement that would not fit, with one that would.
pub fn check_or(needed: u64, budget: u64, fits: impl FnOnce() -> Sentence) -> Result<()> {
    if needed <= budget {
        return Ok(());
    }
    Err(Error::refused(
        Code::MeasureMemory,
        messages::NEEDS_MEMORY.say(&[&human_bytes(needed), &human_bytes(budget), &fits()]),
    )
    .about(messages::MEASUREMENT_OF_THIS_SIZE))
}

/// The largest count for which `needed` is within a budget.
pub fn max_satisfying(budget: u64, most: u64, needed: impl Fn(u64) -> u64) -> u64 {
    let (mut fits, mut too_many) = (0, most.saturating_add(1));
    while too_many - fits > 1 {
        let middle = fits + (too_many - fits) / 2;
        if needed(middle) <= budget { fits = middle } else { too_many = middle }
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        assert!(check(1 << 30, 2 << 30).is_ok());
        let refused = check_or(2 << 30, 1 << 30, || Sentence::verbatim("fewer"));
        assert!(refused.is_err_and(|error| format!("{error:?}").contains("fewer")));
        assert_eq!(max_satisfying(100, 1000, |count| 7 * count), 14);
        assert_eq!(max_satisfying(100, 10, |count| 7 * count), 10);
        assert_eq!(max_satisfying(6, 10, |count| 7 * count), 0);
        assert!(available() > 0);
    }
}
