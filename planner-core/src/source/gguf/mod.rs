//! GGUF files: what llama.cpp reads, as a model for every engine.

mod header;
mod model;
#[cfg(test)]
mod tests;
mod types;

pub use header::{Header, Tensor, is_gguf, split_names};
pub use model::model;
pub use types::{TENSOR_TYPES, TensorType, tensor_type};
