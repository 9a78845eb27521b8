#!/usr/bin/env python3
"""Runs the program on hostile inputs and counts panics, slow runs and large ones.

usage: hostile.py KVPLAN [--count 15000] [--seed 1] [--jobs 2]

Seeded: mutated configurations (catalogue-like and those of tests/fixtures), GGUF headers, YAML files and command
lines. A run fails where the program dies of a signal or panics, takes more than 2 s, or keeps more than 64 MiB
beyond the size of its input (ru_maxrss, less what `kvplan --version` keeps).
"""

import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S, LIMIT_BYTES = 2.0, 64 << 20
ENGINES = ["architecture", "vllm", "sglang", "tensorrt-llm", "llama.cpp", "transformers", "candle", "all", "vllm@0.20", "x"]
ODD = [0, 1, -1, 2, 3, 7, 2**31, 2**32, 2**53, 2**63, 2**64 - 1, 2**64, 10**30, -(2**63), 0.5, 1e308, True, False, None,
       "", "64", "full_attention", "\x1b[31mred\x1b[0m\n\r", "é" * 200, "x" * 5000, [], {}, [[]], [0], [1] * 300,
       ["full_attention"] * 61, {"a": {"b": []}}]
WORDS = ["0", "1", "-1", "8k", "1M", "99999999999999999999", "1e9", "auto", "nan", "inf", "", " ", "1,2,3", "1..9", "\x1b[2J",
         "fp8", "q8_0", "bf16", "on", "off", "80GiB", "0GiB", "999999TiB", "h100-80gb", "h200-141gb", "2", "4", "16", "1000",
         "ngram", "mtp:1", "eagle:9", "ｆｐ８", "../", "/dev/null", "--tp", "-", "0.0", "1.0", "0.95"]


def configs():
    found = [json.loads(path.read_text()) for path in sorted((ROOT / "fixtures/configs").glob("**/*.json"))]
    found = [config for config in found if isinstance(config, dict)]
    for line in (ROOT / "fixtures/published.jsonl").read_text().splitlines():
        row = json.loads(line)
        config = row.get("config", row)
        if isinstance(config, dict):
            found.append(config)
    return [config for config in found if len(json.dumps(config)) < 60_000]


def places(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path + (key,)
            yield from places(inner, path + (key,))
    elif isinstance(value, list) and value:
        yield path + (0,)
        yield from places(value[0], path + (0,))


def mutate(rng, config):
    config = json.loads(json.dumps(config))
    for _ in range(rng.choice([1, 1, 1, 2, 4, 9])):
        all_places = list(places(config))
        if not all_places:
            break
        *path, last = rng.choice(all_places)
        at = config
        for key in path:
            at = at[key]
        kind = rng.random()
        if kind < 0.2:
            del at[last]
        elif kind < 0.3 and isinstance(at, dict):
            at[rng.choice(WORDS)] = at.pop(last)
        elif kind < 0.5 and isinstance(at[last], int):
            at[last] = rng.choice([at[last] + 1, at[last] * 2, at[last] // 2, at[last] * 2**20, -at[last]])
        else:
            at[last] = json.loads(json.dumps(rng.choice(ODD)))
    return config


def broken_text(rng, text):
    data = bytearray(text)
    kind = rng.random()
    if kind < 0.3:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if kind < 0.9:
        for _ in range(rng.choice([1, 2, 8, 64])):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)
    part = rng.choice([b"[", b"{\"a\":", b"- ", b"[0,", b"{\"k\":1},", b"\x00", b"? ", b"&a [*a,", b"\"x\","])
    return bytes(data[: rng.randrange(40)]) + part * rng.choice([10, 1000, 30_000, 200_000]) + bytes(data)


def yaml(rng, config):
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items()).encode()


def string(text):
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(data)) + data


def gguf_value(rng, depth=0):
    kind = rng.choice([0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 9, 9, 10, 11, 12])
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    if kind in sizes:
        return kind, rng.choice([bytes(sizes[kind]), b"\xff" * sizes[kind], (64).to_bytes(sizes[kind], "little")])
    if kind == 8:
        return kind, string(rng.choice(["llama", "\x1b[2J", "x" * rng.choice([1, 100, 9000])]))
    inner = rng.choice(list(sizes))
    count = rng.choice([0, 1, 2, 4, 32, 4000, 4096, 5000, 200_000])
    data = bytes([rng.randrange(2)]) * (count * sizes[inner])
    return kind, struct.pack("<IQ", inner, rng.choice([count, count, count, 2**63])) + data


def gguf(rng):
    arch = rng.choice(["llama", "llama", "gemma3", "deepseek2", "qwen3moe", "mamba", "lfm2", "qwen35", "gpt-oss", "zzz"])
    keys = [("general.architecture", (8, string(arch)))]
    usual = {"block_count": 4, "context_length": 4096, "embedding_length": 512, "feed_forward_length": 1024,
             "attention.head_count": 8, "attention.head_count_kv": 2}
    for key, number in usual.items():
        value = (4, struct.pack("<I", number)) if rng.random() < 0.85 else gguf_value(rng)
        keys.append((f"{arch}.{key}", value))
    more = ["attention.sliding_window", "attention.key_length", "attention.key_length_mla", "attention.kv_lora_rank",
            "ssm.state_size", "ssm.inner_size", "expert_count", "attention.sliding_window_pattern", "vocab_size",
            "nextn_predict_layers", "full_attention_interval"]
    for key in rng.sample(more, rng.randrange(5)):
        keys.append((f"{arch}.{key}", gguf_value(rng)))
    for index in range(rng.choice([0, 0, 1, 50, 200])):
        keys.append((rng.choice(["tokenizer.", "x.", arch + ".y"]) + str(index), gguf_value(rng)))
    tensors = rng.choice([0, 1, 5])
    out = b"GGUF" + struct.pack("<IQQ", rng.choice([3, 3, 3, 2, 1, 99]), tensors, rng.choice([len(keys)] * 8 + [2**62, 3]))
    for key, (kind, data) in keys:
        out += string(key) + struct.pack("<I", kind) + data
    offset = 0
    for index in range(tensors):
        shape = [rng.choice([1, 32, 512, 2**40, 0]) for _ in range(rng.choice([1, 2, 4, 9]))]
        out += string(f"blk.{index}.attn_q.weight") + struct.pack("<I", len(shape))
        out += b"".join(struct.pack("<Q", size) for size in shape) + struct.pack("<IQ", rng.choice([0, 1, 12, 77]), offset)
    return out if rng.random() < 0.7 else broken_text(rng, out)


def flags(rng, names, few):
    line = []
    for name in rng.sample(names, rng.choice([0, 0, 0, 0, 0, 0, 1, 2] if few else [0, 1, 1, 2, 3, 6])):
        line.append(f"--{name}={rng.choice(WORDS)}")
    if rng.random() < 0.5:
        line.append("--engine=" + rng.choice(ENGINES))
    if rng.random() < 0.4:
        line.append("--gpu=" + rng.choice(["h100-80gb", "24GiB", "1B", "mi300x"]))
    line.append("--format=" + rng.choice(["table", "table", "json", "csv", "markdown"]))
    if rng.random() < 0.3:
        line.append("--lang=zh")
    return line


def flag_names(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    names = [word.split("=")[0].strip(",") for word in text.split() if word.startswith("--")]
    names = sorted({name.lstrip("-") for name in names if name[2:3].isalpha()})
    return [name for name in names if name not in ("verify", "help", "version", "svg", "prompt", "calibrate", "device", "engine", "gpu", "format", "lang")]


def case(seed, number, sources, names, folder):
    rng = random.Random(seed * 1_000_003 + number)
    kind = rng.choice(["config", "config", "config", "text", "yaml", "gguf", "gguf", "flags"])
    path = folder / f"{number}.{'gguf' if kind == 'gguf' else 'yaml' if kind == 'yaml' else 'json'}"
    config = rng.choice(sources)
    model = str(path)
    if kind == "config":
        path.write_bytes(json.dumps(mutate(rng, config)).encode())
    elif kind == "text":
        path.write_bytes(broken_text(rng, json.dumps(config).encode()))
    elif kind == "yaml":
        text = yaml(rng, mutate(rng, config))
        path.write_bytes(text if rng.random() < 0.5 else broken_text(rng, text))
    elif kind == "gguf":
        path.write_bytes(gguf(rng))
    else:
        model = rng.choice(["llama3-70b", "deepseek-v3", "gemma3-27b", "mamba2-2.7b", "gpt2", "qwen3-next-80b-a3b", "x\x1b[2J"])
    command = [[], [], [], [], ["explain"], ["command"], ["models"], ["gpus"]][rng.randrange(8)] if kind == "flags" else []
    if command in (["models"], ["gpus"]):
        return command + [rng.choice(WORDS + ["qwen", "h100"]).strip("-") or "x"], path, kind
    line = command + ["--model=" + model] + flags(rng, names, few=kind != "flags")
    return [word.replace("\0", "") for word in line], path, kind


def run(program, line):
    started = time.monotonic()
    child = subprocess.Popen([program, *line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    timer = threading.Timer(10, child.kill)
    timer.start()
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, output.decode("latin-1"), time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def serve(program):
    """Runs command lines of standard input. A child's ru_maxrss is at least its parent's memory, so this one is small."""
    for line in sys.stdin:
        print(json.dumps(run(program, json.loads(line))), flush=True)


class Runner:
    def __init__(self, program):
        self.process = subprocess.Popen([sys.executable, __file__, program, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        code, output, wall, seconds, memory = json.loads(self.process.stdout.readline())
        return code, output.encode("latin-1"), wall, seconds, memory * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve(asked.program)
    sources, names = configs(), flag_names(asked.program)
    base = Runner(asked.program).run(["--version"])[4]
    faults, kinds, codes, lock = [], {}, {}, threading.Lock()
    worst = {"seconds": (0, ""), "bytes": (0, "")}
    with tempfile.TemporaryDirectory() as folder:
        def work(first):
            runner = Runner(asked.program)
            for number in range(first, asked.count, asked.jobs):
                line, path, kind = case(asked.seed, number, sources, names, Path(folder))
                size = path.stat().st_size if path.exists() else 0
                code, output, _, seconds, memory = runner.run(line)
                memory -= base + size
                told = []
                if code not in (0, 1, 2, 3, 4) or b"panicked" in output:
                    told.append(f"panic {code}")
                if seconds > LIMIT_S:
                    told.append(f"{seconds:.2f} s")
                if memory > LIMIT_BYTES:
                    told.append(f"{memory >> 20} MiB")
                shown = output.replace(b"\x1b[0m", b"").replace(b"\x1b[1m", b"")
                if any(byte in shown for byte in (b"\x1b", b"\x07", b"\x9b\x00")):
                    told.append("escape")
                with lock:
                    kinds[kind] = kinds.get(kind, 0) + 1
                    codes[code] = codes.get(code, 0) + 1
                    worst["seconds"] = max(worst["seconds"], (seconds, str(number)))
                    worst["bytes"] = max(worst["bytes"], (memory, str(number)))
                    if told:
                        kept = Path(tempfile.gettempdir()) / f"hostile-{asked.seed}-{number}{path.suffix}"
                        if path.exists():
                            kept.write_bytes(path.read_bytes())
                        faults.append((number, told, line, str(kept), output[-200:]))
                path.unlink(missing_ok=True)
        threads = [threading.Thread(target=work, args=(first,)) for first in range(asked.jobs)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    for number, told, line, kept, output in sorted(faults)[:40]:
        print(number, told, line, kept, output)
    count = lambda what: sum(any(what(word) for word in told) for _, told, *_ in faults)
    print(f"{asked.count} inputs, seed {asked.seed}, by kind {kinds}, exit codes {dict(sorted(codes.items()))}")
    print(f"panics {count(lambda word: word.startswith('panic'))}, over {LIMIT_S} s {count(lambda word: word.endswith(' s'))}, "
          f"over {LIMIT_BYTES >> 20} MiB {count(lambda word: word.endswith('MiB'))}, escapes {count(lambda word: word == 'escape')}")
    print(f"most: {worst['seconds'][0]:.2f} s of CPU (input {worst['seconds'][1]}), {worst['bytes'][0] >> 20} MiB (input {worst['bytes'][1]})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
