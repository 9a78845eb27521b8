//! What a GPU's memory holds beside the cache, by part.

/// What a part of a GPU's memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// The rank's weights, and tables computed from the model.
    Weights,
    /// The highest use of activations while the engine profiles a full step.
    Activation,
    /// Memory of the process outside PyTorch's allocator: CUDA context, NCCL, kernel workspaces.
    OutsideTorch,
    /// Captured CUDA graphs, where the engine subtracts them from the room for the cache.
    Graphs,
    /// What the user keeps free (`--reserve`), in place of activation, outside memory and graphs.
    Reserve,
}

impl PartKind {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activation => "activation",
            Self::OutsideTorch => "outside_torch",
            Self::Graphs => "graphs",
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

/// What stands in a GPU's memory before the cache gets the rest, on each pipeline stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeCache {
    /// The memory that the engine's share is taken of.
    pub total_bytes: u64,
    /// The parts on a GPU of each stage.
    pub stages: Vec<Vec<MemoryPart>>,
}
