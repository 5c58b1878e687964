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

use tch::{Device, Kind, Tensor};

use super::fast::{FastCoarse, linear};
use super::kept_spans::{DISTANCES, Kept, distances};
use crate::Result;
use crate::cpu::values;
use crate::params::Init;

/// Takes an impossible antecedent out of every softmax.
pub(super) const NEVER: f64 = -1e9;
/// Kept spans before a span among which its antecedents are looked for.
pub(super) const WINDOW: usize = 4096;

#[derive(Debug)]
pub(super) struct CoarseScorer {
    weight: Tensor,           // (projection, projection)
    matches: Tensor,          // (2): all tokens equal, last token equal
    distance: Option<Tensor>, // (DISTANCES, projection)
}

/// Spans before each of some rows of kept spans, likely to be its antecedents.
pub(super) struct Antecedents {
    /// (R, A): their places among the kept spans; the row's own for what cannot be one.
    pub(super) index: Tensor,
    /// (R, A): their coarse scores, `NEVER` for what cannot be one.
    pub(super) scores: Tensor,
    /// (R, A, p)
    pub(super) vectors: Tensor,
    /// The kept spans among which they were looked for.
    pub(super) columns: Range<usize>,
    /// (R * A): their places among those.
    places: Tensor,
}

impl Antecedents {
    /// Their rows of what the columns have, (C, W): (R * A, W).
    pub(super) fn rows(&self, of: &Tensor) -> Result<Tensor> {
        Ok(of.f_index_select(0, &self.places)?)
    }
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

    /// How many spans of its document stand before a kept span at most, where these are no more than `count`.
    pub(super) fn all_before(kept: &Kept, count: usize) -> Option<usize> {
        let most = kept.most().saturating_sub(1).max(1);
        (most <= count.min(WINDOW)).then_some(most)
    }

    /// The best antecedents of each of the kept spans `rows`, at most `count`. Where no document has more, they are all
    /// before it, and no score is spent on spans of two documents.
    pub(super) fn antecedents(
        &self,
        kept: &Kept,
        rows: &Range<usize>,
        count: usize,
    ) -> Result<Antecedents> {
        let all_before = Self::all_before(kept, count);
        let start = rows.start.saturating_sub(all_before.unwrap_or(WINDOW));
        let (from, columns) = (start as i64, start..rows.end);
        let part =
            |rows: &Range<usize>| kept.vectors.f_narrow(0, rows.start as i64, rows.len() as i64);
        let all = part(&columns)?; // (C, p)
        let weighted = part(rows)?.f_matmul(&self.weight)?; // (R, p)
        let at = |places: &Tensor| -> Result<Tensor> {
            let (rows, count) = places.size2()?;
            let vectors = all.f_index_select(0, &places.f_reshape([-1])?)?;
            Ok(vectors.f_view([rows, count, -1])?)
        };
        let own = numbers(rows, all.device())?.f_unsqueeze(1)?; // (R, 1)
        let (index, scores, places, vectors) = match all_before {
            Some(most) => {
                let back = numbers(&(1..most + 1), all.device())?;
                let index = own.f_sub(&back)?; // (R, A)
                let index = index.f_where_self(&index.f_ge(0)?, &own)?;
                let places = index.f_sub_scalar(from)?;
                let vectors = at(&places)?;
                let product = vectors.f_matmul(&weighted.f_unsqueeze(2)?)?.f_squeeze_dim(2)?;
                let scores = self.scores(kept, rows, &index, &product)?;
                (index, scores, places, vectors)
            }
            None => {
                let index = numbers(&columns, all.device())?.f_unsqueeze(0)?; // (1, C)
                let product = weighted.f_matmul(&all.f_transpose(0, 1)?)?;
                let scores = self.scores(kept, rows, &index, &product)?; // (R, C)
                let count = columns.len().min(count) as i64;
                let (_, places) = scores.detach().f_topk(count, 1, true, true)?; // (R, A)
                let (index, vectors) = (places.f_add_scalar(from)?, at(&places)?);
                (index, scores.f_gather(1, &places, false)?, places, vectors)
            }
        };
        let index = index.f_where_self(&scores.f_gt(NEVER)?, &own)?;
        Ok(Antecedents { index, scores, vectors, columns, places: places.f_reshape([-1])? })
    }

    /// Scores of the kept spans `rows`, (R), with others, (R, A) or the same for all, (1, A): (R, A), `NEVER` for
    /// what does not stand before in the same document. `product` is that of their vectors, `g_i W g_j`.
    fn scores(
        &self,
        kept: &Kept,
        rows: &Range<usize>,
        others: &Tensor,
        product: &Tensor,
    ) -> Result<Tensor> {
        let own = |x: &Tensor| x.f_narrow(0, rows.start as i64, rows.len() as i64);
        let both = |x: &Tensor| -> Result<[Tensor; 2]> {
            Ok([own(x)?.f_unsqueeze(1)?, kept.at(x, others)?])
        };
        let equal = |ids: &Tensor| -> Result<Tensor> {
            let [left, right] = both(ids)?;
            Ok(left.f_eq_tensor(&right)?) // (R, A)
        };
        let added = |ids: &Tensor, feature: i64| -> Result<Tensor> {
            Ok(equal(ids)?.f_to_kind(Kind::Float)?.f_mul(&self.matches.f_get(feature)?)?)
        };
        let impossible = others
            .f_ge_tensor(&numbers(rows, others.device())?.f_unsqueeze(1)?)?
            .f_logical_or(&equal(&kept.document)?.f_logical_not()?)?;
        let [own_scores, other_scores] = both(&kept.scores)?;
        let mut scores = product
            .f_add(&own_scores)?
            .f_add(&other_scores)?
            .f_add(&added(&kept.texts, 0)?)?
            .f_add(&added(&kept.ends, 1)?)?;
        if let Some(distance) = &self.distance {
            let [left, right] = both(&kept.first)?;
            let apart = distances(&left.f_sub(&right)?)?;
            let of_distance = own(&kept.vectors)?.f_linear::<&Tensor>(distance, None)?; // (R, DISTANCES)
            scores = scores.f_add(&of_distance.f_gather(1, &apart, false)?)?;
        }
        Ok(scores.f_masked_fill(&impossible, NEVER)?)
    }
}

/// The numbers of some rows, (R).
pub(super) fn numbers(rows: &Range<usize>, device: Device) -> Result<Tensor> {
    Ok(Tensor::f_arange_start(rows.start as i64, rows.end as i64, (Kind::Int64, device))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::DocumentInput;
    use crate::head::candidates::{Candidates, Limits, spans_up_to};
    use crate::transfer::download;

    #[test]
    fn all_before_a_span_are_scored_as_those_that_are_chosen() {
        tch::manual_seed(3);
        let random = |shape: &[i64]| Tensor::randn(shape, tch::kind::FLOAT_CPU);
        let scorer = CoarseScorer {
            weight: random(&[6, 6]),
            matches: random(&[2]),
            distance: Some(random(&[DISTANCES, 6])),
        };
        // Of three documents, of which the second is a token, 8, 1 and 11 spans are kept.
        let x = DocumentInput {
            rows: Tensor::zeros([40, 1], tch::kind::FLOAT_CPU),
            sentences: vec![0..9, 9..17, 17..18, 18..40],
            documents: vec![0..17, 17..18, 18..40],
            keys: (0..40).map(|at| at * 7 % 5).collect(),
            capitals: vec![false; 40],
        };
        let limits = Limits { width: 3, share: 0.5, least: 0 };
        let spans = spans_up_to(limits.width, &x.sentences);
        let candidates = Candidates::new(&x, &spans, limits, None).unwrap();
        let best = candidates.best(&random(&[spans.len() as i64])).unwrap();
        let kept = Kept::new(&candidates, &best, random(&[20, 6]), random(&[20])).unwrap();
        // Of each row its antecedents and their scores, the best first.
        let found = |rows: Range<usize>, count: usize| -> Vec<Vec<(i64, f32)>> {
            let found = scorer.antecedents(&kept, &rows, count).unwrap();
            let flat = found.index.reshape([-1]);
            let vectors = kept.vectors.index_select(0, &flat);
            let of_columns = found.rows(&kept.vectors.narrow(
                0,
                found.columns.start as i64,
                found.columns.len() as i64,
            ));
            assert!(found.vectors.reshape([-1, 6]).equal(&of_columns.unwrap()));
            let possible = found.scores.reshape([-1]).gt(NEVER).unsqueeze(1);
            let apart = (found.vectors.reshape([-1, 6]) - vectors) * possible;
            assert_eq!(f64::try_from(apart.abs().max()).unwrap(), 0.0);
            let index = download::<i64>(&found.index).unwrap();
            let scores = download::<f32>(&found.scores).unwrap();
            let antecedents = index.len() / rows.len();
            let pairs: Vec<(i64, f32)> = index.into_iter().zip(scores).collect();
            let of_row = |(row, pairs): (usize, &[(i64, f32)])| {
                let mut pairs: Vec<_> =
                    pairs.iter().copied().filter(|(other, _)| *other != row as i64).collect();
                pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
                pairs
            };
            rows.zip(pairs.chunks(antecedents)).map(of_row).collect()
        };
        assert_eq!(CoarseScorer::all_before(&kept, 10), Some(10));
        let all = found(0..20, 10);
        let counts: Vec<usize> = all.iter().map(Vec::len).collect();
        assert_eq!(counts, [(0..8).collect::<Vec<_>>(), vec![0], (0..11).collect()].concat());
        assert_eq!(found(6..13, 10), all[6..13]);
        // One too few for that.
        assert_eq!(CoarseScorer::all_before(&kept, 9), None);
        for (best, all) in found(0..20, 9).iter().zip(&all) {
            assert_eq!(best.len(), all.len().min(9));
            for (best, other) in best.iter().zip(all) {
                assert!(best.0 == other.0 && (best.1 - other.1).abs() < 1e-5, "{best:?} {other:?}");
            }
        }
    }
}
