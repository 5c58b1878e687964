#!/bin/sh
# Packs what `make build` made into a folder that runs wherever it is unpacked:
#
#   dist.sh tree FOLDER   FOLDER/hmtl-VERSION-linux-x86_64: command, library, headers, LibTorch, model,
#                         bindings, licences
#   dist.sh tar FOLDER    the same as FOLDER/hmtl-VERSION-linux-x86_64.tar.gz; equal trees give equal files
#   dist.sh needs FOLDER  what the programs below FOLDER need of a machine, as text
set -eu

project=$(cd "$(dirname "$0")/.." && pwd -P)
: "${TARGET:=$project/target/release}" "${PYTHON:=python3}"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$project/Cargo.toml" | head -n 1)
name=hmtl-$version-linux-$(uname -m)

fail() {
    echo "dist: $1" >&2
    exit 1
}

# put FILE... FOLDER
put() {
    for folder in "$@"; do :; done
    mkdir -p "$folder"
    install -m 644 "$@"
}

# Documentation and all licences. $1: where.
put_documents() {
    put "$project"/README.md "$project"/ARCHITECTURE.md "$project"/CHANGELOG.md "$project"/LICENSE-* "$1"
    put "$project"/docs/*.md "$1/docs"
    "$PYTHON" "$project/scripts/licenses.py" >"$1/THIRD_PARTY.txt"
    rust=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
    [ ! -f "$rust" ] || install -m 644 "$rust" "$1/RUST-STANDARD-LIBRARY.html"
}

# The sources of the bindings, which are used from a copy.
put_bindings() {
    for language in cpp go python; do
        [ -d "$project/bindings/$language" ] || continue
        (
            cd "$project/bindings"
            find "$language" \( -name __pycache__ -o -name '.*' -o -name build -o -name '*.egg-info' \) -prune -o \
                -type f ! -name '*.pyc' ! -name '*.so' -print
        ) | sort | while IFS= read -r file; do
            put "$project/bindings/$file" "$1/$(dirname "$file")"
        done
    done
}

make_tree() {
    tree=$1/$name
    rm -rf "$tree"
    mkdir -p "$1"
    PREFIX=/$name DESTDIR=$(cd "$1" && pwd) LIBDIR=lib TARGET=$TARGET "$project/scripts/install.sh" install >/dev/null
    rm "$tree/lib/hmtl/installed"
    [ -d "$tree/lib/hmtl/torch" ] ||
        fail "the library was built with a LibTorch of your own: unset LIBTORCH and run \`make build\` again"
    put_documents "$tree/share/doc/hmtl"
    put_bindings "$tree/share/hmtl/bindings"
    print_needs "$tree" >"$tree/share/doc/hmtl/REQUIREMENTS.txt"
}

programs() {
    find "$1" -type f \( -name '*.so' -o -name '*.so.*' -o -path '*/bin/*' \) | sort
}

# The newest version NAME_x.y of a library's symbols that a program below $1 asks for.
newest() {
    programs "$1" | while IFS= read -r file; do
        readelf -VW "$file" | sed -n "s/.*Name: \($2_[0-9][0-9.]*\) .*/\1/p"
    done | sort -uV | tail -n 1
}

print_needs() {
    echo "A machine on which these programs run has"
    echo
    glibc=$(newest "$1" GLIBC)
    echo "- the GNU C library ${glibc#GLIBC_} or later"
    echo "- the GNU C++ library with the symbols $(newest "$1" GLIBCXX) and $(newest "$1" CXXABI)"
    echo "- libgcc with the symbols $(newest "$1" GCC)"
    echo "- these libraries, all of them parts of those three:"
    programs "$1" | while IFS= read -r file; do
        readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
    done | sort -u | while IFS= read -r library; do
        [ -n "$(find "$1" -name "$library")" ] || echo "  $library"
    done
}

# Names in order, and neither the times, the owners nor the umask of who packs.
make_tar() {
    epoch=${SOURCE_DATE_EPOCH:-$(git -C "$project" log -1 --format=%ct 2>/dev/null || echo 0)}
    make_tree "$1"
    LC_ALL=C tar --create --format=gnu --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner \
        --mode=u+rw,go+r,go-w,a+X --directory="$1" "$name" | gzip -n >"$1/$name.tar.gz.part"
    mv "$1/$name.tar.gz.part" "$1/$name.tar.gz"
    rm -rf "${1:?}/$name"
    echo "$1/$name.tar.gz"
}

[ $# = 2 ] || fail "usage: dist.sh tree|tar|needs FOLDER"
command -v readelf >/dev/null || fail "readelf is missing: install binutils"
case $1 in
tree) make_tree "$2" ;;
tar) make_tar "$2" ;;
needs) print_needs "$2" ;;
*) fail "usage: dist.sh tree|tar|needs FOLDER" ;;
esac
