"""Writes the option names of llama.cpp's `common/arg.cpp`, one a line.

usage: llamacpp.py LLAMA_CPP > tests/fixtures/flags/llamacpp.txt    (LLAMA_CPP: source of 0c1e57098)
"""
import re
import sys

source = open(f"{sys.argv[1]}/common/arg.cpp").read()
# an option is common_arg({names}, …) or common_arg({names}, {names that negate}, …)
lists = re.findall(r"common_arg\(\s*((?:\{[^{}]*\}\s*,\s*)+)", source)
print("\n".join(sorted({name for names in lists for name in re.findall(r'"(-{1,2}[A-Za-z][^"]*)"', names)})))
