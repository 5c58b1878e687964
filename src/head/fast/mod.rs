//! Heads that only annotate, on the layers of [`crate::cpu`]: the formulas of the heads of the same
//! names, which learn through LibTorch. Each is laid out from its head's weights when a model is loaded.

mod biaffine;
mod coarse;
mod coreference;
mod mention_pairs;
mod spans;
mod word_match;

pub(super) use biaffine::FastBiaffine;
pub(super) use coarse::FastCoarse;
pub(super) use coreference::{FastCoreference, FastKept};
pub(super) use mention_pairs::{FastMentionPairs, PairFeatures};
pub(super) use spans::{FastSpans, SpanWeights};
use tch::Tensor;
pub(super) use word_match::FastWordMatch;

use crate::Result;
use crate::cpu::{Linear, Rows, values};

/// A linear layer of tensors (outputs, inputs) and (outputs).
pub(super) fn linear(weight: &Tensor, bias: Option<&Tensor>) -> Result<Linear> {
    let bias = bias.map(values).transpose()?;
    Ok(Linear::new(values(weight)?, bias, weight.size()[0] as usize))
}

/// The rows of a table of `width` columns.
fn every(data: &[f32], width: usize) -> (Vec<usize>, &[f32]) {
    ((0..data.len() / width.max(1)).map(|row| row * width).collect(), data)
}

/// A layer of all rows of `data`, which has `width` columns.
fn apply(layer: &Linear, data: &[f32], width: usize) -> Vec<f32> {
    let (starts, data) = every(data, width);
    layer.forward(Rows { data, starts: &starts })
}

/// Adds a row to a row.
fn add(to: &mut [f32], x: &[f32]) {
    to.iter_mut().zip(x).for_each(|(to, x)| *to += x);
}

/// One hidden layer and a score; see [`super::scorer::Scorer`].
#[derive(Debug)]
pub(super) struct FastScorer {
    hidden: Linear,
    output: Vec<f32>,
    bias: f32,
}

impl FastScorer {
    pub(super) fn new(hidden: &(Tensor, Tensor), output: &(Tensor, Tensor)) -> Result<Self> {
        Ok(Self {
            hidden: linear(&hidden.0, Some(&hidden.1))?,
            output: values(&output.0)?.to_vec(),
            bias: values(&output.1)?[0],
        })
    }

    /// Appends the scores of rows of `width` columns, which are not negative.
    fn score(&self, x: &[f32], width: usize, scores: &mut Vec<f32>) {
        let hidden = apply(&self.hidden, x, width);
        scores.extend(hidden.chunks(self.hidden.width()).map(|row| {
            let terms = row.iter().zip(&self.output).map(|(h, w)| h.max(0.0) * w);
            self.bias + terms.sum::<f32>()
        }));
    }
}
