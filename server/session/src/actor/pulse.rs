//! What a session says about itself: who it is, what it used, how it is right now.

use std::sync::Arc;

use kit_protocol::{ContextUsage, RunState, SessionAnswer, StatusPlan, UsageAnswer};

use super::Actor;
use crate::board::Pulse;
use crate::budget::Level;
use crate::op::{Answer, reply};

impl Actor {
    /// Id, file and name.
    pub(super) fn describe(&self) -> SessionAnswer {
        SessionAnswer {
            session: self.session.clone(),
            path: Some(self.journal.path().to_string_lossy().into_owned()),
            name: self.name.clone(),
        }
    }

    /// Answers what was used.
    pub(super) fn tell_usage(&self, answer: Answer<UsageAnswer>) {
        let shared = Arc::clone(&self.shared);
        let (turn, session) = (self.usage.turn.clone(), Some(self.usage.session.clone()));
        let (size, window, calls) = (self.meter.size(), self.context_window, self.usage.calls.clone());
        let context = (size.tokens > 0).then_some(ContextUsage {
            used: size.tokens,
            window,
            estimated: size.estimated,
        });
        // Reading what other processes spent takes a moment that the session need not wait for.
        tokio::spawn(async move {
            let today = shared.today().await;
            reply(answer, Ok(UsageAnswer { turn, session, today, context, calls }));
        });
    }

    /// Posts how the session is.
    pub(super) fn post(&self) {
        let running = self.running.as_ref();
        let pulse = Pulse {
            state: if running.is_some_and(|running| running.asking.is_some()) {
                RunState::Waiting
            } else if running.is_some() || self.summarizing.is_some() {
                RunState::Running
            } else {
                self.state
            },
            label: self.label.clone(),
            turn: running.map(|running| running.machine.turn().clone()),
            queued: self.queue.iter().map(|waiting| waiting.turn.clone()).collect(),
            model: self.model.clone(),
            context_window: self.context_window,
            mode: self.mode,
            context: self.meter.size(),
            summarizing: self.summarizing.is_some(),
            budget: self
                .purses()
                .fullest(self.shared.setup_of(&self.cwd).settings.budget.into())
                .map(Level::to_status),
            plan: StatusPlan::of(&self.plan),
            turn_usage: self.usage.turn.clone().unwrap_or_default(),
            session_usage: self.usage.session.clone(),
        };
        self.shared.board.post(&self.session, pulse);
    }
}
