//! GGUF files, by candle-transformers' `quantized_*` modules.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Result as Candle, Tensor};
use candle_transformers::models::{
    quantized_gemma3, quantized_llama, quantized_phi, quantized_phi3, quantized_qwen2, quantized_qwen3,
};
use planner_core::error::Code;
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};

use super::tokenizer::Tokenizer;
use super::{Loaded, Module, printed};
use crate::device::said;
use crate::{memory, messages};

/// The most bytes that one byte of the file becomes: the embedding is widened to f32.
const BYTES_PER_FILE_BYTE: u64 = 3;

/// A module that starts anew at position 0, and its printed text.
macro_rules! module {
    ($name:ident, $inner:ty, $print:expr) => {
        struct $name($inner);

        impl Module for $name {
            fn restart(&mut self) -> Candle<()> {
                Ok(())
            }

            fn forward(&mut self, ids: &Tensor, at: usize) -> Candle<Tensor> {
                self.0.forward(ids, at)
            }

            fn cached_bytes(&self) -> Candle<Option<u64>> {
                let print: fn(&$inner) -> Option<String> = $print;
                Ok(print(&self.0).and_then(|text| printed::cache_bytes(&text)))
            }
        }
    };
}

module!(Llama, quantized_llama::ModelWeights, |model| Some(format!("{model:?}")));
module!(Gemma3, quantized_gemma3::ModelWeights, |model| Some(format!("{model:?}")));
module!(Phi2, quantized_phi::ModelWeights, |model| Some(format!("{model:?}")));
module!(Phi3, quantized_phi3::ModelWeights, |model| Some(format!("{model:?}")));
// This module does not print its cache.
module!(Qwen2, quantized_qwen2::ModelWeights, |_| None);

/// This module keeps its prompt until it is told to drop it, and would print every number of its cache.
struct Qwen3(quantized_qwen3::ModelWeights);

impl Module for Qwen3 {
    fn restart(&mut self) -> Candle<()> {
        self.0.clear_kv_cache();
        Ok(())
    }

    fn forward(&mut self, ids: &Tensor, at: usize) -> Candle<Tensor> {
        self.0.forward(ids, at)
    }

    fn cached_bytes(&self) -> Candle<Option<u64>> {
        Ok(None)
    }
}

/// Reads a file's weights and tokenizer.
pub fn load(path: &Path, model: &ModelSpec, device: &Device) -> Result<Loaded> {
    let shown = path.display().to_string();
    let unreadable = |why: String| {
        Error::unreadable(shown.as_str(), said(why.lines().next().unwrap_or_default().to_owned()))
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    memory::check(bytes.saturating_mul(BYTES_PER_FILE_BYTE), memory::available())?;
    let mut reader = BufReader::new(file);
    let content = Content::read(&mut reader).map_err(|error| unreadable(error.to_string()))?;
    let vocab = usize::try_from(model.vocab_size).unwrap_or(1);
    let tokenizer = Tokenizer::of_gguf(&content, vocab);
    let (name, module): (_, Candle<Box<dyn Module>>) = match model.model_type.as_str() {
        "llama" => (
            "quantized_llama",
            quantized_llama::ModelWeights::from_gguf(content, &mut reader, device)
                .map(|inner| Box::new(Llama(inner)) as Box<dyn Module>),
        ),
        "gemma3" => (
            "quantized_gemma3",
            quantized_gemma3::ModelWeights::from_gguf(content, &mut reader, device)
                .map(|inner| Box::new(Gemma3(inner)) as Box<dyn Module>),
        ),
        "phi2" => (
            "quantized_phi",
            quantized_phi::ModelWeights::from_gguf(content, &mut reader, device)
                .map(|inner| Box::new(Phi2(inner)) as Box<dyn Module>),
        ),
        "phi3" => (
            "quantized_phi3",
            quantized_phi3::ModelWeights::from_gguf(false, content, &mut reader, device)
                .map(|inner| Box::new(Phi3(inner)) as Box<dyn Module>),
        ),
        "qwen2" => (
            "quantized_qwen2",
            quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, device)
                .map(|inner| Box::new(Qwen2(inner)) as Box<dyn Module>),
        ),
        "qwen3" => (
            "quantized_qwen3",
            quantized_qwen3::ModelWeights::from_gguf(content, &mut reader, device)
                .map(|inner| Box::new(Qwen3(inner)) as Box<dyn Module>),
        ),
        other => {
            return Err(Error::refused(Code::MeasureWeights, messages::GGUF_FILES_RUN)
                .about(messages::TEXT_FROM_GGUF.say(&[&other])));
        }
    };
    let module = module.map_err(|error| unreadable(error.to_string()))?;
    Ok(Loaded { module, name: format!("candle_transformers::models::{name}"), tokenizer })
}
