//! [`share`]: work of one job in pieces, of which workers that are idle take some.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{ENGINE, guarded, helpers};
use crate::{Error, Result};

/// Pieces for each worker, where it is worth it.
const PIECES: usize = 4;

/// Pieces that are numbered and taken one by one.
struct Pieces {
    work: Work,
    count: usize,
    /// The next piece that nobody took.
    next: AtomicUsize,
    /// How many are done.
    done: Mutex<usize>,
    all_done: Condvar,
}

/// What does a piece. Lives as long as there is a piece that was taken and is not done.
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: what it points to may be called from any thread, and is while it lives; see `take`.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

impl Pieces {
    /// Does pieces until all are taken.
    fn take(&self) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= self.count {
                return;
            }
            // SAFETY: `share` does not return while a piece that was taken is not done, and this
            // one was taken and is not.
            unsafe { (*self.work.0)(piece) };
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            *done += 1;
            if *done == self.count {
                self.all_done.notify_all();
            }
        }
    }

    fn wait(&self) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while *done < self.count {
            done = self.all_done.wait(done).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Does the pieces `0..count` of a job: on the thread that calls, which is a worker's, and on
/// workers that have nothing else to do. Their results in order, or the first error in it; returns
/// when none is worked on any more. `piece` must not call LibTorch's operations on many threads,
/// nor depend on who does it.
pub fn share<T: Send>(count: usize, piece: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let helpers = match ENGINE.get() {
        Some(engine) if count > 1 => (engine.workers - 1).min(count - 1),
        _ => return (0..count).map(piece).collect(),
    };
    let results: Vec<Mutex<Option<Result<T>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let work = |at: usize| {
        let result = guarded(|| piece(at));
        *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    };
    let work: &(dyn Fn(usize) + Sync) = &work;
    // SAFETY: only the lifetime changes; `Pieces::take` says why nobody calls it too late.
    let work = unsafe {
        std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync + 'static)>(
            work,
        )
    };
    let pieces = Arc::new(Pieces {
        work: Work(work),
        count,
        next: AtomicUsize::new(0),
        done: Mutex::new(0),
        all_done: Condvar::new(),
    });
    if let Some(engine) = ENGINE.get() {
        for _ in 0..helpers {
            let pieces = Arc::clone(&pieces);
            // Whoever waits for a worker comes first; who comes when all is done finds nothing.
            if !engine.try_hand_over(Box::new(move || pieces.take())) {
                break;
            }
        }
    }
    pieces.take();
    pieces.wait();
    let missing = || Err(Error::Internal("a piece without a result".into()));
    let result = |r: Mutex<Option<Result<T>>>| {
        r.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(missing)
    };
    results.into_iter().map(result).collect()
}

/// How many of `count` items a piece has, so that all workers that have nothing to do have several pieces, and none waits
/// long for another's last: a number in `bounds`, the highest where nobody would help.
pub fn piece_size(count: usize, bounds: RangeInclusive<usize>) -> usize {
    size_for(helpers(), count, bounds)
}

fn size_for(helpers: usize, count: usize, bounds: RangeInclusive<usize>) -> usize {
    match helpers {
        0 => *bounds.end(),
        _ => count.div_ceil(PIECES * (1 + helpers)).clamp(*bounds.start(), *bounds.end()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::engine::{run, run_all, workers};

    #[test]
    fn pieces_are_done_once_each_and_come_back_in_order() {
        let counts: Vec<AtomicUsize> = (0..500).map(|_| AtomicUsize::new(0)).collect();
        let squares = run(|| {
            share(500, |at| {
                counts[at].fetch_add(1, Ordering::Relaxed);
                Ok(at * at)
            })
        });
        assert_eq!(squares.unwrap(), (0..500).map(|at| at * at).collect::<Vec<_>>());
        assert!(counts.iter().all(|n| n.load(Ordering::Relaxed) == 1));
        assert_eq!(run(|| share(0, Ok)).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn idle_workers_help() {
        let wanted = workers().unwrap().min(2);
        let threads = Mutex::new(HashSet::new());
        let begun = Instant::now();
        run(|| {
            share(4, |_| {
                threads.lock().unwrap().insert(std::thread::current().id());
                // Other tests keep the workers busy for a while, but not for long.
                while threads.lock().unwrap().len() < wanted && begun.elapsed().as_secs() < 60 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            })
        })
        .unwrap();
        assert!(threads.lock().unwrap().len() >= wanted);
    }

    #[test]
    fn pieces_are_the_smaller_the_more_help_there_is() {
        let sizes = |count| [0, 1, 3, 7].map(|helpers| size_for(helpers, count, 16..=128));
        assert_eq!(sizes(800), [128, 100, 50, 25]);
        assert_eq!(sizes(100), [128, 16, 16, 16]);
        assert_eq!(sizes(10_000), [128; 4]);
        assert_eq!(sizes(0), [128, 16, 16, 16]);
    }

    #[test]
    fn errors_and_panics_are_those_of_the_first_piece_that_has_one() {
        for _ in 0..20 {
            let done = AtomicUsize::new(0);
            let result: Result<Vec<()>> = run(|| {
                share(40, |at| {
                    done.fetch_add(1, Ordering::Relaxed);
                    match at {
                        7 => Err(Error::Cancelled),
                        30 => panic!("on purpose"),
                        _ => Ok(()),
                    }
                })
            });
            assert!(matches!(result, Err(Error::Cancelled)));
            assert_eq!(done.load(Ordering::Relaxed), 40);
        }
    }

    #[test]
    fn all_workers_may_share_at_once_and_pieces_may_share() {
        let job = |n: usize| move || share(20, |a| share(3, |b| Ok(n * 100 + a * 3 + b)));
        let found = run_all((0..30).map(job).collect()).unwrap();
        for (n, found) in found.iter().enumerate() {
            let flat: Vec<usize> = found.iter().flatten().copied().collect();
            assert_eq!(flat, (0..60).map(|at| n * 100 + at).collect::<Vec<_>>());
        }
    }
}
