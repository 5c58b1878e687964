//! [`Candidates`]: the spans of a document that may be mentions, on the device, with what tells
//! spans from each other. They go there once; which are kept and what pairs of them have in common
//! is found there.

use std::collections::HashMap;
use std::ops::Range;

use tch::{Kind, Tensor};

use super::DocumentInput;
use crate::transfer::{host, upload_all};
use crate::{Result, Span};

/// Of no cluster.
pub(super) const NONE: i64 = -1;

/// All spans of a document up to a width.
pub(super) struct Candidates {
    pub(super) first: Tensor, // (C)
    pub(super) last: Tensor,  // (C)
    /// (C): the gold cluster or [`NONE`]; empty when annotating.
    pub(super) cluster: Tensor,
    /// (N, W): a number for the span that begins at a token and has a width, equal for spans of
    /// equal tokens; -1 where there is none.
    pub(super) texts: Tensor,
    /// (N): equal for equal tokens.
    pub(super) keys: Tensor,
    /// (N)
    pub(super) sentence: Tensor,
    /// (N)
    pub(super) document: Tensor,
    /// (documents + 1): the first token of each document and the end of the last.
    pub(super) bounds: Tensor,
    /// (kept): where those that are kept stand among the candidates, best of a document first.
    best: Tensor,
    /// Of the first documents, as far as no span in them has more before it than may be its antecedents; none when
    /// learning.
    pub(super) pairs: Pairs,
    /// (N): whether a token begins with a capital.
    pub(super) capitals: Tensor,
}

/// Each of the first kept spans with each that stands before it in its document, in text order of the former and then
/// of the latter.
pub(super) struct Pairs {
    pub(super) anaphors: Tensor,    // (P): by place among the kept spans
    pub(super) antecedents: Tensor, // (P)
    /// How many each kept span is the former of, on the host.
    pub(super) counts: Vec<usize>,
}

/// All spans up to a width, with their sentence, in text order.
pub(super) fn spans_up_to(width: usize, sentences: &[Range<usize>]) -> Vec<(Span, usize)> {
    let tokens = sentences.iter().map(Range::len).sum::<usize>();
    let mut spans = Vec::with_capacity(tokens * width);
    for (s, sentence) in sentences.iter().enumerate() {
        for first in sentence.clone() {
            let end = sentence.end.min(first + width);
            spans.extend((first + 1..=end).map(|last| (Span::new(first, last), s)));
        }
    }
    spans
}

/// How wide candidates are, and how many of a document are kept.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) width: usize,
    /// Of its tokens.
    pub(super) share: f64,
    /// Or two fifths as many as it has tokens.
    pub(super) least: usize,
    /// Antecedents of a span that are scored.
    pub(super) antecedents: usize,
}

impl Limits {
    pub(super) fn kept(&self, tokens: usize, candidates: usize) -> usize {
        let least = self.least.min(tokens * 2 / 5).max(1);
        ((self.share * tokens as f64) as usize).max(least).min(candidates)
    }
}

/// A number for each span, equal for spans of equal tokens.
pub(super) fn text_numbers(x: &DocumentInput, spans: &[(Span, usize)]) -> Vec<i64> {
    let mut numbers: HashMap<&[i64], i64> = HashMap::new();
    let number = |(s, _): &(Span, usize)| {
        let next = numbers.len() as i64;
        *numbers.entry(&x.keys[s.first..s.last]).or_insert(next)
    };
    spans.iter().map(number).collect()
}

/// The same for all spans up to a width by first token and width, (N, W): -1 where there is none. Of tokens with
/// numbers from zero on, in sentences one after the other.
fn text_grid(keys: &[i64], sentences: &[Range<usize>], width: usize) -> Vec<i64> {
    let mut grid = vec![-1; keys.len() * width];
    let mut next = keys.iter().max().map_or(0, |most| most + 1);
    let mut counts = vec![0_u32; next as usize];
    for (cell, &key) in grid.iter_mut().step_by(width).zip(keys) {
        *cell = key;
        counts[key as usize] += 1;
    }
    // Equal spans begin with equal spans of one token less, which few do.
    let mut numbers: HashMap<(i64, i64), i64> = HashMap::new();
    for size in 2..=width {
        numbers.clear();
        for sentence in sentences {
            for first in sentence.start..(sentence.end + 1).saturating_sub(size) {
                let cell = first * width + size - 1;
                let (shorter, key) = (grid[cell - 1], keys[first + size - 1]);
                let number = match counts[shorter as usize] {
                    1 => next,
                    _ => *numbers.entry((shorter, key)).or_insert(next),
                };
                if number == next {
                    next += 1;
                    counts.push(0);
                }
                counts[number as usize] += 1;
                grid[cell] = number;
            }
        }
    }
    grid
}

impl Pairs {
    /// Of kept spans with so many before them in their document.
    fn new(counts: Vec<usize>) -> Result<Self> {
        let (mut anaphors, mut antecedents) = (Vec::new(), Vec::new());
        for (at, &count) in counts.iter().enumerate() {
            anaphors.extend(std::iter::repeat_n(at as i64, count));
            antecedents.extend((at - count..at).map(|before| before as i64));
        }
        Ok(Self { anaphors: host(&anaphors)?, antecedents: host(&antecedents)?, counts })
    }

    pub(super) fn len(&self) -> usize {
        self.anaphors.size()[0] as usize
    }

    /// Those from `start` on, at most `size`: (P) both.
    pub(super) fn part(&self, start: usize, size: usize) -> Result<[Tensor; 2]> {
        let size = size.min(self.len() - start) as i64;
        let part = |of: &Tensor| of.f_narrow(0, start as i64, size);
        Ok([part(&self.anaphors)?, part(&self.antecedents)?])
    }
}

impl Candidates {
    /// `spans` are those up to the width of `limits`; `gold` gives mentions their clusters.
    pub(super) fn new(
        x: &DocumentInput,
        spans: &[(Span, usize)],
        limits: Limits,
        gold: Option<&HashMap<Span, i64>>,
    ) -> Result<Self> {
        let tokens = x.keys.len();
        let part_of = |parts: &[Range<usize>]| {
            let mut part_of = vec![0; tokens];
            for (part, tokens) in parts.iter().enumerate() {
                part_of[tokens.clone()].fill(part as i64);
            }
            host(&part_of)
        };
        let texts = text_grid(&x.keys, &x.sentences, limits.width);
        let place = |f: fn(&Span) -> usize| spans.iter().map(|(s, _)| f(s) as i64).collect();
        let (first, last): (Vec<i64>, Vec<i64>) = (place(|s| s.first), place(|s| s.last));
        let cluster = |(s, _): &(Span, usize)| Some(*gold?.get(s).unwrap_or(&NONE));
        let cluster: Vec<i64> = spans.iter().filter_map(cluster).collect();
        let (mut best, mut bounds): (Vec<i64>, Vec<i64>) = (Vec::new(), vec![0]);
        let (mut counts, mut is_short) = (Vec::new(), gold.is_none());
        for document in &x.documents {
            bounds.push(document.end as i64);
            let [start, end] = [document.start, document.end]
                .map(|token| spans.partition_point(|(span, _)| span.first < token));
            let count = limits.kept(document.len(), end - start);
            is_short &= count <= limits.antecedents + 1;
            counts.extend((0..count).take_while(|_| is_short));
            best.extend((start..start + count).map(|at| at as i64));
        }
        let mut all = Self {
            first: host(&first)?,
            last: host(&last)?,
            cluster: host(&cluster)?,
            texts: host(&texts)?.f_view([-1, limits.width as i64])?,
            keys: host(&x.keys)?,
            sentence: part_of(&x.sentences)?,
            document: part_of(&x.documents)?,
            bounds: host(&bounds)?,
            capitals: host(&x.capitals)?,
            best: host(&best)?,
            pairs: Pairs::new(counts)?,
        };
        let tensors = &mut [
            &mut all.first,
            &mut all.last,
            &mut all.cluster,
            &mut all.texts,
            &mut all.keys,
            &mut all.sentence,
            &mut all.document,
            &mut all.bounds,
            &mut all.capitals,
            &mut all.best,
            &mut all.pairs.anaphors,
            &mut all.pairs.antecedents,
        ];
        upload_all(tensors, x.rows.device())?;
        Ok(all)
    }

    /// Which candidates have the best scores of their document, in text order: (kept). Of equal ones
    /// the earlier are kept.
    pub(super) fn best(&self, scores: &Tensor) -> Result<Tensor> {
        let (_, order) = scores.detach().f_sort_stable(true, 0, true)?;
        let document = self.document.f_index_select(0, &self.first.f_index_select(0, &order)?)?;
        let (_, by_document) = document.f_sort_stable(true, 0, false)?;
        let kept = by_document.f_index_select(0, &self.best)?;
        Ok(order.f_index_select(0, &kept)?.f_sort(0, false)?.0)
    }

    /// 1 for gold mentions, else 0: (C).
    pub(super) fn targets(&self) -> Result<Tensor> {
        Ok(self.cluster.f_ge(NONE + 1)?.f_to_kind(Kind::Float)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_keeps_a_least_number_or_two_fifths_of_its_tokens() {
        let kept = |least, tokens, candidates| {
            Limits { width: 4, share: 0.25, least, antecedents: 0 }.kept(tokens, candidates)
        };
        assert_eq!([1, 3, 40, 1000].map(|tokens| kept(0, tokens, 4000)), [1, 1, 10, 250]);
        let least = [1, 3, 40, 125, 150, 200, 204, 1000].map(|tokens| kept(50, tokens, 4000));
        assert_eq!(least, [1, 1, 16, 50, 50, 50, 51, 250]);
        assert_eq!([kept(0, 40, 7), kept(50, 40, 7), kept(50, 2, 0)], [7, 7, 0]);
    }

    #[test]
    fn equal_spans_and_only_they_have_one_number() {
        // a b a b c | a b c a | a | d e f | d e f
        let keys = [0, 1, 0, 1, 2, 0, 1, 2, 0, 0, 3, 4, 5, 3, 4, 5];
        let sentences = [0..5, 5..9, 9..10, 10..13, 13..16];
        let width = 4;
        let grid = text_grid(&keys, &sentences, width);
        let spans = spans_up_to(width, &sentences);
        assert_eq!(grid.iter().filter(|&&n| n >= 0).count(), spans.len());
        let number = |span: Span| grid[span.first * width + span.last - span.first - 1];
        for &(a, _) in &spans {
            for &(b, _) in &spans {
                let equal = keys[a.first..a.last] == keys[b.first..b.last];
                assert_eq!(number(a) == number(b), equal, "{a:?} {b:?}");
            }
        }
    }
}
