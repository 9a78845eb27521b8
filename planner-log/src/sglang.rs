//! SGLang's start-up, 0.4 to 0.5.23. Its `GB` are 2³⁰ bytes.

use crate::engine::{Dump, Rules};
use crate::pattern::Pattern;
use crate::settings::{Key, key};

const LOAD: &str = "sglang/srt/model_executor/model_runner.py, load_model";
const POOL: &str = "sglang/srt/mem_cache/memory_pool.py";
const CONFIGURATOR: &str = "sglang/srt/mem_cache/kv_cache_configurator.py";
const GRAPHS: &str = "sglang/srt/model_executor/model_runner_components/cuda_graph_setup.py";
const RUNTIME: &str = "sglang/srt/model_executor/model_runner_components/kv_pool_runtime.py";

const KEYS: &[Key] = &[
    key("model_path", "model"),
    key("tp_size", "tp"),
    key("pp_size", "pp"),
    key("dp_size", "dp"),
    key("ep_size", "ep"),
    key("attn_dp_size", "dp-attention"),
    key("mem_fraction_static", "memory-utilization"),
    key("kv_cache_dtype", "kv-dtype"),
    key("context_length", "max-model-len"),
    key("chunked_prefill_size", "max-num-batched-tokens"),
    key("max_running_requests", "max-num-seqs"),
    key("page_size", "block-size"),
    key("attention_backend", "attention-backend"),
    key("max_total_tokens", ""),
    key("speculative_algorithm", ""),
    key("cpu_offload_gb", ""),
];

/// What it prints.
pub const RULES: Rules = Rules {
    engine: "sglang",
    lines: &[
        Pattern::new("server_args={_}", "sglang/srt/entrypoints/engine.py", "all").starting(),
        Pattern::new("Load weight begin. avail mem={free_before:GiB} GB", LOAD, "all"),
        Pattern::new(
            "Load weight end. {_}avail mem={free_after_weights:GiB} GB, mem usage={weights:GiB} GB",
            LOAD,
            "all",
        ),
        Pattern::new(
            "KV Cache is allocated. {_}#tokens: {tokens:n}, K size: {keys:GiB} GB, V size: {values:GiB} GB",
            POOL,
            "all",
        ),
        Pattern::new(
            "KV Cache is allocated. {_}#tokens: {tokens:n}, KV size: {room:GiB} GB",
            POOL,
            "all, latent caches",
        ),
        Pattern::new(
            "Mamba Cache is allocated. {_}conv_state size: {states:GiB}GB, ssm_state size: {states:GiB}GB",
            POOL,
            "from 0.5.4",
        ),
        Pattern::new(
            "Post-capture KV sizing: KV cache allocated. {_}#tokens: {tokens:n}, KV size: {room:GiB} GB",
            RUNTIME,
            "from 0.5.20",
        ),
        Pattern::new("Memory pool end. avail mem={_} GB", CONFIGURATOR, "all"),
        Pattern::new("CUDA graph end. {_}mem usage={graphs:GiB} GB", GRAPHS, "from 0.5.12"),
        Pattern::new(
            "Capture cuda graph end. {_}mem usage={graphs:GiB} GB",
            "sglang/srt/model_executor/model_runner.py",
            "0.4.6 to 0.5.11",
        ),
        Pattern::new(
            "Capture piecewise CUDA graph end. {_}mem usage={graphs:GiB} GB",
            "sglang/srt/model_executor/model_runner.py",
            "0.5.4 to 0.5.11",
        ),
        Pattern::new(
            "max_total_num_tokens={tokens:n}, chunked_prefill_size={--max-num-batched-tokens}, \
             max_prefill_tokens={_}, max_running_requests={--max-num-seqs}, context_len={--max-model-len}, available",
            "sglang/srt/managers/scheduler.py",
            "all",
        ),
    ],
    dumps: &[Dump { after: "server_args=", keys: KEYS }],
};
