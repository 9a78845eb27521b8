//! One small attention layer, computed for the reader's sentence.
//!
//! Width 8, 4 query heads of 2, 2 key-value heads, f32; the weights are
//! seeded, so the same sentence gives the same numbers everywhere. Every step
//! is computed twice: from the rows kept so far, as a server with a cache
//! does, and from the sentence alone, as one without a cache has to.
//!
//! Multiply-adds counted are those of the matrix products, scores and weighted
//! sums; the exponentials of the softmax and the rotation by position are not.

use super::linear::{Matrix, Stream, dot, rotate, softmax};
use super::sentence;
use serde_json::{Value, json};

/// Width of a token's row.
pub const WIDTH: usize = 8;
/// Query heads.
pub const HEADS: usize = 4;
/// Columns of one head.
pub const HEAD_DIM: usize = 2;
/// Tokens a sliding window sees, the newest included.
pub const WINDOW: usize = 3;
/// Columns of the latent of multi-head latent attention.
pub const RANK: usize = 4;
/// Columns of the rotated key that its heads share.
pub const ROPE: usize = 2;
/// Bytes of one number (f32).
pub const FLOAT_BYTES: usize = 4;
/// What each head of the recurrent state keeps of itself from token to token
/// (fixed decays, as in retention: Sun et al. 2023, section 2.2).
const DECAY: [f32; HEADS] = [0.96875, 0.9375, 0.875, 0.75];

/// How the layer keeps its past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A key-value head for every query head.
    Mha,
    /// Two query heads share a key-value head.
    Gqa,
    /// All query heads share one key-value head.
    Mqa,
    /// Grouped heads, and only the last [`WINDOW`] tokens.
    Sliding,
    /// A latent and one rotated key for all heads (DeepSeek-V2, section 2.1).
    Mla,
    /// A matrix per head in place of rows.
    Recurrent,
}

impl Variant {
    /// Every variant, in the order the page tells them.
    pub const ALL: [Variant; 6] =
        [Variant::Mha, Variant::Gqa, Variant::Mqa, Variant::Sliding, Variant::Mla, Variant::Recurrent];

    /// Its name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Mha => "mha",
            Variant::Gqa => "gqa",
            Variant::Mqa => "mqa",
            Variant::Sliding => "sliding",
            Variant::Mla => "mla",
            Variant::Recurrent => "recurrent",
        }
    }

    fn kv_heads(self) -> usize {
        match self {
            Variant::Mha | Variant::Recurrent => HEADS,
            Variant::Gqa | Variant::Sliding => 2,
            Variant::Mqa => 1,
            Variant::Mla => 0,
        }
    }

    fn window(self) -> usize {
        match self {
            Variant::Sliding => WINDOW,
            _ => usize::MAX,
        }
    }

    /// Columns of K (or of the latent) and of V (or of the rotated key) that a
    /// token's row has.
    fn row_columns(self) -> [usize; 2] {
        match self {
            Variant::Mla => [RANK, ROPE],
            other => [other.kv_heads() * HEAD_DIM; 2],
        }
    }

    /// Numbers kept once for a session, whatever its length.
    pub fn state_floats(self) -> usize {
        match self {
            Variant::Recurrent => HEADS * HEAD_DIM * HEAD_DIM,
            _ => 0,
        }
    }

    /// Numbers kept for each token that is kept.
    pub fn row_floats(self) -> usize {
        match self {
            Variant::Recurrent => 0,
            other => other.row_columns().iter().sum(),
        }
    }
}

/// The seeded weights of one layer.
struct Layer {
    variant: Variant,
    query: Matrix,
    query_rope: Matrix,
    key: Matrix,
    value: Matrix,
    /// Latent columns to a head's keys, and a head's values from the latent.
    expand_key: Vec<Matrix>,
    expand_value: Vec<Matrix>,
    output: Matrix,
}

/// What one token is projected to.
#[derive(Clone)]
struct Row {
    query: Vec<f32>,
    /// K, or the latent.
    key: Vec<f32>,
    /// V, or the rotated key of the latent.
    value: Vec<f32>,
}

/// What the newest token reads and makes.
struct Read {
    scores: Vec<Vec<f32>>,
    weights: Vec<Vec<f32>>,
    output: Vec<f32>,
}

impl Layer {
    fn seeded(variant: Variant) -> Layer {
        let wide = HEADS * HEAD_DIM;
        let matrix = |name: &str, rows, columns, scale| Matrix::seeded(name, rows, columns, scale);
        let (key, value) = match variant {
            Variant::Mla => (matrix("latent", WIDTH, RANK, 0.7), matrix("rotated key", WIDTH, ROPE, 0.9)),
            other => {
                let group = HEADS / other.kv_heads().max(1);
                (
                    matrix("key", WIDTH, wide, 0.9).mean_heads(HEAD_DIM, group),
                    matrix("value", WIDTH, wide, 0.7).mean_heads(HEAD_DIM, group),
                )
            }
        };
        let expand = |side: &str, rows, columns| {
            (0..HEADS).map(|h| matrix(&format!("{side} {h}"), rows, columns, 0.9)).collect()
        };
        Layer {
            variant,
            query: matrix("query", WIDTH, wide, 0.9),
            query_rope: matrix("rotated query", WIDTH, HEADS * ROPE, 0.9),
            key,
            value,
            expand_key: expand("expand key", HEAD_DIM, RANK),
            expand_value: expand("expand value", RANK, HEAD_DIM),
            output: matrix("output", wide, WIDTH, 0.7),
        }
    }

    /// A token's query and the row that may be kept.
    fn project(&self, x: &[f32], position: usize, count: &mut u64) -> Row {
        let mut query = self.query.times(x, count);
        let mut key = self.key.times(x, count);
        let mut value = self.value.times(x, count);
        match self.variant {
            Variant::Mla => {
                let mut rotated = self.query_rope.times(x, count);
                rotate(&mut rotated, position);
                query.append(&mut rotated);
                rotate(&mut value, position);
            }
            Variant::Recurrent => {}
            _ => {
                rotate(&mut query, position);
                rotate(&mut key, position);
            }
        }
        Row { query, key, value }
    }

    /// One query against the rows it may see.
    fn read(&self, query: &[f32], rows: &[Row], count: &mut u64) -> Read {
        let (mut scores, mut weights, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        for h in 0..HEADS {
            let (s, w, mut out) = match self.variant {
                Variant::Mla => self.read_latent(query, rows, h, count),
                _ => self.read_heads(query, rows, h, count),
            };
            scores.push(s);
            weights.push(w);
            heads.append(&mut out);
        }
        let output = self.output.times(&heads, count);
        Read { scores, weights, output }
    }

    fn read_heads(
        &self,
        query: &[f32],
        rows: &[Row],
        h: usize,
        count: &mut u64,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let at = h * self.variant.kv_heads() / HEADS * HEAD_DIM;
        let q = slice(query, h * HEAD_DIM, HEAD_DIM);
        let scores: Vec<f32> = rows
            .iter()
            .map(|row| dot(q, slice(&row.key, at, HEAD_DIM), count) / (HEAD_DIM as f32).sqrt())
            .collect();
        let weights = softmax(&scores);
        let values = rows.iter().map(|row| slice(&row.value, at, HEAD_DIM));
        let out = weighted(&weights, values, HEAD_DIM, count);
        (scores, weights, out)
    }

    /// As engines decode it: the query is brought into the latent, so that the
    /// rows are read as they are kept.
    fn read_latent(
        &self,
        query: &[f32],
        rows: &[Row],
        h: usize,
        count: &mut u64,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let q = slice(query, h * HEAD_DIM, HEAD_DIM);
        let rotated = slice(query, HEADS * HEAD_DIM + h * ROPE, ROPE);
        let q = match self.expand_key.get(h) {
            Some(matrix) => matrix.times(q, count),
            None => Vec::new(),
        };
        let scores: Vec<f32> = rows
            .iter()
            .map(|row| {
                let sum = dot(&q, &row.key, count) + dot(rotated, &row.value, count);
                sum / ((HEAD_DIM + ROPE) as f32).sqrt()
            })
            .collect();
        let weights = softmax(&scores);
        let mixed = weighted(&weights, rows.iter().map(|r| &r.key[..]), RANK, count);
        let out = match self.expand_value.get(h) {
            Some(matrix) => matrix.times(&mixed, count),
            None => Vec::new(),
        };
        (scores, weights, out)
    }

    /// Lets the state of every head decay, and adds the token's key by value.
    fn remember(&self, state: &mut [f32], row: &Row, count: &mut u64) {
        let cells = HEAD_DIM * HEAD_DIM;
        for (h, (head, decay)) in state.chunks_mut(cells).zip(DECAY).enumerate() {
            let k = slice(&row.key, h * HEAD_DIM, HEAD_DIM);
            let v = slice(&row.value, h * HEAD_DIM, HEAD_DIM);
            for (line, k) in head.chunks_mut(HEAD_DIM).zip(k) {
                for (cell, v) in line.iter_mut().zip(v) {
                    *cell = *cell * decay + k * v;
                }
            }
            *count += 2 * cells as u64; // one product for the decay, one for k by v
        }
    }

    /// A query times the state of its head.
    fn recall(&self, state: &[f32], query: &[f32], count: &mut u64) -> Vec<f32> {
        let mut heads = Vec::with_capacity(HEADS * HEAD_DIM);
        for (head, q) in state.chunks(HEAD_DIM * HEAD_DIM).zip(query.chunks(HEAD_DIM)) {
            let lines = head.chunks(HEAD_DIM);
            heads.append(&mut weighted(q, lines, HEAD_DIM, count));
        }
        self.output.times(&heads, count)
    }
}

fn slice(of: &[f32], at: usize, len: usize) -> &[f32] {
    of.get(at..at + len).unwrap_or(&[])
}

fn weighted<'a>(
    weights: &[f32],
    rows: impl Iterator<Item = &'a [f32]>,
    columns: usize,
    count: &mut u64,
) -> Vec<f32> {
    let mut sum = vec![0.0; columns];
    for (w, row) in weights.iter().zip(rows) {
        for (sum, cell) in sum.iter_mut().zip(row) {
            *sum += w * cell;
        }
        *count += columns as u64;
    }
    sum
}

/// A token's own row: seeded by its text, so that equal tokens are equal.
fn embed(token: &str) -> Vec<f32> {
    let mut stream = Stream::named(token);
    (0..WIDTH).map(|_| stream.next() * 1.5).collect()
}

/// Work done: K and V rows computed, and multiply-adds.
#[derive(Clone, Copy, Default)]
struct Work {
    rows: u64,
    multiply_adds: u64,
}

/// One decoded token.
struct Step {
    row: Row,
    read: Option<Read>,
    state: Vec<f32>,
    kept: usize,
    cached: (Vec<f32>, Work),
    uncached: (Vec<f32>, Work),
}

/// Decodes with a cache: each token is projected once and reads what is kept.
fn with_cache(layer: &Layer, xs: &[Vec<f32>]) -> Vec<Step> {
    let mut kept: Vec<Row> = Vec::new();
    let mut state = vec![0.0; layer.variant.state_floats()];
    let mut steps = Vec::new();
    for (position, x) in xs.iter().enumerate() {
        let mut work = Work { rows: 1, ..Work::default() };
        let row = layer.project(x, position, &mut work.multiply_adds);
        let (read, output) = if layer.variant == Variant::Recurrent {
            layer.remember(&mut state, &row, &mut work.multiply_adds);
            let out = layer.recall(&state, &row.query, &mut work.multiply_adds);
            (None, out)
        } else {
            kept.push(row.clone());
            if kept.len() > layer.variant.window() {
                kept.remove(0);
            }
            let read = layer.read(&row.query, &kept, &mut work.multiply_adds);
            let out = read.output.clone();
            (Some(read), out)
        };
        steps.push(Step {
            row,
            read,
            state: state.clone(),
            kept: kept.len(),
            cached: (output, work),
            uncached: without_cache(layer, xs.get(..=position).unwrap_or(&[])),
        });
    }
    steps
}

/// Decodes the last token of `xs` from the sentence alone: every row is
/// projected again and every row's output computed, because the next layer of
/// a real model would need them all.
fn without_cache(layer: &Layer, xs: &[Vec<f32>]) -> (Vec<f32>, Work) {
    let mut work = Work { rows: xs.len() as u64, ..Work::default() };
    let count = &mut work.multiply_adds;
    let rows: Vec<Row> =
        xs.iter().enumerate().map(|(position, x)| layer.project(x, position, count)).collect();
    let mut state = vec![0.0; layer.variant.state_floats()];
    let mut last = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        last = if layer.variant == Variant::Recurrent {
            layer.remember(&mut state, row, count);
            layer.recall(&state, &row.query, count)
        } else {
            let first = (position + 1).saturating_sub(layer.variant.window());
            let seen = rows.get(first..=position).unwrap_or(&[]);
            layer.read(&row.query, seen, count).output
        };
    }
    (last, work)
}

/// Answers `{"sentence": text, "variant": name}`; the shape of the answer is
/// that of [`run`], or `{"error": {"code"}}`.
pub fn answer(request: &str) -> Value {
    let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
    let text = request.get("sentence").and_then(Value::as_str);
    let (tokens, cut) = sentence::tokens(text.unwrap_or_default());
    let name = request.get("variant").and_then(Value::as_str);
    let variant = Variant::ALL.into_iter().find(|v| Some(v.name()) == name);
    match variant {
        _ if tokens.is_empty() => json!({"error": {"code": "sentence_empty"}}),
        None => json!({"error": {"code": "variant_unknown"}}),
        Some(variant) => run(&tokens, cut, variant),
    }
}

/// The whole run of a sentence under one variant:
/// `tokens`, `cut` (the sentence was longer), the `shape`, `row_bytes` a kept
/// token holds, `state_bytes` a session holds before its first token, `x`
/// (a row of 8 a token), `query`, `key` and `value` rows (latent and rotated
/// key under `mla`), and for every token a step: `scores` and `weights` by
/// head over the rows `first..first + kept`, `state`, both outputs, `same`
/// (bit for bit), bytes kept, and work of the step and so far, cached and
/// uncached.
pub fn run(tokens: &[String], cut: bool, variant: Variant) -> Value {
    let layer = Layer::seeded(variant);
    let xs: Vec<Vec<f32>> = tokens.iter().map(|t| embed(t)).collect();
    let steps = with_cache(&layer, &xs);
    let (mut cached, mut uncached) = (Work::default(), Work::default());
    let row_bytes = variant.row_floats() * FLOAT_BYTES;
    let state_bytes = variant.state_floats() * FLOAT_BYTES;
    let told: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(i, step)| {
            let same = step.cached.0.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                == step.uncached.0.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            json!({
                "token": i + 1,
                "first": i + 1 - step.kept.min(i + 1),
                "kept": step.kept,
                "kept_bytes": step.kept * row_bytes + state_bytes,
                "scores": step.read.as_ref().map(|r| &r.scores),
                "weights": step.read.as_ref().map(|r| &r.weights),
                "state": step.state,
                "output_cached": step.cached.0,
                "output_uncached": step.uncached.0,
                "same": same,
                "cached": add(&mut cached, step.cached.1),
                "uncached": add(&mut uncached, step.uncached.1),
            })
        })
        .collect();
    let part = |take: fn(&Row) -> &Vec<f32>| steps.iter().map(|s| take(&s.row)).collect::<Vec<_>>();
    json!({
        "variant": variant.name(),
        "tokens": tokens,
        "cut": cut,
        "shape": {
            "width": WIDTH, "heads": HEADS, "head_dim": HEAD_DIM, "float_bytes": FLOAT_BYTES,
            "kv_heads": variant.kv_heads(), "key_columns": variant.row_columns()[0],
            "value_columns": variant.row_columns()[1],
            "window": (variant == Variant::Sliding).then_some(WINDOW),
        },
        "row_bytes": row_bytes,
        "state_bytes": state_bytes,
        "x": xs,
        "query": part(|r| &r.query),
        "key": part(|r| &r.key),
        "value": part(|r| &r.value),
        "steps": told,
    })
}

fn add(total: &mut Work, step: Work) -> Value {
    total.rows += step.rows;
    total.multiply_adds += step.multiply_adds;
    json!({
        "rows": step.rows, "multiply_adds": step.multiply_adds,
        "total_rows": total.rows, "total_multiply_adds": total.multiply_adds,
    })
}

#[cfg(test)]
mod tests;
