"""Writes the option names of vLLM 0.33.0's own parser (`vllm serve`), one a line.

usage: vllm.py > tests/fixtures/flags/vllm.txt    (in the environment of ../vllm/setup.sh)
"""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vllm"))
import pretend  # noqa: E402

with contextlib.redirect_stdout(sys.stderr):
    pretend.install("h100-80gb")
    from vllm.entrypoints.common.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
print("\n".join(sorted(name for action in parser._actions for name in action.option_strings)))
