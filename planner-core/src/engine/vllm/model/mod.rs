//! What vLLM reads from a model's configuration before it plans: whether it starts, and with which types.

pub mod architectures;
pub mod checkpoint;
pub mod classes;
pub mod draft;
pub mod dtype;
pub mod length;
pub mod required_keys;
pub mod shards;
pub mod transformers_classes;
