//! Gold and predicted documents to scores.
//!
//! Gold and prediction are documents over the same tokens. Every score is a share of 0 to 1; the
//! main figure of a task is its strict micro F1, or for coreference the average of MUC, B3 and
//! CEAFe.

mod blanc;
mod calibration;
mod coreference;
mod errors;
mod relation_f1;
mod span_f1;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use coreference::CoreferenceCounts;
pub use errors::{ErrorAnalysis, Fault, Found, Item, NONE, errors};

use crate::config::TaskKind;
use crate::{Document, Error, Result};

/// The score of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The main figure.
    pub score: f64,
    pub details: Value,
}

/// How to score.
#[derive(Clone, Debug, Default)]
pub struct ScoreOptions {
    /// Gold items with other labels are left out, and counted; absent means all count.
    pub known_labels: Option<BTreeSet<String>>,
    pub singletons: Singletons,
    /// Relation labels whose arguments have no order: right in either direction, and both
    /// directions are one fact.
    pub symmetric: BTreeSet<String>,
    /// Whether relations are compared between mentions though the gold has entities.
    pub between_mentions: bool,
    /// The layers that hold the types of the arguments of relations, of the gold and of the
    /// predictions.
    pub arguments: Option<(String, String)>,
}

/// Whether coreference clusters of one mention count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Singletons {
    /// As the gold has it: predicted ones are dropped where the gold has none.
    #[default]
    Auto,
    Keep,
    Drop,
}

impl Singletons {
    /// Whether they count against this gold.
    fn count(self, gold: &[Document]) -> bool {
        match self {
            Self::Keep => true,
            Self::Drop => false,
            Self::Auto => gold.iter().flat_map(|d| &d.clusters).any(|c| c.mentions.len() == 1),
        }
    }
}

/// Scores predictions of one task. Gold labels are those of `gold_layer`, predicted ones those of
/// `layer`. Predictions of labels that a gold document does not cover are left out, and counted.
pub fn score(
    kind: TaskKind,
    gold_layer: &str,
    layer: &str,
    gold: &[Document],
    predicted: &[Document],
    options: &ScoreOptions,
) -> Result<Score> {
    if gold.len() != predicted.len() {
        let message = format!("{} gold documents, {} predicted", gold.len(), predicted.len());
        return Err(Error::invalid(message));
    }
    if let Some(at) = (0..gold.len()).find(|&d| gold[d].tokens.len() != predicted[d].tokens.len()) {
        let id = gold[at].id.as_deref().unwrap_or_default();
        return Err(Error::invalid(format!("document {id:?} is predicted over other tokens")));
    }
    let pairs = || gold.iter().zip(predicted);
    Ok(match kind {
        TaskKind::Spans => span_f1::score(pairs(), gold_layer, layer, options),
        TaskKind::Relations => relation_f1::score(pairs(), gold_layer, layer, options),
        TaskKind::Coreference => {
            let singletons = options.singletons.count(gold);
            let mut counts = CoreferenceCounts::default();
            for (gold, predicted) in pairs() {
                let clusters = |doc: &Document| {
                    let mut clusters = doc.cluster_spans();
                    clusters.retain(|c| singletons || c.len() > 1);
                    clusters
                };
                counts.add(&clusters(gold), &clusters(predicted));
            }
            counts.score(singletons)
        }
    })
}

/// Gold items, predicted items, and those in both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    gold: usize,
    predicted: usize,
    correct: usize,
}

impl Counts {
    fn add<T: Ord>(&mut self, gold: &BTreeSet<T>, predicted: &BTreeSet<T>) {
        self.gold += gold.len();
        self.predicted += predicted.len();
        self.correct += gold.intersection(predicted).count();
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            gold: self.gold + other.gold,
            predicted: self.predicted + other.predicted,
            correct: self.correct + other.correct,
        }
    }

    fn precision(&self) -> f64 {
        if self.predicted == 0 { 0.0 } else { self.correct as f64 / self.predicted as f64 }
    }

    fn recall(&self) -> f64 {
        if self.gold == 0 { 0.0 } else { self.correct as f64 / self.gold as f64 }
    }

    fn f1(&self) -> f64 {
        let total = self.gold + self.predicted;
        if total == 0 { 0.0 } else { 2.0 * self.correct as f64 / total as f64 }
    }

    fn json(&self) -> Value {
        json!({
            "precision": self.precision(), "recall": self.recall(), "f1": self.f1(),
            "gold": self.gold, "predicted": self.predicted, "correct": self.correct,
        })
    }
}

/// Labelled items of a document.
type Labelled<'a, T> = BTreeSet<(T, &'a str)>;

/// Counts of each label.
#[derive(Default)]
struct LabelCounts(BTreeMap<String, Counts>);

impl LabelCounts {
    fn add<T: Ord>(&mut self, gold: &Labelled<T>, predicted: &Labelled<T>) {
        let mut count = |label: &str, of: fn(&mut Counts) -> &mut usize| match self.0.get_mut(label)
        {
            Some(counts) => *of(counts) += 1,
            None => *of(self.0.entry(label.to_owned()).or_default()) += 1,
        };
        gold.iter().for_each(|(_, label)| count(label, |c| &mut c.gold));
        predicted.iter().for_each(|(_, label)| count(label, |c| &mut c.predicted));
        gold.intersection(predicted).for_each(|(_, label)| count(label, |c| &mut c.correct));
    }

    /// Mean F1. The fold starts from zero: an empty sum of floats is minus zero.
    fn macro_f1(&self) -> f64 {
        self.0.values().map(Counts::f1).fold(0.0, |a, b| a + b) / self.0.len().max(1) as f64
    }

    fn json(&self) -> Value {
        self.0.iter().map(|(label, counts)| (label.clone(), counts.json())).collect()
    }
}

/// What was left out of a score, by label.
#[derive(Default)]
struct Ignored {
    /// Gold of labels that the model does not know.
    gold: BTreeMap<String, usize>,
    /// Predictions of labels that the gold does not cover.
    predicted: BTreeMap<String, usize>,
}

impl Ignored {
    fn gold(&mut self, label: &str, options: &ScoreOptions) -> bool {
        let ignored = options.known_labels.as_ref().is_some_and(|known| !known.contains(label));
        if ignored {
            *self.gold.entry(label.to_owned()).or_default() += 1;
        }
        ignored
    }

    fn predicted(&mut self, label: &str, gold: &Document, layer: &str) -> bool {
        let ignored = !gold.covers(layer, label);
        if ignored {
            *self.predicted.entry(label.to_owned()).or_default() += 1;
        }
        ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DocumentBuilder, Span};

    fn doc(clusters: &[&[usize]]) -> Document {
        let mut build = DocumentBuilder::new(Document::from_sentences(&[vec!["w"; 9]]));
        for cluster in clusters {
            build.cluster(cluster.iter().map(|&at| Span::new(at, at + 1)).collect());
        }
        build.finish()
    }

    fn coreference(gold: &Document, predicted: &Document, singletons: Singletons) -> Score {
        let options = ScoreOptions { singletons, ..Default::default() };
        let (gold, predicted) = (std::slice::from_ref(gold), std::slice::from_ref(predicted));
        score(TaskKind::Coreference, "coref", "coref", gold, predicted, &options).unwrap()
    }

    #[test]
    fn predicted_singletons_count_where_the_gold_has_some() {
        let (without, with) = (doc(&[&[0, 1]]), doc(&[&[0, 1], &[2]]));
        assert_eq!(coreference(&without, &with, Singletons::Auto).score, 1.0);
        assert!(coreference(&without, &with, Singletons::Keep).score < 1.0);
        assert!(coreference(&with, &without, Singletons::Auto).score < 1.0);
        assert_eq!(coreference(&with, &without, Singletons::Drop).score, 1.0);
    }

    #[test]
    fn documents_over_other_tokens_are_refused() {
        let short = Document::from_sentences(&[vec!["w"; 8]]);
        let options = ScoreOptions::default();
        let spans = |gold: &[Document], predicted: &[Document]| {
            score(TaskKind::Spans, "ner", "ner", gold, predicted, &options)
        };
        assert!(spans(&[doc(&[])], &[short]).is_err());
        assert!(spans(&[doc(&[])], &[]).is_err());
    }
}
