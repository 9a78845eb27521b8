//! What a log's reader says, in both languages.

use planner_core::text::Bilingual;

use crate::figure::Quantity;

/// A shorter name for the table below.
const fn text(english: &'static str, chinese: &'static str) -> Bilingual {
    Bilingual::new(english, chinese)
}

pub(crate) const NOT_TAKEN: Bilingual =
    text("a setting of the engine is not planned: {0}", "引擎的一项设置未纳入规划：{0}");
pub(crate) const UNPLANNED: Bilingual = text(
    "settings of the engine that kvplan has no flag for: {0}",
    "引擎的设置中 kvplan 没有对应选项的：{0}",
);
pub(crate) const OTHER_VERSION: Bilingual = text(
    "{0} {1} is planned as {2}, the nearest release whose rule is known",
    "{0} {1} 按 {2} 规划，即规则已知的最接近版本",
);
pub(crate) const GPU_OF_MEMORY: Bilingual = text(
    "the log names no GPU: taken for {0}, whose memory gives the {1} that it prints (--gpu names another)",
    "日志未写明 GPU：按 {0} 规划，由其内存可得所打印的 {1}（可用 --gpu 另行指定）",
);
pub(crate) const GPU_OF_SIZE: Bilingual = text(
    "the log names no GPU: planned on one of {0} (--gpu names it)",
    "日志未写明 GPU：按 {0} 的 GPU 规划（可用 --gpu 指定）",
);

/// A file in which no line is an engine's.
pub const UNRECOGNISED: Bilingual = text(
    "no line of it is one that vLLM, SGLang, llama.cpp or TensorRT-LLM prints at its start",
    "其中没有 vLLM、SGLang、llama.cpp 或 TensorRT-LLM 启动时打印的任何一行",
);
/// What helps then.
pub const UNRECOGNISED_HINT: Bilingual = text(
    "give the log from the engine's start on; llama-server tells its buffers at -lv 4",
    "请提供自引擎启动起的日志；llama-server 须加 -lv 4 才会打印各缓冲区",
);
/// A profile that does not parse.
pub const NO_PROFILE: Bilingual = text(
    "it is neither what --calibrate writes nor vLLM's startup_plan file",
    "它既不是 --calibrate 写出的文件，也不是 vLLM 的 startup_plan 文件",
);
pub(crate) const MISSING: Bilingual = text("missing", "未给出");
pub(crate) const NAMED_GPU: Bilingual = text("the GPU, which the log does not name", "日志未写明的 GPU");
/// A log that prints no room.
pub const NO_ROOM: Bilingual =
    text("the log prints no room for the cache to keep", "日志未打印缓存可用空间，没有可保存的内容");

/// Heads a table: engine, version, model.
pub const TITLE: Bilingual = text("{0} started with {1}", "{0} 启动，模型 {1}");
/// A model that the log does not name.
pub const NO_NAME: Bilingual = text("a model that the log does not name", "日志未写明");
/// The columns.
pub const COLUMNS: [Bilingual; 5] = [
    text("figure", "数值"),
    text("rank", "进程"),
    text("log", "日志"),
    text("kvplan", "kvplan"),
    text("difference", "差"),
];
/// Both rooms agree.
pub const ROOM_SAME: Bilingual = text(
    "The room for the cache is the engine's, to the rounding of its log.",
    "缓存空间与引擎一致（在日志的舍入之内）。",
);
/// The plan's is larger.
pub const ROOM_MORE: Bilingual = text(
    "kvplan leaves the cache {0} more than the engine did: {1}.",
    "kvplan 留给缓存的空间比引擎多 {0}：{1}。",
);
/// The plan's is smaller.
pub const ROOM_LESS: Bilingual = text(
    "kvplan leaves the cache {0} less than the engine did: {1}.",
    "kvplan 留给缓存的空间比引擎少 {0}：{1}。",
);
/// Which part makes most of it.
pub const LARGEST: Bilingual = text("Most of the difference is {0}.", "差异主要来自{0}。");
/// Parts that the log does not print.
pub const REST: Bilingual = text("what the log does not print", "日志未打印的部分");
/// The cache's layout is the engine's.
pub const CACHE_SAME: Bilingual = text(
    "In the room that the log prints, the cache holds {0} tokens, as the engine says.",
    "在日志所打印的空间中，缓存可容纳 {0} 个 token，与引擎一致。",
);
/// It is another.
pub const CACHE_OTHER: Bilingual = text(
    "In the room that the log prints, kvplan's cache holds {0} tokens and the engine's {1}: the cache itself differs.",
    "在日志所打印的空间中，kvplan 的缓存可容纳 {0} 个 token，引擎为 {1}：缓存本身不同。",
);
/// Why nothing stands beside the engine's figures.
pub const NOT_PLANNED: Bilingual =
    text("no figures of kvplan beside these: {0}", "未列出 kvplan 的数值：{0}");
/// A model whose name the catalogue does not hold.
pub const MODEL_UNKNOWN: Bilingual = text(
    "the model {0} is not known by this name (--model names it)",
    "不认识名为 {0} 的模型（请用 --model 指定）",
);
/// A log that names none.
pub const MODEL_UNNAMED: Bilingual =
    text("the log names no model (--model names it)", "日志未写明模型（请用 --model 指定）");
/// A profile was written.
pub const WROTE: Bilingual = text("wrote what was measured to {0}", "已将测得的数值写入 {0}");
/// vLLM's own file.
pub const STARTUP_PLAN: Bilingual = text(
    "vLLM's start-up plan {0} names no model and no GPU: taken for this run, with {1} for the cache and {2} free at its start",
    "vLLM 的启动规划 {0} 未写明模型与 GPU：按本次运行采用，缓存 {1}，启动时空闲 {2}",
);

/// What a figure is of, as a table names it.
pub fn quantity(quantity: Quantity) -> Bilingual {
    match quantity {
        Quantity::Total => text("GPU memory", "GPU 内存"),
        Quantity::Budget => text("the engine's share", "引擎份额"),
        Quantity::FreeBefore => text("free before loading", "加载前空闲"),
        Quantity::FreeAfterWeights => text("free after loading", "加载后空闲"),
        Quantity::Weights => text("weights", "权重"),
        Quantity::Consumed => text("weights and outside torch", "权重与 torch 之外"),
        Quantity::Activation => text("activation", "激活"),
        Quantity::ActivationAndGraphs => text("activation and graphs", "激活与计算图"),
        Quantity::OutsideTorch => text("outside torch", "torch 之外"),
        Quantity::GraphsEstimate => text("graphs, estimated", "计算图（估计）"),
        Quantity::Graphs => text("graphs, captured", "计算图（捕获）"),
        Quantity::BeforeCache => text("all before the cache", "缓存之前合计"),
        Quantity::Compute => text("compute buffers", "计算缓冲区"),
        Quantity::Output => text("output buffers", "输出缓冲区"),
        Quantity::Room => text("cache", "缓存"),
        Quantity::Keys => text("keys", "键"),
        Quantity::Values => text("values", "值"),
        Quantity::States => text("states", "状态"),
        Quantity::BlockSize => text("tokens of a block", "每块 token"),
        Quantity::Blocks => text("blocks", "块数"),
        Quantity::Tokens => text("tokens", "token"),
        Quantity::Concurrency => text("longest sessions at once", "最长会话并发数"),
        Quantity::Slots => text("slots", "槽位数"),
        Quantity::SlotTokens => text("tokens of a slot", "每槽位 token"),
        Quantity::Parameters => text("parameters", "参数量"),
        Quantity::TrainedTokens => text("tokens trained on", "训练上下文"),
    }
}
