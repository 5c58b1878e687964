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

use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

use tch::{Kind, Tensor};

use super::fast::FastBiaffine;
use super::{GoldSpans, SequenceInput};
use crate::cpu::{Rows, values};
use crate::decode::{ScoredSpan, without_crossings};
use crate::engine::{piece_size, share};
use crate::params::{Init, Params};
use crate::transfer::{download_all, upload_values};
use crate::{Result, Span};

/// Starts of spans scored at a time when annotating: bounds memory on long sentences.
const ROWS: usize = 64;
/// Sequences that a worker takes at a time.
const SEQUENCES: RangeInclusive<usize> = 4..=64;
/// Far below any score.
const FORBIDDEN: f32 = -1e5;
/// Wider spans share the last width bias.
const WIDTHS: i64 = 32;

/// A span classifier; see the module.
#[derive(Debug)]
pub struct Biaffine {
    /// (hidden, input) and (hidden).
    start: (Tensor, Tensor),
    end: (Tensor, Tensor),
    /// (hidden + 1, classes, hidden + 1): start dimension, class, end dimension.
    product: Tensor,
    /// (WIDTHS, classes).
    width: Tensor,
    classes: i64,
    options: BiaffineOptions,
    fast: Option<Box<FastBiaffine>>,
}

/// The numbers of the configuration that the head keeps.
#[derive(Clone, Copy, Debug)]
pub struct BiaffineOptions {
    pub hidden: i64,
    pub max_width: Option<usize>,
    /// Added to the score of "no mention" when annotating.
    pub none_score: f64,
}

impl Biaffine {
    /// `labels` does not count "no mention".
    pub fn new(
        params: &mut Params,
        prefix: &str,
        input: i64,
        options: BiaffineOptions,
        labels: usize,
    ) -> Result<Self> {
        let hidden = options.hidden;
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
        let (start, end) = (end_of("start")?, end_of("end")?);
        let product = params.get(
            &format!("{prefix}.product"),
            &[hidden + 1, classes, hidden + 1],
            Init::Normal(0.05),
        )?;
        let width = params.get(&format!("{prefix}.width"), &[WIDTHS, classes], Init::Zeros)?;
        let layers = Self { start, end, product, width, classes, options, fast: None };
        let fast = params.is_fast().then(|| layers.fast()).transpose()?.map(Box::new);
        Ok(Self { fast, ..layers })
    }

    fn fast(&self) -> Result<FastBiaffine> {
        FastBiaffine::new(&self.start, &self.end, &self.product, &self.deciding_width()?)
    }

    /// What the width adds to scores when annotating: (WIDTHS, classes).
    fn deciding_width(&self) -> Result<Tensor> {
        let none = Tensor::f_zeros_like(&self.width)?;
        let _ = none.f_select(1, 0)?.f_fill_(self.options.none_score)?;
        Ok(self.width.f_add(&none)?.detach())
    }

    /// What the two ends of spans give: (B, L, hidden + 1) each.
    fn ends(&self, x: &SequenceInput) -> Result<(Tensor, Tensor)> {
        let (batch, length, _) = x.encoded.size3()?;
        let ones = Tensor::f_ones([batch, length, 1], (Kind::Float, x.encoded.device()))?;
        let end_of = |(weight, bias): &(Tensor, Tensor)| -> Result<Tensor> {
            let hidden = x.encoded.f_linear(weight, Some(bias))?.f_relu()?;
            Ok(Tensor::f_cat(&[&hidden, &ones], 2)?)
        };
        Ok((end_of(&self.start)?, end_of(&self.end)?))
    }

    /// Scores of the spans that begin at the tokens `rows` and end at the tokens `columns`:
    /// (B, rows, columns, classes).
    fn scores(
        &self,
        (start, end): &(Tensor, Tensor),
        rows: Range<i64>,
        columns: Range<i64>,
        of_width: &Tensor,
    ) -> Result<Tensor> {
        let (batch, _, hidden) = start.size3()?;
        let (height, width) = (rows.end - rows.start, columns.end - columns.start);
        let start = start.f_narrow(1, rows.start, height)?;
        let end = end.f_narrow(1, columns.start, width)?;
        let product = self.product.f_view([hidden, self.classes * hidden])?;
        let scores = start
            .f_matmul(&product)? // (B, rows, classes * hidden)
            .f_view([batch, height * self.classes, hidden])?
            .f_matmul(&end.f_transpose(1, 2)?)? // (B, rows * classes, columns)
            .f_view([batch, height, self.classes, width])?
            .f_permute([0, 1, 3, 2])?; // (B, rows, columns, classes)
        let position =
            |r: &Range<i64>| Tensor::f_arange_start(r.start, r.end, (Kind::Int64, scores.device()));
        let apart = position(&columns)?
            .f_unsqueeze(0)?
            .f_sub(&position(&rows)?.f_unsqueeze(1)?)?
            .f_clamp(0, WIDTHS - 1)?; // (rows, columns)
        let bias = of_width.f_index_select(0, &apart.f_view([-1])?)?;
        Ok(scores.f_add(&bias.f_view([1, height, width, self.classes])?)?)
    }

    /// The spans of a sequence of `length` tokens that begin at the tokens `rows`: start and
    /// inclusive end.
    fn spans(&self, length: usize, rows: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        let widest = self.options.max_width.unwrap_or(length);
        let rows = rows.start..rows.end.min(length);
        rows.flat_map(move |i| (i..length.min(i + widest)).map(move |j| (i, j)))
    }

    /// Mean over sequences of the summed cross-entropy of their spans. Gold spans wider than
    /// `max_width` cannot be found and are left out.
    /// Where gold leaves classes open, any of them is right.
    pub fn loss(&self, x: &SequenceInput, gold: &[GoldSpans]) -> Result<Tensor> {
        let (batch, length, _) = x.encoded.size3()?;
        let padded = length as usize;
        let mut target = vec![0_i64; batch as usize * padded * padded];
        let cell = |b: usize, span: Span| (b * padded + span.first) * padded + span.last - 1;
        for (b, gold) in gold.iter().enumerate() {
            for &(span, label) in &gold.spans {
                target[cell(b, span)] = label as i64 + 1;
            }
        }
        let lengths = x.padding.lengths.iter().enumerate();
        let cells: Vec<i64> = lengths
            .flat_map(|(b, &n)| {
                self.spans(n, 0..n).map(move |(i, j)| ((b * padded + i) * padded + j) as i64)
            })
            .collect();
        let device = x.encoded.device();
        let scores = self
            .scores(&self.ends(x)?, 0..length, 0..length, &self.width)?
            .f_reshape([-1, self.classes])?
            .f_index_select(0, &upload_values(&cells, &[-1], device)?)?;
        let loss = if gold.iter().all(GoldSpans::is_complete) {
            let target: Vec<i64> = cells.iter().map(|&c| target[c as usize]).collect();
            let target = upload_values(&target, &[-1], device)?;
            scores.f_cross_entropy_loss::<Tensor>(&target, None, tch::Reduction::Sum, -100, 0.0)?
        } else {
            let n = self.classes as usize;
            let mut added = vec![FORBIDDEN; cells.len() * n];
            let unknown: HashSet<usize> = gold
                .iter()
                .enumerate()
                .flat_map(|(b, g)| g.unknown.iter().map(move |&s| cell(b, s)))
                .collect();
            for (classes, &c) in added.chunks_mut(n).zip(&cells) {
                let c = c as usize;
                classes[target[c] as usize] = 0.0;
                if target[c] == 0 && unknown.contains(&c) {
                    classes.fill(0.0);
                } else if target[c] == 0 {
                    gold[c / (padded * padded)].open.iter().for_each(|l| classes[l + 1] = 0.0);
                }
            }
            let right = scores.f_add(&upload_values(&added, &[-1, self.classes], device)?)?;
            let total = scores.f_logsumexp(1, false)?.f_sub(&right.f_logsumexp(1, false)?)?;
            total.f_sum(Kind::Float)?
        };
        Ok(loss.f_div_scalar(batch.max(1))?)
    }

    /// The mentions of each sequence with the probability of their label, in text order.
    pub fn decode(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        let found = match &self.fast {
            Some(fast) => self.fast_spans(fast, x)?,
            None => self.plain_spans(x)?,
        };
        Ok(found.into_iter().map(without_crossings).collect())
    }

    /// Every span of each sequence with its likeliest label, by how much the score of that is above that of
    /// being no mention.
    pub fn likely(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        let (_, length, _) = x.encoded.size3()?;
        let scores = self.scores(&self.ends(x)?, 0..length, 0..length, &self.width)?;
        let (best, label) = scores.f_narrow(3, 1, self.classes - 1)?.f_max_dim(-1, false)?;
        let above = best.f_sub(&scores.f_select(3, 0)?)?; // (B, L, L)
        let [above, label] = download_all([&above, &label])?;
        let padded = length as usize;
        let lengths = x.padding.lengths.iter().enumerate();
        let spans = lengths.map(|(b, &length)| {
            let span = |(i, j): (usize, usize)| {
                let cell = (b * padded + i) * padded + j;
                let (label, score) = (label[cell] as usize, above[cell]);
                ScoredSpan { span: Span::new(i, j + 1), label, score }
            };
            self.spans(length, 0..length).map(span).collect()
        });
        Ok(spans.collect())
    }

    fn fast_spans(&self, fast: &FastBiaffine, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        let (_, length, width) = x.encoded.size3()?;
        let (length, width) = (length as usize, width as usize);
        let encoded = x.encoded.f_contiguous()?;
        let encoded = values(&encoded)?;
        let (lengths, max_width) = (&x.padding.lengths, self.options.max_width);
        let of_sequence = |b: usize| {
            let (tokens, mut found) = (lengths[b], Vec::new());
            let rows: Vec<usize> = (0..tokens).map(|t| (b * length + t) * width).collect();
            let [starts, ends] = fast.ends(Rows { data: encoded, starts: &rows });
            let widest = max_width.unwrap_or(tokens);
            let stride = fast.stride();
            for first in (0..tokens).step_by(ROWS) {
                let last = tokens.min(first + ROWS);
                let columns = first..tokens.min(last - 1 + widest);
                fast.best(
                    &starts[first * stride..last * stride],
                    &ends[columns.start * stride..columns.end * stride],
                    widest,
                    |i, j, class, score| {
                        let span = Span::new(first + i, first + j + 1);
                        found.push(ScoredSpan { span, label: class - 1, score });
                    },
                );
            }
            found
        };
        let size = piece_size(lengths.len(), SEQUENCES);
        let pieces = share(lengths.len().div_ceil(size), |piece| {
            let sequences = piece * size..lengths.len().min((piece + 1) * size);
            Ok(sequences.map(of_sequence).collect::<Vec<_>>())
        })?;
        Ok(pieces.concat())
    }

    fn plain_spans(&self, x: &SequenceInput) -> Result<Vec<Vec<ScoredSpan>>> {
        let (_, length, _) = x.encoded.size3()?;
        let ends = self.ends(x)?;
        let of_width = self.deciding_width()?;
        let widest = self.options.max_width.map_or(length, |w| w as i64);
        let mut found = vec![Vec::new(); x.padding.lengths.len()];
        for first in (0..length).step_by(ROWS) {
            let rows = first..length.min(first + ROWS as i64);
            let columns = first..length.min(rows.end - 1 + widest);
            let width = (columns.end - columns.start) as usize;
            let probabilities =
                self.scores(&ends, rows.clone(), columns, &of_width)?.f_softmax(-1, Kind::Float)?;
            let (score, class) = probabilities.f_max_dim(-1, false)?; // (B, rows, columns)
            let [score, class] = download_all([&score, &class])?;
            let (first, height) = (first as usize, (rows.end - rows.start) as usize);
            for (b, &length) in x.padding.lengths.iter().enumerate() {
                for (i, j) in self.spans(length, first..first + height) {
                    let cell = (b * height + i - first) * width + j - first;
                    if class[cell] > 0.0 {
                        let (label, score) = (class[cell] as usize - 1, score[cell]);
                        found[b].push(ScoredSpan { span: Span::new(i, j + 1), label, score });
                    }
                }
            }
        }
        Ok(found)
    }
}
