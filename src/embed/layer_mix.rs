//! [`LayerMix`]: the layers of a contextual embedder, weighed (Peters et al. 2018, equation 1).
//!
//! `factor * sum_l softmax(w)_l h_l`; equal weights at first.

use tch::Tensor;

use crate::params::{Init, Params};
use crate::{Error, Result};

/// A learned sum of layers; see the module.
#[derive(Debug)]
pub struct LayerMix {
    weights: Tensor, // (layers)
    factor: Tensor,  // (1)
}

impl LayerMix {
    /// Makes its tensors, `weights` and `factor`, below `prefix`.
    pub fn new(prefix: &str, layers: i64, params: &mut Params) -> Result<Self> {
        Ok(Self {
            weights: params.get(&format!("{prefix}mix.weights"), &[layers], Init::Zeros)?,
            factor: params.get(&format!("{prefix}mix.factor"), &[1], Init::Constant(1.0))?,
        })
    }

    /// As many states as there are weights, of one shape, to one.
    pub fn forward(&self, states: &[Tensor]) -> Result<Tensor> {
        let weights = self.weights.f_softmax(0, self.weights.kind())?.f_mul(&self.factor)?;
        let mut sum: Option<Tensor> = None;
        for (at, state) in states.iter().enumerate() {
            let part = state.f_mul(&weights.f_select(0, at as i64)?)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&part)?,
                None => part,
            });
        }
        sum.ok_or_else(|| Error::Internal("a mix of no layers".to_owned()))
    }
}
