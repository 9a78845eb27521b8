//! Storage types of cached rows and weights: the bytes of a row of elements.
//!
//! A type is a block of `elements` stored in `bytes`; a row is a whole number of blocks. The GGML
//! block sizes are those of `ggml-common.h` (`block_q8_0` is 32 int8 and one f16 scale: 34 bytes).

use crate::error::{Error, Result};
use crate::text::Sentence;
use crate::units::product;

/// A storage type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DType {
    /// Name as on the command line.
    pub name: &'static str,
    /// Elements of one block.
    pub elements: u64,
    /// Bytes of one block.
    pub bytes: u64,
}

macro_rules! dtypes {
    ($($constant:ident $name:literal $elements:literal $bytes:literal $(, $alias:literal)*;)*) => {
        impl DType {
            $(#[doc = concat!("`", $name, "`: ", stringify!($elements), " element(s) in ", stringify!($bytes), " byte(s).")]
            pub const $constant: Self = Self { name: $name, elements: $elements, bytes: $bytes };)*
            /// Every type, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];
            /// The type of a name or an alias.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $alias)* => Some(Self::$constant),)*
                    _ => None,
                }
            }
        }
    };
}

dtypes! {
    F32 "f32" 1 4, "float32", "fp32", "float";
    F16 "f16" 1 2, "float16", "fp16", "half";
    BF16 "bf16" 1 2, "bfloat16";
    FP8 "fp8" 1 1, "fp8_e4m3", "fp8_e5m2", "float8_e4m3fn", "float8_e5m2";
    INT8 "int8" 1 1, "i8";
    INT4 "int4" 2 1, "i4";
    Q8_0 "q8_0" 32 34;
    Q5_1 "q5_1" 32 24;
    Q5_0 "q5_0" 32 22;
    Q4_1 "q4_1" 32 20;
    Q4_0 "q4_0" 32 18;
    IQ4_NL "iq4_nl" 32 18;
}

impl DType {
    /// Bytes of one row of `elements`, in whole blocks.
    pub fn row_bytes(self, elements: u64) -> Result<u64> {
        product(words!("bytes of a cache row"), &[elements.div_ceil(self.elements), self.bytes])
    }

    /// The type of a name, or an error that lists the known ones.
    pub fn parse(flag: &str, name: &str) -> Result<Self> {
        Self::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|dtype| dtype.name).collect();
            Error::bad_value(flag, name, say!("`auto` or one of {0}", Sentence::list(known)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(DType::BF16.row_bytes(128), Ok(256));
        assert_eq!(DType::Q8_0.row_bytes(128), Ok(136));
        assert_eq!(DType::Q4_0.row_bytes(33), Ok(36));
        assert_eq!(DType::INT4.row_bytes(5), Ok(3));
    }
}
