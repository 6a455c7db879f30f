//! What the state file says. Texts are named by their hashes.

use std::collections::BTreeSet;

use kit_protocol::{Attribution, HunkId, LineSpan, SessionId, TurnId};
use serde::{Deserialize, Serialize};

use crate::feedback::Feedback;

const VERSION: u32 = 1;

/// The BLAKE3 hash of a stored text, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BlobId(String);

impl BlobId {
    pub(crate) fn new(hex: &str) -> Self {
        Self(hex.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    version: u32,
    pub(crate) revision: u64,
    /// Files with something pending, by URI.
    pub(crate) files: Vec<StoredFile>,
    /// What the agents did to files, oldest first.
    pub(crate) edits: Vec<StoredEdit>,
    /// Keeps, undos and rewinds that can be taken back, oldest first.
    pub(crate) steps: Vec<StoredStep>,
    /// What sessions have not been told yet.
    pub(crate) feedback: Vec<StoredFeedback>,
}

/// A reviewed file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredFile {
    pub(crate) uri: String,
    pub(crate) base: Option<BlobId>,
    pub(crate) agent: Option<BlobId>,
    pub(crate) current: Option<BlobId>,
    /// The live text as the model last knew it.
    pub(crate) seen: Option<BlobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) renamed_from: Option<String>,
    /// Tool calls that `marks` name by their index; the last is the one that changed the file last.
    pub(crate) authors: Vec<Attribution>,
    pub(crate) marks: Vec<(LineSpan, usize)>,
}

/// What a tool call made of a file. What was told of the texts besides the live one decides, when the call is taken back,
/// whose the lines are that come back; a record without them gives the agent none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredEdit {
    pub(crate) uri: String,
    pub(crate) session: SessionId,
    pub(crate) turn: TurnId,
    /// The live text.
    pub(crate) before: Option<BlobId>,
    pub(crate) after: Option<BlobId>,
    /// The agent text.
    #[serde(default)]
    pub(crate) agent_before: Option<BlobId>,
    #[serde(default)]
    pub(crate) agent_after: Option<BlobId>,
    /// The baseline, which the call left alone.
    #[serde(default)]
    pub(crate) base: Option<BlobId>,
    /// The step that took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rewound_by: Option<String>,
}

/// A step of the review that can be taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredStep {
    /// Tells steps apart across processes.
    pub(crate) id: String,
    pub(crate) files: Vec<StoredStepFile>,
}

/// What a step did to one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredStepFile {
    pub(crate) hunks: Vec<HunkId>,
    pub(crate) before: StoredFile,
    pub(crate) after: StoredFile,
}

/// News for one session's model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredFeedback {
    pub(crate) session: SessionId,
    pub(crate) feedback: Feedback,
}

impl State {
    pub(crate) fn new() -> Self {
        Self { version: VERSION, ..Self::default() }
    }

    /// `None` for a file that this version cannot read.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let state: Self = serde_json::from_slice(bytes).ok()?;
        (state.version == VERSION).then_some(state)
    }

    /// The texts that it names.
    pub(crate) fn blobs(&self) -> BTreeSet<BlobId> {
        self.each_blob().cloned().collect()
    }

    /// Whether it names a text.
    pub(crate) fn names(&self, blob: &BlobId) -> bool {
        self.each_blob().any(|named| named == blob)
    }

    fn each_blob(&self) -> impl Iterator<Item = &BlobId> {
        let edits = self.edits.iter().flat_map(StoredEdit::each_blob);
        let steps = self.steps.iter().flat_map(StoredStep::each_blob);
        self.files.iter().flat_map(StoredFile::each_blob).chain(edits).chain(steps)
    }
}

impl StoredFile {
    fn each_blob(&self) -> impl Iterator<Item = &BlobId> {
        [&self.base, &self.agent, &self.current, &self.seen].into_iter().flatten()
    }

    /// The texts that it names.
    pub(crate) fn blobs(&self) -> Vec<BlobId> {
        self.each_blob().cloned().collect()
    }
}

impl StoredEdit {
    /// Whether one of these turns made it and no rewind took it back.
    pub(crate) fn is_live_of(&self, session: &SessionId, turns: &[TurnId]) -> bool {
        self.rewound_by.is_none() && self.session == *session && turns.contains(&self.turn)
    }

    fn each_blob(&self) -> impl Iterator<Item = &BlobId> {
        let texts = [&self.before, &self.after, &self.agent_before, &self.agent_after, &self.base];
        texts.into_iter().flatten()
    }

    /// The texts that it names.
    pub(crate) fn blobs(&self) -> Vec<BlobId> {
        self.each_blob().cloned().collect()
    }
}

impl StoredStep {
    fn each_blob(&self) -> impl Iterator<Item = &BlobId> {
        self.files.iter().flat_map(|file| file.before.each_blob().chain(file.after.each_blob()))
    }

    /// The texts that it names.
    pub(crate) fn blobs(&self) -> Vec<BlobId> {
        self.each_blob().cloned().collect()
    }
}
