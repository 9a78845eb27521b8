#!/bin/sh
# setup.sh DIR: a Python 3.11 environment in DIR with the pinned quantizers. GPTQModel is only read: its kernels
# are not built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python3.11 -m venv "$1"
"$1/bin/pip" install -r "$here/requirements.txt"
"$1/bin/pip" download --no-deps --no-binary :all: --no-build-isolation -d "$1" gptqmodel==7.7.0
tar -xzf "$1/gptqmodel-7.7.0.tar.gz" -C "$1"
