//! Whether a measurement fits in memory, asked before anything is allocated.

use planner_core::units::human_bytes;
use planner_core::{Error, Result};

/// What is taken as free where the system does not say.
const ASSUMED_AVAILABLE: u64 = 4 << 30;

/// Room left for everything else.
const SPARE: u64 = 256 << 20;

/// Bytes that may be allocated, as the system reports them.
pub fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| {
        line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kib.map_or(ASSUMED_AVAILABLE, |kib| kib.saturating_mul(1024))
}

/// Refuses what would not fit.
pub fn check(needed: u64, available: u64) -> Result<()> {
    if needed.saturating_add(SPARE) <= available {
        return Ok(());
    }
    Err(Error::unsupported(
        "a measurement of this size",
        format!(
            "it needs about {}, and {} is available; fewer --verify-tokens need less",
            human_bytes(needed),
            human_bytes(available)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(check(1 << 30, 2 << 30).is_ok());
        assert!(check(2 << 30, 2 << 30).is_err());
        assert!(available() > 0);
    }
}
