//! Seeded matrices and the products the small attention is made of.

/// A stream of numbers that depends on nothing but its seed (SplitMix64).
pub struct Stream(u64);

impl Stream {
    /// The stream named by `name`.
    pub fn named(name: &str) -> Stream {
        // FNV-1a, 64 bit
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Stream(hash)
    }

    /// The next number, at least -1 and below 1.
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let top = ((z ^ (z >> 31)) >> 40) as u32; // 24 bits: exact in f32
        top as f32 / 8_388_608.0 - 1.0
    }
}

/// A matrix of `rows` inputs by `columns` outputs, row by row.
pub struct Matrix {
    columns: usize,
    cells: Vec<f32>,
}

impl Matrix {
    /// Seeded cells between `-scale` and `scale`.
    pub fn seeded(name: &str, rows: usize, columns: usize, scale: f32) -> Matrix {
        let mut stream = Stream::named(name);
        let cells = (0..rows * columns).map(|_| stream.next() * scale).collect();
        Matrix { columns, cells }
    }

    /// The matrix whose columns are the mean of each `group` of heads, a head
    /// being `head_dim` columns (how grouped-query attention is made from
    /// multi-head attention: Ainslie et al. 2023, section 2.1).
    pub fn mean_heads(&self, head_dim: usize, group: usize) -> Matrix {
        let columns = self.columns / group;
        let mut cells = Vec::with_capacity(self.cells.len() / group);
        for row in self.cells.chunks(self.columns) {
            for head in row.chunks(group * head_dim) {
                for d in 0..head_dim {
                    let sum: f32 = head.iter().skip(d).step_by(head_dim).sum();
                    cells.push(sum / group as f32);
                }
            }
        }
        Matrix { columns, cells }
    }

    /// `x` times this matrix; adds its multiply-adds to `count`.
    pub fn times(&self, x: &[f32], count: &mut u64) -> Vec<f32> {
        let mut out = vec![0.0; self.columns];
        for (x, row) in x.iter().zip(self.cells.chunks(self.columns)) {
            for (out, cell) in out.iter_mut().zip(row) {
                *out += x * cell;
            }
        }
        *count += self.cells.len() as u64;
        out
    }
}

/// The sum of products; adds its multiply-adds to `count`.
pub fn dot(a: &[f32], b: &[f32], count: &mut u64) -> f32 {
    *count += a.len() as u64;
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Cosine and sine of 1 radian.
const TURN: (f32, f32) = (0.540_302_3, 0.841_470_96);

/// Rotates each pair of columns by its token's position in radians (RoPE, Su
/// et al. 2021, with one pair a head: the first frequency, 1).
pub fn rotate(pairs: &mut [f32], position: usize) {
    // the turn taken `position` times: no sine is needed
    let (mut cos, mut sin) = (1.0, 0.0);
    for _ in 0..position {
        (cos, sin) = (cos * TURN.0 - sin * TURN.1, sin * TURN.0 + cos * TURN.1);
    }
    for pair in pairs.chunks_exact_mut(2) {
        if let [a, b] = pair {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }
}

/// Shares that add up to one, larger where the score is larger.
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|s| (s - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::{Matrix, softmax};

    #[test]
    fn mean_of_two_heads_of_two_columns() {
        let four = Matrix { columns: 4, cells: vec![1.0, 2.0, 3.0, 6.0] };
        let mut count = 0;
        // heads (1, 2) and (3, 6): mean (2, 4)
        let mean = four.mean_heads(2, 2);
        assert_eq!(mean.times(&[1.0], &mut count), [2.0, 4.0]);
        assert_eq!(count, 2);
    }

    #[test]
    fn a_product_counts_its_multiply_adds() {
        let m = Matrix { columns: 2, cells: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        let mut count = 10;
        assert_eq!(m.times(&[1.0, 10.0, 100.0], &mut count), [531.0, 642.0]);
        assert_eq!(count, 16);
    }

    #[test]
    fn softmax_of_equal_scores_shares_equally() {
        assert_eq!(softmax(&[2.0, 2.0, 2.0, 2.0]), [0.25; 4]);
        assert_eq!(softmax(&[1000.0, 0.0]), [1.0, 0.0]);
    }
}
