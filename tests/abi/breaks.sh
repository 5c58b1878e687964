#!/bin/sh
# Breaks copies of the header and shows that check.sh sees each break, and nothing where none is.
set -eu

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
abi=$(sed -n 's/^#define HMTL_ABI_VERSION //p' include/hmtl.h)
present=include/hmtl.h
export HEADER="$work/hmtl.h"
count=0

fail() {
    echo "FAILED: tests/abi/breaks.sh: $1" >&2
    exit 1
}

# change WHAT SED: makes the changed header.
change() {
    sed "$2" "$present" >"$HEADER"
    cmp -s "$present" "$HEADER" && fail "$1: the header was not changed"
    ${CC:-cc} -std=c99 -fsyntax-only "$HEADER" || fail "$1: the changed header does not compile"
    count=$((count + 1))
}

sees() {
    if tests/abi/check.sh "$1" >"$work/log" 2>&1; then
        grep -q SKIPPED "$work/log" || fail "$2: $1 does not see it"
    fi
}

bears() {
    tests/abi/check.sh "$1" >"$work/log" 2>&1 || fail "$2: $1 objects: $(cat "$work/log")"
}

breaks() {
    change "$1" "$2"
    sees declarations "$1"
    sees types "$1"
}

bearable() {
    change "$1" "$2"
    bears declarations "$1"
    bears types "$1"
}

breaks "another value" 's/HMTL_CODE_IO = 2/HMTL_CODE_IO = 12/'
breaks "values in another order" 's/HMTL_CODE_IO = 2/HMTL_CODE_IO = 3/; s/HMTL_CODE_FORMAT = 3/HMTL_CODE_FORMAT = 2/'
breaks "a value less" '/HMTL_CODE_IO = 2/d'
breaks "a field more" 's/^    size_t len;/&\n    int more;/'
breaks "a field of another type" 's/^    size_t len;/    int32_t len;/'
breaks "fields in another order" 's/^    const char \*data;/    size_t len;/; t; s/^    size_t len;/    const char *data;/'
breaks "a parameter of another type" 's/size_t text_len,/uint32_t text_len,/'
breaks "a parameter more" 's/size_t text_len,/& int more,/'
breaks "a parameter less" 's/size_t text_len,//'
breaks "another object" 's/hmtl_model_info(const hmtl_model /hmtl_model_info(const hmtl_trainer /'
breaks "another result" 's/^uint32_t hmtl_abi_version/uint64_t hmtl_abi_version/'
breaks "another returned object" 's/^hmtl_cancel \*hmtl_cancel_new/hmtl_error *hmtl_cancel_new/'
breaks "a callback of another type" 's/hmtl_event_fn)(const char \*event_json, /hmtl_event_fn)(/'

# What const means for threads is no part of the types that a linker sees.
change "an object no longer const" 's/hmtl_model_info(const hmtl_model /hmtl_model_info(hmtl_model /'
sees declarations "an object no longer const"

change "a function less" '/^size_t hmtl_dataset_len/d'
sees names "a function less"
sees types "a function less"

bearable "a function more" 's/^void hmtl_trainer_free.*/&\nvoid hmtl_new(void);/'
sees names "a function that is not stored"
bearable "a value more" 's/^    HMTL_CODE_INTERNAL = 9,/&\n    HMTL_CODE_NEW = 10,/'
bearable "a deprecated function" 's/^size_t hmtl_dataset_len/__attribute__((deprecated)) &/'
bearable "another name of a parameter" 's/hmtl_error_free(hmtl_error \*error)/hmtl_error_free(hmtl_error *it)/'

# A library without one of the functions, and one under the name of another ABI version.
${CC:-cc} -E -P "$present" | awk -v mode=stub -f tests/abi/functions.awk >"$work/hmtl.c"
library() {
    sed "$1" "$work/hmtl.c" >"$work/changed.c"
    ${CC:-cc} -w -shared -fPIC "$work/changed.c" "-Wl,-soname,$2" -o "$work/libhmtl.so"
    count=$((count + 1))
}
export LIBRARY="$work/libhmtl.so"
library "" "libhmtl.so.$abi"
bears library "a whole library"
library 's/hmtl_dataset_len/hmtl_other/' "libhmtl.so.$abi"
sees library "a library without a function"
library "" libhmtl.so.99
sees library "a library of another ABI version"
echo "tests/abi/breaks.sh: ok: $count changes"
