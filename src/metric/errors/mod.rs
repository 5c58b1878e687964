//! [`ErrorAnalysis`]: what a model missed, made up or mistook, one by one and in tables.

mod compared;

use std::collections::BTreeMap;

use compared::Compared;

use super::ScoreOptions;
use crate::config::TaskKind;
use crate::{Document, Span};

/// Stands for "nothing" in a table of confusions.
pub const NONE: &str = "—";

/// What is wrong with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// In the gold, and nothing like it was predicted.
    Missed,
    /// Predicted, and nothing like it is in the gold.
    Spurious,
    /// Predicted where the gold has another label.
    Label,
    /// Predicted with the right label over other tokens, which overlap.
    Boundary,
    /// A relation of which the prediction has not both mentions.
    Argument,
    /// A relation that was predicted the other way round.
    Direction,
    /// A mention that the prediction does not join with the one before it of its entity.
    Split,
    /// A mention that the prediction joins with one of another entity.
    Joined,
}

impl Fault {
    pub const ALL: [Self; 8] = [
        Self::Missed,
        Self::Spurious,
        Self::Label,
        Self::Boundary,
        Self::Argument,
        Self::Direction,
        Self::Split,
        Self::Joined,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Spurious => "spurious",
            Self::Label => "wrong label",
            Self::Boundary => "wrong boundaries",
            Self::Argument => "missed: an argument was not found",
            Self::Direction => "wrong direction",
            Self::Split => "not joined with its entity",
            Self::Joined => "joined with another entity",
        }
    }
}

/// One error.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub fault: Fault,
    /// Index of the document.
    pub document: usize,
    /// What it is about: a span, or the two of a relation or a link.
    pub spans: Vec<Span>,
    /// A span that stands against the first, such as the gold's.
    pub other: Option<Span>,
    pub gold: Option<String>,
    pub predicted: Option<String>,
    pub score: Option<f32>,
}

/// Gold items of a kind, and how many of them were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub gold: usize,
    pub found: usize,
}

/// All errors, and tables of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorAnalysis {
    pub items: Vec<Item>,
    /// How many gold items of each label were predicted as which.
    pub confusions: BTreeMap<(String, String), usize>,
    /// By title, how many gold items of each kind were found.
    pub tables: Vec<(&'static str, BTreeMap<Kind, Found>)>,
}

/// A kind of gold items, such as those of a length: where it stands among others, and its name.
pub type Kind = (usize, String);

/// Compares predictions with the gold; arguments as of [`super::score`].
pub fn errors(
    kind: TaskKind,
    gold_layer: &str,
    layer: &str,
    gold: &[Document],
    predicted: &[Document],
    options: &ScoreOptions,
) -> ErrorAnalysis {
    let mut analysis = ErrorAnalysis::default();
    let singletons = options.singletons.count(gold);
    for (document, pair) in gold.iter().zip(predicted).enumerate() {
        let compared = Compared { gold: pair.0, predicted: pair.1, document, options };
        match kind {
            TaskKind::Spans => compared.spans(gold_layer, layer, &mut analysis),
            TaskKind::Relations => compared.relations(gold_layer, layer, &mut analysis),
            TaskKind::Coreference => compared.coreference(singletons, &mut analysis),
        }
    }
    analysis.items.sort_by_key(|item| (item.fault, item.document, item.spans.clone()));
    analysis
}

impl ErrorAnalysis {
    fn count(&mut self, title: &'static str, kind: Kind, found: bool) {
        let at = self.tables.iter().position(|(t, _)| *t == title).unwrap_or_else(|| {
            self.tables.push((title, BTreeMap::new()));
            self.tables.len() - 1
        });
        let entry = self.tables[at].1.entry(kind).or_default();
        entry.gold += 1;
        entry.found += usize::from(found);
    }

    fn confuse(&mut self, gold: Option<&str>, predicted: Option<&str>) {
        let name = |label: Option<&str>| label.unwrap_or(NONE).to_owned();
        *self.confusions.entry((name(gold), name(predicted))).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DocumentBuilder;

    fn build(make: impl Fn(&mut DocumentBuilder)) -> Vec<Document> {
        let mut build =
            DocumentBuilder::new(Document::from_sentences(&[vec!["w"; 8], vec!["w"; 8]]));
        build.layer("ner");
        make(&mut build);
        vec![build.finish()]
    }

    fn faults(kind: TaskKind, layer: &str, gold: &[Document], found: &[Document]) -> Vec<Fault> {
        let analysis = errors(kind, layer, layer, gold, found, &ScoreOptions::default());
        analysis.items.iter().map(|i| i.fault).collect()
    }

    #[test]
    fn spans_are_missed_spurious_mislabelled_or_misbounded() {
        let gold = build(|b| {
            for (span, label) in [((0, 2), "A"), ((3, 4), "B"), ((5, 8), "A"), ((9, 10), "A")] {
                b.label(Span::new(span.0, span.1), "ner", label, None);
            }
        });
        let found = build(|b| {
            for (span, label) in [((0, 2), "A"), ((3, 4), "A"), ((6, 8), "A"), ((12, 13), "B")] {
                b.label(Span::new(span.0, span.1), "ner", label, Some(0.5));
            }
        });
        let analysis =
            errors(TaskKind::Spans, "ner", "ner", &gold, &found, &ScoreOptions::default());
        let faults: Vec<Fault> = analysis.items.iter().map(|i| i.fault).collect();
        assert_eq!(faults, [Fault::Missed, Fault::Spurious, Fault::Label, Fault::Boundary]);
        assert_eq!(analysis.confusions[&("B".to_owned(), "A".to_owned())], 1);
        assert_eq!(analysis.confusions[&("A".to_owned(), NONE.to_owned())], 2);
        let by_label = &analysis.tables[0].1;
        assert_eq!(by_label[&(0, "A".to_owned())], Found { gold: 3, found: 1 });
    }

    #[test]
    fn relations_lack_an_argument_a_label_or_the_right_direction() {
        let at = |n: usize| Span::new(n, n + 1);
        let gold = build(|b| {
            for (label, head, tail) in
                [("r", 0, 1), ("r", 2, 3), ("r", 4, 5), ("r", 6, 7), ("r", 8, 1)]
            {
                b.relation("relation", label, at(head), at(tail), None);
            }
        });
        let found = build(|b| {
            for (label, head, tail) in [("r", 0, 1), ("s", 2, 3), ("r", 5, 4), ("r", 1, 3)] {
                b.relation("relation", label, at(head), at(tail), Some(0.9));
            }
            b.mention(at(8));
        });
        let faults = faults(TaskKind::Relations, "relation", &gold, &found);
        let expected = [
            Fault::Missed,
            Fault::Spurious,
            Fault::Spurious,
            Fault::Spurious,
            Fault::Label,
            Fault::Argument,
            Fault::Direction,
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_symmetric_relation_has_no_wrong_direction() {
        let at = |n: usize| Span::new(n, n + 1);
        let gold = build(|b| b.relation("relation", "r", at(4), at(5), None));
        let found = build(|b| b.relation("relation", "r", at(5), at(4), Some(0.9)));
        let symmetric = ["r".to_owned()].into();
        let options = ScoreOptions { symmetric, ..ScoreOptions::default() };
        let (kind, layer) = (TaskKind::Relations, "relation");
        assert!(errors(kind, layer, layer, &gold, &found, &options).items.is_empty());
        assert!(!faults(kind, layer, &gold, &found).is_empty());
    }

    #[test]
    fn entities_are_split_or_joined() {
        let at = |n: usize| Span::new(n, n + 1);
        let gold = build(|b| {
            b.cluster(vec![at(0), at(3), at(9)]);
            b.cluster(vec![at(1), at(5)]);
        });
        let found = build(|b| {
            b.cluster(vec![at(0), at(3), at(5)]);
            b.cluster(vec![at(1), at(12)]);
        });
        let faults = faults(TaskKind::Coreference, "coref", &gold, &found);
        assert_eq!(faults, [Fault::Missed, Fault::Spurious, Fault::Split, Fault::Joined]);
    }
}
