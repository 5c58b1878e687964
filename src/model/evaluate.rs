//! Scoring a model on a data set.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AnnotateOptions, Model};
use crate::config::{Between, TaskKind};
use crate::data::{COREF, RELATION};
use crate::metric::{self, ErrorAnalysis, ScoreOptions, Singletons};
use crate::{Cancel, Document, Error, Result};

/// How to score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateOptions {
    /// Counts gold items with labels that the model does not know as misses, and predictions of
    /// labels that the data does not have as wrong, instead of leaving them out.
    pub all_labels: bool,
    /// Whether coreference clusters of one mention count.
    pub singletons: Singletons,
    /// As in [`AnnotateOptions::independent`].
    pub independent: bool,
}

/// The score of a task, and what it was measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    pub task: String,
    /// The main figure, 0 to 1: strict micro F1, or the coreference average.
    pub score: f64,
    pub documents: usize,
    /// The layer of the documents that was the gold.
    pub layer: String,
    /// Gold items with labels that the model does not know, by label. They count as misses only
    /// with [`EvaluateOptions::all_labels`].
    pub unknown_labels: BTreeMap<String, usize>,
    /// The model's labels that no gold item has. Predictions of them count as wrong only with
    /// [`EvaluateOptions::all_labels`].
    pub absent_labels: Vec<String>,
    pub details: Value,
}

/// Gold documents of a task beside what a model finds in them.
#[derive(Debug)]
pub struct Comparison {
    task: String,
    kind: TaskKind,
    layer: String,
    /// The documents that have the layer.
    pub gold: Vec<Document>,
    pub predicted: Vec<Document>,
    options: ScoreOptions,
    unknown_labels: BTreeMap<String, usize>,
    absent_labels: Vec<String>,
}

impl Model {
    /// Scores `task` on the documents that have its layer.
    pub fn evaluate(
        &self,
        task: &str,
        docs: &[Document],
        options: &EvaluateOptions,
        cancel: &Cancel,
    ) -> Result<Evaluation> {
        self.compare(task, docs, options, cancel)?.evaluation()
    }

    /// Annotates the documents that have the layer of `task`, for comparison with it.
    pub fn compare(
        &self,
        task: &str,
        docs: &[Document],
        options: &EvaluateOptions,
        cancel: &Cancel,
    ) -> Result<Comparison> {
        let config = self.config()?;
        config.restrict(&[task.to_owned()])?;
        let kind = config.tasks[task].head.kind();
        let layer = gold_layer(kind, task, config.layer(task), docs)?;
        let mut gold: Vec<Document> =
            docs.iter().filter(|d| d.tasks.contains(&layer)).cloned().collect();
        let annotate = AnnotateOptions {
            // Relations beside all the mentions that they could hold between, and their entities.
            tasks: Some(config.tasks[task].head.reads().chain([task]).map(str::to_owned).collect()),
            // Whether they count is for the metric to say.
            singletons: true,
            independent: options.independent,
            ..AnnotateOptions::default()
        };
        let predicted = self.annotate_documents(&gold, &annotate, cancel)?;
        let known: BTreeSet<String> = self.vocab()?.labels(task).iter().cloned().collect();
        let labels = gold_labels(kind, &layer, &gold);
        let absent_labels: Vec<String> =
            known.iter().filter(|l| !labels.contains_key(*l)).cloned().collect();
        if !options.all_labels {
            for doc in gold.iter_mut().filter(|d| !d.covered.contains_key(&layer)) {
                doc.covered.insert(layer.clone(), labels.keys().cloned().collect());
            }
        }
        let mut unknown_labels = labels;
        unknown_labels.retain(|label, _| !known.contains(label));
        let types = |arguments: &str| {
            let gold =
                gold_layer(TaskKind::Spans, arguments, config.layer(arguments), docs).ok()?;
            Some((gold, arguments.to_owned()))
        };
        let options = ScoreOptions {
            arguments: config.tasks[task].head.arguments().and_then(types),
            known_labels: (!options.all_labels).then_some(known),
            singletons: options.singletons,
            symmetric: config.tasks[task].head.symmetric().iter().cloned().collect(),
            between_mentions: config.tasks[task].head.between() == Between::Mentions,
        };
        let task = task.to_owned();
        Ok(Comparison {
            task,
            kind,
            layer,
            gold,
            predicted,
            options,
            unknown_labels,
            absent_labels,
        })
    }
}

impl Comparison {
    /// The score.
    pub fn evaluation(&self) -> Result<Evaluation> {
        let Self { task, kind, layer, gold, predicted, .. } = self;
        let score = metric::score(*kind, layer, task, gold, predicted, &self.options)?;
        Ok(Evaluation {
            task: task.clone(),
            score: score.score,
            documents: gold.len(),
            layer: layer.clone(),
            unknown_labels: self.unknown_labels.clone(),
            absent_labels: self.absent_labels.clone(),
            details: score.details,
        })
    }

    /// What is missed, made up and mistaken.
    pub fn errors(&self) -> ErrorAnalysis {
        let Self { task, kind, layer, gold, predicted, .. } = self;
        metric::errors(*kind, layer, task, gold, predicted, &self.options)
    }
}

impl Model {
    /// The tasks of the model that some document has gold for, under the name of the task or of
    /// its layer.
    pub fn tasks_with_gold(&self, docs: &[Document]) -> Result<Vec<String>> {
        let config = self.config()?;
        let has_gold = |task: &&String| {
            let layer = config.layer(task);
            docs.iter().flat_map(|d| &d.tasks).any(|l| l == layer || l == *task)
        };
        let tasks: Vec<String> = self.tasks().iter().filter(has_gold).cloned().collect();
        if tasks.is_empty() {
            return Err(Error::invalid("the data has no gold for any task of the model"));
        }
        Ok(tasks)
    }
}

/// The layer that holds the gold of a task: the configured one, the one named like the task, or
/// the only one of its kind.
fn gold_layer(kind: TaskKind, task: &str, configured: &str, docs: &[Document]) -> Result<String> {
    let layers: BTreeSet<&str> = docs.iter().flat_map(|d| &d.tasks).map(String::as_str).collect();
    let relations: BTreeSet<&str> =
        docs.iter().flat_map(|d| &d.relations).map(|r| r.task.as_str()).collect();
    let is_relation = |layer: &str| layer == RELATION || relations.contains(layer);
    let of_kind: Vec<&str> = layers
        .iter()
        .copied()
        .filter(|layer| match kind {
            TaskKind::Coreference => *layer == COREF,
            TaskKind::Relations => *layer != COREF && is_relation(layer),
            TaskKind::Spans => *layer != COREF && !is_relation(layer),
        })
        .collect();
    let named = [configured, task].into_iter().find(|name| of_kind.contains(name));
    match (named, of_kind.as_slice()) {
        (Some(name), _) | (None, &[name]) => Ok(name.to_owned()),
        (None, _) => {
            let layers: Vec<&str> = layers.into_iter().collect();
            Err(Error::invalid(format!(
                "the data has no gold for task `{task}`: its layers are {}",
                if layers.is_empty() { "none".to_owned() } else { layers.join(", ") }
            )))
        }
    }
}

/// The labels of a layer, with their numbers.
fn gold_labels(kind: TaskKind, layer: &str, gold: &[Document]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut count = |label: &str| *counts.entry(label.to_owned()).or_default() += 1;
    for doc in gold {
        match kind {
            TaskKind::Spans => doc.labelled(layer).for_each(|(_, l)| count(&l.label)),
            TaskKind::Relations => {
                doc.relations.iter().filter(|r| r.task == layer).for_each(|r| count(&r.label));
            }
            TaskKind::Coreference => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(layers: &[&str]) -> Document {
        let mut doc = Document::from_sentences(&[vec!["x"]]);
        doc.tasks = layers.iter().map(|l| (*l).to_owned()).collect();
        doc
    }

    #[test]
    fn the_only_mention_layer_serves_a_task_of_another_name() {
        let docs = [doc(&["emd", "relation", "coref"])];
        assert_eq!(gold_layer(TaskKind::Spans, "ner", "ner", &docs).unwrap(), "emd");
        assert_eq!(gold_layer(TaskKind::Coreference, "coref", "coref", &docs).unwrap(), "coref");
    }

    #[test]
    fn the_configured_layer_comes_first() {
        let docs = [doc(&["emd"]), doc(&["ner"])];
        assert_eq!(gold_layer(TaskKind::Spans, "names", "ner", &docs).unwrap(), "ner");
        assert_eq!(gold_layer(TaskKind::Spans, "emd", "emd", &docs).unwrap(), "emd");
        let error = gold_layer(TaskKind::Spans, "names", "names", &docs).unwrap_err();
        assert!(error.to_string().contains("emd, ner"), "{error}");
    }

    #[test]
    fn relations_are_not_mentions() {
        let error = gold_layer(TaskKind::Relations, "relation", "relation", &[doc(&["ner"])]);
        assert!(error.is_err());
    }
}
