# Sourced by the scripts beside it, which are run as: SCRIPT PREFIX WORK
# shellcheck shell=sh disable=SC2034
set -eu
unset LD_LIBRARY_PATH
prefix=$1 work=$2
libdir=${LIBDIR:-lib}

fail() {
    echo "FAILED: $0: $1" >&2
    exit 1
}

skip() {
    echo "SKIPPED: $0: $1"
    exit 0
}

# A file that needs LibTorch must find the installed one.
finds_torch() {
    found=$(ldd "$1") || fail "ldd $1"
    case $found in *"not found"*) fail "$1 does not find: $(echo "$found" | grep 'not found')" ;; esac
    if [ -d "$prefix/lib/hmtl/torch" ] &&
        echo "$found" | grep 'libtorch\|libc10\|libcud\|libcupti' | grep -vqF "$prefix/"; then
        fail "$1 finds a LibTorch that was not installed: $found"
    fi
}

# annotates PROGRAM: runs quickstart, however it was built.
annotates() {
    finds_torch "$1"
    if [ ! -d "$prefix/share/hmtl/models/default" ]; then
        echo "SKIPPED: $0: annotation: there is no models/default"
        return
    fi
    json=$("$1") || fail "$1: $json"
    case $json in '{"format":'*) ;; *) fail "$1 printed: $json" ;; esac
}
