//! The spans that coarse-to-fine coreference keeps, and what two of them have in common.
//!
//! That is worked out in two ways: for one pair on the host ([`pair_features`]), for many where the
//! tensors are ([`Kept::features`]).

use std::ops::Range;

use tch::{Kind, Tensor};

use super::candidates::Candidates;
use crate::decode::matches;
use crate::{Result, Span};

/// Powers of two of the distance in tokens.
pub(super) const DISTANCES: i64 = 12;
/// Farther sentences share the last embedding.
pub(super) const SENTENCES: i64 = 8;
/// Combinations of: all tokens equal, last equal, first equal, one inside the other.
pub(super) const MATCHES: i64 = 16;
/// And of: both are names.
pub(super) const NAME_MATCHES: i64 = 2 * MATCHES;

/// The spans kept as mentions, in text order.
pub(super) struct Kept<'a> {
    pub(super) vectors: Tensor,  // (kept, projection)
    pub(super) scores: Tensor,   // (kept)
    pub(super) cluster: Tensor,  // (kept): gold, or empty
    pub(super) first: Tensor,    // (kept)
    pub(super) texts: Tensor,    // (kept): equal for spans of equal tokens
    pub(super) ends: Tensor,     // (kept): equal for spans of equal last tokens
    last: Tensor,                // (kept)
    starts: Tensor,              // (kept): equal for spans of equal first tokens
    sentence: Tensor,            // (kept)
    pub(super) document: Tensor, // (kept)
    names: Tensor,               // (kept): whether it begins and ends with a capital
    candidates: &'a Candidates,
}

/// Kept spans whose antecedents are looked for.
pub(super) enum Anaphors {
    /// Each with a row of others.
    Rows(Range<usize>),
    /// (P): each with one other, by place among the kept spans.
    Pairs(Tensor),
}

impl Anaphors {
    /// What they have `of` (kept, ...), beside what the others have: (R, 1, ...) or (P, ...).
    pub(super) fn of(&self, of: &Tensor) -> Result<Tensor> {
        self.made(of, |own| Ok(own.shallow_clone()))
    }

    /// What is made of that, once for each span.
    pub(super) fn made(
        &self,
        of: &Tensor,
        make: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        Ok(match self {
            Self::Rows(rows) => {
                make(&of.f_narrow(0, rows.start as i64, rows.len() as i64)?)?.f_unsqueeze(1)?
            }
            Self::Pairs(places) => make(of)?.f_index_select(0, places)?,
        })
    }
}

impl<'a> Kept<'a> {
    /// `index` (kept) says which candidates.
    pub(super) fn new(
        candidates: &'a Candidates,
        index: &Tensor,
        vectors: Tensor,
        scores: Tensor,
    ) -> Result<Self> {
        let Candidates { first, last, cluster, texts, keys, sentence, document, capitals, .. } =
            candidates;
        let (first, last) = (first.f_index_select(0, index)?, last.f_index_select(0, index)?);
        let end = last.f_sub_scalar(1)?;
        let cell = first.f_mul_scalar(texts.size()[1])?.f_add(&end)?.f_sub(&first)?;
        let cluster = match cluster.size()[0] {
            0 => cluster.shallow_clone(),
            _ => cluster.f_index_select(0, index)?,
        };
        let begins = capitals.f_index_select(0, &first)?;
        Ok(Self {
            vectors,
            scores,
            cluster,
            texts: texts.f_flatten(0, 1)?.f_index_select(0, &cell)?,
            starts: keys.f_index_select(0, &first)?,
            ends: keys.f_index_select(0, &end)?,
            sentence: sentence.f_index_select(0, &first)?,
            document: document.f_index_select(0, &first)?,
            names: begins.f_logical_and(&capitals.f_index_select(0, &end)?)?,
            first,
            last,
            candidates,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.first.size()[0] as usize
    }

    /// How many of the first are in [`Pairs`](super::candidates::Pairs).
    pub(super) fn paired(&self) -> usize {
        self.candidates.pairs.counts.len()
    }

    /// What the kept spans `index`, of any shape, have `of` (kept).
    pub(super) fn at(&self, of: &Tensor, index: &Tensor) -> Result<Tensor> {
        Ok(of.f_index_select(0, &index.f_reshape([-1])?)?.f_view_as(index)?)
    }

    /// [`pair_features`] of kept spans with `others`, (R, A) or (P), earlier ones or themselves: three as `others`.
    pub(super) fn features(
        &self,
        anaphors: &Anaphors,
        others: &Tensor,
        names: bool,
    ) -> Result<[Tensor; 3]> {
        let both = |of: &Tensor| -> Result<[Tensor; 2]> {
            Ok([anaphors.of(of)?, self.at(of, others)?]) // (R, 1), (R, A) or both (P)
        };
        let equal = |of: &Tensor| -> Result<Tensor> {
            let [own, other] = both(of)?;
            Ok(own.f_eq_tensor(&other)?)
        };
        let [first, other_first] = both(&self.first)?;
        let [sentence, other_sentence] = both(&self.sentence)?;
        let mut bits = vec![
            equal(&self.texts)?,
            equal(&self.ends)?,
            equal(&self.starts)?,
            self.inside(&both)?,
        ];
        if names {
            let [own, other] = both(&self.names)?;
            bits.push(own.f_logical_and(&other)?);
        }
        let mut matches = Tensor::f_zeros_like(others)?;
        for (bit, is) in bits.iter().enumerate() {
            matches = matches.f_add(&is.f_to_kind(Kind::Int64)?.f_mul_scalar(1_i64 << bit)?)?;
        }
        let sentences =
            sentence.f_sub(&other_sentence)?.f_clamp_max(SENTENCES - 1)?.f_expand_as(others)?;
        Ok([distances(&first.f_sub(&other_first)?)?, sentences, matches])
    }

    /// Whether the tokens of one stand in the other, side by side: (R, A) or (P).
    fn inside(&self, both: &impl Fn(&Tensor) -> Result<[Tensor; 2]>) -> Result<Tensor> {
        let texts = &self.candidates.texts;
        let width = texts.size()[1];
        let ([first, other_first], [last, other_last]) = (both(&self.first)?, both(&self.last)?);
        let [text, other_text] = both(&self.texts)?;
        let (size, other_size) = (last.f_sub(&first)?, other_last.f_sub(&other_first)?);
        let longer = size.f_ge_tensor(&other_size)?;
        let long = |own: &Tensor, other: &Tensor| own.f_where_self(&longer, other);
        let short = |own: &Tensor, other: &Tensor| other.f_where_self(&longer, own);
        let (size, text) = (short(&size, &other_size)?, short(&text, &other_text)?);
        let steps = Tensor::f_arange(width, (Kind::Int64, first.device()))?;
        let begin = long(&first, &other_first)?.f_unsqueeze(-1)?.f_add(&steps)?; // (R, A, W) or (P, W)
        let fits = begin
            .f_add(&size.f_unsqueeze(-1)?)?
            .f_le_tensor(&long(&last, &other_last)?.f_unsqueeze(-1)?)?;
        let cell = begin.f_mul_scalar(width)?.f_add(&size.f_unsqueeze(-1)?)?.f_sub_scalar(1)?;
        let cell = cell.f_clamp_max(texts.numel() as i64 - 1)?;
        let found = texts.f_flatten(0, 1)?.f_index_select(0, &cell.f_view([-1])?)?;
        let equal = found.f_view_as(&cell)?.f_eq_tensor(&text.f_unsqueeze(-1)?)?;
        Ok(equal.f_logical_and(&fits)?.f_any_dim(-1, false)?)
    }
}

/// Distance, sentences apart and match of a span and an earlier one, each with its sentence, as rows of
/// their tables; with `capitals` also whether both are names.
pub(super) fn pair_features(
    keys: &[i64],
    capitals: Option<&[bool]>,
    (span, sentence): (Span, usize),
    (other, other_sentence): (Span, usize),
) -> [usize; 3] {
    let names = capitals.is_some_and(|c| is_name(c, span) && is_name(c, other));
    [
        distance(span.first, other.first),
        (sentence - other_sentence).min(SENTENCES as usize - 1),
        (matches(keys, span, other) + i64::from(names) * MATCHES) as usize,
    ]
}

/// Of two places the powers of two between them: 0, 1, 2 to 3, 4 to 7 and so on.
pub(super) fn distance(place: usize, earlier: usize) -> usize {
    let tokens = place.saturating_sub(earlier);
    let power = usize::BITS - tokens.leading_zeros();
    (power as usize).min(DISTANCES as usize - 1)
}

/// [`distance`] of many tokens apart, of any shape; below zero it is zero.
pub(super) fn distances(apart: &Tensor) -> Result<Tensor> {
    let edges = Tensor::f_arange(DISTANCES - 1, (Kind::Int64, apart.device()))?;
    let edges = edges.f_ones_like()?.f_bitwise_left_shift(&edges)?;
    Ok(apart.f_bucketize(&edges, false, true)?)
}

/// Whether a span begins and ends with a capital: "The president" does not, nor does "van Dam".
fn is_name(capitals: &[bool], span: Span) -> bool {
    capitals[span.first] && capitals[span.last - 1]
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::head::DocumentInput;
    use crate::head::candidates::{Limits, spans_up_to};
    use crate::transfer::{download, host};

    #[test]
    fn many_pairs_have_in_common_what_each_has() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sentences: Vec<Range<usize>> = vec![0..7, 7..8, 8..20, 20..31, 31..60];
        let keys: Vec<i64> = (0..60).map(|_| rng.random_range(0..3)).collect();
        let capitals = (0..60).map(|_| rng.random_bool(0.5)).collect();
        let rows = Tensor::zeros([60, 1], tch::kind::FLOAT_CPU);
        let documents = vec![0..31, 31..60];
        let x = DocumentInput { rows, sentences, documents, keys, capitals };
        let limits = Limits { width: 4, share: 0.3, least: 0, antecedents: 0 };
        let spans = spans_up_to(limits.width, &x.sentences);
        let candidates = Candidates::new(&x, &spans, limits, None).unwrap();
        // Every third, and each of them with all up to itself.
        let index: Vec<i64> = (0..spans.len() as i64).step_by(3).collect();
        let kept: Vec<_> = index.iter().map(|&at| spans[at as usize]).collect();
        let vectors = Tensor::zeros([index.len() as i64, 1], tch::kind::FLOAT_CPU);
        let index = host(&index).unwrap();
        let scores = vectors.squeeze();
        let on_device = Kept::new(&candidates, &index, vectors, scores).unwrap();
        assert_eq!(on_device.len(), kept.len());
        let mut seen = std::collections::BTreeSet::new();
        for names in [false, true] {
            for row in 0..kept.len() {
                let others: Vec<i64> = (0..=row as i64).collect();
                let others = host(&others).unwrap().view([1, -1]);
                let rows = Anaphors::Rows(row..row + 1);
                let features = on_device.features(&rows, &others, names).unwrap();
                let features = features.map(|f| download::<i64>(&f).unwrap());
                let pairs = Anaphors::Pairs(others.reshape([-1]).full_like(row as i64));
                let of_pairs = on_device.features(&pairs, &others.reshape([-1]), names).unwrap();
                assert_eq!(of_pairs.map(|f| download::<i64>(&f).unwrap()), features);
                for other in 0..=row {
                    let capitals = names.then_some(&x.capitals[..]);
                    let own = pair_features(&x.keys, capitals, kept[row], kept[other]);
                    let theirs = [0, 1, 2].map(|f| features[f][other] as usize);
                    assert_eq!(theirs, own, "{:?} {:?}", kept[row], kept[other]);
                    seen.insert(own[2]);
                }
            }
        }
        // All that can be: equal spans have equal ends and are inside each other.
        assert!(seen.len() >= 16, "{seen:?}");
    }

    #[test]
    fn distances_are_those_of_one() {
        let apart: Vec<i64> = (0..5000).collect();
        let many = distances(&host(&apart).unwrap()).unwrap();
        let each: Vec<i64> = (0..5000).map(|d| distance(d, 0) as i64).collect();
        assert_eq!(download::<i64>(&many).unwrap(), each);
    }
}
