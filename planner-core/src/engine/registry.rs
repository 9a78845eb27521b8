//! The list of engines, and the engine behind a name.

use std::sync::{PoisonError, RwLock};

use super::Engine;
use crate::error::{Error, Known, Result};
use crate::request::EngineId;
use crate::suggest;
use crate::text::Sentence;

macro_rules! engines {
    ($($(#[$attribute:meta])* $constant:ident = $id:literal, $engine:path;)*) => {
        $(#[doc = concat!("`", $id, "`, in its default version.")]
        pub const $constant: EngineId = EngineId::named($id);)*

        /// The engines listed from the start; the first is the default. Without the feature `engines` only the
        /// definition is listed, until a program installs others.
        static FROM_START: &[&dyn Engine] = &[$($(#[$attribute])* &$engine,)*];
    };
}

engines! {
    ARCHITECTURE = "architecture", super::architecture::Architecture;
    #[cfg(feature = "engines")]
    VLLM = "vllm", super::vllm::Vllm;
    #[cfg(feature = "engines")]
    TRANSFORMERS = "transformers", super::transformers::Transformers;
    #[cfg(feature = "engines")]
    SGLANG = "sglang", super::sglang::Sglang;
    #[cfg(feature = "engines")]
    TENSORRT_LLM = "tensorrt-llm", super::tensorrt_llm::TensorRtLlm;
    #[cfg(feature = "engines")]
    CANDLE = "candle", super::candle::Candle;
    #[cfg(feature = "engines")]
    LLAMA_CPP = "llama.cpp", super::llamacpp::LlamaCpp;
}

static INSTALLED: RwLock<Vec<&dyn Engine>> = RwLock::new(Vec::new());

/// Adds engines to the list, for a program that loads an engine's code late.
pub fn install(engines: &[&'static dyn Engine]) {
    let known: Vec<&str> = all().iter().map(|engine| engine.id()).collect();
    let new = engines.iter().filter(|engine| !known.contains(&engine.id()));
    INSTALLED.write().unwrap_or_else(PoisonError::into_inner).extend(new);
}

/// Every listed engine; the first is the default.
pub fn all() -> Vec<&'static dyn Engine> {
    let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner);
    FROM_START.iter().chain(installed.iter()).copied().collect()
}

/// The engine of an id, and its version. Without an id it is the definition.
///
/// # Errors
/// No such engine, with near names; a version without a rule, with the known versions.
pub fn resolve(wanted: Option<&EngineId>) -> Result<(&'static dyn Engine, &'static str)> {
    let Some(wanted) = wanted else {
        let engine: &'static dyn Engine = &super::architecture::Architecture;
        return Ok((engine, engine.versions()[0]));
    };
    let exact = FROM_START.iter().find(|engine| engine.id() == wanted.name());
    let engine = match exact {
        Some(engine) => *engine,
        None => named(wanted.name())?,
    };
    let Some(version) = wanted.wanted_version() else { return Ok((engine, engine.versions()[0])) };
    let known = engine.versions();
    let found = known.iter().find(|known| **known == version).ok_or_else(|| {
        let known = Sentence::list(known.iter().copied());
        Error::bad_value(
            "--engine",
            wanted.to_string(),
            say!("a known version of {0}: {1}", engine.id(), known),
        )
    })?;
    Ok((engine, found))
}

/// The engine of `NAME` or `NAME@VERSION`, and its version.
///
/// # Errors
/// As [`resolve`].
pub fn find(text: &str) -> Result<(&'static dyn Engine, &'static str)> {
    resolve(Some(&EngineId::parse(text)))
}

fn named(name: &str) -> Result<&'static dyn Engine> {
    let wanted = normalized(name);
    let engines = all();
    let found = engines.iter().find(|engine| normalized(engine.id()) == wanted);
    found.copied().ok_or_else(|| {
        let ids = || engines.iter().map(|engine| engine.id());
        let near = suggest::near(name, ids());
        Error::Unknown {
            what: Known::Engine,
            name: name.to_owned(),
            near: if near.is_empty() { ids().map(str::to_owned).collect() } else { near },
        }
    })
}

/// Other spellings of an engine's name: `llamacpp`, `trtllm`, `hf`, `truth`.
fn normalized(name: &str) -> String {
    let letters: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match letters.as_str() {
        "trtllm" | "tensorrt" => "tensorrtllm".into(),
        "hf" | "huggingface" => "transformers".into(),
        "truth" => "architecture".into(),
        _ => letters,
    }
}
