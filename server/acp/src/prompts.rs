//! The prompts that wait for their answer.
//!
//! A prompt is entered while its request is read, before anything is done about it, and a cancellation is carried out
//! while its notification is read: so a cancellation reaches exactly the prompts that came before it, however long these
//! take to be accepted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent_client_protocol_schema::v1::RequestId;
use kit_protocol::{SessionId, TurnId};

/// A prompt that is not answered yet.
#[derive(Clone, Debug)]
struct Waiting {
    id: RequestId,
    session: SessionId,
    cancelled: bool,
}

/// All prompts that are not answered yet, by the turn that they begin.
#[derive(Default)]
pub(crate) struct Prompts {
    waiting: Mutex<HashMap<TurnId, Waiting>>,
}

impl Prompts {
    /// Enters a prompt and names its turn.
    pub(crate) fn enter(&self, id: RequestId, session: SessionId) -> TurnId {
        let turn = TurnId::random();
        self.lock().insert(turn.clone(), Waiting { id, session, cancelled: false });
        turn
    }

    /// Marks the session's prompts as cancelled; these turns are to be cancelled now, as far as they exist.
    pub(crate) fn cancel(&self, session: &SessionId) -> Vec<TurnId> {
        self.mark(|waiting| waiting.session == *session)
    }

    /// The same for the prompt of one request.
    pub(crate) fn cancel_request(&self, id: &RequestId) -> Vec<TurnId> {
        self.mark(|waiting| waiting.id == *id)
    }

    fn mark(&self, is_meant: impl Fn(&Waiting) -> bool) -> Vec<TurnId> {
        let mut waiting = self.lock();
        let meant = waiting.iter_mut().filter(|(_, waiting)| is_meant(waiting));
        meant
            .map(|(turn, waiting)| {
                waiting.cancelled = true;
                turn.clone()
            })
            .collect()
    }

    /// Whether a prompt was cancelled before its turn was accepted.
    pub(crate) fn is_cancelled(&self, turn: &TurnId) -> bool {
        self.lock().get(turn).is_some_and(|waiting| waiting.cancelled)
    }

    /// Whether a turn answers a prompt of the client.
    pub(crate) fn has(&self, turn: &TurnId) -> bool {
        self.lock().contains_key(turn)
    }

    /// The request that the end of a turn answers. Each prompt is answered once.
    pub(crate) fn finish(&self, turn: &TurnId) -> Option<RequestId> {
        self.lock().remove(turn).map(|waiting| waiting.id)
    }

    /// The requests of a session that will see no end of a turn any more.
    pub(crate) fn finish_all(&self, session: &SessionId) -> Vec<RequestId> {
        let mut waiting = self.lock();
        waiting.extract_if(|_, waiting| waiting.session == *session).map(|(_, left)| left.id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TurnId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_reaches_the_prompts_before_it_and_no_other() {
        let prompts = Prompts::default();
        let one = prompts.enter(RequestId::Number(1), "a".into());
        let other = prompts.enter(RequestId::Number(2), "b".into());
        assert_eq!(prompts.cancel(&"a".into()), std::slice::from_ref(&one));
        let later = prompts.enter(RequestId::Number(3), "a".into());
        let cancelled = [&one, &other, &later].map(|turn| prompts.is_cancelled(turn));
        assert_eq!(cancelled, [true, false, false]);
        assert_eq!(prompts.cancel_request(&RequestId::Number(2)), std::slice::from_ref(&other));
        assert_eq!(prompts.finish(&other), Some(RequestId::Number(2)));
        assert_eq!((prompts.finish(&other), prompts.has(&later)), (None, true));
    }
}
