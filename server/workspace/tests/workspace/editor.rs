//! A project in a temporary directory, with an editor whose behavior towards edits is chosen per request, and an
//! observer that remembers what it was told.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{
    AgentId, AskAnswer, AskRequest, Attribution, FileDiagnostics, PermissionAnswer, PermissionRequest,
    SessionId, ToolCallId, TurnId,
};
use kit_text::{Encoding, Text};
use kit_workspace::{
    ApplyAnswer, Author, Change, ChangeObserver, ContentChange, DiskEditor, DocumentEdit, DocumentUri,
    Documents, Editor, Location, Root, Workspace,
};
use tokio_util::sync::CancellationToken;

/// The debounce of an editor's notifications, in the paused time of the tests.
async fn debounce() {
    let _elapsed = tokio::time::timeout(Duration::from_millis(150), std::future::pending::<()>()).await;
}

/// What the editor does with one edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// One `didChange`, then the answer.
    EchoFirst,
    /// The answer, and the `didChange` 150 ms later.
    AnswerFirst,
    /// One `didChange` per edit, then the answer.
    InParts,
    /// One `didChange` with our edits and what the user typed at the start of the text behind them.
    WithTyping,
    /// The same as one whole text.
    MergedWithTyping,
    /// The whole text, typed into on the very line of our edit.
    TypedIntoOurLine,
    /// Claimed to be applied, while the user replaced the very line.
    TypedOverOurLine,
    /// Skipped because of typing that is announced later, and claimed to be applied all the same, as Neovim does.
    SkippedForTyping,
    /// Refused, because the user typed something that is announced later.
    RefusedByTyping,
    /// Refused without a reason anybody can see.
    Refused,
    /// Claims to have applied it, and did not.
    Lies,
    /// Claims to have refused it, but applied it.
    Denies,
    /// Applied, but never answered.
    EchoOnly,
    /// Nothing at all.
    Silent,
    /// The document is closed instead.
    Closes,
}

#[derive(Default)]
struct State {
    texts: HashMap<DocumentUri, (i32, Text)>,
    behaviors: VecDeque<Behavior>,
    requests: Vec<(i32, String)>,
    saves: bool,
    saved: Vec<DocumentUri>,
}

/// The editor.
pub(crate) struct FakeEditor {
    documents: Arc<Documents>,
    state: Arc<Mutex<State>>,
}

/// What the observer was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Opened(String, i32),
    Changed(Author, String, String),
    File { author: Author, before: String, after: String, existed: bool, exists: bool },
    Closed,
}

#[derive(Default)]
pub(crate) struct Observer {
    told: Mutex<Vec<Told>>,
}

impl ChangeObserver for Observer {
    fn changed(&self, change: Change) {
        let (before, after) = (change.before.to_string(), change.after.to_string());
        let told = match change.version {
            Some(_) => Told::Changed(change.author, before, after),
            None => Told::File {
                author: change.author,
                before,
                after,
                existed: change.existed,
                exists: change.exists,
            },
        };
        self.told.lock().unwrap().push(told);
    }

    fn opened(&self, _uri: &DocumentUri, text: &Text, version: i32) {
        self.told.lock().unwrap().push(Told::Opened(text.to_string(), version));
    }

    fn closed(&self, _uri: &DocumentUri) {
        self.told.lock().unwrap().push(Told::Closed);
    }
}

impl Editor for FakeEditor {
    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        let behavior = {
            let mut state = self.state.lock().unwrap();
            state.requests.push((edit.version, edit.base.to_string()));
            state.behaviors.pop_front().unwrap_or(Behavior::EchoFirst)
        };
        let yes = ApplyAnswer { applied: true, reason: None };
        let no = ApplyAnswer { applied: false, reason: Some("the buffer is newer".to_owned()) };
        match behavior {
            Behavior::EchoFirst => {
                self.echo(&edit, parts(&edit));
                std::future::ready(yes).boxed()
            }
            Behavior::AnswerFirst => {
                let later = self.handle();
                tokio::spawn(async move {
                    debounce().await;
                    later.echo(&edit, parts(&edit));
                });
                std::future::ready(yes).boxed()
            }
            Behavior::InParts => {
                for part in parts(&edit) {
                    self.echo(&edit, vec![part]);
                }
                std::future::ready(yes).boxed()
            }
            Behavior::WithTyping => {
                let mut changes = parts(&edit);
                changes.push(typed("// typed\n"));
                self.echo(&edit, changes);
                std::future::ready(yes).boxed()
            }
            Behavior::MergedWithTyping => {
                let text = format!("// typed\n{}", edit.edits.result());
                self.echo(&edit, vec![ContentChange { range: None, text }]);
                std::future::ready(yes).boxed()
            }
            Behavior::TypedIntoOurLine => {
                let text = edit.edits.result().to_string().replace("ours", "ours and mine");
                self.echo(&edit, vec![ContentChange { range: None, text }]);
                std::future::ready(yes).boxed()
            }
            Behavior::TypedOverOurLine => {
                let text = edit.base.to_string().replace("two", "mine");
                self.echo(&edit, vec![ContentChange { range: None, text }]);
                std::future::ready(yes).boxed()
            }
            Behavior::RefusedByTyping | Behavior::SkippedForTyping => {
                let later = self.handle();
                tokio::spawn(async move {
                    debounce().await;
                    later.echo(&edit, vec![typed("// typed\n")]);
                });
                let answer = if behavior == Behavior::SkippedForTyping { yes } else { no };
                std::future::ready(answer).boxed()
            }
            Behavior::Refused => std::future::ready(no).boxed(),
            Behavior::Lies => std::future::ready(yes).boxed(),
            Behavior::Denies => {
                self.echo(&edit, parts(&edit));
                std::future::ready(no).boxed()
            }
            Behavior::EchoOnly => {
                self.echo(&edit, parts(&edit));
                std::future::pending().boxed()
            }
            Behavior::Silent => std::future::pending().boxed(),
            Behavior::Closes => {
                self.documents.close(&edit.uri);
                std::future::ready(no).boxed()
            }
        }
    }

    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        let mut state = self.state.lock().unwrap();
        if !state.saves {
            return std::future::pending().boxed();
        }
        for uri in &uris {
            let text = state.texts[uri].1.to_string();
            std::fs::write(uri.to_path().unwrap(), text).unwrap();
            self.documents.saved(uri);
        }
        state.saved.extend(uris.clone());
        std::future::ready(uris).boxed()
    }

    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        DiskEditor.permission(request, cancel).now_or_never().map(std::future::ready).unwrap().boxed()
    }

    fn ask(&self, request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        DiskEditor.ask(request, cancel).now_or_never().map(std::future::ready).unwrap().boxed()
    }

    fn diagnostics(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        std::future::ready(Vec::new()).boxed()
    }
}

impl FakeEditor {
    fn handle(&self) -> Self {
        Self { documents: Arc::clone(&self.documents), state: Arc::clone(&self.state) }
    }

    /// Sends one `didChange` and keeps the text that it yields.
    fn echo(&self, edit: &DocumentEdit, changes: Vec<ContentChange>) {
        let version = {
            let mut state = self.state.lock().unwrap();
            let entry = state.texts.get_mut(&edit.uri).unwrap();
            entry.0 += 1;
            entry.0
        };
        self.documents.change(&edit.uri, version, &changes, Encoding::Utf16).unwrap();
        let text = self.documents.get(&edit.uri).unwrap().text;
        self.state.lock().unwrap().texts.insert(edit.uri.clone(), (version, text));
    }
}

/// The edits as LSP has them, last first, so that each means the text before it.
fn parts(edit: &DocumentEdit) -> Vec<ContentChange> {
    let position = |offset| edit.base.position_of(offset, Encoding::Utf16);
    let change = |part: &kit_text::Edit| ContentChange {
        range: Some((position(part.range.start), position(part.range.end))),
        text: part.text.clone(),
    };
    edit.edits.iter().rev().map(change).collect()
}

/// Something that the user types at the start of a document.
pub(crate) fn typed(text: &str) -> ContentChange {
    let start = kit_text::Position::new(0, 0);
    ContentChange { range: Some((start, start)), text: text.to_owned() }
}

/// A project with its editor.
pub(crate) struct Project {
    directory: tempfile::TempDir,
    pub(crate) top: PathBuf,
    pub(crate) documents: Arc<Documents>,
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) observer: Arc<Observer>,
    state: Arc<Mutex<State>>,
}

impl Project {
    /// Files with their contents; the directory is the only root.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap().join("project");
        std::fs::create_dir(&top).unwrap();
        for (path, content) in files {
            let path = top.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let documents = Arc::new(Documents::new());
        let state = Arc::new(Mutex::new(State { saves: true, ..State::default() }));
        let editor = FakeEditor { documents: Arc::clone(&documents), state: Arc::clone(&state) };
        let observer = Arc::new(Observer::default());
        let workspace = Arc::new(Workspace::new(
            vec![Root::new(&top)],
            Arc::clone(&documents),
            Arc::new(editor),
            Arc::clone(&observer) as Arc<dyn ChangeObserver>,
        ));
        Self { directory, top, documents, workspace, observer, state }
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    pub(crate) fn location(&self, path: &str) -> Location {
        self.workspace.resolve(&self.top, path).unwrap()
    }

    /// Opens a file in the editor with the given text, at version 1.
    pub(crate) fn open(&self, path: &str, text: &str) -> DocumentUri {
        let uri = self.location(path).uri;
        self.documents.open(uri.clone(), "text", 1, text);
        self.state.lock().unwrap().texts.insert(uri.clone(), (1, Text::from(text)));
        uri
    }

    /// Opens a document that is no file, at version 1.
    pub(crate) fn open_opaque(&self, uri: &str, text: &str) -> DocumentUri {
        let uri = DocumentUri::parse(uri);
        self.documents.open(uri.clone(), "text", 1, text);
        self.state.lock().unwrap().texts.insert(uri.clone(), (1, Text::from(text)));
        uri
    }

    /// Has the user type at the start of a document.
    pub(crate) fn type_text(&self, uri: &DocumentUri, text: &str) {
        let mut state = self.state.lock().unwrap();
        let entry = state.texts.get_mut(uri).unwrap();
        entry.0 += 1;
        self.documents.change(uri, entry.0, &[typed(text)], Encoding::Utf16).unwrap();
        entry.1 = self.documents.get(uri).unwrap().text;
    }

    pub(crate) fn behave(&self, behaviors: &[Behavior]) {
        self.state.lock().unwrap().behaviors.extend(behaviors);
    }

    pub(crate) fn never_saves(&self) {
        self.state.lock().unwrap().saves = false;
    }

    /// Versions and texts that edits were sent for.
    pub(crate) fn requests(&self) -> Vec<(i32, String)> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(crate) fn saved(&self) -> Vec<DocumentUri> {
        self.state.lock().unwrap().saved.clone()
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.observer.told.lock().unwrap())
    }

    pub(crate) fn on_disk(&self, path: &str) -> String {
        std::fs::read_to_string(self.top.join(path)).unwrap()
    }
}

pub(crate) fn agent() -> Author {
    Author::Agent(Attribution {
        session: SessionId::from("s"),
        turn: TurnId::from("t"),
        agent: AgentId::main(),
        tool_call_id: ToolCallId::from("c"),
        title: "Edit".to_owned(),
    })
}

/// A plan that replaces one text by another wherever it stands, and fails where it does not.
pub(crate) fn replacing(old: &str, new: &str) -> impl Fn(&Text) -> Result<Text, String> + Sync {
    move |text| {
        let text = text.to_string();
        if text.contains(old) {
            Ok(Text::from(text.replace(old, new)))
        } else {
            Err(format!("no {old:?} in it"))
        }
    }
}
