//! [`Network`]: the encoders and heads of a model.

use std::collections::HashMap;

use indexmap::IndexMap;
use tch::Device;

use super::turns::Turns;
use crate::config::{
    CalibrationConfig, CharsConfig, ContextConfig, HeadConfig, ModelConfig, TaskKind,
};
use crate::encode::{Encodings, Graph};
use crate::feature::{Batch, BatchOptions, Vocabularies};
use crate::head::{
    Biaffine, BiaffineOptions, CoarseToFine, CrfTagger, Head, HeadSelection, MentionPairs,
    MentionPairsOptions, MentionRanking,
};
use crate::params::Params;
use crate::{Error, Result, embed};

/// Encoders and heads, built on the tensors of a [`Params`].
#[derive(Debug)]
pub struct Network {
    pub(super) config: ModelConfig,
    pub(super) vocab: Vocabularies,
    pub(super) graph: Graph,
    pub(super) heads: IndexMap<String, Head>,
    pub(super) device: Device,
    /// Whether the document heads annotate without LibTorch.
    pub(super) is_fast: bool,
    batch_options: BatchOptions,
    pub(super) turns: Turns,
}

impl Network {
    pub fn new(config: &ModelConfig, vocab: &Vocabularies, params: &mut Params) -> Result<Self> {
        config.check()?;
        config.check_labels(&vocab.labels)?;
        let graph = Graph::new(config, vocab, params)?;
        let mut heads = IndexMap::new();
        for (name, task) in &config.tasks {
            let widths = graph.widths(&task.on);
            let encoded = widths.output;
            let prefix = format!("tasks.{name}");
            let labels = vocab.labels(name).len();
            if labels == 0 && task.head.kind() != TaskKind::Coreference {
                return Err(Error::config(format!("task `{name}` has no labels")));
            }
            let arguments = task.head.arguments().map_or(0, |a| vocab.labels(a).len());
            let head = match &task.head {
                HeadConfig::CrfTagger { .. } => {
                    Head::CrfTagger(CrfTagger::new(params, &prefix, encoded, labels)?)
                }
                &HeadConfig::Biaffine { hidden, max_width, none_score, .. } => {
                    let options = BiaffineOptions { hidden, max_width, none_score };
                    Head::Biaffine(Biaffine::new(params, &prefix, encoded, options, labels)?)
                }
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
                    thresholds,
                    rivalry,
                    rivalries,
                    feedforward_dropout,
                    reader_hidden,
                    symmetric,
                    constrain,
                    word_match,
                    between,
                    references,
                    calibration,
                    ..
                } => {
                    let labels_of = vocab.labels(name);
                    let is_symmetric = |label| symmetric.contains(label);
                    let threshold_of = |label| *thresholds.get(label).unwrap_or(threshold);
                    let rivalry_of = |label| *rivalries.get(label).unwrap_or(rivalry);
                    let options = MentionPairsOptions {
                        hidden: *hidden,
                        reader_hidden: *reader_hidden,
                        max_sentences: *max_sentences,
                        thresholds: labels_of.iter().map(threshold_of).collect(),
                        rivalries: labels_of.iter().map(rivalry_of).collect(),
                        feedforward_dropout: *feedforward_dropout,
                        symmetric: labels_of.iter().map(is_symmetric).collect(),
                        word_match: *word_match,
                        between: *between,
                        references: *references,
                        calibration: calibration.unwrap_or(CalibrationConfig::NONE),
                        min_count: constrain.map(|c| c.min_count),
                    };
                    Head::MentionPairs(MentionPairs::new(
                        params, &prefix, widths, options, labels, arguments,
                    )?)
                }
                HeadConfig::MentionRanking(ranking) => match ranking.projection {
                    Some(projection) => Head::CoarseToFine(CoarseToFine::new(
                        params, &prefix, widths, projection, ranking,
                    )?),
                    None => Head::MentionRanking(MentionRanking::new(
                        params,
                        &prefix,
                        encoded,
                        widths.input,
                        ranking,
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
            is_fast: params.is_fast(),
            batch_options: batch_options(config, vocab)?,
            turns: Turns::default(),
        })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub fn vocab(&self) -> &Vocabularies {
        &self.vocab
    }

    pub fn device(&self) -> Device {
        self.device
    }

    pub fn head(&self, task: &str) -> Option<&Head> {
        self.heads.get(task)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn batch<S: AsRef<str>>(&self, sequences: &[Vec<S>]) -> Result<Batch> {
        Batch::new(sequences, &self.vocab, self.batch_options, self.device)
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
