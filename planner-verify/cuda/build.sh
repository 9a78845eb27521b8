#!/bin/sh
# Builds kvplan for an NVIDIA GPU without a system-wide CUDA toolkit: the compiler and the libraries come
# as wheels from PyPI. Needs python3 with pip, a C++ compiler and cargo; no GPU.
#
#     planner-verify/cuda/build.sh [cargo build options]
#
# CUDA_COMPUTE_CAP  the card's compute capability (default 90: H100 and H200)
# CUDA_TARGET_DIR   where cargo builds (default target/cuda)
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/target/cuda-home
target=${CUDA_TARGET_DIR:-$root/target/cuda}

# Wheels of CUDA 13.0: the oldest that candle's cudarc and current drivers both take.
wheels="nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-cccl==13.0.85
    nvidia-cublas==13.0.2.14 nvidia-curand==10.4.0.35"

if [ ! -e "$home/complete" ]; then
    rm -rf "$home"
    mkdir -p "$home/wheels"
    # shellcheck disable=SC2086 # a list of words
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$home/wheels" $wheels
    for wheel in "$home"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$home/unpacked"
    done
    rm -rf "$home/wheels"
    mv "$home/unpacked/nvidia/cu13" "$home/cu13"
    rm -rf "$home/unpacked"
    # A zip archive unpacked by Python loses the executable bit.
    chmod +x "$home"/cu13/bin/* "$home"/cu13/nvvm/bin/*
    # The linker looks for lib64 and for names without a version.
    ln -s lib "$home/cu13/lib64"
    for library in "$home"/cu13/lib/*.so.*; do
        ln -sf "$(basename "$library")" "${library%%.so.*}.so"
    done
    touch "$home/complete"
fi

# The driver's libcuda is in no wheel. What stands for it (driver.c) has the names that cudarc declares.
cudarc=$(cargo metadata --format-version 1 --locked --manifest-path "$root/Cargo.toml" --features cuda \
    --filter-platform x86_64-unknown-linux-gnu |
    python3 -c 'import json, os, sys
print(*[os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"])')
stubs=$home/cu13/lib/stubs
mkdir -p "$stubs"
grep -oh 'fn cu[A-Z][A-Za-z0-9_]*' "$cudarc/src/driver/sys/mod.rs" | sort -u |
    sed 's/fn \(.*\)/NAME(\1)/' >"$home/names.h"
cc -O2 -fPIC -I "$home" -c -o "$home/driver.o" "$root/planner-verify/cuda/driver.c"
rm -f "$stubs/libcuda.a"
ar rcs "$stubs/libcuda.a" "$home/driver.o"

export CUDA_HOME="$home/cu13"
export CUDA_PATH="$CUDA_HOME"
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}"
export CUDARC_CUDA_VERSION=13000
export PATH="$CUDA_HOME/bin:$PATH"
export LIBRARY_PATH="$CUDA_HOME/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
export RUSTFLAGS="${RUSTFLAGS:-} -L native=$CUDA_HOME/lib -L native=$CUDA_HOME/lib/stubs -C link-arg=-Wl,-rpath,$CUDA_HOME/lib"
cargo build --release --locked --package planner-cli --features cuda --target-dir "$target" \
    --manifest-path "$root/Cargo.toml" "$@"
echo "built $target/release/kvplan"
