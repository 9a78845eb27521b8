//! Bytes of the weights as an engine loads them: the model's dtype, or what `quantization_config`
//! makes of each linear module, scales included.
//!
//! Sources: the quantizers of transformers 5.23 (`quantizers/`, `integrations/`), the compressors of
//! compressed-tensors, ModelOpt's exported files, and the tensors that published checkpoints hold.
//! A method that is not known here is refused, never taken for plain weights.

pub mod expressions;
mod names;
mod scheme;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use self::names::{Patterns, canonical, check};
use self::scheme::Scheme;
use super::value::{Module, ModuleKind};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::units::{product, sum};

/// Parts that no method quantizes: tables, routers, and encoders beside the language model.
const PLAIN_PARTS: &[&str] = &["embeddings", "norm", "router", "vision", "audio", "projector"];

/// How one checkpoint stores its weights.
#[derive(Debug, Clone)]
pub struct Storage {
    dtype: DType,
    /// What linear modules are stored as; `None` in the model's dtype.
    scheme: Option<Scheme>,
    /// Modules that have a scheme of their own, by canonical name.
    named: BTreeMap<String, Scheme>,
    /// Groups of modules with a scheme of their own.
    groups: Vec<(Patterns, Scheme)>,
    /// The scheme of experts where it differs.
    experts: Option<Scheme>,
    /// Modules that stay in the model's dtype.
    kept: Patterns,
}

impl Storage {
    /// Everything in one dtype.
    pub fn plain(dtype: DType) -> Self {
        Self {
            dtype,
            scheme: None,
            named: BTreeMap::new(),
            groups: Vec::new(),
            experts: None,
            kept: Patterns::default(),
        }
    }

    /// Reads `quantization_config` of a model's configuration.
    ///
    /// `model` is the language model's configuration, where DeepSeek V4 says `expert_dtype`.
    pub fn from_config(
        dtype: DType,
        config: Option<&Map<String, Json>>,
        model: &Map<String, Json>,
    ) -> Result<Self> {
        let mut storage = Self::plain(dtype);
        let Some(config) = config else { return Ok(storage) };
        check(config)?;
        let text = |key: &str| config.get(key).and_then(Json::as_str).unwrap_or_default();
        let lists = |keys: &[&str]| {
            let items = keys.iter().filter_map(|key| config.get(*key)?.as_array()).flatten();
            Patterns::new(items.filter_map(Json::as_str))
        };
        // ModelOpt's first files name no method, only an algorithm.
        let method = match text("quant_method") {
            "" if config.contains_key("quant_algo") => "modelopt",
            "" if config.contains_key("config_groups") => "compressed-tensors",
            method => method,
        };
        match method {
            "fp8" => {
                let fp4_experts = model.get("expert_dtype").and_then(Json::as_str) == Some("fp4");
                storage.scheme = Some(Scheme::fp8(config, fp4_experts)?);
                storage.experts = fp4_experts.then(|| Scheme::mx(4));
                storage.kept = lists(&["modules_to_not_convert", "ignored_layers"]);
                storage.read_named(config)?;
            }
            "awq" => {
                storage.scheme = Some(Scheme::awq(config)?);
                storage.kept = lists(&["modules_to_not_convert"]);
            }
            "gptq" => storage.scheme = Some(Scheme::gptq(config)?),
            "mxfp4" => {
                storage.experts = Some(Scheme::mx(4));
                storage.kept = lists(&["modules_to_not_convert"]);
            }
            "bitsandbytes" => {
                storage.scheme = Some(Scheme::bitsandbytes(config)?);
                storage.kept = lists(&["llm_int8_skip_modules"]);
            }
            "compressed-tensors" => {
                storage.kept = lists(&["ignore"]);
                storage.read_groups(config)?;
            }
            "modelopt" | "modelopt_fp4" | "modelopt_mixed" => {
                storage.kept = lists(&["ignore", "exclude_modules"]);
                match text("quant_algo") {
                    "MIXED_PRECISION" => storage.read_named(config)?,
                    algorithm => storage.scheme = Some(Scheme::modelopt(algorithm)?),
                }
            }
            other => {
                return Err(Error::unsupported(
                    format!("quantization method `{other}`"),
                    "known: fp8, awq, gptq, mxfp4, bitsandbytes, compressed-tensors, modelopt; the bytes of others are not guessed; --weight-dtype counts every parameter in one dtype",
                ));
            }
        }
        Ok(storage)
    }

    /// ModelOpt's `quantized_layers`: an algorithm per module.
    fn read_named(&mut self, config: &Map<String, Json>) -> Result<()> {
        let layers = config.get("quantized_layers").and_then(Json::as_object);
        for (name, entry) in layers.into_iter().flatten() {
            let algorithm = entry.get("quant_algo").and_then(Json::as_str).unwrap_or_default();
            let _ = self.named.insert(canonical(name), Scheme::modelopt(algorithm)?);
        }
        Ok(())
    }

    /// compressed-tensors' `config_groups`: a scheme per group of targets; `Linear` means all.
    fn read_groups(&mut self, config: &Map<String, Json>) -> Result<()> {
        let groups = config.get("config_groups").and_then(Json::as_object);
        for group in groups.into_iter().flatten().filter_map(|(_, group)| group.as_object()) {
            let Some(scheme) = Scheme::compressed(config, group)? else { continue };
            let targets = group.get("targets").and_then(Json::as_array);
            let targets: Vec<&str> = targets.into_iter().flatten().filter_map(Json::as_str).collect();
            if targets.is_empty() || targets.contains(&"Linear") {
                self.scheme = Some(scheme);
            } else {
                self.groups.push((Patterns::new(targets.into_iter()), scheme));
            }
        }
        Ok(())
    }

    /// The scheme of one module.
    fn scheme_of(&self, part: &str, path: &str, module: Module) -> Option<Scheme> {
        // A gate of one output is a plain linear in every class that has one.
        if module.kind != ModuleKind::Linear || module.outputs <= 1 {
            return None;
        }
        let name = canonical(path);
        if !self.named.is_empty() {
            let mut rest = name.as_str();
            loop {
                if let Some(scheme) = self.named.get(rest) {
                    return Some(*scheme);
                }
                match rest.rsplit_once('.') {
                    Some((parent, _)) => rest = parent,
                    None => break,
                }
            }
        }
        if PLAIN_PARTS.contains(&part) || self.kept.contain(path, &name) {
            return None;
        }
        let grouped = self.groups.iter().find(|(targets, _)| targets.contain(path, &name));
        if let Some((_, scheme)) = grouped {
            return Some(*scheme);
        }
        match part {
            "head" => None,
            "experts" => self.experts.or(self.scheme),
            // modeling_deepseek_v32.py: the indexer's weights_proj stays in the model's dtype.
            "indexer" if name.ends_with("weights_proj") => None,
            _ => self.scheme,
        }
    }

    /// Bytes of `count` modules of this shape at this path.
    pub fn bytes(&self, part: &str, path: &str, module: Module, count: u64) -> Result<u64> {
        let stored = match self.scheme_of(part, path, module) {
            Some(scheme) => scheme.bytes(module.inputs, module.outputs)?,
            None => self.dtype.row_bytes(product("weight bytes", &[module.inputs, module.outputs])?)?,
        };
        let bias = self.dtype.row_bytes(module.bias)?;
        product("weight bytes", &[sum("weight bytes", [stored, bias])?, count])
    }
}

#[cfg(test)]
mod tests;
