//! [`Setup`]: what a run needs, before it begins.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Device;

use super::checkpoint::Checkpoint;
use super::config::is_named;
use super::optimizer::check_names;
use super::random::seeded;
use super::references::refer;
use super::start::Start;
use super::task_data::{Added, Files, Split, TaskData};
use super::{RunConfig, Trainer, vocabulary};
use crate::config::HeadConfig;
use crate::embed::{WORD_TABLE, elmo, pretrained};
use crate::feature::Vocabularies;
use crate::model::Network;
use crate::params::Params;
use crate::{Document, Error, Result, device};

/// The description of a run, with data given in memory beside what it names.
#[derive(Debug)]
pub struct Setup {
    config: RunConfig,
    device: Device,
    added: IndexMap<String, Added>,
    checkpoint: Option<Checkpoint>,
}

impl Setup {
    pub fn new(config: RunConfig, device: Device) -> Result<Self> {
        config.check()?;
        Ok(Self { config, device, added: IndexMap::new(), checkpoint: None })
    }

    /// Goes on from the checkpoint in `dir`, which [`Trainer::save`] wrote, on its device unless
    /// another is given. Data that was added must be added again.
    pub fn resume(dir: &Path, device: Option<Device>) -> Result<Self> {
        let checkpoint = Checkpoint::read(dir)?;
        let config = checkpoint.config().clone();
        let device = device.map_or_else(|| device::parse(&config.training.device), Ok)?;
        Ok(Self { config, device, added: IndexMap::new(), checkpoint: Some(checkpoint) })
    }

    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Refuses to go on with another description than the checkpoint's, naming the difference.
    pub fn expect(&self, config: &RunConfig) -> Result<()> {
        match &self.checkpoint {
            Some(checkpoint) => checkpoint.expect(config),
            None => Ok(()),
        }
    }

    /// Gives documents to a split of a task, after those that the description names.
    pub fn add(&mut self, task: &str, split: Split, docs: &[Document]) -> Result<()> {
        if !self.config.training.tasks.contains_key(task) {
            let tasks: Vec<&str> = self.config.training.tasks.keys().map(String::as_str).collect();
            return Err(Error::invalid(format!(
                "the run has no task `{task}`, only {}",
                tasks.join(", ")
            )));
        }
        let docs = docs.iter().cloned().map(Arc::new);
        self.added.entry(task.to_owned()).or_default().entry(split).or_default().extend(docs);
        Ok(())
    }

    /// Reads the data and makes a trainer: with random weights and pretrained word vectors, with
    /// those of the model to start from, or with those of the checkpoint.
    pub fn build(&self) -> Result<Trainer> {
        let config = &self.config;
        let start = match (&config.start[..], &self.checkpoint) {
            ([], _) => None,
            (dirs, None) => Some(Start::read(dirs)?),
            (dirs, Some(_)) if self.rehearses() || self.refers() => Some(Start::read(dirs)?),
            _ => None,
        };
        let mut data = self.read_data()?;
        self.refer(&mut data, start.as_ref())?;
        self.rehearse(&mut data, start.as_ref())?;
        let (learned, none) = (self.take_along(&mut data)?, HashSet::new());
        for (name, data) in &mut data {
            let learned = learned.get(name).unwrap_or(&none);
            let (task, needed) = (&config.training.tasks[name], config.training.epochs > 0);
            data.prepare(name, &config.model, task, learned, needed)?;
        }
        let mut params = Params::random(self.device);
        let mut rng = ChaCha8Rng::seed_from_u64(config.training.seed);
        let mut network = |vocab: &Vocabularies| {
            let seed = config.training.seed;
            seeded(seed, 0, || Network::new(&config.model, vocab, &mut params))
        };
        let network = match &self.checkpoint {
            Some(checkpoint) => network(checkpoint.vocab())?,
            None => {
                let labels = self.labels(&data, start.as_ref());
                let known = start.as_ref().map(|s| &s.parts().vocab);
                let (vocab, vectors) = vocabulary::build(config, &data, labels, known)?;
                let network = network(&vocab)?;
                if let Some(vectors) = vectors {
                    let table = vocabulary::word_table(&vocab.words, &vectors, &mut rng)?;
                    params.assign(&BTreeMap::from([(WORD_TABLE.to_owned(), table)]))?;
                }
                if let Some(dir) = &config.vocabulary.transformer {
                    params.assign(&pretrained::weights(dir, &params)?)?;
                }
                if let Some(dir) = &config.vocabulary.elmo {
                    params.assign(&elmo::weights(dir)?)?;
                }
                if let Some(start) = &start {
                    start.copy_into(&params, &config.training.fresh)?;
                }
                // To what the model to start from has seen comes what this run shows.
                for (name, data) in &data {
                    data.train.iter().try_for_each(|doc| network.count_types(name, doc))?;
                }
                network
            }
        };
        for (name, data) in &data {
            data.warn_of_unknown(name, network.vocab().labels(name));
        }
        check_names(&params, &config.training.freeze, "training.freeze")?;
        check_names(&params, &config.training.fresh, "training.fresh")?;
        for group in &config.training.optimizer.groups {
            check_names(&params, &group.parameters, "training.optimizer.groups")?;
        }
        let names: Vec<String> = params.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names.iter().filter(|n| is_named(n, &config.training.freeze)) {
            params.freeze(name);
        }
        self.check_trainable(&params)?;
        let mut trainer = Trainer::assemble(config.clone(), data, params, network, rng);
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.restore(&mut trainer)?;
        }
        Ok(trainer)
    }

    /// Refuses a task of which everything is frozen.
    fn check_trainable(&self, params: &Params) -> Result<()> {
        let model = &self.config.model;
        for name in self.config.training.tasks.keys() {
            let encoders = model.encoder_order([name.as_str()]);
            let mut parts: Vec<String> =
                encoders.into_iter().map(|e| format!("encoders.{e}")).collect();
            parts.extend([format!("tasks.{name}"), "embedding".to_owned()]);
            if !params.trainable().any(|(parameter, _)| is_named(parameter, &parts)) {
                let message = format!("training.freeze leaves nothing of task `{name}` to train");
                return Err(Error::config(message));
            }
        }
        Ok(())
    }

    /// The data of each task, in the order of the model's.
    fn read_data(&self) -> Result<IndexMap<String, TaskData>> {
        let mut files = Files::default();
        let mut data = IndexMap::new();
        for name in self.config.model.tasks.keys() {
            let Some(task) = self.config.training.tasks.get(name) else { continue };
            let added = self.added.get(name);
            let read = TaskData::read(name, &self.config.model, task, added, &mut files)?;
            data.insert(name.clone(), read);
        }
        Ok(data)
    }

    /// The labels of each task: those of the model to start from, then those of the data.
    fn labels(
        &self,
        data: &IndexMap<String, TaskData>,
        start: Option<&Start>,
    ) -> IndexMap<String, Vec<String>> {
        let mut all = IndexMap::new();
        for name in self.config.model.tasks.keys() {
            let mut labels = start.map_or_else(Vec::new, |s| s.parts().vocab.labels(name).to_vec());
            if let (Some(data), Some(task)) = (data.get(name), self.config.training.tasks.get(name))
            {
                let chosen = task.labels.clone();
                let found = chosen.unwrap_or_else(|| data.labels(task.min_label_count));
                labels
                    .extend(found.into_iter().filter(|l| !labels.contains(l)).collect::<Vec<_>>());
            }
            all.insert(name.clone(), labels);
        }
        all
    }

    /// Joins tasks that learn along with others; which of its documents each learns so.
    fn take_along(
        &self,
        data: &mut IndexMap<String, TaskData>,
    ) -> Result<BTreeMap<String, HashSet<usize>>> {
        let mut learned: BTreeMap<String, HashSet<usize>> = BTreeMap::new();
        for (name, task) in &self.config.training.tasks {
            for rider in &task.along {
                let texts = data[rider].texts()?;
                let shared = data
                    .get_mut(name)
                    .map_or(Ok(HashSet::new()), |d| d.take_along(rider, &texts))?;
                if shared.is_empty() {
                    return Err(Error::config(format!(
                        "task `{name}` takes `{rider}` along, and they have no training documents in common"
                    )));
                }
                learned.entry(rider.clone()).or_default().extend(shared);
            }
        }
        Ok(learned)
    }

    /// The task that finds the references which a task learns facts from, and the task that finds the names.
    fn referred<'a>(&'a self, task: &str) -> Option<(&'a str, &'a str)> {
        match &self.config.model.tasks[task].head {
            HeadConfig::MentionPairs { references: true, entities, arguments, .. } => {
                Some((entities.as_deref()?, arguments))
            }
            _ => None,
        }
    }

    fn refers(&self) -> bool {
        self.config.training.tasks.keys().any(|task| self.referred(task).is_some())
    }

    /// Gives entities the references that clusters of the data and those of the model to start from join with
    /// their names.
    fn refer(&self, data: &mut IndexMap<String, TaskData>, start: Option<&Start>) -> Result<()> {
        for (name, data) in data {
            let Some((entities, arguments)) = self.referred(name) else { continue };
            let layer = self.config.model.layer(arguments).to_owned();
            for doc in &mut data.train {
                *doc = Arc::new(refer(doc, doc, &layer));
            }
            let Some(start) = start.filter(|s| s.parts().config.tasks.contains_key(entities))
            else {
                continue;
            };
            let has_names = |doc: &Arc<Document>| doc.labelled(&layer).next().is_some();
            let of_names = data.train.iter_mut().filter(|doc| has_names(doc));
            let (mut places, mut texts) = (Vec::new(), Vec::new());
            for doc in of_names {
                texts.push((**doc).clone());
                places.push(doc);
            }
            let found = start.annotate(&texts, &[entities.to_owned()], self.device)?;
            for (doc, found) in places.into_iter().zip(found) {
                *doc = Arc::new(refer(doc, &found, &layer));
            }
        }
        Ok(())
    }

    fn rehearses(&self) -> bool {
        self.config.training.tasks.values().any(|t| t.rehearse)
    }

    /// Gives the tasks that rehearse the texts of the others, annotated by the model to start from.
    fn rehearse(&self, data: &mut IndexMap<String, TaskData>, start: Option<&Start>) -> Result<()> {
        let (true, Some(start)) = (self.rehearses(), start) else { return Ok(()) };
        let tasks = &self.config.training.tasks;
        for (name, _) in tasks.iter().filter(|(_, t)| t.rehearse) {
            if !start.parts().config.tasks.contains_key(name) {
                return Err(Error::config(format!(
                    "task `{name}` cannot rehearse: the model of `start` does not have it"
                )));
            }
            let mut texts: Vec<Arc<Document>> = Vec::new();
            let others = data.iter().filter(|(other, _)| *other != name);
            for doc in others.flat_map(|(_, d)| &d.train) {
                if !texts.iter().any(|t| Arc::ptr_eq(t, doc) || t.text == doc.text) {
                    texts.push(doc.clone());
                }
            }
            let texts: Vec<Document> = texts.iter().map(|d| (**d).clone()).collect();
            let head = &self.config.model.tasks[name].head;
            let needed: Vec<String> =
                head.needs().chain([name.as_str()]).map(str::to_owned).collect();
            let annotated = start.annotate(&texts, &needed, self.device)?;
            if let Some(data) = data.get_mut(name) {
                let layer = data.layer.clone();
                let renamed = annotated.into_iter().map(|doc| Arc::new(under(doc, name, &layer)));
                data.train.extend(renamed);
            }
        }
        Ok(())
    }
}

/// An annotation of `task` as gold of `layer`.
fn under(mut doc: Document, task: &str, layer: &str) -> Document {
    if task == layer {
        return doc;
    }
    doc.tasks.iter_mut().filter(|t| *t == task).for_each(|t| layer.clone_into(t));
    for mention in &mut doc.mentions {
        if let Some(label) = mention.labels.remove(task) {
            mention.labels.insert(layer.to_owned(), label);
        }
    }
    doc.relations.iter_mut().filter(|r| r.task == task).for_each(|r| layer.clone_into(&mut r.task));
    doc
}
