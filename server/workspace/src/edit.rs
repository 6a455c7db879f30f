//! Changing a file, so that nothing anybody else wrote is lost.
//!
//! The caller gives a plan: a function from the current text to the text that it wants. Each attempt takes a fresh
//! snapshot, runs the plan on it, and applies the result to exactly that snapshot (I16):
//!
//! - an open document is edited through the editor, at the snapshot's version, and counts as edited once its echo is
//!   seen, whatever the editor answers; it is then saved if it had no unsaved changes before;
//! - any other file is written by an editor that wants to, and is otherwise replaced on disk if its content still has the
//!   snapshot's hash (I15).
//!
//! When the user or another program was faster, the plan runs again on the new text, three times at most. An error
//! means that nothing was changed. Every wait has a deadline and ends early when the token is cancelled (I13); an edit
//! that is on its way to the editor at that moment is still recognized as the author's.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kit_text::line_end::Decoded;
use kit_text::merge::three_way;
use kit_text::{EditSet, Text, rebase};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::blocking::{Lost, blocking};
use crate::disk::{self, WriteError};
use crate::echo::{Echo, Progress};
use crate::shown::{Put, is_on_disk};
use crate::snapshot::{self, check_real};
use crate::{
    ApplyAnswer, Author, Base, Change, DocumentEdit, FileHash, Location, Snapshot, Workspace, WorkspaceError,
};

/// How often a plan is run.
const MAX_ATTEMPTS: u32 = 3;
/// How long the editor may take to answer an edit.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// How long the echo may take after the editor claimed to have applied an edit.
const ECHO_PATIENCE: Duration = Duration::from_secs(2);
/// How long a refusing editor gets to send what it knows and we do not; Neovim holds changes back for 150 ms.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(300);
/// How long a cancelled edit that was sent already may still succeed.
const CANCEL_PATIENCE: Duration = Duration::from_millis(250);
/// How long saving may take, formatters included.
const SAVE_PATIENCE: Duration = Duration::from_secs(10);

/// A successful edit.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The text that the plan was run on.
    pub before: Text,
    /// The text that it wanted.
    pub after: Text,
    /// The document version that has it, for an open document.
    pub version: Option<i32>,
    /// Whether it is on disk.
    pub saved: bool,
    /// Whether there was no file before.
    pub created: bool,
    /// How often the plan was run.
    pub attempts: u32,
}

/// Why an edit was not made. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EditError {
    /// The editor did not apply it.
    #[error("the editor did not apply the edit: {why}")]
    Refused {
        /// The text now.
        current: Text,
        /// What the editor says, or what it did not do.
        why: String,
    },
    /// The text kept changing.
    #[error("the text changed at the same time, {attempts} times", attempts = MAX_ATTEMPTS)]
    Conflict {
        /// The text now.
        current: Text,
    },
    /// The plan cannot be carried out on the current text.
    #[error("{0}")]
    Plan(String),
    /// The client's notifications did not add up, so that the text is not known.
    #[error("the text of {} is not known for sure; reopen it in the editor", path.display())]
    Desynced {
        /// The file.
        path: PathBuf,
    },
    /// Nobody may write the file, or not we.
    #[error("{} is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space left to write {}", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
    },
    /// The file was deleted at the same time.
    #[error("{} was deleted at the same time", path.display())]
    Vanished {
        /// The file.
        path: PathBuf,
    },
    /// Another program keeps the file locked.
    #[error("another program keeps {} locked", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read as text or written at all.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The token was cancelled.
    #[error("the edit was cancelled")]
    Cancelled,
}

/// A plan: the wanted text for the current one, or why there is none.
pub type Plan<'a> = &'a (dyn Fn(&Text) -> Result<Text, String> + Sync);

/// Why an attempt did not succeed.
enum Miss {
    /// A fresh snapshot may help.
    Again(Reason),
    /// It would not; the error tells the current text.
    Last(Reason),
    /// It would not.
    Final(EditError),
}

/// What to tell when there is no further attempt.
enum Reason {
    Moved,
    Refused(String),
}

/// What the editor has said about an edit so far.
#[derive(Clone, PartialEq)]
enum Claim {
    None,
    Applied,
    Refused(String),
}

/// What an open document's attempt ended in.
enum Sent {
    Echoed { version: i32 },
    Missed(Miss),
}

impl Workspace {
    /// Edits a file as the module says. `label` is what an editor shows as the name of the change.
    pub async fn edit(
        &self,
        location: &Location,
        author: Author,
        label: &str,
        plan: Plan<'_>,
        cancel: &CancellationToken,
    ) -> Result<Applied, EditError> {
        let _writer = self.writer(location, cancel).await.ok_or(EditError::Cancelled)?;
        let mut attempts = 0;
        loop {
            if cancel.is_cancelled() {
                return Err(EditError::Cancelled);
            }
            attempts += 1;
            let snapshot = self.snapshot(location).await?;
            let after = plan(&snapshot.text).map_err(EditError::Plan)?;
            let outcome = match snapshot.base {
                Base::Open { desynced: true, .. } => {
                    return Err(EditError::Desynced { path: location.path.clone() });
                }
                Base::Open { version, dirty, desynced: false } => {
                    self.edit_open(&snapshot, version, dirty, after, &author, label, cancel).await
                }
                Base::Disk { hash, .. } => self.write(&snapshot, Some(hash), after, &author).await,
                Base::Missing => self.write(&snapshot, None, after, &author).await,
            };
            match outcome {
                Ok(applied) => return Ok(Applied { attempts, ..applied }),
                Err(Miss::Final(error)) => return Err(error),
                Err(Miss::Again(_)) if attempts < MAX_ATTEMPTS => {}
                Err(Miss::Again(reason) | Miss::Last(reason)) => {
                    return Err(self.give_up(location, reason).await);
                }
            }
        }
    }

    /// Deletes a file that still has the expected text.
    ///
    /// A document that is open with exactly this text is left alone, only its file is deleted: nothing is lost, and
    /// the editor shows that the file is gone.
    pub async fn delete(
        &self,
        location: &Location,
        expected: &Text,
        author: Author,
    ) -> Result<(), EditError> {
        let never = CancellationToken::new();
        let _writer = self.writer(location, &never).await.ok_or(EditError::Cancelled)?;
        if let Some(document) = self.documents().find(&location.uri, &location.real)
            && document.text != *expected
        {
            return Err(EditError::Conflict { current: document.text });
        }
        let (documents, expected) = (Arc::clone(self.documents()), expected.clone());
        let (wanted, path) = (location.clone(), location.path.clone());
        let outcome = blocking(move || {
            check_real(&wanted).map_err(EditError::Workspace)?;
            let Some(file) = disk::read(&wanted.real, snapshot::MAX_FILE_BYTES)? else {
                return Err(EditError::Vanished { path: wanted.path });
            };
            let current = snapshot::decode_file(&wanted, &file)?.text;
            if current != expected {
                return Err(EditError::Conflict { current });
            }
            match disk::remove(&wanted.real, file.hash) {
                Ok(()) => {}
                Err(WriteError::Changed) => return Err(EditError::Conflict { current }),
                Err(error) => return Err(final_error(&wanted, error)),
            }
            documents.publish(Change {
                uri: wanted.uri,
                version: None,
                before: current,
                after: Text::default(),
                existed: true,
                exists: false,
                author,
            });
            Ok(())
        });
        outcome.await.unwrap_or_else(|lost| Err(lost_error(path, lost)))
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt of `edit`, with what it knows")]
    async fn edit_open(
        &self,
        snapshot: &Snapshot,
        version: i32,
        dirty: bool,
        after: Text,
        author: &Author,
        label: &str,
        cancel: &CancellationToken,
    ) -> Result<Applied, Miss> {
        let before = snapshot.text.clone();
        let applied = |version, saved| Applied {
            before: before.clone(),
            after: after.clone(),
            version: Some(version),
            saved,
            created: false,
            attempts: 0,
        };
        if after == before {
            return Ok(applied(version, !dirty));
        }
        let uri = &snapshot.location.uri;
        let (old, new) = (before.clone(), after.clone());
        let edits = blocking(move || EditSet::between(&old, &new)).await;
        let edits = edits.map_err(|lost| Miss::Final(lost_error(snapshot.location.path.clone(), lost)))?;
        let request = DocumentEdit {
            uri: uri.clone(),
            version,
            base: before.clone(),
            edits,
            label: label.to_owned(),
            author: author.clone(),
        };
        let Some(echo) = Echo::expect(self.documents(), uri, version, &before, &after, author.clone()) else {
            return Err(Miss::Again(Reason::Moved));
        };
        let sent = self.send(request, &echo, &after, cancel).await;
        drop(echo);
        match sent {
            Sent::Echoed { version } => {
                let saved = if dirty {
                    // Editors that write through to the disk have saved it, and what was unsaved before.
                    let (location, after) = (snapshot.location.clone(), after.clone());
                    blocking(move || is_on_disk(&location, &after)).await.unwrap_or(false)
                } else {
                    self.save(snapshot, &after, cancel).await
                };
                Ok(applied(version, saved))
            }
            Sent::Missed(miss) => Err(miss),
        }
    }

    /// Sends an edit and watches for its echo, which alone decides.
    async fn send(
        &self,
        request: DocumentEdit,
        echo: &Echo,
        after: &Text,
        cancel: &CancellationToken,
    ) -> Sent {
        let base = request.base.clone();
        let mut answer = pin!(self.editor().apply(request));
        let mut claim = Claim::None;
        let mut cancelled = false;
        let mut deadline = pin!(sleep(ANSWER_PATIENCE));
        let mut seen: Option<Text> = None;
        loop {
            match echo.progress() {
                Progress::Echoed { version } => return Sent::Echoed { version },
                Progress::Lost => return Sent::Missed(Miss::Again(Reason::Moved)),
                Progress::Moved { text } if seen.as_ref() != Some(&text) => {
                    let change = Moved { base: base.clone(), expected: after.clone(), actual: text.clone() };
                    if blocking(move || change.contains_edit()).await == Ok(true) {
                        echo.accept_merged(&text);
                    }
                    seen = Some(text);
                    continue;
                }
                Progress::Moved { .. } | Progress::Waiting => {}
            }
            // The refusal is explained: the editor had another text, which we know by now.
            if let (Claim::Refused(why), Some(_)) = (&claim, &seen) {
                return Sent::Missed(Miss::Again(Reason::Refused(why.clone())));
            }
            tokio::select! {
                biased;
                () = echo.moved() => {}
                answer = &mut answer, if claim == Claim::None => {
                    let patience = match answer {
                        ApplyAnswer { applied: true, .. } => {
                            claim = Claim::Applied;
                            ECHO_PATIENCE
                        }
                        ApplyAnswer { applied: false, reason } => {
                            claim = Claim::Refused(reason.unwrap_or_else(|| "no reason given".to_owned()));
                            REFUSAL_PATIENCE
                        }
                    };
                    let until = Instant::now() + patience;
                    let until = if cancelled { until.min(deadline.deadline()) } else { until };
                    deadline.as_mut().reset(until);
                }
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    let until = (Instant::now() + CANCEL_PATIENCE).min(deadline.deadline());
                    deadline.as_mut().reset(until);
                }
                () = &mut deadline => {
                    if cancelled {
                        return Sent::Missed(Miss::Final(EditError::Cancelled));
                    }
                    let missed = match (claim, seen) {
                        (Claim::Refused(why), _) => Miss::Again(Reason::Refused(why)),
                        // It may still come; sending another could apply both.
                        (Claim::None, _) => Miss::Last(Reason::Refused(format!(
                            "no answer in {} seconds",
                            ANSWER_PATIENCE.as_secs()
                        ))),
                        (Claim::Applied, None) => Miss::Again(Reason::Refused(
                            "it says that it did, but the document does not show it".to_owned(),
                        )),
                        (Claim::Applied, Some(actual)) => {
                            let change = Moved { base, expected: after.clone(), actual };
                            match blocking(move || change.is_elsewhere()).await {
                                Ok(true) => Miss::Again(Reason::Moved),
                                // The edit may be in there; another attempt could make it twice.
                                Ok(false) | Err(_) => Miss::Last(Reason::Moved),
                            }
                        }
                    };
                    return Sent::Missed(missed);
                }
            }
        }
    }

    /// Saves a document that was clean before the edit; typing that came in since is not saved with it.
    async fn save(&self, snapshot: &Snapshot, after: &Text, cancel: &CancellationToken) -> bool {
        let uri = &snapshot.location.uri;
        let unchanged = self.documents().get(uri).is_some_and(|document| document.text == *after);
        if !self.saves_after_edit() || !unchanged {
            return false;
        }
        let saving = timeout(SAVE_PATIENCE, self.editor().save(vec![uri.clone()]));
        tokio::select! {
            biased;
            saved = saving => saved.is_ok_and(|saved| saved.contains(uri)),
            () = cancel.cancelled() => false,
        }
    }

    /// Writes a file that is not open.
    async fn write(
        &self,
        snapshot: &Snapshot,
        expected: Option<FileHash>,
        after: Text,
        author: &Author,
    ) -> Result<Applied, Miss> {
        let created = expected.is_none();
        let applied = Applied {
            before: snapshot.text.clone(),
            after: after.clone(),
            version: None,
            saved: true,
            created,
            attempts: 0,
        };
        if after == snapshot.text && !created {
            return Ok(applied);
        }
        match self.put(snapshot, &after, author).await {
            Put::Left => {}
            Put::Done(after) => return Ok(Applied { after, ..applied }),
            Put::Refused(why) => return Err(Miss::Again(Reason::Refused(why))),
        }
        let documents = Arc::clone(self.documents());
        let Snapshot { location, text: before, bom, .. } = snapshot.clone();
        let (path, author) = (location.path.clone(), author.clone());
        let outcome = blocking(move || {
            check_real(&location).map_err(|error| Miss::Final(error.into()))?;
            let may_commit = || documents.find(&location.uri, &location.real).is_none();
            let bytes = Decoded { text: after.clone(), bom }.encode();
            let written = match expected {
                Some(hash) => disk::replace(&location.real, hash, &bytes, &may_commit),
                None => disk::create(&location.real, &bytes, &may_commit),
            };
            match written {
                Ok(()) => {}
                Err(WriteError::Changed | WriteError::Opened) => return Err(Miss::Again(Reason::Moved)),
                Err(error) => return Err(Miss::Final(final_error(&location, error))),
            }
            // Published here, so that a caller who goes away cannot keep it from the review.
            documents.publish(Change {
                uri: location.uri,
                version: None,
                before,
                after,
                existed: !created,
                exists: true,
                author,
            });
            Ok(())
        });
        match outcome.await {
            Ok(Ok(())) => Ok(applied),
            Ok(Err(miss)) => Err(miss),
            Err(lost) => Err(Miss::Final(lost_error(path, lost))),
        }
    }

    async fn give_up(&self, location: &Location, reason: Reason) -> EditError {
        let current = match self.snapshot(location).await {
            Ok(snapshot) => snapshot.text,
            Err(error) => return error.into(),
        };
        match reason {
            Reason::Moved => EditError::Conflict { current },
            Reason::Refused(why) => EditError::Refused { current, why },
        }
    }
}

/// A document that got another text than the expected one while an edit of it was on its way.
struct Moved {
    base: Text,
    expected: Text,
    actual: Text,
}

impl Moved {
    /// Whether the text is the expected one with further changes, and not the base with others. It is not certain
    /// when somebody typed into the edit itself; the answer is no then.
    fn contains_edit(&self) -> bool {
        three_way(&self.base, &self.expected, &self.actual).is_ok_and(|merged| merged == self.actual)
    }

    /// Whether the change that came is certainly not a part of the edit, because it lies elsewhere.
    fn is_elsewhere(&self) -> bool {
        let [edit, change] = [&self.expected, &self.actual].map(|text| EditSet::between(&self.base, text));
        rebase(&edit, &change).is_ok()
    }
}

fn final_error(location: &Location, error: WriteError) -> EditError {
    let path = location.path.clone();
    match error {
        WriteError::ReadOnly => EditError::ReadOnly { path },
        WriteError::NoSpace => EditError::NoSpace { path },
        WriteError::Vanished => EditError::Vanished { path },
        WriteError::Locked => EditError::Locked { path },
        WriteError::IsDirectory => WorkspaceError::IsDirectory { path }.into(),
        WriteError::Changed | WriteError::Opened => WorkspaceError::Moved { path }.into(),
        WriteError::Io(error) => WorkspaceError::from_io(&path, &error).into(),
    }
}

fn lost_error(path: PathBuf, lost: Lost) -> EditError {
    WorkspaceError::Io { path, why: lost.to_string() }.into()
}
