//! What one engine prints, as data.

use crate::pattern::Pattern;
use crate::settings::Key;
use crate::{llamacpp, sglang, tensorrt_llm, vllm};

/// Lines that hold many settings at once.
#[derive(Debug)]
pub struct Dump {
    /// The text that they follow.
    pub after: &'static str,
    /// Keys that are read.
    pub keys: &'static [Key],
}

/// One engine's lines.
#[derive(Debug)]
pub struct Rules {
    /// kvplan's name of the engine.
    pub engine: &'static str,
    /// Lines with figures, names and settings.
    pub lines: &'static [Pattern],
    /// Lines with many settings.
    pub dumps: &'static [Dump],
}

/// Every engine whose log is read.
pub const ALL: [&Rules; 4] = [&vllm::RULES, &sglang::RULES, &tensorrt_llm::RULES, &llamacpp::RULES];
