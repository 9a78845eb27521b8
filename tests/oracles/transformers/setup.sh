#!/bin/sh
# setup.sh DIR: a Python 3.11 environment with the pinned transformers in DIR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python3.11 -m venv "$1"
"$1/bin/pip" install -r "$here/requirements.txt"
