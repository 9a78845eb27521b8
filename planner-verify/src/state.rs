//! A recurrent layer: a state that every token updates, and a short convolution over the last inputs.
//!
//! Every mixer (Mamba, gated delta rule, linear attention) keeps a matrix per session and the last columns of
//! the convolution's input. Here the matrix decays, and an outer product is added.

use candle_core::{DType, Result, Tensor};

use crate::attention::Span;
use crate::kept::tensor_bytes;
use crate::weights::Weights;

/// Share of the state that survives a token.
const DECAY: f64 = 0.9;

/// The sizes and types of a recurrent layer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Elements of the recurrent state.
    pub recurrent: usize,
    /// Elements of the convolution state.
    pub conv: usize,
    /// Columns of the convolution state.
    pub columns: usize,
    /// Type of the recurrent state.
    pub recurrent_dtype: DType,
    /// Type of the convolution state.
    pub conv_dtype: DType,
}

/// The state of a recurrent layer.
#[derive(Debug, Default)]
pub struct StateKept {
    recurrent: Option<Tensor>,
    conv: Option<Tensor>,
}

impl StateKept {
    /// Bytes of both states.
    pub fn bytes(&self) -> u64 {
        self.recurrent.iter().chain(&self.conv).map(tensor_bytes).sum()
    }
}

/// Projections of one recurrent layer.
#[derive(Debug)]
pub struct Recurrent {
    sizes: Sizes,
    outer: Option<[Tensor; 4]>,
    conv: Option<[Tensor; 3]>,
}

/// The two factors of a state's elements that are closest to each other.
fn factors(elements: usize) -> (usize, usize) {
    let root = (elements as f64).sqrt() as usize;
    let columns = (1..=root.max(1)).rev().find(|columns| elements.is_multiple_of(*columns)).unwrap_or(1);
    (elements / columns, columns)
}

impl Recurrent {
    /// Seeded projections from a model `hidden` wide.
    pub fn new(weights: &mut Weights, hidden: usize, sizes: Sizes) -> Result<Self> {
        let outer = match sizes.recurrent {
            0 => None,
            elements => {
                let (rows, columns) = factors(elements);
                Some([
                    weights.matrix(hidden, rows)?,
                    weights.matrix(hidden, columns)?,
                    weights.matrix(hidden, columns)?,
                    weights.matrix(rows, hidden)?,
                ])
            }
        };
        let conv = match sizes.conv {
            0 => None,
            elements => {
                let channels = elements / sizes.columns;
                Some([
                    weights.matrix(hidden, channels)?,
                    weights.tensor(&[channels, sizes.columns], sizes.columns)?,
                    weights.matrix(channels, hidden)?,
                ])
            }
        };
        Ok(Self { sizes, outer, conv })
    }

    /// The layer's output for new tokens of all sessions, one position after the other.
    pub fn forward(&self, x: &Tensor, span: Span, kept: &mut StateKept) -> Result<Tensor> {
        let x = x.reshape((span.sessions, span.tokens, ()))?;
        let steps =
            (0..span.tokens).map(|at| self.step(&x.narrow(1, at, 1)?.squeeze(1)?.contiguous()?, kept));
        Tensor::stack(&steps.collect::<Result<Vec<_>>>()?, 1)?.flatten(0, 1)
    }

    /// One token of every session, `[sessions, hidden]`.
    fn step(&self, x: &Tensor, kept: &mut StateKept) -> Result<Tensor> {
        let mut result = x.zeros_like()?;
        if let Some([value, write, read, out]) = &self.outer {
            let gain = x.matmul(value)?.unsqueeze(2)?.broadcast_mul(&x.matmul(write)?.unsqueeze(1)?)?;
            let state = match kept.recurrent.take() {
                Some(old) => ((old.to_dtype(DType::F32)? * DECAY)? + gain)?,
                None => gain,
            };
            let state = state.to_dtype(self.sizes.recurrent_dtype)?;
            let seen = state.to_dtype(DType::F32)?;
            let mixed = seen.matmul(&x.matmul(read)?.unsqueeze(2)?)?.squeeze(2)?;
            result = (result + mixed.matmul(out)?)?;
            kept.recurrent = Some(state);
        }
        if let Some([input, kernel, out]) = &self.conv {
            let column = x.matmul(input)?.unsqueeze(2)?.to_dtype(self.sizes.conv_dtype)?;
            let columns = self.sizes.columns;
            let state = match kept.conv.take() {
                Some(old) if columns > 1 => {
                    Tensor::cat(&[&old.narrow(2, 1, columns - 1)?.contiguous()?, &column], 2)?
                }
                None if columns > 1 => {
                    let (sessions, channels, _) = column.dims3()?;
                    let zeros = Tensor::zeros((sessions, channels, columns - 1), column.dtype(), x.device())?;
                    Tensor::cat(&[&zeros, &column], 2)?
                }
                _ => column.copy()?,
            };
            let mixed = state.to_dtype(DType::F32)?.broadcast_mul(kernel)?.sum(2)?;
            result = (result + mixed.matmul(out)?)?;
            kept.conv = Some(state);
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_a_matrix_of_exactly_its_elements() {
        assert_eq!(factors(12), (4, 3));
        assert_eq!(factors(13), (13, 1));
        assert_eq!(factors(1), (1, 1));
    }
}
