//! What llama.cpp refuses, in its order (`llama_init_from_model`, `src/llama-context.cpp`, `0c1e57098`), and
//! the row layout that follows from its checks.

use super::caches::Rows;
use super::hparams::Hparams;
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::request::FlashAttention;
use crate::text::Sentence;

/// Cache types of llama.cpp's tools (`kv_cache_types`, `common/arg.cpp`).
const TYPES: &[DType] = &[
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::Q8_0,
    DType::Q4_0,
    DType::Q4_1,
    DType::IQ4_NL,
    DType::Q5_0,
    DType::Q5_1,
];

/// A cache type by name. `auto`, or no name, is f16 whatever the model's dtype.
pub fn cache_type(flag: &str, name: Option<&str>) -> Result<DType> {
    let Some(name) = name else { return Ok(DType::F16) };
    let known = DType::from_name(name).filter(|dtype| TYPES.contains(dtype));
    known.ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|dtype| dtype.name).collect();
        Error::bad_value(flag, name, say!("a cache type of llama.cpp: {0}", Sentence::list(names)))
    })
}

fn is_quantized(dtype: DType) -> bool {
    dtype.elements > 1
}

/// Applies the checks of flash attention and cache types.
pub fn rows(shape: &Hparams, k: DType, v: DType, asked: FlashAttention) -> Result<Rows> {
    // Grok has flash attention off before any check
    let flash = if shape.arch == "grok" { FlashAttention::Off } else { asked };
    if (shape.mla || shape.is_compressed()) && k != v {
        let words = format!("model does not support different K ({}) and V ({}) cache types", k.name, v.name);
        return Err(Error::quoted(Code::LlamacppOneKvDtype, words)
            .about("--v-dtype")
            .way_out(say!("use {0}", format!("--kv-dtype {}", k.name))));
    }
    if is_quantized(v) && flash == FlashAttention::Off {
        let words = "quantized V cache requires flash_attn to be enabled";
        return Err(Error::quoted(Code::LlamacppQuantizedVWithoutFlashAttention, words)
            .about("--v-dtype")
            .way_out(say!("use {0} or {1}", "--flash-attn on", "--v-dtype f16")));
    }
    if flash != FlashAttention::Off {
        let trunk = shape.layers.get(..shape.trunk).unwrap_or(&shape.layers);
        for (dtype, name) in [(k, "k"), (v, "v")] {
            let mut widths = trunk.iter().map(|layer| if name == "k" { layer.k } else { layer.v });
            let odd = widths.find(|width| !width.is_multiple_of(dtype.elements));
            if let Some(width) = odd.filter(|_| is_quantized(dtype)) {
                let words = format!(
                    "{} cache type {} with block size {} does not divide n_embd_head_{name}={width}",
                    name.to_uppercase(),
                    dtype.name,
                    dtype.elements,
                );
                return Err(Error::quoted(Code::LlamacppHeadNotDivided, words)
                    .about(format!("--{name}-dtype"))
                    .way_out(say!("use {0}", format!("--{name}-dtype f16"))));
            }
        }
    }
    Ok(Rows { k, v, transposed: flash == FlashAttention::Off })
}
