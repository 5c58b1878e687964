//! Dropout (Srivastava et al. 2014) with a quick generator: LibTorch draws one number at a time on a CPU, which was
//! a sixth of the time that a transformer learned.

use rand::rngs::SmallRng;
use rand::{RngCore as _, SeedableRng as _};
use tch::{Device, Kind, Tensor};

use crate::{Result, cpu};

/// Numbers of which a share is dropped.
const ALL: f64 = 65_536.0;
/// Bytes that are drawn at a time.
const BLOCK: usize = 4096;

pub(crate) trait Dropout {
    /// Zeroes each number with the probability `rate` when learning, and scales the others so that their mean
    /// stays. On a CPU the rate is a multiple of 1/65536.
    fn dropped(&self, rate: f64, train: bool) -> Result<Tensor>;
}

impl Dropout for Tensor {
    fn dropped(&self, rate: f64, train: bool) -> Result<Tensor> {
        if !train || rate == 0.0 {
            return Ok(self.shallow_clone());
        }
        if self.device() != Device::Cpu || self.kind() != Kind::Float {
            return Ok(self.f_dropout(rate, true)?);
        }
        // LibTorch's generator has the seed of the step.
        let seed =
            Tensor::f_randint(i64::MAX, [1], (Kind::Int64, Device::Cpu))?.f_int64_value(&[0])?;
        Ok(self.f_mul(&mask(&self.size(), rate, seed as u64)?)?)
    }
}

/// What numbers are multiplied by: 0, or the inverse of the share that stays.
fn mask(shape: &[i64], rate: f64, seed: u64) -> Result<Tensor> {
    let dropped = (rate * ALL).round().min(ALL - 1.0);
    let scale = (ALL / (ALL - dropped)) as f32;
    let dropped = dropped as u16;
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut bytes = [0; BLOCK];
    cpu::tensor(shape, |mask| {
        for mask in mask.chunks_mut(BLOCK / 2) {
            rng.fill_bytes(&mut bytes);
            for (value, drawn) in mask.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *value = if u16::from_le_bytes(*drawn) < dropped { 0.0 } else { scale };
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_dropped_and_the_mean_stays() {
        tch::manual_seed(3);
        let x = Tensor::ones([300, 1000], (Kind::Float, Device::Cpu));
        for rate in [0.1, 0.5, 0.9] {
            let y = x.dropped(rate, true).unwrap();
            let zeros = f64::try_from(y.eq(0.0).to_kind(Kind::Float).mean(Kind::Float)).unwrap();
            assert!((zeros - rate).abs() < 0.005, "{zeros}");
            assert!((f64::try_from(y.mean(Kind::Float)).unwrap() - 1.0).abs() < 0.02);
            // Neither rows nor columns are dropped together.
            let rows = y.mean_dim([1].as_slice(), false, Kind::Float);
            assert!(f64::try_from(rows.std(true)).unwrap() < 0.2);
        }
        assert_eq!(x.dropped(0.5, false).unwrap(), x);
        assert_eq!(x.dropped(0.0, true).unwrap(), x);
    }

    #[test]
    fn a_seed_decides_what_is_dropped_and_only_that_learns_nothing() {
        let x = Tensor::ones([5000], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let drop = |seed| {
            tch::manual_seed(seed);
            (x.dropped(0.3, true).unwrap(), x.dropped(0.3, true).unwrap())
        };
        // Tests beside this one may draw from the same generator meanwhile.
        assert!((0..100).any(|_| drop(1).0 == drop(1).0));
        let ((a, b), (d, _)) = (drop(1), drop(2));
        assert!(a != b && a != d);
        a.sum(Kind::Float).backward();
        assert_eq!(x.grad(), a.detach());
    }
}
