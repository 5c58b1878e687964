"""Errors: one class for each code of the C API."""

from __future__ import annotations

import enum
from typing import ClassVar, Dict, Type


class Code(enum.IntEnum):
    """What went wrong, as the C API numbers it."""

    OK = 0
    INVALID_ARGUMENT = 1
    IO = 2
    FORMAT = 3
    CONFIG = 4
    DATA = 5
    DEVICE = 6
    CANCELLED = 7
    UNSUPPORTED = 8
    INTERNAL = 9


class Error(Exception):
    """A failure. Its text is one line of English."""

    code: ClassVar[Code] = Code.INTERNAL

    @property
    def message(self) -> str:
        return str(self)


class InvalidArgumentError(Error, ValueError):
    """An argument is out of range or malformed, or an option is unknown."""

    code = Code.INVALID_ARGUMENT


class ClosedError(InvalidArgumentError):
    """An object is used after it was closed."""


class IoError(Error, OSError):
    """A file could not be read or written."""

    code = Code.IO


class FormatError(Error, ValueError):
    """A model or checkpoint is damaged or of an unknown format version."""

    code = Code.FORMAT


class ConfigError(Error, ValueError):
    """A configuration names something unknown or contradicts itself."""

    code = Code.CONFIG


class DataError(Error, ValueError):
    """Data does not follow its declared format."""

    code = Code.DATA


class DeviceError(Error, RuntimeError):
    """A device is missing or out of memory."""

    code = Code.DEVICE


class Cancelled(Error):
    """The call was cancelled."""

    code = Code.CANCELLED


class UnsupportedError(Error, RuntimeError):
    """This build or process cannot do it, such as after a fork."""

    code = Code.UNSUPPORTED


class LibraryError(UnsupportedError, OSError):
    """The C library was not found, could not be loaded or has another ABI version."""


class InternalError(Error, RuntimeError):
    """A bug in the library; please report it. Also the codes of newer libraries."""

    code = Code.INTERNAL


_CLASSES: Dict[int, Type[Error]] = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        IoError,
        FormatError,
        ConfigError,
        DataError,
        DeviceError,
        Cancelled,
        UnsupportedError,
        InternalError,
    )
}


def error_of(code: int, message: str) -> Error:
    """The error of a code of the C API."""
    return _CLASSES.get(code, InternalError)(message)
