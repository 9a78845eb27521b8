//! What a verification found.

use planner_core::render::json::integer;
use serde_json::{Value as Json, json};

/// Bytes at one count of tokens, for the whole model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Sessions, decoded in one batch.
    pub users: u64,
    /// Tokens held by each.
    pub tokens: u64,
    /// What the plan says: one session's bytes times the sessions.
    pub predicted_bytes: u64,
    /// Elements × bytes of the cache tensors. This alone must equal the prediction.
    pub measured_bytes: u64,
    /// What the allocator gave out for them: how much the heap grew (the CUDA pool's used bytes on a card),
    /// tensor headers and unused rows of rings included. `None` where no allocator can be read.
    pub allocated_bytes: Option<u64>,
    /// Elements × bytes of the cache tensors of the layers that ran, not extrapolated: what
    /// [`Point::device_bytes`] stands beside.
    pub run_bytes: u64,
    /// How much less memory the device had for the layers that ran, not extrapolated: resident set of the
    /// process, or memory of the card that is not free. Whole pages, reused ones uncounted.
    pub device_bytes: Option<i128>,
    /// The most that one decode step of one stack took beyond what it left behind.
    pub transient_bytes: Option<u64>,
}

impl Point {
    /// Measured less predicted bytes.
    pub fn difference(&self) -> i128 {
        i128::from(self.measured_bytes) - i128::from(self.predicted_bytes)
    }
}

/// A kind of layers and what one of them held at the last point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindReport {
    /// `full`, `sliding`, `latent`, `state` …
    pub kind: &'static str,
    /// Layers of this kind in the model.
    pub layers: u64,
    /// The heights of the stacks that were measured.
    pub counts: Vec<u64>,
    /// Bytes of one layer's cache tensors.
    pub layer_bytes: u64,
}

impl KindReport {
    /// Layers of this kind that were measured together at most.
    pub fn measured(&self) -> u64 {
        self.counts.last().copied().unwrap_or(0)
    }
}

/// candle-transformers' own module against the `candle` engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleReport {
    /// The module.
    pub name: String,
    /// Layers it was run with.
    pub layers: u64,
    /// Tokens held, the prompt included.
    pub tokens: u64,
    /// What the engine says of this many layers and tokens.
    pub predicted_bytes: u64,
    /// How much more the heap grew for two sessions than for one.
    pub measured_bytes: u64,
    /// The most that one decode step took beyond what it left behind.
    pub transient_bytes: u64,
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

impl Timing {
    /// Seconds without the cache over seconds with it.
    pub fn speedup(&self) -> f64 {
        self.uncached_seconds / self.cached_seconds
    }
}

/// Everything a verification found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// Library and version.
    pub backend: &'static str,
    /// Whether it was told to stop: the points are those measured until then.
    pub interrupted: bool,
    /// Layers measured.
    pub layers_measured: u64,
    /// Layers of the model.
    pub layers_total: u64,
    /// Whether the whole model's bytes were worked out from fewer layers.
    pub extrapolated: bool,
    /// By kind of layer.
    pub kinds: Vec<KindReport>,
    /// By count of tokens and sessions.
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
    /// Seconds that all took.
    pub seconds: f64,
    /// Against the clock; none where it was interrupted before.
    pub timing: Option<Timing>,
    /// candle's own module, where it has one that is run here.
    pub module: Option<ModuleReport>,
    /// Why that module did not run, where the engine takes the plan and candle does not.
    pub module_refusal: Option<String>,
}

/// The library that measures.
pub const BACKEND: &str = "candle 0.11.1";

impl Report {
    /// The largest difference of measured and predicted bytes, with its sign.
    pub fn difference_bytes(&self) -> i128 {
        let module = self.module.iter().map(|m| i128::from(m.measured_bytes) - i128::from(m.predicted_bytes));
        let differences = self.points.iter().map(Point::difference).chain(module);
        differences.max_by_key(|difference| difference.unsigned_abs()).unwrap_or(0)
    }

    /// Whether the plan's bytes are the measured ones, and the cache gave what recomputing gives. Nothing
    /// measured is no match.
    pub fn matches(&self) -> bool {
        !self.points.is_empty()
            && self.difference_bytes() == 0
            && self.logit_difference <= self.logit_tolerance
    }

    /// Whether something was measured that does not agree.
    pub fn disagrees(&self) -> bool {
        !self.points.is_empty() && !self.matches()
    }

    /// The `verify` object of the JSON output.
    pub fn to_json(&self) -> Json {
        let point = |point: &Point| {
            json!({
                "users": point.users,
                "tokens": point.tokens,
                "predicted_bytes": integer(point.predicted_bytes),
                "measured_bytes": integer(point.measured_bytes),
                "allocated_bytes": point.allocated_bytes.map(integer),
                "run_bytes": integer(point.run_bytes),
                "device_bytes": point.device_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
                "transient_bytes": point.transient_bytes.map(integer),
                "extrapolated": self.extrapolated,
            })
        };
        let kind = |kind: &KindReport| {
            json!({
                "kind": kind.kind,
                "layers": kind.layers,
                "layers_measured": kind.measured(),
                "stacks": kind.counts,
                "extrapolated": kind.measured() < kind.layers,
                "layer_bytes": integer(kind.layer_bytes),
            })
        };
        let module = |module: &ModuleReport| {
            json!({
                "name": module.name,
                "layers": module.layers,
                "tokens": module.tokens,
                "predicted_bytes": integer(module.predicted_bytes),
                "measured_bytes": integer(module.measured_bytes),
                "transient_bytes": integer(module.transient_bytes),
            })
        };
        let timing = self.timing.as_ref();
        json!({
            "device": self.device,
            "backend": self.backend,
            "interrupted": self.interrupted,
            "layers_measured": self.layers_measured,
            "layers_total": self.layers_total,
            "extrapolated": self.extrapolated,
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
            "difference_bytes": i64::try_from(self.difference_bytes()).ok(),
            "cached_seconds": timing.map(|timing| timing.cached_seconds),
            "uncached_seconds": timing.map(|timing| timing.uncached_seconds),
            "speedup": timing.map(Timing::speedup),
            "matches": self.matches(),
            "kinds": self.kinds.iter().map(kind).collect::<Vec<_>>(),
            "decoded_steps": self.decoded_steps,
            "same_tokens": self.same_tokens,
            "logit_difference": self.logit_difference,
            "logit_tolerance": self.logit_tolerance,
            "hidden_size": self.hidden,
            "seconds": self.seconds,
            "timed_layers": timing.map(|timing| timing.layers),
            "timed_tokens": timing.map(|timing| timing.new_tokens),
            "module": self.module.as_ref().map(module),
            "module_refusal": self.module_refusal,
        })
    }
}
