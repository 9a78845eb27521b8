//! The article's experiment: the same tokens with the cache and without, at a model's real shape.

use planner_core::engine::architecture::Needed;
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};

use crate::decoder::{Decoder, Frame};
use crate::shape::LayerShape;
use crate::timing::{generate, mean_deviation, prompt};
use crate::verify::failed;
use crate::{device, memory};

/// Tokens of the prompt.
pub const PROMPT_TOKENS: usize = 8;

/// A weight in f32 and half as much again for what is computed.
const BYTES_PER_WEIGHT: u64 = 6;

/// The seed of the weights.
const SEED: u64 = 1234;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// `auto`, `cpu`, `cuda` or `metal`; `None` is `auto`.
    pub device: Option<String>,
    /// New tokens of one run.
    pub new_tokens: usize,
    /// Runs with the cache.
    pub runs: usize,
    /// Runs without it.
    pub uncached_runs: usize,
}

/// Seconds of several runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    /// Of each.
    pub seconds: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their sample deviation; 0 for a single run.
    pub deviation: f64,
}

impl Runs {
    fn new(seconds: Vec<f64>) -> Self {
        let (mean, deviation) = mean_deviation(&seconds);
        Self { seconds, mean, deviation }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// Weights of the decoder, in elements.
    pub parameters: u64,
    /// New tokens of one run.
    pub new_tokens: usize,
    /// With the cache.
    pub cached: Runs,
    /// Without; empty when no such run was asked for.
    pub uncached: Runs,
    /// Whether all runs gave the same tokens.
    pub same_tokens: bool,
}

impl Bench {
    /// Mean seconds without the cache over mean seconds with it.
    pub fn speedup(&self) -> Option<f64> {
        (!self.uncached.seconds.is_empty()).then(|| self.uncached.mean / self.cached.mean)
    }
}

/// Told of every run that ends: whether it was cached, its number from 1, its seconds.
pub type Progress<'a> = &'a mut dyn FnMut(bool, usize, f64);

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Seconds for all runs.
    pub seconds: f64,
    /// The length at which a step was timed.
    pub tokens: usize,
}

/// Tokens at which steps are timed for an estimate.
const SAMPLE: usize = 64;

/// A guess at the time, from one step with the cache and one without: what is computed anew grows with
/// the tokens, so n steps without a cache cost about n²/2 tokens.
pub fn estimate(model: &ModelSpec, options: &Options) -> Result<Estimate> {
    let (decoder, frame) = decoder(model, options)?;
    let sample = SAMPLE.min(options.new_tokens);
    let prompt = prompt(sample, frame.vocab);
    let step = |cached: bool, new: usize| generate(&decoder, &prompt, new, cached).map_err(failed);
    step(true, 1)?;
    let prefill = step(true, 1)?.seconds;
    let token = (step(true, 5)?.seconds - prefill).max(0.0) / 4.0;
    let anew = prefill / sample as f64;
    let new = options.new_tokens as f64;
    let uncached = anew * new * (new / 2.0 + PROMPT_TOKENS as f64);
    let seconds = token * new * options.runs as f64 + uncached * options.uncached_runs as f64;
    Ok(Estimate { seconds, tokens: sample })
}

/// The model at its real size, in f32.
fn decoder(model: &ModelSpec, options: &Options) -> Result<(Decoder, Frame)> {
    let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
    let tokens = PROMPT_TOKENS + options.new_tokens;
    let mut request = Request::default();
    request.set("kv-dtype", "f32")?;
    request.set("seq", &tokens.to_string())?;
    let (run, _) = resolve(model, &request)?;
    let dtypes = Needed::of_definition(run)?.dtypes();
    if model.layers.iter().any(|layer| layer.owner.is_some()) {
        return Err(Error::unsupported(
            format!("bench-cache of {}", model.name),
            "layers that share a cache are measured by --verify; bench-cache takes plain stacks",
        ));
    }
    let shapes = model.layers.iter().map(|layer| LayerShape::of(layer, &layer.stores, dtypes));
    let layers = shapes.collect::<Result<Vec<_>>>()?;
    let frame = frame(model, tokens, run.source)?;
    let mixers = layers.iter().map(|layer| layer.elements(frame.hidden as u64));
    let weights = mixers.fold(frame.elements(layers.len()), u64::saturating_add);
    memory::check(weights.saturating_mul(BYTES_PER_WEIGHT), memory::available())?;
    Ok((Decoder::new(&layers, frame, SEED, &device).map_err(failed)?, frame))
}

/// Runs the experiment with all layers at their real size, in f32.
pub fn bench(model: &ModelSpec, options: &Options, progress: Progress<'_>) -> Result<Bench> {
    let (decoder, frame) = decoder(model, options)?;
    let prompt = prompt(PROMPT_TOKENS, frame.vocab);
    let mut first: Option<Vec<u32>> = None;
    let mut same_tokens = true;
    let mut all = [Vec::new(), Vec::new()];
    // A short run before the clock counts, for buffers and clocks to settle.
    generate(&decoder, &prompt, options.new_tokens.min(4), true).map_err(failed)?;
    for ((cached, count), seconds) in
        [(true, options.runs), (false, options.uncached_runs)].into_iter().zip(&mut all)
    {
        for number in 1..=count {
            let run = generate(&decoder, &prompt, options.new_tokens, cached).map_err(failed)?;
            progress(cached, number, run.seconds);
            seconds.push(run.seconds);
            same_tokens &= first.get_or_insert_with(|| run.tokens.clone()) == &run.tokens;
        }
    }
    let [cached, uncached] = all;
    Ok(Bench {
        device: device::name(decoder.device()),
        parameters: decoder.parameters(),
        new_tokens: options.new_tokens,
        cached: Runs::new(cached),
        uncached: Runs::new(uncached),
        same_tokens,
    })
}

/// The model's own width, vocabulary and feed-forward.
fn frame(model: &ModelSpec, tokens: usize, source: u64) -> Result<Frame> {
    let size = |value: u64| usize::try_from(value).map_err(|_| Error::overflow("the size of a tensor"));
    let config = model.text_config();
    let key = |name: &str| config.get(name).and_then(serde_json::Value::as_u64);
    let inner = key("intermediate_size").or_else(|| key("n_inner")).or_else(|| key("ffn_dim"));
    // Models with learned positions have a plain feed-forward, four times as wide unless they say.
    let learned = config.contains_key("n_positions") || config.contains_key("n_ctx");
    let inner = inner.unwrap_or_else(|| model.hidden_size.saturating_mul(4));
    Ok(Frame {
        hidden: size(model.hidden_size)?,
        vocab: size(model.vocab_size)?,
        inner: size(inner)?,
        gated: !learned,
        source: size(source.max(1))?,
        positions: if learned { tokens.max(size(model.max_position.unwrap_or(0))?) } else { 0 },
    })
}
