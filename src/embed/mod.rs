//! Ids to vectors.

mod bert;
mod chars;
pub mod elmo;
mod layer_mix;
mod maker;
mod modern_bert;
pub mod pretrained;
mod token_vectors;
mod transformer;
pub mod vectors;
mod word_table;

pub use chars::CharCnn;
pub use elmo::Elmo;
use tch::{Device, Tensor};
pub use token_vectors::{ByWord, TokenVectors};
pub use transformer::{Transformer, window};
use word_table::WordTable;

use crate::config::{CharsConfig, ContextConfig, EmbeddingConfig, WordsConfig};
use crate::dropout::Dropout as _;
use crate::feature::{Batch, BatchOptions, PADDING, Vocabularies};
use crate::params::Params;
use crate::{Error, Result, cpu};

/// Name of the word table among the parameters.
pub const WORD_TABLE: &str = "embedding.words.weight";
/// And of the characters' table.
pub const CHAR_TABLE: &str = "embedding.chars.weight";

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
    words: Option<(WordTable, f64)>, // and its dropout
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
                let shape = [vocab.words.size(), *size];
                Some((WordTable::new(params, shape, *trainable)?, *dropout))
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

    pub fn forward(&self, batch: &Batch, train: bool) -> Result<TokenVectors> {
        if let (false, None, Some(chars), Some((table, _))) =
            (train, &self.context, &self.chars, &self.words)
            && let Some(distinct) = chars.fast_words(batch)
        {
            return Ok(TokenVectors::ByWord(self.by_word(batch, &distinct?, table)?));
        }
        let mut parts = Vec::with_capacity(3);
        if let Some(context) = &self.context {
            parts.push(context.forward(batch, train)?);
        }
        if let Some(chars) = &self.chars {
            parts.push(chars.forward(batch, train)?);
        }
        if let Some((table, dropout)) = &self.words {
            parts.push(table.vectors(&batch.words)?.dropped(*dropout, train)?);
        }
        Ok(TokenVectors::Whole(match parts.as_slice() {
            [only] => only.shallow_clone(),
            _ => Tensor::f_cat(&parts, 2)?,
        }))
    }

    /// The vectors of the first `count` words of the vocabulary, (words, width), if they come by word.
    pub fn first_words(&self, vocab: &Vocabularies, count: usize) -> Result<Option<Tensor>> {
        let names: Vec<&str> = vocab.words.names().take(count).collect();
        if self.context.is_some() || names.is_empty() {
            return Ok(None);
        }
        let batch = Batch::new(&[names], vocab, BatchOptions::default(), Device::Cpu)?;
        match self.forward(&batch, false)? {
            TokenVectors::Whole(_) => Ok(None),
            by_word => Ok(Some(by_word.whole()?.f_view([-1, self.width])?)),
        }
    }

    /// `chars` has the character vectors of the distinct words, (words, chars).
    fn by_word(&self, batch: &Batch, chars: &Tensor, table: &WordTable) -> Result<ByWord> {
        let (words, of_chars) = chars.size2()?;
        let ids = Vec::<i64>::try_from(batch.words.f_view([-1])?)?;
        let index = Vec::<i64>::try_from(batch.spelling.f_view([-1])?)?;
        let chars = cpu::values(chars)?;
        let (of_chars, width) = (of_chars as usize, self.width as usize);
        // The id of each distinct word: where it stands is all the same.
        let mut of_word = vec![PADDING; words as usize];
        index.iter().zip(&ids).for_each(|(&word, &id)| of_word[word as usize] = id);
        let mut copied = Ok(());
        let words = cpu::tensor(&[words, self.width], |rows| {
            for (row, chars) in rows.chunks_mut(width).zip(chars.chunks(of_chars)) {
                row[..of_chars].copy_from_slice(chars);
            }
            let of_words = rows.chunks_mut(width).map(|row| &mut row[of_chars..]);
            copied = table.copy(of_word.iter().copied().zip(of_words));
        })?;
        copied?;
        Ok(ByWord {
            words,
            index: index.into(),
            listed: batch.listed.as_slice().into(),
            shape: batch.words.size2()?.into(),
            own: None,
        })
    }
}
