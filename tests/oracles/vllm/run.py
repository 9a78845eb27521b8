"""Asks vLLM 0.33.0's own planning code what a model and its settings cost.

usage: run.py CASES.json OUT.json [--configs DIR] [--only GPU]

CASES.json: [{"config": "llama.json", "args": ["--tp", "8", ...]}, ...], args spelled as kvplan's flags.
OUT.json: the same rows with `expect` (or `refused`), the layers' specs, the groups, the block size and
the attention backends. One process serves one GPU; rows for other GPUs run in child processes.
See README.md for what is pretended and what is the engine's own.
"""
import contextlib
import json
import os
import shutil
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cases
import pretend
from cases import folder_for, options


KV = {"bf16": "bfloat16", "f16": "float16"}


def speculative(text, model):
    method, _, n = text.partition(":")
    out = {"method": method, "num_speculative_tokens": int(n or 1)}
    if method == "ngram":
        out |= {"prompt_lookup_max": 4, "prompt_lookup_min": 2}
    return out


def engine_args(o, folder):
    a = dict(
        model=folder, skip_tokenizer_init=True, load_format="dummy", enforce_eager=False,
        max_model_len=int(o.get("max_model_len", o.get("seq", 8192))),
        tensor_parallel_size=int(o.get("tp", 1)), pipeline_parallel_size=int(o.get("pp", 1)),
        decode_context_parallel_size=int(o.get("dcp", 1)),
        kv_cache_dtype=KV.get(o.get("kv_dtype", "auto"), o.get("kv_dtype", "auto")),
        distributed_executor_backend="mp", trust_remote_code=False)
    if "max_num_batched_tokens" in o: a["max_num_batched_tokens"] = int(o["max_num_batched_tokens"])
    if "max_num_seqs" in o: a["max_num_seqs"] = int(o["max_num_seqs"])
    if "block_size" in o: a["block_size"] = int(o["block_size"])
    if "attention_backend" in o: a["attention_backend"] = o["attention_backend"]
    if "speculative" in o: a["speculative_config"] = speculative(o["speculative"], folder)
    if o.get("async_scheduling") == "off": a["async_scheduling"] = False
    if "prefix_caching" in o: a["enable_prefix_caching"] = o["prefix_caching"] == "on"
    if "memory_utilization" in o: a["gpu_memory_utilization"] = float(o["memory_utilization"])
    return a


def layer(spec):
    d = {"type": type(spec).__name__, "block_size": spec.block_size, "page": spec.page_size_bytes}
    for key in ("num_kv_heads", "head_size", "head_size_v", "sliding_window", "attention_chunk_size"):
        v = getattr(spec, key, None)
        if v is not None: d[key] = v
    if getattr(spec, "tokens_per_state", 1) not in (1, -1): d["tokens_per_state"] = str(spec.tokens_per_state)
    if getattr(spec, "cache_dtype_str", None): d["cache_dtype"] = spec.cache_dtype_str
    if getattr(spec, "page_size_padded", None): d["page_padded"] = spec.page_size_padded
    if hasattr(spec, "shapes"):
        d["shapes"] = [list(s) for s in spec.shapes]
        d["dtypes"] = [str(t).removeprefix("torch.") for t in spec.dtypes]
        d["mode"], d["speculative_blocks"] = spec.mamba_cache_mode, spec.num_speculative_blocks
        d["checkpoint_blocks"] = spec.num_prefill_checkpoint_blocks
        if spec.tp_replicated: d["tp_replicated"] = True
    if getattr(spec, "dcp_sharded", False) is False and hasattr(spec, "num_kv_heads"): d["dcp_sharded"] = False
    a = spec.get_block_stride_alignment()
    if a != 1: d["stride_alignment"] = a
    return d


def runs(specs):
    """Consecutive equal specs as [count, spec]."""
    out = []
    for s in specs:
        if out and out[-1][1] == s: out[-1][0] += 1
        else: out.append([1, s])
    return out


def draft(vllm_config, model):
    """Builds the draft as the model runner's speculator does; only loading weights is left out."""
    import importlib

    import torch
    from vllm.model_executor.model_loader.utils import initialize_model
    from vllm.v1.worker.gpu.spec_decode import init_speculator
    from vllm.v1.worker.gpu.spec_decode.speculator import DraftModelSpeculator

    def build(vllm_config, model_config=None, prefix="", load_config=None):
        return initialize_model(vllm_config=vllm_config, model_config=model_config, prefix=prefix)

    for name in ("eagle.utils", "gemma4.speculator", "standalone_ar.speculator", "dspark.utils", "dflash.utils",
                 "multi_module_mtp.speculator"):
        module = importlib.import_module("vllm.v1.worker.gpu.spec_decode." + name)
        if hasattr(module, "get_model"): module.get_model = build
    speculator = init_speculator(vllm_config, torch.device("meta"), None)
    if not isinstance(speculator, DraftModelSpeculator): return None
    speculator.load_model(model)
    return speculator


def specs_of(o, folder, rank):
    """Per-layer specs, layouts and backends of one pipeline rank, and the config."""
    import torch
    from vllm.config import set_current_vllm_config
    from vllm.engine.arg_utils import EngineArgs
    from vllm.model_executor.model_loader.utils import initialize_model
    from vllm.model_executor.model_loader import utils as _
    from vllm.platforms import current_platform
    from vllm.usage.usage_lib import UsageContext
    from vllm.utils.torch_utils import set_default_torch_dtype
    from vllm.distributed.kv_transfer.kv_connector.utils import get_current_attn_backends
    from vllm.v1.attention.backends.utils import get_supported_kv_cache_layouts
    from vllm.v1.engine.core import register_all_kvcache_specs
    from vllm.v1.worker.gpu.attn_utils import get_kv_cache_spec

    tp, pp, dcp = (int(o.get(k, 1)) for k in ("tp", "pp", "dcp"))
    pretend.groups(tp, pp, dcp, rank)
    config = EngineArgs(**engine_args(o, folder)).create_engine_config(UsageContext.OPENAI_API_SERVER)
    register_all_kvcache_specs(config)
    with set_current_vllm_config(config), set_default_torch_dtype(config.model_config.dtype), \
            torch.device("meta"), pretend.meta_mode():
        model = initialize_model(config)
        speculator = None
        if config.speculative_config is not None and rank == pp - 1:
            speculator = draft(config, model)
    with set_current_vllm_config(config), torch.device("meta"), pretend.meta_mode():
        current_platform.update_block_size_for_backend(config)
        specs = get_kv_cache_spec(config)
        if speculator is not None and getattr(speculator, "dcp_size", 1) == 1 and dcp > 1:
            from dataclasses import replace
            for name in speculator.draft_attn_layer_names & specs.keys():
                specs[name] = replace(specs[name], dcp_sharded=False)
        backends = get_current_attn_backends(config)
        layouts = [x.name for x in get_supported_kv_cache_layouts(backends)] if backends else []
    return config, specs, layouts, sorted({b.get_name() for b in backends})


def answer(o, folder):
    from vllm.v1.attention.backends.utils import resolve_kv_cache_layout
    from vllm.v1.core.kv_cache_planning import get_global_kv_cache_groups, get_kv_cache_configs
    from vllm.v1.core.kv_cache_utils import (generate_scheduler_kv_cache_config, get_kv_cache_capacity,
                                             resolve_cache_hit_alignment_tokens, resolve_kv_cache_block_sizes)
    from vllm.utils.math_utils import cdiv

    pp, memory = int(o.get("pp", 1)), int(o["kv_memory"])
    row = {"stage": "model"}
    try:
        ranks = [specs_of(o, folder, r) for r in range(pp)]
        config = ranks[0][0]
        row["layers"] = [runs([layer(s) for s in r[1].values()]) for r in ranks]
        row["block_size"] = config.cache_config.block_size
        row["backends"] = sorted({b for r in ranks for b in r[3]})
        row["stage"] = "capacity"
        specs = [r[1] for r in ranks]
        if any(getattr(s, "non_causal", False) for r in specs for s in r.values()):
            config.scheduler_config.enable_chunked_prefill = False
            config.cache_config.enable_prefix_caching = False
        row["layout"] = resolve_kv_cache_layout(
            config, [r[2] for r in ranks if r[2]], [s for r in specs for s in r.values()]).name
        groups = get_global_kv_cache_groups(config, specs)
        configs = get_kv_cache_configs(config, specs, [memory] * pp, groups)
        chosen = generate_scheduler_kv_cache_config(configs)
        row["groups"] = [
            dict(layer(g.kv_cache_spec) if not hasattr(g.kv_cache_spec, "kv_cache_specs") else
                 {"type": "UniformTypeKVCacheSpecs", "block_size": g.kv_cache_spec.block_size,
                  "page": g.kv_cache_spec.page_size_bytes},
                 n=len(g.layer_names),
                 blocks_per_request=cdiv(g.kv_cache_spec.max_memory_usage_bytes(config),
                                         g.kv_cache_spec.page_size_bytes)) for g in groups]
        tokens, concurrency = get_kv_cache_capacity(config, chosen)
        row["expect"] = {"engine.num_blocks": chosen.num_blocks, "engine.kv_cache_tokens": tokens,
                         "engine.max_concurrency": concurrency}
        hit = resolve_cache_hit_alignment_tokens(chosen, config, *resolve_kv_cache_block_sizes(chosen, config))
        row["hit"] = hit if config.cache_config.enable_prefix_caching else None
        row["async_scheduling"] = bool(config.scheduler_config.async_scheduling)
        row["in_flight"] = config.max_in_flight_tokens
        row["cache_dtype"] = config.cache_config.cache_dtype
        row["mamba_mode"] = config.cache_config.mamba_cache_mode
        row["max_model_len"] = config.model_config.max_model_len
        del row["stage"]
    except Exception as e:  # the engine's refusal, or a limit of pretending: `where` tells them apart
        where = [f"{f.filename.split('site-packages/')[-1]}:{f.lineno} {f.name}"
                 for f in traceback.extract_tb(e.__traceback__)]
        row["expect"] = {"refused": f"{type(e).__name__}: {str(e).strip()[:400]}"}
        row["where"] = where[-3:]
        if os.environ.get("TRACE"): traceback.print_exc()
    return row


def serve(rows, find, gpu, emit):
    """Answers `rows`, all for one GPU."""
    pretend.install(gpu)
    import vllm.engine.arg_utils  # noqa: F401  imports what is slow once
    import vllm.model_executor.models.registry as registry

    # the engine looks at each model class in a process of its own, which imports everything again
    registry._run_in_subprocess = lambda ask: ask()

    environment = dict(os.environ)
    for case in rows:
        # the Transformers backend switches latents off for the whole process (VLLM_MLA_DISABLE)
        os.environ.clear()
        os.environ.update(environment)
        o = options(case["args"])
        folder = folder_for(find(case["config"]), case.get("change"))
        with contextlib.redirect_stdout(sys.stderr):
            began = time.time()
            row = answer(o, folder)
            print(f"{time.time() - began:6.2f} s {case['config']} {row['expect']}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        emit({**case, **row})


if __name__ == "__main__":
    if len(sys.argv) < 3: sys.exit(__doc__)
    # the engine caches modules and registers per process
    cases.main(sys.argv[1:], serve, at_once=160)
