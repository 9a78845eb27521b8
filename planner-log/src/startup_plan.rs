//! vLLM's own start-up plan: `startup_plan/startup_plan_….json` in its cache folder, written under
//! `VLLM_ENABLE_STARTUP_PLAN=1`.
//!
//! Restates `vllm/v1/worker/startup_plan.py` of vLLM 0.33.0. The file holds one rank's bytes for the cache and what was
//! free when they were measured; model, GPU and settings are in its fingerprint alone, which cannot be read back.

use serde::Deserialize;

use crate::figure::{Figure, Quantity};
use crate::log::{Rank, StartupLog};

/// `PLAN_SCHEMA_VERSION`.
const SCHEMA: u64 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StartupPlan {
    schema: u64,
    /// Hash of the version, the configuration, the GPU and the rank.
    pub fingerprint: String,
    /// What the next start takes for the cache.
    pub kv_cache_memory_bytes: u64,
    /// Free memory that the next start needs for it.
    pub free_memory_baseline: u64,
}

impl StartupPlan {
    /// Reads the file; nothing where it is another.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let plan: Self = serde_json::from_slice(bytes).ok()?;
        (plan.schema == SCHEMA && plan.kv_cache_memory_bytes > 0).then_some(plan)
    }
}

impl StartupPlan {
    /// The file as a log that prints nothing but the room.
    pub fn as_log(&self) -> StartupLog {
        let bytes =
            [(Quantity::Room, self.kv_cache_memory_bytes), (Quantity::FreeBefore, self.free_memory_baseline)];
        let figures = bytes.iter().filter_map(|(quantity, bytes)| {
            Some((*quantity, Figure { quantity: *quantity, value: i64::try_from(*bytes).ok()?, rounding: 0 }))
        });
        StartupLog {
            engine: "vllm",
            version: None,
            model: None,
            gpu: None,
            settings: Vec::new(),
            unplanned: Vec::new(),
            ranks: vec![Rank { figures: figures.collect(), ..Rank::default() }],
            lines: 1,
        }
    }
}
