#!/bin/sh
# Makes the Debian packages, installs them below a folder of their own, uses them there and removes them.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
for tool in dpkg dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || {
        echo "SKIPPED: tests/deb.sh: $tool is not installed"
        exit 0
    }
done
readelf -d "$target/release/libhmtl.so" | grep -q 'RUNPATH.*\.libtorch' || {
    echo "SKIPPED: tests/deb.sh: built with a LibTorch of your own"
    exit 0
}
work=$(mktemp -d "$target/deb-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

fail() {
    echo "FAILED: tests/deb.sh: $1" >&2
    exit 1
}

COMPRESSION=gzip TARGET=$target/release scripts/deb.sh "$work" >"$work/packages" || fail "scripts/deb.sh"
set --
while IFS= read -r package; do
    set -- "$@" "$package"
done <"$work/packages"

for package in "$@"; do
    for depends in $(dpkg-deb -f "$package" Depends | sed 's/ *([^)]*)//g; s/[,|]//g'); do
        case $depends in
        libhmtl0 | libc6 | libc6-dev | libc-dev | libgcc-s1 | libstdc++6) ;;
        *) fail "${package##*/} depends on $depends" ;;
        esac
    done
done
if command -v lintian >/dev/null; then
    lintian --fail-on error "$@" >"$work/log" 2>&1 || fail "lintian: $(cat "$work/log")"
else
    echo "SKIPPED: tests/deb.sh: lintian is not installed"
fi

# A database of its own, in which the C and C++ libraries are not known.
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
: >"$root/var/lib/dpkg/status"
quiet_dpkg() {
    dpkg --root="$root" --log=/dev/null --force-not-root --force-depends --force-script-chrootless "$@" >"$work/log" 2>&1 ||
        fail "dpkg $*: $(cat "$work/log")"
}
quiet_dpkg --install "$@"
LIBDIR=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export LIBDIR
for script in command pkgconfig cmake; do
    sh "tests/install/$script.sh" "$root/usr" "$work"
done
quiet_dpkg --purge hmtl libhmtl-dev libhmtl0
[ ! -e "$root/usr" ] || [ -z "$(find "$root/usr" ! -type d)" ] || fail "removal left: $(find "$root/usr" ! -type d)"
echo "tests/deb.sh: ok"
