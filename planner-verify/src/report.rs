//! The report of a verification.

use planner_core::render::json::integer;
use serde_json::{Value as Json, json};

/// Bytes at one count of tokens, for the whole model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Sessions, decoded in one batch.
    pub users: u64,
    /// Tokens of each session.
    pub tokens: u64,
    /// The plan's bytes: one session's × sessions.
    pub predicted_bytes: u64,
    /// Bytes of the cache tensors, elements × bytes of one. Only these must equal the prediction.
    pub measured_bytes: u64,
    /// Growth of the heap (on a card, of the CUDA pool's used bytes), with tensor headers and unused rows of
    /// rings. `None` where the allocator cannot be read.
    pub allocated_bytes: Option<u64>,
    /// Bytes of the cache tensors in the layers that ran, not extrapolated: to compare with
    /// [`Point::device_bytes`].
    pub run_bytes: u64,
    /// How much less memory the device has, for the layers that ran, not extrapolated: by the process's
    /// resident set, or by the card's free memory. Whole pages; reused pages do not count.
    pub device_bytes: Option<i128>,
    /// The peak of one decode step of one stack, above its remaining growth.
    pub transient_bytes: Option<u64>,
}

impl Point {
    /// Measured less predicted bytes.
    pub fn difference(&self) -> i128 {
        i128::from(self.measured_bytes) - i128::from(self.predicted_bytes)
    }
}

/// A kind of layers, and one layer's bytes at the last point.
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
    /// The most layers of this kind that were measured together.
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
    /// Bytes by the engine for this number of layers and tokens.
    pub predicted_bytes: u64,
    /// How much more the heap grows for two sessions than for one.
    pub measured_bytes: u64,
    /// The peak of one decode step, above its remaining growth.
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

/// The report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// Library and version.
    pub backend: &'static str,
    /// Whether it was interrupted; then only the points until then are there.
    pub interrupted: bool,
    /// Layers measured.
    pub layers_measured: u64,
    /// Layers of the model.
    pub layers_total: u64,
    /// Whether the whole model's bytes are extrapolated from fewer layers.
    pub extrapolated: bool,
    /// By kind of layer.
    pub kinds: Vec<KindReport>,
    /// By count of tokens and sessions.
    pub points: Vec<Point>,
    /// Tokens decoded one at a time.
    pub decoded_steps: u64,
    /// Largest difference of a logit from a computation without a cache.
    pub logit_difference: f64,
    /// The largest difference that rounding explains.
    pub logit_tolerance: f64,
    /// Whether cached and uncached decoding give equal next tokens.
    pub same_tokens: bool,
    /// Width the model was narrowed to; no cache depends on it.
    pub hidden: u64,
    /// Seconds of the whole verification.
    pub seconds: f64,
    /// Timing; `None` after an interruption.
    pub timing: Option<Timing>,
    /// candle's own module, where it has one that is run here.
    pub module: Option<ModuleReport>,
    /// Why that module did not run although the engine accepts the plan.
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

    /// Whether measured and predicted bytes are equal, and decoding with the cache agrees with recomputing.
    /// Without any measurement it is false.
    pub fn matches(&self) -> bool {
        !self.points.is_empty()
            && self.difference_bytes() == 0
            && self.logit_difference <= self.logit_tolerance
    }

    /// Whether a measurement disagrees.
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
