//! [`FastCoreference`]: see [`crate::head::CoarseToFine`].

use std::ops::{Range, RangeInclusive};

use super::coarse::{FastCoarse, PreparedCoarse};
use super::{FastScorer, FastSpans, add, apply};
use crate::cpu::{Linear, relu};
use crate::engine::{piece_size, share};
use crate::{Cancel, Result, Span};

/// Candidate spans, and pairs, that are scored at a time.
const BLOCK: usize = 512;
/// Candidate spans that a worker takes at a time.
const PIECE: RangeInclusive<usize> = BLOCK..=8 * BLOCK;

/// Scores of spans and of pairs.
#[derive(Debug)]
pub(in crate::head) struct FastCoreference {
    pub spans: FastSpans,
    pub mention: FastScorer,
    pub coarse: FastCoarse,
    pub left: Linear,        // projection -> hidden
    pub right: Linear,       // projection -> hidden
    pub product: Linear,     // projection -> hidden
    pub distance: Vec<f32>,  // (distances, hidden)
    pub sentences: Vec<f32>, // (sentences, hidden)
    pub matches: Vec<f32>,   // (matches, hidden)
    pub hidden: usize,
    pub fine: FastScorer,
}

/// Kept spans, in text order.
pub(in crate::head) struct FastKept<'a> {
    pub vectors: Vec<f32>, // (kept, projection)
    pub scores: Vec<f32>,
    pub spans: &'a [Span],
    /// Equal for spans of equal tokens, and of equal last tokens.
    pub names: &'a [i64],
    pub lasts: &'a [i64],
}

/// What the kept spans bring to their pairs.
pub(in crate::head) struct Prepared {
    left: Vec<f32>,
    right: Vec<f32>,
    coarse: PreparedCoarse,
}

/// Antecedents of one span with their scores, the best first.
#[derive(Debug, Default)]
pub(in crate::head) struct Ranked {
    pub antecedents: Vec<i64>,
    pub scores: Vec<f32>,
}

impl FastCoreference {
    /// Mention scores of candidates; `rows` are those of all tokens.
    pub(in crate::head) fn mention_scores(
        &self,
        rows: &[f32],
        genre: &[f32],
        candidates: &[(Span, usize)],
        cancel: &Cancel,
    ) -> Result<Vec<f32>> {
        let size = piece_size(candidates.len(), PIECE);
        let pieces: Vec<_> = candidates.chunks(size).collect();
        let scores = share(pieces.len(), |at| {
            let mut scores = Vec::with_capacity(pieces[at].len());
            let mut vectors = Vec::with_capacity(BLOCK * self.spans.projection());
            for some in pieces[at].chunks(BLOCK) {
                cancel.check()?;
                vectors.clear();
                self.spans.vectors(rows, genre, some, &mut vectors);
                relu(&mut vectors);
                self.mention.score(&vectors, self.spans.projection(), &mut scores);
            }
            Ok(scores)
        });
        Ok(scores?.concat())
    }

    pub(in crate::head) fn prepare(&self, kept: &FastKept) -> Prepared {
        let of = |layer| apply(layer, &kept.vectors, self.spans.projection());
        Prepared {
            left: of(&self.left),
            right: of(&self.right),
            coarse: self.coarse.prepare(kept, self.spans.projection()),
        }
    }

    /// The best antecedents, at most `most`, of the kept spans `rows` among those from `from` on.
    /// `features` numbers the distance, the sentences and the match of a span and an earlier one.
    pub(in crate::head) fn rank(
        &self,
        kept: &FastKept,
        prepared: &Prepared,
        rows: Range<usize>,
        from: usize,
        most: usize,
        features: impl Fn(usize, usize) -> [usize; 3],
    ) -> Vec<Ranked> {
        let mut ranked: Vec<Ranked> = Vec::with_capacity(rows.len());
        let mut pairs = Vec::with_capacity(2 * BLOCK);
        let mut done = 0;
        self.coarse.scores(kept, &prepared.coarse, rows.clone(), from, |row, scores| {
            let best = best(scores, most);
            ranked.push(Ranked {
                antecedents: best.iter().map(|at| (from + at) as i64).collect(),
                scores: best.iter().map(|&at| scores[at]).collect(),
            });
            pairs.extend(best.iter().map(|at| (row, from + at)));
            if pairs.len() >= BLOCK || row + 1 == rows.end {
                let fine = self.fine(kept, prepared, &pairs, &features);
                let open = ranked[done..].iter_mut().flat_map(|r| &mut r.scores);
                open.zip(fine).for_each(|(score, fine)| *score += fine);
                done = ranked.len();
                pairs.clear();
            }
        });
        ranked
    }

    fn fine(
        &self,
        kept: &FastKept,
        prepared: &Prepared,
        pairs: &[(usize, usize)],
        features: impl Fn(usize, usize) -> [usize; 3],
    ) -> Vec<f32> {
        let p = self.spans.projection();
        let vector = |span: usize| &kept.vectors[span * p..(span + 1) * p];
        let mut products = Vec::with_capacity(pairs.len() * p);
        for &(row, other) in pairs {
            products.extend(vector(row).iter().zip(vector(other)).map(|(a, b)| a * b));
        }
        let mut hidden = apply(&self.product, &products, p);
        let width = self.product.width();
        for (hidden, &(row, other)) in hidden.chunks_mut(width).zip(pairs) {
            add(hidden, &prepared.left[row * width..][..width]);
            add(hidden, &prepared.right[other * width..][..width]);
            let [distance, sentences, matches] = features(row, other);
            add(hidden, &self.distance[distance * self.hidden..][..self.hidden]);
            add(hidden, &self.sentences[sentences * self.hidden..][..self.hidden]);
            add(hidden, &self.matches[matches * self.hidden..][..self.hidden]);
        }
        relu(&mut hidden);
        let mut scores = Vec::with_capacity(pairs.len());
        self.fine.score(&hidden, width, &mut scores);
        scores
    }
}

/// Where the highest scores stand, at most `most`, the best first and the earlier of equals.
fn best(scores: &[f32], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let by = |&a: &usize, &b: &usize| scores[b].total_cmp(&scores[a]).then(a.cmp(&b));
    if most == 0 {
        order.clear();
    } else if order.len() > most {
        order.select_nth_unstable_by(most - 1, by);
        order.truncate(most);
    }
    order.sort_unstable_by(by);
    order
}

#[cfg(test)]
mod tests {
    use super::best;

    #[test]
    fn the_best_come_first_and_the_earlier_of_equals() {
        let scores = [0.5, 2.0, -1.0, 2.0, 3.0];
        assert_eq!(best(&scores, 3), [4, 1, 3]);
        assert_eq!(best(&scores, 9), [4, 1, 3, 0, 2]);
        assert!(best(&scores, 0).is_empty() && best(&[], 3).is_empty());
    }
}
