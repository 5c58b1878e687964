//! The run around the steps: epochs, evaluation, patience, the best weights.

use std::collections::BTreeMap;
use std::time::Instant;

use indexmap::IndexMap;
use tch::{Device, Tensor};

use super::progress::{Best, Finished};
use super::task_data::{Split, TaskData};
use super::{Event, Step, TaskEpoch, Trainer};
use crate::config::Between;
use crate::metric::{self, Score, ScoreOptions, Singletons};
use crate::model::{AnnotateOptions, Parts};
use crate::transfer::moved;
use crate::{Cancel, Document, Error, Result};

/// Weights by name.
pub type Weights = BTreeMap<String, Tensor>;

impl Trainer {
    /// Does the next thing of the run, a step or the scoring of a data set, and tells what it was;
    /// `None` when the run has ended. Cancelled, it stands where it stood before the call.
    pub fn advance(&mut self, cancel: &Cancel) -> Result<Option<Event>> {
        if self.is_finished() {
            return Ok(None);
        }
        cancel.check()?;
        self.epoch_began.get_or_insert_with(Instant::now);
        let event = match self.progress.ending {
            None => self.advance_epoch(cancel)?,
            Some(reason) => self.advance_end(reason, cancel)?,
        };
        Ok(Some(event))
    }

    /// A step, then the scoring of each dev set, then the stock of the epoch.
    fn advance_epoch(&mut self, cancel: &Cancel) -> Result<Event> {
        let steps = self.steps_per_epoch();
        if self.progress.scores.is_none() && self.progress.step_in_epoch < steps {
            let Step { task, loss, along, learning_rate } = self.step()?;
            let (step, epoch) = (self.progress.step_in_epoch, self.progress.epoch + 1);
            let total = self.progress.step;
            return Ok(Event::Step { step, steps, epoch, total, task, loss, along, learning_rate });
        }
        let scores = self.progress.scores.get_or_insert_with(IndexMap::new);
        for (task, data) in &self.data {
            if scores.contains_key(task) {
                continue;
            }
            if !data.dev.is_empty() {
                let task = task.clone();
                return self.score_next(&task, Split::Dev, cancel);
            }
            scores.insert(task.clone(), None);
        }
        self.end_epoch()
    }

    /// What is left after the last epoch: the scoring of each test set.
    fn advance_end(&mut self, reason: Finished, cancel: &Cancel) -> Result<Event> {
        let untested = |(name, data): &(&String, &TaskData)| {
            !data.test.is_empty() && !self.progress.tests.contains_key(*name)
        };
        if let Some(task) = self.data.iter().find(untested).map(|(name, _)| name.clone()) {
            return self.score_next(&task, Split::Test, cancel);
        }
        self.progress.finished = Some(reason);
        Ok(Event::Finished {
            reason,
            epochs: self.progress.epoch,
            steps: self.progress.step,
            best_epoch: self.progress.best.as_ref().map(|b| b.epoch),
            test: self.progress.tests.clone(),
        })
    }

    /// Trains until the run ends; `on_event` gets each event, with the trainer as it then stands.
    pub fn train(
        &mut self,
        on_event: &mut dyn FnMut(&Event, &Self) -> Result<()>,
        cancel: &Cancel,
    ) -> Result<()> {
        while let Some(event) = self.advance(cancel)? {
            on_event(&event, self)?;
        }
        Ok(())
    }

    /// Announces the scoring of a data set, or does what was announced.
    fn score_next(&mut self, task: &str, split: Split, cancel: &Cancel) -> Result<Event> {
        let (task, name) = (task.to_owned(), split.name());
        if self.progress.announced.as_ref() != Some(&task) {
            self.progress.announced = Some(task.clone());
            return Ok(Event::Evaluating { task, split: name });
        }
        let score = match split {
            Split::Test => self.evaluate_with(&self.kept_weights(), &task, split, cancel)?,
            _ => self.evaluate(&task, split, cancel)?,
        };
        let score = score.ok_or_else(|| Error::Internal(format!("no {name} data of `{task}`")))?;
        self.progress.announced = None;
        match split {
            Split::Test => drop(self.progress.tests.insert(task.clone(), score.clone())),
            _ => {
                let scores = self.progress.scores.get_or_insert_with(IndexMap::new);
                scores.insert(task.clone(), Some(score.clone()));
            }
        }
        let Score { score, details } = score;
        Ok(Event::Evaluated { task, split: name, score, details })
    }

    /// Takes stock of an epoch whose dev sets were scored.
    fn end_epoch(&mut self) -> Result<Event> {
        let epoch = self.current_epoch();
        let learning_rate = self.config.training.optimizer.learning_rate * self.rate_factor("");
        let scores = self.progress.scores.clone().unwrap_or_default();
        let all: IndexMap<String, f64> =
            scores.iter().filter_map(|(n, s)| Some((n.clone(), s.as_ref()?.score))).collect();
        let mut tasks = IndexMap::new();
        let (mut sum, mut weights) = (0.0, 0.0);
        let (mut loss_sum, mut steps) = (0.0, 0);
        for (name, score) in scores {
            let config = &self.config.training.tasks[&name];
            let Some(progress) = self.progress.tasks.get_mut(&name) else { continue };
            let loss = (progress.epoch_steps > 0)
                .then(|| progress.epoch_loss / progress.epoch_steps as f64);
            loss_sum += progress.epoch_loss;
            steps += progress.epoch_steps;
            let mut best = false;
            if let Some(score) = &score {
                let scored = Best { epoch, score: score.score, scores: all.clone() };
                best = progress.score(scored, config.patience);
                sum += config.dev_weight * score.score;
                weights += config.dev_weight;
            }
            let plateau = self.progress.plateaus.entry(name.clone()).or_default();
            plateau.update(&self.config.training.schedule, score.as_ref().map(|s| s.score), loss);
            let task = TaskEpoch {
                steps: progress.epoch_steps,
                loss,
                score: score.as_ref().map(|s| s.score),
                best_score: progress.best.as_ref().map(|b| b.score),
                best,
                details: score.map(|s| s.details).unwrap_or_default(),
                out_of_patience: progress.out_of_patience,
            };
            tasks.insert(name, task);
        }
        let mean = if weights > 0.0 { sum / weights } else { 0.0 };
        let scored = tasks.values().any(|t| t.score.is_some());
        let plateau = self.progress.plateaus.entry(String::new()).or_default();
        let loss = (steps > 0).then(|| loss_sum / steps as f64);
        plateau.update(&self.config.training.schedule, scored.then_some(mean), loss);
        // Without dev data the newest weights are as good as any.
        let best = !scored || self.progress.best.as_ref().is_none_or(|b| mean > b.score);
        let stock = Best { epoch, score: mean, scores: all };
        self.progress.last = Some(stock.clone());
        if best && scored {
            self.progress.best = Some(stock);
            self.best.insert(String::new(), self.trained_weights());
        }
        for (name, _) in tasks.iter().filter(|(_, t)| t.best) {
            self.best.insert(name.clone(), self.trained_weights());
        }
        let seconds = self.epoch_began.take().map_or(0.0, |began| began.elapsed().as_secs_f64());
        self.begin_epoch();
        self.decide_end();
        let step = self.progress.step;
        let mean = scored.then_some(mean);
        Ok(Event::Epoch { epoch, step, seconds, learning_rate, tasks, mean, best })
    }

    /// The number of the epoch that is under way; a run without epochs scores what it starts from, in epoch 0.
    fn current_epoch(&self) -> usize {
        self.progress.epoch + usize::from(self.config.training.epochs > 0)
    }

    pub(super) fn begin_epoch(&mut self) {
        self.progress.epoch = self.current_epoch();
        let progress = &mut self.progress;
        progress.step_in_epoch = 0;
        progress.scores = None;
        for task in progress.tasks.values_mut() {
            (task.epoch_steps, task.epoch_loss) = (0, 0.0);
        }
    }

    fn decide_end(&mut self) {
        let training = &self.config.training;
        let with_patience = self.progress.tasks.iter().filter_map(|(name, task)| {
            training.tasks[name].patience.map(|_| (name.as_str(), task.out_of_patience))
        });
        let ending = if training.stopping.stops(with_patience) {
            Some(Finished::Patience)
        } else if self.progress.epoch >= training.epochs {
            Some(Finished::Epochs)
        } else {
            None
        };
        self.progress.ending = ending;
    }

    /// Scores the weights as they stand, averaged if they are, on a split of a task; `None`
    /// without data.
    pub fn evaluate(&mut self, task: &str, split: Split, cancel: &Cancel) -> Result<Option<Score>> {
        let weights = self.average.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect();
        self.evaluate_with(&weights, task, split, cancel)
    }

    fn evaluate_with(
        &mut self,
        weights: &Weights,
        task: &str,
        split: Split,
        cancel: &Cancel,
    ) -> Result<Option<Score>> {
        let Some(data) = self.data.get(task) else {
            return Err(Error::invalid(format!("the run has no task `{task}`")));
        };
        let gold: Vec<Document> = data.documents(split).into_iter().cloned().collect();
        if gold.is_empty() {
            return Ok(None);
        }
        let current: Weights = weights
            .keys()
            .filter_map(|name| Some((name.clone(), self.params.tensor(name)?.detach().copy())))
            .collect();
        self.params.assign(weights)?;
        let head = &self.config.model.tasks[task].head;
        let options = AnnotateOptions {
            tasks: Some(head.entities().into_iter().chain([task]).map(str::to_owned).collect()),
            singletons: true,
            ..Default::default()
        };
        let annotated = self.network.annotate(&gold, &options, cancel);
        self.params.assign(&current)?;
        let known = self.network.vocab().labels(task).iter().cloned().collect();
        let options = ScoreOptions {
            known_labels: Some(known),
            singletons: Singletons::Auto,
            symmetric: head.symmetric().iter().cloned().collect(),
            between_mentions: head.between() == Between::Mentions,
            arguments: None,
        };
        metric::score(data.kind, &data.layer, task, &gold, &annotated?, &options).map(Some)
    }

    /// The trainable weights as they stand: averages where there are some.
    fn trained_weights(&self) -> Weights {
        let tensor = |(name, tensor): (&str, &Tensor)| {
            let kept = self.average.get(name).unwrap_or(tensor);
            (name.to_owned(), kept.detach().copy())
        };
        self.params.trainable().map(tensor).collect()
    }

    /// The trainable weights of the best epoch, once the run is over; before, and without dev
    /// data, as they stand.
    fn kept_weights(&self) -> Weights {
        let over = self.is_finished() || self.progress.ending.is_some();
        match self.best.get("").filter(|_| over) {
            Some(best) => best.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(),
            None => self.trained_weights(),
        }
    }

    /// The model to keep, on the CPU: with the weights as they stand, averaged if they are, and
    /// once the run has ended with those of the best epoch.
    pub fn model(&self) -> Result<Parts> {
        let over = self.is_finished() || self.progress.ending.is_some();
        match self.best_model(None)?.filter(|_| over) {
            Some(best) => Ok(best),
            None => self.current_model(),
        }
    }

    /// The model with the weights as they stand, averaged if they are.
    pub fn current_model(&self) -> Result<Parts> {
        let fresh = self.progress.step_in_epoch == 0;
        let scored = self.progress.last.as_ref().filter(|_| fresh);
        self.model_of(&self.trained_weights(), scored)
    }

    /// The model of the epoch that was best for a task, or without one for all; `None` before the
    /// end of the first epoch with dev data.
    pub fn best_model(&self, task: Option<&str>) -> Result<Option<Parts>> {
        let scored = match task {
            Some(task) => self.progress.tasks.get(task).and_then(|t| t.best.as_ref()),
            None => self.progress.best.as_ref(),
        };
        let Some(best) = self.best.get(task.unwrap_or("")) else { return Ok(None) };
        self.model_of(best, scored).map(Some)
    }

    fn model_of(&self, trained: &Weights, scored: Option<&Best>) -> Result<Parts> {
        Ok(Parts {
            config: self.config.model.clone(),
            vocab: self.vocab().clone(),
            card: self.card(scored)?,
            tensors: self.complete(trained),
        })
    }

    /// All weights to keep; see [`Trainer::model`].
    pub fn weights(&self) -> Weights {
        self.complete(&self.kept_weights())
    }

    /// All weights, with some values for those that are trained.
    fn complete(&self, trained: &Weights) -> Weights {
        let tensor = |(name, tensor): (&str, &Tensor)| {
            let kept = trained.get(name).unwrap_or(tensor);
            (name.to_owned(), moved(&kept.detach().copy(), Device::Cpu))
        };
        self.params.iter().map(tensor).collect()
    }
}
