//! What llama.cpp knows of a model once it is loaded: the part of `llama_hparams` that decides how
//! much memory a context takes (`src/llama-hparams.h`, `0c1e57098`).

/// Layers that one model may have (`LLAMA_MAX_LAYERS`).
pub const MAX_LAYERS: u64 = 512;

/// A model as `llama_model::create_memory` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hparams {
    /// GGUF architecture (`general.architecture`).
    pub arch: String,
    /// `n_ctx_train`: what `--ctx-size 0` means.
    pub trained: Option<u64>,
    /// Whether attention is causal, which bounds the batch by the context.
    pub causal: bool,
    /// `n_swa` where the architecture has sliding or chunked layers (`swa_type` is not `NONE`).
    pub window: Option<u64>,
    /// Layers of the main graph (`n_layer()`).
    pub trunk: usize,
    /// All layers (`n_layer_all`): the trunk, then prediction layers.
    pub layers: Vec<LayerHparams>,
    /// `is_mla()`: only K is kept.
    pub mla: bool,
    /// The sparse attention's own key cache.
    pub indexer: Option<Indexer>,
    /// Elements of one recurrent layer's state of one sequence (`n_embd_r + n_embd_s`).
    pub state: u64,
    /// Further elements on layers that say so (`ple_conv_state`).
    pub extra_state: u64,
}

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayerHparams {
    /// `n_head_kv(il)`.
    pub heads: u64,
    /// `n_embd_head_k(il)`.
    pub k: u64,
    /// `n_embd_head_v(il)`.
    pub v: u64,
    /// `is_swa(il)`.
    pub sliding: bool,
    /// Has tensors in the attention cache.
    pub cached: bool,
    /// Has a recurrent state.
    pub recurrent: bool,
    /// Has an indexer of its own.
    pub indexed: bool,
    /// Has the further state.
    pub extra: bool,
    /// Query heads, for people.
    pub query_heads: u64,
    /// Tokens that share one compressed row (`dsv4_compress_ratios`); 0 where none do.
    pub compress: u64,
}

/// The cache of a sparse attention's indexer: one head per layer, as many cells as the attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexer {
    /// Elements of one key row.
    pub k: u64,
    /// Whether it keeps values as well, one head of the layer's own width.
    pub values: bool,
}

impl LayerHparams {
    /// `n_embd_k_gqa(il)`.
    pub fn k_row(&self) -> Option<u64> {
        self.heads.checked_mul(self.k)
    }

    /// `n_embd_v_gqa(il)`.
    pub fn v_row(&self) -> Option<u64> {
        self.heads.checked_mul(self.v)
    }
}

impl Hparams {
    /// `n_embd_v_gqa_max()`: the row that every layer's V gets when it is stored transposed.
    pub fn widest_v(&self) -> Option<u64> {
        self.layers.iter().map(LayerHparams::v_row).try_fold(0, |most, row| row.map(|row| row.max(most)))
    }

    /// Whether the compressed caches of DeepSeek V4 stand beside the window.
    pub fn is_compressed(&self) -> bool {
        self.arch == "deepseek4"
    }
}
