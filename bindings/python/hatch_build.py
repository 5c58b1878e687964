"""Builds the wheel: a pure one, which uses an installed library, or with HMTL_STAGE=/prefix one for this
platform that brings the library of that installation.

    HMTL_STAGE=/prefix python -m build --wheel

The prefix is one of `make install`, or the unpacked archive of `make dist`, which has all licences.
"""

import mmap
import os
import re
import sysconfig
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Where the library stands in the package; what it needs is found relative to it.
LIB = "hmtl/lib"
GLIBC = re.compile(rb"\0GLIBC_2\.(\d+)(?=[\0.])")


class Bundle(BuildHookInterface):
    def initialize(self, version, build_data):
        prefix = os.environ.get("HMTL_STAGE")
        if not prefix or version == "editable":
            return
        files = dict(staged(Path(prefix), self.warn))
        glibc = max(newest_glibc(path) for path in files if ".so" in path.name)
        machine = sysconfig.get_platform().split("-")[-1]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_{glibc}_{machine}"
        build_data["force_include"].update({str(path): place for path, place in files.items()})

    def warn(self, message):
        self.app.display_warning(message)


def staged(prefix, warn):
    """The files of an installation, and where they go in the wheel. A wheel has no links."""
    libraries = sorted(prefix.glob("lib/libhmtl.so.[0-9]")) + sorted(prefix.glob("lib/*/libhmtl.so.[0-9]"))
    if len(libraries) != 1:
        raise SystemExit(f"HMTL_STAGE={prefix}: there is not one lib/libhmtl.so.ABI")
    folder = libraries[0].parent
    yield libraries[0].resolve(), f"{LIB}/{libraries[0].name}"
    if not (folder / "hmtl/torch").is_dir():
        raise SystemExit(f"{folder}: the library has a LibTorch elsewhere, which the wheel would lack")
    for part in ("torch", "nvidia"):
        yield from tree(folder / "hmtl" / part, f"{LIB}/hmtl/{part}")
    yield from tree(prefix / "share/hmtl/models/default", f"{LIB}/hmtl/models/default")
    documents = prefix / "share/doc/hmtl"
    licences = [p for p in ("THIRD_PARTY.txt", "RUST-STANDARD-LIBRARY.html") if (documents / p).is_file()]
    if "THIRD_PARTY.txt" not in licences:
        warn(f"{documents}/THIRD_PARTY.txt is missing: do not pass on the wheel, build it from `make dist`")
    for name in licences:
        yield documents / name, f"{LIB}/{name}"


def tree(folder, place):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, f"{place}/{path.relative_to(folder)}"


def newest_glibc(path):
    """The newest version of the C library, 2.x, that a program asks for."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return max((int(found.group(1)) for found in GLIBC.finditer(data)), default=0)
