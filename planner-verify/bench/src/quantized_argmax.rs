//! The argmax of a matrix times a vector, with most rows read in eight bits.
//!
//! Greedy decoding needs the row of the last projection with the largest product with `x`, and no other
//! product. A copy of the matrix in eight bits gives every product to within a bound. The rows that the bound
//! leaves in question, a handful, are multiplied as they are. The token is the one that all products give, for
//! a quarter of the bytes of a matrix in f32.

use std::cmp::Ordering;

use candle_core::{DType, Device, Result, Tensor};
use pulp::{Simd, WithSimd};

use crate::{cpu, pages};

/// Columns that share a word.
const IN_WORD: usize = 4;

/// The value of a byte: `1 + byte / 256`, so that the byte is the top of an f32's mantissa.
const MANTISSA_SHIFT: u32 = 15;

/// The bits of 1, into which a byte is set.
const ONE: u32 = 0x3f80_0000;

/// The middle of the values of bytes.
const MIDDLE: f32 = 1.5;

/// A matrix `[rows, columns]` in eight bits.
#[derive(Debug)]
pub struct QuantizedArgmax {
    /// Word `i` of a row holds columns `i`, `i + columns / 4`, `i + 2 × columns / 4` and
    /// `i + 3 × columns / 4`, the first in its lowest byte.
    words: Vec<u32>,
    rows: Vec<RowScale>,
    columns: usize,
}

/// The scale of a row's bytes, and the row's distance from them.
#[derive(Debug, Clone, Copy)]
struct RowScale {
    scale: f32,
    /// The most by which a product differs from the bytes', divided by the norm of `x`.
    error: f32,
}

impl QuantizedArgmax {
    /// The copy of a matrix on a CPU. `None` on other devices, and where a word would hold columns of two rows.
    pub fn new(matrix: &Tensor) -> Result<Option<Self>> {
        let (rows, columns) = matrix.dims2()?;
        if !matrix.device().is_cpu() || !columns.is_multiple_of(IN_WORD) || columns == 0 {
            return Ok(None);
        }
        let mut quantized = Self {
            words: Vec::with_capacity(rows * columns / IN_WORD),
            rows: Vec::with_capacity(rows),
            columns,
        };
        /// Rows that are widened at once.
        const PART: usize = 1024;
        for first in (0..rows).step_by(PART) {
            let part = matrix.narrow(0, first, PART.min(rows - first))?.to_dtype(DType::F32)?;
            part.flatten_all()?.to_vec1::<f32>()?.chunks(columns).for_each(|row| quantized.push(row));
        }
        pages::collapse(&quantized.words);
        Ok(Some(quantized))
    }

    fn push(&mut self, row: &[f32]) {
        let absmax = row.iter().fold(0_f32, |most, value| most.max(value.abs()));
        // 127 steps on either side of the middle.
        let scale = absmax * 256.0 / 127.0;
        let byte = |value: f32| if scale > 0.0 { (value / scale * 256.0).round() as i32 + 128 } else { 128 };
        let quarter = self.columns / IN_WORD;
        let mut apart = 0.0;
        let mut squares = 0.0;
        for at in 0..quarter {
            let mut word = 0;
            for place in 0..IN_WORD {
                let value = row[at + place * quarter];
                let byte = byte(value).clamp(0, 255);
                word |= (byte as u32) << (8 * place);
                apart += (f64::from(value) - f64::from(scale) * f64::from(byte - 128) / 256.0).powi(2);
                squares += f64::from(value).powi(2);
            }
            self.words.push(word);
        }
        // By Cauchy and Schwarz. Sums in f32 add, for either way of computing the product, at most one
        // unit in the last place for each column; the bytes are summed as numbers up to 2.
        let rounding = f64::from(f32::EPSILON) * self.columns as f64;
        let summed = 4.0 * f64::from(scale) * (self.columns as f64).sqrt() + squares.sqrt();
        self.rows.push(RowScale { scale, error: (apart.sqrt() + rounding * summed) as f32 });
    }

    /// The rows whose product with `x` may be the largest, in their order.
    fn candidates(&self, x: &[f32]) -> Vec<u32> {
        let quarter = self.columns / IN_WORD;
        let mut products = vec![0.0; self.rows.len()];
        cpu::rows_shared_out(&self.words, quarter, &mut products, |arch, words, out| {
            arch.dispatch(BytesProducts { words, x, out });
        });
        let middle = MIDDLE * x.iter().sum::<f32>();
        let norm = x.iter().map(|x| x * x).sum::<f32>().sqrt() * (1.0 + f32::EPSILON * self.columns as f32);
        let bounds = |(product, row): (&f32, &RowScale)| {
            let (product, error) = (row.scale * (product - middle), row.error * norm);
            (product - error, product + error)
        };
        let best = products.iter().zip(&self.rows).map(|row| bounds(row).0).fold(f32::NEG_INFINITY, f32::max);
        // A value that is not a number may hide the largest product.
        let possible = |row| bounds(row).1.partial_cmp(&best) != Some(Ordering::Less);
        let all = products.iter().zip(&self.rows).enumerate();
        all.filter_map(|(at, row)| possible(row).then_some(at as u32)).collect()
    }

    /// The row of `matrix` with the largest product with `x` `[1, columns]`; `self` is its copy. `None` where
    /// too many rows are in question, or where numbers are not finite.
    pub fn argmax(&self, x: &Tensor, matrix: &Tensor) -> Result<Option<u32>> {
        let candidates = self.candidates(&x.flatten_all()?.to_vec1::<f32>()?);
        let few = candidates.len() * IN_WORD <= self.rows.len();
        if !few {
            return Ok(None);
        }
        let ids = Tensor::from_slice(&candidates, candidates.len(), &Device::Cpu)?;
        let products = cpu::row(x, &matrix.index_select(&ids, 0)?, None)?;
        let best = products.argmax(1)?.to_vec1::<u32>()?;
        Ok(best.first().and_then(|&at| candidates.get(at as usize)).copied())
    }
}

/// `out[row] += Σ (1 + byte / 256) × x`, the rows one after the other.
struct BytesProducts<'a> {
    words: &'a [u32],
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for BytesProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (width, last) = (self.x.len() / IN_WORD, self.out.len().saturating_sub(1));
        let quarter = |at: usize| S::as_simd_f32s(&self.x[at * width..][..width]);
        let x = [quarter(0), quarter(1), quarter(2), quarter(3)];
        let [(first, _), (second, _), (third, _), (fourth, _)] = x;
        let (mask, one) = (simd.splat_u32s(0xff << MANTISSA_SHIFT), simd.splat_u32s(ONE));
        let shifts = [MANTISSA_SHIFT, MANTISSA_SHIFT - 8, 16 - MANTISSA_SHIFT, 24 - MANTISSA_SHIFT]
            .map(|bits| simd.splat_u32s(bits));
        for places in cpu::together(self.out.len()) {
            let row = |place: usize| S::as_simd_u32s(&self.words[place.min(last) * width..][..width]);
            let rows = places.map(row);
            let [(a, _), (b, _), (c, _), (d, _)] = rows;
            let mut sums = [simd.splat_f32s(0.0); cpu::AT_ONCE];
            let columns = first.iter().zip(second).zip(third).zip(fourth);
            for ((((columns, &a), &b), &c), &d) in columns.zip(a).zip(b).zip(c).zip(d) {
                let (((&first, &second), &third), &fourth) = columns;
                for (sum, word) in sums.iter_mut().zip([a, b, c, d]) {
                    // The bytes from the lowest to the highest, each moved to the top of a mantissa.
                    let product = |sum: S::f32s, moved: S::u32s, x: S::f32s| {
                        let value = simd.or_u32s(simd.and_u32s(moved, mask), one);
                        simd.mul_add_f32s(simd.transmute_f32s_u32s(value), x, sum)
                    };
                    let lower = product(*sum, simd.wrapping_dyn_shl_u32s(word, shifts[0]), first);
                    let lower = product(lower, simd.wrapping_dyn_shl_u32s(word, shifts[1]), second);
                    let upper = product(lower, simd.wrapping_dyn_shr_u32s(word, shifts[2]), third);
                    *sum = product(upper, simd.wrapping_dyn_shr_u32s(word, shifts[3]), fourth);
                }
            }
            for ((place, sum), (_, rest)) in places.into_iter().zip(sums).zip(rows) {
                let Some(out) = self.out.get_mut(place) else { continue };
                *out += simd.reduce_sum_f32s(sum);
                for (at, word) in rest.iter().enumerate() {
                    for (byte, (_, x)) in word.to_le_bytes().into_iter().zip(x) {
                        *out += (1.0 + f32::from(byte) / 256.0) * x[at];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize) -> Tensor {
        Tensor::randn(0_f32, 1.0, (rows, columns), &Device::Cpu).unwrap()
    }

    #[test]
    fn the_largest_is_that_of_all_products() {
        for (rows, columns) in [(64, 4), (1025, 36), (2000, 768)] {
            for dtype in [DType::F32, DType::BF16] {
                let matrix = matrix(rows, columns).to_dtype(dtype).unwrap();
                let quantized = QuantizedArgmax::new(&matrix).unwrap().unwrap();
                for _ in 0..20 {
                    let x = Tensor::randn(0.5_f32, 1.0, (1, columns), &Device::Cpu).unwrap();
                    let all = cpu::row(&x, &matrix, None).unwrap();
                    let expected = all.argmax(1).unwrap().to_vec1::<u32>().unwrap()[0];
                    if let Some(found) = quantized.argmax(&x, &matrix).unwrap() {
                        assert_eq!(found, expected, "{rows} x {columns} {dtype:?}");
                    } else {
                        assert!(rows < 1000, "{rows} x {columns} {dtype:?}: too many candidates");
                    }
                }
            }
        }
    }

    #[test]
    fn no_product_is_outside_its_bound() {
        let (rows, columns) = (500, 100);
        let matrix = matrix(rows, columns);
        let quantized = QuantizedArgmax::new(&matrix).unwrap().unwrap();
        let x = Tensor::randn(3_f32, 1.0, (1, columns), &Device::Cpu).unwrap();
        let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
        let exact = cpu::row(&x, &matrix, None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut products = vec![0.0; rows];
        pulp::Arch::new().dispatch(BytesProducts { words: &quantized.words, x: &values, out: &mut products });
        let middle = MIDDLE * values.iter().sum::<f32>();
        for ((exact, product), row) in exact.iter().zip(products).zip(&quantized.rows) {
            let apart = (row.scale * (product - middle) - exact).abs();
            assert!(apart <= row.error * norm, "{apart} above {}", row.error * norm);
        }
    }

    #[test]
    fn equal_rows_give_the_first_and_what_is_not_finite_none() {
        let rows: Vec<f32> = [[1.0_f32, 0.0, 2.0, 0.0], [3.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
            .iter()
            .cycle()
            .take(60)
            .flatten()
            .copied()
            .collect();
        let mut padded = rows.clone();
        padded.extend([0.0; 4 * 200]);
        let matrix = Tensor::from_vec(padded, (260, 4), &Device::Cpu).unwrap();
        let quantized = QuantizedArgmax::new(&matrix).unwrap().unwrap();
        let x = |values: [f32; 4]| Tensor::from_slice(&values, (1, 4), &Device::Cpu).unwrap();
        assert_eq!(quantized.argmax(&x([1.0, 0.0, 0.0, 1.0]), &matrix).unwrap(), Some(1));
        assert_eq!(quantized.argmax(&x([f32::NAN, 0.0, 0.0, 1.0]), &matrix).unwrap(), None);
        // All products are 0: any row may be the one.
        assert_eq!(quantized.argmax(&x([0.0; 4]), &matrix).unwrap(), None);
        assert!(
            QuantizedArgmax::new(&Tensor::zeros((3, 6), DType::F32, &Device::Cpu).unwrap())
                .unwrap()
                .is_none()
        );
    }
}
