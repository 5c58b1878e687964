//! Ids to vectors.

mod chars;
pub mod pretrained;
mod transformer;
pub mod vectors;

pub use chars::CharCnn;
use tch::Tensor;
pub use transformer::{Transformer, window};

use crate::config::{CharsConfig, EmbeddingConfig, WordsConfig};
use crate::feature::{Batch, Vocabularies};
use crate::params::{Init, Params};
use crate::{Error, Result};

/// Name of the word table among the parameters.
pub const WORD_TABLE: &str = "embedding.words.weight";

/// Token vectors: context, then characters, then words.
#[derive(Debug)]
pub struct Embedding {
    context: Option<Transformer>,
    chars: Option<CharCnn>,
    words: Option<(Tensor, f64)>, // (words, size), and its dropout
    width: i64,
}

impl Embedding {
    pub fn new(
        config: &EmbeddingConfig,
        vocab: &Vocabularies,
        params: &mut Params,
    ) -> Result<Self> {
        let mut width = 0;
        let context = match (&config.context, &vocab.pieces) {
            (Some(config), Some(pieces)) => {
                let context = Transformer::new(config, pieces, params)?;
                width += context.width();
                Some(context)
            }
            (Some(_), None) => {
                let message = "embedding.context needs a transformer: vocabulary.transformer";
                return Err(Error::config(message));
            }
            (None, _) => None,
        };
        let words = match &config.words {
            Some(WordsConfig::Table { size, trainable, dropout }) => {
                width += size;
                let table = [vocab.words.size(), *size];
                let words = params.get(WORD_TABLE, &table, Init::Normal(0.1))?;
                if !trainable {
                    params.freeze(WORD_TABLE);
                }
                Some((words, *dropout))
            }
            None => None,
        };
        let chars = match &config.chars {
            Some(config) => {
                let CharsConfig::Cnn { filters, widths, .. } = config;
                width += filters * widths.len() as i64;
                Some(CharCnn::new(config, vocab.chars.size(), params)?)
            }
            None => None,
        };
        Ok(Self { context, chars, words, width })
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// (B, L, width)
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        let (rows, length) = batch.words.size2()?;
        let mut parts = Vec::with_capacity(3);
        if let Some(context) = &self.context {
            parts.push(context.forward(batch, train)?);
        }
        if let Some(chars) = &self.chars {
            parts.push(chars.forward(batch, train)?);
        }
        if let Some((table, dropout)) = &self.words {
            parts.push(
                table
                    .f_index_select(0, &batch.words.f_view([-1])?)?
                    .f_view([rows, length, -1])?
                    .f_dropout(*dropout, train)?,
            );
        }
        Ok(match parts.as_slice() {
            [only] => only.shallow_clone(),
            _ => Tensor::f_cat(&parts, 2)?,
        })
    }
}
