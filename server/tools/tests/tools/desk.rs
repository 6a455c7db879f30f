//! A workspace on disk, an editor that really applies edits, and answers to questions.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{
    AgentRef, AskAnswer, AskRequest, FileDiagnostics, Mode, PermissionAnswer, PermissionRequest, SessionId,
    ToolCallId, TurnId,
};
use kit_text::{Encoding, Text};
use kit_tools::{AnyTool, Policy, Registry, RuleLayer, ToolContext, ToolOutput, ToolSettings, run_call};
use kit_workspace::{
    ApplyAnswer, Change, ChangeObserver, ContentChange, DocumentEdit, DocumentUri, Documents, Editor, Paths,
    Root, Workspace,
};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Pieces of output that are kept for a test to look at.
const CHUNKS: usize = 65_536;

/// What the user does with a question.
pub(crate) enum Answer {
    /// Chooses an option.
    Option(&'static str),
    /// Chooses an option and says something.
    Feedback(&'static str, &'static str),
    /// Leaves it unanswered until it is withdrawn.
    Nothing,
    /// Does something first and then chooses an option.
    After(Box<dyn FnOnce() + Send>, &'static str),
}

#[derive(Default)]
pub(crate) struct FakeEditor {
    documents: OnceLock<Arc<Documents>>,
    pub(crate) refuses: Mutex<Option<String>>,
    pub(crate) types_first: Mutex<Option<(DocumentUri, String)>>,
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    pub(crate) questions: Mutex<Vec<PermissionRequest>>,
    pub(crate) labels: Mutex<Vec<String>>,
}

impl FakeEditor {
    fn documents(&self) -> &Documents {
        self.documents.get().unwrap()
    }

    fn set(&self, uri: &DocumentUri, text: &str) {
        let version = self.documents().get(uri).unwrap().version + 1;
        let change = ContentChange { range: None, text: text.to_owned() };
        self.documents().change(uri, version, &[change], Encoding::Utf16).unwrap();
    }
}

impl Editor for FakeEditor {
    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        if let Some((uri, text)) = self.types_first.lock().unwrap().take() {
            self.set(&uri, &text);
        }
        let refusal = self.refuses.lock().unwrap().clone();
        let current = self.documents().get(&edit.uri).unwrap();
        let answer = match refusal {
            Some(why) => ApplyAnswer { applied: false, reason: Some(why) },
            None if current.version != edit.version => {
                ApplyAnswer { applied: false, reason: Some("the document changed".to_owned()) }
            }
            None => {
                self.labels.lock().unwrap().push(edit.label.clone());
                self.set(&edit.uri, &edit.edits.result().to_string());
                ApplyAnswer { applied: true, reason: None }
            }
        };
        std::future::ready(answer).boxed()
    }

    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        for uri in &uris {
            let text = self.documents().get(uri).unwrap().text.to_string();
            std::fs::write(uri.to_path().unwrap(), text).unwrap();
            self.documents().saved(uri);
        }
        std::future::ready(uris).boxed()
    }

    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        self.questions.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        async move {
            let chosen = |option: &str, feedback: Option<&str>| {
                Some(PermissionAnswer { option: option.to_owned(), feedback: feedback.map(str::to_owned) })
            };
            match answer {
                Some(Answer::Option(option)) => chosen(option, None),
                Some(Answer::Feedback(option, feedback)) => chosen(option, Some(feedback)),
                Some(Answer::After(action, option)) => {
                    action();
                    chosen(option, None)
                }
                Some(Answer::Nothing) => {
                    cancel.cancelled().await;
                    None
                }
                None => None,
            }
        }
        .boxed()
    }

    fn ask(&self, _request: AskRequest, _cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        std::future::ready(AskAnswer { cancelled: true, ..AskAnswer::default() }).boxed()
    }

    fn diagnostics(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        std::future::ready(Vec::new()).boxed()
    }
}

struct Silent;

impl ChangeObserver for Silent {
    fn changed(&self, _change: Change) {}
    fn opened(&self, _uri: &DocumentUri, _text: &Text, _version: i32) {}
    fn closed(&self, _uri: &DocumentUri) {}
}

/// Everything that a call needs.
pub(crate) struct Desk {
    directory: tempfile::TempDir,
    pub(crate) editor: Arc<FakeEditor>,
    documents: Arc<Documents>,
    pub(crate) registry: Registry,
    pub(crate) context: ToolContext,
    chunks: Mutex<mpsc::Receiver<(String, bool)>>,
}

impl Desk {
    /// A workspace in `edit` mode that lets commands run, because most tests are not about permissions.
    pub(crate) fn new() -> Self {
        Self::with_rules(Mode::Edit, &["Bash"])
    }

    pub(crate) fn with_rules(mode: Mode, allow: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("work")).unwrap();
        std::fs::create_dir_all(top.join("outside")).unwrap();
        let documents = Arc::new(Documents::default());
        let editor = Arc::new(FakeEditor::default());
        assert!(editor.documents.set(documents.clone()).is_ok());
        let root = top.join("work");
        let workspace =
            Workspace::new(vec![Root::new(&root)], documents.clone(), editor.clone(), Arc::new(Silent));
        let mut layer = RuleLayer { origin: "settings".to_owned(), ..RuleLayer::default() };
        layer.rules.allow = allow.iter().map(|rule| (*rule).to_owned()).collect();
        let policy = Arc::new(Policy::new(&Paths::below(&top.join("kit")), &[layer]));
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let context = ToolContext {
            workspace: Arc::new(workspace),
            cwd: root,
            session: SessionId::new("s1"),
            worker: SessionId::new("s1"),
            turn: TurnId::new("t1"),
            call: ToolCallId::new("c1"),
            agent: AgentRef::main(),
            output: Arc::new(move |chunk, is_stderr| {
                // The test may have stopped listening, or not listen at all.
                let _ = sender.try_send((chunk, is_stderr));
            }),
            cancel: CancellationToken::new(),
            policy,
            mode,
            settings: Arc::new(ToolSettings::default()),
            gate: None,
        };
        let registry = Registry::builtin();
        Self { directory, editor, documents, registry, context, chunks: Mutex::new(chunks) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join("work").join(name)
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join("outside").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn disk(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn open(&self, name: &str, text: &str) -> DocumentUri {
        let uri = DocumentUri::from_path(&self.path(name));
        self.documents.open(uri.clone(), "text", 1, text);
        uri
    }

    pub(crate) fn types(&self, uri: &DocumentUri, text: &str) {
        self.editor.set(uri, text);
    }

    pub(crate) fn document(&self, uri: &DocumentUri) -> String {
        self.documents.get(uri).unwrap().text.to_string()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.editor.answers.lock().unwrap().push_back(answer);
    }

    pub(crate) fn questions(&self) -> Vec<PermissionRequest> {
        self.editor.questions.lock().unwrap().clone()
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> ToolOutput {
        run_call(
            self.registry.get(tool).unwrap(),
            arguments.to_string(),
            self.context.clone(),
            Box::new(|| ()),
        )
        .await
    }

    pub(crate) async fn call_tool(&self, tool: Arc<dyn AnyTool>) -> ToolOutput {
        run_call(tool, "{}".to_owned(), self.context.clone(), Box::new(|| ())).await
    }

    /// Output so far and from now on, until it holds the marker.
    pub(crate) async fn until(&self, marker: &str) -> String {
        let mut seen = String::new();
        std::future::poll_fn(|task| {
            loop {
                if seen.contains(marker) {
                    return std::task::Poll::Ready(());
                }
                match self.chunks.lock().unwrap().poll_recv(task) {
                    std::task::Poll::Ready(Some((chunk, _))) => seen.push_str(&chunk),
                    std::task::Poll::Ready(None) => panic!("no more output after {seen:?}"),
                    std::task::Poll::Pending => return std::task::Poll::Pending,
                }
            }
        })
        .await;
        seen
    }
}

/// The content of a successful call.
#[track_caller]
pub(crate) fn succeeded(output: ToolOutput) -> String {
    assert!(!output.is_error, "{}", output.content);
    output.content
}

/// The content of a failed call.
#[track_caller]
pub(crate) fn failed(output: ToolOutput) -> String {
    assert!(output.is_error, "{}", output.content);
    output.content
}

/// The number in a file that a process wrote.
pub(crate) fn pid(path: &Path) -> u32 {
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}
