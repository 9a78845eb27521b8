//! vLLM's start-up, 0.6 to 0.33.

use crate::engine::{Dump, Rules};
use crate::pattern::Pattern;
use crate::settings::key;

const WORKER: &str = "vllm/v1/worker/gpu_worker.py, determine_available_memory";
const WARM_UP: &str = "vllm/v1/worker/gpu_worker.py, compile_or_warm_up_model";
const RUNNER: &str = "vllm/v1/worker/gpu_model_runner.py";
const PROFILE: &str = "vllm/utils/mem_utils.py, MemoryProfilingResult.__repr__";
const V0: &str = "vllm/worker/worker.py, determine_num_available_blocks";
const BANNER: &str = "vllm/entrypoints/common/startup.py, log_version_and_model";
const CACHE: &str = "vllm/v1/core/kv_cache_utils.py";

/// What it prints.
pub const RULES: Rules = Rules {
    engine: "vllm",
    lines: &[
        Pattern::new("vLLM API server version {version}", "vllm/entrypoints/openai/api_server.py", "to 0.15")
            .starting(),
        Pattern::new("█ version {version}", BANNER, "from 0.16").starting(),
        Pattern::new("█ model {model}", BANNER, "from 0.16"),
        Pattern::new(
            "Initializing a V1 LLM engine (v{version}) with config: {_}",
            "vllm/v1/engine/core.py",
            "from 0.8",
        ),
        Pattern::new(
            "Initializing a V0 LLM engine (v{version}) with config: {_}",
            "vllm/engine/llm_engine.py",
            "0.8 to 0.10",
        ),
        Pattern::new(
            "Initializing an LLM engine (v{version}) with config: {_}",
            "vllm/engine/llm_engine.py",
            "to 0.7",
        ),
        Pattern::new("Starting to load model {model}...", RUNNER, "all"),
        Pattern::new("Using max model len {--max-model-len}", "vllm/config/model.py", "from 0.9"),
        Pattern::new(
            "Chunked prefill is enabled with max_num_batched_tokens={--max-num-batched-tokens}.",
            "vllm/config/scheduler.py",
            "from 0.4",
        ),
        Pattern::new(
            "Setting attention block size to {block_size:n} tokens",
            "vllm/model_executor/models/config.py",
            "from 0.11",
        ),
        Pattern::new(
            "device_name={gpu},",
            "vllm/model_executor/layers/fused_moe/fused_moe.py, get_config_file_name",
            "all",
        ),
        Pattern::new(
            "device_name={gpu}.json",
            "vllm/model_executor/layers/fused_moe/fused_moe.py, get_config_file_name",
            "all",
        ),
        // weights
        Pattern::new(
            "Loading model weights took {weights:GiB} GB",
            "vllm/worker/model_runner.py, load_model",
            "to 0.7",
        ),
        Pattern::new("Model loading took {weights:GiB} G", RUNNER, "from 0.8"),
        // the profiled step
        Pattern::new(
            "total_gpu_memory ({total:GiB}GiB) x gpu_memory_utilization ({--memory-utilization}) = {budget:GiB}GiB",
            V0,
            "0.6 to 0.10",
        ),
        Pattern::new(
            "model weights take {weights:GiB}GiB; non_torch_memory takes {outside_torch:GiB}GiB; PyTorch activation \
             peak memory takes {activation:GiB}GiB; the rest of the memory reserved for KV Cache is {room:GiB}GiB.",
            V0,
            "0.6 to 0.10",
        ),
        Pattern::new(
            "torch peak memory increase: {activation:GiB}GiB; non-torch forward increase memory: \
             {outside_torch:GiB}GiB; weights memory: {weights:GiB}GiB.",
            PROFILE,
            "0.8 to 0.26, at debug level",
        ),
        Pattern::new(
            "torch peak memory increase: {activation:GiB}GiB; total consumed (from mem_get_info): \
             {consumed:GiB}GiB; weights memory: {weights:GiB}GiB.",
            PROFILE,
            "from 0.27, at debug level",
        ),
        Pattern::new(
            "Requested memory: {--memory-utilization} (util), {budget:GiB} GiB",
            WORKER,
            "from 0.11, at debug level",
        ),
        Pattern::new("Estimated CUDA graph memory: {graphs_estimate:GiB} GiB total", RUNNER, "from 0.18"),
        Pattern::new("Available KV cache memory: {room:GiB} GiB", WORKER, "from 0.9"),
        Pattern::new(
            "reserved {room:GiB} GiB memory for KV Cache as specified by kv_cache_memory_bytes",
            WORKER,
            "from 0.11",
        ),
        Pattern::new(
            "The current --gpu-memory-utilization={--memory-utilization} is equivalent",
            WORKER,
            "from 0.18",
        ),
        // what was used, once graphs are captured
        Pattern::new(
            "/{total:GiB} GiB) on startup. Desired GPU memory utilization is ({--memory-utilization}, {budget:GiB} GiB). \
             Actual usage is {weights:GiB} GiB for weight, {activation:GiB} GiB for peak activation, \
             {outside_torch:GiB} GiB for non-torch memory, and {graphs:GiB} GiB for CUDAGraph memory. {_}Current kv \
             cache memory in use is {room:GiB} GiB",
            WARM_UP,
            "0.11 to 0.26, at debug level",
        ),
        Pattern::new(
            "/{total:GiB} GiB) on startup. Desired GPU memory utilization is ({--memory-utilization}, {budget:GiB} GiB). \
             Actual usage is {consumed:GiB} GiB for consumed memory (weights + non-torch), \
             {activation_and_graphs:GiB} GiB for peak activation, and {graphs:GiB} GiB for CUDAGraph memory. \
             {_}Current kv cache memory in use is {room:GiB} GiB",
            WARM_UP,
            "from 0.27",
        ),
        Pattern::new(
            "/{total:GiB} GiB) on startup is less than desired GPU memory utilization ({--memory-utilization}, {budget:GiB} GiB)",
            "vllm/v1/worker/utils.py, request_memory",
            "from 0.9",
        ),
        Pattern::new("Graph capturing finished in {_} took {graphs:GiB} GiB", RUNNER, "all"),
        Pattern::new(
            "CUDA graph pool memory: {graphs:GiB} GiB (actual), {graphs_estimate:GiB} GiB (estimated)",
            WARM_UP,
            "from 0.20",
        ),
        // the cache
        Pattern::new("# GPU blocks: {blocks:n},", "vllm/executor/executor_base.py", "to 0.10"),
        Pattern::new("# cuda blocks: {blocks:n},", "vllm/executor/executor_base.py", "0.8 to 0.10"),
        Pattern::new("# rocm blocks: {blocks:n},", "vllm/executor/executor_base.py", "0.8 to 0.10"),
        Pattern::new("GPU KV cache size: {tokens:n} tokens", CACHE, "from 0.8"),
        Pattern::new("CPU KV cache size: {tokens:n} tokens", CACHE, "from 0.32"),
        Pattern::new("XPU KV cache size: {tokens:n} tokens", CACHE, "from 0.32"),
        Pattern::new(
            "Maximum concurrency for {--max-model-len} tokens per request: {concurrency:x}x",
            CACHE,
            "all",
        ),
        Pattern::new(
            "num_gpu_blocks is: {blocks:n}",
            "vllm/v1/metrics/loggers.py, log_engine_initialized",
            "from 0.9",
        ),
    ],
    dumps: &[
        Dump {
            // what was typed
            after: "non-default args: ",
            keys: &[
                key("model", "model"),
                key("model_tag", "model"),
                key("max_model_len", "max-model-len"),
                key("tensor_parallel_size", "tp"),
                key("pipeline_parallel_size", "pp"),
                key("data_parallel_size", "dp"),
                key("decode_context_parallel_size", "dcp"),
                key("gpu_memory_utilization", "memory-utilization"),
                key("kv_cache_dtype", "kv-dtype"),
                key("kv_cache_memory_bytes", "kv-memory"),
                key("max_num_seqs", "max-num-seqs"),
                key("max_num_batched_tokens", "max-num-batched-tokens"),
                key("block_size", "block-size"),
                key("enable_prefix_caching", "prefix-caching"),
                key("attention_backend", "attention-backend"),
                key("async_scheduling", "async-scheduling"),
                key("quantization", "weight-dtype"),
                key("enforce_eager", ""),
                key("enable_lora", ""),
                key("enable_expert_parallel", "ep"),
                key("speculative_config", ""),
                key("cpu_offload_gb", ""),
                key("num_gpu_blocks_override", ""),
            ],
        },
        Dump {
            after: " LLM engine (v",
            keys: &[
                key("model", "model"),
                key("max_seq_len", "max-model-len"),
                key("tensor_parallel_size", "tp"),
                key("pipeline_parallel_size", "pp"),
                key("data_parallel_size", "dp"),
                key("decode_context_parallel_size", "dcp"),
                key("kv_cache_dtype", "kv-dtype"),
                key("enable_prefix_caching", "prefix-caching"),
                key("speculative_config", ""),
            ],
        },
    ],
};
