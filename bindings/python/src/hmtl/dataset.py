"""Data sets: read-only collections of documents."""

from __future__ import annotations

import json
import weakref
from typing import Any, Iterable, List, Optional, Sequence, Union, overload

from . import _ffi
from ._ffi import Handle, Options, StrPath, api, text_of
from .document import Document
from .results import DatasetInfo


class Dataset(Sequence[Document]):
    """A sequence of annotated documents that the library holds."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        """From documents, which the library checks."""
        lines = "".join(f"{document.to_json()}\n" for document in documents)
        self._own(_from_jsonl(_ffi.encode(lines, "documents")))

    @classmethod
    def open(
        cls,
        format: str,
        path: StrPath,
        *,
        skip_invalid: Optional[bool] = None,
        tag_column: Optional[int] = None,
        names: Optional[bool] = None,
        speakers: Optional[bool] = None,
        options: Optional[Options] = None,
    ) -> Dataset:
        """Opens a file or a folder with the reader named ``format``: conll2003, conll2012, docred, dygie,
        conll04, gum, litbank, brat, knowledgenet or jsonl.

        ``skip_invalid`` leaves out what does not follow the format, and counts it; ``tag_column`` is that of
        conll2003, from 0; ``names`` and ``speakers`` are gum's: names are derived from proper nouns, speakers
        written before their turns.
        """
        reader, place = _ffi.encode_name(format, "format"), _ffi.encode_path(path, "path")
        raw = _ffi.encode_options(
            options, skip_invalid=skip_invalid, tag_column=tag_column, names=names, speakers=speakers
        )
        return cls._of(_ffi.made("dataset", lambda out: api().dataset_open(reader, place, raw, out)))

    @classmethod
    def from_jsonl(cls, jsonl: Union[str, bytes]) -> Dataset:
        """Reads JSON Lines, one document a line."""
        return cls._of(_from_jsonl(_ffi.encode(jsonl, "jsonl") if isinstance(jsonl, str) else bytes(jsonl)))

    @classmethod
    def _of(cls, handle: Handle) -> Dataset:
        dataset = cls.__new__(cls)
        dataset._own(handle)
        return dataset

    def _own(self, handle: Handle) -> None:
        self._handle = handle
        self._close = weakref.finalize(self, handle.close)

    def info(self) -> DatasetInfo:
        """Numbers of documents, tokens, mentions and so on."""
        info: DatasetInfo = json.loads(self.info_json())
        return info

    def info_json(self) -> str:
        with self._handle as dataset:
            return text_of(lambda out: api().dataset_info(dataset, out))

    def __len__(self) -> int:
        with self._handle as dataset:
            return int(api().dataset_len(dataset))

    def get_json(self, index: int) -> str:
        """Document ``index`` as the library writes it, with offsets in bytes."""
        number = _ffi.size(index, "index")
        with self._handle as dataset:
            return text_of(lambda out: api().dataset_get(dataset, number, out))

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> List[Document]: ...

    def __getitem__(self, index: Any) -> Any:
        """A document, with offsets in characters."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        count = len(self)
        at = index + count if index < 0 else index
        if not 0 <= at < count:
            raise IndexError(f"document {index} of a data set of {count}")
        return Document.from_json(self.get_json(at)).with_offsets("char")

    def write(self, format: str, path: StrPath) -> None:
        """Writes the data set: jsonl, which holds all of it, conll2003 or conll2012 to the file ``path``, or
        brat to the folder ``path``. What a format has no place for is left out; nested mentions, which
        conll2003 cannot hold, are an error."""
        writer, place = _ffi.encode_name(format, "format"), _ffi.encode_path(path, "path")
        with self._handle as dataset:
            api().dataset_write(dataset, writer, place)

    def close(self) -> None:
        """Frees the data set, once the calls that use it have ended; there can be no new ones."""
        self._close()

    @property
    def closed(self) -> bool:
        return self._handle.closed

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _from_jsonl(data: bytes) -> Handle:
    return _ffi.made("dataset", lambda out: api().dataset_from_jsonl(data, len(data), out))
