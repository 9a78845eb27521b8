//! TensorRT-LLM's start-up, 0.5 to 1.2.

use crate::engine::{Dump, Rules};
use crate::pattern::Pattern;
use crate::settings::{Key, key};

const MANAGER: &str = "cpp/tensorrt_llm/batch_manager/kvCacheManager.cpp";
const UTIL: &str = "tensorrt_llm/_torch/pyexecutor/_util.py, KvCacheCreator";

const KEYS: &[Key] = &[
    key("model", "model"),
    key("tensor_parallel_size", "tp"),
    key("pipeline_parallel_size", "pp"),
    key("max_seq_len", "max-model-len"),
    key("max_num_tokens", "max-num-batched-tokens"),
    key("max_batch_size", "max-num-seqs"),
    key("free_gpu_memory_fraction", "memory-utilization"),
    key("tokens_per_block", "block-size"),
];

/// What it prints.
pub const RULES: Rules = Rules {
    engine: "tensorrt-llm",
    lines: &[
        Pattern::new("TensorRT-LLM version: {version}", "tensorrt_llm/__init__.py", "to 1.0").starting(),
        Pattern::new("TensorRT LLM version: {version}", "tensorrt_llm/__init__.py", "from 1.1").starting(),
        Pattern::new(
            "Memory used after loading model weights (inside torch) in memory usage profiling: {weights:GiB} GiB",
            UTIL,
            "from 0.17",
        ),
        Pattern::new(
            "Memory dynamically allocated during inference (inside torch) in memory usage profiling: {activation:GiB} GiB",
            UTIL,
            "from 0.17",
        ),
        Pattern::new(
            "Memory used outside torch (e.g., NCCL and CUDA graphs) in memory usage profiling: {outside_torch:GiB} GiB",
            UTIL,
            "from 0.17",
        ),
        Pattern::new(
            "Peak memory during memory usage profiling (torch + non-torch): {before_cache:GiB} GiB, available KV cache \
             memory when calculating max tokens: {_} GiB, fraction is set {--memory-utilization}, kv size {_} device \
             total memory {total:GiB} GiB",
            UTIL,
            "from 1.0",
        ),
        Pattern::new(
            "Memory usage when calculating max tokens in paged kv cache: total: {total:GiB} GiB, available: {_} GiB",
            MANAGER,
            "0.9 to 1.0",
        ),
        Pattern::new(
            "Loaded engine size: {weights:MiB} MiB",
            "cpp/tensorrt_llm/runtime/tllmRuntime.cpp",
            "all",
        ),
        Pattern::new(
            "Allocated {activation:MiB} MiB for execution context memory.",
            "cpp/tensorrt_llm/runtime/tllmRuntime.cpp",
            "all",
        ),
        Pattern::new(
            "Max KV cache blocks per sequence: {_}, tokens per block={block_size:n}, primary blocks={blocks:n}, \
             secondary blocks={_}, max sequence length={--max-model-len}",
            MANAGER,
            "from 1.0",
        ),
        Pattern::new("Number of blocks in KV cache primary pool: {blocks:n}", MANAGER, "0.9 to 0.20"),
        Pattern::new("Number of tokens per block: {block_size:n}.", MANAGER, "all"),
        Pattern::new(
            "Allocated {room:GiB} GiB for max tokens in paged KV cache ({tokens:n})",
            MANAGER,
            "from 0.9",
        ),
        Pattern::new("Allocate {room:B} bytes for k/v cache.", MANAGER, "0.6 to 0.8"),
        Pattern::new("Using {tokens:n} tokens in paged KV cache.", MANAGER, "0.6 to 0.8"),
        Pattern::new(
            "max_seq_len={--max-model-len}, max_num_requests={_}, max_num_tokens={--max-num-batched-tokens}, ",
            "tensorrt_llm/_torch/pyexecutor/_util.py, create_py_executor_instance",
            "from 0.17",
        ),
    ],
    dumps: &[
        Dump { after: "LLM Args:", keys: KEYS },
        Dump { after: "TensorRT-LLM engine args: ", keys: KEYS },
    ],
};
