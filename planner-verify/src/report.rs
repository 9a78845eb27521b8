//! What a verification found.

use planner_core::render::json::integer;
use serde_json::{Value as Json, json};

/// Bytes at one count of tokens, for the whole model and one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Tokens held.
    pub tokens: u64,
    /// What the plan says.
    pub predicted_bytes: u64,
    /// Elements × bytes of the cache tensors.
    pub measured_bytes: u64,
    /// How much the heap grew, tensor headers and unused rows of rings included; `None` off the CPU.
    pub allocated_bytes: Option<u64>,
}

/// A kind of layers and what one of them held at the last point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindReport {
    /// `full`, `sliding`, `latent`, `state` …
    pub kind: &'static str,
    /// Layers of this kind in the model.
    pub layers: u64,
    /// Layers of this kind that were measured together at most.
    pub measured: u64,
    /// Bytes of one layer's cache tensors.
    pub layer_bytes: u64,
}

/// candle-transformers' own module against the `candle` engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleReport {
    /// The module.
    pub name: &'static str,
    /// The two counts of tokens.
    pub tokens: [u64; 2],
    /// What the engine says the tokens between them add.
    pub predicted_bytes: u64,
    /// How much the heap grew, one layer's growth times the layers.
    pub measured_bytes: u64,
}

/// Seconds for the same tokens with and without the cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Layers of the stack that was timed.
    pub layers: u64,
    /// New tokens.
    pub new_tokens: u64,
    /// With the cache.
    pub cached_seconds: f64,
    /// Without.
    pub uncached_seconds: f64,
}

/// Everything a verification found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// Library and version.
    pub backend: &'static str,
    /// Layers measured.
    pub layers_measured: u64,
    /// Layers of the model.
    pub layers_total: u64,
    /// Whether the whole model's bytes were worked out from fewer layers.
    pub extrapolated: bool,
    /// By kind of layer.
    pub kinds: Vec<KindReport>,
    /// By count of tokens.
    pub points: Vec<Point>,
    /// Tokens decoded one at a time.
    pub decoded_steps: u64,
    /// Largest difference of a logit from the same computed without a cache.
    pub logit_difference: f64,
    /// The most that rounding explains.
    pub logit_tolerance: f64,
    /// Whether cached and uncached gave the same next tokens.
    pub same_tokens: bool,
    /// Width the model was narrowed to; no cache depends on it.
    pub hidden: u64,
    /// Against the clock.
    pub timing: Timing,
    /// candle's own module, where it has one that is run here.
    pub module: Option<ModuleReport>,
}

/// The library that measures.
pub const BACKEND: &str = "candle 0.11.1";

impl Report {
    /// The largest difference of measured and predicted bytes, with its sign.
    pub fn difference_bytes(&self) -> i128 {
        let differences =
            self.points.iter().map(|p| i128::from(p.measured_bytes) - i128::from(p.predicted_bytes));
        let module = self.module.iter().map(|m| i128::from(m.measured_bytes) - i128::from(m.predicted_bytes));
        differences.chain(module).max_by_key(|difference| difference.unsigned_abs()).unwrap_or(0)
    }

    /// Whether the plan's bytes are the measured ones, and the cache gave what recomputing gives.
    pub fn matches(&self) -> bool {
        self.difference_bytes() == 0 && self.logit_difference <= self.logit_tolerance
    }

    /// Seconds without the cache over seconds with it.
    pub fn speedup(&self) -> f64 {
        self.timing.uncached_seconds / self.timing.cached_seconds
    }

    /// The `verify` object of the JSON output.
    pub fn to_json(&self) -> Json {
        let point = |point: &Point| {
            json!({
                "tokens": point.tokens,
                "predicted_bytes": integer(point.predicted_bytes),
                "measured_bytes": integer(point.measured_bytes),
                "allocated_bytes": point.allocated_bytes.map(integer),
            })
        };
        let kind = |kind: &KindReport| {
            json!({
                "kind": kind.kind,
                "layers": kind.layers,
                "layers_measured": kind.measured,
                "layer_bytes": kind.layer_bytes,
            })
        };
        let module = |module: &ModuleReport| {
            json!({
                "name": module.name,
                "tokens": module.tokens,
                "predicted_bytes": module.predicted_bytes,
                "measured_bytes": module.measured_bytes,
            })
        };
        json!({
            "device": self.device,
            "backend": self.backend,
            "layers_measured": self.layers_measured,
            "layers_total": self.layers_total,
            "extrapolated": self.extrapolated,
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
            "difference_bytes": i64::try_from(self.difference_bytes()).ok(),
            "cached_seconds": self.timing.cached_seconds,
            "uncached_seconds": self.timing.uncached_seconds,
            "speedup": self.speedup(),
            "matches": self.matches(),
            "kinds": self.kinds.iter().map(kind).collect::<Vec<_>>(),
            "decoded_steps": self.decoded_steps,
            "same_tokens": self.same_tokens,
            "logit_difference": self.logit_difference,
            "logit_tolerance": self.logit_tolerance,
            "hidden_size": self.hidden,
            "timed_layers": self.timing.layers,
            "timed_tokens": self.timing.new_tokens,
            "module": self.module.as_ref().map(module),
        })
    }
}
