//! Seeded weights: the same model every time, on every device.

use candle_core::{DType, Device, Result, Tensor};

/// A source of weights: SplitMix64, uniform with the variance 1 / fan-in.
#[derive(Debug)]
pub struct Weights {
    state: u64,
    device: Device,
    elements: u64,
}

impl Weights {
    /// Weights of a seed.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { state: seed, device: device.clone(), elements: 0 }
    }

    /// Elements made so far.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// A matrix `[rows, columns]` that multiplies a row of `rows` elements.
    pub fn matrix(&mut self, rows: usize, columns: usize) -> Result<Tensor> {
        self.tensor(&[rows, columns], rows)
    }

    /// A tensor of a shape for sums over `fan_in` products.
    pub fn tensor(&mut self, shape: &[usize], fan_in: usize) -> Result<Tensor> {
        let scale = (12.0 / fan_in.max(1) as f32).sqrt();
        let count: usize = shape.iter().product();
        let data: Vec<f32> = (0..count).map(|_| (self.unit() - 0.5) * scale).collect();
        self.elements += count as u64;
        Tensor::from_vec(data, shape, &self.device)?.to_dtype(DType::F32)
    }

    /// A vector of one value.
    pub fn constant(&mut self, length: usize, value: f32) -> Result<Tensor> {
        self.elements += length as u64;
        Tensor::full(value, length, &self.device)
    }

    /// The next number in `[0, 1)`.
    fn unit(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}
