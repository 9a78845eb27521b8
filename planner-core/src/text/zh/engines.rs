//! The engines beside vLLM.

pub(super) const TABLE: super::Table = &[
    // candle
    ("its module `{0}` {1}", "它的模块 `{0}` {1}"),
    ("the configuration of candle's `deepseek2`", "candle 的 `deepseek2` 的配置"),
    ("1: candle's modules run on one device", "1（candle 的模块只在一个设备上运行）"),
    ("auto, f32, f16 or bf16: what candle computes in", "auto、f32、f16 或 bf16（candle 计算所用的类型）"),
    (
        "auto or f32: candle's `{0}` computes in f32 whatever the file stores",
        "auto 或 f32（无论文件存的是什么，candle 的 `{0}` 都以 f32 计算）",
    ),
    (
        "f32: `bigcode.rs:Attention::attn` refuses queries of another type",
        "f32（`bigcode.rs:Attention::attn` 拒绝其他类型的查询）",
    ),
    (
        "f32: `mixtral.rs:SparseMoeBlock::forward` weighs what its experts give in f32",
        "f32（`mixtral.rs:SparseMoeBlock::forward` 以 f32 加权各专家的输出）",
    ),
    (
        "f32: `phi.rs:RotaryEmbedding::apply_rotary_emb` has its tables in f32",
        "f32（`phi.rs:RotaryEmbedding::apply_rotary_emb` 的表是 f32）",
    ),
    (
        "1: candle's `{0}` cannot decode several sessions in a batch",
        "1（candle 的 `{0}` 不能成批解码多个会话）",
    ),
    (
        "supports neither alibi nor new_decoder_architecture (Config::validate)",
        "既不支持 `alibi` 也不支持 `new_decoder_architecture`（`Config::validate`）",
    ),
    (
        "reshapes correctly for one KV head (multi_query) only",
        "只在单个 KV 头（`multi_query`）时才能正确变形",
    ),
    ("refuses use_sliding_window", "拒绝 `use_sliding_window`"),
    (
        "knows softmax scoring with greedy or group_limited_greedy only",
        "只支持 softmax 打分配合 `greedy` 或 `group_limited_greedy`",
    ),
    ("does not support mamba layers", "不支持 Mamba 层"),
    (
        "knows no layers that share keys and values (num_kv_shared_layers)",
        "不支持共用键值的层（`num_kv_shared_layers`）",
    ),
    (
        "loads a v_proj in every layer, which attention_k_eq_v leaves out",
        "每层都要加载 `v_proj`，而 `attention_k_eq_v` 省去了它",
    ),
    (
        "fixes the kernel at 4 (and in mamba the state at 16, the width at twice the model's)",
        "卷积核固定为 4（在 `mamba` 中状态还固定为 16，宽度固定为模型的两倍）",
    ),
    (
        "takes head_dim as hidden_size / num_attention_heads, which is not this model's",
        "把 `head_dim` 取为 `hidden_size / num_attention_heads`，与该模型不符",
    ),
    (
        "at most {0}: the position tables of candle's `{1}` end there",
        "不超过 {0}（candle 的 `{1}` 的位置表到此为止）",
    ),
    (
        "candle's `{0}` keeps every token: the window of {1} is only a mask",
        "candle 的 `{0}` 保存每个 token：{1} 的窗口只是掩码",
    ),
    (
        "candle's `deepseek2` caches keys and values of every head, not the latent",
        "candle 的 `deepseek2` 缓存每个头的键和值，而不是潜向量",
    ),
    // transformers
    ("at least the {0} tokens of a session", "不小于一个会话的 {0} 个 token"),
    ("its own cache class", "它自己的缓存类"),
    ("compressed layers, which have no static form", "压缩层，没有静态形式"),
    ("a static cache whose size depends on where the prompt ends", "大小取决于提示在何处结束的静态缓存"),
    (
        "auto, f32, f16, bf16, fp8, int4, int2, hqq_int8, hqq_int4, hqq_int3, hqq_int2 or hqq_int1",
        "auto、f32、f16、bf16、fp8、int4、int2、hqq_int8、hqq_int4、hqq_int3、hqq_int2 或 hqq_int1",
    ),
    (
        "left out or a quantized type with --cache quantized: fp8, int4, int2, hqq_int8, hqq_int4, hqq_int3, hqq_int2 or hqq_int1",
        "不给出，或在 --cache quantized 时给出量化类型：fp8、int4、int2、hqq_int8、hqq_int4、hqq_int3、hqq_int2 或 hqq_int1",
    ),
    ("quantized: transformers has no static quantized cache", "quantized（transformers 没有静态的量化缓存）"),
    (
        "such that all sessions' elements divide into groups of {0}, as transformers asks",
        "使所有会话的元素能按每组 {0} 个整分的长度（transformers 的要求）",
    ),
    (
        "the cache of a prompt: up to {0} tokens generated after it wait unquantized until they are quantized together",
        "按提示处理后的缓存计：其后生成的至多 {0} 个 token 暂不量化，凑齐后一并量化",
    ),
    // sglang
    ("at least {0} users", "不少于 {0} 个用户"),
    ("a compressed cache", "压缩缓存"),
    ("cross-attention", "交叉注意力"),
    ("left out: the model has no prediction layers", "不给出（该模型没有预测层）"),
    (
        "one of fa3, fa4, flashinfer, triton, flashmla, trtllm_mla, cutedsl_mla, trtllm_mha, hpc_ops, torch_native or flex_attention",
        "下列之一：fa3、fa4、flashinfer、triton、flashmla、trtllm_mla、cutedsl_mla、trtllm_mha、hpc_ops、torch_native 或 flex_attention",
    ),
    ("a divisor of the {0} {1} of the states", "状态的 {0} 个{1}的约数"),
    ("channels", "通道"),
    ("elements", "元素"),
    // tensorrt-llm
    ("keys and values of different width", "宽度不同的键与值"),
    ("a recurrent state", "循环状态"),
    (
        "{0}: the rule was read in its source, not compared with a running engine",
        "{0}：规则读自其源码，未与运行中的引擎对比",
    ),
    // llama.cpp
    ("it is an encoder: llama.cpp makes no memory for it", "它是编码器：llama.cpp 不为它分配缓存"),
    (
        "it generates by diffusion over the whole sequence: llama.cpp makes no memory for it",
        "它对整个序列做扩散生成：llama.cpp 不为它分配缓存",
    ),
    (
        "it is a draft model: llama.cpp makes its context only beside its target's",
        "它是草稿模型：llama.cpp 只在目标模型的上下文旁为它建立上下文",
    ),
    ("it is a projector, not a language model", "它是投影器，不是语言模型"),
    ("the configuration, for llama.cpp's converter", "供 llama.cpp 转换器使用的配置"),
    ("the configuration, for llama.cpp's default --ctx-size", "配置（用于 llama.cpp 的默认 --ctx-size）"),
    (
        "triton, trtllm_mha, fa3 or fa4: GptOssForCausalLM requires one of them",
        "triton、trtllm_mha、fa3 或 fa4（GptOssForCausalLM 只能用其中之一）",
    ),
    ("a cache type of llama.cpp: {0}", "llama.cpp 的缓存类型：{0}"),
    ("{0} users share {1} slots: the others wait", "{0} 个用户共用 {1} 个槽位：其余等待"),
    (
        "--ctx-size {0} becomes {1}: {2} cells for each stream, in whole blocks of 256",
        "--ctx-size {0} 变为 {1}：每个流 {2} 个单元，按 256 取整",
    ),
    (
        "llama.cpp's converter writes this model's MLP layers as layers with a state; a GGUF file that gives them a feed-forward width takes less",
        "llama.cpp 的转换器把该模型的 MLP 层写成带状态的层；给出其前馈宽度的 GGUF 文件占用更少",
    ),
    (
        "llama.cpp splits whole layers over GPUs: each figure is that of the fullest GPU",
        "llama.cpp 按整层切分到各 GPU：数字取最满的 GPU",
    ),
    ("MODEL.gguf stands for the model converted to GGUF", "MODEL.gguf 代表转换为 GGUF 的模型"),
    ("no figure of {0} depends on {1}", "{0} 的任何数字都与 {1} 无关"),
    ("--kv-memory is the room itself: {0} changes nothing", "--kv-memory 就是可用空间本身：{0} 不起作用"),
    (
        "--source-len changes nothing: the model keeps nothing of an encoder's tokens",
        "--source-len 不起作用：该模型不保留编码器的 token",
    ),
    (
        "--shared-prefix {0}: {1} is planned to store these tokens again for every session",
        "--shared-prefix {0}：按规划，{1} 为每个会话重新存储这些 token",
    ),
    (
        "--shared-prefix {0}: {1} of every session are stored once for all",
        "--shared-prefix {0}：每个会话的 {1} 由全部会话共存一份",
    ),
    (
        "SGLang takes pages of {0} tokens for this model and backend, not --block-size {1}",
        "对该模型与后端，SGLang 取每页 {0} 个 token，而不是 --block-size {1}",
    ),
    (
        "auto, bf16, f16 or fp8: kvplan has no rule for TensorRT-LLM's other types",
        "auto、bf16、f16 或 fp8（kvplan 没有 TensorRT-LLM 其他类型的规则）",
    ),
    (
        "keys in {0} and values in {1}: it keeps both in one type",
        "键为 {0}、值为 {1}，而两者只能是同一种类型",
    ),
    (
        "it has no data-parallel attention within a tensor-parallel group",
        "它没有张量并行组内的数据并行注意力",
    ),
    ("decode context parallelism (--dcp)", "解码上下文并行（--dcp）"),
    ("the draft layers of --speculative", "--speculative 的草稿层"),
    (
        "its QuantizedCache takes only models whose every layer is full attention",
        "它的 QuantizedCache 只用于每层都是全注意力的模型",
    ),
    ("this model has no static cache: it has {0}", "该模型没有静态缓存，而是{0}"),
    ("its module `{0}` reads plain weights only", "它的模块 `{0}` 只读未量化的权重"),
    (
        "give the dtype of the converted weights with --weight-dtype",
        "若先行转换，请用 --weight-dtype 给出转换后的类型",
    ),
    (
        "candle-transformers has no module for model_type `{0}`",
        "candle-transformers 没有 model_type `{0}` 的模块",
    ),
    (
        "the module `quantized_qwen3` (it keeps the prompt twice on a CPU)",
        "模块 `quantized_qwen3`（它在 CPU 上把提示保存两份）",
    ),
    ("a GGUF file of `{0}`", "`{0}` 的 GGUF 文件"),
    (
        "{0} is stored in blocks of {1} elements, and a row has {2}",
        "{0} 按每块 {1} 个元素保存，而一行有 {2} 个",
    ),
    (
        "{0} has a window and no layer that slides: is_swa_any fails in create_memory",
        "{0} 有滑动窗口却没有窗口层：`create_memory` 中的 `is_swa_any` 不成立",
    ),
    ("{0} slots are fewer than {1} sessions", "{0} 个槽位少于 {1} 个会话"),
    ("each stream has {0} cells, and {1} are needed", "每个流有 {0} 个单元，需要 {1} 个"),
    ("it has no architecture `{0}`", "它没有架构 `{0}`"),
    ("its converter has no class `{0}`", "它的转换器没有类 `{0}`"),
    (
        "every layer of DeepSeek-V4 keeps a window of latents, and one of this model does not",
        "DeepSeek-V4 的每一层都保留潜向量的窗口，而该模型有一层没有",
    ),
    (
        "its pools have rows of 4 and of 128 tokens, not of {0}",
        "它的池只有每行 4 个与 128 个 token 两种，没有 {0} 个的",
    ),
    ("a {0} state whose `{1}` is not known", "`{1}` 未知的 {0} 状态"),
    ("states of the mixer `{0}`", "混合器 `{0}` 的状态"),
    ("the pools of `{0}`", "`{0}` 的池"),
    (
        "it has no class `{0}`, and its transformers backend cannot run transformers' own",
        "它没有类 `{0}`，其 transformers 后端也不能运行 transformers 自己的类",
    ),
    (
        "only its flashinfer backend drafts in pages of several tokens, and a page has {0}",
        "只有它的 flashinfer 后端能以含多个 token 的页草拟，而每页有 {0} 个",
    ),
    (
        "the configuration admits {0} tokens, not {1}, unless SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1",
        "配置只允许 {0} 个 token，不允许 {1} 个（除非设 SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1）",
    ),
    (
        "--attention-backend {0} needs a Blackwell GPU, trtllm_mha also runs on Hopper",
        "--attention-backend {0} 需要 Blackwell GPU；trtllm_mha 也可用 Hopper",
    ),
    (
        "weights in {0} need a GPU of compute capability {1}.{2}, this one has {3}.{4}",
        "{0} 的权重需要计算能力 {1}.{2} 的 GPU，这一张是 {3}.{4}",
    ),
    (
        "left out: kvplan has no rule for SGLang's draft pools of windows, states and compressed rows",
        "不给出（kvplan 没有 SGLang 为窗口、状态与压缩行所设草稿池的规则）",
    ),
    (
        "mtp:N or left out: kvplan has no rule for SGLang's other drafts of this model",
        "mtp:N，或不给出（kvplan 没有该模型在 SGLang 中其他草拟方式的规则）",
    ),
    (
        "auto, bf16 or fp8 (SGLang's fp8_e4m3): kvplan has no rule for its other types",
        "auto、bf16 或 fp8（SGLang 的 fp8_e4m3）；kvplan 没有其他类型的规则",
    ),
    ("the latent cache of `{0}`", "`{0}` 的潜向量缓存"),
    ("the indexer of `{0}`", "`{0}` 的索引器"),
];
