"""Asks transformers 5.23.0 what its quantized caches hold for the keys and values of released models.

usage: quantized.py CONFIGS ANSWERS OUT.jsonl [NAME...]    (packages of quantized.txt beside requirements.txt)

ANSWERS is what run.py wrote: the shapes of keys and values of a prompt. They go, as zeros in the model's
dtype, into transformers' own QuantizedCache; the tensors it then holds are counted, one layer of each shape.
A line: {"name", "batch", "seq", "dtype", "bytes"} or `error`; `dtype` as kvplan spells it.
"""
import json
import pathlib
import sys

import torch
import transformers
from transformers.cache_utils import QuantizedCache

BACKENDS = {"int4": ("quanto", 4), "int2": ("quanto", 2), "hqq_int8": ("hqq", 8), "hqq_int4": ("hqq", 4),
            "hqq_int3": ("hqq", 3), "hqq_int2": ("hqq", 2), "hqq_int1": ("hqq", 1), "fp8": ("fp8", None)}
LARGEST = 1 << 17  # elements of a tensor: packing takes the processor's time


def counted(one, seen, depth=0):
    """Bytes of the tensors that an object holds; a quantized tensor is what it is flattened to."""
    if id(one) in seen: return 0
    seen.add(id(one))
    if isinstance(one, torch.Tensor):
        if type(one) is not torch.Tensor and hasattr(one, "__tensor_flatten__"):
            return sum(counted(getattr(one, name), seen) for name in one.__tensor_flatten__()[0])
        return one.numel() * one.element_size()
    if isinstance(one, (list, tuple)): return sum(counted(each, seen, depth) for each in one)
    if isinstance(one, dict): return sum(counted(each, seen, depth) for each in one.values())
    if hasattr(one, "__dict__") and depth < 4:
        return sum(counted(each, seen, depth + 1) for each in vars(one).values())
    return 0


def layers_of(case):
    """[count, shape of the keys, shape of the values] of each kind of layer, or None where it has others."""
    out = []
    for _, count, tensors, _ in case["layers"]:
        shapes = {name: shape for name, shape, _ in tensors}
        if set(shapes) != {"keys", "values"}: return None
        out.append((count, shapes["keys"], shapes["values"]))
    return out


def ask(config, case, backend, bits):
    if config.is_encoder_decoder:
        # as generate() says before it makes a cache (_prepare_cache_for_generation)
        raise ValueError("This model does not support the quantized cache.")
    dtype = torch.float32 if config.dtype == torch.float32 else torch.bfloat16
    cache = QuantizedCache(backend=backend, config=config, **({} if bits is None else {"nbits": bits}))
    total = 0
    for index, (count, keys, values) in enumerate(layers_of(case)):
        cache.update(torch.zeros(keys, dtype=dtype), torch.zeros(values, dtype=dtype), index)
        total += count * counted(cache.layers[index], set())
    return total


def main():
    configs, answers, out = (pathlib.Path(path) for path in sys.argv[1:4])
    torch.set_num_threads(1)
    lines = []
    for path in sorted(answers.glob("*.json")):
        if sys.argv[4:] and path.stem not in sys.argv[4:]: continue
        answer = json.loads(path.read_text())
        own = [case for case in answer.get("caches") or [] if case.get("layers") and "max_cache_len" not in case]
        own = [case for case in own if layers_of(case)]
        own = [case for case in own if all(torch.Size(k).numel() < LARGEST for _, k, _ in layers_of(case))]
        try:
            config = transformers.AutoConfig.for_model(**json.loads((configs / path.name).read_text()))
        except Exception:
            continue
        for number, case in enumerate(own[:2]):
            for dtype, (backend, bits) in BACKENDS.items():
                if number and dtype not in ("int4", "hqq_int3"): continue
                row = {"name": path.stem, "batch": case["batch"], "seq": case["seq"], "dtype": dtype}
                try: row["bytes"] = ask(config, case, backend, bits)
                except Exception as error: row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
                lines.append(json.dumps(row))
                if "error" in row and "support" in row["error"]: break
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
