//! [`Trainer`]: a network, its optimizers and the state of a run.

use std::collections::BTreeMap;
use std::time::Instant;

use indexmap::IndexMap;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use super::task_data::{Files, TaskData};
use super::{Adam, Event, Gradients, RunConfig, Sampling, TaskEpoch, vocabulary};
use crate::embed::WORD_TABLE;
use crate::feature::{Example, Vocabularies};
use crate::metric::{self, Score, ScoreOptions, Singletons};
use crate::model::{AnnotateOptions, Network};
use crate::params::Params;
use crate::{Cancel, Error, Result};

/// A training run between two steps.
#[derive(Debug)]
pub struct Trainer {
    config: RunConfig,
    data: IndexMap<String, TaskData>,
    params: Params,
    network: Network,
    optimizers: BTreeMap<String, Adam>,
    /// Running averages of the trainable tensors.
    average: BTreeMap<String, Tensor>,
    rng: ChaCha8Rng,
    step: usize,
    epoch: usize,
    history: IndexMap<String, History>,
    best_mean: f64,
}

/// How a task has fared.
#[derive(Debug, Default)]
struct History {
    best: Option<f64>,
    /// Epochs since the best.
    waited: usize,
    steps: usize,
    loss: f64,
}

/// A step that was taken.
#[derive(Clone, Debug)]
pub struct Step {
    pub task: String,
    pub loss: f64,
}

impl Trainer {
    /// Reads the data and starts from random weights and pretrained word vectors.
    pub fn new(config: RunConfig, device: Device) -> Result<Self> {
        config.check()?;
        tch::set_num_threads(config.training.threads.max(1));
        tch::manual_seed(config.training.seed as i64);
        let mut rng = ChaCha8Rng::seed_from_u64(config.training.seed);
        let mut files = Files::default();
        let mut data = IndexMap::new();
        let mut labels = IndexMap::new();
        for name in config.model.tasks.keys() {
            let task = &config.training.tasks[name];
            let read = TaskData::read(name, &config.model, task, &mut files)?;
            let known = task.labels.clone();
            let known = known.unwrap_or_else(|| read.labels(task.min_label_count));
            labels.insert(name.clone(), known);
            data.insert(name.clone(), read);
        }
        let (vocab, vectors) = vocabulary::build(&config.vocabulary, &config.model, &data, labels)?;
        let mut params = Params::random(device);
        let network = Network::new(&config.model, &vocab, &mut params)?;
        if let Some(vectors) = vectors {
            let table = vocabulary::word_table(&vocab.words, &vectors, &mut rng)?;
            params.assign(&BTreeMap::from([(WORD_TABLE.to_owned(), table)]))?;
        }
        let history = data.keys().map(|t| (t.clone(), History::default())).collect();
        Ok(Self {
            average: BTreeMap::new(),
            optimizers: BTreeMap::new(),
            best_mean: f64::NEG_INFINITY,
            step: 0,
            epoch: 0,
            config,
            data,
            params,
            network,
            rng,
            history,
        })
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

    /// The weights to keep, on the CPU: the running average where there is one.
    pub fn weights(&self) -> BTreeMap<String, Tensor> {
        let mut weights = self.params.snapshot();
        for (name, tensor) in &self.average {
            weights.insert(name.clone(), tensor.copy());
        }
        weights.into_iter().map(|(name, tensor)| (name, tensor.to_device(Device::Cpu))).collect()
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        let batches = self.data.values().map(|t| t.batches.count()).sum();
        self.config.training.steps_per_epoch.unwrap_or(batches)
    }

    /// Takes one optimization step.
    pub fn step(&mut self) -> Result<Step> {
        let task = self.select_task();
        let batch = self.select_batch(&task);
        let loss = self.forward(&task, &batch)?;
        let loss = self.backward(&task, &batch, &loss)?;
        self.step += 1;
        if let Some(history) = self.history.get_mut(&task) {
            history.steps += 1;
            history.loss += loss;
        }
        Ok(Step { task, loss })
    }

    fn select_task(&mut self) -> String {
        let weight = |task: &TaskData| match self.config.training.sampling {
            Sampling::Uniform => 1,
            Sampling::Proportional => task.batches.count(),
        };
        let total: usize = self.data.values().map(weight).sum();
        let mut draw = self.rng.random_range(0..total.max(1));
        for (name, task) in &self.data {
            let weight = weight(task);
            if draw < weight {
                return name.clone();
            }
            draw -= weight;
        }
        self.data.keys().next_back().cloned().unwrap_or_default()
    }

    fn select_batch(&mut self, task: &str) -> Vec<usize> {
        self.data[task].batches.next(&mut self.rng)
    }

    fn forward(&self, task: &str, batch: &[usize]) -> Result<Tensor> {
        let data = &self.data[task];
        let example = |&i: &usize| {
            let (doc, sentences) = &data.examples[i];
            Example { document: &data.train[*doc], sentences: sentences.clone() }
        };
        let examples: Vec<Example> = batch.iter().map(example).collect();
        let loss = self.network.loss(task, &examples)?;
        if f64::try_from(&loss)?.is_finite() {
            Ok(loss)
        } else {
            Err(self.not_finite("loss", task, batch))
        }
    }

    /// Backpropagates, clips and updates; returns the loss.
    fn backward(&mut self, task: &str, batch: &[usize], loss: &Tensor) -> Result<f64> {
        let training = &self.config.training;
        let weighted = loss.f_mul_scalar(training.tasks[task].weight)?;
        let gradients = self.clipped_gradients(&weighted)?;
        if !gradients.norm()?.is_finite() {
            return Err(self.not_finite("gradient", task, batch));
        }
        let total = self.steps_per_epoch() * training.epochs;
        let rate = training.optimizer.learning_rate * training.schedule.factor(self.step, total);
        let name = if training.optimizer.per_task { task } else { "" };
        let optimizer =
            self.optimizers.entry(name.to_owned()).or_insert_with(|| Adam::new(training.optimizer));
        optimizer.step(&self.params, &gradients, rate)?;
        self.update_average()?;
        Ok(f64::try_from(loss)?)
    }

    /// First each element is limited, then the norm of all.
    fn clipped_gradients(&self, loss: &Tensor) -> Result<Gradients> {
        let training = &self.config.training;
        let mut gradients = Gradients::of(loss, &self.params)?;
        if let Some(most) = training.gradient_value {
            gradients.clip_value(most)?;
        }
        if let Some(most) = training.gradient_norm {
            gradients.clip_norm(most)?;
        }
        Ok(gradients)
    }

    /// The error of a batch that training cannot learn from.
    fn not_finite(&self, what: &str, task: &str, batch: &[usize]) -> Error {
        let data = &self.data[task];
        let id = |&i: &usize| data.train[data.examples[i].0].id.as_deref().unwrap_or("without id");
        let mut ids: Vec<&str> = batch.iter().map(id).collect();
        ids.dedup();
        Error::invalid(format!(
            "the {what} of task `{task}` is not finite at step {} (documents {}); the weights are those before it",
            self.step + 1,
            ids.join(", ")
        ))
    }

    fn update_average(&mut self) -> Result<()> {
        let Some(decay) = self.config.training.average else {
            return Ok(());
        };
        let _guard = tch::no_grad_guard();
        // A young average follows quickly: it has nothing worth keeping yet.
        let steps = self.step as f64;
        let decay = decay.min((1.0 + steps) / (10.0 + steps));
        for (name, tensor) in self.params.trainable() {
            match self.average.get_mut(name) {
                Some(average) => drop(average.f_lerp_(tensor, 1.0 - decay)?),
                None => drop(self.average.insert(name.to_owned(), tensor.detach().copy())),
            }
        }
        Ok(())
    }

    /// Scores the weights to keep on the dev set of a task; `None` without dev data.
    pub fn evaluate(&mut self, task: &str, cancel: &Cancel) -> Result<Option<Score>> {
        let Some(data) = self.data.get(task) else {
            return Err(Error::config(format!("the model has no task `{task}`")));
        };
        if data.dev.is_empty() {
            return Ok(None);
        }
        let current = (!self.average.is_empty()).then(|| self.params.snapshot());
        self.params.assign(&self.average)?;
        let options = AnnotateOptions {
            tasks: Some(vec![task.to_owned()]),
            singletons: true,
            ..Default::default()
        };
        let annotated = self.network.annotate(&data.dev, &options, cancel);
        if let Some(current) = current {
            self.params.assign(&current)?;
        }
        let known = self.network.vocab().labels(task).iter().cloned().collect();
        let options = ScoreOptions { known_labels: Some(known), singletons: Singletons::Auto };
        metric::score(data.kind, &data.layer, task, &data.dev, &annotated?, &options).map(Some)
    }

    /// Trains until the last epoch or until all tasks are out of patience. After each epoch
    /// `on_event` gets an [`Event::Epoch`] with the trainer as it then stands. Cancelled between
    /// two steps, the trainer can be trained on.
    pub fn train(
        &mut self,
        on_event: &mut dyn FnMut(&Event, &Self) -> Result<()>,
        cancel: &Cancel,
    ) -> Result<()> {
        let steps = self.steps_per_epoch();
        while self.epoch < self.config.training.epochs {
            let start = Instant::now();
            while self.step < (self.epoch + 1) * steps {
                cancel.check()?;
                let Step { task, loss } = self.step()?;
                let (step, epoch) = (self.step - self.epoch * steps, self.epoch + 1);
                on_event(&Event::Step { step, steps, epoch, task, loss }, self)?;
            }
            let event = self.end_epoch(start, on_event, cancel)?;
            self.epoch += 1;
            on_event(&event, self)?;
            if self.is_out_of_patience() {
                break;
            }
        }
        Ok(())
    }

    fn end_epoch(
        &mut self,
        start: Instant,
        on_event: &mut dyn FnMut(&Event, &Self) -> Result<()>,
        cancel: &Cancel,
    ) -> Result<Event> {
        let mut tasks = IndexMap::new();
        let names: Vec<String> = self.data.keys().cloned().collect();
        for name in names {
            on_event(&Event::Evaluating { task: name.clone() }, self)?;
            let score = self.evaluate(&name, cancel)?;
            let patience = self.config.training.tasks[&name].patience;
            let Some(history) = self.history.get_mut(&name) else { continue };
            if let Some(score) = &score {
                if history.best.is_none_or(|best| score.score > best) {
                    (history.best, history.waited) = (Some(score.score), 0);
                } else {
                    history.waited += 1;
                }
            }
            let epoch = TaskEpoch {
                steps: std::mem::take(&mut history.steps),
                loss: std::mem::take(&mut history.loss),
                score: score.as_ref().map(|s| s.score),
                best_score: history.best,
                details: score.map(|s| s.details).unwrap_or_default(),
                out_of_patience: patience.is_some_and(|p| history.waited >= p),
            };
            tasks.insert(name, TaskEpoch { loss: epoch.loss / epoch.steps.max(1) as f64, ..epoch });
        }
        let scores: Vec<f64> = tasks.values().filter_map(|t: &TaskEpoch| t.score).collect();
        let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
        // Without dev data the newest weights are as good as any.
        let best = scores.is_empty() || mean > self.best_mean;
        self.best_mean = self.best_mean.max(mean);
        let training = &self.config.training;
        let total = self.steps_per_epoch() * training.epochs;
        Ok(Event::Epoch {
            epoch: self.epoch + 1,
            step: self.step,
            seconds: start.elapsed().as_secs_f64(),
            learning_rate: training.optimizer.learning_rate
                * training.schedule.factor(self.step, total),
            tasks,
            mean,
            best,
        })
    }

    fn is_out_of_patience(&self) -> bool {
        self.history.iter().all(|(name, history)| {
            self.config.training.tasks[name].patience.is_some_and(|p| history.waited >= p)
        })
    }
}
