//! [`Mix`]: a weighted sum of what it reads, with weights that are learned.
//!
//! ```text
//! y_t = factor * sum_i a_i (P_i x_i,t + b_i),   a = softmax(w), or by token a_t = softmax(G x_t + g)
//! ```
//!
//! With one set of weights it is the layer mix of Peters et al. (2018), and which level of the
//! hierarchy a task reads is learned; with a gate every token weighs the levels for itself, in
//! the manner of the learned sharing of Ruder et al. (2017).

use tch::Tensor;

use crate::Result;
use crate::feature::Batch;
use crate::params::{Init, Params};

/// An encoder; see the module.
#[derive(Debug)]
pub struct Mix {
    widths: Vec<i64>,
    project: Vec<(Tensor, Tensor)>, // (size, width of the input), (size)
    weights: Tensor,                // (inputs)
    factor: Tensor,                 // (1)
    gate: Option<Tensor>,           // (inputs, all widths)
    size: i64,
}

impl Mix {
    /// `widths` are those of the inputs.
    pub fn new(
        params: &mut Params,
        prefix: &str,
        widths: &[i64],
        size: i64,
        gated: bool,
    ) -> Result<Self> {
        let count = widths.len() as i64;
        let mut get = |name: String, shape: &[i64], init| {
            params.get(&format!("{prefix}.{name}"), shape, init)
        };
        let mut project = Vec::with_capacity(widths.len());
        for (at, &width) in widths.iter().enumerate() {
            let weight = get(format!("project{at}.weight"), &[size, width], Init::XavierUniform)?;
            project.push((weight, get(format!("project{at}.bias"), &[size], Init::Zeros)?));
        }
        let gate = match gated {
            true => {
                let all: i64 = widths.iter().sum();
                Some(get("gate".to_owned(), &[count, all], Init::Zeros)?)
            }
            false => None,
        };
        Ok(Self {
            widths: widths.to_vec(),
            project,
            weights: get("weights".to_owned(), &[count], Init::Zeros)?,
            factor: get("factor".to_owned(), &[1], Init::Constant(1.0))?,
            gate,
            size,
        })
    }

    /// Columns of the output.
    pub fn width(&self) -> i64 {
        self.size
    }

    /// (B, L, all inputs) to (B, L, size), zero at padding.
    pub fn forward(&self, batch: &Batch, x: &Tensor) -> Result<Tensor> {
        let weights = match &self.gate {
            Some(gate) => x.f_linear(gate, Some(&self.weights))?, // (B, L, inputs)
            None => self.weights.shallow_clone(),                 // (inputs)
        };
        let weights = weights.f_softmax(-1, weights.kind())?.f_mul(&self.factor)?;
        let mut start = 0;
        let mut sum: Option<Tensor> = None;
        for (at, (&width, (weight, bias))) in self.widths.iter().zip(&self.project).enumerate() {
            let part = x
                .f_narrow(2, start, width)?
                .f_linear(weight, Some(bias))?
                .f_mul(&weights.f_narrow(-1, at as i64, 1)?)?;
            start += width;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&part)?,
                None => part,
            });
        }
        match sum {
            Some(sum) => batch.padding.masked(&sum),
            None => Err(crate::Error::Internal("a mix of nothing".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tch::Device;

    use super::*;
    use crate::feature::{BatchOptions, Vocabularies};

    /// Two inputs of one column, 1 and 3, projected onto themselves.
    fn mixed(weights: [f32; 2], gate: Option<[f32; 4]>) -> Vec<f32> {
        let tensor = |values: &[f32], shape: &[i64]| Tensor::from_slice(values).view(shape);
        let mut tensors = BTreeMap::from([
            ("m.project0.weight".to_owned(), tensor(&[1.0], &[1, 1])),
            ("m.project1.weight".to_owned(), tensor(&[1.0], &[1, 1])),
            ("m.project0.bias".to_owned(), tensor(&[0.0], &[1])),
            ("m.project1.bias".to_owned(), tensor(&[0.0], &[1])),
            ("m.weights".to_owned(), tensor(&weights, &[2])),
            ("m.factor".to_owned(), tensor(&[2.0], &[1])),
        ]);
        if let Some(gate) = gate {
            tensors.insert("m.gate".to_owned(), tensor(&gate, &[2, 2]));
        }
        let mut params = Params::loaded(tensors, Device::Cpu);
        let mix = Mix::new(&mut params, "m", &[1, 1], 1, gate.is_some()).unwrap();
        let sequences = [vec!["a", "b"], vec!["a"]];
        let batch =
            Batch::new(&sequences, &Vocabularies::default(), BatchOptions::default(), Device::Cpu)
                .unwrap();
        let x = Tensor::from_slice(&[1_f32, 3.0, 0.0, 3.0, 1.0, 3.0, 9.0, 9.0]).view([2, 2, 2]);
        Vec::try_from(mix.forward(&batch, &x).unwrap().view([-1])).unwrap()
    }

    #[test]
    fn weights_are_shares_and_padding_is_zero() {
        assert_eq!(mixed([0.0, 0.0], None), [4.0, 3.0, 4.0, 0.0]);
        let mostly_first = mixed([20.0, 0.0], None);
        assert!((mostly_first[0] - 2.0).abs() < 1e-4 && mostly_first[1].abs() < 1e-4);
    }

    #[test]
    fn a_gate_weighs_each_token_for_itself() {
        // The first input is taken where it is 1, the second where that is 0.
        let gated = mixed([-20.0, 0.0], Some([40.0, 0.0, 0.0, 0.0]));
        assert!((gated[0] - 2.0).abs() < 1e-4 && (gated[1] - 6.0).abs() < 1e-4, "{gated:?}");
    }
}
