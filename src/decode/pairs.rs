//! Candidate pairs of mentions, and which mentions name the same entity.

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

/// Groups mentions by name: the same tokens under the same label, and a single token that is the
/// last of a longer name before it ("Schneider" after "Willi Schneider").
pub fn name_groups(mentions: &[(Span, usize)], keys: &[i64]) -> Vec<usize> {
    let mut by_name: HashMap<(&[i64], usize), usize> = HashMap::new();
    let mut by_last: HashMap<(i64, usize), usize> = HashMap::new();
    let mut order: Vec<usize> = (0..mentions.len()).collect();
    order.sort_by_key(|&m| mentions[m].0);
    let mut groups = vec![0; mentions.len()];
    for (next, m) in order.into_iter().enumerate() {
        let (span, label) = mentions[m];
        let name = &keys[span.first..span.last];
        let last = (name[name.len() - 1], label);
        let alias = if name.len() == 1 { by_last.get(&last).copied() } else { None };
        let group = *by_name.entry((name, label)).or_insert(alias.unwrap_or(next));
        if name.len() > 1 {
            by_last.insert(last, group);
        }
        groups[m] = group;
    }
    groups
}

/// Joins the groups of mentions of one type that a cluster joins. A mention is in a cluster as it
/// stands, or with one more token before it: "the University of Oslo" is "University of Oslo".
pub fn join_clusters(groups: &mut [usize], mentions: &[(Span, usize)], clusters: &[Vec<Span>]) {
    let cluster_of: HashMap<Span, usize> = clusters
        .iter()
        .enumerate()
        .flat_map(|(c, spans)| spans.iter().map(move |s| (*s, c)))
        .collect();
    let mut first: HashMap<(usize, usize), usize> = HashMap::new();
    for (m, &(span, label)) in mentions.iter().enumerate() {
        let longer = span.first.checked_sub(1).map(|first| Span::new(first, span.last));
        let cluster = cluster_of.get(&span).or_else(|| cluster_of.get(&longer?));
        let Some(&cluster) = cluster else { continue };
        let (from, to) = (groups[m], groups[*first.entry((cluster, label)).or_insert(m)]);
        groups.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_entity_and_its_last_token_alone_too() {
        // Willi Schneider ... Schneider ... Berlin ... Willi Schneider
        let keys = [1, 2, 9, 2, 9, 3, 9, 1, 2];
        let mentions: Vec<_> = [(0, 2), (3, 4), (5, 6), (7, 9)]
            .map(|(first, last)| (Span::new(first, last), 0))
            .to_vec();
        assert_eq!(name_groups(&mentions, &keys), [0, 0, 2, 0]);
    }

    #[test]
    fn clusters_join_names_of_one_type_with_or_without_a_token_before() {
        let mentions = [(1, 3, 0), (4, 5, 0), (6, 7, 1), (8, 9, 0), (10, 11, 0)]
            .map(|(first, last, label)| (Span::new(first, last), label));
        let clusters =
            [vec![Span::new(0, 3), Span::new(4, 5), Span::new(6, 7)], vec![Span::new(6, 9)]];
        // The last two share a name; the cluster joins one of them through the other.
        let mut groups = vec![0, 1, 2, 3, 3];
        join_clusters(&mut groups, &mentions, &clusters);
        assert_eq!(groups, [0, 0, 2, 3, 3]);
        join_clusters(&mut groups, &mentions, &[vec![Span::new(1, 3), Span::new(10, 11)]]);
        assert_eq!(groups, [0, 0, 2, 0, 0]);
    }

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
