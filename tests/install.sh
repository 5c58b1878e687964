#!/bin/sh
# Installs into a folder of its own, moves that folder, and builds and runs a C program from there.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d "$target/install-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
stage=$work/stage moved=$work/moved

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

for file in lib/libhmtl.so lib/pkgconfig/hmtl.pc include/hmtl.h bin/hmtl; do
    [ -f "$prefix/$file" ] || fail "$file is missing"
done
soname=$(readelf -d "$prefix/lib/libhmtl.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ -L "$prefix/lib/$soname" ] || fail "the link $soname is missing"
for file in lib/libhmtl.so bin/hmtl; do
    if readelf -S "$prefix/$file" | grep -q '\.debug_info\|\.debug_line\|\.symtab'; then
        fail "$file keeps its debug symbols"
    fi
done

if [ -d "$prefix/lib/hmtl/torch" ]; then
    own=$prefix/lib/hmtl/torch/lib
    for file in lib/libhmtl.so bin/hmtl; do
        # With a target directory elsewhere the build tree is named, but looked at last.
        if [ "$target" = "$PWD/target" ] && readelf -d "$prefix/$file" | grep 'R.*PATH' | grep -qF "$PWD"; then
            fail "$file looks for LibTorch in the build tree"
        fi
    done
else
    own= # the user's own LibTorch, wherever that is
fi

# A file that needs LibTorch must find the installed one.
finds_torch() {
    found=$(ldd "$1") || fail "ldd $1"
    case $found in *"not found"*) fail "$1 does not find: $(echo "$found" | grep 'not found')" ;; esac
    if [ -n "$own" ] && echo "$found" | grep 'libtorch\|libc10\|libcud\|libcupti' | grep -vqF "$prefix/"; then
        fail "$1 finds a LibTorch that was not installed: $found"
    fi
}

env -u LD_LIBRARY_PATH "$prefix/bin/hmtl" --version >/dev/null || fail "the installed command does not run"
finds_torch "$prefix/bin/hmtl"

if command -v pkg-config >/dev/null; then
    cat >"$work/version.c" <<'END'
#include <hmtl.h>
#include <stdio.h>

int main(void)
{
    char *info = NULL;
    hmtl_error *error = hmtl_build_info(&info);
    printf("%s %s\n", hmtl_version(), error == NULL ? info : hmtl_error_message(error));
    hmtl_string_free(info);
    hmtl_error_free(error);
    return hmtl_abi_version() != HMTL_ABI_VERSION || error != NULL;
}
END
    cp examples/quickstart.c "$work"
    flags() { PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config "$@" hmtl; }
    for program in version quickstart; do
        # shellcheck disable=SC2046 # the flags are several words
        ${CC:-cc} "$work/$program.c" $(flags --cflags --libs) "-Wl,-rpath,$prefix/lib" -o "$work/$program" ||
            fail "$program.c does not build with the flags of pkg-config"
        finds_torch "$work/$program"
    done
    version=$(env -u LD_LIBRARY_PATH "$work/version") || fail "the C program failed: $version"
    case $version in "$(flags --modversion) "*) ;; *) fail "pkg-config and the library differ: $version" ;; esac
    if [ -d "$prefix/share/hmtl/models/default" ]; then
        json=$(env -u LD_LIBRARY_PATH "$work/quickstart") || fail "quickstart: $json"
        case $json in '{"format":'*) ;; *) fail "quickstart printed: $json" ;; esac
    else
        echo "SKIPPED: tests/install.sh: annotation from the installed tree: there is no models/default"
    fi
else
    echo "SKIPPED: tests/install.sh: building a C program: pkg-config is not installed"
fi

# What another put into the prefix stays.
mv "$prefix" "$stage/opt/hmtl"
echo kept >"$stage/opt/hmtl/lib/other"
quiet_make uninstall
[ "$(listed "$stage")" = "./opt/hmtl/lib/other" ] || fail "uninstall left: $(listed "$stage")"
echo "tests/install.sh: ok"
