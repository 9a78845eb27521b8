"""Lets SGLang 0.5.23 plan for a GPU that this machine does not have.

Installs a CUDA device with a given name, capability, memory and SM count before SGLang looks for one.
Nothing of the planning path itself is changed.
"""
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus


def install(gpu):
    """Makes `gpu` the current device; call before any part of SGLang is imported."""
    import torch
    import torch._dynamo  # builds its table of functions before some of them are replaced

    _, _, memory, _ = gpus.install(gpu)
    cuda = torch.cuda
    cuda.is_initialized = lambda: True
    cuda.device_count = lambda: 64
    cuda.set_device = lambda *a, **k: None
    cuda.mem_get_info = lambda *a, **k: (memory, memory)
    own = torch.get_device_module
    torch.get_device_module = lambda device=None: cuda if str(device).startswith("meta") else own(device)
    return memory
