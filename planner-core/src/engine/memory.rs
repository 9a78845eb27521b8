//! What a GPU's memory holds beside the cache, by part.

use super::ResolvedRequest;
use crate::error::Result;
use crate::units::product;

/// What a part of a GPU's memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// The rank's weights, and tables computed from the model.
    Weights,
    /// The highest use of activations in a step: while the engine profiles one, or as its code runs.
    Activation,
    /// llama.cpp's buffer for the nodes of a graph.
    ComputeBuffer,
    /// Memory of the process outside PyTorch's allocator: CUDA context, NCCL, kernel workspaces.
    OutsideTorch,
    /// The driver's context of a process without PyTorch.
    Driver,
    /// Captured CUDA graphs, where the engine subtracts them from the room for the cache.
    Graphs,
    /// SGLang's cache of encoder outputs, which it allocates after the pools.
    Multimodal,
    /// What llama.cpp's `--fit` leaves free on a device.
    Margin,
    /// What the user keeps free (`--reserve`), in place of all but the weights, or what a log
    /// measured of it in one sum.
    Reserve,
}

impl PartKind {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activation => "activation",
            Self::ComputeBuffer => "compute_buffer",
            Self::OutsideTorch => "outside_torch",
            Self::Driver => "driver",
            Self::Graphs => "graphs",
            Self::Multimodal => "multimodal",
            Self::Margin => "margin",
            Self::Reserve => "reserve",
        }
    }
}

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPart {
    /// What it holds.
    pub kind: PartKind,
    /// Bytes.
    pub bytes: u64,
    /// The least and the most that an estimate may be; none for a computed figure.
    pub range: Option<(u64, u64)>,
}

impl MemoryPart {
    /// A part that is computed, not estimated.
    pub fn exact(kind: PartKind, bytes: u64) -> Self {
        Self { kind, bytes, range: None }
    }

    /// An estimate that may be off by `spread` bytes either way.
    pub fn estimate(kind: PartKind, bytes: u64, spread: u64) -> Self {
        Self { kind, bytes, range: Some((bytes.saturating_sub(spread), bytes.saturating_add(spread))) }
    }
}

/// One figure that an engine's code does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constant {
    /// What it is.
    pub name: &'static str,
    /// The figure: bytes, or what its description says.
    pub value: u64,
    /// How far it may be off either way, in the same unit.
    pub spread: u64,
    /// Releases that it holds for.
    pub releases: &'static str,
    /// Where it comes from: file and function of the engine, or logs.
    pub source: &'static str,
    /// Logs that it was set on, by id in `tests/fixtures/vllm_memory.json` or `rooms.json`.
    pub derived_on: &'static [&'static str],
}

impl Constant {
    /// The figure as a part, exact where it has no spread.
    pub fn part(&self, kind: PartKind) -> MemoryPart {
        match self.spread {
            0 => MemoryPart::exact(kind, self.value),
            spread => MemoryPart::estimate(kind, self.value, spread),
        }
    }
}

/// Declares an engine's figures, and the list of them.
macro_rules! figures {
    ($($(#[$doc:meta])* $id:ident = $value:expr, $spread:expr, $releases:literal, $source:literal, [$($log:literal),*];)*) => {
        $($(#[$doc])* pub const $id: $crate::engine::memory::Constant = $crate::engine::memory::Constant {
            name: stringify!($id), value: $value, spread: $spread, releases: $releases, source: $source, derived_on: &[$($log),*],
        };)*
        /// All of them.
        pub const ALL: &[$crate::engine::memory::Constant] = &[$($id),*];
    };
}

pub(crate) use figures;

/// A hundredth of a GiB, the grain of logs.
pub(crate) const CENT: u64 = (1 << 30) / 100;

/// What stands in a GPU's memory before the cache gets the rest, on each pipeline stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeCache {
    /// Bytes of the GPU's memory as the engine sees it.
    pub total_bytes: u64,
    /// The parts on a GPU of each stage.
    pub stages: Vec<Vec<MemoryPart>>,
}

impl BeforeCache {
    /// That of a library that loads equal shares of the weights on every GPU and sets nothing aside; none where no GPU
    /// is named.
    ///
    /// # Errors
    /// Sums beyond 64 bits.
    pub(super) fn without_share(run: &ResolvedRequest<'_>, context: MemoryPart) -> Result<Option<Self>> {
        let Some(device) = &run.request.gpu else { return Ok(None) };
        let gpus = product(words!("number of GPUs"), &[run.parallel.tp, run.parallel.pp])?;
        let weights = MemoryPart::exact(PartKind::Weights, run.model.weight_bytes.div_ceil(gpus.max(1)));
        let beside = run.request.reserve.map(|bytes| MemoryPart::exact(PartKind::Reserve, bytes));
        let stage = vec![weights, beside.unwrap_or(context)];
        let stages = vec![stage; usize::try_from(run.parallel.pp).unwrap_or(1)];
        Ok(Some(Self { total_bytes: device.torch_memory(), stages }))
    }
}
