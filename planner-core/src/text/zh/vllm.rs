//! vLLM: refusals in words of our own, and notes. The engine's own sentences stay English.

pub(super) const TABLE: super::Table = &[
    // classes
    (
        "config.json says no `{0}`, which vLLM's {1} reads",
        "config.json 没有 `{0}`，而 vLLM 的 `{1}` 要读取它",
    ),
    // blocks, pages and layouts
    (
        "The attention backends share no supported KV cache block size",
        "各注意力后端没有共同支持的 KV 缓存块大小",
    ),
    (
        "The attention backends share no KV cache layout that this mix of pages fits.",
        "各注意力后端没有适合这几种页混用的共同 KV 缓存布局。",
    ),
    (
        "config.json has neither `compress_ratios` nor `compress_rates`",
        "config.json 既没有 `compress_ratios` 也没有 `compress_rates`",
    ),
    // notes
    (
        "no GPU of known compute capability named: vLLM's backends and block size are those of Hopper (9.0)",
        "未指定已知计算能力的 GPU：vLLM 的后端与块大小按 Hopper（9.0）计",
    ),
    (
        "vLLM 0.33.0 does not build `{0}` itself: the figures are those of its general rule",
        "vLLM 0.33.0 没有自己实现 `{0}`：数字按其通用规则得出",
    ),
    (
        "the EAGLE head is taken to be one layer of the model's own heads and widths: one of another shape takes other pages",
        "EAGLE 头按一层、与模型相同的头数与宽度计：形状不同则页大小不同",
    ),
    (
        "of vLLM {0} these are restated: the default share of memory, what is taken off it before the cache, tokens in flight, blocks of states and of DeepSeek-V4, the tokens of the log; all else is that of 0.33.0",
        "对 vLLM {0}，已按该版本重述：默认的显存占比、缓存之前扣除的部分、在途令牌、状态与 DeepSeek-V4 的块、日志中的令牌数；其余均按 0.33.0",
    ),
    ("DRAFT stands for the hub id or folder of the EAGLE head", "DRAFT 代表 EAGLE 头的 hub id 或文件夹"),
    (
        "decode context parallelism needs KV heads, and the model has none",
        "解码上下文并行（DCP）需要 KV 头，而该模型没有",
    ),
    ("a block of this size holds no whole state", "该大小的块放不下一个完整的状态"),
    ("the model keeps no KV cache in it", "该模型在其中不保留 KV 缓存"),
    (
        "it asserts that {0} KV heads and the tensor parallel size {1} divide one another",
        "它断言 {0} 个 KV 头与张量并行数 {1} 能互相整除",
    ),
    (
        "config.json has no `hidden_size` or no `sconv_kernel_size`",
        "config.json 没有 `hidden_size` 或 `sconv_kernel_size`",
    ),
    ("it asserts that every layer is on a pipeline rank", "它断言每一层都在某一级流水线上"),
    ("it asserts that every layer is in a KV cache group", "它断言每一层都在某个 KV 缓存分组中"),
    ("it asserts that a padded page grows with its block", "它断言填充过的页随块变大"),
    ("a pipeline rank holds no cache, or a page has 0 bytes", "某一级流水线没有缓存，或某种页为 0 字节"),
    ("it has no prediction layers (MTP) of model_type `{0}`", "它没有 model_type `{0}` 的预测层（MTP）"),
    ("it has no KV cache type `{0}`", "它没有 KV 缓存类型 `{0}`"),
    ("{0} KV heads cannot be shared by {1} tensor parallel ranks", "{0} 个 KV 头无法分到 {1} 个张量并行进程"),
    (
        "its Transformers backend finds no decoder among the classes of `{0}`",
        "其 Transformers 后端在 `{0}` 的各类中找不到解码器",
    ),
    (
        "`{0}` looks its attention up in a table of its own, which holds none of vLLM's",
        "`{0}` 从自己的表中查找注意力实现，其中没有 vLLM 的",
    ),
    (
        "more than one module of a layer of `{0}` attends, and one vLLM attention layer cannot serve them",
        "`{0}` 的一层有不止一个模块调用注意力，vLLM 的一个注意力层无法承担",
    ),
    (
        "`{0}` does not attend through the Transformers attention interface, the only way to vLLM's attention",
        "`{0}` 不经由 Transformers 的注意力接口调用，而只有这样才能用 vLLM 的注意力",
    ),
    (
        "the forward method of `{0}`, half of an encoder-decoder, has no argument `position_ids`",
        "`{0}` 是编码器-解码器的一半，其 forward 方法没有参数 `position_ids`",
    ),
    (
        "`{0}` is an encoder-decoder, which it runs only where it builds the class itself",
        "`{0}` 是编码器-解码器，只有它自己实现的类才能运行",
    ),
    (
        "the caches of `{0}` (rings, pooled keys, several latents)",
        "`{0}` 的缓存（环形缓冲、池化的键、多个潜向量）",
    ),
    ("it has no attention backend `{0}`", "它没有注意力后端 `{0}`"),
];
