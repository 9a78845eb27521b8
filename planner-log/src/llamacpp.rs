//! llama.cpp's start-up, and that of programs built on it; the buffers of every device are added up.

use crate::engine::Rules;
use crate::pattern::Pattern;

const MODEL: &str = "src/llama-model.cpp";
const CONTEXT: &str = "src/llama-context.cpp";
const CACHE: &str = "src/llama-kv-cache.cpp";
const LOADER: &str = "src/llama-model-loader.cpp";
const SERVER: &str = "tools/server/server-context.cpp, load_model";

/// What it prints.
pub const RULES: Rules = Rules {
    engine: "llama.cpp",
    lines: &[
        Pattern::new("main: build = {version} (", "examples/server/server.cpp", "to b3000").starting(),
        Pattern::new("build: {version} (", "common/common.cpp, common_init", "b3000 to b7000").starting(),
        Pattern::new(
            "common_params_print_info: build {version} (",
            "common/common.cpp, common_params_print_info",
            "from b9000",
        )
        .starting(),
        Pattern::new("load_model: loading model '{model}'", SERVER, "all"),
        Pattern::new(" from {model} (version GGUF", LOADER, "all"),
        Pattern::new(
            " Device 0: {gpu}, compute capability",
            "ggml/src/ggml-cuda/ggml-cuda.cu, ggml_cuda_init",
            "all",
        ),
        Pattern::new("using device CUDA0 ({gpu}) (", MODEL, "all"),
        Pattern::new(" model buffer size = {weights:MiB} MiB", MODEL, "all"),
        // the context that counts is the last: `--fit` tries others before
        Pattern::new("constructing llama_context", CONTEXT, "from b5000"),
        Pattern::new("n_seq_max = {--n-parallel}", CONTEXT, "all"),
        Pattern::new("llama_context: n_ctx = {--ctx-size}", CONTEXT, "from b5000"),
        Pattern::new("llama_new_context_with_model: n_ctx = {--ctx-size}", "src/llama.cpp", "to b5000"),
        Pattern::new("n_ctx_seq = {--max-model-len}", CONTEXT, "from b7000"),
        Pattern::new("n_ctx_per_seq = {--max-model-len}", CONTEXT, "b4500 to b7000"),
        Pattern::new("n_batch = {--batch}", CONTEXT, "all"),
        Pattern::new("n_ubatch = {--ubatch}", CONTEXT, "all"),
        Pattern::new("llama_context: kv_unified = {--kv-unified}", CONTEXT, "from b5700"),
        Pattern::new(
            " initializing, n_slots = {--n-parallel}, n_ctx_slot = {--max-model-len}, kv_unified = '{--kv-unified}'",
            SERVER,
            "from b9000",
        ),
        Pattern::new(" output buffer size = {output:MiB} MiB", CONTEXT, "all"),
        Pattern::new(" KV buffer size = {room:MiB} MiB", CACHE, "all"),
        Pattern::new(" RS buffer size = {states:MiB} MiB", "src/llama-memory-recurrent.cpp", "from b5000"),
        Pattern::new(
            ": size = {_} MiB ({_} seqs), K ({--k-dtype}): {keys:MiB} MiB, V ({--v-dtype}): {values:MiB} MiB",
            CACHE,
            "from b5000",
        ),
        Pattern::new(
            "KV self size = {_} MiB, K ({--k-dtype}): {keys:MiB} MiB, V ({--v-dtype}): {values:MiB} MiB",
            "src/llama.cpp",
            "to b5000",
        ),
        Pattern::new(" compute buffer size = {compute:MiB} MiB", CONTEXT, "all"),
    ],
    dumps: &[],
};
