//! [`Run`]: a trainer that any thread may hold, whose work is done by the fixed workers.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Event, RunConfig, Setup, Split, Trainer};
use crate::{Cancel, Document, Error, Result, device, engine};

/// A training run: first its description and data, from the first step on a [`Trainer`]. Calls on
/// one run wait for each other.
#[derive(Debug)]
pub struct Run(Mutex<State>);

/// What a run is made of.
#[derive(Debug)]
struct State {
    setup: Setup,
    /// From the first step on.
    trainer: Option<Trainer>,
}

impl Run {
    /// A run on the device that the description names.
    pub fn new(config: RunConfig) -> Result<Self> {
        let device = device::parse(&config.training.device)?;
        Ok(Self::of(Setup::new(config, device)?))
    }

    /// Goes on from the checkpoint in `dir`, on another device if one is named. A description that
    /// is expected must be that of the checkpoint.
    pub fn resume(dir: &Path, device: Option<&str>, expected: Option<&RunConfig>) -> Result<Self> {
        let named = device.map(device::parse).transpose()?;
        let setup = engine::run(|| {
            let setup = Setup::resume(dir, named)?;
            expected.map_or(Ok(()), |config| setup.expect(config))?;
            Ok(setup)
        })?;
        Ok(Self::of(setup))
    }

    fn of(setup: Setup) -> Self {
        Self(Mutex::new(State { setup, trainer: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic is caught on the worker, with the trainer between two steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives documents to a split of a task; an error once the run has begun.
    pub fn add(&self, task: &str, split: Split, docs: &[Document]) -> Result<()> {
        let mut state = self.lock();
        if state.trainer.is_some() {
            return Err(Error::invalid("the run has begun: its data cannot change any more"));
        }
        state.setup.add(task, split, docs)
    }

    /// Works on the trainer, on a worker; the first call reads the data and makes it.
    pub fn with<T: Send>(&self, work: impl FnOnce(&mut Trainer) -> Result<T> + Send) -> Result<T> {
        let state = &mut *self.lock();
        let threads = state.setup.config().training.threads;
        engine::run_with_threads(threads, move || {
            // Lent whole: tensors may go to another thread, but not be shared with it.
            let state: &mut State = state;
            if state.trainer.is_none() {
                state.trainer = Some(state.setup.build()?);
            }
            match &mut state.trainer {
                Some(trainer) => work(trainer),
                None => Err(Error::Internal("a run without a trainer".into())),
            }
        })
    }

    /// Does the next thing of the run; see [`Trainer::advance`].
    pub fn advance(&self, cancel: &Cancel) -> Result<Option<Event>> {
        self.with(|trainer| trainer.advance(cancel))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.trainer.is_some() {
            let free = || {
                state.trainer = None;
                Ok(())
            };
            if let Err(error) = engine::run(free) {
                log::warn!("a trainer was freed outside the workers: {error}");
            }
        }
    }
}
