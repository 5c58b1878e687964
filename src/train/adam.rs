//! [`Adam`]: Kingma and Ba 2015, with decoupled weight decay (Loshchilov and Hutter 2019).
//!
//! Moments are kept by parameter name, so that a checkpoint can name them.

use std::collections::BTreeMap;

use tch::Tensor;

use super::{Gradients, OptimizerConfig};
use crate::Result;
use crate::params::Params;

/// An optimizer of the trainable tensors of a [`Params`].
#[derive(Debug)]
pub struct Adam {
    config: OptimizerConfig,
    moments: BTreeMap<String, Moments>,
}

#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
    steps: i32,
}

impl Adam {
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, moments: BTreeMap::new() }
    }

    /// Updates the tensors that have a gradient; the others rest, and so do their moments.
    pub fn step(
        &mut self,
        params: &Params,
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let OptimizerConfig { weight_decay, beta1, beta2, epsilon, .. } = self.config;
        for (name, gradient) in gradients.iter() {
            let Some(tensor) = params.tensor(name) else { continue };
            if !self.moments.contains_key(name) {
                let zeros = || tensor.f_zeros_like();
                let moments = Moments { first: zeros()?, second: zeros()?, steps: 0 };
                self.moments.insert(name.to_owned(), moments);
            }
            let Some(moments) = self.moments.get_mut(name) else { continue };
            moments.steps += 1;
            let _ = moments.first.f_lerp_(gradient, 1.0 - beta1)?;
            let _ = moments.second.f_mul_scalar_(beta2)?.f_addcmul_(gradient, gradient)?;
            // The factor of the squared gradient is folded into the correction below.
            let correction1 = 1.0 - beta1.powi(moments.steps);
            let correction2 = (1.0 - beta2.powi(moments.steps)) / (1.0 - beta2);
            let scale =
                moments.second.f_div_scalar(correction2)?.f_sqrt()?.f_add_scalar(epsilon)?;
            let mut tensor = tensor.shallow_clone();
            if weight_decay > 0.0 {
                let _ = tensor.f_mul_scalar_(1.0 - learning_rate * weight_decay)?;
            }
            let update = moments.first.f_div(&scale)?.f_mul_scalar_(learning_rate / correction1)?;
            let _ = tensor.f_sub_(&update)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::params::Init;

    #[test]
    fn steps_equal_torch() {
        let mut params = Params::random(Device::Cpu);
        let x = params.get("x", &[3], Init::Constant(1.0)).unwrap();
        let torch = Tensor::ones([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let mut theirs = tch::COptimizer::adamw(1e-2, 0.9, 0.999, 0.1, 1e-8, false).unwrap();
        theirs.add_parameters(&torch, 0).unwrap();
        let config = OptimizerConfig { weight_decay: 0.1, ..Default::default() };
        let mut ours = Adam::new(config);
        let target = Tensor::from_slice(&[0.0_f32, 2.0, -3.0]);
        for _ in 0..5 {
            let loss = (&x - &target).square().sum(Kind::Float);
            ours.step(&params, &Gradients::of(&loss, &params).unwrap(), 1e-2).unwrap();
            theirs.zero_grad().unwrap();
            (&torch - &target).square().sum(Kind::Float).backward();
            theirs.step().unwrap();
        }
        assert!(f64::try_from((x - torch).abs().max()).unwrap() < 1e-6);
    }

    #[test]
    fn parameters_that_a_loss_does_not_read_stay() {
        let mut params = Params::random(Device::Cpu);
        let mine = params.get("mine", &[2], Init::Constant(1.0)).unwrap();
        let yours = params.get("yours", &[2], Init::Constant(1.0)).unwrap();
        let mut adam = Adam::new(OptimizerConfig { weight_decay: 0.1, ..Default::default() });
        let mut step = |loss: Tensor| {
            adam.step(&params, &Gradients::of(&loss, &params).unwrap(), 1e-2).unwrap();
        };
        step(mine.sum(Kind::Float) + yours.sum(Kind::Float));
        let before = yours.copy();
        step(mine.sum(Kind::Float));
        assert_eq!(Vec::<f32>::try_from(yours).unwrap(), Vec::<f32>::try_from(before).unwrap());
    }
}
