//! What the architectures keep, and how they differ: `load_arch_hparams` of `src/models/*.cpp` and
//! `llama_model::create_memory` of `src/llama-model.cpp`, `0c1e57098`.

use crate::text::Words;

/// Every architecture that the loader knows (`LLM_ARCH_NAMES` of `src/llama-arch.cpp`).
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "clip", "llama", "llama4", "deci", "falcon", "grok", "gpt2", "gptj", "gptneox", "mpt", "baichuan",
    "starcoder", "refact", "bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2",
    "jina-bert-v3", "eurobert", "bloom", "stablelm", "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3",
    "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen4exp", "phi2", "phi3",
    "phimoe", "plamo", "plamo2", "plamo3", "codeshell", "orion", "internlm2", "minicpm", "minicpm3", "gemma",
    "gemma2", "gemma3", "gemma3n", "gemma4", "gemma4-assistant", "gemma-embedding", "starcoder2", "mamba",
    "mamba2", "maple", "jamba", "falcon-h1", "xverse", "command-r", "cohere2", "cohere2moe", "dbrx", "olmo",
    "olmo2", "olmoe", "muse-glimmer", "openelm", "arctic", "deepseek", "deepseek2", "deepseek2-ocr",
    "deepseek32", "deepseek4", "chatglm", "glm4", "glm4moe", "glm-dsa", "bitnet", "t5", "t5encoder", "jais",
    "jais2", "nemotron", "nemotron_h", "nemotron_h_moe", "exaone", "exaone4", "exaone-moe", "rwkv6",
    "rwkv6qwen2", "rwkv7", "arwkv7", "granite", "granitemoe", "granitehybrid", "graniteswitch", "granite_swa",
    "chameleon", "wavtokenizer-dec", "plm", "bailingmoe", "bailingmoe2", "bailingmoe3", "dots1", "dots3note",
    "arcee", "afmoe", "laguna", "ernie4_5", "ernie4_5-moe", "hunyuan-moe", "hunyuan-dense", "hunyuan_vl",
    "hy_v3", "hy_v4", "smollm3", "gpt-oss", "lfm2", "lfm2moe", "dream", "smallthinker", "llada", "llada-moe",
    "seed_oss", "grovemoe", "apertus", "minimax-01", "hrm_text", "minimax-m2", "minimax-m3", "cogvlm", "rnd1",
    "pangu-embedded", "mistral3", "eagle3", "dflash", "mistral4", "paddleocr", "mimo2", "step35", "spark2_5",
    "llama-embed", "maincoder", "kimi-linear", "kimi-k3", "glm5-next", "talkie", "mellum", "nanbeige",
    "qwen3tts", "pockettts",
];

/// Whether the loader knows an architecture. It refuses any other: "unknown model architecture".
pub fn is_known(arch: &str) -> bool {
    KNOWN.contains(&arch)
}

/// Which layers attend to a window only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// None, whatever the metadata says.
    Never,
    /// `load_swa_pattern`: the metadata's pattern. Without one, one layer of every `every` is full: the last of
    /// the period or, with `full_first`, the first. `length` counts where the metadata has none; 0 then means
    /// that there is no window.
    Pattern {
        /// Period.
        every: u64,
        /// Whether the full layer comes first.
        full_first: bool,
        /// Default length.
        length: u64,
    },
    /// The layers that the metadata names.
    Listed,
    /// All layers (DeepSeek V4).
    All,
    /// All layers with attention (LFM2).
    Attention,
    /// A fixed length, whatever the metadata's. There is no window where the metadata says 0 (Llama 4) or
    /// nothing (SmallThinker).
    Fixed {
        /// Period.
        every: u64,
        /// Whether the full layer comes first.
        full_first: bool,
        /// Length.
        length: u64,
        /// Whether there is a window where the key is missing.
        without_key: bool,
    },
}

const fn pattern(every: u64, length: u64) -> Window {
    Window::Pattern { every, full_first: false, length }
}

/// The window rule of an architecture with `layers` layers in its main graph.
pub fn window(arch: &str, layers: u64) -> Window {
    match arch {
        "gemma2" => pattern(2, 4096),
        "gpt-oss" => pattern(2, 0),
        "gemma3" => pattern(6, 0),
        "gemma3n" => pattern(5, 0),
        "afmoe" | "cohere2" | "mellum" | "muse-glimmer" | "olmo2" => pattern(4, 0),
        "exaone-moe" => pattern(4, 128),
        // exaone4.cpp: the 32B alone, which it recognises by its number of layers
        "exaone4" if layers == 64 => pattern(4, 4096),
        "plamo3" => pattern(8, 0),
        "cohere2moe" | "laguna" => Window::Pattern { every: 4, full_first: true, length: 0 },
        "smallthinker" => Window::Fixed { every: 4, full_first: true, length: 4096, without_key: false },
        "llama4" => Window::Fixed { every: 4, full_first: false, length: 8192, without_key: true },
        "gemma4" | "granite_swa" | "maple" | "mimo2" | "spark2_5" | "step35" | "dots3note" => Window::Listed,
        "lfm2" => Window::Attention,
        "deepseek4" => Window::All,
        _ => Window::Never,
    }
}

/// Whether the window layers are chunked rather than sliding.
pub fn is_chunked(arch: &str) -> bool {
    arch == "llama4"
}

/// Which layers keep a recurrent state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrent {
    /// None.
    Never,
    /// All, and there is no attention cache (`llm_arch_is_recurrent`).
    Only,
    /// Layers without KV heads.
    HeadlessLayers,
    /// Layers without KV heads and without a feed-forward part. Of the others, those without a feed-forward
    /// part attend (Nemotron-H).
    HeadlessMixers,
    /// All, beside attention (Falcon-H1).
    Beside,
    /// The metadata's list; without one, all layers but every `full_attention_interval`-th (default 4).
    Interval,
}

/// The recurrent layers of an architecture (`llm_arch_is_recurrent`, `llm_arch_is_hybrid`).
pub fn recurrent(arch: &str) -> Recurrent {
    match arch {
        "mamba" | "mamba2" | "rwkv6" | "rwkv6qwen2" | "rwkv7" | "arwkv7" => Recurrent::Only,
        "jamba" | "plamo2" | "granitehybrid" | "lfm2" | "lfm2moe" | "kimi-linear" | "bailingmoe3"
        | "kimi-k3" | "glm5-next" => Recurrent::HeadlessLayers,
        "nemotron_h" | "nemotron_h_moe" => Recurrent::HeadlessMixers,
        "falcon-h1" => Recurrent::Beside,
        "qwen3next" | "qwen35" | "qwen35moe" | "qwen4exp" | "minimax-01" => Recurrent::Interval,
        _ => Recurrent::Never,
    }
}

/// Why a context of this architecture has no cache, or one that is not described here.
pub fn no_cache(arch: &str) -> Option<Words> {
    match arch {
        "bert" | "jina-bert-v2" | "jina-bert-v3" | "nomic-bert" | "nomic-bert-moe" | "neo-bert"
        | "eurobert" | "modern-bert" | "gemma-embedding" | "wavtokenizer-dec" => {
            Some(words!("it is an encoder: llama.cpp makes no memory for it"))
        }
        "dream" | "llada" | "llada-moe" | "rnd1" => Some(words!(
            "it generates by diffusion over the whole sequence: llama.cpp makes no memory for it"
        )),
        "eagle3" | "dflash" | "gemma4-assistant" => {
            Some(words!("it is a draft model: llama.cpp makes its context only beside its target's"))
        }
        "clip" => Some(words!("it is a projector, not a language model")),
        _ => None,
    }
}

/// How many of the first layers keep a cache of their own; the rest read theirs (`n_layer_kv_from_start`).
/// `shared` is the metadata's number of shared layers.
pub fn owners(arch: &str, layers: u64, shared: u64) -> u64 {
    match arch {
        // gemma3n.cpp sets 20, whatever the metadata says
        "gemma3n" => layers.min(20),
        "gemma4" => layers.saturating_sub(shared),
        _ => layers,
    }
}
