"""Asks vLLM 0.33.0's small functions about invented arguments: which FlashAttention serves a layer and what cache types it
reads, the bytes of packed slots, the cache type that a checkpoint's quantization names, the longest session.

usage: functions.py CONFIG OUT.json

CONFIG is any llama configuration that the lengths are asked of.
"""
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import pretend
from gpus import GPUS


def flash(r, capability, count):
    """FlashAttention's version and the types it reads, for a run's and a layer's settings."""
    import vllm.config
    from vllm.v1.attention.backends import fa_utils

    rows = []
    for _ in range(count):
        some = lambda share: r.random() < share
        run = {"cache_dtype": r.choice(["auto"] * 4 + ["bfloat16", "fp8", "fp8_e4m3"]), "softcap": some(.1), "mm_prefix": some(.1), "diffusion": some(.1),
               "dcp": 2 if some(.1) else 1, "flash_version": r.choice([None] * 6 + [2, 3, 4])}
        layer = {"head": r.choice([None, 64, 128, 192, 192, 256, 256, 256, 320, 512, 512]), "head_v": r.choice([None, None, 64, 128, 128, 256, 256]),
                 "sinks": some(.2), "softcap": some(.1), "alibi": some(.1), "block": r.choice([None, None, 16, 128, 256, 192]),
                 "head_256": some(.8)}
        config = types.SimpleNamespace(
            attention_config=types.SimpleNamespace(flash_attn_version=run["flash_version"]),
            model_config=types.SimpleNamespace(is_diffusion=run["diffusion"], is_mm_prefix_lm=run["mm_prefix"], rswa_window=None,
                                               hf_text_config=types.SimpleNamespace(attn_logit_softcapping=50.0 if run["softcap"] else None)),
            cache_config=types.SimpleNamespace(cache_dtype=run["cache_dtype"]),
            parallel_config=types.SimpleNamespace(decode_context_parallel_size=run["dcp"]))
        vllm.config.get_current_vllm_config_or_none = lambda: config
        asked = dict(requires_alibi=layer["alibi"], head_size=layer["head"], head_size_v=layer["head_v"], has_sinks=layer["sinks"],
                     requires_softcap=layer["softcap"], kv_cache_block_size=layer["block"], supports_fa4_hd256=layer["head_256"])
        reads = {kv: fa_utils.flash_attn_supports_kv_cache_dtype(kv, **asked) for kv in ("fp8_e4m3", "fp8_e5m2")}
        rows.append({"capability": list(capability), "run": run, "layer": layer, "version": fa_utils.get_flash_attn_version(**asked), "reads": reads})
    return rows


def slots():
    """Bytes of a key and value, or of one side, packed for one head and token."""
    from vllm.model_executor.layers.quantization.turboquant.config import TQ_PRESETS, TurboQuantConfig
    from vllm.utils.torch_utils import nvfp4_kv_cache_full_dim

    heads = [48, 64, 80, 96, 100, 127, 128, 192, 256, 512]
    rows = [{"cache_dtype": name, "head": head, "slot": TurboQuantConfig.from_cache_dtype(name, head).slot_size_aligned}
            for name in TQ_PRESETS for head in heads]
    return rows + [{"cache_dtype": "nvfp4", "head": head, "side": nvfp4_kv_cache_full_dim(head)} for head in heads]


def boundary():
    """The layers that packed types leave alone, by how many layers there are."""
    from vllm.model_executor.layers.quantization.turboquant.config import TurboQuantConfig

    rows = []
    for layers in range(1, 12):
        model = types.SimpleNamespace(is_hybrid=False, hf_text_config=types.SimpleNamespace(num_hidden_layers=layers))
        rows.append({"layers": layers, "skipped": sorted(map(int, TurboQuantConfig.get_boundary_skip_layers(model)))})
    return rows


def quantizations(r, count):
    """The cache type behind `auto`, per-head scales, and whether the scheme is one the engine refuses."""
    from vllm.model_executor.layers.quantization.compressed_tensors.compressed_tensors import CompressedTensorsKVCacheMethod
    from vllm.transformers_utils.model_arch_config_convertor import ModelArchConfigConvertorBase
    from vllm.utils.torch_utils import get_kv_cache_quant_algo_string

    def scheme():
        found = {"num_bits": r.choice([8, 8, 8, 4, 16]), "type": r.choice(["float", "float", "float", "int"])}
        if r.random() < .8: found["strategy"] = r.choice(["tensor", "tensor", "attn_head", "channel"])
        if r.random() < .8: found["symmetric"] = r.random() < .8
        if r.random() < .8: found["dynamic"] = r.random() < .3
        return found

    def algorithm():
        return r.choice(["FP8", "fp8", "NVFP4", "nvfp4", "INT8", None])

    def modelopt(holder):
        if r.random() < .5: holder["kv_cache_quant_algo"] = algorithm()
        if r.random() < .4: holder["kv_cache_scheme"] = r.choice([scheme(), scheme(), scheme(), algorithm()])

    rows = []
    for _ in range(count):
        quantization = {}
        kind = r.choice(["modelopt", "modelopt", "modelopt", "compressed", "other"])
        if kind == "compressed":
            quantization["quant_method"] = r.choice(["compressed-tensors", "compressed_tensors", "Compressed-Tensors"])
            if r.random() < .8: quantization["kv_cache_scheme"] = r.choice([scheme(), scheme(), scheme(), None])
        elif kind == "other":
            quantization["quant_method"] = r.choice(["fp8", "awq", "gptq"])
            if r.random() < .5: quantization["kv_cache_scheme"] = scheme()
        else:
            if r.random() < .6: quantization["quant_method"] = r.choice(["modelopt", "modelopt_fp4", "modelopt_mixed"])
            if r.random() < .4: quantization["producer"] = {"name": r.choice(["modelopt", "modelopt", "other"])}
            if r.random() < .6:
                inner = quantization["quantization"] = {}
                if r.random() < .7: inner["quant_algo"] = r.choice(["FP8", "NVFP4", "MIXED_PRECISION"])
                if r.random() < .2: inner["modelopt_quant_config"] = {}
                modelopt(inner)
            modelopt(quantization)
        row = {"quantization": json.loads(json.dumps(quantization))}
        key = "compression_config" if kind == "compressed" and r.random() < .4 else "quantization_config"
        row["key"] = key
        holder = types.SimpleNamespace(**{key: quantization})
        convertor = ModelArchConfigConvertorBase.__new__(ModelArchConfigConvertorBase)
        convertor.hf_config = holder
        found = convertor.get_quantization_config()
        # what is said under `compression_config` decides no type of the cache
        row["auto"] = get_kv_cache_quant_algo_string(found) or "auto"
        row["method"] = found["quant_method"]
        if found["quant_method"] == "compressed-tensors":
            try:
                CompressedTensorsKVCacheMethod.validate_kv_cache_scheme(found.get("kv_cache_scheme"))
                row["refused"] = False
            except (NotImplementedError, ValueError):
                row["refused"] = True
        rows.append(row)
    return rows


def lengths(r, path, count):
    """The bound of a session, and the length that is taken when none is asked for."""
    from transformers import AutoConfig
    from vllm.config.model import _get_and_verify_max_len
    from vllm.transformers_utils.config import patch_rope_parameters
    from vllm.transformers_utils.model_arch_config_convertor import ModelArchConfigConvertorBase

    keys = ["n_positions", "max_seq_len", "seq_length", "model_max_length", "max_target_positions", "max_sequence_length",
            "max_seq_length", "seq_len"]
    base = json.load(open(path))
    rows = []
    while len(rows) < count:
        change = {}
        if r.random() < .6: change[r.choice(keys)] = r.choice([1000, 4096, 32768, 300000])
        if r.random() < .2: change["max_position_embeddings"] = r.choice([2048, 8192])
        kind = r.choice(["none", "linear", "dynamic", "yarn", "llama3", "longrope"])
        if kind != "none":
            rope = {r.choice(["rope_type", "type"]): kind, "factor": r.choice([2.0, 4.0, 1.5])}
            if kind in ("yarn", "llama3"): rope["original_max_position_embeddings"] = 2048
            if kind == "llama3": rope |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
            if kind == "longrope":
                rope |= {"short_factor": [1.0] * 64, "long_factor": [1.0] * 64}
                if r.random() < .7: change["original_max_position_embeddings"] = 1024
            change["rope_scaling"] = rope
        with tempfile.TemporaryDirectory() as folder:
            json.dump(base | change, open(f"{folder}/config.json", "w"))
            try:
                config = AutoConfig.from_pretrained(folder)
                patch_rope_parameters(config)
                arch = ModelArchConfigConvertorBase(config, config).convert()
                taken = _get_and_verify_max_len(config, arch, None, None, False, None)
            except Exception as e:  # a configuration that transformers does not read
                print(type(e).__name__, str(e)[:100], file=sys.stderr)
                continue
            # the bound: the longest that is not refused
            low, high = 1, 1 << 24
            while low < high:
                middle = (low + high + 1) // 2
                try: _get_and_verify_max_len(config, arch, None, middle, False, None); low = middle
                except ValueError: high = middle - 1
        rows.append({"change": change, "bound": low, "default": taken})
    return rows


def serve(gpu, out):
    pretend.install(gpu)
    r = random.Random("functions " + gpu)
    json.dump(flash(r, GPUS[gpu][1], 300 if GPUS[gpu][1][0] in (9, 10) else 60), open(out, "w"))


def main(config, out):
    found = {"flash": []}
    for gpu in ["h100-80gb", "b200", "a100-80gb", "t4", "rtx-5090"]:
        with tempfile.TemporaryDirectory() as t:
            subprocess.run([sys.executable, os.path.abspath(__file__), gpu, f"{t}/out.json"], check=True)
            found["flash"] += json.load(open(f"{t}/out.json"))
    pretend.install("h100-80gb")
    found |= {"slots": slots(), "boundary": boundary(), "quantizations": quantizations(random.Random(13), 300),
              "lengths": lengths(random.Random(14), config, 120)}
    parts = (f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]" for key, rows in found.items())
    open(out, "w").write("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3: sys.exit(__doc__)
    with contextlib.redirect_stdout(sys.stderr):
        serve(*sys.argv[1:]) if sys.argv[1] in GPUS else main(*sys.argv[1:])
