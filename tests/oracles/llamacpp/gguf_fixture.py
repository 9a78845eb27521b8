#!/usr/bin/env python3
"""Write header-only GGUF files with the tensor tables that llama.cpp asks for, and what it answers.

usage: gguf_fixture.py DRIVER HEADERS_DIR OUT_DIR NAME...

Each OUT_DIR/NAME.gguf is the header of headers.py and a table of the driver's `--tensors`, with a
mixture of types; no data follows. OUT_DIR/expected.json: parameters and bytes by gguf-py's block
sizes, and the driver's rows for the file (ROWS of them).
"""
import json, math, struct, subprocess, sys
from pathlib import Path

import gguf

driver, headers, out, names = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
T = gguf.GGMLQuantizationType
SETTINGS = [(4096, 1, 0, -1, 0, "f16", "f16"), (0, 1, 0, -1, 0, "f16", "f16"), (5000, 7, 0, -1, 0, "f16", "f16"),
            (32768, 4, 1, 1, 0, "q8_0", "q8_0"), (32768, 2, 0, 0, 0, "f16", "f16"), (8192, 1, 0, -1, 1, "bf16", "bf16")]
FLASH = {-1: "auto", 0: "off", 1: "on"}


def kind(name, shape):
    if len(shape) == 1 or "tid2eid" in name:
        return T.I32 if "tid2eid" in name else T.F32
    if shape[0] % 256 == 0:
        return T.Q6_K if name.startswith(("token_embd", "output")) else T.Q4_K if "ffn" in name else T.IQ4_XS if "attn_k" in name else T.Q5_K
    return T.Q8_0 if shape[0] % 32 == 0 else T.BF16


out.mkdir(parents=True, exist_ok=True)
expected = {}
for name in names:
    raw = (headers / f"{name}.gguf").read_bytes()
    lines = subprocess.run([driver, str(headers / f"{name}.gguf"), "--tensors"], capture_output=True, text=True, check=True).stdout
    table, offset, parameters, size = {}, 0, 0, 0
    for tensor in map(json.loads, lines.splitlines()):
        shape = tensor["shape"]
        while len(shape) > 1 and shape[-1] == 1:
            shape.pop()
        table[tensor["name"]] = shape
    infos = b""
    for tensor, shape in table.items():
        block, bytes_ = gguf.GGML_QUANT_SIZES[kind(tensor, shape)]
        elements = math.prod(shape)
        infos += struct.pack("<Q", len(tensor)) + tensor.encode() + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        infos += struct.pack("<IQ", kind(tensor, shape), offset)
        parameters += elements
        size += elements // block * bytes_
        offset += -(-(elements // block * bytes_) // 32) * 32
    data = raw[:8] + struct.pack("<Q", len(table)) + raw[16:] + infos
    file = out / f"{name}.gguf"
    file.write_bytes(data + b"\0" * (-len(data) % 32))
    lines = "".join(f"{c} 2048 512 {n} {u} {f} {w} {k} {v}\n" for c, n, u, f, w, k, v in SETTINGS)
    answers = subprocess.run([driver, str(headers / f"{name}.gguf")], input=lines, capture_output=True, text=True).stdout.splitlines()
    rows = []
    for (c, n, u, f, w, k, v), answer in zip(SETTINGS, map(json.loads, answers), strict=True):
        keys = ("n_ctx", "n_ctx_seq", "k_bytes", "v_bytes", "recurrent_bytes", "total_bytes")
        result = [answer[key] for key in keys] if "n_ctx" in answer else answer["refused"].split(": ", 1)[-1]
        rows.append([c, 2048, 512, n, bool(u), FLASH[f], bool(w), k, v, result])
    expected[name] = {"parameters": parameters, "weight_bytes": size, "tensors": len(table), "rows": rows}
    print(name, file.stat().st_size, len(table), parameters)
(out / "expected.json").write_text("{\n" + ",\n".join(f" {json.dumps(n)}: {json.dumps(e)}" for n, e in expected.items()) + "\n}\n")
