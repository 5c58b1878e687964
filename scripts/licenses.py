#!/usr/bin/env python3
"""Writes the licences of the Rust crates that libhmtl.so and hmtl contain: licenses.py >THIRD_PARTY.txt

The crates are those that `cargo metadata` finds for this platform, without those of tests and build
scripts; the texts are the files that each crate ships. A text that many share is written once.
Standard library only; Python 3.8 or later.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

LICENSE_FILE = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.IGNORECASE)
APACHE = "Apache-2.0"
RULE = "=" * 78


class LicenseError(Exception):
    """A failure with a message of one line."""


def metadata(root, cargo):
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    target = re.search(r"^host: (.*)$", host, re.MULTILINE).group(1)
    command = [cargo, "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"]
    # Cargo wants to see the crates of tests too, which a build does not download.
    for network in (["--offline"], []):
        result = subprocess.run(command + network, cwd=root, capture_output=True, text=True)
        if result.returncode == 0:
            return json.loads(result.stdout)
    raise LicenseError(f"cargo metadata: {result.stderr.strip().splitlines()[-1]}")


def contained(meta):
    """The packages whose code is in the library: reached from the root by normal dependencies."""
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    root = meta["resolve"]["root"]
    found, waiting = set(), [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if normal and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return sorted((p for p in meta["packages"] if p["id"] in found), key=lambda p: (p["name"], p["version"]))


def texts_of(package, apache):
    """The licence texts of a package; one without any has the text of its Apache licence."""
    folder = Path(package["manifest_path"]).parent
    files = sorted(p for p in folder.iterdir() if p.is_file() and LICENSE_FILE.match(p.name))
    texts = [p.read_text(encoding="utf-8", errors="replace").strip() for p in files]
    if texts:
        return texts
    if APACHE in (package["license"] or ""):
        return [apache]
    raise LicenseError(f"{package['name']} {package['version']} ships no licence: {package['license']}")


def report(packages, apache):
    shared = {}  # a text without its white space -> (the text, the crates)
    lines = ["The library libhmtl.so and the command hmtl contain these Rust crates. Their licences follow.", ""]
    for package in packages:
        title = f"{package['name']} {package['version']}"
        lines.append(f"{title}: {package['license'] or 'see the text'}, {package['repository'] or ''}".rstrip(", "))
        for text in texts_of(package, apache):
            shared.setdefault("".join(text.split()), (text, []))[1].append(title)
    for text, titles in sorted(shared.values(), key=lambda entry: (-len(entry[1]), entry[1])):
        lines += ["", RULE, ", ".join(dict.fromkeys(titles)), RULE, "", text]
    return "\n".join(lines) + "\n"


def main(root):
    try:
        apache = (root / "LICENSE-APACHE").read_text().strip()
        sys.stdout.write(report(contained(metadata(root, os.environ.get("CARGO", "cargo"))), apache))
        return 0
    except (LicenseError, OSError, subprocess.CalledProcessError) as error:
        print(f"licenses: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
