//! Antecedents to clusters.

use std::collections::HashMap;

use crate::Span;

/// Scores past this are as good as sure; their exponents stay far from the limits.
const SURE: f32 = 60.0;

/// Clusters that grow span by span, in text order.
#[derive(Debug, Default)]
pub struct Clustering {
    /// Of each span so far, the first span of its cluster.
    first: Vec<usize>,
}

impl Clustering {
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
    pub fn vote(&mut self, scores: &[f32], antecedents: &[i64], none_score: f64) {
        let span = self.first.len();
        let mut odds: HashMap<usize, f64> = HashMap::new();
        for (&score, &antecedent) in scores.iter().zip(antecedents) {
            if let Some(&cluster) = self.first.get(antecedent as usize) {
                *odds.entry(cluster).or_default() += f64::from(score.clamp(-SURE, SURE)).exp();
            }
        }
        // Of clusters that are as likely the latest, so that nothing hangs on the map's order.
        let best = odds.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let best = best.filter(|(_, odds)| odds.ln() > none_score);
        self.first.push(best.map_or(span, |(cluster, _)| cluster));
    }

    /// The groups of at least two of these spans, each in text order, by their first span.
    pub fn groups(&self, spans: &[Span]) -> Vec<Vec<Span>> {
        let mut groups = vec![Vec::new(); spans.len()];
        for (span, &cluster) in spans.iter().zip(&self.first) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(clustering: &Clustering) -> Vec<Vec<usize>> {
        let spans: Vec<Span> = (0..clustering.first.len()).map(|i| Span::new(i, i + 1)).collect();
        let firsts = |c: &Vec<Span>| c.iter().map(|s| s.first).collect();
        clustering.groups(&spans).iter().map(firsts).collect()
    }

    #[test]
    fn links_are_transitive_and_lone_spans_left_out() {
        let mut clustering = Clustering::default();
        [None, None, Some(0), Some(2), Some(1)].iter().for_each(|&a| clustering.link(a));
        assert_eq!(groups(&clustering), [vec![0, 2, 3], vec![1, 4]]);
    }

    #[test]
    fn members_of_a_cluster_vote_together() {
        let mut clustering = Clustering::default();
        [None, None, Some(0)].iter().for_each(|&a| clustering.link(a));
        // Span 1 is the best antecedent, and yet spans 0 and 2 together are likelier.
        clustering.vote(&[1.0, 1.2, 1.0, 9.0], &[0, 1, 2, 3], 0.0);
        assert_eq!(groups(&clustering), [vec![0, 2, 3]]);
        // Neither is as likely as none must be outdone by.
        clustering.vote(&[1.0, 1.2, 1.0, -80.0], &[0, 1, 2, 4], 2.0);
        assert_eq!(groups(&clustering), [vec![0, 2, 3]]);
        clustering.vote(&[1.0, 1.2, 1.0], &[0, 1, 2], 1.6);
        assert_eq!(groups(&clustering), [vec![0, 2, 3, 5]]);
    }
}
