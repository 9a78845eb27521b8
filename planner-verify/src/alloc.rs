//! What this process's heap holds, and the most it held: the allocator's view beside the tensors' own.
//!
//! Every request of every thread to the system allocator is counted, by the size that was requested.
//! `stats_alloc` counts the live bytes, `peakmem-alloc` around it the peak since its last reset.

use std::alloc::System;

use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: PeakMemAlloc<&StatsAlloc<System>> = PeakMemAlloc::new(&INSTRUMENTED_SYSTEM);

/// Bytes allocated and not freed.
pub fn live_bytes() -> i128 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    // A block that is grown or shrunk in place counts by what it changed.
    stats.bytes_allocated as i128 - stats.bytes_deallocated as i128
}

/// Forgets the peak: what is live now is the level from which [`peak_bytes`] counts.
pub fn forget_peak() {
    HEAP.reset_peak_memory();
}

/// How far the heap has been above its level when the peak was last forgotten.
pub fn peak_bytes() -> i128 {
    HEAP.get_peak_memory() as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_outlives_the_block_that_made_it() {
        // Other threads of a test program allocate too, but not this much.
        const BLOCK: usize = 64 << 20;
        let before = live_bytes();
        forget_peak();
        drop(vec![1_u8; BLOCK]);
        assert!(peak_bytes() >= BLOCK as i128);
        assert!(live_bytes() - before < BLOCK as i128 / 2);
    }
}
