"""Training."""

from __future__ import annotations

import json
import threading
import weakref
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

from . import _ffi
from ._ffi import EVENT_FN, Handle, Options, StrPath, api, text_of
from .cancel import Cancel, Relay, cancellable
from .dataset import Dataset
from .errors import InvalidArgumentError
from .model import Model
from .results import Event, Score, Step, TrainerInfo

#: A configuration: an object, or its JSON.
Config = Union[str, Mapping[str, Any]]


class Trainer:
    """Trains a model: its data, weights, optimizers, schedules and random state.

    Threads may share a trainer: one waits for the other.
    """

    def __init__(self, config: Config) -> None:
        """For the run that ``config`` describes: model, data, training. Paths in it are relative to where
        the process works. The data is read at the first step."""
        raw = _ffi.encode_json(config, "config")
        self._own(_ffi.made("trainer", lambda out: api().trainer_new(raw, out)))

    @classmethod
    def resume(
        cls,
        path: StrPath,
        *,
        device: Optional[str] = None,
        config: Optional[Config] = None,
        options: Optional[Options] = None,
    ) -> Trainer:
        """Goes on from a checkpoint that :meth:`save` wrote: what follows is what would have followed, bit
        for bit on the CPU. Data that was added must be added again.

        ``config`` is what the checkpoint's configuration must be.
        """
        folder = _ffi.encode_path(path, "path")
        expected = json.loads(config) if isinstance(config, str) else config
        raw = _ffi.encode_options(options, device=device, config=expected)
        trainer = cls.__new__(cls)
        trainer._own(_ffi.made("trainer", lambda out: api().trainer_resume(folder, raw, out)))
        return trainer

    def _own(self, handle: Handle) -> None:
        self._handle = handle
        self._close = weakref.finalize(self, handle.close)
        #: Held by the call that changes the trainer, the longest of which is train.
        self._turn = threading.Lock()
        #: Held while the library may use the trainer; train lets go of it during events.
        self._state = threading.Lock()
        #: The thread that handles an event.
        self._in_event: Optional[int] = None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        if self._in_event == threading.get_ident():
            raise InvalidArgumentError("a function that gets events cannot change their trainer")
        with self._turn, self._state:
            yield

    @contextmanager
    def _looking(self) -> Iterator[int]:
        with self._state, self._handle as trainer:
            yield trainer

    def add_dataset(self, task: str, split: str, dataset: Dataset) -> None:
        """Gives a task its data for a split: "train", "dev" or "test". The data set may be closed
        afterwards. An error once the run has begun."""
        name, part = _ffi.encode_name(task, "task"), _ffi.encode_name(split, "split")
        with self._changing(), self._handle as trainer, dataset._handle as data:
            api().trainer_add_dataset(trainer, name, part, data)

    def step(self) -> Step:
        """Takes one optimization step on the next batch of the schedule. Nothing is scored at the end of
        an epoch."""
        step: Step = json.loads(self.step_json())
        return step

    def step_json(self) -> str:
        with self._changing(), self._handle as trainer:
            return text_of(lambda out: api().trainer_step(trainer, out))

    def train(
        self,
        on_event: Optional[Callable[[Event], object]] = None,
        *,
        cancel: Optional[Cancel] = None,
    ) -> TrainerInfo:
        """Trains until the last epoch, until tasks are out of patience as configured, or until ``cancel``.

        ``on_event`` gets each event, in the thread of the caller. It may look at the trainer and save it,
        but not change it. If it raises an exception, the training ends between two steps, and the exception
        comes out of here; so it is with Ctrl-C. The trainer can then be saved, resumed and trained further.
        When the run has ended, the trainer has the weights of the best epoch.
        """
        raw = None if on_event is None else lambda event: on_event(json.loads(event))
        info: TrainerInfo = json.loads(self.train_json(raw, cancel=cancel))
        return info

    def train_json(
        self,
        on_event: Optional[Callable[[str], object]] = None,
        *,
        cancel: Optional[Cancel] = None,
    ) -> str:
        """:meth:`train` with events and result as the library writes them."""
        with self._changing():
            if on_event is None:
                return cancellable(lambda token: self._train(EVENT_FN(), token), cancel)
            handle = on_event

            def on_bytes(event: bytes) -> None:
                self._in_event = threading.get_ident()
                self._state.release()
                try:
                    handle(event.decode())
                finally:
                    self._state.acquire()
                    self._in_event = None

            relay: Relay[str] = Relay(
                lambda token: self._train(EVENT_FN(lambda event, _: relay.tell(event)), token), on_bytes
            )
            return relay.run(cancel)

    def _train(self, callback: Any, token: Optional[int]) -> str:
        with self._handle as trainer:
            return text_of(lambda out: api().trainer_train(trainer, callback, None, token, out))

    def evaluate(self, split: str, *, cancel: Optional[Cancel] = None) -> Dict[str, Score]:
        """Scores the weights as they stand on the data of a split, for each task that has some."""
        scores: Dict[str, Score] = json.loads(self.evaluate_json(split, cancel=cancel))
        return scores

    def evaluate_json(self, split: str, *, cancel: Optional[Cancel] = None) -> str:
        part = _ffi.encode_name(split, "split")

        def call(token: Optional[int]) -> str:
            with self._handle as trainer:
                return text_of(lambda out: api().trainer_evaluate(trainer, part, token, out))

        with self._changing():
            return cancellable(call, cancel)

    def info(self) -> TrainerInfo:
        """Where the run stands."""
        info: TrainerInfo = json.loads(self.info_json())
        return info

    def info_json(self) -> str:
        with self._looking() as trainer:
            return text_of(lambda out: api().trainer_info(trainer, out))

    def save(self, path: StrPath) -> None:
        """Writes a checkpoint to the folder ``path``, whole or not at all; it replaces an older checkpoint
        there and nothing else. Its folder ``model`` is a model, as of :meth:`snapshot`."""
        folder = _ffi.encode_path(path, "path")
        with self._looking() as trainer:
            api().trainer_save(trainer, folder)

    def snapshot(self) -> Model:
        """Copies the current weights into a model: averaged if the run averages them, and those of the
        best epoch once the run has ended."""
        with self._looking() as trainer:
            return Model._of(_ffi.made("model", lambda out: api().trainer_snapshot(trainer, out)))

    def snapshot_best(self, task: Optional[str] = None) -> Model:
        """Copies the weights of the epoch with the best dev score of a task, or with the best mean, into a
        model. An error before the first epoch was scored."""
        name = None if task is None else _ffi.encode_name(task, "task")
        with self._looking() as trainer:
            return Model._of(_ffi.made("model", lambda out: api().trainer_snapshot_best(trainer, name, out)))

    def close(self) -> None:
        """Frees the trainer, once the calls that use it have ended; there can be no new ones."""
        self._close()

    @property
    def closed(self) -> bool:
        return self._handle.closed

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
