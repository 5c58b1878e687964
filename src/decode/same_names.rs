//! Clusters that are called by the same name are one.

use std::collections::{BTreeSet, HashMap};

use super::joined::Joined;
use crate::Span;

/// How a mention is called: its words, where the first is none of the name in small letters and apart, and the
/// name's label.
type Name<'a> = (Option<String>, &'a [&'a str], usize);

/// Joins clusters with mentions of the same words that are names of one label, or names and one token before
/// ("Mrs. Weston", "the Congress"). Clusters with mentions that overlap stay apart: "Kronborg" is not "Kronborg's son". A
/// joined cluster stands where its first one stood; its mentions are in text order, as those of all clusters must be.
///
/// A mention is compared with a fixed number of others before it, and in a long document the same name is often none of
/// them.
pub fn join_same_names(
    clusters: &mut Vec<Vec<Span>>,
    names: impl IntoIterator<Item = (Span, usize)>,
    words: &[&str],
) {
    let label_of: HashMap<Span, usize> = names.into_iter().collect();
    let name = |span: Span| -> Option<Name> {
        if let Some(&label) = label_of.get(&span) {
            return Some((None, &words[span.first..span.last], label));
        }
        let rest = Span::new(span.first + 1, span.last);
        let label = *label_of.get(&rest)?;
        Some((Some(words[span.first].to_lowercase()), &words[rest.first..rest.last], label))
    };
    let mut first: HashMap<Name, usize> = HashMap::new();
    let mut pairs = Vec::new();
    for (cluster, spans) in clusters.iter().enumerate() {
        for name in spans.iter().filter_map(|&span| name(span)) {
            let other = *first.entry(name).or_insert(cluster);
            if other != cluster {
                pairs.push((other, cluster));
            }
        }
    }
    if pairs.is_empty() {
        return;
    }
    let mut clustered = Clustered::new(clusters);
    pairs.into_iter().for_each(|(a, b)| clustered.join(a, b));
    let spans = |cluster: BTreeSet<Span>| cluster.into_iter().collect::<Vec<_>>();
    *clusters = clustered.clusters.into_iter().map(spans).filter(|c| !c.is_empty()).collect();
}

/// Clusters of which some were joined with one before them, and are empty.
struct Clustered {
    clusters: Vec<BTreeSet<Span>>,
    joined: Joined,
    /// Tokens of the longest span.
    longest: usize,
}

impl Clustered {
    fn new(clusters: &[Vec<Span>]) -> Self {
        let length = |span: &Span| span.last - span.first;
        Self {
            clusters: clusters.iter().map(|c| c.iter().copied().collect()).collect(),
            joined: Joined::new(clusters.len()),
            longest: clusters.iter().flatten().map(length).max().unwrap_or(0),
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.joined.find(a), self.joined.find(b));
        let (early, late) = (a.min(b), a.max(b));
        if early == late {
            return;
        }
        // The shorter goes into the longer, so that none is moved often.
        let is_shorter = self.clusters[early].len() < self.clusters[late].len();
        let (short, long) = if is_shorter { (early, late) } else { (late, early) };
        if self.clusters[short].iter().any(|&span| self.overlaps(&self.clusters[long], span)) {
            return;
        }
        let [short, mut long] = [short, long].map(|c| std::mem::take(&mut self.clusters[c]));
        long.extend(short);
        self.clusters[early] = long;
        self.joined.join(late, early);
    }

    fn overlaps(&self, cluster: &BTreeSet<Span>, span: Span) -> bool {
        let from = Span::new(span.first.saturating_sub(self.longest), 0);
        cluster.range(from..Span::new(span.last, 0)).any(|s| span.first < s.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(
        text: &str,
        clusters: &[&[(usize, usize)]],
        names: &[(usize, usize, usize)],
    ) -> String {
        let words: Vec<&str> = text.split(' ').collect();
        let spans = |c: &&[(usize, usize)]| c.iter().map(|&(a, b)| Span::new(a, b)).collect();
        let mut clusters: Vec<Vec<Span>> = clusters.iter().map(spans).collect();
        let names = names.iter().map(|&(a, b, label)| (Span::new(a, b), label));
        join_same_names(&mut clusters, names, &words);
        let show = |s: &Span| words[s.first..s.last].join(" ");
        let show = |c: &Vec<Span>| c.iter().map(show).collect::<Vec<_>>().join(", ");
        clusters.iter().map(show).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn clusters_with_the_same_name_are_one() {
        let text = "Highbury grew . it lay near London . Highbury slept . London and Highbury";
        let clusters: [&[_]; 4] = [&[(0, 1), (3, 4)], &[(6, 7)], &[(8, 9), (13, 14)], &[(11, 12)]];
        let names = [(0, 1, 2), (6, 7, 2), (8, 9, 2), (11, 12, 2), (13, 14, 2)];
        assert_eq!(
            joined(text, &clusters, &names),
            "Highbury, it, Highbury, Highbury | London, London"
        );
        // Of another label, or no name at all.
        let names = [(0, 1, 2), (6, 7, 2), (8, 9, 1), (13, 14, 1)];
        assert_eq!(
            joined(text, &clusters, &names),
            "Highbury, it | London | Highbury, Highbury | London"
        );
    }

    #[test]
    fn a_name_with_a_token_before_is_another_than_without_or_with_another_token() {
        let text =
            "Mr. Weston met Mrs. Weston and The Congress , Weston and the Congress . Mr. Weston";
        let clusters: [&[_]; 6] =
            [&[(0, 2)], &[(3, 5)], &[(6, 8)], &[(9, 10)], &[(11, 13)], &[(14, 16)]];
        let names = [(1, 2, 0), (4, 5, 0), (7, 8, 1), (9, 10, 0), (12, 13, 1), (15, 16, 0)];
        assert_eq!(
            joined(text, &clusters, &names),
            "Mr. Weston, Mr. Weston | Mrs. Weston | The Congress, the Congress | Weston"
        );
    }

    #[test]
    fn clusters_with_mentions_that_overlap_stay_apart() {
        let text = "Thea Kronborg 's son came . he and Thea Kronborg . Thea Kronborg";
        let names = [(0, 2, 0), (8, 10, 0), (11, 13, 0)];
        let clusters: [&[_]; 3] = [&[(0, 2)], &[(0, 4), (6, 7), (8, 10)], &[(11, 13)]];
        assert_eq!(
            joined(text, &clusters, &names),
            "Thea Kronborg, Thea Kronborg | Thea Kronborg 's son, he, Thea Kronborg"
        );
        assert_eq!(joined(text, &[], &names), "");
    }

    #[test]
    fn chains_of_names_end_in_one_cluster() {
        // The second name of the third cluster joins what the first did not.
        let text = "A B C D A D B C";
        let clusters: [&[_]; 4] =
            [&[(0, 1)], &[(2, 3), (6, 7)], &[(3, 4), (4, 5)], &[(5, 6), (7, 8)]];
        let names: Vec<_> = (0..8).map(|at| (at, at + 1, 0)).collect();
        assert_eq!(joined(text, &clusters, &names), "A, C, D, A, D, B, C");
    }
}
