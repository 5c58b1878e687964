//! Whose turn it is on a device whose memory may run out: that of all workers, or of one alone.

use std::sync::{PoisonError, RwLock};

use crate::Result;
use crate::engine::guarded;

/// What workers do at the same time with one network.
#[derive(Debug, Default)]
pub(super) struct Turns(RwLock<()>);

impl Turns {
    /// What `work` makes beside what others do. Where memory runs out, it is done again with none beside it.
    pub(super) fn take<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match self.beside(&work) {
            Err(error) if error.is_out_of_memory() => {
                log::debug!("{error}: again with none beside it");
                let _alone = self.0.write().unwrap_or_else(PoisonError::into_inner);
                guarded(work)
            }
            other => other,
        }
    }

    /// The same of what cannot be done again. Where an operation with a number among its arguments fails, `tch` panics as
    /// it frees the number, before the error is returned.
    pub(super) fn beside<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let _beside = self.0.read().unwrap_or_else(PoisonError::into_inner);
        guarded(work)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::Error;

    fn out_of_memory() -> Error {
        Error::Torch("CUDA out of memory. Tried to allocate 2.00 GiB".into())
    }

    #[test]
    fn workers_that_have_memory_for_one_take_turns() {
        let (turns, there, failed) = (Turns::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let others = there.fetch_add(1, Ordering::SeqCst);
            thread::sleep(std::time::Duration::from_millis(20));
            there.fetch_sub(1, Ordering::SeqCst);
            if others > 0 {
                failed.fetch_add(1, Ordering::SeqCst);
                return Err(out_of_memory());
            }
            Ok(7)
        };
        let barrier = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    assert_eq!(turns.take(work).unwrap(), 7);
                });
            }
        });
        assert!(failed.into_inner() > 0);
    }

    #[test]
    fn what_is_too_much_for_one_fails_and_other_errors_are_not_tried_again() {
        let turns = Turns::default();
        let tries = AtomicUsize::new(0);
        // As `tch` does.
        let panicking =
            || panic!("called `Result::unwrap()` on an `Err` value: {:?}", out_of_memory());
        let failing = |error: fn() -> Error| {
            tries.store(0, Ordering::SeqCst);
            let failed = turns.take(|| -> Result<()> {
                tries.fetch_add(1, Ordering::SeqCst);
                Err(error())
            });
            (failed.unwrap_err().is_out_of_memory(), tries.load(Ordering::SeqCst))
        };
        assert_eq!(failing(out_of_memory), (true, 2));
        assert_eq!(failing(panicking), (true, 2));
        assert_eq!(failing(|| Error::Cancelled), (false, 1));
        assert_eq!(turns.take(|| Ok(3)).unwrap(), 3);
    }
}
