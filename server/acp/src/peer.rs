//! The client at the other end: everything on its way to it, and the requests that it has not answered yet.
//!
//! There is one queue, so that the order in which things are said is the order in which the client reads them: a tool
//! call before the question about it, every update of a turn before the answer of its prompt. What waits is bounded: the
//! handlers answer one request at a time, and when more than [`EVENT_LIMIT`] events wait, deltas that follow each other
//! are joined and output of running tools is left out, which their results tell as a whole.
//!
//! A request of ours lives as long as its future; whoever drops it withdraws it, and a late answer is ignored.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_client_protocol_schema::v1::{
    CancelRequestNotification, ClientCapabilities, Error, NoticeSeverity, RequestId, SessionNotification,
    SessionUpdate,
};
use kit_protocol::{Event, EventBody, SessionId, TranscriptAnswer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::application::Workplace;
use crate::error::to_value;

const EVENT_LIMIT: usize = 8192;

/// One thing to say, or to say from then on.
pub(crate) enum Outgoing {
    /// A message as it is.
    Message(Value),
    /// Something that happened in a session.
    Event(Box<Event>),
    /// The client wants to hear of a session from now on, which works in `cwd` and may have a title already.
    Follow { session: SessionId, place: Arc<dyn Workplace>, cwd: PathBuf, told: Told, titled: bool },
    /// What a session that is followed told before, and with which event it goes on.
    Replay { session: SessionId, transcript: TranscriptAnswer },
    /// How full the context of a session is and what it cost.
    Usage(SessionId),
    /// Something to be known beside the conversation.
    Say { session: SessionId, severity: NoticeSeverity, sentence: String },
    /// The client no longer wants to hear of a session.
    Forget(SessionId),
    /// Nothing comes any more.
    End,
}

/// How much a client knows of a session that it begins to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// All there is.
    Everything,
    /// It waits for a [`Outgoing::Replay`].
    Nothing,
}

/// The client.
#[derive(Default)]
pub(crate) struct Peer {
    outbox: Mutex<VecDeque<Outgoing>>,
    wake: Notify,
    asked: Mutex<HashMap<i64, oneshot::Sender<Result<Value, Error>>>>,
    last: AtomicI64,
    capabilities: Mutex<ClientCapabilities>,
    /// Sessions of subagents and the sessions in whose streams they are told.
    parents: Mutex<HashMap<SessionId, SessionId>>,
}

/// Why a request of ours has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The client refused it.
    Refused(Error),
    /// It took too long, or the connection ended.
    Silent,
    /// The caller no longer wants it.
    Withdrawn,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => formatter.write_str(&error.message),
            Self::Silent => formatter.write_str("the client does not answer"),
            Self::Withdrawn => formatter.write_str("it is no longer wanted"),
        }
    }
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// As long as the user takes.
    Endless,
    /// So long.
    Until(Duration),
}

impl Peer {
    /// Puts something behind everything that waits.
    pub(crate) fn send(&self, outgoing: Outgoing) {
        {
            let mut outbox = lock(&self.outbox);
            if let Outgoing::Event(event) = outgoing {
                if outbox.len() > EVENT_LIMIT {
                    squeeze(&mut outbox, event);
                } else {
                    outbox.push_back(Outgoing::Event(event));
                }
            } else {
                outbox.push_back(outgoing);
            }
        }
        self.wake.notify_one();
    }

    /// An event of a session's stream.
    pub(crate) fn event(&self, event: Event) {
        if let Some(agent) = &event.agent {
            lock(&self.parents).insert(SessionId::new(agent.id.as_str()), event.session.clone());
        }
        self.send(Outgoing::Event(Box::new(event)));
    }

    /// The session that the client knows, for one of it or of a subagent of it.
    pub(crate) fn known_session(&self, session: &SessionId) -> SessionId {
        lock(&self.parents).get(session).unwrap_or(session).clone()
    }

    /// One update of a session.
    pub(crate) fn update(&self, session: &SessionId, update: SessionUpdate) {
        self.send(Outgoing::Message(update_message(session, update)));
    }

    /// Answers a request.
    pub(crate) fn answer<T: Serialize>(&self, id: &RequestId, outcome: Result<T, Error>) {
        self.send(Outgoing::Message(answer_message(id, outcome.map(|answer| to_value(&answer)))));
    }

    /// Asks the client and waits for its answer.
    pub(crate) async fn request<P: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        params: &P,
        patience: Patience,
        cancel: &CancellationToken,
    ) -> Result<R, Unanswered> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = oneshot::channel();
        lock(&self.asked).insert(id, answer);
        // Withdraws the request however this ends.
        let pending = Pending { peer: self, id };
        let params = to_value(params);
        self.send(Outgoing::Message(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})));
        let deadline = async {
            match patience {
                Patience::Endless => std::future::pending().await,
                Patience::Until(duration) => tokio::time::sleep(duration).await,
            }
        };
        tokio::select! {
            biased;
            answered = answered => match answered {
                Ok(Ok(value)) => serde_json::from_value(value).map_err(|error| {
                    tracing::warn!(method, %error, "the client's answer is not understood");
                    Unanswered::Silent
                }),
                Ok(Err(error)) => Err(Unanswered::Refused(error)),
                Err(_closed) => Err(Unanswered::Silent),
            },
            () = cancel.cancelled() => {
                pending.withdraw();
                Err(Unanswered::Withdrawn)
            }
            () = deadline => {
                tracing::warn!(method, "the client does not answer");
                pending.withdraw();
                Err(Unanswered::Silent)
            }
        }
    }

    /// The client answered a request of ours.
    pub(crate) fn answered(&self, id: i64, outcome: Result<Value, Error>) {
        match lock(&self.asked).remove(&id) {
            // Nobody waits any more when the asker went away in this moment.
            Some(answer) => drop(answer.send(outcome)),
            None => tracing::debug!(id, "an answer that nobody waits for"),
        }
    }

    /// What the client can do.
    pub(crate) fn capabilities(&self) -> ClientCapabilities {
        lock(&self.capabilities).clone()
    }

    /// The client said what it can do.
    pub(crate) fn set_capabilities(&self, capabilities: ClientCapabilities) {
        *lock(&self.capabilities) = capabilities;
    }

    /// The next thing to say, once there is one.
    pub(crate) async fn next(&self) -> Outgoing {
        loop {
            let arrived = self.wake.notified();
            if let Some(outgoing) = self.try_next() {
                return outgoing;
            }
            arrived.await;
        }
    }

    /// The next thing to say, if there is one.
    pub(crate) fn try_next(&self) -> Option<Outgoing> {
        lock(&self.outbox).pop_front()
    }
}

struct Pending<'a> {
    peer: &'a Peer,
    id: i64,
}

impl Pending<'_> {
    fn withdraw(&self) {
        let params = to_value(&CancelRequestNotification::new(self.id));
        let message = json!({"jsonrpc": "2.0", "method": "$/cancel_request", "params": params});
        self.peer.send(Outgoing::Message(message));
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        lock(&self.peer.asked).remove(&self.id);
    }
}

/// The message of one update.
pub(crate) fn update_message(session: &SessionId, update: SessionUpdate) -> Value {
    let params = to_value(&SessionNotification::new(session.as_str().to_owned(), update));
    json!({"jsonrpc": "2.0", "method": "session/update", "params": params})
}

/// The message of one answer.
pub(crate) fn answer_message(id: &RequestId, outcome: Result<Value, Error>) -> Value {
    match outcome {
        // Some clients do not take `null` for an answer without content.
        Ok(Value::Null) => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
    }
}

/// Adds an event to a queue that is too long: deltas are joined to the one before of the same session, output is left out.
fn squeeze(outbox: &mut VecDeque<Outgoing>, event: Box<Event>) {
    if matches!(event.body, EventBody::ToolOutput { .. }) {
        return;
    }
    if let Some(Outgoing::Event(last)) = outbox.back_mut()
        && last.session == event.session
        && last.agent == event.agent
    {
        match (&mut last.body, &event.body) {
            (EventBody::MessageUpdate { chunk }, EventBody::MessageUpdate { chunk: more })
            | (EventBody::ReasoningDelta { delta: chunk }, EventBody::ReasoningDelta { delta: more }) => {
                chunk.push_str(more);
                last.seq = event.seq;
                return;
            }
            (_, _) => {}
        }
    }
    outbox.push_back(Outgoing::Event(event));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, body: EventBody) -> Event {
        Event { session: "s".into(), turn: None, seq, at: 0, agent: None, body }
    }

    #[test]
    fn a_client_that_does_not_read_costs_joined_text_and_no_output() {
        let peer = Peer::default();
        for _ in 0..=EVENT_LIMIT {
            peer.event(event(1, EventBody::MessageStart {}));
        }
        let output = EventBody::ToolOutput {
            tool_call_id: "c".into(),
            tool_name: "bash".into(),
            chunk: "x".into(),
            is_stderr: false,
        };
        for seq in 0..100 {
            peer.event(event(seq, EventBody::MessageUpdate { chunk: "a".into() }));
            peer.event(event(seq, output.clone()));
        }
        let mut outbox = lock(&peer.outbox);
        assert_eq!(outbox.len(), EVENT_LIMIT + 2);
        let Some(Outgoing::Event(last)) = outbox.pop_back() else { panic!("no event") };
        assert_eq!(last.body, EventBody::MessageUpdate { chunk: "a".repeat(100) });
        assert_eq!(last.seq, 99);
    }

    #[tokio::test]
    async fn a_request_is_answered_refused_withdrawn_or_given_up() {
        let peer = Peer::default();
        let never = CancellationToken::new();
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let asking = async |patience, cancel: &CancellationToken| {
            peer.request::<_, u8>("m", &json!({}), patience, cancel).await
        };
        let (first, ()) = futures::join!(asking(Patience::Endless, &never), async {
            peer.answered(1, Ok(json!(7)));
        });
        assert!(matches!(first, Ok(7)), "{first:?}");
        let (second, ()) = futures::join!(asking(Patience::Endless, &never), async {
            peer.answered(2, Err(Error::method_not_found()));
        });
        assert!(matches!(second, Err(Unanswered::Refused(_))), "{second:?}");
        let third = asking(Patience::Endless, &cancelled).await;
        assert!(matches!(third, Err(Unanswered::Withdrawn)), "{third:?}");
        let fourth = asking(Patience::Until(Duration::ZERO), &never).await;
        assert!(matches!(fourth, Err(Unanswered::Silent)), "{fourth:?}");
        peer.answered(4, Ok(json!(7)));
        assert!(lock(&peer.asked).is_empty());
        let mut methods = Vec::new();
        while let Some(outgoing) = peer.try_next() {
            let Outgoing::Message(message) = outgoing else { panic!("a message") };
            methods.push(message["method"].as_str().unwrap().to_owned());
        }
        assert_eq!(methods, ["m", "m", "m", "$/cancel_request", "m", "$/cancel_request"]);
    }
}
