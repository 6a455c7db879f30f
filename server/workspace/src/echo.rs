//! Telling the editor's echo of our own edits from what the user types.
//!
//! Before an edit is sent, the text that it must yield is registered. From then on the document's changes are applied
//! as always but not reported, because an editor may echo one edit in several parts. As soon as the text is the
//! expected one, also between two parts of one notification, the sum so far is reported as the author's and whatever
//! follows as the user's. What was held back when the waiting ends without an echo is reported as the user's.
//!
//! An editor that batches our edit with typing into one indivisible text never shows the expected text. Its waiter
//! sees the text move, checks by a three-way merge whether it contains the edit, and has it reported in two parts.
//!
//! An edit that nobody waits for any more (cancelled, late) is still recognized for a while if it comes in one part,
//! so that an agent's work is not taken for the user's. Nothing is held back for it.

use std::sync::Arc;
use std::time::Duration;

use kit_text::Text;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::documents::Documents;
use crate::{Author, DocumentUri};

/// How long an edit is recognized after nobody waits for it any more.
const RECOGNIZED_FOR: Duration = Duration::from_secs(30);

/// An edit that was sent to the editor.
pub(crate) struct Expectation {
    id: u64,
    expected: Text,
    author: Author,
    stage: Stage,
    progress: Arc<Notify>,
}

enum Stage {
    /// Its waiter decides; changes are held back.
    Awaited,
    /// The document had the expected text at this version.
    Echoed { version: i32 },
    /// Nobody waits for it.
    Abandoned { until: Instant },
}

impl Expectation {
    /// A text that a document will have soon without anybody waiting for it.
    pub(crate) fn unawaited(id: u64, expected: Text, author: Author) -> Self {
        let stage = Stage::Abandoned { until: Instant::now() + RECOGNIZED_FOR };
        Self { id, expected, author, stage, progress: Arc::default() }
    }

    /// Whether the text is the one that is expected at this moment.
    pub(crate) fn is(&self, text: &Text, now: Instant) -> bool {
        let open = match self.stage {
            Stage::Awaited => true,
            Stage::Echoed { .. } => false,
            Stage::Abandoned { until } => now <= until,
        };
        open && text.len_bytes() == self.expected.len_bytes() && *text == self.expected
    }

    /// Records the echo and answers whose it is.
    pub(crate) fn echoed(&mut self, version: i32) -> Author {
        self.stage = Stage::Echoed { version };
        self.progress.notify_one();
        self.author.clone()
    }

    pub(crate) fn is_unawaited(&self) -> bool {
        matches!(self.stage, Stage::Abandoned { .. })
    }

    pub(crate) fn holds_back(&self) -> bool {
        matches!(self.stage, Stage::Awaited)
    }

    /// Wakes the waiter, because the document moved or went away.
    pub(crate) fn moved(&self) {
        self.progress.notify_one();
    }
}

/// How far an awaited edit has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// The document is as it was.
    Waiting,
    /// The document has another text, which is not the expected one.
    Moved { text: Text },
    /// The document had the expected text.
    Echoed { version: i32 },
    /// The document was closed, opened again or desynced.
    Lost,
}

/// The right to wait for one echo. Dropping it reports what was held back.
pub(crate) struct Echo {
    documents: Arc<Documents>,
    uri: DocumentUri,
    id: u64,
    base: Text,
    expected: Text,
    progress: Arc<Notify>,
}

impl Echo {
    /// Registers the text that an edit of `base` must yield. `None` when the document is not at that version and
    /// text any more. There is one writer per document, so an older expectation has no waiter and gives way.
    pub(crate) fn expect(
        documents: &Arc<Documents>,
        uri: &DocumentUri,
        version: i32,
        base: &Text,
        expected: &Text,
        author: Author,
    ) -> Option<Self> {
        let mut state = documents.lock();
        state.expectations += 1;
        let id = state.expectations;
        let entry = state.entries.get_mut(uri)?;
        let document = &entry.document;
        if document.version != version || document.desynced || document.text != *base {
            return None;
        }
        let progress = Arc::new(Notify::new());
        entry.expectation = Some(Expectation {
            id,
            expected: expected.clone(),
            author,
            stage: Stage::Awaited,
            progress: Arc::clone(&progress),
        });
        drop(state);
        Some(Self {
            documents: Arc::clone(documents),
            uri: uri.clone(),
            id,
            base: base.clone(),
            expected: expected.clone(),
            progress,
        })
    }

    pub(crate) fn progress(&self) -> Progress {
        let state = self.documents.lock();
        let Some(entry) = state.entries.get(&self.uri) else { return Progress::Lost };
        let Some(wanted) = entry.expectation.as_ref().filter(|wanted| wanted.id == self.id) else {
            return Progress::Lost;
        };
        match wanted.stage {
            Stage::Echoed { version } => Progress::Echoed { version },
            Stage::Awaited | Stage::Abandoned { .. } if entry.document.desynced => Progress::Lost,
            Stage::Awaited | Stage::Abandoned { .. } if entry.document.text == self.base => Progress::Waiting,
            Stage::Awaited | Stage::Abandoned { .. } => Progress::Moved { text: entry.document.text.clone() },
        }
    }

    /// Waits until there may be progress.
    pub(crate) async fn moved(&self) {
        self.progress.notified().await;
    }

    /// Reports a text that contains the edit and typing as the two, unless the document has moved on meanwhile.
    pub(crate) fn accept_merged(&self, actual: &Text) {
        let mut state = self.documents.lock();
        let Some(entry) = state.entries.get_mut(&self.uri) else { return };
        if entry.document.text != *actual {
            return;
        }
        let version = entry.document.version;
        let Some(wanted) =
            entry.expectation.as_mut().filter(|wanted| wanted.id == self.id && wanted.holds_back())
        else {
            return;
        };
        let author = wanted.echoed(version);
        state.set_text(&self.uri, self.expected.clone());
        state.report(&self.uri, author);
        state.set_text(&self.uri, actual.clone());
        state.report(&self.uri, Author::User);
        drop(state);
        self.documents.deliver();
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let mut state = self.documents.lock();
        let Some(entry) = state.entries.get_mut(&self.uri) else { return };
        let Some(wanted) = entry.expectation.as_mut().filter(|wanted| wanted.id == self.id) else { return };
        match wanted.stage {
            Stage::Awaited => {
                wanted.stage = Stage::Abandoned { until: Instant::now() + RECOGNIZED_FOR };
                state.report(&self.uri, Author::User);
            }
            Stage::Echoed { .. } | Stage::Abandoned { .. } => entry.expectation = None,
        }
        drop(state);
        self.documents.deliver();
    }
}
