//! Ids to vectors.

mod chars;
pub mod elmo;
mod layer_mix;
mod maker;
pub mod pretrained;
mod transformer;
pub mod vectors;

pub use chars::CharCnn;
pub use elmo::Elmo;
use tch::Tensor;
pub use transformer::{Transformer, window};

use crate::config::{CharsConfig, ContextConfig, EmbeddingConfig, WordsConfig};
use crate::feature::{Batch, Vocabularies};
use crate::params::{Init, Params};
use crate::{Error, Result};

/// Name of the word table among the parameters.
pub const WORD_TABLE: &str = "embedding.words.weight";

/// What gives a word a vector that depends on its sentence.
#[derive(Debug)]
enum Context {
    Transformer(Transformer),
    Elmo(Elmo),
}

impl Context {
    fn new(config: &ContextConfig, vocab: &Vocabularies, params: &mut Params) -> Result<Self> {
        match (config, &vocab.pieces, &vocab.elmo) {
            (ContextConfig::Transformer(config), Some(pieces), None) => {
                Ok(Self::Transformer(Transformer::new(config, pieces, params)?))
            }
            (ContextConfig::Elmo(config), None, Some(options)) => {
                Ok(Self::Elmo(Elmo::new(config, options, params)?))
            }
            (ContextConfig::Transformer(_), ..) => Err(Error::config(
                "embedding.context needs a transformer and no ELMo: vocabulary.transformer",
            )),
            (ContextConfig::Elmo(_), ..) => Err(Error::config(
                "embedding.context needs an ELMo and no transformer: vocabulary.elmo",
            )),
        }
    }

    fn width(&self) -> i64 {
        match self {
            Self::Transformer(transformer) => transformer.width(),
            Self::Elmo(elmo) => elmo.width(),
        }
    }

    fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        match self {
            Self::Transformer(transformer) => transformer.forward(batch, train),
            Self::Elmo(elmo) => elmo.forward(batch, train),
        }
    }
}

/// Token vectors: context, then characters, then words.
#[derive(Debug)]
pub struct Embedding {
    context: Option<Context>,
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
        let context = match &config.context {
            Some(config) => {
                let context = Context::new(config, vocab, params)?;
                width += context.width();
                Some(context)
            }
            None => None,
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
