#!/bin/sh
# C programs are built with the flags of pkg-config.
# shellcheck source=tests/install/common.sh
. "$(dirname "$0")/common.sh"
command -v pkg-config >/dev/null || skip "pkg-config is not installed"

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
cp examples/c/quickstart.c "$work"
flags() { PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig" pkg-config "$@" hmtl; }
flags --cflags --libs >/dev/null || fail "pkg-config does not find hmtl"
for program in version quickstart; do
    # A space in the path is escaped there, as the shell wants it.
    eval "\${CC:-cc} '$work/$program.c' $(flags --cflags --libs) '-Wl,-rpath,$prefix/$libdir' -o '$work/$program'" ||
        fail "$program.c does not build with the flags of pkg-config"
done
finds_torch "$work/version"
version=$("$work/version") || fail "the C program failed: $version"
case $version in "$(flags --modversion) "*) ;; *) fail "pkg-config and the library differ: $version" ;; esac
annotates "$work/quickstart"
