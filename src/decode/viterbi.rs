//! [`Crf`]: decoding of a linear-chain CRF over BIOUL tags (Lafferty et al. 2001; Lample et al. 2016).
//!
//! `score(y) = start[y_1] + sum_t emit[t, y_t] + sum_t trans[y_t, y_t+1] + end[y_n]`, over the tag
//! sequences that BIOUL allows.

use super::{Chain, ScoredSpan};
use crate::Span;
use crate::feature::Bioul;

/// Tags and transition scores; forbidden transitions are minus infinity.
#[derive(Clone, Debug)]
pub struct Crf {
    tags: Bioul,
    start: Vec<f32>,
    end: Vec<f32>,
    /// By previous tag, then next.
    transitions: Vec<f32>,
    /// The tags that may stand before each tag.
    before: Vec<Vec<usize>>,
    chain: Chain,
}

impl Crf {
    /// Scores of a trained model, for as many tags as `tags` has; forbids what BIOUL forbids.
    pub fn new(
        tags: Bioul,
        mut start: Vec<f32>,
        mut end: Vec<f32>,
        mut transitions: Vec<f32>,
    ) -> Self {
        let n = tags.len();
        let mut before = vec![Vec::new(); n];
        for next in 0..n {
            if !tags.may_start(next) {
                start[next] = f32::NEG_INFINITY;
            }
            if !tags.may_end(next) {
                end[next] = f32::NEG_INFINITY;
            }
            for previous in 0..n {
                if tags.follows(previous, next) {
                    before[next].push(previous);
                } else {
                    transitions[previous * n + next] = f32::NEG_INFINITY;
                }
            }
        }
        let chain = Chain::new(&start, &end, &transitions);
        Self { tags, start, end, transitions, before, chain }
    }

    /// The best tag sequence; `emissions` are (length, tags), row by row.
    pub fn best_path(&self, emissions: &[f32]) -> Vec<usize> {
        let n = self.tags.len();
        let length = emissions.len() / n;
        if length == 0 {
            return Vec::new();
        }
        let mut score: Vec<f32> = (0..n).map(|t| self.start[t] + emissions[t]).collect();
        let mut back = vec![0_usize; length * n];
        let mut next_score = vec![0.0; n];
        for at in 1..length {
            for next in 0..n {
                let (mut best, mut from) = (f32::NEG_INFINITY, 0);
                for &previous in &self.before[next] {
                    let candidate = score[previous] + self.transitions[previous * n + next];
                    if candidate > best {
                        (best, from) = (candidate, previous);
                    }
                }
                next_score[next] = best + emissions[at * n + next];
                back[at * n + next] = from;
            }
            std::mem::swap(&mut score, &mut next_score);
        }
        let last = |t: &usize| score[*t] + self.end[*t];
        let best = (0..n).rev().max_by(|a, b| last(a).total_cmp(&last(b)));
        let mut path = vec![best.unwrap_or_default(); length];
        for at in (1..length).rev() {
            path[at - 1] = back[at * n + path[at]];
        }
        path
    }

    /// The spans of the best path, each with its probability under the model: that of its tags,
    /// summed over everything that may stand around them.
    pub fn spans(&self, emissions: &[f32]) -> Vec<ScoredSpan> {
        let n = self.tags.len();
        let path = self.best_path(emissions);
        let found = self.tags.decode(&path);
        if found.is_empty() {
            return Vec::new();
        }
        let sums = self.chain.sums(emissions);
        let probability = |span: Span| {
            let (first, last) = (span.first, span.last - 1);
            let mut log = sums.forward(first, path[first]) + sums.backward(last, path[last]);
            for at in first + 1..=last {
                log += self.step(path[at - 1], path[at]) + f64::from(emissions[at * n + path[at]]);
            }
            (log - sums.total).exp().clamp(0.0, 1.0) as f32
        };
        found
            .into_iter()
            .map(|(span, label)| ScoredSpan { span, label, score: probability(span) })
            .collect()
    }

    /// Every span of up to `widest` tokens with its likeliest label, by the logarithm of its probability.
    pub fn likely(&self, emissions: &[f32], widest: usize) -> Vec<ScoredSpan> {
        let n = self.tags.len();
        let length = emissions.len() / n;
        if length == 0 {
            return Vec::new();
        }
        let sums = self.chain.sums(emissions);
        let mut best = vec![(f64::NEG_INFINITY, 0); length * widest];
        for (label, [begin, inside, last, unit]) in self.tags.of_labels() {
            for first in 0..length {
                let mut offer = |width: usize, log: f64| {
                    let cell = &mut best[first * widest + width - 1];
                    if log > cell.0 {
                        *cell = (log, label);
                    }
                };
                offer(1, sums.forward(first, unit) + sums.backward(first, unit));
                let (mut log, mut previous) = (sums.forward(first, begin), begin);
                for at in first + 1..length.min(first + widest) {
                    let moved = |tag: usize| {
                        log + self.step(previous, tag) + f64::from(emissions[at * n + tag])
                    };
                    offer(at + 1 - first, moved(last) + sums.backward(at, last));
                    (log, previous) = (moved(inside), inside);
                }
            }
        }
        let spans = best.into_iter().enumerate().filter(|(_, (log, _))| *log > f64::NEG_INFINITY);
        spans
            .map(|(cell, (log, label))| {
                let (first, width) = (cell / widest, cell % widest + 1);
                let score = (log - sums.total).min(0.0) as f32;
                ScoredSpan { span: Span::new(first, first + width), label, score }
            })
            .collect()
    }

    fn step(&self, previous: usize, next: usize) -> f64 {
        f64::from(self.transitions[previous * self.tags.len() + next])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAGS: usize = 5; // one label

    fn crf(numbers: &[f32]) -> Crf {
        let (start, rest) = numbers.split_at(TAGS);
        let (end, transitions) = rest.split_at(TAGS);
        Crf::new(Bioul::all(1), start.to_vec(), end.to_vec(), transitions[..TAGS * TAGS].to_vec())
    }

    /// All allowed tag sequences with their scores.
    fn enumerate(crf: &Crf, emissions: &[f32]) -> Vec<(Vec<usize>, f32)> {
        let length = emissions.len() / TAGS;
        let sequences = (0..TAGS.pow(length as u32)).map(|code| {
            (0..length).map(|at| code / TAGS.pow(at as u32) % TAGS).collect::<Vec<_>>()
        });
        let score = |tags: &Vec<usize>| {
            let mut score = crf.start[tags[0]] + crf.end[tags[length - 1]];
            score += tags.iter().enumerate().map(|(at, t)| emissions[at * TAGS + t]).sum::<f32>();
            score += tags.windows(2).map(|w| crf.transitions[w[0] * TAGS + w[1]]).sum::<f32>();
            score
        };
        sequences
            .map(|t| (score(&t), t))
            .filter(|(s, _)| s.is_finite())
            .map(|(s, t)| (t, s))
            .collect()
    }

    #[test]
    fn a_long_sentence_has_the_probabilities_of_its_parts() {
        // No transition scores: the tokens are independent but for what BIOUL allows.
        let crf = crf(&[0.0; TAGS * (TAGS + 2)]);
        let unit = [0.0, 0.0, 0.0, 0.0, 3.0];
        let alone = crf.spans(&unit)[0].score;
        // Tokens of score 400 for "outside" leave no choice to the one between them.
        let outside = [400.0, 0.0, 0.0, 0.0, 0.0].repeat(2000);
        let found = crf.spans(&[&outside[..], &unit, &outside].concat());
        assert_eq!(found.len(), 1);
        assert!((found[0].score - alone).abs() < 1e-5, "{} {alone}", found[0].score);
    }

    proptest! {
        #[test]
        fn path_and_probabilities_equal_brute_force(
            numbers in prop::collection::vec(-3.0_f32..3.0, TAGS * (TAGS + 2)),
            emissions in prop::collection::vec(-3.0_f32..3.0, TAGS..=TAGS * 4),
        ) {
            let emissions = &emissions[..emissions.len() / TAGS * TAGS];
            let crf = crf(&numbers);
            let all = enumerate(&crf, emissions);
            let best = all.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            let path = crf.best_path(emissions);
            let score = all.iter().find(|(t, _)| *t == path).unwrap().1;
            prop_assert!((score - best.1).abs() < 1e-4);
            let total: f32 = all.iter().map(|(_, s)| s.exp()).sum();
            for span in crf.spans(emissions) {
                let range = span.span.first..span.span.last;
                let with: f32 = all
                    .iter()
                    .filter(|(t, _)| t[range.clone()] == path[range.clone()])
                    .map(|(_, s)| s.exp())
                    .sum();
                prop_assert!((with / total - span.score).abs() < 1e-3);
            }
            let length = emissions.len() / TAGS;
            let likely = crf.likely(emissions, 3);
            prop_assert_eq!(likely.len(), (1..=3).map(|w| (length + 1).saturating_sub(w)).sum::<usize>());
            for span in likely {
                let range = span.span.first..span.span.last;
                let tags = &crf.tags.encode(length, &[(span.span, 0)])[range.clone()];
                let with = all.iter().filter(|(t, _)| t[range.clone()] == *tags);
                let with: f32 = with.map(|(_, s)| s.exp()).sum();
                prop_assert!((with / total - span.score.exp()).abs() < 1e-3);
            }
        }
    }
}
