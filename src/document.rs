//! [`Document`]: the row of a data set, an annotation, and both sides of an evaluation.
//!
//! All positions are half-open. Byte positions index `text`; token positions index `tokens`.
//! Every mention of every task stands once in `mentions`; relations and clusters point into it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Version of the JSON shape. Fields are added, never changed.
pub const DOCUMENT_FORMAT: u32 = 1;

/// The unit of `start` and `end` in the JSON of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OffsetUnit {
    /// UTF-8 bytes: what C, C++, Go and Rust index with.
    #[default]
    Byte,
    /// Unicode code points: what Python indexes with.
    Char,
    /// UTF-16 code units: what Java, JavaScript and C# index with.
    Utf16,
}

/// A text with its sentences, tokens and annotations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    #[serde(default = "document_format")]
    pub format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Unit of every `start` and `end`; always bytes in memory.
    #[serde(default)]
    pub offsets: OffsetUnit,
    /// The layers that were annotated, found or not: an absent one says nothing about the text.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// By layer, the labels that were looked for, where those were not all that there are: the
    /// absence of any other label says nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub covered: BTreeMap<String, Vec<String>>,
    pub text: String,
    pub sentences: Vec<Sentence>,
    pub tokens: Vec<Token>,
    #[serde(default)]
    pub mentions: Vec<Mention>,
    #[serde(default)]
    pub relations: Vec<Relation>,
    #[serde(default)]
    pub clusters: Vec<Cluster>,
}

fn document_format() -> u32 {
    DOCUMENT_FORMAT
}

/// A sentence: bytes and tokens it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentence {
    pub start: usize,
    pub end: usize,
    pub first_token: usize,
    /// Index after the last token.
    pub last_token: usize,
}

/// A token: the bytes it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub start: usize,
    pub end: usize,
}

/// A span of tokens that at least one task found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mention {
    pub start: usize,
    pub end: usize,
    pub first_token: usize,
    /// Index after the last token.
    pub last_token: usize,
    pub text: String,
    /// Label and score by task: `{"ner":{"label":"PER","score":0.99}}`.
    #[serde(default)]
    pub labels: BTreeMap<String, Label>,
    /// Index into `clusters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<usize>,
}

/// A label with the model's probability for it; gold labels have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// A directed relation between two mentions, by their index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    pub task: String,
    pub label: String,
    pub head: usize,
    pub tail: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// Mentions of one entity, by their index, in text order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub mentions: Vec<usize>,
}

/// Half-open token positions of a mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub first: usize,
    pub last: usize,
}

impl Span {
    pub fn new(first: usize, last: usize) -> Self {
        Self { first, last }
    }
}

impl Document {
    /// A document without annotations.
    pub fn new(text: String, sentences: Vec<Sentence>, tokens: Vec<Token>) -> Self {
        Self {
            format: DOCUMENT_FORMAT,
            id: None,
            offsets: OffsetUnit::Byte,
            tasks: Vec::new(),
            covered: BTreeMap::new(),
            text,
            sentences,
            tokens,
            mentions: Vec::new(),
            relations: Vec::new(),
            clusters: Vec::new(),
        }
    }

    /// Builds the text of a tokenized document: one space between tokens, one line a sentence.
    pub fn from_sentences<S: AsRef<str>>(sentences: &[Vec<S>]) -> Self {
        let mut doc = Self::new(String::new(), Vec::new(), Vec::new());
        for words in sentences {
            if words.is_empty() {
                continue;
            }
            if !doc.text.is_empty() {
                doc.text.push('\n');
            }
            let (start, first_token) = (doc.text.len(), doc.tokens.len());
            for (i, word) in words.iter().enumerate() {
                if i > 0 {
                    doc.text.push(' ');
                }
                let at = doc.text.len();
                doc.text.push_str(word.as_ref());
                doc.tokens.push(Token { start: at, end: doc.text.len() });
            }
            doc.sentences.push(Sentence {
                start,
                end: doc.text.len(),
                first_token,
                last_token: doc.tokens.len(),
            });
        }
        doc
    }

    pub fn token_text(&self, index: usize) -> &str {
        let token = self.tokens[index];
        &self.text[token.start..token.end]
    }

    /// Token indices of sentence `index`.
    pub fn sentence_tokens(&self, index: usize) -> std::ops::Range<usize> {
        let sentence = self.sentences[index];
        sentence.first_token..sentence.last_token
    }

    /// Whether the absence of `label` in `layer` means that there is none.
    pub fn covers(&self, layer: &str, label: &str) -> bool {
        self.covered.get(layer).is_none_or(|labels| labels.iter().any(|l| l == label))
    }

    /// Whether mentions of `layer` were looked for.
    pub fn annotates(&self, layer: &str) -> bool {
        self.tasks.iter().any(|t| t == layer)
            || self.mentions.iter().any(|m| m.labels.contains_key(layer))
    }

    /// The spans that carry a label of `layer`, in text order.
    pub fn labelled<'a>(&'a self, layer: &'a str) -> impl Iterator<Item = (Span, &'a Label)> + 'a {
        self.mentions.iter().filter_map(move |m| Some((m.span(), m.labels.get(layer)?)))
    }

    /// The clusters as spans, each in text order.
    pub fn cluster_spans(&self) -> Vec<Vec<Span>> {
        let spans = |c: &Cluster| c.mentions.iter().map(|&m| self.mentions[m].span()).collect();
        self.clusters.iter().map(spans).collect()
    }
}

impl Mention {
    pub fn span(&self) -> Span {
        Span::new(self.first_token, self.last_token)
    }
}

/// Adds annotations to a document: one mention a span, whoever names it, in text order.
///
/// ```
/// use hmtl::{Document, DocumentBuilder, Span};
/// let doc = Document::from_sentences(&[vec!["Ada", "Lovelace", "wrote", "it"]]);
/// let mut build = DocumentBuilder::new(doc);
/// build.label(Span::new(3, 4), "emd", "object", None);
/// build.label(Span::new(0, 2), "ner", "PER", Some(0.9));
/// build.relation("relation", "author_of", Span::new(0, 2), Span::new(3, 4), None);
/// let doc = build.finish();
/// assert_eq!(doc.mentions[0].text, "Ada Lovelace");
/// assert_eq!((doc.relations[0].head, doc.relations[0].tail), (0, 1));
/// ```
#[derive(Debug)]
pub struct DocumentBuilder {
    doc: Document,
    spans: IndexMap<Span, BTreeMap<String, Label>>,
    relations: Vec<(Span, Span, Relation)>,
    clusters: Vec<Vec<Span>>,
}

impl DocumentBuilder {
    /// Starts from the text, sentences and tokens of `doc`; its annotations are dropped.
    pub fn new(mut doc: Document) -> Self {
        doc.mentions.clear();
        doc.relations.clear();
        doc.clusters.clear();
        Self { doc, spans: IndexMap::new(), relations: Vec::new(), clusters: Vec::new() }
    }

    /// Takes over mentions with their labels, and relations, of a document of the same tokens, or of some that
    /// `place` finds here.
    pub fn copy(&mut self, from: &Document, place: impl Fn(Span) -> Span) {
        for mention in &from.mentions {
            let span = place(mention.span());
            self.mention(span);
            for (layer, label) in &mention.labels {
                self.label(span, layer, &label.label, label.score);
            }
        }
        for r in &from.relations {
            let [head, tail] = [r.head, r.tail].map(|m| place(from.mentions[m].span()));
            self.relation(&r.task, &r.label, head, tail, r.score);
        }
    }

    /// The document so far: text, sentences and tokens.
    pub fn document(&self) -> &Document {
        &self.doc
    }

    /// The spans that carry a label of `layer`, in the order they came.
    pub fn labelled<'a>(&'a self, layer: &'a str) -> impl Iterator<Item = (Span, &'a Label)> + 'a {
        self.spans.iter().filter_map(move |(span, labels)| Some((*span, labels.get(layer)?)))
    }

    /// Says that `layer` was annotated, even if nothing was found.
    pub fn layer(&mut self, layer: &str) {
        if !self.doc.tasks.iter().any(|t| t == layer) {
            self.doc.tasks.push(layer.to_owned());
        }
    }

    /// Says that only some labels of `layer` were looked for.
    pub fn cover(&mut self, layer: &str, labels: Vec<String>) {
        self.layer(layer);
        self.doc.covered.insert(layer.to_owned(), labels);
    }

    /// A span without a label, such as a coreference mention.
    pub fn mention(&mut self, span: Span) {
        debug_assert!(span.first < span.last && span.last <= self.doc.tokens.len());
        self.spans.entry(span).or_default();
    }

    /// Labels a span; false when the layer has already labelled it, and the first label stays.
    pub fn label(&mut self, span: Span, layer: &str, label: &str, score: Option<f32>) -> bool {
        self.layer(layer);
        self.mention(span);
        let labels = &mut self.spans[&span];
        if labels.contains_key(layer) {
            return false;
        }
        let label = Label { label: label.to_owned(), score };
        labels.insert(layer.to_owned(), label);
        true
    }

    pub fn relation(
        &mut self,
        task: &str,
        label: &str,
        head: Span,
        tail: Span,
        score: Option<f32>,
    ) {
        self.layer(task);
        self.mention(head);
        self.mention(tail);
        let relation =
            Relation { task: task.to_owned(), label: label.to_owned(), head: 0, tail: 0, score };
        self.relations.push((head, tail, relation));
    }

    pub fn cluster(&mut self, spans: Vec<Span>) {
        for &span in &spans {
            self.mention(span);
        }
        self.clusters.push(spans);
    }

    /// Sorts mentions by position (the longer first), relations and clusters by their mentions.
    pub fn finish(self) -> Document {
        let Self { mut doc, mut spans, relations, clusters } = self;
        spans.sort_by(|a, _, b, _| (a.first, b.last).cmp(&(b.first, a.last)));
        doc.mentions = spans
            .iter()
            .map(|(span, labels)| {
                let start = doc.tokens[span.first].start;
                let end = doc.tokens[span.last - 1].end;
                Mention {
                    start,
                    end,
                    first_token: span.first,
                    last_token: span.last,
                    text: doc.text[start..end].to_owned(),
                    labels: labels.clone(),
                    cluster: None,
                }
            })
            .collect();
        let index = |span: &Span| spans.get_index_of(span).unwrap_or_default();
        doc.relations = relations
            .into_iter()
            .map(|(head, tail, relation)| Relation {
                head: index(&head),
                tail: index(&tail),
                ..relation
            })
            .collect();
        doc.relations.sort_by(|a, b| {
            (a.head, a.tail, &a.task, &a.label).cmp(&(b.head, b.tail, &b.task, &b.label))
        });
        doc.relations.dedup_by(|b, a| {
            (a.head, a.tail, &a.task, &a.label) == (b.head, b.tail, &b.task, &b.label)
        });
        doc.clusters = clusters
            .iter()
            .map(|spans| {
                let mut mentions: Vec<usize> = spans.iter().map(index).collect();
                mentions.sort_unstable();
                mentions.dedup();
                Cluster { mentions }
            })
            .collect();
        doc.clusters.sort_by(|a, b| a.mentions.cmp(&b.mentions));
        for (c, cluster) in doc.clusters.iter().enumerate() {
            for &m in &cluster.mentions {
                doc.mentions[m].cluster = Some(c);
            }
        }
        doc
    }
}
