//! Reads the start-up log of vLLM, SGLang, llama.cpp or TensorRT-LLM, sets a plan's figures beside the engine's, and
//! keeps what a log says of a machine.
//!
//! Pure like planner-core: bytes in, values out. One file an engine holds the lines that it prints, each with the
//! place in its source and the releases that print it so.

pub mod compare;
pub mod engine;
pub mod figure;
pub mod lines;
mod llamacpp;
pub mod log;
pub mod messages;
pub mod pattern;
pub mod profile;
mod question;
pub mod room;
pub mod settings;
mod sglang;
pub mod startup_plan;
mod tensorrt_llm;
mod vllm;

pub use compare::{Cache, Cause, Comparison, Row, compare};
pub use figure::{Figure, Quantity};
pub use log::{Rank, Setting, StartupLog};
pub use profile::Profile;
pub use question::{Asked, question};
pub use startup_plan::StartupPlan;
