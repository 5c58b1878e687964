//! The fixed worker threads that make every call of LibTorch.
//!
//! Every thread that enters LibTorch grows a thread pool of its own. So callers of any number
//! hand their work to a fixed set of threads over a bounded queue and wait: the number of threads
//! that the process gains does not depend on who calls.
//!
//! `HMTL_WORKERS` sets their number; it is otherwise that of the processors, at most
//! [`MAX_DEFAULT_WORKERS`]. Each operation uses one thread unless [`set_num_threads`] says more.

mod gather;
mod panics;
mod share;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use once_cell::sync::OnceCell;

pub(crate) use gather::{Gather, Service};
pub(crate) use panics::guarded;
pub use share::{piece_size, share};

use crate::{Error, Result, device};

/// More workers than this must be asked for.
pub const MAX_DEFAULT_WORKERS: usize = 8;
const MAX_WORKERS: usize = 256;
/// Jobs that wait before callers wait to hand over theirs: so many that callers are served in the order in which
/// they came, since those that wait for a place in the queue are not.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce() + Send + 'static>;

struct Engine {
    queue: Sender<Job>,
    workers: usize,
    /// Jobs that were handed over and have not ended.
    open: Arc<AtomicUsize>,
    /// Threads do not survive a fork: a child must not wait for them.
    process: u32,
}

static ENGINE: OnceCell<Engine> = OnceCell::new();

impl Engine {
    /// Waits for a place in the queue.
    fn hand_over(&self, job: Job) -> std::result::Result<(), crossbeam_channel::SendError<Job>> {
        // Counted before it can end.
        self.open.fetch_add(1, Ordering::Relaxed);
        self.queue.send(job).inspect_err(|_| self.count_out())
    }

    /// Refuses, where the queue is full.
    fn try_hand_over(&self, job: Job) -> bool {
        self.open.fetch_add(1, Ordering::Relaxed);
        let taken = self.queue.try_send(job).is_ok();
        if !taken {
            self.count_out();
        }
        taken
    }

    fn count_out(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn idle(&self) -> usize {
        self.workers.saturating_sub(self.open.load(Ordering::Relaxed))
    }
}

/// Threads that one operation may use.
static OPERATION_THREADS: AtomicI32 = AtomicI32::new(1);

thread_local! {
    /// Threads an operation of this worker uses; 0 on all other threads.
    static WORKER: Cell<i32> = const { Cell::new(0) };
}

/// Whether a worker asks: one that waited for another could wait for itself.
fn on_worker() -> bool {
    WORKER.try_with(Cell::get).unwrap_or(0) != 0
}

/// Runs `job` on a worker and waits for it. A panic in it is an error.
pub fn run<T: Send>(job: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let mut results = run_all(vec![job])?;
    results.pop().ok_or_else(|| Error::Internal("a job without a result".into()))
}

/// Runs `job` like [`run`], on a worker whose operations may use `threads` threads meanwhile.
pub fn run_with_threads<T: Send>(
    threads: usize,
    job: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    run(move || {
        // The worker sets its own number again before its next job.
        if WORKER.get() != threads {
            tch::set_num_threads(threads);
            WORKER.set(threads);
        }
        job()
    })
}

/// Runs `jobs` on the workers at the same time; their results, in their order, or the first
/// error. Returns when no job runs any more.
pub fn run_all<T, F>(jobs: Vec<F>) -> Result<Vec<T>>
where
    T: Send,
    F: FnOnce() -> Result<T> + Send,
{
    if on_worker() {
        return jobs.into_iter().map(guarded).collect();
    }
    let engine = engine()?;
    let count = jobs.len();
    let (reply, replies) = bounded(count);
    let mut results: Vec<Option<Result<T>>> = (0..count).map(|_| None).collect();
    {
        // Dropped at the end of the block, even by a panic: it waits for all jobs that were handed
        // over, so that none outlives what it borrows.
        let mut pending = Pending { replies: &replies, results: &mut results, handed_over: 0 };
        for (at, job) in jobs.into_iter().enumerate() {
            let reply = reply.clone();
            let job: Box<dyn FnOnce() + Send + '_> = Box::new(move || {
                let result = guarded(job);
                // The receiver lives until it has heard from every job.
                let _ = reply.send((at, result));
            });
            // SAFETY: only the lifetime changes; `pending` waits for the job's last use of it.
            let job: Job =
                unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + '_>, Job>(job) };
            if engine.hand_over(job).is_err() {
                return Err(Error::Internal("the workers are gone".into()));
            }
            pending.handed_over += 1;
        }
    }
    let missing = || Err(Error::Internal("a worker lost its job".into()));
    results.into_iter().map(|r| r.unwrap_or_else(missing)).collect()
}

/// Jobs that still may use what the caller lent them.
struct Pending<'a, T> {
    replies: &'a Receiver<(usize, Result<T>)>,
    results: &'a mut Vec<Option<Result<T>>>,
    handed_over: usize,
}

impl<T> Drop for Pending<'_, T> {
    fn drop(&mut self) {
        for _ in 0..self.handed_over {
            if let Ok((at, result)) = self.replies.recv() {
                self.results[at] = Some(result);
            }
        }
    }
}

/// The number of workers; starts them at the first call.
pub fn workers() -> Result<usize> {
    Ok(engine()?.workers)
}

/// How many workers have nothing to do, or had a moment ago.
pub fn idle() -> Result<usize> {
    engine().map(Engine::idle)
}

/// How many workers could help one that asks: those of [`idle`], none where none was started.
pub fn helpers() -> usize {
    ENGINE.get().map_or(0, Engine::idle)
}

/// Sets the number of threads that one operation may use, for all workers.
pub fn set_num_threads(count: usize) -> Result<()> {
    let count = i32::try_from(count).ok().filter(|n| (1..=1024).contains(n));
    let Some(count) = count else {
        return Err(Error::invalid("the number of threads must be between 1 and 1024"));
    };
    OPERATION_THREADS.store(count, Ordering::Relaxed);
    Ok(())
}

fn engine() -> Result<&'static Engine> {
    let engine = ENGINE.get_or_try_init(start)?;
    if engine.process != std::process::id() {
        return Err(Error::Unsupported(
            "this process was forked from one whose hmtl threads had started, and has none; \
             fork before the first call of hmtl, or start a new program"
                .into(),
        ));
    }
    Ok(engine)
}

fn start() -> Result<Engine> {
    device::init()?;
    let workers = worker_count()?;
    let (queue, jobs) = bounded::<Job>(QUEUE);
    let open = Arc::new(AtomicUsize::new(0));
    for at in 0..workers {
        let (jobs, open) = (jobs.clone(), Arc::clone(&open));
        thread::Builder::new()
            .name(format!("hmtl-{at}"))
            .spawn(move || work(&jobs, &open))
            .map_err(|e| Error::Unsupported(format!("cannot start a thread: {e}")))?;
    }
    Ok(Engine { queue, workers, open, process: std::process::id() })
}

fn worker_count() -> Result<usize> {
    let Some(value) = std::env::var_os("HMTL_WORKERS") else {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        return Ok(processors.min(MAX_DEFAULT_WORKERS));
    };
    let count = value.to_str().and_then(|v| v.trim().parse().ok());
    count.filter(|n| (1..=MAX_WORKERS).contains(n)).ok_or_else(|| {
        Error::invalid(format!(
            "HMTL_WORKERS must be a number from 1 to {MAX_WORKERS}, not {value:?}"
        ))
    })
}

fn work(jobs: &Receiver<Job>, open: &AtomicUsize) {
    for job in jobs {
        let wanted = OPERATION_THREADS.load(Ordering::Relaxed);
        if WORKER.get() != wanted {
            WORKER.set(wanted);
            let set = || {
                tch::set_num_threads(wanted);
                Ok(())
            };
            if let Err(error) = guarded(set) {
                log::warn!("cannot set the number of threads: {error}");
            }
        }
        job();
        open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_may_borrow_from_its_caller() {
        let text = String::from("borrowed");
        assert_eq!(run(|| Ok(text.len())).unwrap(), 8);
    }

    #[test]
    fn results_come_back_in_order() {
        let jobs: Vec<_> = (0..100).map(|n| move || Ok(n * n)).collect();
        let squares: Vec<usize> = (0..100).map(|n| n * n).collect();
        assert_eq!(run_all(jobs).unwrap(), squares);
    }

    #[test]
    fn a_worker_survives_a_panicking_job() {
        for _ in 0..20 {
            assert!(run::<()>(|| panic!("on purpose")).is_err());
        }
        assert_eq!(run(|| Ok(1)).unwrap(), 1);
    }

    #[test]
    fn workers_with_a_job_are_not_idle() {
        let all = workers().unwrap();
        assert!(run(idle).unwrap() < all);
        // Other tests' jobs come and go.
        let begun = std::time::Instant::now();
        while idle().unwrap() < all && begun.elapsed().as_secs() < 120 {
            thread::yield_now();
        }
        assert_eq!(idle().unwrap(), all);
    }

    #[test]
    fn a_job_may_start_jobs() {
        assert_eq!(run(|| run(|| run(|| Ok(3)))).unwrap(), 3);
    }

    #[test]
    fn every_job_has_ended_when_an_error_returns() {
        let ended = AtomicI32::new(0);
        let job = |n: i32| {
            let ended = &ended;
            move || {
                ended.fetch_add(1, Ordering::Relaxed);
                if n == 0 { Err(Error::Cancelled) } else { Ok(()) }
            }
        };
        assert!(matches!(run_all((0..30).map(job).collect()), Err(Error::Cancelled)));
        assert_eq!(ended.load(Ordering::Relaxed), 30);
    }
}
