//! The article's experiment: the same tokens with the cache and without, at a model's real shape.
//!
//! Models with plain attention layers run on a decoder made to be fast (`dense`), all others on that of
//! `planner-verify`.

mod cpu;
mod dense;
mod estimate;
mod messages;
mod model;
mod pages;
mod quantized_argmax;
mod weights;

use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::Tensor;
use planner_core::Result;
use planner_verify::device::{self, failed};
use planner_verify::timing::{Generation, Steps, generate, mean_deviation, unwatched};

pub use estimate::Estimate;
pub use model::Prepared;
pub use planner_verify::timing::median;

use estimate::Progress;

/// Tokens of the prompt.
pub const PROMPT_TOKENS: usize = 8;

/// Steps at which the logits of both kinds of run are compared, spread over the run.
const COMPARED: usize = 64;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// `auto`, `cpu`, `cuda` or `metal`; `None` is `auto`.
    pub device: Option<String>,
    /// A folder of safetensors to take the weights from.
    pub checkpoint: Option<PathBuf>,
    /// Type of matrices and tables, `f32` or `bf16`; `None` is `f32`. Sums are in f32.
    pub weight_dtype: Option<String>,
    /// New tokens of one run.
    pub new_tokens: usize,
    /// Runs with the cache.
    pub runs: usize,
    /// Runs without it.
    pub uncached_runs: usize,
}

/// What happens while it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// A token was generated.
    Step {
        /// With the cache or without.
        cached: bool,
        /// The run, from 1, and how many there are of its kind.
        run: (usize, usize),
        /// New tokens so far.
        tokens: usize,
        /// Share of all work that is done, from 0 to 1.
        done: f64,
        /// Seconds until all runs are through.
        left: f64,
    },
    /// A run is through.
    Run {
        /// With the cache or without.
        cached: bool,
        /// The run, from 1.
        number: usize,
        /// Its seconds.
        seconds: f64,
    },
}

/// Told of every event; may end the experiment.
pub type Listener<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// Several runs of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs {
    /// Seconds of each run that was completed.
    pub seconds: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their sample deviation; 0 for a single run.
    pub deviation: f64,
    /// Their median.
    pub median: f64,
    /// Mean seconds of each step; of the run that was cut short where none was completed.
    pub steps: Vec<f64>,
}

impl Runs {
    fn new(all: &[Generation], new_tokens: usize) -> Self {
        let whole: Vec<&Generation> = all.iter().filter(|run| run.steps.len() == new_tokens).collect();
        let seconds: Vec<f64> = whole.iter().map(|run| run.seconds).collect();
        let (mean, deviation) = mean_deviation(&seconds);
        let steps = match (whole.as_slice(), all) {
            ([], [cut, ..]) => cut.steps.clone(),
            _ => (0..new_tokens)
                .map(|at| whole.iter().filter_map(|run| run.steps.get(at)).sum::<f64>() / whole.len() as f64)
                .collect(),
        };
        let steps = if all.is_empty() { Vec::new() } else { steps };
        Self { mean, deviation, median: median(&seconds), steps, seconds }
    }
}

/// The result of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// Threads that the CPU part may use.
    pub threads: usize,
    /// Weights of the decoder, in elements.
    pub parameters: u64,
    /// The type they are kept in.
    pub weight_dtype: &'static str,
    /// Whether the weights are a checkpoint's, not made up.
    pub checkpoint: bool,
    /// New tokens of one run.
    pub new_tokens: usize,
    /// With the cache.
    pub cached: Runs,
    /// Without; empty when no such run was asked for.
    pub uncached: Runs,
    /// Whether all runs gave the same tokens.
    pub same_tokens: bool,
    /// Steps whose logits were compared between the kinds of run, and the largest difference.
    pub compared: (usize, f64),
    /// Whether it was ended before all runs were through.
    pub interrupted: bool,
    /// The first tokens of the text that was generated.
    pub tokens: Vec<u32>,
}

impl Bench {
    /// Seconds without the cache ÷ seconds with it, and the number of new tokens that it holds for: all of
    /// them, or as many as both kinds of run generated.
    pub fn speedup(&self) -> Option<(usize, f64)> {
        let tokens = self.cached.steps.len().min(self.uncached.steps.len());
        let total = |runs: &Runs| runs.steps[..tokens].iter().sum::<f64>();
        (tokens > 0).then(|| (tokens, total(&self.uncached) / total(&self.cached)))
    }
}

/// Whether a device of this name is the CPU.
pub fn on_cpu(device: Option<&str>) -> Result<bool> {
    Ok(device::open(device.unwrap_or("auto"))?.is_cpu())
}

/// Logits of some steps of the first run with the cache, beside those without it.
struct Comparison {
    every: usize,
    kept: Vec<Vec<f32>>,
    compared: usize,
    difference: f64,
}

impl Comparison {
    fn new(new_tokens: usize) -> Self {
        Self { every: new_tokens.div_ceil(COMPARED).max(1), kept: Vec::new(), compared: 0, difference: 0.0 }
    }

    fn see<S: Steps>(
        &mut self,
        steps: &S,
        cached: bool,
        step: usize,
        last: &Tensor,
    ) -> candle_core::Result<()> {
        let at = step / self.every;
        if !step.is_multiple_of(self.every) || (cached && at < self.kept.len()) {
            return Ok(());
        }
        let logits = steps.logits(last)?.to_vec1::<f32>()?;
        if cached {
            self.kept.push(logits);
        } else if let Some(kept) = self.kept.get(at) {
            let apart = kept.iter().zip(&logits).map(|(a, b)| f64::from((a - b).abs()));
            // A NaN must not pass as a small difference.
            self.difference =
                apart.fold(self.difference, |most, one| if one > most || one.is_nan() { one } else { most });
            self.compared += 1;
        }
        Ok(())
    }
}

/// All runs on one decoder.
fn experiment<S: Steps>(
    steps: &S,
    prompt: &[u32],
    options: &Options,
    estimate: &Estimate,
    listener: Listener<'_>,
) -> Result<Bench> {
    let mut comparison = Comparison::new(options.new_tokens);
    let mut progress = Progress::new(estimate, options);
    let mut all = [Vec::new(), Vec::new()];
    let mut interrupted = false;
    // A short run before the clock starts, for buffers and clocks to settle.
    generate(steps, prompt, options.new_tokens.min(4), true, &mut unwatched).map_err(failed)?;
    let kinds = [(true, options.runs), (false, options.uncached_runs)];
    'runs: for ((cached, count), runs) in kinds.into_iter().zip(&mut all) {
        for number in 1..=count {
            let mut watch = |so_far: &Generation, last: &Tensor| {
                let tokens = so_far.tokens.len();
                comparison.see(steps, cached, tokens - 1, last)?;
                let (done, left) = progress.step(cached, so_far.steps.last().copied().unwrap_or(0.0), tokens);
                let flow = listener(Event::Step { cached, run: (number, count), tokens, done, left });
                interrupted |= flow.is_break();
                Ok(flow)
            };
            let run = generate(steps, prompt, options.new_tokens, cached, &mut watch).map_err(failed)?;
            let whole = run.tokens.len() == options.new_tokens;
            let seconds = run.seconds;
            runs.push(run);
            if whole {
                interrupted |= listener(Event::Run { cached, number, seconds }).is_break();
            }
            if interrupted {
                break 'runs;
            }
        }
    }
    let first = all.iter().flatten().next().map(|run| run.tokens.clone()).unwrap_or_default();
    let same = |run: &Generation| run.tokens.iter().zip(&first).all(|(a, b)| a == b);
    let same_tokens = all.iter().flatten().all(same);
    let complete = all[0].len() == options.runs && all[1].len() == options.uncached_runs;
    let whole = all.iter().flatten().all(|run| run.tokens.len() == options.new_tokens);
    let [cached, uncached] = all;
    Ok(Bench {
        device: "",
        threads: candle_core::utils::get_num_threads(),
        parameters: 0,
        weight_dtype: "f32",
        checkpoint: options.checkpoint.is_some(),
        new_tokens: options.new_tokens,
        cached: Runs::new(&cached, options.new_tokens),
        uncached: Runs::new(&uncached, options.new_tokens),
        same_tokens,
        compared: (comparison.compared, comparison.difference),
        interrupted: !(complete && whole),
        tokens: first,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(steps: &[f64]) -> Generation {
        Generation { seconds: steps.iter().sum(), steps: steps.to_vec(), tokens: vec![0; steps.len()] }
    }

    fn bench(cached: &[Generation], uncached: &[Generation]) -> Bench {
        Bench {
            device: "cpu",
            threads: 1,
            parameters: 0,
            weight_dtype: "f32",
            checkpoint: false,
            new_tokens: 3,
            cached: Runs::new(cached, 3),
            uncached: Runs::new(uncached, 3),
            same_tokens: true,
            compared: (0, 0.0),
            interrupted: false,
            tokens: Vec::new(),
        }
    }

    #[test]
    fn the_speed_up_is_of_the_tokens_that_both_came_to() {
        let cached = [run(&[1.0, 1.0, 1.0]), run(&[1.0, 3.0, 3.0])];
        // Means of the steps with the cache: 1, 2, 2.
        assert_eq!(bench(&cached, &[run(&[2.0, 4.0, 9.0])]).speedup(), Some((3, 3.0)));
        assert_eq!(bench(&cached, &[run(&[2.0, 4.0])]).speedup(), Some((2, 2.0)));
        assert_eq!(bench(&cached, &[]).speedup(), None);
    }

    #[test]
    fn a_run_that_was_cut_short_counts_no_seconds() {
        let runs = Runs::new(&[run(&[1.0, 1.0, 1.0]), run(&[9.0])], 3);
        assert_eq!((runs.seconds.as_slice(), runs.median), (&[3.0][..], 3.0));
        assert_eq!(runs.steps, vec![1.0; 3]);
    }
}
