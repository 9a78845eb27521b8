//! KV-cache memory planning: exact bytes from a model's configuration.

pub mod dtype;
pub mod error;
pub mod source;
pub mod spec;
pub mod suggest;
pub mod text;
pub mod units;

pub use error::{Error, Result};
