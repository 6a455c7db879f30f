//! Asks for trust beside the request that first uses the agent in a root.

use std::sync::Arc;

use crate::shared::{Running, Shared};

/// Asks what is to be asked; owned by nobody because it ends with the questions.
pub(crate) fn ask(shared: &Arc<Shared>, running: &Running) {
    let (shared, running) = (Arc::clone(shared), running.clone());
    tokio::spawn(async move {
        running.sessions.ask_for_trust(|trust| shared.application.trust(&running, trust)).await;
    });
}
