//! [`Cancel`]: asks running work to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// A flag that any thread may raise; work that holds a clone stops at its next step.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag, for good.
    pub fn trigger(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_triggered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once the flag is up: called between two steps of long work.
    pub fn check(&self) -> Result<()> {
        if self.is_triggered() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
