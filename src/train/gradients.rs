//! [`Gradients`]: what one loss says about the parameters that it reads.

use tch::Tensor;

use crate::params::Params;
use crate::{Error, Result};

/// Gradients of the parameters that a loss depends on. Those of other tasks' heads and encoders
/// are absent, not zero: an optimizer would move them by old momentum.
#[derive(Debug)]
pub struct Gradients(Vec<(String, Tensor)>);

impl Gradients {
    pub fn of(loss: &Tensor, params: &Params) -> Result<Self> {
        if !loss.requires_grad() {
            return Err(Error::Internal("a loss that depends on nothing that is trained".into()));
        }
        let (names, tensors): (Vec<&str>, Vec<&Tensor>) = params.trainable().unzip();
        let gradients = Tensor::f_run_backward(&[loss], &tensors, false, false)?;
        let named = names.into_iter().map(str::to_owned).zip(gradients);
        Ok(Self(named.filter(|(_, gradient)| gradient.defined()).collect()))
    }

    /// Adds those of another loss.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for (name, gradient) in other.0 {
            match self.0.iter_mut().find(|(n, _)| *n == name) {
                Some((_, own)) => drop(own.f_add_(&gradient)?),
                None => self.0.push((name, gradient)),
            }
        }
        Ok(())
    }

    /// Multiplies all by a factor.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        for (_, gradient) in &mut self.0 {
            let _ = gradient.f_mul_scalar_(factor)?;
        }
        Ok(())
    }

    /// Limits each element to `-most..=most`.
    pub fn clip_value(&mut self, most: f64) -> Result<()> {
        for (_, gradient) in &mut self.0 {
            let _ = gradient.f_clamp_(-most, most)?;
        }
        Ok(())
    }

    /// Scales all alike so that their norm is at most `most`.
    pub fn clip_norm(&mut self, most: f64) -> Result<()> {
        let factor = most / (self.norm()? + 1e-6);
        if factor < 1.0 {
            for (_, gradient) in &mut self.0 {
                let _ = gradient.f_mul_scalar_(factor)?;
            }
        }
        Ok(())
    }

    /// Norm of all gradients together; not finite when one of their elements is not.
    pub fn norm(&self) -> Result<f64> {
        if self.0.is_empty() {
            return Ok(0.0);
        }
        let norms: Vec<Tensor> =
            self.0.iter().map(|(_, gradient)| gradient.f_norm()).collect::<Result<_, _>>()?;
        Ok(f64::try_from(Tensor::f_stack(&norms, 0)?.f_norm()?)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::params::Init;

    fn params() -> (Params, Tensor) {
        let mut params = Params::random(Device::Cpu);
        let used = params.get("used", &[2], Init::Constant(1.0)).unwrap();
        let _ = params.get("unused", &[2], Init::Constant(1.0)).unwrap();
        let _ = params.get("frozen", &[2], Init::Constant(1.0)).unwrap();
        params.freeze("frozen");
        (params, used)
    }

    fn values(gradients: &Gradients) -> Vec<f64> {
        gradients.iter().flat_map(|(_, g)| Vec::<f64>::try_from(g).unwrap()).collect()
    }

    #[test]
    fn only_parameters_that_the_loss_reads_have_one() {
        let (params, used) = params();
        let gradients = Gradients::of(&used.sum(Kind::Float), &params).unwrap();
        assert_eq!(gradients.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["used"]);
    }

    #[test]
    fn values_are_clipped_and_then_the_norm() {
        let (params, used) = params();
        let loss = (&used * Tensor::from_slice(&[3.0_f32, 40.0])).sum(Kind::Float);
        let mut gradients = Gradients::of(&loss, &params).unwrap();
        gradients.clip_value(4.0).unwrap();
        assert_eq!(values(&gradients), [3.0, 4.0]);
        gradients.clip_norm(10.0).unwrap();
        assert_eq!(values(&gradients), [3.0, 4.0]);
        gradients.clip_norm(1.0).unwrap();
        assert!((gradients.norm().unwrap() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn an_infinite_element_shows_in_the_norm() {
        let (params, used) = params();
        let loss = (&used - 1.0).sqrt().sum(Kind::Float);
        assert!(!Gradients::of(&loss, &params).unwrap().norm().unwrap().is_finite());
    }
}
