//! Selection of the task that learns next.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::config::Sampling;

/// A task as the sampler sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    /// Batches in an epoch; none if it only learns along with others.
    pub(super) batches: usize,
    /// Whether it may be selected.
    pub(super) active: bool,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) epoch: usize,
    pub(super) epochs: usize,
    /// Steps taken in this epoch.
    pub(super) step: usize,
}

/// Steps of an epoch.
pub(super) fn epoch_steps(
    sampling: &Sampling,
    tasks: &[Candidate],
    chosen: Option<usize>,
) -> usize {
    let counts = |active: bool| {
        tasks.iter().filter(|t| t.active || !active).map(|t| t.batches).sum::<usize>()
    };
    match (sampling, chosen) {
        (_, Some(steps)) => steps,
        // Tasks that rest leave the epoch, instead of leaving their steps to the others.
        (Sampling::Sequential {}, None) => counts(true),
        (_, None) => counts(false),
    }
    .max(1)
}

/// Selects a task by its index: an active one, if there is any.
pub(super) fn select(
    sampling: &Sampling,
    tasks: &[Candidate],
    at: Position,
    rng: &mut ChaCha8Rng,
) -> usize {
    let active: Vec<usize> = (0..tasks.len()).filter(|&t| tasks[t].active).collect();
    // Where all rest, all go on that have batches of their own.
    let own = (0..tasks.len()).filter(|&t| tasks[t].batches > 0);
    let active = if active.is_empty() { own.collect() } else { active };
    let power = |a: f64| -> Vec<f64> {
        active.iter().map(|&t| (tasks[t].batches.max(1) as f64).powf(a)).collect()
    };
    let weights = match sampling {
        Sampling::RoundRobin {} => return active[at.step % active.len()],
        Sampling::Sequential {} => {
            let mut step = at.step;
            for &task in &active {
                if step < tasks[task].batches {
                    return task;
                }
                step -= tasks[task].batches;
            }
            return active[active.len() - 1];
        }
        Sampling::Proportional {} => power(1.0),
        Sampling::Uniform {} => power(0.0),
        Sampling::Temperature { temperature } => power(1.0 / temperature),
        Sampling::Annealed { from, to } => {
            let done = at.epoch as f64 / at.epochs.saturating_sub(1).max(1) as f64;
            power(from + (to - from) * done.min(1.0))
        }
        Sampling::Weights { weights } => {
            active.iter().map(|&t| weights.get(tasks[t].name).copied().unwrap_or(0.0)).collect()
        }
    };
    let total: f64 = weights.iter().sum();
    if total <= 0.0 || !total.is_finite() {
        return active[rng.random_range(0..active.len())];
    }
    let mut draw = rng.random::<f64>() * total;
    for (&task, weight) in active.iter().zip(&weights) {
        if draw < *weight {
            return task;
        }
        draw -= weight;
    }
    active[active.len() - 1]
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use rand::SeedableRng as _;

    use super::*;

    const TASKS: [Candidate; 3] = [
        Candidate { name: "a", batches: 90, active: true },
        Candidate { name: "b", batches: 9, active: true },
        Candidate { name: "c", batches: 1, active: true },
    ];

    /// How often each task is selected in many steps of an epoch.
    fn shares(sampling: &Sampling, tasks: &[Candidate], epoch: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut counts = vec![0.0; tasks.len()];
        let n = 20_000;
        for step in 0..n {
            counts[select(sampling, tasks, Position { epoch, epochs: 3, step }, &mut rng)] += 1.0;
        }
        counts.iter().map(|c| c / f64::from(n as u32)).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 0.015);
        assert!(near, "{found:?} {expected:?}");
    }

    #[test]
    fn shares_are_those_of_the_kind_of_sampling() {
        close(&shares(&Sampling::Proportional {}, &TASKS, 0), &[0.9, 0.09, 0.01]);
        close(&shares(&Sampling::Uniform {}, &TASKS, 0), &[1.0 / 3.0; 3]);
        let weights =
            IndexMap::from([("a", 0.0), ("b", 1.0), ("c", 3.0)].map(|(n, w)| (n.into(), w)));
        close(&shares(&Sampling::Weights { weights }, &TASKS, 0), &[0.0, 0.25, 0.75]);
        let roots = [90_f64.sqrt(), 3.0, 1.0];
        let roots = roots.map(|r| r / roots.iter().sum::<f64>());
        close(&shares(&Sampling::Temperature { temperature: 2.0 }, &TASKS, 0), &roots);
        let annealed = Sampling::Annealed { from: 1.0, to: 0.0 };
        close(&shares(&annealed, &TASKS, 0), &[0.9, 0.09, 0.01]);
        close(&shares(&annealed, &TASKS, 1), &roots);
        close(&shares(&annealed, &TASKS, 2), &[1.0 / 3.0; 3]);
        close(&shares(&Sampling::RoundRobin {}, &TASKS, 0), &[1.0 / 3.0; 3]);
    }

    #[test]
    fn a_sequence_takes_all_batches_of_each_task() {
        let sequence = Sampling::Sequential {};
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut tasks = TASKS;
        tasks[0].active = false;
        assert_eq!(epoch_steps(&sequence, &tasks, None), 10);
        let at = |step| Position { epoch: 0, epochs: 1, step };
        let taken: Vec<usize> =
            (0..10).map(|step| select(&sequence, &tasks, at(step), &mut rng)).collect();
        assert_eq!(taken, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn tasks_that_rest_are_not_selected() {
        let mut tasks = TASKS;
        tasks[0].active = false;
        for sampling in [Sampling::Proportional {}, Sampling::Uniform {}, Sampling::RoundRobin {}] {
            assert_eq!(shares(&sampling, &tasks, 0)[0], 0.0);
        }
        assert_eq!(epoch_steps(&Sampling::Proportional {}, &tasks, None), 100);
        assert_eq!(epoch_steps(&Sampling::Proportional {}, &tasks, Some(7)), 7);
    }
}
