//! Successive regularization (Hashimoto et al., EMNLP 2017): what a task shares with others is
//! pulled back to where it was before the task's epoch.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::Result;
use crate::config::ModelConfig;
use crate::params::Params;

/// Copies of the shared parameters as they were.
#[derive(Debug, Default)]
pub(super) struct Anchor {
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// The task whose epoch began then; absent when all tasks' did.
    pub(super) task: Option<String>,
}

impl Anchor {
    /// Remembers all trainable parameters below the heads.
    pub(super) fn new(params: &Params, task: Option<&str>) -> Self {
        let below = params.trainable().filter(|(name, _)| !name.starts_with("tasks."));
        let tensors = below.map(|(name, t)| (name.to_owned(), t.detach().copy())).collect();
        Self { tensors, task: task.map(str::to_owned) }
    }

    /// Squared distance of the parameters that `task` shares with other tasks, a scalar with a
    /// gradient; absent when it shares none.
    pub(super) fn distance(
        &self,
        params: &Params,
        model: &ModelConfig,
        task: &str,
    ) -> Result<Option<Tensor>> {
        let shared = shared_prefixes(model, task);
        let mut sum: Option<Tensor> = None;
        for (name, anchor) in &self.tensors {
            let Some(tensor) = params.tensor(name) else { continue };
            if !shared.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let distance = tensor.f_sub(anchor)?.f_square()?.f_sum(Kind::Float)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&distance)?,
                None => distance,
            });
        }
        Ok(sum)
    }
}

/// Beginnings of the names of what `task` shares: embedders, and encoders that others read, too.
fn shared_prefixes(model: &ModelConfig, task: &str) -> Vec<String> {
    let others = model.tasks.keys().map(String::as_str).filter(|t| *t != task);
    let of_others = model.encoder_order(others.clone());
    if others.count() == 0 {
        return Vec::new();
    }
    let own = model.encoder_order([task]);
    let shared = own.into_iter().filter(|e| of_others.contains(e));
    let encoders = shared.map(|e| format!("encoders.{e}."));
    encoders.chain(std::iter::once("embedding.".to_owned())).collect()
}
