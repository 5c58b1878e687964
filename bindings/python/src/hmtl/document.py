"""Documents: what annotation returns, and the rows of a data set.

Spans are half-open. ``start`` and ``end`` are in the unit that ``Document.offsets`` names, unless told
otherwise Python's own: ``document.text[mention.start : mention.end] == mention.text``. ``first_token`` and
``last_token`` count tokens; relations and clusters name mentions by their index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from .errors import DataError

#: Units of ``start`` and ``end``: code points, UTF-8 bytes, UTF-16 code units.
UNITS = ("char", "byte", "utf16")


@dataclass(frozen=True)
class Token:
    """A token of a document."""

    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """A sentence of a document."""

    start: int
    end: int
    first_token: int
    #: Index after the last token.
    last_token: int


@dataclass(frozen=True)
class Label:
    """A label, and the model's probability for it. Gold labels have none."""

    label: str
    score: Optional[float] = None


@dataclass(frozen=True)
class Mention:
    """A span that at least one task found."""

    start: int
    end: int
    first_token: int
    #: Index after the last token.
    last_token: int
    text: str
    #: By task.
    labels: Mapping[str, Label] = field(default_factory=dict, hash=False)
    #: Index into ``Document.clusters``.
    cluster: Optional[int] = None


@dataclass(frozen=True)
class Relation:
    """A relation of two mentions, which are named by their index."""

    task: str
    label: str
    head: int
    tail: int
    score: Optional[float] = None


@dataclass(frozen=True)
class Cluster:
    """Mentions of one entity, named by their index, in text order."""

    mentions: Tuple[int, ...]


@dataclass(frozen=True)
class Document:
    """A text with its sentences, tokens and annotations."""

    text: str
    sentences: Tuple[Sentence, ...] = ()
    tokens: Tuple[Token, ...] = ()
    mentions: Tuple[Mention, ...] = ()
    relations: Tuple[Relation, ...] = ()
    clusters: Tuple[Cluster, ...] = ()
    #: What was looked for, found or not.
    tasks: Tuple[str, ...] = ()
    #: By task, the labels that were looked for, where those were not all that there are.
    covered: Mapping[str, Tuple[str, ...]] = field(default_factory=dict, hash=False)
    id: Optional[str] = None
    offsets: str = "char"
    format: int = 1

    @classmethod
    def from_json(cls, data: Union[str, bytes, Mapping[str, Any]]) -> Document:
        """Reads JSON text, or the object that was read from it. Fields that newer libraries add are
        left out."""
        try:
            return _read(data if isinstance(data, Mapping) else json.loads(data))
        except ValueError as error:
            raise DataError(f"a document is not JSON: {error}") from None
        except KeyError as error:
            raise DataError(f"a document lacks the field {error}") from None
        except (AttributeError, TypeError) as error:
            raise DataError(f"a document is not as it should be: {error}") from None

    def to_dict(self) -> Dict[str, Any]:
        """The object that :meth:`to_json` writes."""
        data: Dict[str, Any] = {"format": self.format}
        if self.id is not None:
            data["id"] = self.id
        data["offsets"] = self.offsets
        data["tasks"] = list(self.tasks)
        if self.covered:
            data["covered"] = {layer: list(labels) for layer, labels in self.covered.items()}
        data["text"] = self.text
        data["sentences"] = [vars(sentence).copy() for sentence in self.sentences]
        data["tokens"] = [vars(token).copy() for token in self.tokens]
        data["mentions"] = [
            _present({**vars(m), "labels": {k: _present(vars(v)) for k, v in m.labels.items()}})
            for m in self.mentions
        ]
        data["relations"] = [_present(vars(relation)) for relation in self.relations]
        data["clusters"] = [{"mentions": list(cluster.mentions)} for cluster in self.clusters]
        return data

    def to_json(self) -> str:
        """JSON on one line, as the library writes and reads it."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def labelled(self, task: str) -> Iterator[Tuple[Mention, Label]]:
        """The mentions that have a label of a task, in text order."""
        for mention in self.mentions:
            if task in mention.labels:
                yield mention, mention.labels[task]

    def arguments(self, relation: Relation) -> Tuple[Mention, Mention]:
        """Head and tail of a relation."""
        return self.mentions[relation.head], self.mentions[relation.tail]

    def cluster_mentions(self, cluster: Cluster) -> Tuple[Mention, ...]:
        """The mentions of a cluster, in text order."""
        return tuple(self.mentions[m] for m in cluster.mentions)

    def text_of(self, span: Union[Token, Sentence, Mention]) -> str:
        """The text of a token, a sentence or a mention, whatever the unit of offsets."""
        if self.offsets == "char":
            return self.text[span.start : span.end]
        if self.offsets == "byte":
            return self.text.encode()[span.start : span.end].decode()
        return self.text.encode("utf-16-le")[2 * span.start : 2 * span.end].decode("utf-16-le")

    def words(self) -> List[str]:
        """The texts of the tokens."""
        chars = self.with_offsets("char")
        return [self.text[token.start : token.end] for token in chars.tokens]

    def with_offsets(self, unit: str) -> Document:
        """The same document with ``start`` and ``end`` in another unit: "char", "byte" or "utf16"."""
        if unit == self.offsets:
            return self
        move = _converter(self.text, self.offsets, unit)
        return replace(
            self,
            offsets=unit,
            sentences=tuple(replace(s, start=move(s.start), end=move(s.end)) for s in self.sentences),
            tokens=tuple(Token(move(t.start), move(t.end)) for t in self.tokens),
            mentions=tuple(replace(m, start=move(m.start), end=move(m.end)) for m in self.mentions),
        )


def _read(data: Mapping[str, Any]) -> Document:
    mentions = (
        Mention(
            m["start"],
            m["end"],
            m["first_token"],
            m["last_token"],
            m["text"],
            {t: Label(v["label"], v.get("score")) for t, v in m.get("labels", {}).items()},
            m.get("cluster"),
        )
        for m in data.get("mentions", ())
    )
    return Document(
        text=data["text"],
        sentences=tuple(
            Sentence(s["start"], s["end"], s["first_token"], s["last_token"]) for s in data["sentences"]
        ),
        tokens=tuple(Token(t["start"], t["end"]) for t in data["tokens"]),
        mentions=tuple(mentions),
        relations=tuple(
            Relation(r["task"], r["label"], r["head"], r["tail"], r.get("score"))
            for r in data.get("relations", ())
        ),
        clusters=tuple(Cluster(tuple(c["mentions"])) for c in data.get("clusters", ())),
        tasks=tuple(data.get("tasks", ())),
        covered={layer: tuple(labels) for layer, labels in data.get("covered", {}).items()},
        id=data.get("id"),
        offsets=data.get("offsets", "byte"),
        format=data.get("format", 1),
    )


def _present(values: Mapping[str, Any]) -> Dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _converter(text: str, old: str, new: str) -> Callable[[int], int]:
    for unit in (old, new):
        if unit not in UNITS:
            raise DataError(f"unknown unit of offsets {unit!r}: there are {', '.join(UNITS)}")
    if text.isascii():
        return lambda at: at
    places, target = _boundaries(text, old), _boundaries(text, new)
    index = dict(zip(places, target))

    def move(at: int) -> int:
        if at not in index:
            raise DataError(f"offset {at} is outside the text or inside a character")
        return index[at]

    return move


def _boundaries(text: str, unit: str) -> Sequence[int]:
    """Where each character begins, and where the last ends."""
    if unit == "char":
        return range(len(text) + 1)
    width = _utf8_width if unit == "byte" else _utf16_width
    return list(accumulate(map(width, text), initial=0))


def _utf8_width(char: str) -> int:
    code = ord(char)
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def _utf16_width(char: str) -> int:
    return 1 if ord(char) < 0x10000 else 2
