#!/usr/bin/env python3
"""Count the parameters of every catalogue entry with transformers and compare.

Each entry's `config` is given to the configuration class of its `model_type`, the class that `architectures`
names is built on the meta device (no memory, no weights), and its parameters are counted with tied ones once.
The result must equal `expect.parameters`.

usage: parameters.py [ID ...]        needs transformers 5.23, torch and pyyaml (and timm for Gemma 3n)
exit status 1 where a count differs; entries without `expect.parameters` or without a class are listed.
"""
import pathlib
import sys

import torch
import transformers
import yaml

CATALOG = pathlib.Path(__file__).resolve().parents[3] / "models" / "catalog"
# The released configs spell these classes otherwise than transformers does.
CLASS = {"PhiMoEForCausalLM": "PhimoeForCausalLM", "MPTForCausalLM": "MptForCausalLM"}
# Kimi K2 is DeepSeek V3's class under another model_type.
MODEL_TYPE = {"kimi_k2": "deepseek_v3"}


def count(config):
    """Parameters that the class of this config builds, tied ones once."""
    config = {k: v for k, v in config.items() if k != "quantization_config"}
    config["model_type"] = MODEL_TYPE.get(config["model_type"], config["model_type"])
    name = config["architectures"][0]
    built = getattr(transformers, CLASS.get(name, name))
    with torch.device("meta"):
        model = built(transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config))
    model.tie_weights()
    return sum({id(p): p.numel() for p in model.parameters()}.values())


def main(wanted):
    same, wrong, left = 0, [], []
    for path in sorted(CATALOG.glob("*.yaml")):
        for model in yaml.safe_load(path.read_text()):
            if wanted and model["id"] not in wanted:
                continue
            expected = model["expect"].get("parameters")
            try:
                counted = count(model["config"])
            except (AttributeError, KeyError) as error:
                left.append(f"{model['id']}: {type(error).__name__}: {error}")
                continue
            if counted == expected:
                same += 1
            else:
                wrong.append(f"{model['id']}: catalogue {expected}, transformers {counted}")
    for line in left:
        print("no class:", line)
    for line in wrong:
        print("DIFFERS:", line)
    print(f"{same} equal, {len(wrong)} differ, {len(left)} without a class in transformers {transformers.__version__}")
    return bool(wrong)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    sys.exit(main(set(sys.argv[1:])))
