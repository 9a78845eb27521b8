//! Weights as a quantizer writes them by default, whatever the checkpoint holds.

use std::sync::Arc;

use serde_json::Value as Json;

use super::Storage;
use super::file_type::{self, FileType};
use crate::error::{Code, Error, Result};
use crate::spec::model::{ModelSpec, Part};
use crate::units::sum;

/// What a quantizer writes into `quantization_config` unless told otherwise: AutoAWQ's `WQLinear_GEMM`, GPTQModel's
/// `QuantizeConfig`, ModelOpt's `NVFP4_DEFAULT_CFG`, compressed-tensors' `MXFP4` preset, bitsandbytes' `BitsAndBytesConfig`
/// and the FP8 in blocks of DeepSeek and Qwen.
const CONFIGS: [(&str, &str); 6] = [
    (
        "awq",
        r#"{"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true, "version": "gemm"}"#,
    ),
    ("gptq", r#"{"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": true, "desc_act": false}"#),
    (
        "nvfp4",
        r#"{"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "ignore": ["lm_head"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "float", "group_size": 16}}}}"#,
    ),
    (
        "mxfp4",
        r#"{"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized", "ignore": ["lm_head"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32, "symmetric": true}}}}"#,
    ),
    ("nf4", r#"{"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}"#),
    (
        "fp8_block",
        r#"{"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}"#,
    ),
];

/// A form in which weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// By `quantization_config`.
    Config {
        /// Name on the command line.
        name: &'static str,
        /// The JSON object.
        config: &'static str,
    },
    /// In a GGUF file.
    File(FileType),
}

impl Written {
    /// Names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CONFIGS.iter().map(|(name, _)| *name).chain(FileType::ALL.iter().map(|kind| kind.name()))
    }

    /// The form of a name, in lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        let config = CONFIGS.iter().find(|(known, _)| *known == name);
        config
            .map(|&(name, config)| Self::Config { name, config })
            .or_else(|| FileType::from_name(name).map(Self::File))
    }

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config { name, .. } => name,
            Self::File(kind) => kind.name(),
        }
    }

    /// Stores a model's weights in this form.
    ///
    /// # Errors
    /// Weights known from a file's tensors alone; sums beyond 64 bits.
    pub fn store(self, model: &mut ModelSpec) -> Result<()> {
        if model.modules.is_empty() {
            let reason = words!("a file's tensors are in the types that it names");
            let refusal = Error::refused(Code::WeightsOfFile, reason);
            return Err(refusal
                .about("--weight-dtype")
                .way_out(words!("leave it out, or name the model that the file was made from")));
        }
        match self {
            Self::File(kind) => file_type::store(kind, model)?,
            Self::Config { config, .. } => by_config(config, model)?,
        }
        model.parts = parts(model)?;
        model.weight_bytes = sum(words!("weight bytes"), model.parts.iter().map(|part| part.bytes))?;
        Ok(())
    }
}

/// Also tells the engines' rules, which read the configuration.
fn by_config(config: &str, model: &mut ModelSpec) -> Result<()> {
    let Ok(Json::Object(config)) = serde_json::from_str(config) else { return Ok(()) };
    let storage = Storage::from_config(model.dtype, Some(&config), model.text_config())?;
    for module in &mut model.modules {
        module.bytes = storage.bytes(module.part, module.path, module.shape, module.count)?;
    }
    let root = Arc::make_mut(&mut model.config);
    root.insert("quantization_config".to_owned(), Json::Object(config));
    Ok(())
}

/// The model's parts with the bytes of their modules.
fn parts(model: &ModelSpec) -> Result<Vec<Part>> {
    let of = |part: &Part| {
        let modules = model.modules.iter().filter(|module| module.part == part.name);
        let bytes = sum(words!("weight bytes"), modules.map(|module| module.bytes))?;
        Ok(Part { bytes, ..*part })
    };
    model.parts.iter().map(of).collect()
}
