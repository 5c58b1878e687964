//! What a run tells about itself.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

/// Something that happened in a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An optimization step was taken.
    Step { step: usize, steps: usize, epoch: usize, task: String, loss: f64 },
    /// A task's dev set is being annotated.
    Evaluating { task: String },
    /// An epoch ended.
    Epoch {
        epoch: usize,
        step: usize,
        seconds: f64,
        learning_rate: f64,
        tasks: IndexMap<String, TaskEpoch>,
        /// Mean of the tasks' dev scores.
        mean: f64,
        /// Whether this is the best mean so far.
        best: bool,
    },
}

/// A task in an epoch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TaskEpoch {
    pub steps: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Dev score; absent without dev data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_score: Option<f64>,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
    pub out_of_patience: bool,
}
