//! The spans that coarse-to-fine coreference keeps, and the scorer of spans and pairs.

use std::collections::HashMap;

use tch::Tensor;

use super::DocumentInput;
use super::fast::FastScorer;
use crate::decode::matches;
use crate::dropout::Dropout as _;
use crate::params::Init;
use crate::transfer::upload_columns;
use crate::{Result, Span};

/// Powers of two of the distance in tokens.
pub(super) const DISTANCES: i64 = 12;
/// Farther sentences share the last embedding.
pub(super) const SENTENCES: i64 = 8;
/// Combinations of: all tokens equal, last equal, first equal, one inside the other.
pub(super) const MATCHES: i64 = 16;
/// And of: both are names.
pub(super) const NAME_MATCHES: i64 = 2 * MATCHES;

/// One hidden layer and a score.
#[derive(Debug)]
pub(super) struct Scorer {
    hidden: (Tensor, Tensor),
    output: (Tensor, Tensor),
}

/// The spans kept as mentions, in text order.
pub(super) struct Kept {
    pub(super) spans: Vec<Span>,
    pub(super) sentence: Vec<usize>,
    pub(super) vectors: Tensor, // (kept, projection)
    pub(super) scores: Tensor,  // (kept)
    pub(super) firsts: Tensor,  // (kept): where they begin
    pub(super) names: Tensor,   // (kept): equal for spans of equal tokens
    pub(super) lasts: Tensor,   // (kept): equal for spans of equal last tokens
}

impl Scorer {
    pub(super) fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        name: &str,
        input: i64,
        hidden: i64,
    ) -> Result<Self> {
        Ok(Self {
            hidden: (
                get(&format!("{name}.hidden.weight"), &[hidden, input], Init::XavierUniform)?,
                get(&format!("{name}.hidden.bias"), &[hidden], Init::Zeros)?,
            ),
            output: (
                get(&format!("{name}.output.weight"), &[1, hidden], Init::XavierUniform)?,
                get(&format!("{name}.output.bias"), &[1], Init::Zeros)?,
            ),
        })
    }

    pub(super) fn fast(&self) -> Result<FastScorer> {
        FastScorer::new(&self.hidden, &self.output)
    }

    /// (..., input) to (...)
    pub(super) fn score(&self, x: &Tensor, dropout: f64, train: bool) -> Result<Tensor> {
        Ok(x.f_relu()?
            .f_linear(&self.hidden.0, Some(&self.hidden.1))?
            .f_relu()?
            .dropped(dropout, train)?
            .f_linear(&self.output.0, Some(&self.output.1))?
            .f_squeeze_dim(-1)?)
    }
}

impl Kept {
    pub(super) fn new(
        x: &DocumentInput,
        spans: &[(Span, usize)],
        vectors: Tensor,
        scores: Tensor,
    ) -> Result<Self> {
        let (names, lasts) = numbers(x, spans);
        let firsts: Vec<i64> = spans.iter().map(|(s, _)| s.first as i64).collect();
        let columns = [firsts, names, lasts];
        let [firsts, names, lasts] = upload_columns(&columns, vectors.device())?;
        Ok(Self {
            spans: spans.iter().map(|s| s.0).collect(),
            sentence: spans.iter().map(|s| s.1).collect(),
            vectors,
            scores,
            firsts,
            names,
            lasts,
        })
    }
}

/// For each span a number, equal for spans of equal tokens, and one equal for spans of equal last tokens.
pub(super) fn numbers(x: &DocumentInput, spans: &[(Span, usize)]) -> (Vec<i64>, Vec<i64>) {
    let mut numbers: HashMap<&[i64], i64> = HashMap::new();
    let names = spans.iter().map(|(s, _)| {
        let next = numbers.len() as i64;
        *numbers.entry(&x.keys[s.first..s.last]).or_insert(next)
    });
    (names.collect(), spans.iter().map(|(s, _)| x.keys[s.last - 1]).collect())
}

/// Distance, sentences apart and match of a span and an earlier one, each with its sentence, as rows of
/// their tables; with `names` also whether both are names.
pub(super) fn pair_features(
    x: &DocumentInput,
    names: bool,
    (span, sentence): (Span, usize),
    (other, other_sentence): (Span, usize),
) -> [usize; 3] {
    let names = names && is_name(x, span) && is_name(x, other);
    [
        distance(span.first, other.first),
        (sentence - other_sentence).min(SENTENCES as usize - 1),
        (matches(&x.keys, span, other) + i64::from(names) * MATCHES) as usize,
    ]
}

/// Of two places the powers of two between them: 0, 1, 2 to 3, 4 to 7 and so on.
pub(super) fn distance(place: usize, earlier: usize) -> usize {
    let tokens = place.saturating_sub(earlier);
    let power = usize::BITS - tokens.leading_zeros();
    (power as usize).min(DISTANCES as usize - 1)
}

/// Whether a span begins and ends with a capital: "The president" does not, nor does "van Dam".
fn is_name(x: &DocumentInput, span: Span) -> bool {
    x.capitals[span.first] && x.capitals[span.last - 1]
}
