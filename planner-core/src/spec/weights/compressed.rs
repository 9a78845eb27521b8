//! compressed-tensors: the tensors of one group of `config_groups`.
//!
//! Scales are in the model's dtype. Packed integers have their shape in two int64. Rows of codes fill whole
//! 32-bit words; zero points are packed along the outputs (compressors/pack_quantized of 0.20).

use serde_json::{Map, Value as Json};

use super::method::ONE_DTYPE;
use super::scheme::{Scheme, bits, group_size};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};

fn text<'a>(config: &'a Map<String, Json>, key: &str) -> &'a str {
    config.get(key).and_then(Json::as_str).unwrap_or_default()
}

impl Scheme {
    /// One group; `None` where only activations or the cache are quantized.
    pub fn compressed(
        config: &Map<String, Json>,
        group: &Map<String, Json>,
        dtype: DType,
    ) -> Result<Option<Self>> {
        let Some(weights) = group.get("weights").and_then(Json::as_object) else { return Ok(None) };
        let inputs = group.get("input_activations").and_then(Json::as_object);
        let own = text(group, "format");
        let format = if own.is_empty() { text(config, "format") } else { own };
        match format {
            "mxfp4-pack-quantized" => return Ok(Some(Self::mx(4))),
            "mxfp8-quantized" => return Ok(Some(Self::mx(8))),
            "nvfp4-pack-quantized" => {
                let algorithm = if inputs.is_some() { "NVFP4" } else { "W4A16_NVFP4" };
                return Self::modelopt(algorithm).map(Some);
            }
            // Files from before 2026 have one format for groups that differ.
            "" | "mixed-precision" | "float-quantized" | "int-quantized" | "naive-quantized"
            | "pack-quantized" | "dense" => {}
            other => {
                return Err(Error::refused(
                    Code::WeightsUnknownFormat,
                    words!(
                        "those whose bytes are known are float-quantized, int-quantized, naive-quantized, pack-quantized, nvfp4-pack-quantized, mxfp4-pack-quantized and mxfp8-quantized"
                    ),
                )
                .about(say!("compressed-tensors format `{0}`", other))
                .way_out(ONE_DTYPE));
            }
        }
        let scale = dtype.row_bytes(1)?;
        let bits = bits(weights, &["num_bits"])?;
        let is_packed = format == "pack-quantized";
        let is_lopsided =
            |side: &Map<String, Json>| side.get("symmetric").and_then(Json::as_bool) == Some(false);
        // An int8 each, unless they are packed like the codes.
        let zero = match (is_lopsided(weights), is_packed) {
            (false, _) => 0,
            (true, true) => bits,
            (true, false) => 8,
        };
        let input = inputs.filter(|inputs| inputs.get("dynamic").and_then(Json::as_bool) == Some(false));
        let input_bytes = input.map_or(0, |inputs| scale + u64::from(is_lopsided(inputs)));
        let scheme = Self {
            bits: if is_packed { bits } else { bits.max(8) },
            is_word_aligned: is_packed,
            tensor_bytes: if is_packed { 16 } else { 0 } + input_bytes,
            ..Self::default()
        };
        let scale_bits = 8 * scale;
        Ok(Some(match text(weights, "strategy") {
            "channel" => {
                Self { group: super::scheme::WHOLE_ROW, group_bits: scale_bits, zero_bits: zero, ..scheme }
            }
            "block" => {
                let block = weights.get("block_structure").and_then(Json::as_array);
                let side = |at: usize| block.and_then(|block| block.get(at)?.as_u64()).unwrap_or(128);
                Self { rows: side(0), group: side(1), group_bits: scale_bits, zero_bits: zero, ..scheme }
            }
            "group" | "tensor_group" => {
                // With activation ordering by group, the group of every input is stored.
                let input_bytes = if text(weights, "actorder") == "group" { 4 } else { 0 };
                let group = group_size(weights, &["group_size"])?;
                Self { group, group_bits: scale_bits, zero_bits: zero, input_bytes, ..scheme }
            }
            _ => Self { tensor_bytes: scheme.tensor_bytes + scale + zero.div_ceil(8), ..scheme },
        }))
    }
}
