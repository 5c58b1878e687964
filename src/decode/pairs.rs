//! Candidate pairs of mentions, and which mentions name the same entity.

use std::collections::HashMap;
use std::ops::Range;

use crate::Span;

/// Two mentions, by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MentionPair {
    pub head: usize,
    pub tail: usize,
    pub sentences_apart: usize,
}

/// Calls `found` with each two mentions at most some sentences apart, in text order.
fn neighbours(
    mentions: &[(Span, usize)],
    sentences: &[Range<usize>],
    max_sentences: usize,
    mut found: impl FnMut(usize, usize, usize),
) {
    let sentence_of: Vec<usize> = mentions
        .iter()
        .map(|(span, _)| sentences.partition_point(|s| s.end <= span.first))
        .collect();
    // In text order, so that for each mention only its neighbourhood is looked at.
    let mut order: Vec<usize> = (0..mentions.len()).collect();
    order.sort_by_key(|&m| mentions[m].0);
    for (at, &a) in order.iter().enumerate() {
        for &b in &order[at + 1..] {
            let apart = sentence_of[b] - sentence_of[a];
            if apart > max_sentences {
                break;
            }
            found(a, b, apart);
        }
    }
}

/// Pairs of mentions of one label but two groups, the earlier first: perhaps one entity.
pub fn alias_pairs(
    mentions: &[(Span, usize)],
    group: &[usize],
    sentences: &[Range<usize>],
    max_sentences: usize,
) -> Vec<MentionPair> {
    let mut pairs = Vec::new();
    neighbours(mentions, sentences, max_sentences, |head, tail, sentences_apart| {
        if group[head] != group[tail] && mentions[head].1 == mentions[tail].1 {
            pairs.push(MentionPair { head, tail, sentences_apart });
        }
    });
    pairs
}

/// Ordered pairs of mentions of two different entities, at most some sentences apart, and the
/// entity pair each belongs to.
#[derive(Debug)]
pub struct EntityPairs {
    mentions: Vec<MentionPair>,
    group: Vec<i64>,
    entities: Vec<(usize, usize)>,
}

impl EntityPairs {
    /// `entity` gives each mention its entity; `sentences` are token ranges in order.
    pub fn new(
        mentions: &[(Span, usize)],
        entity: &[usize],
        sentences: &[Range<usize>],
        max_sentences: usize,
    ) -> Self {
        let mut pairs = Self { mentions: Vec::new(), group: Vec::new(), entities: Vec::new() };
        let mut index = HashMap::new();
        neighbours(mentions, sentences, max_sentences, |a, b, sentences_apart| {
            if entity[a] == entity[b] {
                return;
            }
            for (head, tail) in [(a, b), (b, a)] {
                let key = (entity[head], entity[tail]);
                let group = *index.entry(key).or_insert_with(|| {
                    pairs.entities.push(key);
                    pairs.entities.len() - 1
                });
                pairs.mentions.push(MentionPair { head, tail, sentences_apart });
                pairs.group.push(group as i64);
            }
        });
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

    /// The entity pairs, as (head entity, tail entity).
    pub fn entities(&self) -> &[(usize, usize)] {
        &self.entities
    }
}

/// Groups of mentions that grow together (disjoint sets).
#[derive(Debug)]
pub struct Groups {
    /// The group of each mention as it was, and of each group the one it was joined to.
    group: Vec<usize>,
    parent: HashMap<usize, usize>,
}

impl Groups {
    pub fn new(group: Vec<usize>) -> Self {
        Self { group, parent: HashMap::new() }
    }

    fn root(&self, mention: usize) -> usize {
        let mut group = self.group[mention];
        while let Some(&parent) = self.parent.get(&group) {
            group = parent;
        }
        group
    }

    /// Joins the groups of two mentions.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parent.insert(a.max(b), a.min(b));
        }
    }

    /// The group of each mention.
    pub fn finish(self) -> Vec<usize> {
        (0..self.group.len()).map(|m| self.root(m)).collect()
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
    fn names_that_are_the_same_join_their_groups() {
        let mentions: Vec<_> = [(0, 0), (1, 0), (2, 1), (3, 0)]
            .map(|(at, label)| (Span::new(at, at + 1), label))
            .to_vec();
        let pairs = alias_pairs(&mentions, &[0, 1, 2, 0], std::slice::from_ref(&(0..4)), 0);
        let found: Vec<_> = pairs.iter().map(|p| (p.head, p.tail)).collect();
        assert_eq!(found, [(0, 1), (1, 3)]);
        let mut groups = Groups::new(vec![0, 1, 2, 0, 4]);
        groups.join(4, 1);
        groups.join(3, 4);
        assert_eq!(groups.finish(), [0, 0, 2, 0, 0]);
    }

    #[test]
    fn pairs_join_different_entities_within_the_sentence_limit() {
        let mentions: Vec<_> = [(0, 1), (2, 3), (5, 6), (9, 10)]
            .map(|(first, last)| (Span::new(first, last), 0))
            .to_vec();
        let pairs = EntityPairs::new(&mentions, &[0, 1, 0, 2], &[0..4, 4..8, 8..12], 1);
        let found: Vec<_> = pairs.mention_pairs().iter().map(|p| (p.head, p.tail)).collect();
        assert_eq!(found, [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]);
        assert_eq!(pairs.entities(), [(0, 1), (1, 0), (0, 2), (2, 0)]);
        assert_eq!(pairs.group(), [0, 1, 1, 0, 2, 3]);
    }
}
