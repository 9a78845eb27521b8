//! Checkpoints of GPT-2 in f32: candle-transformers has no module for it.
//!
//! Restates `GPT2LMHeadModel` of transformers' `modeling_gpt2.py`, with its names. The cache is made for
//! all positions beforehand.

use std::path::Path;

use candle_core::{DType, Device, Result as Candle, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::softmax_last_dim;
use candle_nn::{Activation, LayerNorm, Module as _, VarBuilder, layer_norm};
use planner_core::error::Code;
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};
use serde_json::Value as Json;

use super::checkpoint::weights;
use super::tokenizer::Tokenizer;
use super::{Loaded, Module};
use crate::device::{first_line, said};
use crate::kept::tensor_bytes;
use crate::messages;
use crate::shape::size;

/// Dimension of the tokens in `[heads, tokens, head_dim]`.
const TOKENS: usize = 1;

struct Config {
    n_embd: usize,
    n_head: usize,
    n_layer: usize,
    n_positions: usize,
    n_inner: usize,
    vocab_size: usize,
    layer_norm_epsilon: f64,
    activation_function: Activation,
    tie_word_embeddings: bool,
}

impl Config {
    fn new(model: &ModelSpec) -> Result<Self> {
        let config = model.text_config();
        let key = |name: &str| config.get(name).filter(|value| !value.is_null());
        let n_embd = size(model.hidden_size)?;
        Ok(Self {
            n_embd,
            n_head: size(model.attention_heads.unwrap_or(1))?,
            n_layer: model.layers.len(),
            n_positions: size(model.max_position.unwrap_or(1))?,
            n_inner: key("n_inner").and_then(Json::as_u64).map_or(Ok(4 * n_embd), size)?,
            vocab_size: size(model.vocab_size)?,
            layer_norm_epsilon: key("layer_norm_epsilon").and_then(Json::as_f64).unwrap_or(1e-5),
            activation_function: match key("activation_function") {
                None => Activation::NewGelu,
                Some(name) => serde_json::from_value(name.clone()).map_err(|error| {
                    Error::refused(
                        Code::MeasureWeights,
                        messages::CANDLE_CONFIGURATION.say(&[&error.to_string()]),
                    )
                    .about(messages::TEXT_FROM.say(&[&model.name]))
                })?,
            },
            tie_word_embeddings: key("tie_word_embeddings").and_then(Json::as_bool).unwrap_or(true),
        })
    }
}

/// A projection whose weight is stored as `[inputs, outputs]`.
struct Conv1D {
    weight: Tensor,
    bias: Tensor,
}

impl Conv1D {
    fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Candle<Self> {
        Ok(Self { weight: vb.get((inputs, outputs), "weight")?, bias: vb.get(outputs, "bias")? })
    }

    fn forward(&self, x: &Tensor) -> Candle<Tensor> {
        x.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

struct Attention {
    c_attn: Conv1D,
    c_proj: Conv1D,
    n_head: usize,
    cache: KvCache,
}

impl Attention {
    /// Rows of tokens that start at position `at`.
    fn forward(&mut self, x: &Tensor, at: usize) -> Candle<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        let head_dim = hidden / self.n_head;
        let split = self.c_attn.forward(x)?.reshape((tokens, 3, self.n_head, head_dim))?;
        let heads = |part: usize| split.narrow(1, part, 1)?.squeeze(1)?.transpose(0, 1)?.contiguous();
        let (query, key, value) = (heads(0)?, heads(1)?, heads(2)?);
        let (keys, values) = self.cache.append(&key, &value)?;
        let scores = (query.matmul(&keys.t()?)? / (head_dim as f64).sqrt())?;
        let scores = scores.broadcast_add(&causal_mask(at, tokens, x.device())?)?;
        let mixed = softmax_last_dim(&scores)?.matmul(&values)?;
        self.c_proj.forward(&mixed.transpose(0, 1)?.reshape((tokens, hidden))?)
    }
}

/// `-inf` where a key comes after the query, `[tokens, at + tokens]`.
fn causal_mask(at: usize, tokens: usize, device: &Device) -> Candle<Tensor> {
    let keys = at + tokens;
    let row = |query: usize| (0..keys).map(move |key| if key > at + query { f32::NEG_INFINITY } else { 0.0 });
    Tensor::from_vec((0..tokens).flat_map(row).collect(), (tokens, keys), device)
}

struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    c_fc: Conv1D,
    c_proj: Conv1D,
}

impl Block {
    fn new(config: &Config, vb: VarBuilder<'_>) -> Candle<Self> {
        let &Config { n_embd, n_head, n_positions, n_inner, layer_norm_epsilon, .. } = config;
        Ok(Self {
            ln_1: layer_norm(n_embd, layer_norm_epsilon, vb.pp("ln_1"))?,
            attn: Attention {
                c_attn: Conv1D::new(n_embd, 3 * n_embd, vb.pp("attn.c_attn"))?,
                c_proj: Conv1D::new(n_embd, n_embd, vb.pp("attn.c_proj"))?,
                n_head,
                cache: KvCache::new(TOKENS, n_positions),
            },
            ln_2: layer_norm(n_embd, layer_norm_epsilon, vb.pp("ln_2"))?,
            c_fc: Conv1D::new(n_embd, n_inner, vb.pp("mlp.c_fc"))?,
            c_proj: Conv1D::new(n_inner, n_embd, vb.pp("mlp.c_proj"))?,
        })
    }

    fn forward(&mut self, x: &Tensor, at: usize, activation: Activation) -> Candle<Tensor> {
        let x = (self.attn.forward(&self.ln_1.forward(x)?, at)? + x)?;
        let inner = activation.forward(&self.c_fc.forward(&self.ln_2.forward(&x)?)?)?;
        self.c_proj.forward(&inner)? + x
    }
}

struct Gpt2 {
    wte: Tensor,
    wpe: Tensor,
    h: Vec<Block>,
    ln_f: LayerNorm,
    lm_head: Tensor,
    activation: Activation,
}

impl Gpt2 {
    /// Some checkpoints are saved with the name of the outer module before the tensors' own.
    fn new(config: &Config, vb: &VarBuilder<'_>) -> Candle<Self> {
        let &Config { n_embd, vocab_size, .. } = config;
        let outer = vb.pp("transformer");
        let inner = if outer.contains_tensor("wte.weight") { &outer } else { vb };
        let wte = inner.get((vocab_size, n_embd), "wte.weight")?;
        let blocks = (0..config.n_layer).map(|at| Block::new(config, inner.pp("h").pp(at)));
        Ok(Self {
            wpe: inner.get((config.n_positions, n_embd), "wpe.weight")?,
            h: blocks.collect::<Candle<_>>()?,
            ln_f: layer_norm(n_embd, config.layer_norm_epsilon, inner.pp("ln_f"))?,
            lm_head: match config.tie_word_embeddings {
                true => wte.clone(),
                false => vb.get((vocab_size, n_embd), "lm_head.weight")?,
            },
            wte,
            activation: config.activation_function,
        })
    }
}

impl Module for Gpt2 {
    fn restart(&mut self) -> Candle<()> {
        self.h.iter_mut().for_each(|block| block.attn.cache.reset());
        Ok(())
    }

    fn forward(&mut self, ids: &Tensor, at: usize) -> Candle<Tensor> {
        let ids = ids.flatten_all()?;
        let tokens = ids.dim(0)?;
        let mut x = (self.wte.index_select(&ids, 0)? + self.wpe.narrow(0, at, tokens)?)?;
        for block in &mut self.h {
            x = block.forward(&x, at, self.activation)?;
        }
        self.ln_f.forward(&x.narrow(0, tokens - 1, 1)?)?.matmul(&self.lm_head.t()?)
    }

    fn cached_bytes(&self) -> Candle<Option<u64>> {
        let mut bytes = 0;
        for Block { attn, .. } in &self.h {
            for rows in [attn.cache.k()?, attn.cache.v()?].into_iter().flatten() {
                bytes += tensor_bytes(&rows);
            }
        }
        Ok(Some(bytes))
    }
}

/// Reads a folder's weights and tokenizer.
pub fn load(folder: &Path, model: &ModelSpec, device: &Device) -> Result<Loaded> {
    let config = Config::new(model)?;
    let module = Gpt2::new(&config, &weights(folder, DType::F32, device)?)
        .map_err(|error| Error::unreadable(folder.display().to_string(), said(first_line(&error))))?;
    let tokenizer = Tokenizer::of_folder(folder, model.text_config(), config.vocab_size);
    Ok(Loaded { module: Box::new(module), name: "kvplan's own decoder of GPT-2".into(), tokenizer })
}
