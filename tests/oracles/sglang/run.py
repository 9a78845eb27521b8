"""Asks SGLang 0.5.23's own code what pools a model and its settings get.

usage: run.py CASES.json OUT.json [--configs DIR]... [--only GPU]

CASES.json: [{"config": "llama.json", "args": ["--tp", "8", ...]}, ...], args spelled as kvplan's flags.
OUT.json: the same rows with `expect` (or `refused`) and what led there: see README.md, which also says what
is pretended and what is the engine's own. Every case is answered in a forked process, since the engine
publishes its settings to the whole process.
"""
import contextlib
import json
import os
import shutil
import sys
import time
import traceback
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cases
import pretend
from cases import folder_for, options


KV = {"fp8": "fp8_e4m3", "bf16": "bfloat16"}


def server_args(o, folder):
    from sglang.srt.server_args import ServerArgs

    a = dict(model_path=folder, load_format="dummy", skip_tokenizer_init=True,
             tp_size=int(o.get("tp", 1)), pp_size=int(o.get("pp", 1)), dcp_size=int(o.get("dcp", 1)),
             kv_cache_dtype=KV.get(o.get("kv_dtype", "auto"), o.get("kv_dtype", "auto")))
    if "max_model_len" in o: a["context_length"] = int(o["max_model_len"])
    if "block_size" in o: a["page_size"] = int(o["block_size"])
    if "max_num_batched_tokens" in o: a["chunked_prefill_size"] = int(o["max_num_batched_tokens"])
    if "max_num_seqs" in o: a["max_running_requests"] = int(o["max_num_seqs"])
    if "attention_backend" in o: a["attention_backend"] = o["attention_backend"]
    if "memory_utilization" in o: a["mem_fraction_static"] = float(o["memory_utilization"])
    if o.get("prefix_caching") == "off": a["disable_radix_cache"] = True
    if o.get("async_scheduling") == "off": a["disable_overlap_schedule"] = True
    if "dp_attention" in o: a |= {"enable_dp_attention": True, "dp_size": int(o["dp_attention"])}
    if "speculative" in o:
        method, _, n = o["speculative"].partition(":")
        if method == "ngram": a |= {"speculative_algorithm": "NGRAM", "speculative_num_draft_tokens": int(n or 1)}
        elif method == "mtp":
            a |= {"speculative_algorithm": "EAGLE", "speculative_eagle_topk": 1,
                  "speculative_num_steps": int(n or 1), "speculative_num_draft_tokens": int(n or 1) + 1}
        else: raise ValueError(f"--speculative {method}")
    return ServerArgs(**a)


def window_of(model_config, model_class):
    """The window that the model class reports, asked without building the model."""
    from sglang.srt.model_executor.model_runner_components.load_model_utils import resolve_sliding_window_size

    stub = object.__new__(type("Stub", (model_class,), {"__init__": lambda self: None}))
    object.__setattr__(stub, "__dict__", {})
    for name, value in (("config", model_config.hf_config), ("text_config", model_config.hf_text_config),
                        ("model", types.SimpleNamespace(config=model_config.hf_text_config))):
        stub.__dict__[name] = value
    # a wrapper class asks the language model that it would have built
    try:
        return resolve_sliding_window_size(stub, model_config)
    except AttributeError:
        stub.__dict__["config"] = model_config.hf_text_config
        return resolve_sliding_window_size(stub, model_config)


def counted(pool):
    """Bytes of every tensor that a pool holds, each storage once."""
    import torch

    seen, total, todo, been = set(), 0, [pool], set()
    while todo:
        one = todo.pop()
        if id(one) in been: continue
        been.add(id(one))
        if isinstance(one, torch.Tensor):
            storage = one.untyped_storage()
            if storage._cdata not in seen:
                seen.add(storage._cdata)
                total += storage.nbytes()
        elif isinstance(one, (list, tuple)): todo += one
        elif isinstance(one, dict): todo += one.values()
        elif type(one).__module__.startswith("sglang.srt.mem_cache"):
            todo += getattr(one, "__dict__", {}).values()
            todo += [getattr(one, s) for s in getattr(type(one), "__slots__", ()) if hasattr(one, s)]
    return total


def answer(o, folder):
    row, stage = {}, "arguments"
    pp, tp = int(o.get("pp", 1)), int(o.get("tp", 1))
    try:
        args = server_args(o, folder)
        args.resolve_once()
        import torch
        from sglang.srt.configs.model_config import AttentionArch, ModelConfig
        from sglang.srt.distributed.utils import get_pp_indices
        from sglang.srt.mem_cache import kv_cache_configurator as configurator
        from sglang.srt.mem_cache.kv_cache_dtype import configure_kv_cache_dtype
        from sglang.srt.model_executor.model_runner_components.layer_setup import resolve_layer_indices
        from sglang.srt.model_executor.model_runner_components.spec_aux_hidden_state import (
            resolve_spec_aux_hidden_state_config)
        from sglang.srt.model_executor import pool_configurator
        from sglang.srt.model_loader.loader import _get_quantization_config
        from sglang.srt.model_loader.utils import get_model_architecture
        from sglang.srt.configs.load_config import LoadConfig
        from sglang.srt.runtime_context import (
            SpawnRanks, get_exec, get_model, get_parallel, get_schedule, publish)
        from sglang.srt.speculative.spec_info import SpeculativeAlgorithm

        configs, least = [], []
        # Twice where there are stages: the engine takes the least of all stages' tokens.
        for rank in [*range(pp)] * (2 if pp > 1 else 1):
            if len(configs) == pp:
                least, configs = [c.max_total_num_tokens for c in configs], []
                row["stages"] = []
            stage = "publish"
            publish(args, role="scheduler", ranks=SpawnRanks(world_rank=rank * tp, gpu_id=0))
            stage = "model"
            schedule, model = get_schedule(), get_model()
            config = ModelConfig.from_server_args(args)
            model_class, name = get_model_architecture(config)
            quant = _get_quantization_config(config, LoadConfig(load_format="dummy"))
            start, end = get_pp_indices(config.num_hidden_layers, rank, pp)
            stub = types.SimpleNamespace(quant_config=quant)
            if pp > 1: stub.start_layer, stub.end_layer = start, end
            window = window_of(config, model_class) if config.is_hybrid_swa else None
            algorithm = SpeculativeAlgorithm.from_string(args.speculative_algorithm)
            group = types.SimpleNamespace(world_size=pp, rank_in_group=rank)
            resolved, dtype = configure_kv_cache_dtype(
                server_args_kv_cache_dtype=model.kv_cache_dtype, model=stub, model_dtype=config.dtype,
                is_draft_worker=False, is_dflash=False, speculative_draft_attention_backend=None)
            stage = "pools"
            kvc = configurator.KVCacheConfigurator(
                device="meta", gpu_id=0, attn_dp_size=get_parallel().attn_dp_size, pp_size=pp, pp_group=group,
                model=stub, model_config=config, server_args=args, kv_cache_dtype=dtype,
                kv_cache_dtype_str=resolved if resolved is not None else model.kv_cache_dtype,
                model_dtype=config.dtype, page_size=schedule.page_size, sliding_window_size=window,
                spec_algorithm=algorithm, is_draft_worker=False, post_capture_kv_active=False,
                spec_aux_config=resolve_spec_aux_hidden_state_config(
                    server_args=args, model_config=config, spec_algorithm=algorithm, is_draft_worker=False),
                is_hybrid_swa=config.is_hybrid_swa, is_hybrid_swa_compress=config.is_hybrid_swa_compress,
                use_mla_backend=config.attention_arch == AttentionArch.MLA,
                layer_info=resolve_layer_indices(model=stub, model_config=config, is_draft_worker=False),
                forward_stream=None, req_to_token_pool=None, token_to_kv_pool_allocator=None,
                memory_pool_config=None)
            # what profiling would leave: --kv-memory, before states and pools share it
            configurator.get_available_gpu_memory = lambda *a, **k: int(o["kv_memory"]) / (1 << 30)
            configurator.mm_runtime_reservation_gb = lambda **k: 0.0
            torch.distributed.all_reduce = lambda tensor, **k: tensor.fill_(min(least + [tensor.item()]))
            parallel = get_parallel()
            parallel.override_permanently(
                world_group=types.SimpleNamespace(cpu_group=None), pp_group=group,
                tp_group=types.SimpleNamespace(world_size=tp, rank_in_group=0))
            pools = kvc._resolve_memory_pool_config(0)
            configs.append(pools)
            if rank == 0 and "page_size" not in row:
                row |= {"page_size": schedule.page_size, "attention_backend": get_exec().kernel.attention_backend,
                        "mem_fraction_static": schedule.mem_fraction_static,
                        "chunked_prefill_size": schedule.chunked_prefill_size,
                        "kv_cache_dtype": str(dtype).removeprefix("torch."), "class": name,
                        "configurator": type(pool_configurator.create_memory_pool_configurator(kvc)).__name__,
                        "window": window if config.is_hybrid_swa else None, "context": config.context_len,
                        "disable_radix_cache": args_view(args).disable_radix_cache,
                        "arch": config.attention_arch.name}
                if kvc.mambaish_config is not None:
                    params = kvc.mambaish_config.mamba2_cache_params
                    row["state"] = {"layers": len(params.layers), "conv": [list(c) for c in params.shape.conv],
                                    "temporal": list(params.shape.temporal), "bytes": params.mamba_cache_per_req,
                                    "dtypes": [str(params.dtype.conv), str(params.dtype.temporal)],
                                    "slots_per_request": kvc._calculate_mamba_ratio(),
                                    "full_layers": len(kvc.mambaish_config.full_attention_layer_ids)}
            row.setdefault("stages", []).append(stage_of(pools, schedule))
        stage = "capacity"
        first = configs[0]
        tokens = min(c.max_total_num_tokens for c in configs)
        row["expect"] = {"engine.kv_cache_tokens": tokens,
                         "engine.max_running_requests": min(c.max_running_requests for c in configs)}
        if first.swa_max_total_num_tokens is not None:
            row["expect"]["engine.swa_tokens"] = min(c.swa_max_total_num_tokens for c in configs)
        if row.get("state"):
            row["expect"]["engine.state_slots"] = min(s["slots"] for s in row["stages"])
        if not o.get("no_pools") and pp == 1:
            stage = "tensors"
            row |= built(kvc, first)
    except Exception as e:  # the engine's refusal, or a limit of pretending: `where` tells them apart
        where = [f"{f.filename.split('site-packages/')[-1]}:{f.lineno} {f.name}"
                 for f in traceback.extract_tb(e.__traceback__)]
        kind = "refused" if stage != "tensors" else "unbuilt"
        (row.setdefault("expect", {}) if kind == "refused" else row)[kind] = \
            f"{type(e).__name__}: {str(e).strip()[:400]}"
        row["where"], row["stage"] = where[-3:], stage
        if os.environ.get("TRACE"): traceback.print_exc()
    return row


def args_view(args):
    from sglang.srt.arg_groups.overrides import resolved_view
    return resolved_view(args)


def stage_of(pools, schedule):
    one = {"tokens": pools.max_total_num_tokens, "swa_tokens": pools.swa_max_total_num_tokens,
           "requests": pools.max_running_requests, "slots": getattr(schedule, "max_mamba_cache_size", None),
           "c4": pools.c4_max_total_num_tokens, "c128": pools.c128_max_total_num_tokens,
           "c4_state": pools.c4_state_pool_size, "c128_state": pools.c128_state_pool_size}
    return {key: value for key, value in one.items() if value}


def built(kvc, config):
    """Bytes of the pools that the engine's own classes allocate for a configuration (on the meta device)."""
    from sglang.srt.configs.model_config import is_deepseek_dsa, is_deepseek_v4
    import torch

    sizes = kvc._derive_pool_sizes(config=config)
    with torch.device("meta"):
        requests = kvc._build_req_to_token_pool(max_num_reqs=sizes.max_running_requests)
        hf = kvc.model_config.hf_config
        pool = kvc._build_token_to_kv_pool(
            sizes=sizes, is_dsa_model=is_deepseek_dsa(hf), is_dsv4_model=is_deepseek_v4(hf),
            req_to_token_pool=requests)
    out = {"pool": type(pool).__name__, "pool_bytes": counted(pool)}
    states = getattr(requests, "mamba_pool", None)
    if states is not None:
        out["state_bytes"] = counted(states)
        out["pool_bytes"] = counted([pool]) - out["state_bytes"]
    return out


def forked(o, folder):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with contextlib.redirect_stdout(sys.stderr):
            text = json.dumps(answer(o, folder), default=str)
        with os.fdopen(write, "w") as out: out.write(text)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer_of: text = answer_of.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"expect": {"refused": "the process ended"}, "stage": "process"}


def serve(rows, find, gpu, emit):
    """Answers `rows`, all for one GPU."""
    pretend.install(gpu)
    import logging
    import sglang.srt.mem_cache.kv_cache_configurator  # noqa: F401  imports what is slow once
    import sglang.srt.model_executor.pool_configurator  # noqa: F401
    import sglang.srt.model_executor.model_runner  # noqa: F401
    from sglang.srt.models.registry import ModelRegistry
    ModelRegistry._load_default_models()
    logging.disable(logging.WARNING)

    for case in rows:
        o = options(case["args"])
        folder = folder_for(find(case["config"]))
        began = time.time()
        row = forked(o, folder)
        print(f"{time.time() - began:6.2f} s {case['config']} {row['expect']}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        emit({**case, **row})


if __name__ == "__main__":
    if len(sys.argv) < 3: sys.exit(__doc__)
    cases.main(sys.argv[1:], serve)
