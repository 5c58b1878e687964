#!/bin/sh
# Runs the packed tree where there is nothing else: dist.sh [TARBALL]; without one, the tree that would be packed.
#
# The folder that becomes the root of a namespace holds the C and C++ run-time libraries, the tree and
# a C program built against it; no other file of this machine, no network, no environment.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d "$target/dist-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
place="/srv/any place"
mkdir -p "$root$place" "$root/proc" "$root/dev" "$root/tmp" "$root/bin" "$root/lib64" "$work/home"

fail() {
    echo "FAILED: tests/dist.sh: $1" >&2
    exit 1
}

skip() {
    echo "SKIPPED: tests/dist.sh: $1"
    exit 0
}

if [ $# = 1 ]; then
    tar -xzf "$1" -C "$root$place"
    set -- "$root$place"/hmtl-*
else
    readelf -d "$target/release/libhmtl.so" | grep -q 'RUNPATH.*\.libtorch' || skip "built with a LibTorch of your own"
    TARGET=$target/release scripts/dist.sh tree "$root$place"
    set -- "$root$place"/hmtl-*
fi
# shellcheck disable=SC2015
[ $# = 1 ] && [ -d "$1" ] || fail "there is not one tree"
tree=$1
inside=${tree#"$root"}

for file in include/hmtl.h lib/pkgconfig/hmtl.pc lib/cmake/hmtl/hmtlConfig.cmake lib/hmtl/torch/licenses/LICENSE \
    share/doc/hmtl/README.md share/doc/hmtl/LICENSE-MIT share/doc/hmtl/LICENSE-APACHE share/doc/hmtl/THIRD_PARTY.txt; do
    [ -s "$tree/$file" ] || fail "$file is missing"
done
grep -q '^serde_json .*MIT' "$tree/share/doc/hmtl/THIRD_PARTY.txt" || fail "THIRD_PARTY.txt lacks a crate"
for language in cpp go python; do
    [ ! -d "bindings/$language" ] || [ -d "$tree/share/hmtl/bindings/$language" ] || fail "the binding $language is missing"
done
# Paths of the machine that packs: LibTorch's own error messages name files of theirs.
if grep -rlF "$PWD/" "$tree" --include='*.so*' --include='*.pc' --include='*.cmake' --include='*.txt' >"$work/log"; then
    echo "note: tests/dist.sh: the build folder is named in: $(sed "s|$tree/||" "$work/log" | tr '\n' ' ')"
fi

# Nothing but the C and C++ run-time libraries may be asked of a machine.
cat "$tree/share/doc/hmtl/REQUIREMENTS.txt"
sed -n 's/^  //p' "$tree/share/doc/hmtl/REQUIREMENTS.txt" >"$work/needed"
while IFS= read -r library; do
    case $library in
    ld-linux-*.so.* | libc.so.6 | libm.so.6 | libdl.so.2 | librt.so.1 | libpthread.so.0 | libutil.so.1) ;;
    libstdc++.so.6 | libgcc_s.so.1) ;;
    *) fail "the tree needs $library of the machine" ;;
    esac
done <"$work/needed"

what="running the tree where nothing else is"
[ -d "$tree/share/hmtl/models/default" ] || skip "$what: there is no models/default"
unshare --map-root-user --mount --net true 2>/dev/null || skip "$what: namespaces are not permitted, or unshare is missing"

# The libraries that the tree needs, from this machine, and those that they need: there are no more.
LC_ALL=C ldd "$tree/bin/hmtl" | sed -n 's|.*=> \(/[^ ]*\) (.*|\1|p; s|^[[:space:]]*\(/[^ ]*ld-linux[^ ]*\) (.*|\1|p' |
    grep -vF "$tree/" | while IFS= read -r library; do
    grep -qxF "${library##*/}" "$work/needed" || fail "$library is needed by a library of the machine alone"
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
loader=$(readelf -l "$tree/bin/hmtl" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
mkdir -p "$root${loader%/*}"
[ -f "$root$loader" ] || cp -L "$loader" "$root$loader"

${CC:-cc} examples/c/quickstart.c -I"$tree/include" -L"$tree/lib" -lhmtl "-Wl,-rpath,$inside/lib" -o "$root/bin/quickstart" ||
    fail "quickstart.c does not build"

# alone PROGRAM ARGUMENT...
# shellcheck disable=SC2016 # the inner shell expands them
alone() {
    env -i unshare --map-root-user --mount --net sh -c \
        'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"' "$root" "$@"
}
alone "$inside/bin/hmtl" --version >/dev/null 2>"$work/log" || fail "hmtl --version: $(cat "$work/log")"
echo "Ada Lovelace met Charles Babbage in London. She wrote a program." >"$root/tmp/text"
alone "$inside/bin/hmtl" annotate --format jsonl /tmp/text >"$work/json" 2>"$work/log" || fail "hmtl annotate: $(cat "$work/log")"
grep -q '"text":"London"' "$work/json" || fail "hmtl annotate found no London: $(cat "$work/json")"
alone /bin/quickstart >"$work/json" 2>"$work/log" || fail "quickstart: $(cat "$work/json" "$work/log")"
grep -q '^{"format":.*"text":"Ingrid Solberg"' "$work/json" || fail "quickstart printed: $(cat "$work/json")"
echo "tests/dist.sh: ok"
