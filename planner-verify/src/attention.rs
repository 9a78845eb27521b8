//! Scaled dot-product attention over cached keys and values, grouped heads included.

use candle_core::{DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use planner_core::spec::layer::Extent;

use crate::kept::sees;
use crate::weights::Weights;

/// Query rows that are scored together; limits the size of the score matrix.
pub const QUERY_BLOCK: usize = 128;

/// Base of the rotary frequencies.
const ROPE_BASE: f64 = 10_000.0;

/// The tokens of one step: an equal number for each session, at equal positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Sessions in the batch.
    pub sessions: usize,
    /// Position of the first token.
    pub first: usize,
    /// Tokens of each session.
    pub tokens: usize,
}

/// Rows that a layer's queries attend to, `[sessions × heads, rows, width]`, and the position of each row.
#[derive(Debug, Clone)]
pub struct AttendedRows {
    /// Keys and values, or one tensor that serves as both.
    pub tensors: Vec<Tensor>,
    /// The position of each row.
    pub positions: Vec<usize>,
}

/// The widths of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Query heads.
    pub query_heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a key.
    pub k_dim: usize,
    /// Width of a value.
    pub v_dim: usize,
}

/// Which projections an attention layer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Keys and values of its own, rather than another layer's.
    pub own: bool,
    /// One tensor as both key and value.
    pub one: bool,
    /// Rotary positions.
    pub rotary: bool,
}

/// Projections of one attention layer.
#[derive(Debug)]
pub struct Attention {
    widths: Widths,
    /// Whether keys and queries are rotated to their positions.
    rotary: bool,
    query: Tensor,
    /// Absent in a layer that reads another's cache.
    key: Option<Tensor>,
    /// Absent where the value is the key.
    value: Option<Tensor>,
    out: Tensor,
}

impl Attention {
    /// Seeded projections from a model `hidden` wide.
    pub fn new(weights: &mut Weights, hidden: usize, widths: Widths, kind: Kind) -> Result<Self> {
        let Kind { own, one, rotary } = kind;
        let Widths { query_heads, kv_heads, k_dim, v_dim } = widths;
        Ok(Self {
            widths,
            rotary,
            query: weights.matrix(hidden, query_heads * k_dim)?,
            key: own.then(|| weights.matrix(hidden, kv_heads * k_dim)).transpose()?,
            value: (own && !one).then(|| weights.matrix(hidden, kv_heads * v_dim)).transpose()?,
            out: weights.matrix(query_heads * v_dim, hidden)?,
        })
    }

    /// Keys and values of new tokens, each `[sessions × kv_heads, tokens, width]`; keys rotated to their
    /// positions.
    pub fn keys_values(&self, x: &Tensor, span: Span) -> Result<Vec<Tensor>> {
        let mut result = Vec::with_capacity(2);
        if let Some(key) = &self.key {
            let keys = heads(&x.matmul(key)?, span.sessions, self.widths.kv_heads, self.widths.k_dim)?;
            result.push(if self.rotary { rotate(&keys, span.first)? } else { keys });
        }
        if let Some(value) = &self.value {
            let values = heads(&x.matmul(value)?, span.sessions, self.widths.kv_heads, self.widths.v_dim)?;
            result.push(values);
        }
        Ok(result)
    }

    /// The layer's output for new tokens.
    pub fn forward(&self, x: &Tensor, span: Span, seen: &AttendedRows, extent: Extent) -> Result<Tensor> {
        let Widths { query_heads, k_dim, .. } = self.widths;
        let queries = heads(&x.matmul(&self.query)?, span.sessions, query_heads, k_dim)?;
        let queries = if self.rotary { rotate(&queries, span.first)? } else { queries };
        let (keys, values) = match seen.tensors.as_slice() {
            [keys, values, ..] => (keys, values),
            [both] => (both, both),
            [] => candle_core::bail!("a layer has nothing to look at"),
        };
        let mixed = attend(&queries, keys, values, span, &seen.positions, extent)?;
        tokens(&mixed, span.sessions)?.matmul(&self.out)
    }
}

/// `[sessions × tokens, heads × width]` as `[sessions × heads, tokens, width]`.
pub fn heads(x: &Tensor, sessions: usize, heads: usize, width: usize) -> Result<Tensor> {
    let split = x.reshape((sessions, (), heads, width))?.transpose(1, 2)?.contiguous()?;
    split.flatten(0, 1)
}

/// `[sessions × heads, tokens, width]` as `[sessions × tokens, heads × width]`: undoes [`heads`].
pub fn tokens(x: &Tensor, sessions: usize) -> Result<Tensor> {
    let (all, tokens, width) = x.dims3()?;
    let split = x.reshape((sessions, all / sessions, tokens, width))?.transpose(1, 2)?.contiguous()?;
    split.reshape((sessions * tokens, all / sessions * width))
}

/// Rotates `[sessions × heads, tokens, width]` to positions from `first` on; an odd last element stays.
pub fn rotate(x: &Tensor, first: usize) -> Result<Tensor> {
    let (_, tokens, width) = x.dims3()?;
    let half = width / 2;
    if half == 0 {
        return Ok(x.clone());
    }
    let angle = |at: usize| {
        let (token, pair) = (at / half, at % half);
        (first + token) as f64 / ROPE_BASE.powf(pair as f64 / half as f64)
    };
    let table = |function: fn(f64) -> f64| {
        let data: Vec<f32> = (0..tokens * half).map(|at| function(angle(at)) as f32).collect();
        Tensor::from_vec(data, (1, tokens, half), x.device())
    };
    let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
    let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let real = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let imaginary = (a.broadcast_mul(&sin)? + b.broadcast_mul(&cos)?)?;
    match width % 2 {
        0 => Tensor::cat(&[&real, &imaginary], 2),
        _ => Tensor::cat(&[&real, &imaginary, &x.narrow(2, width - 1, 1)?], 2),
    }
}

/// Attention of `queries` `[query heads, tokens, k]` over `keys` `[kv heads, rows, k]` and `values`
/// `[kv heads, rows, v]`, in f32: `[query heads, tokens, v]`. Heads are ordered session by session, so that
/// each query head meets the KV head of its own session.
pub fn attend(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    span: Span,
    positions: &[usize],
    extent: Extent,
) -> Result<Tensor> {
    let tokens = span.tokens;
    let (kv_heads, rows, _) = keys.dims3()?;
    let keys = keys.to_dtype(DType::F32)?.transpose(1, 2)?.contiguous()?;
    let values = values.to_dtype(DType::F32)?.contiguous()?;
    let mut parts = Vec::with_capacity(tokens.div_ceil(QUERY_BLOCK));
    for start in (0..tokens).step_by(QUERY_BLOCK) {
        let count = QUERY_BLOCK.min(tokens - start);
        let block = queries.narrow(1, start, count)?.contiguous()?;
        let (query_heads, _, k_dim) = block.dims3()?;
        let group = query_heads / kv_heads;
        let scale = 1.0 / (k_dim as f64).sqrt();
        let scores = (block.reshape((kv_heads, group * count, k_dim))?.matmul(&keys)? * scale)?;
        let mask = mask(span.first + start, count, positions, extent, queries)?;
        let scores = match &mask {
            Some(mask) => scores.reshape((kv_heads, group, count, rows))?.broadcast_add(mask)?.reshape((
                kv_heads,
                group * count,
                rows,
            ))?,
            None => scores,
        };
        let mixed = softmax_last_dim(&scores)?.matmul(&values)?;
        parts.push(mixed.reshape((query_heads, count, ()))?);
    }
    match parts.as_slice() {
        [one] => Ok(one.clone()),
        _ => Tensor::cat(&parts, 1),
    }
}

/// The mask: `-inf` for rows that a token does not see, `[tokens, rows]`; `None` where every row is seen.
fn mask(
    first: usize,
    tokens: usize,
    positions: &[usize],
    extent: Extent,
    like: &Tensor,
) -> Result<Option<Tensor>> {
    if extent == Extent::Source {
        return Ok(None);
    }
    let data: Vec<f32> = (first..first + tokens)
        .flat_map(|query| {
            positions.iter().map(move |&key| if sees(extent, query, key) { 0.0 } else { f32::NEG_INFINITY })
        })
        .collect();
    if data.iter().all(|&value| value == 0.0) {
        return Ok(None);
    }
    Ok(Some(Tensor::from_vec(data, (tokens, positions.len()), like.device())?))
}
