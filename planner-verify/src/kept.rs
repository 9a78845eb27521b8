//! A layer's cache in plain sight: tensors whose shape and type can be read.

use candle_core::{DType, Result, Tensor};
use candle_nn::kv_cache::RotatingCache;
use planner_core::spec::layer::Extent;

/// Dimension of the tokens in `[heads, tokens, width]`.
const TOKENS: usize = 1;

/// One growing or rotating tensor, `[heads, tokens, width]`.
#[derive(Debug)]
pub enum Kept {
    /// Every token, concatenated.
    Grown(DType, Option<Tensor>),
    /// The last tokens in a ring: token `p` lies at row `p % window`.
    Ring(DType, RotatingCache),
}

impl Kept {
    /// An empty cache for an extent.
    pub fn new(extent: Extent, dtype: DType) -> Self {
        match extent {
            Extent::Window(rows) | Extent::Chunk(rows) => {
                Self::Ring(dtype, RotatingCache::new(TOKENS, rows as usize))
            }
            _ => Self::Grown(dtype, None),
        }
    }

    /// Stores the rows of new tokens, and returns all rows that these tokens may attend to, stored rows first.
    pub fn append(&mut self, rows: &Tensor) -> Result<Tensor> {
        match self {
            Self::Grown(dtype, kept) => {
                let rows = rows.to_dtype(*dtype)?.contiguous()?;
                let all = match kept.take() {
                    Some(old) => Tensor::cat(&[&old, &rows], TOKENS)?,
                    None => rows.copy()?,
                };
                *kept = Some(all.clone());
                Ok(all)
            }
            Self::Ring(dtype, ring) => {
                let rows = rows.to_dtype(*dtype)?.contiguous()?;
                // The first of several new tokens still reads older rows, which the last one overwrites.
                let all = match ring.current_data()?.filter(|_| ring.current_seq_len() > 0) {
                    Some(old) => Tensor::cat(&[&old.contiguous()?, &rows], TOKENS)?,
                    None => rows.clone(),
                };
                ring.append(&rows)?;
                Ok(all)
            }
        }
    }

    /// Bytes of the rows that hold tokens: elements × bytes of one.
    pub fn bytes(&self) -> Result<u64> {
        match self {
            Self::Grown(_, kept) => Ok(kept.as_ref().map_or(0, tensor_bytes)),
            Self::Ring(_, ring) if ring.current_seq_len() == 0 => Ok(0),
            Self::Ring(_, ring) => Ok(ring.current_data()?.as_ref().map_or(0, tensor_bytes)),
        }
    }
}

/// Elements × bytes of one.
pub fn tensor_bytes(tensor: &Tensor) -> u64 {
    tensor.elem_count() as u64 * tensor.dtype().size_in_bytes() as u64
}

/// The positions of the rows that [`Kept::append`] returns when `seen` tokens are stored and `new` come.
pub fn positions(extent: Extent, seen: usize, new: usize) -> Vec<usize> {
    let old = match extent {
        Extent::Window(rows) | Extent::Chunk(rows) => {
            let rows = rows as usize;
            let kept_rows = seen.min(rows);
            (0..kept_rows)
                .map(|row| match seen <= rows {
                    true => row,
                    // The last position below `seen` that lies at this row.
                    false => seen - 1 - (seen - 1 + rows - row) % rows,
                })
                .collect()
        }
        _ => (0..seen).collect::<Vec<_>>(),
    };
    old.into_iter().chain(seen..seen + new).collect()
}

/// Whether the token at `query` looks at the token at `key`.
pub fn sees(extent: Extent, query: usize, key: usize) -> bool {
    key <= query
        && match extent {
            Extent::Window(rows) => query - key < rows as usize,
            Extent::Chunk(rows) => query / rows as usize == key / rows as usize,
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_a_token_at_its_position_modulo_the_window() {
        assert_eq!(positions(Extent::Window(4), 3, 1), vec![0, 1, 2, 3]);
        assert_eq!(positions(Extent::Window(4), 6, 1), vec![4, 5, 2, 3, 6]);
        assert_eq!(positions(Extent::Full, 2, 2), vec![0, 1, 2, 3]);
    }

    #[test]
    fn windows_and_chunks_end_what_a_token_sees() {
        assert!(sees(Extent::Window(4), 6, 3) && !sees(Extent::Window(4), 6, 2));
        assert!(sees(Extent::Chunk(4), 6, 4) && !sees(Extent::Chunk(4), 6, 3));
        assert!(!sees(Extent::Full, 2, 3));
    }
}
