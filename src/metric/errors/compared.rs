//! [`Compared`]: the errors of one document.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{ErrorAnalysis, Fault, Item, Kind};
use crate::metric::ScoreOptions;
use crate::{Document, Span};

/// The kind of a number: from a bound to the next.
fn range(n: usize, bounds: &[usize]) -> Kind {
    let at = bounds.iter().rposition(|&b| b <= n).unwrap_or(0);
    let name = match (bounds[at], bounds.get(at + 1)) {
        (from, Some(&next)) if next == from + 1 => format!("{from}"),
        (from, Some(next)) => format!("{from}–{}", next - 1),
        (from, None) => format!("{from} and more"),
    };
    (at, name)
}

const LENGTHS: [usize; 6] = [1, 2, 3, 4, 6, 9];
const SENTENCES: [usize; 5] = [0, 1, 2, 3, 6];
const TOKENS: [usize; 6] = [0, 10, 25, 50, 99, 200];

/// An entity of the gold, or a mention that is of none.
type Argument = Result<usize, Span>;

/// By arguments, each label with the spans and the score of its first statement.
type Facts = BTreeMap<(Argument, Argument), Vec<(String, [Span; 2], Option<f32>)>>;

/// A gold document and its prediction.
pub(super) struct Compared<'a> {
    pub(super) gold: &'a Document,
    pub(super) predicted: &'a Document,
    pub(super) document: usize,
    pub(super) options: &'a ScoreOptions,
}

impl Compared<'_> {
    fn item(&self, fault: Fault, spans: Vec<Span>) -> Item {
        Item {
            fault,
            document: self.document,
            spans,
            other: None,
            gold: None,
            predicted: None,
            score: None,
        }
    }

    fn knows(&self, label: &str) -> bool {
        self.options.known_labels.as_ref().is_none_or(|known| known.contains(label))
    }

    pub(super) fn spans(&self, gold_layer: &str, layer: &str, analysis: &mut ErrorAnalysis) {
        let gold: BTreeMap<Span, &str> = self
            .gold
            .labelled(gold_layer)
            .map(|(s, l)| (s, l.label.as_str()))
            .filter(|(_, label)| self.knows(label))
            .collect();
        let predicted: BTreeMap<Span, (&str, Option<f32>)> = self
            .predicted
            .labelled(layer)
            .map(|(s, l)| (s, (l.label.as_str(), l.score)))
            .filter(|(s, l)| gold.contains_key(s) || self.gold.covers(gold_layer, l.0))
            .collect();
        for (&span, &label) in &gold {
            let found = predicted.get(&span).map(|p| p.0);
            let right = found == Some(label);
            let depth = gold.keys().filter(|outer| **outer != span && holds(outer, &span)).count();
            let nesting = match depth {
                0 if gold.keys().any(|inner| *inner != span && holds(&span, inner)) => {
                    (1, "holds others")
                }
                0 => (0, "alone"),
                _ => (2, "within another"),
            };
            analysis.count("By label", (0, label.to_owned()), right);
            analysis.count("By length in tokens", range(span.last - span.first, &LENGTHS), right);
            analysis.count("By nesting", (nesting.0, nesting.1.to_owned()), right);
            analysis.confuse(Some(label), found);
            if right {
                continue;
            }
            let mut item = self.item(Fault::Missed, vec![span]);
            item.gold = Some(label.to_owned());
            if let Some(&(label, score)) = predicted.get(&span) {
                item.fault = Fault::Label;
                (item.predicted, item.score) = (Some(label.to_owned()), score);
            } else if let Some((&other, &(label, score))) = predicted
                .iter()
                .find(|(p, l)| overlaps(p, &span) && l.0 == label && !gold.contains_key(p))
            {
                item.fault = Fault::Boundary;
                item.other = Some(other);
                (item.predicted, item.score) = (Some(label.to_owned()), score);
            }
            analysis.items.push(item);
        }
        for (&span, &(label, score)) in predicted.iter().filter(|(s, _)| !gold.contains_key(s)) {
            analysis.confuse(None, Some(label));
            let explained = gold
                .iter()
                .any(|(g, l)| overlaps(g, &span) && *l == label && !predicted.contains_key(g));
            if !explained {
                let mut item = self.item(Fault::Spurious, vec![span]);
                (item.predicted, item.score) = (Some(label.to_owned()), score);
                analysis.items.push(item);
            }
        }
    }

    /// Relations between entities where the gold has them: one fact, however often it is stated.
    pub(super) fn relations(&self, gold_layer: &str, layer: &str, analysis: &mut ErrorAnalysis) {
        let entity = self.options.entities(self.gold);
        let of = |span: Span| entity.get(&span).copied().ok_or(span);
        let facts = |doc: &Document, layer: &str| {
            let mut facts = Facts::new();
            for r in doc.relations.iter().filter(|r| r.task == layer) {
                let [head, tail] = [r.head, r.tail].map(|m| doc.mentions[m].span());
                // Each argument with its span, so that both change places together.
                let ((from, head), (to, tail)) =
                    self.options.ordered(&r.label, (of(head), head), (of(tail), tail));
                let list = facts.entry((from, to)).or_default();
                if !list.iter().any(|(label, ..)| *label == r.label) {
                    list.push((r.label.clone(), [head, tail], r.score));
                }
            }
            facts
        };
        let (gold, predicted) = (facts(self.gold, gold_layer), facts(self.predicted, layer));
        let found: HashSet<Argument> =
            self.predicted.mentions.iter().map(|m| of(m.span())).collect();
        let has = |key: &(Argument, Argument), label: &str| {
            predicted.get(key).is_some_and(|l| l.iter().any(|(known, ..)| known == label))
        };
        for (key, list) in &gold {
            for (label, spans, _) in list.iter().filter(|(label, ..)| self.knows(label)) {
                let right = has(key, label);
                let others = predicted.get(key).map_or(&[][..], Vec::as_slice);
                let wrong =
                    others.iter().find(|(other, ..)| !list.iter().any(|(l, ..)| l == other));
                analysis.count("By label", (0, label.clone()), right);
                let apart = self.sentences_apart(spans);
                analysis.count("By sentences apart", range(apart, &SENTENCES), right);
                let predicted = if right { Some(label) } else { wrong.map(|w| &w.0) };
                analysis.confuse(Some(label), predicted.map(String::as_str));
                if right {
                    continue;
                }
                let mut item = self.item(Fault::Missed, spans.to_vec());
                item.gold = Some(label.clone());
                if let Some((other, _, score)) = wrong {
                    item.fault = Fault::Label;
                    (item.predicted, item.score) = (Some(other.clone()), *score);
                } else if has(&(key.1, key.0), label) {
                    item.fault = Fault::Direction;
                } else if !found.contains(&key.0) || !found.contains(&key.1) {
                    item.fault = Fault::Argument;
                }
                analysis.items.push(item);
            }
        }
        for (key, list) in &predicted {
            let known = gold.get(key).map_or(&[][..], Vec::as_slice);
            for (label, spans, score) in list {
                let right = known.iter().any(|(l, ..)| l == label);
                if right || !self.gold.covers(gold_layer, label) {
                    continue;
                }
                if known.is_empty() {
                    analysis.confuse(None, Some(label));
                }
                let mut item = self.item(Fault::Spurious, spans.to_vec());
                (item.predicted, item.score) = (Some(label.clone()), *score);
                analysis.items.push(item);
            }
        }
    }

    /// Links of each mention to the one before it of its entity.
    pub(super) fn coreference(&self, singletons: bool, analysis: &mut ErrorAnalysis) {
        let clusters = |doc: &Document| -> HashMap<Span, (usize, Option<Span>)> {
            let mut found = HashMap::new();
            let counted = doc.cluster_spans().into_iter().filter(|c| singletons || c.len() > 1);
            for (c, spans) in counted.enumerate() {
                for (at, &span) in spans.iter().enumerate() {
                    found.insert(span, (c, at.checked_sub(1).map(|before| spans[before])));
                }
            }
            found
        };
        let (gold, predicted) = (clusters(self.gold), clusters(self.predicted));
        let joined = |known: &HashMap<Span, (usize, Option<Span>)>, a: Span, b: Span| matches!((known.get(&a), known.get(&b)), (Some(a), Some(b)) if a.0 == b.0);
        for (&span, &(_, before)) in &gold {
            let found = predicted.contains_key(&span);
            analysis.count(
                "Mentions by length in tokens",
                range(span.last - span.first, &LENGTHS),
                found,
            );
            if !found {
                analysis.items.push(self.item(Fault::Missed, vec![span]));
            }
            let Some(before) = before else { continue };
            let right = joined(&predicted, span, before);
            let distance = span.first.saturating_sub(before.last);
            analysis.count("Links by distance in tokens", range(distance, &TOKENS), right);
            if found && !right && predicted.contains_key(&before) {
                analysis.items.push(self.item(Fault::Split, vec![span, before]));
            }
        }
        for (&span, &(_, before)) in &predicted {
            if !gold.contains_key(&span) {
                analysis.items.push(self.item(Fault::Spurious, vec![span]));
            } else if let Some(before) = before.filter(|b| gold.contains_key(b))
                && !joined(&gold, span, before)
            {
                analysis.items.push(self.item(Fault::Joined, vec![span, before]));
            }
        }
    }

    /// How many sentences lie between the nearest mentions of two gold entities.
    fn sentences_apart(&self, spans: &[Span; 2]) -> usize {
        let sentence = |span: &Span| {
            self.gold.sentences.iter().position(|s| span.first < s.last_token).unwrap_or_default()
        };
        let mentions = |span: &Span| -> Vec<usize> {
            let own = self.gold.mentions.iter().find(|m| m.span() == *span).and_then(|m| m.cluster);
            match own {
                Some(cluster) => self.gold.cluster_spans()[cluster].iter().map(sentence).collect(),
                None => vec![sentence(span)],
            }
        };
        let (heads, tails) = (mentions(&spans[0]), mentions(&spans[1]));
        let pairs = heads.iter().flat_map(|h| tails.iter().map(move |t| h.abs_diff(*t)));
        pairs.min().unwrap_or_default()
    }
}

fn holds(outer: &Span, inner: &Span) -> bool {
    outer.first <= inner.first && inner.last <= outer.last
}

fn overlaps(a: &Span, b: &Span) -> bool {
    a.first < b.last && b.first < a.last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_name_their_bounds() {
        let names: Vec<String> =
            [1, 3, 4, 5, 8, 30].iter().map(|&n| range(n, &LENGTHS).1).collect();
        assert_eq!(names, ["1", "3", "4–5", "4–5", "6–8", "9 and more"]);
    }
}
