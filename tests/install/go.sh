#!/bin/sh
# A Go program outside the project builds with pkg-config and the package of bindings/go.
# shellcheck source=tests/install/common.sh
. "$(dirname "$0")/common.sh"
[ -f bindings/go/go.mod ] || skip "there is no bindings/go"
command -v go >/dev/null || skip "go is not installed"
command -v pkg-config >/dev/null || skip "pkg-config is not installed"

project=$work/go
mkdir "$project"
module=$(sed -n 's/^module //p' bindings/go/go.mod)
cat >"$project/go.mod" <<END
module example.com/uses-hmtl

$(grep '^go ' bindings/go/go.mod)

require $module v0.0.0

replace $module => $PWD/bindings/go
END
cat >"$project/main.go" <<END
package main

import (
	"fmt"

	"$module"
)

func main() {
	fmt.Println(hmtl.Version())
}
END
cd "$project"
export PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig" CGO_LDFLAGS="'-Wl,-rpath,$prefix/$libdir'" GOFLAGS=-mod=mod GOPROXY=off
go build -o "$project/version" . >"$work/log" 2>&1 || fail "$(cat "$work/log")"
finds_torch "$project/version"
version=$("$project/version") || fail "the Go program failed: $version"
[ "$version" = "$(pkg-config --modversion hmtl)" ] || fail "pkg-config and the library differ: $version"
