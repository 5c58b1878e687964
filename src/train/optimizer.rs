//! [`Optimizer`]: AdamW, Adam and SGD.
//!
//! On the CPU an update is one loop over parameter, gradient and moments, where tensor operations
//! would pass over memory ten times. State is kept by parameter name, so that a checkpoint can
//! name it.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::Gradients;
use super::config::{OptimizerConfig, OptimizerKind};
use crate::params::Params;
use crate::{Error, Result};

/// An optimizer of the trainable tensors of a [`Params`].
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    states: BTreeMap<String, State>,
}

/// What an optimizer remembers of a parameter. Of SGD only `first` is used.
#[derive(Debug)]
pub(super) struct State {
    pub(super) first: Tensor,
    pub(super) second: Tensor,
    pub(super) steps: i32,
}

/// The numbers of one update of one parameter.
#[derive(Clone, Copy)]
struct Update {
    kind: OptimizerKind,
    rate: f32,
    decay: f32,
    momentum: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// `1 - beta1^t` and `sqrt(1 - beta2^t)`.
    correction1: f32,
    correction2: f32,
}

impl Optimizer {
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, states: BTreeMap::new() }
    }

    /// Updates the tensors that have a gradient; the others rest, and so do their states.
    /// `factor` is that of the schedule.
    pub fn step(&mut self, params: &Params, gradients: &Gradients, factor: f64) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (name, gradient) in gradients.iter() {
            let Some(tensor) = params.tensor(name) else { continue };
            if !self.states.contains_key(name) {
                let zeros = || tensor.f_zeros_like();
                let state = State { first: zeros()?, second: zeros()?, steps: 0 };
                self.states.insert(name.to_owned(), state);
            }
            let Some(state) = self.states.get_mut(name) else { continue };
            state.steps += 1;
            let config = &self.config;
            let (rate, decay) = config.numbers(name);
            let update = Update {
                kind: config.kind,
                rate: (rate * factor) as f32,
                decay: decay as f32,
                momentum: config.momentum as f32,
                beta1: config.beta1 as f32,
                beta2: config.beta2 as f32,
                epsilon: config.epsilon as f32,
                correction1: (1.0 - config.beta1.powi(state.steps)) as f32,
                correction2: (1.0 - config.beta2.powi(state.steps)).sqrt() as f32,
            };
            let gradient = gradient.f_contiguous()?;
            match [tensor, &gradient, &state.first, &state.second].map(address) {
                [Some(p), Some(g), Some(m), Some(v)] if gradient.size() == tensor.size() => {
                    let n = tensor.numel();
                    // SAFETY: four tensors of `n` floats in the memory of this process, which no
                    // one else uses meanwhile: training is exclusive.
                    let (p, g, m, v) = unsafe {
                        (
                            std::slice::from_raw_parts_mut(p, n),
                            std::slice::from_raw_parts(g, n),
                            std::slice::from_raw_parts_mut(m, n),
                            std::slice::from_raw_parts_mut(v, n),
                        )
                    };
                    update.fused(p, g, m, v);
                }
                _ => update.by_tensors(tensor, &gradient, state)?,
            }
        }
        Ok(())
    }

    pub(super) fn states(&self) -> &BTreeMap<String, State> {
        &self.states
    }

    /// Takes up the state of an earlier optimizer.
    pub(super) fn restore(&mut self, states: BTreeMap<String, State>) {
        self.states = states;
    }
}

/// Where the numbers of a tensor stand, if they are floats in a row in the memory of this process.
fn address(tensor: &Tensor) -> Option<*mut f32> {
    let plain =
        tensor.device() == Device::Cpu && tensor.kind() == Kind::Float && tensor.is_contiguous();
    plain.then(|| tensor.data_ptr().cast())
}

impl Update {
    fn fused(self, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        let Self { rate, decay, beta1, beta2, epsilon, .. } = self;
        let rows = p.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut()));
        match self.kind {
            OptimizerKind::Sgd => {
                for ((p, g), (m, _)) in rows {
                    *m = self.momentum * *m + (g + decay * *p);
                    *p -= rate * *m;
                }
            }
            OptimizerKind::Adam | OptimizerKind::Adamw => {
                // Decoupled decay shrinks the weight; the other is part of the gradient.
                let (shrink, coupled) = match self.kind {
                    OptimizerKind::Adamw => (1.0 - rate * decay, 0.0),
                    _ => (1.0, decay),
                };
                let (step, correction) = (rate / self.correction1, 1.0 / self.correction2);
                for ((p, g), (m, v)) in rows {
                    let g = g + coupled * *p;
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *p = shrink * *p - step * *m / (v.sqrt() * correction + epsilon);
                }
            }
        }
    }

    /// The same by operations of LibTorch, wherever the tensors are.
    fn by_tensors(self, tensor: &Tensor, gradient: &Tensor, state: &mut State) -> Result<()> {
        let wide = f64::from;
        let mut p = tensor.shallow_clone();
        let g = match self.kind {
            OptimizerKind::Adamw => gradient.shallow_clone(),
            _ if self.decay == 0.0 => gradient.shallow_clone(),
            _ => gradient.f_add(&p.f_mul_scalar(wide(self.decay))?)?,
        };
        let (m, v) = (&mut state.first, &mut state.second);
        if self.kind == OptimizerKind::Sgd {
            let _ = m.f_mul_scalar_(wide(self.momentum))?.f_add_(&g)?;
            let _ = p.f_sub_(&m.f_mul_scalar(wide(self.rate))?)?;
            return Ok(());
        }
        let _ = m.f_lerp_(&g, wide(1.0 - self.beta1))?;
        let squares = g.f_square()?.f_mul_scalar(wide(1.0 - self.beta2))?;
        let _ = v.f_mul_scalar_(wide(self.beta2))?.f_add_(&squares)?;
        let scale =
            v.f_sqrt()?.f_div_scalar(wide(self.correction2))?.f_add_scalar(wide(self.epsilon))?;
        if self.kind == OptimizerKind::Adamw && self.decay > 0.0 {
            let _ = p.f_mul_scalar_(wide(1.0 - self.rate * self.decay))?;
        }
        let step = m.f_div(&scale)?.f_mul_scalar(wide(self.rate / self.correction1))?;
        let _ = p.f_sub_(&step)?;
        Ok(())
    }
}

/// Refuses prefixes of parameter names that name none, by what `place` they stand in.
pub(super) fn check_names(params: &Params, prefixes: &[String], place: &str) -> Result<()> {
    let named = |prefix: &&String| {
        params.iter().any(|(name, _)| super::config::is_named(name, std::slice::from_ref(prefix)))
    };
    match prefixes.iter().find(|p| !named(p)) {
        Some(prefix) => {
            Err(Error::config(format!("{place}: the model has no parameters `{prefix}`")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Init;
    use crate::train::config::GroupConfig;

    fn apart(a: &Tensor, b: &Tensor) -> f64 {
        f64::try_from((a - b).abs().max()).unwrap()
    }

    /// Five steps of ours and of LibTorch's own optimizer on the same losses.
    fn compare(config: OptimizerConfig, mut theirs: tch::COptimizer) {
        let mut params = Params::random(Device::Cpu);
        let x = params.get("x", &[3], Init::Constant(1.0)).unwrap();
        let torch = Tensor::ones([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        theirs.add_parameters(&torch, 0).unwrap();
        let mut ours = Optimizer::new(config);
        let target = Tensor::from_slice(&[0.0_f32, 2.0, -3.0]);
        for _ in 0..5 {
            let loss = (&x - &target).square().sum(Kind::Float);
            ours.step(&params, &Gradients::of(&loss, &params).unwrap(), 1.0).unwrap();
            theirs.zero_grad().unwrap();
            (&torch - &target).square().sum(Kind::Float).backward();
            theirs.step().unwrap();
        }
        assert!(apart(&x, &torch) < 1e-6);
    }

    #[test]
    fn steps_equal_torch() {
        let of = |kind| OptimizerConfig {
            kind,
            learning_rate: 1e-2,
            weight_decay: 0.1,
            momentum: 0.9,
            ..Default::default()
        };
        let adamw = tch::COptimizer::adamw(1e-2, 0.9, 0.999, 0.1, 1e-8, false).unwrap();
        compare(of(OptimizerKind::Adamw), adamw);
        let adam = tch::COptimizer::adam(1e-2, 0.9, 0.999, 0.1, 1e-8, false).unwrap();
        compare(of(OptimizerKind::Adam), adam);
        let sgd = tch::COptimizer::sgd(1e-2, 0.9, 0.0, 0.1, false).unwrap();
        compare(of(OptimizerKind::Sgd), sgd);
    }

    #[test]
    fn the_loop_and_the_tensor_operations_agree() {
        for kind in [OptimizerKind::Adam, OptimizerKind::Adamw, OptimizerKind::Sgd] {
            let update = Update {
                kind,
                rate: 0.01,
                decay: 0.1,
                momentum: 0.9,
                beta1: 0.9,
                beta2: 0.99,
                epsilon: 1e-8,
                correction1: 0.19,
                correction2: 0.2,
            };
            let numbers = [0.3_f32, -0.2, 0.0, 4.0];
            let (mut p, g, mut m, mut v) =
                ([1.0_f32, -2.0, 3.0, 0.5], numbers, [0.1_f32; 4], [0.2_f32; 4]);
            let [tensor, first, second] = [p, m, v].map(|n| Tensor::from_slice(&n));
            let mut state = State { first, second, steps: 2 };
            update.by_tensors(&tensor, &Tensor::from_slice(&g), &mut state).unwrap();
            update.fused(&mut p, &g, &mut m, &mut v);
            assert!(apart(&tensor, &Tensor::from_slice(&p)) < 1e-6, "{kind:?}");
            assert!(apart(&state.first, &Tensor::from_slice(&m)) < 1e-6, "{kind:?}");
        }
    }

    #[test]
    fn parameters_that_a_loss_does_not_read_stay() {
        let mut params = Params::random(Device::Cpu);
        let mine = params.get("mine", &[2], Init::Constant(1.0)).unwrap();
        let yours = params.get("yours", &[2], Init::Constant(1.0)).unwrap();
        let mut optimizer =
            Optimizer::new(OptimizerConfig { weight_decay: 0.1, ..Default::default() });
        let mut step = |loss: Tensor| {
            optimizer.step(&params, &Gradients::of(&loss, &params).unwrap(), 1.0).unwrap();
        };
        step(mine.sum(Kind::Float) + yours.sum(Kind::Float));
        let before = yours.copy();
        step(mine.sum(Kind::Float));
        assert_eq!(apart(&yours, &before), 0.0);
    }

    #[test]
    fn a_group_has_its_own_rate() {
        let mut params = Params::random(Device::Cpu);
        let slow = params.get("slow.x", &[1], Init::Constant(1.0)).unwrap();
        let fast = params.get("fast.x", &[1], Init::Constant(1.0)).unwrap();
        let group = GroupConfig {
            parameters: vec!["slow".into()],
            learning_rate: Some(0.01),
            weight_decay: None,
        };
        let config = OptimizerConfig {
            kind: OptimizerKind::Sgd,
            learning_rate: 0.1,
            groups: vec![group],
            ..Default::default()
        };
        let loss = slow.sum(Kind::Float) + fast.sum(Kind::Float);
        let gradients = Gradients::of(&loss, &params).unwrap();
        Optimizer::new(config).step(&params, &gradients, 1.0).unwrap();
        assert!((slow.double_value(&[0]) - 0.99).abs() < 1e-6);
        assert!((fast.double_value(&[0]) - 0.9).abs() < 1e-6);
        assert!(check_names(&params, &["slow".into()], "freeze").is_ok());
        let error = check_names(&params, &["slo".into()], "freeze").unwrap_err().to_string();
        assert!(error.contains("freeze") && error.contains("`slo`"), "{error}");
    }
}
