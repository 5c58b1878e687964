"""The library itself: version, build, devices, threads."""

from __future__ import annotations

import json
from typing import List

from . import _ffi
from ._ffi import api, text_of
from .results import BuildInfo, Device


def version() -> str:
    """The version of the loaded library."""
    return bytes(api().version()).decode()


def abi_version() -> int:
    """The ABI version of the loaded library."""
    return int(api().abi_version())


def library_path() -> str:
    """Where the loaded library was found."""
    return api().path


def build_info() -> BuildInfo:
    """Versions, formats and parts of the build."""
    info: BuildInfo = json.loads(build_info_json())
    return info


def build_info_json() -> str:
    return text_of(lambda out: api().build_info(out))


def devices() -> List[Device]:
    """The devices that models can be loaded on."""
    found: List[Device] = json.loads(devices_json())
    return found


def devices_json() -> str:
    return text_of(lambda out: api().devices(out))


def set_num_threads(count: int) -> None:
    """Sets the number of CPU threads that one operation may use, 1 at first, for the process."""
    api().set_num_threads(_ffi.size(count, "count", bits=32))
