//! Losses: gold examples through encoders and heads to one number a task.

use std::cell::Cell;
use std::collections::HashMap;
use std::slice;

use tch::Tensor;

use super::Network;
use super::gold::gold_clusters;
use super::passages::{document_input, sentence_input, sentences_of, words};
use crate::config::{CharsConfig, Unit};
use crate::dropout::Dropout as _;
use crate::embed::TokenVectors;
use crate::encode::Encodings;
use crate::feature::{Batch, Example};
use crate::head::{Head, SequenceInput};
use crate::transfer::upload_values;
use crate::{Document, Error, Result};

/// Passages of documents encoded at a time.
const PASSAGES: usize = 16;
/// Sentences are encoded together whose lengths differ by less than this factor, or that are few tokens.
const SPREAD: f64 = 1.5;
const FEW_TOKENS: usize = 128;

/// Examples as the encoders read them.
struct Reading<'a> {
    examples: &'a [Example<'a>],
    /// Each with the example that it is of.
    passages: Vec<(usize, Example<'a>)>,
    groups: Vec<Group>,
    /// Of each passage, the first of its rows when those of all groups are joined.
    starts: Vec<usize>,
}

/// Passages that were encoded together.
struct Group {
    passages: Vec<usize>,
    batch: Batch,
    /// By task.
    encodings: HashMap<String, Encodings>,
}

impl Network {
    /// The training loss of `task` on some examples, a scalar with a gradient. Gold labels that
    /// the model does not know are left out.
    pub fn loss(&self, task: &str, examples: &[Example]) -> Result<Tensor> {
        let own: Vec<Option<&Document>> = examples.iter().map(|e| Some(e.document)).collect();
        let loss = self.losses(examples, &[(task, &own)])?.pop().flatten();
        loss.ok_or_else(|| Error::Internal(format!("task `{task}` has no loss")))
    }

    /// The training losses of tasks that read alike on the same examples, which are encoded once
    /// for all of them. For each example a task has the document with its gold, of the same
    /// tokens, or does not learn from it; its loss is `None` if it learns from none.
    pub fn losses(
        &self,
        examples: &[Example],
        tasks: &[(&str, &[Option<&Document>])],
    ) -> Result<Vec<Option<Tensor>>> {
        let names: Vec<&str> = tasks.iter().map(|t| t.0).collect();
        if let Some(unknown) = names.iter().find(|t| !self.heads.contains_key(**t)) {
            return Err(Error::config(format!("the model has no task `{unknown}`")));
        }
        if examples.iter().all(|e| e.tokens().is_empty()) {
            return Err(Error::invalid("a batch needs at least one example with tokens"));
        }
        // Near misses are those of the arguments' task as it is.
        let mut read = names.clone();
        for (of, _) in names.iter().filter_map(|task| self.near_misses_of(task)) {
            if !read.contains(&of) {
                read.push(of);
            }
        }
        let reading = self.read(&read, examples)?;
        tasks.iter().map(|(task, gold)| self.loss_of(task, gold, &reading)).collect()
    }

    fn loss_of(
        &self,
        task: &str,
        gold: &[Option<&Document>],
        reading: &Reading,
    ) -> Result<Option<Tensor>> {
        let config = &self.config.tasks[task];
        match &self.heads[task] {
            Head::CrfTagger(head) => self.group_losses(task, gold, reading, |x, sentences| {
                head.loss(x, &self.gold_spans(task, sentences))
            }),
            Head::Biaffine(head) => {
                // A mean over sentences: each group counts by how many it has.
                let count = Cell::new(0);
                let sum = self.group_losses(task, gold, reading, |x, sentences| {
                    count.set(count.get() + sentences.len());
                    let mean = head.loss(x, &self.gold_spans(task, sentences))?;
                    Ok(mean.f_mul_scalar(sentences.len() as i64)?)
                })?;
                Ok(sum.map(|sum| sum.f_div_scalar(count.get().max(1) as i64)).transpose()?)
            }
            Head::HeadSelection(head) => self.sentence_loss(task, gold, reading, |x, sentences| {
                head.loss(x, &self.gold_token_relations(task, sentences))
            }),
            Head::MentionPairs(head) => {
                let arguments = config.head.arguments().unwrap_or_default();
                let misses = self.near_misses_of(task);
                let read = misses.map(|(of, _)| reading.rows(of)).transpose()?;
                // A mean over pairs, for each document: a short text's pairs count no more than a long one's.
                let (documents, pairs) = (Cell::new(0), Cell::new(0));
                let sum = self.document_loss(task, gold, reading, |rows, e, example| {
                    let (mut mentions, gold) = self.gold_relations(task, arguments, example)?;
                    // Where not all arguments were looked for, a near miss may be one.
                    let misses = misses.filter(|(of, _)| self.open_labels(of, example).is_empty());
                    if let (Some((of, share)), Some(read)) = (misses, &read) {
                        let index = upload_values(&reading.index_of(e), &[-1], self.device)?;
                        let rows = read.encoded.detach().f_index_select(0, &index)?;
                        mentions.extend(self.near_misses(of, share, &rows, example, &mentions)?);
                    }
                    let x = document_input(rows, slice::from_ref(example));
                    let (sum, own) = head.loss(&x, &mentions, &gold)?;
                    documents.set(documents.get() + 1);
                    pairs.set(pairs.get() + own);
                    Ok(sum)
                })?;
                let share = documents.get() as f64 / pairs.get().max(1) as f64;
                Ok(sum.map(|sum| sum.f_mul_scalar(share)).transpose()?)
            }
            Head::MentionRanking(head) => {
                self.document_loss(task, gold, reading, |rows, _, example| {
                    head.loss(
                        &document_input(rows, slice::from_ref(example)),
                        &gold_clusters(example),
                    )
                })
            }
            Head::CoarseToFine(head) => {
                self.document_loss(task, gold, reading, |rows, _, example| {
                    head.loss(
                        &document_input(rows, slice::from_ref(example)),
                        &gold_clusters(example),
                    )
                })
            }
        }
    }

    /// The sum of a loss over the sentences of each group.
    fn group_losses(
        &self,
        task: &str,
        gold: &[Option<&Document>],
        reading: &Reading,
        loss: impl Fn(&SequenceInput, &[Example]) -> Result<Tensor>,
    ) -> Result<Option<Tensor>> {
        let mut sum = None;
        for group in &reading.groups {
            let own = |(row, &p): (usize, &usize)| {
                let (e, passage) = &reading.passages[p];
                Some((row, golden(passage, gold[*e])?))
            };
            let (rows, own): (Vec<usize>, Vec<Example>) =
                group.passages.iter().enumerate().filter_map(own).unzip();
            if own.is_empty() {
                continue;
            }
            let own: Vec<&Example> = own.iter().collect();
            let encoded = &group.encodings[task].encoded;
            let (_, length, width) = encoded.size3()?;
            let (x, sentences) = if own.len() == group.passages.len() {
                sentence_input(&group.batch, encoded, &own)?
            } else {
                let starts: Vec<usize> = rows.iter().map(|row| row * length as usize).collect();
                let (places, sentences) = sentences_of(&own, &starts);
                let rows = encoded.f_reshape([-1, width])?;
                (SequenceInput::of_rows(&rows, &places)?, sentences)
            };
            sum = Some(added(sum, loss(&x, &sentences)?)?);
        }
        Ok(sum)
    }

    /// A loss over the sentences of all documents together.
    fn sentence_loss(
        &self,
        task: &str,
        gold: &[Option<&Document>],
        reading: &Reading,
        loss: impl Fn(&SequenceInput, &[Example]) -> Result<Tensor>,
    ) -> Result<Option<Tensor>> {
        if reading.groups.len() <= 1 {
            return self.group_losses(task, gold, reading, loss);
        }
        let passages = &reading.passages;
        let own = passages.iter().zip(&reading.starts);
        let own = own.filter_map(|((e, p), &start)| Some((golden(p, gold[*e])?, start)));
        let (own, starts): (Vec<Example>, Vec<usize>) = own.unzip();
        if own.is_empty() {
            return Ok(None);
        }
        let (places, sentences) = sentences_of(&own.iter().collect::<Vec<_>>(), &starts);
        let x = SequenceInput::of_rows(&reading.rows(task)?.encoded, &places)?;
        loss(&x, &sentences).map(Some)
    }

    /// The sum of a loss over documents.
    fn document_loss(
        &self,
        task: &str,
        gold: &[Option<&Document>],
        reading: &Reading,
        loss: impl Fn(Tensor, usize, &Example) -> Result<Tensor>,
    ) -> Result<Option<Tensor>> {
        let head = &self.heads[task];
        let own = reading.examples.iter().enumerate().filter(|(_, e)| !e.tokens().is_empty());
        let own: Vec<(usize, Example)> =
            own.filter_map(|(e, x)| Some((e, golden(x, gold[e])?))).collect();
        if own.is_empty() {
            return Ok(None);
        }
        let all = reading.rows(task)?;
        let mut sum: Option<Tensor> = None;
        for (e, example) in &own {
            let index = upload_values(&reading.index_of(*e), &[-1], self.device)?;
            let own = all.map(|rows| Ok(rows.f_index_select(0, &index)?))?;
            let loss = loss(head.token_rows(&own.encoded, &own.inputs, true)?, *e, example)?;
            sum = Some(added(sum, loss)?);
        }
        Ok(sum)
    }

    /// Encodes examples for `tasks`, with the dropout of training, by length, some at a time, so that little is padding.
    fn read<'a>(&self, tasks: &[&str], examples: &'a [Example<'a>]) -> Result<Reading<'a>> {
        let whole = tasks.iter().any(|t| self.reads_whole_documents(t));
        let passages: Vec<(usize, Example)> = examples
            .iter()
            .enumerate()
            .flat_map(|(e, x)| self.passages(x, whole).into_iter().map(move |p| (e, p)))
            .filter(|(_, passage)| !passage.tokens().is_empty())
            .collect();
        let mut order: Vec<usize> = (0..passages.len()).collect();
        let length = |p: usize| passages[p].1.tokens().len();
        let groups_of: Vec<&[usize]> =
            if tasks.iter().any(|t| self.config.tasks[*t].head.unit() == Unit::Document) {
                order.sort_by_key(|&p| length(p));
                order.chunks(PASSAGES).collect()
            } else if tasks.iter().all(|t| self.reads_in_groups(t)) {
                order.sort_by_key(|&p| length(p));
                alike(&order, length)
            } else {
                vec![&order]
            };
        let mut groups = Vec::new();
        for some in groups_of {
            let sequences: Vec<Vec<&str>> = some.iter().map(|&p| words(&passages[p].1)).collect();
            let batch = self.batch(&sequences)?;
            let encodings = self.train_encodings(tasks, &batch)?;
            groups.push(Group { passages: some.to_vec(), batch, encodings });
        }
        let mut starts = vec![0; passages.len()];
        let mut next = 0;
        for &p in groups.iter().flat_map(|g: &Group| &g.passages) {
            starts[p] = next;
            next += passages[p].1.tokens().len();
        }
        Ok(Reading { examples, passages, groups, starts })
    }

    /// Whether it makes no difference to the loss of a task which sentences are encoded together.
    fn reads_in_groups(&self, task: &str) -> bool {
        matches!(self.heads[task], Head::CrfTagger(_) | Head::Biaffine(_))
            && !matches!(
                &self.config.embedding.chars,
                Some(CharsConfig::Cnn { pool_padding: true, .. })
            )
    }

    /// Runs the encoders of `tasks` and those below them; the encodings of each task.
    fn train_encodings(&self, tasks: &[&str], batch: &Batch) -> Result<HashMap<String, Encodings>> {
        let order = self.config.encoder_order(tasks.iter().copied());
        let configs = || tasks.iter().map(|&t| (t, &self.config.tasks[t]));
        let input_dropout = |encoder: &str| {
            let own = configs().filter(|(_, c)| c.on == encoder).map(|(_, c)| c.input_dropout);
            own.fold(0.0, f64::max)
        };
        let encodings = self.graph.forward(batch, &order, true, input_dropout)?;
        let own = |(task, config): (&str, &crate::config::TaskConfig)| {
            let mut own = encodings
                .get(&config.on)
                .ok_or_else(|| Error::Internal(format!("no encoder for task `{task}`")))?
                .shallow_clone();
            own.encoded = own.encoded.dropped(config.dropout, true)?;
            Ok((task.to_owned(), own))
        };
        configs().map(own).collect()
    }
}

impl Reading<'_> {
    /// The rows of all passages, (N, D') and (N, D), group by group.
    fn rows(&self, task: &str) -> Result<Encodings> {
        let rows = self.groups.iter().map(|g| all_rows(&g.encodings[task], &g.batch));
        joined(&rows.collect::<Result<Vec<_>>>()?)
    }

    /// Where the tokens of an example are among these.
    fn index_of(&self, example: usize) -> Vec<i64> {
        let own = self.passages.iter().zip(&self.starts).filter(|((e, _), _)| *e == example);
        own.flat_map(|((_, p), &start)| (start..start + p.tokens().len()).map(|at| at as i64))
            .collect()
    }
}

fn added(sum: Option<Tensor>, loss: Tensor) -> Result<Tensor> {
    match sum {
        Some(sum) => Ok(sum.f_add(&loss)?),
        None => Ok(loss),
    }
}

/// Cuts passages in the order of their lengths where these differ too much.
fn alike(order: &[usize], length: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let (mut groups, mut start, mut tokens) = (Vec::new(), 0, 0);
    for (at, &p) in order.iter().enumerate() {
        let longest = SPREAD * length(order[start]) as f64;
        if tokens >= FEW_TOKENS && length(p) as f64 > longest {
            groups.push(&order[start..at]);
            (start, tokens) = (at, 0);
        }
        tokens += length(p);
    }
    groups.push(&order[start..]);
    groups
}

/// The same part of the document with the gold, if there is one.
fn golden<'a>(example: &Example, gold: Option<&'a Document>) -> Option<Example<'a>> {
    Some(Example { document: gold?, sentences: example.sentences.clone() })
}

/// The rows of all sequences of a batch, joined without padding: (N, D') and (N, D). One gather,
/// since the gradient of a slice is as large as what it was cut from.
fn all_rows(encodings: &Encodings, batch: &Batch) -> Result<Encodings> {
    let index = batch.padding.places();
    let index = upload_values(&index, &[-1], batch.words.device())?;
    encodings.map(|t| Ok(t.f_reshape([-1, t.size()[2]])?.f_index_select(0, &index)?))
}

/// Rows one after the other: (N, D) each.
fn joined(pieces: &[Encodings]) -> Result<Encodings> {
    let join = |of: fn(&Encodings) -> Result<Tensor>| -> Result<Tensor> {
        Ok(Tensor::f_cat(&pieces.iter().map(of).collect::<Result<Vec<_>>>()?, 0)?)
    };
    Ok(Encodings {
        inputs: TokenVectors::Whole(join(|e| e.inputs.whole())?),
        encoded: join(|e| Ok(e.encoded.shallow_clone()))?,
    })
}
