//! Randomness that a seed decides, though LibTorch has one generator for the whole process.

use std::sync::{Mutex, PoisonError};

static ALONE: Mutex<()> = Mutex::new(());

/// Runs `draw` with LibTorch's generator seeded, while no other trainer of the process draws. What
/// is drawn depends on the seed and the position alone, so that a checkpoint needs no generator.
pub(super) fn seeded<T>(seed: u64, position: u64, draw: impl FnOnce() -> T) -> T {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(mix(seed, position) as i64);
    draw()
}

/// Positions of a run: its start is 0, step `n` has its batches.
pub(super) fn position(step: usize, batch: usize) -> u64 {
    ((step as u64 + 1) << 16) | batch as u64
}

/// Numbers that look unrelated for neighbouring positions (the finalizer of SplitMix64).
fn mix(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_and_position() {
        let draw = |seed, position| {
            seeded(seed, position, || {
                Vec::<f32>::try_from(tch::Tensor::rand([4], tch::kind::FLOAT_CPU)).unwrap()
            })
        };
        // Tests beside this one may draw from the same generator meanwhile.
        assert!((0..100).any(|_| draw(1, position(3, 0)) == draw(1, position(3, 0))));
        assert_ne!(draw(1, position(3, 0)), draw(1, position(3, 1)));
        assert_ne!(draw(1, position(3, 0)), draw(1, position(4, 0)));
        assert_ne!(draw(1, position(3, 0)), draw(2, position(3, 0)));
    }
}
