//! The description of a model: a directed acyclic graph of encoders with tasks hung on its nodes.
//!
//! Widths and labels are computed, never configured. Everything is a closed enum or a struct that
//! refuses unknown keys, so that a typo is an error that names it.

mod agreement;
mod check;
mod context;
mod elmo;
mod head;

use std::collections::BTreeSet;

pub use agreement::AgreementConfig;
pub use context::{ContextConfig, ElmoConfig, Pooling, TransformerConfig};
pub use elmo::{
    ElmoActivation, ElmoCharacterOptions, ElmoCnnOptions, ElmoLstmOptions, ElmoOptions,
};
pub use head::{
    Between, CalibrationConfig, ConstrainConfig, HeadConfig, MentionRankingConfig, NamesConfig,
    TaskKind, Unit,
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
    /// Encoders read as many whole sentences at once as have this many tokens together; absent,
    /// each sentence by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage_tokens: Option<usize>,
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

fn yes() -> bool {
    true
}

impl EncoderConfig {
    pub fn inputs(&self) -> &[String] {
        match self {
            Self::Lstm { inputs, .. } | Self::Mix { inputs, .. } => inputs,
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

    /// `tasks` and those whose predictions they read, and those read, and so on.
    pub(crate) fn needed<'a>(
        &'a self,
        tasks: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<&'a str> {
        self.closure(tasks, |head| head.needs().collect())
    }

    /// The same without those that only have to agree with them.
    pub(crate) fn needed_independently<'a>(
        &'a self,
        tasks: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<&'a str> {
        self.closure(tasks, |head| head.reads().collect())
    }

    fn closure<'a>(
        &'a self,
        tasks: impl IntoIterator<Item = &'a str>,
        next: impl Fn(&'a HeadConfig) -> Vec<&'a str>,
    ) -> BTreeSet<&'a str> {
        let mut closure = BTreeSet::new();
        let mut waiting: Vec<&str> = tasks.into_iter().collect();
        while let Some(task) = waiting.pop() {
            if closure.insert(task) {
                waiting.extend(next(&self.tasks[task].head));
            }
        }
        closure
    }

    /// The part of the model that `tasks` need: the tasks whose predictions they read, and the
    /// encoders below them.
    pub fn restrict(&self, tasks: &[String]) -> Result<Self> {
        for name in tasks {
            if !self.tasks.contains_key(name) {
                let known: Vec<&str> = self.tasks.keys().map(String::as_str).collect();
                return Err(Error::invalid(format!(
                    "the model has no task `{name}`, only {}",
                    known.join(", ")
                )));
            }
        }
        let needed = self.needed(tasks.iter().map(String::as_str));
        let encoders = self.encoder_order(needed.iter().copied());
        let mut part = self.clone();
        part.tasks.retain(|name, _| needed.contains(name.as_str()));
        part.encoders.retain(|name, _| encoders.contains(&name.as_str()));
        part.check()?;
        Ok(part)
    }
}
