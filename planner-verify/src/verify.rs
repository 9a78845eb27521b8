//! Measures a plan: every kind of layer at two counts of layers and several of tokens.

use candle_core::{DType, Device};
use planner_core::engine::{self, Run, architecture::Needed};
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::spec::layer::Extent;
use planner_core::spec::model::ModelSpec;
use planner_core::units::{product, sum};
use planner_core::{Error, Result};

use crate::decoder::{Decoder, Frame};
use crate::kinds::{Kind, kinds};
use crate::measure::{Measured, measure};
use crate::report::{BACKEND, KindReport, ModuleReport, Point, Report, Timing};
use crate::{attention::QUERY_BLOCK, device, memory, module, shape, timing};

/// Counts of tokens at which bytes are read unless told otherwise.
pub const DEFAULT_TOKENS: &[u64] = &[8, 24, 48];

/// A window up to this is passed by default, so that a layer is seen to stop growing.
pub const PASSED_WINDOW: u64 = 1024;

/// How far beyond a window the count is that passes it.
const BEYOND: u64 = 8;

/// The model is narrowed to this width, on which no cache depends.
const HIDDEN: u64 = 512;

/// Rows of the embedding.
const VOCAB: u64 = 512;

/// Prompt and new tokens of the timing.
const TIMED: (usize, usize) = (16, 32);

/// The seed of the weights.
const SEED: u64 = 20_251_124;

/// How to measure.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `auto`, `cpu`, `cuda` or `metal`; `None` is `auto`.
    pub device: Option<String>,
    /// Counts of tokens; empty for the default.
    pub tokens: Vec<u64>,
    /// Added to every prediction: a planted mistake, which must be found.
    pub planted_bytes: u64,
}

/// What went wrong in the library that measures.
pub(crate) fn failed(error: candle_core::Error) -> Error {
    let text = error.to_string();
    Error::unsupported("this measurement", text.lines().next().unwrap_or_default().to_owned())
}

/// Measures one session of a model and compares it with the plan's own bytes.
pub fn verify(model: &ModelSpec, request: &Request, options: &Options) -> Result<Report> {
    let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
    let (run, _) = resolve(model, request)?;
    let needed = Needed::of_definition(run)?;
    let kinds = kinds(model, needed.dtypes())?;
    if kinds.is_empty() {
        return Err(Error::unsupported(
            "--verify of a model that keeps nothing",
            "there is nothing to measure",
        ));
    }
    let points = points(&kinds, &options.tokens)?;
    let frame = frame(&run)?;
    check_memory(&kinds, frame, &points)?;

    let mut per_kind = Vec::with_capacity(kinds.len());
    for kind in &kinds {
        let stack = |&count: &usize| measure(&kind.stack(count), frame, &points, SEED, &device);
        let stacks = kind.counts().iter().map(stack).collect::<candle_core::Result<Vec<_>>>();
        per_kind.push(stacks.map_err(failed)?);
    }
    let mut measured_points = Vec::with_capacity(points.len());
    for (at, &tokens) in points.iter().enumerate() {
        let tokens = tokens as u64;
        let mut point = Point {
            tokens,
            predicted_bytes: sum("predicted bytes", [needed.bytes(tokens)?, options.planted_bytes])?,
            measured_bytes: 0,
            allocated_bytes: device.is_cpu().then_some(0),
        };
        for (kind, stacks) in kinds.iter().zip(&per_kind) {
            let (held, grown) = one_layer(stacks, at);
            point.measured_bytes = sum(
                "measured bytes",
                [point.measured_bytes, product("measured bytes", &[held, kind.layers])?],
            )?;
            point.allocated_bytes = match (point.allocated_bytes, grown) {
                (Some(all), Some(one)) => {
                    Some(sum("allocated bytes", [all, product("allocated bytes", &[one, kind.layers])?])?)
                }
                _ => None,
            };
        }
        measured_points.push(point);
    }
    let last = points.len() - 1;
    let kind_reports: Vec<KindReport> = kinds
        .iter()
        .zip(&per_kind)
        .map(|(kind, stacks)| KindReport {
            kind: kind.name,
            layers: kind.layers,
            measured: kind.counts().last().map_or(0, |&count| count as u64),
            layer_bytes: one_layer(stacks, last).0,
        })
        .collect();
    let all = || per_kind.iter().flatten();
    Ok(Report {
        device: device::name(&device),
        backend: BACKEND,
        layers_measured: kind_reports.iter().map(|kind| kind.measured).sum(),
        layers_total: model.layers.len() as u64,
        extrapolated: kind_reports.iter().any(|kind| kind.measured < kind.layers),
        kinds: kind_reports,
        points: measured_points,
        decoded_steps: all().map(|measured| measured.decoded).sum(),
        logit_difference: all().map(|measured| measured.logit_difference).fold(0.0, f64::max),
        logit_tolerance: tolerance(&kinds),
        same_tokens: all().all(|measured| measured.same_tokens),
        hidden: frame.hidden as u64,
        timing: time(&kinds, frame, &device)?,
        module: if device.is_cpu() { own_module(&run)? } else { None },
    })
}

/// Cache bytes and heap growth of one layer of a kind at a point.
fn one_layer(stacks: &[Measured], at: usize) -> (u64, Option<u64>) {
    let whole = |measured: &Measured| {
        let held = &measured.held[at];
        (held.layers.iter().sum::<u64>(), held.grown)
    };
    let (Some(first), Some(last)) = (stacks.first(), stacks.last()) else { return (0, None) };
    let (least, most) = (whole(first), whole(last));
    if stacks.len() == 1 {
        return most;
    }
    let grown = most.1.zip(least.1).map(|(most, least)| most.saturating_sub(least));
    (most.0.saturating_sub(least.0), grown)
}

/// The counts of tokens: those asked for, or the default ones and one beyond every window that is not long.
fn points(kinds: &[Kind], asked: &[u64]) -> Result<Vec<usize>> {
    let mut points: Vec<u64> = if asked.is_empty() { DEFAULT_TOKENS.to_vec() } else { asked.to_vec() };
    if asked.is_empty() {
        let stores = kinds.iter().flat_map(|kind| &kind.shape.stores);
        points.extend(stores.filter_map(|store| match store.extent {
            Extent::Window(rows) | Extent::Chunk(rows) if rows <= PASSED_WINDOW => Some(rows + BEYOND),
            _ => None,
        }));
    }
    points.sort_unstable();
    points.dedup();
    points
        .into_iter()
        .map(|point| usize::try_from(point).map_err(|_| Error::overflow("--verify-tokens")))
        .collect()
}

fn frame(run: &Run<'_>) -> Result<Frame> {
    let size = |value: u64| usize::try_from(value).map_err(|_| Error::overflow("the size of a tensor"));
    let hidden = size(run.model.hidden_size.clamp(1, HIDDEN))?;
    Ok(Frame {
        hidden,
        vocab: size(run.model.vocab_size.clamp(2, VOCAB))?,
        inner: 2 * hidden,
        gated: true,
        source: size(run.source.max(1))?,
        positions: 0,
    })
}

/// Weights of the largest stack, the cache and what attention works on, in bytes.
fn check_memory(kinds: &[Kind], frame: Frame, points: &[usize]) -> Result<()> {
    const WHAT: &str = "bytes of a measurement";
    let most = points.iter().copied().max().unwrap_or(0) as u64;
    let mut largest = 0;
    for kind in kinds {
        let stack = kind.stack(kind.counts().last().copied().unwrap_or(1));
        let mut elements = frame.elements(stack.len());
        for layer in &stack {
            elements = elements.saturating_add(layer.elements(frame.hidden as u64));
            for store in &layer.stores {
                elements = elements.saturating_add(work(store, most.saturating_add(frame.source as u64)));
            }
        }
        largest = largest.max(product(WHAT, &[elements, size_of::<f32>() as u64])?);
    }
    memory::check(largest, memory::available())
}

/// Elements that attention over `rows` rows works on: keys and values in f32 more than once, and scores.
fn work(store: &shape::StoreShape, rows: u64) -> u64 {
    let (per_row, heads) = match store.mixer {
        shape::Mixer::Attention { widths: w, .. } => (3 * w.kv_heads * (w.k_dim + w.v_dim), w.query_heads),
        shape::Mixer::Latent(w) => (4 * (w.rank + w.rope), w.heads),
        shape::Mixer::State(_) => (0, 0),
    };
    rows.saturating_mul((per_row + 3 * heads * QUERY_BLOCK) as u64)
}

/// How far logits may differ: order of summation in f32, or a rounding of the narrowest cache that went
/// the other way.
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

/// The kind with the most layers, generating with and without the cache.
fn time(kinds: &[Kind], frame: Frame, device: &Device) -> Result<Timing> {
    let kind = kinds.iter().max_by_key(|kind| kind.layers).ok_or_else(|| Error::overflow("no kinds"))?;
    let stack = kind.stack(kind.counts().last().copied().unwrap_or(1));
    let timed = || -> candle_core::Result<Timing> {
        let decoder = Decoder::new(&stack, frame, SEED, device)?;
        let prompt = timing::prompt(TIMED.0, frame.vocab);
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

/// candle's llama module against the `candle` engine, where both take the model.
fn own_module(run: &Run<'_>) -> Result<Option<ModuleReport>> {
    let Some(shape) = module::shape(run.model) else { return Ok(None) };
    let mut request = run.request.clone();
    (request.engine, request.engine_version) = engine::resolve("candle")?;
    request.seq = Some(module::TOKENS[1] as u64);
    let run = Run { request: &request, tokens: module::TOKENS[1] as u64, ..*run };
    // A dtype or a setting that the engine refuses is no failure of the measurement.
    let Ok(layout) = request.engine.layout(run) else { return Ok(None) };
    let tokens = module::TOKENS.map(|tokens| tokens as u64);
    let predicted = layout.session_bytes(tokens[1])? - layout.session_bytes(tokens[0])?;
    let dtype: DType = shape::dtype(Needed::of_definition(run)?.dtypes().0)?;
    let growth = module::run(shape, dtype).map_err(failed)?;
    Ok(Some(ModuleReport {
        name: "candle_transformers::models::llama",
        tokens,
        predicted_bytes: predicted,
        measured_bytes: product("measured bytes", &[growth.layer_bytes, run.model.layers.len() as u64])?,
    }))
}
