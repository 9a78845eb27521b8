"""Writes the option names of SGLang 0.5.23's own parser (`sglang.launch_server`), one a line.

usage: sglang.py > tests/fixtures/flags/sglang.txt    (in an environment with sglang 0.5.23)
"""
import argparse
import sys

sys.path.pop(0)  # this file's own name is the package's
from sglang.srt.server_args import ServerArgs  # noqa: E402

parser = argparse.ArgumentParser()
ServerArgs.add_cli_args(parser)
print("\n".join(sorted(name for action in parser._actions for name in action.option_strings)))
