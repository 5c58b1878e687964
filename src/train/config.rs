//! The description of a training run.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::overrides;
use crate::config::{CONFIG_FORMAT, ModelConfig};
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
}

impl DataConfig {
    /// Whether documents are taken as they are.
    pub(super) fn keeps_labels(&self) -> bool {
        self.rename.is_empty() && self.covers.is_none() && !self.spread
    }
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
        Self::read_with::<&str>(path, &[])
    }

    /// Like [`Self::read`], with values of the file replaced by those of assignments such as
    /// `training.epochs=3`.
    pub fn read_with<S: AsRef<str>>(path: &Path, assignments: &[S]) -> Result<Self> {
        let in_file = |message: String| Error::config(format!("{}: {message}", path.display()));
        let json = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        // Without assignments the text itself is parsed: its errors name lines.
        let mut config: Self = if assignments.is_empty() {
            serde_json::from_str(&json)
        } else {
            let mut value = serde_json::from_str(&json).map_err(|e| in_file(e.to_string()))?;
            for assignment in assignments {
                overrides::apply(&mut value, assignment.as_ref())?;
            }
            serde_json::from_value(value)
        }
        .map_err(|e| in_file(e.to_string()))?;
        config.check()?;
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
        if self.format > CONFIG_FORMAT {
            return Err(Error::config(format!(
                "format {} is newer than this library reads ({CONFIG_FORMAT})",
                self.format
            )));
        }
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
            task.check().map_err(|message| Error::config(format!("task `{name}`: {message}")))?;
        }
        if let Some(name) = self.model.tasks.keys().find(|n| !training.tasks.contains_key(*n)) {
            return Err(Error::config(format!("task `{name}` of the model has no training data")));
        }
        training.check().map_err(|message| Error::config(format!("training: {message}")))
    }
}

impl TrainingConfig {
    fn check(&self) -> Result<(), &'static str> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let share = |v: f64| (0.0..1.0).contains(&v);
        let optimizer = &self.optimizer;
        let rules = [
            (self.epochs > 0, "epochs must be positive"),
            (self.steps_per_epoch != Some(0), "steps_per_epoch must be positive"),
            (self.threads > 0, "threads must be positive"),
            (self.gradient_norm.is_none_or(positive), "gradient_norm must be positive"),
            (self.gradient_value.is_none_or(positive), "gradient_value must be positive"),
            (self.average.is_none_or(share), "average must be at least 0 and below 1"),
            (positive(optimizer.learning_rate), "optimizer.learning_rate must be positive"),
            (share(optimizer.beta1), "optimizer.beta1 must be at least 0 and below 1"),
            (share(optimizer.beta2), "optimizer.beta2 must be at least 0 and below 1"),
            (positive(optimizer.epsilon), "optimizer.epsilon must be positive"),
            (
                optimizer.weight_decay >= 0.0 && optimizer.weight_decay.is_finite(),
                "optimizer.weight_decay must not be negative",
            ),
        ];
        first_broken(&rules)
    }
}

impl TaskTraining {
    fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (!self.train.is_empty(), "there is no training data"),
            (self.batch_size > 0, "batch_size must be positive"),
            (self.weight > 0.0 && self.weight.is_finite(), "weight must be positive"),
            (self.max_tokens != Some(0), "max_tokens must be positive"),
            (self.patience != Some(0), "patience must be positive"),
            (self.patience.is_none() || !self.dev.is_empty(), "patience needs dev data"),
        ];
        first_broken(&rules)
    }
}

fn first_broken(rules: &[(bool, &'static str)]) -> Result<(), &'static str> {
    rules.iter().find(|rule| !rule.0).map_or(Ok(()), |rule| Err(rule.1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_warm_up_and_fall() {
        let linear = Schedule::Linear { warmup: 2 };
        let factors: Vec<f64> = [0, 1, 2, 7, 12].map(|s| linear.factor(s, 12)).to_vec();
        assert_eq!(factors, [0.5, 1.0, 1.0, 0.5, 0.0]);
        assert!((Schedule::Cosine { warmup: 0 }.factor(5, 10) - 0.5).abs() < 1e-9);
        assert_eq!(Schedule::default().factor(9, 10), 1.0);
    }

    fn config() -> serde_json::Value {
        json!({
            "format": 1,
            "model": {
                "format": 1,
                "embedding": {"words": {"type": "table", "size": 4}},
                "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 4, "layers": 1}},
                "tasks": {"ner": {"type": "crf_tagger", "on": "low"}},
            },
            "training": {
                "epochs": 1,
                "tasks": {"ner": {"train": [{"format": "jsonl", "path": "a"}], "batch_size": 1}},
            },
        })
    }

    #[test]
    fn mistakes_are_named() {
        assert!(RunConfig::from_json(&config().to_string()).is_ok());
        for (assignment, named) in [
            ("training.epoch=3", "epoch"),
            ("training.epochs=0", "epochs"),
            ("training.optimizer.learning_rate=-1", "learning_rate"),
            ("training.optimizer.rate=1", "rate"),
            ("training.sampling=\"sometimes\"", "sometimes"),
            ("training.schedule={\"type\": \"linear\", \"warm\": 1}", "warm"),
            ("training.tasks.ner.patience=3", "patience"),
            ("training.tasks.ner.batch_size=0", "task `ner`: batch_size"),
            ("training.tasks.ner.train.0.format=\"word\"", "word"),
            ("training.tasks.pos={\"train\": [], \"batch_size\": 1}", "pos"),
            ("vocabulary.minimum=1", "minimum"),
            ("format=99", "99"),
        ] {
            let mut json = config();
            overrides::apply(&mut json, assignment).unwrap();
            let error = RunConfig::from_json(&json.to_string()).unwrap_err().to_string();
            assert!(error.contains(named), "{assignment}: {error}");
        }
    }

    #[test]
    fn a_file_is_read_with_assignments_and_paths_from_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        std::fs::write(&path, config().to_string()).unwrap();
        let config = RunConfig::read_with(&path, &["training.epochs=3"]).unwrap();
        assert_eq!(config.training.epochs, 3);
        assert_eq!(config.training.tasks["ner"].train[0].path, dir.path().join("a"));
    }
}
