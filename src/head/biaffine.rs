//! [`Biaffine`]: nested spans by scoring the two ends of every span of a sentence against each
//! other (Yu, Bohnet and Poesio, ACL 2020).
//!
//! With `s_i = relu(W_s h_i)` and `e_j = relu(W_e h_j)`, the span from token `i` to token `j` has
//! for class `c` the score
//!
//! ```text
//! [s_i; 1]^T U_c [e_j; 1] + width[j - i, c]
//! ```
//!
//! Class 0 is "no mention". Training is cross-entropy over all spans; decoding takes the best
//! class of each span and drops the weaker of two spans that cross.

use tch::{Kind, Tensor};

use super::SequenceInput;
use crate::decode::{ScoredSpan, without_crossings};
use crate::params::{Init, Params};
use crate::{Result, Span};

/// Wider spans share the last width bias.
const WIDTHS: i64 = 32;

/// A span classifier; see the module.
#[derive(Debug)]
pub struct Biaffine {
    /// (hidden, input) and (hidden).
    start: (Tensor, Tensor),
    end: (Tensor, Tensor),
    /// ((hidden + 1) * classes, hidden + 1): rows by start dimension, then class.
    product: Tensor,
    /// (WIDTHS, classes).
    width: Tensor,
    classes: i64,
    max_width: Option<usize>,
}

impl Biaffine {
    /// `labels` does not count "no mention".
    pub fn new(
        params: &mut Params,
        prefix: &str,
        input: i64,
        hidden: i64,
        max_width: Option<usize>,
        labels: usize,
    ) -> Result<Self> {
        let classes = labels as i64 + 1;
        let mut end_of = |name: &str| -> Result<(Tensor, Tensor)> {
            let weight = params.get(
                &format!("{prefix}.{name}.weight"),
                &[hidden, input],
                Init::XavierUniform,
            )?;
            let bias = params.get(&format!("{prefix}.{name}.bias"), &[hidden], Init::Zeros)?;
            Ok((weight, bias))
        };
        Ok(Self {
            start: end_of("start")?,
            end: end_of("end")?,
            product: params.get(
                &format!("{prefix}.product"),
                &[(hidden + 1) * classes, hidden + 1],
                Init::Normal(0.05),
            )?,
            width: params.get(&format!("{prefix}.width"), &[WIDTHS, classes], Init::Zeros)?,
            classes,
            max_width,
        })
    }

    /// Scores of all spans: (sequences, start, end, classes).
    fn scores(&self, x: &SequenceInput) -> Result<Tensor> {
        let (batch, length, _) = x.encoded.size3()?;
        let ones = Tensor::f_ones([batch, length, 1], (Kind::Float, x.encoded.device()))?;
        let end_of = |(weight, bias): &(Tensor, Tensor)| -> Result<Tensor> {
            let hidden = x.encoded.f_linear(weight, Some(bias))?.f_relu()?;
            Ok(Tensor::f_cat(&[&hidden, &ones], 2)?) // (B, L, hidden + 1)
        };
        let (start, end) = (end_of(&self.start)?, end_of(&self.end)?);
        let hidden = start.size()[2];
        let product = self.product.f_view([hidden, self.classes * hidden])?;
        let scores = start
            .f_matmul(&product)? // (B, L, classes * hidden)
            .f_view([batch, length * self.classes, hidden])?
            .f_matmul(&end.f_transpose(1, 2)?)? // (B, L * classes, L)
            .f_view([batch, length, self.classes, length])?
            .f_permute([0, 1, 3, 2])?; // (B, L, L, classes)
        let position = Tensor::f_arange(length, (Kind::Int64, x.encoded.device()))?;
        let width = (position.f_unsqueeze(0)? - position.f_unsqueeze(1)?).f_clamp(0, WIDTHS - 1)?;
        let bias = self.width.f_index_select(0, &width.f_view([-1])?)?;
        Ok(scores.f_add(&bias.f_view([1, length, length, self.classes])?)?)
    }

    /// Positions `(sequence, start, end)` of the spans that exist, flat into (B * L * L).
    fn spans<'a>(&'a self, x: &'a SequenceInput) -> impl Iterator<Item = (usize, Span, i64)> + 'a {
        let padded = x.encoded.size()[1] as usize;
        x.batch.lengths.iter().enumerate().flat_map(move |(b, &length)| {
            (0..length).flat_map(move |i| {
                let end = self.max_width.map_or(length, |w| length.min(i + w));
                (i..end).map(move |j| {
                    let flat = (b * padded + i) * padded + j;
                    (b, Span::new(i, j + 1), flat as i64)
                })
            })
        })
    }

    /// Mean over sequences of the summed cross-entropy of their spans. Gold spans wider than
    /// `max_width` cannot be found and are left out.
    pub fn loss(&self, x: &SequenceInput, gold: &[Vec<(Span, usize)>]) -> Result<Tensor> {
        let (batch, length, _) = x.encoded.size3()?;
        let padded = length as usize;
        let mut target = vec![0_i64; batch as usize * padded * padded];
        for (b, spans) in gold.iter().enumerate() {
            for (span, label) in spans {
                target[(b * padded + span.first) * padded + span.last - 1] = *label as i64 + 1;
            }
        }
        let cells: Vec<i64> = self.spans(x).map(|(_, _, flat)| flat).collect();
        let target: Vec<i64> = cells.iter().map(|&c| target[c as usize]).collect();
        let device = x.encoded.device();
        let cells = Tensor::f_from_slice(&cells)?.to_device(device);
        let target = Tensor::f_from_slice(&target)?.to_device(device);
        let scores = self.scores(x)?.f_reshape([-1, self.classes])?.f_index_select(0, &cells)?;
        let loss =
            scores.f_cross_entropy_loss::<Tensor>(&target, None, tch::Reduction::Sum, -100, 0.0)?;
        Ok(loss.f_div_scalar(batch.max(1))?)
    }

    /// The mentions of each sequence with the probability of their label, in text order.
    pub fn decode(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        let probabilities = self.scores(x)?.f_softmax(-1, Kind::Float)?;
        let (score, class) = probabilities.f_max_dim(-1, false)?; // (B, L, L) both
        let score = Vec::<f32>::try_from(score.f_contiguous()?.f_view([-1])?)?;
        let class = Vec::<i64>::try_from(class.f_contiguous()?.f_view([-1])?)?;
        let mut found = vec![Vec::new(); x.batch.lengths.len()];
        for (b, span, flat) in self.spans(x) {
            let class = class[flat as usize];
            if class > 0 {
                found[b].push(ScoredSpan {
                    span,
                    label: class as usize - 1,
                    score: score[flat as usize],
                });
            }
        }
        Ok(found.into_iter().map(without_crossings).collect())
    }
}
