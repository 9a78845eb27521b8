//! The question: what is planned, where, and for which engine. [`flags`] is the one table of its fields.

use crate::error::{Error, Known, Result};
use crate::parallel::Parallel;
use crate::suggest;

pub mod flags;
#[cfg(feature = "lists")]
pub mod lists;
mod measured;
mod values;

pub use flags::{FLAGS, Flag, Request};
pub use measured::{Measured, MeasuredStage};
pub use values::{CacheKind, EngineId, FlashAttention, Ranks, Speculative, WeightType};

impl Request {
    /// A question with every default: one session on no GPU.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one flag, named without its dashes, from its text.
    ///
    /// # Errors
    /// No such flag, or what its text should be.
    pub fn set(&mut self, flag: &str, text: &str) -> Result<()> {
        self.set_typed(flag, &format!("--{flag}"), text)
    }

    /// Sets one flag from its text; errors name it as it was typed.
    ///
    /// # Errors
    /// As [`Request::set`].
    pub fn set_typed(&mut self, flag: &str, typed: &str, text: &str) -> Result<()> {
        match FLAGS.iter().find(|known| known.name == flag) {
            Some(known) => known.set(self, typed, text),
            None => Err(Error::Unknown {
                what: Known::Flag,
                name: typed.to_owned(),
                near: suggest::near(flag, FLAGS.iter().map(|known| known.name)),
            }),
        }
    }

    /// Refuses a 0 where a flag's text could not say 0 either.
    ///
    /// # Errors
    /// The flag that is 0.
    pub(crate) fn check(&self) -> Result<()> {
        match FLAGS.iter().find(|flag| flag.is_zero(self)) {
            Some(flag) => {
                Err(Error::bad_value(format!("--{}", flag.name), "0", words!("a whole number of at least 1")))
            }
            None => Ok(()),
        }
    }

    /// `--gpus`, or the GPUs that `--gpu` names one by one.
    fn counted(&self) -> Result<Option<u64>> {
        #[cfg(feature = "lists")]
        if let Some((count, device)) = self.gpu.as_ref().and_then(|device| Some((device.several()?, device)))
        {
            return match self.gpus {
                Some(gpus) if gpus != count => {
                    Err(Error::bad_value("--gpus", gpus, say!("{0}, as many as {1}", count, device.id)))
                }
                _ => Ok(Some(count)),
            };
        }
        Ok(self.gpus)
    }

    /// The parallel sizes. `--gpus` gives the size that is left open; where several are, it goes to tensor
    /// parallelism.
    ///
    /// # Errors
    /// Sizes of 0, sizes whose product is not `--gpus`, more than 4,096 GPUs.
    pub fn parallel(&self) -> Result<Parallel> {
        self.check()?;
        let (pp, dcp) = (self.pp.unwrap_or(1), self.dcp.unwrap_or(1));
        let groups = match self.dp_attention {
            None | Some(Ranks::Off) => 1,
            Some(Ranks::On) => self.dp.or(self.tp).unwrap_or(1),
            Some(Ranks::Size(groups)) => groups,
        };
        // `--dp` names the groups, or the replicas beside them
        let replicas = if self.dp_attention == Some(Ranks::On) { Some(1) } else { self.dp };
        let (tp, pp, dp) = match self.counted()? {
            None => (self.tp.unwrap_or(1), pp, replicas.unwrap_or(1)),
            Some(gpus) => {
                let mut given = [self.tp, self.pp, replicas].into_iter().flatten();
                let given = given.try_fold(1_u64, u64::checked_mul).filter(|&given| gpus % given == 0);
                let given = given.ok_or_else(|| {
                    Error::bad_value("--gpus", gpus, words!("a multiple of --tp × --pp × --dp"))
                })?;
                let rest = gpus / given;
                match (self.tp, replicas) {
                    (None, dp) => (rest, pp, dp.unwrap_or(1)),
                    (Some(tp), None) => (tp, pp, rest),
                    (Some(tp), Some(dp)) if rest == 1 || self.pp.is_none() => (tp, pp * rest, dp),
                    _ => {
                        return Err(Error::bad_value(
                            "--gpus",
                            gpus,
                            words!("the product of --tp, --pp and --dp"),
                        ));
                    }
                }
            }
        };
        Parallel::new(tp, pp, dp, dcp)?.with_attention_groups(groups)
    }
}
