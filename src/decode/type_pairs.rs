//! [`TypePairs`]: which types of arguments a relation label allows, as training data showed.

/// For each pair of argument types and each label, whether mentions of these types may be so
/// related.
#[derive(Clone, Debug, PartialEq)]
pub struct TypePairs {
    types: usize,
    labels: usize,
    /// (types, types, labels): head, tail, label.
    allowed: Vec<bool>,
}

impl TypePairs {
    /// From how often each combination was seen, (types, types, labels). A combination is allowed
    /// that was seen `min_count` times, or as often as any other of its label where that is less:
    /// a rare label keeps what it has. A label of which nothing was seen allows everything.
    /// Of a `symmetric` label both directions count together.
    pub fn from_counts(
        counts: &[f32],
        types: usize,
        labels: usize,
        min_count: usize,
        symmetric: &[bool],
    ) -> Self {
        let cell = |head: usize, tail: usize, label: usize| (head * types + tail) * labels + label;
        let pairs = || (0..types).flat_map(move |head| (0..types).map(move |tail| (head, tail)));
        let mut allowed = vec![true; counts.len()];
        for label in 0..labels {
            let seen = |head: usize, tail: usize| {
                let back = if symmetric[label] { counts[cell(tail, head, label)] } else { 0.0 };
                counts[cell(head, tail, label)] + back
            };
            let most = pairs().map(|(head, tail)| seen(head, tail)).fold(0.0, f32::max);
            let enough = most.min(min_count as f32);
            for (head, tail) in pairs().filter(|_| most > 0.0) {
                let count = seen(head, tail);
                allowed[cell(head, tail, label)] = count > 0.0 && count >= enough;
            }
        }
        Self { types, labels, allowed }
    }

    /// Whether each label allows these types.
    pub fn labels(&self, head: usize, tail: usize) -> &[bool] {
        &self.allowed[(head * self.types + tail) * self.labels..][..self.labels]
    }

    /// Whether any label allows these types.
    pub fn may_relate(&self, head: usize, tail: usize) -> bool {
        self.labels(head, tail).contains(&true)
    }

    /// All of it, (types, types, labels).
    pub fn all(&self) -> &[bool] {
        &self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two types and two labels: what was seen of (head, tail, label).
    fn pairs(seen: &[(usize, usize, usize, f32)], min_count: usize) -> TypePairs {
        let mut counts = vec![0.0; 8];
        for &(head, tail, label, count) in seen {
            counts[(head * 2 + tail) * 2 + label] = count;
        }
        TypePairs::from_counts(&counts, 2, 2, min_count, &[false, true])
    }

    #[test]
    fn a_label_allows_the_types_it_was_seen_with() {
        let pairs = pairs(&[(0, 1, 0, 5.0), (1, 1, 0, 1.0), (1, 1, 1, 1.0)], 1);
        assert_eq!(pairs.labels(0, 1), [true, false]);
        assert_eq!(pairs.labels(1, 1), [true, true]);
        assert!(!pairs.may_relate(1, 0) && !pairs.may_relate(0, 0));
    }

    #[test]
    fn what_is_rarer_than_the_least_count_is_noise_unless_the_label_has_nothing_else() {
        let pairs = pairs(&[(0, 1, 0, 5.0), (1, 1, 0, 1.0), (0, 0, 1, 2.0), (1, 1, 1, 1.0)], 3);
        assert_eq!(pairs.labels(1, 1), [false, false]);
        assert_eq!((pairs.labels(0, 1)[0], pairs.labels(0, 0)[1]), (true, true));
    }

    #[test]
    fn a_label_without_examples_allows_all_and_a_symmetric_one_both_directions() {
        let pairs = pairs(&[(0, 1, 1, 1.0)], 1);
        for (head, tail) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert_eq!(pairs.labels(head, tail), [true, head != tail]);
        }
    }
}
