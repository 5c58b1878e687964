//! [`Model`]: a loaded model that any number of threads may use at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Device;

use super::default::default_dir;
use super::{AnnotateOptions, Bundle, Card, Parts, Precision};
use crate::config::{ModelConfig, TaskKind};
use crate::engine::Gather;
use crate::feature::Vocabularies;
use crate::text::{to_unit, tokenize};
use crate::{Cancel, Document, Error, OffsetUnit, Result, device, engine};

const PIECE_TOKENS: usize = 600;
const PIECES_PER_WORKER: usize = 4;
/// Callers with at most so many tokens are served together, up to so many.
const FEW_TOKENS: usize = 300;
const TOKENS_TOGETHER: usize = 1200;

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

/// What embedders and encoders compute in; heads always compute in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compute {
    #[default]
    Float32,
    /// Half the memory and, on a GPU, several times the speed, with scores that differ in the second or third
    /// decimal. Most CPUs are slower with it. What is saved is not rounded.
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
    weights: Arc<Weights>,
    /// The requests of callers with little text.
    small: Arc<Gather<Request, Vec<Document>>>,
    device: String,
    /// The tasks that were asked for; the others serve them.
    tasks: Vec<String>,
}

/// What one caller wants.
#[derive(Debug)]
struct Request {
    docs: Vec<Document>,
    options: AnnotateOptions,
    cancel: Cancel,
}

/// The network, freed by a worker.
#[derive(Debug)]
struct Weights(Option<Shared>);

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

    /// Annotates a text.
    pub fn annotate(&self, text: &str, options: &AnnotateOptions) -> Result<Document> {
        only(self.annotate_batch(&[text], options, &Cancel::new())?)
    }

    /// Annotates texts; the result of each does not depend on the others.
    pub fn annotate_batch<S: AsRef<str>>(
        &self,
        texts: &[S],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        let mut docs = Vec::with_capacity(texts.len());
        for text in texts {
            cancel.check()?;
            docs.push(tokenize(text.as_ref()));
        }
        self.annotate_documents(&docs, options, cancel)
    }

    /// Annotates a text that comes in sentences of tokens. The text of the result has a space
    /// between tokens and a line for each sentence.
    pub fn annotate_tokens<S: AsRef<str>>(
        &self,
        sentences: &[Vec<S>],
        options: &AnnotateOptions,
    ) -> Result<Document> {
        if sentences.iter().flatten().any(|t| t.as_ref().is_empty()) {
            return Err(Error::invalid("a token is empty"));
        }
        let doc = Document::from_sentences(sentences);
        only(self.annotate_documents(&[doc], options, &Cancel::new())?)
    }

    /// Annotates documents as they are tokenized; annotations that they have are dropped. The
    /// workers share the documents.
    pub fn annotate_documents(
        &self,
        docs: &[Document],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        if let Some(score) = options.min_score.filter(|s| !(0.0..=1.0).contains(s)) {
            return Err(Error::invalid(format!("min_score must be from 0 to 1, not {score}")));
        }
        let tasks = Some(options.tasks.as_ref().unwrap_or(&self.tasks).clone());
        let options = &AnnotateOptions { tasks, ..options.clone() };
        let shared = self.shared()?;
        if docs.is_empty() {
            // Wrong options are wrong for no documents, too.
            shared.0.network().config().restrict(options.tasks.as_deref().unwrap_or_default())?;
            return Ok(Vec::new());
        }
        let tokens: usize = docs.iter().map(|doc| doc.tokens.len()).sum();
        if tokens <= FEW_TOKENS && shared.0.gathers() {
            return self.annotate_with_others(shared, docs, options, cancel);
        }
        if let [doc] = docs
            && let Some(doc) = self.annotate_in_parts(shared, doc, options, cancel)?
        {
            return Ok(vec![doc]);
        }
        let job = |docs| {
            // Captured whole: a part of it would not be `Sync`.
            let shared: &Shared = shared;
            move || {
                cancel.check()?;
                let docs = shared.0.network().annotate(docs, options, cancel)?;
                Ok(in_unit(docs, options.offsets))
            }
        };
        let chunks = chunks(docs, pieces(docs, engine::workers()?));
        Ok(engine::run_all(chunks.into_iter().map(job).collect())?.concat())
    }

    /// Annotates little text together with what other callers want meanwhile.
    fn annotate_with_others(
        &self,
        shared: &Shared,
        docs: &[Document],
        options: &AnnotateOptions,
        cancel: &Cancel,
    ) -> Result<Vec<Document>> {
        let size = |request: &Request| request.docs.iter().map(|d| d.tokens.len()).sum::<usize>();
        let fits = |before: &[Request], next: &Request| {
            before.iter().all(|request| request.options == next.options)
                && before.iter().map(size).sum::<usize>() + size(next) <= TOKENS_TOGETHER
        };
        let serve = |requests: &[Request]| {
            // Captured whole: a part of it would not be `Sync`.
            let shared: &Shared = shared;
            let (cancel, none) = match requests {
                [only] => (&only.cancel, None),
                // None stops the work of the others; alone, each is asked whether it still wants its own.
                _ => (&Cancel::new(), requests.iter().find(|r| r.cancel.is_triggered())),
            };
            none.map_or(Ok(()), |request| request.cancel.check())?;
            cancel.check()?;
            let Some(Request { options, .. }) = requests.first() else { return Ok(Vec::new()) };
            let docs: Vec<&Document> = requests.iter().flat_map(|r| &r.docs).collect();
            let docs = shared.0.network().annotate(&docs, options, cancel)?;
            let mut docs = in_unit(docs, options.offsets).into_iter();
            Ok(requests.iter().map(|r| docs.by_ref().take(r.docs.len()).collect()).collect())
        };
        let request =
            Request { docs: docs.to_vec(), options: options.clone(), cancel: cancel.clone() };
        self.small.run(request, fits, serve)
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

    fn shared(&self) -> Result<&Shared> {
        self.weights.0.as_ref().ok_or_else(|| Error::Internal("the model was freed".into()))
    }
}

pub(super) fn in_unit(docs: Vec<Document>, unit: OffsetUnit) -> Vec<Document> {
    match unit {
        OffsetUnit::Byte => docs,
        unit => docs.iter().map(|doc| to_unit(doc, unit)).collect(),
    }
}

pub(super) fn only(mut docs: Vec<Document>) -> Result<Document> {
    docs.pop().ok_or_else(|| Error::Internal("no document for a text".into()))
}

/// Into how many pieces the workers share `docs`: some for each, since equal numbers of tokens are not equal work, but
/// none so small that it is more work by itself.
fn pieces(docs: &[Document], workers: usize) -> usize {
    let tokens: usize = docs.iter().map(|doc| doc.tokens.len()).sum();
    match workers {
        0 | 1 => 1,
        _ => (tokens / PIECE_TOKENS).clamp(workers, PIECES_PER_WORKER * workers),
    }
}

/// Cuts `docs` into at most `count` runs of about as many tokens.
fn chunks(docs: &[Document], count: usize) -> Vec<&[Document]> {
    // An empty document still is some work.
    let size = |doc: &Document| doc.tokens.len() + 1;
    let total: usize = docs.iter().map(size).sum();
    let share = total.div_ceil(count.max(1));
    let mut chunks = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (at, doc) in docs.iter().enumerate() {
        tokens += size(doc);
        if tokens >= share {
            chunks.push(&docs[start..=at]);
            (start, tokens) = (at + 1, 0);
        }
    }
    if start < docs.len() {
        chunks.push(&docs[start..]);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_documents_in_order() {
        let doc = |n: usize| Document::from_sentences(&[vec!["x"; n]]);
        let docs: Vec<Document> = [5, 0, 1, 9, 2, 2, 30, 1].map(doc).into();
        for count in 1..12 {
            let chunks = chunks(&docs, count);
            assert!(chunks.len() <= count);
            assert_eq!(chunks.concat(), docs);
        }
    }
}
