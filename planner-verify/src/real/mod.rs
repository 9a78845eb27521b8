//! A model's own weights: text that a person can read, and the cache of the module that generates it.
//!
//! candle-transformers' modules keep their caches private. Two independent readings are taken: shapes of the
//! cache tensors, as the modules print themselves, and growth of the heap between counts of tokens. Both must
//! equal the prediction of `--engine candle`.

mod checkpoint;
mod gguf;
mod gpt2;
mod printed;
mod tokenizer;

use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use planner_core::engine::report::ReportKind;
use planner_core::engine::{self, ResolvedRequest};
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};
use serde_json::{Value as Json, json};

use crate::alloc::live_bytes;
use crate::decoder::greedy;
use crate::device::failed;
use crate::{checkpoint as folder, device, messages};
use tokenizer::Tokenizer;

/// The default prompt: a start with a well-known end.
pub const PROMPT: &str = "The capital of France is";

/// Default number of new tokens.
pub const NEW_TOKENS: usize = 32;

/// The fewest new tokens with any growth.
const LEAST_TOKENS: usize = 4;

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `auto`, `cpu`, `cuda` or `metal`; `None` is `auto`.
    pub device: Option<String>,
    /// The prompt; `None` is [`PROMPT`].
    pub prompt: Option<String>,
    /// New tokens; `None` is [`NEW_TOKENS`].
    pub new_tokens: Option<usize>,
    /// Added to every prediction: a planted error, which must be found.
    pub planted_bytes: u64,
}

/// A model that decodes with a cache.
trait Module {
    /// Drops the cache.
    fn restart(&mut self) -> candle_core::Result<()>;

    /// Feeds tokens `[1, tokens]` from a position on. Returns the logits after the last, in any shape.
    fn forward(&mut self, ids: &Tensor, at: usize) -> candle_core::Result<Tensor>;

    /// Bytes of the cache tensors' rows that hold tokens, where they can be seen.
    fn cached_bytes(&self) -> candle_core::Result<Option<u64>>;
}

/// A module with its name and tokenizer.
struct Loaded {
    module: Box<dyn Module>,
    name: String,
    tokenizer: Tokenizer,
}

/// Bytes at one count of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Tokens held.
    pub tokens: u64,
    /// Predicted bytes of the rows that hold tokens; `None` where no rule is known.
    pub predicted_bytes: Option<u64>,
    /// Bytes of the cache tensors' rows, where the module shows them.
    pub measured_bytes: Option<u64>,
    /// Predicted growth of the heap since the first point.
    pub predicted_growth: Option<i128>,
    /// How the heap has grown since the first point; `None` on a GPU.
    pub heap_growth: Option<i128>,
}

/// A generated text and its measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The module that ran.
    pub module: String,
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// The prompt; `None` without a tokenizer, where fixed token ids stand for it.
    pub prompt: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// New tokens.
    pub new_tokens: usize,
    /// The new tokens as text; `None` without a tokenizer.
    pub text: Option<String>,
    /// Why there is no text.
    pub no_text: Option<String>,
    /// Seconds of the steps after the prompt.
    pub seconds: f64,
    /// Readings at several counts of tokens.
    pub points: Vec<Point>,
    /// Why there is no prediction.
    pub not_predicted: Option<String>,
}

impl Generated {
    /// Whether every prediction was measured to the byte.
    pub fn matches(&self) -> bool {
        self.points.iter().all(|point| {
            let tensors = point.predicted_bytes.zip(point.measured_bytes);
            let heap = point.predicted_growth.zip(point.heap_growth);
            tensors.is_none_or(|(said, found)| said == found)
                && heap.is_none_or(|(said, found)| said == found)
        })
    }

    /// The largest difference in either reading, in bytes.
    pub fn difference_bytes(&self) -> i128 {
        let of = |point: &Point| {
            let tensors = point.predicted_bytes.zip(point.measured_bytes);
            let tensors = tensors.map_or(0, |(said, found)| i128::from(found) - i128::from(said));
            let heap = point.predicted_growth.zip(point.heap_growth).map_or(0, |(said, found)| found - said);
            if tensors.abs() >= heap.abs() { tensors } else { heap }
        };
        self.points.iter().map(of).max_by_key(|difference| difference.abs()).unwrap_or(0)
    }

    /// Steps per second after the prompt.
    pub fn tokens_per_second(&self) -> f64 {
        (self.new_tokens.saturating_sub(1)) as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// As JSON.
    pub fn to_json(&self) -> Json {
        let small = |value: Option<i128>| value.and_then(|value| i64::try_from(value).ok());
        let point = |point: &Point| {
            json!({
                "tokens": point.tokens,
                "predicted_bytes": point.predicted_bytes,
                "measured_bytes": point.measured_bytes,
                "predicted_growth": small(point.predicted_growth),
                "heap_growth": small(point.heap_growth),
            })
        };
        json!({
            "module": self.module,
            "device": self.device,
            "prompt": self.prompt,
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "text": self.text,
            "tokens_per_second": self.tokens_per_second(),
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
            "difference_bytes": small(Some(self.difference_bytes())),
            "matches": self.matches(),
            "not_predicted": self.not_predicted,
            "no_text": self.no_text,
        })
    }
}

/// The weights that a path names: a GGUF file, or a folder with safetensors (or its config.json).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// A GGUF file.
    Gguf(PathBuf),
    /// A folder with a config.json and safetensors.
    Folder(PathBuf),
}

/// The weights at a path; `None` where there are none.
pub fn weights(path: &Path, model: &ModelSpec) -> Option<Weights> {
    if path.is_file() && model.family == "gguf" {
        return Some(Weights::Gguf(path.to_owned()));
    }
    let folder = if path.is_dir() { path } else { path.parent()? };
    let named = path.is_dir() || path.file_name().is_some_and(|name| name == "config.json");
    (named && !folder::files(folder).is_empty()).then(|| Weights::Folder(folder.to_owned()))
}

/// Generates and measures.
pub fn generate(
    model: &ModelSpec,
    request: &Request,
    weights: &Weights,
    options: &Options,
) -> Result<Generated> {
    let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
    let (mut loaded, rule) = match weights {
        Weights::Gguf(file) => (gguf::load(file, model, &device)?, Rule::Candle),
        Weights::Folder(folder) if model.model_type == "gpt2" => {
            (gpt2::load(folder, model, &device)?, Rule::Definition)
        }
        Weights::Folder(folder) => (checkpoint::load(folder, model, request, &device)?, Rule::Candle),
    };
    let prompt = options.prompt.as_deref().unwrap_or(PROMPT);
    let ids = loaded.tokenizer.encode(prompt)?;
    let no_text = loaded.tokenizer.refusal();
    let new = options.new_tokens.unwrap_or(NEW_TOKENS).max(LEAST_TOKENS);
    let reach = usize::try_from(model.max_position.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    if ids.len().saturating_add(new) > reach {
        return Err(Error::bad_value(
            "--new-tokens",
            new,
            messages::AT_MOST_MODEL_LENGTH.say(&[&reach.saturating_sub(ids.len()), &reach]),
        ));
    }
    let run = steps(&mut loaded, &ids, new, &device).map_err(failed)?;
    let mut not_predicted = None;
    let mut predict = |tokens: u64| match predicted(model, request, rule, tokens) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            not_predicted = Some(error.to_string());
            None
        }
    };
    let first = run.read.first().map(|read| read.tokens as u64).unwrap_or(0);
    let start = predict(first);
    let points = run.read.iter().map(|read| {
        let now = predict(read.tokens as u64);
        Point {
            tokens: read.tokens as u64,
            predicted_bytes: now.map(|(used, _)| used.saturating_add(options.planted_bytes)),
            measured_bytes: read.cached_bytes,
            predicted_growth: now
                .zip(start)
                .map(|((_, now), (_, start))| i128::from(now) - i128::from(start)),
            heap_growth: device.is_cpu().then_some(read.live - run.read[0].live),
        }
    });
    let points = points.collect();
    let text = match no_text {
        None => Some(loaded.tokenizer.decode(&run.tokens)?),
        Some(_) => None,
    };
    Ok(Generated {
        module: loaded.name,
        device: device::name(&device),
        prompt: no_text.is_none().then(|| prompt.to_owned()),
        prompt_tokens: ids.len(),
        new_tokens: run.tokens.len(),
        text,
        no_text,
        seconds: run.seconds,
        points,
        not_predicted,
    })
}

/// The rule of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The `candle` engine's rule for the module.
    Candle,
    /// The model's definition in f32: this crate's own decoder.
    Definition,
}

/// Used and allocated bytes of a session of `tokens` tokens.
fn predicted(model: &ModelSpec, request: &Request, rule: Rule, tokens: u64) -> Result<(u64, u64)> {
    let mut own = Request { users: 1, seq: Some(tokens), ..Request::default() };
    own.kv_dtype.clone_from(&request.kv_dtype);
    if rule == Rule::Definition {
        own.set("kv-dtype", "f32")?;
        let (run, _) = resolve(model, &own)?;
        let bytes = engine::architecture::ReferenceCache::of_definition(run)?.bytes(tokens)?;
        // The decoder's buffers are made for all tokens beforehand: the heap does not grow.
        return Ok((bytes, 0));
    }
    own.engine = Some(engine::CANDLE);
    let (run, _) = resolve(model, &own)?;
    let run = ResolvedRequest { tokens, ..run };
    match run.engine.allocate(run)?.report(None)?.kind {
        ReportKind::Candle(report) => Ok((report.used_bytes, report.allocated_bytes)),
        _ => Err(Error::overflow(messages::SESSION_BYTES)),
    }
}

/// The reading after a step.
struct Read {
    tokens: usize,
    live: i128,
    cached_bytes: Option<u64>,
}

struct Steps {
    tokens: Vec<u32>,
    seconds: f64,
    read: Vec<Read>,
}

/// Feeds tokens and picks the next.
fn next(module: &mut dyn Module, ids: &[u32], at: usize, device: &Device) -> candle_core::Result<u32> {
    let ids = Tensor::from_slice(ids, (1, ids.len()), device)?;
    greedy(&module.forward(&ids, at)?.flatten_all()?.to_dtype(DType::F32)?)
}

/// The prompt, then one token at a time, greedily.
fn steps(loaded: &mut Loaded, prompt: &[u32], new: usize, device: &Device) -> candle_core::Result<Steps> {
    let Loaded { module, tokenizer, .. } = loaded;
    let module = module.as_mut();
    // A first run of the same lengths makes the buffers that are made once; it is not counted.
    let token = next(module, prompt, 0, device)?;
    next(module, &[token], prompt.len(), device)?;
    module.restart()?;
    let mut tokens = Vec::with_capacity(new);
    let mut read = Vec::with_capacity(new);
    let mut last = next(module, prompt, 0, device)?;
    tokens.push(last);
    let mut seconds = 0.0;
    while tokens.len() < new && !(tokenizer.ends(last) && tokens.len() >= LEAST_TOKENS) {
        let at = prompt.len() + tokens.len() - 1;
        let start = Instant::now();
        last = next(module, &[last], at, device)?;
        seconds += start.elapsed().as_secs_f64();
        tokens.push(last);
        read.push(Read { tokens: at + 1, live: live_bytes(), cached_bytes: module.cached_bytes()? });
    }
    // Three counts are enough: the first, the middle and the last.
    let keep = [0, read.len() / 2, read.len().saturating_sub(1)];
    let read = read.into_iter().enumerate().filter(|(at, _)| keep.contains(at)).map(|(_, read)| read);
    Ok(Steps { tokens, seconds, read: read.collect() })
}
