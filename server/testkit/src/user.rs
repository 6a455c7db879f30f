//! The user at the editor: opening, typing, saving, and changing how the editor answers.

use serde_json::json;

use crate::client::LanguageClient;
use crate::documents::Document;
use crate::editor::{self, Behavior};
use crate::project::file_uri;

impl LanguageClient {
    /// Changes how the editor answers.
    pub fn behave(&self, change: impl FnOnce(&mut Behavior)) {
        change(&mut self.shared.lock().behavior);
    }

    /// Opens a file of the project from disk.
    pub fn open(&self, path: &str) {
        let text =
            std::fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        self.open_text(path, &text, false);
    }

    /// Opens a document whose text need not be what is on disk.
    pub fn open_text(&self, path: &str, text: &str, dirty: bool) {
        let path = self.root.join(path);
        let uri = file_uri(&path);
        let mut state = self.shared.lock();
        let document = Document { path, text: text.to_owned(), version: 1, dirty };
        state.documents.open.insert(uri.clone(), document);
        let params = editor::opened(&uri, text, 1);
        self.shared.send(
            &mut state,
            &json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": params }),
        );
    }

    /// Closes a document without saving.
    pub fn close_document(&self, path: &str) {
        let uri = file_uri(&self.root.join(path));
        self.shared.lock().documents.open.remove(&uri);
        self.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }

    /// The user replaces the only occurrence of `find` in an open document.
    pub fn type_over(&self, path: &str, find: &str, replacement: &str) {
        let uri = file_uri(&self.root.join(path));
        let mut state = self.shared.lock();
        let text = &state.documents.open.get(&uri).unwrap_or_else(|| panic!("{path} is not open")).text;
        let places: Vec<usize> = text.match_indices(find).map(|(place, _)| place).collect();
        let [start] = places[..] else { panic!("{find:?} is {} times in {text:?}", places.len()) };
        let change = state.documents.replace(&uri, start..start + find.len(), replacement);
        let params = change.expect("the document is open");
        self.shared.send(
            &mut state,
            &json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params }),
        );
    }

    /// The user saves a document.
    pub fn save(&self, path: &str) {
        let uri = file_uri(&self.root.join(path));
        {
            let mut state = self.shared.lock();
            let document = state.documents.open.get_mut(&uri).unwrap_or_else(|| panic!("{path} is not open"));
            std::fs::write(&document.path, &document.text).expect("the file can be written");
            document.dirty = false;
        }
        self.notify("textDocument/didSave", json!({ "textDocument": { "uri": uri } }));
    }

    /// An open document as the editor has it now.
    pub fn document(&self, path: &str) -> Document {
        let uri = file_uri(&self.root.join(path));
        let state = self.shared.lock();
        state.documents.open.get(&uri).unwrap_or_else(|| panic!("{path} is not open")).clone()
    }

    /// The text of an open document as the editor has it now.
    pub fn text(&self, path: &str) -> String {
        self.document(path).text
    }

    /// Waits until an open document has this text.
    pub async fn text_becomes(&self, path: &str, expected: &str) {
        let uri = file_uri(&self.root.join(path));
        self.wait(&format!("text {expected:?} in {path}"), |state| {
            state.documents.open.get(&uri).filter(|document| document.text == expected).map(|_| ())
        })
        .await;
    }
}
