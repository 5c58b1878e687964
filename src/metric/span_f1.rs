//! Strict F1 of labelled spans: both ends and the label must be right.

use std::collections::BTreeSet;

use serde_json::json;

use super::calibration::Reliability;
use super::{Counts, Ignored, LabelCounts, Labelled, Score, ScoreOptions};
use crate::{Document, Span};

pub(super) fn score<'a>(
    pairs: impl Iterator<Item = (&'a Document, &'a Document)>,
    gold_layer: &str,
    layer: &str,
    options: &ScoreOptions,
) -> Score {
    let (mut micro, mut untyped) = (Counts::default(), Counts::default());
    let (mut labels, mut ignored) = (LabelCounts::default(), Ignored::default());
    let mut reliability = Reliability::default();
    for (gold_doc, predicted_doc) in pairs {
        let mut gold: Labelled<Span> =
            gold_doc.labelled(gold_layer).map(|(s, l)| (s, l.label.as_str())).collect();
        gold.retain(|(_, label)| !ignored.gold(label, options));
        let mut predicted: Labelled<Span> =
            predicted_doc.labelled(layer).map(|(s, l)| (s, l.label.as_str())).collect();
        predicted.retain(|found| {
            gold.contains(found) || !ignored.predicted(found.1, gold_doc, gold_layer)
        });
        micro.add(&gold, &predicted);
        let spans = |set: &Labelled<Span>| set.iter().map(|s| s.0).collect::<BTreeSet<Span>>();
        untyped.add(&spans(&gold), &spans(&predicted));
        labels.add(&gold, &predicted);
        for (span, label) in predicted_doc.labelled(layer) {
            let found = (span, label.label.as_str());
            if predicted.contains(&found) {
                reliability.add(label.score, gold.contains(&found));
            }
        }
    }
    let mut details = json!({
        "micro": micro.json(),
        "macro_f1": labels.macro_f1(),
        "untyped": untyped.json(),
        "labels": labels.json(),
        "ignored_gold": ignored.gold.values().sum::<usize>(),
        "ignored_labels": ignored.gold,
        "ignored_predictions": ignored.predicted,
    });
    if let Some(calibration) = reliability.json() {
        details["calibration"] = calibration;
    }
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

    #[test]
    fn predictions_of_labels_that_the_gold_does_not_cover_are_left_out_and_counted() {
        let mut gold = doc(&[(0, 2, "A"), (3, 4, "B")]);
        gold.covered.insert("ner".to_owned(), vec!["A".to_owned()]);
        let predicted = doc(&[(0, 2, "A"), (3, 4, "B"), (5, 6, "B"), (7, 8, "A")]);
        let options = ScoreOptions::default();
        let score = score(std::iter::once((&gold, &predicted)), "ner", "ner", &options);
        assert!((score.score - 0.8).abs() < 1e-9);
        assert_eq!(score.details["ignored_predictions"], json!({"B": 1}));
    }
}
