//! [`Checkpoint`]: a run on disk, from which it goes on bit for bit.
//!
//! ```text
//! manifest.json        format version, library version, SHA-256 of the two files below
//! state.json           description of the run, progress, shuffles, random state, data fingerprints
//! state.safetensors    trained weights, averages, moments, best weights, anchors
//! model/               a model directory with the weights that a snapshot has
//! ```
//!
//! The folder is written beside its place and swapped in, so that a killed process leaves the last
//! whole one. Frozen weights and the vocabularies stand in `model/` alone.

use std::collections::BTreeMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tch::Tensor;

use super::optimizer::State;
use super::progress::Progress;
use super::successive::Anchor;
use super::task_data::{Fingerprint, Split};
use super::{Optimizer, RunConfig, Trainer};
use crate::feature::Vocabularies;
use crate::model::{Parts, Precision, weights};
use crate::transfer::moved;
use crate::{Error, Result, atomic};

/// Version of the layout that this build writes, and the newest that it reads.
pub const CHECKPOINT_FORMAT: u32 = 1;

const MANIFEST: &str = "manifest.json";
const STATE: &str = "state.json";
const TENSORS: &str = "state.safetensors";
const MODEL: &str = "model";

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    checkpoint_format: u32,
    library: String,
    sha256: BTreeMap<String, String>,
}

/// All of a run that is no tensor.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    config: RunConfig,
    progress: Progress,
    rng: ChaCha8Rng,
    /// Batches left of the pass over the examples, by task.
    batches: BTreeMap<String, Vec<Vec<usize>>>,
    data: BTreeMap<String, BTreeMap<Split, Fingerprint>>,
    /// Updates of each parameter, by optimizer.
    steps: BTreeMap<String, BTreeMap<String, i32>>,
    anchor_task: Option<String>,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub(super) struct Checkpoint {
    state: Description,
    tensors: BTreeMap<String, Tensor>,
    model: Parts,
}

// The names of tensors: what they are, then whose.
const PARAMETER: &str = "parameter/";
const AVERAGE: &str = "average/";
const ANCHOR: &str = "anchor/";
const BEST: &str = "best/"; // task, "/", parameter
const FIRST: &str = "first/"; // optimizer, "/", parameter
const SECOND: &str = "second/";

impl Trainer {
    /// Refuses a place where [`Trainer::save`] would refuse to write.
    pub fn check_place(dir: &Path) -> Result<()> {
        let is_empty =
            std::fs::read_dir(dir).map(|mut d| d.next().is_none()).unwrap_or(!dir.exists());
        if !is_empty && read_json::<Manifest>(&dir.join(MANIFEST)).is_err() {
            let message = "exists and is no checkpoint; it is left alone";
            return Err(Error::format(dir, message));
        }
        Ok(())
    }

    /// Writes a checkpoint to `dir`, whole or not at all. It replaces an older checkpoint there but
    /// nothing else. `dir/model` is a model directory with the weights of [`Trainer::weights`].
    pub fn save(&self, dir: &Path) -> Result<()> {
        Self::check_place(dir)?;
        atomic::replace(dir, |new| {
            self.model()?.write(&new.join(MODEL), Precision::Float32)?;
            let mut sha256 = BTreeMap::new();
            let state = serde_json::to_vec(&self.description()?);
            let state = state.map_err(|e| Error::Internal(e.to_string()))?;
            atomic::write(&new.join(STATE), &state)?;
            sha256.insert(STATE.to_owned(), hash(&state));
            let path = new.join(TENSORS);
            weights::write(&path, &self.tensors(), Precision::Float32)?;
            atomic::sync(&path)?;
            let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
            sha256.insert(TENSORS.to_owned(), hash(&bytes));
            let library = env!("CARGO_PKG_VERSION").to_owned();
            let manifest = Manifest { checkpoint_format: CHECKPOINT_FORMAT, library, sha256 };
            let manifest = serde_json::to_vec_pretty(&manifest);
            let manifest = manifest.map_err(|e| Error::Internal(e.to_string()))?;
            atomic::write(&new.join(MANIFEST), &manifest)
        })
    }

    fn description(&self) -> Result<Description> {
        let mut data = BTreeMap::new();
        for (name, task) in &self.data {
            data.insert(name.clone(), task.fingerprints()?);
        }
        let batches =
            self.data.iter().map(|(name, t)| (name.clone(), t.batches.queue().to_vec())).collect();
        let steps = |optimizer: &Optimizer| {
            optimizer.states().iter().map(|(name, s)| (name.clone(), s.steps)).collect()
        };
        Ok(Description {
            config: self.config.clone(),
            progress: self.progress.clone(),
            rng: self.rng.clone(),
            batches,
            data,
            steps: self.optimizers.iter().map(|(name, o)| (name.clone(), steps(o))).collect(),
            anchor_task: self.anchor.task.clone(),
        })
    }

    fn tensors(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        let mut put = |kind: &str, name: &str, tensor: &Tensor| {
            all.insert(format!("{kind}{name}"), tensor.shallow_clone());
        };
        self.params.trainable().for_each(|(name, t)| put(PARAMETER, name, t));
        self.average.iter().for_each(|(name, t)| put(AVERAGE, name, t));
        self.anchor.tensors.iter().for_each(|(name, t)| put(ANCHOR, name, t));
        for (task, tensors) in &self.best {
            tensors.iter().for_each(|(name, t)| put(BEST, &format!("{task}/{name}"), t));
        }
        for (optimizer, states) in self.optimizers.iter().map(|(n, o)| (n, o.states())) {
            for (name, state) in states {
                put(FIRST, &format!("{optimizer}/{name}"), &state.first);
                put(SECOND, &format!("{optimizer}/{name}"), &state.second);
            }
        }
        all
    }
}

impl Checkpoint {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        atomic::recover(dir);
        std::fs::read_dir(dir).map_err(|e| Error::io(dir, e))?;
        let path = dir.join(MANIFEST);
        let manifest: Manifest = read_json(&path)?;
        if manifest.checkpoint_format > CHECKPOINT_FORMAT {
            return Err(Error::format(
                &path,
                format!(
                    "checkpoint format {} is newer than this library reads ({CHECKPOINT_FORMAT}); it was made by hmtl {}",
                    manifest.checkpoint_format, manifest.library
                ),
            ));
        }
        let read = |name: &str| -> Result<Vec<u8>> {
            let path = dir.join(name);
            let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
            if manifest.sha256.get(name) != Some(&hash(&bytes)) {
                return Err(Error::format(&path, "was altered: its hash is not the manifest's"));
            }
            Ok(bytes)
        };
        let state = serde_json::from_slice(&read(STATE)?)
            .map_err(|e| Error::format(dir.join(STATE), e.to_string()))?;
        let tensors = weights::read(&dir.join(TENSORS), &read(TENSORS)?)?;
        Ok(Self { state, tensors, model: Parts::read(&dir.join(MODEL))? })
    }

    pub(super) fn config(&self) -> &RunConfig {
        &self.state.config
    }

    pub(super) fn vocab(&self) -> &Vocabularies {
        &self.model.vocab
    }

    /// Refuses another description, naming the first place where it differs.
    pub(super) fn expect(&self, config: &RunConfig) -> Result<()> {
        let json = |config: &RunConfig| {
            let mut value =
                serde_json::to_value(config).map_err(|e| Error::Internal(e.to_string()))?;
            value["training"]["device"].take();
            Ok::<_, Error>(value)
        };
        match difference(&json(&self.state.config)?, &json(config)?, "") {
            None => Ok(()),
            Some((place, was, is)) => Err(Error::config(format!(
                "the checkpoint was trained with {place} = {was}, not {is}; resume with that, or begin a new run"
            ))),
        }
    }

    /// Puts a new trainer where the run stood.
    pub(super) fn restore(&self, trainer: &mut Trainer) -> Result<()> {
        self.expect_data(trainer)?;
        let state = &self.state;
        trainer.params.assign(&copies(&self.model.tensors))?;
        trainer.params.assign(&self.of(PARAMETER))?;
        let device = trainer.params.device();
        let placed = |tensors: BTreeMap<String, Tensor>| -> BTreeMap<String, Tensor> {
            tensors.into_iter().map(|(n, t)| (n, moved(&t, device))).collect()
        };
        trainer.average = placed(self.of(AVERAGE));
        trainer.anchor =
            Anchor { tensors: placed(self.of(ANCHOR)), task: state.anchor_task.clone() };
        for (name, tensor) in placed(self.of(BEST)) {
            if let Some((task, name)) = name.split_once('/') {
                trainer.best.entry(task.to_owned()).or_default().insert(name.to_owned(), tensor);
            }
        }
        let (mut first, mut second) = (placed(self.of(FIRST)), placed(self.of(SECOND)));
        for (optimizer, steps) in &state.steps {
            let mut states = BTreeMap::new();
            for (name, &steps) in steps {
                let key = format!("{optimizer}/{name}");
                let (Some(first), Some(second)) = (first.remove(&key), second.remove(&key)) else {
                    return Err(Error::config(format!("the checkpoint lacks moments of `{name}`")));
                };
                states.insert(name.clone(), State { first, second, steps });
            }
            let mut restored = Optimizer::new(state.config.training.optimizer.clone());
            restored.restore(states);
            trainer.optimizers.insert(optimizer.clone(), restored);
        }
        for (name, queue) in &state.batches {
            if let Some(data) = trainer.data.get_mut(name) {
                data.batches.restore(queue.clone());
            }
        }
        trainer.rng = state.rng.clone();
        trainer.progress = state.progress.clone();
        Ok(())
    }

    /// Refuses other data, naming task and split.
    fn expect_data(&self, trainer: &Trainer) -> Result<()> {
        for (name, task) in &trainer.data {
            let (now, was) = (task.fingerprints()?, self.state.data.get(name));
            for split in Split::ALL {
                let (now, was) = (now.get(&split), was.and_then(|w| w.get(&split)));
                if now == was {
                    continue;
                }
                let count = |print: Option<&Fingerprint>| print.map_or(0, |p| p.documents);
                let (now, was) = (count(now), count(was));
                let what = if now == was {
                    format!("{now} other documents")
                } else {
                    format!("{now} documents, not {was}")
                };
                return Err(Error::config(format!(
                    "the {} data of task `{name}` is not that of the checkpoint: {what}",
                    split.name()
                )));
            }
        }
        Ok(())
    }

    /// Copies of the tensors of a kind, under the names that follow it.
    fn of(&self, kind: &str) -> BTreeMap<String, Tensor> {
        let named = self.tensors.iter();
        named.filter_map(|(n, t)| Some((n.strip_prefix(kind)?.to_owned(), t.copy()))).collect()
    }
}

fn copies(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    tensors.iter().map(|(n, t)| (n.clone(), t.copy())).collect()
}

/// The first place where two values differ, with what stands there.
fn difference(was: &Value, is: &Value, place: &str) -> Option<(String, String, String)> {
    if was == is {
        return None;
    }
    let below =
        |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            let value = |map: &serde_json::Map<String, Value>, key: &String| {
                map.get(key).cloned().unwrap_or(Value::Null)
            };
            keys.clone().find_map(|k| difference(&value(a, k), &value(b, k), &below(k)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(at, (a, b))| difference(a, b, &below(&at.to_string())))
        }
        _ => Some((place.to_owned(), was.to_string(), is.to_string())),
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::format(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_named_by_its_place() {
        let was = json!({"a": 1, "b": {"c": [1, {"d": 2}]}});
        let mut is = was.clone();
        assert_eq!(difference(&was, &is, ""), None);
        is["b"]["c"][1]["d"] = json!(3);
        let place = |p: &str, a: &str, b: &str| Some((p.to_owned(), a.to_owned(), b.to_owned()));
        assert_eq!(difference(&was, &is, ""), place("b.c.1.d", "2", "3"));
        is = was.clone();
        is["e"] = json!("x");
        assert_eq!(difference(&was, &is, ""), place("e", "null", "\"x\""));
    }
}
