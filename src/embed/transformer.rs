//! [`Transformer`]: contextual word vectors from an encoder that reads pieces of words: those of the BERT family
//! and ModernBERT.
//!
//! Tensors keep the names of Hugging Face's implementation below `embedding.context.`, so that its
//! weights are loaded as they are and its layers can be given rates of their own.

use std::fmt::{Debug, Display};

use serde::Deserialize;
use tch::Tensor;

use super::bert::{self, Bert};
use super::layer_mix::LayerMix;
use super::maker::{Maker, PREFIX};
use super::modern_bert::{self, ModernBert};
use crate::config::{Pooling, TransformerConfig};
use crate::dropout::Dropout as _;
use crate::feature::{Batch, PieceBatch, Pieces};
use crate::params::Params;
use crate::{Error, Result};

/// Takes padding out of a softmax.
pub(super) const NEVER: f64 = -1e9;
/// Pieces, padding included, that are read at a time where nothing is learned.
const PIECES: i64 = 8192;

/// What reads pieces, one kind for each sort of `config.json`.
pub(super) trait Layers: Debug + Send {
    /// Columns of a state.
    fn width(&self) -> i64;

    /// The number of layers.
    fn depth(&self) -> i64;

    /// The hidden states after the embeddings and after each layer, or, unless `all` are wanted, the last
    /// alone: (R, P, hidden), of pieces (R, P).
    fn states(&self, ids: &Tensor, present: &Tensor, all: bool, train: bool)
    -> Result<Vec<Tensor>>;
}

/// The vectors of pieces (R, P) in a table: (R, P, hidden).
pub(super) fn lookup(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let (rows, length) = ids.size2()?;
    Ok(table.f_index_select(0, &ids.f_reshape([-1])?)?.f_view([rows, length, -1])?)
}

/// Runs layers one after the other: `x` and what each makes of the state before it, or the last alone.
pub(super) fn run<L>(
    layers: &[L],
    mut x: Tensor,
    all: bool,
    layer: impl Fn(&L, &Tensor) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let mut states = Vec::new();
    for own in layers {
        let next = layer(own, &x)?;
        let before = std::mem::replace(&mut x, next);
        if all {
            states.push(before);
        }
    }
    states.push(x);
    Ok(states)
}

/// A transformer; see the module.
#[derive(Debug)]
pub struct Transformer {
    layers: Box<dyn Layers>,
    mix: Option<LayerMix>,
    pooling: Pooling,
    trainable: bool,
    dropout: f64,
}

pub(super) fn bad_config(what: impl Display) -> Error {
    Error::config(format!("the transformer's config.json: {what}"))
}

/// Attention of queries to keys and values, (R, heads, P, size); `bias` is added to the scores.
pub(super) fn attend(
    [query, key, value]: [&Tensor; 3],
    bias: &Tensor,
    dropout: f64,
    train: bool,
) -> Result<Tensor> {
    if !train || dropout == 0.0 {
        let none = None::<f64>;
        return Ok(Tensor::f_scaled_dot_product_attention(
            query,
            key,
            value,
            Some(bias),
            0.0,
            false,
            none,
            false,
        )?);
    }
    // What LibTorch would do, but for its dropout.
    let size = query.size()[3] as f64;
    let scores =
        query.f_mul_scalar(1.0 / size.sqrt())?.f_matmul(&key.f_transpose(2, 3)?)?.f_add(bias)?; // (R, heads, P, P)
    Ok(scores.f_softmax(-1, scores.kind())?.dropped(dropout, true)?.f_matmul(value)?)
}

/// Whether a description is that of a ModernBERT; an error if it is of nothing that is known.
fn is_modern(config: &str) -> Result<bool> {
    #[derive(Deserialize)]
    struct Kind {
        model_type: String,
    }
    let Kind { model_type } = serde_json::from_str(config).map_err(bad_config)?;
    let known = || bert::MODEL_TYPES.into_iter().chain([modern_bert::MODEL_TYPE]);
    if !known().any(|t| t == model_type) {
        let known = known().collect::<Vec<_>>().join(", ");
        return Err(bad_config(format!(
            "model_type `{model_type}` is not of those that can be read: {known}"
        )));
    }
    Ok(model_type == modern_bert::MODEL_TYPE)
}

/// How many pieces the windows over long sequences have, and how many they share.
pub fn window(config: &TransformerConfig, pieces: &Pieces) -> Result<(usize, usize)> {
    let description = pieces.config();
    let most = match is_modern(description)? {
        true => modern_bert::positions(description)?,
        false => bert::positions(description)?,
    };
    let most = most as usize;
    let window = config.window.unwrap_or(most);
    if window > most || window < 8 {
        return Err(Error::config(format!(
            "embedding.context.window is {window}: it must be from 8 to {most}"
        )));
    }
    Ok((window, config.overlap.min(window / 2)))
}

impl Transformer {
    pub fn new(config: &TransformerConfig, pieces: &Pieces, params: &mut Params) -> Result<Self> {
        let &TransformerConfig { pooling, mix, trainable, dropout, .. } = config;
        let mut make = Maker { params, trainable };
        let layers: Box<dyn Layers> = match is_modern(pieces.config())? {
            true => Box::new(ModernBert::new(pieces.config(), &mut make)?),
            false => Box::new(Bert::new(pieces.config(), &mut make)?),
        };
        let mix = mix.then(|| LayerMix::new(PREFIX, layers.depth() + 1, params)).transpose()?;
        Ok(Self { layers, mix, pooling, trainable, dropout })
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        self.layers.width()
    }

    /// (B, L, width), zero at padding.
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        let pieces = batch
            .pieces
            .as_ref()
            .ok_or_else(|| Error::Internal("a batch without pieces".to_owned()))?;
        let hidden = self.hidden(pieces, train)?.f_reshape([-1, self.width()])?; // (R * P, hidden)
        let (rows, length) = batch.words.size2()?;
        let words = match self.pooling {
            Pooling::First => hidden.f_index_select(0, &pieces.first)?,
            Pooling::Mean => {
                Tensor::f_zeros([rows * length, self.width()], (hidden.kind(), hidden.device()))?
                    .f_index_add(0, &pieces.words, &hidden.f_index_select(0, &pieces.pieces)?)?
                    .f_div(&pieces.counts.f_to_kind(hidden.kind())?)?
            }
        };
        let words = words.f_view([rows, length, -1])?.dropped(self.dropout, train)?;
        batch.padding.masked(&words)
    }

    /// What the transformer says of each piece, (R, P, hidden). Where nothing is learned some rows
    /// are read at a time: what the layers hold would grow with a document of hundreds of windows.
    fn hidden(&self, pieces: &PieceBatch, train: bool) -> Result<Tensor> {
        let (rows, length) = pieces.ids.size2()?;
        let learns = train && self.trainable;
        let some = if learns { rows } else { (PIECES / length.max(1)).max(1) };
        let mut found = Vec::new();
        for start in (0..rows).step_by(some.max(1) as usize) {
            let count = some.min(rows - start);
            let ids = pieces.ids.f_narrow(0, start, count)?;
            let present = pieces.present.f_narrow(0, start, count)?;
            let states = {
                // What is not learned needs no graph of it, nor dropout inside.
                let _guard = (!self.trainable).then(tch::no_grad_guard);
                self.layers.states(&ids, &present, self.mix.is_some(), learns)?
            };
            found.push(self.mixed(&states)?);
        }
        Ok(Tensor::f_cat(&found, 0)?)
    }

    /// The last state, or the mix of all.
    fn mixed(&self, states: &[Tensor]) -> Result<Tensor> {
        match (&self.mix, states.last()) {
            (Some(mix), _) => mix.forward(states),
            (None, Some(last)) => Ok(last.shallow_clone()),
            (None, None) => Err(Error::Internal("a transformer without states".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn attention_is_the_same_whether_it_drops_nothing_or_might() {
        tch::manual_seed(1);
        let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
        let [query, key, value] = [(); 3].map(|()| random(&[2, 3, 7, 4]));
        let bias = random(&[2, 1, 7, 7]).gt(1.0).to_kind(Kind::Float) * NEVER;
        let of = || [&query, &key, &value];
        let plain = attend(of(), &bias, 0.3, false).unwrap();
        // So rarely that it never is.
        let learning = attend(of(), &bias, 1e-9, true).unwrap();
        assert!(learning.allclose(&plain, 1e-5, 1e-6, false));
        assert!(!attend(of(), &bias, 0.3, true).unwrap().allclose(&plain, 1e-5, 1e-6, false));
    }
}
