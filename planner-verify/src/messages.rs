//! Reasons and errors of measuring, in both languages.

use planner_core::text::Bilingual;

/// A shorter name for the table below.
const fn text(english: &'static str, chinese: &'static str) -> Bilingual {
    Bilingual::new(english, chinese)
}

// What is too large to count or to allocate.
pub const TENSOR_SIZE: Bilingual = text("the size of a tensor", "张量的大小");
pub const SESSION_BYTES: Bilingual = text("bytes of a session", "一个会话的字节数");
pub const PREDICTED_BYTES: Bilingual = text("predicted bytes", "预测字节数");
pub const MEASURED_BYTES: Bilingual = text("measured bytes", "实测字节数");
pub const ALLOCATED_BYTES: Bilingual = text("allocated bytes", "已分配字节数");
pub const MEASUREMENT_OF_THIS_SIZE: Bilingual = text("a measurement of this size", "这样大的测量");
pub const NEEDS_MEMORY: Bilingual =
    text("it needs about {0}, and {1} is available; {2}", "约需 {0}，可用 {1}；{2}");
pub const SMALLER_MODEL: Bilingual =
    text("a smaller model or fewer tokens need less", "更小的模型或更少的 token 需要得更少");
pub const LOWEST_STACKS_NEED: Bilingual = text(
    "the lowest stacks of this model's layers alone need {0} with one token",
    "仅该模型各种层最低的堆叠，一个 token 就需要 {0}",
);
pub const TOKENS_FIT: Bilingual = text(
    "--verify-tokens up to {0} fit ({1}, {2} layers)",
    "--verify-tokens 不超过 {0} 时放得下（{1}，{2} 层）",
);
pub const TOKENS_AND_USERS_FIT: Bilingual = text(
    "--verify-tokens up to {0} fit ({1}, {2} layers), and --verify-users up to {3} at {4} tokens",
    "--verify-tokens 不超过 {0} 时放得下（{1}，{2} 层）；{4} 个 token 时 --verify-users 不超过 {3}",
);

// What is not measured.
pub const THIS_MEASUREMENT: Bilingual = text("this measurement", "这次测量");
pub const KEEPS_NOTHING: Bilingual =
    text("--verify of a model that keeps nothing", "对不保留任何缓存的模型运行 --verify");
pub const NOTHING_TO_MEASURE: Bilingual = text("there is nothing to measure", "没有可测量的内容");
pub const CACHE_OWNER: Bilingual = text("the owner of a layer's cache", "某层缓存的所有者");
pub const LAYER_OF_MODEL: Bilingual = text("a layer of the model", "该模型中的一层");
pub const TENSOR_DTYPES: Bilingual = text(
    "f32, f16, bf16 or fp8 with --verify: the types candle has tensors of",
    "--verify 时为 f32、f16、bf16 或 fp8：candle 有这些类型的张量",
);
pub const SHARED_ROWS: Bilingual =
    text("--verify of rows that several tokens share", "对多个 token 共用的行运行 --verify");
pub const NO_COMPRESSED_DECODER: Bilingual = text(
    "no decoder for compressed caches is built in; the plan itself needs no --verify",
    "没有内置压缩缓存的解码器；规划本身不需要 --verify",
);

// Devices.
pub const DEVICE: Bilingual = text("--device {0}", "--device {0}");
pub const NO_CUDA: Bilingual = text(
    "this build has no CUDA; build with --features cuda",
    "本程序构建时不含 CUDA；请以 --features cuda 构建",
);
pub const NO_METAL: Bilingual = text(
    "this build has no Metal; build with --features metal",
    "本程序构建时不含 Metal；请以 --features metal 构建",
);
pub const IT_REPORTS: Bilingual = text("it reports: {0}", "报告为：{0}");

// A model's own weights.
pub const TEXT_FROM: Bilingual = text("text from {0}", "由 {0} 生成文本");
pub const CANDLE_CONFIGURATION: Bilingual = text("candle's configuration: {0}", "candle 的配置：{0}");
pub const TEXT_FROM_CHECKPOINT: Bilingual =
    text("text from a checkpoint of `{0}`", "由 `{0}` 的检查点生成文本");
pub const CHECKPOINTS_RUN: Bilingual = text(
    "gemma, gemma2, gemma3_text, gpt2, llama, mistral, olmo2, phi3, qwen2, qwen3 and starcoder2 are run",
    "可运行的有 gemma、gemma2、gemma3_text、gpt2、llama、mistral、olmo2、phi3、qwen2、qwen3 与 starcoder2",
);
pub const TEXT_FROM_GGUF: Bilingual = text("text from a GGUF file of `{0}`", "由 `{0}` 的 GGUF 文件生成文本");
pub const GGUF_FILES_RUN: Bilingual = text(
    "files of llama, gemma3, phi2, phi3, qwen2 and qwen3 are run",
    "可运行的有 llama、gemma3、phi2、phi3、qwen2 与 qwen3 的文件",
);
pub const AT_MOST_MODEL_LENGTH: Bilingual =
    text("at most {0}: the model ends at {1} tokens", "不超过 {0}（该模型到 {1} 个 token 为止）");
pub const THIS_PROMPT: Bilingual = text("this --prompt", "该 --prompt");
pub const NO_TOKEN: Bilingual = text("no token", "没有 token");
pub const SOME_TEXT: Bilingual = text("some text", "一些文字");
pub const TEXT_OF_TOKENS: Bilingual = text("the text of these tokens", "把这些 token 还原为文字");
