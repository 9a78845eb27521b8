//! Measures a plan: every kind of layer in two stacks, at several counts of tokens and two of sessions.

use std::time::Instant;

use candle_core::Device;
use planner_core::engine::architecture::ReferenceCache;
use planner_core::error::Code;
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Bilingual;
use planner_core::{Error, Result};

use crate::choose::{self, check_memory, counts};
use crate::decoder::{Decoder, ModelDims};
use crate::device::failed;
use crate::gauge::Gauge;
use crate::kinds::{Kind, kinds};
use crate::measure::{Agreement, Count, Measurement, Stack};
use crate::report::{BACKEND, KindReport, Point, Report, Timing};
use crate::{device, memory, messages, module, timing};

/// Seconds for the stacks; all else is short.
const SECONDS: f64 = 10.0;

/// Prompt and new tokens of the timing.
const TIMED: (usize, usize) = (16, 32);

/// Layers of the timing.
const TIMED_LAYERS: usize = 2;

/// The seed of the weights.
const SEED: u64 = 20_251_124;

/// How to measure.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `auto`, `cpu`, `cuda` or `metal`; `None` is `auto`.
    pub device: Option<String>,
    /// Counts of tokens; empty for the default.
    pub tokens: Vec<u64>,
    /// Sessions of the batch; `None` for the default, 1 for no batch.
    pub users: Option<u64>,
    /// The most layers of a kind in one stack; `None` for as many as time and memory allow.
    pub layers: Option<usize>,
    /// Added to every prediction: a planted error, which must be found.
    pub planted_bytes: u64,
}

/// Callbacks of a measurement.
pub struct Watch<'a> {
    /// Receives how much is done, and how much there is.
    pub progress: &'a mut dyn FnMut(u64, u64),
    /// Whether to stop.
    pub stop: &'a dyn Fn() -> bool,
}

/// A measurement in progress.
struct Measuring<'a> {
    kinds: &'a [Kind],
    dims: ModelDims,
    counts: &'a [Count],
    device: &'a Device,
    /// Layers × counts that are done, and all of them.
    done: u64,
    total: u64,
}

impl Measuring<'_> {
    fn build(&self, kind: &Kind, height: usize) -> Result<Stack> {
        Stack::new(&kind.stack(height), self.dims, self.counts, SEED, self.device).map_err(failed)
    }

    fn measure(
        &mut self,
        stack: &mut Stack,
        height: usize,
        count: Count,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Measurement>> {
        let measurement = stack.measure(count, watch.stop).map_err(failed)?;
        self.done += height.max(1) as u64;
        (watch.progress)(self.done, self.total);
        Ok(measurement)
    }
}

/// The low stack of a kind: its bytes at every count, and its seconds.
struct Baseline {
    measurements: Vec<Measurement>,
    seconds: f64,
}

/// Measures sessions of a model and compares them with the plan's own bytes.
pub fn verify(
    model: &ModelSpec,
    request: &Request,
    options: &Options,
    watch: &mut Watch<'_>,
) -> Result<Report> {
    let start = Instant::now();
    let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
    let (run, _) = resolve(model, request)?;
    let needed = ReferenceCache::of_definition(run)?;
    let kinds = kinds(model, needed.dtypes(), run.encoder_tokens)?;
    if kinds.is_empty() {
        return Err(
            Error::refused(Code::MeasureNothing, messages::NOTHING_TO_MEASURE).about(messages::KEEPS_NOTHING)
        );
    }
    let counts = counts(&kinds, options, request.users)?;
    let dims = choose::model_dims(&run)?;
    let budget = memory::budget(Gauge::new(&device).available());
    check_memory(&kinds, dims, &counts, budget)?;

    let lows = kinds.iter().filter(|kind| kind.low().is_some()).count();
    let total = (lows * counts.len()) as u64;
    let mut measuring = Measuring { kinds: &kinds, dims, counts: &counts, device: &device, done: 0, total };
    let mut agreement = Agreement::default();
    let low = low_stacks(&mut measuring, &mut agreement, watch)?;
    let costs: Vec<f64> = low.iter().map(|low| low.as_ref().map_or(0.0, |low| low.seconds)).collect();
    let left = (SECONDS - start.elapsed().as_secs_f64()).max(0.0);
    let heights = choose::heights(&kinds, &costs, left, options.layers, |heights| {
        choose::fits(&kinds, heights, dims, &counts, budget)
    });
    measuring.total += (heights.iter().sum::<usize>() * counts.len()) as u64;
    let high = high_stacks(&mut measuring, &heights, &mut agreement, watch)?;

    let mut points = Vec::with_capacity(high.len());
    for (at, measured) in high.iter().enumerate() {
        let count = counts[at];
        let session = needed.bytes(count.tokens as u64)?;
        let predicted = session.checked_mul(count.users as u64);
        let planted = predicted
            .and_then(|bytes| bytes.checked_add(options.planted_bytes))
            .ok_or_else(|| Error::overflow(messages::PREDICTED_BYTES))?;
        points.push(point(count, planted, &kinds, &heights, &low, measured, at)?);
    }
    let interrupted = high.len() < counts.len();
    let kind_reports: Vec<KindReport> = kinds
        .iter()
        .zip(&heights)
        .enumerate()
        .map(|(at, (kind, &height))| KindReport {
            kind: kind.name,
            layers: kind.layers,
            counts: kind.low().into_iter().chain([height]).map(|count| count as u64).collect(),
            layer_bytes: match high.iter().zip(&counts).rfind(|(_, count)| count.users == 1) {
                Some((measured, _)) if kind.owner.is_none() => {
                    measured[at].layers.last().copied().unwrap_or(0)
                }
                _ => 0,
            },
        })
        .collect();
    let timing = if interrupted { None } else { Some(time(&kinds, dims, &device)?) };
    let (module, module_refusal) = match module::report(&run) {
        _ if interrupted || !device.is_cpu() => (None, None),
        Ok(module) => (module, None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Report {
        device: device::name(&device),
        backend: BACKEND,
        interrupted,
        layers_measured: kind_reports.iter().map(KindReport::measured).sum(),
        layers_total: model.layers.len() as u64,
        extrapolated: kind_reports.iter().any(|kind| kind.measured() < kind.layers),
        kinds: kind_reports,
        points,
        decoded_steps: agreement.decoded,
        logit_difference: agreement.difference,
        logit_tolerance: tolerance(&kinds),
        same_tokens: agreement.other_tokens == 0,
        hidden: dims.hidden as u64,
        seconds: start.elapsed().as_secs_f64(),
        timing,
        module,
        module_refusal,
    })
}

fn add(all: &mut Agreement, one: Agreement) {
    all.difference = all.difference.max(one.difference);
    all.other_tokens += one.other_tokens;
    all.decoded += one.decoded;
}

/// Measures the low stack of every kind that has one, at every count: the baseline of the high stacks, and the
/// seconds of one layer. Fewer after an interruption.
fn low_stacks(
    measuring: &mut Measuring<'_>,
    agreement: &mut Agreement,
    watch: &mut Watch<'_>,
) -> Result<Vec<Option<Baseline>>> {
    let mut all = Vec::with_capacity(measuring.kinds.len());
    for kind in measuring.kinds {
        let Some(height) = kind.low() else {
            all.push(None);
            continue;
        };
        let clock = Instant::now();
        let mut stack = measuring.build(kind, height)?;
        let mut measurements = Vec::with_capacity(measuring.counts.len());
        for &count in measuring.counts {
            match measuring.measure(&mut stack, height, count, watch)? {
                Some(one) => measurements.push(one),
                None => break,
            }
        }
        add(agreement, stack.agreement);
        all.push(Some(Baseline { measurements, seconds: clock.elapsed().as_secs_f64() }));
    }
    Ok(all)
}

/// Measures the high stacks of all kinds, count by count, so that each count is complete before the next. Fewer
/// counts after an interruption.
fn high_stacks(
    measuring: &mut Measuring<'_>,
    heights: &[usize],
    agreement: &mut Agreement,
    watch: &mut Watch<'_>,
) -> Result<Vec<Vec<Measurement>>> {
    let mut all = Vec::with_capacity(measuring.counts.len());
    if (watch.stop)() {
        return Ok(all);
    }
    let stacks = measuring.kinds.iter().zip(heights).map(|(kind, &height)| measuring.build(kind, height));
    let mut stacks = stacks.collect::<Result<Vec<_>>>()?;
    'counts: for &count in measuring.counts {
        let mut measurements = Vec::with_capacity(stacks.len());
        for (stack, &height) in stacks.iter_mut().zip(heights) {
            match measuring.measure(stack, height, count, watch)? {
                Some(one) => measurements.push(one),
                None => break 'counts,
            }
        }
        all.push(measurements);
    }
    stacks.iter().for_each(|stack| add(agreement, stack.agreement));
    Ok(all)
}

fn sum(what: Bilingual, a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(|| Error::overflow(what))
}

/// The whole model at a count: the high stacks' bytes, and for each further layer the bytes of one layer.
fn point(
    count: Count,
    predicted_bytes: u64,
    kinds: &[Kind],
    heights: &[usize],
    low: &[Option<Baseline>],
    high: &[Measurement],
    at: usize,
) -> Result<Point> {
    let mut point = Point {
        users: count.users as u64,
        tokens: count.tokens as u64,
        predicted_bytes,
        measured_bytes: 0,
        allocated_bytes: Some(0),
        run_bytes: 0,
        device_bytes: Some(0),
        transient_bytes: None,
    };
    for (((kind, &height), low), high) in kinds.iter().zip(heights).zip(low).zip(high) {
        let low = low.as_ref().map(|low| &low.measurements[at]);
        let bytes = |measured: &Measurement| i128::from(measured.layers.iter().sum::<u64>());
        let whole = |high: i128, low: Option<i128>| -> u64 {
            u64::try_from(extrapolate(kind, height, high, low)).unwrap_or(0)
        };
        let cached = whole(bytes(high), low.map(bytes));
        point.measured_bytes = sum(messages::MEASURED_BYTES, point.measured_bytes, cached)?;
        let grown = high.grown.map(|high| whole(high, low.and_then(|low| low.grown)));
        point.allocated_bytes = match point.allocated_bytes.zip(grown) {
            Some((all, one)) => Some(sum(messages::ALLOCATED_BYTES, all, one)?),
            None => None,
        };
        point.run_bytes = sum(messages::MEASURED_BYTES, point.run_bytes, high.layers.iter().sum())?;
        point.device_bytes = point.device_bytes.zip(high.device).map(|(all, one)| all + one);
        point.transient_bytes = point.transient_bytes.max(high.transient);
    }
    Ok(point)
}

/// Bytes of all layers of a kind. Each layer beyond the high stack counts as the bytes that one layer adds from
/// the low stack to the high one. The layer whose cache others read belongs to another kind and is subtracted.
fn extrapolate(kind: &Kind, height: usize, high: i128, low: Option<i128>) -> i128 {
    let (Some(count), Some(low)) = (kind.low(), low) else { return high };
    let others = if kind.owner.is_some() { low } else { 0 };
    let beyond = i128::from(kind.layers) - height as i128;
    high - others + beyond * (high - low) / (height - count) as i128
}

/// The most that logits may differ, by the order of summation in f32 or by a different rounding in the
/// narrowest cache.
fn tolerance(kinds: &[Kind]) -> f64 {
    let stores = kinds.iter().flat_map(|kind| &kind.shape.stores);
    let least =
        stores.flat_map(|store| [store.dtypes.0, store.dtypes.1]).map(|dtype| dtype.size_in_bytes()).min();
    match least {
        Some(1) => 0.5,
        Some(2) => 0.05,
        _ => 0.001,
    }
}

/// Times the kind with the most layers, with and without the cache.
fn time(kinds: &[Kind], dims: ModelDims, device: &Device) -> Result<Timing> {
    let kind = kinds.iter().max_by_key(|kind| kind.layers).ok_or_else(|| {
        Error::refused(Code::MeasureNothing, messages::NOTHING_TO_MEASURE).about(messages::KEEPS_NOTHING)
    })?;
    let stack = kind.stack(TIMED_LAYERS.min(kind.most()));
    let timed = || -> candle_core::Result<Timing> {
        let decoder = Decoder::new(&stack, dims, SEED, device)?;
        let prompt = timing::prompt(TIMED.0, dims.vocab);
        let cached = timing::generate(&decoder, &prompt, TIMED.1, true, &mut timing::unwatched)?;
        let anew = timing::generate(&decoder, &prompt, TIMED.1, false, &mut timing::unwatched)?;
        Ok(Timing {
            layers: stack.len() as u64,
            new_tokens: TIMED.1 as u64,
            cached_seconds: cached.seconds,
            uncached_seconds: anew.seconds,
        })
    };
    timed().map_err(failed)
}
