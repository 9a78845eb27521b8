//! Measurements: `--verify`, `--prompt` and `bench-cache`.

pub(super) const TABLE: super::Table = &[
    (
        "this build has no measuring backend: build with --features verify",
        "本程序构建时不含测量后端：请以 --features verify 构建",
    ),
    ("bench-cache with the weights of {0}", "以 {0} 的权重运行 bench-cache"),
    (
        "it reads checkpoints of GPT-2; others run with made-up weights when --model names their config.json",
        "它只读 GPT-2 的检查点；其他模型在 --model 指向其 config.json 时以种子生成的权重运行",
    ),
    ("at most {0}: the checkpoint has no positions beyond", "不超过 {0}（检查点没有更后的位置）"),
    ("`f32` or `bf16` for bench-cache", "bench-cache 时为 `f32` 或 `bf16`"),
    ("bench-cache of {0} with weights in bf16", "以 bf16 权重对 {0} 运行 bench-cache"),
    (
        "only stacks of plain attention layers, all alike, are run so: leave --weight-dtype out",
        "只有全部相同的普通注意力层才能这样运行：请去掉 --weight-dtype",
    ),
    ("bench-cache of {0}", "对 {0} 运行 bench-cache"),
    (
        "layers that share a cache are measured by --verify; bench-cache takes plain stacks",
        "共用缓存的层由 --verify 测量；bench-cache 只运行普通的层",
    ),
    ("text from {0}", "由 {0} 生成文本"),
    ("its layers are not those of GPT-2", "它的层不是 GPT-2 的层"),
    ("--device {0}", "--device {0}"),
    ("the owner of a layer's cache", "某层缓存的所有者"),
    ("a layer of the model", "该模型中的一层"),
    ("a measurement of this size", "这样大的测量"),
    ("it needs about {0}, and {1} is available; {2}", "约需 {0}，可用 {1}；{2}"),
    ("candle's configuration: {0}", "candle 的配置：{0}"),
    ("text from a checkpoint of `{0}`", "由 `{0}` 的检查点生成文本"),
    (
        "gemma, gemma2, gemma3_text, gpt2, llama, mistral, olmo2, phi3, qwen2, qwen3 and starcoder2 are run",
        "可运行的有 gemma、gemma2、gemma3_text、gpt2、llama、mistral、olmo2、phi3、qwen2、qwen3 与 starcoder2",
    ),
    ("text from a GGUF file of `{0}`", "由 `{0}` 的 GGUF 文件生成文本"),
    (
        "files of llama, gemma3, phi2, phi3, qwen2 and qwen3 are run",
        "可运行的有 llama、gemma3、phi2、phi3、qwen2 与 qwen3 的文件",
    ),
    ("at most {0}: the model ends at {1} tokens", "不超过 {0}（该模型到 {1} 个 token 为止）"),
    ("no token", "没有 token"),
    ("some text", "一些文字"),
    ("this --prompt", "该 --prompt"),
    ("the text of these tokens", "把这些 token 还原为文字"),
    ("it reports: {0}", "报告为：{0}"),
    (
        "this build has no CUDA; build with --features cuda",
        "本程序构建时不含 CUDA；请以 --features cuda 构建",
    ),
    (
        "this build has no Metal; build with --features metal",
        "本程序构建时不含 Metal；请以 --features metal 构建",
    ),
    (
        "f32, f16, bf16 or fp8 with --verify: the types candle has tensors of",
        "--verify 时为 f32、f16、bf16 或 fp8：candle 有这些类型的张量",
    ),
    ("--verify of rows that several tokens share", "对多个 token 共用的行运行 --verify"),
    (
        "no decoder for compressed caches is built in; the plan itself needs no --verify",
        "没有内置压缩缓存的解码器；规划本身不需要 --verify",
    ),
    ("this measurement", "这次测量"),
    ("--verify of a model that keeps nothing", "对不保留任何缓存的模型运行 --verify"),
    ("there is nothing to measure", "没有可测量的内容"),
    ("no kinds", "没有层的种类"),
];
