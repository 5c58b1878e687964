//! Removes spans that cross a better one.

use super::ScoredSpan;

/// Keeps spans by falling score, without any that partly overlaps a kept one: what is left nests.
pub fn without_crossings(mut spans: Vec<ScoredSpan>) -> Vec<ScoredSpan> {
    spans.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.span.cmp(&b.span)));
    let mut kept: Vec<ScoredSpan> = Vec::with_capacity(spans.len());
    for candidate in spans {
        if !kept.iter().any(|k| crosses(k, &candidate)) {
            kept.push(candidate);
        }
    }
    kept.sort_by_key(|s| (s.span.first, std::cmp::Reverse(s.span.last)));
    kept
}

fn crosses(a: &ScoredSpan, b: &ScoredSpan) -> bool {
    let (a, b) = if a.span <= b.span { (a.span, b.span) } else { (b.span, a.span) };
    a.first < b.first && b.first < a.last && a.last < b.last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn scored(first: usize, last: usize, score: f32) -> ScoredSpan {
        ScoredSpan { span: Span::new(first, last), label: 0, score }
    }

    #[test]
    fn nested_spans_stay_and_the_weaker_of_two_crossing_ones_goes() {
        let spans =
            vec![scored(0, 4, 0.9), scored(1, 3, 0.6), scored(2, 6, 0.8), scored(4, 6, 0.5)];
        let kept: Vec<_> =
            without_crossings(spans).iter().map(|s| (s.span.first, s.span.last)).collect();
        assert_eq!(kept, [(0, 4), (1, 3), (4, 6)]);
    }
}
