"""Documents from and to the formats of others: spaCy's JSON, CoNLL-2012, brat.

In spaCy's JSON and in its documents, annotations stand in span groups:

========================  ============================================================
``hmtl/TASK``             the mentions that have a label of a task
``hmtl/relations/TASK``   relations: head, tail, head, tail..., with the label of the relation
``hmtl/clusters/N``       the mentions of a coreference cluster
========================  ============================================================

and the entities, which are flat, are the mentions of the task ``ner``.

Files of the other formats are read and written by the library (`hmtl.Dataset`); the functions here say what
was left out, and keep the layers apart that a format does not tell apart.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ._ffi import StrPath
from .builder import DocumentBuilder, Span
from .dataset import Dataset
from .document import Document, Label, Mention
from .errors import DataError, InvalidArgumentError

#: The layers of names and of coreference, which formats without layers have.
NER, COREF = "ner", "coref"

PREFIX = "hmtl/"
RELATIONS = f"{PREFIX}relations/"
CLUSTERS = f"{PREFIX}clusters/"

#: What brat files have as the label of a mention without one.
UNLABELLED = "Mention"


# CoNLL-2012 and brat


def read_conll2012(path: StrPath, *, skip_invalid: bool = False) -> List[Document]:
    """Names (``ner``) and coreference of a file or a folder with CoNLL-2012 columns."""
    with Dataset.open("conll2012", path, skip_invalid=skip_invalid) as dataset:
        return list(dataset)


def write_conll2012(documents: Iterable[Document], path: StrPath, *, nested: str = "drop") -> int:
    """Writes names (``ner``) and coreference in CoNLL-2012 columns, and returns how many names were left out.

    The column of names is flat: of nested or overlapping ones the first and longest is written, unless
    ``nested`` is "error". The text of a document becomes its tokens with spaces between.
    """
    kept = list(documents)
    dropped = sum(len(_overlapping(document, NER, nested)) for document in kept)
    with Dataset(kept) as dataset:
        dataset.write("conll2012", path)
    return dropped


def read_brat(path: StrPath, *, layer: str = "emd", skip_invalid: bool = False) -> List[Document]:
    """Mentions, relations and coreference of a folder of brat files. Labels become those of ``layer``."""
    with Dataset.open("brat", path, skip_invalid=skip_invalid) as dataset:
        return [_relabelled(document, "emd", layer) for document in dataset]


def write_brat(documents: Iterable[Document], path: StrPath, *, layer: Optional[str] = None) -> None:
    """Writes brat files to the folder ``path``: mentions, relations, and clusters as equivalences.

    brat knows no layers: a mention gets a line for each of its labels, and readers take only the first of
    them. ``layer`` writes only the labels of one task; mentions without one, such as those of clusters, are
    then labelled "Mention", which :func:`read_brat` takes for none.
    """
    kept = documents if layer is None else (_only(document, layer) for document in documents)
    with Dataset(kept) as dataset:
        dataset.write("brat", path)


def _overlapping(document: Document, layer: str, nested: str) -> List[Mention]:
    """The mentions that a flat format has no place for."""
    if nested not in ("drop", "error"):
        raise InvalidArgumentError(f'nested is {nested!r}: it must be "drop" or "error"')
    dropped, end = [], 0
    for mention, _ in document.labelled(layer):
        if mention.first_token < end:
            if nested == "error":
                raise DataError(f"the mention {mention.text!r} of document {document.id!r} is nested")
            dropped.append(mention)
        else:
            end = mention.last_token
    return dropped


def _rebuilt(document: Document, labels: Mapping[int, Mapping[str, Label]]) -> Document:
    """The document with other labels, by mention."""
    build = DocumentBuilder.from_document(document)
    spans = [(m.first_token, m.last_token) for m in document.mentions]
    for at, layers in labels.items():
        for layer, label in layers.items():
            build.label(spans[at], layer, label.label, label.score)
    for r in document.relations:
        build.relation(r.task, r.label, spans[r.head], spans[r.tail], r.score)
    for cluster in document.clusters:
        build.cluster(spans[m] for m in cluster.mentions)
    return build.build()


def _only(document: Document, layer: str) -> Document:
    labels = {
        at: {layer: mention.labels[layer]}
        for at, mention in enumerate(document.mentions)
        if layer in mention.labels
    }
    return _rebuilt(document, labels)


def _relabelled(document: Document, old: str, new: str) -> Document:
    labels = {
        at: {new: mention.labels[old]}
        for at, mention in enumerate(document.mentions)
        if old in mention.labels and mention.labels[old].label != UNLABELLED
    }
    build = _rebuilt(document, labels)
    return Document.from_json(
        {**build.to_dict(), "tasks": [new if task == old else task for task in document.tasks]}
    )


# spaCy's JSON


class Member(NamedTuple):
    """A mention in a span group."""

    mention: int
    label: str
    score: Optional[float]


def span_groups(document: Document) -> Dict[str, List[Member]]:
    """The span groups of a document, by their keys."""
    groups: Dict[str, List[Member]] = {}
    for at, mention in enumerate(document.mentions):
        for task, label in mention.labels.items():
            groups.setdefault(PREFIX + task, []).append(Member(at, label.label, label.score))
    for r in document.relations:
        group = groups.setdefault(RELATIONS + r.task, [])
        group += (Member(r.head, r.label, r.score), Member(r.tail, r.label, r.score))
    for n, cluster in enumerate(document.clusters):
        groups[f"{CLUSTERS}{n}"] = [Member(m, "", None) for m in cluster.mentions]
    return groups


def to_spacy_json(document: Document, *, ents: Optional[str] = NER, nested: str = "drop") -> Dict[str, Any]:
    """A document as ``spacy.tokens.Doc.from_json`` takes it.

    ``ents`` is the task whose mentions become the entities; what overlaps is left out of them, or an error
    (``nested``), and stands in the span groups all the same. The key ``hmtl``, which spaCy passes over, holds
    what its format has no place for: id, tasks and scores.
    """
    document = document.with_offsets("char")
    tokens = list(_spacy_tokens(document))
    data: Dict[str, Any] = {
        "text": document.text,
        "sents": [{"start": s[0].start, "end": s[-1].end} for s in _spacy_sentences(document, tokens)],
        "tokens": [{"id": at, "start": t.start, "end": t.end} for at, t in enumerate(tokens)],
    }
    if ents is not None:
        flat = _flat(document, ents, nested)
        data["ents"] = [{"start": m.start, "end": m.end, "label": label.label} for m, label in flat]
    groups = span_groups(document)
    data["spans"] = {
        key: [
            {
                "start": document.mentions[member.mention].start,
                "end": document.mentions[member.mention].end,
                "label": member.label,
                "kb_id": "",
            }
            for member in members
        ]
        for key, members in groups.items()
    }
    rest: Dict[str, Any] = {
        "tasks": list(document.tasks),
        "covered": {layer: list(labels) for layer, labels in document.covered.items()},
        "scores": {
            key: [member.score for member in members]
            for key, members in groups.items()
            if any(member.score is not None for member in members)
        },
    }
    data["hmtl"] = {"id": document.id, **rest}
    return data


def from_spacy_json(
    data: Mapping[str, Any],
    *,
    ents: Optional[str] = NER,
    groups: Optional[Mapping[str, str]] = None,
    misaligned: str = "error",
) -> Document:
    """A document from what ``spacy.tokens.Doc.to_json`` wrote.

    The entities become mentions of the task ``ents``, unless a span group of ours has that task; ``groups``
    says which other span groups become which tasks: ``{"sc": "emd"}``. Tokens that are white space are left
    out. Without sentences there is one. A span that does not begin and end with tokens of one sentence is
    left out if ``misaligned`` is "drop".
    """
    if misaligned not in ("drop", "error"):
        raise InvalidArgumentError(f'misaligned is {misaligned!r}: it must be "drop" or "error"')
    text = data["text"]
    tokens = [(t["start"], t["end"]) for t in data["tokens"] if text[t["start"] : t["end"]].strip()]
    starts = [s["start"] for s in data.get("sents", ())]
    rest: Mapping[str, Any] = data.get("hmtl", {})
    build = DocumentBuilder(text, _split(tokens, starts), rest.get("id"))
    for task in rest.get("tasks", ()):
        build.layer(task)
    for layer, labels in rest.get("covered", {}).items():
        build.cover(layer, labels)

    def place(span: Mapping[str, Any]) -> Optional[Span]:
        found = _place(build, span["start"], span["end"])
        if found is None and misaligned == "error":
            words = text[span["start"] : span["end"]]
            raise DataError(f"the span {words!r} does not begin and end with tokens of one sentence")
        return found

    spans: Mapping[str, Sequence[Mapping[str, Any]]] = data.get("spans", {})
    scores: Mapping[str, Sequence[Optional[float]]] = rest.get("scores", {})
    named = dict(groups or {})
    for key, members in spans.items():
        places = [place(span) for span in members]
        labels = [span.get("label", "") for span in members]
        values = scores.get(key) or [None] * len(members)
        if key.startswith(CLUSTERS):
            build.layer(COREF)
            build.cluster(span for span in places if span is not None)
        elif key.startswith(RELATIONS):
            heads, tails = places[::2], places[1::2]
            for head, tail, label, score in zip(heads, tails, labels[::2], values[::2]):
                if head is not None and tail is not None:
                    build.relation(key[len(RELATIONS) :], label, head, tail, score)
        elif key in named or key.startswith(PREFIX):
            task = named.get(key) or key[len(PREFIX) :]
            build.layer(task)
            for span, label, score in zip(places, labels, values):
                if span is not None:
                    build.label(span, task, label, score)
    if ents is not None and "ents" in data and PREFIX + ents not in spans:
        build.layer(ents)
        for entity in data["ents"]:
            span = place(entity)
            if span is not None:
                build.label(span, ents, entity["label"])
    return build.build()


def to_training_json(
    documents: Iterable[Document], *, ents: str = NER, nested: str = "drop"
) -> List[Dict[str, Any]]:
    """Documents as the JSON that ``spacy convert --converter json`` takes: sentences, tokens, and the
    mentions of one task as BILUO tags. What is nested is left out, or an error."""
    converted = []
    for number, document in enumerate(documents):
        document = document.with_offsets("char")
        flat = _flat(document, ents, nested)
        tags = ["O"] * len(document.tokens)
        for mention, label in flat:
            first, last = mention.first_token, mention.last_token - 1
            tags[first : last + 1] = [f"I-{label.label}"] * (last + 1 - first)
            tags[first], tags[last] = f"B-{label.label}", f"L-{label.label}"
            if first == last:
                tags[first] = f"U-{label.label}"
        tokens = list(_spacy_tokens(document))
        sentences = [
            {
                "tokens": [
                    {
                        "id": t.number,
                        "orth": document.text[t.start : t.end],
                        "space": " " if t.space else "",
                        "ner": _tag(t, tags, flat),
                    }
                    for t in sentence
                ],
                "brackets": [],
            }
            for sentence in _spacy_sentences(document, tokens)
        ]
        paragraph = {"raw": document.text, "sentences": sentences, "cats": []}
        converted.append({"id": number if document.id is None else document.id, "paragraphs": [paragraph]})
    return converted


def from_training_json(
    data: Union[Mapping[str, Any], Iterable[Mapping[str, Any]]], *, ents: str = NER
) -> List[Document]:
    """Documents from that JSON, one for each paragraph. Tags become mentions of the task ``ents``."""
    documents: List[Document] = []
    for item in [data] if isinstance(data, Mapping) else data:
        for at, paragraph in enumerate(item["paragraphs"]):
            id = str(item.get("id", len(documents)))
            documents.append(_paragraph(paragraph, id if at == 0 else f"{id}-{at}", ents))
    return documents


def _paragraph(paragraph: Mapping[str, Any], id: str, ents: str) -> Document:
    text = paragraph.get("raw")
    words: List[str] = []
    tags: List[str] = []
    ends: List[int] = []
    for sentence in paragraph["sentences"]:
        for token in sentence["tokens"]:
            words.append(token["orth"])
            tags.append(token.get("ner") or "-")
        ends.append(len(words))
    if text is None:
        tokens = (t for s in paragraph["sentences"] for t in s["tokens"])
        text = "".join(t["orth"] + t.get("space", " ") for t in tokens)
    spans, at = [], 0
    for word in words:
        start = text.find(word, at)
        if start < 0:
            raise DataError(f"the token {word!r} of document {id!r} is not in its text")
        at = start + len(word)
        spans.append((start, at))
    filled = [n for n, word in enumerate(words) if word.strip()]
    sentences = [[spans[n] for n in filled if first <= n < last] for first, last in zip([0, *ends], ends)]
    build = DocumentBuilder(text, sentences, id)
    if any(tag != "-" for tag in tags):
        build.layer(ents)
    new = {n: at for at, n in enumerate(filled)}
    for first, last, label in _tagged(tags, id):
        inside = [new[n] for n in range(first, last) if n in new]
        if inside:
            build.label((inside[0], inside[-1] + 1), ents, label)
    return build.build()


def _tagged(tags: Sequence[str], id: str) -> Iterator[Tuple[int, int, str]]:
    """The spans of BILUO tags."""
    start: Optional[int] = None
    for at, tag in enumerate(tags):
        kind, _, label = tag.partition("-")
        if kind == "U":
            yield at, at + 1, label
        elif kind == "B":
            start = at
        elif kind == "L":
            if start is None:
                raise DataError(f"the tag {tag!r} of token {at} of document {id!r} ends nothing")
            yield start, at + 1, label
            start = None


def _tag(token: _SpacyToken, tags: Sequence[str], flat: Iterable[Tuple[Mention, Label]]) -> str:
    """The tag of a token; white space may stand inside a mention."""
    if token.own is not None:
        return tags[token.own]
    around = (f"I-{label.label}" for m, label in flat if m.start < token.start < m.end)
    return next(around, "O")


def _flat(document: Document, layer: str, nested: str) -> List[Tuple[Mention, Label]]:
    dropped = _overlapping(document, layer, nested)
    return [(m, label) for m, label in document.labelled(layer) if m not in dropped]


class _SpacyToken(NamedTuple):
    """A token as spaCy counts: white space is one too, but for a single space after a token."""

    number: int
    start: int
    end: int
    #: Whether a space follows.
    space: bool
    #: The token of the document; None for white space.
    own: Optional[int]


def _spacy_tokens(document: Document) -> Iterator[_SpacyToken]:
    text, number, at = document.text, 0, 0
    ends = [*((t.start, t.end) for t in document.tokens), (len(text), len(text))]
    for index, (start, end) in enumerate(ends):
        if at < start:
            yield _SpacyToken(number, at, start, False, None)
            number += 1
        if start == end:
            return
        space = text[end : end + 1] == " "
        yield _SpacyToken(number, start, end, space, index)
        number += 1
        at = end + space


def _spacy_sentences(document: Document, tokens: Sequence[_SpacyToken]) -> List[List[_SpacyToken]]:
    """The tokens by sentence. White space goes with the sentence before it."""
    firsts = {s.first_token for s in document.sentences}
    sentences: List[List[_SpacyToken]] = []
    for token in tokens:
        # White space before the first sentence goes with it.
        if not sentences or (token.own in firsts and token.own != 0):
            sentences.append([])
        sentences[-1].append(token)
    return sentences


def _split(tokens: Sequence[Tuple[int, int]], starts: Sequence[int]) -> List[List[Tuple[int, int]]]:
    """Tokens by sentence, of which ``starts`` has the first characters."""
    sentences: List[List[Tuple[int, int]]] = [[]]
    left = sorted(starts, reverse=True)
    for token in tokens:
        while left and left[-1] <= token[0]:
            left.pop()
            sentences.append([])
        sentences[-1].append(token)
    return sentences


def _place(build: DocumentBuilder, start: int, end: int) -> Optional[Span]:
    """The tokens of a span, without white space around it, if they are of one sentence."""
    words = build.text[start:end]
    start += len(words) - len(words.lstrip())
    end -= len(words) - len(words.rstrip())
    span = build.token_span(start, end) if start < end else None
    if span is not None and any(span[0] < s.last_token < span[1] for s in build.sentences):
        return None
    return span
