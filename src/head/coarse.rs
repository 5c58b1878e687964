//! [`CoarseScorer`]: which of the spans before a span may be its antecedents (the second factor of
//! Lee, He and Zettlemoyer 2018), a score for each pair of a document at the price of a product.
//!
//! ```text
//! c(i, j) = m_i + m_j + g_i W g_j + match(i, j) + g_i D[distance(i, j)]
//! ```
//!
//! The last term, there with `coarse_distance`, is ours: where the antecedents of a span are likely
//! to stand depends on the span, and a pronoun's are near.

use std::ops::Range;

use tch::{Kind, Tensor};

use super::fast::{FastCoarse, linear};
use super::kept_spans::{DISTANCES, Kept, distances};
use crate::Result;
use crate::cpu::values;
use crate::params::Init;

/// Takes an impossible antecedent out of every softmax.
pub(super) const NEVER: f64 = -1e9;

#[derive(Debug)]
pub(super) struct CoarseScorer {
    weight: Tensor,           // (projection, projection)
    matches: Tensor,          // (2): all tokens equal, last token equal
    distance: Option<Tensor>, // (DISTANCES, projection)
}

impl CoarseScorer {
    pub(super) fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        projection: i64,
        distance: bool,
    ) -> Result<Self> {
        let p = projection;
        Ok(Self {
            weight: get("coarse.weight", &[p, p], Init::Normal(0.02))?,
            matches: get("coarse.match", &[2], Init::Zeros)?,
            distance: match distance {
                true => Some(get("coarse.distance", &[DISTANCES, p], Init::Normal(0.02))?),
                false => None,
            },
        })
    }

    pub(super) fn fast(&self) -> Result<FastCoarse> {
        let matches = values(&self.matches)?;
        Ok(FastCoarse {
            weight: linear(&self.weight.f_transpose(0, 1)?.f_contiguous()?, None)?,
            matches: [matches[0], matches[1]],
            distance: self.distance.as_ref().map(|d| linear(d, None)).transpose()?,
        })
    }

    /// Zero, for spans of which none can be scored.
    pub(super) fn nothing(&self) -> Result<Tensor> {
        Ok(self.weight.f_sum(Kind::Float)?.f_mul_scalar(0.0)?)
    }

    /// Scores of the kept spans `rows` with those from `from` up to the last row, (R, C): `NEVER` for what
    /// does not stand before in the same document.
    pub(super) fn scores(&self, kept: &Kept, rows: Range<usize>, from: usize) -> Result<Tensor> {
        let device = kept.vectors.device();
        let (row, height) = (rows.start as i64, rows.len() as i64);
        let (from, count) = (from as i64, (rows.end - from) as i64);
        let row_vectors = kept.vectors.f_narrow(0, row, height)?; // (R, p)
        let column_vectors = kept.vectors.f_narrow(0, from, count)?; // (C, p)
        // (R, 1) and (1, C)
        let both = |x: &Tensor| -> Result<[Tensor; 2]> {
            Ok([
                x.f_narrow(0, row, height)?.f_unsqueeze(1)?,
                x.f_narrow(0, from, count)?.f_unsqueeze(0)?,
            ])
        };
        let equal = |ids: &Tensor| -> Result<Tensor> {
            let [left, right] = both(ids)?;
            Ok(left.f_eq_tensor(&right)?) // (R, C)
        };
        let added = |ids: &Tensor, feature: i64| -> Result<Tensor> {
            Ok(equal(ids)?.f_to_kind(Kind::Float)?.f_mul(&self.matches.f_get(feature)?)?)
        };
        let position = |at: i64, n: i64| Tensor::f_arange_start(at, at + n, (Kind::Int64, device));
        let impossible = position(from, count)?
            .f_unsqueeze(0)?
            .f_ge_tensor(&position(row, height)?.f_unsqueeze(1)?)?
            .f_logical_or(&equal(&kept.document)?.f_logical_not()?)?;
        let [row_scores, column_scores] = both(&kept.scores)?;
        let mut scores = row_vectors
            .f_matmul(&self.weight)?
            .f_matmul(&column_vectors.f_transpose(0, 1)?)?
            .f_add(&row_scores)?
            .f_add(&column_scores)?
            .f_add(&added(&kept.texts, 0)?)?
            .f_add(&added(&kept.ends, 1)?)?; // (R, C)
        if let Some(distance) = &self.distance {
            let [left, right] = both(&kept.first)?;
            let apart = distances(&left.f_sub(&right)?)?; // (R, C)
            let of_distance = row_vectors.f_linear::<&Tensor>(distance, None)?; // (R, DISTANCES)
            scores = scores.f_add(&of_distance.f_gather(1, &apart, false)?)?;
        }
        Ok(scores.f_masked_fill(&impossible, NEVER)?)
    }
}
