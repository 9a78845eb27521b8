//! What asking a server says, in both languages.

use planner_core::text::Bilingual;

/// A shorter name for the table below.
const fn text(english: &'static str, chinese: &'static str) -> Bilingual {
    Bilingual::new(english, chinese)
}

pub(crate) const ON_CPU: Bilingual = text(
    "the engine runs on a CPU, whose block size is taken as told; kvplan has no other rule of it",
    "引擎运行于 CPU：块大小按其所示；kvplan 没有其它针对 CPU 的规则",
);
pub(crate) const SLOTS_SHARE: Bilingual = text(
    "{0} slots of the whole training context are taken for the server's default, one cache that all share (--kv-unified off says otherwise): it does not tell",
    "{0} 个槽位均为完整训练上下文，按服务器默认的共用一个缓存规划（可用 --kv-unified off 更正）：服务器未告知",
);
pub(crate) const SLOTS_APART: Bilingual = text(
    "{0} slots of {1} tokens are taken for caches of their own (--kv-unified on and --ctx-size say otherwise): the server does not tell",
    "{0} 个槽位各 {1} 个 token，按各自独立的缓存规划（可用 --kv-unified on 与 --ctx-size 更正）：服务器未告知",
);
pub(crate) const NO_BYTES: Bilingual = text(
    "not checked: the bytes of the cache, which the server prints to its log alone, at -lv 4 (`kvplan explain-log`)",
    "未核对：缓存的字节数，服务器只在 -lv 4 的日志中打印（可用 `kvplan explain-log`）",
);
/// A plan by another version's rule.
pub const OTHER_VERSION: Bilingual =
    text("{0} {1} is planned by the rule of {2}", "{0} {1} 按 {2} 的规则规划");
/// The room came from the engine's blocks.
pub const ROOM_OF_BLOCKS: Bilingual = text(
    "the engine tells no room for its cache: {0} is what its blocks take by this plan; what is checked is the cache inside it, not its bytes (--gpu or --kv-memory compares these)",
    "引擎未告知缓存空间：按本规划，其块数相当于 {0}；核对的是其中的缓存，而非其字节数（给出 --gpu 或 --kv-memory 可核对）",
);
/// The room came from the engine's tokens, and it tells one.
pub const ROOM_OF_TOKENS: Bilingual = text(
    "no memory is named: {0} is what the engine's tokens take by this plan, beside what it says that they take",
    "未指定内存：按本规划，引擎的 token 共占 {0}，与引擎所示对照",
);
/// Nothing of the server's stood beside a planned figure.
pub const NOTHING: Bilingual = text(
    "nothing that the server tells stands beside a figure of the plan",
    "服务器所告知的，没有一项可与规划的数值对照",
);

/// Heads the table: address, engine, version, model.
pub const TITLE: Bilingual = text("{0}: {1} {2} with {3}", "{0}：{1} {2}，模型 {3}");
/// The columns.
pub const COLUMNS: [Bilingual; 5] = [
    text("figure", "数值"),
    text("rank", "进程"),
    text("engine", "引擎"),
    text("kvplan", "kvplan"),
    text("difference", "差"),
];
/// Which settings the server told, and where.
pub const SETTINGS: Bilingual = text("Taken from the server: {0}.", "取自服务器：{0}。");
/// Settings and their path.
pub const SETTING: Bilingual = text("{0} ({1})", "{0}（{1}）");
/// All agree.
pub const MATCH: Bilingual =
    text("match: {0} compared with the engine's own, none differs", "一致：与引擎自身对照 {0} 项，无一不同");
/// Some differ.
pub const MISMATCH: Bilingual =
    text("MISMATCH: {0} of {1} figures differ: {2}", "不一致：{1} 项中有 {0} 项不同：{2}");
/// The room differs, cause by cause.
pub const ROOM_DIFFERS: Bilingual = text(
    "kvplan leaves the cache {0} {1} than the engine's blocks take; --calibrate FILE keeps the engine's for --profile.",
    "kvplan 留给缓存的空间比引擎的块所占{1} {0}；--calibrate FILE 可为 --profile 保存引擎的数值。",
);
/// The cache's layout is the engine's.
pub const CACHE_SAME: Bilingual = text(
    "In the engine's own room the cache holds {0} tokens, as the engine says.",
    "在引擎自身的空间中，缓存可容纳 {0} 个 token，与引擎一致。",
);
/// It is another.
pub const CACHE_OTHER: Bilingual = text(
    "In the engine's own room kvplan's cache holds {0} tokens and the engine's {1}: the cache itself differs.",
    "在引擎自身的空间中，kvplan 的缓存可容纳 {0} 个 token，引擎为 {1}：缓存本身不同。",
);
/// In `ROOM_DIFFERS`.
pub const MORE: Bilingual = text("more", "多");
/// In `ROOM_DIFFERS`.
pub const LESS: Bilingual = text("less", "少");

/// What an address looks like.
pub const WANT: Bilingual = text(
    "an address such as http://127.0.0.1:8000, or python, or nothing",
    "形如 http://127.0.0.1:8000 的地址、python，或不给值",
);
/// https.
pub const ENCRYPTED: Bilingual = text(
    "https is not built in: reach the engine's own port, or forward one with `ssh -L`",
    "未内置 https：请直连引擎端口，或用 `ssh -L` 转发",
);
/// `--verify python`.
pub const PYTHON: Bilingual =
    text("the model's own class in Python is not run by this version", "本版本不运行 Python 中模型自身的类");
/// Heads every reason why an address told nothing.
pub const AT: Bilingual = text("{0}: {1}", "{0}：{1}");
/// No connection.
pub const SILENT: Bilingual = text("nothing answers: {0}", "无应答：{0}");
/// Too slow.
pub const TIMED_OUT: Bilingual = text("it did not answer in time", "未在时限内应答");
/// Broken.
pub const CUT_OFF: Bilingual = text("the connection ended inside an answer", "连接在应答途中断开");
/// Too large.
pub const TOO_LARGE: Bilingual = text("an answer is larger than {0} bytes", "应答超过 {0} 字节");
/// Redirects.
pub const REDIRECTS: Bilingual =
    text("it redirects to {0}, which is not followed", "它重定向至 {0}，不予跟随");
/// No key.
pub const KEY: Bilingual = text("it asks for an API key", "它要求 API 密钥");
/// Which variable.
pub const KEY_HINT: Bilingual = text("put the key in KVPLAN_API_KEY", "请将密钥放入环境变量 KVPLAN_API_KEY");
/// Wrong key.
pub const KEY_REFUSED: Bilingual =
    text("it refuses the API key in KVPLAN_API_KEY", "它拒绝了 KVPLAN_API_KEY 中的 API 密钥");
/// Still loading.
pub const NOT_READY: Bilingual = text("it is up and not ready (503)", "它已启动但尚未就绪（503）");
/// Another server.
pub const NO_ENGINE: Bilingual = text(
    "it does not answer as vLLM, SGLang, llama-server or TensorRT-LLM do",
    "其应答不同于 vLLM、SGLang、llama-server 或 TensorRT-LLM",
);
/// TGI.
pub const TGI: Bilingual = text(
    "it is text-generation-inference {0}, for whose cache kvplan has no rule",
    "它是 text-generation-inference {0}，kvplan 没有其缓存的规则",
);
/// No figures.
pub const MISSING: Bilingual = text("it tells no figures of its cache at {0}", "它在 {0} 处未给出缓存的数值");
/// No figures from TensorRT-LLM.
pub const MISSING_HINT: Bilingual = text(
    "TensorRT-LLM tells them after a request, with enable_iter_perf_stats; vLLM unless --disable-log-stats is given",
    "TensorRT-LLM 须启用 enable_iter_perf_stats 并先有一次请求；vLLM 须未给 --disable-log-stats",
);
/// A model whose name says nothing.
pub const MODEL_UNKNOWN: Bilingual = text(
    "the server's model {0} is neither a file here nor a name of the catalogue",
    "服务器的模型 {0} 既非本机文件，也不在目录中",
);
/// What to type then.
pub const MODEL_HINT: Bilingual = text(
    "name it: kvplan --verify {0} --model PATH_OR_NAME",
    "请指定：kvplan --verify {0} --model 路径或名称",
);
