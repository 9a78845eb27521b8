#!/usr/bin/env bash
# Sets up vLLM 0.33.0 for run.py on a machine without a GPU.
# usage: setup.sh DIR    (about 17 GB in DIR; needs Python 3.12, a C compiler and PyPI)
set -euo pipefail
dir=${1:?usage: setup.sh DIR}
python=${PYTHON:-python3.12}
"$python" -c 'import sys; assert sys.version_info[:2] == (3, 12)' || { echo "set PYTHON to a Python 3.12" >&2; exit 1; }
mkdir -p "$dir"
"$python" -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --no-cache-dir uv
"$dir/venv/bin/uv" pip install --quiet --no-cache --python "$dir/venv/bin/python" vllm==0.33.0
# cuda-python 12, which the resolver adds, writes older files over those of cuda-bindings 13
"$dir/venv/bin/uv" pip install --quiet --no-cache --python "$dir/venv/bin/python" --reinstall --no-deps \
  "cuda-bindings==$("$dir/venv/bin/python" -c 'import importlib.metadata as m; print(m.version("cuda-bindings"))')"

# A libcuda.so.1 that answers every driver call with CUDA_ERROR_NO_DEVICE (100):
# the engine's extensions link it, none of them is called while planning.
mkdir -p "$dir/lib"
site=$("$dir/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
find "$site" \( -name '*.so' -o -name '*.so.[0-9]*' \) -type f -print0 |
  xargs -0 -n 50 nm -D --undefined-only 2>/dev/null |
  grep -oE '\bcu[A-Z][A-Za-z0-9_]*' |
  grep -vE '^cu(blas|dnn|fft|rand|solver|sparse|pti|pyt|file)' | sort -u > "$dir/lib/symbols"
{
  echo 'cuGetProcAddress'; echo 'cuGetProcAddress_v2'; echo 'cuInit'; echo 'cuDriverGetVersion'
} >> "$dir/lib/symbols"
sort -u "$dir/lib/symbols" | sed 's/.*/int &(void) { return 100; }/' > "$dir/lib/stub.c"
cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$dir/lib/libcuda.so.1" "$dir/lib/stub.c"
ln -sf libcuda.so.1 "$dir/lib/libcuda.so"
echo "ready: LD_LIBRARY_PATH=$dir/lib $dir/venv/bin/python run.py …"
