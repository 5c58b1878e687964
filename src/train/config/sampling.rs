//! Which task learns next, and when a task or the run has learned enough.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// How the task of a step is selected. `n` is a task's number of batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sampling {
    /// Drawn with probability proportional to `n`.
    Proportional {},
    /// All tasks alike.
    Uniform {},
    /// Drawn with probability proportional to fixed weights; each task needs one.
    Weights { weights: IndexMap<String, f64> },
    /// Drawn with probability proportional to `n^(1 / temperature)`.
    Temperature { temperature: f64 },
    /// Drawn with probability proportional to `n^a`, where `a` goes in a line from its value in the
    /// first epoch to that in the last (Stickland and Murray, ICML 2019).
    Annealed {
        #[serde(default = "annealed_from")]
        from: f64,
        #[serde(default = "annealed_to")]
        to: f64,
    },
    /// One after the other, a batch each.
    RoundRobin {},
    /// One after the other, in the order of the tasks in the model, all batches of each (Hashimoto
    /// et al., EMNLP 2017).
    Sequential {},
}

impl Default for Sampling {
    fn default() -> Self {
        Self::Proportional {}
    }
}

fn annealed_from() -> f64 {
    1.0
}

fn annealed_to() -> f64 {
    0.2
}

impl Sampling {
    pub(super) fn check<'a>(&self, mut tasks: impl Iterator<Item = &'a str>) -> Result<(), String> {
        match self {
            Self::Weights { weights } => {
                if let Some(task) = tasks.find(|t| !weights.contains_key(*t)) {
                    return Err(format!("sampling.weights has none for task `{task}`"));
                }
                match weights.iter().find(|(_, w)| !(w.is_finite() && **w >= 0.0)) {
                    Some((task, _)) => Err(format!("sampling.weights of `{task}` is negative")),
                    None if weights.values().sum::<f64>() > 0.0 => Ok(()),
                    None => Err("sampling.weights are all zero".into()),
                }
            }
            Self::Temperature { temperature }
                if *temperature <= 0.0 || !temperature.is_finite() =>
            {
                Err("sampling.temperature must be positive".into())
            }
            Self::Annealed { from, to } if !(from.is_finite() && to.is_finite()) => {
                Err("sampling.from and sampling.to must be finite".into())
            }
            _ => Ok(()),
        }
    }
}

/// What happens when tasks are out of patience.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stopping {
    /// What a task does that is out of patience; one that gets better again is back.
    pub exhausted: Exhausted,
    /// When the run ends before its last epoch.
    pub when: StopWhen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// It is not selected any more.
    #[default]
    Rest,
    /// It goes on, as in the 2018 code.
    Train,
}

/// Of the tasks that have a patience.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum StopWhen {
    /// When all tasks are out of patience.
    #[default]
    All,
    /// When one is.
    Any,
    /// When those that are have at least `share` of the votes; a task without a weight has one.
    Vote {
        #[serde(default)]
        weights: IndexMap<String, f64>,
        share: f64,
    },
}

impl Stopping {
    /// Whether a run of `tasks` ends, given which of them have a patience and are out of it.
    pub fn stops<'a>(&self, tasks: impl Iterator<Item = (&'a str, bool)>) -> bool {
        let tasks: Vec<(&str, bool)> = tasks.collect();
        if tasks.is_empty() {
            return false;
        }
        match &self.when {
            StopWhen::All => tasks.iter().all(|(_, out)| *out),
            StopWhen::Any => tasks.iter().any(|(_, out)| *out),
            StopWhen::Vote { weights, share } => {
                let weight = |task: &str| weights.get(task).copied().unwrap_or(1.0);
                let all: f64 = tasks.iter().map(|(task, _)| weight(task)).sum();
                let out: f64 = tasks.iter().filter(|t| t.1).map(|(task, _)| weight(task)).sum();
                out > 0.0 && out >= share * all
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match &self.when {
            StopWhen::Vote { share, .. } if !(*share > 0.0 && *share <= 1.0) => {
                Err("stopping.when.share must be above 0 and at most 1".into())
            }
            StopWhen::Vote { weights, .. }
                if weights.values().any(|w| *w < 0.0 || !w.is_finite()) =>
            {
                Err("stopping.when.weights must not be negative".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_stops_when_all_any_or_enough_tasks_are_out_of_patience() {
        let stops = |when: serde_json::Value, out: &[&str]| {
            let stopping: Stopping = serde_json::from_value(json!({"when": when})).unwrap();
            stopping.stops(["a", "b", "c"].map(|t| (t, out.contains(&t))).into_iter())
        };
        let all = json!({"type": "all"});
        assert!(!stops(all.clone(), &["a", "b"]) && stops(all, &["a", "b", "c"]));
        let any = json!({"type": "any"});
        assert!(!stops(any.clone(), &[]) && stops(any, &["b"]));
        let vote = json!({"type": "vote", "share": 0.6, "weights": {"c": 3.0}});
        assert!(!stops(vote.clone(), &["a", "b"]) && stops(vote, &["c"]));
        assert!(!Stopping::default().stops(std::iter::empty()));
    }
}
