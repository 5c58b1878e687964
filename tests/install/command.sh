#!/bin/sh
# The installed command runs where it lies and finds LibTorch and the model there.
# shellcheck source=tests/install/common.sh
. "$(dirname "$0")/common.sh"

finds_torch "$prefix/bin/hmtl"
"$prefix/bin/hmtl" --version >/dev/null || fail "the installed command does not run"
[ -d "$prefix/share/hmtl/models/default" ] || skip "annotation: there is no models/default"
echo "Ada met Bo. She left." | "$prefix/bin/hmtl" annotate >"$work/annotated" || fail "annotate failed"
grep -q '"mentions"' "$work/annotated" || fail "annotate printed: $(cat "$work/annotated")"
