//! Strict F1 of labelled spans: both ends and the label must be right.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Counts, Score, ScoreOptions, macro_f1};
use crate::{Document, Span};

pub(super) fn score<'a>(
    pairs: impl Iterator<Item = (&'a Document, &'a Document)>,
    gold_layer: &str,
    layer: &str,
    options: &ScoreOptions,
) -> Score {
    let (mut micro, mut untyped) = (Counts::default(), Counts::default());
    let mut labels: BTreeMap<String, Counts> = BTreeMap::new();
    let mut ignored: BTreeMap<&str, usize> = BTreeMap::new();
    for (gold, predicted) in pairs {
        let mut gold: BTreeSet<(Span, &str)> =
            gold.labelled(gold_layer).map(|(s, l)| (s, l.label.as_str())).collect();
        gold.retain(|(_, label)| {
            let known = options.knows(label);
            if !known {
                *ignored.entry(label).or_default() += 1;
            }
            known
        });
        let predicted: BTreeSet<(Span, &str)> =
            predicted.labelled(layer).map(|(s, l)| (s, l.label.as_str())).collect();
        micro.add(&gold, &predicted);
        let spans =
            |set: &BTreeSet<(Span, &str)>| set.iter().map(|s| s.0).collect::<BTreeSet<Span>>();
        untyped.add(&spans(&gold), &spans(&predicted));
        for (_, label) in gold.union(&predicted) {
            labels.entry((*label).to_owned()).or_default();
        }
        for (label, counts) in &mut labels {
            let of = |set: &BTreeSet<(Span, &str)>| {
                set.iter().filter(|(_, l)| l == label).map(|(s, _)| *s).collect::<BTreeSet<Span>>()
            };
            counts.add(&of(&gold), &of(&predicted));
        }
    }
    let per_label: BTreeMap<_, _> = labels.iter().map(|(l, c)| (l, c.json())).collect();
    let details = json!({
        "micro": micro.json(),
        "macro_f1": macro_f1(&labels),
        "untyped": untyped.json(),
        "labels": per_label,
        "ignored_gold": ignored.values().sum::<usize>(),
        "ignored_labels": ignored,
    });
    Score { score: micro.f1(), details }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DocumentBuilder;

    fn doc(spans: &[(usize, usize, &str)]) -> Document {
        let mut build = DocumentBuilder::new(Document::from_sentences(&[vec!["w"; 9]]));
        for &(first, last, label) in spans {
            build.label(Span::new(first, last), "ner", label, None);
        }
        build.finish()
    }

    #[test]
    fn ends_and_label_must_be_right() {
        let gold = doc(&[(0, 2, "A"), (3, 4, "B"), (5, 7, "A")]);
        let predicted = doc(&[(0, 2, "A"), (3, 4, "A"), (5, 6, "A")]);
        let options = ScoreOptions::default();
        let score = score(std::iter::once((&gold, &predicted)), "ner", "ner", &options);
        assert!((score.score - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(score.details["untyped"]["correct"], 2);
        assert_eq!(score.details["labels"]["A"]["predicted"], 3);
    }

    #[test]
    fn unknown_gold_labels_are_left_out_and_counted() {
        let gold = doc(&[(0, 2, "A"), (3, 4, "B")]);
        let predicted = doc(&[(0, 2, "A")]);
        let known = Some(std::iter::once("A".to_owned()).collect());
        let options = ScoreOptions { known_labels: known, ..Default::default() };
        let score = score(std::iter::once((&gold, &predicted)), "ner", "ner", &options);
        assert_eq!((score.score, &score.details["ignored_gold"]), (1.0, &json!(1)));
        assert_eq!(score.details["ignored_labels"], json!({"B": 1}));
    }
}
