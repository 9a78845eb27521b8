//! Bytes of one quantized matrix: codes, scales, zero points and the small tensors beside them.

use serde_json::{Map, Value as Json};

use super::method::ONE_DTYPE;
use crate::error::{Code, Error, Result};
use crate::units::{product, sum};

/// The tensors of one quantized matrix `[outputs, inputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scheme {
    /// Bits of one code.
    pub(super) bits: u64,
    /// Whether a row of codes fills whole 32-bit words.
    pub(super) is_word_aligned: bool,
    /// Inputs that share a scale; 0 for none.
    pub(super) group: u64,
    /// Outputs that share a scale; 0 means 1.
    pub(super) rows: u64,
    /// Bits of a scale.
    pub(super) group_bits: u64,
    /// Bits of a zero point, one for each scale. Where codes fill whole words, so do the zero points of a
    /// group.
    pub(super) zero_bits: u64,
    /// Weights that share a scale where the matrix counts as one long row; 0 for none.
    pub(super) flat: u64,
    /// How many of these scales share a second scale of 4 bytes; 0 for none.
    pub(super) flat_nested: u64,
    /// Further bytes for every output.
    pub(super) output_bytes: u64,
    /// Further bytes for every input.
    pub(super) input_bytes: u64,
    /// Further bytes.
    pub(super) tensor_bytes: u64,
}

fn number(config: &Map<String, Json>, key: &str) -> Option<u64> {
    config.get(key).and_then(Json::as_u64)
}

pub(super) fn bits(config: &Map<String, Json>, keys: &[&str]) -> Result<u64> {
    match keys.iter().find_map(|key| number(config, key)) {
        Some(bits @ (2 | 3 | 4 | 8)) => Ok(bits),
        Some(other) => Err(Error::bad_value(keys[0], other, words!("2, 3, 4 or 8"))),
        None => Err(Error::missing(keys[0], words!("`quantization_config`"))),
    }
}

impl Scheme {
    /// `quant_method: fp8` (DeepSeek, Qwen): a byte a weight, and an f32 scale for every block or tensor.
    /// Static activations have one more scale. With `e8m0_scales` (DeepSeek V4) a scale is one byte.
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
            _ => Err(Error::bad_value(
                "weight_block_size",
                Json::from(block.clone()),
                words!("two whole numbers"),
            )),
        }
    }

    /// `quant_method: fbgemm_fp8`: a byte a weight, an f32 scale per output.
    pub fn fp8_rows() -> Self {
        Self { bits: 8, output_bytes: 4, ..Self::default() }
    }

    /// AWQ (`WQLinear_GEMM`): codes and zero points packed in int32, an fp16 scale per group.
    pub fn awq(config: &Map<String, Json>) -> Result<Self> {
        // AwqConfig's defaults: 4 bits in groups of 128.
        let named = config.contains_key("bits") || config.contains_key("w_bit");
        let bits = if named { bits(config, &["bits", "w_bit"])? } else { 4 };
        let version = config.get("version").and_then(Json::as_str).unwrap_or("gemm");
        if !version.eq_ignore_ascii_case("gemm") {
            return Err(Error::refused(
                Code::WeightsAwqVersion,
                words!("the version whose bytes are known is gemm"),
            )
            .about(say!("version `{0}` of quant_method `awq`", version))
            .way_out(ONE_DTYPE));
        }
        let group = group_size(config, &["group_size", "q_group_size"]).or_else(default_group)?;
        // The layer has zero points whatever `zero_point` says.
        Ok(Self { bits, is_word_aligned: true, group, group_bits: 16, zero_bits: bits, ..Self::default() })
    }

    /// GPTQ: `qweight`, `qzeros`, fp16 `scales` per group, and `g_idx` with four bytes an input.
    pub fn gptq(config: &Map<String, Json>) -> Result<Self> {
        let bits = bits(config, &["bits"])?;
        let group = group_size(config, &["group_size"]).or_else(default_group)?;
        Ok(Self {
            bits,
            is_word_aligned: true,
            group,
            group_bits: 16,
            zero_bits: bits,
            input_bytes: 4,
            ..Self::default()
        })
    }

    /// bitsandbytes. In 8 bits: an f32 scale for every output (`SCB`). In 4 bits: an `absmax` for every 64
    /// weights, in f32; under double quantization a byte, with an f32 for 256 of them. The code tables are 16
    /// and 256 f32.
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

    /// OCP microscaling: a scale of one byte for 32 weights.
    pub fn mx(bits: u64) -> Self {
        Self { bits, group: 32, group_bits: 8, ..Self::default() }
    }

    /// ModelOpt's algorithms. Each matrix has an f32 scale of its weights, and one of its input where
    /// activations are quantized.
    pub fn modelopt(algorithm: &str) -> Result<Self> {
        let float = |group: u64, tensor_bytes: u64| Self {
            bits: 4,
            group,
            group_bits: 8,
            tensor_bytes,
            ..Self::default()
        };
        Ok(match algorithm.to_ascii_uppercase().as_str() {
            "FP8" => Self { bits: 8, tensor_bytes: 8, ..Self::default() },
            "FP8_PER_CHANNEL_PER_TOKEN" | "W8A16" => Self::fp8_rows(),
            "W8A8_SQ_PER_CHANNEL" => Self { input_bytes: 2, tensor_bytes: 4, ..Self::fp8_rows() },
            "FP8_PB_WO" => Self { bits: 8, rows: 128, group: 128, group_bits: 32, ..Self::default() },
            "NVFP4" | "W4A4_NVFP4" => float(16, 8),
            "W4A16_NVFP4" => float(16, 4),
            "W4A8_NVFP4_FP8" => float(32, 8),
            "MXFP4" => Self::mx(4),
            "MXFP8" => Self::mx(8),
            _ => {
                return Err(Error::refused(
                    Code::WeightsUnknownAlgorithm,
                    words!(
                        "those whose bytes are known are FP8, FP8_PER_CHANNEL_PER_TOKEN, FP8_PB_WO, NVFP4, W4A16_NVFP4, W4A8_NVFP4_FP8, MXFP4, MXFP8, W8A16, W8A8_SQ_PER_CHANNEL and MIXED_PRECISION"
                    ),
                )
                .about(say!("quant_algo `{0}`", algorithm))
                .way_out(ONE_DTYPE));
            }
        })
    }

    /// Bytes of one matrix.
    pub fn bytes(self, inputs: u64, outputs: u64) -> Result<u64> {
        let weights = product(words!("weight bytes"), &[inputs, outputs])?;
        let codes = if self.is_word_aligned {
            product(words!("weight bytes"), &[outputs, words(inputs, self.bits)?, 4])?
        } else {
            product(words!("weight bytes"), &[weights, self.bits])?.div_ceil(8)
        };
        let groups = match self.group {
            0 => 0,
            WHOLE_ROW => 1,
            group => inputs.div_ceil(group),
        };
        let rows = outputs.div_ceil(self.rows.max(1));
        let scales = product(words!("weight bytes"), &[groups, rows, self.group_bits])?.div_ceil(8);
        let zeros = match self.zero_bits {
            0 => 0,
            bits if self.is_word_aligned => {
                product(words!("weight bytes"), &[groups, words(rows, bits)?, 4])?
            }
            bits => product(words!("weight bytes"), &[groups, rows, bits])?.div_ceil(8),
        };
        let blocks = if self.flat == 0 { 0 } else { weights.div_ceil(self.flat) };
        let flat = product(words!("weight bytes"), &[blocks, self.group_bits])?.div_ceil(8);
        let nested = if self.flat_nested == 0 {
            0
        } else {
            product(words!("weight bytes"), &[blocks.div_ceil(self.flat_nested), 4])?
        };
        let per_output = product(words!("weight bytes"), &[outputs, self.output_bytes])?;
        let per_input = product(words!("weight bytes"), &[inputs, self.input_bytes])?;
        sum(
            words!("weight bytes"),
            [codes, scales, zeros, flat, nested, per_output, per_input, self.tensor_bytes],
        )
    }
}

/// 32-bit words that hold `count` codes.
fn words(count: u64, bits: u64) -> Result<u64> {
    Ok(product(words!("weight bytes"), &[count, bits])?.div_ceil(32))
}

/// Stands for a group of all inputs (`group_size: -1`).
pub(super) const WHOLE_ROW: u64 = u64::MAX;

/// The default of AwqConfig and GPTQConfig, where the key is missing.
fn default_group(error: Error) -> Result<u64> {
    if matches!(error, Error::MissingField { .. }) { Ok(128) } else { Err(error) }
}

pub(super) fn group_size(config: &Map<String, Json>, keys: &[&str]) -> Result<u64> {
    let value = keys.iter().find_map(|key| config.get(*key)).filter(|value| !value.is_null());
    match value.map(|value| value.as_i64()) {
        Some(Some(-1)) => Ok(WHOLE_ROW),
        Some(Some(size @ 1..)) => Ok(size.unsigned_abs()),
        None => Err(Error::missing(keys[0], words!("`quantization_config`"))),
        _ => Err(Error::bad_value(keys[0], value.cloned().unwrap_or_default(), words!("-1 or at least 1"))),
    }
}
