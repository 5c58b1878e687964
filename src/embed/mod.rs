//! Ids to vectors.

mod chars;
pub mod vectors;

pub use chars::CharCnn;
use tch::Tensor;

use crate::Result;
use crate::config::{CharsConfig, EmbeddingConfig, WordsConfig};
use crate::feature::{Batch, Vocabularies};
use crate::params::{Init, Params};

/// Name of the word table among the parameters.
pub const WORD_TABLE: &str = "embedding.words.weight";

/// Token vectors: characters, then words.
#[derive(Debug)]
pub struct Embedding {
    chars: Option<CharCnn>,
    words: Tensor, // (words, size)
    word_dropout: f64,
    width: i64,
}

impl Embedding {
    pub fn new(
        config: &EmbeddingConfig,
        vocab: &Vocabularies,
        params: &mut Params,
    ) -> Result<Self> {
        let WordsConfig::Table { size, trainable, dropout } = config.words;
        let words = params.get(WORD_TABLE, &[vocab.words.size(), size], Init::Normal(0.1))?;
        if !trainable {
            params.freeze(WORD_TABLE);
        }
        let mut width = size;
        let chars = match &config.chars {
            Some(config) => {
                let CharsConfig::Cnn { filters, widths, .. } = config;
                width += filters * widths.len() as i64;
                Some(CharCnn::new(config, vocab.chars.size(), params)?)
            }
            None => None,
        };
        Ok(Self { chars, words, word_dropout: dropout, width })
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// (B, L, width)
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        let (rows, length) = batch.words.size2()?;
        let words = self
            .words
            .f_index_select(0, &batch.words.f_view([-1])?)?
            .f_view([rows, length, -1])?
            .f_dropout(self.word_dropout, train)?;
        match &self.chars {
            Some(chars) => Ok(Tensor::f_cat(&[chars.forward(batch, train)?, words], 2)?),
            None => Ok(words),
        }
    }
}
