//! Folders of safetensors, by candle-transformers' modules.

use std::path::Path;

use candle_core::{DType, Device, Result as Candle, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{
    gemma, gemma2, gemma3, llama, mistral, olmo2, phi3, qwen2, qwen3, starcoder2,
};
use planner_core::engine::common::kv_dtypes;
use planner_core::error::Code;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};
use serde::de::DeserializeOwned;

use super::tokenizer::Tokenizer;
use super::{Loaded, Module, printed};
use crate::device::{first_line, said};
use crate::{checkpoint, memory, messages, shape};

/// Tensors as saved and as converted.
const BYTES_PER_FILE_BYTE: u64 = 3;

/// A module with `forward(ids, position)` and `clear_kv_cache()`.
macro_rules! module {
    ($name:ident, $inner:ty) => {
        struct $name($inner);

        impl Module for $name {
            fn restart(&mut self) -> Candle<()> {
                self.0.clear_kv_cache();
                Ok(())
            }

            fn forward(&mut self, ids: &Tensor, at: usize) -> Candle<Tensor> {
                self.0.forward(ids, at)
            }

            fn cached_bytes(&self) -> Candle<Option<u64>> {
                Ok(printed::cache_bytes(&format!("{:?}", self.0)))
            }
        }
    };
}

module!(Gemma, gemma::Model);
module!(Gemma2, gemma2::Model);
module!(Gemma3, gemma3::Model);
module!(Mistral, mistral::Model);
module!(Olmo2, olmo2::Model);
module!(Phi3, phi3::Model);
module!(Qwen2, qwen2::ModelForCausalLM);
module!(Qwen3, qwen3::ModelForCausalLM);
module!(Starcoder2, starcoder2::Model);

/// A module whose cache is a separate object.
struct Llama {
    model: llama::Llama,
    config: llama::Config,
    cache: llama::Cache,
    dtype: DType,
    device: Device,
}

impl Module for Llama {
    fn restart(&mut self) -> Candle<()> {
        self.cache = llama::Cache::new(true, self.dtype, &self.config, &self.device)?;
        Ok(())
    }

    fn forward(&mut self, ids: &Tensor, at: usize) -> Candle<Tensor> {
        self.model.forward(ids, at, &mut self.cache)
    }

    fn cached_bytes(&self) -> Candle<Option<u64>> {
        Ok(printed::cache_bytes(&format!("{:?}", self.cache)))
    }
}

/// Reads a module's own configuration from the model's.
fn config<C: DeserializeOwned>(model: &ModelSpec) -> Result<C> {
    let config = serde_json::Value::Object(model.text_config().clone());
    serde_json::from_value(config).map_err(|error| {
        Error::refused(Code::MeasureWeights, messages::CANDLE_CONFIGURATION.say(&[&error.to_string()]))
            .about(messages::TEXT_FROM.say(&[&model.name]))
    })
}

fn build(model: &ModelSpec, vb: VarBuilder<'_>) -> Result<(&'static str, Candle<Box<dyn Module>>)> {
    /// The module of a `model_type`: its name, its configuration and how it is made.
    macro_rules! made {
        ($file:ident, $name:ident, $make:expr) => {{
            let config: $file::Config = config(model)?;
            let made: fn(&$file::Config, VarBuilder<'_>) -> Candle<_> = $make;
            (stringify!($file), made(&config, vb).map(|inner| Box::new($name(inner)) as Box<dyn Module>))
        }};
    }
    Ok(match model.model_type.as_str() {
        "gemma" => made!(gemma, Gemma, |config, vb| gemma::Model::new(false, config, vb)),
        "gemma2" => made!(gemma2, Gemma2, |config, vb| gemma2::Model::new(false, config, vb)),
        "gemma3_text" => made!(gemma3, Gemma3, |config, vb| gemma3::Model::new(false, config, vb)),
        "mistral" => made!(mistral, Mistral, mistral::Model::new),
        "olmo2" => made!(olmo2, Olmo2, olmo2::Model::new),
        "phi3" => made!(phi3, Phi3, phi3::Model::new),
        "qwen2" => made!(qwen2, Qwen2, qwen2::ModelForCausalLM::new),
        "qwen3" => made!(qwen3, Qwen3, qwen3::ModelForCausalLM::new),
        "starcoder2" => made!(starcoder2, Starcoder2, starcoder2::Model::new),
        "llama" => {
            let config = config::<llama::LlamaConfig>(model)?.into_config(false);
            let (dtype, device) = (vb.dtype(), vb.device().clone());
            let made = llama::Llama::load(vb, &config).and_then(|inner| {
                let cache = llama::Cache::new(true, dtype, &config, &device)?;
                Ok(Box::new(Llama { model: inner, config, cache, dtype, device }) as Box<dyn Module>)
            });
            ("llama", made)
        }
        other => {
            return Err(Error::refused(Code::MeasureWeights, messages::CHECKPOINTS_RUN)
                .about(messages::TEXT_FROM_CHECKPOINT.say(&[&other])));
        }
    })
}

/// A folder's tensors, converted to a type when they are read.
pub fn weights(folder: &Path, dtype: DType, device: &Device) -> Result<VarBuilder<'static>> {
    let sizes = checkpoint::files(folder).into_iter().filter_map(|file| std::fs::metadata(file).ok());
    let bytes = sizes.map(|file| file.len()).fold(0, u64::saturating_add);
    memory::check(bytes.saturating_mul(BYTES_PER_FILE_BYTE), memory::available())?;
    Ok(VarBuilder::from_tensors(checkpoint::tensors(folder)?, dtype, device))
}

/// Reads a folder's weights and tokenizer.
pub fn load(folder: &Path, model: &ModelSpec, request: &Request, device: &Device) -> Result<Loaded> {
    let (dtype, _) = kv_dtypes(request, model.dtype)?;
    let vb = weights(folder, shape::dtype(dtype)?, device)?;
    let (name, module) = build(model, vb)?;
    let module =
        module.map_err(|error| Error::unreadable(folder.display().to_string(), said(first_line(&error))))?;
    let vocab = usize::try_from(model.vocab_size).unwrap_or(1);
    let tokenizer = Tokenizer::of_folder(folder, model.text_config(), vocab);
    Ok(Loaded { module, name: format!("candle_transformers::models::{name}"), tokenizer })
}
