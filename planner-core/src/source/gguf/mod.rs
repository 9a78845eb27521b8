//! GGUF files: the header of one or several, as llama.cpp reads it.

mod header;
mod reader;
mod types;

pub use header::{Header, Tensor, is_gguf, split_names};
pub use types::{TENSOR_TYPES, TensorType, tensor_type};
