//! KV-cache memory planning: exact bytes from a model's configuration.

#[macro_use]
pub mod text;

#[cfg(feature = "catalog")]
pub mod catalog;
pub mod device;
pub mod dtype;
pub mod engine;
pub mod error;
mod memo;
pub mod parallel;
pub mod plan;
pub mod render;
pub mod request;
pub mod source;
pub mod spec;
pub mod suggest;
pub mod units;

pub use error::{Error, Result};
