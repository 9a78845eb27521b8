//! Decoding one token on a CPU at the speed of the memory.
//!
//! candle multiplies a single row by a dense matrix on one thread. Here the matrix's rows are divided over all
//! threads, and each reads four rows at once, so that more memory reads are in flight.

use std::sync::Mutex;

use candle_core::utils::barrier_pool;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, WithDType};
use half::bf16;
use half::slice::HalfFloatSliceExt;
use pulp::{Arch, Simd, WithSimd, bytemuck};

/// Rows that are read at once.
pub(super) const AT_ONCE: usize = 4;

/// Shares of the work per thread: the faster one takes more of them.
const SHARES: usize = 12;

/// Which rows of `count` are read together in each step: one of each quarter. They are far apart, because a
/// processor prefetches once for each page of memory, and rows are often shorter than a page. In the last steps
/// a row may lie beyond the end.
pub(super) fn together(rows: usize) -> impl Iterator<Item = [usize; AT_ONCE]> {
    let step = rows.div_ceil(AT_ONCE);
    (0..step).map(move |at| [at, at + step, at + 2 * step, at + 3 * step])
}

/// `out[row] += rows[row] · x`, the rows one after the other.
struct Products<'a> {
    rows: &'a [f32],
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (width, last) = (self.x.len(), self.out.len().saturating_sub(1));
        let (x, x_rest) = S::as_simd_f32s(self.x);
        for places in together(self.out.len()) {
            let row = |place: usize| S::as_simd_f32s(&self.rows[place.min(last) * width..][..width]);
            let rows = places.map(row);
            let [(a, _), (b, _), (c, _), (d, _)] = rows;
            let mut sums = [simd.splat_f32s(0.0); AT_ONCE];
            for ((((&x, &a), &b), &c), &d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
                sums[0] = simd.mul_add_f32s(a, x, sums[0]);
                sums[1] = simd.mul_add_f32s(b, x, sums[1]);
                sums[2] = simd.mul_add_f32s(c, x, sums[2]);
                sums[3] = simd.mul_add_f32s(d, x, sums[3]);
            }
            for ((place, sum), (_, rest)) in places.into_iter().zip(sums).zip(rows) {
                if let Some(out) = self.out.get_mut(place) {
                    let rest = rest.iter().zip(x_rest).map(|(a, b)| a * b).sum::<f32>();
                    *out += simd.reduce_sum_f32s(sum) + rest;
                }
            }
        }
    }
}

/// [`Products`] of rows in bf16, two columns in a word. A bf16 is the upper half of an f32.
struct PairedProducts<'a> {
    rows: &'a [u32],
    /// Of the columns in the lower halves, and of those in the upper ones.
    x: [&'a [f32]; 2],
    out: &'a mut [f32],
}

/// A word with the lower half's number, and one with the upper half's.
fn halves(pair: u32) -> [f32; 2] {
    [pair << 16, pair & !0xffff].map(f32::from_bits)
}

/// Rows of `columns` columns as words; `None` where a word would hold columns of two rows.
fn pairs(rows: &[bf16], columns: usize) -> Option<&[u32]> {
    let even = columns.is_multiple_of(2);
    even.then(|| bytemuck::try_cast_slice::<u16, u32>(rows.reinterpret_cast()).ok()).flatten()
}

impl WithSimd for PairedProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (width, last) = (self.x[0].len(), self.out.len().saturating_sub(1));
        let [(low, low_rest), (high, high_rest)] = self.x.map(S::as_simd_f32s);
        let (shift, mask) = (simd.splat_u32s(16), simd.splat_u32s(!0xffff));
        for places in together(self.out.len()) {
            let row = |place: usize| S::as_simd_u32s(&self.rows[place.min(last) * width..][..width]);
            let rows = places.map(row);
            let [(a, _), (b, _), (c, _), (d, _)] = rows;
            let mut sums = [simd.splat_f32s(0.0); AT_ONCE];
            for (((((&low, &high), &a), &b), &c), &d) in low.iter().zip(high).zip(a).zip(b).zip(c).zip(d) {
                for (sum, pairs) in sums.iter_mut().zip([a, b, c, d]) {
                    let lower = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(pairs, shift));
                    let upper = simd.transmute_f32s_u32s(simd.and_u32s(pairs, mask));
                    *sum = simd.mul_add_f32s(upper, high, simd.mul_add_f32s(lower, low, *sum));
                }
            }
            for ((place, sum), (_, rest)) in places.into_iter().zip(sums).zip(rows) {
                let Some(out) = self.out.get_mut(place) else { continue };
                *out += simd.reduce_sum_f32s(sum);
                for ((&pair, low), high) in rest.iter().zip(low_rest).zip(high_rest) {
                    let [lower, upper] = halves(pair);
                    *out += lower * low + upper * high;
                }
            }
        }
    }
}

/// `out += Σ share[row] × rows[row]`.
struct Mix<'a> {
    rows: &'a [f32],
    shares: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (width, last) = (self.out.len(), self.shares.len().saturating_sub(1));
        let (out, out_rest) = S::as_mut_simd_f32s(self.out);
        for places in together(self.shares.len()) {
            let row = |place: usize| S::as_simd_f32s(&self.rows[place.min(last) * width..][..width]);
            let rows = places.map(row);
            let [(a, _), (b, _), (c, _), (d, _)] = rows;
            let shares = places.map(|place| self.shares.get(place).copied().unwrap_or(0.0));
            let all = shares.map(|share| simd.splat_f32s(share));
            // The output is read and written once for four rows.
            for ((((out, &a), &b), &c), &d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let ab = simd.mul_add_f32s(all[1], b, simd.mul_add_f32s(all[0], a, *out));
                *out = simd.mul_add_f32s(all[3], d, simd.mul_add_f32s(all[2], c, ab));
            }
            for (share, (_, rest)) in shares.into_iter().zip(rows) {
                for (out, value) in out_rest.iter_mut().zip(rest) {
                    *out += share * value;
                }
            }
        }
    }
}

/// Runs a function over parts of a vector on all threads.
fn shared_out(out: &mut [f32], part: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    // Each part is locked once, by the thread that takes it.
    let parts: Vec<Mutex<&mut [f32]>> = out.chunks_mut(part.max(1)).map(Mutex::new).collect();
    barrier_pool().execute_chunked(parts.len(), |range| {
        for at in range {
            if let Some(Ok(mut out)) = parts.get(at).map(Mutex::lock) {
                work(at, &mut out);
            }
        }
    });
}

fn elements<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let all = storage.as_slice::<T>()?;
    all.get(layout.start_offset()..)
        .ok_or_else(|| candle_core::Error::Msg("a tensor starts beyond its storage".into()))
}

/// Runs a function on all threads, each with a part of a matrix and of its rows' results.
pub(super) fn rows_shared_out<T: Sync>(
    matrix: &[T],
    width: usize,
    out: &mut [f32],
    work: impl Fn(Arch, &[T], &mut [f32]) + Sync,
) {
    let shares = SHARES * (barrier_pool().n_workers() + 1);
    let part = out.len().div_ceil(shares).next_multiple_of(AT_ONCE);
    let arch = Arch::new();
    shared_out(out, part, |at, out| work(arch, &matrix[at * part * width..][..out.len() * width], out));
}

/// One row times the transpose of a matrix, plus a bias.
struct Row<'a> {
    bias: Option<&'a [f32]>,
}

impl CustomOp2 for Row<'_> {
    fn name(&self) -> &'static str {
        "row"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = weight_layout.shape().dims2()?;
        if !weight_layout.is_contiguous()
            || !x_layout.is_contiguous()
            || x_layout.shape().dims() != [1, inputs]
        {
            candle_core::bail!("one row is multiplied by whole matrices only");
        }
        let x = &elements::<f32>(x, x_layout)?[..inputs];
        let mut out = match self.bias {
            Some(bias) => bias.to_vec(),
            None => vec![0.0; outputs],
        };
        match weight {
            CpuStorage::BF16(_) => {
                let weight = &elements::<bf16>(weight, weight_layout)?[..outputs * inputs];
                match pairs(weight, inputs) {
                    Some(words) => {
                        let (low, high): (Vec<f32>, Vec<f32>) =
                            x.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
                        let x = [low.as_slice(), &high];
                        rows_shared_out(words, inputs / 2, &mut out, |arch, rows, out| {
                            arch.dispatch(PairedProducts { rows, x, out });
                        });
                    }
                    None => rows_shared_out(weight, inputs, &mut out, |_, rows, out| {
                        for (row, out) in rows.chunks(inputs).zip(out) {
                            *out += row.iter().zip(x).map(|(value, x)| value.to_f32() * x).sum::<f32>();
                        }
                    }),
                }
            }
            _ => {
                let weight = &elements::<f32>(weight, weight_layout)?[..outputs * inputs];
                rows_shared_out(weight, inputs, &mut out, |arch, rows, out| {
                    arch.dispatch(Products { rows, x, out });
                });
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((1, outputs))))
    }
}

/// One row `[1, inputs]` in f32 times the transpose of `weight` `[outputs, inputs]` in f32 or bf16, plus
/// a bias.
pub fn row(x: &Tensor, weight: &Tensor, bias: Option<&[f32]>) -> Result<Tensor> {
    x.apply_op2_no_bwd(weight, &Row { bias })
}

/// Attention of one token.
struct Attend;

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (heads, _, width) = q_layout.shape().dims3()?;
        let (kv_heads, rows, _) = k_layout.shape().dims3()?;
        let plain = |layout: &Layout| layout.stride().get(1..) == Some(&[width, 1][..]);
        if !q_layout.is_contiguous() || !plain(k_layout) || !plain(v_layout) {
            candle_core::bail!("rows of a head must lie one after the other");
        }
        let q = elements::<f32>(q, q_layout)?;
        let (keys, values) = (elements::<f32>(k, k_layout)?, elements::<f32>(v, v_layout)?);
        let (k_step, v_step) = (k_layout.stride()[0], v_layout.stride()[0]);
        let mut out = vec![0.0; heads * width];
        let arch = Arch::new();
        shared_out(&mut out, width, |head, out| {
            let kv_head = head * kv_heads / heads;
            let q = &q[head * width..(head + 1) * width];
            let mut shares = vec![0.0; rows];
            let rows_of = |step: usize| kv_head * step..kv_head * step + rows * width;
            arch.dispatch(Products { rows: &keys[rows_of(k_step)], x: q, out: &mut shares });
            let most = shares.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            shares.iter_mut().for_each(|share| *share = (*share - most).exp());
            let whole: f32 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= whole);
            arch.dispatch(Mix { rows: &values[rows_of(v_step)], shares: &shares, out });
        });
        Ok((CpuStorage::F32(out), Shape::from((1, heads * width))))
    }
}

/// Attention of the scaled `q` `[query heads, 1, width]` over all rows of `k` and `v`
/// `[kv heads, rows, width]`: `[1, query heads × width]`.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    q.apply_op3_no_bwd(k, v, &Attend)
}

/// GELU as GPT-2 has it, `x / 2 × (1 + tanh(u))`, which is `x / (1 + exp(-2u))`: one exponential
/// instead of a hyperbolic tangent takes a quarter of the time.
struct Gelu;

/// Elements that a thread takes at once.
const GELU_PART: usize = 512;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        if !layout.is_contiguous() {
            candle_core::bail!("a whole tensor is expected");
        }
        let mut out = elements::<f32>(x, layout)?[..layout.shape().elem_count()].to_vec();
        let twice = 2.0 * (2.0 / std::f32::consts::PI).sqrt();
        shared_out(&mut out, GELU_PART, |_, out| {
            for x in out {
                let u = twice * *x * (1.0 + 0.044_715 * *x * *x);
                *x /= 1.0 + (-u).exp();
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// GELU by way of the hyperbolic tangent.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.apply_op1_no_bwd(&Gelu)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::ops::softmax_last_dim;

    use super::*;

    fn random(shape: &[usize]) -> Tensor {
        Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap()
    }

    fn apart(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn a_row_is_multiplied_as_candle_does() {
        // Rows that are no multiple of four, columns that are no multiple of any vector.
        for (outputs, inputs) in [(1, 1), (7, 19), (8, 19), (6, 50), (64, 768), (513, 100)] {
            let (x, weight, bias) = (random(&[1, inputs]), random(&[outputs, inputs]), random(&[outputs]));
            let expected = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
            let found = row(&x, &weight, Some(&bias.to_vec1::<f32>().unwrap())).unwrap();
            assert!(apart(&found, &expected) < 1e-3, "{outputs} x {inputs}");
            assert!(row(&x.t().unwrap(), &weight, None).is_err() || inputs == 1);

            let halved = weight.to_dtype(DType::BF16).unwrap();
            let expected = x.matmul(&halved.to_dtype(DType::F32).unwrap().t().unwrap()).unwrap();
            assert!(apart(&row(&x, &halved, None).unwrap(), &expected) < 1e-3, "{outputs} x {inputs} bf16");
        }
    }

    #[test]
    fn gelu_is_candle_s() {
        let x = (random(&[3, 5000]) * 20.0).unwrap();
        assert!(apart(&gelu(&x).unwrap(), &x.gelu().unwrap()) < 1e-5);
    }

    #[test]
    fn one_token_attends_as_candle_does() {
        // Six query heads share two KV heads; the cache is a view of one that is longer.
        let q = random(&[6, 1, 20]);
        let cache = |rows| random(&[2, 64, 20]).narrow(1, 0, rows).unwrap();
        let (k, v) = (cache(37), cache(37));
        let wide = |rows: &Tensor| {
            rows.unsqueeze(1).unwrap().broadcast_as((2, 3, 37, 20)).unwrap().reshape((6, 37, 20)).unwrap()
        };
        let scores = q.matmul(&wide(&k).t().unwrap().contiguous().unwrap()).unwrap();
        let expected =
            softmax_last_dim(&scores).unwrap().matmul(&wide(&v)).unwrap().reshape((1, 120)).unwrap();
        let found = attend(&q, &k, &v).unwrap();
        assert_eq!(found.dtype(), DType::F32);
        assert!(apart(&found, &expected) < 1e-4);
    }
}
