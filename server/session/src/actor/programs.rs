//! What programs ask of a session beside prompts: extensions and embedders.

use std::sync::Arc;

use kit_protocol::ContextUsage;

use super::Actor;
use crate::op::View;
use crate::sessions::look::SessionView;

impl Actor {
    /// How the session is, and its tree as it is now.
    pub(super) fn view(&self) -> View {
        let size = self.meter.size();
        let facts = SessionView {
            session: self.session.clone(),
            path: self.journal.path().to_owned(),
            cwd: self.cwd.clone(),
            name: self.name.clone(),
            mode: self.mode,
            model: self.model.clone(),
            thinking: self.thinking,
            running: self.running.as_ref().map(|running| running.machine.turn().clone()),
            waiting: self.queue.len(),
            context: ContextUsage {
                used: size.tokens,
                window: self.context_window,
                estimated: size.estimated,
            },
        };
        View { history: Arc::clone(self.journal.history()), facts }
    }
}
