#!/bin/sh
# Tests the Go package with the library as it was built, and runs the Go examples. TARGET is the folder of
# the built files.
set -eu
cd "$(dirname "$0")/.."
: "${TARGET:=$PWD/target/release}"

for program in go pkg-config; do
    command -v $program >/dev/null || {
        echo "SKIPPED: Go tests: $program is not installed"
        exit 0
    }
done

# Go's cache looks neither at what pkg-config says nor at headers: both stand in flags.
export PKG_CONFIG_PATH="$TARGET/pkgconfig" GOFLAGS=-mod=mod GOPROXY=off
CGO_LDFLAGS="'-Wl,-rpath,$TARGET'"
CGO_CFLAGS="-O2 -DHMTL_HEADER=$(cksum <include/hmtl.h | cut -d' ' -f1)"
export CGO_LDFLAGS CGO_CFLAGS

(
    cd bindings/go
    unformatted=$(gofmt -l . ../../examples/go)
    [ -z "$unformatted" ] || {
        echo "FAILED: gofmt would change: $unformatted" >&2
        exit 1
    }
    go vet ./...
    go test -count=1 -race ./...
)

work=$(mktemp -d "$TARGET/go-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd examples/go
go vet ./...
go build -o "$work/" ./...
contains() {
    case $1 in *"$2"*) ;; *)
        echo "FAILED: a Go example printed, without $2: $1" >&2
        exit 1
        ;;
    esac
}
contains "$("$work/annotate")" Solberg
contains "$(echo 'Maria lives in Lisbon.' | "$work/batch")" Maria
contains "$(printf 'Maria\nleft\n' | "$work/tokens")" Maria
"$work/train" "$work/model" >"$work/train.log"
[ -f "$work/model/manifest.json" ]
"$work/finetune" >"$work/finetune.log"
echo "tests/go.sh: ok"
