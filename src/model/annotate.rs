//! Annotation: tokenized documents in, documents with mentions, relations and clusters out.
//!
//! Sentences (or passages) of all documents are encoded together, sorted by length; document heads then read
//! the rows of their document. Only the encoders and heads that the wanted tasks need are run.

use std::borrow::Borrow;
use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Network;
use super::passages::{sentence_input, sequence_rows, words};
use crate::decode::ScoredSpan;
use crate::feature::{Batch, Example};
use crate::head::{Head, TokenRelation};
use crate::{Cancel, Document, DocumentBuilder, Error, OffsetUnit, Result, Span, stream};

/// Passages and padded tokens of a batch.
const CPU_BATCH: (usize, usize) = (64, 2048);
/// And where there is more to fill: all passages of a group, unless their lengths are far apart.
const GPU_BATCH: (usize, usize) = (2048, 32_768);
/// Tokens of the documents that are worked on together: bounds memory.
const GROUP_TOKENS: usize = 16_384;
const GPU_GROUP_TOKENS: usize = 28_672;

/// How to annotate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnnotateOptions {
    /// The tasks to run; absent means all.
    pub tasks: Option<Vec<String>>,
    /// Labels and relations of a lower probability are left out.
    pub min_score: Option<f32>,
    /// Reports coreference mentions that nothing refers to, as clusters of one.
    pub singletons: bool,
    /// The unit of positions in the result.
    pub offsets: OffsetUnit,
    /// No task has a say in what another finds, unless that reads its mentions or clusters: what is one thing
    /// need not agree ([`AgreementConfig`](crate::config::AgreementConfig),
    /// [`NamesConfig`](crate::config::NamesConfig)), and fewer tasks are run.
    pub independent: bool,
}

/// What the heads found in one document.
#[derive(Default)]
pub(super) struct Found {
    /// By task, in positions of the document.
    pub(super) spans: HashMap<String, Vec<ScoredSpan>>,
    token_relations: HashMap<String, Vec<TokenRelation>>,
    pub(super) relations: HashMap<String, Vec<(Span, Span, usize, f32)>>,
    pub(super) clusters: HashMap<String, Vec<Vec<Span>>>,
    /// What each head that reads documents keeps of a passage's tokens, (L, W), and the number of
    /// its first sentence.
    pub(super) rows: HashMap<String, Vec<(usize, Tensor)>>,
}

impl Found {
    /// Adds what was found in another part of the document.
    pub(super) fn extend(&mut self, other: Self) {
        fn join<T>(all: &mut HashMap<String, Vec<T>>, more: HashMap<String, Vec<T>>) {
            more.into_iter().for_each(|(task, found)| all.entry(task).or_default().extend(found));
        }
        join(&mut self.spans, other.spans);
        join(&mut self.token_relations, other.token_relations);
        join(&mut self.relations, other.relations);
        join(&mut self.clusters, other.clusters);
        join(&mut self.rows, other.rows);
    }
}

/// Refuses a document whose sentences do not list its tokens in order, or whose tokens do not lie
/// in its text in order: what follows counts on both.
pub(super) fn check(doc: &Document) -> Result<()> {
    let name = doc.id.as_deref().unwrap_or("without id");
    let bad = |what: String| Err(Error::invalid(format!("document {name}: {what}")));
    if doc.offsets != OffsetUnit::Byte {
        return bad("positions must be in bytes".to_owned());
    }
    let mut next = 0;
    for (s, sentence) in doc.sentences.iter().enumerate() {
        if sentence.first_token != next || sentence.last_token < next {
            return bad(format!("sentence {s} must begin with token {next}"));
        }
        next = sentence.last_token;
    }
    if next != doc.tokens.len() {
        return bad(format!("sentences end at token {next} of {}", doc.tokens.len()));
    }
    let mut end = 0;
    for (t, token) in doc.tokens.iter().enumerate() {
        if token.start < end || doc.text.get(token.start..token.end).is_none() {
            return bad(format!("token {t} is not a part of the text after the token before"));
        }
        end = token.end;
    }
    Ok(())
}

impl Network {
    /// Annotates tokenized documents; annotations they have are dropped. The result of each does
    /// not depend on the others.
    pub fn annotate<D: Borrow<Document>>(
        &self,
        docs: &[D],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        let _guard = tch::no_grad_guard();
        let wanted = self.wanted(options)?;
        let docs: Vec<&Document> = docs.iter().map(Borrow::borrow).collect();
        docs.iter().try_for_each(|doc| check(doc))?;
        let mut annotated = Vec::with_capacity(docs.len());
        let mut start = 0;
        while start < docs.len() {
            let mut end = start + 1;
            let mut tokens = docs[start].tokens.len();
            while end < docs.len() && tokens + docs[end].tokens.len() <= self.group_tokens() {
                tokens += docs[end].tokens.len();
                end += 1;
            }
            let group = &docs[start..end];
            let found = stream::own(self.device, || self.run_as_fits(group, options, cancel))?;
            let pairs = group.iter().zip(found);
            annotated.extend(pairs.map(|(doc, found)| self.assemble(doc, found, &wanted, options)));
            start = end;
        }
        Ok(annotated)
    }

    pub(super) fn group_tokens(&self) -> usize {
        if self.device.is_cuda() { GPU_GROUP_TOKENS } else { GROUP_TOKENS }
    }

    /// The wanted tasks, in the model's order.
    pub(super) fn wanted(&self, options: &AnnotateOptions) -> Result<Vec<&str>> {
        let Some(names) = &options.tasks else {
            return Ok(self.heads.keys().map(String::as_str).collect());
        };
        if let Some(unknown) = names.iter().find(|n| !self.heads.contains_key(*n)) {
            let known: Vec<&str> = self.heads.keys().map(String::as_str).collect();
            return Err(Error::invalid(format!(
                "the model has no task `{unknown}`, only {}",
                known.join(", ")
            )));
        }
        Ok(self.heads.keys().filter(|t| names.contains(t)).map(String::as_str).collect())
    }

    /// The wanted tasks and those whose predictions they read, the latter first.
    pub(super) fn needed<'a>(&'a self, options: &AnnotateOptions) -> Result<Vec<&'a str>> {
        let with_what_they_need = |tasks: &[&'a str]| {
            let tasks = tasks.iter().copied();
            match options.independent {
                true => self.config.needed_independently(tasks),
                false => self.config.needed(tasks),
            }
        };
        let all = with_what_they_need(&self.wanted(options)?);
        let mut needed: Vec<&str> =
            self.heads.keys().map(String::as_str).filter(|t| all.contains(t)).collect();
        needed.sort_by_key(|task| with_what_they_need(&[task]).len());
        Ok(needed)
    }

    /// Those of them that read a text in passages.
    pub(super) fn needed_by_passage<'a>(
        &'a self,
        options: &AnnotateOptions,
    ) -> Result<Vec<&'a str>> {
        let needed = self.needed(options)?;
        Ok(needed.into_iter().filter(|task| !self.reads_whole_documents(task)).collect())
    }

    /// Runs on documents; where memory is too little for all of them, on half at a time.
    fn run_as_fits(
        &self,
        docs: &[&Document],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Found>> {
        match self.turns.take(|| self.run(docs, options, cancel)) {
            Err(error) if error.is_out_of_memory() && docs.len() > 1 => {
                let (some, others) = docs.split_at(docs.len() / 2);
                let mut found = self.run_as_fits(some, options, cancel)?;
                found.extend(self.run_as_fits(others, options, cancel)?);
                Ok(found)
            }
            done => done,
        }
    }

    fn run(
        &self,
        docs: &[&Document],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = docs.iter().map(|_| Found::default()).collect();
        let by_passage = self.needed_by_passage(options)?;
        let mut passages = Vec::new();
        for (d, &doc) in docs.iter().enumerate() {
            let own = self.passages(&Example::whole(doc), false).into_iter();
            passages.extend(own.map(|passage| (d, passage)));
        }
        self.run_passages(passages, &by_passage, &mut found, cancel)?;
        self.run_documents(docs, options, &mut found, cancel)?;
        Ok(found)
    }

    /// Encodes passages and runs the heads that read sentences; the heads that read documents get
    /// their rows. Each passage comes with the number of its document in `found`.
    pub(super) fn run_passages(
        &self,
        mut passages: Vec<(usize, Example)>,
        tasks: &[&str],
        found: &mut [Found],
        cancel: &Cancel,
    ) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let (sequences, tokens) = if self.device.is_cuda() { GPU_BATCH } else { CPU_BATCH };
        let length = |(_, passage): &(usize, Example)| passage.tokens().len();
        passages.sort_by_key(length);
        let mut start = 0;
        while start < passages.len() {
            cancel.check()?;
            let mut end = start + 1;
            while end < passages.len()
                && end - start < sequences
                && length(&passages[end]) * (end - start + 1) <= tokens
            {
                end += 1;
            }
            self.run_batch(&passages[start..end], tasks, found)?;
            start = end;
        }
        Ok(())
    }

    /// `passages` are each with the number of their document.
    fn run_batch(
        &self,
        passages: &[(usize, Example)],
        tasks: &[&str],
        found: &mut [Found],
    ) -> Result<()> {
        let sequences: Vec<Vec<&str>> = passages.iter().map(|(_, p)| words(p)).collect();
        let batch = self.batch(&sequences)?;
        let encodings = self.encode(&batch, tasks)?;
        for &task in tasks {
            let own = &encodings[&self.config.tasks[task].on];
            let head = &self.heads[task];
            if matches!(
                head,
                Head::MentionPairs(_) | Head::MentionRanking(_) | Head::CoarseToFine(_)
            ) {
                let rows = head.token_rows(&own.encoded, &own.inputs, false)?;
                for (row, (d, passage)) in passages.iter().enumerate() {
                    let kept = found[*d].rows.entry(task.to_owned()).or_default();
                    kept.push((passage.sentences.start, sequence_rows(&rows, &batch, row)?));
                }
            } else {
                self.run_sentences(task, &own.encoded, &batch, passages, found)?;
            }
        }
        Ok(())
    }

    /// Runs a head that reads sentences.
    fn run_sentences(
        &self,
        task: &str,
        encoded: &Tensor,
        batch: &Batch,
        passages: &[(usize, Example)],
        found: &mut [Found],
    ) -> Result<()> {
        let examples: Vec<&Example> = passages.iter().map(|(_, p)| p).collect();
        let (x, sentences) = sentence_input(batch, encoded, &examples)?;
        // Where each sentence stands: its document and first token.
        let places = sentences.iter().map(|s| s.tokens().start);
        let documents = passages.iter().flat_map(|(d, p)| p.by_sentence().into_iter().map(|_| *d));
        let places = documents.zip(places);
        let spans = match &self.heads[task] {
            Head::CrfTagger(head) => head.decode(&x)?,
            Head::Biaffine(head) => head.decode(&x)?,
            Head::HeadSelection(head) => {
                for ((d, first), relations) in places.zip(head.decode(&x)?) {
                    let shift = |r: TokenRelation| TokenRelation {
                        head: r.head + first,
                        tail: r.tail + first,
                        ..r
                    };
                    let all = found[d].token_relations.entry(task.to_owned()).or_default();
                    all.extend(relations.into_iter().map(shift));
                }
                return Ok(());
            }
            _ => return Err(Error::Internal(format!("task `{task}` reads no sentences"))),
        };
        for ((d, first), spans) in places.zip(spans) {
            let shift = |x: ScoredSpan| ScoredSpan {
                span: Span::new(x.span.first + first, x.span.last + first),
                ..x
            };
            let all = found[d].spans.entry(task.to_owned()).or_default();
            all.extend(spans.into_iter().map(shift));
        }
        Ok(())
    }

    /// Puts what was found into one document.
    pub(super) fn assemble(
        &self,
        doc: &Document,
        found: Found,
        wanted: &[&str],
        options: &AnnotateOptions,
    ) -> Document {
        let mut bare = Document::new(doc.text.clone(), doc.sentences.clone(), doc.tokens.clone());
        bare.id.clone_from(&doc.id);
        let mut build = DocumentBuilder::new(bare);
        let sure = |score: f32| options.min_score.is_none_or(|least| score >= least);
        for &task in wanted {
            build.layer(task);
            let name = |label: usize| &self.vocab.labels(task)[label];
            let calibration = self.config.tasks[task].head.calibration();
            for s in found.spans.get(task).into_iter().flatten() {
                let score = calibration.map_or(s.score, |c| c.of_probability(s.score));
                if sure(score) {
                    build.label(s.span, task, name(s.label), Some(score));
                }
            }
            let relations = found.relations.get(task).into_iter().flatten().copied();
            let relations = relations.chain(self.attach(task, &found));
            for (head, tail, label, score) in relations.filter(|r| sure(r.3)) {
                build.relation(task, name(label), head, tail, Some(score));
            }
            for cluster in found.clusters.get(task).into_iter().flatten() {
                if cluster.len() > 1 || options.singletons {
                    build.cluster(cluster.clone());
                }
            }
        }
        build.finish()
    }

    /// Relations between tokens as relations between the mentions that end there; those between
    /// tokens where no mention ends are dropped.
    fn attach(&self, task: &str, found: &Found) -> Vec<(Span, Span, usize, f32)> {
        let Some(relations) = found.token_relations.get(task) else {
            return Vec::new();
        };
        let arguments = self.config.tasks[task].head.arguments().unwrap_or_default();
        let mut ending: IndexMap<usize, ScoredSpan> = IndexMap::new();
        for &s in found.spans.get(arguments).into_iter().flatten() {
            let best = ending.entry(s.span.last - 1).or_insert(s);
            if s.score > best.score {
                *best = s;
            }
        }
        relations
            .iter()
            .filter_map(|r| {
                Some((ending.get(&r.head)?.span, ending.get(&r.tail)?.span, r.label, r.score))
            })
            .filter(|(head, tail, _, _)| head != tail)
            .collect()
    }
}
