//! Editors that answer when they are asked and tell nothing by themselves.
//!
//! Before a file is looked at, such an editor is asked what it shows of it. A text with other lines than the disk's is an
//! unsaved buffer and becomes an open document, so that everything that holds for open documents holds for it; a text
//! that is the disk's is none, and neither is a file of which the editor says nothing. A document that was opened here is
//! closed again at the first look that finds it saved.

use std::sync::Arc;

use kit_text::{Encoding, Text};

use crate::blocking::blocking;
use crate::snapshot::{self, MAX_FILE_BYTES, same_lines};
use crate::{
    Author, Base, Change, ContentChange, DocumentUri, Documents, FilePut, Location, Shown, Snapshot,
    Workspace, disk,
};

/// What an editor did with a file that it was handed.
pub(crate) enum Put {
    /// It leaves it to the disk.
    Left,
    /// It holds this text now.
    Done(Text),
    /// It did not do it.
    Refused(String),
}

impl Workspace {
    /// Lets the documents hold what the editor shows of a file.
    pub(crate) async fn look(&self, location: &Location) {
        if !location.uri.is_file() {
            return;
        }
        let text = match self.editor().shown(&location.uri).await {
            Shown::Told => return,
            Shown::Text(text) => Some(Text::from(text.as_str())),
            Shown::Unknown => None,
        };
        let (documents, location) = (Arc::clone(self.documents()), location.clone());
        let taken = blocking(move || {
            let unsaved = text.filter(|text| !is_on_disk(&location, text));
            take(&documents, &location.uri, unsaved);
        });
        if taken.await.is_err() {
            tracing::warn!("what the editor shows could not be looked at");
        }
    }

    /// Hands a file that is not known to be open to the editor, which may write it, and tells of the change.
    pub(crate) async fn put(&self, snapshot: &Snapshot, after: &Text, author: &Author) -> Put {
        // A byte order mark is no part of the text that an editor is given, so the disk keeps it.
        if snapshot.bom || !snapshot.location.uri.is_file() {
            return Put::Left;
        }
        let created = snapshot.base == Base::Missing;
        let uri = snapshot.location.uri.clone();
        let before = (!created).then(|| snapshot.text.clone());
        let Some(answer) = self.editor().put(FilePut { uri, before, after: after.clone() }).await else {
            return Put::Left;
        };
        if !answer.applied {
            return Put::Refused(answer.reason.unwrap_or_else(|| "no reason given".to_owned()));
        }
        let location = &snapshot.location;
        let now = match self.editor().shown(&location.uri).await {
            Shown::Text(text) => Text::from(text.as_str()),
            Shown::Told | Shown::Unknown => after.clone(),
        };
        // The same lines are the same text: some editors tell line ends in their own way.
        let now = if same_lines(&now, after) { after.clone() } else { now };
        self.documents().publish(Change {
            uri: location.uri.clone(),
            version: None,
            before: snapshot.text.clone(),
            after: now.clone(),
            existed: !created,
            exists: true,
            author: author.clone(),
        });
        Put::Done(now)
    }
}

/// Whether the disk has the same lines; a file that is not there has those of an empty text.
pub(crate) fn is_on_disk(location: &Location, shown: &Text) -> bool {
    match disk::read(&location.real, MAX_FILE_BYTES) {
        Ok(None) => shown.is_empty(),
        Ok(Some(file)) => match snapshot::decode_file(location, &file) {
            Ok(decoded) => same_lines(&decoded.text, shown),
            // No text that we could compare; the editor may know its encoding.
            Err(_) => false,
        },
        Err(_) => false,
    }
}

fn take(documents: &Documents, uri: &DocumentUri, unsaved: Option<Text>) {
    match (documents.get(uri), unsaved) {
        (None, None) => {}
        (None, Some(text)) => documents.open(uri.clone(), "", 1, &text.to_string()),
        (Some(_), None) => documents.close(uri),
        (Some(document), Some(text)) if document.text == text => {}
        (Some(document), Some(text)) => {
            let whole = ContentChange { range: None, text: text.to_string() };
            let version = document.version.saturating_add(1);
            if let Err(error) = documents.change(uri, version, &[whole], Encoding::Utf8) {
                tracing::warn!(%uri, %error, "what the editor shows was not taken");
            }
        }
    }
}
