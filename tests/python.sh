#!/bin/sh
# Tests the Python package with the library as it was built, with the real spaCy, which is installed into a
# folder of its own below TARGET, the folder of the built files; and runs the Python examples.
set -eu
cd "$(dirname "$0")/.."
: "${TARGET:=$PWD/target/release}" "${PYTHON:=python3}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || {
    echo "SKIPPED: Python tests: they need Python 3.9 or later"
    exit 0
}
export HMTL_LIBRARY="$TARGET/libhmtl.so" HMTL_MODEL="$PWD/models/default"
export PYTHONPATH="$PWD/bindings/python/src" PYTHONDONTWRITEBYTECODE=1

venv=$TARGET/python
if ! "$venv/bin/python" -c 'import hatchling, spacy' 2>/dev/null; then
    rm -rf "$venv"
    if "$PYTHON" -m venv "$venv" 2>/dev/null && "$venv/bin/python" -m pip install --quiet hatchling 'spacy>=3.7,<4'; then
        :
    else
        rm -rf "$venv"
        echo "SKIPPED: tests of the spaCy component and of wheels: spaCy and hatchling cannot be installed"
    fi
fi
[ ! -x "$venv/bin/python" ] || PYTHON=$venv/bin/python
"$PYTHON" -m unittest discover --start-directory bindings/python/tests

work=$(mktemp -d "$TARGET/python-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
contains() {
    case $1 in *"$2"*) ;; *)
        echo "FAILED: tests/python.sh: an example printed, without $2: $1" >&2
        exit 1
        ;;
    esac
}
contains "$("$PYTHON" examples/python/annotate.py)" Solberg
contains "$(echo 'Maria lives in Lisbon.' | "$PYTHON" examples/python/batch.py)" Maria
contains "$(printf 'Maria\nleft\n' | "$PYTHON" examples/python/tokens.py)" Maria
contains "$("$PYTHON" examples/python/train.py "$work/model")" LOC
[ -f "$work/model/manifest.json" ]
contains "$("$PYTHON" examples/python/finetune.py)" FOOD
if "$PYTHON" -c 'import spacy' 2>/dev/null; then
    contains "$("$PYTHON" examples/python/spacy_pipeline.py)" PER
fi
echo "tests/python.sh: ok"
