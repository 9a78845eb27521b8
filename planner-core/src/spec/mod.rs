//! From configuration to [`model::ModelSpec`]: the family language, layers, parameters, weights.

pub mod eval;
pub mod family;
mod functions;
pub mod layer;
pub mod model;
mod parameters;
mod rules;
mod unknown;
pub mod value;
pub mod weights;

#[cfg(test)]
mod tests;
