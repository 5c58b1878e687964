//! How weights move: optimizer, parameter groups, learning rate.

use serde::{Deserialize, Serialize};

/// The optimizer, and its numbers for all parameters that no group names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    #[serde(rename = "type")]
    pub kind: OptimizerKind,
    pub learning_rate: f64,
    pub weight_decay: f64,
    /// adam, adamw
    pub beta1: f64,
    /// adam, adamw
    pub beta2: f64,
    /// adam, adamw
    pub epsilon: f64,
    /// sgd
    pub momentum: f64,
    /// One optimizer for each task, as the 2018 code has it, instead of one for all.
    pub per_task: bool,
    /// Other numbers for some parameters; the first group that names one has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupConfig>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba, ICLR 2015); weight decay is part of the gradient.
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
    #[default]
    Adamw,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// Numbers of the parameters whose names begin with one of `parameters`, such as
/// `encoders.low` or `tasks.ner`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    pub parameters: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::default(),
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            momentum: 0.0,
            per_task: false,
            groups: Vec::new(),
        }
    }
}

/// Whether a parameter is one of those that `prefixes` name: `encoders.low` names
/// `encoders.low.0.weight` and not `encoders.lower.0.weight`.
pub(in crate::train) fn is_named(parameter: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| {
        parameter.strip_prefix(prefix.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.'))
    })
}

impl OptimizerConfig {
    /// Learning rate, as a share of the run's, and weight decay of a parameter.
    pub(in crate::train) fn numbers(&self, parameter: &str) -> (f64, f64) {
        let group = self.groups.iter().find(|g| is_named(parameter, &g.parameters));
        let rate = group.and_then(|g| g.learning_rate).unwrap_or(self.learning_rate);
        let decay = group.and_then(|g| g.weight_decay).unwrap_or(self.weight_decay);
        (rate, decay)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let natural = |v: f64| v >= 0.0 && v.is_finite();
        let share = |v: f64| (0.0..1.0).contains(&v);
        let rules = [
            (positive(self.learning_rate), "learning_rate must be positive"),
            (share(self.beta1), "beta1 must be at least 0 and below 1"),
            (share(self.beta2), "beta2 must be at least 0 and below 1"),
            (share(self.momentum), "momentum must be at least 0 and below 1"),
            (positive(self.epsilon), "epsilon must be positive"),
            (natural(self.weight_decay), "weight_decay must not be negative"),
            (
                self.groups.iter().all(|g| g.learning_rate.is_none_or(natural)),
                "learning_rate of a group must not be negative",
            ),
            (
                self.groups.iter().all(|g| g.weight_decay.is_none_or(natural)),
                "weight_decay of a group must not be negative",
            ),
            (self.groups.iter().all(|g| !g.parameters.is_empty()), "a group names no parameters"),
        ];
        match rules.iter().find(|rule| !rule.0) {
            Some((_, message)) => Err(format!("optimizer.{message}")),
            None => Ok(()),
        }
    }
}

/// The learning rate over the run, after a warm-up of some steps, as a factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    Constant {
        #[serde(default)]
        warmup: usize,
    },
    /// Falls to zero in a line.
    Linear {
        #[serde(default)]
        warmup: usize,
    },
    /// Falls to zero in half a cosine.
    Cosine {
        #[serde(default)]
        warmup: usize,
    },
    /// Falls by `factor` whenever what is watched has not become better for more than `patience`
    /// epochs.
    Plateau {
        #[serde(default)]
        warmup: usize,
        #[serde(default = "half")]
        factor: f64,
        #[serde(default = "two")]
        patience: usize,
        /// It does not fall below this.
        #[serde(default)]
        least: f64,
        #[serde(default)]
        watch: Watched,
    },
}

/// What a plateau is one of. With an optimizer for each task, each watches its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// The dev score, the higher the better.
    #[default]
    Score,
    /// The training loss, the lower the better.
    Loss,
}

impl Watched {
    pub fn is_better(self, new: f64, old: f64) -> bool {
        match self {
            Self::Score => new > old,
            Self::Loss => new < old,
        }
    }
}

fn half() -> f64 {
    0.5
}

fn two() -> usize {
    2
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant { warmup: 0 }
    }
}

impl Schedule {
    /// Factor of the learning rate after `step` steps, a share `done` of the run. That of a
    /// plateau comes on top.
    pub fn factor(&self, step: usize, done: f64, total: usize) -> f64 {
        let (Self::Constant { warmup }
        | Self::Linear { warmup }
        | Self::Cosine { warmup }
        | Self::Plateau { warmup, .. }) = *self;
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        let before = warmup as f64 / total.max(1) as f64;
        let done =
            if before < 1.0 { ((done - before) / (1.0 - before)).clamp(0.0, 1.0) } else { 0.0 };
        match self {
            Self::Constant { .. } | Self::Plateau { .. } => 1.0,
            Self::Linear { .. } => 1.0 - done,
            Self::Cosine { .. } => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Plateau { factor, least, .. } => {
                if !(*factor > 0.0 && *factor < 1.0) {
                    return Err("schedule.factor must be between 0 and 1".into());
                }
                if !(0.0..=1.0).contains(least) {
                    return Err("schedule.least must be from 0 to 1".into());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_warm_up_and_fall() {
        let linear = Schedule::Linear { warmup: 2 };
        let factors = [0, 1, 2, 7, 12].map(|s| linear.factor(s, s as f64 / 12.0, 12));
        for (factor, expected) in factors.iter().zip([0.5, 1.0, 1.0, 0.5, 0.0]) {
            assert!((factor - expected).abs() < 1e-9, "{factors:?}");
        }
        assert!((Schedule::Cosine { warmup: 0 }.factor(5, 0.5, 10) - 0.5).abs() < 1e-9);
        assert_eq!(Schedule::default().factor(9, 0.9, 10), 1.0);
    }

    #[test]
    fn a_prefix_names_whole_parts() {
        let prefixes = ["encoders.low".to_owned(), "tasks".to_owned()];
        assert!(is_named("encoders.low.0.weight", &prefixes) && is_named("tasks.ner.x", &prefixes));
        assert!(!is_named("encoders.lower.0.weight", &prefixes));
    }
}
