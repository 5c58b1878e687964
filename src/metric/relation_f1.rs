//! F1 of relations.
//!
//! The main figure is strict: both spans, direction and label. Beside it stand "typed" (strict, and
//! both arguments have their right types: what the papers on CoNLL04 and SciERC call strict, as
//! they call ours boundaries; Taillé et al., EMNLP 2020), "boundaries" (both spans and direction,
//! any label), "mentions" (strict between mentions, whatever the gold says about entities, as
//! SciERC is scored) and "last_token" (the last tokens of the arguments, direction and label, as
//! the 2018 code scores).
//!
//! Where the gold document says which mentions are one entity, a fact holds between entities, as
//! in DocRED: a predicted relation is right when its head is a mention of the fact's one entity
//! and its tail of the other, span for span; stating one fact several times counts once. So do
//! wrong ones about mentions that the gold lacks and the prediction takes for one entity. A model
//! whose relations are between mentions is scored so.
//!
//! The arguments of a symmetric label have no order.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::calibration::Reliability;
use super::{Counts, Ignored, LabelCounts, Score, ScoreOptions};
use crate::{Document, Mention, Relation, Span};

/// What an argument stands for: an entity of the gold document, one that only the prediction has,
/// or a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Argument {
    Entity(usize),
    Predicted(usize),
    Span(Span),
}

type Fact<'a> = ((Argument, Argument), &'a str);

pub(super) fn score<'a>(
    pairs: impl Iterator<Item = (&'a Document, &'a Document)>,
    gold_layer: &str,
    layer: &str,
    options: &ScoreOptions,
) -> Score {
    let (mut strict, mut boundaries) = (Counts::default(), Counts::default());
    let (mut mentions, mut last) = (Counts::default(), Counts::default());
    let mut typed: Option<Counts> = None;
    let (mut labels, mut ignored) = (LabelCounts::default(), Ignored::default());
    let mut reliability = Reliability::default();
    let mut by_entity = false;
    for (gold_doc, predicted_doc) in pairs {
        let gold: Vec<&Relation> =
            of_layer(gold_doc, gold_layer).filter(|r| !ignored.gold(&r.label, options)).collect();
        let entity = options.entities(gold_doc);
        by_entity |= !entity.is_empty();
        // Without gold entities, facts hold between mentions: no prediction can merge them.
        let in_gold: HashSet<Span> = if entity.is_empty() {
            predicted_doc.mentions.iter().map(Mention::span).collect()
        } else {
            gold_doc.mentions.iter().map(Mention::span).collect()
        };
        let fact = |doc: &'a Document, r: &'a Relation| -> Fact<'a> {
            let argument = |mention: usize| {
                let mention = &doc.mentions[mention];
                match (entity.get(&mention.span()), mention.cluster) {
                    (Some(&entity), _) => Argument::Entity(entity),
                    (None, Some(cluster)) if !in_gold.contains(&mention.span()) => {
                        Argument::Predicted(cluster)
                    }
                    _ => Argument::Span(mention.span()),
                }
            };
            (options.ordered(&r.label, argument(r.head), argument(r.tail)), r.label.as_str())
        };
        let gold_facts: BTreeSet<Fact> = gold.iter().map(|r| fact(gold_doc, r)).collect();
        let predicted: Vec<&Relation> = of_layer(predicted_doc, layer)
            .filter(|r| {
                gold_facts.contains(&fact(predicted_doc, r))
                    || !ignored.predicted(&r.label, gold_doc, gold_layer)
            })
            .collect();
        for relation in &predicted {
            let is_right = gold_facts.contains(&fact(predicted_doc, relation));
            reliability.add(relation.score, is_right);
        }
        let predicted_facts: BTreeSet<Fact> =
            predicted.iter().map(|r| fact(predicted_doc, r)).collect();
        strict.add(&gold_facts, &predicted_facts);
        if let Some((gold_types, types)) = &options.arguments
            && gold_doc.tasks.contains(gold_types)
        {
            let right: HashMap<Span, &str> =
                gold_doc.labelled(gold_types).map(|(s, l)| (s, l.label.as_str())).collect();
            let is_right = |mention: usize| {
                let mention = &predicted_doc.mentions[mention];
                let label = mention.labels.get(types).map(|l| l.label.as_str());
                label.is_some() && label == right.get(&mention.span()).copied()
            };
            let stated = predicted.iter().filter(|r| is_right(r.head) && is_right(r.tail));
            let stated: BTreeSet<Fact> = stated.map(|r| fact(predicted_doc, r)).collect();
            let counts = Counts {
                gold: gold_facts.len(),
                predicted: predicted_facts.len(),
                correct: gold_facts.intersection(&stated).count(),
            };
            typed = Some(typed.unwrap_or_default().plus(&counts));
        }
        let ends = |facts: &BTreeSet<Fact>| -> BTreeSet<(Argument, Argument)> {
            facts.iter().map(|f| f.0).collect()
        };
        boundaries.add(&ends(&gold_facts), &ends(&predicted_facts));
        let spans =
            |doc: &'a Document, relations: &[&'a Relation]| -> BTreeSet<((Span, Span), &str)> {
                let span = |mention: usize| doc.mentions[mention].span();
                let ends = |r: &Relation| options.ordered(&r.label, span(r.head), span(r.tail));
                relations.iter().map(|r| (ends(r), r.label.as_str())).collect()
            };
        mentions.add(&spans(gold_doc, &gold), &spans(predicted_doc, &predicted));
        let tokens =
            |doc: &'a Document, relations: &[&'a Relation]| -> BTreeSet<((usize, usize), &str)> {
                let last = |mention: usize| doc.mentions[mention].last_token - 1;
                let ends = |r: &Relation| options.ordered(&r.label, last(r.head), last(r.tail));
                relations.iter().map(|r| (ends(r), r.label.as_str())).collect()
            };
        last.add(&tokens(gold_doc, &gold), &tokens(predicted_doc, &predicted));
        labels.add(&gold_facts, &predicted_facts);
    }
    let mut details = json!({
        "arguments": if by_entity { "entities" } else { "mentions" },
        "strict": strict.json(),
        "macro_f1": labels.macro_f1(),
        "boundaries": boundaries.json(),
        "mentions": mentions.json(),
        "last_token": last.json(),
        "labels": labels.json(),
        "ignored_gold": ignored.gold.values().sum::<usize>(),
        "ignored_labels": ignored.gold,
        "ignored_predictions": ignored.predicted,
    });
    if let Some(calibration) = reliability.json() {
        details["calibration"] = calibration;
    }
    if let Some(typed) = typed {
        details["typed"] = typed.json();
    }
    Score { score: strict.f1(), details }
}

impl ScoreOptions {
    /// The entities of a gold document that facts hold between, by the spans of their mentions.
    pub(super) fn entities(&self, gold: &Document) -> HashMap<Span, usize> {
        let mentions = gold.mentions.iter().filter(|_| !self.between_mentions);
        mentions.filter_map(|m| Some((m.span(), m.cluster?))).collect()
    }

    /// The arguments of a relation as they are compared: those of a symmetric label in one order.
    pub(super) fn ordered<T: Ord>(&self, label: &str, head: T, tail: T) -> (T, T) {
        if self.symmetric.contains(label) && tail < head { (tail, head) } else { (head, tail) }
    }
}

fn of_layer<'a>(doc: &'a Document, layer: &str) -> impl Iterator<Item = &'a Relation> {
    doc.relations.iter().filter(move |r| r.task == layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DocumentBuilder;

    fn doc(relations: &[(usize, usize, &str)], cluster: &[usize]) -> Document {
        let mut build = DocumentBuilder::new(Document::from_sentences(&[vec!["w"; 9]]));
        let span = |at: usize| Span::new(at, at + 1);
        for &(head, tail, label) in relations {
            build.relation("relation", label, span(head), span(tail), None);
        }
        if !cluster.is_empty() {
            build.cluster(cluster.iter().map(|&at| span(at)).collect());
        }
        build.finish()
    }

    fn strict(gold: &Document, predicted: &Document) -> Score {
        let options = ScoreOptions::default();
        score(std::iter::once((gold, predicted)), "relation", "relation", &options)
    }

    #[test]
    fn direction_and_label_must_be_right() {
        let gold = doc(&[(0, 1, "a"), (2, 3, "b")], &[]);
        let predicted = doc(&[(1, 0, "a"), (2, 3, "a"), (0, 1, "a")], &[]);
        let score = strict(&gold, &predicted);
        assert!((score.score - 0.4).abs() < 1e-9);
        assert_eq!(score.details["boundaries"]["correct"], 2);
        assert_eq!(score.details["arguments"], "mentions");
    }

    #[test]
    fn any_mention_of_the_entity_states_the_fact_once() {
        let gold = doc(&[(0, 1, "a")], &[1, 5]);
        let predicted = doc(&[(0, 5, "a"), (0, 1, "a"), (0, 7, "a")], &[]);
        let score = strict(&gold, &predicted);
        assert_eq!(score.details["strict"]["correct"], 1);
        assert_eq!(score.details["strict"]["predicted"], 2);
        assert_eq!(score.details["arguments"], "entities");
        assert_eq!(score.details["mentions"]["predicted"], 3);
        assert_eq!(score.details["last_token"]["correct"], 1);
    }

    #[test]
    fn mentions_the_gold_lacks_are_one_error_for_each_predicted_entity() {
        let gold = doc(&[(0, 1, "a")], &[1, 5]);
        let predicted = doc(&[(0, 6, "a"), (0, 7, "a"), (0, 8, "a")], &[6, 7]);
        assert_eq!(strict(&gold, &predicted).details["strict"]["predicted"], 2);
        let without_entities = doc(&[(0, 1, "a")], &[]);
        let score = strict(&without_entities, &predicted);
        assert_eq!(score.details["strict"]["predicted"], 3);
    }

    #[test]
    fn a_mention_of_another_entity_is_wrong() {
        let gold = doc(&[(0, 1, "a")], &[1, 5]);
        let predicted = doc(&[(0, 2, "a")], &[]);
        let score = strict(&gold, &predicted);
        assert_eq!(score.score, 0.0);
        assert_eq!(score.details["strict"]["predicted"], 1);
    }

    #[test]
    fn the_types_of_arguments_count_where_the_gold_has_them() {
        let labelled = |types: &[(usize, &str)]| {
            let mut build = DocumentBuilder::new(Document::from_sentences(&[vec!["w"; 9]]));
            build.layer("emd");
            for &(at, label) in types {
                build.label(Span::new(at, at + 1), "emd", label, None);
            }
            for (head, tail) in [(0, 1), (2, 3), (4, 5)] {
                let span = |at: usize| Span::new(at, at + 1);
                build.relation("relation", "a", span(head), span(tail), None);
            }
            build.finish()
        };
        let gold = labelled(&[(0, "x"), (1, "y"), (2, "x"), (3, "y"), (4, "x"), (5, "y")]);
        let predicted = labelled(&[(0, "x"), (1, "y"), (2, "y"), (3, "y"), (4, "x")]);
        let layer = "emd".to_owned();
        let options =
            ScoreOptions { arguments: Some((layer.clone(), layer)), ..Default::default() };
        let pair = std::iter::once((&gold, &predicted));
        let with = score(pair, "relation", "relation", &options);
        assert_eq!(with.score, 1.0);
        let counts = ["correct", "predicted", "gold"].map(|n| with.details["typed"][n].as_u64());
        assert_eq!(counts, [Some(1), Some(3), Some(3)]);
        let untyped = doc(&[(0, 1, "a")], &[]);
        let pair = std::iter::once((&untyped, &predicted));
        assert!(score(pair, "relation", "relation", &options).details["typed"].is_null());
    }

    #[test]
    fn a_symmetric_label_matches_in_either_direction_and_counts_once() {
        let gold = doc(&[(0, 1, "spouse"), (2, 3, "child")], &[1, 5]);
        let predicted = doc(
            &[
                (1, 0, "spouse"),
                (0, 5, "spouse"),
                (3, 2, "child"),
                (2, 4, "spouse"),
                (4, 2, "spouse"),
            ],
            &[],
        );
        let options = ScoreOptions {
            symmetric: std::iter::once("spouse".to_owned()).collect(),
            ..Default::default()
        };
        let pair = std::iter::once((&gold, &predicted));
        let with = score(pair, "relation", "relation", &options);
        let counts = |score: &Score, of: &str| {
            ["correct", "predicted", "gold"].map(|n| score.details[of][n].as_u64().unwrap())
        };
        assert_eq!(counts(&with, "strict"), [1, 3, 2]);
        assert_eq!(counts(&with, "mentions"), [1, 4, 2]);
        assert_eq!(counts(&with, "last_token"), [1, 4, 2]);
        // Gold that states both directions states one fact.
        let both = doc(&[(0, 1, "spouse"), (1, 0, "spouse")], &[]);
        let pair = std::iter::once((&both, &predicted));
        assert_eq!(counts(&score(pair, "relation", "relation", &options), "strict")[2], 1);
        assert_eq!(counts(&strict(&gold, &predicted), "strict"), [1, 5, 2]);
    }

    #[test]
    fn between_mentions_each_statement_counts() {
        // Mentions 0 and 4 are one entity: stated between entities, both facts are one.
        let gold = doc(&[(0, 1, "a"), (4, 1, "a")], &[0, 4]);
        let predicted = doc(&[(0, 1, "a")], &[]);
        let options = ScoreOptions { between_mentions: true, ..Default::default() };
        let pair = std::iter::once((&gold, &predicted));
        let with = score(pair, "relation", "relation", &options);
        assert_eq!(
            (&with.details["arguments"], &with.details["strict"]["gold"]),
            (&json!("mentions"), &json!(2))
        );
        assert_eq!(strict(&gold, &predicted).details["strict"]["gold"], 1);
    }

    #[test]
    fn unknown_gold_labels_are_left_out_and_counted() {
        let gold = doc(&[(0, 1, "a"), (2, 3, "b"), (3, 4, "b")], &[]);
        let known = Some(std::iter::once("a".to_owned()).collect());
        let options = ScoreOptions { known_labels: known, ..Default::default() };
        let predicted = doc(&[(0, 1, "a")], &[]);
        let pair = std::iter::once((&gold, &predicted));
        let score = score(pair, "relation", "relation", &options);
        assert_eq!((score.score, &score.details["ignored_labels"]), (1.0, &json!({"b": 2})));
    }
}
