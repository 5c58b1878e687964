#!/bin/sh
# Makes a CUDA device that is none (tests/pretend_gpu/), of LibTorch's headers, and runs on it what needs a GPU.
# TARGET is the folder of the built files. With the argument `counts` it prints what docs/performance.md says.
set -eu
cd "$(dirname "$0")/.."
: "${TARGET:=$PWD/target/release}" "${LIBTORCH:=$PWD/.libtorch/torch}" "${CARGO:=cargo}"

sources=tests/pretend_gpu
made=$TARGET/pretend_gpu
flags="-std=c++17 -O1 -fPIC -Wall -Wextra"
include="-isystem $LIBTORCH/include -isystem $LIBTORCH/include/torch/csrc/api/include"
mkdir -p "$made"

is_newer() {
    [ ! -f "$2" ] || [ -n "$(find "$1" "$sources/pretend.h" "$LIBTORCH/lib/libtorch_cpu.so" -newer "$2")" ]
}
# LibTorch's headers take long: side by side.
running=
for source in "$sources"/*.cpp; do
    object=$made/$(basename "$source" .cpp).o
    if is_newer "$source" "$object"; then
        { ${CXX:-c++} $flags $include -c "$source" -o "$object.new" && mv "$object.new" "$object"; } &
        running="$running $!"
    fi
done
for process in $running; do wait "$process"; done
${CXX:-c++} -shared "$made"/*.o "-L$LIBTORCH/lib" -ltorch_cpu -ltorch -lc10 "-Wl,-rpath,$LIBTORCH/lib" \
    -o "$made/libtorch_cuda.so"
${CC:-cc} -std=c99 -Wall -Wextra -O1 -fPIC -shared "$sources/driver.c" -Wl,-soname,libcuda.so.1 -o "$made/libcuda.so.1"

# The driver is found by its name among what is loaded.
export HMTL_CUDA="$made" LD_PRELOAD="$made/libcuda.so.1"
if [ "${1-}" = counts ]; then
    HMTL_WORKERS=8 exec $CARGO test --release --locked --test pretend_gpu -- --ignored --nocapture
fi
HMTL_WORKERS=1 $CARGO test --release --locked --test pretend_gpu
HMTL_STREAMS=off $CARGO test --release --locked --test pretend_gpu workers_annotate_in_streams
$CARGO test --release --locked --test gpu
echo "tests/pretend_gpu.sh: ok"
