//! Antecedents to clusters.

use crate::Span;

/// Links each span with its antecedent, an earlier index, and returns the groups of at least two,
/// each in text order, by their first span.
pub fn clusters_from_antecedents(spans: &[Span], antecedent: &[Option<usize>]) -> Vec<Vec<Span>> {
    let mut cluster: Vec<usize> = Vec::with_capacity(spans.len());
    for (i, antecedent) in antecedent.iter().enumerate() {
        cluster.push(antecedent.filter(|&a| a < i).map_or(i, |a| cluster[a]));
    }
    let mut groups = vec![Vec::new(); spans.len()];
    for (span, &cluster) in spans.iter().zip(&cluster) {
        groups[cluster].push(*span);
    }
    groups.retain(|g| g.len() > 1);
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_transitive_and_lone_spans_left_out() {
        let spans: Vec<Span> = (0..5).map(|i| Span::new(i, i + 1)).collect();
        let clusters = clusters_from_antecedents(&spans, &[None, None, Some(0), Some(2), Some(1)]);
        let firsts: Vec<Vec<usize>> =
            clusters.iter().map(|c| c.iter().map(|s| s.first).collect()).collect();
        assert_eq!(firsts, [vec![0, 2, 3], vec![1, 4]]);
    }
}
