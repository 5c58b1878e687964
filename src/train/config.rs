//! The description of a training run.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::data::{Format, ReadOptions};
use crate::{Error, Result};

/// A model and how to train it. Paths are relative to the file that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    pub format: u32,
    pub model: ModelConfig,
    #[serde(default)]
    pub vocabulary: VocabularyConfig,
    pub training: TrainingConfig,
    /// What the model's card says beside recipe and scores: name, data, licences, limits.
    #[serde(default)]
    pub card: serde_json::Map<String, serde_json::Value>,
}

/// Which words and characters the model knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VocabularyConfig {
    /// Words of the training data that occur so often are known, and all that have a vector.
    pub min_count: usize,
    /// File of pretrained vectors.
    pub vectors: Option<PathBuf>,
    /// The first words of the vectors, the most frequent, are known whether in the data or not.
    pub extra_words: usize,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        Self { min_count: 1, vectors: None, extra_words: 0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    #[serde(default)]
    pub seed: u64,
    pub epochs: usize,
    /// Absent: as many as all tasks have batches.
    #[serde(default)]
    pub steps_per_epoch: Option<usize>,
    #[serde(default)]
    pub sampling: Sampling,
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    #[serde(default)]
    pub schedule: Schedule,
    /// Largest norm of all gradients together.
    #[serde(default)]
    pub gradient_norm: Option<f64>,
    /// Largest absolute value of a gradient's element.
    #[serde(default)]
    pub gradient_value: Option<f64>,
    /// Decay of a running average of the weights, which is what is evaluated and saved.
    #[serde(default)]
    pub average: Option<f64>,
    /// CPU threads of one operation.
    #[serde(default = "one")]
    pub threads: i32,
    pub tasks: IndexMap<String, TaskTraining>,
}

/// How the task of a step is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// In proportion to the tasks' numbers of batches.
    #[default]
    Proportional,
    /// All tasks alike.
    Uniform,
}

/// Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// One optimizer for each task, as the 2018 code has it, instead of one for all.
    pub per_task: bool,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            per_task: false,
        }
    }
}

/// The learning rate over the run, after a warm-up of some steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    Constant {
        #[serde(default)]
        warmup: usize,
    },
    /// Falls to zero in a line.
    Linear {
        #[serde(default)]
        warmup: usize,
    },
    /// Falls to zero in half a cosine.
    Cosine {
        #[serde(default)]
        warmup: usize,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant { warmup: 0 }
    }
}

impl Schedule {
    /// Factor of the learning rate at `step` of `total`.
    pub fn factor(&self, step: usize, total: usize) -> f64 {
        let (Self::Constant { warmup } | Self::Linear { warmup } | Self::Cosine { warmup }) = *self;
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        let done = (step - warmup) as f64 / total.saturating_sub(warmup).max(1) as f64;
        match self {
            Self::Constant { .. } => 1.0,
            Self::Linear { .. } => (1.0 - done).max(0.0),
            Self::Cosine { .. } => 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos()),
        }
    }
}

/// The data and the pace of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTraining {
    pub train: Vec<DataConfig>,
    #[serde(default)]
    pub dev: Vec<DataConfig>,
    /// Sentences or documents, as the task's head reads.
    pub batch_size: usize,
    /// Epochs without a better dev score before the task has had enough.
    #[serde(default)]
    pub patience: Option<usize>,
    /// Factor of the loss.
    #[serde(default = "unit")]
    pub weight: f64,
    /// Longer training documents are cut at sentence ends.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// Rarer labels are left out.
    #[serde(default)]
    pub min_label_count: usize,
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
    #[serde(default)]
    pub options: ReadOptions,
}

fn one() -> i32 {
    1
}

fn unit() -> f64 {
    1.0
}

impl RunConfig {
    /// Reads and checks the file; paths in it become relative to where it was called.
    pub fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let mut config = Self::from_json(&json)
            .map_err(|e| Error::config(format!("{}: {e}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if let Some(vectors) = &mut config.vocabulary.vectors {
            *vectors = folder.join(&*vectors);
        }
        for task in config.training.tasks.values_mut() {
            for data in task.train.iter_mut().chain(&mut task.dev) {
                data.path = folder.join(&data.path);
            }
        }
        Ok(config)
    }

    pub fn from_json(json: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(json).map_err(|e| Error::config(e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what contradicts itself, by name.
    pub fn check(&self) -> Result<()> {
        self.model.check()?;
        let training = &self.training;
        if training.tasks.is_empty() {
            return Err(Error::config("training.tasks is empty"));
        }
        for (name, task) in &training.tasks {
            if !self.model.tasks.contains_key(name) {
                return Err(Error::config(format!(
                    "training.tasks: the model has no task `{name}`"
                )));
            }
            if task.train.is_empty() {
                return Err(Error::config(format!("task `{name}` has no training data")));
            }
            if task.batch_size == 0 {
                return Err(Error::config(format!("task `{name}`: batch_size must be positive")));
            }
            if !(task.weight > 0.0 && task.weight.is_finite()) {
                return Err(Error::config(format!("task `{name}`: weight must be positive")));
            }
        }
        if let Some(name) = self.model.tasks.keys().find(|n| !training.tasks.contains_key(*n)) {
            return Err(Error::config(format!("task `{name}` of the model has no training data")));
        }
        if !(training.optimizer.learning_rate > 0.0) {
            return Err(Error::config("optimizer.learning_rate must be positive"));
        }
        if training.average.is_some_and(|a| !(0.0..1.0).contains(&a)) {
            return Err(Error::config("training.average must be at least 0 and below 1"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_warm_up_and_fall() {
        let linear = Schedule::Linear { warmup: 2 };
        let factors: Vec<f64> = [0, 1, 2, 7, 12].map(|s| linear.factor(s, 12)).to_vec();
        assert_eq!(factors, [0.5, 1.0, 1.0, 0.5, 0.0]);
        assert!((Schedule::Cosine { warmup: 0 }.factor(5, 10) - 0.5).abs() < 1e-9);
        assert_eq!(Schedule::default().factor(9, 10), 1.0);
    }
}
