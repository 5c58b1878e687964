//! The description of a training run.

mod optimizer;
mod overrides;
mod sampling;
mod start;
mod task;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::optimizer::is_named;
pub use self::optimizer::{GroupConfig, OptimizerConfig, OptimizerKind, Schedule, Watched};
pub use self::sampling::{Exhausted, Sampling, StopWhen, Stopping};
pub use self::task::{DataConfig, TaskTraining};
use crate::config::{CONFIG_FORMAT, ModelConfig, Unit};
use crate::{Error, Result};

/// A model and how to train it. Paths are relative to the file that holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    pub format: u32,
    /// The model directory to go on from: its weights, words and labels, and its configuration
    /// where `model` says nothing else. Several go on from the mean of their weights (Wortsman et
    /// al. 2022); they differ in nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "start")]
    pub start: Vec<PathBuf>,
    pub model: ModelConfig,
    #[serde(default)]
    pub vocabulary: VocabularyConfig,
    pub training: TrainingConfig,
    /// What the model's card says beside recipe and scores: name, data, licences, limits.
    #[serde(default)]
    pub card: serde_json::Map<String, Value>,
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
    /// Folder of a transformer as Hugging Face keeps them: config.json, tokenizer.json,
    /// model.safetensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transformer: Option<PathBuf>,
    /// Folder of an ELMo as its authors keep them: options.json, weights.hdf5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elmo: Option<PathBuf>,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        Self { min_count: 1, vectors: None, extra_words: 0, transformer: None, elmo: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    #[serde(default)]
    pub seed: u64,
    /// With none, what `start` names is scored and kept, and training data is not needed.
    pub epochs: usize,
    /// Absent: as many as all tasks have batches.
    #[serde(default)]
    pub steps_per_epoch: Option<usize>,
    #[serde(default)]
    pub sampling: Sampling,
    #[serde(default)]
    pub stopping: Stopping,
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    #[serde(default)]
    pub schedule: Schedule,
    /// Batches of a step, all of one task; their gradients are averaged.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Largest norm of all gradients together.
    #[serde(default)]
    pub gradient_norm: Option<f64>,
    /// Largest absolute value of a gradient's element.
    #[serde(default)]
    pub gradient_value: Option<f64>,
    /// Decay of a running average of the weights, which is what is evaluated and saved.
    #[serde(default)]
    pub average: Option<f64>,
    /// Parameters that stay as they are: those whose names begin with one of these, such as
    /// `embedding` or `encoders.low`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// cpu, cuda or cuda:N. A checkpoint may be resumed on another.
    #[serde(default = "cpu")]
    pub device: String,
    /// Parameters that begin anew although the model of `start` has them, named as in `freeze`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fresh: Vec<String>,
    /// CPU threads of one operation.
    #[serde(default = "one")]
    pub threads: usize,
    pub tasks: IndexMap<String, TaskTraining>,
}

fn one() -> usize {
    1
}

fn cpu() -> String {
    "cpu".to_owned()
}

impl RunConfig {
    /// Reads and checks the file; paths in it become relative to where it was called.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with::<&str>(path, &[])
    }

    /// Like [`Self::read`], with values of the file replaced by those of assignments such as
    /// `training.epochs=3`.
    pub fn read_with<S: AsRef<str>>(path: &Path, assignments: &[S]) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&json, folder, assignments).map_err(|e| match e {
            Error::Config(message) => Error::config(format!("{}: {message}", path.display())),
            other => other,
        })
    }

    /// Reads and checks a description; paths in it are relative to where the process works.
    pub fn from_json(json: &str) -> Result<Self> {
        Self::parse::<&str>(json, Path::new(""), &[])
    }

    fn parse<S: AsRef<str>>(json: &str, folder: &Path, assignments: &[S]) -> Result<Self> {
        let in_json = |e: serde_json::Error| Error::config(e.to_string());
        let mut value: Value = serde_json::from_str(json).map_err(in_json)?;
        for assignment in assignments {
            overrides::apply(&mut value, assignment.as_ref())?;
        }
        let start = start::directories(&value["start"], folder)?;
        if !start.is_empty() {
            start::complete(&mut value, &start)?;
        }
        // Where nothing was changed the text itself is parsed: its errors name lines.
        let mut config: Self = if assignments.is_empty() && start.is_empty() {
            serde_json::from_str(json)
        } else {
            serde_json::from_value(value)
        }
        .map_err(in_json)?;
        config.start = start;
        let VocabularyConfig { vectors, transformer, elmo, .. } = &mut config.vocabulary;
        for path in [vectors, transformer, elmo].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        for data in config.training.tasks.values_mut().flat_map(TaskTraining::data_mut) {
            data.path = folder.join(&data.path);
        }
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
            if task.rehearse && self.start.is_empty() {
                let message = format!("task `{name}`: to rehearse, a run needs `start`");
                return Err(Error::config(message));
            }
            task.check().map_err(|message| Error::config(format!("task `{name}`: {message}")))?;
            for rider in &task.along {
                self.check_along(name, rider).map_err(|message| {
                    Error::config(format!("task `{name}`: along names `{rider}`, {message}"))
                })?;
            }
        }
        let untrained = self.model.tasks.keys().find(|n| !training.tasks.contains_key(*n));
        if let Some(name) = untrained.filter(|_| self.start.is_empty()) {
            return Err(Error::config(format!(
                "task `{name}` of the model is not in training.tasks"
            )));
        }
        if training.epochs == 0 && self.start.is_empty() {
            return Err(Error::config("training: epochs must be positive without `start`"));
        }
        training.check().map_err(|message| Error::config(format!("training: {message}")))
    }

    /// What keeps `rider` from learning along with `name`.
    fn check_along(&self, name: &str, rider: &str) -> Result<(), &'static str> {
        let (Some(task), Some(config)) =
            (self.training.tasks.get(rider), self.model.tasks.get(rider))
        else {
            return Err("which is not in training.tasks");
        };
        let own = &self.model.tasks[name].head;
        if rider == name {
            Err("itself")
        } else if !task.along.is_empty() {
            Err("which takes others along")
        } else if own.unit() == Unit::Sentence && config.head.unit() == Unit::Document {
            Err("which reads documents, as this task does not")
        } else if own.reads_whole_documents() != config.head.reads_whole_documents() {
            Err("but only one of the two reads whole documents")
        } else {
            Ok(())
        }
    }
}

impl TrainingConfig {
    fn check(&self) -> Result<(), String> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let share = |v: f64| (0.0..1.0).contains(&v);
        let sequential = matches!(self.sampling, Sampling::Sequential {});
        let rules = [
            (self.steps_per_epoch != Some(0), "steps_per_epoch must be positive"),
            (
                self.steps_per_epoch.is_none() || !sequential,
                "steps_per_epoch contradicts sequential sampling, which takes all batches",
            ),
            (self.accumulate > 0, "accumulate must be positive"),
            (self.threads > 0, "threads must be positive"),
            (self.gradient_norm.is_none_or(positive), "gradient_norm must be positive"),
            (self.gradient_value.is_none_or(positive), "gradient_value must be positive"),
            (self.average.is_none_or(share), "average must be at least 0 and below 1"),
        ];
        if let Some((_, message)) = rules.iter().find(|rule| !rule.0) {
            return Err((*message).to_owned());
        }
        self.sampling.check(self.tasks.keys().map(String::as_str))?;
        self.stopping.check()?;
        self.schedule.check()?;
        self.optimizer.check()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config() -> Value {
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
            ("training.sampling={\"type\": \"sometimes\"}", "sometimes"),
            ("training.sampling={\"type\": \"weights\", \"weights\": {}}", "`ner`"),
            ("training.sampling={\"type\": \"temperature\", \"temperature\": 0}", "temperature"),
            ("training.stopping={\"when\": {\"type\": \"vote\", \"share\": 2}}", "share"),
            ("training.optimizer.type=\"lion\"", "lion"),
            ("training.optimizer.groups=[{\"parameters\": []}]", "group"),
            ("training.schedule={\"type\": \"plateau\", \"factor\": 2}", "factor"),
            ("training.accumulate=0", "accumulate"),
            ("training.tasks.ner.successive=-1", "successive"),
            ("training.tasks.ner.rehearse=true", "start"),
            ("training.schedule={\"type\": \"linear\", \"warm\": 1}", "warm"),
            ("training.tasks.ner.patience=0", "patience"),
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
