//! Training: task sampling, optimization, evaluation.
//!
//! One step is four things, each one line of [`Trainer::step`]: select a task, select a batch of
//! it, forward, backward and update.

mod adam;
mod batches;
mod config;
mod events;
mod gradients;
mod overrides;
mod relabel;
mod task_data;
mod trainer;
mod vocabulary;

pub use adam::Adam;
pub use config::{
    DataConfig, OptimizerConfig, RunConfig, Sampling, Schedule, TaskTraining, TrainingConfig,
    VocabularyConfig,
};
pub use events::{Event, TaskEpoch};
pub use gradients::Gradients;
pub use trainer::{Step, Trainer};
