//! The language of the family files (`docs/families.md`). planner-core evaluates it; the build of planner-models
//! checks it.
//!
//! [`expr`] parses one expression, [`vocabulary`] lists every name that the program gives or reads. With the
//! feature `files`, `families` reads, merges and checks the YAML files.

#[cfg(feature = "files")]
mod check;
pub mod expr;
#[cfg(feature = "files")]
mod family;
#[cfg(feature = "files")]
mod merge;
#[cfg(feature = "files")]
mod shape;
pub mod vocabulary;
#[cfg(feature = "files")]
pub mod yaml;

#[cfg(feature = "files")]
pub use family::{CacheRule, Family, ModuleRule, Source, Stack, Tower, families};
