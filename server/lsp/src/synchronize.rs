//! Document and folder notifications, applied in wire order from within the guard (invariant I5).
//!
//! They are ignored before `initialize`. A change that does not fit marks the document as out of step; the workspace
//! refuses to edit it until the next full text.

use kit_protocol::KitError;
use kit_workspace::{ContentChange, DocumentUri, Documents};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::lsp_types as lsp;

use crate::convert;
use crate::shared::{SettingsChange, Shared};

/// Applies the notification if it is one of these; false leaves it to the handlers.
pub(crate) fn apply(shared: &Shared, method: &str, params: Option<&Value>) -> bool {
    let known = matches!(
        method,
        "textDocument/didOpen"
            | "textDocument/didChange"
            | "textDocument/didSave"
            | "textDocument/didClose"
            | "workspace/didChangeWorkspaceFolders"
    );
    if !known {
        return false;
    }
    let Some(running) = shared.running.get() else {
        tracing::debug!(method, "ignored before initialize");
        return true;
    };
    let documents = &running.documents;
    let outcome = match method {
        "textDocument/didOpen" => parse(params).map(|params| open(documents, params)),
        "textDocument/didChange" => {
            parse(params).and_then(|params| change(documents, params, shared.encoding()))
        }
        "textDocument/didSave" => parse(params).map(|params: lsp::DidSaveTextDocumentParams| {
            let uri = DocumentUri::parse(params.text_document.uri.as_str());
            documents.saved(&uri);
        }),
        "textDocument/didClose" => parse(params).map(|params: lsp::DidCloseTextDocumentParams| {
            documents.close(&DocumentUri::parse(params.text_document.uri.as_str()));
        }),
        _ => parse(params).map(|params: lsp::DidChangeWorkspaceFoldersParams| {
            let mut roots = running.workspace.roots();
            for folder in &params.event.removed {
                if let Some(removed) = convert::root(folder) {
                    roots.retain(|root| root.path != removed.path);
                }
            }
            for root in params.event.added.iter().filter_map(convert::root) {
                if !roots.iter().any(|known| known.path == root.path) {
                    roots.push(root);
                }
            }
            running.workspace.set_roots(roots);
            shared.application.settings_changed(SettingsChange::Roots);
        }),
    };
    if let Err(error) = outcome {
        tracing::warn!(method, %error, "a notification was not applied");
    }
    true
}

fn parse<T: DeserializeOwned>(params: Option<&Value>) -> Result<T, KitError> {
    serde_path_to_error::deserialize(params.unwrap_or(&Value::Null))
        .map_err(|error| KitError::new(kit_protocol::ErrorKind::InvalidRequest, error.to_string()))
}

fn open(documents: &Documents, params: lsp::DidOpenTextDocumentParams) {
    let document = params.text_document;
    documents.open(
        DocumentUri::parse(document.uri.as_str()),
        &document.language_id,
        document.version,
        &document.text,
    );
}

fn change(
    documents: &Documents,
    params: lsp::DidChangeTextDocumentParams,
    encoding: kit_text::Encoding,
) -> Result<(), KitError> {
    let uri = DocumentUri::parse(params.text_document.uri.as_str());
    let changes: Vec<ContentChange> = params
        .content_changes
        .into_iter()
        .map(|change| ContentChange {
            range: change
                .range
                .map(|range| (convert::from_position(range.start), convert::from_position(range.end))),
            text: change.text,
        })
        .collect();
    documents
        .change(&uri, params.text_document.version, &changes, encoding)
        .map_err(|error| KitError::new(kit_protocol::ErrorKind::Conflict, error.to_string()))
}
