//! Moving within a session's tree, copying it, and showing it.

use std::path::PathBuf;
use std::sync::Arc;

use kit_protocol::{
    EntryId, ErrorKind, KitError, Part, PromptAnswer, Role, SessionAnswer, SessionTreeAnswer,
    TranscriptAnswer, TurnId,
};

use super::prompts::Waiting;
use super::{Actor, internal};
use crate::fork;
use crate::history::{EntryIndex, Record, RecordKind};
use crate::hooks::InputSource;
use crate::journal::entry::{Body, Note};
use crate::journal::files;
use crate::journal::write::Durability;
use crate::markdown;
use crate::op::{Answer, Changes, Farewell, reply};
use crate::reference::Reference;
use crate::tree;
use crate::turn::Input;

impl Actor {
    /// Continues from an entry, or from before the first one. Nothing is written: the next entry tells it. A summary of
    /// what is left follows when it is asked for.
    pub(super) async fn branch(
        &mut self,
        entry: Option<EntryId>,
        farewell: Farewell,
    ) -> Result<SessionAnswer, KitError> {
        self.must_be_idle()?;
        let to = match entry {
            Some(entry) => Some(self.settled(self.find(&entry)?).await?),
            None => None,
        };
        let from = self.journal.history().leaf();
        self.move_to(to).await?;
        if let (Farewell::Summary { focus }, Some(from)) = (farewell, from) {
            self.begin_branch_summary(from, focus.as_deref()).await?;
        }
        Ok(self.describe())
    }

    pub(super) async fn move_to(&mut self, to: Option<EntryIndex>) -> Result<(), KitError> {
        self.journal.move_leaf(to);
        self.conversation = None;
        self.stream.forget();
        self.read_branch_settings().await
    }

    pub(super) fn must_be_idle(&self) -> Result<(), KitError> {
        let busy = |text: &str| Err(KitError::new(ErrorKind::Busy, text));
        match (&self.running, &self.summarizing) {
            (None, None) => Ok(()),
            (Some(_), _) => busy("a turn runs in this session; stop it first"),
            (None, Some(_)) => {
                busy("a summary of this session is being written; wait for it or stop it first")
            }
        }
    }

    fn find(&self, entry: &EntryId) -> Result<EntryIndex, KitError> {
        fork::find(self.journal.history(), entry)
    }

    /// The entry that is meant by one that people chose, with the notes behind it.
    async fn settled(&self, entry: EntryIndex) -> Result<EntryIndex, KitError> {
        let notes = fork::notes_behind(self.journal.history(), entry);
        self.on_branch(notes, move |history, lines| fork::settled(history, lines, entry)).await
    }

    /// Gives an entry a label, or takes it away.
    pub(super) async fn label_entry(&mut self, entry: EntryId, label: String) -> Result<(), KitError> {
        self.find(&entry)?;
        let body = Body::Label { target_id: entry, label: label.trim().to_owned() };
        self.append(vec![body], Durability::Synced).await
    }

    /// Goes back to before the last prompt of the branch and sends it again.
    pub(super) async fn retry(&mut self, turn: TurnId, answer: Answer<PromptAnswer>) {
        match self.retried(turn.clone()).await {
            Ok(()) => {
                reply(answer, Ok(PromptAnswer { session: self.session.clone(), turn, queued: false }));
                self.input(Input::Begin).await;
            }
            Err(error) => reply(answer, Err(error)),
        }
    }

    async fn retried(&mut self, turn: TurnId) -> Result<(), KitError> {
        self.must_be_idle()?;
        let history = Arc::clone(self.journal.history());
        let branch = history.current_branch();
        let of = |index: &EntryIndex| history.get(*index);
        let is_start = |index: &EntryIndex| self.turns.iter().any(|(start, _)| start == index);
        // Where our notes tell the turn, its first message counts, not one that joined it later.
        let user = RecordKind::Message(Some(Role::User));
        let is_user = |index: &EntryIndex| of(index).is_some_and(|record| record.kind == user);
        // Messages that joined a turn later do not count, and an answered prompt without a message cannot be repeated.
        let noted = (0..branch.len()).rev().find_map(|at| {
            let start = branch.get(at).filter(|index| is_start(index))?;
            let opening = branch.iter().skip(at + 1).take_while(|index| is_opening(of(index)));
            let opening: Vec<EntryIndex> = opening.copied().collect();
            opening.iter().any(is_user).then_some((*start, opening))
        });
        let unnoted = || branch.iter().rev().find(|index| is_user(index)).map(|index| (*index, vec![*index]));
        let nothing = || KitError::new(ErrorKind::NotFound, "there is no prompt to repeat");
        let (first, opening) = noted.or_else(unnoted).ok_or_else(nothing)?;
        let wanted = [&[first], &opening[..]].concat();
        let (parts, references): (Vec<Part>, Vec<Reference>) = self
            .on_branch(wanted, move |history, lines| {
                let body = |index: EntryIndex| {
                    history.get(index).map_or(Body::Unknown, |record| Body::parse(&lines.get(record.span)))
                };
                let (injected, references) = match body(first).note() {
                    Some(Note::TurnStart(start)) => (start.injected, start.references),
                    Some(_) | None => (0, Vec::new()),
                };
                let message = opening.get(injected).or(opening.last());
                let parts = match message.map(|message| body(*message)) {
                    Some(Body::Message { parts, .. }) => parts,
                    Some(
                        Body::ModelChange { .. }
                        | Body::BranchSummary { .. }
                        | Body::Label { .. }
                        | Body::SessionInfo { .. }
                        | Body::ExtensionData { .. }
                        | Body::Compaction { .. }
                        | Body::Unknown,
                    )
                    | None => Vec::new(),
                };
                (parts, references)
            })
            .await?;
        // Model, mode and thinking level stay what they are now: they may be why the prompt is repeated.
        let now = Changes {
            mode: Some(self.mode),
            model: self.model.clone(),
            thinking: Some(self.thinking),
            ..Changes::default()
        };
        self.move_to(of(&first).and_then(|record| record.parent)).await?;
        self.start(Waiting { turn, parts, references, changes: now, source: InputSource::Interactive }).await
    }

    /// Copies the branch up to an entry, or to the leaf, into a new file.
    pub(super) async fn fork(
        &mut self,
        entry: Option<EntryId>,
        name: Option<String>,
    ) -> Result<SessionAnswer, KitError> {
        let leaf = match entry {
            Some(entry) => Some(self.settled(self.find(&entry)?).await?),
            None => self.journal.history().leaf(),
        };
        let branch = self.journal.history().branch(leaf);
        let origin = fork::Origin {
            path: self.journal.path().to_owned(),
            session: self.session.clone(),
            cwd: self.cwd.to_string_lossy().into_owned(),
        };
        let folder = self.shared.with.paths.sessions.clone();
        self.on_branch(branch.clone(), move |history, lines| {
            fork::write(history, lines, &branch, &origin, &folder, name)
        })
        .await?
    }

    /// Copies the file and the state of extensions beside it, or writes Markdown.
    pub(super) async fn export(&mut self, to: PathBuf) -> Result<SessionAnswer, KitError> {
        let to = self.cwd.join(to);
        let markdown = to.extension().is_some_and(|extension| extension == "md");
        let text = if markdown { Some(self.markdown().await?) } else { None };
        let (from, target) = (self.journal.path().to_owned(), to.clone());
        let copied = tokio::task::spawn_blocking(move || {
            if let Some(text) = text {
                return files::write_new(&target, text.as_bytes());
            }
            files::write_new(&target, &std::fs::read(&from)?)?;
            files::copy_state(&from, &target)
        });
        copied.await.map_err(|error| internal(&error))?.map_err(|error| {
            let cannot = format!("cannot export the session to {}", to.display());
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                let text = format!("{cannot}: there is a file already; choose another name");
                return KitError::new(ErrorKind::Conflict, text);
            }
            KitError::new(ErrorKind::Unavailable, format!("{cannot}: {error}"))
        })?;
        Ok(SessionAnswer { path: Some(to.to_string_lossy().into_owned()), ..self.describe() })
    }

    pub(super) async fn tree(&self) -> Result<SessionTreeAnswer, KitError> {
        let all = (0..self.journal.history().records().len()).map(EntryIndex).collect();
        Ok(SessionTreeAnswer { nodes: self.on_branch(all, tree::nodes).await? })
    }

    pub(super) async fn transcript(&mut self, from: Option<u64>) -> Result<TranscriptAnswer, KitError> {
        self.stream.flush();
        let remembered = match from {
            Some(from) => self.stream.since(from),
            None if self.stream.has_forgotten() => None,
            None => self.stream.since(1),
        };
        let events = match remembered {
            Some(events) => events,
            None => {
                let told = self.told().await?;
                self.stream.all(told)
            }
        };
        Ok(TranscriptAnswer { events, next_seq: self.stream.next_seq() })
    }

    pub(super) async fn markdown(&self) -> Result<String, KitError> {
        let told = self.told().await?;
        let name = self.name.clone().unwrap_or_else(|| format!("Session {}", self.session));
        Ok(markdown::transcript(&name, &told))
    }

    /// The turn and all that came after it on the current branch.
    pub(super) fn turns_from(&self, turn: &TurnId) -> Result<Vec<TurnId>, KitError> {
        let branch = self.journal.history().current_branch();
        let on_branch = self.turns.iter().filter(|(index, _)| branch.binary_search(index).is_ok());
        let turns: Vec<TurnId> =
            on_branch.map(|(_, turn)| turn.clone()).skip_while(|other| other != turn).collect();
        if turns.is_empty() {
            return Err(no_turn(turn));
        }
        Ok(turns)
    }

    /// Continues from before a turn.
    pub(super) async fn rewind_to(&mut self, turn: &TurnId) -> Result<(), KitError> {
        self.must_be_idle()?;
        let start = self.turns.iter().rev().find(|(_, other)| other == turn).map(|(index, _)| *index);
        let start = start.ok_or_else(|| no_turn(turn))?;
        let before = self.journal.history().get(start).and_then(|record| record.parent);
        self.move_to(before).await
    }
}

/// Whether an entry is one of the messages that a turn begins with.
fn is_opening(record: Option<&Record>) -> bool {
    record.is_some_and(|record| matches!(record.kind, RecordKind::Message(Some(Role::System | Role::User))))
}

fn no_turn(turn: &TurnId) -> KitError {
    KitError::new(ErrorKind::NotFound, format!("the current branch of the session has no turn {turn}"))
}
