//! What extensions may ask about a session and get at once: where it works, its model, how full its context is.
//!
//! Sessions answer such questions in their own time, so what they said last is kept here. It is asked for when a session
//! is first heard of, and again before an event that changes it is told on; who handles that event sees what it means.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kit_contract::ContextStats;
use kit_protocol::{EventBody, SessionId};

use crate::convert::word;
use crate::extensions::Extensions;

/// What is known about a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Its folder.
    pub(crate) cwd: PathBuf,
    /// Its model, `provider/name`; empty while it has none.
    pub(crate) model: String,
    /// Its thinking level.
    pub(crate) thinking: String,
    /// How full its context is.
    pub(crate) context: ContextStats,
}

/// What is known about all sessions that were heard of.
#[derive(Default)]
pub(crate) struct AllFacts(Mutex<HashMap<SessionId, Facts>>);

impl AllFacts {
    pub(crate) fn get(&self, session: &SessionId) -> Option<Facts> {
        self.lock().get(session).cloned()
    }

    /// The session was closed.
    pub(crate) fn forget(&self, session: &SessionId) {
        self.lock().remove(session);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Facts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an event means that what is known about its session is out of date.
pub(crate) fn changes_facts(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::TurnStart { .. }
            | EventBody::StepUsage(_)
            | EventBody::Compaction { .. }
            | EventBody::ModelChange { .. }
            | EventBody::ThinkingChange { .. }
            | EventBody::TurnEnd { .. }
    )
}

impl Extensions {
    /// What is known about a session, or the current one.
    pub(crate) fn known(&self, session: Option<&SessionId>) -> Option<Facts> {
        let session = session.cloned().or_else(|| self.current_session())?;
        self.facts().get(&session)
    }

    /// Asks a session how it is. Answers its file, if it could be asked.
    pub(crate) async fn refresh(&self, session: &SessionId) -> Option<PathBuf> {
        let stats = self.sessions().ok()?.context_stats(session).await.ok()?;
        let (view, used) = (stats.view, stats.context);
        let share = if used.window == 0 { 0.0 } else { used.used as f64 / used.window as f64 };
        let facts = Facts {
            cwd: view.cwd,
            model: view.model.map(|model| model.to_string()).unwrap_or_default(),
            thinking: word(&view.thinking),
            context: ContextStats {
                estimated_tokens: used.used,
                context_limit: used.window,
                usage_percent: share,
                message_count: u64::try_from(stats.messages).unwrap_or(u64::MAX),
            },
        };
        self.facts().lock().insert(session.clone(), facts);
        Some(view.path)
    }
}
