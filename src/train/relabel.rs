//! One corpus in the words of another: labels renamed, and what it does not say left open.

use std::collections::BTreeMap;

use super::DataConfig;
use crate::{Document, Label};

/// The label of mentions of which only the place is known.
const UNKNOWN: &str = "?";

/// A document whose labels of `layer` are as the description of its data wants them.
pub(super) fn relabel(doc: &Document, layer: &str, config: &DataConfig) -> Document {
    let mut doc = doc.clone();
    let rename = |label: &mut String| {
        if let Some(new) = config.rename.get(label) {
            label.clone_from(new);
        }
    };
    doc.mentions
        .iter_mut()
        .filter_map(|m| m.labels.get_mut(layer))
        .for_each(|l| rename(&mut l.label));
    doc.relations.iter_mut().filter(|r| r.task == layer).for_each(|r| rename(&mut r.label));
    if config.spread {
        spread(&mut doc, layer);
    }
    if let Some(labels) = &config.covers {
        doc.covered.insert(layer.to_owned(), labels.clone());
    }
    doc
}

/// Labels the unlabelled mentions of a cluster like most of the labelled ones.
fn spread(doc: &mut Document, layer: &str) {
    for cluster in &doc.clusters {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for label in cluster.mentions.iter().filter_map(|&m| doc.mentions[m].labels.get(layer)) {
            *counts.entry(&label.label).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, n)| *n);
        let label = most.map_or(UNKNOWN, |(label, _)| label).to_owned();
        for &m in &cluster.mentions {
            let labels = &mut doc.mentions[m].labels;
            labels
                .entry(layer.to_owned())
                .or_insert_with(|| Label { label: label.clone(), score: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{DocumentBuilder, Span};

    #[test]
    fn labels_are_renamed_and_spread_over_clusters() {
        let mut build = DocumentBuilder::new(Document::from_sentences(&[vec!["w"; 6]]));
        let span = |at| Span::new(at, at + 1);
        build.label(span(0), "emd", "PER", None);
        build.label(span(1), "emd", "VEH", None);
        build.label(span(1), "ner", "PER", None);
        build.cluster(vec![span(0), span(3)]);
        build.cluster(vec![span(4), span(5)]);
        let config = json!({
            "format": "litbank", "path": "", "rename": {"PER": "person"}, "covers": ["person"],
            "spread": true,
        });
        let config: DataConfig = serde_json::from_value(config).unwrap();
        let doc = relabel(&build.finish(), "emd", &config);
        let labels: Vec<&str> = doc.labelled("emd").map(|(_, l)| l.label.as_str()).collect();
        assert_eq!(labels, ["person", "VEH", "person", "?", "?"]);
        assert_eq!(doc.labelled("ner").next().unwrap().1.label, "PER");
        assert!(doc.covers("emd", "person") && !doc.covers("emd", "place"));
        assert!(doc.covers("ner", "LOC"));
    }
}
