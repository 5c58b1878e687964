//! [`FastMentionPairs`]: see [`crate::head::MentionPairs`].

use std::ops::Range;

use tch::Tensor;

use super::{FastWordMatch, add, apply};
use crate::cpu::{Linear, Rows, relu, tensor, values};
use crate::embed::TokenVectors;
use crate::{Result, Span};

/// Logits of mention pairs.
#[derive(Debug)]
pub(in crate::head) struct FastMentionPairs {
    pub types: Vec<f32>, // (argument labels, type size)
    pub type_size: usize,
    pub mention: Linear, // 3 * input + type size -> hidden
    pub head: Linear,    // hidden -> hidden
    pub tail: Linear,
    pub product: Linear,
    pub context: Linear,     // input -> hidden
    pub distance: Vec<f32>,  // (distances, hidden)
    pub sentences: Vec<f32>, // (sentences, hidden)
    pub output: Linear,      // hidden -> labels
    pub type_bias: Vec<f32>, // (argument labels squared, labels)
    pub words: Option<FastWordMatch>,
    pub hidden: usize,
    pub labels: usize,
    pub input: usize,
}

/// What mentions bring to their pairs.
pub(in crate::head) struct FastMentions {
    vectors: Vec<f32>, // (mentions, padded hidden)
    head: Vec<f32>,
    tail: Vec<f32>,
    /// Means of what their words give, (mentions, columns of words).
    words: Vec<f32>,
    /// Sums of the rows before each token: (N + 1, columns).
    sums: Vec<f64>,
    columns: usize,
}

/// What tells one pair from another.
pub(in crate::head) struct PairFeatures {
    pub head: usize,
    pub tail: usize,
    /// Tokens between two mentions of one sentence; empty for others.
    pub between: Range<usize>,
    pub distance: usize,
    pub sentences: usize,
    /// Of both types together.
    pub types: usize,
}

impl FastMentionPairs {
    /// As [`crate::head::MentionPairs::token_rows`], of (B, L, D) and (B, L, D').
    pub(in crate::head) fn token_rows(
        &self,
        encoded: &Tensor,
        inputs: &TokenVectors,
    ) -> Result<Tensor> {
        let Some(words) = &self.words else { return Ok(encoded.shallow_clone()) };
        let (batch, length, width) = encoded.size3()?;
        let encoded = encoded.f_contiguous()?;
        let (of_tokens, stride) = words.of_tokens(inputs, (batch * length) as usize)?;
        let (input, columns) = (width as usize, width as usize + words.columns());
        let encoded = values(&encoded)?;
        tensor(&[batch, length, columns as i64], |out| {
            let rows = encoded.chunks(input).zip(of_tokens.chunks(stride));
            for (out, (encoded, words)) in out.chunks_mut(columns).zip(rows) {
                out[..input].copy_from_slice(encoded);
                out[input..].copy_from_slice(&words[..columns - input]);
            }
        })
    }

    fn word_columns(&self) -> usize {
        self.words.as_ref().map_or(0, FastWordMatch::columns)
    }

    /// `rows` are those of all tokens, (N, input + columns of words).
    pub(in crate::head) fn mentions(&self, rows: &[f32], spans: &[(Span, usize)]) -> FastMentions {
        let (input, columns) = (self.input, self.input + self.word_columns());
        let mut sums = vec![0_f64; rows.len() + columns];
        for (at, &x) in rows.iter().enumerate() {
            sums[at + columns] = sums[at] + f64::from(x);
        }
        let mut mentions = FastMentions {
            vectors: Vec::new(),
            head: Vec::new(),
            tail: Vec::new(),
            words: Vec::new(),
            sums,
            columns,
        };
        let mut words = Vec::new();
        let mut x = Vec::with_capacity(spans.len() * (3 * input + self.type_size));
        for &(span, label) in spans {
            x.extend_from_slice(&rows[span.first * columns..][..input]);
            x.extend_from_slice(&rows[(span.last - 1) * columns..][..input]);
            mentions.mean(span.first..span.last, 0..input, &mut x);
            mentions.mean(span.first..span.last, input..columns, &mut words);
            x.extend_from_slice(&self.types[label * self.type_size..][..self.type_size]);
        }
        mentions.words = words;
        mentions.vectors = apply(&self.mention, &x, 3 * input + self.type_size);
        relu(&mut mentions.vectors);
        mentions.head = apply(&self.head, &mentions.vectors, self.mention.width());
        mentions.tail = apply(&self.tail, &mentions.vectors, self.mention.width());
        mentions
    }

    /// Logits of pairs, (pairs, padded labels).
    pub(in crate::head) fn logits(
        &self,
        mentions: &FastMentions,
        pairs: &[PairFeatures],
    ) -> Vec<f32> {
        let width = self.mention.width();
        let row = |of: &[f32], at: usize| at * width..(at * width + width).min(of.len());
        let columns = self.word_columns();
        let mut products = Vec::with_capacity(pairs.len() * width);
        let mut matches = Vec::new();
        let mut contexts = Vec::new();
        for pair in pairs {
            let (head, tail) = (
                &mentions.vectors[row(&mentions.vectors, pair.head)],
                &mentions.vectors[row(&mentions.vectors, pair.tail)],
            );
            products.extend(head.iter().zip(tail).map(|(a, b)| a * b));
            if !pair.between.is_empty() {
                mentions.mean(pair.between.clone(), 0..self.input, &mut contexts);
            }
            if let Some(words) = &self.words {
                let of = |mention: usize| &mentions.words[mention * columns..][..columns];
                words.multiply(of(pair.head), of(pair.tail), &mut matches);
            }
        }
        let contexts = apply(&self.context, &contexts, self.input);
        let mut contexts = contexts.chunks(width);
        let no_context = self.context.forward(Rows { data: &vec![0.0; self.input], starts: &[0] });
        let mut hidden = apply(&self.product, &products, width);
        if let Some(words) = &self.words {
            add(&mut hidden, &words.of_products(&matches));
        }
        for (hidden, pair) in hidden.chunks_mut(width).zip(pairs) {
            let context = if pair.between.is_empty() { None } else { contexts.next() };
            add(hidden, context.unwrap_or(&no_context));
            add(hidden, &mentions.head[row(&mentions.head, pair.head)]);
            add(hidden, &mentions.tail[row(&mentions.tail, pair.tail)]);
            add(hidden, &self.distance[pair.distance * self.hidden..][..self.hidden]);
            add(hidden, &self.sentences[pair.sentences * self.hidden..][..self.hidden]);
        }
        relu(&mut hidden);
        let mut logits = apply(&self.output, &hidden, width);
        for (logits, pair) in logits.chunks_mut(self.output.width()).zip(pairs) {
            add(logits, &self.type_bias[pair.types * self.labels..][..self.labels]);
        }
        logits
    }

    /// Columns of logits.
    pub(in crate::head) fn stride(&self) -> usize {
        self.output.width()
    }
}

impl FastMentions {
    /// Appends the mean of some columns of the rows of `tokens`, at least one.
    fn mean(&self, tokens: Range<usize>, columns: Range<usize>, out: &mut Vec<f32>) {
        let row = |token: usize| &self.sums[token * self.columns..][columns.clone()];
        let (first, last) = (row(tokens.start), row(tokens.end));
        let count = tokens.len() as f64;
        out.extend(last.iter().zip(first).map(|(b, a)| ((b - a) / count) as f32));
    }
}
