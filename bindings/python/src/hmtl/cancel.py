"""Cancel tokens, and calls that can be interrupted."""

from __future__ import annotations

import threading
import weakref
from queue import SimpleQueue
from typing import Callable, Generic, Optional, TypeVar, Union

from ._ffi import Handle, api
from .errors import ClosedError

T = TypeVar("T")


class Cancel:
    """Asks running calls to stop: they raise :class:`hmtl.Cancelled` at their next step.

    A token stays triggered. One with a ``parent`` is triggered with it, and can be triggered alone.
    """

    def __init__(self, parent: Optional[Cancel] = None) -> None:
        if parent is None:
            pointer = api().cancel_new()
        else:
            with parent._handle as above:
                pointer = api().cancel_new_child(above)
        self._handle: Handle = Handle("cancel", pointer)
        self._close = weakref.finalize(self, self._handle.close)
        self._parent = parent
        self._triggered = False

    def trigger(self) -> None:
        """Triggers the token. Any thread may, and a signal handler. After the token was closed it does
        nothing."""
        try:
            with self._handle as pointer:
                self._triggered = True
                api().cancel_trigger(pointer)
        except ClosedError:
            pass

    @property
    def triggered(self) -> bool:
        return self._triggered or (self._parent is not None and self._parent.triggered)

    def close(self) -> None:
        """Frees the token. Calls that hold it go on, and cannot be cancelled any more."""
        self._close()

    def __enter__(self) -> Cancel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def cancellable(call: Callable[[Optional[int]], T], cancel: Optional[Cancel]) -> T:
    """Makes a call that takes the pointer of a token.

    Python runs signal handlers in the main thread, between two steps of its own. There the call is
    made in a helper thread, so that Ctrl-C interrupts the wait for it, and then the call itself.
    """
    if threading.current_thread() is threading.main_thread():
        return Relay(call).run(cancel)
    if cancel is None:
        return call(None)
    with cancel._handle as token:
        return call(token)


class _End(Generic[T]):
    """How a call ended."""

    def __init__(self) -> None:
        self.value: Optional[T] = None
        self.error: Optional[BaseException] = None


class Relay(Generic[T]):
    """A call in a helper thread, whose events are handled by the thread that waits for it."""

    def __init__(
        self,
        call: Callable[[Optional[int]], T],
        on_event: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._call = call
        self._on_event = on_event
        self._messages: SimpleQueue[Union[bytes, _End[T]]] = SimpleQueue()
        self._handled: SimpleQueue[None] = SimpleQueue()
        self._abandoned = False

    def tell(self, event: bytes) -> None:
        """Called in the helper thread: returns when the event was handled."""
        if not self._abandoned:
            self._messages.put(event)
            self._handled.get()

    def run(self, cancel: Optional[Cancel]) -> T:
        """What the call returns or raises. What else is raised meanwhile, by an event or by a signal,
        cancels the call and comes out of here when it has ended."""
        with Cancel(cancel) as own:
            thread = threading.Thread(target=self._make, args=(own,), name="hmtl")
            try:
                thread.start()
                message = self._messages.get()
                while not isinstance(message, _End):
                    self._on_event(message)
                    self._handled.put(None)
                    message = self._messages.get()
            finally:
                self._settle(thread, own)
            if message.error is not None:
                raise message.error
            return message.value  # type: ignore[return-value]

    def _make(self, own: Cancel) -> None:
        end: _End[T] = _End()
        try:
            with own._handle as token:
                end.value = self._call(token)
        except BaseException as error:
            end.error = error
        self._messages.put(end)

    def _settle(self, thread: threading.Thread, own: Cancel) -> None:
        """Waits for the thread to end, whatever is raised meanwhile."""
        late: Optional[BaseException] = None
        while thread.is_alive():
            try:
                own.trigger()
                self._abandoned = True
                self._handled.put(None)
                thread.join()
            except BaseException as error:
                late = error
        if late is not None:
            raise late
