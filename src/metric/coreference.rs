//! Coreference scores as the official scorer defines them (Pradhan et al., ACL 2014): MUC, B3,
//! CEAF with entity and mention similarity, BLANC, and LEA (Moosavi and Strube, ACL 2016).
//!
//! Counts are pooled over documents. The average of the F1 of MUC, B3 and CEAFe is the figure that
//! papers report.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pathfinding::prelude::{Matrix, kuhn_munkres};
use serde_json::json;

use super::blanc::Blanc;
use super::{Counts, Score};
use crate::Span;

/// CEAF's similarities as integers, which the assignment needs.
const SCALE: f64 = 1e9;

/// A share for recall and one for precision, each as sum and maximum.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    recall: (f64, f64),
    precision: (f64, f64),
}

impl Shares {
    fn recall(&self) -> f64 {
        share(self.recall)
    }

    fn precision(&self) -> f64 {
        share(self.precision)
    }

    fn f1(&self) -> f64 {
        let (r, p) = (self.recall(), self.precision());
        if r + p == 0.0 { 0.0 } else { 2.0 * r * p / (r + p) }
    }

    fn json(&self) -> serde_json::Value {
        json!({"precision": self.precision(), "recall": self.recall(), "f1": self.f1()})
    }
}

fn share((sum, most): (f64, f64)) -> f64 {
    if most == 0.0 { 0.0 } else { sum / most }
}

/// Sums over documents; see the module.
#[derive(Clone, Debug, Default)]
pub struct CoreferenceCounts {
    muc: Shares,
    b_cubed: Shares,
    ceaf_e: Shares,
    ceaf_m: Shares,
    lea: Shares,
    blanc: Blanc,
    mentions: Counts,
}

impl CoreferenceCounts {
    /// Adds the clusters of a document. A mention that stands in several clusters counts in the
    /// first.
    pub fn add(&mut self, gold: &[Vec<Span>], predicted: &[Vec<Span>]) {
        let (gold, predicted) = (distinct(gold), distinct(predicted));
        let (in_gold, in_predicted) = (cluster_of(&gold), cluster_of(&predicted));
        let add = |shares: &mut Shares, side: fn(&[Vec<Span>], &Clustering) -> (f64, f64)| {
            let (sum, most) = side(&gold, &in_predicted);
            shares.recall = (shares.recall.0 + sum, shares.recall.1 + most);
            let (sum, most) = side(&predicted, &in_gold);
            shares.precision = (shares.precision.0 + sum, shares.precision.1 + most);
        };
        add(&mut self.muc, muc);
        add(&mut self.b_cubed, b_cubed);
        add(&mut self.lea, lea);

        let overlaps = overlaps(&gold, &in_predicted);
        let size = |c: &[Vec<Span>]| c.iter().map(Vec::len).sum::<usize>() as f64;
        let by_mention = best_alignment(&overlaps, |_, _, n| n as f64);
        let by_entity = best_alignment(&overlaps, |g, p, n| {
            2.0 * n as f64 / (gold[g].len() + predicted[p].len()) as f64
        });
        let ceaf = |shares: &mut Shares, sum: f64, gold: f64, predicted: f64| {
            shares.recall = (shares.recall.0 + sum, shares.recall.1 + gold);
            shares.precision = (shares.precision.0 + sum, shares.precision.1 + predicted);
        };
        ceaf(&mut self.ceaf_m, by_mention, size(&gold), size(&predicted));
        ceaf(&mut self.ceaf_e, by_entity, gold.len() as f64, predicted.len() as f64);
        let sizes = |c: &[Vec<Span>]| c.iter().map(Vec::len).collect::<Vec<_>>();
        self.blanc.add(&sizes(&gold), &sizes(&predicted), &overlaps);
        let set = |c: &Clustering| c.keys().copied().collect::<BTreeSet<Span>>();
        self.mentions.add(&set(&in_gold), &set(&in_predicted));
    }

    /// The average of MUC, B3 and CEAFe, and everything else.
    pub fn score(&self, singletons: bool) -> Score {
        let average = (self.muc.f1() + self.b_cubed.f1() + self.ceaf_e.f1()) / 3.0;
        let details = json!({
            "average_f1": average,
            "muc": self.muc.json(),
            "b_cubed": self.b_cubed.json(),
            "ceaf_e": self.ceaf_e.json(),
            "ceaf_m": self.ceaf_m.json(),
            "lea": self.lea.json(),
            "blanc": self.blanc.json(),
            "mentions": self.mentions.json(),
            "singletons": singletons,
        });
        Score { score: average, details }
    }
}

/// The cluster of each mention and the size of each cluster.
type Clustering = HashMap<Span, (usize, usize)>;

/// Each mention once, empty clusters gone.
fn distinct(clusters: &[Vec<Span>]) -> Vec<Vec<Span>> {
    let mut seen = BTreeSet::new();
    let once = |c: &Vec<Span>| c.iter().copied().filter(|s| seen.insert(*s)).collect::<Vec<_>>();
    clusters.iter().map(once).filter(|c| !c.is_empty()).collect()
}

fn cluster_of(clusters: &[Vec<Span>]) -> Clustering {
    let of = |(c, spans): (usize, &Vec<Span>)| {
        let size = spans.len();
        spans.iter().map(move |&s| (s, (c, size))).collect::<Vec<_>>()
    };
    clusters.iter().enumerate().flat_map(of).collect()
}

/// How many mentions of a cluster each cluster of the other side holds; the size of that cluster.
fn parts(cluster: &[Span], other: &Clustering) -> BTreeMap<usize, (usize, usize)> {
    let mut parts = BTreeMap::new();
    for &(c, size) in cluster.iter().filter_map(|s| other.get(s)) {
        parts.entry(c).or_insert((0, size)).0 += 1;
    }
    parts
}

fn muc(clusters: &[Vec<Span>], other: &Clustering) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for cluster in clusters {
        let parts = parts(cluster, other);
        let found: usize = parts.values().map(|p| p.0).sum();
        let pieces = parts.len() + cluster.len() - found;
        sums.0 += (cluster.len() - pieces) as f64;
        sums.1 += (cluster.len() - 1) as f64;
    }
    sums
}

fn b_cubed(clusters: &[Vec<Span>], other: &Clustering) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for cluster in clusters {
        let squares: usize = parts(cluster, other).values().map(|(n, _)| n * n).sum();
        sums.0 += squares as f64 / cluster.len() as f64;
        sums.1 += cluster.len() as f64;
    }
    sums
}

fn lea(clusters: &[Vec<Span>], other: &Clustering) -> (f64, f64) {
    let links = |n: usize| (n * (n - 1) / 2) as f64;
    let mut sums = (0.0, 0.0);
    for cluster in clusters {
        let parts = parts(cluster, other);
        let resolved = if cluster.len() == 1 {
            // A singleton links to itself.
            f64::from(u8::from(parts.values().any(|&(_, size)| size == 1)))
        } else {
            parts.values().map(|&(n, _)| links(n)).sum::<f64>() / links(cluster.len())
        };
        sums.0 += cluster.len() as f64 * resolved;
        sums.1 += cluster.len() as f64;
    }
    sums
}

/// (gold cluster, predicted cluster, mentions in both), where there are any.
fn overlaps(gold: &[Vec<Span>], predicted: &Clustering) -> Vec<(usize, usize, usize)> {
    let of = |(g, cluster): (usize, &Vec<Span>)| {
        parts(cluster, predicted).into_iter().map(move |(p, (n, _))| (g, p, n)).collect::<Vec<_>>()
    };
    gold.iter().enumerate().flat_map(of).collect()
}

/// The largest sum of similarities over one-to-one alignments; connected groups of clusters are
/// aligned by themselves, since the rest is zero.
fn best_alignment(
    overlaps: &[(usize, usize, usize)],
    similarity: impl Fn(usize, usize, usize) -> f64,
) -> f64 {
    let mut by_gold: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut by_predicted: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, &(g, p, _)) in overlaps.iter().enumerate() {
        by_gold.entry(g).or_default().push(at);
        by_predicted.entry(p).or_default().push(at);
    }
    let mut seen = vec![false; overlaps.len()];
    let mut total = 0.0;
    for start in 0..overlaps.len() {
        let (mut group, mut next) = (Vec::new(), vec![start]);
        while let Some(at) = next.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            group.push(at);
            let (g, p, _) = overlaps[at];
            next.extend(by_gold[&g].iter().chain(&by_predicted[&p]).filter(|o| !seen[**o]));
        }
        if group.is_empty() {
            continue;
        }
        let index = |of: fn(&(usize, usize, usize)) -> usize| -> BTreeMap<usize, usize> {
            let ids: BTreeSet<usize> = group.iter().map(|&at| of(&overlaps[at])).collect();
            ids.into_iter().enumerate().map(|(i, id)| (id, i)).collect()
        };
        let (rows, columns) = (index(|o| o.0), index(|o| o.1));
        let flip = rows.len() > columns.len(); // the assignment wants no more rows than columns
        let (height, width) =
            if flip { (columns.len(), rows.len()) } else { (rows.len(), columns.len()) };
        let mut weights = Matrix::new(height, width, 0_i64);
        for &at in &group {
            let (g, p, n) = overlaps[at];
            let (row, column) = (rows[&g], columns[&p]);
            let cell = if flip { (column, row) } else { (row, column) };
            weights[cell] = (similarity(g, p, n) * SCALE).round() as i64;
        }
        total += kuhn_munkres(&weights).0 as f64 / SCALE;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(numbers: &[&[usize]]) -> Vec<Vec<Span>> {
        numbers.iter().map(|c| c.iter().map(|&n| Span::new(n, n + 1)).collect()).collect()
    }

    fn score(gold: &[&[usize]], predicted: &[&[usize]]) -> serde_json::Value {
        let mut counts = CoreferenceCounts::default();
        counts.add(&clusters(gold), &clusters(predicted));
        counts.score(true).details
    }

    fn close(value: &serde_json::Value, expected: f64) {
        let value = value.as_f64().unwrap();
        assert!((value - expected).abs() < 1e-4, "{value}, not {expected}");
    }

    #[test]
    fn a_perfect_prediction_scores_one() {
        let details = score(&[&[1, 2], &[3, 4, 5]], &[&[3, 4, 5], &[1, 2]]);
        for metric in ["muc", "b_cubed", "ceaf_e", "ceaf_m", "lea", "mentions"] {
            close(&details[metric]["f1"], 1.0);
        }
    }

    /// The example of Luo (2005), of the official scorer's papers and of LEA's: key {a b c} {d e f g},
    /// response {a b} {c d} {f g h i}.
    #[test]
    fn the_textbook_example_scores_as_published() {
        let details = score(&[&[1, 2, 3], &[4, 5, 6, 7]], &[&[1, 2], &[3, 4], &[6, 7, 8, 9]]);
        close(&details["muc"]["recall"], 2.0 / 5.0);
        close(&details["muc"]["precision"], 2.0 / 5.0);
        close(&details["b_cubed"]["recall"], (5.0 / 3.0 + 6.0 / 4.0 - 1.0 / 4.0) / 7.0);
        close(&details["ceaf_m"]["recall"], 4.0 / 7.0);
        close(&details["ceaf_e"]["recall"], (0.8 + 0.5) / 2.0);
        close(&details["ceaf_e"]["precision"], (0.8 + 0.5) / 3.0);
        close(&details["lea"]["recall"], (3.0 * 1.0 / 3.0 + 4.0 * 1.0 / 6.0) / 7.0);
        close(&details["lea"]["precision"], (2.0 + 4.0 * 1.0 / 6.0) / 8.0);
        close(&details["mentions"]["recall"], 6.0 / 7.0);
        close(&details["mentions"]["precision"], 6.0 / 8.0);
    }

    #[test]
    fn nothing_predicted_scores_zero() {
        close(&score(&[&[1, 2]], &[])["average_f1"], 0.0);
    }

    #[test]
    fn a_mention_in_two_clusters_counts_in_the_first() {
        let once = score(&[&[1, 2], &[3, 4]], &[&[1, 2], &[4]]);
        assert_eq!(score(&[&[1, 2], &[3, 4]], &[&[1, 2, 2], &[2, 4]]), once);
    }

    #[test]
    fn blanc_averages_linked_pairs_and_pairs_apart() {
        // Linked: 4 pairs in the gold, 2 predicted, all right. Apart: 6 in the gold, 8 predicted.
        let details = score(&[&[1, 2, 3], &[4, 5]], &[&[1, 2], &[4, 5], &[3]]);
        close(&details["blanc"]["recall"], (2.0 / 4.0 + 6.0 / 6.0) / 2.0);
        close(&details["blanc"]["precision"], (2.0 / 2.0 + 6.0 / 8.0) / 2.0);
    }

    #[test]
    fn blanc_leaves_out_pairs_that_the_gold_has_none_of() {
        let one_entity = score(&[&[1, 2, 3]], &[&[1, 2], &[3]]);
        close(&one_entity["blanc"]["recall"], 1.0 / 3.0);
        close(&one_entity["blanc"]["precision"], 1.0);
        let singletons = score(&[&[1], &[2], &[3]], &[&[1, 2], &[3]]);
        close(&singletons["blanc"]["recall"], 2.0 / 3.0);
        close(&singletons["blanc"]["precision"], 1.0);
        close(&score(&[&[1]], &[&[1]])["blanc"]["f1"], 1.0);
        close(&score(&[&[1]], &[&[2]])["blanc"]["f1"], 0.0);
    }

    #[test]
    fn thousands_of_clusters_are_aligned_at_once() {
        let pair = |at: usize| vec![Span::new(at, at + 1), Span::new(at + 1, at + 2)];
        let gold: Vec<_> = (0..6000).map(|i| pair(2 * i)).collect();
        // Chains of three hundred: each cluster overlaps two of the gold by one mention.
        let shift = |i: usize| pair(2 * i + usize::from(i % 300 != 299));
        let predicted: Vec<_> = (0..6000).map(shift).collect();
        let mut counts = CoreferenceCounts::default();
        counts.add(&gold, &predicted);
        close(&counts.score(true).details["ceaf_m"]["recall"], 0.5);
    }
}
