//! The sessions of one process, and one method for each command about them.
//!
//! A method validates, hands the request to the session's actor, which is started when it is not there yet, and waits
//! for its answer; actors answer within milliseconds whatever their turn does. A session whose queue of requests is
//! full refuses one more as busy.

mod import;
pub(crate) mod inquiry;
pub(crate) mod look;
mod peek;
pub(crate) mod programs;
mod prompts;
mod queue;
mod review;
mod settings;
mod subagents;
mod trust;
mod vetoes;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit_protocol::{
    CancelAnswer, CancelArguments, ErrorKind, KitError, LabelArguments, ListScope, PromptAnswer,
    ReviewListArguments, SessionAnswer, SessionArguments, SessionDeleteAnswer, SessionId, SessionListAnswer,
    SessionListArguments, SessionOnly, SessionTreeAnswer, Status, TranscriptAnswer, TranscriptArguments,
    TurnId,
};
use kit_workspace::DocumentUri;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::prompts::TemplateAction;
pub(crate) use self::prompts::commands;
use crate::actor::{self, Asked, Start};
use crate::dependencies::{Dependencies, Shared};
use crate::hooks::SwitchReason;
use crate::journal::entry::Header;
use crate::journal::{files, list, temporary};
use crate::near;
use crate::op::{Answer, Changes, Farewell, Op};

/// How long running turns have to end at shutdown.
const SHUTDOWN_PATIENCE: Duration = Duration::from_millis(1500);

/// All sessions of a process.
pub struct Sessions {
    shared: Arc<Shared>,
    open: Mutex<HashMap<SessionId, mpsc::Sender<Op>>>,
    actors: TaskTracker,
    /// What is found out for the status; nobody waits for it, and it ends with the sessions.
    background: Mutex<JoinSet<()>>,
    /// What the user chose for new sessions; the settings fill the rest.
    chosen: Mutex<Changes>,
    /// Cancelled when a program asks to end.
    exit: CancellationToken,
    /// Where prompts of a session wait while one before them is made.
    lanes: Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Sessions {
    /// Sessions over a workspace. Must be called within a runtime; reads no session file yet.
    pub fn new(with: Dependencies) -> Arc<Self> {
        let shared = Shared::new(with);
        let setup = shared.setup();
        shared.board.set_defaults(|board| {
            board.mode = setup.settings.mode.unwrap_or_default();
            board.is_unchecked = setup.settings.tls_skip_verify == Some(true);
        });
        shared.with.desk.attach(
            &shared.with.paths,
            &shared.with.workspace,
            Arc::clone(&shared.with.sink),
            Arc::clone(&shared.board),
        );
        let sessions = Arc::new(Self {
            shared,
            open: Mutex::default(),
            actors: TaskTracker::new(),
            background: Mutex::default(),
            chosen: Mutex::default(),
            exit: CancellationToken::new(),
            lanes: Mutex::default(),
        });
        sessions.offer_context_tools();
        sessions.offer_subagents();
        sessions.find_default_model();
        sessions.sweep();
        sessions
    }

    /// `kit.session.cancel`: the turns that end now. Without arguments, all running ones. A summary that is being written
    /// is given up, too.
    pub fn cancel(&self, arguments: CancelArguments) -> CancelAnswer {
        let mut cancelled: Vec<(SessionId, TurnId)> = Vec::new();
        let agents = self.shared.board.agents();
        let parent_of = |session: &SessionId| {
            agents.iter().find(|agent| agent.session == *session).map(|agent| &agent.parent)
        };
        let wanted = |session: &SessionId| {
            arguments.session.as_ref().is_none_or(|of| of == session || parent_of(session) == Some(of))
        };
        for (session, pulse) in self.shared.board.turns() {
            if !wanted(&session) {
                continue;
            }
            let turn = match &arguments.turn {
                None => pulse.turn,
                Some(wanted) => pulse.turn.into_iter().chain(pulse.queued).find(|turn| turn == wanted),
            };
            let Some(turn) = turn else { continue };
            if self.handle(&session).is_some_and(|ops| ops.try_send(Op::Cancel(Some(turn.clone()))).is_ok()) {
                cancelled.push((session, turn));
            }
        }
        if arguments.turn.is_none() {
            let summarizing = self.shared.board.summarizing();
            for session in summarizing
                .iter()
                .filter(|one| arguments.session.as_ref().is_none_or(|wanted| wanted == *one))
            {
                // A running turn was told already, and takes its summary with it.
                if self.handle(session).is_some_and(|ops| ops.try_send(Op::Cancel(None)).is_err()) {
                    tracing::debug!(%session, "a session is too busy to be told to stop");
                }
            }
            // Some of them may still wait for their place and have no turn yet.
            for agent in agents.iter().filter(|agent| wanted(&agent.session)) {
                agent.cancel.cancel();
            }
        }
        // A subagent ends with its parent and is not told beside it.
        let sessions: Vec<SessionId> = cancelled.iter().map(|(session, _)| session.clone()).collect();
        cancelled.retain(|(session, _)| parent_of(session).is_none_or(|parent| !sessions.contains(parent)));
        CancelAnswer { cancelled: cancelled.into_iter().map(|(_, turn)| turn).collect() }
    }

    /// Cancels one turn, wherever it runs or waits.
    pub fn cancel_turn(&self, turn: &TurnId) {
        self.cancel(CancelArguments { session: None, turn: Some(turn.clone()) });
    }

    /// The turns that run right now.
    pub fn running_turns(&self) -> Vec<TurnId> {
        self.shared.board.turns().into_iter().filter_map(|(_, pulse)| pulse.turn).collect()
    }

    /// `kit.session.new`.
    pub async fn new_session(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        self.new_session_for(arguments, None).await
    }

    /// The same for a program that has the first prompt for it already, which it sends afterwards.
    pub async fn new_session_for(
        &self,
        arguments: SessionArguments,
        prompt: Option<String>,
    ) -> Result<SessionAnswer, KitError> {
        self.may_leave(SwitchReason::New, prompt).await?;
        let session = self.start_new(self.root_for(arguments.path.as_deref()), arguments.name);
        let answer = self.ask(&session, Op::Describe).await?;
        self.shared.board.set_current(&session);
        Ok(answer)
    }

    /// `kit.session.open`, by id or by file.
    pub async fn open(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let session = match (arguments.session, arguments.path) {
            (Some(session), _) => session,
            (None, Some(path)) => self.open_file(PathBuf::from(path)).await?,
            (None, None) => {
                return Err(KitError::new(
                    ErrorKind::InvalidRequest,
                    "name the session by `session` or `path`",
                ));
            }
        };
        if self.shared.board.current().as_ref() != Some(&session) {
            self.may_leave(SwitchReason::Open, None).await?;
        }
        let answer = self.ask(&session, Op::Describe).await?;
        self.shared.board.set_current(&session);
        Ok(answer)
    }

    /// `kit.session.fork`: a new file, which becomes the current session.
    pub async fn fork(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let session = self.named(arguments.session)?;
        self.may_fork(&session, arguments.entry.as_ref()).await?;
        let SessionArguments { entry, name, .. } = arguments;
        let forked = match self.ask(&session, |answer| Op::Fork(entry.clone(), name.clone(), answer)).await {
            Err(error) if error.kind == ErrorKind::Busy => {
                let file = self.find_file(&session).await?;
                let folder = self.shared.with.paths.sessions.clone();
                peek::fork(file, session, folder, entry, name).await?
            }
            forked => forked?,
        };
        self.ask(&forked.session, Op::Describe).await?;
        self.shared.board.set_current(&forked.session);
        Ok(forked)
    }

    /// `kit.session.branch`: an absent or empty entry means the beginning. The answer comes at once; a summary of what
    /// is left, where one is asked for, is written behind it.
    pub async fn branch(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let session = self.named(arguments.session)?;
        let entry = arguments.entry.filter(|entry| !entry.as_str().is_empty());
        match &entry {
            Some(entry) => self.may_fork(&session, Some(entry)).await?,
            None => self.may_leave(SwitchReason::Clear, None).await?,
        }
        let farewell = match arguments.summarize {
            true => Farewell::Summary { focus: arguments.focus },
            false => Farewell::Silent,
        };
        self.ask(&session, |answer| Op::Branch(entry, farewell, answer)).await
    }

    /// `kit.session.compact`: answers once it has begun, or is to begin at the next model call of the running turn; the
    /// event `compaction` tells when it is done.
    pub async fn compact(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let session = self.named(arguments.session)?;
        let asked = Asked { focus: arguments.focus, done: None };
        self.ask(&session, |answer| Op::Compact(asked, answer)).await
    }

    /// The same for a program, which waits until it has ended. Within a turn it ends before the turn's next model call, so
    /// nothing that the turn waits for may wait for it.
    pub async fn compact_to_end(&self, arguments: SessionArguments) -> Result<(), KitError> {
        let session = self.named(arguments.session)?;
        let (done, ended) = oneshot::channel();
        let asked = Asked { focus: arguments.focus, done: Some(done) };
        self.ask(&session, |answer| Op::Compact(asked, answer)).await?;
        ended.await.unwrap_or_else(|_| {
            let text = "the compaction was given up; the conversation is as it was";
            Err(KitError::new(ErrorKind::Cancelled, text))
        })
    }

    /// `kit.session.label`: an empty label takes the entry's label away.
    pub async fn label(&self, arguments: LabelArguments) -> Result<SessionAnswer, KitError> {
        let LabelArguments { session, entry, label } = arguments;
        let session = self.named(session)?;
        self.ask(&session, |answer| Op::Label(entry, label, answer)).await
    }

    /// `kit.session.rename`.
    pub async fn rename(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let session = self.named(arguments.session)?;
        let Some(name) = arguments.name else {
            return Err(KitError::new(ErrorKind::InvalidRequest, "`name` is missing"));
        };
        self.ask(&session, |answer| Op::Rename(name, answer)).await
    }

    /// `kit.session.delete`: cancels its turn and removes its file and what lies beside it, and those of its subagents. A
    /// subagent that another process has open stays.
    pub async fn delete(&self, arguments: SessionArguments) -> Result<SessionDeleteAnswer, KitError> {
        let session = self.named(arguments.session)?;
        let file = self.remove_session(&session).await?;
        let mut deleted = vec![session.clone()];
        for subagent in self.stored_subagents(&session, &file).await? {
            match self.remove_session(&subagent).await {
                Ok(_) => deleted.push(subagent),
                Err(error) => tracing::warn!(%subagent, %error, "a subagent of a deleted session stays"),
            }
        }
        Ok(SessionDeleteAnswer { session, deleted })
    }

    /// Cancels what runs in a session and lets go of its file; it can be opened again.
    pub async fn close(&self, session: &SessionId) -> Result<(), KitError> {
        if self.handle(session).is_some() {
            self.close_actor(session).await?;
        }
        Ok(())
    }

    /// Ends a session's actor and answers where its file is.
    async fn close_actor(&self, session: &SessionId) -> Result<PathBuf, KitError> {
        let (done, closed) = oneshot::channel();
        self.hand_over(session, Op::Close(done))?;
        let gone = |_| KitError::new(ErrorKind::Internal, "the session could not be closed");
        let path = closed.await.map_err(gone)?;
        self.lock().remove(session);
        Ok(path)
    }

    /// Removes one session and answers where its file was.
    async fn remove_session(&self, session: &SessionId) -> Result<PathBuf, KitError> {
        // Opening it first takes the lock, so that no other process is in the middle of it.
        self.ask(session, Op::Describe).await?;
        let path = self.close_actor(session).await?;
        let removed = path.clone();
        blocking(move || remove_files(&removed)).await?.map_err(|error| {
            let message = format!("cannot delete the session file {}: {error}", path.display());
            KitError::new(ErrorKind::Unavailable, message)
        })?;
        self.shared.with.policy.end_session(session);
        self.shared.with.desk.forget(session).await;
        self.shared.board.remove(session);
        Ok(path)
    }

    /// `kit.session.export`: a copy of the file, or Markdown when the path ends in `.md`.
    pub async fn export(&self, arguments: SessionArguments) -> Result<SessionAnswer, KitError> {
        let session = self.named(arguments.session)?;
        let path = arguments.path.unwrap_or_else(|| format!("session-{session}.jsonl"));
        self.ask(&session, |answer| Op::Export(PathBuf::from(path), answer)).await
    }

    /// `kit.session.retry`.
    pub async fn retry(&self, arguments: SessionArguments) -> Result<PromptAnswer, KitError> {
        let session = self.named(arguments.session)?;
        self.ask(&session, |answer| Op::Retry(TurnId::random(), answer)).await
    }

    /// `kit.session.list`, newest first.
    pub async fn list(&self, arguments: SessionListArguments) -> Result<SessionListAnswer, KitError> {
        let sessions = self.shared.with.paths.sessions.clone();
        let cache = self.shared.with.paths.cache.clone();
        let roots: Vec<String> =
            self.roots().iter().map(|root| root.to_string_lossy().into_owned()).collect();
        let mut listed = blocking(move || {
            let paths = match arguments.scope {
                ListScope::Root => {
                    roots.iter().flat_map(|root| files::in_directory(&sessions, root)).collect()
                }
                ListScope::All => files::everywhere(&sessions),
            };
            list::list(paths, &cache)
        })
        .await?;
        let running = self.shared.board.turns();
        for summary in &mut listed {
            summary.running =
                running.iter().any(|(session, pulse)| *session == summary.id && pulse.turn.is_some());
        }
        Ok(SessionListAnswer { sessions: listed })
    }

    /// `kit.session.tree`; also of a session that another process has open.
    pub async fn tree(&self, arguments: SessionOnly) -> Result<SessionTreeAnswer, KitError> {
        match self.ask(&arguments.session, Op::Tree).await {
            Err(error) if error.kind == ErrorKind::Busy => {
                peek::tree(self.find_file(&arguments.session).await?).await
            }
            answer => answer,
        }
    }

    /// `kit.session.transcript`; also of a session that another process has open.
    pub async fn transcript(&self, arguments: TranscriptArguments) -> Result<TranscriptAnswer, KitError> {
        let TranscriptArguments { session, from } = arguments;
        match self.ask(&session, |answer| Op::Transcript(from, answer)).await {
            Err(error) if error.kind == ErrorKind::Busy => {
                peek::transcript(self.find_file(&session).await?, session).await
            }
            answer => answer,
        }
    }

    /// The text of a `kit-session:<id>` or `kit-base:<file>` address.
    pub async fn content(&self, uri: &str) -> Result<String, KitError> {
        if let Some(session) = uri.strip_prefix("kit-session:") {
            let name = session.trim_start_matches('/');
            let id = name.split(['/', '?', '#']).next().unwrap_or_default();
            let id = id.strip_suffix(".md").unwrap_or(id);
            let session = SessionId::from(id);
            return match self.ask(&session, Op::Markdown).await {
                Err(error) if error.kind == ErrorKind::Busy => {
                    peek::markdown(self.find_file(&session).await?, session).await
                }
                answer => answer,
            };
        }
        if let Some(file) = uri.strip_prefix("kit-base:") {
            let file = if file.starts_with("//") || file.starts_with('/') {
                format!("file:{file}")
            } else {
                file.to_owned()
            };
            let name = DocumentUri::parse(&file);
            let base = self.shared.with.desk.baseline(&name).await?;
            let unknown = || KitError::new(ErrorKind::NotFound, format!("{name} is not under review"));
            return base.map(|text| text.to_string()).ok_or_else(unknown);
        }
        Err(KitError::new(
            ErrorKind::InvalidRequest,
            format!("{uri} is neither a kit-session: nor a kit-base: address"),
        ))
    }

    /// The status now.
    pub fn status(&self) -> Status {
        self.shared.board.status()
    }

    /// Sends status and review again, to a client that just became ready.
    pub fn announce(&self) {
        self.shared.board.announce();
        self.look_at_projects();
        let shared = Arc::clone(&self.shared);
        self.in_background(async move {
            shared.today().await;
            if let Ok(review) = shared.with.desk.list(ReviewListArguments::default()).await {
                shared.board.set_review(review.summary);
                shared.with.sink.review(review);
            }
        });
    }

    /// Cancels what runs, saves, and lets go of all files.
    pub async fn shutdown(&self) {
        let open: Vec<mpsc::Sender<Op>> = self.lock().drain().map(|(_, ops)| ops).collect();
        for ops in open {
            let (done, _) = oneshot::channel();
            if ops.try_send(Op::Close(done)).is_err() {
                tracing::debug!("a session was closed already");
            }
        }
        self.background.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.actors.close();
        let ended = async {
            self.actors.wait().await;
            self.shared.with.desk.flush().await;
        };
        if tokio::time::timeout(SHUTDOWN_PATIENCE, ended).await.is_err() {
            tracing::error!("sessions did not end in time");
        }
    }

    /// Removes in the background what a crash left of sessions of which nothing was to stay.
    fn sweep(&self) {
        let folder = self.shared.with.paths.sessions.clone();
        self.in_background(async move {
            if let Err(error) = blocking(move || temporary::sweep(&folder)).await {
                tracing::warn!(%error, "temporary sessions are not swept");
            }
        });
    }

    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        while background.try_join_next().is_some() {}
        background.spawn(work);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, mpsc::Sender<Op>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session that is open in this process.
    fn handle(&self, session: &SessionId) -> Option<mpsc::Sender<Op>> {
        self.lock().get(session).filter(|ops| !ops.is_closed()).cloned()
    }

    fn named(&self, session: Option<SessionId>) -> Result<SessionId, KitError> {
        session.or_else(|| self.shared.board.current()).ok_or_else(|| {
            KitError::new(ErrorKind::NotFound, "there is no current session; name one by `session`")
        })
    }

    /// Asks a session, which is opened if it is not open yet.
    async fn ask<T>(&self, session: &SessionId, op: impl FnOnce(Answer<T>) -> Op) -> Result<T, KitError> {
        if self.handle(session).is_none() {
            let path = self.find_file(session).await?;
            self.start(session.clone(), Start::Stored { path });
        }
        let (answer, answered) = oneshot::channel();
        self.hand_over(session, op(answer))?;
        answered.await.unwrap_or_else(|_| {
            Err(KitError::new(ErrorKind::Internal, format!("the session {session} failed unexpectedly")))
        })
    }

    async fn find_file(&self, session: &SessionId) -> Result<PathBuf, KitError> {
        let (sessions, id) = (self.shared.with.paths.sessions.clone(), session.clone());
        match blocking(move || files::find(&sessions, &id)).await? {
            Ok(path) => Ok(path),
            Err(_) => Err(self.unknown_session(session).await),
        }
    }

    /// Names the sessions that may be meant, by their ids or their names.
    async fn unknown_session(&self, session: &SessionId) -> KitError {
        let all = self.list(SessionListArguments { scope: ListScope::All }).await;
        let all = all.map(|all| all.sessions).unwrap_or_default();
        let ids = near::near(session.as_str(), all.iter().map(|one| one.id.as_str()));
        let names = near::near(session.as_str(), all.iter().filter_map(|one| one.name.as_deref()));
        let named = all.iter().filter(|one| one.name.as_deref().is_some_and(|name| names.contains(&name)));
        let meant = named.map(|one| one.id.as_str()).chain(ids).take(near::MOST);
        let hint = near::listed(meant);
        KitError::new(ErrorKind::NotFound, format!("there is no session {session}{hint}"))
    }

    fn hand_over(&self, session: &SessionId, op: Op) -> Result<(), KitError> {
        let Some(ops) = self.handle(session) else {
            return Err(KitError::new(ErrorKind::NotFound, format!("the session {session} is closed")));
        };
        ops.try_send(op).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                KitError::new(ErrorKind::Busy, format!("the session {session} has too much to do; try again"))
            }
            mpsc::error::TrySendError::Closed(_) => {
                KitError::new(ErrorKind::NotFound, format!("the session {session} is closed"))
            }
        })
    }

    /// Starts a session's actor, unless another request was faster.
    fn start(&self, session: SessionId, start: Start) {
        let mut open = self.lock();
        if open.get(&session).is_some_and(|ops| !ops.is_closed()) {
            return;
        }
        let (ops, queue) = mpsc::channel(actor::OPS);
        self.actors.spawn(actor::run(Arc::clone(&self.shared), session.clone(), start, queue));
        open.insert(session, ops);
    }

    fn start_new(&self, cwd: PathBuf, name: Option<String>) -> SessionId {
        let session = SessionId::random();
        let settings = self.defaults(&self.shared.setup_of(&cwd));
        self.start(session.clone(), Start::New { cwd, name, settings });
        session
    }

    /// Opens a file that may lie anywhere.
    async fn open_file(&self, path: PathBuf) -> Result<SessionId, KitError> {
        let path = self.root_for(None).join(path);
        let file = path.clone();
        let header = blocking(move || files::read_header(&file)).await?;
        let header: Option<Header> =
            header.map_err(|error| KitError::from(crate::JournalError::io("read", &path, error)))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let session = header.map_or_else(|| SessionId::new(stem), |header| header.id);
        self.start(session.clone(), Start::Stored { path });
        Ok(session)
    }

    fn roots(&self) -> Vec<PathBuf> {
        self.shared.with.workspace.roots().into_iter().map(|root| root.path).collect()
    }

    /// Where a new session works: the root of a document, else the first root, else the user's home.
    fn root_for(&self, uri: Option<&str>) -> PathBuf {
        let home: &Path = &self.shared.with.paths.home;
        let of_document = uri.and_then(|uri| self.shared.with.workspace.resolve(home, uri).ok()?.root);
        of_document.or_else(|| self.roots().into_iter().next()).unwrap_or_else(|| home.to_owned())
    }
}

fn remove_files(path: &Path) -> std::io::Result<()> {
    for file in std::iter::once(path.to_owned()).chain(files::company(path)) {
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            // A session without entries has no file yet, and few have anything beside it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, KitError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| KitError::new(ErrorKind::Internal, format!("a task failed: {error}")))
}
