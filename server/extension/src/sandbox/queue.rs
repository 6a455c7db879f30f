//! The calls that wait for a guest.
//!
//! The queue has a bound. Of notifications, which nobody waits for, the oldest makes room for a new one; a call that
//! somebody waits for is refused when there are only such.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::actor::Job;

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The queue is full of jobs that somebody waits for.
    Full,
    /// The guest is gone.
    Closed,
}

/// The calls that wait for a guest.
pub(super) struct Queue {
    bound: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    dropped: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, state: Mutex::default() }
    }

    /// Adds a job.
    pub(super) fn push(&self, job: Job) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.jobs.len() >= self.bound {
            let Some(oldest) = state.jobs.iter().position(Job::is_notification) else {
                return Err(Refused::Full);
            };
            state.jobs.remove(oldest);
            state.dropped += 1;
        }
        state.jobs.push_back(job);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The next job, once there is one; `None` when the queue is closed and empty.
    pub(super) async fn next(&self) -> Option<Job> {
        poll_fn(|context| {
            let mut state = self.lock();
            match state.jobs.pop_front() {
                Some(job) => Poll::Ready(Some(job)),
                None if state.closed => Poll::Ready(None),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Takes no further jobs; those that wait are still given out.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Removes and answers all jobs.
    pub(super) fn drain(&self) -> Vec<Job> {
        self.lock().jobs.drain(..).collect()
    }

    /// How many notifications made room for others.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
