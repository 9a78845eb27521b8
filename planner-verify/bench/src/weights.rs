//! Where the weights of a dense decoder come from: a seed, or the tensors of a checkpoint.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use planner_verify::weights::Weights;

use crate::{cpu, pages};

/// Weights by name, and the type that matrices are kept in.
#[derive(Debug)]
pub struct Source {
    origin: Origin,
    dtype: DType,
}

#[derive(Debug)]
enum Origin {
    /// Made up, the same every time.
    Seeded(Weights),
    /// A checkpoint's.
    Checkpoint(HashMap<String, Tensor>, Device),
}

impl Source {
    /// Seeded weights.
    pub fn seeded(seed: u64, dtype: DType, device: &Device) -> Self {
        Self { origin: Origin::Seeded(Weights::new(seed, device)), dtype }
    }

    /// A checkpoint's.
    pub fn checkpoint(tensors: HashMap<String, Tensor>, dtype: DType, device: &Device) -> Self {
        Self { origin: Origin::Checkpoint(tensors, device.clone()), dtype }
    }

    /// A table or a matrix `[rows, columns]` that is multiplied from the right.
    pub fn table(&mut self, name: &str, rows: usize, columns: usize) -> Result<Tensor> {
        let table = match &mut self.origin {
            Origin::Seeded(weights) => weights.tensor(&[rows, columns], columns),
            Origin::Checkpoint(tensors, device) => checkpoint_tensor(tensors, device, name, &[rows, columns]),
        };
        table?.to_dtype(self.dtype)
    }

    /// A vector that starts as `value`.
    pub fn vector(&mut self, name: &str, length: usize, value: f32) -> Result<Tensor> {
        match &mut self.origin {
            Origin::Seeded(weights) => weights.constant(length, value),
            Origin::Checkpoint(tensors, device) => checkpoint_tensor(tensors, device, name, &[length]),
        }
    }

    /// A projection. A checkpoint of GPT-2 stores it as `[inputs, outputs]`.
    pub fn linear(&mut self, name: &str, inputs: usize, outputs: usize, biased: bool) -> Result<Linear> {
        let weight = match &mut self.origin {
            Origin::Seeded(weights) => weights.tensor(&[outputs, inputs], inputs)?,
            Origin::Checkpoint(tensors, device) => {
                checkpoint_tensor(tensors, device, &format!("{name}.weight"), &[inputs, outputs])?
                    .t()?
                    .contiguous()?
            }
        };
        let bias = match biased {
            true => Some(self.vector(&format!("{name}.bias"), outputs, 0.0)?),
            false => None,
        };
        Linear::new(weight.to_dtype(self.dtype)?, bias)
    }
}

/// A checkpoint's tensor, in f32. Some are saved with the name of the outer module before their own.
fn checkpoint_tensor(
    tensors: &HashMap<String, Tensor>,
    device: &Device,
    name: &str,
    shape: &[usize],
) -> Result<Tensor> {
    let tensor = tensors.get(name).or_else(|| tensors.get(&format!("transformer.{name}")));
    let Some(tensor) = tensor else { candle_core::bail!("the checkpoint holds no tensor `{name}`") };
    if tensor.dims() != shape {
        candle_core::bail!("the tensor `{name}` is {:?}, the configuration says {shape:?}", tensor.dims());
    }
    tensor.to_dtype(DType::F32)?.to_device(device)
}

/// A projection `[outputs, inputs]`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    /// The bias again, for a single row on a CPU.
    plain_bias: Option<Vec<f32>>,
}

impl Linear {
    /// A projection by a weight `[outputs, inputs]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        let plain_bias = bias.as_ref().map(Tensor::to_vec1).transpose()?;
        pages::collapse_tensor(&weight);
        Ok(Self { weight, bias, plain_bias })
    }

    /// `[outputs, inputs]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.dim(0)? == 1 && x.device().is_cpu() {
            return cpu::row(x, &self.weight, self.plain_bias.as_deref());
        }
        let y = x.matmul(&self.weight.to_dtype(DType::F32)?.t()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
