//! What this program prints of its own, in both languages: why an engine's figure differs, `--verify`, a model's own
//! weights and `bench-cache`.
//!
//! `{0}`, `{1}` … are places for arguments ([`planner_core::text::Bilingual`]).

use planner_core::text::Bilingual;

/// A shorter name for the table below.
const fn text(english: &'static str, chinese: &'static str) -> Bilingual {
    Bilingual::new(english, chinese)
}

pub const WHY: Bilingual = text(
    "By the model's definition it is {0}. The engine's figure differs: {1}.",
    "按模型定义为 {0}。引擎的数字不同：{1}。",
);
pub const WHY_RULE: Bilingual = text("{0}: {1}", "{0}：{1}");
pub const WHY_LATENT: Bilingual =
    text("each of the {0} tensor ranks keeps the whole latent", "{0} 个张量并行 rank 各保留完整的 latent");
pub const WHY_HEADS: Bilingual = text(
    "each of the {0} KV heads is kept on {1} of the {2} tensor ranks",
    "{0} 个 KV 头各自保存在 {2} 个张量并行 rank 中的 {1} 个上",
);
pub const WHY_BLOCKS: Bilingual = text(
    "memory is given out in blocks of {0} tokens, and the last one is not full",
    "内存按 {0} 个 token 的块分配，最后一块未填满",
);
pub const WHY_WINDOW: Bilingual = text(
    "a window layer also keeps the tokens of the step in flight (--max-num-batched-tokens)",
    "滑动窗口层还保留正在处理的一步的 token（--max-num-batched-tokens）",
);
pub const WHY_REPLICAS: Bilingual =
    text("each of the {0} replicas is counted with {1} {1:session/sessions}", "{0} 个副本各按 {1} 个会话计");
pub const WHY_SLOTS: Bilingual = text("all {0} slots are allocated at start", "启动时即分配全部 {0} 个 slot");
pub const ENGINE_IN_ALL: Bilingual =
    text("{0} allocates {1} for one session, {2} in all.", "{0} 为一个会话分配 {1}，共分配 {2}。");
pub const USES: Bilingual = text(
    "uses {0} of {1} on each GPU ({2}%): {3} for the cache",
    "每个 GPU 使用 {1} 中的 {0}（{2}%），其中缓存 {3}",
);
pub const USES_KV: Bilingual =
    text("uses {0} of {1} on each GPU ({2}%)", "每个 GPU 使用 {1} 中的 {0}（{2}%）");
pub const VERIFY_TITLE: Bilingual = text(
    "Measured with {0} on {1}: {2} of {3} layers, {4} tokens decoded one by one",
    "用 {0} 在 {1} 上实测：{3} 层中的 {2} 层，逐个解码 {4} 个 token",
);
pub const VERIFY_PROGRESS: Bilingual = text("measuring {0}, about {1} left", "正在实测 {0}，约剩 {1}");
pub const VERIFY_INTERRUPTED: Bilingual =
    text("INTERRUPTED: {0} rows were measured until then.", "已中断：此前测得 {0} 行。");
pub const VERIFY_STACK: Bilingual = text("{0} {1} of {2}", "{0} {2} 层中的 {1} 层");
pub const VERIFY_CHOSEN: Bilingual = text(
    "Layers run in stacks, chosen for time and memory: {0}. It took {1} s. Other choices: --verify-layers, --verify-tokens, --verify-users.",
    "按时间与内存选择堆叠运行的层：{0}。用时 {1} 秒。可另选：--verify-layers、--verify-tokens、--verify-users。",
);
pub const VERIFY_COLUMNS: Bilingual = text(
    "In bytes. measured: elements × bytes of the cache tensors, which must equal predicted. allocated: what the allocator gave out for them, tensor headers and unused rows of rings included. device: {0}, for the layers that ran alone ({1} B of cache tensors in the last row). transient: the most that one decode step took beyond what it left behind, in these narrowed stacks.",
    "单位为字节。实测：缓存张量的元素数 × 字节，须与预测相等。分配：分配器为其给出的字节，含张量头与环形缓冲未用的行。设备：{0}，仅计运行过的层（末行缓存张量 {1} B）。瞬时：在这些收窄的堆叠中，一步解码除留下的之外最多占用的字节。",
);
pub const VERIFY_RESIDENT: Bilingual =
    text("growth of the process's resident set, reused pages uncounted", "进程常驻内存的增长，重用的页不计");
pub const VERIFY_CARD: Bilingual = text("memory of the card that is no longer free", "显卡不再空闲的显存");
pub const VERIFY_EXTRAPOLATED: Bilingual = text(
    "EXTRAPOLATED: what one layer adds from a low stack of its kind to a high one is counted for the layers that did not run.",
    "外推：未运行的层，按同种层由低堆叠到高堆叠每层所增加的字节计算。",
);
pub const VERIFY_NARROWED: Bilingual = text(
    "Seeded weights; heads, widths, windows, ranks and states are the model's own, its width is narrowed to {0}, on which no cache depends.",
    "权重由种子生成；头数、宽度、窗口、秩与状态均为模型自身的，隐藏宽度收窄为 {0}（缓存与之无关）。",
);
pub const VERIFY_MATCH: Bilingual = text(
    "match: {0} B difference; logits within {1} of computing everything anew",
    "一致：相差 {0} B；logits 与全部重算相差不超过 {1}",
);
pub const VERIFY_MISMATCH: Bilingual = text(
    "MISMATCH: {0} B difference; logits {1} from computing everything anew (at most {2})",
    "不一致：相差 {0} B；logits 与全部重算相差 {1}（至多 {2}）",
);
pub const VERIFY_TIMING: Bilingual = text(
    "{0} new tokens on {1} layers: {2} s with the cache, {3} s without it, {4}x",
    "{1} 层生成 {0} 个新 token：有缓存 {2} 秒，无缓存 {3} 秒，{4} 倍",
);
pub const VERIFY_MODULE: Bilingual = text(
    "{0} itself, {1} narrowed layers, {2} tokens: {3} B predicted by --engine candle, {4} B measured, {5} B transient in a step",
    "{0} 本身，{1} 个收窄的层，{2} 个 token：--engine candle 预测 {3} B，实测 {4} B，一步瞬时 {5} B",
);
pub const VERIFY_MODULE_REFUSED: Bilingual =
    text("candle's own module did not run: {0}", "candle 自己的模块未能运行：{0}");
pub const COLUMN_BATCH: Bilingual = text("users", "会话");
pub const COLUMN_TOKENS_HELD: Bilingual = text("tokens", "token");
pub const COLUMN_PREDICTED: Bilingual = text("predicted", "预测");
pub const COLUMN_MEASURED: Bilingual = text("measured", "实测");
pub const COLUMN_MEASURED_EXTRAPOLATED: Bilingual = text("measured (extrapolated)", "实测（外推）");
pub const COLUMN_DIFFERENCE: Bilingual = text("diff", "差");
pub const COLUMN_ALLOCATED: Bilingual = text("allocated", "分配");
pub const COLUMN_DEVICE: Bilingual = text("device", "设备");
pub const COLUMN_TRANSIENT: Bilingual = text("transient", "瞬时");
pub const REAL_TITLE: Bilingual = text(
    "Its own weights with {0} on {1}: {2} new tokens after {3}, {4} tokens/s",
    "以自身权重运行 {0}，{1}：{3} 个 token 之后生成 {2} 个，每秒 {4} 个",
);
pub const REAL_FIXED_PROMPT: Bilingual =
    text("No text ({0}): fixed token ids instead.", "没有文本（{0}）：改用固定的 token 编号。");
pub const REAL_MATCH: Bilingual = text(
    "match: {0} B difference from --engine candle, in the cache tensors and in the heap's growth where they can be seen",
    "一致：与 --engine candle 相差 {0} B（缓存张量以及可见的堆增长）",
);
pub const REAL_MISMATCH: Bilingual =
    text("MISMATCH: {0} B difference from --engine candle", "不一致：与 --engine candle 相差 {0} B");
pub const REAL_NOT_PREDICTED: Bilingual = text("Not compared: {0}.", "未作对比：{0}。");
pub const REAL_NOT_RUN: Bilingual =
    text("The weights themselves were not run: {0}.", "未运行权重本身：{0}。");
pub const COLUMN_HEAP_PREDICTED: Bilingual = text("predicted growth", "预测增长");
pub const REAL_GROWTH: Bilingual = text("heap growth", "堆增长");
pub const BENCH_TITLE: Bilingual = text(
    "{0} at its own shape ({1} weights, {7}, {2}) with candle on {3}, {4} threads: {5} new tokens after {6}",
    "{0} 按自身形状（{1} 个权重，{7}，{2}），candle，{3}，{4} 个线程：{6} 个 token 之后生成 {5} 个",
);
pub const BENCH_SEEDED: Bilingual = text("seeded", "种子生成");
pub const BENCH_CHECKPOINT: Bilingual = text("from the checkpoint", "取自检查点");
pub const BENCH_DEFAULTS: Bilingual = text(
    "on a CPU it is shortened to {0} new tokens and {1} runs of each kind; the article's experiment is --new-tokens 1000 --runs 10",
    "在 CPU 上缩短为 {0} 个新 token、每种 {1} 次；文章的实验是 --new-tokens 1000 --runs 10",
);
pub const BENCH_ESTIMATE: Bilingual = text(
    "this will take about {0}: {1} runs with the cache, about {2} each, and {3} without it, about {4} each; shorter with --new-tokens, --runs, --uncached-runs",
    "约需 {0}：有缓存 {1} 次，每次约 {2}；无缓存 {3} 次，每次约 {4}；要更短：--new-tokens、--runs、--uncached-runs",
);
pub const BENCH_RUN: Bilingual = text("{0}, run {1}: {2} s", "{0}，第 {1} 次：{2} 秒");
pub const BENCH_LEFT: Bilingual = text(
    "{0}, run {1} of {2}, token {3} of {4}, {5} left",
    "{0}，第 {1}/{2} 次，第 {3}/{4} 个 token，还需 {5}",
);
pub const BENCH_INTERRUPTED: Bilingual =
    text("INTERRUPTED: what follows is what was finished.", "已中断：以下是已完成的部分。");
pub const BENCH_LOGITS: Bilingual = text(
    "Largest difference of a logit between both ways: {0}, over {1} steps.",
    "两种方式的 logits 最大相差 {0}（比较 {1} 步）。",
);
pub const BENCH_AT_TOKENS: Bilingual = text("speed-up at {0} new tokens", "加速比（{0} 个新 token）");
pub const BENCH_CHART: Bilingual = text(
    "Seconds per new token, from the first to number {0}: what climbs is without the cache.",
    "每个新 token 的秒数，从第 1 个到第 {0} 个：上升的是无缓存。",
);
pub const BENCH_PER_TOKEN: Bilingual = text("Seconds for each new token", "每个新 token 的秒数");
pub const BENCH_SO_FAR: Bilingual = text("Seconds so far", "累计秒数");
pub const BENCH_NEW_TOKENS: Bilingual = text("new tokens", "新 token");
pub const BENCH_WROTE: Bilingual = text("wrote {0}", "已写入 {0}");
pub const BENCH_CACHED: Bilingual = text("with the cache", "有缓存");
pub const BENCH_UNCACHED: Bilingual = text("without it", "无缓存");
pub const BENCH_SAME: Bilingual = text("All runs gave the same tokens.", "每次运行得到的 token 都相同。");
pub const BENCH_DIFFERENT: Bilingual =
    text("The runs did NOT give the same tokens.", "各次运行得到的 token 不同。");
pub const BENCH_ARTICLE: Bilingual = text(
    "The article's seconds are for 1,000 new tokens on its own GPU; the ratio grows with the number of tokens, so only runs of 1,000 compare.",
    "文章的秒数是在其 GPU 上生成 1,000 个新 token；比值随 token 数增长，只有 1,000 个 token 的运行可比。",
);
pub const COLUMN_MEAN: Bilingual = text("mean s", "平均秒数");
pub const COLUMN_MEDIAN: Bilingual = text("median s", "中位秒数");
pub const COLUMN_DEVIATION: Bilingual = text("deviation", "标准差");
pub const COLUMN_RUNS: Bilingual = text("runs", "次数");
pub const COLUMN_ARTICLE: Bilingual = text("article", "文章");
