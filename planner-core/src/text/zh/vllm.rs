//! vLLM: its own refusals, and what this rule leaves to it.

pub(super) const TABLE: super::Table = &[
    ("this model or setting in vLLM {0}", "该模型或设置（vLLM {0} 拒绝）"),
    ("this setting in vLLM", "该设置（vLLM 拒绝）"),
    // classes
    ("Model architectures ['{0}'] {1}.", "模型架构 `{0}`：{1}。"),
    ("are not supported for now", "vLLM 目前不支持"),
    (
        "do not dispatch through the Transformers attention interface and vLLM has no other way to handle them",
        "不经由 Transformers 的注意力接口调用，vLLM 没有其他处理办法",
    ),
    (
        "look their attention up in a table of their own, which holds none of vLLM's",
        "从自己的表中查找注意力实现，其中没有 vLLM 的",
    ),
    (
        "dispatch attention from more than one module of a layer, which one vLLM attention layer cannot serve",
        "同一层有不止一个模块调用注意力，vLLM 的一个注意力层无法承担",
    ),
    (
        "are decoders of encoder-decoders: argument position_ids not found in their forward method",
        "是编码器-解码器的解码器，其 forward 方法没有参数 `position_ids`",
    ),
    (
        "have layers of states: such layers do not dispatch through the Transformers attention interface and vLLM has no other way to handle them",
        "保留状态，而这样的层不经由 Transformers 的注意力接口调用，vLLM 没有其他处理办法",
    ),
    (
        "are encoder-decoders, which vLLM runs only where it builds the class itself",
        "是编码器-解码器，只有 vLLM 自己实现的类才能运行",
    ),
    (
        "vLLM builds caches of this model's own for it (rings, pooled keys, several latents), which this rule does not restate yet; ask the architecture engine",
        "vLLM 为该模型另建专用缓存（环形缓冲、池化的键、多个潜向量），本规则尚未重述；请改用引擎 `architecture`",
    ),
    (
        "config.json names no `local_layer_ids`, without which vLLM's windows are not known",
        "config.json 没有 `local_layer_ids`，无从得知 vLLM 的窗口",
    ),
    ("Kimi-K3 MLA (MultiHeadLatentAttention) is NoPE-only", "Kimi-K3 的 MLA 只支持不带旋转位置编码（NoPE）"),
    (
        "num_expert_group and topk_group must be provided when use_grouped_topk is True",
        "`use_grouped_topk` 为真时必须给出 `num_expert_group` 与 `topk_group`",
    ),
    (
        "config.json says no `{0}`, which vLLM's {1} reads",
        "config.json 没有 `{0}`，而 vLLM 的 `{1}` 要读取它",
    ),
    // attention backends
    ("unknown attention backend `{0}`; known: {1}", "未知的注意力后端 `{0}`；已知：{1}"),
    (
        "Selected backend {0} is not valid for this configuration. Reason: {1}",
        "所选后端 `{0}` 不适用于该配置：{1}",
    ),
    (
        "No valid attention backend found for cuda with head_size={0}, kv_cache_dtype={1}{2}. {3}",
        "CUDA 上没有适用的注意力后端（head_size={0}，kv_cache_dtype={1}{2}）。{3}",
    ),
    (", block_size={0}", "，block_size={0}"),
    (
        "No valid MLA prefill backend found with qk_nope_head_dim={0}, qk_rope_head_dim={1}, v_head_dim={2}",
        "没有适用的 MLA 预填充后端（qk_nope_head_dim={0}，qk_rope_head_dim={1}，v_head_dim={2}）",
    ),
    ("MLA or not", "是否 MLA 不符"),
    ("sparse or not", "是否稀疏不符"),
    ("kv_cache_dtype not supported", "不支持该 KV 缓存类型"),
    ("block_size not supported", "不支持该块大小"),
    ("sliding window not supported", "不支持滑动窗口"),
    ("dtype not supported", "不支持该数据类型"),
    ("DCP not supported", "不支持解码上下文并行（DCP）"),
    ("compute capability not supported", "不支持该计算能力"),
    ("head_size not supported", "不支持该头宽"),
    ("image prefix not supported", "不支持图像前缀"),
    ("attention sinks not supported", "不支持注意力汇点（attention sink）"),
    ("per-head scales", "不支持逐头缩放系数"),
    ("per-head quant scales not supported", "不支持逐头量化缩放系数"),
    ("not supported", "不支持"),
    ("needs FlashAttention 3 or 4", "需要 FlashAttention 3 或 4"),
    (
        "fa2 prefill misreads an NVFP4 KV cache at head_size 64",
        "头宽为 64 时，FA2 预填充会误读 NVFP4 的 KV 缓存",
    ),
    ("qk_nope_head_dim", "不支持该 `qk_nope_head_dim`"),
    ("qk_nope_head_dim in [128, 192]", "`qk_nope_head_dim` 须为 128 或 192"),
    (
        "sink not supported on compute capability < 9.0",
        "计算能力低于 9.0 时不支持注意力汇点（attention sink）",
    ),
    ("SM90 FP8 KV with mm_prefix requires Triton", "SM90 上 FP8 的 KV 缓存与多模态前缀一起使用时需要 Triton"),
    (
        "FP8 KV cache requires FA3 on SM90, FA4 with head_size=512 on SM90, or FA4 on SM100",
        "FP8 的 KV 缓存需要 SM90 上的 FA3、SM90 上头宽为 512 的 FA4，或 SM100 上的 FA4",
    ),
    ("mm_prefix requires FlashAttention v4", "多模态前缀需要 FlashAttention 4"),
    ("head_size 512 needs NoPE", "头宽为 512 时必须不带旋转位置编码（NoPE）"),
    ("nvfp4_ds_mla needs SM100", "nvfp4_ds_mla 需要 SM100"),
    (
        "FlashAttention MLA Sparse currently supports only FP16/BF16 KV cache",
        "FlashAttention 的稀疏 MLA 目前只支持 FP16/BF16 的 KV 缓存",
    ),
    (
        "FlashAttention MLA Sparse requires model with index_topk",
        "FlashAttention 的稀疏 MLA 要求模型有 `index_topk`",
    ),
    (
        "no-rope MLA requires qk_nope_head_dim=256 and kv_lora_rank=512",
        "不带旋转位置编码的 MLA 要求 qk_nope_head_dim=256 且 kv_lora_rank=512",
    ),
    ("FlashInfer MLA Sparse requires index_topk", "FlashInfer 的稀疏 MLA 要求有 `index_topk`"),
    (
        "needs FlashInfer's MLA kernels, which `pip install vllm` does not bring",
        "需要 FlashInfer 的 MLA 内核，而 `pip install vllm` 不会带来它们",
    ),
    ("Flint requires FlashInfer attention", "Flint 需要 FlashInfer 注意力"),
    (
        "FP8 KV cache is not supported by the Triton attention backend on this GPU; native FP8 (fp8e4nv) requires SM89+. Re-run with --kv-cache-dtype bfloat16.",
        "Triton 注意力后端在该 GPU 上不支持 FP8 的 KV 缓存；原生 FP8（fp8e4nv）需要 SM89 及以上。请改用 --kv-cache-dtype bfloat16。",
    ),
    (
        "FlashAttention does not support fp8 kv-cache on this device.",
        "FlashAttention 在该设备上不支持 fp8 的 KV 缓存。",
    ),
    (
        "DCP for FlashMLA sparse requires an fp8_ds_mla kv-cache; the bf16 sparse path is not supported under DCP.",
        "FlashMLA 稀疏后端在解码上下文并行（DCP）下需要 fp8_ds_mla 的 KV 缓存；不支持 bf16 的稀疏路径。",
    ),
    // blocks, pages and layouts
    (
        "The attention backends share no supported KV cache block size",
        "各注意力后端没有共同支持的 KV 缓存块大小",
    ),
    (
        "ZeroDivisionError: a pipeline rank holds no cache, or a page has 0 bytes",
        "除以零：某一级流水线没有缓存，或某种页为 0 字节",
    ),
    (
        "ZeroDivisionError: a block of this size holds no whole state",
        "除以零：该大小的块放不下一个完整的状态",
    ),
    ("AssertionError: KV cache groups miss layers", "断言失败：KV 缓存的分组漏了层。"),
    ("AssertionError: a padded page does not grow with its block", "断言失败：填充过的页不能随块变大。"),
    (
        "page size is not divisible by the maximum page size and cannot be padded. Padding is only supported for non-MLA attention layers.",
        "页大小不能整除最大的页，也不能填充：只有非 MLA 的注意力层才能填充。",
    ),
    (
        "Failed to promote local KV cache specs to one unified type.",
        "无法把各局部层的 KV 缓存规格统一为一种。",
    ),
    ("No KV cache layout satisfies every supported set.", "没有一种 KV 缓存布局为所有后端所支持。"),
    (
        "The attention backends share no KV cache layout that this mix of pages fits.",
        "各注意力后端没有适合这几种页混用的共同 KV 缓存布局。",
    ),
    ("DCP not support sliding window.", "解码上下文并行（DCP）不支持滑动窗口。"),
    ("the model keeps no KV cache in vLLM", "该模型在 vLLM 中不保留 KV 缓存"),
    // lengths, heads and shards
    (
        "User-specified max_model_len ({0}) is greater than the derived max_model_len ({1}). To allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1; here: a smaller --seq or --max-model-len",
        "指定的 `max_model_len`（{0}）大于由配置得出的上限（{1}）。vLLM 在环境变量 `VLLM_ALLOW_LONG_MAX_MODEL_LEN=1` 时允许超过；在这里请减小 --seq 或 --max-model-len",
    ),
    (
        "Total number of attention heads ({0}) must be divisible by tensor parallel size ({1}).",
        "注意力头数（{0}）必须能被张量并行数（{1}）整除。",
    ),
    (
        "Pipeline parallelism is not supported for this model. Supported models implement the `SupportsPP` interface.",
        "该模型不支持流水线并行：支持的模型都实现了 `SupportsPP` 接口。",
    ),
    (
        "ZeroDivisionError: decode context parallelism without KV heads",
        "除以零：解码上下文并行（DCP）需要 KV 头，而该模型没有",
    ),
    (
        "Decode context parallelism for GQA/MQA requires `--tensor-parallel-size` ({0}) to be greater than the model's total number of KV heads ({1}).",
        "GQA/MQA 的解码上下文并行要求 `--tensor-parallel-size`（{0}）大于模型的 KV 头总数（{1}）。",
    ),
    (
        "`--decode-context-parallel-size` ({0}) exceeds the maximum supported value ({1}) for `--tensor-parallel-size` ({2}) and {3} model KV heads.",
        "`--decode-context-parallel-size`（{0}）超过上限 {1}（`--tensor-parallel-size` 为 {2}，模型有 {3} 个 KV 头）。",
    ),
    (
        "The model's number of query heads per KV head ({0}) must be divisible by `--decode-context-parallel-size` ({1}) for GQA/MQA.",
        "对 GQA/MQA，每个 KV 头对应的查询头数（{0}）必须能被 `--decode-context-parallel-size`（{1}）整除。",
    ),
    (
        "AssertionError: {0} KV heads and tensor parallel size {1} do not divide one another",
        "断言失败：{0} 个 KV 头与张量并行数 {1} 互不整除",
    ),
    (
        "ZeroDivisionError: {0} KV heads on {1} tensor-parallel ranks",
        "除以零：{0} 个 KV 头分到 {1} 个张量并行进程",
    ),
    (
        "The output_size of gate's and up's weight = {0} is not divisible by weight quantization block_n = {1}.",
        "gate 与 up 权重的输出宽度 {0} 不能被权重量化的 block_n = {1} 整除。",
    ),
    (
        "The input_size of down's weight = {0} is not divisible by weight quantization block_k = {1}.",
        "down 权重的输入宽度 {0} 不能被权重量化的 block_k = {1} 整除。",
    ),
    (
        "Weight input_size_per_partition = {0} is not divisible by weight quantization block_k = {1}.",
        "每一份权重的输入宽度 {0} 不能被权重量化的 block_k = {1} 整除。",
    ),
    (
        "config.json says no hidden_size or sconv_kernel_size",
        "config.json 没有 `hidden_size` 或 `sconv_kernel_size`",
    ),
    (
        "sconv SWA cache supports tp_size <= num_kv_heads ({0}), got {1}",
        "短卷积的滑动窗口缓存要求张量并行数不超过 KV 头数（{0}），现为 {1}",
    ),
    // cache types and drafts
    (
        "vLLM 0.33.0 knows no KV cache type `{0}`; it accepts {1}",
        "vLLM 0.33.0 不认识 KV 缓存类型 `{0}`；可用的有 {1}",
    ),
    (
        "vLLM 0.33.0 knows no prediction layers (MTP) of model type `{0}`",
        "vLLM 0.33.0 不认识模型类型 `{0}` 的预测层（MTP）",
    ),
    (
        "DeepSeek-V4 needs an fp8 kv-cache, got {0}. Please set --kv-cache-dtype fp8.",
        "DeepSeek-V4 需要 fp8 的 KV 缓存，现为 {0}。请设置 --kv-cache-dtype fp8。",
    ),
    (
        "config.json has neither `compress_ratios` nor `compress_rates`",
        "config.json 既没有 `compress_ratios` 也没有 `compress_rates`",
    ),
    ("Invalid compress ratio: {0}", "无效的压缩比：{0}"),
    // states
    (
        "The hidden size ({0}) is not a multiple of the number of attention heads ({1}).",
        "隐藏维度（{0}）不是注意力头数（{1}）的整数倍。",
    ),
    ("AssertionError: {0} {1} is not divisible by {2}", "断言失败：{0} {1} 不能被 {2} 整除"),
    (
        "AssertionError: If tensor parallel world size does not divide num_groups, then num_groups must equal 1.",
        "断言失败：若张量并行数不能整除 `num_groups`，则 `num_groups` 必须为 1。",
    ),
    ("intermediate size", "中间层宽度"),
    ("convolution width", "卷积宽度"),
    ("Mamba heads", "Mamba 头数"),
    ("value heads", "值头数"),
    ("KDA heads", "KDA 头数"),
    ("vLLM 0.33.0 keeps no state of mixer `{0}` in its cache", "vLLM 0.33.0 的缓存不保留 `{0}` 的状态"),
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
        "kv_cache_dtype=\"{0}\" is incompatible with dtype=\"{1}\". Please set `--kv-cache-dtype` to `auto` or `{1}`.",
        "kv_cache_dtype=\"{0}\" 与 dtype=\"{1}\" 不相容。请把 `--kv-cache-dtype` 设为 `auto` 或 `{1}`。",
    ),
    (
        "TurboQuant KV cache requires identifiable full-attention layers, but none were found in the hybrid model config.",
        "TurboQuant 的 KV 缓存需要可识别的全注意力层，而该混合模型的配置中没有。",
    ),
    ("a layer on no rank", "有一层不在任何 rank 上"),
    (
        "Aligned KV cache block size {0} is not supported by attention backend(s): {1}.",
        "注意力后端不支持对齐后的 KV 缓存块大小 {0}：{1}。",
    ),
    (
        "TritonAttentionDiffKVBackend supports only fp8/fp8_e4m3 quantized KV cache (got kv_cache_dtype='{0}').",
        "TritonAttentionDiffKVBackend 只支持 fp8/fp8_e4m3 量化的 KV 缓存（给的是 kv_cache_dtype='{0}'）。",
    ),
    (
        "Currently supported kv cache quantization is num_bits=8, type=float, however received num_bits={0}, type={1}",
        "目前支持的 KV 缓存量化是 num_bits=8、type=float，而给的是 num_bits={0}、type={1}",
    ),
    (
        "Invalid strategy for compressed-tensors KV cache: {0}, where tensor or attn_head is expected",
        "compressed-tensors 的 KV 缓存策略无效：{0}，应为 tensor 或 attn_head",
    ),
    (
        "Only support symmetric scaling factor for compressed-tensors KV cache.",
        "compressed-tensors 的 KV 缓存只支持对称的缩放因子。",
    ),
    ("fp8_e5m2 kv-cache is not supported with fp8 checkpoints.", "fp8 检查点不支持 fp8_e5m2 的 KV 缓存。"),
    ("{0} is not a DeepSeek V4 attention backend.", "{0} 不是 DeepSeek V4 的注意力后端。"),
    (
        "FLASHINFER_MLA_SPARSE_DSV4 on SM120 requires a FlashInfer DSV4 sparse MLA decode specialization, which `pip install vllm` does not bring.",
        "SM120 上的 FLASHINFER_MLA_SPARSE_DSV4 需要 FlashInfer 的 DSV4 稀疏 MLA 解码特化，`pip install vllm` 并不带有它。",
    ),
    ("Unsupported head_dim for fused quant+cache: {0}", "融合的量化与缓存写入不支持 head_dim {0}"),
    (
        "max_num_batched_tokens ({0}) is smaller than max_model_len ({1}), and an encoder-decoder takes a prompt in one step.",
        "max_num_batched_tokens（{0}）小于 max_model_len（{1}），而编码器-解码器须在一步内处理整个提示。",
    ),
    (
        "max_num_batched_tokens ({0}) must be greater than or equal to max_num_seqs ({1}).",
        "max_num_batched_tokens（{0}）必须不小于 max_num_seqs（{1}）。",
    ),
    (
        "The input size ({0}) is not aligned with the quantized weight shape (groups of {1}). This can be caused by too large tensor parallel size.",
        "输入宽度（{0}）与量化权重的形状（每组 {1}）不对齐。张量并行数过大会造成此问题。",
    ),
    (
        "name no decoder among their classes by which the Transformers backend finds it",
        "其各类中没有指明解码器，Transformers 后端无从找到",
    ),
];
