//! The calls of a guest that somebody waits for.
//!
//! They are kept outside of the store's future: a crash drops everything in there, and the waiting are still to be told
//! why.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::fault::Fault;

/// What a call is answered.
pub(super) type Answer = Result<String, Fault>;

/// The calls of a guest that somebody waits for.
#[derive(Default)]
pub(super) struct Calls {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
}

/// A call that is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallId(Option<u64>);

impl CallId {
    /// Whether somebody waits for its answer.
    pub(super) fn is_awaited(self) -> bool {
        self.0.is_some()
    }
}

impl Calls {
    /// Keeps the one who waits for a call, if anybody does.
    pub(super) fn begin(&self, waiting: Option<oneshot::Sender<Answer>>) -> CallId {
        let Some(waiting) = waiting else { return CallId(None) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, waiting);
        CallId(Some(id))
    }

    /// Answers a call.
    pub(super) fn settle(&self, id: CallId, answer: Answer) {
        let Some(id) = id.0 else { return };
        let waiting = self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&id);
        // Whoever gave up waiting needs no answer.
        if let Some(waiting) = waiting {
            let _gave_up = waiting.send(answer);
        }
    }

    /// Answers all calls with the same fault.
    pub(super) fn fail_all(&self, fault: &Fault) {
        let waiting = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting);
        // Nobody sees an order here: each has its own receiver.
        #[allow(clippy::iter_over_hash_type)]
        for waiting in waiting.into_values() {
            let _gave_up = waiting.send(Err(fault.clone()));
        }
    }
}
