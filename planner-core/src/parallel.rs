//! Which layers and heads each GPU holds under tensor, pipeline, data and decode-context parallelism.

use crate::error::{Error, Result};
use crate::units::product;

/// The most GPUs one plan may use.
pub const MAX_GPUS: u64 = 4096;

/// Parallel sizes, each at least 1; at most [`MAX_GPUS`] GPUs in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallel {
    pub(crate) tp: u64,
    pub(crate) pp: u64,
    pub(crate) dp: u64,
    pub(crate) dcp: u64,
    /// Groups of data-parallel attention within one tensor-parallel group of the engine; `tp` and `dp` count
    /// attention's ranks and groups.
    pub(crate) attention_groups: u64,
}

impl Parallel {
    /// One GPU.
    pub const SINGLE: Self = Self { tp: 1, pp: 1, dp: 1, dcp: 1, attention_groups: 1 };

    /// Checked sizes.
    ///
    /// # Errors
    /// A size of 0, more than [`MAX_GPUS`] GPUs, a `dcp` that does not divide `tp`.
    pub fn new(tp: u64, pp: u64, dp: u64, dcp: u64) -> Result<Self> {
        for (flag, size) in [("--tp", tp), ("--pp", pp), ("--dp", dp), ("--dcp", dcp)] {
            if size == 0 {
                return Err(Error::bad_value(flag, "0", words!("a whole number of at least 1")));
            }
        }
        let gpus = product(words!("number of GPUs"), &[tp, pp, dp])?;
        if gpus > MAX_GPUS {
            return Err(Error::bad_value("--tp × --pp × --dp", gpus, say!("at most {0} GPUs", MAX_GPUS)));
        }
        if !tp.is_multiple_of(dcp) {
            return Err(Error::bad_value("--dcp", dcp, say!("a divisor of --tp, which is {0}", tp)));
        }
        Ok(Self { tp, pp, dp, dcp, attention_groups: 1 })
    }

    /// The same GPUs with the attention of each tensor-parallel group divided into groups that keep sessions of
    /// their own.
    ///
    /// # Errors
    /// A number of groups that does not divide `tp`.
    pub(crate) fn with_attention_groups(self, groups: u64) -> Result<Self> {
        if groups == 0 || !self.tp.is_multiple_of(groups) {
            return Err(Error::bad_value(
                "--dp-attention",
                groups,
                say!("a divisor of --tp, which is {0}", self.tp),
            ));
        }
        Self { attention_groups: groups, ..Self::new(self.tp / groups, self.pp, self.dp * groups, 1)? }
            .with_dcp(self.dcp)
    }

    fn with_dcp(self, dcp: u64) -> Result<Self> {
        let checked = Self::new(self.tp, self.pp, self.dp, dcp)?;
        Ok(Self { attention_groups: self.attention_groups, ..checked })
    }

    /// Tensor parallel size of attention: heads are divided.
    pub fn tp(self) -> u64 {
        self.tp
    }

    /// Tensor parallel size of the engine: ranks that divide what is not attention.
    pub fn tensor_ranks(self) -> u64 {
        self.tp * self.attention_groups
    }

    /// Replicas of the whole model.
    pub fn replicas(self) -> u64 {
        self.dp / self.attention_groups
    }

    /// Pipeline parallel size: layers are divided.
    pub fn pp(self) -> u64 {
        self.pp
    }

    /// Data parallel size of attention: sessions are divided over replicas, and over the groups within each.
    pub fn dp(self) -> u64 {
        self.dp
    }

    /// Decode-context parallel size: tokens are divided among GPUs of one tensor-parallel group.
    pub fn dcp(self) -> u64 {
        self.dcp
    }

    /// GPUs in all.
    pub fn gpus(self) -> u64 {
        self.tp * self.pp * self.dp
    }

    /// The same GPUs as pipeline stages instead of tensor ranks.
    pub(crate) fn as_stages(self) -> Self {
        Self { tp: 1, pp: self.pp * self.tp, ..self }
    }

    /// Sessions of the fullest replica when `users` are spread evenly.
    pub fn users_per_replica(self, users: u64) -> u64 {
        users.div_ceil(self.dp)
    }
}

/// KV heads on one tensor-parallel rank: its share, or a copy of one head where there are fewer heads than
/// ranks.
pub fn heads_per_rank(heads: u64, tp: u64) -> u64 {
    if heads == 0 { 0 } else { heads.div_ceil(tp).max(1) }
}

/// Layers of each pipeline stage: `n // pp`. The remainder goes one each to the stages from the last but one
/// backwards (vLLM, `distributed/utils.py:get_pp_indices`).
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

/// The layers of each pipeline stage, by [`stages`].
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
