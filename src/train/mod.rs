//! Training: the data of each task, task selection, optimization, evaluation, checkpoints.
//!
//! One step is four things, each one line of [`Trainer::step`]: select a task, select a batch of
//! it, forward, backward and update. [`Setup`] gathers what a run needs, [`Trainer`] runs it.

mod batches;
mod card;
mod checkpoint;
mod config;
mod datelines;
mod epochs;
mod events;
mod gradients;
mod optimizer;
mod progress;
mod random;
mod recase;
mod references;
mod relabel;
mod run;
mod sampler;
mod setup;
mod start;
mod successive;
mod task_data;
mod trainer;
mod vocabulary;

pub use checkpoint::CHECKPOINT_FORMAT;
pub use config::{
    DataConfig, Exhausted, GroupConfig, OptimizerConfig, OptimizerKind, RunConfig, Sampling,
    Schedule, StopWhen, Stopping, TaskTraining, TrainingConfig, VocabularyConfig, Watched,
};
pub use datelines::Datelines;
pub use events::{Event, TaskEpoch};
pub use gradients::Gradients;
pub use optimizer::Optimizer;
pub use progress::Finished;
pub use recase::Recase;
pub use run::Run;
pub use setup::Setup;
pub use task_data::Split;
pub use trainer::{Step, Trainer};
