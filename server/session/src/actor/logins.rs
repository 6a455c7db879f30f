//! What a session says about the login of its model.

use std::sync::Arc;

use kit_protocol::RunState;

use super::Actor;
use crate::board::SIGNED_OUT;

impl Actor {
    /// Says that the model's login is gone, or that it is there again.
    pub(super) fn look_at_logins(&mut self) {
        if self.running.is_some() {
            return;
        }
        let models = Arc::clone(&self.shared.setup_of(&self.cwd).models);
        let is_signed_in = self.model.as_ref().is_none_or(|model| models.is_signed_in(model));
        if !is_signed_in {
            self.state = RunState::SignedOut;
            SIGNED_OUT.clone_into(&mut self.label);
        } else if self.state == RunState::SignedOut {
            self.state = RunState::Idle;
            self.label.clear();
        }
    }
}
