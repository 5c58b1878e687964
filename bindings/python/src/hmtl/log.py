"""Log lines of the library."""

from __future__ import annotations

import atexit
import logging
import threading
from typing import Any, Callable, Optional

from ._ffi import LOG_FN, api
from .errors import InvalidArgumentError

#: Levels of the library: how important a line is, the lower the more.
ERROR, WARNING, INFO, DEBUG, TRACE = range(1, 6)

_LOGGING = {
    ERROR: logging.ERROR,
    WARNING: logging.WARNING,
    INFO: logging.INFO,
    DEBUG: logging.DEBUG,
    TRACE: logging.DEBUG - 5,
}

_setting = threading.Lock()
_in_callback = threading.local()
_callback: Any = None


def set_log(max_level: int, callback: Optional[Callable[[int, str], object]]) -> None:
    """Sends log lines up to ``max_level`` to ``callback``, from any thread; None turns logging off.

    There is one callback for the process. It gets the level and the line; what it raises goes to
    ``sys.unraisablehook``. It must not call this function.
    """
    global _callback
    if getattr(_in_callback, "now", False):
        raise InvalidArgumentError("a function that gets log lines cannot set it")
    pointer = LOG_FN() if callback is None else LOG_FN(_guarded(callback))
    with _setting:
        # The library waits for the former one, which has to live as long.
        api().set_log(max_level, pointer, None)
        _callback = pointer
    if callback is not None:
        atexit.unregister(_stop)
        atexit.register(_stop)


def log_to(logger: Optional[logging.Logger] = None, max_level: Optional[int] = None) -> None:
    """Sends log lines to a logger of ``logging``, "hmtl" if there is none: those that it is enabled for
    now, or up to ``max_level``."""
    target = logging.getLogger("hmtl") if logger is None else logger
    if max_level is None:
        max_level = max((ours for ours, level in _LOGGING.items() if target.isEnabledFor(level)), default=0)
    set_log(max_level, lambda level, line: target.log(_LOGGING.get(level, 5), "%s", line))


def _guarded(callback: Callable[[int, str], object]) -> Callable[[int, bytes, Any], None]:
    def on_line(level: int, line: bytes, _: Any) -> None:
        _in_callback.now = True
        try:
            callback(level, line.decode())
        finally:
            _in_callback.now = False

    return on_line


def _stop() -> None:
    """A thread of the library would wait for an interpreter that has ended."""
    set_log(0, None)
