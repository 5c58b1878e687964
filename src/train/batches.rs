//! [`Batches`]: an endless, shuffled supply of batches of like lengths.

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// Lengths are blurred by this share before sorting, so that batches differ between epochs.
const NOISE: f64 = 0.1;

/// Batches of example indices; see the module.
#[derive(Debug)]
pub struct Batches {
    lengths: Vec<usize>,
    size: usize,
    queue: Vec<Vec<usize>>,
}

impl Batches {
    pub fn new(lengths: Vec<usize>, size: usize) -> Self {
        Self { lengths, size, queue: Vec::new() }
    }

    /// Batches in an epoch.
    pub fn count(&self) -> usize {
        self.lengths.len().div_ceil(self.size)
    }

    /// The next batch; all examples come once before any comes again.
    pub fn next(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        if self.queue.is_empty() {
            let mut order: Vec<(f64, usize)> = self
                .lengths
                .iter()
                .enumerate()
                .map(|(i, &n)| (n as f64 * (1.0 + rng.random_range(-NOISE..NOISE)), i))
                .collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let order: Vec<usize> = order.into_iter().map(|(_, i)| i).collect();
            self.queue = order.chunks(self.size).map(<[usize]>::to_vec).collect();
            self.queue.shuffle(rng);
        }
        self.queue.pop().unwrap_or_default()
    }

    /// The batches that are left of this pass over the examples, the next last.
    pub fn queue(&self) -> &[Vec<usize>] {
        &self.queue
    }

    /// Goes on with the rest of an earlier pass.
    pub fn restore(&mut self, queue: Vec<Vec<usize>>) {
        self.queue = queue;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn every_example_comes_once_an_epoch_among_others_of_its_length() {
        let lengths: Vec<usize> = (0..10).map(|i| if i % 2 == 0 { 5 } else { 50 }).collect();
        let mut batches = Batches::new(lengths.clone(), 5);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..3 {
            let mut seen = Vec::new();
            for _ in 0..batches.count() {
                let batch = batches.next(&mut rng);
                assert!(batch.iter().all(|&i| lengths[i] == lengths[batch[0]]));
                seen.extend(batch);
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
    }
}
