//! Decoding with a cache, and reading what it holds at several token counts.

use candle_core::{Device, Result, Tensor};

use crate::alloc::live_bytes;
use crate::decoder::{Caches, Decoder, Frame, greedy};
use crate::shape::LayerShape;

/// Steps before each count of tokens that are decoded one token at a time.
pub const DECODED_STEPS: usize = 4;

/// What a stack held at one count of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Tokens fed.
    pub tokens: u64,
    /// Bytes of the cache tensors of each layer.
    pub layers: Vec<u64>,
    /// How much the heap has grown since before the first token; `None` off the CPU.
    pub grown: Option<u64>,
}

/// What a stack held, and how far its logits were from those computed without a cache.
#[derive(Debug, Clone)]
pub struct Measured {
    /// At every count.
    pub held: Vec<Held>,
    /// Largest difference of a logit.
    pub logit_difference: f64,
    /// Whether every next token was the same.
    pub same_tokens: bool,
    /// Tokens decoded one at a time.
    pub decoded: u64,
}

/// The tokens that are fed: fixed ones up to the decoded steps, then the model's own.
struct Session<'a> {
    decoder: &'a Decoder,
    vocab: u32,
    fed: Vec<u32>,
    caches: Caches,
    logits: Option<Tensor>,
}

impl<'a> Session<'a> {
    fn new(decoder: &'a Decoder, vocab: usize, capacity: usize) -> Self {
        let caches = decoder.caches();
        Self { decoder, vocab: vocab as u32, fed: Vec::with_capacity(capacity), caches, logits: None }
    }

    fn feed(&mut self, tokens: &[u32]) -> Result<()> {
        self.logits = None;
        self.fed.extend_from_slice(tokens);
        self.logits = Some(self.decoder.forward(tokens, &mut self.caches)?);
        Ok(())
    }

    /// Feeds up to `target` tokens, the last [`DECODED_STEPS`] one by one; how many those were.
    fn advance(&mut self, target: usize) -> Result<u64> {
        let chunk = self.decoder.chunk();
        while self.fed.len() + DECODED_STEPS < target {
            let count = chunk.min(target - DECODED_STEPS - self.fed.len());
            let start = self.fed.len() as u32;
            let tokens: Vec<u32> =
                (start..start + count as u32).map(|at| (at * 7 + 3) % self.vocab).collect();
            self.feed(&tokens)?;
        }
        let mut decoded = 0;
        while self.fed.len() < target {
            let next = match &self.logits {
                Some(logits) => greedy(logits)?,
                None => 1,
            };
            self.feed(&[next])?;
            decoded += 1;
        }
        Ok(decoded)
    }
}

/// Measures a stack at several counts of tokens, in ascending order.
pub fn measure(
    layers: &[LayerShape],
    frame: Frame,
    points: &[usize],
    seed: u64,
    device: &Device,
) -> Result<Measured> {
    let decoder = Decoder::new(layers, frame, seed, device)?;
    let last = points.iter().copied().max().unwrap_or(1);
    // Once before anything is read, at the same sizes, so that buffers which threads keep exist already.
    let sizes = last.min(decoder.chunk().saturating_add(2 * DECODED_STEPS));
    let mut warm = Session::new(&decoder, frame.vocab, sizes);
    for &point in points.iter().filter(|&&point| point < sizes) {
        warm.advance(point)?;
    }
    warm.advance(sizes)?;
    drop(warm);

    let mut held: Vec<Held> = Vec::with_capacity(points.len());
    let mut logits: Vec<Vec<f32>> = Vec::with_capacity(points.len());
    let mut session = Session::new(&decoder, frame.vocab, last);
    let mut decoded = 0;
    let before = live_bytes();
    for &point in points {
        decoded += session.advance(point)?;
        decoder.wait()?;
        if let Some(current) = session.logits.take() {
            logits.push(current.to_vec1::<f32>()?);
        }
        // What is set aside here for later is no part of the cache.
        let aside: usize = logits.iter().map(|values| values.capacity() * size_of::<f32>()).sum::<usize>()
            + held.iter().map(|held| held.layers.capacity() * size_of::<u64>()).sum::<usize>();
        let grown = u64::try_from(live_bytes() - before - aside as i128).unwrap_or(0);
        held.push(Held {
            tokens: point as u64,
            layers: session.caches.layer_bytes()?,
            grown: device.is_cpu().then_some(grown),
        });
    }
    let fed = session.fed.clone();
    drop(session);

    let (mut logit_difference, mut same_tokens) = (0.0_f64, true);
    for (&count, cached) in points.iter().zip(&logits) {
        let anew = decoder.recompute(&fed[..count])?.to_vec1::<f32>()?;
        same_tokens &= largest(cached) == largest(&anew);
        let differences = cached.iter().zip(&anew).map(|(a, b)| f64::from((a - b).abs()));
        logit_difference = differences.fold(logit_difference, f64::max);
    }
    Ok(Measured { held, logit_difference, same_tokens, decoded })
}

/// The place of the largest value.
fn largest(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))
}
