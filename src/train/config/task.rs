//! The data and the pace of a task.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::data::{Format, ReadOptions};
use crate::train::datelines::Datelines;
use crate::train::recase::Recase;

/// A task of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTraining {
    /// Data may also be added to the trainer, in memory.
    #[serde(default)]
    pub train: Vec<DataConfig>,
    #[serde(default)]
    pub dev: Vec<DataConfig>,
    /// Scored once, at the end of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<DataConfig>,
    /// Trains on the texts of the other tasks too, as the model that the run starts from annotates
    /// them, so that it does not forget (Li and Hoiem, ECCV 2016).
    #[serde(default)]
    pub rehearse: bool,
    /// Tasks that learn in this task's steps too, from the documents that both train on: these are
    /// encoded once for all of them, and are not in the other tasks' own steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub along: Vec<String>,
    /// Sentences (or passages) or documents, as the task's head reads.
    pub batch_size: usize,
    /// Epochs without a better dev score before the task has had enough.
    #[serde(default)]
    pub patience: Option<usize>,
    /// Factor of the loss.
    #[serde(default = "unit")]
    pub weight: f64,
    /// Weight of the dev score in the mean that chooses the best epoch.
    #[serde(default = "unit")]
    pub dev_weight: f64,
    /// Strength of the pull that keeps parameters shared with other tasks where they were before
    /// the task's epoch: `strength * |difference|^2` is added to the loss (successive
    /// regularization, Hashimoto et al., EMNLP 2017).
    #[serde(default)]
    pub successive: f64,
    /// Longer training documents are cut at sentence ends.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// Rarer labels are left out.
    #[serde(default)]
    pub min_label_count: usize,
    /// The labels to learn, instead of those of the training data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
}

/// Documents of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    pub format: Format,
    pub path: PathBuf,
    /// Keeps documents whose id contains one of these; empty keeps all.
    #[serde(default)]
    pub include: Vec<String>,
    /// Leaves out documents whose id contains one of these.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Keeps documents from the first position up to the second.
    #[serde(default)]
    pub slice: Option<[usize; 2]>,
    /// How often each document of training data is learned from in an epoch, up to 1000 times.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repeat: usize,
    #[serde(default)]
    pub options: ReadOptions,
    /// New names for some of the labels.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub rename: IndexMap<String, String>,
    /// The labels, after renaming, that the data was annotated for where the task has others, too:
    /// that there is none of another label teaches nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<Vec<String>>,
    /// Gives the label of a mention to the mentions of its cluster that have none.
    #[serde(default)]
    pub spread: bool,
    /// Writes some of the text in capitals or in small letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recase: Option<Recase>,
    /// Begins some of the documents as news agencies do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datelines: Option<Datelines>,
}

fn unit() -> f64 {
    1.0
}

/// A larger number is a slip, and would fill the memory with one epoch.
const MOST_REPEATS: usize = 1000;

fn once() -> usize {
    1
}

fn is_once(repeat: &usize) -> bool {
    *repeat == 1
}

impl DataConfig {
    fn check(&self) -> Result<(), &'static str> {
        self.recase.as_ref().map_or(Ok(()), Recase::check)?;
        self.datelines.as_ref().map_or(Ok(()), Datelines::check)
    }

    /// Whether labels are taken as they are.
    pub(in crate::train) fn keeps_labels(&self) -> bool {
        self.rename.is_empty() && self.covers.is_none() && !self.spread
    }
}

impl TaskTraining {
    fn data(&self) -> impl Iterator<Item = &DataConfig> {
        self.train.iter().chain(&self.dev).chain(&self.test)
    }

    pub(super) fn data_mut(&mut self) -> impl Iterator<Item = &mut DataConfig> {
        self.train.iter_mut().chain(&mut self.dev).chain(&mut self.test)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let natural = |v: f64| v >= 0.0 && v.is_finite();
        let rules = [
            (self.batch_size > 0, "batch_size must be positive"),
            (positive(self.weight), "weight must be positive"),
            (natural(self.dev_weight), "dev_weight must not be negative"),
            (natural(self.successive), "successive must not be negative"),
            (self.max_tokens != Some(0), "max_tokens must be positive"),
            (self.patience != Some(0), "patience must be positive"),
            (self.data().all(|d| (1..=MOST_REPEATS).contains(&d.repeat)), "repeat is 1 to 1000"),
            (
                self.dev.iter().chain(&self.test).all(|d| d.repeat == 1),
                "repeat is for training data; dev and test data count once",
            ),
        ];
        match rules.iter().find(|rule| !rule.0) {
            Some((_, message)) => Err((*message).to_owned()),
            None => self.data().try_for_each(|data| data.check().map_err(str::to_owned)),
        }
    }
}
