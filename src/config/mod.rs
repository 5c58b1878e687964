//! The description of a model: a directed acyclic graph of encoders with tasks hung on its nodes.
//!
//! Widths and labels are computed, never configured. Everything is a closed enum or a struct that
//! refuses unknown keys, so that a typo is an error that names it.

mod check;
mod context;
mod elmo;

use std::collections::BTreeSet;

pub use context::{ContextConfig, ElmoConfig, Pooling, TransformerConfig};
pub use elmo::{
    ElmoActivation, ElmoCharacterOptions, ElmoCnnOptions, ElmoLstmOptions, ElmoOptions,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Version of the model configuration that this build writes, and the newest that it reads.
pub const CONFIG_FORMAT: u32 = 1;

/// The node every graph starts from: what the embedders give for a token.
pub const EMBEDDING: &str = "embedding";

/// A model: embedders, encoders, task heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub format: u32,
    pub embedding: EmbeddingConfig,
    /// By name; an encoder reads the concatenation of its inputs, in their order.
    pub encoders: IndexMap<String, EncoderConfig>,
    /// By name, lowest in the hierarchy first.
    pub tasks: IndexMap<String, TaskConfig>,
}

/// Token vectors, one part at least: context first, then characters, then words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chars: Option<CharsConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<WordsConfig>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum WordsConfig {
    /// One vector a lower-cased word.
    Table {
        size: i64,
        #[serde(default = "yes")]
        trainable: bool,
        #[serde(default)]
        dropout: f64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum CharsConfig {
    /// Character embeddings, convolutions of several widths, ReLU, maximum over positions.
    Cnn {
        size: i64,
        filters: i64,
        widths: Vec<i64>,
        #[serde(default)]
        dropout: f64,
        /// Lets windows over padding take part in the maximum, up to the longest word of the
        /// batch, as the 2018 code does: a word's vector then depends on its neighbours.
        #[serde(default)]
        pool_padding: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum EncoderConfig {
    /// Stacked bidirectional LSTM; output width is twice `hidden`.
    Lstm {
        inputs: Vec<String>,
        hidden: i64,
        layers: i64,
        /// Between layers.
        #[serde(default)]
        dropout: f64,
        /// Starts from Xavier-normal input weights and orthogonal recurrent weights, as the 2018
        /// coreference encoder, instead of PyTorch's uniform ones.
        #[serde(default)]
        orthogonal: bool,
    },
    /// A sum of the inputs, projected to `size`, with learned weights.
    Mix {
        inputs: Vec<String>,
        size: i64,
        /// Every token weighs the inputs for itself.
        #[serde(default)]
        gated: bool,
    },
}

/// What a task needs from the graph, whatever its head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskConfig {
    /// The encoder this task reads.
    pub on: String,
    /// The layer of a document that holds its gold labels; the task's own name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// On the input of the encoder while this task trains (lexical dropout).
    #[serde(default)]
    pub input_dropout: f64,
    /// On the output of the encoder while this task trains.
    #[serde(default)]
    pub dropout: f64,
    #[serde(flatten)]
    pub head: HeadConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadConfig {
    /// Flat spans: BIOUL tags, linear-chain CRF.
    CrfTagger {},
    /// Nested spans: every span of a sentence is scored by a biaffine product of its ends.
    Biaffine {
        #[serde(default = "biaffine_hidden")]
        hidden: i64,
        /// Longest span in tokens; absent means the sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_width: Option<usize>,
    },
    /// Relations between single tokens of a sentence, read as the last tokens of the mentions
    /// that the task `arguments` finds (multi-head selection).
    HeadSelection {
        arguments: String,
        hidden: i64,
        #[serde(default = "half")]
        threshold: f64,
        /// Counts padded pairs in the mean of the loss, as the 2018 code does.
        #[serde(default)]
        mean_over_padding: bool,
    },
    /// Relations between the mentions that the task `arguments` finds.
    MentionPairs {
        arguments: String,
        hidden: i64,
        /// Farthest apart, in sentences, that two mentions are compared.
        #[serde(default)]
        max_sentences: usize,
        #[serde(default = "half")]
        threshold: f64,
        /// A fact is dropped whose probability is below this share of that of the best fact with
        /// the same head and label.
        #[serde(default)]
        rivalry: f64,
        #[serde(default)]
        feedforward_dropout: f64,
        /// Labels whose arguments have no order, such as `spouse`: learned both ways, reported
        /// once, right either way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        symmetric: Vec<String>,
        /// Relates only mentions of types that the training data relates so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        constrain: Option<ConstrainConfig>,
        /// The coreference task whose clusters say which mentions are one entity, beside their
        /// names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entities: Option<String>,
    },
    /// Coreference: spans ranked as mentions, antecedents ranked for each mention.
    MentionRanking(MentionRankingConfig),
}

/// Which types of arguments a relation label allows: those that the training data shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstrainConfig {
    /// Types that were seen less often with a label are noise, unless it has no others.
    #[serde(default = "one")]
    pub min_count: usize,
}

/// Span-ranking coreference (Lee et al. 2017).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MentionRankingConfig {
    pub max_span_width: usize,
    /// Mentions kept, as a share of the tokens.
    pub spans_per_word: f64,
    /// Antecedents compared with each mention.
    pub max_antecedents: usize,
    /// Width of the hidden layers of both scorers.
    pub hidden: i64,
    /// Width of the span-width and distance embeddings.
    pub feature_size: i64,
    #[serde(default)]
    pub feedforward_dropout: f64,
    /// Whether the whole document is one sequence for the encoder, as in 2018, or each sentence.
    #[serde(default)]
    pub whole_document: bool,
    /// Absent: spans and pairs are scored as in 2018. Present: spans are projected to this
    /// width first, antecedents are found coarse to fine in the whole document, and pairs carry
    /// string-match features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<i64>,
    /// Whether mentions that are nobody's antecedent are learned and reported.
    #[serde(default)]
    pub singletons: bool,
    /// With `projection`: the score of having no antecedent when annotating. Below 0, what was 0 in
    /// training, more mentions are linked.
    #[serde(default)]
    pub none_score: f64,
    /// With `singletons`: the mention score from which a mention is reported though nothing
    /// refers to it.
    #[serde(default)]
    pub singleton_score: f64,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn half() -> f64 {
    0.5
}

fn biaffine_hidden() -> i64 {
    128
}

impl EncoderConfig {
    pub fn inputs(&self) -> &[String] {
        match self {
            Self::Lstm { inputs, .. } | Self::Mix { inputs, .. } => inputs,
        }
    }
}

/// What one training example of a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Sentence,
    Document,
}

/// What a head predicts, and so how it is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    Spans,
    Relations,
    Coreference,
}

impl HeadConfig {
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::CrfTagger {} | Self::Biaffine { .. } => TaskKind::Spans,
            Self::HeadSelection { .. } | Self::MentionPairs { .. } => TaskKind::Relations,
            Self::MentionRanking(_) => TaskKind::Coreference,
        }
    }

    pub fn unit(&self) -> Unit {
        match self {
            Self::CrfTagger {} | Self::Biaffine { .. } | Self::HeadSelection { .. } => {
                Unit::Sentence
            }
            Self::MentionPairs { .. } | Self::MentionRanking(_) => Unit::Document,
        }
    }

    /// The task whose mentions this head relates.
    pub fn arguments(&self) -> Option<&str> {
        match self {
            Self::HeadSelection { arguments, .. } | Self::MentionPairs { arguments, .. } => {
                Some(arguments)
            }
            _ => None,
        }
    }

    /// The task whose clusters this head takes for entities.
    pub fn entities(&self) -> Option<&str> {
        match self {
            Self::MentionPairs { entities, .. } => entities.as_deref(),
            _ => None,
        }
    }

    /// The tasks whose predictions this head reads.
    pub fn needs(&self) -> impl Iterator<Item = &str> + Clone {
        self.arguments().into_iter().chain(self.entities())
    }

    /// The labels whose arguments have no order.
    pub fn symmetric(&self) -> &[String] {
        match self {
            Self::MentionPairs { symmetric, .. } => symmetric,
            _ => &[],
        }
    }
}

impl ModelConfig {
    /// Reads and checks a configuration.
    pub fn from_json(json: &str) -> Result<Self> {
        let config: Self =
            serde_json::from_str(json).map_err(|e| Error::config(format!("model: {e}")))?;
        config.check()?;
        Ok(config)
    }

    /// The layer of a document that holds the gold labels of `task`.
    pub fn layer<'a>(&'a self, task: &'a str) -> &'a str {
        self.tasks.get(task).and_then(|t| t.layer.as_deref()).unwrap_or(task)
    }

    /// The encoders that `tasks` need, inputs before the encoders that read them.
    pub fn encoder_order<'a>(&'a self, tasks: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut order = Vec::new();
        for task in tasks {
            if let Some(task) = self.tasks.get(task) {
                self.visit(&task.on, &mut order);
            }
        }
        order
    }

    fn visit<'a>(&'a self, name: &'a str, order: &mut Vec<&'a str>) {
        if name == EMBEDDING || order.contains(&name) {
            return;
        }
        if let Some(encoder) = self.encoders.get(name) {
            for input in encoder.inputs() {
                self.visit(input, order);
            }
        }
        order.push(name);
    }

    /// The part of the model that `tasks` need: the tasks whose predictions they read, and the
    /// encoders below them.
    pub fn restrict(&self, tasks: &[String]) -> Result<Self> {
        let mut needed = BTreeSet::new();
        for name in tasks {
            let Some(task) = self.tasks.get(name) else {
                let known: Vec<&str> = self.tasks.keys().map(String::as_str).collect();
                return Err(Error::invalid(format!(
                    "the model has no task `{name}`, only {}",
                    known.join(", ")
                )));
            };
            needed.insert(name.as_str());
            needed.extend(task.head.needs());
        }
        let encoders = self.encoder_order(needed.iter().copied());
        let mut part = self.clone();
        part.tasks.retain(|name, _| needed.contains(name.as_str()));
        part.encoders.retain(|name, _| encoders.contains(&name.as_str()));
        part.check()?;
        Ok(part)
    }
}
