//! [`Maker`]: the tensors of a contextual embedder, learned or as they are.

use tch::Tensor;

use crate::Result;
use crate::params::{Init, Params};

/// What the names of its parameters begin with.
pub const PREFIX: &str = "embedding.context.";

/// Makes tensors of `params`, which stay as they are unless `trainable`.
pub(super) struct Maker<'a> {
    pub(super) params: &'a mut Params,
    pub(super) trainable: bool,
}

impl Maker<'_> {
    /// The tensor of a name below the prefix.
    pub(super) fn get(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        let name = format!("{PREFIX}{name}");
        let tensor = self.params.get(&name, shape, init)?;
        if !self.trainable {
            self.params.freeze(&name);
        }
        Ok(tensor)
    }
}
