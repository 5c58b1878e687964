"""A component for spaCy.

nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
nlp.add_pipe("hmtl", config={"tasks": ["ner", "coref"]})
doc = nlp("Ingrid Solberg was born in Bergen. She left.")
doc.ents                # names
doc.spans["hmtl/emd"]   # mentions of a task, nested ones too; attrs["scores"] has their scores
doc._.hmtl_clusters     # coreference: lists of spans
doc._.hmtl_relations    # relations between spans
"""

# Without `from __future__ import annotations`: spaCy reads the annotations of the factory.

import os
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from . import formats
from .document import Document
from .model import Model
from .results import TaskInfo

__all__ = ["Hmtl", "Relation", "clusters", "from_doc", "relations", "to_doc"]


class Relation(NamedTuple):
    """A relation between spans of a document."""

    label: str
    head: Span
    tail: Span
    score: Optional[float]
    task: str


class _Input(NamedTuple):
    """What of a document the library gets."""

    words: List[str]
    #: Which tokens of the document the words are.
    tokens: List[int]
    #: None if the document has no sentences.
    ends: Optional[List[int]]
    #: Where the words begin in the text.
    starts: List[int]
    text: str


class Hmtl(Pipe):
    """Annotates documents that have tokens.

    Sentences are those of the document, if it has some; otherwise the library splits the text, for itself.
    Tokens that are white space are left out of what the library sees. The model is loaded when it is first
    needed, and all threads share it.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "hmtl",
        *,
        model: Optional[Union[str, Path]] = None,
        device: Optional[str] = None,
        tasks: Optional[Sequence[str]] = None,
        min_score: float = 0.0,
        singletons: bool = False,
        independent: bool = False,
        ents: Optional[str] = "ner",
        overwrite_ents: bool = True,
    ) -> None:
        self.vocab = vocab
        self.name = name
        self.path = model
        self.device = device
        self.tasks = None if tasks is None else list(tasks)
        self.min_score = min_score
        self.singletons = singletons
        self.independent = independent
        self.ents = ents
        self.overwrite_ents = overwrite_ents
        self._model: Optional[Model] = None
        self._infos: Dict[str, TaskInfo] = {}

    def load(self) -> Model:
        """The model, which is loaded at the first use."""
        # No property `model`: spaCy looks for one whenever it likes, and forks later.
        if self._model is None:
            model = Model(self.path, device=self.device, tasks=self.tasks)
            self._infos = model.info()["tasks"]
            self._model = model
        return self._model

    @property
    def labels(self) -> Tuple[str, ...]:
        """The labels of entities."""
        self.load()
        task = self._infos.get(self.ents or "")
        return () if task is None else tuple(task["labels"])

    def __call__(self, doc: Doc) -> Doc:
        try:
            self._set(doc, self._annotated(_input(doc)))
        except Exception as error:
            self.get_error_handler()(self.name, self, [doc], error)
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotates documents, ``batch_size`` at a time, on all threads of the library."""
        self.load()  # once, before the threads need it
        pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "hmtl")
        docs = iter(stream)
        try:
            while True:
                batch = list(islice(docs, batch_size))
                if not batch:
                    return
                futures = [pool.submit(self._annotated, _input(doc)) for doc in batch]
                for doc, future in zip(batch, futures):
                    try:
                        self._set(doc, future.result())
                    except Exception as error:
                        self.get_error_handler()(self.name, self, [doc], error)
                    else:
                        yield doc
        finally:
            pool.shutdown(cancel_futures=True)

    def _annotated(self, given: _Input) -> Tuple[_Input, Document]:
        ends = given.ends
        if ends is None:
            split = self.load().annotate(given.text, tasks=[])
            ends = [bisect_left(given.starts, sentence.start) for sentence in split.sentences[1:]]
            ends.append(len(given.words))
        document = self.load().annotate_tokens(
            given.words,
            ends,
            tasks=self.tasks,
            min_score=self.min_score,
            singletons=self.singletons,
            independent=self.independent,
        )
        return given, document

    def _set(self, doc: Doc, annotated: Tuple[_Input, Document]) -> None:
        given, document = annotated
        places = [
            (given.tokens[m.first_token], given.tokens[m.last_token - 1] + 1) for m in document.mentions
        ]
        for key in [key for key in doc.spans if key.startswith(formats.PREFIX)]:
            del doc.spans[key]
        groups: Dict[str, List[formats.Member]] = {
            formats.PREFIX + task: [] for task in document.tasks if self._infos[task]["kind"] == "spans"
        }
        groups.update(formats.span_groups(document))
        for key, members in groups.items():
            spans = [Span(doc, *places[m.mention], label=m.label) for m in members]
            _set_group(doc, key, spans, [m.score for m in members])
        if self.ents is not None and self.ents in document.tasks:
            self._set_ents(doc, list(doc.spans[formats.PREFIX + self.ents]))

    def _set_ents(self, doc: Doc, spans: List[Span]) -> None:
        """Entities do not overlap: the first and longest stay, and older ones unless they are overwritten."""
        kept = [] if self.overwrite_ents else list(doc.ents)
        taken = {token for span in kept for token in range(span.start, span.end)}
        for span in spans:
            if taken.isdisjoint(range(span.start, span.end)):
                taken.update(range(span.start, span.end))
                kept.append(span)
        doc.set_ents(kept)

    def to_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> None:
        """Writes the model, so that the pipeline has all it needs. The settings are in the pipeline's."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if "model" not in exclude:
            self.load().save(folder / "model")

    def from_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> "Hmtl":
        """Takes the model that :meth:`to_disk` wrote."""
        if "model" not in exclude:
            self.path = Path(path) / "model"
            self._model = None
        return self

    def __reduce__(self) -> Tuple[Any, ...]:
        settings = {
            "model": self.path,
            "device": self.device,
            "tasks": self.tasks,
            "min_score": self.min_score,
            "singletons": self.singletons,
            "independent": self.independent,
            "ents": self.ents,
            "overwrite_ents": self.overwrite_ents,
        }
        return _made, (self.vocab, self.name, settings)


def _made(vocab: Vocab, name: str, settings: Dict[str, Any]) -> Hmtl:
    return Hmtl(vocab, name, **settings)


@Language.factory(
    "hmtl",
    assigns=["doc.ents", "doc.spans", "doc._.hmtl_clusters", "doc._.hmtl_relations"],
    default_config={
        "model": None,
        "device": None,
        "tasks": None,
        "min_score": 0.0,
        "singletons": False,
        "independent": False,
        "ents": "ner",
        "overwrite_ents": True,
    },
)
def create_hmtl(
    nlp: Language,
    name: str,
    model: Optional[str],
    device: Optional[str],
    tasks: Optional[List[str]],
    min_score: float,
    singletons: bool,
    independent: bool,
    ents: Optional[str],
    overwrite_ents: bool,
) -> Hmtl:
    """The factory. ``model`` is a folder, None for the model that ships with the library; ``ents`` is the
    task whose mentions become the entities, None for none, and ``overwrite_ents`` says whether older ones
    make way for them; other settings are those of `hmtl.Model.annotate`."""
    return Hmtl(
        nlp.vocab,
        name,
        model=model,
        device=device,
        tasks=tasks,
        min_score=min_score,
        singletons=singletons,
        independent=independent,
        ents=ents,
        overwrite_ents=overwrite_ents,
    )


def _input(doc: Doc) -> _Input:
    tokens = [token.i for token in doc if not token.is_space]
    ends: Optional[List[int]] = None
    if doc.has_annotation("SENT_START"):
        before = [0]  # words before each token
        for token in doc:
            before.append(before[-1] + (not token.is_space))
        ends = [before[sentence.end] for sentence in doc.sents]
    words, starts = [doc[i].text for i in tokens], [doc[i].idx for i in tokens]
    return _Input(words, tokens, ends, starts, doc.text)


def _set_group(doc: Doc, key: str, spans: List[Span], scores: Sequence[Optional[float]]) -> None:
    attrs = {"scores": list(scores)} if any(score is not None for score in scores) else {}
    doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=spans)


def clusters(doc: Doc) -> List[List[Span]]:
    """The coreference clusters of a document: ``doc._.hmtl_clusters``."""
    keys = [key for key in doc.spans if key.startswith(formats.CLUSTERS)]
    keys.sort(key=lambda key: (len(key), key))
    return [list(doc.spans[key]) for key in keys]


def relations(doc: Doc) -> List[Relation]:
    """The relations of a document: ``doc._.hmtl_relations``."""
    found = []
    for key in doc.spans:
        if key.startswith(formats.RELATIONS):
            group = doc.spans[key]
            spans = list(group)
            scores = group.attrs.get("scores") or [None] * len(spans)
            for head, tail, score in zip(spans[::2], spans[1::2], scores[::2]):
                found.append(Relation(head.label_, head, tail, score, key[len(formats.RELATIONS) :]))
    return found


def to_doc(document: Document, vocab: Vocab, *, ents: Optional[str] = "ner") -> Doc:
    """A document of spaCy, with sentences, entities and span groups."""
    data = formats.to_spacy_json(document, ents=ents)
    doc = Doc(vocab).from_json(data)
    for key, scores in data["hmtl"]["scores"].items():
        _set_group(doc, key, list(doc.spans[key]), scores)
    return doc


def from_doc(doc: Doc, **options: Any) -> Document:
    """A document from one of spaCy: its entities, sentences and the span groups of this module; options as of
    `hmtl.formats.from_spacy_json`."""
    data = doc.to_json()
    scores = {key: list(group.attrs["scores"]) for key, group in doc.spans.items() if "scores" in group.attrs}
    data["hmtl"] = {"scores": scores}
    return formats.from_spacy_json(data, **options)


Doc.set_extension("hmtl_clusters", getter=clusters, force=True)
Doc.set_extension("hmtl_relations", getter=relations, force=True)
