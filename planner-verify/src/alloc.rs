//! Live bytes of this process's heap: the allocator growth beside the tensors' own bytes.
//!
//! Every request to the system allocator is counted (requested sizes, not the allocator's rounding).
//! GPU memory is not seen from here.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes allocated and not freed.
pub fn live_bytes() -> i128 {
    let stats = HEAP.stats();
    // A block that is grown or shrunk in place counts by what it changed.
    stats.bytes_allocated as i128 - stats.bytes_deallocated as i128
}
