#!/bin/sh
# Compiles the C++ tests with every compiler and standard at hand and runs them with the library as it was
# built. TARGET is the folder of the built files.
set -eu
cd "$(dirname "$0")/../../.."
: "${TARGET:=$PWD/target/release}"
tests=bindings/cpp/tests
work=$(mktemp -d "$TARGET/cpp-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $tests/run.sh: $1" >&2
    exit 1
}

# compile COMPILER STANDARD SOURCE... OUTPUT
build() {
    compiler=$1 standard=$2
    shift 2
    $compiler "-std=$standard" -Wall -Wextra -Werror -pedantic -Wconversion -Wshadow -Iinclude -Ibindings/cpp "$@" \
        "-L$TARGET" -lhmtl "-Wl,-rpath,$TARGET" -pthread
}

ran=
for compiler in ${CXX:-g++} clang++; do
    if ! command -v "$compiler" >/dev/null; then
        echo "SKIPPED: C++ tests with $compiler, which is not installed"
        continue
    fi
    for standard in c++17 c++20; do
        name=$work/$compiler-$standard
        build "$compiler" "$standard" "$tests/wrapper_test.cpp" "$tests/second.cpp" -o "$name" ||
            fail "$compiler with $standard"
        mkdir "$name.scratch"
        HMTL_WORKERS=2 "$name" "$name.scratch" >"$work/out" || fail "$compiler with $standard: the tests"
        [ "$(cat "$work/out")" = ok ] || fail "$compiler with $standard: $(cat "$work/out")"
    done
    if printf '#include <nlohmann/json.hpp>\n' | $compiler -std=c++17 -E -x c++ - >/dev/null 2>&1; then
        build "$compiler" c++17 "$tests/nlohmann_test.cpp" -o "$work/nlohmann" || fail "$compiler with nlohmann/json"
        "$work/nlohmann" >"$work/out" || fail "the tests with nlohmann/json"
    else
        echo "SKIPPED: C++ tests with nlohmann/json, which is not installed"
    fi
    ran=yes
done
[ -n "$ran" ] || exit 0
echo "$tests/run.sh: ok"
