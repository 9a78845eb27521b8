//! Sessions of mixed lengths: how many run at once so that what they hold stays within the room.
//!
//! The sum of n sessions drawn from a distribution of lengths is exact by convolution over the engine's own grain: a
//! block, a row, or the bytes that every length is a multiple of. Beyond [`CELLS`] grains in the room costs are rounded
//! up, which errs to fewer sessions; [`Mixed::rounding`] says by how much. Probabilities are floating, bytes are not.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::Memory;
use super::resolve::{adjusted, resolve};
use crate::engine::Allocation;
use crate::error::{Code, Error, Result};
use crate::request::Request;
use crate::spec::model::ModelSpec;
use crate::units::parse_tokens;

/// The most grains that a sum is computed over.
const CELLS: u64 = 1 << 16;

/// Sessions whose difference is what one more holds.
const MANY: u64 = 4096;

/// The most sessions that are tried.
const MOST: u64 = 1 << 20;

/// Slack for the rounding of floating sums: a share is reached where the probability is above it by as much.
const SLACK: f64 = 1e-9;

/// Steps in which a continuous distribution is cut, each taken at its longest.
const STEPS: u32 = 400;

/// The standard normal's 99th percentile.
const Z99: f64 = 2.326_347_874_040_841;

/// A distribution of session lengths.
#[derive(Debug, Clone, PartialEq)]
pub struct Lengths {
    /// Tokens, ascending, and their shares, which add up to 1.
    shares: Vec<(u64, f64)>,
}

impl Lengths {
    /// A distribution of lengths with weights in any unit.
    ///
    /// # Errors
    /// No length, a length of 0, a weight that is not a positive number.
    pub fn of(pairs: impl IntoIterator<Item = (u64, f64)>) -> Result<Self> {
        let mut shares: Vec<(u64, f64)> = pairs.into_iter().filter(|(_, weight)| *weight != 0.0).collect();
        let sum: f64 = shares.iter().map(|(_, weight)| weight).sum();
        let is_valid = |&(tokens, weight): &(u64, f64)| tokens > 0 && weight.is_finite() && weight > 0.0;
        if shares.is_empty() || !shares.iter().all(is_valid) || !sum.is_finite() {
            return Err(Error::bad_value(
                "--lengths",
                words!("a length or weight of its own"),
                words!("lengths of at least 1 token with positive weights"),
            ));
        }
        shares.sort_by_key(|(tokens, _)| *tokens);
        shares.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        shares.iter_mut().for_each(|(_, weight)| *weight /= sum);
        Ok(Self { shares })
    }

    /// Reads `2k:80%,32k:20%`, weights in percent or in any one unit, or `lognormal:p50=1400,p99=4200`.
    ///
    /// # Errors
    /// Text of another form; percentages that are not 100 in all.
    pub fn parse(text: &str) -> Result<Self> {
        let wanted = || {
            let forms = words!("2k:80%,32k:20%, lognormal:p50=1400,p99=4200 or a file");
            Error::bad_value("--lengths", text, forms)
        };
        if let Some(parameters) = text.strip_prefix("lognormal:") {
            let of = |name: &str| {
                let found = parameters.split(',').find_map(|given| given.trim().strip_prefix(name));
                parse_tokens("--lengths", found.ok_or_else(wanted)?)
            };
            return Self::lognormal(of("p50=")?, of("p99=")?);
        }
        let mut percent = 0.0;
        let mut percentages = 0;
        let mut pairs = Vec::new();
        for pair in text.split(',') {
            let (tokens, weight) = pair.split_once(':').ok_or_else(wanted)?;
            let number = weight.trim().strip_suffix('%').unwrap_or(weight.trim());
            let number: f64 = number.trim().parse().map_err(|_| wanted())?;
            if weight.trim().ends_with('%') {
                percent += number;
                percentages += 1;
            }
            pairs.push((parse_tokens("--lengths", tokens.trim())?, number));
        }
        let mixed = percentages != 0 && percentages != pairs.len();
        if mixed || percentages > 0 && (percent - 100.0_f64).abs() > 0.01 {
            return Err(Error::bad_value("--lengths", text, words!("percentages that add up to 100")));
        }
        Self::of(pairs)
    }

    /// A lognormal distribution by two of its percentiles, cut in steps that are each taken at their longest; the last
    /// ends at the 99.99th percentile.
    ///
    /// # Errors
    /// A 99th percentile that is not above the median.
    pub fn lognormal(p50: u64, p99: u64) -> Result<Self> {
        if p99 <= p50 {
            return Err(Error::bad_value("--lengths", p99, words!("a p99 above p50")));
        }
        let (mean, deviation) = ((p50 as f64).ln(), ((p99 as f64).ln() - (p50 as f64).ln()) / Z99);
        let below = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
        let (first, last) = (-4.0, 3.719_016_485_455_68);
        let at = |step: u32| first + (last - first) * f64::from(step) / f64::from(STEPS);
        let share = |step: u32| match step {
            1 => below(at(1)),
            STEPS => 1.0 - below(at(STEPS - 1)),
            _ => below(at(step)) - below(at(step - 1)),
        };
        Self::of((1..=STEPS).map(|step| ((mean + deviation * at(step)).exp().ceil() as u64, share(step))))
    }

    /// Lengths and their shares, shortest first.
    pub fn shares(&self) -> &[(u64, f64)] {
        &self.shares
    }

    /// The mean of a figure that each length has.
    fn mean(&self, figures: &[u64]) -> f64 {
        self.shares.iter().zip(figures).map(|((_, share), figure)| share * *figure as f64).sum()
    }

    /// The longest length.
    pub fn longest(&self) -> u64 {
        self.shares.last().map_or(1, |(tokens, _)| *tokens)
    }

    /// The length that this share of sessions does not exceed.
    pub fn percentile(&self, share: f64) -> u64 {
        let mut below = 0.0;
        let reached = |(_, weight): &&(u64, f64)| {
            below += weight;
            below + SLACK >= share
        };
        self.shares.iter().find(reached).map_or(self.longest(), |(tokens, _)| *tokens)
    }
}

/// How many sessions of mixed lengths run at once.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Mixed {
    /// Percent of the time that what they hold is within the room, and the most users for it.
    pub users: Vec<(u32, u64)>,
    /// What one session holds in the mean, over all GPUs of a replica.
    pub mean_session_bytes: u64,
    /// Share of the mean session's bytes by which each was rounded up, at most; 0 where the sum is exact.
    pub rounding: f64,
}

/// Percentiles of [`Mixed::users`].
const PERCENT: [u32; 3] = [50, 95, 99];

/// Users at p50, p95 and p99 of what all hold; `None` where no memory is named.
///
/// # Errors
/// What a plan refuses; engines that give every session the place of the longest.
pub fn mixed(model: &ModelSpec, request: &Request, lengths: &Lengths) -> Result<Option<Mixed>> {
    let model = adjusted(model, request)?;
    let (run, _) = resolve(&model, request)?;
    if !run.engine.keeps_lengths_apart() {
        let reason = words!("every session has the place of the longest");
        let refusal = Error::refused(Code::EngineOneLength, reason).about("--lengths");
        return Err(refusal
            .way_out(words!("use --seq with the longest"))
            .told_by(run.engine.name(), run.version));
    }
    let allocation = run.engine.allocate(run)?;
    let Some(memory) = Memory::of(&run, allocation.as_ref())? else { return Ok(None) };
    // what a session holds does not depend on how many may run
    let any = Request { max_num_seqs: None, users: 1, ..request.clone() };
    let (any, _) = resolve(&model, &any)?;
    let costs = Costs::of(any.engine.allocate(any)?.as_ref(), lengths)?;
    let dp = run.parallel.dp;
    let most = request.max_num_seqs.or(allocation.max_sessions()).unwrap_or(MOST).min(MOST);
    let mut found = PERCENT.map(|percent| (percent, most));
    let mut rounding = 0.0_f64;
    for (stage, room) in memory.room.iter().enumerate() {
        let room = if memory.weights_fit { *room } else { 0 };
        let Some(grid) = Grid::of(&costs, stage, room, lengths) else {
            found.iter_mut().for_each(|(_, users)| *users = 0);
            continue;
        };
        rounding = rounding.max(grid.rounding);
        let powers = Powers::of(&grid, most);
        found
            .iter_mut()
            .for_each(|(percent, users)| *users = (*users).min(powers.most(f64::from(*percent) / 100.0)));
    }
    let users = found.map(|(percent, users)| (percent, users.saturating_mul(dp))).to_vec();
    let mean: f64 =
        costs.stages.iter().map(|stage| lengths.mean(stage)).sum::<f64>() * run.parallel.tp as f64;
    Ok(Some(Mixed { users, mean_session_bytes: mean.ceil() as u64, rounding }))
}

/// What one more session holds, by length.
struct Costs {
    /// On a GPU of each stage, for each length.
    stages: Vec<Vec<u64>>,
    /// Beside all sessions, on a GPU of each stage: a block that is never handed out, or the one being admitted.
    fixed: Vec<u64>,
}

impl Costs {
    fn of(allocation: &dyn Allocation, lengths: &Lengths) -> Result<Self> {
        let bytes = |users: u64, tokens: u64| match allocation.running_bytes(users, tokens)? {
            Some(bytes) => Ok(bytes),
            None => allocation.stage_bytes(users, tokens),
        };
        let mut stages: Vec<Vec<u64>> = Vec::new();
        let mut fixed: Vec<u64> = Vec::new();
        for (tokens, _) in &lengths.shares {
            let (few, more) = (bytes(MANY, *tokens)?, bytes(MANY + 1, *tokens)?);
            stages.resize(few.len(), Vec::new());
            fixed.resize(few.len(), 0);
            for (((stage, fixed), few), more) in stages.iter_mut().zip(&mut fixed).zip(few).zip(more) {
                let each = more.saturating_sub(few);
                *fixed = (*fixed).max(few.saturating_sub(each.saturating_mul(MANY)));
                stage.push(each);
            }
        }
        Ok(Self { stages, fixed })
    }
}

/// Costs in cells of the room.
struct Grid {
    /// Probability of each cost.
    one: Vec<f64>,
    /// Cells of the room.
    cells: usize,
    rounding: f64,
}

impl Grid {
    /// `None` where not even the shortest session fits, or sessions hold nothing.
    fn of(costs: &Costs, stage: usize, room: u64, lengths: &Lengths) -> Option<Self> {
        let each = costs.stages.get(stage)?;
        let room = room.checked_sub(costs.fixed.get(stage).copied().unwrap_or(0))?;
        let mean = lengths.mean(each);
        let exact = each.iter().fold(0, |all, bytes| num_integer::gcd(all, *bytes)).max(1);
        let grain = exact.saturating_mul((room / exact).div_ceil(CELLS).max(1));
        let cells = usize::try_from(room / grain).ok()?;
        let mut one = vec![0.0; cells + 1];
        for (bytes, (_, share)) in each.iter().zip(&lengths.shares) {
            let at = usize::try_from(bytes.div_ceil(grain)).ok()?;
            // longer ones than the room never fit
            if let Some(probability) = one.get_mut(at) {
                *probability += share;
            }
        }
        let rounding = if grain == exact { 0.0 } else { grain as f64 / mean };
        (mean > 0.0).then_some(Self { one, cells, rounding })
    }
}

/// Sums of 1, 2, 4 … sessions, each cut off beyond the room.
struct Powers {
    sums: Vec<Vec<f64>>,
    most: u64,
}

impl Powers {
    fn of(grid: &Grid, most: u64) -> Self {
        let mut sums = vec![grid.one.clone()];
        while let Some(last) = sums.last().filter(|last| within(last) > 0.4 && 1 << sums.len() <= most) {
            sums.push(convolved(last, last, grid.cells));
        }
        Self { sums, most }
    }

    /// The most sessions whose sum is within the room with this probability.
    fn most(&self, share: f64) -> u64 {
        let mut users = 0;
        let mut sum: Option<Vec<f64>> = None;
        for (power, more) in self.sums.iter().enumerate().rev() {
            let next = sum.as_ref().map_or_else(|| more.clone(), |sum| convolved(sum, more, more.len() - 1));
            if users + (1 << power) <= self.most && within(&next) >= share + SLACK.min(1.0 - share) {
                users += 1 << power;
                sum = Some(next);
            }
        }
        users
    }
}

/// Probability of the sums that are kept.
fn within(sum: &[f64]) -> f64 {
    sum.iter().sum()
}

/// The distribution of a sum of two, up to so many cells.
fn convolved(a: &[f64], b: &[f64], cells: usize) -> Vec<f64> {
    let size = (2 * cells + 2).next_power_of_two();
    let mut planner = FftPlanner::new();
    let padded = |values: &[f64]| {
        let mut padded = vec![Complex::new(0.0, 0.0); size];
        padded.iter_mut().zip(values).for_each(|(cell, value)| cell.re = *value);
        padded
    };
    let (mut a, mut b) = (padded(a), padded(b));
    let forward = planner.plan_fft_forward(size);
    forward.process(&mut a);
    forward.process(&mut b);
    a.iter_mut().zip(&b).for_each(|(a, b)| *a *= b);
    planner.plan_fft_inverse(size).process(&mut a);
    a.iter().take(cells + 1).map(|cell| (cell.re / size as f64).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Grid, Lengths, Powers};

    fn most(costs: &[(usize, f64)], cells: usize, share: f64) -> u64 {
        let mut one = vec![0.0; cells + 1];
        costs.iter().for_each(|(at, share)| one[*at] += share);
        Powers::of(&Grid { one, cells, rounding: 0.0 }, 1 << 20).most(share)
    }

    /// 1 block with 80 %, 10 with 20 %, 100 blocks. n sessions hold n + 9 k, k of them long: k is binomial.
    #[test]
    fn two_lengths_are_a_binomial() {
        // by hand: P(Bin(n, 0.2) <= floor((100 - n) / 9)); sums of exact terms
        let probability = |n: u64| {
            let most = (100 - n) / 9;
            let term = |k: u64| {
                let ways = (0..k).fold(1.0, |all, i| all * (n - i) as f64 / (i + 1) as f64);
                ways * 0.2_f64.powi(k as i32) * 0.8_f64.powi((n - k) as i32)
            };
            (0..=most.min(n)).map(term).sum::<f64>()
        };
        for share in [0.5, 0.95, 0.99] {
            let by_hand = (1..=100).filter(|n| probability(*n) >= share).max().unwrap();
            assert_eq!(most(&[(1, 0.8), (10, 0.2)], 100, share), by_hand);
        }
    }

    #[test]
    fn one_length_is_a_division() {
        for (cost, cells, users) in [(7, 100, 14), (100, 100, 1), (101, 1000, 9), (1, 5000, 5000)] {
            assert_eq!([0.5, 0.99].map(|share| most(&[(cost, 1.0)], cells, share)), [users, users]);
        }
    }

    #[test]
    fn percentiles_and_shares() {
        let two = Lengths::parse("2k:80%,32k:20%").unwrap();
        assert_eq!([0.5, 0.8, 0.81, 0.99].map(|share| two.percentile(share)), [2_000, 2_000, 32_000, 32_000]);
        assert_eq!(Lengths::parse("2k:8,32k:2").unwrap(), two);
        let lognormal = Lengths::parse("lognormal:p50=1400,p99=4200").unwrap();
        let near = |share: f64, tokens: u64| lognormal.percentile(share).abs_diff(tokens) <= tokens / 80;
        assert!(near(0.5, 1_400) && near(0.99, 4_200), "{:?}", lognormal.percentile(0.5));
        for wrong in
            ["", "2k", "2k:x", "2k:80%,32k:30%", "2k:80%,32k:3", "0:1", "2k:-1", "lognormal:p50=9,p99=3"]
        {
            assert!(Lengths::parse(wrong).is_err(), "{wrong}");
        }
    }
}
