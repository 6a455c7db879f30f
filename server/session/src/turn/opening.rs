//! How a turn that interceptors look at begins: its prompt is known, and what becomes of it is not.

use kit_protocol::{ErrorKind, EventBody, StopReason};

use super::{Effect, Effects, Ending, Machine, State};
use crate::clock::Millis;
use crate::hooks::Injection;

/// What became of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It goes to the model.
    Prompt {
        /// What it says instead, if it was rewritten.
        text: Option<String>,
        /// What is put before it.
        injection: Injection,
    },
    /// It was answered without a model.
    Handled(Option<String>),
}

impl Opening {
    /// As if nobody had looked at it.
    pub(crate) fn untouched() -> Self {
        Self::Prompt { text: None, injection: Injection::default() }
    }
}

/// The events of a text that comes at once; none of an empty one.
pub(crate) fn message(text: &str) -> Vec<EventBody> {
    if text.is_empty() {
        return Vec::new();
    }
    vec![
        EventBody::MessageStart {},
        EventBody::MessageUpdate { chunk: text.to_owned() },
        EventBody::MessageEnd { content: text.to_owned() },
    ]
}

impl Machine {
    /// The turn begins with the interceptors.
    pub(super) fn intercept(&mut self, effects: &mut Effects) {
        effects.push(Effect::Emit(EventBody::TurnStart { prompt: self.plan.prompt.clone() }));
        effects.push(Effect::Intercept);
        self.state = State::Intercepting;
    }

    /// The interceptors are done.
    pub(super) fn open(&mut self, now: Millis, opening: Opening, effects: &mut Effects) {
        match opening {
            Opening::Prompt { .. } => {
                effects.push(Effect::Open(opening));
                self.call_model(effects);
            }
            Opening::Handled(response) => {
                self.response = response.clone().unwrap_or_default();
                effects.push(Effect::Open(Opening::Handled(response)));
                // Clients show messages, so the response is one although no model wrote it.
                effects.extend(message(&self.response).into_iter().map(Effect::Emit));
                self.finish(now, Ending::of(StopReason::EndTurn), effects);
            }
        }
    }

    /// The turn ends before the interceptors did. Its prompt stays in the conversation, as in any cancelled turn.
    pub(super) fn cancel_opening(&mut self, now: Millis, effects: &mut Effects) {
        effects.push(Effect::DropInterceptors);
        effects.push(Effect::Open(Opening::untouched()));
        self.finish(now, Ending::of(StopReason::Cancelled), effects);
    }

    /// The session file cannot be written, so the turn cannot begin.
    pub(super) fn fail_opening(&mut self, now: Millis, message: String, effects: &mut Effects) {
        effects.push(Effect::DropInterceptors);
        self.finish(now, Ending::error(ErrorKind::Unavailable, message), effects);
    }
}
