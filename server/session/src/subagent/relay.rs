//! What subagents do, on its way into the stream of the session that they work for.
//!
//! A subagent's own stream numbers and remembers its events; a copy of each goes here, and the parent's actor tells it
//! under the parent's numbers. Deltas of one subagent that wait side by side are joined. When more than `LIMIT` events
//! wait, further deltas are left out: the event that ends a message or a call holds the whole text.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::{AgentRef, Event, EventBody, TurnId};
use tokio::sync::Notify;

use super::SubagentListener;
use crate::stream;

const LIMIT: usize = 4096;

/// An event of a subagent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Relayed {
    pub(crate) agent: AgentRef,
    /// The turn as the parent's stream has it.
    pub(crate) turn: Option<TurnId>,
    pub(crate) body: EventBody,
}

/// The events that the parent has not told yet.
#[derive(Default)]
pub(crate) struct Relay {
    waiting: Mutex<VecDeque<Relayed>>,
    wake: Notify,
}

impl Relay {
    fn push(&self, relayed: Relayed) {
        {
            let mut waiting = self.lock();
            let Relayed { agent, turn, body } = relayed;
            let last = waiting.back_mut().filter(|last| last.agent.id == agent.id && last.turn == turn);
            let body = match last {
                Some(last) => stream::join(&mut last.body, body),
                None => Some(body),
            };
            let Some(body) = body else { return };
            if waiting.len() >= LIMIT && body.delta().is_some() {
                return;
            }
            waiting.push_back(Relayed { agent, turn, body });
        }
        self.wake.notify_one();
    }

    /// Waits until there is something to tell.
    pub(crate) async fn ready(&self) {
        while self.lock().is_empty() {
            self.wake.notified().await;
        }
    }

    /// The events in order.
    pub(crate) fn take(&self) -> VecDeque<Relayed> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Relayed>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a subagent's stream sends its events while it works.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) relay: Arc<Relay>,
    pub(crate) agent: AgentRef,
    /// The parent's turn that waits for it.
    pub(crate) turn: Option<TurnId>,
    pub(crate) listener: Option<SubagentListener>,
}

impl Channel {
    /// Passes an event on. Beginning and end name the subagent's own turn, so that they cannot be taken for the parent's.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
        let own = matches!(event.body, EventBody::TurnStart { .. } | EventBody::TurnEnd { .. });
        let turn = self.turn.clone().filter(|_| !own).or_else(|| event.turn.clone());
        self.relay.push(Relayed { agent: self.agent.clone(), turn, body: event.body.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(relay: &Arc<Relay>, id: &str) -> Channel {
        let agent = AgentRef { id: kit_protocol::AgentId::new(id), ..AgentRef::main() };
        Channel { relay: Arc::clone(relay), agent, turn: Some("parent".into()), listener: None }
    }

    fn event(body: EventBody) -> Event {
        Event { session: "child".into(), turn: Some("own".into()), seq: 1, at: 0, agent: None, body }
    }

    fn text(chunk: &str) -> Event {
        event(EventBody::MessageUpdate { chunk: chunk.into() })
    }

    fn told(relay: &Relay) -> Vec<(String, String, String)> {
        let text = |body: &EventBody| {
            let fields = serde_json::to_value(body).unwrap();
            fields.get("chunk").unwrap_or(&fields["type"]).as_str().unwrap().to_owned()
        };
        let turn = |turn: &Option<TurnId>| turn.as_ref().map_or(String::new(), ToString::to_string);
        let waiting = relay.take();
        waiting.iter().map(|one| (one.agent.id.to_string(), turn(&one.turn), text(&one.body))).collect()
    }

    #[test]
    fn only_beginning_and_end_name_the_turn_of_the_subagent() {
        let relay = Arc::new(Relay::default());
        let one = channel(&relay, "a");
        one.tell(&event(EventBody::TurnStart { prompt: "go".into() }));
        one.tell(&event(EventBody::MessageStart {}));
        let expected = [("a", "own", "turn_start"), ("a", "parent", "message_start")];
        assert_eq!(told(&relay), expected.map(|(id, turn, text)| (id.into(), turn.into(), text.into())));
    }

    #[test]
    fn deltas_of_one_subagent_are_joined_and_too_many_are_left_out() {
        let relay = Arc::new(Relay::default());
        let (one, other) = (channel(&relay, "a"), channel(&relay, "b"));
        one.tell(&text("1"));
        one.tell(&text("2"));
        other.tell(&text("x"));
        one.tell(&text("3"));
        let texts: Vec<String> = told(&relay).into_iter().map(|(.., text)| text).collect();
        assert_eq!(texts, ["12", "x", "3"]);
        for _ in 0..LIMIT {
            one.tell(&text("1"));
            other.tell(&text("2"));
        }
        one.tell(&event(EventBody::MessageEnd { content: "1".into() }));
        let told = told(&relay);
        assert_eq!(
            (told.len(), told.last().map(|(.., text)| text.as_str())),
            (LIMIT + 1, Some("message_end"))
        );
    }
}
