#!/usr/bin/env python3
"""Write header-only GGUF files of invented shapes, for architectures that no configuration here reaches.

usage: shapes.py DRIVER OUT_DIR [MORE.json]

The keys below decide the size of a context. Whatever else the loader asks for ("key not found in
model") is added with a neutral value until the driver loads the file. `OUT_DIR/shapes.json` holds the
keys below for the fixture. MORE.json: {name: {"arch", "metadata"}} to write as well.
"""
import json, re, subprocess, sys
from pathlib import Path

import gguf

COMMON = {"block_count": 12, "context_length": 32768, "embedding_length": 1024, "feed_forward_length": 2048,
          "attention.head_count": 16, "attention.head_count_kv": 4}
MLA = {"attention.head_count_kv": 1, "attention.kv_lora_rank": 256, "attention.q_lora_rank": 256, "attention.key_length": 320,
       "attention.value_length": 256, "attention.key_length_mla": 128, "attention.value_length_mla": 64, "rope.dimension_count": 64}
NOPE = {**MLA, "attention.key_length": 256, "attention.key_length_mla": 64, "rope.dimension_count": 0}
SWA_MLA = {"attention.kv_lora_rank_swa": 128, "attention.key_length_swa": 192, "attention.value_length_swa": 128,
           "attention.key_length_mla_swa": 128, "attention.value_length_mla_swa": 64}
MOE = {"expert_count": 8, "expert_used_count": 2, "expert_feed_forward_length": 256, "leading_dense_block_count": 1}
SSM = {"ssm.conv_kernel": 4, "ssm.inner_size": 2048, "ssm.state_size": 64, "ssm.group_count": 2, "ssm.time_step_rank": 32}
RANKS = {f"attention.{part}_lora_rank": 64 for part in ("decay", "iclr", "value_residual_mix", "gate")}
EVERY4 = [0 if (i + 1) % 4 else 4 for i in range(12)]
SWA4 = [bool((i + 1) % 4) for i in range(12)]
WINDOW = {"attention.sliding_window": 512}
INDEXER = {"attention.indexer.head_count": 4, "attention.indexer.key_length": 64, "attention.indexer.top_k": 16}
SHAPES = {
    "rwkv6": {**COMMON, "attention.head_count": 0, "wkv.head_size": 64},
    "rwkv7": {**COMMON, **RANKS, "attention.head_count": 0, "wkv.head_size": 64},
    "arwkv7": {**COMMON, **RANKS, "attention.head_count": 0, "wkv.head_size": 64, "token_shift_count": 1},
    "rwkv6qwen2": {**COMMON, "attention.head_count": 0, "wkv.head_size": 64, "token_shift_count": 1},
    "jamba": {**COMMON, **SSM, **MOE, "attention.head_count_kv": EVERY4},
    "plamo2": {**COMMON, **SSM, "ssm.group_count": 0, "attention.head_count": [4 * x for x in EVERY4], "attention.head_count_kv": EVERY4,
               "attention.key_length": 128, "attention.value_length": 128},
    "plamo3": {**COMMON, **WINDOW},
    "minimax-01": {**COMMON, **MOE, "attention.key_length": 64, "attention.value_length": 64, "full_attention_interval": 4},
    "qwen3next": {**COMMON, **SSM, **MOE, "full_attention_interval": 3, "attention.key_length": 128, "attention.value_length": 128},
    "granitehybrid": {**COMMON, **SSM, "attention.head_count_kv": EVERY4},
    "falcon-h1": {**COMMON, **SSM},
    "nemotron_h": {**COMMON, **SSM, "attention.head_count_kv": [0, 0, 4] * 4, "feed_forward_length": [0, 2048, 0] * 4,
                   "attention.key_length": 128, "attention.value_length": 128},
    "lfm2": {**COMMON, "attention.head_count_kv": EVERY4, "shortconv.l_cache": 3, **WINDOW},
    "kimi-linear": {**COMMON, **MLA, **MOE, "attention.value_length": 96, "attention.head_count_kv": [min(x, 1) for x in EVERY4],
                    "ssm.conv_kernel": 4, "kda.head_dim": 64},
    "deepseek2": {**COMMON, **MLA, **MOE},
    "glm-dsa": {**COMMON, **MLA, **MOE, "attention.indexer.head_count": 4, "attention.indexer.key_length": 128, "attention.indexer.top_k": 512,
                "context_length": 1 << 20, "nextn_predict_layers": 1},
    "minimax-m3": {**COMMON, **MOE, "leading_dense_block_count": 3, "attention.indexer.head_count": 4, "attention.indexer.key_length": 64,
                   "attention.indexer.top_k": 16, "attention.indexer.block_size": 64, "attention.indexer.local_blocks": 1,
                   "attention.key_length": 128, "attention.value_length": 128},
    "nanbeige": {**COMMON, "num_loops": 3},
    "smallthinker": {**COMMON, **MOE, **WINDOW, "expert_gating_func": 2},
    "grok": {**COMMON, **MOE},
    "mpt": {**COMMON},
    "refact": {**COMMON, "attention.head_count_kv": 1},
    "step35": {**COMMON, **MOE, **WINDOW, "attention.sliding_window_pattern": SWA4, "attention.head_count_kv": [2 + 2 * x for x in SWA4],
               "attention.key_length": 128, "attention.value_length": 128},
    "maple": {**COMMON, **MOE, **WINDOW, "attention.sliding_window_pattern": SWA4},
    "granite_swa": {**COMMON, **WINDOW, "attention.sliding_window_pattern": SWA4},
    "mimo2": {**COMMON, **MOE, **WINDOW, "attention.sliding_window_pattern": SWA4, "attention.head_count_kv": [2 + 2 * x for x in SWA4],
              "attention.key_length": 192, "attention.value_length": 128},
    "gemma3n": {**COMMON, **WINDOW, "block_count": 25, "attention.key_length": 128, "attention.value_length": 128},
    "gemma4": {**COMMON, **WINDOW, "attention.sliding_window_pattern": SWA4, "attention.key_length": 256, "attention.value_length": 256,
               "attention.key_length_swa": 128, "attention.value_length_swa": 128, "attention.shared_kv_layers": 4},
    "exaone4": {**COMMON, **WINDOW},
    "mellum": {**COMMON, **MOE, **WINDOW},
    "openelm": {**COMMON, "attention.head_count": [12, 12, 16, 16] * 3, "attention.head_count_kv": [3, 3, 4, 4] * 3,
                "attention.key_length": 64, "attention.value_length": 64},
    "deci": {**COMMON, "attention.head_count_kv": [4, 8, 0, 4] * 3, "attention.head_count": [16, 16, 0, 16] * 3, "attention.key_length": 64,
             "attention.value_length": 64},
    "t5": {**COMMON, "attention.head_count_kv": 16, "attention.key_length": 64, "attention.value_length": 64},
    "llama4": {**COMMON, **MOE},
    "chatglm": {**COMMON, "attention.head_count_kv": 2},
    "kimi-k3": {**COMMON, **MLA, **MOE, "attention.head_count_kv": [min(x, 1) for x in EVERY4], "ssm.conv_kernel": 4, "kda.head_dim": 64},
    "glm5-next": {**COMMON, **NOPE, **MOE, **INDEXER, "attention.indexer.kpool": 4, "hyper_connection.count": 4, "attention.head_count_kv": [min(x, 1) for x in EVERY4], "ssm.conv_kernel": 4, "kda.head_dim": 64},
    "glm5-next:listed": {**COMMON, **NOPE, **MOE, **INDEXER, "attention.indexer.kpool": 4, "hyper_connection.count": 4, "attention.head_count_kv": [min(x, 1) for x in EVERY4], "ssm.conv_kernel": 4,
                         "kda.head_dim": 64, "nextn_predict_layers": 1, "attention.indexer.types": [i % 8 == 3 for i in range(11)]},
    "graniteswitch": {**COMMON, "adapters.token_ids_activate": [1], "adapters.token_ids_substitute": [1]},
    "glm-dsa:short": {**COMMON, **MLA, **MOE, **INDEXER, "nextn_predict_layers": 1},
    "glm-dsa:listed": {**COMMON, **MLA, **MOE, **INDEXER, "context_length": 1 << 20, "attention.indexer.types": [i % 3 == 0 for i in range(12)]},
    "deepseek32": {**COMMON, **MLA, **MOE, **INDEXER, "nextn_predict_layers": 2},
    "hy_v4": {**COMMON, **MLA, **MOE, **INDEXER, "attention.indexer.key_length": 128, "attention.indexer.types": [i % 2 == 0 for i in range(12)]},
    "nanbeige:once": {**COMMON},
    "minimax-01:listed": {**COMMON, **MOE, "attention.key_length": 64, "attention.value_length": 64,
                          "attention.recurrent_layers": [i % 3 != 0 for i in range(12)]},
    "minimax-01:wide": {**COMMON, **MOE},
    "minimax-m3:dense": {**COMMON, **MOE, **INDEXER, "leading_dense_block_count": 5, "attention.indexer.block_size": 64,
                         "attention.indexer.local_blocks": 1, "attention.key_length": 128, "attention.value_length": 128},
    "qwen3next:listed": {**COMMON, **SSM, **MOE, "attention.recurrent_layers": [i % 3 != 0 for i in range(12)], "attention.key_length": 128,
                         "attention.value_length": 128, "nextn_predict_layers": 1},
    "qwen3next:usual": {**COMMON, **SSM, **MOE, "attention.key_length": 128, "attention.value_length": 128},
    "kimi-linear:taps": {**COMMON, **MLA, **MOE, "attention.value_length": 96, "attention.head_count_kv": [min(x, 1) for x in EVERY4],
                         "kda.head_dim": 64, "ssm.conv_kernel": 3, "nextn_predict_layers": 1},
    "exaone4:none": {**COMMON, "attention.sliding_window": 0},
    "exaone-moe": {**COMMON, **MOE, **WINDOW},
    "smallthinker:none": {**COMMON, **MOE, "expert_gating_func": 2},
    "llama4:none": {**COMMON, **MOE, "attention.sliding_window": 0},
    "cohere2moe": {**COMMON, **MOE, **WINDOW},
    "laguna": {**COMMON, **MOE, **WINDOW},
    "plamo": {**COMMON},
    "falcon-h1:groups": {**COMMON, **SSM, "ssm.group_count": 4},
    "bailingmoe3": {**COMMON, **MLA, **MOE, "attention.value_length": 96, "attention.head_count_kv": [min(x, 1) for x in EVERY4],
                    "ssm.conv_kernel": 4, "kda.head_dim": 64, "kda.gate_lower_bound": -1.0},
    # a number of layers that is no multiple of the period tells which layer of a period is full
    "qwen3next:13": {**COMMON, **SSM, **MOE, "block_count": 13, "attention.key_length": 128, "attention.value_length": 128},
    "t5encoder": {**COMMON, "attention.head_count_kv": 16, "attention.key_length": 64, "attention.value_length": 64},
    "glm-dsa:14": {**COMMON, **MLA, **MOE, **INDEXER, "block_count": 14, "context_length": 1 << 20},
    "laguna:13": {**COMMON, **MOE, **WINDOW, "block_count": 13},
    "smallthinker:13": {**COMMON, **MOE, **WINDOW, "block_count": 13, "expert_gating_func": 2},
    "afmoe:13": {**COMMON, **MOE, **WINDOW, "block_count": 13},
    "kimi-k3:narrow": {**COMMON, **MLA, **MOE, "attention.value_length": 100, "attention.head_count_kv": [min(x, 1) for x in EVERY4],
                       "ssm.conv_kernel": 4, "kda.head_dim": 64},
    "rwkv7:widths": {**COMMON, **RANKS, "attention.head_count": 0, "wkv.head_size": 64, "attention.key_length": 100},
    "dots3note": {**COMMON, **MLA, **MOE, **INDEXER, **WINDOW, **SWA_MLA, "attention.sliding_window_pattern": SWA4,
                  "attention.indexer.types": [not x for x in SWA4]},
}
NEUTRAL = {"rope.dimension_sections": [16, 24, 24, 0], "swiglu_clamp_exp": [7.0] * 12, "swiglu_clamp_shexp": [7.0] * 12,
           "activation": "silu", "use_parallel_residual": True}


def value_of(key):
    if key in NEUTRAL:
        return NEUTRAL[key]
    return 1.0 if re.search(r"epsilon|scale|freq|factor|softcap|alpha|beta|base|magnitude|bound", key) else 1


def write(path, arch, metadata):
    writer = gguf.GGUFWriter(path=None, arch=arch)
    writer.add_tokenizer_model("no_vocab")
    for key, value in {"vocab_size": 4096, **metadata}.items():
        key = key if key.startswith(("general.", "tokenizer.")) else f"{arch}.{key}"
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_uint32(key, value)
    writer.write_header_to_file(path=path)
    writer.write_kv_data_to_file()
    writer.close()


if __name__ == "__main__":
    driver, out = sys.argv[1], Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    # a name is an architecture, and where there are several shapes of it what is particular
    shapes = {name.replace(":", "-"): {"arch": name.split(":")[0], "metadata": metadata} for name, metadata in SHAPES.items()}
    if len(sys.argv) > 3:
        for name, entry in json.load(open(sys.argv[3])).items():
            prefix = entry["arch"] + "."
            shapes[name] = {"arch": entry["arch"], "metadata": {k.removeprefix(prefix): v for k, v in entry["metadata"].items()}}
    index = {}
    for name, entry in shapes.items():
        more = {"attention.layer_norm_rms_epsilon": 1e-5, "attention.layer_norm_epsilon": 1e-5}
        if entry["metadata"].get("expert_count"):
            more["expert_used_count"] = 1
        if entry["arch"] == "rwkv7":
            more.update(RANKS)
        for _ in range(40):
            write(out / f"{name}.gguf", entry["arch"], {**more, **entry["metadata"]})
            p = subprocess.run([driver, str(out / f"{name}.gguf")], input="", capture_output=True, text=True, env={"DRIVER_LOG": "1"})
            missing = re.search(r"key not found in model: (\S+)", p.stderr + p.stdout)
            if not missing:
                break
            key = missing[1].removeprefix(entry["arch"] + ".")
            more[key] = value_of(key)
        failed = "failed" in p.stdout or p.returncode
        index[name] = {"arch": entry["arch"]}
        if failed:
            errors = [x for x in (p.stderr + p.stdout).splitlines() if "error" in x or "ASSERT" in x]
            print(name, errors[:1])
    (out / "index.json").write_text(json.dumps(index))
    (out / "shapes.json").write_text(json.dumps(shapes, indent=1))
