//! What vLLM reads of a model's configuration before it plans: whether it starts, and in which types.

pub mod architectures;
pub mod checkpoint;
pub mod classes;
pub mod draft;
pub mod dtype;
pub mod length;
pub mod required_keys;
pub mod shards;
pub mod transformers_classes;
