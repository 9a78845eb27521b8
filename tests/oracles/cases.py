"""Cases of an oracle: read, grouped by GPU, answered in processes of their own, written.

A case is {"config": "llama.json", "args": ["--tp", "8", ...]}, its arguments spelled as kvplan's flags; with
"change": {"intermediate_size": 1000, ...} those keys of the language model are put in place first, null takes one away.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile


def options(args):
    """Flags without their dashes, and their values."""
    pairs = zip(args[::2], args[1::2])
    return {key.lstrip("-").replace("-", "_"): value for key, value in pairs}


def folder_for(path, change=None):
    """A folder as a checkpoint's, with its config.json and what quantization file stands beside it."""
    folder = tempfile.mkdtemp(prefix="kvplan-")
    config = json.load(open(path))
    text = config.get("text_config", config)
    text |= change or {}
    for key in [key for key, value in (change or {}).items() if value is None]: del text[key]
    json.dump(config, open(os.path.join(folder, "config.json"), "w"))
    beside = path.removesuffix(".json") + ".hf_quant_config.json"
    if os.path.exists(beside): shutil.copy(beside, os.path.join(folder, "hf_quant_config.json"))
    return folder


def main(argv, serve, at_once=None):
    """`argv`: CASES.json OUT.json [--configs DIR]... [--only GPU].

    `serve(cases, find, gpu, emit)` answers cases of one GPU; a process serves at most `at_once` of them.
    """
    only = argv[argv.index("--only") + 1] if "--only" in argv else None
    folders = [argv[i + 1] for i, a in enumerate(argv) if a == "--configs"]

    def find(name):
        for f in ["", *folders]:
            p = os.path.join(f, name)
            if os.path.exists(p): return p
        raise FileNotFoundError(name)

    cases, out = argv[0], argv[1]
    rows = json.load(open(cases))
    by_gpu = {}
    for i, c in enumerate(rows): by_gpu.setdefault(options(c["args"]).get("gpu", "h100-80gb"), []).append(i)
    if only:
        done = []

        def emit(row):
            done.append(row)
            json.dump(done, open(out, "w"), indent=1)
        serve([rows[i] for i in by_gpu[only]], find, only, emit)
        return
    answers = [None] * len(rows)
    for gpu, which in by_gpu.items():
        step = at_once or len(which)
        for start in range(0, len(which), step):
            part = which[start:start + step]
            with tempfile.TemporaryDirectory() as t:
                json.dump([rows[i] for i in part], open(f"{t}/in.json", "w"))
                command = [sys.executable, os.path.abspath(sys.argv[0]), f"{t}/in.json", f"{t}/out.json", "--only", gpu]
                for f in folders: command += ["--configs", f]
                subprocess.run(command, check=True)
                for i, row in zip(part, json.load(open(f"{t}/out.json"))): answers[i] = row
            # what is answered so far, so that a long run can be looked at and cut short
            json.dump([a for a in answers if a], open(out, "w"), indent=1)
