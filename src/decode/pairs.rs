//! Candidate pairs of mentions.

use std::collections::HashMap;
use std::ops::Range;

use super::TypePairs;
use crate::Span;

/// Two mentions, by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MentionPair {
    pub head: usize,
    pub tail: usize,
    pub sentences_apart: usize,
}

/// Ordered pairs of mentions of two different entities of a document, at most some sentences apart,
/// and the entity pair each belongs to.
#[derive(Debug)]
pub struct EntityPairs {
    mentions: Vec<MentionPair>,
    group: Vec<i64>,
    entities: Vec<(usize, usize)>,
    spans: Vec<Span>,
}

impl EntityPairs {
    /// `mentions` are spans and types, `entity` gives each its entity; `sentences` and `documents`
    /// are token ranges in order. Only types are paired that `types` says may be related, if it is
    /// given.
    pub fn new(
        mentions: &[(Span, usize)],
        entity: &[usize],
        [sentences, documents]: [&[Range<usize>]; 2],
        max_sentences: usize,
        types: Option<&TypePairs>,
    ) -> Self {
        let may_relate = |head: usize, tail: usize| {
            types.is_none_or(|types| types.may_relate(mentions[head].1, mentions[tail].1))
        };
        let place_in = |parts: &[Range<usize>]| -> Vec<usize> {
            let place = |(span, _): &(Span, usize)| parts.partition_point(|p| p.end <= span.first);
            mentions.iter().map(place).collect()
        };
        let (sentence_of, document_of) = (place_in(sentences), place_in(documents));
        // In text order, so that for each mention only its neighbourhood is looked at.
        let mut order: Vec<usize> = (0..mentions.len()).collect();
        order.sort_by_key(|&m| mentions[m].0);
        let mut pairs = Self {
            mentions: Vec::new(),
            group: Vec::new(),
            entities: Vec::new(),
            spans: mentions.iter().map(|m| m.0).collect(),
        };
        let mut index = HashMap::new();
        for (at, &a) in order.iter().enumerate() {
            for &b in &order[at + 1..] {
                let sentences_apart = sentence_of[b] - sentence_of[a];
                if sentences_apart > max_sentences || document_of[a] != document_of[b] {
                    break;
                }
                if entity[a] == entity[b] {
                    continue;
                }
                let directions = [(a, b), (b, a)].into_iter();
                for (head, tail) in directions.filter(|&(head, tail)| may_relate(head, tail)) {
                    let key = (entity[head], entity[tail]);
                    let group = *index.entry(key).or_insert_with(|| {
                        pairs.entities.push(key);
                        pairs.entities.len() - 1
                    });
                    pairs.mentions.push(MentionPair { head, tail, sentences_apart });
                    pairs.group.push(group as i64);
                }
            }
        }
        pairs
    }

    /// The number of mention pairs.
    pub fn len(&self) -> usize {
        self.mentions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.mentions.is_empty()
    }

    pub fn mention_pairs(&self) -> &[MentionPair] {
        &self.mentions
    }

    /// For each mention pair, the index of its entity pair.
    pub fn group(&self) -> &[i64] {
        &self.group
    }

    /// Whether mention `a` stands before mention `b` in the text.
    pub fn is_before(&self, a: usize, b: usize) -> bool {
        self.spans[a] < self.spans[b]
    }

    /// The entity pairs, as (head entity, tail entity).
    pub fn entities(&self) -> &[(usize, usize)] {
        &self.entities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_join_different_entities_within_the_sentence_limit() {
        let mentions: Vec<_> = [(0, 1), (2, 3), (5, 6), (9, 10)]
            .map(|(first, last)| (Span::new(first, last), 0))
            .to_vec();
        let places = [&[0..4, 4..8, 8..12][..], std::slice::from_ref(&(0..12))];
        let pairs = EntityPairs::new(&mentions, &[0, 1, 0, 2], places, 1, None);
        let found: Vec<_> = pairs.mention_pairs().iter().map(|p| (p.head, p.tail)).collect();
        assert_eq!(found, [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]);
        assert_eq!(pairs.entities(), [(0, 1), (1, 0), (0, 2), (2, 0)]);
        assert_eq!(pairs.group(), [0, 1, 1, 0, 2, 3]);
    }

    #[test]
    fn pairs_are_inside_a_document() {
        let mentions: Vec<_> =
            [0, 2, 4, 6].iter().map(|&first| (Span::new(first, first + 1), 0)).collect();
        let places = [&[0..4, 4..8][..], &[0..4, 4..8]];
        let pairs = EntityPairs::new(&mentions, &[0, 1, 2, 3], places, 9, None);
        let found: Vec<_> = pairs.mention_pairs().iter().map(|p| (p.head, p.tail)).collect();
        assert_eq!(found, [(0, 1), (1, 0), (2, 3), (3, 2)]);
    }

    #[test]
    fn types_that_no_label_allows_are_not_paired() {
        let mentions: Vec<_> =
            [0, 1, 0].iter().enumerate().map(|(at, &of)| (Span::new(at, at + 1), of)).collect();
        let types = TypePairs::from_counts(&[0.0, 1.0, 0.0, 0.0], 2, 1, 1, &[false]);
        let sentence = std::slice::from_ref(&(0..3));
        let pairs = EntityPairs::new(&mentions, &[0, 1, 2], [sentence; 2], 0, Some(&types));
        let found: Vec<_> = pairs.mention_pairs().iter().map(|p| (p.head, p.tail)).collect();
        assert_eq!(found, [(0, 1), (2, 1)]);
    }
}
