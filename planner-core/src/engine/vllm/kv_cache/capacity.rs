//! From groups and memory to blocks, tokens and concurrency.
//!
//! Restates `get_kv_cache_configs`, `_check_enough_kv_cache_memory` and
//! `_max_memory_usage_bytes_from_groups` of `vllm/v1/core/kv_cache_planning.py`, and
//! `generate_scheduler_kv_cache_config`, `get_max_concurrency_for_kv_cache_config` and
//! `get_kv_cache_capacity` of `vllm/v1/core/kv_cache_utils.py`, vLLM 0.33.0.

use super::group::{self, Group};
use super::spec::{BlockParams, Kind, Spec};
use crate::error::{Code, Error};

/// The groups on every pipeline rank, and the bytes of one block id there.
#[derive(Clone, Debug)]
pub struct Ranks {
    /// Groups of the whole model, where there are several ranks.
    whole: Vec<Group>,
    /// Groups of each rank, with its own layers only.
    pub groups: Vec<Vec<Group>>,
    /// Bytes of one block id on each rank.
    pub block_bytes: Vec<u64>,
}

impl Ranks {
    /// Puts the model's groups onto the pipeline ranks; `stage` gives the rank of a layer.
    ///
    /// # Errors
    /// A rank without any cache: the engine divides by zero there.
    pub fn of(
        groups: Vec<Group>,
        block_bytes: impl Fn(&[Group]) -> u64,
        pp: u64,
        stage: impl Fn(usize) -> u64,
    ) -> Result<Self, Error> {
        let (whole, ranks) = if pp == 1 {
            (Vec::new(), vec![groups])
        } else {
            let rank = |rank| group::project(&groups, |layer| stage(layer) == rank);
            let ranks = (0..pp).map(rank).collect();
            (groups, ranks)
        };
        let block_bytes: Vec<u64> = ranks.iter().map(|g| block_bytes(g)).collect();
        if block_bytes.contains(&0) {
            return Err(Error::refused(
                Code::VllmEmptyRank,
                words!("a pipeline rank holds no cache, or a page has 0 bytes"),
            ));
        }
        Ok(Self { whole, groups: ranks, block_bytes })
    }

    /// The groups of the whole model.
    pub fn whole(&self) -> &[Group] {
        match self.groups.as_slice() {
            [only] => only,
            _ => &self.whole,
        }
    }

    /// Blocks of one request of `run.max_model_len` tokens in all groups, as the start-up check counts them: a
    /// group counts as its largest layer.
    ///
    /// # Errors
    /// What a spec refuses.
    pub fn checked_blocks(&self, run: &BlockParams) -> Result<u64, Error> {
        let rank = self.groups.first().map_or(&[][..], Vec::as_slice);
        sum(rank, |g| most(g, |spec| spec.blocks(run)))
    }

    /// The same as the log's concurrency counts them: a group counts as its first layer.
    ///
    /// # Errors
    /// What a spec refuses.
    pub fn logged_blocks(&self, run: &BlockParams) -> Result<u64, Error> {
        let rank = self.groups.first().map_or(&[][..], Vec::as_slice);
        sum(rank, |g| g.spec.blocks(run))
    }

    /// Blocks of a session of `tokens` tokens: in each group at most what the tokens need, and at most what a
    /// request of `run.max_model_len` may hold.
    ///
    /// # Errors
    /// What a spec refuses.
    pub fn session_blocks(&self, tokens: u64, run: &BlockParams) -> Result<u64, Error> {
        let rank = self.groups.first().map_or(&[][..], Vec::as_slice);
        sum(rank, |g| {
            let cap = most(g, |spec| spec.blocks(run))?;
            if tokens >= run.max_model_len {
                return Ok(cap);
            }
            let need = match g.spec.kind {
                Kind::State { .. } | Kind::Cross => cap,
                Kind::Sliding { .. } | Kind::SlidingMla { .. } | Kind::Chunked { .. } => {
                    tokens.div_ceil(g.spec.block_size.max(1))
                }
                _ => {
                    let shorter = BlockParams { max_model_len: tokens, ..*run };
                    most(g, |spec| spec.blocks(&shorter))?
                }
            };
            Ok(need.min(cap))
        })
    }

    /// Tokens as older releases log them: blocks divided by groups, × the smallest block.
    pub fn tokens_by_group(&self, num_blocks: u64) -> u64 {
        let groups = self.whole();
        let block = groups.iter().map(|group| group.spec.block_size).min().unwrap_or(0);
        num_blocks.checked_div(groups.len() as u64).unwrap_or(0).saturating_mul(block)
    }

    /// Blocks of the pool: the rank with the fewest decides.
    pub fn num_blocks(&self, memory: &[u64]) -> u64 {
        let rank = |(i, bytes): (usize, &u64)| {
            let room = memory.get(i).or(memory.first()).copied().unwrap_or(0);
            room.checked_div(*bytes).unwrap_or(0)
        };
        self.block_bytes.iter().enumerate().map(rank).min().unwrap_or(0)
    }
}

pub(super) fn sum(groups: &[Group], each: impl Fn(&Group) -> Result<u64, Error>) -> Result<u64, Error> {
    groups.iter().map(each).try_fold(0u64, |all, n| Ok(all.saturating_add(n?)))
}

/// The most that a group's own spec or one of its layers' has.
pub(super) fn most(group: &Group, blocks: impl Fn(&Spec) -> Result<u64, Error>) -> Result<u64, Error> {
    let own = blocks(&group.spec)?;
    group.specs.kinds().iter().try_fold(own, |most, spec| Ok(most.max(blocks(spec)?)))
}

/// The start-up log's two figures: tokens, and concurrent requests of `max_model_len`. The engine computes them
/// in double precision, and so does this function.
pub fn logged(num_blocks: u64, per_request: u64, max_model_len: u64) -> (u64, f64) {
    if per_request == 0 {
        return (0, 0.0);
    }
    let concurrency = num_blocks as f64 / per_request as f64;
    ((concurrency * max_model_len as f64) as u64, concurrency)
}

#[cfg(test)]
mod tests {
    use super::logged;

    #[test]
    fn tokens_are_concurrency_times_length_rounded_down() {
        // DeepSeek-V3, tp 8, 20 GiB: 19,099 blocks, 2,048 of them for 32,768 tokens
        assert_eq!(logged(19_099, 2_048, 32_768), (305_584, 9.325_683_593_75));
    }
}
