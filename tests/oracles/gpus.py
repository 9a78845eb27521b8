"""A GPU that this machine does not have, for the engines that are asked what they would plan on it."""
import types

MiB = 1 << 20
# name, compute capability, bytes as the driver reports them, streaming multiprocessors
GPUS = {
    "h100-80gb": ("NVIDIA H100 80GB HBM3", (9, 0), 81559 * MiB, 132),
    "h200-141gb": ("NVIDIA H200", (9, 0), 143771 * MiB, 132),
    "a100-80gb": ("NVIDIA A100-SXM4-80GB", (8, 0), 81920 * MiB, 108),
    "a100-40gb": ("NVIDIA A100-SXM4-40GB", (8, 0), 40960 * MiB, 108),
    "b200": ("NVIDIA B200", (10, 0), 183359 * MiB, 148),
    "l40s": ("NVIDIA L40S", (8, 9), 46068 * MiB, 142),
    "l4": ("NVIDIA L4", (8, 9), 23034 * MiB, 58),
    "t4": ("Tesla T4", (7, 5), 15360 * MiB, 40),
    "60GiB": ("NVIDIA made up", (9, 0), 60 * 1024 * MiB, 132),
    "v100-32gb": ("Tesla V100-SXM2-32GB", (7, 0), 32768 * MiB, 80),
    "rtx-5090": ("NVIDIA GeForce RTX 5090", (12, 0), 32607 * MiB, 170),
    "rtx-4090": ("NVIDIA GeForce RTX 4090", (8, 9), 24564 * MiB, 128),
}


def install(gpu):
    """Makes `gpu` PyTorch's and Triton's device; answers name, capability, memory and units."""
    import torch

    name, capability, memory, units = GPUS[gpu]
    cuda = torch.cuda
    cuda.is_available = lambda: True
    cuda.current_device = lambda: 0
    cuda.get_device_capability = lambda *a, **k: capability
    cuda.get_device_name = lambda *a, **k: name
    cuda.synchronize = cuda.empty_cache = lambda *a, **k: None
    properties = types.SimpleNamespace(
        name=name, major=capability[0], minor=capability[1], total_memory=memory,
        multi_processor_count=units, is_integrated=False, warp_size=32, L2_cache_size=50 * MiB,
        shared_memory_per_block_optin=227 * 1024, shared_memory_per_multiprocessor=228 * 1024,
        max_threads_per_multi_processor=2048, regs_per_multiprocessor=65536, uuid="0", gcnArchName="")
    cuda.get_device_properties = lambda *a, **k: properties

    class Stream:
        def __init__(self, *a, **k): self.cuda_stream = 0
        def __enter__(self): return self
        def __exit__(self, *a): return False
        def __getattr__(self, _): return lambda *a, **k: None
    cuda.Stream = cuda.Event = Stream
    cuda.current_stream = cuda.default_stream = lambda *a, **k: Stream()

    import triton.backends
    from triton.runtime.driver import driver
    from triton.backends.compiler import GPUTarget

    class Driver:
        @staticmethod
        def is_active(): return True
        def get_current_target(self): return GPUTarget("cuda", capability[0] * 10 + capability[1], 32)
        def get_current_device(self): return 0
        def get_active_torch_device(self): return torch.device("cuda", 0)
        def get_device_interface(self): return torch.cuda
        def get_benchmarker(self): return lambda *a, **k: None
        def get_current_stream(self, *_): return 0
        utils = types.SimpleNamespace(get_device_properties=lambda _: {
            "max_shared_mem": 227 * 1024, "multiprocessor_count": units, "warpSize": 32,
            "max_num_regs": 65536, "sm_clock_rate": 1, "mem_clock_rate": 1, "mem_bus_width": 1})

    for vendor, backend in triton.backends.backends.items():
        backend.driver.is_active = staticmethod(lambda vendor=vendor: vendor == "nvidia")
    driver.set_active(Driver())
    return name, capability, memory, units
