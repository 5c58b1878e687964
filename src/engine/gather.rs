//! [`Gather`]: requests of several callers that one worker serves together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Sender, bounded};

use super::{Job, engine, guarded, on_worker};
use crate::{Error, Result};

/// A place where requests wait for a worker. What waits when one is free is shared evenly among the workers, so
/// that none is idle while another serves many.
#[derive(Debug)]
pub(crate) struct Gather<Q, R>(Mutex<State<Q, R>>);

#[derive(Debug)]
struct State<Q, R> {
    waiting: VecDeque<Waiting<Q, R>>,
    /// Workers that were called and have not come.
    called: usize,
    /// Workers that serve. Where any request waits, a worker was called or serves, and looks again.
    serving: usize,
}

/// A request and where its result goes.
type Waiting<Q, R> = (Q, Sender<Result<R>>);

impl<Q, R> Default for Gather<Q, R> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: VecDeque::new(), called: 0, serving: 0 }))
    }
}

/// How requests are served.
#[derive(Clone)]
pub(crate) struct Service<F, S> {
    /// At most so many workers serve at a time.
    pub(crate) workers: usize,
    /// Whether a request may go with those before it.
    pub(crate) fits: F,
    /// Gives a result for each. Where that fails for several together, each is served alone, so that the error of
    /// one is no other's.
    pub(crate) serve: S,
}

impl<Q: Send + 'static, R: Send + 'static> Gather<Q, R> {
    /// Has a worker serve `request`, and with it others that waited, in their order. The service is the same for all
    /// that wait here.
    pub(crate) fn run<F, S>(self: &Arc<Self>, request: Q, service: Service<F, S>) -> Result<R>
    where
        F: Fn(&[Q], &Q) -> bool + Clone + Send + 'static,
        S: Fn(&[Q]) -> Result<Vec<R>> + Clone + Send + 'static,
    {
        engine()?; // or an error, before anything waits
        if on_worker() {
            let none = || Error::Internal("a request without a result".into());
            return (service.serve)(&[request])?.pop().ok_or_else(none);
        }
        let (reply, result) = bounded(1);
        let call = {
            let mut state = self.state();
            state.waiting.push_back((request, reply));
            // More would find nothing, and fill the queue.
            let call = state.called < service.workers.max(1);
            state.called += usize::from(call);
            call
        };
        if call {
            let gone = |_| Error::Internal("the workers are gone".into());
            engine()?.hand_over(self.job(service)).map_err(gone)?;
        }
        result.recv().unwrap_or_else(|_| Err(Error::Internal("a request was lost".into())))
    }

    /// What a worker that is called does.
    fn job<F, S>(self: &Arc<Self>, service: Service<F, S>) -> Job
    where
        F: Fn(&[Q], &Q) -> bool + Clone + Send + 'static,
        S: Fn(&[Q]) -> Result<Vec<R>> + Clone + Send + 'static,
    {
        let gather = Arc::clone(self);
        Box::new(move || {
            let serve = || {
                while gather.serve(&service) {
                    // Others have their turn first, if there is a place in the queue.
                    if engine()?.try_hand_over(gather.job(service.clone())) {
                        break;
                    }
                }
                Ok(())
            };
            if let Err(error) = guarded(serve) {
                log::error!("callers were not served: {error}");
            }
        })
    }

    /// Serves some of those that wait. Whether the worker is called again.
    fn serve<F, S>(&self, service: &Service<F, S>) -> bool
    where
        F: Fn(&[Q], &Q) -> bool,
        S: Fn(&[Q]) -> Result<Vec<R>>,
    {
        let (requests, replies) = self.take(service.workers.max(1), &service.fits);
        if requests.is_empty() {
            return false;
        }
        serve_all(&requests, replies, &service.serve);
        let mut state = self.state();
        state.serving -= 1;
        let again = state.called == 0 && !state.waiting.is_empty();
        state.called += usize::from(again);
        again
    }

    /// What a worker is to serve: nothing if none waits, or enough workers serve already.
    fn take(
        &self,
        workers: usize,
        fits: impl Fn(&[Q], &Q) -> bool,
    ) -> (Vec<Q>, Vec<Sender<Result<R>>>) {
        let mut state = self.state();
        state.called -= 1;
        let most = match state.serving >= workers {
            true => 0,
            false => state.waiting.len().div_ceil(workers),
        };
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        while requests.len() < most
            && let Some((request, _)) = state.waiting.front()
            && (requests.is_empty() || fits(&requests, request))
            && let Some((request, reply)) = state.waiting.pop_front()
        {
            requests.push(request);
            replies.push(reply);
        }
        state.serving += usize::from(!requests.is_empty());
        (requests, replies)
    }

    fn state(&self) -> MutexGuard<'_, State<Q, R>> {
        // Nothing that may panic happens under the lock but `fits`, which changes nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve_all<Q, R>(
    requests: &[Q],
    replies: Vec<Sender<Result<R>>>,
    serve: &impl Fn(&[Q]) -> Result<Vec<R>>,
) {
    let mut replies = replies.into_iter();
    // A caller waits for its reply, so that the channel is there.
    match guarded(|| serve(requests)) {
        Ok(results) if results.len() == requests.len() => {
            replies.zip(results).for_each(|(reply, result)| drop(reply.send(Ok(result))));
        }
        Err(error) if requests.len() == 1 => {
            let _ = replies.next().map(|reply| reply.send(Err(error)));
        }
        _ => {
            let none = || Error::Internal("a request without a result".into());
            for (request, reply) in requests.iter().zip(replies) {
                let result = guarded(|| serve(std::slice::from_ref(request)));
                let _ = reply.send(result.and_then(|mut results| results.pop().ok_or_else(none)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn callers_get_their_own_results_and_errors() {
        static SERVED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        static SERVING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let serve = |requests: &[usize]| {
            SERVED.lock().unwrap().push(requests.len());
            MOST.fetch_max(SERVING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(std::time::Duration::from_millis(2));
            SERVING.fetch_sub(1, Ordering::SeqCst);
            match requests.iter().find(|n| *n % 7 == 0) {
                Some(n) => Err(Error::invalid(n.to_string())),
                None if requests.contains(&40) => panic!("on purpose"),
                None => Ok(requests.iter().map(|n| n * 2).collect()),
            }
        };
        let fits = |before: &[usize], next: &usize| before.len() < 5 && *next != 50;
        for workers in 1..=3 {
            SERVED.lock().unwrap().clear();
            MOST.store(0, Ordering::SeqCst);
            let gather = Arc::new(Gather::default());
            thread::scope(|scope| {
                for n in 1..=64 {
                    let (gather, service) = (&gather, Service { workers, fits, serve });
                    scope.spawn(move || match gather.run(n, service) {
                        Ok(twice) => assert!(twice == 2 * n && n % 7 != 0 && n != 40),
                        Err(Error::InvalidArgument(which)) => assert_eq!(which, n.to_string()),
                        Err(error) => assert!(n == 40, "{n}: {error}"),
                    });
                }
            });
            let served = SERVED.lock().unwrap();
            assert!(served.iter().all(|&n| (1..=5).contains(&n)), "{served:?}");
            assert!(served.iter().any(|&n| n > 1), "{served:?}");
            assert!(MOST.load(Ordering::SeqCst) <= workers);
        }
    }

    #[test]
    fn a_worker_serves_itself() {
        let gather = Arc::new(Gather::default());
        let fits = |_: &[usize], _: &usize| true;
        let serve = |requests: &[usize]| Ok(requests.to_vec());
        let all = crate::engine::workers().unwrap();
        let job = |n: usize| {
            let gather = &gather;
            move || gather.run(n, Service { workers: 1, fits, serve })
        };
        let jobs = (0..2 * all).map(job).collect();
        assert_eq!(crate::engine::run_all(jobs).unwrap(), (0..2 * all).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_waits_for_those_who_came_later() {
        let gather = Arc::new(Gather::default());
        let serve = |requests: &[usize]| {
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(requests.to_vec())
        };
        let fits = |_: &[usize], _: &usize| true;
        let done = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            for n in 0..8 {
                let (gather, done) = (&gather, &done);
                scope.spawn(move || {
                    // Somebody always waits, and yet each comes back, a hundred times.
                    let mut times = 0;
                    while times < 100 || !done.load(Ordering::SeqCst) {
                        let service = Service { workers: 1, fits, serve };
                        assert_eq!(gather.run(n, service).unwrap(), n);
                        times += 1;
                        if n == 0 && times == 100 {
                            done.store(true, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }
}
