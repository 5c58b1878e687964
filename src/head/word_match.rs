//! [`WordMatch`]: what the words of two mentions have to do with each other, whatever stands around them.
//!
//! ```text
//! m(h, t) = W (mean_h(A x) * mean_t(B x))
//! ```
//!
//! with `x` the encoder's input, in which a word has its vector: an encoder that reads sentences keeps little of
//! whether Rotterdam lies in the Netherlands or in Norway. A bilinear form of low rank (as DistMult is,
//! Yang et al. 2015) between two projections of each mention.

use tch::Tensor;

use super::fast::FastWordMatch;
use crate::Result;
use crate::embed::TokenVectors;
use crate::encode::Widths;
use crate::params::Init;

#[derive(Debug)]
pub(super) struct WordMatch {
    words: Tensor,   // (2 * size, encoder's input): A and B
    product: Tensor, // (hidden, size)
    /// Columns of the encoder's input that may come by word.
    by_word: i64,
}

impl WordMatch {
    pub(super) fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        widths: Widths,
        [size, hidden]: [i64; 2],
    ) -> Result<Self> {
        Ok(Self {
            words: get("match.words", &[2 * size, widths.input], Init::XavierUniform)?,
            product: get("match.product", &[hidden, size], Init::XavierUniform)?,
            by_word: widths.by_word,
        })
    }

    pub(super) fn fast(&self) -> Result<FastWordMatch> {
        FastWordMatch::new(&self.words, &self.product, self.by_word as usize)
    }

    /// Columns that a token has for it.
    pub(super) fn columns(&self) -> i64 {
        self.words.size()[0]
    }

    /// What tokens give as a head's words and as a tail's: (..., 2 * size).
    pub(super) fn of_tokens(&self, inputs: &TokenVectors) -> Result<Tensor> {
        Ok(inputs.whole()?.f_linear::<&Tensor>(&self.words, None)?)
    }

    /// Of means over the tokens of the heads and the tails of pairs, (pairs, 2 * size) each: (pairs, hidden).
    pub(super) fn of_pairs(&self, heads: &Tensor, tails: &Tensor) -> Result<Tensor> {
        let size = self.columns() / 2;
        let product = heads.f_narrow(1, 0, size)?.f_mul(&tails.f_narrow(1, size, size)?)?;
        Ok(product.f_linear::<&Tensor>(&self.product, None)?)
    }
}
