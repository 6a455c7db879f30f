//! The events of a headless run, in order. A run that prints slower than its agent works keeps what is not printed yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kit_protocol::{Event, ReviewState, Status};
use kit_session::Sink;
use tokio::sync::Notify;

/// Keeps events until they are taken.
#[derive(Default)]
pub(super) struct Feed {
    waiting: Mutex<VecDeque<Event>>,
    arrived: Notify,
}

impl Feed {
    /// The next event.
    pub(super) async fn next(&self) -> Event {
        loop {
            let arrived = self.arrived.notified();
            if let Some(event) = self.lock().pop_front() {
                return event;
            }
            arrived.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Feed {
    fn event(&self, event: Event) {
        self.lock().push_back(event);
        self.arrived.notify_one();
    }

    fn status(&self, _status: Status) {}

    fn review(&self, _state: ReviewState) {}
}
