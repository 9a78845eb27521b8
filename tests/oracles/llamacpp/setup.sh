#!/bin/sh
# Builds llama.cpp 0c1e57098 (vendored in llama-cpp-python 0.3.36) for the CPU, and the driver.
# usage: setup.sh WORK_DIR    (outside this repository; a few minutes and 1 GiB)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
version=0.3.36
python3 -m venv venv
venv/bin/pip install --quiet cmake ninja numpy gguf torch transformers sentencepiece
export PATH="$PWD/venv/bin:$PATH"
test -d "llama_cpp_python-$version" || {
    pip download --no-binary llama-cpp-python --no-deps "llama-cpp-python==$version"
    tar xzf "llama_cpp_python-$version.tar.gz"
}
ln -sfn "llama_cpp_python-$version/vendor/llama.cpp" llama.cpp
# no optimisation: only allocation is measured, and assertions stay in
nice -n 10 cmake -G Ninja -S llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O0 \
    -DCMAKE_CXX_FLAGS_RELEASE=-O0 -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF -DLLAMA_CURL=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF \
    -DLLAMA_BUILD_COMMON=OFF -DBUILD_SHARED_LIBS=ON
nice -n 10 ninja -C build -j2 llama
nice -n 10 g++ -std=c++17 -O0 -w -Illama.cpp/include -Illama.cpp/src -Illama.cpp/ggml/include "$here/driver.cpp" \
    -o driver -Lbuild/bin -lllama -lggml -lggml-base -lggml-cpu -Wl,-rpath,"$PWD/build/bin"
echo "built $PWD/driver"
