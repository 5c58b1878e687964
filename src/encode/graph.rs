//! [`Graph`]: the hierarchy of encoders, each run once however many tasks hang on it.

use std::collections::HashMap;

use indexmap::IndexMap;
use tch::{Kind, Tensor};

use super::lstm::{BiLstm, LstmShape};
use super::mix::Mix;
use crate::config::{EMBEDDING, EncoderConfig, ModelConfig};
use crate::dropout::Dropout as _;
use crate::embed::{Distinct, Embedding};
use crate::feature::{Batch, Vocabularies};
use crate::params::Params;
use crate::{Error, Result};

/// Embedders and encoders of a model.
#[derive(Debug)]
pub struct Graph {
    embedding: Embedding,
    encoders: IndexMap<String, Node>,
}

#[derive(Debug)]
struct Node {
    inputs: Vec<String>,
    input_width: i64,
    encoder: Encoder,
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

    /// (B, L, input) to (B, L, width); `distinct` has the first columns of the input, if it is there.
    fn forward(
        &self,
        batch: &Batch,
        x: &Tensor,
        distinct: Option<&Distinct>,
        train: bool,
    ) -> Result<Tensor> {
        match self {
            Self::Lstm(lstm) => lstm.forward(&batch.padding, x, distinct, train),
            Self::Mix(mix) => mix.forward(batch, x),
        }
    }
}

/// What goes through an encoder.
#[derive(Debug)]
pub struct Encodings {
    /// (B, L, input)
    pub inputs: Tensor,
    /// (B, L, output)
    pub encoded: Tensor,
}

impl Encodings {
    pub fn shallow_clone(&self) -> Self {
        Self { inputs: self.inputs.shallow_clone(), encoded: self.encoded.shallow_clone() }
    }

    /// The same change to each.
    pub fn map(&self, change: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self { inputs: change(&self.inputs)?, encoded: change(&self.encoded)? })
    }
}

impl Graph {
    pub fn new(config: &ModelConfig, vocab: &Vocabularies, params: &mut Params) -> Result<Self> {
        let embedding = Embedding::new(&config.embedding, vocab, params)?;
        let width = |name: &str| match config.encoders.get(name) {
            Some(EncoderConfig::Lstm { hidden, .. }) => 2 * hidden,
            Some(EncoderConfig::Mix { size, .. }) => *size,
            None => embedding.width(),
        };
        let mut encoders = IndexMap::new();
        for (name, encoder) in &config.encoders {
            let inputs = encoder.inputs().to_vec();
            let widths: Vec<i64> = inputs.iter().map(|i| width(i)).collect();
            let input_width = widths.iter().sum();
            let prefix = format!("encoders.{name}");
            // The columns of which a batch may have distinct rows.
            let first = inputs.first().is_some_and(|input| input == EMBEDDING);
            let shared = if first { embedding.width() } else { 0 };
            let encoder = match *encoder {
                EncoderConfig::Lstm { hidden, layers, dropout, orthogonal, .. } => {
                    let shape =
                        LstmShape { input: input_width, hidden, layers, dropout, orthogonal };
                    Encoder::Lstm(BiLstm::new(params, &prefix, shape, shared)?)
                }
                EncoderConfig::Mix { size, gated, .. } => {
                    Encoder::Mix(Mix::new(params, &prefix, &widths, size, gated)?)
                }
            };
            encoders.insert(name.clone(), Node { inputs, input_width, encoder });
        }
        Ok(Self { embedding, encoders })
    }

    /// Columns of an encoder's input and output.
    pub fn widths(&self, encoder: &str) -> (i64, i64) {
        self.encoders.get(encoder).map_or((0, 0), |n| (n.input_width, n.encoder.width()))
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
                    (EMBEDDING, _) => &embedding.all,
                    (_, Some(encodings)) => &encodings.encoded,
                    _ => {
                        return Err(Error::Internal(format!("`{input}` must run before `{name}`")));
                    }
                });
            }
            let inputs = Tensor::f_cat(&parts, 2)?.dropped(input_dropout(name), train)?;
            let first = node.inputs.first().is_some_and(|input| input == EMBEDDING);
            let distinct = embedding.distinct.as_ref().filter(|_| first);
            let encoded = node.encoder.forward(batch, &inputs, distinct, train)?;
            done.insert(name.to_owned(), Encodings { inputs, encoded });
        }
        // Heads compute in single precision, whatever came before.
        for encodings in done.values_mut() {
            *encodings = encodings.map(|x| Ok(x.f_to_kind(Kind::Float)?))?;
        }
        Ok(done)
    }

    /// What the embedders give, (B, L, width).
    pub fn embed(&self, batch: &Batch) -> Result<Tensor> {
        Ok(self.embedding.forward(batch, false)?.all)
    }
}
