//! [`Trainer`]: a network, its optimizers and the state of a run.

use std::collections::BTreeMap;
use std::time::Instant;

use indexmap::IndexMap;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::config::Exhausted;
use super::progress::{Progress, TaskProgress};
use super::random::{position, seeded};
use super::sampler::{Candidate, Position, epoch_steps, select};
use super::successive::Anchor;
use super::task_data::TaskData;
use super::{Gradients, Optimizer, RunConfig, Sampling, Setup};
use crate::feature::{Example, Vocabularies};
use crate::model::Network;
use crate::params::Params;
use crate::{Document, Error, Result};

/// A training run between two steps. [`Setup`] makes one.
///
/// ```no_run
/// use hmtl::train::{RunConfig, Trainer};
/// use hmtl::Cancel;
///
/// let config = RunConfig::read("configs/small.json".as_ref())?;
/// let mut trainer = Trainer::new(config, tch::Device::Cpu)?;
/// while let Some(event) = trainer.advance(&Cancel::new())? {
///     println!("{event:?}");
/// }
/// # Ok::<(), hmtl::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    pub(super) config: RunConfig,
    pub(super) data: IndexMap<String, TaskData>,
    pub(super) params: Params,
    pub(super) network: Network,
    /// By task, or one without a name.
    pub(super) optimizers: BTreeMap<String, Optimizer>,
    /// Running averages of the trainable tensors.
    pub(super) average: BTreeMap<String, Tensor>,
    /// The trainable tensors of the best epoch of each task, and under "" of all together.
    pub(super) best: BTreeMap<String, BTreeMap<String, Tensor>>,
    pub(super) anchor: Anchor,
    pub(super) rng: ChaCha8Rng,
    pub(super) progress: Progress,
    /// When this epoch, or what this process does of it, began.
    pub(super) epoch_began: Option<Instant>,
}

/// A step that was taken.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub task: String,
    /// Mean over the batches of the step.
    pub loss: f64,
    /// The losses of the tasks that learned along.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub along: IndexMap<String, f64>,
    pub learning_rate: f64,
}

impl Trainer {
    /// Reads the data that `config` names and makes a trainer.
    pub fn new(config: RunConfig, device: Device) -> Result<Self> {
        Setup::new(config, device)?.build()
    }

    pub(super) fn assemble(
        config: RunConfig,
        data: IndexMap<String, TaskData>,
        params: Params,
        network: Network,
        rng: ChaCha8Rng,
    ) -> Self {
        let tasks = data.keys().map(|t| (t.clone(), TaskProgress::default())).collect();
        Self {
            config,
            data,
            params,
            network,
            optimizers: BTreeMap::new(),
            average: BTreeMap::new(),
            best: BTreeMap::new(),
            anchor: Anchor::default(),
            rng,
            progress: Progress { tasks, ..Progress::default() },
            epoch_began: None,
        }
    }

    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    pub fn vocab(&self) -> &Vocabularies {
        self.network.vocab()
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The tasks that are trained, lowest in the hierarchy first.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.data.keys().map(String::as_str)
    }

    /// Whether the run has ended.
    pub fn is_finished(&self) -> bool {
        self.progress.finished.is_some()
    }

    /// Steps of the epoch that is being trained; none in a run without epochs.
    pub fn steps_per_epoch(&self) -> usize {
        let training = &self.config.training;
        if training.epochs == 0 {
            return 0;
        }
        epoch_steps(&training.sampling, &self.candidates(true), training.steps_per_epoch)
    }

    /// The tasks for the sampler; without `resting` none is out of patience.
    fn candidates(&self, resting: bool) -> Vec<Candidate<'_>> {
        let rests = resting && self.config.training.stopping.exhausted == Exhausted::Rest;
        let out = |name: &str| self.progress.tasks.get(name).is_some_and(|t| t.out_of_patience);
        self.data
            .iter()
            .map(|(name, data)| Candidate {
                name,
                batches: data.batches.count(),
                active: data.batches.count() > 0 && !(rests && out(name)),
            })
            .collect()
    }

    /// Takes one optimization step. After the last step of an epoch the next begins; nothing is
    /// scored. An error once the run has ended.
    pub fn step(&mut self) -> Result<Step> {
        if self.is_finished() {
            return Err(Error::invalid("the run has ended"));
        }
        if self.config.training.epochs == 0 {
            return Err(Error::invalid("the run has no epochs and takes no steps"));
        }
        if self.progress.step_in_epoch >= self.steps_per_epoch() {
            self.begin_epoch();
        }
        let task = self.select_task();
        self.remember_anchor(&task);
        let accumulate = self.config.training.accumulate;
        let mut sum: Option<Gradients> = None;
        let mut told: IndexMap<String, (f64, usize)> = IndexMap::new();
        for at in 0..accumulate {
            let batch = self.select_batch(&task);
            let seed = self.config.training.seed;
            let position = position(self.progress.step, at);
            let losses = seeded(seed, position, || self.forward(&task, &batch))?;
            let gradients = self.backward(&task, &batch, &losses)?;
            for (name, loss) in losses {
                let (sum, n) = told.entry(name).or_default();
                *sum += f64::try_from(&loss)?;
                *n += 1;
            }
            match &mut sum {
                Some(sum) => sum.add(gradients)?,
                None => sum = Some(gradients),
            }
        }
        let mut gradients = sum.ok_or_else(|| Error::Internal("a step without batches".into()))?;
        if accumulate > 1 {
            gradients.scale(1.0 / accumulate as f64)?;
        }
        let learning_rate = self.update(&task, gradients)?;
        self.progress.step += 1;
        self.progress.step_in_epoch += 1;
        let mut along = IndexMap::new();
        for (name, (sum, n)) in told {
            let loss = sum / n as f64;
            if let Some(progress) = self.progress.tasks.get_mut(&name) {
                progress.steps += 1;
                progress.epoch_steps += 1;
                progress.epoch_loss += loss;
            }
            along.insert(name, loss);
        }
        let loss = along.shift_remove(&task).unwrap_or_default();
        Ok(Step { task, loss, along, learning_rate })
    }

    fn select_task(&mut self) -> String {
        let training = &self.config.training;
        let at = Position {
            epoch: self.progress.epoch,
            epochs: training.epochs,
            step: self.progress.step_in_epoch,
        };
        let mut rng = self.rng.clone();
        let task = select(&training.sampling, &self.candidates(true), at, &mut rng);
        self.rng = rng;
        self.data.get_index(task).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn select_batch(&mut self, task: &str) -> Vec<usize> {
        let data = self.data.get_mut(task);
        data.map(|d| d.batches.next(&mut self.rng)).unwrap_or_default()
    }

    /// The losses of a batch: that of `task`, and of those that learn along.
    fn forward(&self, task: &str, batch: &[usize]) -> Result<Vec<(String, Tensor)>> {
        let data = &self.data[task];
        let example = |&i: &usize| {
            let (doc, sentences) = &data.examples[i];
            Example { document: &data.train[*doc], sentences: sentences.clone() }
        };
        let examples: Vec<Example> = batch.iter().map(example).collect();
        let own: Vec<Option<&Document>> = examples.iter().map(|e| Some(e.document)).collect();
        let mut tasks = vec![(task, own)];
        for (rider, docs) in &data.along {
            let of_rider = &self.data[rider].train;
            let doc = |&i: &usize| docs[data.examples[i].0].map(|d| &*of_rider[d]);
            tasks.push((rider, batch.iter().map(doc).collect()));
        }
        let gold: Vec<(&str, &[Option<&Document>])> =
            tasks.iter().map(|(task, docs)| (*task, &docs[..])).collect();
        let losses = self.network.losses(&examples, &gold)?;
        let mut told = Vec::with_capacity(losses.len());
        for ((name, _), loss) in tasks.iter().zip(losses) {
            let Some(loss) = loss else { continue };
            if !f64::try_from(&loss)?.is_finite() {
                return Err(self.not_finite(&format!("loss of task `{name}`"), task, batch));
            }
            told.push(((*name).to_owned(), loss));
        }
        Ok(told)
    }

    /// The gradients of a batch's weighted losses.
    fn backward(
        &self,
        task: &str,
        batch: &[usize],
        losses: &[(String, Tensor)],
    ) -> Result<Gradients> {
        let config = &self.config.training.tasks;
        let mut sum: Option<Tensor> = None;
        for (name, loss) in losses {
            let weighted = loss.f_mul_scalar(config[name].weight)?;
            sum = Some(match sum {
                Some(sum) => sum.f_add(&weighted)?,
                None => weighted,
            });
        }
        let mut sum = sum.ok_or_else(|| Error::Internal("a step without a loss".into()))?;
        let successive = config[task].successive;
        if successive > 0.0
            && let Some(far) = self.anchor.distance(&self.params, &self.config.model, task)?
        {
            sum = sum.f_add(&far.f_mul_scalar(successive)?)?;
        }
        let gradients = Gradients::of(&sum, &self.params)?;
        if !gradients.norm()?.is_finite() {
            return Err(self.not_finite(&format!("gradient of task `{task}`"), task, batch));
        }
        Ok(gradients)
    }

    /// Clips gradients, first each element, then the norm of all, and updates the weights; the
    /// learning rate.
    fn update(&mut self, task: &str, mut gradients: Gradients) -> Result<f64> {
        let training = &self.config.training;
        if let Some(most) = training.gradient_value {
            gradients.clip_value(most)?;
        }
        if let Some(most) = training.gradient_norm {
            gradients.clip_norm(most)?;
        }
        let name = if training.optimizer.per_task { task } else { "" };
        let factor = self.rate_factor(name);
        let optimizer = self
            .optimizers
            .entry(name.to_owned())
            .or_insert_with(|| Optimizer::new(training.optimizer.clone()));
        optimizer.step(&self.params, &gradients, factor)?;
        let rate = training.optimizer.learning_rate * factor;
        self.update_average()?;
        Ok(rate)
    }

    /// What the schedule makes of the learning rate, for an optimizer.
    pub(super) fn rate_factor(&self, optimizer: &str) -> f64 {
        let training = &self.config.training;
        let progress = &self.progress;
        let within = progress.step_in_epoch as f64 / self.steps_per_epoch().max(1) as f64;
        let done = (progress.epoch as f64 + within) / training.epochs.max(1) as f64;
        let sampling = &training.sampling;
        let total = epoch_steps(sampling, &self.candidates(false), training.steps_per_epoch);
        let factor = training.schedule.factor(progress.step, done, total * training.epochs);
        factor * progress.plateaus.get(optimizer).map_or(1.0, |p| p.factor)
    }

    /// Before the first step of a task's epoch, if a task pulls back to where it was then.
    fn remember_anchor(&mut self, task: &str) {
        let training = &self.config.training;
        if training.tasks.values().all(|t| t.successive == 0.0) {
            return;
        }
        let sequential = matches!(training.sampling, Sampling::Sequential {});
        let of = sequential.then_some(task);
        if self.progress.step_in_epoch == 0 || self.anchor.task.as_deref() != of {
            self.anchor = Anchor::new(&self.params, of);
        }
    }

    /// The error of a batch that training cannot learn from.
    fn not_finite(&self, what: &str, task: &str, batch: &[usize]) -> Error {
        let data = &self.data[task];
        let named: Vec<String> = batch.iter().map(|&i| data.name_of(i)).collect();
        Error::invalid(format!(
            "the {what} is not finite at step {} (batch: {}); the weights are those before it",
            self.progress.step + 1,
            named.join("; ")
        ))
    }

    fn update_average(&mut self) -> Result<()> {
        let Some(decay) = self.config.training.average else {
            return Ok(());
        };
        let _guard = tch::no_grad_guard();
        // A young average follows quickly: it has nothing worth keeping yet.
        let steps = self.progress.step as f64;
        let decay = decay.min((1.0 + steps) / (10.0 + steps));
        for (name, tensor) in self.params.trainable() {
            match self.average.get_mut(name) {
                Some(average) => drop(average.f_lerp_(tensor, 1.0 - decay)?),
                None => drop(self.average.insert(name.to_owned(), tensor.detach().copy())),
            }
        }
        Ok(())
    }

    /// Where the run stands: `{"step":120,"epoch":2,"epochs":9,"step_in_epoch":20,
    /// "steps_per_epoch":50,"learning_rate":0.001,"finished":null,"best_epoch":1,"best_mean":0.61,
    /// "tasks":{"ner":{"steps":60,"best_epoch":1,"best_score":0.8,"out_of_patience":false}}}`.
    pub fn info(&self) -> Value {
        let progress = &self.progress;
        let task = |(name, task): (&String, &TaskProgress)| {
            let value = json!({
                "steps": task.steps,
                "examples": self.data[name].examples.len(),
                "batches": self.data[name].batches.count(),
                "best_epoch": task.best.as_ref().map(|b| b.epoch),
                "best_score": task.best.as_ref().map(|b| b.score),
                "out_of_patience": task.out_of_patience,
            });
            (name.clone(), value)
        };
        json!({
            "step": progress.step,
            "epoch": progress.epoch,
            "epochs": self.config.training.epochs,
            "step_in_epoch": progress.step_in_epoch,
            "steps_per_epoch": self.steps_per_epoch(),
            "learning_rate": self.config.training.optimizer.learning_rate * self.rate_factor(""),
            "finished": progress.finished,
            "best_epoch": progress.best.as_ref().map(|b| b.epoch),
            "best_mean": progress.best.as_ref().map(|b| b.score),
            "tasks": progress.tasks.iter().map(task).collect::<serde_json::Map<_, _>>(),
            "parameters": self.params.iter().map(|(_, t)| t.numel()).sum::<usize>(),
            "trainable_parameters": self.params.trainable().map(|(_, t)| t.numel()).sum::<usize>(),
        })
    }
}
