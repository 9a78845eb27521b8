#!/usr/bin/env python3
"""Run the driver over a grid of settings for every header that headers.py wrote.

usage: run.py DRIVER HEADERS_DIR OUT.json [--quick] [NAME...]

OUT.json: {name: {"arch", "rows": [[args, expect], ...]}}; args in kvplan's spelling, expect the
engine's figures, {"refused": message} or nothing where the engine itself crashes.
"""
import json, random, subprocess, sys
from pathlib import Path

driver, headers, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
quick = "--quick" in sys.argv
names = [a for a in sys.argv[4:] if a != "--quick"] or sorted(p.stem for p in headers.glob("*.gguf"))
index = json.loads((headers / "index.json").read_text())
TYPES = ["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
FLASH = {"auto": -1, "off": 0, "on": 1}
BASE = dict(ctx=4096, batch=2048, ubatch=512, par=1, unified=False, fa="auto", full=False, k="f16", v="f16")


def grid(name):
    yield BASE
    for change in (dict(ctx=0), dict(ctx=0, par=4, unified=True), dict(ctx=1), dict(ctx=5000, par=7), dict(ctx=256, par=7),
                   dict(ctx=100000, par=3), dict(ctx=32768, full=True, par=2), dict(ctx=32768, fa="off"),
                   dict(fa="off", v="q8_0"), dict(k="q8_0", v="q8_0"), dict(k="q8_0", fa="off"), dict(k="q4_0", v="f16"),
                   dict(par=300), dict(k="q8_0", v="q4_0"), dict(ctx=65536, par=16, unified=True, ubatch=128)):
        yield {**BASE, **change}
    draw = random.Random("llama.cpp:" + name)
    for _ in range(14):
        k = draw.choice(TYPES)
        yield dict(ctx=draw.choice([512, 1000, 2048, 8192, 16384, 40960, 131072, draw.randrange(1, 200000)]),
                   batch=draw.choice([32, 512, 2048, 4096]), ubatch=draw.choice([1, 64, 512, 1024, 2048]),
                   par=draw.choice([1, 1, 2, 3, 4, 8, 16]), unified=draw.random() < 0.4, fa=draw.choice(["auto", "auto", "on", "off"]),
                   full=draw.random() < 0.2, k=k, v=k if draw.random() < 0.7 else draw.choice(TYPES))


def line(s):
    return "{ctx} {batch} {ubatch} {par} {u} {f} {w} {k} {v}\n".format(u=int(s["unified"]), f=FLASH[s["fa"]], w=int(s["full"]), **s)


def args(s):
    return ["--ctx-size", str(s["ctx"]), "--n-parallel", str(s["par"]), "--batch", str(s["batch"]), "--ubatch", str(s["ubatch"]),
            "--kv-unified", "on" if s["unified"] else "off", "--flash-attn", s["fa"], "--k-dtype", s["k"], "--v-dtype", s["v"],
            *(["--swa-full"] if s["full"] else [])]


result = {}
for name in names:
    settings = list(grid(name))
    if quick:
        settings = settings[:2] + settings[3:16:4] + settings[-4:]
    p = subprocess.run([driver, str(headers / (name + ".gguf"))], input="".join(map(line, settings)), text=True,
                       capture_output=True, env={"GGML_NO_BACKTRACE": "1"})
    answers = [json.loads(x) for x in p.stdout.splitlines() if x.startswith("{")]
    if len(answers) != len(settings):
        print(f"{name}: not loaded: {answers or p.stderr.splitlines()[-1:]}"[:300], flush=True)
        continue
    rows = [[args(s), a] for s, a in zip(settings, answers) if "crashed" not in a]
    result[name] = {"arch": index.get(name, {}).get("arch"), "rows": rows}
    print(f"{name}: {len(rows)} of {len(settings)}", flush=True)
out.write_text(json.dumps(result))
