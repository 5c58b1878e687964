//! [`FastWordMatch`]: see [`crate::head::word_match`].

use tch::Tensor;

use super::{apply, linear};
use crate::Result;
use crate::cpu::{Linear, OfWords, Split, values};
use crate::embed::TokenVectors;

/// How words of mentions go together.
#[derive(Debug)]
pub(in crate::head) struct FastWordMatch {
    words: Split, // encoder's input -> 2 * size
    product: Linear,
    size: usize,
}

impl FastWordMatch {
    /// `by_word` columns of the input may come by word.
    pub(in crate::head) fn new(words: &Tensor, product: &Tensor, by_word: usize) -> Result<Self> {
        let (columns, input) = words.size2()?;
        let (columns, input) = (columns as usize, input as usize);
        let weights = values(words)?;
        let row = |output: usize| Some(&weights[output * input..][..input]);
        Ok(Self {
            words: Split::new(columns, [by_word, input - by_word], row, |_| 0.0),
            product: linear(product, None)?,
            size: columns / 2,
        })
    }

    /// Columns that a token has for it.
    pub(super) fn columns(&self) -> usize {
        2 * self.size
    }

    /// For each of some tokens what it gives, `columns` and padding, and how wide that is.
    pub(super) fn of_tokens(
        &self,
        inputs: &TokenVectors,
        tokens: usize,
    ) -> Result<(Vec<f32>, usize)> {
        let inputs = inputs.contiguous()?;
        let (x, rows) = (inputs.input()?, (0..tokens).collect::<Vec<_>>());
        let (mut of_words, mut out) = (OfWords::default(), Vec::new());
        self.words.of_words(&x, &mut of_words);
        self.words.forward(&x, &of_words, &rows, &mut out);
        Ok((out, self.words.width()))
    }

    /// Appends the product of the means over the tokens of a head and of a tail.
    pub(super) fn multiply(&self, head: &[f32], tail: &[f32], out: &mut Vec<f32>) {
        out.extend(head[..self.size].iter().zip(&tail[self.size..]).map(|(a, b)| a * b));
    }

    /// What products of pairs give: (pairs, padded hidden).
    pub(super) fn of_products(&self, products: &[f32]) -> Vec<f32> {
        apply(&self.product, products, self.size)
    }
}
