//! BIOUL tags: flat labelled spans as one tag a token (Ratinov and Roth 2009).
//!
//! A span of one token is `U-x`; a longer one `B-x I-x ... L-x`; all else is `O`.

use crate::Span;

/// The place of a token in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagPart {
    Outside,
    Begin,
    Inside,
    Last,
    Unit,
}

/// The tags of a task: index to part and label.
#[derive(Clone, Debug, PartialEq)]
pub struct Bioul {
    tags: Vec<(TagPart, usize)>,
}

impl Bioul {
    /// All tags of `labels` labels: `O`, then `B I L U` of each label.
    pub fn all(labels: usize) -> Self {
        let parts = [TagPart::Begin, TagPart::Inside, TagPart::Last, TagPart::Unit];
        let spans = (0..labels).flat_map(|l| parts.map(|p| (p, l)));
        Self { tags: std::iter::once((TagPart::Outside, 0)).chain(spans).collect() }
    }

    pub fn len(&self) -> usize {
        self.tags.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Part and label of a tag; the label of "outside" means nothing.
    pub fn tag(&self, index: usize) -> (TagPart, usize) {
        self.tags[index]
    }

    /// The tags of each label: begin, inside, last and unit.
    pub fn of_labels(&self) -> impl Iterator<Item = (usize, [usize; 4])> {
        (0..self.tags.len() / 4).map(|label| (label, [1, 2, 3, 4].map(|part| 4 * label + part)))
    }

    fn index(&self, part: TagPart, label: usize) -> Option<usize> {
        let same = |t: &(TagPart, usize)| t.0 == part && (part == TagPart::Outside || t.1 == label);
        self.tags.iter().position(same)
    }

    /// Tags of a sequence. Of overlapping spans the longest stays, then the first; a span whose
    /// tags the task does not have is left out.
    pub fn encode(&self, length: usize, spans: &[(Span, usize)]) -> Vec<usize> {
        let outside = self.index(TagPart::Outside, 0).unwrap_or_default();
        let mut tags = vec![outside; length];
        let mut order: Vec<_> = spans.iter().collect();
        order.sort_by_key(|(s, _)| (std::cmp::Reverse(s.last - s.first), s.first));
        for &&(span, label) in &order {
            if tags[span.first..span.last].iter().any(|&t| t != outside) {
                continue;
            }
            let part = |at: usize| match (at == span.first, at + 1 == span.last) {
                (true, true) => TagPart::Unit,
                (true, false) => TagPart::Begin,
                (false, true) => TagPart::Last,
                (false, false) => TagPart::Inside,
            };
            let wanted: Option<Vec<usize>> =
                (span.first..span.last).map(|at| self.index(part(at), label)).collect();
            if let Some(wanted) = wanted {
                tags[span.first..span.last].copy_from_slice(&wanted);
            }
        }
        tags
    }

    /// Spans of a sequence of tags that follow one another as [`Bioul::follows`] allows.
    pub fn decode(&self, tags: &[usize]) -> Vec<(Span, usize)> {
        let mut spans = Vec::new();
        let mut open: Option<(usize, usize)> = None;
        for (at, &tag) in tags.iter().enumerate() {
            let (part, label) = self.tags[tag];
            match (part, open) {
                (TagPart::Unit, _) => spans.push((Span::new(at, at + 1), label)),
                (TagPart::Begin, _) => open = Some((at, label)),
                (TagPart::Last, Some((first, opened))) if opened == label => {
                    spans.push((Span::new(first, at + 1), label));
                    open = None;
                }
                (TagPart::Inside, Some((_, opened))) if opened == label => {}
                _ => open = None,
            }
        }
        spans
    }

    /// Whether tag `next` may stand after tag `previous`.
    pub fn follows(&self, previous: usize, next: usize) -> bool {
        let ((before, open), (after, label)) = (self.tags[previous], self.tags[next]);
        let inside = matches!(before, TagPart::Begin | TagPart::Inside);
        let continues = matches!(after, TagPart::Inside | TagPart::Last);
        if inside || continues { inside && continues && open == label } else { true }
    }

    pub fn may_start(&self, tag: usize) -> bool {
        matches!(self.tags[tag].0, TagPart::Outside | TagPart::Begin | TagPart::Unit)
    }

    pub fn may_end(&self, tag: usize) -> bool {
        matches!(self.tags[tag].0, TagPart::Outside | TagPart::Last | TagPart::Unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_survive_a_round_trip() {
        let tags = Bioul::all(2);
        let spans = [(Span::new(0, 1), 1), (Span::new(1, 3), 0), (Span::new(4, 8), 1)];
        let encoded = tags.encode(9, &spans);
        assert_eq!(tags.decode(&encoded), spans);
        assert!(tags.may_start(encoded[0]) && tags.may_end(encoded[8]));
        assert!(encoded.windows(2).all(|w| tags.follows(w[0], w[1])));
    }

    #[test]
    fn the_longer_of_two_nested_spans_stays() {
        let tags = Bioul::all(1);
        let encoded = tags.encode(3, &[(Span::new(1, 2), 0), (Span::new(0, 3), 0)]);
        assert_eq!(tags.decode(&encoded), [(Span::new(0, 3), 0)]);
    }

    #[test]
    fn a_label_cannot_change_inside_a_span() {
        let tags = Bioul::all(2); // O, B-0 I-0 L-0 U-0, B-1 I-1 L-1 U-1
        assert!(!tags.follows(1, 7) && tags.follows(1, 3) && !tags.follows(0, 3));
    }
}
