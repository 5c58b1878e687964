"""The functions of ``hmtl.h`` for ctypes, and what passes through them."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_void_p
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from . import _library
from .errors import ClosedError, InvalidArgumentError, UnsupportedError, error_of

StrPath = Union[str, "os.PathLike[str]"]
#: Options of the C API: an object, or its JSON.
Options = Union[str, Mapping[str, Any]]


class Str(ctypes.Structure):
    """``hmtl_str``"""

    _fields_ = [("data", c_char_p), ("len", c_size_t)]


#: ``hmtl_log_fn`` and ``hmtl_event_fn``
LOG_FN = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
EVENT_FN = ctypes.CFUNCTYPE(None, c_char_p, c_void_p)

_OUT = POINTER(c_void_p)
_STRS = POINTER(Str)
_SIZES = POINTER(c_size_t)

#: Functions that return an ``hmtl_error``, without their prefix, and their parameters.
FALLIBLE: Dict[str, Tuple[Any, ...]] = {
    "build_info": (_OUT,),
    "devices": (_OUT,),
    "set_num_threads": (c_uint32,),
    "model_load": (c_char_p, c_char_p, _OUT),
    "model_info": (c_void_p, _OUT),
    "model_annotate": (c_void_p, c_char_p, c_size_t, c_char_p, _OUT),
    "model_annotate_batch": (c_void_p, _STRS, c_size_t, c_char_p, c_void_p, _OUT),
    "model_annotate_tokens": (c_void_p, _STRS, c_size_t, _SIZES, c_size_t, c_char_p, _OUT),
    "model_evaluate": (c_void_p, c_void_p, c_char_p, c_void_p, _OUT),
    "model_save": (c_void_p, c_char_p, c_char_p),
    "dataset_open": (c_char_p, c_char_p, c_char_p, _OUT),
    "dataset_from_jsonl": (c_char_p, c_size_t, _OUT),
    "dataset_info": (c_void_p, _OUT),
    "dataset_get": (c_void_p, c_size_t, _OUT),
    "dataset_write": (c_void_p, c_char_p, c_char_p),
    "trainer_new": (c_char_p, _OUT),
    "trainer_resume": (c_char_p, c_char_p, _OUT),
    "trainer_add_dataset": (c_void_p, c_char_p, c_char_p, c_void_p),
    "trainer_step": (c_void_p, _OUT),
    "trainer_train": (c_void_p, EVENT_FN, c_void_p, c_void_p, _OUT),
    "trainer_evaluate": (c_void_p, c_char_p, c_void_p, _OUT),
    "trainer_info": (c_void_p, _OUT),
    "trainer_save": (c_void_p, c_char_p),
    "trainer_snapshot": (c_void_p, _OUT),
    "trainer_snapshot_best": (c_void_p, c_char_p, _OUT),
}
#: The others: their result and their parameters.
INFALLIBLE: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {
    "version": (c_char_p, ()),
    "abi_version": (c_uint32, ()),
    "error_code": (c_int, (c_void_p,)),
    "error_message": (c_char_p, (c_void_p,)),
    "error_free": (None, (c_void_p,)),
    "string_free": (None, (c_void_p,)),
    "set_log": (None, (c_int32, LOG_FN, c_void_p)),
    "cancel_new": (c_void_p, ()),
    "cancel_new_child": (c_void_p, (c_void_p,)),
    "cancel_trigger": (None, (c_void_p,)),
    "cancel_free": (None, (c_void_p,)),
    "model_free": (None, (c_void_p,)),
    "dataset_len": (c_size_t, (c_void_p,)),
    "dataset_free": (None, (c_void_p,)),
    "trainer_free": (None, (c_void_p,)),
}


class Api:
    """The loaded library. A fallible function raises its error."""

    def __init__(self) -> None:
        self._library, self.path = _library.open_library()
        for name, (result, parameters) in INFALLIBLE.items():
            self._declare(name, result, parameters)
        for name, parameters in FALLIBLE.items():
            self._declare(name, c_void_p, parameters).errcheck = self._raise

    def _declare(self, name: str, result: Any, parameters: Tuple[Any, ...]) -> Any:
        symbol = f"hmtl_{name}"
        function: Any = getattr(self._library, symbol, None)
        if function is None:
            function = _Absent(f"{self.path} has no {symbol}: it is older than this package")
        function.restype = result
        function.argtypes = parameters
        setattr(self, name, function)
        return function

    def _raise(self, error: Optional[int], *_: Any) -> None:
        if error:
            try:
                message = self.error_message(error).decode()
                raise error_of(self.error_code(error), message)
            finally:
                self.error_free(error)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(name)  # for the type checker: functions are attributes


class _Absent:
    """A function that the library does not have."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, *_: Any) -> None:
        raise UnsupportedError(self.message)


_api: Optional[Api] = None
_loading = threading.Lock()


def api() -> Api:
    """The library, which is loaded at the first call."""
    global _api
    if _api is None:
        with _loading:
            if _api is None:
                _api = Api()
    return _api


class Handle:
    """An object of the library. It is freed once: when it is closed and no call uses it any more.

    In a ``with`` statement it is the pointer, for the time of a call.
    """

    def __init__(self, kind: str, pointer: int) -> None:
        self.kind = kind
        self._pointer: Optional[int] = pointer
        self._calls = 0
        self._closed = False
        self._pid = os.getpid()
        # Reentrant, for a signal handler may trigger a token that its thread is passing on.
        self._lock = threading.RLock()

    @property
    def closed(self) -> bool:
        return self._closed

    def __enter__(self) -> int:
        with self._lock:
            if self._closed or self._pointer is None:
                raise ClosedError(f"the {self.kind} is closed")
            self._calls += 1
            return self._pointer

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1
            self._free_if_idle()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._free_if_idle()

    def _free_if_idle(self) -> None:
        if self._closed and self._calls == 0 and self._pointer is not None:
            pointer, self._pointer = self._pointer, None
            # A forked child has a copy of the memory, but none of the threads that may hold its locks.
            if os.getpid() == self._pid:
                getattr(api(), f"{self.kind}_free")(pointer)


def made(kind: str, call: Callable[[Any], object]) -> Handle:
    """The object that a call writes."""
    out = c_void_p()
    call(byref(out))
    assert out.value is not None
    return Handle(kind, out.value)


def text_of(call: Callable[[Any], object]) -> str:
    """The string that a call writes."""
    out = c_void_p()
    call(byref(out))
    assert out.value is not None
    try:
        return ctypes.string_at(out.value).decode()
    finally:
        api().string_free(out)


def encode(text: str, name: str) -> bytes:
    """Text for a parameter that takes a length."""
    if not isinstance(text, str):
        raise TypeError(f"{name} is {type(text).__name__}, not str")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{name} has the lone surrogate U+{ord(text[error.start]):04X} at index {error.start}, "
            "which is no character"
        ) from None


def encode_name(text: str, name: str) -> bytes:
    """Text for a parameter that ends in NUL."""
    data = encode(text, name)
    if b"\0" in data:
        raise InvalidArgumentError(f"{name} holds a NUL")
    return data


def encode_path(path: StrPath, name: str) -> bytes:
    return encode_name(os.fspath(path), name)


def encode_json(value: Options, name: str) -> bytes:
    """JSON text, or what encodes as such."""
    if isinstance(value, str):
        return encode_name(value, name)
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {type(value).__name__}, not a mapping or JSON")
    try:
        return json.dumps(value, allow_nan=False).encode()
    except ValueError as error:
        raise InvalidArgumentError(f"{name}: {error}") from None


def encode_options(options: Optional[Options], **keywords: Any) -> Optional[bytes]:
    """Options as JSON: those that are not None, and over them what ``options`` says. If that is
    JSON text, it stands alone."""
    if isinstance(options, str):
        return encode_json(options, "options")
    merged = {key: value for key, value in keywords.items() if value is not None}
    merged.update(options or {})
    return encode_json(merged, "options") if merged else None


def names(values: Optional[Iterable[str]], name: str) -> Optional[List[str]]:
    """A list of names. A single string would be taken for a list of letters."""
    if isinstance(values, str):
        raise TypeError(f"{name} is a str, not a list of them")
    return None if values is None else list(values)


def strings(texts: Sequence[str], name: str) -> Any:
    """An array of ``hmtl_str``, which keeps its bytes alive."""
    if isinstance(texts, str):
        raise TypeError(f"{name} is a str, not a sequence of them")
    array = (Str * len(texts))()
    for at, text in enumerate(texts):
        data = encode(text, f"{name}[{at}]")
        array[at] = Str(data, len(data))
    return array


def sizes(values: Sequence[int], name: str) -> Any:
    """An array of ``size_t``."""
    return (c_size_t * len(values))(*(size(v, f"{name}[{i}]") for i, v in enumerate(values)))


def size(value: int, name: str, bits: int = 64) -> int:
    """A number that C can hold; ctypes would cut it."""
    if not 0 <= value < 1 << bits:
        raise InvalidArgumentError(f"{name} is {value}: it must be from 0 to 2^{bits} - 1")
    return value
