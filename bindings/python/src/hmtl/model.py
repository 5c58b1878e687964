"""Models: annotation and evaluation."""

from __future__ import annotations

import itertools
import json
import weakref
from typing import Dict, Iterable, Iterator, List, Optional, Sequence

from . import _ffi
from ._ffi import Handle, Options, StrPath, api, text_of
from .cancel import Cancel, cancellable
from .dataset import Dataset
from .document import Document
from .results import Evaluation, ModelInfo

#: Texts of more characters are annotated by a call that can be interrupted.
_LONG = 10_000


class Model:
    """A trained model. It never changes: share one among all threads.

    Calls that return a document or a dictionary have a twin that returns the library's JSON. ``options``
    are those of the C API, for what has no keyword: a mapping, or JSON text, which is passed on as it is
    and makes the keywords of no effect.
    """

    def __init__(
        self,
        path: Optional[StrPath] = None,
        *,
        device: Optional[str] = None,
        tasks: Optional[Iterable[str]] = None,
        options: Optional[Options] = None,
    ) -> None:
        """Loads the model in the folder ``path``. None is the model that ships with the library: the
        folder that the environment's HMTL_MODEL names, or else that of the installation.

        ``device`` is "cpu", "cuda" or "cuda:1"; of ``tasks``, if given, only these are loaded.
        """
        folder = None if path is None else _ffi.encode_path(path, "path")
        raw = _ffi.encode_options(options, device=device, tasks=_ffi.names(tasks, "tasks"))
        self._own(_ffi.made("model", lambda out: api().model_load(folder, raw, out)))

    @classmethod
    def _of(cls, handle: Handle) -> Model:
        model = cls.__new__(cls)
        model._own(handle)
        return model

    def _own(self, handle: Handle) -> None:
        self._handle = handle
        self._close = weakref.finalize(self, handle.close)

    def info(self) -> ModelInfo:
        """Tasks with their labels, encoders, sizes, and the card that says where it comes from."""
        info: ModelInfo = json.loads(self.info_json())
        return info

    def info_json(self) -> str:
        with self._handle as model:
            return text_of(lambda out: api().model_info(model, out))

    def annotate(
        self,
        text: str,
        *,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> Document:
        """Annotates a text of any length.

        ``tasks`` are those to look for, None for all; labels and relations less probable than ``min_score``
        are left out; ``offsets`` is the unit of every start and end; ``singletons`` also reports
        coreference clusters of one mention; ``independent`` tasks have no say in what another finds, unless
        that reads their mentions or clusters: what is one thing need not agree, and fewer tasks are run.
        """
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        return Document.from_json(self._annotated(text, raw, cancel))

    def annotate_json(
        self,
        text: str,
        *,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> str:
        """:meth:`annotate` as the library writes it."""
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        return self._annotated(text, raw, cancel)

    def _annotated(self, text: str, raw: Optional[bytes], cancel: Optional[Cancel]) -> str:
        if cancel is not None or len(text) > _LONG:
            # Only a batch can be cancelled: one of a single text, without the brackets.
            return self._batch([text], raw, cancel, "text").strip()[1:-1]
        data = _ffi.encode(text, "text")
        with self._handle as model:
            return text_of(lambda out: api().model_annotate(model, data, len(data), raw, out))

    def annotate_batch(
        self,
        texts: Iterable[str],
        *,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> List[Document]:
        """Annotates texts, on all threads of the library at once; the documents are in their order."""
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        return [Document.from_json(d) for d in json.loads(self._batch(texts, raw, cancel))]

    def annotate_batch_json(
        self,
        texts: Iterable[str],
        *,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> str:
        """:meth:`annotate_batch` as the library writes it: an array."""
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        return self._batch(texts, raw, cancel)

    def _batch(
        self,
        texts: Iterable[str],
        raw: Optional[bytes],
        cancel: Optional[Cancel],
        name: str = "texts",
    ) -> str:
        array = _ffi.strings(texts if isinstance(texts, str) else list(texts), name)

        def call(token: Optional[int]) -> str:
            with self._handle as model:
                return text_of(
                    lambda out: api().model_annotate_batch(model, array, len(array), raw, token, out)
                )

        return cancellable(call, cancel)

    def pipe(
        self,
        texts: Iterable[str],
        *,
        batch_size: int = 64,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> Iterator[Document]:
        """Annotates a stream of texts, of which it holds ``batch_size`` at a time."""
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        stream = iter(texts)
        while True:
            batch = list(itertools.islice(stream, batch_size))
            if not batch:
                return
            yield from map(Document.from_json, json.loads(self._batch(batch, raw, cancel)))

    def annotate_tokens(
        self,
        tokens: Sequence[str],
        sentence_ends: Optional[Sequence[int]] = None,
        *,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
    ) -> Document:
        """Annotates a text that is split into tokens already.

        ``sentence_ends`` has, for each sentence, the index after its last token; None means one sentence.
        The text of the document has a space between tokens and a line for each sentence. A call that has
        begun cannot be cancelled.
        """
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        return Document.from_json(self._tokenized(tokens, sentence_ends, raw))

    def annotate_tokens_json(
        self,
        tokens: Sequence[str],
        sentence_ends: Optional[Sequence[int]] = None,
        *,
        tasks: Optional[Iterable[str]] = None,
        min_score: Optional[float] = None,
        offsets: str = "char",
        singletons: Optional[bool] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
    ) -> str:
        """:meth:`annotate_tokens` as the library writes it."""
        raw = _annotate_options(options, tasks, min_score, offsets, singletons, independent)
        return self._tokenized(tokens, sentence_ends, raw)

    def _tokenized(self, tokens: Sequence[str], ends: Optional[Sequence[int]], raw: Optional[bytes]) -> str:
        array = _ffi.strings(tokens, "tokens")
        sizes = None if ends is None else _ffi.sizes(ends, "sentence_ends")
        count = 0 if ends is None else len(ends)
        with self._handle as model:
            return text_of(
                lambda out: api().model_annotate_tokens(model, array, len(array), sizes, count, raw, out)
            )

    def evaluate(
        self,
        dataset: Dataset,
        *,
        tasks: Optional[Iterable[str]] = None,
        all_labels: Optional[bool] = None,
        singletons: Optional[str] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> Dict[str, Evaluation]:
        """Scores the model on a data set: the metrics of each task.

        ``tasks`` are None for all that the data has gold for; ``all_labels`` counts labels that only the data
        or only the model knows as wrong; ``singletons`` is "auto", "keep" or "drop"; ``independent`` is that of
        :meth:`annotate`.
        """
        metrics: Dict[str, Evaluation] = json.loads(
            self.evaluate_json(
                dataset,
                tasks=tasks,
                all_labels=all_labels,
                singletons=singletons,
                independent=independent,
                options=options,
                cancel=cancel,
            )
        )
        return metrics

    def evaluate_json(
        self,
        dataset: Dataset,
        *,
        tasks: Optional[Iterable[str]] = None,
        all_labels: Optional[bool] = None,
        singletons: Optional[str] = None,
        independent: Optional[bool] = None,
        options: Optional[Options] = None,
        cancel: Optional[Cancel] = None,
    ) -> str:
        """:meth:`evaluate` as the library writes it."""
        raw = _ffi.encode_options(
            options,
            tasks=_ffi.names(tasks, "tasks"),
            all_labels=all_labels,
            singletons=singletons,
            independent=independent,
        )

        def call(token: Optional[int]) -> str:
            with self._handle as model, dataset._handle as data:
                return text_of(lambda out: api().model_evaluate(model, data, raw, token, out))

        return cancellable(call, cancel)

    def save(
        self,
        path: StrPath,
        *,
        precision: Optional[str] = None,
        options: Optional[Options] = None,
    ) -> None:
        """Writes the model as a folder that can be loaded, whole or not at all; it replaces an older
        model there and nothing else. ``precision`` is "float32", "float16" or "compact"."""
        folder = _ffi.encode_path(path, "path")
        raw = _ffi.encode_options(options, precision=precision)
        with self._handle as model:
            api().model_save(model, folder, raw)

    def close(self) -> None:
        """Frees the model, once the calls that use it have ended; there can be no new ones."""
        self._close()

    @property
    def closed(self) -> bool:
        return self._handle.closed

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _annotate_options(
    options: Optional[Options],
    tasks: Optional[Iterable[str]],
    min_score: Optional[float],
    offsets: str,
    singletons: Optional[bool],
    independent: Optional[bool],
) -> Optional[bytes]:
    return _ffi.encode_options(
        options,
        tasks=_ffi.names(tasks, "tasks"),
        min_score=min_score,
        offsets=offsets,
        singletons=singletons,
        independent=independent,
    )
