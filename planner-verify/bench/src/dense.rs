//! A decoder of plain attention layers at a model's real size, made to be fast.
//!
//! A model with learned positions is built like GPT-2 (layer norms, biases, GELU), any other like llama (RMS
//! norms, rotary positions, a gated SiLU). The cache is allocated for all tokens beforehand.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::{layer_norm, rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::rope;
use planner_verify::decoder::greedy;
use planner_verify::timing::Steps;

use crate::cpu;
use crate::quantized_argmax::QuantizedArgmax;
use crate::weights::{Linear, Source};

/// Query rows that are scored together; limits the size of the score matrix.
const QUERY_BLOCK: usize = 128;

/// Dimension of the tokens in `[heads, tokens, width]`.
const TOKENS: usize = 1;

/// The sizes of a model whose layers are all alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Layers.
    pub layers: usize,
    /// Width of the model.
    pub hidden: usize,
    /// Width of the feed-forward.
    pub inner: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Query heads.
    pub query_heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Rows of a learned position table; 0 for rotary positions.
    pub positions: usize,
    /// Whether the last projection is the embedding's transpose.
    pub tied: bool,
    /// What norms add to the variance.
    pub epsilon: f32,
    /// Base of the rotary frequencies.
    pub rope_base: f64,
}

impl Sizes {
    fn learned(&self) -> bool {
        self.positions > 0
    }

    fn queries(&self) -> usize {
        self.query_heads * self.head_dim
    }

    fn keys(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Elements of all weights.
    pub fn parameters(&self) -> u64 {
        let [hidden, inner, vocab] = [self.hidden, self.inner, self.vocab].map(|size| size as u64);
        let [queries, keys] = [self.queries(), self.keys()].map(|size| size as u64);
        let attention = hidden * (queries + 2 * keys) + queries * hidden;
        let layer = match self.learned() {
            true => {
                attention + queries + 2 * keys + hidden + 2 * hidden * inner + inner + hidden + 4 * hidden
            }
            false => attention + 3 * hidden * inner + 2 * hidden,
        };
        let norm = if self.learned() { 2 * hidden } else { hidden };
        let head = if self.tied { 0 } else { vocab * hidden };
        vocab * hidden + self.positions as u64 * hidden + self.layers as u64 * layer + norm + head
    }

    /// Bytes of one token's keys and values in f32.
    pub fn token_bytes(&self) -> u64 {
        (2 * self.layers * self.keys() * size_of::<f32>()) as u64
    }
}

#[derive(Debug)]
struct Norm {
    weight: Tensor,
    bias: Option<Tensor>,
    epsilon: f32,
}

impl Norm {
    fn new(source: &mut Source, name: &str, sizes: &Sizes) -> Result<Self> {
        let bias = match sizes.learned() {
            true => Some(source.vector(&format!("{name}.bias"), sizes.hidden, 0.0)?),
            false => None,
        };
        let weight = source.vector(&format!("{name}.weight"), sizes.hidden, 1.0)?;
        Ok(Self { weight, bias, epsilon: sizes.epsilon })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => layer_norm(x, &self.weight, bias, self.epsilon),
            None => rms_norm(x, &self.weight, self.epsilon),
        }
    }
}

#[derive(Debug)]
struct Layer {
    norms: [Norm; 2],
    /// Queries, keys and values at once.
    mixed: Linear,
    out: Linear,
    /// The gate above the rest, where there is one.
    up: Linear,
    down: Linear,
}

/// The last projection, `[vocab, hidden]`.
#[derive(Debug)]
struct Head {
    linear: Linear,
    quantized: Option<QuantizedArgmax>,
}

impl Head {
    fn new(weight: Tensor) -> Result<Self> {
        Ok(Self { quantized: QuantizedArgmax::new(&weight)?, linear: Linear::new(weight, None)? })
    }

    /// The logits of the last token's row `[1, hidden]`.
    fn logits(&self, last: &Tensor) -> Result<Tensor> {
        self.linear.forward(last)?.squeeze(0)
    }

    /// The token with the largest of them.
    fn next(&self, last: &Tensor) -> Result<u32> {
        let chosen = match &self.quantized {
            Some(quantized) => quantized.argmax(last, self.linear.weight())?,
            None => None,
        };
        chosen.map_or_else(|| greedy(&self.logits(last)?), Ok)
    }
}

/// The decoder.
#[derive(Debug)]
pub struct Dense {
    sizes: Sizes,
    embedding: Tensor,
    positions: Option<Tensor>,
    /// Cosines and sines for the positions asked for, `[tokens, width / 2]`.
    rotary: Option<(Tensor, Tensor)>,
    layers: Vec<Layer>,
    norm: Norm,
    head: Head,
    device: Device,
}

impl Dense {
    /// A decoder for at most `tokens` tokens.
    pub fn new(sizes: Sizes, tokens: usize, source: &mut Source, device: &Device) -> Result<Self> {
        let Sizes { hidden, inner, vocab, .. } = sizes;
        let biased = sizes.learned();
        let embedding = source.table("wte.weight", vocab, hidden)?;
        let positions = match sizes.positions {
            0 => None,
            rows => Some(source.table("wpe.weight", rows, hidden)?.to_dtype(DType::F32)?),
        };
        let mut layers = Vec::with_capacity(sizes.layers);
        for at in 0..sizes.layers {
            let (queries, keys) = (sizes.queries(), sizes.keys());
            let gates = if sizes.learned() { 1 } else { 2 };
            layers.push(Layer {
                norms: [
                    Norm::new(source, &format!("h.{at}.ln_1"), &sizes)?,
                    Norm::new(source, &format!("h.{at}.ln_2"), &sizes)?,
                ],
                mixed: source.linear(&format!("h.{at}.attn.c_attn"), hidden, queries + 2 * keys, biased)?,
                out: source.linear(&format!("h.{at}.attn.c_proj"), queries, hidden, biased)?,
                up: source.linear(&format!("h.{at}.mlp.c_fc"), hidden, gates * inner, biased)?,
                down: source.linear(&format!("h.{at}.mlp.c_proj"), inner, hidden, biased)?,
            });
        }
        let norm = Norm::new(source, "ln_f", &sizes)?;
        let head = Head::new(match sizes.tied {
            true => embedding.clone(),
            false => source.table("lm_head.weight", vocab, hidden)?,
        })?;
        let rotary = match sizes.positions {
            0 => Some(angles(sizes, tokens, device)?),
            _ => None,
        };
        Ok(Self { sizes, embedding, positions, rotary, layers, norm, head, device: device.clone() })
    }

    /// The last token's row `[1, hidden]` after all layers and the last norm.
    fn run(&self, tokens: &[u32], first: usize, mut caches: Option<&mut [KvCache]>) -> Result<Tensor> {
        let count = tokens.len();
        let ids = Tensor::from_slice(tokens, count, &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?.to_dtype(DType::F32)?;
        if let Some(positions) = &self.positions {
            x = (x + positions.narrow(0, first, count)?)?;
        }
        for (at, layer) in self.layers.iter().enumerate() {
            let cache = caches.as_deref_mut().and_then(|caches| caches.get_mut(at));
            let mixed = self.attention(layer, &layer.norms[0].forward(&x)?, first, cache)?;
            x = (x + mixed)?;
            let up = layer.up.forward(&layer.norms[1].forward(&x)?)?;
            let inner = match self.sizes.learned() {
                true if self.device.is_cpu() => cpu::gelu(&up)?,
                true => up.gelu()?,
                false => {
                    let width = self.sizes.inner;
                    (silu(&up.narrow(D::Minus1, 0, width)?.contiguous()?)?
                        * up.narrow(D::Minus1, width, width)?)?
                }
            };
            x = (x + layer.down.forward(&inner)?)?;
        }
        self.norm.forward(&x.narrow(0, count - 1, 1)?.contiguous()?)
    }

    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        first: usize,
        cache: Option<&mut KvCache>,
    ) -> Result<Tensor> {
        let Sizes { query_heads, kv_heads, head_dim, .. } = self.sizes;
        let (queries, keys) = (self.sizes.queries(), self.sizes.keys());
        let mixed = layer.mixed.forward(x)?;
        let part = |start: usize, heads: usize| -> Result<Tensor> {
            let part = mixed.narrow(1, start, heads * head_dim)?;
            let part = part.reshape((x.dim(0)?, heads, head_dim))?.transpose(0, 1)?;
            part.contiguous()
        };
        let (q, k, v) = (part(0, query_heads)?, part(queries, kv_heads)?, part(queries + keys, kv_heads)?);
        let (q, k) = (self.rotate(q, first)?, self.rotate(k, first)?);
        let (k, v) = match cache {
            Some(cache) => cache.append(&k, &v)?,
            None => (k, v),
        };
        let q = (q * (1.0 / (head_dim as f64).sqrt()))?;
        let alone = x.dim(0)? == 1 && self.device.is_cpu();
        layer.out.forward(&if alone { cpu::attend(&q, &k, &v)? } else { attend(&q, &k, &v, first)? })
    }

    fn rotate(&self, x: Tensor, first: usize) -> Result<Tensor> {
        let Some((cos, sin)) = &self.rotary else { return Ok(x) };
        let count = x.dim(TOKENS)?;
        let (cos, sin) = (cos.narrow(0, first, count)?, sin.narrow(0, first, count)?);
        rope(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
    }
}

fn angles(sizes: Sizes, tokens: usize, device: &Device) -> Result<(Tensor, Tensor)> {
    let half = sizes.head_dim / 2;
    let angle = |at: usize| (at / half) as f64 / sizes.rope_base.powf((at % half) as f64 / half as f64);
    let table = |function: fn(f64) -> f64| {
        let data: Vec<f32> = (0..tokens * half).map(|at| function(angle(at)) as f32).collect();
        Tensor::from_vec(data, (tokens, half), device)
    };
    Ok((table(f64::cos)?, table(f64::sin)?))
}

/// Attention of the scaled `q` `[query heads, tokens, width]`, the first at position `first`, over all
/// rows of `k` and `v` `[kv heads, rows, width]`: `[tokens, query heads × width]`.
fn attend(q: &Tensor, k: &Tensor, v: &Tensor, first: usize) -> Result<Tensor> {
    let (query_heads, tokens, width) = q.dims3()?;
    let kv_heads = k.dim(0)?;
    let group = query_heads / kv_heads;
    let mut parts = Vec::with_capacity(tokens.div_ceil(QUERY_BLOCK));
    for start in (0..tokens).step_by(QUERY_BLOCK) {
        let count = QUERY_BLOCK.min(tokens - start);
        // Rows after the block's last token are hidden from all of it.
        let rows = first + start + count;
        let (k, v) = (k.narrow(TOKENS, 0, rows)?, v.narrow(TOKENS, 0, rows)?);
        let block = q.narrow(TOKENS, start, count)?.reshape((kv_heads, group * count, width))?;
        let mut scores = block.matmul(&k.t()?)?;
        if count > 1 {
            let mask = mask(count, rows, q.device())?;
            let apart = scores.reshape((kv_heads, group, count, rows))?.broadcast_add(&mask)?;
            scores = apart.reshape((kv_heads, group * count, rows))?;
        }
        let mixed = softmax_last_dim(&scores)?.matmul(&v)?;
        let mixed = mixed.reshape((query_heads, count, width))?.transpose(0, 1)?;
        parts.push(mixed.reshape((count, query_heads * width))?);
    }
    match parts.as_slice() {
        [one] => Ok(one.clone()),
        _ => Tensor::cat(&parts, 0),
    }
}

/// `-inf` where a key comes after the query: the last `count` of `rows` positions ask.
fn mask(count: usize, rows: usize, device: &Device) -> Result<Tensor> {
    let seen = rows - count;
    let data: Vec<f32> = (0..count)
        .flat_map(|query| (0..rows).map(move |key| if key <= seen + query { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(data, (count, rows), device)
}

impl Steps for Dense {
    type Cache = (Vec<KvCache>, usize);

    fn cache(&self, tokens: usize) -> Self::Cache {
        (self.layers.iter().map(|_| KvCache::new(TOKENS, tokens)).collect(), 0)
    }

    fn chunk(&self) -> usize {
        usize::MAX
    }

    fn forward(&self, tokens: &[u32], (caches, seen): &mut Self::Cache) -> Result<Tensor> {
        let last = self.run(tokens, *seen, Some(caches))?;
        *seen += tokens.len();
        Ok(last)
    }

    fn anew(&self, tokens: &[u32]) -> Result<Tensor> {
        self.run(tokens, 0, None)
    }

    fn logits(&self, last: &Tensor) -> Result<Tensor> {
        self.head.logits(last)
    }

    fn next(&self, last: &Tensor) -> Result<u32> {
        self.head.next(last)
    }

    fn wait(&self) -> Result<()> {
        self.device.synchronize()
    }
}
