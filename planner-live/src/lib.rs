//! Asks a running engine for its own figures and settings: vLLM, SGLang, llama-server, TensorRT-LLM.
//!
//! GETs only, to one address. What is told becomes a [`planner_log::StartupLog`], which `planner_log` turns into a
//! question, sets beside a plan and keeps in a profile. One file an engine names the fields that it reads and the
//! source that writes them.

mod engine;
pub mod http;
mod llamacpp;
pub mod messages;
pub mod prometheus;
mod reading;
pub mod room;
mod sglang;
mod tensorrt_llm;
mod vllm;

pub use engine::ask;
pub use http::{Answer, Client, Failure, Get, Limits};
pub use reading::{Source, Told};
