//! [`FastSpans`]: see [`crate::head::span_vectors`].

use std::ops::RangeInclusive;

use tch::Tensor;

use super::{add, linear};
use crate::cpu::{Linear, OfWords, Rows, Split, tensor, values};
use crate::embed::TokenVectors;
use crate::engine::{piece_size, share};
use crate::{Result, Span};

/// Tokens that a worker takes at a time.
const PIECE: RangeInclusive<usize> = 32..=2048;

/// Span vectors.
#[derive(Debug)]
pub(in crate::head) struct FastSpans {
    /// Encoder's output to what first and last tokens give, and to the genre.
    of_encoded: Linear,
    /// Encoder's input to content and attention.
    of_inputs: Split,
    width: Vec<f32>, // (max_span_width, projection)
    genre: Option<Linear>,
    projection: usize,
    genre_size: usize,
}

/// What goes into the layers: the tensors of [`crate::head::span_vectors::SpanVectors`].
pub(in crate::head) struct SpanWeights<'a> {
    pub first: &'a Tensor,
    pub last: &'a Tensor,
    pub content: &'a Tensor,
    pub attention: &'a Tensor,
    pub width: &'a Tensor,
    /// Columns of the encoder's input that may come by word.
    pub by_word: usize,
    /// Down and up.
    pub genre: Option<(&'a Tensor, &'a Tensor)>,
}

impl FastSpans {
    pub(in crate::head) fn new(w: &SpanWeights) -> Result<Self> {
        let mut encoded = vec![w.first, w.last];
        encoded.extend(w.genre.map(|(down, _)| down));
        let p = w.first.size()[0] as usize;
        let (content, attention) = (values(w.content)?, values(w.attention)?);
        let input = attention.len();
        let row = |output: usize| match output < p {
            true => Some(&content[output * input..(output + 1) * input]),
            false => Some(attention),
        };
        Ok(Self {
            of_encoded: linear(&Tensor::f_cat(&encoded, 0)?, None)?,
            of_inputs: Split::new(p + 1, [w.by_word, input - w.by_word], row, |_| 0.0),
            width: values(w.width)?.to_vec(),
            genre: w.genre.map(|(_, up)| linear(up, None)).transpose()?,
            projection: p,
            genre_size: w.genre.map_or(0, |(down, _)| down.size()[0] as usize),
        })
    }

    /// Columns of token rows.
    fn columns(&self) -> usize {
        3 * self.projection + 1 + self.genre_size
    }

    pub(in crate::head) fn projection(&self) -> usize {
        self.projection
    }

    /// As [`crate::head::span_vectors::SpanVectors::token_rows`], of (B, L, D) and (B, L, D').
    pub(in crate::head) fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &TokenVectors,
    ) -> Result<Tensor> {
        let (batch, length, width) = encoded.size3()?;
        let (encoded, inputs) = (encoded.f_contiguous()?, inputs.contiguous()?);
        let (columns, p) = (self.columns(), self.projection);
        let (e, i) = (self.of_encoded.width(), self.of_inputs.width());
        let (encoded, x) = (values(&encoded)?, inputs.input()?);
        let (count, width) = ((batch * length) as usize, width as usize);
        let mut of_words = OfWords::default();
        self.of_inputs.of_words(&x, &mut of_words);
        let size = piece_size(count, PIECE);
        let pieces = share(count.div_ceil(size), |piece| {
            let rows: Vec<usize> = (piece * size..count.min((piece + 1) * size)).collect();
            let starts: Vec<usize> = rows.iter().map(|row| row * width).collect();
            let of_encoded = self.of_encoded.forward(Rows { data: encoded, starts: &starts });
            let mut of_inputs = Vec::new();
            self.of_inputs.forward(&x, &of_words, &rows, &mut of_inputs);
            Ok((of_encoded, of_inputs))
        })?;
        tensor(&[batch, length, columns as i64], |out| {
            let made = pieces
                .iter()
                .flat_map(|(of_encoded, of_inputs)| of_encoded.chunks(e).zip(of_inputs.chunks(i)));
            for (out, (e, i)) in out.chunks_mut(columns).zip(made) {
                out[..2 * p].copy_from_slice(&e[..2 * p]);
                out[2 * p..=3 * p].copy_from_slice(&i[..=p]);
                out[3 * p + 1..].copy_from_slice(&e[2 * p..2 * p + self.genre_size]);
            }
        })
    }

    /// What the document gives to all spans, (projection); `rows` are those of all tokens.
    pub(in crate::head) fn genre(&self, rows: &[f32]) -> Vec<f32> {
        let Some(up) = &self.genre else { return vec![0.0; self.projection] };
        let mut mean = vec![0_f64; self.genre_size];
        let columns = self.columns();
        for row in rows.chunks(columns) {
            let row = &row[columns - self.genre_size..];
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let count = (rows.len() / columns).max(1) as f64;
        let genre: Vec<f32> = mean.iter().map(|sum| (sum / count).tanh() as f32).collect();
        let mut out = up.forward(Rows { data: &genre, starts: &[0] });
        out.truncate(self.projection);
        out
    }

    /// Appends the vectors of spans, (spans, projection), spans of one first token the shorter first.
    pub(in crate::head) fn vectors(
        &self,
        rows: &[f32],
        genre: &[f32],
        spans: &[(Span, usize)],
        out: &mut Vec<f32>,
    ) {
        let (p, columns) = (self.projection, self.columns());
        let row = |token: usize| &rows[token * columns..][..columns];
        // Weighted content of the span so far and the sum of its weights.
        let mut sum = vec![0_f32; p];
        let (mut weights, mut from, mut to) = (0_f32, usize::MAX, 0);
        for (span, _) in spans {
            if span.first != from || span.last < to {
                sum.fill(0.0);
                (weights, from, to) = (0.0, span.first, span.first);
            }
            while to < span.last {
                let row = row(to);
                let weight = row[3 * p].clamp(-15.0, 15.0).exp();
                sum.iter_mut().zip(&row[2 * p..3 * p]).for_each(|(sum, x)| *sum += weight * x);
                weights += weight;
                to += 1;
            }
            let at = out.len();
            out.extend_from_slice(genre);
            let vector = &mut out[at..];
            vector.iter_mut().zip(&sum).for_each(|(v, sum)| *v += sum / weights);
            add(vector, &row(span.first)[..p]);
            add(vector, &row(span.last - 1)[p..2 * p]);
            add(vector, &self.width[(span.last - span.first - 1) * p..][..p]);
        }
    }
}
