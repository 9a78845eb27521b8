//! What a start-up log measured of a run: parts of a GPU's memory that a plan of the same run takes in place of its
//! own estimates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::flags::{FLAGS, Request};

/// One run's measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Engine id.
    pub engine: String,
    /// Its version.
    pub version: String,
    /// Model id.
    pub model: String,
    /// GPU id.
    pub gpu: String,
    /// Tensor parallel size.
    pub tp: u64,
    /// Pipeline parallel size.
    pub pp: u64,
    /// Data parallel size.
    pub dp: u64,
    /// Decode-context parallel size.
    pub dcp: u64,
    /// Settings that parts depend on, by their flags' names; one that is not here was the engine's default.
    pub settings: BTreeMap<String, String>,
    /// A GPU of each pipeline stage.
    pub stages: Vec<MeasuredStage>,
}

/// A GPU of one pipeline stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredStage {
    /// All that stood in its memory before the cache had the rest of the engine's share.
    pub before_cache_bytes: u64,
    /// Of it the weights, where the log prints them.
    pub weights_bytes: Option<u64>,
    /// Of it the peak of activations.
    pub activation_bytes: Option<u64>,
    /// Of it what is outside PyTorch's allocator.
    pub outside_torch_bytes: Option<u64>,
    /// Of it the graphs.
    pub graphs_bytes: Option<u64>,
}

impl Measured {
    /// Flags whose settings parts depend on.
    pub const SETTINGS: [&'static str; 9] = [
        "ep",
        "redundant-experts",
        "dp-attention",
        "weight-dtype",
        "max-num-batched-tokens",
        "max-num-seqs",
        "attention-backend",
        "speculative",
        "kv-heads",
    ];

    /// One of them as a request says it; nothing where the engine's default holds.
    pub fn setting(request: &Request, name: &str) -> Option<String> {
        let flag = FLAGS.iter().find(|flag| flag.name == name && flag.is_given(request))?;
        let json = flag.json(request);
        Some(json.as_str().map_or_else(|| json.to_string(), str::to_owned))
    }
}
