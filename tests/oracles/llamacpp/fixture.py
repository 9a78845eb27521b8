#!/usr/bin/env python3
"""Pack run.py's answers into the fixture that the tests read.

usage: fixture.py ANSWERS.json FIXTURE.json [ROWS [SHAPES.json]]

A row is [ctx, batch, ubatch, parallel, unified, flash, swa_full, k, v, answer]; an answer is
[n_ctx, n_ctx_seq, k_bytes, v_bytes, recurrent_bytes, total_bytes] or the engine's message. Rows on
which the engine ran out of this machine's memory say nothing and are left out. SHAPES.json (of shapes.py) adds the metadata.
"""
import json, sys

answers = json.load(open(sys.argv[1]))
most = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
shapes = json.load(open(sys.argv[4])) if len(sys.argv) > 4 else {}
out = []
count, archs = 0, set()
for name, entry in sorted(answers.items()):
    rows = []
    for args, answer in entry["rows"][:most]:
        flags = {args[i]: args[i + 1] for i in range(0, len(args) - 1) if args[i].startswith("--") and args[i] != "--swa-full"}
        if "refused" in answer:
            if "allocate" in answer["refused"] or not answer["refused"]:
                continue
            result = answer["refused"].split(": ", 1)[-1]
        elif "n_ctx" in answer:
            result = [answer[k] for k in ("n_ctx", "n_ctx_seq", "k_bytes", "v_bytes", "recurrent_bytes", "total_bytes")]
        else:
            continue
        number = lambda flag: int(flags[flag])
        rows.append([number("--ctx-size"), number("--batch"), number("--ubatch"), number("--n-parallel"),
                     flags["--kv-unified"] == "on", flags["--flash-attn"], "--swa-full" in args,
                     flags["--k-dtype"], flags["--v-dtype"], result])
    if rows:
        count += len(rows)
        archs.add(entry["arch"])
        metadata = f', "metadata": {json.dumps(shapes[name]["metadata"])}' if shapes else ""
        out.append(f' {json.dumps(name)}: {{"arch": {json.dumps(entry["arch"])}{metadata}, "rows": [\n  '
                   + ",\n  ".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]}")
open(sys.argv[2], "w").write("{\n" + ",\n".join(out) + "\n}\n")
print(f"{count} rows, {len(out)} models, {len(archs)} architectures")
