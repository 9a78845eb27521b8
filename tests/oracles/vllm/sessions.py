"""How many sessions run at once, asked of vLLM's own KV cache manager.

usage: sessions.py WHEEL_FOLDER CASES.json

WHEEL_FOLDER holds the wheel's `vllm/` unpacked. Of it these modules run: `v1/core/kv_cache_manager.py`, its coordinator,
managers and block pool, `v1/kv_cache_interface.py`. What they import and do not need here (torch, the rest of vLLM) is
pretended. The scheduler's loop is written out below, as `Scheduler.schedule` has it: running requests first, each a token
or the next chunk; then waiting ones while the step's token budget lasts, admitted where their whole prompt fits; where a
running request finds no block, the last one admitted is preempted.

Prints JSON: for each case the most requests that ran at once for as long as all of them decoded, without a preemption.
"""
import importlib.abc
import importlib.machinery
import json
import math
import sys
from collections import deque
from unittest.mock import MagicMock

REAL = (
    'vllm.v1.core', 'vllm.v1.kv_cache_interface', 'vllm.v1.kv_cache_layout', 'vllm.v1.kv_cache_spec_registry',
    'vllm.utils.math_utils', 'vllm.v1.hisparse.block_pool', 'vllm.distributed.kv_events',
)
PACKAGES = {'vllm', 'vllm.v1', 'vllm.utils', 'vllm.v1.hisparse', 'vllm.distributed'}


class Pretended(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules that are not run."""

    def find_spec(self, name, path=None, target=None):
        if name in PACKAGES:
            spec = importlib.machinery.ModuleSpec(name, self, is_package=True)
            spec.submodule_search_locations = [f'{ROOT}/' + name.replace('.', '/')]
            return spec
        if name.split('.')[0] in ('torch', 'vllm', 'msgspec', 'zmq', 'numpy', 'cbor2', 'xxhash') and not name.startswith(REAL):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        if spec.name in PACKAGES:
            return None
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__name__ = [], spec, spec.name
        return module

    def exec_module(self, module):
        pass


ROOT = sys.argv[1]
sys.meta_path.insert(0, Pretended())
from vllm.v1 import kv_cache_interface as specs  # noqa: E402
from vllm.v1.core.kv_cache_manager import KVCacheManager  # noqa: E402
from vllm.v1.core.single_type_kv_cache_manager import register_all_kvcache_specs  # noqa: E402

specs.get_dtype_size = lambda dtype: 2
register_all_kvcache_specs(MagicMock())


def spec(group, caching):
    """The engine's spec of a group: `["full", block]`, `["sliding", block, window]`, `["chunked", block, chunk]` or
    `["state", block, speculative, checkpoint]`."""
    kind, block, *more = group
    common = {'block_size': block, 'num_kv_heads': 1, 'head_size': 1, 'dtype': 'bf16', 'dcp_sharded': False}
    if kind == 'full':
        return specs.FullAttentionSpec(**common)
    if kind == 'sliding':
        return specs.SlidingWindowSpec(**common, sliding_window=more[0])
    if kind == 'chunked':
        return specs.ChunkedLocalAttentionSpec(**common, attention_chunk_size=more[0])
    return specs.MambaSpec(
        block_size=block, shapes=((1,),), dtypes=('bf16',), mamba_cache_mode='align' if caching else 'none',
        num_speculative_blocks=more[0], num_prefill_checkpoint_blocks=more[1] if caching else 0,
        prefill_checkpoint_alignment=more[1] and 64 if caching else None)


class Hashes:
    """Hashes of a prompt that no other has."""

    def __init__(self, request):
        self.request = request

    def __len__(self):
        return self.request.num_tokens // self.request.hashed

    def __getitem__(self, at):
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        return f'{self.request.request_id} {at}'.encode()


class Request:
    """What the manager reads of a request."""

    def __init__(self, name, prompt, new, hashed):
        self.request_id, self.num_prompt_tokens, self.num_tokens, self.new = name, prompt, prompt, new
        self.hashed = hashed
        self.num_computed_tokens = self.num_in_flight_tokens = 0
        self.status, self.block_hashes = 'waiting', Hashes(self)
        self.num_preemptions, self.skip_reading_prefix_cache = 0, True
        self.shared_prefix_boundary, self.mm_features, self.lora_request, self.cache_salt = 0, [], None, None

    def __getattr__(self, name):
        return None


def run(case, users, steps):
    """Whether `users` sessions, begun together and each begun again when it ends, run at once: none waits for blocks,
    none is preempted."""
    caching, batched, lanes = case['prefix_caching'], case['batched'], case['batches']
    prompt, length, groups = case['prompt'], case['length'], case['groups']
    blocks = [group[1] for group in groups]
    hashed = math.gcd(*blocks)
    config = specs.KVCacheConfig(
        num_blocks=case['blocks'], kv_cache_tensors=[],
        kv_cache_groups=[specs.KVCacheGroupSpec([f'l{i}'], spec(group, caching)) for i, group in enumerate(groups)],
        hash_block_size=hashed, cache_hit_alignment_tokens=hashed)
    manager = KVCacheManager(
        config, max_model_len=case['max_model_len'], scheduler_block_size=max(blocks), hash_block_size=hashed,
        max_in_flight_tokens=batched * lanes, enable_caching=caching)
    new = length - prompt
    waiting = deque(Request(f'r{i}', prompt, new, hashed) for i in range(users))
    running, count, in_flight, waited, admitting = [], users, [], 0, set()
    aligned = caching and any(group[0] == 'state' for group in groups)

    def chunk(request, budget):
        wanted = min(request.num_tokens - request.num_computed_tokens, budget)
        end, last = request.num_computed_tokens + wanted, request.num_prompt_tokens
        block = max(blocks)
        if aligned and end < last and (end // block * block > request.num_computed_tokens or block <= batched):
            wanted = end // block * block - request.num_computed_tokens
        return wanted

    for step in range(steps):
        # the step that ends now is the one before the last where two are under way
        if len(in_flight) >= lanes:
            for request, tokens in in_flight.pop(0):
                request.num_in_flight_tokens -= tokens
                if request.num_computed_tokens - request.num_in_flight_tokens >= request.num_prompt_tokens + request.new:
                    manager.free(request)
                    running.remove(request)
                    waiting.append(Request(f'r{count}', prompt, new, hashed))
                    count += 1
        budget, scheduled = batched, []
        manager.new_step_starts()
        for request in list(running):
            decoding = request.num_computed_tokens >= request.num_prompt_tokens
            if decoding:
                if request.num_computed_tokens >= request.num_prompt_tokens + request.new:
                    continue
                request.num_tokens = request.num_computed_tokens + 1
            tokens = chunk(request, budget)
            if tokens <= 0:
                continue
            if manager.allocate_slots(request, tokens) is None:
                return False
            scheduled.append((request, tokens))
            budget -= tokens
        while waiting and budget > 0:
            request = waiting[0]
            tokens = chunk(request, budget)
            if tokens <= 0:
                break
            if manager.allocate_slots(request, tokens, full_sequence_must_fit=True,
                                      has_scheduled_reqs=bool(scheduled)) is None:
                # a session that has ended a step ago may still hold its blocks
                waited += 1
                if waited > 2 * lanes:
                    return False
                break
            waited = 0
            waiting.popleft()
            running.append(request)
            scheduled.append((request, tokens))
            budget -= tokens
        for request, tokens in scheduled:
            request.num_computed_tokens += tokens
            request.num_in_flight_tokens += tokens
        in_flight.append(scheduled)
    return True


def most(case):
    """The most sessions for which [`run`] holds."""
    steps = 3 * (case['length'] - case['prompt']) + 200
    low, high = 0, 1
    while run(case, high, steps):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if run(case, middle, steps) else (low, middle)
    return low


if __name__ == '__main__':
    cases = json.load(open(sys.argv[2]))
    for case in cases:
        case['expect'] = most(case)
        print(json.dumps(case), flush=True)
