#!/bin/sh
# Installs what `make build` made, or removes it again: install.sh install|uninstall
#
# PREFIX, DESTDIR, LIBDIR (below PREFIX: lib, lib64, lib/x86_64-linux-gnu) and TARGET (the folder of the
# built files) come from the Makefile. What is installed is listed in PREFIX/LIBDIR/hmtl/installed,
# relative to PREFIX, and uninstall removes what is listed.
set -eu

: "${PREFIX:=/usr/local}" "${DESTDIR:=}" "${LIBDIR:=lib}"
root=$DESTDIR$PREFIX
libdir=$LIBDIR
up=$(printf '%s' "$libdir" | sed 's|[^/][^/]*|..|g') # from there back to the prefix
list=$libdir/hmtl/installed
project=$(cd "$(dirname "$0")/.." && pwd -P)

fail() {
    echo "$1: $2" >&2
    exit 1
}

# Removes every listed file or link, then the folders that this leaves empty below the prefix.
remove() {
    while IFS= read -r file; do
        rm -f "$root/$file"
    done <"$root/$list"
    sed 's|[^/]*$||' "$root/$list" | sort -ru | while IFS= read -r folder; do
        folder=${folder%/}
        # Shared folders such as lib and bin stay, even if empty.
        while case $folder in */*) true ;; *) false ;; esac; do
            rmdir "$root/$folder" 2>/dev/null || break
            folder=${folder%/*}
        done
    done
    rm -f "$root/$list"
    rmdir "$root/$libdir/hmtl" 2>/dev/null || true
}

record() {
    printf '%s\n' "$1" >>"$root/$list"
}

# put MODE FILE DESTINATION
put() {
    mkdir -p "$(dirname "$root/$3")"
    record "$3"
    install -m "$1" "$2" "$root/$3"
}

# put_tree FOLDER DESTINATION
put_tree() {
    (cd "$1" && find . -type f) | sort | while IFS= read -r file; do
        put 644 "$1/${file#./}" "$2/${file#./}"
    done
}

# put_link TARGET DESTINATION
put_link() {
    mkdir -p "$(dirname "$root/$2")"
    record "$2"
    ln -sfn "$1" "$root/$2"
}

# put_filled TEMPLATE DESTINATION
put_filled() {
    mkdir -p "$(dirname "$root/$2")"
    record "$2"
    sed "s|@VERSION@|$version|; s|@SONAME@|$soname|; s|@LIBDIR@|$libdir|; s|@UP@|$up|" "$1" >"$root/$2"
    chmod 644 "$root/$2"
}

strip_symbols() {
    if command -v strip >/dev/null; then
        strip --strip-unneeded "$root/$1"
    else
        echo "install: no strip here: $1 keeps its debug symbols" >&2
    fi
}

runpath() {
    readelf -d "$1" | sed -n 's/.*RUNPATH.*\[\(.*\)\]/\1/p'
}

# Leaves the first way to LibTorch, the installed one, and cuts off those to the build tree: a NUL
# ends the list where it stands in the file.
cut_runpath() {
    ways=$(runpath "$root/$1")
    first=${ways%%:*}
    [ "$first" != "$ways" ] || return 0
    at=$(LC_ALL=C grep -obUaF "$ways" "$root/$1" | cut -d : -f 1)
    printf '\0' | dd of="$root/$1" bs=1 seek=$((at + ${#first})) conv=notrunc 2>/dev/null
    [ "$(runpath "$root/$1")" = "$first" ] || fail install "cannot cut the RUNPATH of $1"
}

# The folder of the LibTorch that the built library finds.
linked_torch() {
    runpath "$TARGET/libhmtl.so" | tr : '\n' | sed "s|^\$ORIGIN|$TARGET|" |
        while IFS= read -r folder; do
            if [ -f "$folder/libtorch_cpu.so" ]; then
                (cd "$folder/.." && pwd -P)
                break
            fi
        done
}

# A LibTorch of this project is installed beside the library; the user's own is found where it is.
install_torch() {
    torch=$(linked_torch)
    case $torch in
    "") fail install "the built library finds no LibTorch: run \`make build\` again" ;;
    "$project"/*) ;;
    *)
        echo "LibTorch stays in $torch"
        return
        ;;
    esac
    own=$libdir/hmtl
    for file in "$torch"/lib/libtorch_cpu.so "$torch"/lib/libc10.so "$torch"/lib/libgomp*.so.*; do
        put 644 "$file" "$own/torch/lib/${file##*/}"
        strip_symbols "$own/torch/lib/${file##*/}"
    done
    [ ! -d "$torch/licenses" ] || put_tree "$torch/licenses" "$own/torch/licenses"
    # Where the RPATH of libtorch_cpu.so looks.
    [ ! -d "$torch/../nvidia" ] || put_tree "$torch/../nvidia" "$own/nvidia"
    # The command looks for LibTorch in lib.
    case $libdir in
    lib) ;;
    lib/*) put_link "${libdir#lib/}/hmtl" lib/hmtl ;;
    *) put_link "../$libdir/hmtl" lib/hmtl ;;
    esac
    cut_runpath "$libdir/libhmtl.so.$version"
    cut_runpath bin/hmtl
}

install_all() {
    for needed in "$TARGET/libhmtl.so" "$TARGET/hmtl" "$project/include/hmtl.h"; do
        [ -f "$needed" ] || fail install "$needed is missing: run \`make build\` first"
    done
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$project/Cargo.toml" | head -n 1)
    soname=$(readelf -d "$TARGET/libhmtl.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    [ -n "$version" ] && [ -n "$soname" ] || fail install "cannot tell the version or the SONAME"

    mkdir -p "$root/$libdir/hmtl" 2>/dev/null && [ -w "$root/$libdir/hmtl" ] ||
        fail install "cannot write to $root/$libdir"
    # An earlier version leaves nothing behind.
    [ ! -f "$root/$list" ] || remove
    mkdir -p "$root/$libdir/hmtl"

    put 755 "$TARGET/libhmtl.so" "$libdir/libhmtl.so.$version"
    strip_symbols "$libdir/libhmtl.so.$version"
    put_link "libhmtl.so.$version" "$libdir/$soname"
    put_link "$soname" "$libdir/libhmtl.so"
    put 755 "$TARGET/hmtl" bin/hmtl
    strip_symbols bin/hmtl
    for header in include/hmtl.h bindings/cpp/hmtl.hpp bindings/cpp/hmtl_nlohmann.hpp; do
        [ ! -f "$project/$header" ] || put 644 "$project/$header" "include/${header##*/}"
    done
    put_filled "$project/bindings/c/hmtl.pc.in" "$libdir/pkgconfig/hmtl.pc"
    for template in hmtlConfig hmtlConfigVersion; do
        put_filled "$project/bindings/c/$template.cmake.in" "$libdir/cmake/hmtl/$template.cmake"
    done
    if [ -d "$project/models/default" ]; then
        put_tree "$project/models/default" share/hmtl/models/default
        # The library looks in share beside its own folder, or in hmtl below it.
        case $libdir in */*) put_link "../$up/share/hmtl/models" "$libdir/hmtl/models" ;; esac
    fi
    install_torch

    # The loader's cache, when this machine's own system folders were written.
    if [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then
        ldconfig || true
    fi
    echo "hmtl $version is in $root"
}

case ${1:-} in
install)
    : "${TARGET:?}"
    command -v readelf >/dev/null || fail install "readelf is missing: install binutils"
    install_all
    ;;
uninstall)
    [ -f "$root/$list" ] || fail uninstall "nothing of hmtl is installed in $root"
    remove
    echo "hmtl is no longer in $root"
    ;;
*)
    fail "usage" "install.sh install|uninstall"
    ;;
esac
