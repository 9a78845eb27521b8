//! From configuration to [`model::ModelSpec`]: the family language, layers, parameters, weights.

#[doc(hidden)]
pub mod eval;
#[doc(hidden)]
pub mod family;
mod functions;
#[doc(hidden)]
pub mod hf_config;
pub mod layer;
mod layer_types;
pub mod model;
mod parameters;
mod rules;
mod unknown;
#[doc(hidden)]
pub mod value;
pub mod weights;

#[cfg(test)]
mod tests;
