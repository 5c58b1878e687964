"""Making documents by hand: gold data, and what other formats hold."""

from __future__ import annotations

import bisect
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from .document import Cluster, Document, Label, Mention, Relation, Sentence, Token
from .errors import InvalidArgumentError

#: Half-open positions of tokens.
Span = Tuple[int, int]


class DocumentBuilder:
    """Adds annotations to a text that has tokens: one mention a span, whatever names it.

    >>> build = DocumentBuilder.from_sentences([["Ada", "Lovelace", "wrote", "it"]])
    >>> build.label((0, 2), "ner", "PER")
    True
    >>> build.build().mentions[0].text
    'Ada Lovelace'
    """

    def __init__(
        self, text: str, sentences: Iterable[Sequence[Tuple[int, int]]], id: Optional[str] = None
    ) -> None:
        """``sentences`` has, for each sentence, where its tokens begin and end, in characters."""
        self.text = text
        self.id = id
        self.tokens: List[Token] = []
        self.sentences: List[Sentence] = []
        for spans in sentences:
            first = len(self.tokens)
            self.tokens.extend(Token(start, end) for start, end in spans)
            if len(self.tokens) > first:
                start, end = self.tokens[first].start, self.tokens[-1].end
                self.sentences.append(Sentence(start, end, first, len(self.tokens)))
        self._starts = [token.start for token in self.tokens]
        self._layers: Dict[str, None] = {}
        self._covered: Dict[str, Tuple[str, ...]] = {}
        self._spans: Dict[Span, Dict[str, Label]] = {}
        self._relations: Dict[Tuple[str, str, Span, Span], Optional[float]] = {}
        self._clusters: List[List[Span]] = []

    @classmethod
    def from_sentences(cls, sentences: Iterable[Sequence[str]], id: Optional[str] = None) -> DocumentBuilder:
        """From the words of each sentence: one space between words, one line a sentence."""
        lines: List[str] = []
        spans: List[List[Tuple[int, int]]] = []
        at = 0
        for words in filter(None, sentences):
            spans.append([])
            for word in words:
                spans[-1].append((at, at + len(word)))
                at += len(word) + 1
            lines.append(" ".join(words))
        return cls("\n".join(lines), spans, id)

    @classmethod
    def from_document(cls, document: Document) -> DocumentBuilder:
        """From the text, sentences and tokens of a document, without its annotations."""
        chars = document.with_offsets("char")
        spans = [(token.start, token.end) for token in chars.tokens]
        sentences = (spans[s.first_token : s.last_token] for s in chars.sentences)
        return cls(chars.text, sentences, chars.id)

    def token_span(self, start: int, end: int) -> Optional[Span]:
        """The tokens that characters ``start`` to ``end`` cover, if they begin and end with tokens."""
        starts = self._starts
        first, last = bisect.bisect_left(starts, start), bisect.bisect_left(starts, end)
        if first == last or self.tokens[first].start != start or self.tokens[last - 1].end != end:
            return None
        return first, last

    def layer(self, layer: str) -> None:
        """Says that a task was annotated, even if nothing was found."""
        self._layers.setdefault(layer)

    def cover(self, layer: str, labels: Iterable[str]) -> None:
        """Says that only some labels of a task were looked for."""
        self.layer(layer)
        self._covered[layer] = tuple(labels)

    def mention(self, span: Span) -> None:
        """A span without a label, such as a coreference mention."""
        first, last = span
        if not 0 <= first < last <= len(self.tokens):
            raise InvalidArgumentError(f"tokens {first} to {last} of a document of {len(self.tokens)}")
        self._spans.setdefault((first, last), {})

    def label(self, span: Span, layer: str, label: str, score: Optional[float] = None) -> bool:
        """Labels a span; False when the task has already labelled it, and the first label stays."""
        self.layer(layer)
        self.mention(span)
        labels = self._spans[span]
        if layer in labels:
            return False
        labels[layer] = Label(label, score)
        return True

    def relation(self, task: str, label: str, head: Span, tail: Span, score: Optional[float] = None) -> None:
        self.layer(task)
        self.mention(head)
        self.mention(tail)
        self._relations.setdefault((task, label, head, tail), score)

    def cluster(self, spans: Iterable[Span]) -> None:
        cluster = list(spans)
        for span in cluster:
            self.mention(span)
        self._clusters.append(cluster)

    def build(self) -> Document:
        """The document: mentions by their position, the longer first; relations and clusters by their
        mentions."""
        spans = sorted(self._spans, key=lambda span: (span[0], -span[1]))
        index = {span: at for at, span in enumerate(spans)}
        relations = (
            Relation(task, label, index[head], index[tail], score)
            for (task, label, head, tail), score in self._relations.items()
        )
        clusters = sorted(tuple(sorted({index[span] for span in c})) for c in self._clusters)
        cluster_of = {mention: at for at, mentions in enumerate(clusters) for mention in mentions}
        mentions = []
        for at, (first, last) in enumerate(spans):
            start, end = self.tokens[first].start, self.tokens[last - 1].end
            labels = dict(sorted(self._spans[first, last].items()))
            text = self.text[start:end]
            mentions.append(Mention(start, end, first, last, text, labels, cluster_of.get(at)))
        return Document(
            text=self.text,
            sentences=tuple(self.sentences),
            tokens=tuple(self.tokens),
            mentions=tuple(mentions),
            relations=tuple(sorted(relations, key=lambda r: (r.head, r.tail, r.task, r.label))),
            clusters=tuple(Cluster(mentions) for mentions in clusters),
            tasks=tuple(self._layers),
            covered=self._covered,
            id=self.id,
        )
