//! [`Network`]: the encoders and heads of a model, and its losses.

use std::collections::HashMap;

use indexmap::IndexMap;
use tch::{Device, Tensor};

use super::gold::gold_clusters;
use crate::config::{
    CharsConfig, ContextConfig, HeadConfig, MentionRankingConfig, ModelConfig, TaskKind,
};
use crate::encode::{Encodings, Graph};
use crate::feature::{Batch, BatchOptions, Example, Vocabularies};
use crate::head::{
    Biaffine, CoarseToFine, CrfTagger, DocumentInput, Head, HeadSelection, MentionPairs,
    MentionPairsOptions, MentionRanking, SequenceInput,
};
use crate::params::Params;
use crate::{Error, Result, embed};

/// Sequences of documents encoded at a time while training.
const TRAIN_SEQUENCES: usize = 16;

/// Encoders and heads, built on the tensors of a [`Params`].
#[derive(Debug)]
pub struct Network {
    pub(super) config: ModelConfig,
    pub(super) vocab: Vocabularies,
    pub(super) graph: Graph,
    pub(super) heads: IndexMap<String, Head>,
    pub(super) device: Device,
    batch_options: BatchOptions,
}

impl Network {
    pub fn new(config: &ModelConfig, vocab: &Vocabularies, params: &mut Params) -> Result<Self> {
        config.check()?;
        config.check_labels(&vocab.labels)?;
        let graph = Graph::new(config, vocab, params)?;
        let mut heads = IndexMap::new();
        for (name, task) in &config.tasks {
            let (input, encoded) = graph.widths(&task.on);
            let prefix = format!("tasks.{name}");
            let labels = vocab.labels(name).len();
            if labels == 0 && task.head.kind() != TaskKind::Coreference {
                return Err(Error::config(format!("task `{name}` has no labels")));
            }
            let arguments = task.head.arguments().map_or(0, |a| vocab.labels(a).len());
            let head = match &task.head {
                HeadConfig::CrfTagger {} => {
                    Head::CrfTagger(CrfTagger::new(params, &prefix, encoded, labels)?)
                }
                &HeadConfig::Biaffine { hidden, max_width } => Head::Biaffine(Biaffine::new(
                    params, &prefix, encoded, hidden, max_width, labels,
                )?),
                &HeadConfig::HeadSelection { hidden, threshold, mean_over_padding, .. } => {
                    Head::HeadSelection(HeadSelection::new(
                        params,
                        &prefix,
                        encoded,
                        hidden,
                        labels,
                        threshold,
                        mean_over_padding,
                    )?)
                }
                HeadConfig::MentionPairs {
                    hidden,
                    max_sentences,
                    threshold,
                    rivalry,
                    feedforward_dropout,
                    symmetric,
                    constrain,
                    ..
                } => {
                    let is_symmetric = |label| symmetric.contains(label);
                    let options = MentionPairsOptions {
                        hidden: *hidden,
                        max_sentences: *max_sentences,
                        threshold: *threshold,
                        rivalry: *rivalry,
                        feedforward_dropout: *feedforward_dropout,
                        symmetric: vocab.labels(name).iter().map(is_symmetric).collect(),
                        min_count: constrain.map(|c| c.min_count),
                    };
                    Head::MentionPairs(MentionPairs::new(
                        params, &prefix, encoded, options, labels, arguments,
                    )?)
                }
                HeadConfig::MentionRanking(ranking) => match ranking.projection {
                    Some(projection) => Head::CoarseToFine(CoarseToFine::new(
                        params, &prefix, encoded, input, projection, ranking,
                    )?),
                    None => Head::MentionRanking(MentionRanking::new(
                        params, &prefix, encoded, input, ranking,
                    )?),
                },
            };
            heads.insert(name.clone(), head);
        }
        Ok(Self {
            config: config.clone(),
            vocab: vocab.clone(),
            graph,
            heads,
            device: params.device(),
            batch_options: batch_options(config, vocab)?,
        })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub fn vocab(&self) -> &Vocabularies {
        &self.vocab
    }

    pub fn head(&self, task: &str) -> Option<&Head> {
        self.heads.get(task)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The training loss of `task` on some examples, a scalar with a gradient. Gold labels that
    /// the model does not know are left out.
    pub fn loss(&self, task: &str, examples: &[Example]) -> Result<Tensor> {
        let (Some(head), Some(config)) = (self.heads.get(task), self.config.tasks.get(task)) else {
            return Err(Error::config(format!("the model has no task `{task}`")));
        };
        let examples: Vec<Example> =
            examples.iter().filter(|e| !e.tokens().is_empty()).cloned().collect();
        if examples.is_empty() {
            return Err(Error::invalid("a batch needs at least one example with tokens"));
        }
        let examples = examples.as_slice();
        match head {
            Head::CrfTagger(_) | Head::Biaffine(_) | Head::HeadSelection(_) => {
                let sequences: Vec<Vec<&str>> = examples.iter().map(words).collect();
                let batch = self.batch(&sequences)?;
                let x = SequenceInput {
                    encoded: self.train_encodings(task, &batch)?.encoded,
                    batch: &batch,
                };
                match head {
                    Head::CrfTagger(head) => head.loss(&x, &self.gold_spans(task, examples)),
                    Head::Biaffine(head) => head.loss(&x, &self.gold_spans(task, examples)),
                    Head::HeadSelection(head) => {
                        head.loss(&x, &self.gold_token_relations(task, examples))
                    }
                    _ => Err(Error::Internal(format!("task `{task}` is no sentence task"))),
                }
            }
            Head::MentionPairs(head) => {
                let arguments = config.head.arguments().unwrap_or_default();
                self.document_loss(task, examples, |x, example| {
                    let (mentions, gold) = self.gold_relations(task, arguments, example)?;
                    head.loss(x, &mentions, &gold)
                })
            }
            Head::MentionRanking(head) => {
                self.document_loss(task, examples, |x, e| head.loss(x, &gold_clusters(e)))
            }
            Head::CoarseToFine(head) => {
                self.document_loss(task, examples, |x, e| head.loss(x, &gold_clusters(e)))
            }
        }
    }

    /// Sums a loss over documents, which are encoded as the task wants: whole, or by sentence.
    fn document_loss(
        &self,
        task: &str,
        examples: &[Example],
        loss: impl Fn(&DocumentInput, &Example) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        let head = &self.heads[task];
        for (example, own) in examples.iter().zip(self.train_rows(task, examples)?) {
            let rows = head.token_rows(&own.encoded, &own.inputs, true)?;
            let loss = loss(&document_input(rows, example), example)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&loss)?,
                None => loss,
            });
        }
        sum.ok_or_else(|| Error::Internal("a loss over no documents".to_owned()))
    }

    /// The rows of each example, (N, D') and (N, D). The sequences of all examples are encoded by
    /// length, some at a time, so that little is padding.
    fn train_rows(&self, task: &str, examples: &[Example]) -> Result<Vec<Encodings>> {
        let sequences: Vec<(usize, Vec<&str>)> = examples
            .iter()
            .enumerate()
            .flat_map(|(e, example)| self.sequences(task, example).into_iter().map(move |s| (e, s)))
            .collect();
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&s| sequences[s].1.len());
        let mut groups = Vec::new();
        let mut starts = vec![0; sequences.len()];
        let mut next = 0;
        for group in order.chunks(TRAIN_SEQUENCES) {
            let words: Vec<&Vec<&str>> = group.iter().map(|&s| &sequences[s].1).collect();
            let batch = self.batch(&words.iter().map(|w| w.to_vec()).collect::<Vec<_>>())?;
            groups.push(all_rows(&self.train_encodings(task, &batch)?, &batch)?);
            for &s in group {
                starts[s] = next;
                next += sequences[s].1.len();
            }
        }
        let all = joined(&groups)?;
        let rows_of = |example: usize| {
            let own = sequences.iter().zip(&starts).filter(|((e, _), _)| *e == example);
            let index: Vec<i64> =
                own.flat_map(|((_, s), &start)| start as i64..(start + s.len()) as i64).collect();
            let index = Tensor::f_from_slice(&index)?.f_to_device(self.device)?;
            all.map(|rows| Ok(rows.f_index_select(0, &index)?))
        };
        (0..examples.len()).map(rows_of).collect()
    }

    /// The sequences that the encoders read for a document task.
    pub(super) fn sequences<'a>(&self, task: &str, example: &Example<'a>) -> Vec<Vec<&'a str>> {
        if self.reads_whole_documents(task) {
            return vec![words(example)];
        }
        let sentence =
            |s: usize| words(&Example { document: example.document, sentences: s..s + 1 });
        example.sentences.clone().map(sentence).filter(|s| !s.is_empty()).collect()
    }

    /// Whether `task` wants a document as one sequence, as in 2018.
    pub(super) fn reads_whole_documents(&self, task: &str) -> bool {
        let head = self.config.tasks.get(task).map(|t| &t.head);
        matches!(
            head,
            Some(HeadConfig::MentionRanking(MentionRankingConfig { whole_document: true, .. }))
        )
    }

    pub fn batch<S: AsRef<str>>(&self, sequences: &[Vec<S>]) -> Result<Batch> {
        Batch::new(sequences, &self.vocab, self.batch_options, self.device)
    }

    /// Runs `task`'s encoder and those below it, with the dropout of training.
    fn train_encodings(&self, task: &str, batch: &Batch) -> Result<Encodings> {
        let config = &self.config.tasks[task];
        let order = self.config.encoder_order([task]);
        let dropout = |name: &str| if name == config.on { config.input_dropout } else { 0.0 };
        let mut encodings = self.graph.forward(batch, &order, true, dropout)?;
        let mut own = encodings
            .remove(&config.on)
            .ok_or_else(|| Error::Internal(format!("no encoder for task `{task}`")))?;
        own.encoded = own.encoded.f_dropout(config.dropout, true)?;
        Ok(own)
    }

    /// Encodings of all encoders that `tasks` need, as when annotating.
    pub fn encode(&self, batch: &Batch, tasks: &[&str]) -> Result<HashMap<String, Encodings>> {
        let order = self.config.encoder_order(tasks.iter().copied());
        self.graph.forward(batch, &order, false, |_| 0.0)
    }
}

fn batch_options(config: &ModelConfig, vocab: &Vocabularies) -> Result<BatchOptions> {
    let embedding = &config.embedding;
    let window = match (&embedding.context, &vocab.pieces) {
        (Some(ContextConfig::Transformer(context)), Some(pieces)) => {
            Some(embed::window(context, pieces)?)
        }
        _ => None,
    };
    let whole_spelling =
        matches!(embedding.chars, Some(CharsConfig::Cnn { pool_padding: true, .. }));
    Ok(BatchOptions { whole_spelling, window })
}

/// The words of an example.
pub(super) fn words<'a>(example: &Example<'a>) -> Vec<&'a str> {
    example.tokens().map(|t| example.document.token_text(t)).collect()
}

/// The rows of all sequences of a batch, joined without padding: (N, D') and (N, D). One gather,
/// since the gradient of a slice is as large as what it was cut from.
fn all_rows(encodings: &Encodings, batch: &Batch) -> Result<Encodings> {
    let length = batch.words.size()[1] as usize;
    let rows = batch.lengths.iter().enumerate();
    let index: Vec<i64> =
        rows.flat_map(|(b, &n)| (b * length..b * length + n).map(|at| at as i64)).collect();
    let index = Tensor::f_from_slice(&index)?.f_to_device(batch.words.device())?;
    encodings.map(|t| Ok(t.f_reshape([-1, t.size()[2]])?.f_index_select(0, &index)?))
}

/// Rows one after the other: (N, D) each.
fn joined(pieces: &[Encodings]) -> Result<Encodings> {
    let join = |of: fn(&Encodings) -> &Tensor| -> Result<Tensor> {
        let pieces: Vec<&Tensor> = pieces.iter().map(of).collect();
        Ok(Tensor::f_cat(&pieces, 0)?)
    };
    Ok(Encodings { inputs: join(|e| &e.inputs)?, encoded: join(|e| &e.encoded)? })
}

/// The rows of one sequence of a batch, without padding: (L, W) of (B, L, W).
pub(super) fn sequence_rows(rows: &Tensor, batch: &Batch, row: usize) -> Result<Tensor> {
    Ok(rows.f_select(0, row as i64)?.f_narrow(0, 0, batch.lengths[row] as i64)?)
}

/// The input of a head that reads documents; `rows` are those of all tokens, in text order.
pub(super) fn document_input(rows: Tensor, example: &Example) -> DocumentInput {
    let (tokens, doc) = (example.tokens(), example.document);
    let sentences = example.sentences.clone().map(|s| {
        let range = doc.sentence_tokens(s);
        range.start - tokens.start..range.end - tokens.start
    });
    DocumentInput {
        rows,
        sentences: sentences.filter(|s| !s.is_empty()).collect(),
        keys: keys(words(example)),
    }
}

/// A number for each word, equal for words equal in lower case.
fn keys(words: Vec<&str>) -> Vec<i64> {
    let mut numbers: HashMap<String, i64> = HashMap::new();
    words
        .into_iter()
        .map(|word| {
            let next = numbers.len() as i64;
            *numbers.entry(word.to_lowercase()).or_insert(next)
        })
        .collect()
}
