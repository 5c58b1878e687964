//! Antecedents to clusters.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::Span;

/// Scores past this are as good as sure; their exponents stay far from the limits.
const SURE: f32 = 60.0;

/// Clusters of spans that grow span by span, in text order.
#[derive(Debug)]
pub struct Clustering<'a> {
    spans: &'a [Span],
    /// Of each span so far, the first span of its cluster.
    first: Vec<usize>,
    names: HashSet<Span>,
    /// Numbers of the words of all tokens.
    keys: &'a [i64],
    /// What the clusters are called, by their first spans: few names, however often they are used.
    called: HashMap<usize, BTreeSet<&'a [i64]>>,
}

impl<'a> Clustering<'a> {
    /// None of `spans`, which stand in text order, is taken yet.
    pub fn new(spans: &'a [Span]) -> Self {
        let first = Vec::with_capacity(spans.len());
        Self { spans, first, names: HashSet::new(), keys: &[], called: HashMap::new() }
    }

    /// A span of `names` of several words, or one token more, votes for no cluster with such a name whose names share no word
    /// with it. `keys` are numbers of the words of all tokens.
    pub fn with_names(self, names: &[Span], keys: &'a [i64]) -> Self {
        Self { names: names.iter().copied().collect(), keys, ..self }
    }

    /// Takes the next span, joined to an earlier one or alone.
    pub fn link(&mut self, antecedent: Option<usize>) {
        let span = self.first.len();
        self.first.push(antecedent.filter(|&a| a < span).map_or(span, |a| self.first[a]));
    }

    /// Takes the next span, joined to the cluster whose members are its antecedents most likely, or
    /// alone if none is likelier than `none_score` says.
    ///
    /// With `s(i, j)` the scores of the antecedents and `s(i, none) = 0` the model says that span
    /// `i` belongs to cluster `c` with the odds `sum_{j in c} e^{s(i, j)}` against belonging to
    /// none: what its training maximizes for the gold cluster. So `log sum` is compared.
    ///
    /// A cluster with a span that begins where this one begins is left out: "her" is not "her
    /// brother", however well their other mentions go together. So is one of other names
    /// ([`Self::with_names`]): the next in a list is someone else.
    pub fn vote(&mut self, scores: &[f32], antecedents: &[i64], none_score: f64) {
        let span = self.first.len();
        let begin = self.spans[span].first;
        let beside = self.spans[..span].iter().rev().take_while(|s| s.first == begin).count();
        let mut odds: HashMap<usize, f64> = HashMap::new();
        for (&score, &antecedent) in scores.iter().zip(antecedents) {
            if let Some(&cluster) = self.first.get(antecedent as usize) {
                *odds.entry(cluster).or_default() += f64::from(score.clamp(-SURE, SURE)).exp();
            }
        }
        for cluster in &self.first[span - beside..] {
            odds.remove(cluster);
        }
        let name = self.name(self.spans[span]);
        if let Some(name) = name.filter(is_full) {
            odds.retain(|cluster, _| self.may_be_called(*cluster, name));
        }
        // Of clusters that are as likely the latest, so that nothing hangs on the map's order.
        let best = odds.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let best = best.filter(|(_, odds)| odds.ln() > none_score);
        let cluster = best.map_or(span, |(cluster, _)| cluster);
        self.first.push(cluster);
        if let Some(name) = name {
            self.called.entry(cluster).or_default().insert(name);
        }
    }

    fn name(&self, span: Span) -> Option<&'a [i64]> {
        let rest = Span::new(span.first + 1, span.last);
        let name = [span, rest].into_iter().find(|span| self.names.contains(span))?;
        Some(&self.keys[name.first..name.last])
    }

    fn may_be_called(&self, cluster: usize, name: &[i64]) -> bool {
        let Some(names) = self.called.get(&cluster) else { return true };
        !names.iter().any(is_full) || names.iter().any(|other| share_a_word(name, other))
    }

    /// The groups of at least two spans, each in text order, by their first span.
    pub fn groups(&self) -> Vec<Vec<Span>> {
        let mut groups = vec![Vec::new(); self.spans.len()];
        for (span, &cluster) in self.spans.iter().zip(&self.first) {
            groups[cluster].push(*span);
        }
        groups.retain(|g| g.len() > 1);
        for group in &mut groups {
            group.sort_unstable();
        }
        groups.sort();
        groups
    }
}

/// Whether a name has a first and a last word.
fn is_full(name: &&[i64]) -> bool {
    name.len() > 1
}

/// Two full names need more in common than their first words: "Mr. Weston" is not "Mr. Knightley".
fn share_a_word(a: &[i64], b: &[i64]) -> bool {
    let are_full = is_full(&a) && is_full(&b);
    let mut pairs = a.iter().enumerate().flat_map(|a| b.iter().enumerate().map(move |b| (a, b)));
    pairs.any(|((i, a), (j, b))| a == b && !(are_full && i == 0 && j == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans of one token each, one after the other.
    fn spans(n: usize) -> Vec<Span> {
        (0..n).map(|i| Span::new(i, i + 1)).collect()
    }

    fn firsts(clustering: &Clustering) -> Vec<Vec<usize>> {
        clustering.groups().iter().map(|c| c.iter().map(|s| s.first).collect()).collect()
    }

    #[test]
    fn links_are_transitive_and_lone_spans_left_out() {
        let spans = spans(5);
        let mut clustering = Clustering::new(&spans);
        [None, None, Some(0), Some(2), Some(1)].iter().for_each(|&a| clustering.link(a));
        assert_eq!(firsts(&clustering), [vec![0, 2, 3], vec![1, 4]]);
    }

    #[test]
    fn members_of_a_cluster_vote_together() {
        let spans = spans(6);
        let mut clustering = Clustering::new(&spans);
        [None, None, Some(0)].iter().for_each(|&a| clustering.link(a));
        // Span 1 is the best antecedent, and yet spans 0 and 2 together are likelier.
        clustering.vote(&[1.0, 1.2, 1.0, 9.0], &[0, 1, 2, 3], 0.0);
        assert_eq!(firsts(&clustering), [vec![0, 2, 3]]);
        // Neither is as likely as none must be outdone by.
        clustering.vote(&[1.0, 1.2, 1.0, -80.0], &[0, 1, 2, 4], 2.0);
        assert_eq!(firsts(&clustering), [vec![0, 2, 3]]);
        clustering.vote(&[1.0, 1.2, 1.0], &[0, 1, 2], 1.6);
        assert_eq!(firsts(&clustering), [vec![0, 2, 3, 5]]);
    }

    #[test]
    fn a_span_joins_no_cluster_of_one_that_begins_with_it() {
        // Anna; her brother, with "her" inside; his; another "her brother".
        let spans = [(0, 1), (2, 3), (2, 4), (5, 6), (7, 9)].map(|(a, b)| Span::new(a, b));
        let mut clustering = Clustering::new(&spans);
        [None, Some(0)].iter().for_each(|&a| clustering.link(a));
        clustering.vote(&[5.0, -9.0], &[0, 1], 0.0);
        clustering.vote(&[-1.0, 1.0], &[0, 2], 0.0);
        clustering.vote(&[-1.0, 4.0], &[0, 2], 0.0);
        let found = clustering.groups();
        assert_eq!(found, [spans[..2].to_vec(), spans[2..].to_vec()]);
    }

    #[test]
    fn a_full_name_joins_no_cluster_of_other_full_names() {
        let text = "Steve Jobs , he , Steve Wozniak , Steven Paul Jobs , Mr. Jobs , Wozniak , Tim Cook , she";
        let words: Vec<&str> = text.split(' ').collect();
        let key = |word: &&str| words.iter().position(|other| other == word).unwrap() as i64;
        let keys: Vec<i64> = words.iter().map(key).collect();
        let spans = [(0, 2), (3, 4), (5, 7), (8, 11), (12, 14), (15, 16), (17, 19), (20, 21)]
            .map(|(a, b)| Span::new(a, b));
        // Without a cluster or in that of the first, to which all are drawn.
        let found = |names: &[Span]| {
            let mut clustering = Clustering::new(&spans).with_names(names, &keys);
            spans.iter().for_each(|_| clustering.vote(&[2.0, 1.0], &[0, 2], 0.0));
            let show = |s: &Span| words[s.first..s.last].join(" ");
            clustering.groups()[0].iter().map(show).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(found(&[]), text.replace(" ,", ","));
        // "Mr." is not of the name; "Wozniak" alone may be anyone.
        let names = [spans[0], spans[2], spans[3], Span::new(13, 14), spans[5], spans[6]];
        assert_eq!(found(&names), "Steve Jobs, he, Steven Paul Jobs, Mr. Jobs, Wozniak, she");
    }
}
