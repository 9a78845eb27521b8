"""Shortens run.py's answers to what tests/fixtures/sglang holds.

usage: fixture.py OUT.json... > tests/fixtures/sglang/NAME.json

Left out: configurations whose code only the model's own repository has, and what run.py itself could not
pretend. A row keeps `config`, `args` and `expect`.
"""
import json
import sys

NOT_THE_ENGINE = ("does not recognize this architecture", "trust_remote_code", "'Stub' object", "is not a local folder",
                  "contains custom code", "Cannot find the config file for modelopt", "is not subscriptable")


def main():
    rows = []
    for name in sys.argv[1:]:
        for row in json.load(open(name)):
            expect = row["expect"]
            if any(text in expect.get("refused", "") for text in NOT_THE_ENGINE):
                continue
            if "refused" in expect:
                expect = {"refused": expect["refused"].splitlines()[0][:160]}
            elif "--memory-utilization" not in row["args"]:
                expect["mem_fraction"] = f"{row['mem_fraction_static']:.12f}".rstrip("0")
            rows.append({"config": row["config"], "args": row["args"], "expect": expect})
    print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")


if __name__ == "__main__":
    main()
