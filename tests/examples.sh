#!/bin/sh
# Compiles the C and C++ examples with the library as it was built, and runs them. TARGET is the folder of the
# built files.
set -eu
cd "$(dirname "$0")/.."
: "${TARGET:=$PWD/target/release}"
work=$(mktemp -d "$TARGET/examples-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

contains() {
    case $1 in *"$2"*) ;; *)
        echo "FAILED: tests/examples.sh: an example printed, without $2: $1" >&2
        exit 1
        ;;
    esac
}
flags="-Wall -Wextra -Werror -pedantic -O2 -Iinclude -Ibindings/cpp"
for language in c cpp; do
    case $language in
    c) compiler="${CC:-cc} -std=c99" ;;
    cpp) compiler="${CXX:-c++} -std=c++17" ;;
    esac
    for source in examples/$language/*."$language"; do
        name=$work/$(basename "$source" ".$language")
        $compiler $flags "$source" "-L$TARGET" -lhmtl "-Wl,-rpath,$TARGET" -pthread -o "$name"
    done
    contains "$(echo 'Maria lives in Lisbon.' | "$work/batch")" '"Maria"'
    contains "$(printf 'Maria\nleft\n' | "$work/tokens")" '"Maria"'
    contains "$("$work/train" "$work/$language-model")" '"LOC"'
    [ -f "$work/$language-model/manifest.json" ]
    contains "$("$work/finetune")" '"FOOD"'
done
contains "$("$work/annotate")" Solberg
contains "$("$work/quickstart")" Solberg
echo "tests/examples.sh: ok"
