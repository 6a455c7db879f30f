//! An open folder as the sessions see the client: where their events go, and which session of it is in use.

use std::sync::{Arc, Mutex, PoisonError};

use agent_client_protocol_schema::v1::NoticeSeverity;
use kit_protocol::{Event, FileProblem, ReviewState, SessionId, Status, UiSlot, UiUpdate};
use kit_session::Sink;

use crate::peer::Peer;
use crate::pump::say;

/// How much of what an extension prints is shown.
const SHOWN: usize = 2000;

/// The sink of a folder.
pub(crate) struct Folder {
    pub(crate) peer: Arc<Peer>,
    /// The session that was used last; questions and files without a session of their own are asked for in its name.
    current: Mutex<Option<SessionId>>,
}

impl Folder {
    pub(crate) fn new(peer: Arc<Peer>) -> Self {
        Self { peer, current: Mutex::default() }
    }

    /// The session that was used last.
    pub(crate) fn current(&self) -> Option<SessionId> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A session is used.
    pub(crate) fn set_current(&self, session: &SessionId) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
    }
}

impl Sink for Folder {
    fn event(&self, event: Event) {
        self.peer.event(event);
    }

    /// Usage and modes are told session by session.
    fn status(&self, _status: Status) {}

    /// The protocol has no review; clients that show one make it of the files that are written through them.
    fn review(&self, _state: ReviewState) {}

    fn problems(&self, owner: &'static str, problems: Vec<FileProblem>) {
        for FileProblem { path, line, message } in problems {
            tracing::warn!(owner, path, line, message, "a file is left out");
        }
    }

    fn ui(&self, update: UiUpdate) {
        let severity = match update.style.get("kind").map(String::as_str) {
            Some("error") => NoticeSeverity::Error,
            Some(_) | None => NoticeSeverity::Info,
        };
        match update.slot {
            UiSlot::Print | UiSlot::Block => {
                let text: String = update.text.unwrap_or_default().chars().take(SHOWN).collect();
                if let Some(session) = self.current().filter(|_| !text.trim().is_empty()) {
                    self.peer.send(say(session, severity, text));
                }
            }
            UiSlot::Widget | UiSlot::Header | UiSlot::Footer | UiSlot::Status | UiSlot::Prompt => {}
        }
    }
}
