//! How long the runs will take, from a few timed steps, and the share of that which is done.

use std::time::Instant;

use planner_core::Result;
use planner_verify::device::failed;
use planner_verify::timing::{Steps, generate, median, prompt, unwatched};

use crate::{Options, PROMPT_TOKENS};

/// Steps that are timed with a cache.
const SAMPLE: usize = 6;

/// Seconds of a step as a curve through three lengths: the prompt's, half of all tokens and all.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Curve {
    at: [f64; 3],
    new: f64,
}

impl Curve {
    /// Seconds of the first `tokens` steps: the integral of the parabola through the three values.
    fn upto(&self, tokens: f64) -> f64 {
        let [first, middle, last] = self.at;
        let (square, slope) = (2.0 * (first - 2.0 * middle + last), 4.0 * middle - 3.0 * first - last);
        let share = tokens / self.new.max(1.0);
        self.new * share * (first + share * (slope / 2.0 + share * square / 3.0))
    }

    fn whole(&self) -> f64 {
        self.upto(self.new)
    }
}

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    cached: Curve,
    uncached: Curve,
    /// Seconds of one run with the cache.
    pub cached_seconds: f64,
    /// Seconds of one run without it.
    pub uncached_seconds: f64,
}

impl Estimate {
    /// Times a few steps at the lengths that the runs pass.
    pub(super) fn new<S: Steps>(steps: &S, vocab: usize, options: &Options) -> Result<Self> {
        let new = options.new_tokens;
        let lengths = [PROMPT_TOKENS, PROMPT_TOKENS + new / 2, PROMPT_TOKENS + new - 1];
        generate(steps, &prompt(PROMPT_TOKENS, vocab), 2, true, &mut unwatched).map_err(failed)?;
        let mut anew = [0.0; 3];
        // Slow lengths are not timed for runs that were not asked for.
        let asked = if options.uncached_runs > 0 { 3 } else { 0 };
        for (seconds, &length) in anew.iter_mut().zip(&lengths).take(asked) {
            let tokens = prompt(length, vocab);
            let start = Instant::now();
            let run = steps.anew(&tokens).and_then(|last| steps.next(&last)).and_then(|_| steps.wait());
            run.map_err(failed)?;
            *seconds = start.elapsed().as_secs_f64();
        }
        let middle = prompt(lengths[1], vocab);
        let run = generate(steps, &middle, SAMPLE, true, &mut unwatched).map_err(failed)?;
        let step = median(run.steps.get(1..).unwrap_or_default());
        let cached = Curve { at: [step; 3], new: new as f64 };
        let uncached = Curve { at: anew, new: new as f64 };
        Ok(Self { cached, uncached, cached_seconds: cached.whole(), uncached_seconds: uncached.whole() })
    }

    /// Seconds of all runs.
    pub fn seconds(&self, options: &Options) -> f64 {
        self.cached_seconds * options.runs as f64 + self.uncached_seconds * options.uncached_runs as f64
    }
}

/// The share that is done by the estimate, and the seconds left by the clock.
pub(super) struct Progress<'a> {
    estimate: &'a Estimate,
    all: f64,
    /// Estimated seconds of the runs that are through.
    through: f64,
    new_tokens: usize,
    /// What the clock and the estimate say of the steps so far, with the cache and without.
    seen: [(f64, f64); 2],
    /// Estimated seconds of each kind in all.
    kinds: [f64; 2],
}

impl<'a> Progress<'a> {
    pub(super) fn new(estimate: &'a Estimate, options: &Options) -> Self {
        let kinds = [
            estimate.cached_seconds * options.runs as f64,
            estimate.uncached_seconds * options.uncached_runs as f64,
        ];
        Self {
            estimate,
            all: estimate.seconds(options).max(f64::MIN_POSITIVE),
            through: 0.0,
            new_tokens: options.new_tokens,
            seen: [(0.0, 0.0); 2],
            kinds,
        }
    }

    /// After a step of `seconds` that gave the token `tokens` of a run.
    pub(super) fn step(&mut self, cached: bool, seconds: f64, tokens: usize) -> (f64, f64) {
        let curve = if cached { self.estimate.cached } else { self.estimate.uncached };
        let kind = usize::from(!cached);
        let (clock, estimated) = &mut self.seen[kind];
        *clock += seconds;
        *estimated += curve.upto(tokens as f64) - curve.upto(tokens as f64 - 1.0);
        let left = self.seen.iter().zip(self.kinds).map(|(&(clock, estimated), whole)| {
            let pace = if estimated > 0.0 { clock / estimated } else { 1.0 };
            (whole - estimated).max(0.0) * pace
        });
        let left = left.sum();
        let done = (self.through + curve.upto(tokens as f64)) / self.all;
        if tokens == self.new_tokens {
            self.through += curve.whole();
        }
        (done.clamp(0.0, 1.0), left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_grow_evenly_add_up_to_the_triangle() {
        // From 1 s to 3 s over 10 steps: 2 s on average; half of the steps take 1.5 s each.
        let curve = Curve { at: [1.0, 2.0, 3.0], new: 10.0 };
        assert!((curve.whole() - 20.0).abs() < 1e-9 && (curve.upto(5.0) - 7.5).abs() < 1e-9);
        // x² from 0 to 1 is a third.
        let curve = Curve { at: [0.0, 0.25, 1.0], new: 1.0 };
        assert!((curve.whole() - 1.0 / 3.0).abs() < 1e-12);
    }
}
