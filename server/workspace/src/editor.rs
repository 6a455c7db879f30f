//! The port to whatever shows documents and asks the user: an LSP client, a headless runner, a test.
//!
//! The answers of an editor are claims. In particular `applied: true` is not proof that an edit took place; the
//! workspace waits for the echo in [`Documents`](crate::Documents). Dropping a returned future must be safe: an
//! implementation that must not drop a request on its way keeps it in a task of its own.

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{AskAnswer, AskRequest, FileDiagnostics, PermissionAnswer, PermissionRequest};
use kit_text::{EditSet, Text};
use tokio_util::sync::CancellationToken;

use crate::{Author, DocumentUri};

/// Edits of one open document. One document per request, because Neovim checks the version of the first alone.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentEdit {
    /// The document.
    pub uri: DocumentUri,
    /// The version that the edits are about; the editor must refuse at any other.
    pub version: i32,
    /// The text at that version, to convert offsets to positions.
    pub base: Text,
    /// The edits.
    pub edits: EditSet,
    /// What an editor shows as the name of the change.
    pub label: String,
    /// Whose work it is.
    pub author: Author,
}

/// What the editor says about an edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyAnswer {
    /// Whether it claims to have applied it.
    pub applied: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// What an editor shows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It tells by itself what is open, in [`Documents`](crate::Documents).
    Told,
    /// This text, saved or not.
    Text(String),
    /// It does not say, or there is no such file.
    Unknown,
}

/// A file that is not known to be open, and what is to be in it.
#[derive(Clone, Debug, PartialEq)]
pub struct FilePut {
    /// The file.
    pub uri: DocumentUri,
    /// What it holds; `None` when there is no such file. The editor must refuse anything else.
    pub before: Option<Text>,
    /// What it shall hold.
    pub after: Text,
}

/// What the workspace and the tools ask of an editor.
pub trait Editor: Send + Sync {
    /// What it shows of a file, for one that answers when it is asked and tells nothing by itself. A text that is not
    /// the disk's becomes an open document.
    fn shown<'a>(&'a self, uri: &'a DocumentUri) -> BoxFuture<'a, Shown> {
        let _ = uri;
        std::future::ready(Shown::Told).boxed()
    }
    /// Writes a file that is not known to be open; `None` leaves it to the disk.
    fn put(&self, put: FilePut) -> BoxFuture<'_, Option<ApplyAnswer>> {
        let _ = put;
        std::future::ready(None).boxed()
    }
    /// Applies edits to one open document.
    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer>;
    /// Saves documents and answers which were saved.
    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>>;
    /// Asks whether a tool call may run. `None`: nobody could be asked, or the question was withdrawn.
    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>>;
    /// Asks the user a question.
    fn ask(&self, request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer>;
    /// Whether there is anybody who can be asked.
    fn has_person(&self) -> bool {
        true
    }
    /// Whether [`diagnostics`](Self::diagnostics) can have an answer.
    fn has_diagnostics(&self) -> bool {
        false
    }
    /// What the editor's other servers say about files.
    fn diagnostics(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>>;
}

/// An editor without documents and without a user, for headless runs: files are written on disk, questions are
/// answered as withdrawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskEditor;

impl Editor for DiskEditor {
    fn has_person(&self) -> bool {
        false
    }

    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        let reason = Some(format!("no editor has {} open", edit.uri));
        std::future::ready(ApplyAnswer { applied: false, reason }).boxed()
    }

    fn save(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        std::future::ready(Vec::new()).boxed()
    }

    fn permission(
        &self,
        _request: PermissionRequest,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        std::future::ready(None).boxed()
    }

    fn ask(&self, _request: AskRequest, _cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        std::future::ready(AskAnswer { cancelled: true, ..AskAnswer::default() }).boxed()
    }

    fn diagnostics(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        std::future::ready(Vec::new()).boxed()
    }
}
