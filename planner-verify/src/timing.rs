//! The same tokens with and without a cache, against the clock.

use std::time::Instant;

use candle_core::Result;

use crate::decoder::{Decoder, greedy};

/// Seconds and tokens of one generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// The new tokens.
    pub tokens: Vec<u32>,
}

/// Generates `new` tokens after a prompt, greedily; with a cache each step feeds one token, without
/// one it computes the whole sequence anew.
pub fn generate(decoder: &Decoder, prompt: &[u32], new: usize, cached: bool) -> Result<Generation> {
    let mut sequence = Vec::with_capacity(prompt.len() + new);
    sequence.extend_from_slice(prompt);
    let mut caches = decoder.caches();
    let chunk = decoder.chunk();
    decoder.wait()?;
    let start = Instant::now();
    let mut fed = 0;
    while sequence.len() < prompt.len() + new {
        let logits = if cached {
            let mut logits = None;
            while fed < sequence.len() {
                let count = chunk.min(sequence.len() - fed);
                logits = Some(decoder.forward(&sequence[fed..fed + count], &mut caches)?);
                fed += count;
            }
            let Some(logits) = logits else { candle_core::bail!("an empty prompt") };
            logits
        } else {
            decoder.recompute(&sequence)?
        };
        sequence.push(greedy(&logits)?);
    }
    decoder.wait()?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Generation { seconds, tokens: sequence.split_off(prompt.len()) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let (mean, deviation) = mean_deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert!((mean - 5.0).abs() < 1e-12 && (deviation - 2.138_089_935).abs() < 1e-6);
        assert_eq!(mean_deviation(&[3.0]), (3.0, 0.0));
    }
}
