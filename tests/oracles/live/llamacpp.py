"""A real llama-server beside kvplan: two GGUF files, twelve settings, and mistakes that must be found.

    python tests/oracles/live/llamacpp.py KVPLAN SMOLLM2.gguf GEMMA3.gguf

needs `xllamacpp`, whose `Server` is llama-server in a library. `run.sh` beside it fetches both and runs this. For every
setting `kvplan --verify URL` must agree with what the server tells, once asked alone and once with the same settings
typed, and `kvplan explain-log` with the bytes of the cache in its log. The last rows type a wrong setting: exit 4.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

SMOL, GEMMA = "smollm2-135m", "gemma3-270m"

# model, parameters of the server, the same as kvplan's flags
SETTINGS = [
    (SMOL, dict(n_ctx=4096, n_parallel=4), "-c 4096 -np 4"),
    (SMOL, dict(n_ctx=4096, n_parallel=1), "-c 4096 -np 1"),
    (SMOL, dict(n_ctx=8192, n_parallel=2, kv_unified=True), "-c 8192 -np 2 -kvu"),
    (SMOL, dict(n_ctx=2048, n_parallel=2, cache_type_k="Q8_0", cache_type_v="Q8_0"), "-c 2048 -np 2 -ctk q8_0 -ctv q8_0"),
    (SMOL, dict(n_ctx=1000, n_parallel=3), "-c 1000 -np 3"),
    (SMOL, dict(n_ctx=4096, n_parallel=4, n_batch=512, n_ubatch=256), "-c 4096 -np 4 -b 512 -ub 256"),
    (GEMMA, dict(n_ctx=8192, n_parallel=4), "-c 8192 -np 4"),
    (GEMMA, dict(n_ctx=8192, n_parallel=4, kv_unified=True), "-c 8192 -np 4 -kvu"),
    (GEMMA, dict(n_ctx=8192, n_parallel=2, swa_full=True), "-c 8192 -np 2 --swa-full"),
    (GEMMA, dict(n_ctx=4096, n_parallel=1, n_batch=512, n_ubatch=128), "-c 4096 -np 1 -b 512 -ub 128"),
    (GEMMA, dict(n_ctx=8192, n_parallel=4, cache_type_k="Q8_0"), "-c 8192 -np 4 -ctk q8_0"),
    (GEMMA, dict(n_ctx=32768, n_parallel=1), "-c 32768 -np 1"),
]

# typed beside the first setting; each is wrong
PLANTED = ["-c 4096 -np 2", "-c 8192 -np 4", "-c 4096 -np 4 -kvu"]


def serve(path, port, parameters):
    """The child process: the server, until it is ended."""
    import xllamacpp

    own = xllamacpp.CommonParams()
    own.model.path, own.hostnames, own.port = path, ["127.0.0.1"], port
    own.warmup, own.verbosity, own.fit_params = False, 4, False
    for name, value in parameters.items():
        if name.startswith("cache_type"):
            value = getattr(xllamacpp.ggml_type, "GGML_TYPE_" + value)
        setattr(own, name, value)
    server = xllamacpp.Server(own)
    print(server.listening_address, flush=True)
    time.sleep(600)


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


class Running:
    """A server, ready; ended with the block. `log` is the file of its log."""

    def __init__(self, path, parameters):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.NamedTemporaryFile("w", suffix=".log", delete=False)
        line = [sys.executable, __file__, "--serve", path, str(self.port), json.dumps(parameters)]
        self.process = subprocess.Popen(line, stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        for _ in range(240):
            if self.process.poll() is not None:
                sys.exit(f"the server ended: {open(self.log.name).read()[-2000:]}")
            try:
                urllib.request.urlopen(self.url + "/health", timeout=2).read()
                return self
            except OSError:
                time.sleep(0.5)
        sys.exit("the server did not come up")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.unlink(self.log.name)


def kvplan(binary, line):
    done = subprocess.run([binary, *line.split(), "--format", "json"], capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


def one(binary, path, parameters, flags):
    """The row of one setting, and whether all of it agrees."""
    with Running(path, parameters) as server:
        alone = kvplan(binary, f"--verify {server.url}")
        typed = kvplan(binary, f"--verify {server.url} {flags}")
        log = kvplan(binary, f"explain-log {server.log.name} -m {path} {flags}")
    figures = {own["name"]: own for own in log[1]["figures"]}
    cache = figures["room"]
    found = [alone[0] == 0 and typed[0] == 0, typed[1]["verify"]["compared"] == 5, cache["agrees"]]
    compared = [own[1]["verify"]["compared"] for own in (alone, typed)]
    told = f"exit {alone[0]}, {typed[0]}; {compared[0]}, {compared[1]} figures; log {cache['logged']} B, planned {cache['planned']} B"
    return told, all(found)


def main(binary, smol, gemma):
    models, failed = {SMOL: smol, GEMMA: gemma}, 0
    for model, parameters, flags in SETTINGS:
        told, good = one(binary, models[model], parameters, flags)
        failed += not good
        print(f"{'equal' if good else 'DIFFERS'}: {model} {flags}: {told}", flush=True)
    with Running(smol, SETTINGS[0][1]) as server:
        for flags in PLANTED:
            code, _, _ = kvplan(binary, f"--verify {server.url} {flags}")
            failed += code != 4
            print(f"{'found' if code == 4 else 'MISSED'}: {SMOL} {SETTINGS[0][2]}, typed {flags}: exit {code}", flush=True)
    sys.exit(f"{failed} rows differ" if failed else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
    else:
        main(*sys.argv[1:4])
