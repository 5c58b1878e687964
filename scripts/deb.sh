#!/bin/sh
# Makes the Debian packages of what `make build` made: deb.sh FOLDER
#
#   libhmtl0      the library, named after its ABI version, with its LibTorch and the default model
#   libhmtl-dev   headers, pkg-config, CMake
#   hmtl          the command
#
# DEBFULLNAME and DEBEMAIL name the maintainer, COMPRESSION the way of packing (xz, or gzip, which is faster).
set -eu

project=$(cd "$(dirname "$0")/.." && pwd -P)
: "${TARGET:=$project/target/release}" "${PYTHON:=python3}"
: "${DEBFULLNAME:=hmtl developers}" "${DEBEMAIL:=hmtl@packages.invalid}" "${COMPRESSION:=xz}"
out=$1

fail() {
    echo "deb: $1" >&2
    exit 1
}

for tool in dpkg-deb dpkg-shlibdeps dpkg-architecture readelf; do
    command -v $tool >/dev/null || fail "$tool is missing: install dpkg-dev and binutils"
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$project/Cargo.toml" | head -n 1)
soname=$(readelf -d "$TARGET/libhmtl.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
abi=${soname##*.}
architecture=$(dpkg-architecture -qDEB_HOST_ARCH)
libdir=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$project" log -1 --format=%ct 2>/dev/null || echo 0)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "$out/deb.XXXXXX")
trap 'rm -rf "$work"' EXIT
umask 022

DESTDIR=$work/all PREFIX=/usr LIBDIR=${libdir#usr/} TARGET=$TARGET "$project/scripts/install.sh" install >/dev/null
rm "$work/all/$libdir/hmtl/installed"
[ -d "$work/all/$libdir/hmtl/torch" ] ||
    fail "the library was built with a LibTorch of your own: unset LIBTORCH and run \`make build\` again"

# give PACKAGE PATH...: a part of what was installed
give() {
    package=$work/$1
    shift
    for path in "$@"; do
        mkdir -p "$package/$(dirname "$path")"
        mv "$work/all/$path" "$package/$path"
    done
}
give hmtl usr/bin usr/lib/hmtl
give libhmtl-dev usr/include "$libdir/libhmtl.so" "$libdir/pkgconfig" "$libdir/cmake"
mkdir -p "$work/libhmtl$abi"
mv "$work/all/usr" "$work/libhmtl$abi/usr"
chmod 644 "$work/libhmtl$abi/$libdir/libhmtl.so.$version" # as Debian has it

# The packages of the C and C++ libraries, by the tool that knows the symbols of each.
mkdir "$work/debian"
printf 'Source: hmtl\n\nPackage: hmtl\nArchitecture: any\n' >"$work/debian/control"
needs() {
    (
        cd "$work"
        # libgomp is LibTorch's own.
        dpkg-shlibdeps -O --ignore-missing-info -xlibgomp1 "-xlibhmtl$abi" "-l$work/libhmtl$abi/$libdir/hmtl/torch/lib" \
            "-l$work/libhmtl$abi/$libdir/hmtl/nvidia/cu13/lib" "-l$work/libhmtl$abi/$libdir" "$@" 2>"$work/log"
    ) | sed 's/^shlibs:Depends=//' | grep . || fail "dpkg-shlibdeps: $(cat "$work/log")"
}
library_needs=$(needs "$work/libhmtl$abi/$libdir/libhmtl.so.$version" \
    "$work/libhmtl$abi/$libdir"/hmtl/torch/lib/*.so* "$work/libhmtl$abi/$libdir"/hmtl/nvidia/cu13/lib/*.so*)
command_needs=$(needs "$work/hmtl/usr/bin/hmtl")

# Licences, and a changelog that points to that of the project.
put_documents() {
    documents=$work/$1/usr/share/doc/$1
    mkdir -p "$documents"
    {
        printf 'hmtl is under the MIT licence or the Apache licence 2.0 (/usr/share/common-licenses/Apache-2.0), as you like.\n\n'
        cat "$project/LICENSE-MIT"
        if [ "$1" = "libhmtl$abi" ]; then
            printf '\nThe default model is under CC-BY-SA 4.0; its card.json names the texts it learnt from.\n'
            printf 'LibTorch and the NVIDIA libraries are under the licences below /%s/hmtl.\n' "$libdir"
        fi
        printf '\nThe Rust crates and their licences are listed in /usr/share/doc/libhmtl%s/THIRD_PARTY.txt.gz.\n' "$abi"
    } >"$documents/copyright"
    printf 'hmtl (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md of the project.\n\n -- %s <%s>  %s\n' \
        "$version" "$DEBFULLNAME" "$DEBEMAIL" "$(LC_ALL=C date -u -d "@$epoch" '+%a, %d %b %Y %H:%M:%S +0000')" |
        gzip -9n >"$documents/changelog.gz"
}
# build PACKAGE SECTION DEPENDS SUMMARY; the description's text comes from standard input
build() {
    put_documents "$1"
    mkdir -p "$work/$1/DEBIAN"
    {
        printf 'Package: %s\nSource: hmtl\nVersion: %s\nArchitecture: %s\n' "$1" "$version" "$architecture"
        printf 'Maintainer: %s <%s>\n' "$DEBFULLNAME" "$DEBEMAIL"
        printf 'Installed-Size: %s\nSection: %s\nPriority: optional\n' "$(du -sk "$work/$1/usr" | cut -f 1)" "$2"
        case $1 in lib*) printf 'Multi-Arch: same\n' ;; esac
        printf 'Depends: %s\nDescription: %s\n' "$3" "$4"
        sed 's/^/ /'
    } >"$work/$1/DEBIAN/control"
    (cd "$work/$1" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    SOURCE_DATE_EPOCH=$epoch dpkg-deb --root-owner-group "-Z$COMPRESSION" -z1 --build "$work/$1" "$out/${1}_${version}_$architecture.deb" >/dev/null
    echo "$out/${1}_${version}_$architecture.deb"
}

mkdir -p "$work/libhmtl$abi/DEBIAN" "$work/libhmtl$abi/usr/share/doc/libhmtl$abi"
"$PYTHON" "$project/scripts/licenses.py" >"$work/third_party"
gzip -9nc "$work/third_party" >"$work/libhmtl$abi/usr/share/doc/libhmtl$abi/THIRD_PARTY.txt.gz"
echo "libhmtl $abi libhmtl$abi (>= $version)" >"$work/libhmtl$abi/DEBIAN/shlibs"
{
    echo "$soname libhmtl$abi #MINVER#"
    sed 's/^\([^ ]*\) \(.*\)/ \1@Base \2/' "$project/tests/abi/symbols.txt"
} >"$work/libhmtl$abi/DEBIAN/symbols"
echo 'activate-noawait ldconfig' >"$work/libhmtl$abi/DEBIAN/triggers"

build "libhmtl$abi" libs "$library_needs" "entities, mentions, relations and coreference from text" <<END
One hierarchical multi-task model reads a text once and returns named
entities, nested entity mentions, relations and coreference clusters.
.
This package holds the shared library, the LibTorch that it needs and an
English model.
END
build libhmtl-dev libdevel "libhmtl$abi (= $version), libc6-dev | libc-dev" \
    "entities, mentions, relations and coreference from text: headers" <<END
One hierarchical multi-task model reads a text once and returns named
entities, nested entity mentions, relations and coreference clusters.
.
This package holds what programs are built with.
END
build hmtl text "libhmtl$abi (= $version), $command_needs" \
    "entities, mentions, relations and coreference from text: command" <<END
One hierarchical multi-task model reads a text once and returns named
entities, nested entity mentions, relations and coreference clusters.
.
This package holds the command, which annotates texts, evaluates and trains
models and converts corpora.
END
