//! The session actor: the only one who changes a session's history, settings, usage and queue (I6).
//!
//! It takes requests one at a time and, while a turn runs, what model and tools report, and feeds the turn machine,
//! whose effects it performs in order. It never waits for a model, a tool or a person; it waits for its own file, so
//! that nothing is told before it is saved (I7). Turns follow each other: what comes while one runs joins it or waits.
//! All its tasks live in it and die with it.

mod afterwards;
mod attempt;
mod branches;
mod calls;
mod errand;
mod file;
mod gate;
mod intercept;
mod logins;
mod news;
mod plan;
mod programs;
mod project;
mod prompts;
mod pulse;
mod queue;
mod rest;
mod settings;
mod subagents;
mod summaries;
mod tools;
mod turn;
mod watched;

pub(crate) use self::turn::chance;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use kit_protocol::{
    AskAnswer, ErrorKind, EventBody, KitError, Message, Mode, ModeSetAnswer, ModelId, ModelSetAnswer,
    PlanEntry, RunState, SessionId, ThinkingLevel, ThinkingSetAnswer, TurnId,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::attempt::AttemptEvent;
use self::errand::Work;
use self::prompts::Waiting;
pub(crate) use self::rest::run;
use self::settings::Chosen;
pub(crate) use self::summaries::Asked;
use self::summaries::{Outcome, Summarizing};
use self::tools::ToolDone;
use self::turn::Running;
use self::watched::WatchedResource;
use crate::budget::Purse;
use crate::clock::Millis;
use crate::dependencies::Shared;
use crate::history::EntryIndex;
use crate::hooks::Observation;
use crate::journal::entry::{Body, Header, ResourcesNote, SettingsNote, SubagentNote};
use crate::journal::read::Loaded;
use crate::journal::write::Durability;
use crate::journal::{Journal, files, temporary};
use crate::op::{Changes, Op, Place, reply};
use crate::restore::{self, Remembered};
use crate::stream::Stream;
use crate::subagent;
use crate::subagent::nursery::Nursery;
use crate::tokens::Meter;
use crate::turn::Opening;
use crate::usage::SessionUsage;

/// Requests that may wait. One more is refused as busy.
pub(crate) const OPS: usize = 64;
/// Sessions up to this size are told to clients as soon as they are opened; larger ones when somebody asks.
const TOLD_AT_ONCE: usize = 5_000;
/// How many events an entry becomes at most, as far as numbers are kept free for them.
const EVENTS_PER_ENTRY: u64 = 8;

/// Where a session comes from.
pub(crate) enum Start {
    /// It is new; its file appears with its first entry.
    New { cwd: PathBuf, name: Option<String>, settings: Changes },
    /// It is new and works for another session.
    Subagent { header: Header, settings: Changes },
    /// It lies in a file.
    Stored { path: PathBuf },
}

struct Actor {
    shared: Arc<Shared>,
    session: SessionId,
    cwd: PathBuf,
    journal: Journal,
    name: Option<String>,
    mode: Mode,
    thinking: ThinkingLevel,
    /// The level that the model has instead of the one that was asked for, once that was told.
    told_level: Option<ThinkingLevel>,
    /// The model; found out with the first turn where nobody chose one.
    model: Option<ModelId>,
    /// The model that the file tells, or will with the next entry.
    noted_model: Option<ModelId>,
    context_window: u64,
    usage: SessionUsage,
    /// The messages of the current branch, once a turn needed them.
    conversation: Option<Vec<Message>>,
    /// What the system prompt says of the project, once a turn needed it.
    pinned: Option<project::Pinned>,
    /// The files that the model knows.
    known: news::Known,
    /// How large they are for the model.
    meter: Meter,
    /// What the provider counted after calls, on whatever branch.
    counts: Vec<(EntryIndex, u64)>,
    /// What may be spent, with the session's subagents.
    purse: Arc<Purse>,
    /// Whether the user knows that a model has no price.
    told_unpriced: bool,
    /// What the user was told of tools that are not there.
    told_missing: Vec<String>,
    /// Changes of mode and thinking level, and where turns begin, on whatever branch.
    settings: Vec<(EntryIndex, SettingsNote)>,
    turns: Vec<(EntryIndex, TurnId)>,
    /// The turns that ended, on whatever branch.
    ended: Vec<TurnId>,
    /// The plans, on whatever branch, and the one that holds.
    plans: Vec<(EntryIndex, Vec<PlanEntry>)>,
    plan: Vec<PlanEntry>,
    /// What somebody chose for this session, which the settings do not change.
    chosen: Chosen,
    /// What the settings say for the turns behind the running one.
    adopting: Option<Changes>,
    /// Entries that are written before the next one.
    repairs: Vec<Body>,
    stream: Stream,
    queue: VecDeque<Waiting>,
    running: Option<Running>,
    /// The summary that is being written.
    summarizing: Option<Summarizing>,
    /// A compaction that waits for the running turn.
    asked_compaction: Option<Asked>,
    /// The tools that programs left switched on; all where they chose none.
    active: Option<BTreeSet<String>>,
    /// What the status says beside the running turn.
    state: RunState,
    label: String,
    closing: Vec<oneshot::Sender<PathBuf>>,
    /// What the session is, if it works for another one.
    role: Option<SubagentNote>,
    /// The task that it works on for another session.
    work: Option<Work>,
    /// Whether it lets go of its file as soon as nothing waits.
    rests: bool,
    /// Resources in the conversation that may change.
    /// What the model has of resources, on whatever branch.
    resources: Vec<(EntryIndex, ResourcesNote)>,
    watched: Vec<WatchedResource>,
    /// Its own subagents.
    nursery: Arc<Nursery>,
}

/// What happens next.
enum Next {
    Op(Option<Op>),
    Intercepted(Opening),
    Attempt(Option<AttemptEvent>),
    Answered(AskAnswer),
    Arrived(gate::Arrival),
    Summarized(Outcome),
    Tool(ToolDone),
    Output,
    Relayed,
    Stopped,
    Timer,
}

impl Actor {
    async fn open(shared: Arc<Shared>, session: SessionId, start: Start) -> Result<Self, KitError> {
        let defaults = shared.board.defaults();
        let sink = Arc::clone(&shared.with.sink);
        let is_subagent = matches!(start, Start::Subagent { .. });
        let (journal, loaded, cwd, name, settings) = match start {
            Start::New { cwd, name, settings } => {
                let at = Millis::now();
                let directory = cwd.to_string_lossy().into_owned();
                let path = files::new_path(&shared.with.paths.sessions, &directory, &session, at);
                (
                    Journal::create(path, Header::new(session.clone(), at, directory)),
                    None,
                    cwd,
                    name,
                    settings,
                )
            }
            Start::Subagent { header, settings } => {
                let cwd = PathBuf::from(&header.cwd);
                let (sessions, now) = (&shared.with.paths.sessions, Millis::now());
                let path = if header.temporary {
                    temporary::new_path(sessions, &session, now)
                } else {
                    files::new_path(sessions, &header.cwd, &session, now)
                };
                (Journal::create(path, header), None, cwd, None, settings)
            }
            Start::Stored { path } => {
                let opened = tokio::task::spawn_blocking(move || Journal::open(path)).await;
                let (journal, loaded) = opened.map_err(|error| internal(&error))??;
                let cwd = PathBuf::from(&loaded.header.cwd);
                // A header that is lost or from another system names no directory of this one.
                let cwd = if cwd.is_absolute() { cwd } else { first_root(&shared) };
                let name = loaded.name.clone();
                (journal, Some(loaded), cwd, name, Changes::default())
            }
        };
        let setup = shared.setup_of(&cwd);
        let mut actor = Self {
            stream: Stream::new(session.clone(), sink, 1),
            session,
            cwd,
            journal,
            name: None,
            mode: settings.mode.unwrap_or(defaults.mode),
            thinking: settings.thinking.or(setup.settings.thinking_level).unwrap_or_default(),
            told_level: None,
            model: settings.model,
            noted_model: None,
            context_window: 0,
            usage: SessionUsage::default(),
            conversation: None,
            pinned: None,
            known: news::Known::default(),
            meter: Meter::default(),
            counts: Vec::new(),
            purse: Arc::default(),
            told_unpriced: false,
            told_missing: Vec::new(),
            settings: Vec::new(),
            turns: Vec::new(),
            ended: Vec::new(),
            plans: Vec::new(),
            plan: Vec::new(),
            chosen: Chosen::default(),
            adopting: None,
            repairs: Vec::new(),
            queue: VecDeque::new(),
            running: None,
            summarizing: None,
            asked_compaction: None,
            active: None,
            state: RunState::Idle,
            label: String::new(),
            closing: Vec::new(),
            role: None,
            work: None,
            rests: false,
            resources: Vec::new(),
            watched: Vec::new(),
            nursery: Nursery::new(setup.settings.max_subagents.unwrap_or(subagent::DEFAULT_PARALLEL)),
            shared,
        };
        match loaded {
            Some(loaded) => {
                actor.name = name;
                actor.restore(loaded).await?;
            }
            None => {
                if let Some(name) = name {
                    actor.rename(name).await?;
                }
            }
        }
        actor.know_window();
        actor.post();
        if !is_subagent && actor.role.is_none() {
            actor.observe(Observation::SessionStart);
        }
        Ok(actor)
    }

    /// Takes over what the file tells.
    async fn restore(&mut self, loaded: Loaded) -> Result<(), KitError> {
        let remembered = restore::remember(loaded.notes);
        self.repairs = remembered.repairs();
        let Remembered { usage, settings, turns, ended, counts, role, plans, resources, .. } = remembered;
        self.resources = resources;
        self.role = role;
        self.purse = Purse::new(&usage.session);
        self.usage = usage;
        self.counts = counts;
        self.settings = settings;
        self.turns = turns;
        self.ended = ended;
        self.plans = plans;
        self.read_branch_settings().await?;
        let entries = self.journal.history().records().len();
        if entries <= TOLD_AT_ONCE {
            let told = self.told().await?;
            self.stream.remember_told(told);
        } else {
            self.stream.skip(u64::try_from(entries).unwrap_or(u64::MAX).saturating_mul(EVENTS_PER_ENTRY));
        }
        if let Some(problem) = loaded.problems.sentence(self.journal.path()) {
            tracing::warn!(session = %self.session, problem);
            self.stream.emit(None, EventBody::Error { kind: ErrorKind::Conflict, message: problem });
        }
        Ok(())
    }

    /// Runs until the session is closed; answers its file when it rests instead.
    async fn run(mut self, ops: &mut mpsc::Receiver<Op>, first: Option<Op>) -> Option<PathBuf> {
        if let Some(op) = first {
            self.op(op).await;
        }
        loop {
            match self.next(ops).await {
                Next::Op(Some(op)) => self.op(op).await,
                Next::Op(None) => self.cancel(None).await,
                Next::Intercepted(opening) => self.intercepted(opening).await,
                Next::Attempt(event) => self.attempt_event(event).await,
                Next::Answered(answer) => self.told_to(answer).await,
                Next::Arrived(arrival) => self.arrived(arrival).await,
                Next::Summarized(outcome) => self.summarized(outcome).await,
                Next::Tool(done) => self.tool_done(done).await,
                Next::Output => self.tell_news().await,
                Next::Relayed => self.tell_relayed().await,
                Next::Stopped => self.errand_cancelled().await,
                Next::Timer => self.timer().await,
            }
            self.start_next().await;
            if self.running.is_none() {
                self.begin_asked_compaction().await;
            }
            self.stream_flush_if_due();
            if self.may_rest() {
                return Some(self.rest().await);
            }
            let ends = ops.is_closed() && ops.is_empty() || !self.closing.is_empty();
            if ends && self.running.is_none() {
                break;
            }
        }
        ops.close();
        self.nursery.kill_all();
        let closed = KitError::new(ErrorKind::NotFound, format!("the session {} is closed", self.session));
        while let Some(op) = ops.recv().await {
            op.refuse(closed.clone());
        }
        self.stream.flush();
        if self.role.is_none() {
            self.observe(Observation::SessionShutdown);
        }
        self.shared.board.remove(&self.session);
        let path = self.journal.path().to_owned();
        self.journal.close().await;
        for done in self.closing {
            // Whoever asked may have given up.
            let _unread = done.send(path.clone());
        }
        None
    }

    async fn next(&mut self, ops: &mut mpsc::Receiver<Op>) -> Next {
        let flush = self.stream.due();
        let relay = Arc::clone(&self.nursery.relay);
        let Some(running) = &mut self.running else {
            return tokio::select! {
                op = ops.recv() => Next::Op(op),
                outcome = summaries::next(&mut self.summarizing) => Next::Summarized(outcome),
                () = relay.ready() => Next::Relayed,
                () = sleep_until(flush) => Next::Timer,
            };
        };
        let overdue = self.work.as_ref().map(|work| work.deadline);
        let cancel = self.work.as_ref().map(|work| work.cancel.clone());
        let timer = [flush, running.retry_at, running.deadline, overdue].into_iter().flatten().min();
        // Without senders there is nothing to receive, and the running turn is being cancelled.
        let open = !ops.is_closed() || !ops.is_empty();
        tokio::select! {
            op = ops.recv(), if open => Next::Op(op),
            opening = intercept::next(&mut running.interceptors) => Next::Intercepted(opening),
            event = attempt::next(&mut running.attempt) => Next::Attempt(event),
            answer = gate::answered(&mut running.asking) => Next::Answered(answer),
            arrival = gate::arrived(&mut running.arriving) => Next::Arrived(arrival),
            outcome = summaries::next(&mut self.summarizing) => Next::Summarized(outcome),
            done = running.tools.next() => Next::Tool(done),
            () = running.outputs.ready() => Next::Output,
            () = relay.ready() => Next::Relayed,
            () = errand::stopped(cancel) => Next::Stopped,
            () = sleep_until(timer) => Next::Timer,
        }
    }

    fn stream_flush_if_due(&mut self) {
        if self.stream.due().is_some_and(|due| due <= Instant::now()) {
            self.stream.flush();
        }
    }

    async fn op(&mut self, op: Op) {
        // A running call may ask for it: that it runs is told first.
        self.tell_news().await;
        match op {
            Op::Prompt(prompt, answer) => self.prompt(*prompt, answer).await,
            Op::Interrupt(prompt, answer) => self.interrupt(*prompt, answer).await,
            Op::Abort(answer) => {
                let ended = self.abort().await;
                reply(answer, ended);
            }
            Op::AppendEntry(kind, data, answer) => {
                let appended = self.append_entry(kind, data).await;
                reply(answer, appended);
            }
            Op::Collapse(from, to, summary, answer) => {
                let collapsed = self.collapse(&from, &to, summary).await;
                reply(answer, collapsed);
            }
            Op::Tools(answer) => reply(answer, Ok(self.tools())),
            Op::SetActiveTools(names, answer) => {
                self.set_active_tools(names);
                reply(answer, Ok(()));
            }
            Op::Display(shown) => self.display(shown).await,
            Op::SetPlan(entries, answer) => {
                let set = self.set_plan(entries).await;
                reply(answer, set);
            }
            Op::Reserve(next, answer) => {
                let reserved = self.reserve_aside(next).await;
                reply(answer, reserved);
            }
            Op::Paid(usage, answer) => {
                let counted = self.paid_aside(usage).await;
                reply(answer, counted);
            }
            Op::Retry(turn, answer) => self.retry(turn, answer).await,
            Op::Cancel(turn) => self.cancel(turn).await,
            Op::Place(answer) => {
                reply(answer, Ok(Place { cwd: self.cwd.clone(), model: self.model.clone() }))
            }
            Op::Describe(answer) => reply(answer, Ok(self.describe())),
            Op::View(answer) => reply(answer, Ok(self.view())),
            Op::Rename(name, answer) => {
                let renamed = self.rename(name).await;
                reply(answer, renamed.map(|()| self.describe()));
            }
            Op::Branch(entry, farewell, answer) => {
                let branched = self.branch(entry, farewell).await;
                reply(answer, branched);
            }
            Op::Compact(asked, answer) => {
                let begun = self.compact(asked).await;
                reply(answer, begun.map(|()| self.describe()));
            }
            Op::Label(entry, label, answer) => {
                let labelled = self.label_entry(entry, label).await;
                reply(answer, labelled.map(|()| self.describe()));
            }
            Op::Queue(taken, answer) => {
                let queue = self.take_back(taken).await;
                reply(answer, queue);
            }
            Op::Fork(entry, name, answer) => {
                let forked = self.fork(entry, name).await;
                reply(answer, forked);
            }
            Op::Export(path, answer) => {
                let exported = self.export(path).await;
                reply(answer, exported);
            }
            Op::Tree(answer) => {
                let tree = self.tree().await;
                reply(answer, tree);
            }
            Op::Transcript(from, answer) => {
                let transcript = self.transcript(from).await;
                reply(answer, transcript);
            }
            Op::Markdown(answer) => {
                let markdown = self.markdown().await;
                reply(answer, markdown);
            }
            Op::Usage(answer) => self.tell_usage(answer),
            Op::SetModel(model, by, answer) => {
                let changes = Changes { model: Some(model.clone()), by, ..Changes::default() };
                let changed = self.change(changes).await;
                reply(answer, changed.map(|()| ModelSetAnswer { model }));
            }
            Op::SetThinking(level, by, answer) => {
                let changed = self.change(Changes { thinking: Some(level), by, ..Changes::default() }).await;
                reply(answer, changed.map(|()| ThinkingSetAnswer { level }));
            }
            Op::SetMode(mode, answer) => {
                let changed = self.change(Changes { mode: Some(mode), ..Changes::default() }).await;
                reply(answer, changed.map(|()| ModeSetAnswer { mode }));
            }
            Op::Adopt(adoption, answer) => {
                let adopted = self.adopt(adoption).await;
                reply(answer, adopted);
            }
            Op::LookAtLogins => self.look_at_logins(),
            Op::TurnsFrom(turn, answer) => reply(answer, self.turns_from(&turn)),
            Op::RewindTo(turn, answer) => {
                let rewound = self.rewind_to(&turn).await;
                reply(answer, rewound);
            }
            Op::Heritage(answer) => reply(answer, Ok(self.heritage())),
            Op::Work(errand) => self.work(*errand).await,
            Op::Close(done) => {
                self.closing.push(done);
                self.cancel(None).await;
            }
        }
        self.post();
    }

    async fn timer(&mut self) {
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if self.running.as_ref().is_some_and(|running| due(running.deadline)) {
            self.deadline().await;
        } else if self.running.is_some() && due(self.work.as_ref().map(|work| work.deadline)) {
            self.errand_overdue().await;
        } else if self.running.as_ref().is_some_and(|running| due(running.retry_at)) {
            self.retry_due().await;
        }
    }

    async fn rename(&mut self, name: String) -> Result<(), KitError> {
        self.append(vec![Body::SessionInfo { name: name.clone() }], Durability::Synced).await?;
        self.name = Some(name).filter(|name| !name.is_empty());
        Ok(())
    }

    /// The running turn and those that wait.
    fn live_turns(&self) -> impl Iterator<Item = &TurnId> {
        let running = self.running.iter().map(|running| running.machine.turn());
        running.chain(self.queue.iter().map(|waiting| &waiting.turn))
    }
}

/// Where a session works whose file does not tell.
fn first_root(shared: &Shared) -> PathBuf {
    let root = shared.with.workspace.roots().into_iter().next().map(|root| root.path);
    root.unwrap_or_else(|| shared.with.paths.home.clone())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn internal(error: &tokio::task::JoinError) -> KitError {
    KitError::new(ErrorKind::Internal, format!("a task of the session failed: {error}"))
}

pub(crate) fn from_model(error: kit_provider::ModelError) -> KitError {
    KitError::new(error.kind, error.message)
}
