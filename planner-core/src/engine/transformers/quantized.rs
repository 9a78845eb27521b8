//! `QuantizedCache`: what its layers hold after a prompt.
//!
//! - quanto (`int4`, `int2`) and hqq (`hqq_int8` to `hqq_int1`): groups of 64 elements, over all sessions
//!   together. Each group has a scale and a zero point in the model's dtype.
//! - quanto packs elements of several groups into a byte, by their position in the group, so an odd number of
//!   groups is padded. hqq packs the elements of one group: in three bits, ten into an int32.
//! - fp8: a byte an element, and a scale of 4 bytes for the keys and one for the values of a layer, whatever
//!   the batch.
//!
//! In the integer layers, up to 127 tokens after the prompt wait unquantized.

use crate::engine::ResolvedRequest;
use crate::engine::common::kv_dtypes;
use crate::engine::flag_support;
use crate::error::{Code, Error, Result};
use crate::request::{CacheKind, Request};
use crate::spec::layer::{Content, Extent, Layer, Store};
use crate::spec::model::Note;
use crate::text::Words;
use crate::units::{product, sum};

/// `q_group_size`.
const GROUP: u64 = 64;
/// `residual_length`.
const RESIDUAL: u64 = 128;
/// Bytes of one scale of an fp8 layer: a float32 scalar.
const FP8_SCALE: u64 = 4;
const WHAT: Words = words!("bytes of a quantized cache");
/// Values of `--kv-dtype`, for a refusal.
pub(super) const NAMES: Words =
    words!("auto, f32, f16, bf16, fp8, int4, int2, hqq_int8, hqq_int4, hqq_int3, hqq_int2 or hqq_int1");

/// How elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Fp8,
    Quanto { bits: u64 },
    Hqq { bits: u64 },
}

impl Stored {
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "fp8" | "fp8_e4m3" => Self::Fp8,
            "int4" | "i4" | "quanto_int4" => Self::Quanto { bits: 4 },
            "int2" | "quanto_int2" => Self::Quanto { bits: 2 },
            "int8" | "i8" | "hqq_int8" => Self::Hqq { bits: 8 },
            "hqq_int4" => Self::Hqq { bits: 4 },
            "hqq_int3" => Self::Hqq { bits: 3 },
            "hqq_int2" => Self::Hqq { bits: 2 },
            "hqq_int1" => Self::Hqq { bits: 1 },
            _ => return None,
        })
    }

    /// The package that packs the elements.
    pub fn backend(self) -> &'static str {
        match self {
            Self::Fp8 => "fp8",
            Self::Quanto { .. } => "quanto",
            Self::Hqq { .. } => "hqq",
        }
    }

    /// Bytes of the keys or the values of one layer: `elements` of all sessions; a scale takes `scale` bytes.
    pub fn side(self, elements: u64, scale: u64) -> Result<u64> {
        let groups = elements.div_ceil(GROUP);
        let packed = match self {
            Self::Fp8 => return sum(WHAT, [elements, FP8_SCALE]),
            Self::Quanto { bits } => product(WHAT, &[groups.div_ceil(8 / bits), GROUP])?,
            Self::Hqq { bits: 3 } => product(WHAT, &[groups, GROUP.div_ceil(10), 4])?,
            Self::Hqq { bits } => product(WHAT, &[groups, GROUP * bits / 8])?,
        };
        // quanto takes a tensor with a single group for 64 groups of one element.
        let scales = if groups == 1 && matches!(self, Self::Quanto { .. }) { GROUP } else { groups };
        sum(WHAT, [packed, product(WHAT, &[scales, 2, scale])?])
    }

    /// A note on tokens after the prompt.
    pub fn note(self) -> Option<Note> {
        let kept = RESIDUAL - 1;
        let text = say!(
            "the cache of a prompt: up to {0} tokens generated after it wait unquantized until they are quantized together",
            kept
        );
        (self != Self::Fp8).then(|| Note::new("quantized_prompt", text))
    }
}

/// The quantized storage that a request asks for: by `--cache quantized`, or by the name of a dtype.
pub(super) fn asked(request: &Request) -> Result<Option<Stored>> {
    let name = flag_support::kv_dtype(request);
    let stored = match name {
        None if request.cache == CacheKind::Quantized => Some(Stored::Quanto { bits: 4 }),
        None => None,
        Some(name) => Stored::of_name(name),
    };
    match stored {
        None if request.cache == CacheKind::Quantized => Err(Error::bad_value(
            "--kv-dtype",
            name.unwrap_or_default(),
            words!(
                "left out or a quantized type with --cache quantized: fp8, int4, int2, hqq_int8, hqq_int4, hqq_int3, \
             hqq_int2 or hqq_int1"
            ),
        )),
        Some(_) if request.cache == CacheKind::Static => Err(Error::bad_value(
            "--cache",
            "static",
            words!("quantized: transformers has no static quantized cache"),
        )),
        None if kv_dtypes(request, crate::dtype::DType::BF16).is_err() => {
            Err(Error::bad_value("--kv-dtype", name.unwrap_or_default(), NAMES))
        }
        stored => Ok(stored),
    }
}

/// `QuantizedCache` makes one layer for each configured layer, and for full attention only. Elements must
/// divide into groups.
pub(super) fn check(
    run: &ResolvedRequest<'_>,
    stored: Stored,
    kept: impl Fn(&Layer) -> Vec<&Store>,
) -> Result<()> {
    let model = run.model;
    let plain = |layer: &Layer| {
        layer.owner.is_none()
            && matches!(
                kept(layer).as_slice(),
                [Store {
                    extent: Extent::Full,
                    content: Content::KeysValues { .. } | Content::Latent { .. },
                    tokens_per_row: 1,
                    ..
                }]
            )
    };
    if model.config_layers != model.layers.len() as u64 || !model.layers.iter().all(plain) {
        return Err(Error::refused(
            Code::TransformersQuantizedCache,
            words!("its QuantizedCache takes only models whose every layer is full attention"),
        )
        .about("--kv-dtype")
        .way_out(say!("use {0}", "--kv-dtype auto")));
    }
    if stored == Stored::Fp8 {
        return Ok(());
    }
    let rows = product(WHAT, &[run.tokens, run.parallel.users_per_replica(run.request.users)])?;
    for store in model.layers.iter().flat_map(kept) {
        for width in sides(store) {
            if !product(WHAT, &[rows, width])?.is_multiple_of(GROUP) {
                return Err(Error::bad_value(
                    "--seq",
                    run.tokens,
                    say!(
                        "such that all sessions' elements divide into groups of {0}, as transformers asks",
                        GROUP
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Elements of one token in the two tensors of a layer.
pub(super) fn sides(store: &Store) -> [u64; 2] {
    match store.content {
        Content::KeysValues { heads, k_dim, v_dim } => {
            [heads.saturating_mul(k_dim), heads.saturating_mul(v_dim)]
        }
        Content::Latent { rank, rope } => [rank, rope],
        _ => [0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes in optimum-quanto 0.2.7 and hqq 0.2.8 for 2 heads of 64 and 7 tokens, keys or values of a layer.
    #[test]
    fn groups_of_64_have_a_scale_and_a_zero_point() {
        let side = |stored: Stored| stored.side(2 * 64 * 7, 2).unwrap_or(0);
        assert_eq!(side(Stored::Quanto { bits: 4 }), 448 + 28 + 28);
        assert_eq!(side(Stored::Quanto { bits: 2 }), 256 + 28 + 28);
        assert_eq!(side(Stored::Hqq { bits: 8 }), 896 + 28 + 28);
        assert_eq!(side(Stored::Hqq { bits: 3 }), 392 + 28 + 28);
        assert_eq!(side(Stored::Hqq { bits: 1 }), 112 + 28 + 28);
        assert_eq!(side(Stored::Fp8), 896 + 4);
    }
}
