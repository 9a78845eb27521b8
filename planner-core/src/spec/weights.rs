//! Bytes of the weights as stored: the model's dtype, or what `quantization_config` makes of each
//! linear module, scales included.
//!
//! Sources: the quantizers of transformers (`quantizers/*.py`) and the file formats they read. A
//! method that is not known here is refused when weight bytes matter, never guessed.

use serde_json::{Map, Value as Json};

use super::value::{Module, ModuleKind};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::units::{product, sum};

/// How linear modules are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// In the model's dtype.
    Plain,
    /// `bits` a weight in groups of `group` inputs, each with `scale_bytes` and, per tensor, `tensor_bytes`.
    Grouped {
        /// Bits of one weight.
        bits: u64,
        /// Inputs that share a scale; 0 means the whole row.
        group: u64,
        /// Bytes of scale and zero point per group.
        group_bits: u64,
        /// Bytes per tensor beside that.
        tensor_bytes: u64,
    },
    /// One byte a weight with an f32 scale per block of `rows × columns`.
    BlockFp8 {
        /// Outputs of a block.
        rows: u64,
        /// Inputs of a block.
        columns: u64,
    },
    /// One byte a weight with an f32 scale per output row.
    RowScaled,
}

/// How one checkpoint stores its weights.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The dtype of everything that is not quantized.
    pub dtype: DType,
    /// The scheme of quantized linear modules.
    pub scheme: Scheme,
    /// Patterns of modules that stay in the model's dtype.
    pub kept: Vec<String>,
    /// Whether only expert modules are quantized.
    pub only_experts: bool,
}

impl Storage {
    /// Everything in one dtype.
    pub fn plain(dtype: DType) -> Self {
        Self { dtype, scheme: Scheme::Plain, kept: Vec::new(), only_experts: false }
    }

    /// Reads `quantization_config` (outermost or language model's).
    pub fn from_config(dtype: DType, config: Option<&Map<String, Json>>) -> Result<Self> {
        let Some(config) = config else { return Ok(Self::plain(dtype)) };
        let text = |key: &str| config.get(key).and_then(Json::as_str).unwrap_or_default();
        let number = |key: &str| config.get(key).and_then(Json::as_u64);
        let mut storage = Self::plain(dtype);
        for key in
            ["ignore", "modules_to_not_convert", "ignored_layers", "llm_int8_skip_modules", "exclude_modules"]
        {
            let items = config.get(key).and_then(Json::as_array);
            storage.kept.extend(items.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned));
        }
        storage.scheme = match text("quant_method") {
            "fp8" => match config.get("weight_block_size").and_then(Json::as_array) {
                Some(block) => {
                    let side = |at: usize| block.get(at).and_then(Json::as_u64).unwrap_or(128);
                    Scheme::BlockFp8 { rows: side(0), columns: side(1) }
                }
                None => Scheme::Grouped { bits: 8, group: 0, group_bits: 0, tensor_bytes: 4 },
            },
            "awq" | "gptq" => {
                let bits = number("bits").or_else(|| number("w_bit")).unwrap_or(4);
                let group = number("group_size").or_else(|| number("q_group_size")).unwrap_or(128);
                Scheme::Grouped { bits, group, group_bits: 16 + bits, tensor_bytes: 0 }
            }
            "mxfp4" => {
                storage.only_experts = true;
                Scheme::Grouped { bits: 4, group: 32, group_bits: 8, tensor_bytes: 0 }
            }
            "bitsandbytes" if config.get("load_in_4bit").and_then(Json::as_bool) == Some(true) => {
                Scheme::Grouped { bits: 4, group: 64, group_bits: 32, tensor_bytes: 0 }
            }
            "bitsandbytes" => Scheme::RowScaled,
            "modelopt" | "modelopt_fp4" => match text("quant_algo") {
                "NVFP4" => Scheme::Grouped { bits: 4, group: 16, group_bits: 8, tensor_bytes: 8 },
                _ => Scheme::Grouped { bits: 8, group: 0, group_bits: 0, tensor_bytes: 8 },
            },
            "compressed-tensors" => compressed_tensors(config),
            _ => Scheme::Plain,
        };
        Ok(storage)
    }

    /// Bytes of `count` modules of this shape at this path.
    pub fn bytes(&self, part: &str, path: &str, module: Module, count: u64) -> Result<u64> {
        let bias = self.dtype.row_bytes(module.bias)?;
        let keeps = module.kind != ModuleKind::Linear
            || self.scheme == Scheme::Plain
            || (self.only_experts && part != "experts")
            || part == "head"
            || self.kept.iter().any(|pattern| matches(pattern, path));
        let (inputs, outputs) = (module.inputs, module.outputs);
        let weights = product("weight bytes", &[inputs, outputs])?;
        let stored = match (keeps, &self.scheme) {
            (true, _) | (_, Scheme::Plain) => self.dtype.row_bytes(weights)?,
            (_, Scheme::Grouped { bits, group, group_bits, tensor_bytes }) => {
                let codes = product("weight bytes", &[weights, *bits])?.div_ceil(8);
                let groups = if *group == 0 { 0 } else { inputs.div_ceil(*group) };
                let scales = product("weight bytes", &[groups, outputs, *group_bits])?.div_ceil(8);
                sum("weight bytes", [codes, scales, *tensor_bytes])?
            }
            (_, Scheme::BlockFp8 { rows, columns }) => {
                let blocks = product(
                    "weight bytes",
                    &[outputs.div_ceil((*rows).max(1)), inputs.div_ceil((*columns).max(1)), 4],
                )?;
                sum("weight bytes", [weights, blocks])?
            }
            (_, Scheme::RowScaled) => {
                sum("weight bytes", [weights, product("weight bytes", &[outputs, 4])?])?
            }
        };
        product("weight bytes", &[sum("weight bytes", [stored, bias])?, count])
    }
}

fn compressed_tensors(config: &Map<String, Json>) -> Scheme {
    let groups = config.get("config_groups").and_then(Json::as_object);
    let weights =
        groups.and_then(|groups| groups.values().find_map(|group| group.get("weights")?.as_object()));
    let Some(weights) = weights else { return Scheme::Plain };
    let bits = weights.get("num_bits").and_then(Json::as_u64).unwrap_or(8);
    match (
        bits,
        weights.get("strategy").and_then(Json::as_str),
        weights.get("group_size").and_then(Json::as_u64),
    ) {
        (8, Some("channel"), _) => Scheme::RowScaled,
        (bits, _, Some(group)) if group > 0 => {
            Scheme::Grouped { bits, group, group_bits: 16, tensor_bytes: 0 }
        }
        (bits, ..) => Scheme::Grouped { bits, group: 0, group_bits: 0, tensor_bytes: 4 },
    }
}

/// Whether a pattern of a quantization configuration names a module: a whole path, a part of it
/// between dots, a `*` wildcard, or `re:` and a plain substring.
fn matches(pattern: &str, path: &str) -> bool {
    if let Some(expression) = pattern.strip_prefix("re:") {
        let literal = expression.trim_start_matches(".*").trim_end_matches(['$', '*', '.']);
        return path.contains(&literal.replace("\\.", "."));
    }
    if let Some(start) = pattern.strip_suffix('*') {
        return path.starts_with(start) || path.contains(&format!(".{start}"));
    }
    path == pattern
        || path.starts_with(&format!("{pattern}."))
        || path.ends_with(&format!(".{pattern}"))
        || path.contains(&format!(".{pattern}."))
}

/// The bytes a checkpoint would take in one dtype.
pub fn plain_bytes(dtype: DType, parameters: u64) -> Result<u64> {
    if dtype.elements == 0 {
        return Err(Error::overflow("weight bytes"));
    }
    dtype.row_bytes(parameters)
}
