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
    /// (N): whether a token begins with a capital.
    pub(super) capitals: Tensor,
}

/// All spans up to a width, with their sentence, in text order.
pub(super) fn spans_up_to(width: usize, sentences: &[Range<usize>]) -> Vec<(Span, usize)> {
    let mut spans = Vec::new();
    for (s, sentence) in sentences.iter().enumerate() {
        for first in sentence.clone() {
            let end = sentence.end.min(first + width);
            spans.extend((first + 1..=end).map(|last| (Span::new(first, last), s)));
        }
    }
    spans
}

/// How many of the candidates of a document are kept.
pub(super) fn kept_count(share: f64, tokens: usize, candidates: usize) -> usize {
    ((share * tokens as f64) as usize).max(1).min(candidates)
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

impl Candidates {
    /// `spans` are those up to `width`; `gold` gives mentions their clusters. Of each document so
    /// many are kept as `share` times its tokens, at least one.
    pub(super) fn new(
        x: &DocumentInput,
        spans: &[(Span, usize)],
        (width, share): (usize, f64),
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
        let mut texts = vec![-1; tokens * width];
        for ((s, _), number) in spans.iter().zip(text_numbers(x, spans)) {
            texts[s.first * width + s.last - s.first - 1] = number;
        }
        let place = |f: fn(&Span) -> usize| spans.iter().map(|(s, _)| f(s) as i64).collect();
        let (first, last): (Vec<i64>, Vec<i64>) = (place(|s| s.first), place(|s| s.last));
        let cluster = |(s, _): &(Span, usize)| Some(*gold?.get(s).unwrap_or(&NONE));
        let cluster: Vec<i64> = spans.iter().filter_map(cluster).collect();
        let (mut best, mut bounds): (Vec<i64>, Vec<i64>) = (Vec::new(), vec![0]);
        for document in &x.documents {
            bounds.push(document.end as i64);
            let [start, end] = [document.start, document.end]
                .map(|token| spans.partition_point(|(span, _)| span.first < token));
            let count = kept_count(share, document.len(), end - start);
            best.extend((start..start + count).map(|at| at as i64));
        }
        let mut all = Self {
            first: host(&first)?,
            last: host(&last)?,
            cluster: host(&cluster)?,
            texts: host(&texts)?.f_view([-1, width as i64])?,
            keys: host(&x.keys)?,
            sentence: part_of(&x.sentences)?,
            document: part_of(&x.documents)?,
            bounds: host(&bounds)?,
            capitals: host(&x.capitals)?,
            best: host(&best)?,
        };
        let Self { first, last, cluster, texts, keys, sentence, document, bounds, capitals, best } =
            &mut all;
        let tensors =
            &mut [first, last, cluster, texts, keys, sentence, document, bounds, capitals, best];
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
