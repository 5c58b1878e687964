//! [`Graph`]: the hierarchy of encoders, each run once however many tasks hang on it.

use std::collections::HashMap;

use indexmap::IndexMap;
use tch::{Kind, Tensor};

use super::lstm::{BiLstm, LstmShape};
use super::mix::Mix;
use crate::config::{EMBEDDING, EncoderConfig, ModelConfig};
use crate::embed::{Embedding, TokenVectors};
use crate::feature::{Batch, Vocabularies};
use crate::params::Params;
use crate::{Error, Result};

/// So many words of a vocabulary, which lists frequent ones first, are multiplied when a model is loaded:
/// some three fifths of a text's tokens.
const FREQUENT_WORDS: usize = 512;

/// Embedders and encoders of a model.
#[derive(Debug)]
pub struct Graph {
    embedding: Embedding,
    encoders: IndexMap<String, Node>,
}

#[derive(Debug)]
struct Node {
    inputs: Vec<String>,
    widths: Widths,
    encoder: Encoder,
}

/// Columns that an encoder reads and writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Widths {
    pub input: i64,
    /// The first of the input that may come by word.
    pub by_word: i64,
    pub output: i64,
}

#[derive(Debug)]
enum Encoder {
    Lstm(BiLstm),
    Mix(Mix),
}

impl Encoder {
    fn width(&self) -> i64 {
        match self {
            Self::Lstm(lstm) => lstm.width(),
            Self::Mix(mix) => mix.width(),
        }
    }

    /// (B, L, input) to (B, L, width)
    fn forward(&self, batch: &Batch, x: &TokenVectors, train: bool) -> Result<Tensor> {
        match self {
            Self::Lstm(lstm) => lstm.forward(&batch.padding, x, train),
            Self::Mix(mix) => mix.forward(batch, &x.whole()?),
        }
    }
}

/// What goes through an encoder.
#[derive(Debug)]
pub struct Encodings {
    /// (B, L, input)
    pub inputs: TokenVectors,
    /// (B, L, output)
    pub encoded: Tensor,
}

impl Encodings {
    pub fn shallow_clone(&self) -> Self {
        Self { inputs: self.inputs.shallow_clone(), encoded: self.encoded.shallow_clone() }
    }

    /// The same change to each, side by side.
    pub fn map(&self, change: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let inputs = TokenVectors::Whole(change(&self.inputs.whole()?)?);
        Ok(Self { inputs, encoded: change(&self.encoded)? })
    }
}

impl Graph {
    pub fn new(config: &ModelConfig, vocab: &Vocabularies, params: &mut Params) -> Result<Self> {
        let embedding = Embedding::new(&config.embedding, vocab, params)?;
        let frequent = match params.is_fast() {
            true => embedding.first_words(vocab, FREQUENT_WORDS)?,
            false => None,
        };
        let width = |name: &str| match config.encoders.get(name) {
            Some(EncoderConfig::Lstm { hidden, .. }) => 2 * hidden,
            Some(EncoderConfig::Mix { size, .. }) => *size,
            None => embedding.width(),
        };
        let mut encoders = IndexMap::new();
        for (name, encoder) in &config.encoders {
            let inputs = encoder.inputs().to_vec();
            let widths: Vec<i64> = inputs.iter().map(|i| width(i)).collect();
            let input = widths.iter().sum();
            let prefix = format!("encoders.{name}");
            let first = inputs.first().is_some_and(|input| input == EMBEDDING);
            let by_word = if first { embedding.width() } else { 0 };
            let encoder = match *encoder {
                EncoderConfig::Lstm { hidden, layers, dropout, orthogonal, .. } => {
                    let shape = LstmShape { input, hidden, layers, dropout, orthogonal };
                    let mut lstm = BiLstm::new(params, &prefix, shape, by_word)?;
                    if let Some(words) = frequent.as_ref().filter(|_| by_word > 0) {
                        lstm.remember(words)?;
                    }
                    Encoder::Lstm(lstm)
                }
                EncoderConfig::Mix { size, gated, .. } => {
                    Encoder::Mix(Mix::new(params, &prefix, &widths, size, gated)?)
                }
            };
            let widths = Widths { input, by_word, output: encoder.width() };
            encoders.insert(name.clone(), Node { inputs, widths, encoder });
        }
        Ok(Self { embedding, encoders })
    }

    /// Columns of an encoder's input and output.
    pub fn widths(&self, encoder: &str) -> Widths {
        self.encoders.get(encoder).map(|node| node.widths).unwrap_or_default()
    }

    /// Runs the encoders of `order`, which lists inputs before those that read them. Dropout on
    /// the input of an encoder is `input_dropout`'s business.
    pub fn forward(
        &self,
        batch: &Batch,
        order: &[&str],
        train: bool,
        input_dropout: impl Fn(&str) -> f64,
    ) -> Result<HashMap<String, Encodings>> {
        let embedding = self.embedding.forward(batch, train)?;
        let mut done: HashMap<String, Encodings> = HashMap::new();
        for &name in order {
            let node = self
                .encoders
                .get(name)
                .ok_or_else(|| Error::Internal(format!("no encoder `{name}`")))?;
            let mut parts = Vec::with_capacity(node.inputs.len());
            for input in &node.inputs {
                parts.push(match (input.as_str(), done.get(input)) {
                    (EMBEDDING, _) => embedding.shallow_clone(),
                    (_, Some(encodings)) => TokenVectors::Whole(encodings.encoded.shallow_clone()),
                    _ => {
                        return Err(Error::Internal(format!("`{input}` must run before `{name}`")));
                    }
                });
            }
            let Some((first, others)) = parts.split_first() else {
                return Err(Error::Internal(format!("`{name}` reads nothing")));
            };
            let others = others.iter().map(TokenVectors::whole).collect::<Result<Vec<_>>>()?;
            let inputs = first.beside(&others)?.dropped(input_dropout(name), train)?;
            let encoded = node.encoder.forward(batch, &inputs, train)?;
            done.insert(name.to_owned(), Encodings { inputs, encoded });
        }
        // Heads compute in single precision, whatever came before.
        for encodings in done.values_mut() {
            encodings.inputs = encodings.inputs.single()?;
            encodings.encoded = encodings.encoded.f_to_kind(Kind::Float)?;
        }
        Ok(done)
    }

    /// What the embedders give, (B, L, width).
    pub fn embed(&self, batch: &Batch) -> Result<Tensor> {
        self.embedding.forward(batch, false)?.whole()
    }
}
