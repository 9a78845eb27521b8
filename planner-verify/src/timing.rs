//! Times generation of equal tokens with and without a cache.

use std::ops::ControlFlow;
use std::time::Instant;

use candle_core::{Result, Tensor};

use crate::decoder::{Caches, Decoder, greedy};

/// A decoder that can go on from a cache or compute everything anew.
pub trait Steps {
    /// A session's cache.
    type Cache;

    /// An empty cache for at most `tokens` tokens.
    fn cache(&self, tokens: usize) -> Self::Cache;

    /// The most tokens that may be fed to a cache at once.
    fn chunk(&self) -> usize;

    /// Feeds tokens, and returns the output after the last one, for [`Steps::logits`] and [`Steps::next`].
    fn forward(&self, tokens: &[u32], cache: &mut Self::Cache) -> Result<Tensor>;

    /// The same output, computed anew from the first token of the whole sequence.
    fn anew(&self, tokens: &[u32]) -> Result<Tensor>;

    /// The logits `[vocab]` of such an output.
    fn logits(&self, last: &Tensor) -> Result<Tensor>;

    /// The token with the largest of these logits.
    fn next(&self, last: &Tensor) -> Result<u32> {
        greedy(&self.logits(last)?)
    }

    /// Waits for the device, so that a clock counts the computation.
    fn wait(&self) -> Result<()>;
}

impl Steps for Decoder {
    type Cache = Caches;

    fn cache(&self, _: usize) -> Caches {
        self.caches()
    }

    fn chunk(&self) -> usize {
        Self::chunk(self)
    }

    fn forward(&self, tokens: &[u32], cache: &mut Caches) -> Result<Tensor> {
        Self::forward(self, tokens, cache)
    }

    fn anew(&self, tokens: &[u32]) -> Result<Tensor> {
        self.recompute(tokens)
    }

    /// This decoder computes the logits with every step.
    fn logits(&self, last: &Tensor) -> Result<Tensor> {
        Ok(last.clone())
    }

    fn wait(&self) -> Result<()> {
        Self::wait(self)
    }
}

/// Seconds and tokens of one generation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generation {
    /// Wall-clock seconds of all steps.
    pub seconds: f64,
    /// Seconds of each step; the first holds the prompt.
    pub steps: Vec<f64>,
    /// The new tokens, one for each step.
    pub tokens: Vec<u32>,
}

/// Called after every step with the tokens so far and the input of [`Steps::logits`]; may end the generation.
pub type Watch<'a> = &'a mut dyn FnMut(&Generation, &Tensor) -> Result<ControlFlow<()>>;

/// Generates `new` tokens after a prompt, greedily. With a cache each step feeds one token, without it the
/// whole sequence. The time of `watch` is not counted.
pub fn generate<S: Steps>(
    steps: &S,
    prompt: &[u32],
    new: usize,
    cached: bool,
    watch: Watch<'_>,
) -> Result<Generation> {
    let mut sequence = Vec::with_capacity(prompt.len() + new);
    sequence.extend_from_slice(prompt);
    let mut cache = steps.cache(prompt.len() + new);
    let chunk = steps.chunk();
    let mut done = Generation::default();
    let mut fed = 0;
    steps.wait()?;
    while done.tokens.len() < new {
        let start = Instant::now();
        let last = if cached {
            let mut last = None;
            while fed < sequence.len() {
                let count = chunk.min(sequence.len() - fed);
                last = Some(steps.forward(&sequence[fed..fed + count], &mut cache)?);
                fed += count;
            }
            let Some(last) = last else { candle_core::bail!("an empty prompt") };
            last
        } else {
            steps.anew(&sequence)?
        };
        let token = steps.next(&last)?;
        steps.wait()?;
        let seconds = start.elapsed().as_secs_f64();
        sequence.push(token);
        done.tokens.push(token);
        done.steps.push(seconds);
        done.seconds += seconds;
        if watch(&done, &last)?.is_break() {
            break;
        }
    }
    Ok(done)
}

/// A watch that does nothing.
pub fn unwatched(_: &Generation, _: &Tensor) -> Result<ControlFlow<()>> {
    Ok(ControlFlow::Continue(()))
}

/// A fixed prompt of `count` tokens of a vocabulary.
pub fn prompt(count: usize, vocab: usize) -> Vec<u32> {
    (0..count).map(|at| ((at * 7 + 3) % vocab) as u32).collect()
}

/// Mean and sample deviation.
pub fn mean_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// The middle value, or the mean of the two in the middle; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        Some(&upper) if sorted.len().is_multiple_of(2) => (sorted[middle - 1] + upper) / 2.0,
        Some(&value) => value,
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let (mean, deviation) = mean_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert!((mean - 5.0).abs() < 1e-12 && (deviation - 2.138_089_935).abs() < 1e-6);
        assert_eq!(mean_deviation(&[3.0]), (3.0, 0.0));
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted() {
        assert_eq!(median(&[9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(&[9.0, 1.0, 4.0, 2.0]), 3.0);
        assert_eq!(median(&[]), 0.0);
    }
}
