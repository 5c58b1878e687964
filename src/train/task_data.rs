//! The documents of a task, and its labels.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::batches::Batches;
use super::relabel::relabel;
use super::{DataConfig, TaskTraining};
use crate::config::{HeadConfig, ModelConfig, TaskKind, Unit};
use crate::data::{Dataset, Format, ReadOptions};
use crate::feature::Example;
use crate::{Document, Error, Mention, Result};

/// Texts with their tokens, by SHA-256: what documents of different tasks have in common.
pub(super) type Texts = HashMap<[u8; 32], usize>;

/// What a task trains on and is evaluated on.
#[derive(Debug)]
pub(super) struct TaskData {
    pub(super) train: Vec<Arc<Document>>,
    pub(super) dev: Vec<Document>,
    pub(super) test: Vec<Document>,
    /// Document and sentences of each training example.
    pub(super) examples: Vec<(usize, Range<usize>)>,
    pub(super) batches: Batches,
    /// The tasks that learn along with this one: for each of its training documents the place of
    /// the same text in theirs.
    pub(super) along: IndexMap<String, Vec<Option<usize>>>,
    pub(super) kind: TaskKind,
    /// Where the gold stands in the documents.
    pub(super) layer: String,
}

/// The part of the data that documents are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Dev,
    Test,
}

impl Split {
    pub const ALL: [Self; 3] = [Self::Train, Self::Dev, Self::Test];

    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Dev => "dev",
            Self::Test => "test",
        }
    }
}

impl FromStr for Split {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| {
            Error::invalid(format!("unknown split `{name}`; there are train, dev and test"))
        })
    }
}

/// Documents given to a task in memory, by split.
pub(super) type Added = BTreeMap<Split, Vec<Arc<Document>>>;

/// Files that were read, so that tasks can share them.
#[derive(Default)]
pub(super) struct Files(Vec<(Source, Vec<Arc<Document>>)>);

/// What decides what a file holds.
#[derive(PartialEq)]
struct Source {
    format: Format,
    path: PathBuf,
    options: ReadOptions,
}

impl Files {
    /// The documents of a description, their labels of `layer` and their letters as it wants them.
    fn changed(&mut self, config: &DataConfig, layer: &str) -> Result<Vec<Arc<Document>>> {
        let mut documents = self.documents(config)?;
        if !config.keeps_labels() {
            documents.iter_mut().for_each(|d| *d = Arc::new(relabel(d, layer, config)));
        }
        if let Some(datelines) = &config.datelines {
            documents.iter_mut().for_each(|d| *d = Arc::new(datelines.apply(d)));
        }
        if let Some(recase) = &config.recase {
            documents.iter_mut().for_each(|d| *d = Arc::new(recase.apply(d)));
        }
        Ok(documents)
    }

    fn documents(&mut self, config: &DataConfig) -> Result<Vec<Arc<Document>>> {
        let all = self.read(config)?;
        let [from, to] = config.slice.unwrap_or([0, all.len()]);
        let Some(all) = all.get(from..to.min(all.len())) else {
            let message = format!("slice {from}..{to} of {} documents", all.len());
            return Err(Error::config(format!("{}: {message}", config.path.display())));
        };
        let named = |doc: &Document, parts: &[String]| {
            doc.id.as_ref().is_some_and(|id| parts.iter().any(|p| id.contains(p.as_str())))
        };
        let keep = |doc: &&Arc<Document>| {
            (config.include.is_empty() || named(doc, &config.include))
                && !named(doc, &config.exclude)
        };
        Ok(all.iter().filter(keep).cloned().collect())
    }

    fn read(&mut self, config: &DataConfig) -> Result<&[Arc<Document>]> {
        let DataConfig { format, path, options, .. } = config.clone();
        let source = Source { format, path, options };
        let known = self.0.iter().position(|(s, _)| *s == source);
        let at = match known {
            Some(at) => at,
            None => {
                let data = Dataset::open(source.format, &source.path, &source.options)?;
                if !data.skipped.is_empty() {
                    log::warn!("{}: {} items left out", source.path.display(), data.skipped.len());
                }
                for skip in &data.skipped {
                    log::debug!("left out: {skip}");
                }
                self.0.push((source, data.documents.into_iter().map(Arc::new).collect()));
                self.0.len() - 1
            }
        };
        Ok(&self.0[at].1)
    }
}

impl TaskData {
    /// Reads the data of the description, and joins what was added.
    pub(super) fn read(
        name: &str,
        model: &ModelConfig,
        config: &TaskTraining,
        added: Option<&Added>,
        files: &mut Files,
    ) -> Result<Self> {
        let head = &model.tasks[name].head;
        let layer = model.layer(name).to_owned();
        let mut of_split = |split: Split, described: &[DataConfig]| -> Result<Vec<Arc<Document>>> {
            let mut docs: Vec<Arc<Document>> = Vec::new();
            for data in described {
                let own = files.changed(data, &layer)?;
                docs.extend(std::iter::repeat_n(own, data.repeat).flatten());
            }
            docs.extend(added.and_then(|a| a.get(&split)).into_iter().flatten().cloned());
            let refused = |what: &str| {
                let message = format!("task `{name}`: the {} data has no {what}", split.name());
                Err(Error::config(message))
            };
            if docs.is_empty() && !described.is_empty() {
                let paths = described.iter().map(|d| d.path.display().to_string());
                let paths = paths.collect::<Vec<_>>().join(", ");
                return refused(&format!("documents ({paths})"));
            }
            let given = !docs.is_empty();
            docs.retain(|d| d.tasks.contains(&layer));
            if given && docs.is_empty() {
                return refused(&format!("layer `{layer}`"));
            }
            Ok(docs)
        };
        let train = of_split(Split::Train, &config.train)?;
        let owned =
            |docs: Vec<Arc<Document>>| docs.iter().map(|d| (**d).clone()).collect::<Vec<_>>();
        let dev = owned(of_split(Split::Dev, &config.dev)?);
        let test = owned(of_split(Split::Test, &config.test)?);
        if config.patience.is_some() && dev.is_empty() {
            return Err(Error::config(format!("task `{name}`: patience needs dev data")));
        }
        Ok(Self {
            batches: Batches::new(Vec::new(), config.batch_size),
            examples: Vec::new(),
            along: IndexMap::new(),
            kind: head.kind(),
            train,
            dev,
            test,
            layer,
        })
    }

    /// Cuts the training documents into examples, but those that are learned along with another
    /// task; an error if some are `needed` and there are none.
    pub(super) fn prepare(
        &mut self,
        name: &str,
        model: &ModelConfig,
        config: &TaskTraining,
        learned: &HashSet<usize>,
        needed: bool,
    ) -> Result<()> {
        let head = &model.tasks[name].head;
        let limit = match head.unit() {
            Unit::Sentence => model.passage_tokens.unwrap_or_default(),
            Unit::Document => config.max_tokens.unwrap_or(usize::MAX),
        };
        self.examples.clear();
        let mut lengths = Vec::new();
        for (d, doc) in self.train.iter().enumerate().filter(|(d, _)| !learned.contains(d)) {
            for example in Example::whole(doc).cut(limit) {
                if config.along.is_empty() && !teaches(model, head, &example) {
                    continue;
                }
                lengths.push(example.tokens().len());
                self.examples.push((d, example.sentences));
            }
        }
        if needed && self.examples.is_empty() && learned.is_empty() {
            return Err(Error::config(format!("task `{name}` has no training data")));
        }
        self.batches = Batches::new(lengths, config.batch_size);
        Ok(())
    }

    /// Where its training documents are, by text.
    pub(super) fn texts(&self) -> Result<Texts> {
        self.train.iter().enumerate().map(|(d, doc)| Ok((text_key(doc)?, d))).collect()
    }

    /// Lets the task `rider`, which has these texts, learn those that this one trains on in its
    /// steps; where the rider has them.
    pub(super) fn take_along(&mut self, rider: &str, texts: &Texts) -> Result<HashSet<usize>> {
        let own = self.train.iter().map(|doc| Ok(texts.get(&text_key(doc)?).copied()));
        let own: Vec<Option<usize>> = own.collect::<Result<_>>()?;
        let shared = own.iter().flatten().copied().collect();
        self.along.insert(rider.to_owned(), own);
        Ok(shared)
    }

    /// Where a training example stands, counted from one: a corpus may be one long document.
    pub(super) fn name_of(&self, example: usize) -> String {
        let (doc, sentences) = &self.examples[example];
        let id = self.train[*doc].id.clone().unwrap_or_else(|| format!("number {}", doc + 1));
        let (first, last) = (sentences.start + 1, sentences.end);
        if first == last {
            format!("document {id} sentence {first}")
        } else {
            format!("document {id} sentences {first} to {last}")
        }
    }

    /// The documents of a split.
    pub(super) fn documents(&self, split: Split) -> Vec<&Document> {
        match split {
            Split::Train => self.train.iter().map(|d| &**d).collect(),
            Split::Dev => self.dev.iter().collect(),
            Split::Test => self.test.iter().collect(),
        }
    }

    /// Number and SHA-256 of the documents of each split that has some.
    pub(super) fn fingerprints(&self) -> Result<BTreeMap<Split, Fingerprint>> {
        let mut prints = BTreeMap::new();
        for split in Split::ALL {
            let documents = self.documents(split);
            if documents.is_empty() {
                continue;
            }
            let mut hash = Sha256::new();
            for doc in &documents {
                serde_json::to_writer(&mut hash, doc)
                    .map_err(|e| Error::Internal(e.to_string()))?;
            }
            let sha256 = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
            prints.insert(split, Fingerprint { documents: documents.len(), sha256 });
        }
        Ok(prints)
    }

    /// The labels of the training data, the most frequent first; rare ones are left out.
    pub(super) fn labels(&self, min_count: usize) -> Vec<String> {
        let counts = self.label_counts(Split::Train);
        let mut labels: Vec<(&str, usize)> =
            counts.into_iter().filter(|(_, n)| *n >= min_count).collect();
        labels.sort_by_key(|(label, n)| (std::cmp::Reverse(*n), *label));
        labels.into_iter().map(|(label, _)| label.to_owned()).collect()
    }

    /// Says which labels of dev and test data are not learned: scores are blind to them.
    pub(super) fn warn_of_unknown(&self, name: &str, known: &[String]) {
        for split in [Split::Dev, Split::Test] {
            let mut counts = self.label_counts(split);
            counts.retain(|label, _| !known.iter().any(|k| k == label));
            if counts.is_empty() {
                continue;
            }
            log::warn!(
                "task `{name}`: {} items of the {} data do not count, as their labels are not learned: {}",
                counts.values().sum::<usize>(),
                split.name(),
                counts.into_keys().collect::<Vec<_>>().join(", ")
            );
        }
    }

    /// How often each label occurs.
    fn label_counts(&self, split: Split) -> BTreeMap<&str, usize> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for doc in self.documents(split) {
            match self.kind {
                TaskKind::Spans => {
                    for (_, label) in doc.labelled(&self.layer) {
                        *counts.entry(&label.label).or_default() += 1;
                    }
                }
                TaskKind::Relations => {
                    for relation in doc.relations.iter().filter(|r| r.task == self.layer) {
                        *counts.entry(&relation.label).or_default() += 1;
                    }
                }
                TaskKind::Coreference => {}
            }
        }
        counts
    }
}

/// What tells one data set from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) documents: usize,
    pub(super) sha256: String,
}

fn text_key(doc: &Document) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    serde_json::to_writer(&mut hash, &(&doc.text, &doc.sentences, &doc.tokens))
        .map_err(|e| Error::Internal(e.to_string()))?;
    Ok(hash.finalize().into())
}

/// Whether a head learns anything from an example: nothing can be learned about the relations of
/// fewer than two mentions. Where arguments were not annotated, those that the model finds are not related.
fn teaches(model: &ModelConfig, head: &HeadConfig, example: &Example) -> bool {
    let (tokens, doc) = (example.tokens(), example.document);
    let inside = |m: &&Mention| tokens.start <= m.first_token && m.last_token <= tokens.end;
    match head {
        HeadConfig::MentionPairs { arguments, .. } => {
            !doc.annotates(model.layer(arguments)) || doc.mentions.iter().filter(inside).count() > 1
        }
        _ => true,
    }
}
