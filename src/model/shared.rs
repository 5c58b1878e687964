//! [`Model`]: a loaded model that any number of threads may use at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Device;

use super::default::default_dir;
use super::serve::Request;
use super::{Bundle, Card, Parts, Precision};
use crate::config::{ModelConfig, TaskKind};
use crate::engine::Gather;
use crate::feature::Vocabularies;
use crate::{Document, Error, Result, device, engine};

/// How to load a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadOptions {
    /// `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// The tasks to load, with those whose mentions they relate; absent means all.
    pub tasks: Option<Vec<String>>,
    /// Works through LibTorch alone, where the library's own layers are several times faster for short texts and
    /// give the same but for rounding: for comparison.
    pub plain: bool,
    /// What embedders and encoders compute in.
    pub compute: Compute,
}

/// What embedders and encoders compute in; heads always compute in single precision, and so do encoders on a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    #[default]
    Float32,
    /// Half the memory, with scores that differ in the third decimal. No faster where it was measured, and slower on
    /// most CPUs (docs/performance.md). What is saved is not rounded.
    Bf16,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { device: "cpu".into(), tasks: None, plain: false, compute: Compute::default() }
    }
}

/// A loaded model. Its weights never change; clones share them. All work on tensors, from loading
/// to freeing, is done by the threads of [`engine`].
///
/// ```no_run
/// use hmtl::Model;
/// use hmtl::model::{AnnotateOptions, LoadOptions};
///
/// let model = Model::load(&Model::default_dir()?, &LoadOptions::default())?;
/// let text = "Maria Keller founded Nordlicht in Oslo.";
/// let doc = model.annotate(text, &AnnotateOptions::default())?;
/// for mention in &doc.mentions {
///     println!("{} {:?}", mention.text, mention.labels);
/// }
/// # Ok::<(), hmtl::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) weights: Arc<Weights>,
    /// The requests of callers with little text.
    pub(super) small: Arc<Gather<Request, Vec<Document>>>,
    device: String,
    /// The tasks that were asked for; the others serve them.
    tasks: Vec<String>,
}

/// The network, freed by a worker.
#[derive(Debug)]
pub(super) struct Weights(Option<Shared>);

impl Weights {
    pub(super) fn shared(&self) -> Result<&Shared> {
        self.0.as_ref().ok_or_else(|| Error::Internal("the model was freed".into()))
    }
}

#[derive(Debug)]
pub(super) struct Shared(pub(super) Bundle);

// SAFETY: a `Tensor` is a pointer to a reference-counted object, with an atomic count, and LibTorch
// lets any threads read one at once. After loading, a network is only read: `annotate` takes
// `&self` under a no-grad guard, makes new tensors, and there is no interior mutability in it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Weights {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            let free = move || {
                drop(shared);
                Ok(())
            };
            if let Err(error) = engine::run(free) {
                log::warn!("a model was freed outside the workers: {error}");
            }
        }
    }
}

impl Model {
    /// Loads the model in directory `dir`.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Self> {
        let start = Instant::now();
        let device = device::parse(&options.device)?;
        if options.tasks.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("tasks is empty: name at least one, or none for all"));
        }
        let load = || Bundle::load(dir, device, options).map(Shared);
        let shared = engine::run(load)?;
        let all = shared.0.network().config().tasks.keys();
        let is_wanted = |t: &&String| options.tasks.as_ref().is_none_or(|o| o.contains(t));
        let tasks = all.filter(is_wanted).cloned().collect();
        log::info!("loaded {} in {} ms", dir.display(), start.elapsed().as_millis());
        Ok(Self::of(shared, options.device.clone(), tasks))
    }

    /// A model of its parts, on the CPU.
    pub fn new(parts: Parts) -> Result<Self> {
        let tasks = parts.config.tasks.keys().cloned().collect();
        let shared =
            engine::run(|| Bundle::new(parts, Device::Cpu, &LoadOptions::default()).map(Shared))?;
        Ok(Self::of(shared, "cpu".to_owned(), tasks))
    }

    fn of(shared: Shared, device: String, tasks: Vec<String>) -> Self {
        Self { weights: Arc::new(Weights(Some(shared))), small: Arc::default(), device, tasks }
    }

    /// Writes the model as a directory, whole or not at all. It replaces an older model there but
    /// nothing else.
    pub fn save(&self, dir: &Path, precision: Precision) -> Result<()> {
        let shared = self.shared()?;
        engine::run(move || {
            // Captured whole: a part of it would not be `Sync`.
            let shared: &Shared = shared;
            shared.0.parts()?.save(dir, precision)
        })
    }

    /// The directory of the model that ships with the library. `HMTL_MODEL` overrides it.
    pub fn default_dir() -> Result<PathBuf> {
        default_dir()
    }

    /// The tasks that were loaded, lowest in the hierarchy first.
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    pub fn config(&self) -> Result<&ModelConfig> {
        Ok(self.shared()?.0.network().config())
    }

    pub fn vocab(&self) -> Result<&Vocabularies> {
        Ok(self.shared()?.0.network().vocab())
    }

    pub fn card(&self) -> Result<&Card> {
        Ok(&self.shared()?.0.card)
    }

    /// Describes the model: tasks with their labels, encoders, sizes, card.
    pub fn info(&self) -> Result<Value> {
        let (config, vocab) = (self.config()?, self.vocab()?);
        let task = |name: &String| {
            let task = &config.tasks[name];
            let kind = match task.head.kind() {
                TaskKind::Spans => "spans",
                TaskKind::Relations => "relations",
                TaskKind::Coreference => "coreference",
            };
            let description = json!({
                "kind": kind,
                "head": serde_json::to_value(&task.head).unwrap_or_default()["type"],
                "encoder": task.on,
                "arguments": task.head.arguments(),
                "labels": vocab.labels(name),
            });
            (name.clone(), description)
        };
        Ok(json!({
            "device": self.device,
            "tasks": self.tasks.iter().map(task).collect::<serde_json::Map<_, _>>(),
            "encoders": config.encoders,
            "vocabulary": {"words": vocab.words.names().len(), "chars": vocab.chars.names().len()},
            "parameters": self.shared()?.0.parameters,
            "card": self.card()?,
        }))
    }

    pub(super) fn shared(&self) -> Result<&Shared> {
        self.weights.shared()
    }
}
