"""Asks vLLM 0.33.0's own planning code how invented caches are grouped, and how many blocks they get.

usage: groups.py LLAMA_CONFIG.json OUT.json [CASES]

Each case draws a few different cache specs, deals them to some layers and names the layouts that the backends
would read. The engine then resolves the layout, groups the layers and fills the memory; nothing of a model is
built. OUT.json: [{"specs", "layers", "layouts", "memory", "expect" or "refused"}], a spec in the words of
`planner-core/src/engine/vllm/spec.rs`.
"""
import contextlib
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pretend
from cases import folder_for

LENGTH, BATCHED = 6000, 2048
# what backends declare, and the default
LAYOUTS = [["LBNHC", "LBHNC", "BLNHC", "BLHNC"], ["LBNHC"], ["BLHNC", "BLNHC"], ["LBHNC", "BLHNC"]]


def draw_spec(r, base):
    """A spec near `base`, so that some merge, some share a group and some need padding."""
    kind = r.choice(["full", "full", "sliding", "sliding", "mla", "sliding_mla", "chunked", "state"])
    spec = {"kind": kind, "block": r.choice([base["block"]] * 4 + [16, 32, 64])}
    if kind == "state":
        spec["bytes"] = r.choice([2048, 8192, 12288, 70000])
        if r.random() < .5: spec["padded"] = r.choice([65536, 131072])
        if r.random() < .3: spec["speculative"] = r.choice([1, 2])
        if r.random() < .3: spec["checkpoint"] = 1
        return spec
    latent = kind.endswith("mla")
    spec["heads"] = 1 if latent else r.choice([base["heads"]] * 3 + [1, 2, 4])
    spec["head"] = r.choice([576, 576, 132, 512]) if latent else r.choice([base["head"]] * 3 + [64, 80, 256])
    spec["head_v"] = 0 if latent else r.choice([spec["head"]] * 5 + [128])
    spec["element"] = r.choice([2, 2, 2, 1])
    if latent: spec["cache_dtype"] = r.choice(["auto", "auto", "fp8"])
    if kind.startswith("sliding"): spec["window"] = r.choice([base["window"]] * 3 + [128, 4096])
    if kind == "chunked": spec["chunk"] = r.choice([1024, 1024, 8192])
    if latent and r.random() < .25: spec["tokens"] = r.choice([4, 16])
    if r.random() < .12:
        page = spec["heads"] * (spec["head"] + spec["head_v"]) * spec["element"] * spec["block"] // spec.get("tokens", 1)
        spec["padded"] = page + r.choice([0, 64, 4096])
    if r.random() < .15: spec["stride"] = r.choice([["bytes", 576], ["bytes", 4096], ["kernel", 16], ["kernel", 64]])
    if r.random() < .06: spec["sharded"] = False
    return spec


def engine_spec(s):
    import torch
    from vllm.v1.attention.backend import MultipleOf
    from vllm.v1.kv_cache_interface import (ChunkedLocalAttentionSpec, FullAttentionSpec, MambaSpec, MLAAttentionSpec,
                                            SlidingWindowMLASpec, SlidingWindowSpec)

    if s["kind"] == "state":
        return MambaSpec(block_size=s["block"], shapes=((s["bytes"] // 2,),), dtypes=(torch.bfloat16,),
                         page_size_padded=s.get("padded"), num_speculative_blocks=s.get("speculative", 0),
                         num_prefill_checkpoint_blocks=s.get("checkpoint", 0))
    a = dict(block_size=s["block"], num_kv_heads=s["heads"], head_size=s["head"], head_size_v=s["head_v"],
             dtype={1: torch.uint8, 2: torch.bfloat16}[s["element"]], page_size_padded=s.get("padded"),
             tokens_per_state=s.get("tokens", 1), dcp_sharded=s.get("sharded", True))
    if "stride" in s: a["block_stride_alignment"] = s["stride"][1] if s["stride"][0] == "bytes" else MultipleOf(s["stride"][1])
    if "cache_dtype" in s: a["cache_dtype_str"] = s["cache_dtype"]
    if s["kind"] == "full": return FullAttentionSpec(**a)
    if s["kind"] == "mla": return MLAAttentionSpec(**a)
    if s["kind"] == "sliding": return SlidingWindowSpec(**a, sliding_window=s["window"])
    if s["kind"] == "sliding_mla": return SlidingWindowMLASpec(**a, sliding_window=s["window"])
    return ChunkedLocalAttentionSpec(**a, attention_chunk_size=s["chunk"])


def ask(config, case):
    from vllm.v1.attention.backends.utils import resolve_kv_cache_layout
    from vllm.v1.core.kv_cache_planning import get_global_kv_cache_groups, get_kv_cache_configs
    from vllm.v1.core.kv_cache_utils import generate_scheduler_kv_cache_config, get_kv_cache_capacity
    from vllm.v1.kv_cache_interface import UniformTypeKVCacheSpecs

    config.cache_config.kv_cache_layout = None
    try:
        kinds = [engine_spec(s) for s in case["specs"]]
        specs = {str(layer): kinds[kind] for layer, kind in enumerate(case["layers"])}
        layout = resolve_kv_cache_layout(config, [case["layouts"]], specs.values())
        groups = get_global_kv_cache_groups(config, [specs])
        chosen = generate_scheduler_kv_cache_config(get_kv_cache_configs(config, [specs], [case["memory"]], groups))
        tokens, concurrency = get_kv_cache_capacity(config, chosen)
    except Exception as e:  # what the engine refuses
        return {"refused": f"{type(e).__name__}: {str(e).strip()[:120]}"}
    group = lambda g: [[int(n) for n in g.layer_names], g.kv_cache_spec.block_size, g.kv_cache_spec.page_size_bytes,
                       isinstance(g.kv_cache_spec, UniformTypeKVCacheSpecs)]
    return {"expect": {"layout": layout.name, "groups": [group(g) for g in groups], "num_blocks": chosen.num_blocks,
                       "tokens": tokens, "concurrency": concurrency}}


def main(path, out, count):
    pretend.install("h100-80gb")
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    pretend.groups(1, 1, 1, 0)
    config = EngineArgs(model=folder_for(path), skip_tokenizer_init=True, load_format="dummy", max_model_len=LENGTH,
                        max_num_batched_tokens=BATCHED).create_engine_config(UsageContext.OPENAI_API_SERVER)
    assert config.max_in_flight_tokens == 2 * BATCHED and config.cache_config.mamba_cache_mode != "align"
    from vllm.v1.engine.core import register_all_kvcache_specs
    register_all_kvcache_specs(config)
    rows = []
    r = random.Random("groups")
    for _ in range(count):
        base = {"block": r.choice([16, 16, 64]), "heads": r.choice([1, 2, 8]), "head": r.choice([64, 128]), "window": r.choice([128, 512, 1024])}
        specs = [draw_spec(r, base) for _ in range(r.choice([1, 2, 2, 2, 3, 3, 4]))]
        pattern = [r.randrange(len(specs)) for _ in range(r.choice([1, 2, 3, 4, 6]))]
        layers = (pattern * r.choice([1, 2, 3, 5]) + [r.randrange(len(specs)) for _ in range(r.choice([0, 0, 1, 2]))])[:14]
        case = {"specs": specs, "layers": layers, "layouts": r.choice(LAYOUTS[:1] * 3 + LAYOUTS), "memory": r.choice([1 << 30, 5 << 30, 12345678901])}
        rows.append(case | ask(config, case))
    lines = ",\n".join(json.dumps(row) for row in rows)
    open(out, "w").write(f"[\n{lines}\n]\n")
    print(len(rows), "cases,", sum("refused" in row for row in rows), "refused", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3: sys.exit(__doc__)
    with contextlib.redirect_stdout(sys.stderr):
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 500)
