#!/usr/bin/env python3
"""Shorten answers of run.py to a fixture: fixture.py OUT.json FIXTURE.json

Of a spec `engine.layers` keeps kind, tokens of a block, bytes of a page, alignment of its stride and how many layers are
so; `engine.heads` kind, KV heads, widths of a key and of a value (states have none) and how many; `engine.groups` kind,
layers, tokens of a block, bytes of a page, blocks of one request.
"""
import json
import sys
from collections import Counter

KINDS = {"FullAttentionSpec": "full", "MLAAttentionSpec": "latent", "SlidingWindowSpec": "sliding", "SlidingWindowMLASpec": "sliding_latent",
         "ChunkedLocalAttentionSpec": "chunked", "MambaSpec": "state", "CrossAttentionSpec": "cross"}


def expect(row):
    found = dict(row["expect"])
    if "refused" in found: return {"refused": found["refused"][:200]}
    layers, heads = Counter(), Counter()
    for count, spec in (run for rank in row["layers"] for run in rank):
        kind = KINDS[spec["type"]]
        layers[kind, spec["block_size"], spec["page"], spec.get("stride_alignment", 1)] += count
        if kind != "state": heads[kind, spec["num_kv_heads"], spec["head_size"], spec.get("head_size_v", 0)] += count
    for key, of in (("block_size", "block_size"), ("backends", "backends"), ("cache_dtype", "cache_dtype"),
                    ("max_model_len", "max_model_len"), ("in_flight_tokens", "in_flight"), ("min_prefix_hit_tokens", "hit")):
        found[f"engine.{key}"] = row[of]
    found["engine.groups"] = [[KINDS.get(g["type"]), g["n"], g["block_size"], g["page"], g["blocks_per_request"]] for g in row["groups"]]
    for key, counts in (("layers", layers), ("heads", heads)):
        found[f"engine.{key}"] = [[*spec, count] for spec, count in sorted(counts.items())]
    return found


rows = [{key: row[key] for key in ("config", "change", "args") if key in row} | {"expect": expect(row)} for row in json.load(open(sys.argv[1]))]
open(sys.argv[2], "w").write("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
print(f"{len(rows)} rows, {sum('refused' in row['expect'] for row in rows)} refused")
