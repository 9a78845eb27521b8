//! The engines beside vLLM.

pub(super) const TABLE: super::Table = &[
    // candle
    ("{0} in candle", "在 candle 中运行 {0}"),
    ("its module `{0}` {1}", "它的模块 `{0}` {1}"),
    (
        "candle-transformers 0.11.1 has no module for model_type `{0}`",
        "candle-transformers 0.11.1 没有 model_type `{0}` 的模块",
    ),
    (
        "its module `quantized_qwen3` keeps the prompt twice on a CPU, and a plan does not know how long the prompt is",
        "它的模块 `quantized_qwen3` 在 CPU 上把提示保存两份，而规划不知道提示有多长",
    ),
    (
        "no rule is known for how candle-transformers 0.11.1 runs a GGUF file of `{0}`",
        "不知道 candle-transformers 0.11.1 如何运行 `{0}` 的 GGUF 文件",
    ),
    ("the configuration of candle's `deepseek2`", "candle 的 `deepseek2` 的配置"),
    ("1: candle's modules run on one device", "1（candle 的模块只在一个设备上运行）"),
    (
        "reads plain weights only (--weight-dtype if they are converted first)",
        "只读未量化的权重（若先行转换，请给出 --weight-dtype）",
    ),
    ("{0}, as the keys", "{0}，与键相同"),
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
    ("1: transformers does not divide tokens", "1（transformers 不切分 token）"),
    ("{0}, as the keys: transformers keeps both alike", "{0}，与键相同（transformers 要求两者一致）"),
    ("the same as the keys': transformers keeps both alike", "与键的类型相同（transformers 要求两者一致）"),
    ("at least the {0} tokens of a session", "不小于一个会话的 {0} 个 token"),
    ("{0} with a static cache", "{0} 使用静态缓存"),
    (
        "transformers gives this model {0}; use --cache dynamic",
        "transformers 给该模型的是{0}；请用 --cache dynamic",
    ),
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
    ("{0} with a quantized cache", "{0} 使用量化缓存"),
    (
        "transformers' QuantizedCache is only for models whose every layer is full attention; use --kv-dtype auto",
        "transformers 的 `QuantizedCache` 只用于每层都是全注意力的模型；请用 --kv-dtype auto",
    ),
    (
        "such that all sessions' elements divide into groups of {0}, as transformers asks",
        "使所有会话的元素能按每组 {0} 个整分的长度（transformers 的要求）",
    ),
    (
        "the cache of a prompt: up to {0} tokens generated after it wait unquantized until they are quantized together",
        "按提示处理后的缓存计：其后生成的至多 {0} 个 token 暂不量化，凑齐后一并量化",
    ),
    // sglang
    (
        "AssertionError: Hybrid SWA model must have at least one SWA layer",
        "断言失败：混合滑动窗口的模型至少要有一个滑动窗口层",
    ),
    (
        "AttributeError: 'Mamba2Config' object has no attribute 'intermediate_size'",
        "属性错误：Mamba2Config 没有 intermediate_size",
    ),
    ("{0} under sglang", "在 sglang 下使用{0}"),
    (
        "SGLang 0.5.23 has no such class, and its transformers backend cannot run transformers' own",
        "SGLang 0.5.23 没有这个类，其 transformers 后端也不能运行 transformers 自己的类",
    ),
    ("at least {0} users", "不少于 {0} 个用户"),
    ("its pools for it are not covered; --engine vllm is", "其相应的池尚未涵盖；--engine vllm 可以"),
    ("its pool for it is not covered; --engine vllm is", "其相应的池尚未涵盖；--engine vllm 可以"),
    ("a compressed cache", "压缩缓存"),
    ("this class's latent", "该类的潜向量"),
    ("this class's indexer", "该类的索引器"),
    ("cross-attention", "交叉注意力"),
    ("--dcp with sglang", "在 sglang 下使用 --dcp"),
    (
        "its decode-context pools are not covered; leave --dcp out",
        "其解码上下文并行的池尚未涵盖；请去掉 --dcp",
    ),
    ("left out: the model has no prediction layers", "不给出（该模型没有预测层）"),
    (
        "left out: SGLang's draft pools for windows, states and compressed rows are not covered",
        "不给出（SGLang 为窗口、状态与压缩行所设的草稿池尚未涵盖）",
    ),
    (
        "--speculative ngram with pages of {0} tokens in sglang",
        "在 sglang 下以每页 {0} 个 token 使用 --speculative ngram",
    ),
    (
        "only its flashinfer backend drafts in pages of several tokens",
        "只有它的 flashinfer 后端能以含多个 token 的页草拟",
    ),
    (
        "mtp:N or left out: what this planner covers of SGLang's drafts",
        "mtp:N，或不给出（本程序对 SGLang 的草拟只涵盖这些）",
    ),
    (
        "auto, bf16 or fp8 (SGLang's fp8_e4m3), the same for keys and values",
        "auto、bf16 或 fp8（SGLang 的 fp8_e4m3），键与值相同",
    ),
    (
        "one of fa3, fa4, flashinfer, triton, flashmla, trtllm_mla, cutedsl_mla, trtllm_mha, hpc_ops, torch_native or flex_attention",
        "下列之一：fa3、fa4、flashinfer、triton、flashmla、trtllm_mla、cutedsl_mla、trtllm_mha、hpc_ops、torch_native 或 flex_attention",
    ),
    ("a {0} state under sglang", "在 sglang 下使用 {0} 状态"),
    ("its {0} is not known", "它的 `{0}` 未知"),
    ("a divisor of the {0} {1} of the states", "状态的 {0} 个{1}的约数"),
    ("channels", "通道"),
    ("elements", "元素"),
    ("this layer under sglang", "在 sglang 下使用这一层"),
    ("it keeps no window of latents", "它不保留潜向量的窗口"),
    ("rows of {0} tokens under sglang", "在 sglang 下使用每行 {0} 个 token 的缓存"),
    ("its pools are of 4 and of 128", "它的池只有每行 4 个与 128 个 token 两种"),
    // tensorrt-llm
    ("--dcp with tensorrt-llm", "在 tensorrt-llm 下使用 --dcp"),
    (
        "its context-parallel caches are not covered; leave --dcp out",
        "其上下文并行的缓存尚未涵盖；请去掉 --dcp",
    ),
    (
        "auto, bf16, f16 or fp8 (what this planner covers of TensorRT-LLM's types), the same for keys and values",
        "auto、bf16、f16 或 fp8（本程序对 TensorRT-LLM 的类型只涵盖这些），键与值相同",
    ),
    ("{0} under tensorrt-llm", "在 tensorrt-llm 下使用{0}"),
    ("its cache manager for it is not covered", "其相应的缓存管理器尚未涵盖"),
    ("keys and values of different width", "宽度不同的键与值"),
    ("a recurrent state", "循环状态"),
    (
        "{0}: the rule was read in its source, not compared with a running engine",
        "{0}：规则读自其源码，未与运行中的引擎对比",
    ),
    // llama.cpp
    ("{0} in llama.cpp", "在 llama.cpp 中运行 {0}"),
    ("no such architecture", "它没有这个架构"),
    ("its converter (0c1e57098) has no such class", "它的转换器（0c1e57098）没有这个类"),
    (
        "its converter (0c1e57098) has no such class; near: {0}",
        "它的转换器（0c1e57098）没有这个类；相近的有：{0}",
    ),
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
    ("a row of {0} elements in {1}", "以 {1} 保存 {0} 个元素的行"),
    ("llama.cpp stores whole blocks of {0} elements", "llama.cpp 按每块 {0} 个元素整块保存"),
    ("the configuration, for llama.cpp's converter", "供 llama.cpp 转换器使用的配置"),
    ("the configuration, for llama.cpp's default --ctx-size", "配置（用于 llama.cpp 的默认 --ctx-size）"),
    ("{0} parallel sequences", "{0} 个并行序列"),
    ("llama.cpp refuses: n_seq_max must be <= {0}", "llama.cpp 拒绝：`n_seq_max` 不得超过 {0}"),
    ("{0} with a sliding window but no layer that slides", "有滑动窗口却没有窗口层的 {0}"),
    (
        "llama.cpp stops at its own check (is_swa_any) in create_memory",
        "llama.cpp 会停在 `create_memory` 中自己的检查（`is_swa_any`）",
    ),
    (
        "{0} sessions of {1} tokens in a context of {2} cells",
        "在 {2} 个单元的上下文中放 {0} 个各 {1} 个 token 的会话",
    ),
    (
        "triton, trtllm_mha, fa3 or fa4: GptOssForCausalLM requires one of them",
        "triton、trtllm_mha、fa3 或 fa4（GptOssForCausalLM 只能用其中之一）",
    ),
    ("--attention-backend {0} in sglang", "sglang 中的 --attention-backend {0}"),
    (
        "it needs another GPU (Blackwell, or for trtllm_mha Hopper): name one with --gpu, or leave the backend out",
        "它需要另一种 GPU（Blackwell；trtllm_mha 也可用 Hopper）：请用 --gpu 指定，或不指定后端",
    ),
    ("weights in {0} in sglang", "sglang 中 {0} 的权重"),
    (
        "they need a GPU of compute capability {0}.{1}, this one has {2}.{3}",
        "需要计算能力 {0}.{1} 的 GPU，这一张是 {2}.{3}",
    ),
    ("{0} tokens in sglang", "sglang 中 {0} 个 token 的会话"),
    (
        "the configuration admits {0}; use a smaller --seq or --max-model-len (the engine goes on with SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1)",
        "配置只允许 {0} 个；请用更小的 --seq 或 --max-model-len（设 SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1 时引擎照样启动）",
    ),
    ("--n-parallel {0} is fewer slots than {1} sessions", "--n-parallel {0} 的槽位少于 {1} 个会话"),
    (
        "each stream has {0} cells, {1} are needed: raise --ctx-size",
        "每个流有 {0} 个单元，需要 {1} 个：请增大 --ctx-size",
    ),
    ("a cache type of llama.cpp: {0}", "llama.cpp 的缓存类型：{0}"),
    ("{0} K and {1} V caches", "{0} 的 K 缓存与 {1} 的 V 缓存"),
    (
        "llama.cpp refuses: model does not support different K ({0}) and V ({1}) cache types",
        "llama.cpp 拒绝：该模型不支持 K（{0}）与 V（{1}）使用不同的缓存类型",
    ),
    (
        "llama.cpp refuses: quantized V cache requires flash_attn to be enabled",
        "llama.cpp 拒绝：量化的 V 缓存需要启用 `flash_attn`",
    ),
    (
        "llama.cpp refuses: {0} cache type {1} with block size {2} does not divide n_embd_head_{3}={4}",
        "llama.cpp 拒绝：{0} 缓存类型 {1} 的块大小 {2} 不能整除 `n_embd_head_{3}` = {4}",
    ),
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
    ("{0} under {1}: keys in {2} and values in {3}", "{1} 下的 {0}：键为 {2}、值为 {3}"),
    (
        "{0} stores keys and values in one type: --kv-dtype {1}",
        "{0} 的键与值只能是同一种类型：请用 --kv-dtype {1}",
    ),
    ("--dcp under {0}", "{0} 下的 --dcp"),
    (
        "no rule of this engine divides a session's tokens over GPUs; leave --dcp out",
        "该引擎没有把一个会话的 token 分到多块 GPU 的规则；请去掉 --dcp",
    ),
    ("--speculative under {0}", "{0} 下的 --speculative"),
    (
        "the caches of its draft layers are not covered; leave --speculative out",
        "其草稿层的缓存未涵盖；请去掉 --speculative",
    ),
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
    ("auto, bf16 or fp8 (SGLang's fp8_e4m3)", "auto、bf16 或 fp8（SGLang 的 fp8_e4m3）"),
    (
        "auto, bf16, f16 or fp8 (what this planner covers of TensorRT-LLM's types)",
        "auto、bf16、f16 或 fp8（本规划器涵盖的 TensorRT-LLM 类型）",
    ),
    (
        "SGLang takes pages of {0} tokens for this model and backend, not --block-size {1}",
        "对该模型与后端，SGLang 取每页 {0} 个 token，而不是 --block-size {1}",
    ),
];
