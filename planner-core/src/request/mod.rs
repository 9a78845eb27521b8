//! The question: what is planned, where and for which engine. Plain values; [`flags`] is their one table.

use crate::error::{Error, Known, Result};
use crate::parallel::Parallel;
use crate::suggest;

pub mod flags;
mod measured;
mod values;

pub use flags::{FLAGS, Flag, Request};
pub use measured::{Measured, MeasuredStage};
pub use values::{CacheKind, EngineId, FlashAttention, Speculative};

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

    /// Refuses zeros that no flag's text could say.
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

    /// The parallel sizes: what is not given follows from `--gpus`, which tensor parallelism takes
    /// when nothing else says where they go.
    ///
    /// # Errors
    /// Sizes of 0, sizes that do not multiply to `--gpus`, more than 4,096 GPUs.
    pub fn parallel(&self) -> Result<Parallel> {
        self.check()?;
        let (pp, dcp) = (self.pp.unwrap_or(1), self.dcp.unwrap_or(1));
        let (tp, pp, dp) = match self.gpus {
            None => (self.tp.unwrap_or(1), pp, self.dp.unwrap_or(1)),
            Some(gpus) => {
                let mut given = [self.tp, self.pp, self.dp].into_iter().flatten();
                let given = given.try_fold(1_u64, u64::checked_mul).filter(|&given| gpus % given == 0);
                let given = given.ok_or_else(|| {
                    Error::bad_value("--gpus", gpus, words!("a multiple of --tp × --pp × --dp"))
                })?;
                let rest = gpus / given;
                match (self.tp, self.dp) {
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
        Parallel::new(tp, pp, dp, dcp)
    }
}
