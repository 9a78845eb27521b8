//! The heap of this process: its live bytes and its peak, beside the bytes of the tensors themselves.
//!
//! Two allocators are stacked: `stats_alloc` counts live bytes, `peakmem-alloc` around it the peak since its
//! last reset. They count every allocation of every thread, by the requested size.

use std::alloc::System;

use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: PeakMemAlloc<&StatsAlloc<System>> = PeakMemAlloc::new(&INSTRUMENTED_SYSTEM);

/// Bytes allocated and not freed.
pub fn live_bytes() -> i128 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    // A block that grows or shrinks in place counts by the difference.
    stats.bytes_allocated as i128 - stats.bytes_deallocated as i128
}

/// Resets the peak: [`peak_bytes`] then counts from the live bytes of this moment.
pub fn forget_peak() {
    HEAP.reset_peak_memory();
}

/// How far the heap has risen above its level at the last [`forget_peak`].
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
