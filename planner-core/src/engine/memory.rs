//! What stands in a GPU's memory beside the cache, by part.

/// What a part of a GPU's memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// The rank's weights and the tables that are made of them.
    Weights,
    /// The most that activations take at once while the engine profiles a whole step.
    Activation,
    /// What the process takes outside PyTorch's allocator: CUDA context, NCCL, workspaces of kernels.
    OutsideTorch,
    /// Captured CUDA graphs, where the engine takes them off the room for the cache.
    Graphs,
    /// What the user keeps free (`--reserve`) in place of the last three, or what a log measured of them in one sum.
    Reserve,
}

impl PartKind {
    /// One word for it, as JSON says it.
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
    /// Where it is an estimate, the least and the most that it may be.
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

/// A GPU's memory before the cache has its room, for each pipeline stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeforeCache {
    /// Bytes that the engine's share of the memory is a share of.
    pub total_bytes: u64,
    /// Parts on a GPU of each stage.
    pub stages: Vec<Vec<MemoryPart>>,
}
