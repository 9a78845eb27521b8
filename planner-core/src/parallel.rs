//! Which layers and heads each GPU holds under tensor, pipeline, data and decode-context parallelism.

use crate::error::{Error, Result};
use crate::units::product;

/// The most GPUs one plan may use.
pub const MAX_GPUS: u64 = 4096;

/// Parallel sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallel {
    /// Tensor parallel: heads are divided.
    pub tp: u64,
    /// Pipeline parallel: layers are divided.
    pub pp: u64,
    /// Data parallel: sessions are divided.
    pub dp: u64,
    /// Decode-context parallel: tokens are divided among GPUs of one tensor-parallel group.
    pub dcp: u64,
}

impl Parallel {
    /// One GPU.
    pub const SINGLE: Self = Self { tp: 1, pp: 1, dp: 1, dcp: 1 };

    /// GPUs in all.
    pub fn gpus(self) -> Result<u64> {
        let gpus = product(words!("number of GPUs"), &[self.tp, self.pp, self.dp])?;
        if gpus > MAX_GPUS {
            return Err(Error::bad_value("--tp × --pp × --dp", gpus, say!("at most {0} GPUs", MAX_GPUS)));
        }
        Ok(gpus)
    }

    /// Sessions one replica serves when `users` are spread evenly.
    pub fn users_per_replica(self, users: u64) -> u64 {
        users.div_ceil(self.dp)
    }
}

/// Heads that one tensor-parallel rank stores: its share, or one replicated head when there are
/// fewer heads than ranks.
pub fn heads_per_rank(heads: u64, tp: u64) -> u64 {
    if heads == 0 { 0 } else { heads.div_ceil(tp).max(1) }
}

/// Layers of each pipeline stage: `n // pp` each, the remainder one each to the stages counted
/// from the last but one backwards (vLLM, `distributed/utils.py:get_pp_indices`).
pub fn stages(layers: u64, pp: u64) -> Vec<u64> {
    let (each, rest) = (layers / pp, layers % pp);
    let first = pp.saturating_sub(rest + 1);
    (0..pp)
        .map(|stage| {
            let takes_one = rest > 0 && (first..pp - 1).contains(&stage);
            each + u64::from(takes_one)
        })
        .collect()
}

/// The layers that each pipeline stage holds, by [`stages`].
pub fn stage_slices<T>(layers: &[T], pp: u64) -> Vec<&[T]> {
    let mut rest = layers;
    let take = |count: u64| {
        let (own, others) = rest.split_at((count as usize).min(rest.len()));
        rest = others;
        own
    };
    stages(layers.len() as u64, pp).into_iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_every_layer_once_in_order() {
        assert_eq!(stage_slices(&[0, 1, 2, 3, 4], 2), [&[0, 1, 2][..], &[3, 4]]);
        assert_eq!(stage_slices(&[0, 1], 3), [&[0][..], &[1], &[]]);
    }

    #[test]
    fn the_last_stage_gets_no_remainder() {
        assert_eq!(stages(61, 2), [31, 30]);
        assert_eq!(stages(80, 4), [20, 20, 20, 20]);
        assert_eq!(stages(10, 4), [2, 3, 3, 2]);
        assert_eq!(stages(3, 4), [1, 1, 1, 0]);
    }

    #[test]
    fn fewer_heads_than_ranks_are_replicated() {
        assert_eq!(heads_per_rank(8, 4), 2);
        assert_eq!(heads_per_rank(8, 16), 1);
        assert_eq!(heads_per_rank(1, 8), 1);
    }
}
