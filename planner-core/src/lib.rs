#![doc = include_str!("../README.md")]

#[macro_use]
pub mod text;
#[macro_use]
#[doc(hidden)]
pub mod to_json;

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
#[doc(hidden)]
pub mod suggest;
pub mod units;

pub use device::Device as Gpu;
pub use error::{Error, Result};
pub use plan::{Plan, plan};
pub use request::{EngineId, Request};
pub use spec::model::ModelSpec as Model;
