//! [`Scorer`]: one hidden layer and a score, of spans and of pairs of them.

use tch::Tensor;

use super::fast::FastScorer;
use crate::Result;
use crate::dropout::Dropout as _;
use crate::params::Init;

#[derive(Debug)]
pub(super) struct Scorer {
    hidden: (Tensor, Tensor),
    output: (Tensor, Tensor),
}

impl Scorer {
    pub(super) fn new(
        get: &mut impl FnMut(&str, &[i64], Init) -> Result<Tensor>,
        name: &str,
        input: i64,
        hidden: i64,
    ) -> Result<Self> {
        Ok(Self {
            hidden: (
                get(&format!("{name}.hidden.weight"), &[hidden, input], Init::XavierUniform)?,
                get(&format!("{name}.hidden.bias"), &[hidden], Init::Zeros)?,
            ),
            output: (
                get(&format!("{name}.output.weight"), &[1, hidden], Init::XavierUniform)?,
                get(&format!("{name}.output.bias"), &[1], Init::Zeros)?,
            ),
        })
    }

    pub(super) fn fast(&self) -> Result<FastScorer> {
        FastScorer::new(&self.hidden, &self.output)
    }

    /// (..., input) to (...)
    pub(super) fn score(&self, x: &Tensor, dropout: f64, train: bool) -> Result<Tensor> {
        Ok(x.f_relu()?
            .f_linear(&self.hidden.0, Some(&self.hidden.1))?
            .f_relu()?
            .dropped(dropout, train)?
            .f_linear(&self.output.0, Some(&self.output.1))?
            .f_squeeze_dim(-1)?)
    }
}
