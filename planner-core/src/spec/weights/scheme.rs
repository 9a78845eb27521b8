//! What one quantized matrix takes: codes, scales, zero points and the small tensors beside them.

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::units::{product, sum};

/// The tensors of one quantized matrix `[outputs, inputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scheme {
    /// Bits of one code.
    bits: u64,
    /// Inputs that share a scale; 0 for none.
    group: u64,
    /// Outputs that share a scale; 0 means one.
    rows: u64,
    /// Bits per scale, zero point included.
    group_bits: u64,
    /// Weights that share a scale where the matrix is cut as one long row; 0 for none.
    flat: u64,
    /// Such scales that share a second one of four bytes; 0 for none.
    flat_nested: u64,
    /// Bytes for every output.
    output_bytes: u64,
    /// Bytes for every input.
    input_bytes: u64,
    /// Bytes beside that.
    tensor_bytes: u64,
}

fn number(config: &Map<String, Json>, key: &str) -> Option<u64> {
    config.get(key).and_then(Json::as_u64)
}

fn bits(config: &Map<String, Json>, keys: &[&str]) -> Result<u64> {
    match keys.iter().find_map(|key| number(config, key)) {
        Some(bits @ (2 | 3 | 4 | 8)) => Ok(bits),
        Some(other) => Err(Error::bad_value(keys[0], other, "2, 3, 4 or 8")),
        None => Err(Error::MissingField { field: keys[0].into(), looked_in: "quantization_config".into() }),
    }
}

impl Scheme {
    /// `quant_method: fp8` (DeepSeek, Qwen): a byte a weight; an f32 scale per block, or per tensor
    /// with one more for static activations. With `e8m0_scales` (DeepSeek V4) a scale is one byte.
    pub fn fp8(config: &Map<String, Json>, e8m0_scales: bool) -> Result<Self> {
        let Some(block) = config.get("weight_block_size").and_then(Json::as_array) else {
            let is_static = config.get("activation_scheme").and_then(Json::as_str) == Some("static");
            return Ok(Self { bits: 8, tensor_bytes: if is_static { 8 } else { 4 }, ..Self::default() });
        };
        match block.iter().map(Json::as_u64).collect::<Vec<_>>().as_slice() {
            [Some(rows @ 1..), Some(group @ 1..)] => {
                let group_bits = if e8m0_scales { 8 } else { 32 };
                Ok(Self { bits: 8, rows: *rows, group: *group, group_bits, ..Self::default() })
            }
            _ => Err(Error::bad_value("weight_block_size", Json::from(block.clone()), "two whole numbers")),
        }
    }

    /// AWQ (`WQLinear_GEMM`): codes and zero points packed in int32, an fp16 scale per group.
    pub fn awq(config: &Map<String, Json>) -> Result<Self> {
        // AwqConfig's defaults: 4 bits in groups of 128.
        let named = config.contains_key("bits") || config.contains_key("w_bit");
        let bits = if named { bits(config, &["bits", "w_bit"])? } else { 4 };
        let has_zero = config.get("zero_point").and_then(Json::as_bool) != Some(false);
        let group = group_size(config, &["group_size", "q_group_size"]).or_else(default_group)?;
        Ok(Self { bits, group, group_bits: 16 + if has_zero { bits } else { 0 }, ..Self::default() })
    }

    /// GPTQ: `qweight`, `qzeros`, fp16 `scales` per group, and `g_idx` with four bytes an input.
    pub fn gptq(config: &Map<String, Json>) -> Result<Self> {
        let bits = bits(config, &["bits"])?;
        let group = group_size(config, &["group_size"]).or_else(default_group)?;
        Ok(Self { bits, group, group_bits: 16 + bits, input_bytes: 4, ..Self::default() })
    }

    /// bitsandbytes: 8 bits with an f32 scale per output (`SCB`), or 4 bits with an `absmax` per 64
    /// weights: f32, or a byte with an f32 per 256 of them under double quantization; the code
    /// tables take 16 and 256 f32.
    pub fn bitsandbytes(config: &Map<String, Json>) -> Result<Self> {
        let flag = |key: &str| config.get(key).and_then(Json::as_bool).unwrap_or(false);
        if !flag("load_in_4bit") && !flag("_load_in_4bit") {
            return Ok(Self { bits: 8, output_bytes: 4, ..Self::default() });
        }
        Ok(if flag("bnb_4bit_use_double_quant") {
            Self {
                bits: 4,
                flat: 64,
                group_bits: 8,
                flat_nested: 256,
                tensor_bytes: 64 + 1024,
                ..Self::default()
            }
        } else {
            Self { bits: 4, flat: 64, group_bits: 32, tensor_bytes: 64, ..Self::default() }
        })
    }

    /// OCP microscaling: a byte of scale per 32 weights.
    pub fn mx(bits: u64) -> Self {
        Self { bits, group: 32, group_bits: 8, ..Self::default() }
    }

    /// ModelOpt's algorithms. Each matrix has f32 scales of its weights and, where activations are
    /// quantized too, of its input.
    pub fn modelopt(algorithm: &str) -> Result<Self> {
        Ok(match algorithm {
            "FP8" => Self { bits: 8, tensor_bytes: 8, ..Self::default() },
            "FP8_PER_CHANNEL_PER_TOKEN" => Self { bits: 8, output_bytes: 4, ..Self::default() },
            "FP8_PB_WO" => Self { bits: 8, rows: 128, group: 128, group_bits: 32, ..Self::default() },
            "NVFP4" | "W4A4_NVFP4" => {
                Self { bits: 4, group: 16, group_bits: 8, tensor_bytes: 8, ..Self::default() }
            }
            "W4A16_NVFP4" => Self { bits: 4, group: 16, group_bits: 8, tensor_bytes: 4, ..Self::default() },
            "MXFP4" => Self::mx(4),
            "MXFP8" => Self::mx(8),
            other => {
                return Err(Error::unsupported(
                    format!("quant_algo `{other}`"),
                    "known: FP8, FP8_PER_CHANNEL_PER_TOKEN, FP8_PB_WO, NVFP4, W4A16_NVFP4, MXFP4, MXFP8, MIXED_PRECISION",
                ));
            }
        })
    }

    /// One group of compressed-tensors; `None` where only activations or the cache are quantized.
    /// Scales are in the model's 16-bit dtype; packed integers keep their shape in two int64.
    pub fn compressed(config: &Map<String, Json>, group: &Map<String, Json>) -> Result<Option<Self>> {
        let Some(weights) = group.get("weights").and_then(Json::as_object) else { return Ok(None) };
        let own = group.get("format").and_then(Json::as_str);
        let format = own.or_else(|| config.get("format").and_then(Json::as_str)).unwrap_or_default();
        match format {
            "mxfp4-pack-quantized" => return Ok(Some(Self::mx(4))),
            "nvfp4-pack-quantized" => {
                let has_inputs = group.get("input_activations").is_some_and(|inputs| !inputs.is_null());
                return Self::modelopt(if has_inputs { "NVFP4" } else { "W4A16_NVFP4" }).map(Some);
            }
            "" | "float-quantized" | "int-quantized" | "naive-quantized" | "pack-quantized" | "dense" => {}
            other => {
                return Err(Error::unsupported(
                    format!("compressed-tensors format `{other}`"),
                    "known: float-, int-, naive- and pack-quantized, nvfp4- and mxfp4-pack-quantized",
                ));
            }
        }
        let bits = bits(weights, &["num_bits"])?;
        let text = |key: &str| weights.get(key).and_then(Json::as_str).unwrap_or_default();
        let is_packed = format == "pack-quantized";
        let zero = if weights.get("symmetric").and_then(Json::as_bool) == Some(false) { bits } else { 0 };
        let activations = group.get("input_activations").and_then(Json::as_object);
        let has_input_scale =
            activations.is_some_and(|inputs| inputs.get("dynamic").and_then(Json::as_bool) == Some(false));
        let scheme = Self {
            bits,
            tensor_bytes: if is_packed { 16 } else { 0 } + if has_input_scale { 2 } else { 0 },
            ..Self::default()
        };
        Ok(Some(match text("strategy") {
            "channel" => Self { output_bytes: 2, ..scheme },
            "block" => {
                let block = weights.get("block_structure").and_then(Json::as_array);
                let side = |at: usize| block.and_then(|block| block.get(at)?.as_u64()).unwrap_or(128);
                Self { rows: side(0), group: side(1), group_bits: 16, ..scheme }
            }
            "group" | "tensor_group" => {
                // Activation ordering by group keeps the group of every input.
                let input_bytes = if text("actorder") == "group" { 4 } else { 0 };
                let group = group_size(weights, &["group_size"])?;
                Self { group, group_bits: 16 + zero, input_bytes, ..scheme }
            }
            _ => Self { tensor_bytes: scheme.tensor_bytes + 2, ..scheme },
        }))
    }

    /// Bytes of one matrix.
    pub fn bytes(self, inputs: u64, outputs: u64) -> Result<u64> {
        let weights = product("weight bytes", &[inputs, outputs])?;
        let codes = product("weight bytes", &[weights, self.bits])?.div_ceil(8);
        let groups = match self.group {
            0 => 0,
            WHOLE_ROW => 1,
            group => inputs.div_ceil(group),
        };
        let rows = outputs.div_ceil(self.rows.max(1));
        let scales = product("weight bytes", &[groups, rows, self.group_bits])?.div_ceil(8);
        let blocks = if self.flat == 0 { 0 } else { weights.div_ceil(self.flat) };
        let flat = product("weight bytes", &[blocks, self.group_bits])?.div_ceil(8);
        let nested = if self.flat_nested == 0 {
            0
        } else {
            product("weight bytes", &[blocks.div_ceil(self.flat_nested), 4])?
        };
        let per_output = product("weight bytes", &[outputs, self.output_bytes])?;
        let per_input = product("weight bytes", &[inputs, self.input_bytes])?;
        sum("weight bytes", [codes, scales, flat, nested, per_output, per_input, self.tensor_bytes])
    }
}

/// Stands for a group of all inputs (`group_size: -1`).
const WHOLE_ROW: u64 = u64::MAX;

/// The default of AwqConfig and GPTQConfig, where the key is missing.
fn default_group(error: Error) -> Result<u64> {
    if matches!(error, Error::MissingField { .. }) { Ok(128) } else { Err(error) }
}

fn group_size(config: &Map<String, Json>, keys: &[&str]) -> Result<u64> {
    let value = keys.iter().find_map(|key| config.get(*key)).filter(|value| !value.is_null());
    match value.map(|value| value.as_i64()) {
        Some(Some(-1)) => Ok(WHOLE_ROW),
        Some(Some(size @ 1..)) => Ok(size.unsigned_abs()),
        None => Err(Error::MissingField { field: keys[0].into(), looked_in: "quantization_config".into() }),
        _ => Err(Error::bad_value(keys[0], value.cloned().unwrap_or_default(), "-1 or at least 1")),
    }
}
