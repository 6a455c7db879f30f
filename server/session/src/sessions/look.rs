//! What programs learn about a session: how it is, and what it says. Entries are read outside of the session, from the
//! tree as it was when it was asked, so that a long read holds up no turn.

use std::path::PathBuf;

use kit_protocol::{
    ContextUsage, EntryId, ErrorKind, KitError, Mode, ModelId, ModelInfo, SessionId, ThinkingLevel, TurnId,
};

use super::{Sessions, blocking};
use crate::entries::{self, ExtensionEntry, SessionEntry};
use crate::history::{EntryIndex, History, RecordKind};
use crate::op::{Op, View};

/// How a session is right now.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionView {
    /// The session.
    pub session: SessionId,
    /// Its file, which appears with its first entry.
    pub path: PathBuf,
    /// The directory it works in.
    pub cwd: PathBuf,
    /// Its name.
    pub name: Option<String>,
    /// What may happen.
    pub mode: Mode,
    /// Its model, once there is one.
    pub model: Option<ModelId>,
    /// How much the model reasons.
    pub thinking: ThinkingLevel,
    /// The running turn.
    pub running: Option<TurnId>,
    /// How many prompts wait.
    pub waiting: usize,
    /// How full the context is.
    pub context: ContextUsage,
}

impl SessionView {
    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting == 0
    }
}

/// How full a session's context is.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextStats {
    /// The session.
    pub view: SessionView,
    /// Tokens, as far as a model told or as an estimate.
    pub context: ContextUsage,
    /// Messages of the current branch.
    pub messages: usize,
}

impl Sessions {
    /// How the session is.
    pub async fn view(&self, session: &SessionId) -> Result<SessionView, KitError> {
        Ok(self.ask(session, Op::View).await?.facts)
    }

    /// The current session: the one that the user is in.
    pub fn current(&self) -> Option<SessionId> {
        self.shared.board.current()
    }

    /// The entries of the current branch from the root to the leaf.
    pub async fn branch_entries(&self, session: &SessionId) -> Result<Vec<SessionEntry>, KitError> {
        self.read(session, entries::current).await
    }

    /// The messages of the current branch, each as one text.
    pub async fn messages(&self, session: &SessionId) -> Result<Vec<SessionEntry>, KitError> {
        self.read(session, messages).await
    }

    /// One entry of the tree, on whatever branch; its children lead on.
    pub async fn entry(&self, session: &SessionId, entry: &EntryId) -> Result<SessionEntry, KitError> {
        let wanted = entry.clone();
        let found = self.read(session, move |history| history.find(&wanted).into_iter().collect()).await?;
        found.into_iter().next().ok_or_else(|| no_entry(entry))
    }

    /// What extensions keep on the current branch, of one kind or of all.
    pub async fn entries(
        &self,
        session: &SessionId,
        kind: Option<&str>,
    ) -> Result<Vec<ExtensionEntry>, KitError> {
        let View { history, facts } = self.ask(session, Op::View).await?;
        let kind = kind.map(str::to_owned);
        let read = blocking(move || entries::of_extensions(&history, &facts.path, kind.as_deref())).await?;
        Ok(read?)
    }

    /// How full the context is.
    pub async fn context_stats(&self, session: &SessionId) -> Result<ContextStats, KitError> {
        let View { history, facts } = self.ask(session, Op::View).await?;
        Ok(ContextStats { context: facts.context, messages: messages(&history).len(), view: facts })
    }

    /// What is known about a model, prices included; without an id, about the one that new sessions use.
    pub async fn model_info(&self, model: Option<&ModelId>) -> Result<ModelInfo, KitError> {
        let models = std::sync::Arc::clone(&self.shared.setup().models);
        let model = match model {
            Some(model) => model.clone(),
            None => models.default_model().await,
        };
        let resolved = models.resolve(&model).map_err(crate::actor::from_model)?;
        Ok(resolved.info().clone())
    }

    pub(super) async fn read(
        &self,
        session: &SessionId,
        wanted: impl FnOnce(&History) -> Vec<EntryIndex> + Send + 'static,
    ) -> Result<Vec<SessionEntry>, KitError> {
        let View { history, facts } = self.ask(session, Op::View).await?;
        Ok(blocking(move || entries::read(&history, &facts.path, &wanted(&history))).await??)
    }
}

pub(super) fn no_entry(entry: &EntryId) -> KitError {
    KitError::new(ErrorKind::NotFound, format!("the session has no entry {entry}"))
}

/// The messages of the current branch.
fn messages(history: &History) -> Vec<EntryIndex> {
    let is_message = |index: &EntryIndex| {
        history.get(*index).is_some_and(|record| matches!(record.kind, RecordKind::Message(_)))
    };
    entries::current(history).into_iter().filter(is_message).collect()
}
