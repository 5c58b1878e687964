//! [`Gather`]: requests of several callers that one worker serves together.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Sender, bounded};

use super::{guarded, run, workers};
use crate::{Error, Result};

/// A place where requests wait for a worker. What waits when one is free is shared evenly among the workers, so
/// that none is idle while another serves many.
#[derive(Debug)]
pub(crate) struct Gather<Q, R> {
    waiting: Mutex<VecDeque<(Q, Sender<Result<R>>)>>,
}

impl<Q, R> Default for Gather<Q, R> {
    fn default() -> Self {
        Self { waiting: Mutex::new(VecDeque::new()) }
    }
}

impl<Q: Send, R: Send> Gather<Q, R> {
    /// Has a worker serve `request`, and with it others that waited, in their order. `fits` says whether a request
    /// may go with those before it; `serve` gives a result for each. Where that fails for several together, each
    /// is served alone, so that the error of one is no other's.
    pub(crate) fn run(
        &self,
        request: Q,
        fits: impl Fn(&[Q], &Q) -> bool + Sync,
        serve: impl Fn(&[Q]) -> Result<Vec<R>> + Sync,
    ) -> Result<R> {
        let workers = workers()?; // or an error, before anything waits
        let (reply, result) = bounded(1);
        self.waiting().push_back((request, reply));
        // Every request has a job of its own, and is served by it at the latest; a job that finds nothing left has
        // nothing to do.
        run(|| {
            let (requests, replies) = self.take(workers, &fits);
            if !requests.is_empty() {
                serve_all(&requests, replies, &serve);
            }
            Ok(())
        })?;
        result.recv().unwrap_or_else(|_| Err(Error::Internal("a request was lost".into())))
    }

    fn take(
        &self,
        workers: usize,
        fits: &impl Fn(&[Q], &Q) -> bool,
    ) -> (Vec<Q>, Vec<Sender<Result<R>>>) {
        let mut waiting = self.waiting();
        let most = waiting.len().div_ceil(workers.max(1));
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        while requests.len() < most
            && let Some((request, _)) = waiting.front()
            && (requests.is_empty() || fits(&requests, request))
            && let Some((request, reply)) = waiting.pop_front()
        {
            requests.push(request);
            replies.push(reply);
        }
        (requests, replies)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Q, Sender<Result<R>>)>> {
        // Nothing that may panic happens under the lock but `fits`, which changes nothing.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::thread;

    use super::*;

    #[test]
    fn callers_get_their_own_results_and_errors() {
        let gather = Gather::default();
        let served = Mutex::new(Vec::new());
        let serve = |requests: &[usize]| {
            served.lock().unwrap().push(requests.len());
            thread::sleep(std::time::Duration::from_millis(2));
            match requests.iter().find(|n| *n % 7 == 0) {
                Some(n) => Err(Error::invalid(n.to_string())),
                None if requests.contains(&40) => panic!("on purpose"),
                None => Ok(requests.iter().map(|n| n * 2).collect()),
            }
        };
        let fits = |before: &[usize], next: &usize| before.len() < 5 && *next != 50;
        thread::scope(|scope| {
            for n in 1..=64 {
                let (gather, serve) = (&gather, &serve);
                scope.spawn(move || match gather.run(n, fits, serve) {
                    Ok(twice) => assert!(twice == 2 * n && n % 7 != 0 && n != 40),
                    Err(Error::InvalidArgument(which)) => assert_eq!(which, n.to_string()),
                    Err(error) => assert!(n == 40, "{n}: {error}"),
                });
            }
        });
        let served = served.into_inner().unwrap();
        assert!(served.iter().all(|&n| (1..=5).contains(&n)), "{served:?}");
        assert!(served.iter().any(|&n| n > 1), "{served:?}");
    }
}
