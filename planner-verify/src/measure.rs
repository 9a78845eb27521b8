//! Decodes with a cache, and reads its bytes at several counts of tokens.

use candle_core::{D, Device, Result, Tensor};

use crate::decoder::{Caches, Decoder, ModelDims};
use crate::gauge::Gauge;
use crate::shape::LayerShape;

/// Steps before each count of tokens that are decoded one token at a time.
pub const DECODED_STEPS: usize = 4;

/// A count: tokens in each of several sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Sessions in the batch.
    pub users: usize,
    /// Tokens of each.
    pub tokens: usize,
}

/// The bytes of a stack at one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// Bytes of the cache tensors of each layer.
    pub layers: Vec<u64>,
    /// Growth of the allocator's live bytes since before the first token.
    pub grown: Option<i128>,
    /// Growth of the device's used memory.
    pub device: Option<i128>,
    /// The peak of the last step, above its remaining growth.
    pub transient: Option<u64>,
}

/// How far logits are from those of a computation without a cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreement {
    /// Largest difference of a logit.
    pub difference: f64,
    /// Next tokens that differ.
    pub other_tokens: u64,
    /// Tokens decoded one at a time.
    pub decoded: u64,
}

/// Sessions of one length, and their growth so far.
#[derive(Debug)]
struct Batch {
    users: usize,
    /// The tokens of each session.
    fed: Vec<Vec<u32>>,
    caches: Caches,
    /// The next token of each session.
    next: Vec<u32>,
    grown: Option<i128>,
    device: Option<i128>,
}

/// Logits and peak of the last step.
struct LastStep {
    /// The logits of every session.
    logits: Vec<Vec<f32>>,
    /// The peak above the step's remaining growth.
    transient: Option<u64>,
}

/// A stack of layers that is being measured.
#[derive(Debug)]
pub struct Stack {
    decoder: Decoder,
    gauge: Gauge,
    vocab: u32,
    /// The most tokens of a session.
    most: usize,
    batch: Option<Batch>,
    /// The agreement so far.
    pub agreement: Agreement,
}

/// Whether to stop; asked between steps.
pub type Stop<'a> = &'a dyn Fn() -> bool;

impl Stack {
    /// A stack of these layers, warmed up for these counts.
    pub fn new(
        layers: &[LayerShape],
        dims: ModelDims,
        counts: &[Count],
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let decoder = Decoder::new(layers, dims, seed, device)?;
        let most = counts.iter().map(|count| count.tokens).max().unwrap_or(1);
        let (gauge, vocab) = (Gauge::new(device), dims.vocab as u32);
        let mut stack = Self { decoder, gauge, vocab, most, batch: None, agreement: Agreement::default() };
        // One run at these sizes before any reading, so that buffers which threads keep exist already.
        let sizes = most.min(stack.decoder.chunk().saturating_add(2 * DECODED_STEPS));
        for count in counts {
            stack.advance(Count { tokens: count.tokens.min(sizes), ..*count }, &|| false)?;
        }
        stack.batch = None;
        stack.agreement = Agreement::default();
        Ok(stack)
    }

    /// Feeds sessions up to a count and reads their bytes; `None` after an interruption.
    pub fn measure(&mut self, count: Count, stop: Stop<'_>) -> Result<Option<Measurement>> {
        let Some(LastStep { logits, transient }) = self.advance(count, stop)? else { return Ok(None) };
        let Some(batch) = &self.batch else { return Ok(None) };
        let measurement = Measurement {
            layers: batch.caches.layer_bytes()?,
            grown: batch.grown,
            device: batch.device,
            transient,
        };
        for (fed, cached) in batch.fed.iter().zip(&logits) {
            // Each session is computed alone, so that one which read another's cache is found.
            let anew = self.decoder.recompute(fed)?.to_vec1::<f32>()?;
            self.agreement.other_tokens += u64::from(argmax(cached) != argmax(&anew));
            let differences = cached.iter().zip(&anew).map(|(a, b)| f64::from((a - b).abs()));
            self.agreement.difference = differences.fold(self.agreement.difference, f64::max);
        }
        Ok(Some(measurement))
    }

    /// Feeds up to a count, the last [`DECODED_STEPS`] tokens one by one.
    fn advance(&mut self, count: Count, stop: Stop<'_>) -> Result<Option<LastStep>> {
        let chunk = self.decoder.chunk();
        let of_this = |batch: &Batch| batch.users == count.users && batch.fed[0].len() < count.tokens;
        let mut batch = match self.batch.take().filter(of_this) {
            Some(batch) => batch,
            None => Batch {
                users: count.users,
                fed: vec![Vec::with_capacity(self.most); count.users],
                caches: self.decoder.caches_of(count.users),
                next: vec![0; count.users],
                grown: Some(0),
                device: Some(0),
            },
        };
        // A clone of an empty list has no capacity; its growth must not count as the cache's.
        batch.fed.iter_mut().for_each(|fed| fed.reserve_exact(self.most - fed.len()));
        let (device, used) = (self.gauge.whole(), self.gauge.used());
        let mut last = None;
        let mut transient = None;
        while batch.fed[0].len() < count.tokens {
            if stop() {
                return Ok(None);
            }
            let at = batch.fed[0].len();
            let rest = count.tokens - at;
            let new = if rest > DECODED_STEPS { chunk.min(rest - DECODED_STEPS) } else { 1 };
            let mut ids = Vec::with_capacity(new * count.users);
            for (user, fed) in batch.fed.iter_mut().enumerate() {
                for position in at..at + new {
                    // Sessions differ, so that none can pass for another.
                    let fixed = (position * 7 + user * 11 + 3) as u32 % self.vocab;
                    fed.push(if rest <= DECODED_STEPS && at > 0 { batch.next[user] } else { fixed });
                }
                ids.extend_from_slice(&fed[at..]);
            }
            // The previous step's logits do not belong to this step.
            drop(last.take());
            self.agreement.decoded += u64::from(rest <= DECODED_STEPS);
            let level = self.gauge.forget_peak();
            let start = self.gauge.used();
            let logits = self.decoder.forward_batch(&ids, &mut batch.caches)?;
            self.decoder.wait()?;
            let (peak, end) = (self.gauge.peak(), self.gauge.used());
            transient = level.zip(peak).zip(start.zip(end)).map(|((level, peak), (start, end))| {
                u64::try_from((peak - level) - (end - start).max(0)).unwrap_or(0)
            });
            batch.next.copy_from_slice(&logits.argmax(D::Minus1)?.to_vec1::<u32>()?);
            last = Some(logits);
        }
        let logits = match last {
            Some(logits) => Tensor::to_vec2::<f32>(&logits)?,
            None => Vec::new(),
        };
        // Tensors that are set aside here are no part of the cache.
        let host = |rows: &[Vec<f32>]| -> usize {
            let values: usize = rows.iter().map(|row| row.capacity() * size_of::<f32>()).sum();
            values + size_of_val(rows)
        };
        let aside = if self.decoder.device().is_cpu() { host(&logits) as i128 } else { 0 };
        let grown = |before: Option<i128>, after: Option<i128>| Some(after? - before?);
        batch.grown = batch.grown.zip(grown(used, self.gauge.used())).map(|(a, b)| a + b - aside);
        batch.device = batch.device.zip(grown(device, self.gauge.whole())).map(|(a, b)| a + b);
        self.batch = Some(batch);
        Ok(Some(LastStep { logits, transient }))
    }
}

/// The index of the largest value.
fn argmax(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))
}
