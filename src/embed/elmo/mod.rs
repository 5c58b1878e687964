//! [`Elmo`]: word vectors from a language model in both directions (Peters et al. 2018).
//!
//! A word is spelled by a character network, the words of a sentence between its boundaries are read
//! by two stacks of LSTMs, forward and backward, and the layers are mixed:
//!
//! `factor * sum_l softmax(w)_l h_l`, `h_0 = [x; x]`, `h_l = [forward_l; backward_l]`
//!
//! The states are zero before every sentence: the original carries them from batch to batch, so that
//! a sentence has other vectors every time it is read.
//!
//! Description and weights are those of `bilm-tf`, `options.json` and `weights.hdf5`.

mod characters;
mod lstm;
mod weights;

use tch::Tensor;

use self::characters::Characters;
use self::lstm::Stack;
pub use self::weights::{options, weights};
use super::layer_mix::LayerMix;
use super::maker::{Maker, PREFIX};
use crate::config::{ElmoConfig, ElmoOptions};
use crate::dropout::Dropout as _;
use crate::feature::{Batch, ElmoBatch};
use crate::params::Params;
use crate::{Error, Result};

/// An ELMo; see the module.
#[derive(Debug)]
pub struct Elmo {
    characters: Characters,
    forward: Stack,
    backward: Stack,
    mix: LayerMix,
    width: i64,
    trainable: bool,
    dropout: f64,
}

impl Elmo {
    pub fn new(config: &ElmoConfig, options: &ElmoOptions, params: &mut Params) -> Result<Self> {
        let &ElmoConfig { trainable, dropout } = config;
        let mut make = Maker { params, trainable };
        let characters = Characters::new(options, &mut make)?;
        let forward = Stack::new("forward", &options.lstm, &mut make)?;
        let backward = Stack::new("backward", &options.lstm, &mut make)?;
        let mix = LayerMix::new(PREFIX, options.lstm.n_layers + 1, params)?;
        let width = options.width();
        Ok(Self { characters, forward, backward, mix, width, trainable, dropout })
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// (B, L, width), zero at padding.
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor> {
        let none = || Error::Internal("a batch without ELMo's characters".to_owned());
        let elmo = batch.elmo.as_ref().ok_or_else(none)?;
        let states = {
            // What is not learned needs no graph of it.
            let _guard = (!self.trainable).then(tch::no_grad_guard);
            self.states(elmo)?
        };
        let (_, length) = batch.words.size2()?;
        let words = self
            .mix
            .forward(&states)?
            .f_narrow(1, 1, length)? // (B, L, width)
            .dropped(self.dropout, train)?;
        batch.padding.masked(&words)
    }

    /// All layers, boundaries included: (B, L + 2, width) each. What stands at padding means
    /// nothing.
    pub fn states(&self, batch: &ElmoBatch) -> Result<Vec<Tensor>> {
        let words = self.characters.forward(batch)?; // (B, L + 2, width / 2)
        let forward = self.forward.forward(&words)?;
        let backward = self.backward.forward(&batch.reverse(&words)?)?;
        let mut states = vec![Tensor::f_cat(&[&words, &words], 2)?];
        for (forward, backward) in forward.iter().zip(&backward) {
            states.push(Tensor::f_cat(&[forward, &batch.reverse(backward)?], 2)?);
        }
        Ok(states)
    }
}
