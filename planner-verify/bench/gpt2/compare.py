"""GPT-2 with its cache, kvplan beside transformers: same weights, same prompt, same threads, by turns.

    python3 -m venv env && env/bin/pip install -r requirements.txt
    cargo build --release -p planner-cli
    env/bin/python compare.py ../../../target/release/kvplan --rounds 5

The weights are GPT-2's shape (124,439,808 elements, f32) from a seed of torch, saved once as a
checkpoint that both read. Each turn is a process of its own; what is timed is the generation alone.
The share of the machine that other programs used meanwhile is read from /proc/stat and shown, so
that a disturbed turn is seen. `--dtype bfloat16` keeps the weights in bf16 on both sides (transformers then computes in
bf16 too, kvplan in f32, so their tokens may differ). `--uncached` adds one run of kvplan without its cache.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT_TOKENS = 8

# transformers' names of what the weights are kept in, and kvplan's.
WEIGHT_DTYPES = {"float32": "f32", "bfloat16": "bf16"}


def prompt(vocab):
    """kvplan's own fixed prompt."""
    return [(at * 7 + 3) % vocab for at in range(PROMPT_TOKENS)]


def load(folder, dtype):
    from transformers import GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(folder, dtype=dtype).eval()


def make(folder):
    """A checkpoint of GPT-2's shape."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1234)
    model = GPT2LMHeadModel(GPT2Config(architectures=["GPT2LMHeadModel"]))
    model.save_pretrained(folder, safe_serialization=True)


def torch_turn(folder, dtype, tokens, threads):
    """Seconds and tokens of one generation by transformers, as JSON on standard output."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(threads)
    model = load(folder, dtype)
    ids = torch.tensor([prompt(model.config.vocab_size)])

    def generate(count):
        return model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            use_cache=True,
            min_new_tokens=count,
            max_new_tokens=count,
            pad_token_id=0,
        )

    with torch.inference_mode():
        generate(4)
        start = time.perf_counter()
        out = generate(tokens)
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "tokens": out[0, PROMPT_TOKENS:].tolist()}))


def busy():
    """Seconds that all processors were busy, and how many there are."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def own():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def turn(command, threads):
    """Runs a command and gives its JSON and what others used meanwhile, in processors."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        environment[name] = str(threads)
    start, all_before, own_before = time.perf_counter(), busy(), own()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - start
    others = max(0.0, (busy() - all_before) - (own() - own_before)) / wall
    return json.loads(done.stdout), others


def processor():
    with open("/proc/cpuinfo") as info:
        names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kvplan", nargs="?")
    parser.add_argument("--new-tokens", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder", default=str(Path(tempfile.gettempdir()) / "kvplan-gpt2"))
    parser.add_argument("--dtype", choices=list(WEIGHT_DTYPES), default="float32")
    parser.add_argument("--uncached", action="store_true")
    parser.add_argument("--torch-turn", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch_turn:
        return torch_turn(options.folder, options.dtype, options.new_tokens, options.threads)
    if options.kvplan is None:
        parser.error("name the kvplan program")

    if not (Path(options.folder) / "model.safetensors").exists():
        make(options.folder)
    count, threads = options.new_tokens, options.threads
    ours = [options.kvplan, "bench-cache", "--model", options.folder, "--device", "cpu", "--format", "json"]
    ours += ["--new-tokens", str(count), "--runs", "1", "--weight-dtype", WEIGHT_DTYPES[options.dtype]]
    theirs = [sys.executable, __file__, "--torch-turn", "--folder", options.folder]
    theirs += ["--dtype", options.dtype, "--new-tokens", str(count), "--threads", str(threads)]

    print(f"{processor()}, {threads} threads, {options.dtype}, {count} new tokens after {PROMPT_TOKENS}, {time.strftime('%d %B %Y')}\n")
    print("| round | transformers s | others | kvplan s | others |\n|---:|---:|---:|---:|---:|")
    seconds, tokens = {"transformers": [], "kvplan": []}, []
    for number in range(1, options.rounds + 1):
        a, a_others = turn(theirs, threads)
        b, b_others = turn([*ours, "--uncached-runs", "0"], threads)
        seconds["transformers"].append(a["seconds"])
        seconds["kvplan"].append(b["cached"]["mean"])
        tokens += [a["tokens"], b["tokens"]]
        print(f"| {number} | {a['seconds']:.3f} | {a_others:.2f} | {b['cached']['mean']:.3f} | {b_others:.2f} |", flush=True)
    print()
    for name, values in seconds.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        middle = statistics.median(values)
        print(f"{name}: {statistics.mean(values):.3f} ± {spread:.3f} s, median {middle:.3f} s, {count / middle:.1f} tokens/s")
    ratio = statistics.median(seconds["transformers"]) / statistics.median(seconds["kvplan"])
    print(f"kvplan over transformers, by the medians: {ratio:.2f}x")
    print(f"all turns gave the same tokens: {all(some == tokens[0] for some in tokens)}")
    if options.uncached:
        found, others = turn([*ours, "--uncached-runs", "1"], threads)
        print(
            f"kvplan without its cache: {found['uncached']['mean']:.1f} s, with it {found['cached']['mean']:.3f} s: "
            f"{found['speedup']:.2f}x, largest logit difference {found['logit_difference']:.1e} over "
            f"{found['logits_compared']} steps, same tokens: {found['same_tokens']}, others {others:.2f}"
        )


if __name__ == "__main__":
    main()
