"""Finding and loading ``libhmtl.so``."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Tuple

from .errors import LibraryError

#: What this package was written for; the end of the library's SONAME.
ABI_VERSION = 0

SONAME = f"libhmtl.so.{ABI_VERSION}"
NAMES = (SONAME, "libhmtl.so")
#: Where a wheel that brings the library has it.
BUNDLED = Path(__file__).resolve().parent / "lib"


def open_library() -> Tuple[ctypes.CDLL, str]:
    """The library, and where it was found."""
    named = os.environ.get("HMTL_LIBRARY")
    if named:
        try:
            return _load(named), named
        except LibraryError as error:
            raise LibraryError(f"{error}; the environment's HMTL_LIBRARY names it") from None
    tried: List[str] = []
    for place in _places():
        try:
            return _load(place), place
        except LibraryError as error:
            tried.append(str(error))
    places = "; ".join(dict.fromkeys(tried))
    raise LibraryError(
        f"cannot find {SONAME}: install the library of hmtl, or set HMTL_LIBRARY to its path "
        f"(looked at: {places})"
    )


def _load(place: str) -> ctypes.CDLL:
    # A plain name is the loader's to find.
    if os.sep in place and not os.path.exists(place):
        raise LibraryError(f"{place}: there is no such file")
    try:
        library = ctypes.CDLL(place)
        library.hmtl_abi_version.restype = ctypes.c_uint32
        abi = library.hmtl_abi_version()
    except (OSError, AttributeError) as error:
        reason = str(error).replace("\n", " ")
        raise LibraryError(reason if reason.startswith(place) else f"{place}: {reason}") from None
    if abi != ABI_VERSION:
        raise LibraryError(f"{place}: has ABI version {abi}, and this package needs {ABI_VERSION}")
    return library


def _places() -> Iterator[str]:
    for folder in (BUNDLED, *_pkg_config()):
        yield from (str(folder / name) for name in NAMES)
    yield SONAME  # LD_LIBRARY_PATH and the system's folders
    home = Path.home() / ".local"
    for prefix in (Path(sys.prefix), home, Path("/usr/local"), Path("/opt/hmtl"), Path("/usr")):
        yield from (str(prefix / "lib" / name) for name in NAMES)


def _pkg_config() -> List[Path]:
    program = shutil.which("pkg-config")
    if program is None:
        return []
    command = [program, "--variable=libdir", "hmtl"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    folder = result.stdout.strip()
    return [Path(folder)] if result.returncode == 0 and folder else []
