//! What the page in the browser says and the command line does not, in every language side by side:
//! a line without one of them does not compile. `{name}` is filled in by the page.

use super::Lang;

/// Key, English, Chinese.
pub type Line = (&'static str, &'static str, &'static str);

/// Everything the page says that the command line does not.
pub static PAGE: &[Line] = &[
    // frame of the page
    ("page.title", "kvplan: KV-cache memory, to the byte", "kvplan：KV 缓存显存，精确到字节"),
    ("page.tagline", "KV-cache memory, to the byte", "KV 缓存显存，精确到字节"),
    ("page.skip", "Skip to the answer", "跳到结果"),
    ("page.language", "中文", "English"),
    ("page.theme", "Theme", "主题"),
    ("page.theme_auto", "as the system", "随系统"),
    ("page.theme_light", "light", "浅色"),
    ("page.theme_dark", "dark", "深色"),
    ("page.parts", "Parts of this page", "本页各部分"),
    ("page.loading", "Loading the planner …", "正在载入计算核心……"),
    (
        "page.footer",
        "Everything is computed in this page; nothing you enter leaves it.",
        "一切都在本页内计算，你输入的内容不会离开本页。",
    ),
    ("nav.answer", "Answer", "结果"),
    ("nav.why", "Why", "原理"),
    ("nav.layers", "Layers", "各层"),
    ("nav.compare", "Compare", "比较"),
    ("nav.assumptions", "Assumptions", "假设"),
    // the question
    ("ask.title", "How much memory do your users’ conversations take?", "用户的对话要占多少显存？"),
    (
        "ask.deck",
        "A model that serves many users keeps rows of numbers for every token of every conversation: the KV cache. Here it is to the byte, with the reason.",
        "服务多个用户的模型，要为每段对话的每个token保存几行数字，这就是 KV 缓存。这里给出精确到字节的答案，并说明原因。",
    ),
    ("ask.form", "Your question", "你的问题"),
    ("ask.model", "Model", "模型"),
    ("ask.model_hint", "type to search, or paste a config.json", "输入以搜索，或粘贴 config.json"),
    ("ask.models_found", "{n} models", "{n} 个模型"),
    ("ask.seq", "Tokens per session", "每个会话的token数"),
    ("ask.users", "Users at once", "同时在线用户数"),
    ("ask.gpu", "GPU", "GPU"),
    ("ask.gpu_none", "none: only the sizes", "不选：只算大小"),
    ("ask.gpus", "Number of GPUs", "GPU数量"),
    ("ask.engine", "Engine", "推理引擎"),
    ("ask.kv_dtype", "KV numbers as", "KV 精度"),
    ("ask.weight_dtype", "Weights as", "权重精度"),
    ("ask.tp", "Tensor parallel", "张量并行"),
    ("ask.tp_auto", "all GPUs", "全部GPU"),
    ("ask.auto", "auto: the model’s own", "自动：随模型"),
    ("ask.more", "More settings", "更多设置"),
    ("ask.pp", "Pipeline parallel", "流水线并行"),
    ("ask.utilization", "Share of memory used", "显存使用比例"),
    ("ask.reserve", "Reserve per GPU", "每卡预留"),
    ("ask.kv_heads", "KV heads, overriding the model", "KV 头数（覆盖模型设定）"),
    ("ask.block", "Block size", "块大小"),
    ("ask.batched", "Batched tokens", "批内token数上限"),
    ("ask.engine_default", "the engine’s own", "引擎默认"),
    ("ask.config", "Use a config.json", "使用 config.json"),
    (
        "ask.config_label",
        "A model’s config.json, pasted or dropped here; it is read in this page only",
        "把模型的 config.json 粘贴或拖到这里；只在本页内读取",
    ),
    ("ask.config_file", "or choose a file", "或选择文件"),
    ("ask.config_close", "Back to the catalogue", "回到模型目录"),
    ("ask.config_name", "your config.json", "你的 config.json"),
    (
        "ask.config_size",
        "This file has {size}. A config.json has a few kilobytes; at most 8 MB is read.",
        "这个文件有 {size}。config.json 只有几 KB；最多读取 8 MB。",
    ),
    ("ask.config_json", "This is not JSON: {why}", "这不是 JSON：{why}"),
    (
        "ask.config_html",
        "This is a web page, not a config.json. Open the file’s raw form and copy that.",
        "这是网页，不是 config.json。请打开文件的原始内容再复制。",
    ),
    (
        "ask.config_object",
        "A config.json is one object, from { to }.",
        "config.json 应是一个从 { 到 } 的对象。",
    ),
    (
        "ask.config_long",
        "This config is too long for a link: a copied address leaves it out.",
        "这个配置太长，放不进链接；复制的网址里不含它。",
    ),
    ("ask.error_empty", "Write a number here.", "请在此填写数字。"),
    (
        "ask.error_number",
        "“{text}” is no number of this kind. Whole numbers such as 1000, 8k or 128K.",
        "“{text}”不是有效的数。请填整数，如 1000、8k 或 128K。",
    ),
    ("ask.error_zero", "At least 1.", "至少为 1。"),
    ("ask.error_large", "That is more than can be planned.", "这个数太大，无法规划。"),
    (
        "ask.stale",
        "The figures below are those of the last question that could be answered.",
        "下面仍是上一个可回答的问题的结果。",
    ),
    // the answer
    ("result.title", "The answer", "结果"),
    ("result.total", "{users} sessions of {seq} tokens hold", "{users} 个会话，每个 {seq} token，共占"),
    ("result.total_one", "One session of {seq} tokens holds", "一个 {seq} token的会话占"),
    ("result.of_cache", "of KV cache", "的 KV 缓存"),
    ("result.token", "one more token", "再多一个token"),
    ("result.session", "one session", "一个会话"),
    ("result.state", "held before the first token", "首个token之前就占"),
    ("result.all", "all sessions", "所有会话"),
    ("result.engine", "as {engine} allocates it", "按 {engine} 的分配"),
    (
        "result.all_heads",
        "Were every query head to keep its own K and V, it would be {ratio} times as much: {size}.",
        "如果每个查询头都各存一份 K 和 V，就要 {ratio} 倍：{size}。",
    ),
    (
        "result.all_heads_none",
        "This model has no attention heads to compare with.",
        "此模型没有可比较的注意力头。",
    ),
    ("result.fits", "It fits.", "放得下。"),
    ("result.room", "Room for {n} users of {seq} tokens.", "可容纳 {n} 个 {seq} token的用户。"),
    (
        "result.longest",
        "With {users} users, up to {n} tokens each.",
        "{users} 个用户时，每人最多 {n} token。",
    ),
    ("result.not_fits", "It does not fit.", "放不下。"),
    ("result.least", "It needs at least {n} of these GPUs.", "至少需要 {n} 张这样的GPU。"),
    ("result.limited_by", "What runs out first: {what}.", "最先用尽的是：{what}。"),
    ("result.try", "Any one of these fits:", "以下任一改动即可放下："),
    ("result.no_gpu", "Choose a GPU to see whether it fits.", "选择GPU后即可知道是否放得下。"),
    ("result.error", "This question has no answer yet", "这个问题暂时没有答案"),
    ("bar.title", "Memory of one GPU", "单张GPU的显存"),
    (
        "bar.label",
        "Memory of the fullest GPU: {weights} weights, {reserve} reserve, {used} KV cache in use, {free} free for KV cache, of {total}.",
        "最满的GPU：权重 {weights}，预留 {reserve}，已用 KV 缓存 {used}，可用于 KV 缓存的空闲 {free}，共 {total}。",
    ),
    ("bar.weights", "weights", "权重"),
    ("bar.reserve", "reserve", "预留"),
    ("bar.used", "KV cache, used", "KV 缓存，已用"),
    ("bar.free", "KV cache, free", "KV 缓存，空闲"),
    ("bar.over", "missing", "不足"),
    ("chart.title", "Users against length", "用户数与长度"),
    ("chart.x", "tokens per session", "每个会话的token数"),
    ("chart.y", "users", "用户数"),
    (
        "chart.label",
        "Most users by length of their sessions. At {seq} tokens {most} users fit; you ask for {users}.",
        "不同会话长度下可容纳的最多用户数。{seq} token时可容纳 {most} 个用户；你要 {users} 个。",
    ),
    ("chart.you", "you", "你"),
    ("chart.limit", "the limit", "上限"),
    ("chart.table", "The same as a table", "以表格显示"),
    ("copy.command", "Copy as command", "复制为命令"),
    ("copy.link", "Copy link", "复制链接"),
    ("copy.json", "Copy as JSON", "复制为 JSON"),
    ("copy.done", "Copied", "已复制"),
    ("copy.failed", "Could not copy; it is selected for you to copy.", "无法复制；已为你选中，请手动复制。"),
    // layers
    ("layers.title", "Layer by layer", "逐层看"),
    (
        "layers.deck",
        "Every box is a layer of the model, in order, marked by what it keeps.",
        "每个方块是模型的一层，按顺序排列，图案表示它保存什么。",
    ),
    ("layers.kind", "kind", "种类"),
    ("layers.count", "layers", "层数"),
    ("layers.which", "which", "层号"),
    ("layers.per_token", "one more token", "再多一个token"),
    ("layers.per_session", "one session", "一个会话"),
    ("layers.sum", "together", "合计"),
    (
        "layers.one",
        "Layer {i}: {kind}; one more token {token}, one session {session}",
        "第 {i} 层：{kind}；再多一个token {token}，一个会话 {session}",
    ),
    (
        "layers.range",
        "Layers {a} to {b}: {kind}; one more token {token} each, one session {session} each",
        "第 {a} 至 {b} 层：{kind}；每层再多一个token {token}，一个会话 {session}",
    ),
    ("kind.full", "full attention", "全注意力"),
    ("kind.sliding", "sliding window", "滑动窗口"),
    ("kind.chunked", "chunked attention", "分块注意力"),
    ("kind.latent", "latent (MLA)", "潜变量（MLA）"),
    ("kind.state", "recurrent state", "循环状态"),
    ("kind.cross", "cross-attention", "交叉注意力"),
    ("kind.shared", "reads another layer’s cache", "共用他层缓存"),
    ("kind.none", "keeps nothing", "不保存"),
    ("kind.index", "index keys", "索引键"),
    // compare
    ("compare.title", "Side by side", "并排比较"),
    (
        "compare.deck",
        "The same tokens, users and GPUs for two to four models or engines.",
        "相同的token数、用户数和GPU，两到四种模型或引擎。",
    ),
    ("compare.column", "Column {n}", "第 {n} 列"),
    ("compare.add", "Add a column", "添加一列"),
    ("compare.remove", "Remove column {n}", "删除第 {n} 列"),
    ("compare.what", "what", "项目"),
    ("compare.per_token", "one more token", "再多一个token"),
    ("compare.session", "one session", "一个会话"),
    ("compare.total", "all sessions", "所有会话"),
    ("compare.engine_total", "as the engine allocates it", "按引擎分配"),
    ("compare.weights", "weights", "权重"),
    ("compare.most_users", "most users", "最多用户"),
    ("compare.fits", "fits", "放得下"),
    ("compare.yes", "yes", "是"),
    ("compare.no", "no", "否"),
    ("compare.unknown", "no GPU chosen", "未选GPU"),
    ("compare.refused", "no answer: {why}", "无答案：{why}"),
    // assumptions
    ("assume.title", "What this rests on", "这些数字的依据"),
    (
        "assume.deck",
        "Where each figure was read, what was assumed, and the same question for the command line.",
        "每个数字取自何处、做了哪些假设，以及同一问题的命令行写法。",
    ),
    ("assume.notes", "Notes", "说明"),
    ("assume.origin", "Read from the model", "取自模型"),
    ("assume.field", "field", "字段"),
    ("assume.value", "value", "值"),
    ("assume.from", "from", "来源"),
    ("assume.command", "On the command line", "命令行"),
    ("assume.json", "The whole answer as JSON", "完整结果（JSON）"),
    ("assume.gpu", "The GPU", "GPU"),
    ("assume.engine", "The engine’s own figures", "引擎自己的数字"),
    // why: controls
    ("why.title", "Why the cache is there, and what it holds", "缓存为何存在，里面存了什么"),
    (
        "why.deck",
        "A small attention layer computes your sentence as you step: 4 query heads of 2 columns, in 32-bit numbers. Every cell is its value.",
        "一个小注意力层会随着你的步进真正计算这句话：4 个查询头，每头 2 列，32 位浮点数。每个格子都是算出来的值。",
    ),
    ("why.sentence", "Sentence", "句子"),
    ("why.example", "large models remember every word", "我爱大模型"),
    ("why.example_mine", "your own", "自己写"),
    ("why.sentence_empty", "Write at least one word.", "请至少写一个词。"),
    (
        "why.sentence_cut",
        "The picture has room for {n} tokens; the rest is left off.",
        "图中最多放 {n} 个token，其余已略去。",
    ),
    ("why.back", "Back", "后退"),
    ("why.next", "Next", "前进"),
    ("why.play", "Play", "播放"),
    ("why.pause", "Pause", "暂停"),
    ("why.first", "To the start", "回到开头"),
    ("why.keys", "← → step, space plays, Home starts again", "← → 步进，空格播放，Home 回到开头"),
    ("why.frame", "Step {i} of {n}", "第 {i} 步，共 {n} 步"),
    ("why.chapters", "Chapters", "章节"),
    ("why.head", "head", "头"),
    ("why.heads", "Scores shown for head", "显示哪个头的权重"),
    ("why.picture", "Picture of this step", "本步的图"),
    ("why.table", "The picture in words", "图的文字说明"),
    ("why.point", "Point at a cell, or tab to it, for its value.", "指向或用 Tab 选中格子，可看到它的值。"),
    ("why.cell", "{matrix}, {token}, column {column}: {value}", "{matrix}，{token}，第 {column} 列：{value}"),
    (
        "why.cell_head",
        "{matrix}, {token}, head {head}, column {column}: {value}",
        "{matrix}，{token}，第 {head} 头第 {column} 列：{value}",
    ),
    (
        "why.cell_weight",
        "weight that {query} gives to {token}, head {head}: {value} (score {score})",
        "{query} 给 {token} 的权重，第 {head} 头：{value}（分数 {score}）",
    ),
    ("why.cell_masked", "{query} may not see {token}: it comes later", "{query} 看不到 {token}：它在后面"),
    ("why.cell_gone", "{matrix}, {token}: no longer kept", "{matrix}，{token}：已不保存"),
    ("why.x", "token", "token"),
    ("why.q", "Q", "Q"),
    ("why.k", "K", "K"),
    ("why.v", "V", "V"),
    ("why.latent", "latent", "潜变量"),
    ("why.rope_key", "rotated key", "旋转键"),
    ("why.weights", "weights", "权重"),
    ("why.state", "state", "状态"),
    ("why.output", "output", "输出"),
    ("why.output_cached", "with the cache", "有缓存"),
    ("why.output_uncached", "from scratch", "从头计算"),
    ("why.kept", "rows kept: {rows} × {row} B = {bytes} B", "保存的行：{rows} × {row} B = {bytes} B"),
    ("why.kept_state", "kept: one state, {bytes} B", "保存：一个状态，{bytes} B"),
    ("why.kept_none", "nothing is kept", "什么都不保存"),
    ("why.rows_computed", "K and V rows computed", "算过的 K、V 行"),
    ("why.multiply_adds", "multiply-adds", "乘加次数"),
    ("why.with", "with a cache", "有缓存"),
    ("why.without", "without", "无缓存"),
    (
        "why.work_label",
        "Rows computed after each token: with a cache {cached}, without {uncached}",
        "每个token之后累计算过的行数：有缓存 {cached}，无缓存 {uncached}",
    ),
    ("why.legend_read", "read in this step", "本步读取"),
    ("why.legend_new", "made in this step", "本步算出"),
    ("why.legend_dead", "never read again", "不会再读"),
    ("why.legend_mask", "hidden by the mask", "被掩码遮住"),
    // why: the story
    ("story.c.rows", "One token, three rows", "一个token，三行数"),
    ("story.c.next", "The next token", "下一个token"),
    ("story.c.each", "Token by token", "逐个解码"),
    ("story.c.none", "Without a cache", "没有缓存"),
    ("story.c.same", "The same answer", "结果相同"),
    ("story.c.kinds", "What can be kept instead", "还能怎么存"),
    ("story.c.pool", "Many users, one pool", "多个用户，一个池"),
    ("story.c.model", "From toy to model", "从小例到真模型"),
    (
        "story.rows.1",
        "The sentence is cut into {n} tokens. Each becomes a row of 8 numbers. A real model has learnt these numbers; here they are drawn from a fixed seed, so that everybody sees the same.",
        "句子被切成 {n} 个token，每个变成一行 8 个数。真模型的这些数是学来的；这里由固定的种子生成，所以每个人看到的都一样。",
    ),
    (
        "story.rows.2",
        "Three matrices turn that row into three: Q, the query, what “{token}” looks for; K, the key, what it can be found by; and V, the value, what it has to say. Four heads each own two columns.",
        "三个矩阵把这一行变成三行：Q（查询），“{token}”想找什么；K（键），别人凭什么找到它；V（值），它要说的内容。四个头各占两列。",
    ),
    (
        "story.rows.3",
        "Q is compared with every K there is, head by head. So far there is one, so it gets all of the weight: 1. The weights then mix the V rows into the output.",
        "Q 与现有的每一行 K 逐头比较。目前只有一行，所以它得到全部权重：1。再用这些权重把 V 行混合成输出。",
    ),
    (
        "story.rows.4",
        "Now two of the three rows are put aside: K and V. That is the whole KV cache, {row} bytes for this token. Why these two, and why not Q? Take the next token.",
        "然后把三行中的两行存起来：K 和 V。这就是 KV 缓存的全部，这个token占 {row} 字节。为什么存这两行，而不存 Q？看下一个token。",
    ),
    (
        "story.next.1",
        "“{token}” arrives. One more row goes through the three matrices. The rows of “{before}” are not touched: they depend on nothing that came after.",
        "“{token}”来了，又有一行经过三个矩阵。“{before}”的几行不用动：它们不依赖后面的任何内容。",
    ),
    (
        "story.next.2",
        "Its Q is compared with both K rows: the one just made and the one that was kept. The scores become two weights that add up to 1.",
        "它的 Q 与两行 K 比较：刚算出的一行和存下的一行。分数变成两个权重，加起来等于 1。",
    ),
    (
        "story.next.3",
        "The weights mix both V rows into one output. So the newest token reads every K and every V there has been. That is why they are kept.",
        "权重把两行 V 混合成一行输出。所以最新的token要读此前的每一行 K 和每一行 V。这就是要存它们的原因。",
    ),
    (
        "story.next.4",
        "And the Q of “{before}”? It was read once, in its own step. Every later token brings a Q of its own. The hatched cell is the causal mask: “{before}” may not look ahead, so its output is final. Q goes; K and V stay.",
        "那“{before}”的 Q 呢？它只在自己那一步读过一次，后面的token都带着自己的 Q。画斜线的格子是因果掩码：“{before}”不能往后看，所以它的输出已经定了。Q 可以丢，K 和 V 要留。",
    ),
    (
        "story.each",
        "“{token}”: one new row of Q, K and V; {t} rows of K and V read. The cache grows by one row and now holds {bytes} bytes. The work of a step grows only by the reading.",
        "“{token}”：新算一行 Q、K、V；读 {t} 行 K 和 V。缓存多了一行，现在占 {bytes} 字节。每步的工作量只随读取而增加。",
    ),
    (
        "story.none.first",
        "The same sentence once more, and this time nothing is kept. For the first token it makes no difference.",
        "同一句话再来一遍，这次什么都不存。对第一个token来说没有区别。",
    ),
    (
        "story.none",
        "“{token}” needs K and V of all {t} tokens, and none was kept: all {t} rows are computed again, and the attention of each. Rows so far: {uncached}. With a cache: {cached}.",
        "“{token}”需要全部 {t} 个token的 K 和 V，却一行都没存：{t} 行都要重算，各自的注意力也要重算。累计 {uncached} 行；有缓存时只有 {cached} 行。",
    ),
    (
        "story.none.last",
        "Over n tokens that is n(n+1)/2 rows against n: a square against a line. At 1,000 tokens it is 500,500 against 1,000.",
        "n 个token要算 n(n+1)/2 行，而有缓存时只要 n 行：一个平方增长，一个线性增长。1,000 个token就是 500,500 对 1,000。",
    ),
    (
        "story.same",
        "Is that paid for with a worse answer? No. The newest token’s output with the cache and from scratch: the same 8 numbers, bit for bit. The cache approximates nothing. It buys time with memory, and the rest of this page is about that memory.",
        "这样会让结果变差吗？不会。最新token的输出，用缓存算和从头算是同样的 8 个数，逐位相等。缓存不是近似，它用显存换时间，而本页其余部分讲的就是这些显存。",
    ),
    (
        "story.same_not",
        "The two outputs should be equal bit for bit, and in this browser they are not. Please report it.",
        "两个输出本应逐位相等，但在此浏览器中并非如此。请反馈。",
    ),
    (
        "story.kind.mha",
        "Multi-head attention (MHA), as so far. Each of the 4 heads has its own K and V: 2 × 4 heads × 2 columns × 4 bytes = 64 bytes a token.",
        "多头注意力（MHA），即前面所用的。4 个头各有自己的 K 和 V：2 × 4 头 × 2 列 × 4 字节 = 每token 64 字节。",
    ),
    (
        "story.kind.gqa",
        "Grouped-query attention (GQA). Two query heads share one head of K and V. Half the columns are gone, and half the bytes: 32.",
        "分组查询注意力（GQA）。两个查询头共用一个 K、V 头。列数减半，字节也减半：32。",
    ),
    (
        "story.kind.mqa",
        "Multi-query attention (MQA). All 4 heads read the same K and V: 16 bytes a token, a quarter.",
        "多查询注意力（MQA）。4 个头都读同一份 K 和 V：每token 16 字节，只有四分之一。",
    ),
    (
        "story.kind.sliding",
        "Sliding window. The newest token sees only the last 3, so older rows can go. A token costs what it does under GQA, but the cache stops growing at 3 rows: 96 bytes.",
        "滑动窗口。最新token只看最近 3 个，更早的行可以丢掉。每token与 GQA 一样贵，但缓存到 3 行就不再增长：96 字节。",
    ),
    (
        "story.kind.mla",
        "Multi-head latent attention (MLA). In place of K and V, one narrow latent of 4 columns, and a key of 2 that carries the position; all heads share both. 24 bytes a token, and each head still unfolds keys and values of its own.",
        "多头潜变量注意力（MLA）。不存 K 和 V，只存一行 4 列的潜变量，再加 2 列带位置的键；所有头共用。每token 24 字节，而每个头仍能从中展开自己的键和值。",
    ),
    (
        "story.kind.recurrent",
        "Recurrent state. No rows at all: each head keeps a 2 × 2 matrix into which every token is added while older ones fade. 64 bytes before the first token, and 64 after the millionth.",
        "循环状态。完全没有行：每个头只存一个 2 × 2 矩阵，每个token都加进去，旧的逐渐淡去。首个token之前是 64 字节，第一百万个之后还是 64 字节。",
    ),
    ("story.kinds.what", "kept", "保存方式"),
    ("story.kinds.token", "a token", "每token"),
    ("story.kinds.before", "before the first", "首个之前"),
    ("story.kinds.after", "after {n}", "{n} 个之后"),
    ("kinds.mha", "MHA", "MHA"),
    ("kinds.gqa", "GQA", "GQA"),
    ("kinds.mqa", "MQA", "MQA"),
    ("kinds.sliding", "sliding window", "滑动窗口"),
    ("kinds.mla", "MLA", "MLA"),
    ("kinds.recurrent", "recurrent state", "循环状态"),
    (
        "story.pool.start",
        "A server holds many conversations. Nobody reads another’s rows, so each user’s cache is independent. All share one pool of {blocks} blocks; a block has room for {rows} rows of one user.",
        "一台服务器同时保存许多对话。谁也不读别人的行，所以每个用户的缓存互相独立。所有人共用一个 {blocks} 块的池，每块可放一个用户的 {rows} 行。",
    ),
    (
        "story.pool.comes",
        "{name} comes with a prompt of {rows} tokens and takes {blocks} blocks. Any free ones will do; they need not be neighbours.",
        "{name} 带着 {rows} 个token的提示来了，占用 {blocks} 块。任何空闲块都行，不必相邻。",
    ),
    (
        "story.pool.grow",
        "Everybody decodes one token: one more row each. Whoever fills a block takes the next free one. Free now: {free}.",
        "每人解码一个token，各多一行。谁填满一块，就取下一个空闲块。现在空闲：{free}。",
    ),
    (
        "story.pool.waits",
        "{name} comes and has to wait: the prompt needs {need} blocks, and {free} are free. This is what “does not fit” means: not an error, a queue.",
        "{name} 来了却只能等：提示需要 {need} 块，而空闲的只有 {free} 块。“放不下”就是这个意思：不是报错，而是排队。",
    ),
    (
        "story.pool.still",
        "{name} still waits: {free} free. The others go on, and hold on to what they have.",
        "{name} 还在等：空闲 {free} 块。其他人继续，也继续占着自己的块。",
    ),
    (
        "story.pool.done",
        "{name} is done. The blocks are free again, and whoever waits is let in.",
        "{name} 结束了，它的块重新空闲，等待的人可以进来。",
    ),
    (
        "story.pool.both",
        "{name} is done, its blocks are free, and {next} is let in at once.",
        "{name} 结束，块被释放，{next} 立刻进来。",
    ),
    ("pool.user", "user {name}", "用户 {name}"),
    ("pool.coming", "not here yet", "还没来"),
    ("pool.waiting", "waits", "等待中"),
    ("pool.running", "{rows} rows, {bytes} B", "{rows} 行，{bytes} B"),
    ("pool.done", "done", "已结束"),
    ("pool.free", "free", "空闲"),
    ("pool.block", "block {i}: {user}, {rows} of {most} rows", "第 {i} 块：{user}，{rows}/{most} 行"),
    (
        "story.model.1",
        "Now the same picture at full size. A token of {model} keeps its rows on every layer that keeps any; that is all that changes.",
        "现在把同一幅图放大到真实尺寸。{model} 的一个token，在每个要保存的层上都存几行，除此之外没有变化。",
    ),
    (
        "story.model.2",
        "Times {seq} tokens and {users} users, that is the figure at the top of this page. Change the question there, and this sum changes with it.",
        "再乘以 {seq} 个token和 {users} 个用户，就是本页顶部的数字。改变上面的问题，这里的算式也随之改变。",
    ),
    ("model.toy", "the toy, one layer", "小例，一层"),
    ("model.toy_sum", "2 × {heads} heads × {dim} columns × 4 B", "2 × {heads} 头 × {dim} 列 × 4 B"),
    ("model.layers", "{n} layers of {kind}, {each} each", "{n} 层{kind}，每层 {each}"),
    ("model.token", "one more token", "再多一个token"),
    ("model.state", "states, whatever the length", "状态，与长度无关"),
    ("model.session", "one session of {seq} tokens", "一个 {seq} token的会话"),
    ("model.total", "{users} users", "{users} 个用户"),
    (
        "model.none",
        "The figure above has no answer yet, so there is nothing to compare with.",
        "上面的问题还没有答案，暂时无法对照。",
    ),
];

/// All lines in one language, by key.
pub fn page(lang: Lang) -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.iter().map(move |&(key, en, zh)| match lang {
        Lang::En => (key, en),
        Lang::Zh => (key, zh),
    })
}

#[cfg(test)]
mod tests {
    use super::PAGE;
    use std::collections::BTreeSet;

    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| !name.contains(' '))
            .collect()
    }

    #[test]
    fn both_languages_fill_in_the_same_and_no_key_stands_twice() {
        let mut keys = BTreeSet::new();
        for (key, en, zh) in PAGE {
            assert!(keys.insert(*key), "{key} stands twice");
            assert!(!en.is_empty() && !zh.is_empty(), "{key}");
            assert_eq!(holes(en), holes(zh), "{key}");
        }
    }
}
