//! Counts what waits for the user, so that the status can say so.
//!
//! The editor port is wrapped: a permission request or a question is counted from when it is asked until its future is
//! answered or dropped. The wrapper is made before the workspace, whose editor it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{
    AgentId, AskAnswer, AskRequest, FileDiagnostics, PermissionAnswer, PermissionRequest, SessionId,
    StatusPending,
};
use kit_workspace::{ApplyAnswer, DocumentEdit, DocumentUri, Editor, FilePut, Shown};
use tokio_util::sync::CancellationToken;

use crate::board::Board;

/// What waits for the user right now.
#[derive(Default)]
pub struct Attention {
    waiting: Mutex<Waiting>,
    board: OnceLock<Weak<Board>>,
}

#[derive(Default)]
struct Waiting {
    permissions: HashMap<(SessionId, AgentId), u32>,
    questions: u32,
}

impl Attention {
    /// Nothing waits.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// An editor whose questions are counted; give it to the workspace.
    pub fn watch(self: &Arc<Self>, editor: Arc<dyn Editor>) -> Arc<dyn Editor> {
        Arc::new(Watched { editor, attention: Arc::clone(self) })
    }

    /// Where changes are shown.
    pub(crate) fn attach(&self, board: &Arc<Board>) {
        // A second board would show the same; the first one stays.
        let _already = self.board.set(Arc::downgrade(board));
    }

    /// How much waits.
    pub(crate) fn pending(&self) -> StatusPending {
        let waiting = self.lock();
        StatusPending { permissions: waiting.permissions.values().sum(), questions: waiting.questions }
    }

    /// Whether a permission request of the session waits.
    pub(crate) fn waits_for(&self, session: &SessionId) -> bool {
        self.lock().permissions.keys().any(|(of, _)| of == session)
    }

    /// Whether a permission request of the agent waits.
    pub(crate) fn waits_for_agent(&self, agent: &AgentId) -> bool {
        self.lock().permissions.keys().any(|(_, of)| of == agent)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.lock());
        if let Some(board) = self.board.get().and_then(Weak::upgrade) {
            board.refresh();
        }
    }
}

/// Counts one request as waiting until it is dropped.
struct Counted<'a> {
    attention: &'a Attention,
    /// Who asks for permission; `None` for a question.
    asks: Option<(SessionId, AgentId)>,
}

impl<'a> Counted<'a> {
    fn begin(attention: &'a Attention, asks: Option<(SessionId, AgentId)>) -> Self {
        attention.change(|waiting| match &asks {
            Some(asks) => *waiting.permissions.entry(asks.clone()).or_default() += 1,
            None => waiting.questions += 1,
        });
        Self { attention, asks }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.attention.change(|waiting| match &self.asks {
            Some(asks) => {
                if let Some(count) = waiting.permissions.get_mut(asks) {
                    *count = count.saturating_sub(1);
                }
                waiting.permissions.retain(|_, count| *count > 0);
            }
            None => waiting.questions = waiting.questions.saturating_sub(1),
        });
    }
}

struct Watched {
    editor: Arc<dyn Editor>,
    attention: Arc<Attention>,
}

impl Editor for Watched {
    fn shown<'a>(&'a self, uri: &'a DocumentUri) -> BoxFuture<'a, Shown> {
        self.editor.shown(uri)
    }

    fn put(&self, put: FilePut) -> BoxFuture<'_, Option<ApplyAnswer>> {
        self.editor.put(put)
    }

    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        self.editor.apply(edit)
    }

    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        self.editor.save(uris)
    }

    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        async move {
            let asks = (request.session.clone(), request.agent.id.clone());
            let _counted = Counted::begin(&self.attention, Some(asks));
            self.editor.permission(request, cancel).await
        }
        .boxed()
    }

    fn ask(&self, request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        async move {
            let _counted = Counted::begin(&self.attention, None);
            self.editor.ask(request, cancel).await
        }
        .boxed()
    }

    fn has_diagnostics(&self) -> bool {
        self.editor.has_diagnostics()
    }

    fn diagnostics(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        self.editor.diagnostics(uris)
    }
}

#[cfg(test)]
mod tests {
    use kit_protocol::{AgentRef, PermissionSubject, QuestionId, RunState, ToolKind};
    use tokio::sync::Notify;

    use super::*;
    use crate::board::Pulse;
    use crate::sink::Sink;

    struct Nobody;

    impl Sink for Nobody {
        fn event(&self, _event: kit_protocol::Event) {}
        fn status(&self, _status: kit_protocol::Status) {}
        fn review(&self, _state: kit_protocol::ReviewState) {}
    }

    /// Answers a permission request when it is told to.
    struct Slow(Notify);

    impl Editor for Slow {
        fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
            let refused = ApplyAnswer { applied: false, reason: Some(edit.label) };
            std::future::ready(refused).boxed()
        }

        fn save(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
            std::future::ready(Vec::new()).boxed()
        }

        fn permission(
            &self,
            _request: PermissionRequest,
            _cancel: CancellationToken,
        ) -> BoxFuture<'_, Option<PermissionAnswer>> {
            async move {
                self.0.notified().await;
                None
            }
            .boxed()
        }

        fn ask(&self, _request: AskRequest, _cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
            std::future::ready(AskAnswer::default()).boxed()
        }

        fn diagnostics(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
            std::future::ready(Vec::new()).boxed()
        }
    }

    #[tokio::test]
    async fn a_session_waits_as_long_as_its_request_does() {
        let attention = Attention::new();
        let board = Board::new(Arc::new(Nobody), Arc::clone(&attention));
        let session = SessionId::from("s");
        let running = Pulse { state: RunState::Running, turn: Some("t".into()), ..Pulse::default() };
        board.post(&session, running);
        let slow = Arc::new(Slow(Notify::new()));
        let editor = attention.watch(slow.clone());
        let request = PermissionRequest {
            id: QuestionId::random(),
            session,
            agent: AgentRef::main(),
            tool_call_id: None,
            title: String::new(),
            tool_kind: ToolKind::Execute,
            subject: PermissionSubject::default(),
            options: Vec::new(),
            why: None,
        };
        let state = || (board.status().state, board.status().pending.permissions);
        let mut asked = editor.permission(request.clone(), CancellationToken::new());
        assert_eq!((futures::poll!(&mut asked).is_pending(), state()), (true, (RunState::Waiting, 1)));
        slow.0.notify_one();
        assert_eq!((asked.await, state()), (None, (RunState::Running, 0)));
        let mut dropped = editor.permission(request, CancellationToken::new());
        assert!(futures::poll!(&mut dropped).is_pending());
        assert_eq!(state(), (RunState::Waiting, 1));
        drop(dropped);
        assert_eq!(state(), (RunState::Running, 0));
    }
}
