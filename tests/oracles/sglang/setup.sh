#!/usr/bin/env bash
# Sets up SGLang 0.5.23 for run.py on a machine without a GPU.
# usage: setup.sh DIR    (about 10 GB in DIR; needs Python 3.11, a C compiler and PyPI)
set -euo pipefail
dir=${1:?usage: setup.sh DIR}
python3.11 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --no-cache-dir uv
"$dir/venv/bin/uv" pip install --quiet --no-cache --python "$dir/venv/bin/python" sglang==0.5.23

# A libcuda.so.1 that answers every driver call with CUDA_ERROR_NO_DEVICE (100):
# the engine's extensions link it, none of them is called while planning.
mkdir -p "$dir/lib"
site=$("$dir/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
{
  find "$site" -name '*.so*' -type f -print0 |
    xargs -0 -n 50 nm -D --undefined-only 2>/dev/null |
    grep -oE '\bcu[A-Z][A-Za-z0-9_]*' |
    grep -vE '^cu(blas|dnn|fft|rand|solver|sparse|pti|pyt|file)'
  printf '%s\n' cuGetProcAddress cuGetProcAddress_v2 cuInit cuDriverGetVersion
} | sort -u | sed 's/.*/int &(void) { return 100; }/' > "$dir/lib/stub.c"
cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$dir/lib/libcuda.so.1" "$dir/lib/stub.c"
ln -sf libcuda.so.1 "$dir/lib/libcuda.so"
echo "ready: LD_LIBRARY_PATH=$dir/lib CUDA_HOME=$site/nvidia/cu13 $dir/venv/bin/python run.py …"
