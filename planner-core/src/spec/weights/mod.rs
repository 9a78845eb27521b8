//! Bytes of the weights as an engine loads them, scales included: in the model's dtype, or as
//! `quantization_config` says for each linear module.
//!
//! Sources: the quantizers themselves, asked by `tests/oracles/weights` (bitsandbytes, GPTQModel,
//! compressed-tensors, ModelOpt, transformers' own FP8 and MXFP4), and published checkpoints. An unknown method
//! is refused, never counted as plain weights.

mod compressed;
pub mod expressions;
#[cfg(feature = "quantizers")]
mod file_type;
mod method;
mod mlx;
mod names;
mod scheme;
#[cfg(feature = "quantizers")]
mod written;

#[cfg(feature = "quantizers")]
pub use self::file_type::FileType;
#[cfg(feature = "quantizers")]
pub use self::written::Written;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use self::names::{Patterns, canonical, check};
use self::scheme::Scheme;
use super::value::{Module, ModuleKind};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::units::{product, sum};
use method::ONE_DTYPE;

/// Parts that no method quantizes.
const PLAIN_PARTS: &[&str] = &["embeddings", "norm", "router"];

/// Parts beside the language model.
const TOWERS: &[&str] = &["vision", "audio", "projector"];

/// How one checkpoint stores its weights.
#[derive(Debug, Clone)]
pub struct Storage {
    dtype: DType,
    /// Scheme of linear modules; `None` in the model's dtype.
    scheme: Option<Scheme>,
    /// Modules with schemes of their own, by canonical name.
    named: BTreeMap<String, Scheme>,
    /// Groups of modules with a scheme of their own, or without any.
    groups: Vec<(Patterns, Option<Scheme>)>,
    /// Scheme of experts, where it differs.
    experts: Option<Scheme>,
    /// Modules that stay in the model's dtype.
    kept: Patterns,
    /// The modules of a layer that are quantized; empty where all are.
    only: Patterns,
    /// Whether the output layer is quantized, unless it is among the kept ones.
    head: bool,
    /// Whether towers are quantized, unless they are among the kept ones.
    towers: bool,
    /// Bytes of each scale of the cache, beside keys and values; 0 for none.
    cache_scale: u64,
    /// Whether the quantizer converts every 32-bit tensor to 16 bits.
    halves: bool,
    /// Whether tables and routers are quantized like every other matrix (MLX).
    whole: bool,
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
            only: Patterns::default(),
            head: false,
            towers: false,
            cache_scale: 0,
            halves: false,
            whole: false,
        }
    }

    /// Reads `quantization_config` of a model's configuration.
    ///
    /// `model` is the language model's configuration; DeepSeek V4 has its `expert_dtype` there.
    pub fn from_config(
        dtype: DType,
        config: Option<&Map<String, Json>>,
        model: &Map<String, Json>,
    ) -> Result<Self> {
        let mut storage = Self::plain(dtype);
        if let Some(config) = config {
            check(config)?;
            storage.read(config, model)?;
        }
        Ok(storage)
    }

    /// The same storage, with towers quantized only where `included` is true.
    #[must_use]
    pub fn with_towers(self, included: bool) -> Self {
        Self { towers: self.towers && included, ..self }
    }

    /// The scheme of one module.
    fn scheme_of(&self, part: &str, path: &str, module: Module) -> Result<Option<Scheme>> {
        let name = canonical(path);
        if self.whole {
            return Ok(self.mlx_scheme(path, &name, module));
        }
        // A gate with one output is a plain linear module in every class that has one.
        if module.kind != ModuleKind::Linear || module.outputs <= 1 {
            return Ok(None);
        }
        if let Some(scheme) = self.named_scheme(&name) {
            return Ok(Some(scheme));
        }
        let is_plain = PLAIN_PARTS.contains(&part)
            || TOWERS.contains(&part) && !self.towers
            || self.kept.contain(path, &name)
            || part != "head" && !self.only.is_empty() && !self.only.contain(path, &name);
        if is_plain {
            return Ok(None);
        }
        let mut grouped = self.groups.iter().filter(|(targets, _)| targets.contain(path, &name));
        if let Some((_, scheme)) = grouped.next() {
            // Which of two rules counts may depend on their order, which a JSON object does not keep.
            return match grouped.find(|(_, other)| other != scheme) {
                None => Ok(*scheme),
                Some(_) => Err(Error::refused(Code::WeightsTwoRules, say!("it has two rules for {0}", path))
                    .about("quantization_config")
                    .way_out(ONE_DTYPE)),
            };
        }
        Ok(match part {
            "head" if !self.head => None,
            "experts" => self.experts.or(self.scheme),
            // modeling_deepseek_v32.py: the indexer's weights_proj stays in the model's dtype.
            "indexer" if name.ends_with("weights_proj") => None,
            // vLLM 0.33 models/kimi_k3/amd/linear.py: so do the projections around narrower experts.
            "mlp" if name.contains("routed_expert_") => None,
            _ => self.scheme,
        })
    }

    /// The scheme that `quantized_layers` has for a module, or for one above it.
    fn named_scheme(&self, name: &str) -> Option<Scheme> {
        let mut rest = (!self.named.is_empty()).then_some(name);
        while let Some(name) = rest {
            if let Some(scheme) = self.named.get(name) {
                return Some(*scheme);
            }
            rest = name.rsplit_once('.').map(|(parent, _)| parent);
        }
        None
    }

    /// Bytes of the cache's scales beside this module: one for keys, one for values.
    fn cache_scales(&self, part: &str, path: &str) -> u64 {
        let last = path.rsplit('.').next().unwrap_or_default();
        match last {
            _ if part != "attention" => 0,
            "k_proj" | "v_proj" => self.cache_scale,
            "qkv_proj" | "query_key_value" | "kv_a_proj_with_mqa" => 2 * self.cache_scale,
            _ => 0,
        }
    }

    /// Bytes of `count` modules of this shape at this path.
    pub fn bytes(&self, part: &str, path: &str, module: Module, count: u64) -> Result<u64> {
        let row = |elements: u64| match module.element_bytes {
            0 => self.dtype.row_bytes(elements),
            4 if self.halves => product(words!("weight bytes"), &[elements, 2]),
            bytes => product(words!("weight bytes"), &[elements, bytes]),
        };
        let stored = match self.scheme_of(part, path, module)? {
            // A table's rows are its outputs.
            Some(scheme) if module.kind == ModuleKind::Table => {
                scheme.bytes(module.outputs, module.inputs)?
            }
            Some(scheme) => scheme.bytes(module.inputs, module.outputs)?,
            None => row(product(words!("weight bytes"), &[module.inputs, module.outputs])?)?,
        };
        let beside = self.cache_scales(part, path);
        product(
            words!("weight bytes"),
            &[sum(words!("weight bytes"), [stored, row(module.bias)?, beside])?, count],
        )
    }
}

#[cfg(test)]
mod tests;
