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

/// Runs the experiment with all layers at their real size, in f32.
pub fn bench(model: &ModelSpec, options: &Options, progress: Progress<'_>) -> Result<Bench> {
    let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
    let mut request = Request::default();
    request.set("kv-dtype", "f32")?;
    request.set("seq", &(PROMPT_TOKENS + options.new_tokens).to_string())?;
    let (run, _) = resolve(model, &request)?;
    let dtypes = Needed::of_definition(run)?.dtypes();
    if model.layers.iter().any(|layer| layer.owner.is_some()) {
        return Err(Error::unsupported(
            format!("bench-cache of {}", model.name),
            "layers that share a cache are measured by --verify; bench-cache takes plain stacks",
        ));
    }
    let layers =
        model.layers.iter().map(|layer| LayerShape::of(layer, &layer.stores, dtypes)).collect::<Result<Vec<_>>>()?;
    let frame = frame(model, PROMPT_TOKENS + options.new_tokens, run.source)?;
    let hidden = frame.hidden as u64;
    let weights = layers
        .iter()
        .map(|layer| layer.elements(hidden))
        .fold(frame.elements(layers.len()), u64::saturating_add);
    memory::check(weights.saturating_mul(6), memory::available())?;

    let decoder = Decoder::new(&layers, frame, SEED, &device).map_err(failed)?;
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
        device: device::name(&device),
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
