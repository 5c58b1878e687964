#!/bin/sh
# Compares the C API with the one that programs have been built against: check.sh [PART|update]
#
# The stored API of ABI version N is hmtl-N.h, the first header; hmtl-N.abi.xml, its functions and types as
# libabigail sees them; and symbols.txt, the functions and the version that brought each. `update` adds
# new functions to the last two, or begins the next N when HMTL_ABI_VERSION has grown.
#
# A PART (names, declarations, types, library, program) is compared alone. HEADER and LIBRARY name
# others to compare.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
library=${LIBRARY:-${CARGO_TARGET_DIR:-target}/release/libhmtl.so}
header=${HEADER:-include/hmtl.h}
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: tests/abi/check.sh: $1" >&2
    exit 1
}

abi=$(sed -n 's/^#define HMTL_ABI_VERSION //p' "$header")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
first=$here/hmtl-$abi.h baseline=$here/hmtl-$abi.abi.xml symbols=$here/symbols.txt

# functions MODE HEADER
functions() {
    $cc -E -P "$2" | awk -v mode="$1" -f "$here/functions.awk"
}

# A library of empty functions has the types of the header in C's own words; libhmtl.so has Rust's.
describe() {
    functions stub "$1" >"$work/hmtl.c"
    (cd "$work" && $cc -std=c99 -w -g -O0 -shared -fPIC hmtl.c -o stub.so) || fail "$1 does not compile"
    # Neither paths nor what is no part of the ABI.
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-parameter-names --no-elf-needed \
        --no-architecture "$work/stub.so"
}

declared() {
    functions prototypes "$1" | grep -o 'hmtl_[a-z0-9_]*(' | tr -d '(' | LC_ALL=C sort
}

# Whatever the first header declares, the present one declares alike: C compares them.
compare_declarations() {
    {
        echo '#include <stddef.h>'
        printf '#include "%s"\n' "$(cd "$(dirname "$header")" && pwd)/${header##*/}"
        functions prototypes "$first"
        sed -n 's/^ *\(HMTL_[A-Z0-9_]*\) = \([0-9]*\),$/_Static_assert(\1 == \2, "\1");/p' "$first"
        # The one struct that is no secret.
        echo '_Static_assert(sizeof(hmtl_str) == sizeof(char *) + sizeof(size_t), "hmtl_str");'
        echo '_Static_assert(offsetof(hmtl_str, data) == 0, "hmtl_str.data");'
        echo '_Static_assert(offsetof(hmtl_str, len) == sizeof(char *), "hmtl_str.len");'
        echo 'void types(hmtl_str s); void types(hmtl_str s) { const char *d = s.data; size_t *n = &s.len; (void)d; (void)n; }'
    } >"$work/declarations.c"
    $cc -std=c11 -Werror -fsyntax-only "$work/declarations.c" 2>"$work/log" ||
        fail "the header differs from $first: $(grep 'error' "$work/log" | head -n 5)"
}

compare_types() {
    if ! command -v abidiff >/dev/null || ! command -v abidw >/dev/null; then
        echo "SKIPPED: tests/abi/check.sh: types by abidiff: abigail-tools is not installed; names and declarations are compared"
        return
    fi
    describe "$header" >"$work/now.xml"
    abidiff --no-added-syms "$baseline" "$work/now.xml" >"$work/log" 2>&1 ||
        fail "incompatible with $baseline: $(cat "$work/log")"
}

compare_symbols() {
    sed 's/ .*//' "$symbols" >"$work/stored"
    [ -z "$(comm -23 "$work/stored" "$1")" ] || fail "$2 lacks: $(comm -23 "$work/stored" "$1" | tr '\n' ' ')"
    [ -z "$(comm -13 "$work/stored" "$1")" ] ||
        fail "$2 has more than $symbols: $(comm -13 "$work/stored" "$1" | tr '\n' ' '); \`make abi\` adds them"
}

compare_names() {
    declared "$header" >"$work/declared"
    compare_symbols "$work/declared" "$header"
}

compare_library() {
    readelf --dyn-syms -W "$library" | awk '$7 != "UND" && $8 != "" && $5 != "LOCAL" && $4 != "TLS" { print $8 }' |
        grep -v '^Name$' | LC_ALL=C sort >"$work/exported"
    compare_symbols "$work/exported" "$library"
    soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    [ "$soname" = "libhmtl.so.$abi" ] || fail "the SONAME of ABI version $abi is $soname"
}

# A program that was built with the first header runs with the present library.
run_program() {
    mkdir "$work/first"
    cp "$first" "$work/first/hmtl.h"
    folder=$(cd "$(dirname "$library")" && pwd)
    $cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$work/first" "$here/old_program.c" -L"$folder" -lhmtl \
        "-Wl,-rpath,$folder" -o "$work/old_program" || fail "old_program.c does not build"
    "$work/old_program" "$PWD/models/default" || fail "a program of the first header no longer runs"
}

update() {
    command -v abidw >/dev/null || fail "abidw is missing: install abigail-tools"
    declared "$header" >"$work/declared"
    if [ -f "$first" ]; then
        sed 's/ .*//' "$symbols" >"$work/stored"
        [ -z "$(comm -23 "$work/stored" "$work/declared")" ] || fail "a function is gone: raise ABI_VERSION in build.rs"
        compare_declarations
        compare_types
    else
        cp "$header" "$first"
        : >"$symbols"
    fi
    describe "$header" >"$work/now.xml"
    cp "$work/now.xml" "$baseline"
    while read -r name; do
        grep "^$name " "$symbols" || echo "$name $version"
    done <"$work/declared" >"$work/symbols"
    cp "$work/symbols" "$symbols"
    echo "tests/abi: $(wc -l <"$symbols") functions of ABI version $abi"
}

case ${1:-} in
update) update ;;
"" | names | declarations | types | library | program)
    [ -f "$first" ] || fail "there is no $first: begin ABI version $abi with \`make abi\`"
    case ${1:-} in
    names | declarations | types | library) "compare_$1" ;;
    program) run_program ;;
    "")
        compare_names
        compare_declarations
        compare_types
        compare_library
        run_program
        echo "tests/abi/check.sh: ok"
        ;;
    esac
    ;;
*) fail "usage: check.sh [names|declarations|types|library|program|update]" ;;
esac
