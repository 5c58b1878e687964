//! [`Progress`]: where a run stands, as a checkpoint keeps it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::config::{Schedule, Watched};
use crate::metric::Score;

/// Counters, histories and scores of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// Steps taken.
    pub(super) step: usize,
    /// Epochs ended.
    pub(super) epoch: usize,
    pub(super) step_in_epoch: usize,
    pub(super) tasks: IndexMap<String, TaskProgress>,
    /// Dev scores of the epoch that is being scored; absent before its last step.
    pub(super) scores: Option<IndexMap<String, Option<Score>>>,
    /// The task whose scoring was announced.
    pub(super) announced: Option<String>,
    /// Factors of the learning rate that plateaus left, by optimizer.
    pub(super) plateaus: IndexMap<String, Plateau>,
    pub(super) best: Option<Best>,
    /// The last epoch that was scored.
    pub(super) last: Option<Best>,
    /// Why the run ends, when the last epoch was trained.
    pub(super) ending: Option<Finished>,
    /// Test scores, from then on.
    pub(super) tests: IndexMap<String, Score>,
    pub(super) finished: Option<Finished>,
}

/// Why a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finished {
    /// All epochs were trained.
    Epochs,
    /// Tasks were out of patience.
    Patience,
}

/// An epoch that was the best, of a task or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Best {
    pub(super) epoch: usize,
    pub(super) score: f64,
    /// The dev scores of all tasks then.
    pub(super) scores: IndexMap<String, f64>,
}

/// How a task has fared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskProgress {
    /// Steps of the whole run.
    pub(super) steps: usize,
    /// Steps of this epoch, and their summed losses.
    pub(super) epoch_steps: usize,
    pub(super) epoch_loss: f64,
    pub(super) best: Option<Best>,
    /// Epochs since the best.
    pub(super) waited: usize,
    pub(super) out_of_patience: bool,
}

impl TaskProgress {
    /// Takes the dev score of an epoch; whether it is the best so far.
    pub(super) fn score(&mut self, epoch: Best, patience: Option<usize>) -> bool {
        let better = self.best.as_ref().is_none_or(|best| epoch.score > best.score);
        if better {
            self.best = Some(epoch);
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        self.out_of_patience = patience.is_some_and(|p| self.waited >= p);
        better
    }
}

/// What a plateau schedule remembers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plateau {
    pub(super) factor: f64,
    best: Option<f64>,
    waited: usize,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { factor: 1.0, best: None, waited: 0 }
    }
}

impl Plateau {
    /// Takes what is watched after an epoch.
    pub(super) fn update(&mut self, schedule: &Schedule, score: Option<f64>, loss: Option<f64>) {
        let &Schedule::Plateau { factor, patience, least, watch, .. } = schedule else { return };
        let value = match watch {
            Watched::Score => score,
            Watched::Loss => loss,
        };
        let Some(value) = value else { return };
        if self.best.is_none_or(|best| watch.is_better(value, best)) {
            self.best = Some(value);
            self.waited = 0;
            return;
        }
        self.waited += 1;
        if self.waited > patience {
            self.factor = (self.factor * factor).max(least);
            self.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plateau(watch: Watched) -> Schedule {
        Schedule::Plateau { warmup: 0, factor: 0.5, patience: 1, least: 0.2, watch }
    }

    #[test]
    fn a_plateau_of_the_score_or_of_the_loss_lowers_the_rate() {
        let factors = |watch, values: &[f64]| -> Vec<f64> {
            let mut state = Plateau::default();
            values
                .iter()
                .map(|&v| {
                    state.update(&plateau(watch), Some(v), Some(v));
                    state.factor
                })
                .collect()
        };
        let rising = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(factors(Watched::Score, &rising), [1.0; 4]);
        assert_eq!(factors(Watched::Loss, &rising), [1.0, 1.0, 0.5, 0.5]);
        let flat = [0.4; 8];
        assert_eq!(factors(Watched::Score, &flat), [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]);
    }

    #[test]
    fn patience_counts_epochs_without_a_better_score() {
        let mut task = TaskProgress::default();
        let mut score = |epoch, score| {
            let best = Best { epoch, score, scores: IndexMap::new() };
            let better = task.score(best, Some(2));
            (better, task.out_of_patience)
        };
        assert_eq!(score(1, 0.5), (true, false));
        assert_eq!(score(2, 0.5), (false, false));
        assert_eq!(score(3, 0.4), (false, true));
        assert_eq!(score(4, 0.6), (true, false));
    }
}
