//! What a data set holds, in numbers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Dataset;

pub(super) fn info(dataset: &Dataset) -> Value {
    let documents = &dataset.documents;
    let mut labels: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut relations: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut tasks: BTreeMap<&str, usize> = BTreeMap::new();
    for doc in documents {
        for task in &doc.tasks {
            *tasks.entry(task).or_default() += 1;
        }
        for (layer, label) in doc.mentions.iter().flat_map(|m| &m.labels) {
            *labels.entry(layer).or_default().entry(&label.label).or_default() += 1;
        }
        for relation in &doc.relations {
            *relations.entry(&relation.task).or_default().entry(&relation.label).or_default() += 1;
        }
    }
    let sum = |count: fn(&crate::Document) -> usize| documents.iter().map(count).sum::<usize>();
    json!({
        "documents": documents.len(),
        "sentences": sum(|d| d.sentences.len()),
        "tokens": sum(|d| d.tokens.len()),
        "mentions": sum(|d| d.mentions.len()),
        "clusters": sum(|d| d.clusters.len()),
        "tasks": tasks,
        "labels": labels,
        "relations": relations,
        "skipped": dataset.skipped.len(),
    })
}
