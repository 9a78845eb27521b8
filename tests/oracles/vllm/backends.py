"""Asks vLLM 0.33.0's CUDA platform which attention backend serves invented layers, on every GPU.

usage: backends.py CONFIGS OUT.json [CASES_PER_GPU]

CONFIGS holds the configurations of a plain, a latent and a sparse model; of them only what a backend looks up is
read. A case names the GPU and the layer; `backend` is the chosen one's name, with the block sizes of its
kernels, the one it prefers and the layouts it reads, or null where the engine finds none.
"""
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pretend
from cases import folder_for
from gpus import GPUS

MODELS = {"plain": "codellama__CodeLlama-13b-hf.json", "latent": "deepseek-ai__DeepSeek-V3.json",
          "sparse": "deepseek-ai__DeepSeek-V3.2.json"}
KV = ["auto"] * 5 + ["bfloat16", "fp8", "fp8", "fp8_e4m3", "fp8_e5m2", "nvfp4", "fp8_ds_mla", "nvfp4_ds_mla", "turboquant_k8v4",
                     "turboquant_3bit_nc", "int8_per_token_head", "fp8_per_token_head", "int4_per_token_head"]
CLOSE = ["h100-80gb", "b200", "rtx-5090"] # GPUs asked more, about what their own backends look at
FORCED = {"plain": ["FLASH_ATTN", "FLASHINFER", "TRITON_ATTN", "FLEX_ATTENTION", "TURBOQUANT", "TRITON_FLASH_ATTN", "TRITON_FLASHINFER"],
          "latent": ["FLASH_ATTN_MLA", "FLASHMLA", "FLASHINFER_MLA", "CUTLASS_MLA", "TRITON_MLA", "TOKENSPEED_MLA", "FLASH_ATTN"],
          "sparse": ["FLASHMLA_SPARSE", "FLASH_ATTN_MLA_SPARSE", "FLASHINFER_MLA_SPARSE", "FLASHMLA"]}


def draw(r, gpu):
    model = r.choice(["plain", "plain", "plain", "latent", "sparse"])
    case = {"gpu": gpu, "model": model, "kv": r.choice(KV)}
    case["head"] = r.choice([64, 80, 96, 128, 128, 192, 256, 256, 512, 16, 576]) if model == "plain" else r.choice([576, 576, 576, 512, 320, 192])
    some = lambda key, share, value=True: case.update({key: value}) if r.random() < share else None
    some("float32", .08)
    if model == "plain": some("window", .25) # latent attention does not ask for one
    some("block", .25, r.choice([1, 8, 16, 32, 48, 64, 128, 256]))
    some("dcp", .1, 2)
    some("forced", .25, r.choice(FORCED[model]))
    if model == "plain":
        some("sinks", .2), some("mm_prefix", .2), some("cross", .1), some("per_head_scales", .08)
    else:
        case["query_heads"] = r.choice([8, 16, 64, 128])
    return case


def draw_close(r, gpu):
    """Layers close to the conditions that the backends of Hopper and Blackwell set."""
    model = r.choice(["plain", "plain", "plain", "latent", "sparse"])
    case = {"gpu": gpu, "model": model, "kv": r.choice(["auto", "auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2", "nvfp4", "fp8_ds_mla"])}
    case["head"] = r.choice([64, 128, 256, 256, 256, 512, 512]) if model == "plain" else r.choice([576, 576, 320, 512])
    some = lambda key, share, value=True: case.update({key: value}) if r.random() < share else None
    some("block", .35, r.choice([16, 32, 64, 128, 256])), some("dcp", .1, 2), some("forced", .6, r.choice(FORCED[model]))
    if model == "plain":
        some("mm_prefix", .6), some("sinks", .3), some("window", .15), some("cross", .1), some("per_head_scales", .15)
    else:
        case["query_heads"] = r.choice([8, 16, 64, 128])
    return case


def ask(config, case):
    import torch
    from vllm.config import set_current_vllm_config
    from vllm.platforms import current_platform
    from vllm.utils.import_utils import resolve_obj_by_qualname
    from vllm.v1.attention.backend import AttentionType, MultipleOf
    from vllm.v1.attention.backends.registry import AttentionBackendEnum
    from vllm.v1.attention.selector import AttentionSelectorConfig

    cache, parallel = config.cache_config, config.parallel_config
    cache.cache_dtype = case["kv"]
    cache.block_size, cache.user_specified_block_size = case.get("block", 16), "block" in case
    parallel.decode_context_parallel_size = case.get("dcp", 1)
    layer = AttentionSelectorConfig(
        head_size=case["head"], dtype=torch.float32 if "float32" in case else torch.bfloat16, kv_cache_dtype=case["kv"],
        block_size=case.get("block"), use_mla=case["model"] != "plain", use_sparse=case["model"] == "sparse",
        has_sink="sinks" in case, use_mm_prefix="mm_prefix" in case, has_sliding_window="window" in case,
        use_per_head_quant_scales="per_head_scales" in case, use_dcp="dcp" in case,
        attn_type=AttentionType.ENCODER_DECODER if "cross" in case else AttentionType.DECODER)
    forced = AttentionBackendEnum[case["forced"]] if "forced" in case else None
    with set_current_vllm_config(config), torch.device("meta"), pretend.meta_mode():
        try:
            chosen = resolve_obj_by_qualname(current_platform.get_attn_backend_cls(forced, layer, case.get("query_heads", 32)))
        except Exception as e:  # none serves it
            return {"backend": None, "why": f"{type(e).__name__}: {str(e)[:60]}"}
        sizes = [["multiple", s.base] if isinstance(s, MultipleOf) else ["exact", int(s)] for s in chosen.get_supported_kernel_block_sizes()]
        layouts = chosen.supported_kv_cache_layouts()
        if layouts and len(layouts) == 6: layouts = None # any
        return {"backend": chosen.get_name(), "sizes": sizes, "preferred": chosen.get_preferred_block_size(16),
                "layouts": layouts and [x.name for x in layouts]}


def serve(gpu, configs, out, count):
    pretend.install(gpu)
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext

    pretend.groups(1, 1, 1, 0)
    built = {}
    for model, name in MODELS.items():
        folder = folder_for(os.path.join(configs, name))
        built[model] = EngineArgs(model=folder, skip_tokenizer_init=True, load_format="dummy", max_model_len=4096,
                                  kv_cache_dtype="auto").create_engine_config(UsageContext.OPENAI_API_SERVER)
        # the settings that other cases change
        built[model].compilation_config.static_forward_context.clear()
    r = random.Random("backends " + gpu)
    cases = [draw(r, gpu) for _ in range(count)] + [draw_close(r, gpu) for _ in range(6 * count if gpu in CLOSE else 0)]
    json.dump([case | ask(built[case["model"]], case) for case in cases], open(out, "w"))


def main(configs, out, count):
    rows = []
    for gpu in GPUS:
        with tempfile.TemporaryDirectory() as t:
            subprocess.run([sys.executable, os.path.abspath(__file__), configs, f"{t}/out.json", str(count), gpu], check=True)
            rows += json.load(open(f"{t}/out.json"))
            print(gpu, sum(row["backend"] is None for row in rows), "of", len(rows), "served by none", file=sys.stderr, flush=True)
    open(out, "w").write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    if len(sys.argv) < 3: sys.exit(__doc__)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 150
    with contextlib.redirect_stdout(sys.stderr):
        if len(sys.argv) > 4: serve(sys.argv[4], sys.argv[1], sys.argv[2], count)
        else: main(sys.argv[1], sys.argv[2], count)
