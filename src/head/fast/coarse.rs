//! [`FastCoarse`]: see [`crate::head::coarse`].

use std::ops::Range;

use super::coreference::FastKept;
use super::{apply, every};
use crate::cpu::{Linear, Matrix, Rows};
use crate::head::kept_spans::distance;

/// What antecedents are chosen by.
#[derive(Debug)]
pub(in crate::head) struct FastCoarse {
    pub weight: Linear, // projection -> projection
    pub matches: [f32; 2],
    pub distance: Option<Linear>, // projection -> distances
}

/// What the kept spans bring to their pairs.
pub(super) struct PreparedCoarse {
    product: Vec<f32>,          // (kept, projection)
    distance: Option<Vec<f32>>, // (kept, distances)
}

impl FastCoarse {
    pub(super) fn prepare(&self, kept: &FastKept, projection: usize) -> PreparedCoarse {
        let of = |layer| apply(layer, &kept.vectors, projection);
        PreparedCoarse { product: of(&self.weight), distance: self.distance.as_ref().map(of) }
    }

    /// Calls `tell` for each of the kept spans `rows`, in order, with its scores of those from `from` on
    /// that stand before it.
    pub(super) fn scores(
        &self,
        kept: &FastKept,
        prepared: &PreparedCoarse,
        rows: Range<usize>,
        from: usize,
        mut tell: impl FnMut(usize, &[f32]),
    ) {
        let projection = kept.vectors.len() / kept.spans.len().max(1);
        let (starts, vectors) = every(&kept.vectors, projection);
        let vector = |span: usize| &vectors[starts[span]..][..projection];
        let before = Matrix::new(rows.end - from, projection, |at| Some(vector(from + at)));
        let starts: Vec<usize> = rows.clone().map(|row| row * self.weight.width()).collect();
        let mut all = vec![0.0; rows.len() * before.width()];
        before.add_product(Rows { data: &prepared.product, starts: &starts }, &mut all);
        for (row, scores) in rows.zip(all.chunks_mut(before.width())) {
            let scores = &mut scores[..row - from];
            for (other, score) in (from..).zip(&mut *scores) {
                *score += kept.scores[row] + kept.scores[other];
                if kept.names[row] == kept.names[other] {
                    *score += self.matches[0];
                }
                if kept.lasts[row] == kept.lasts[other] {
                    *score += self.matches[1];
                }
            }
            if let (Some(layer), Some(of)) = (&self.distance, &prepared.distance) {
                let of_distance = &of[row * layer.width()..][..layer.width()];
                let first = kept.spans[row].first;
                for (score, other) in scores.iter_mut().zip(&kept.spans[from..row]) {
                    *score += of_distance[distance(first, other.first)];
                }
            }
            tell(row, scores);
        }
    }
}
