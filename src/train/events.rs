//! What a run tells about itself.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::Finished;
use crate::metric::Score;

/// Something that happened in a run, or is about to.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An optimization step was taken: number `step` of the `steps` of this epoch, `total` of the
    /// run.
    Step {
        step: usize,
        steps: usize,
        epoch: usize,
        total: usize,
        task: String,
        loss: f64,
        /// The losses of the tasks that learned along.
        #[serde(skip_serializing_if = "IndexMap::is_empty")]
        along: IndexMap<String, f64>,
        learning_rate: f64,
    },
    /// A data set will be annotated next: a split of a task.
    Evaluating { task: String, split: &'static str },
    /// A data set was scored.
    Evaluated { task: String, split: &'static str, score: f64, details: Value },
    /// An epoch ended.
    Epoch {
        epoch: usize,
        step: usize,
        seconds: f64,
        learning_rate: f64,
        tasks: IndexMap<String, TaskEpoch>,
        /// Mean of the tasks' dev scores, by their weights; absent without dev data.
        #[serde(skip_serializing_if = "Option::is_none")]
        mean: Option<f64>,
        /// Whether this is the best mean so far.
        best: bool,
    },
    /// The run ended.
    Finished {
        reason: Finished,
        epochs: usize,
        steps: usize,
        /// The epoch whose weights were kept; absent without dev data.
        #[serde(skip_serializing_if = "Option::is_none")]
        best_epoch: Option<usize>,
        /// Test scores of these weights.
        #[serde(skip_serializing_if = "IndexMap::is_empty")]
        test: IndexMap<String, Score>,
    },
}

/// A task in an epoch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TaskEpoch {
    pub steps: usize,
    /// Mean training loss; absent without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Dev score; absent without dev data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_score: Option<f64>,
    /// Whether `score` is the best of the task so far.
    pub best: bool,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
    pub out_of_patience: bool,
}
