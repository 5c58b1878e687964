//! The spans that coarse-to-fine coreference keeps, and the scorer of spans and pairs.

use std::collections::HashMap;

use tch::Tensor;

use super::DocumentInput;
use crate::params::Init;
use crate::{Result, Span};

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

    /// (..., input) to (...)
    pub(super) fn score(&self, x: &Tensor, dropout: f64, train: bool) -> Result<Tensor> {
        Ok(x.f_relu()?
            .f_linear(&self.hidden.0, Some(&self.hidden.1))?
            .f_relu()?
            .f_dropout(dropout, train)?
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
        let mut numbers: HashMap<&[i64], i64> = HashMap::new();
        let names: Vec<i64> = spans
            .iter()
            .map(|(s, _)| {
                let next = numbers.len() as i64;
                *numbers.entry(&x.keys[s.first..s.last]).or_insert(next)
            })
            .collect();
        let lasts: Vec<i64> = spans.iter().map(|(s, _)| x.keys[s.last - 1]).collect();
        let device = vectors.device();
        Ok(Self {
            spans: spans.iter().map(|s| s.0).collect(),
            sentence: spans.iter().map(|s| s.1).collect(),
            vectors,
            scores,
            names: Tensor::f_from_slice(&names)?.f_to_device(device)?,
            lasts: Tensor::f_from_slice(&lasts)?.f_to_device(device)?,
        })
    }
}
