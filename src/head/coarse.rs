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
use super::kept_spans::{Anaphors, DISTANCES, Kept, distances};
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

/// Kept spans, and spans before them that are likely to be their antecedents.
pub(super) struct Antecedents {
    pub(super) anaphors: Anaphors,
    /// (R, A) or (P): their places among the kept spans; the anaphor's own for what cannot be one.
    pub(super) index: Tensor,
    /// The same: their coarse scores, `NEVER` for what cannot be one.
    pub(super) scores: Tensor,
    /// (R, A, p) or (P, p)
    pub(super) vectors: Tensor,
    /// The kept spans among which they were looked for.
    pub(super) columns: Range<usize>,
    /// (R, A) or (P): their places among those.
    places: Tensor,
}

impl Antecedents {
    /// Their rows of what the columns have, (C, W): (R, A, W) or (P, W).
    pub(super) fn of(&self, columns: &Tensor) -> Result<Tensor> {
        rows_at(columns, &self.places)
    }
}

/// The rows of a table, (C, W), at places of any shape, (...): (..., W).
pub(super) fn rows_at(table: &Tensor, places: &Tensor) -> Result<Tensor> {
    let shape = [places.size(), vec![-1]].concat();
    Ok(table.f_index_select(0, &places.f_reshape([-1])?)?.f_view(shape.as_slice())?)
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

    /// The best antecedents of each of the kept spans `rows`, at most `count`. None of them is in a pair.
    pub(super) fn best(
        &self,
        kept: &Kept,
        rows: &Range<usize>,
        count: usize,
    ) -> Result<Antecedents> {
        let start = rows.start.saturating_sub(WINDOW).max(kept.paired());
        let (from, columns) = (start as i64, start..rows.end);
        let all = kept.vectors.f_narrow(0, from, columns.len() as i64)?; // (C, p)
        let others = numbers(&columns, all.device())?.f_unsqueeze(0)?; // (1, C)
        let own = numbers(rows, all.device())?.f_unsqueeze(1)?; // (R, 1)
        let anaphors = Anaphors::Rows(rows.clone());
        let product = anaphors
            .made(&kept.vectors, |own| Ok(own.f_matmul(&self.weight)?))?
            .f_squeeze_dim(1)?
            .f_matmul(&all.f_transpose(0, 1)?)?;
        let other_document =
            anaphors.of(&kept.document)?.f_ne_tensor(&kept.at(&kept.document, &others)?)?;
        let impossible = others.f_ge_tensor(&own)?.f_logical_or(&other_document)?; // (R, C)
        let scores = self.scores(kept, &anaphors, &others, &product)?;
        let scores = scores.f_masked_fill(&impossible, NEVER)?;
        let count = columns.len().min(count) as i64;
        let (_, places) = scores.detach().f_topk(count, 1, true, true)?; // (R, A)
        let scores = scores.f_gather(1, &places, false)?;
        let index = places.f_add_scalar(from)?.f_where_self(&scores.f_gt(NEVER)?, &own)?;
        let vectors = rows_at(&all, &places)?;
        Ok(Antecedents { anaphors, index, scores, vectors, columns, places })
    }

    /// Each pair of kept spans `of`, (P) both, the later first: no score is spent on what cannot be one.
    pub(super) fn of_pairs(&self, kept: &Kept, of: [Tensor; 2]) -> Result<Antecedents> {
        let [anaphors, index] = of;
        let anaphors = Anaphors::Pairs(anaphors);
        let vectors = rows_at(&kept.vectors, &index)?; // (P, p)
        let product = anaphors
            .made(&kept.vectors, |own| Ok(own.f_matmul(&self.weight)?))?
            .f_mul(&vectors)?
            .f_sum_dim_intlist(-1, false, Kind::Float)?;
        let scores = self.scores(kept, &anaphors, &index, &product)?;
        let places = index.shallow_clone();
        Ok(Antecedents { anaphors, index, scores, vectors, columns: 0..kept.len(), places })
    }

    /// Scores of kept spans with others, (R, A) or the same for all, (1, A): (R, A); or with one each, (P). `product`
    /// is that of their vectors, `g_i W g_j`.
    fn scores(
        &self,
        kept: &Kept,
        anaphors: &Anaphors,
        others: &Tensor,
        product: &Tensor,
    ) -> Result<Tensor> {
        let both =
            |x: &Tensor| -> Result<[Tensor; 2]> { Ok([anaphors.of(x)?, kept.at(x, others)?]) };
        let added = |ids: &Tensor, feature: i64| -> Result<Tensor> {
            let [own, other] = both(ids)?;
            let equal = own.f_eq_tensor(&other)?.f_to_kind(Kind::Float)?;
            Ok(equal.f_mul(&self.matches.f_get(feature)?)?)
        };
        let [own_scores, other_scores] = both(&kept.scores)?;
        let scores = product
            .f_add(&own_scores)?
            .f_add(&other_scores)?
            .f_add(&added(&kept.texts, 0)?)?
            .f_add(&added(&kept.ends, 1)?)?;
        let Some(distance) = &self.distance else { return Ok(scores) };
        let [own, other] = both(&kept.first)?;
        let apart = distances(&own.f_sub(&other)?)?;
        // (R, 1, DISTANCES) or (P, DISTANCES)
        let of_distance =
            anaphors.made(&kept.vectors, |own| Ok(own.f_linear::<&Tensor>(distance, None)?))?;
        let of_distance = match anaphors {
            Anaphors::Rows(_) => of_distance.f_squeeze_dim(1)?.f_gather(1, &apart, false)?,
            Anaphors::Pairs(_) => {
                of_distance.f_gather(1, &apart.f_unsqueeze(1)?, false)?.f_squeeze_dim(1)?
            }
        };
        Ok(scores.f_add(&of_distance)?)
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
    fn pairs_are_scored_as_those_that_are_chosen() {
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
        let candidates = |antecedents| {
            let limits = Limits { width: 3, share: 0.5, least: 0, antecedents };
            let spans = spans_up_to(limits.width, &x.sentences);
            Candidates::new(&x, &spans, limits, None).unwrap()
        };
        let [some, candidates, none] = [9, 10, 6].map(candidates);
        let best = candidates.best(&random(&[candidates.first.size()[0]])).unwrap();
        let (vectors, scores) = (random(&[20, 6]), random(&[20]));
        let [some, kept, none] = [&some, &candidates, &none].map(|candidates| {
            let (vectors, scores) = (vectors.shallow_clone(), scores.shallow_clone());
            Kept::new(candidates, &best, vectors, scores).unwrap()
        });
        assert_eq!([&some, &kept, &none].map(Kept::paired), [9, 20, 0]);
        // Of each row its antecedents and their scores, the best first.
        let sorted = |mut of_row: Vec<(i64, f32)>| {
            of_row.sort_by(|a, b| b.1.total_cmp(&a.1));
            of_row
        };
        let with_scores = |found: &Antecedents| -> Vec<(i64, f32)> {
            let index = download::<i64>(&found.index).unwrap();
            index.into_iter().zip(download::<f32>(&found.scores).unwrap()).collect()
        };
        let check_vectors = |found: &Antecedents| {
            let (start, count) = (found.columns.start as i64, found.columns.len() as i64);
            let of_columns = found.of(&kept.vectors.narrow(0, start, count)).unwrap();
            assert!(found.vectors.equal(&of_columns));
            let possible = found.scores.gt(NEVER).unsqueeze(-1);
            let own = rows_at(&kept.vectors, &found.index).unwrap();
            let apart = (&found.vectors - own) * possible;
            assert_eq!(f64::try_from(apart.abs().max()).unwrap(), 0.0);
        };
        let chosen = |kept: &Kept, rows: Range<usize>, count: usize| -> Vec<Vec<(i64, f32)>> {
            let found = scorer.best(kept, &rows, count).unwrap();
            check_vectors(&found);
            let of_row = |(row, pairs): (usize, &[(i64, f32)])| {
                sorted(pairs.iter().copied().filter(|(other, _)| *other != row as i64).collect())
            };
            let pairs = with_scores(&found);
            rows.clone().zip(pairs.chunks(pairs.len() / rows.len())).map(of_row).collect()
        };
        let pairs = &candidates.pairs;
        let before = [(0..8).collect::<Vec<_>>(), vec![0], (0..11).collect()].concat();
        assert_eq!(pairs.counts, before);
        let of = [&pairs.anaphors, &pairs.antecedents].map(Tensor::shallow_clone);
        let found = scorer.of_pairs(&kept, of).unwrap();
        check_vectors(&found);
        let mut flat = with_scores(&found).into_iter();
        let all: Vec<_> = before.iter().map(|&n| sorted(flat.by_ref().take(n).collect())).collect();
        assert!(flat.next().is_none());
        for (kept, rows, count) in
            [(&none, 0..20, 20), (&none, 6..13, 10), (&none, 0..20, 9), (&some, 9..20, 10)]
        {
            for (best, all) in chosen(kept, rows.clone(), count).iter().zip(&all[rows]) {
                assert_eq!(best.len(), all.len().min(count));
                for (best, other) in best.iter().zip(all) {
                    let apart = (best.1 - other.1).abs();
                    assert!(best.0 == other.0 && apart < 1e-5, "{best:?} {other:?}");
                }
            }
        }
    }
}
