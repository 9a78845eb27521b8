//! Which module of candle-transformers 0.11.1 runs a model, and how that module keeps its cache.
//!
//! One row for each `model_type`, read in `candle-transformers/src/models/NAME.rs`. The parent module says what
//! each [`Keep`] means.

/// How a module keeps its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// `Tensor::cat` of old and new rows: every token, whatever the window. Found as
    /// `kv_cache: Option<(Tensor, Tensor)>`, `kvs: Vec<Option<(Tensor, Tensor)>>` or `ConcatKvCache`.
    Concatenated,
    /// `KvCache::new(2, n)`: `n` tokens at the first append, and `n` more whenever it is full.
    Grown(u64),
    /// `RotatingKvCache::new(2, window)` on window layers, `KvCache::new(2, max_position_embeddings)` on the
    /// others. Both are allocated whole at the first append.
    Preallocated,
    /// `KvCache::new(2, max_position_embeddings)` on every layer, whatever the window: allocated whole at the
    /// first append, and once more when it is full.
    Context,
    /// Keys and values of every query head, expanded from the latent and concatenated.
    Expanded,
    /// Keys and values of the encoder's output only. The decoder's own are computed anew for every token.
    CrossOnly,
    /// One state per session, in the model's dtype.
    State,
}

/// Where a module's head width comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// A key of the configuration.
    Configured,
    /// Always `hidden_size / num_attention_heads`.
    Divided,
}

/// How many positions a module's tables have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// `max_position_embeddings` rows.
    MaxPosition,
    /// A constant of the module.
    Tokens(u64),
    /// No table.
    Unlimited,
}

/// A module and its rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Module {
    pub(super) model_type: &'static str,
    /// File under `candle-transformers/src/models/`, without `.rs`.
    pub(super) file: &'static str,
    pub(super) keep: Keep,
    pub(super) width: Width,
    pub(super) reach: Reach,
}

const fn row(model_type: &'static str, file: &'static str, keep: Keep, width: Width) -> Module {
    Module { model_type, file, keep, width, reach: Reach::MaxPosition }
}

const fn reaching(reach: Reach, module: Module) -> Module {
    Module { reach, ..module }
}

use Keep::{Concatenated, Context, CrossOnly, Expanded, Grown, Preallocated, State};
use Width::{Configured, Divided};

/// Modules that read a GGUF file, by its `general.architecture`. They compute in f32 whatever the file stores,
/// so keys and values are in f32.
static QUANTIZED: &[Module] = &[
    // Window layers are masked (`LayerWeights::mask`) and keep every token. Keys and values are both
    // `attention.key_length` wide.
    reaching(Reach::Tokens(131_072), row("gemma3", "quantized_gemma3", Concatenated, Configured)),
    reaching(Reach::Tokens(4096), row("llama", "quantized_llama", Concatenated, Divided)),
    reaching(Reach::Tokens(4096), row("phi2", "quantized_phi", Concatenated, Divided)),
    // `KvCache::new(2, max_seq_len)` with `phi3.context_length`, whatever the window.
    row("phi3", "quantized_phi3", Context, Divided),
    row("qwen2", "quantized_qwen2", Concatenated, Divided),
];

/// Modules that read the model's own `config.json`.
static MODULES: &[Module] = &[
    row("chatglm", "chatglm", Concatenated, Configured),
    row("deepseek_v2", "deepseek2", Expanded, Configured),
    // `const MAX_SEQ_LEN: usize = 5000`, the rows of its rotary table.
    reaching(Reach::Tokens(5000), row("falcon", "falcon", Concatenated, Divided)),
    row("gemma", "gemma", Concatenated, Configured),
    row("gemma2", "gemma2", Concatenated, Configured),
    row("gemma3", "gemma3", Preallocated, Configured),
    row("gemma3_text", "gemma3", Preallocated, Configured),
    row("gemma4", "gemma4/text", Preallocated, Configured),
    row("gemma4_text", "gemma4/text", Preallocated, Configured),
    row("glm4", "glm4_new", Grown(512), Configured),
    row("gpt_bigcode", "bigcode", Concatenated, Divided),
    row("granite", "granite", Concatenated, Divided),
    row("granitemoehybrid", "granitemoehybrid", Concatenated, Divided),
    row("helium", "helium", Concatenated, Configured),
    row("lfm2", "lfm2", Concatenated, Divided),
    row("llama", "llama", Concatenated, Divided),
    reaching(Reach::Unlimited, row("mamba", "mamba", State, Configured)),
    reaching(Reach::Unlimited, row("mamba2", "mamba2", State, Configured)),
    row("marian", "marian", Concatenated, Divided),
    row("mistral", "mistral", Concatenated, Configured),
    row("mixtral", "mixtral", Concatenated, Divided),
    row("mpt", "mpt", Concatenated, Divided),
    row("olmo", "olmo", Concatenated, Divided),
    row("olmo2", "olmo2", Concatenated, Divided),
    row("paddleocr_vl_text", "paddleocr_vl/text", Concatenated, Configured),
    row("phi", "phi", Concatenated, Divided),
    row("phi3", "phi3", Concatenated, Divided),
    row("qwen2", "qwen2", Concatenated, Divided),
    row("qwen2_moe", "qwen2_moe", Concatenated, Divided),
    row("qwen3", "qwen3", Concatenated, Configured),
    row("qwen3_moe", "qwen3_moe", Concatenated, Configured),
    row("qwen3_vl_text", "qwen3_vl/text", Preallocated, Configured),
    row("recurrent_gemma", "recurrent_gemma", Concatenated, Configured),
    row("smollm3", "smol/smollm3", Grown(512), Configured),
    row("stablelm", "stable_lm", Concatenated, Divided),
    row("starcoder2", "starcoder2", Concatenated, Divided),
    reaching(Reach::Unlimited, row("t5", "t5", Concatenated, Configured)),
    row("whisper", "whisper/model", CrossOnly, Divided),
];

/// The module that reads a GGUF file of an architecture.
pub(super) fn of_gguf(architecture: &str) -> Option<&'static Module> {
    QUANTIZED.iter().find(|module| module.model_type == architecture)
}

/// The module of a `model_type`.
pub(super) fn of(model_type: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.model_type == model_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_type_has_one_module() {
        for module in MODULES {
            assert_eq!(MODULES.iter().filter(|other| other.model_type == module.model_type).count(), 1);
        }
        assert!(of("gpt2").is_none());
    }
}
