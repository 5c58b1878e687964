#!/bin/sh
# Installs into a folder of its own, moves that folder, uses what is there as other projects do (the
# scripts of tests/install/), and uninstalls.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d "$target/install-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
stage=$work/stage moved="$work/moved there"

fail() {
    echo "FAILED: tests/install.sh: $1" >&2
    exit 1
}

# What is built is installed as it is: `make test-install` has just built it.
quiet_make() {
    make --no-print-directory CARGO=no-cargo PREFIX=/opt/hmtl DESTDIR="$stage" "$@" >"$work/log" 2>&1 ||
        fail "make $*: $(cat "$work/log")"
}

quiet_make install
listed() { (cd "$1" && find . -type f -o -type l | sort); }
listed "$stage" >"$work/first"
quiet_make install
listed "$stage" | cmp -s - "$work/first" || fail "a second install changed the list of files"

mkdir "$moved"
mv "$stage/opt/hmtl" "$moved/hmtl"
prefix=$moved/hmtl

for file in lib/libhmtl.so lib/pkgconfig/hmtl.pc lib/cmake/hmtl/hmtlConfig.cmake \
    lib/cmake/hmtl/hmtlConfigVersion.cmake include/hmtl.h bin/hmtl; do
    [ -f "$prefix/$file" ] || fail "$file is missing"
done
for header in bindings/cpp/hmtl.hpp bindings/cpp/hmtl_nlohmann.hpp; do
    [ ! -f "$header" ] || cmp -s "$header" "$prefix/include/${header##*/}" || fail "$header is not installed"
done
if grep -rlE '@[A-Z]+@' "$prefix/lib/pkgconfig" "$prefix/lib/cmake"; then
    fail "a template is not filled in"
fi
soname=$(readelf -d "$prefix/lib/libhmtl.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ -L "$prefix/lib/$soname" ] || fail "the link $soname is missing"
for file in lib/libhmtl.so bin/hmtl; do
    if readelf -S "$prefix/$file" | grep -q '\.debug_info\|\.debug_line\|\.symtab'; then
        fail "$file keeps its debug symbols"
    fi
    # LibTorch of the user's own stays where it is, and that place is named.
    if [ -d "$prefix/lib/hmtl/torch" ] && readelf -d "$prefix/$file" | grep 'R.*PATH' | grep -q "libtorch\|$PWD"; then
        fail "$file looks for LibTorch in the build tree"
    fi
done

for script in command pkgconfig cmake go; do
    sh "tests/install/$script.sh" "$prefix" "$work"
done

# What another put into the prefix stays.
mv "$prefix" "$stage/opt/hmtl"
echo kept >"$stage/opt/hmtl/lib/other"
quiet_make uninstall
[ "$(listed "$stage")" = "./opt/hmtl/lib/other" ] || fail "uninstall left: $(listed "$stage")"

# Where a distribution keeps libraries in a folder of the architecture, and nothing is left either.
rm -rf "$stage"
quiet_make install LIBDIR=lib/x86_64-linux-gnu
sh tests/install/command.sh "$stage/opt/hmtl" "$work"
LIBDIR=lib/x86_64-linux-gnu sh tests/install/pkgconfig.sh "$stage/opt/hmtl" "$work"
quiet_make uninstall LIBDIR=lib/x86_64-linux-gnu
[ -z "$(listed "$stage")" ] || fail "uninstall left: $(listed "$stage")"
echo "tests/install.sh: ok"
