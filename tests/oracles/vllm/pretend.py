"""Lets vLLM 0.33.0 plan for a GPU that this machine does not have.

Installs a CUDA platform with a given name, capability, memory and SM count before vLLM picks one,
says that a Triton driver is active, stands in for the process groups, and sends tensors meant for
the GPU to the meta device. Nothing of the planning path itself is changed.
"""
import os
import sys

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import gpus


def install(gpu):
    """Makes `gpu` the current platform; call before any other part of vLLM is imported."""
    import torch

    name, capability, memory, units = gpus.install(gpu)
    torch.cuda.device_count = lambda: 8

    import vllm.platforms
    from vllm.platforms.cuda import CudaPlatformBase
    from vllm.platforms.interface import DeviceCapability

    class Pretended(CudaPlatformBase):
        @classmethod
        def get_device_capability(cls, device_id=0): return DeviceCapability(*capability)
        @classmethod
        def get_device_name(cls, device_id=0): return name
        @classmethod
        def get_device_uuid(cls, device_id=0): return "0"
        @classmethod
        def get_device_total_memory(cls, device_id=0): return memory
        @classmethod
        def is_fully_connected(cls, device_ids): return True
        @classmethod
        def num_compute_units(cls, device_id=0): return units
        @classmethod
        def is_integrated_gpu(cls, device_id=0): return False
        @classmethod
        def device_count(cls): return 8
        @classmethod
        def get_all_device_numa_nodes(cls): return None
        @classmethod
        def get_device_numa_node(cls, device_id=0): return None
        @classmethod
        def log_warnings(cls): pass
        @classmethod
        def get_all_gpu_pci_bus_ids(cls): return {}
        @classmethod
        def is_arch_support_pdl(cls): return capability[0] >= 9

    vllm.platforms._current_platform = Pretended()
    vllm.platforms.__dict__["current_platform"] = vllm.platforms._current_platform


class Processes:
    """What a torch process group is asked for."""

    def __init__(self, size, rank): self._size, self._rank = size, rank
    def size(self): return self._size
    def rank(self): return self._rank


class Group:
    """A process group of which only sizes and ranks are asked."""

    def __init__(self, size, rank=0):
        self.world_size, self.rank_in_group, self.rank, self.local_rank = size, rank, rank, rank
        self.ranks = list(range(size))
        self.first_rank, self.last_rank = 0, size - 1
        self.is_first_rank, self.is_last_rank = rank == 0, rank == size - 1
        self.next_rank, self.prev_rank = (rank + 1) % size, (rank - 1) % size
        self.cpu_group = self.device_group = Processes(size, rank)
        self.mq_broadcaster = self.device_communicator = None
        self.unique_name, self.use_custom_op_call = "pretended", False
        self.device = __import__("torch").device("meta")

    def all_reduce(self, x, *a, **k): return x
    def broadcast(self, x, *a, **k): return x
    def broadcast_object(self, x=None, *a, **k): return x
    def barrier(self): pass
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return None


def groups(tp, pp, dcp, pp_rank=0, dp=1):
    """Puts tensor rank 0 of pipeline rank `pp_rank` in place."""
    import vllm.distributed.parallel_state as ps

    ps._WORLD = Group(tp * pp, pp_rank * tp)
    ps._TP, ps._PP, ps._DCP = Group(tp), Group(pp, pp_rank), Group(dcp)
    ps._DP, ps._PCP, ps._EP, ps._ETP = Group(dp), Group(1), Group(tp), Group(1)
    ps._EPLB = None
    if hasattr(ps, "_NODE_COUNT"): ps._NODE_COUNT = 1
    import vllm.v1.attention.ops.cp_common as cp
    cp.in_the_same_node_as = ps.in_the_same_node_as = lambda group, source_rank=0: [True] * group.size()

    import torch
    from vllm.v1.worker.workspace import init_workspace_manager
    init_workspace_manager(torch.device("meta"))


def meta_mode():
    """A mode under which every tensor that asks for the GPU, or for no device, is a meta tensor."""
    import torch
    from torch.overrides import TorchFunctionMode

    def gpu(d):
        return d is not None and (isinstance(d, int) and not isinstance(d, bool)
                                  or str(d).startswith("cuda"))

    class Mode(TorchFunctionMode):
        def __torch_function__(self, func, types_, args=(), kwargs=None):
            kwargs = dict(kwargs or {})
            if gpu(kwargs.get("device")): kwargs["device"] = "meta"
            name = getattr(func, "__name__", "")
            if name == "cuda": return args[0]
            if name in ("to", "pin_memory"):
                if name == "pin_memory": return args[0]
                args = tuple("meta" if isinstance(a, torch.device) and a.type == "cuda"
                             or isinstance(a, str) and a.startswith("cuda") else a for a in args)
            if name in ("cpu", "item", "tolist") and args and getattr(args[0], "is_meta", False):
                value = torch.ones(args[0].shape, dtype=args[0].dtype, device="cpu")
                return value if name == "cpu" else func(value)
            return func(*args, **kwargs)

    return Mode()
