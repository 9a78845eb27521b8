//! The stable codes of errors, which programs compare: `error.code` of the JSON.

use std::fmt;

/// One line for each code: its documentation, which `docs/errors.md` repeats, its name and its text.
macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $text:literal,)*) => {
        /// Why a question cannot be answered, as a stable code.
        ///
        /// Codes are dotted by who refuses: `vllm.…` is a refusal of vLLM itself, `vllm.not_restated.…` what vLLM
        /// may run and kvplan has no rule for. New codes may appear; the text of one does not change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $doc] $name,)*
        }

        impl Code {
            /// Every code, in the order of `docs/errors.md`.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The text in `error.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What the code means, in one line.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc.trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// No model of that name is known.
    UnknownModel = "unknown_model",
    /// No GPU of that name is known.
    UnknownGpu = "unknown_gpu",
    /// No engine or flag of that name is known.
    UnknownName = "unknown_name",
    /// A flag or field has a value that it cannot have.
    BadValue = "bad_value",
    /// A field without which nothing exact can be said is missing.
    MissingField = "missing_field",
    /// A number does not fit in 64 bits.
    Overflow = "overflow",
    /// Text or bytes are not in their format.
    Parse = "parse",
    /// A file cannot be read.
    Unreadable = "unreadable",
    /// The model keeps no KV cache.
    NoKvCache = "no_kv_cache",
    /// The command line does not parse.
    Usage = "usage",

    /// No family knows the `model_type`, and it is not plain attention.
    ModelUnknownType = "model.unknown_type",
    /// No family knows the language model inside the configuration.
    ModelUnknownLanguageModel = "model.unknown_language_model",
    /// No family knows a nested model whose weights are to be counted.
    ModelUnknownTower = "model.unknown_tower",
    /// The family is known, and this variant of it is not described.
    ModelNotDescribed = "model.not_described",
    /// The configuration is a speculative decoder's draft, not a model.
    ModelDraft = "model.draft",
    /// Some files of a split GGUF model are missing.
    GgufMissingFiles = "gguf.missing_files",
    /// llama.cpp's loader refuses the metadata of this GGUF file.
    GgufRefused = "gguf.refused",
    /// `quantization_config` names no `quant_method`.
    WeightsNoMethod = "weights.no_method",
    /// The bytes of this `quant_method` are not known.
    WeightsUnknownMethod = "weights.unknown_method",
    /// The bytes of this compressed-tensors `format` are not known.
    WeightsUnknownFormat = "weights.unknown_format",
    /// The bytes of this ModelOpt `quant_algo` are not known.
    WeightsUnknownAlgorithm = "weights.unknown_algorithm",
    /// The bytes of this AWQ `version` are not known.
    WeightsAwqVersion = "weights.awq_version",
    /// The bytes of this GPTQ `checkpoint_format` are not known.
    WeightsGptqFormat = "weights.gptq_format",
    /// The bytes of this MLX quantization mode are not known.
    WeightsMlxMode = "weights.mlx_mode",
    /// MLX quantizes this architecture in a way that is not known.
    WeightsMlxArchitecture = "weights.mlx_architecture",
    /// The weights are stored sparsely.
    WeightsSparse = "weights.sparse",
    /// Two rules of `quantization_config` name the same module.
    WeightsTwoRules = "weights.two_rules",
    /// `--weight-dtype` names a quantizer for a file whose tensors are known.
    WeightsOfFile = "weights.of_file",
    /// A list of modules holds regular expressions, which this build does not read.
    WeightsNoPatterns = "weights.no_patterns",

    /// The engine keeps keys and values in one type, and two were given.
    EngineOneKvDtype = "engine.one_kv_dtype",
    /// The engine gives every session the place of the longest, and lengths are mixed.
    EngineOneLength = "engine.one_length",
    /// The engine has no data-parallel attention within a tensor-parallel group.
    EngineNoDpAttention = "engine.no_dp_attention",
    /// kvplan has no rule for decode context parallelism in this engine.
    EngineNotRestatedDcp = "engine.not_restated.dcp",
    /// kvplan has no rule for the draft layers of `--speculative` in this engine.
    EngineNotRestatedDrafts = "engine.not_restated.drafts",
    /// kvplan has no rule for how this engine divides a model over unequal GPUs.
    EngineNotRestatedUnequal = "engine.not_restated.unequal_gpus",

    /// vLLM does not run the class, by itself or through its Transformers backend.
    VllmClass = "vllm.class",
    /// kvplan has no rule for the caches that vLLM builds for this class.
    VllmNotRestatedClass = "vllm.not_restated.class",
    /// kvplan has no rule for this mixer's state in vLLM.
    VllmNotRestatedMixer = "vllm.not_restated.mixer",
    /// A width of the state is not known.
    VllmNotRestatedState = "vllm.not_restated.state",
    /// config.json lacks a key that vLLM's class reads.
    VllmMissingKey = "vllm.missing_key",
    /// The configuration's class wants heads that divide the hidden size.
    VllmHiddenSizeNotDivided = "vllm.hidden_size_not_divided",
    /// The MLA of Kimi must be without rotation.
    VllmMlaNotNope = "vllm.mla_not_nope",
    /// Grouped top-k lacks its groups.
    VllmGroupedTopk = "vllm.grouped_topk",
    /// The model keeps no KV cache in vLLM.
    VllmNoCache = "vllm.no_cache",
    /// The request is longer than the configuration admits.
    VllmMaxModelLen = "vllm.max_model_len",
    /// One step holds fewer tokens than an encoder-decoder's prompt.
    VllmBatchedTokensBelowPrompt = "vllm.batched_tokens_below_prompt",
    /// One step holds fewer tokens than sequences.
    VllmBatchedTokensBelowSeqs = "vllm.batched_tokens_below_seqs",
    /// Attention heads do not divide by the tensor parallel size.
    VllmHeadsNotDivided = "vllm.heads_not_divided",
    /// KV heads and the tensor parallel size do not divide one another.
    VllmKvHeadsNotDivided = "vllm.kv_heads_not_divided",
    /// There are fewer KV heads than tensor parallel ranks.
    VllmTooFewKvHeads = "vllm.too_few_kv_heads",
    /// A width or a count does not divide by the tensor parallel size.
    VllmWidthNotDivided = "vllm.width_not_divided",
    /// State groups neither divide by the tensor parallel size nor are one.
    VllmStateGroupsNotDivided = "vllm.state_groups_not_divided",
    /// A rank's weights are not whole quantization blocks.
    VllmQuantizationBlock = "vllm.quantization_block",
    /// A rank's weights are not whole quantization groups.
    VllmQuantizationGroup = "vllm.quantization_group",
    /// The class has no pipeline parallelism.
    VllmNoPipeline = "vllm.no_pipeline",
    /// Decode context parallelism needs KV heads.
    VllmDcpNoKvHeads = "vllm.dcp_no_kv_heads",
    /// Decode context parallelism needs more tensor parallel ranks than KV heads.
    VllmDcpTpTooSmall = "vllm.dcp_tp_too_small",
    /// The decode context parallel size is larger than the ranks of one KV head.
    VllmDcpTooLarge = "vllm.dcp_too_large",
    /// The query heads of a KV head do not divide by the decode context parallel size.
    VllmDcpNotDivided = "vllm.dcp_not_divided",
    /// Decode context parallelism does not support sliding windows.
    VllmDcpSlidingWindow = "vllm.dcp_sliding_window",
    /// Decode context parallelism of sparse MLA needs another cache type.
    VllmDcpSparseMla = "vllm.dcp_sparse_mla",
    /// vLLM has no attention backend of that name.
    VllmUnknownBackend = "vllm.unknown_backend",
    /// The backend that was asked for does not serve this model.
    VllmBackendNotValid = "vllm.backend_not_valid",
    /// No attention backend serves this model on this GPU.
    VllmNoBackend = "vllm.no_backend",
    /// No kernel reads a prompt with MLA of these widths.
    VllmNoPrefillKernel = "vllm.no_prefill_kernel",
    /// The backend is not one of DeepSeek-V4.
    VllmDeepseekV4Backend = "vllm.deepseek_v4_backend",
    /// DeepSeek-V4 needs a kernel that vLLM's package does not bring.
    VllmDeepseekV4Kernel = "vllm.deepseek_v4_kernel",
    /// DeepSeek-V4 needs an fp8 cache.
    VllmDeepseekV4Dtype = "vllm.deepseek_v4_dtype",
    /// DeepSeek-V4's kernels do not take this width.
    VllmDeepseekV4Width = "vllm.deepseek_v4_width",
    /// DeepSeek-V4's layers have no or another compress ratio.
    VllmDeepseekV4Ratio = "vllm.deepseek_v4_ratio",
    /// Flint needs FlashInfer.
    VllmFlintBackend = "vllm.flint_backend",
    /// vLLM has no cache type of that name.
    VllmUnknownKvDtype = "vllm.unknown_kv_dtype",
    /// The backend does not store this cache type.
    VllmBackendKvDtype = "vllm.backend_kv_dtype",
    /// The GPU has no native fp8.
    VllmNoNativeFp8 = "vllm.no_native_fp8",
    /// The cache type and the dtype of the model do not go together.
    VllmKvDtypeOfModel = "vllm.kv_dtype_of_model",
    /// TurboQuant finds no layer of full attention.
    VllmTurboquantLayers = "vllm.turboquant_layers",
    /// The checkpoint asks for a cache in a scheme that vLLM does not read.
    VllmKvCacheScheme = "vllm.kv_cache_scheme",
    /// A checkpoint in fp8 does not go with this cache type.
    VllmFp8Checkpoint = "vllm.fp8_checkpoint",
    /// The attention backends share no block size.
    VllmNoBlockSize = "vllm.no_block_size",
    /// The block size that states ask for is not supported by a backend.
    VllmAlignedBlockSize = "vllm.aligned_block_size",
    /// The block holds no whole state.
    VllmEmptyBlock = "vllm.empty_block",
    /// A pipeline rank keeps no cache.
    VllmEmptyRank = "vllm.empty_rank",
    /// The pages of the caches cannot be made one size.
    VllmPageSize = "vllm.page_size",
    /// The caches cannot be grouped.
    VllmCacheGroups = "vllm.cache_groups",
    /// The backends share no layout of the cache.
    VllmCacheLayout = "vllm.cache_layout",
    /// The short convolution's window cache has fewer KV heads than ranks.
    VllmShortConvHeads = "vllm.short_conv_heads",
    /// vLLM has no prediction layers of this model.
    VllmNoDraftLayers = "vllm.no_draft_layers",
    /// Expert parallelism of a model without routed experts.
    VllmNoExperts = "vllm.no_experts",
    /// The ranks cannot share out experts and their copies evenly.
    VllmUnevenExperts = "vllm.uneven_experts",

    /// SGLang does not run the class.
    SglangClass = "sglang.class",
    /// kvplan has no rule for the pools that SGLang makes for this class.
    SglangNotRestatedClass = "sglang.not_restated.class",
    /// kvplan has no rule for this kind of cache in SGLang.
    SglangNotRestatedCache = "sglang.not_restated.cache",
    /// kvplan has no rule for this mixer's state in SGLang.
    SglangNotRestatedState = "sglang.not_restated.state",
    /// kvplan has no rule for SGLang's draft pools of this model.
    SglangNotRestatedDrafts = "sglang.not_restated.drafts",
    /// kvplan has no rule for this cache type in SGLang.
    SglangNotRestatedKvDtype = "sglang.not_restated.kv_dtype",
    /// The session is longer than the configuration admits.
    SglangContextLength = "sglang.context_length",
    /// The backend does not run on this GPU.
    SglangBackendCapability = "sglang.backend_capability",
    /// The weights' quantization does not run on this GPU.
    SglangQuantizationCapability = "sglang.quantization_capability",
    /// Drafts from the prompt go with pages of several tokens in one backend alone.
    SglangDraftPages = "sglang.draft_pages",
    /// A model with a window pool has no window layer on a pipeline stage.
    SglangNoWindowLayer = "sglang.no_window_layer",
    /// The configuration lacks a key that SGLang reads.
    SglangMissingKey = "sglang.missing_key",
    /// A DeepSeek-V4 layer keeps no window of latents.
    SglangDeepseekV4Window = "sglang.deepseek_v4_window",
    /// DeepSeek-V4's pools have no rows of this many tokens.
    SglangDeepseekV4Ratio = "sglang.deepseek_v4_ratio",

    /// kvplan has no rule for this kind of cache in TensorRT-LLM.
    TensorrtLlmNotRestatedCache = "tensorrt-llm.not_restated.cache",
    /// kvplan has no rule for this cache type in TensorRT-LLM.
    TensorrtLlmNotRestatedKvDtype = "tensorrt-llm.not_restated.kv_dtype",

    /// llama.cpp has no such architecture.
    LlamacppArchitecture = "llama.cpp.architecture",
    /// llama.cpp's converter has no such class.
    LlamacppClass = "llama.cpp.class",
    /// A row is not whole blocks of its cache type.
    LlamacppRow = "llama.cpp.row",
    /// The model keeps keys and values in one type, and two were given.
    LlamacppOneKvDtype = "llama.cpp.one_kv_dtype",
    /// A quantized V cache needs flash attention.
    LlamacppQuantizedVWithoutFlashAttention = "llama.cpp.quantized_v_without_flash_attention",
    /// A head is not whole blocks of its cache type.
    LlamacppHeadNotDivided = "llama.cpp.head_not_divided",
    /// A context holds fewer sequences than are asked for.
    LlamacppTooManySequences = "llama.cpp.too_many_sequences",
    /// There are fewer slots than sessions.
    LlamacppTooFewSlots = "llama.cpp.too_few_slots",
    /// The context is too small for the sessions.
    LlamacppContextTooSmall = "llama.cpp.context_too_small",
    /// A model with a window has no layer that slides.
    LlamacppNoWindowLayer = "llama.cpp.no_window_layer",

    /// transformers has no static cache for this model.
    TransformersStaticCache = "transformers.static_cache",
    /// transformers quantizes caches of full attention alone.
    TransformersQuantizedCache = "transformers.quantized_cache",

    /// candle has no module for the model.
    CandleNoModule = "candle.no_module",
    /// kvplan has no rule for how candle runs this GGUF file.
    CandleNotRestatedGguf = "candle.not_restated.gguf",
    /// candle's module reads plain weights alone.
    CandleQuantizedWeights = "candle.quantized_weights",
    /// candle's module refuses a setting of the configuration.
    CandleSetting = "candle.setting",
    /// candle's module runs one KV head alone.
    CandleKvHeads = "candle.kv_heads",
    /// candle's module has no layers with states.
    CandleNoStates = "candle.no_states",
    /// candle's module has no layers that share keys and values.
    CandleSharedLayers = "candle.shared_layers",
    /// candle's module fixes widths of the state that this model does not have.
    CandleStateWidth = "candle.state_width",
    /// candle's module derives another head width.
    CandleHeadWidth = "candle.head_width",

    /// This build cannot measure.
    MeasureNotBuilt = "measure.not_built",
    /// The device cannot be opened.
    MeasureDevice = "measure.device",
    /// The measurement itself failed.
    MeasureFailed = "measure.failed",
    /// The measurement does not fit in memory.
    MeasureMemory = "measure.memory",
    /// There is nothing to measure.
    MeasureNothing = "measure.nothing",
    /// No decoder for this kind of cache is built in.
    MeasureCache = "measure.cache",
    /// The weights are not run by what is built in.
    MeasureWeights = "measure.weights",
    /// The text, or its tokens, cannot be read.
    MeasureText = "measure.text",
    /// No line of a log is one that an engine prints at its start, or it does not say what is asked of it.
    LogUnrecognised = "log.unrecognised",
    /// Nothing answers at the address of an engine, or not in whole, in time or by itself.
    LiveUnreachable = "live.unreachable",
    /// A running engine asks for an API key, or for another.
    LiveKey = "live.key",
    /// What answers is no engine that kvplan asks.
    LiveNoEngine = "live.no_engine",
    /// A running engine tells no figures of its cache.
    LiveNoFigures = "live.no_figures",
    /// The model that a running engine names is not found.
    LiveModel = "live.model",
    /// bench-cache does not run this model so.
    BenchModel = "bench.model",
}

impl Code {
    /// The id of the engine that refuses, or whose rule is missing; none where kvplan itself refuses, or any
    /// engine may.
    pub fn engine(self) -> Option<&'static str> {
        const OWN: [&str; 8] = ["model", "weights", "gguf", "engine", "measure", "log", "live", "bench"];
        let (first, _) = self.parts()?;
        Some(first).filter(|first| !OWN.contains(first))
    }

    /// Whether kvplan has no rule for what is asked, whatever the engine would do.
    pub fn is_not_restated(self) -> bool {
        self.as_str().contains(NOT_RESTATED)
    }

    /// Whether an engine refuses, or has no rule.
    pub(crate) fn is_of_an_engine(self) -> bool {
        self.engine().is_some() || self.parts().is_some_and(|(first, _)| first == "engine")
    }

    /// Who refuses, and the reason; ids of engines may hold dots, reasons hold none.
    fn parts(self) -> Option<(&'static str, &'static str)> {
        self.as_str().split_once(NOT_RESTATED).or_else(|| self.as_str().rsplit_once('.'))
    }
}

/// What stands in a code between an engine and what kvplan has no rule for.
const NOT_RESTATED: &str = ".not_restated.";

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
