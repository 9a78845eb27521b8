//! The decoder that runs a model, and its weights.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use planner_core::engine::architecture::ReferenceCache;
use planner_core::error::Code;
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::spec::layer::{Content, Extent};
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};
use planner_verify::decoder::{Decoder, ModelDims};
use planner_verify::device::{self, failed};
use planner_verify::shape::{LayerShape, size};
use planner_verify::timing::prompt;
use planner_verify::{checkpoint, memory};
use serde_json::Value as Json;

use crate::dense::{Dense, Sizes};
use crate::weights::Source;
use crate::{Bench, Estimate, Listener, Options, PROMPT_TOKENS, experiment, messages};

/// Bytes of a weight in f32, and half as much again for the computation.
const BYTES_PER_WEIGHT: u64 = 6;

/// The seed of the weights.
const SEED: u64 = 1234;

/// A decoder of the experiment.
#[derive(Debug)]
enum Model {
    /// Plain attention layers, all alike.
    Dense(Box<Dense>),
    /// Any other kinds of layer.
    Mixed(Decoder),
}

/// A model that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    model: Model,
    vocab: usize,
    parameters: u64,
    dtype: DType,
    device: Device,
}

/// The type that weights are kept in.
fn weight_dtype(options: &Options) -> Result<DType> {
    match options.weight_dtype.as_deref() {
        None | Some("f32" | "auto") => Ok(DType::F32),
        Some("bf16") => Ok(DType::BF16),
        Some(other) => Err(Error::bad_value("--weight-dtype", other, messages::WEIGHT_DTYPES)),
    }
}

impl Prepared {
    /// The model at its real size.
    pub fn new(model: &ModelSpec, options: &Options) -> Result<Self> {
        let device = device::open(options.device.as_deref().unwrap_or("auto"))?;
        let tokens = PROMPT_TOKENS + options.new_tokens;
        let sizes = sizes(model, tokens)?;
        let dtype = weight_dtype(options)?;
        let Some(folder) = &options.checkpoint else {
            return match sizes {
                Some(sizes) => Self::dense(sizes, tokens, dtype, &device, None),
                None if dtype != DType::F32 => {
                    Err(Error::refused(Code::BenchModel, messages::PLAIN_STACKS_ONLY)
                        .about(messages::BENCH_IN_BF16.say(&[&model.name])))
                }
                None => Self::mixed(model, tokens, &device),
            };
        };
        let (Some(sizes), "gpt2") = (sizes, model.model_type.as_str()) else {
            return Err(Error::refused(Code::BenchModel, messages::GPT2_CHECKPOINTS_ONLY)
                .about(messages::BENCH_WITH_WEIGHTS.say(&[&model.name])));
        };
        if tokens > size(model.max_position.unwrap_or(0))? {
            return Err(Error::bad_value(
                "--new-tokens",
                options.new_tokens,
                messages::CHECKPOINT_POSITIONS.say(&[&sizes.positions.saturating_sub(PROMPT_TOKENS)]),
            ));
        }
        let tensors = checkpoint::tensors(folder)?;
        Self::dense(sizes, tokens, dtype, &device, Some(tensors))
    }

    fn dense(
        sizes: Sizes,
        tokens: usize,
        dtype: DType,
        device: &Device,
        tensors: Option<HashMap<String, Tensor>>,
    ) -> Result<Self> {
        let parameters = sizes.parameters();
        let cache = sizes.token_bytes().saturating_mul(tokens as u64);
        let needed = parameters.saturating_mul(BYTES_PER_WEIGHT).saturating_add(cache);
        memory::check(needed, memory::available())?;
        let mut source = match tensors {
            Some(tensors) => Source::checkpoint(tensors, dtype, device),
            None => Source::seeded(SEED, dtype, device),
        };
        let dense = Dense::new(sizes, tokens, &mut source, device).map_err(failed)?;
        Ok(Self {
            model: Model::Dense(Box::new(dense)),
            vocab: sizes.vocab,
            parameters,
            dtype,
            device: device.clone(),
        })
    }

    fn mixed(model: &ModelSpec, tokens: usize, device: &Device) -> Result<Self> {
        let mut request = Request::default();
        request.set("kv-dtype", "f32")?;
        request.set("seq", &tokens.to_string())?;
        let (run, _) = resolve(model, &request)?;
        let dtypes = ReferenceCache::of_definition(run)?.dtypes();
        if model.layers.iter().any(|layer| layer.owner.is_some()) {
            return Err(Error::refused(Code::BenchModel, messages::SHARED_CACHE)
                .about(messages::BENCH_OF.say(&[&model.name])));
        }
        let shapes = model.layers.iter().map(|layer| LayerShape::of(layer, &layer.stores, dtypes));
        let layers = shapes.collect::<Result<Vec<_>>>()?;
        let dims = ModelDims {
            hidden: size(model.hidden_size)?,
            vocab: size(model.vocab_size)?,
            inner: size(inner(model))?,
            gated: learned(model).is_none(),
            encoder_tokens: size(run.encoder_tokens.max(1))?,
            positions: learned(model).map_or(Ok(0), |rows| size(rows).map(|rows| rows.max(tokens)))?,
        };
        let mixers = layers.iter().map(|layer| layer.elements(dims.hidden as u64));
        let weights = mixers.fold(dims.elements(layers.len()), u64::saturating_add);
        memory::check(weights.saturating_mul(BYTES_PER_WEIGHT), memory::available())?;
        let decoder = Decoder::new(&layers, dims, SEED, device).map_err(failed)?;
        let parameters = decoder.parameters();
        Ok(Self {
            model: Model::Mixed(decoder),
            vocab: dims.vocab,
            parameters,
            dtype: DType::F32,
            device: device.clone(),
        })
    }

    /// How long one run of each kind takes.
    pub fn estimate(&self, options: &Options) -> Result<Estimate> {
        match &self.model {
            Model::Dense(dense) => Estimate::new(dense.as_ref(), self.vocab, options),
            Model::Mixed(decoder) => Estimate::new(decoder, self.vocab, options),
        }
    }

    /// Runs the experiment.
    pub fn run(&self, options: &Options, estimate: &Estimate, listener: Listener<'_>) -> Result<Bench> {
        let prompt = prompt(PROMPT_TOKENS, self.vocab);
        let found = match &self.model {
            Model::Dense(dense) => experiment(dense.as_ref(), &prompt, options, estimate, listener)?,
            Model::Mixed(decoder) => experiment(decoder, &prompt, options, estimate, listener)?,
        };
        Ok(Bench {
            device: device::name(&self.device),
            parameters: self.parameters,
            weight_dtype: self.dtype.as_str(),
            ..found
        })
    }
}

fn key(model: &ModelSpec, name: &str) -> Option<u64> {
    model.text_config().get(name).and_then(Json::as_u64)
}

/// Rows of the table of learned positions that models of GPT-2's kind have.
fn learned(model: &ModelSpec) -> Option<u64> {
    key(model, "n_positions").or_else(|| key(model, "n_ctx")).map(|_| model.max_position.unwrap_or(1).max(1))
}

/// Width of the feed-forward: the configuration's, or four times the model's.
fn inner(model: &ModelSpec) -> u64 {
    let named = ["intermediate_size", "n_inner", "ffn_dim"].iter().find_map(|name| key(model, name));
    named.unwrap_or_else(|| model.hidden_size.saturating_mul(4))
}

/// The sizes of a model with equal layers that keep keys and values of every token.
fn sizes(model: &ModelSpec, tokens: usize) -> Result<Option<Sizes>> {
    let Some(first) = model.layers.first() else { return Ok(None) };
    let alike = model.layers.iter().all(|layer| {
        layer.owner.is_none() && layer.stores == first.stores && layer.query_heads == first.query_heads
    });
    let kept: Vec<_> = first.stores.iter().filter(|store| store.is_kept_by("architecture")).collect();
    let [store] = kept.as_slice() else { return Ok(None) };
    let Content::KeysValues { heads, k_dim, v_dim } = store.content else { return Ok(None) };
    let whole = match store.extent {
        Extent::Full => true,
        Extent::Window(rows) | Extent::Chunk(rows) => rows >= tokens as u64,
        _ => false,
    };
    let plain =
        heads > 0 && first.query_heads.is_multiple_of(heads) && k_dim == v_dim && k_dim.is_multiple_of(2);
    if !(alike && whole && plain && store.tokens_per_row <= 1) {
        return Ok(None);
    }
    let config = model.text_config();
    let number = |names: [&str; 2]| names.iter().find_map(|name| config.get(*name).and_then(Json::as_f64));
    let tied = config.get("tie_word_embeddings").and_then(Json::as_bool);
    let positions = match learned(model) {
        Some(rows) => size(rows)?.max(tokens),
        None => 0,
    };
    Ok(Some(Sizes {
        layers: model.layers.len(),
        hidden: size(model.hidden_size)?,
        inner: size(inner(model))?,
        vocab: size(model.vocab_size)?,
        query_heads: size(first.query_heads)?,
        kv_heads: size(heads)?,
        head_dim: size(k_dim)?,
        positions,
        tied: tied.unwrap_or(positions > 0),
        epsilon: number(["layer_norm_epsilon", "rms_norm_eps"]).unwrap_or(1e-5) as f32,
        rope_base: number(["rope_theta", "rotary_emb_base"]).unwrap_or(10_000.0),
    }))
}
