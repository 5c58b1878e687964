//! The heads that read documents. Through LibTorch, where every operation has its price, they read
//! several short documents as one; what they find in each is its own.

use std::ops::Range;
use std::slice;

use tch::Tensor;

use super::Network;
use super::annotate::{AnnotateOptions, Found};
use super::passages::{document_input, sequence_rows, words};
use crate::config::NamesConfig;
use crate::feature::Example;
use crate::head::{DocumentInput, Head, MentionPairs};
use crate::{Cancel, Document, Result, Span};

/// Tokens of the documents that are read as one; on a GPU, which takes the same time for few and for more, all that are
/// worked on together.
const TOKENS_TOGETHER: usize = 8192;

impl Network {
    /// Makes names agree unless tasks are independent, then runs the heads that read documents.
    pub(super) fn run_documents(
        &self,
        docs: &[&Document],
        options: &AnnotateOptions,
        found: &mut [Found],
        cancel: &Cancel,
    ) -> Result<()> {
        if !options.independent {
            docs.iter().zip(&mut *found).for_each(|(doc, found)| self.agree_on_names(doc, found));
        }
        let reads_documents = |task: &&str| {
            let head = &self.heads[*task];
            matches!(head, Head::MentionPairs(_) | Head::MentionRanking(_) | Head::CoarseToFine(_))
        };
        let tasks: Vec<&str> = self.needed(options)?.into_iter().filter(reads_documents).collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let mut all: Vec<(&Document, &mut Found)> =
            docs.iter().copied().zip(found).filter(|(doc, _)| !doc.tokens.is_empty()).collect();
        // Short ones first: coreference scores no more than the pairs of their spans as far as no long one comes.
        all.sort_by_key(|(doc, _)| doc.tokens.len());
        let mut rest = all.as_mut_slice();
        while !rest.is_empty() {
            let (some, others) = rest.split_at_mut(self.together(rest));
            let examples: Vec<Example> = some.iter().map(|(doc, _)| Example::whole(doc)).collect();
            let read = document_input(Tensor::new(), &examples);
            for task in &tasks {
                cancel.check()?;
                self.run_head(some, &read, task, options, cancel)?;
                // Of clusters, where the task finds some.
                if !options.independent {
                    some.iter_mut()
                        .for_each(|(doc, found)| self.agree_in_clusters(task, doc, found));
                }
            }
            rest = others;
        }
        Ok(())
    }

    /// How many of the first documents are read as one.
    fn together(&self, docs: &[(&Document, &mut Found)]) -> usize {
        if self.is_fast {
            return 1;
        }
        let most = if self.device.is_cuda() { self.group_tokens() } else { TOKENS_TOGETHER };
        let mut tokens = 0;
        let fits = |(doc, _): &&(&Document, &mut Found)| {
            tokens += doc.tokens.len();
            tokens <= most
        };
        docs.iter().take_while(fits).count().max(1)
    }

    /// `read` is what all heads read of the documents, without rows.
    fn run_head(
        &self,
        docs: &mut [(&Document, &mut Found)],
        read: &DocumentInput,
        task: &str,
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<()> {
        match &self.heads[task] {
            // Of 2018, as it was.
            Head::MentionRanking(head) => {
                for doc in docs {
                    let read = document_input(Tensor::new(), &[Example::whole(doc.0)]);
                    let x = self.input_of(slice::from_mut(doc), &read, task)?;
                    doc.1.clusters.insert(task.to_owned(), head.decode(&x)?);
                }
            }
            Head::CoarseToFine(head) => {
                let x = self.input_of(docs, read, task)?;
                let config = self.config.tasks[task].head.other_names();
                let names = match config.filter(|_| !options.independent) {
                    Some(config) => self.placed_names(docs, &x.documents, config),
                    None => Vec::new(),
                };
                let mut clusters = head.decode(&x, &names, cancel)?.into_iter().peekable();
                for ((_, found), tokens) in docs.iter_mut().zip(&x.documents) {
                    let own = |cluster: &Vec<Span>| cluster[0].first < tokens.end;
                    let own = std::iter::from_fn(|| clusters.next_if(own));
                    let own = own.map(|cluster| shifted(&cluster, tokens)).collect();
                    found.clusters.insert(task.to_owned(), own);
                }
            }
            Head::MentionPairs(head) => self.run_relations(head, docs, read, task, cancel)?,
            _ => {}
        }
        Ok(())
    }

    /// What `config` calls names in all documents, among the tokens that are read together.
    fn placed_names(
        &self,
        docs: &[(&Document, &mut Found)],
        tokens: &[Range<usize>],
        config: &NamesConfig,
    ) -> Vec<Span> {
        let of_document = |((_, found), tokens): (&(&Document, &mut Found), &Range<usize>)| {
            let spans = found.spans.get(&config.task).map_or(&[][..], Vec::as_slice);
            let names = self.names_among(spans, config);
            names.map(|(span, _)| placed(span, tokens)).collect::<Vec<_>>()
        };
        docs.iter().zip(tokens).flat_map(of_document).collect()
    }

    fn run_relations(
        &self,
        head: &MentionPairs,
        docs: &mut [(&Document, &mut Found)],
        read: &DocumentInput,
        task: &str,
        cancel: &Cancel,
    ) -> Result<()> {
        let config = &self.config.tasks[task].head;
        let arguments = config.arguments().unwrap_or_default();
        let x = self.input_of(docs, read, task)?;
        let (mut mentions, mut clusters) = (Vec::new(), Vec::new());
        for ((_, found), tokens) in docs.iter().zip(&x.documents) {
            let placed = |s: Span| placed(s, tokens);
            let spans = found.spans.get(arguments).into_iter().flatten();
            mentions.extend(spans.map(|s| (placed(s.span), s.label)));
            let of_task = config.entities().and_then(|task| found.clusters.get(task));
            let of_task = of_task.into_iter().flatten();
            clusters.extend(of_task.map(|c| c.iter().map(|&s| placed(s)).collect::<Vec<_>>()));
        }
        mentions.sort_unstable();
        let facts = head.decode(&x, &mentions, &clusters, cancel)?;
        for ((_, found), tokens) in docs.iter_mut().zip(&x.documents) {
            let own = |mention: usize| mentions[mention].0;
            let here = facts.iter().filter(|fact| tokens.contains(&own(fact.head).first));
            let relations = here.map(|fact| {
                let [head, tail] = [fact.head, fact.tail].map(|m| shift(own(m), tokens));
                (head, tail, fact.label, fact.score)
            });
            found.relations.insert(task.to_owned(), relations.collect());
        }
        Ok(())
    }

    /// What a head reads of documents: the rows that their passages left, or where it wants a
    /// document as one sequence, those of it.
    fn input_of(
        &self,
        docs: &mut [(&Document, &mut Found)],
        read: &DocumentInput,
        task: &str,
    ) -> Result<DocumentInput> {
        let mut all = Vec::new();
        for (doc, found) in docs.iter_mut() {
            if self.reads_whole_documents(task) {
                let batch = self.batch(&[words(&Example::whole(doc))])?;
                let encodings = self.encode(&batch, &[task])?;
                let own = &encodings[&self.config.tasks[task].on];
                let rows = self.heads[task].token_rows(&own.encoded, &own.inputs, false)?;
                all.push(sequence_rows(&rows, &batch, 0)?);
            } else {
                let mut rows = found.rows.remove(task).unwrap_or_default();
                rows.sort_by_key(|(first, _)| *first);
                all.extend(rows.into_iter().map(|(_, rows)| rows));
            }
        }
        Ok(read.with_rows(Tensor::f_cat(&all, 0)?))
    }
}

/// A span of a document among all tokens that are read with it.
fn placed(span: Span, tokens: &Range<usize>) -> Span {
    Span::new(span.first + tokens.start, span.last + tokens.start)
}

/// And back.
fn shift(span: Span, tokens: &Range<usize>) -> Span {
    Span::new(span.first - tokens.start, span.last - tokens.start)
}

fn shifted(spans: &[Span], tokens: &Range<usize>) -> Vec<Span> {
    spans.iter().map(|&span| shift(span, tokens)).collect()
}
