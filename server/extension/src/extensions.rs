//! The host of all extensions: what is loaded, and what all of them share.
//!
//! Nothing is loaded before [`Extensions::attach`], and nothing of the sandbox exists before the first extension is
//! found. Loading runs in a task of its own; sessions see a generation once it is complete. Everything here returns at
//! once unless it is `async`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use kit_contract::{
    CUSTOM_EVENT, CustomEvent, EmitCustomEventParameters, EmitCustomEventResult, Payload, SessionContext,
};
use kit_protocol::{FileProblem, SessionId, TurnId, UiSlot};
use kit_session::Sessions;
use kit_tools::{Access, Call, Decision};
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::caller::{Caller, parse};
use crate::facts::AllFacts;
use crate::feed::Feed;
use crate::generation::Generation;
use crate::grants::Grants;
use crate::loaded::Loaded;
use crate::method::NO_SESSIONS;
use crate::options::Options;
use crate::ports::{ExtensionSettings, Ports};
use crate::sandbox::{Engine, Failure, FailureCode, Fault, Program};
use crate::screen::{Board, UiItem};
use crate::state::States;
use crate::tool::RunningTools;

/// How deep events of extensions may call each other.
const DEEPEST: u32 = 8;

/// How long an answer waits until its last piece was heard.
const HEARING: Duration = Duration::from_secs(2);

/// How long a turn waits for extensions that are being loaded at the start.
const FIRST_LOAD: Duration = Duration::from_secs(30);

/// The host of all extensions.
pub struct Extensions {
    me: Weak<Extensions>,
    ports: Ports,
    pub(crate) engine: Engine,
    /// The engine of JavaScript, once a file needed it.
    pub(crate) javascript: Mutex<Option<Program>>,
    settings: RwLock<ExtensionSettings>,
    /// Told when extensions may lie in other places than before.
    pub(crate) elsewhere: Arc<Notify>,
    current: RwLock<Arc<Generation>>,
    /// Whether anybody is loaded, so that a process without extensions pays one look.
    any: AtomicBool,
    /// How many loads bring new extensions: a gate must not miss the first call.
    pending: tokio::sync::watch::Sender<usize>,
    /// Whether there are such loads, for a quick look.
    waits: AtomicBool,
    sessions: OnceLock<Weak<Sessions>>,
    /// One load at a time.
    pub(crate) loading: tokio::sync::Mutex<()>,
    options: Options,
    states: States,
    grants: Grants,
    board: Board,
    pub(crate) feed: Feed,
    problems: Mutex<BTreeMap<PathBuf, FileProblem>>,
    running_tools: RunningTools,
    facts: AllFacts,
    /// Which tools extensions left switched on, for their list; the sessions hold others back.
    active_tools: Mutex<HashMap<SessionId, Vec<String>>>,
    ids: AtomicU64,
    tasks: TaskTracker,
    /// Prompts of extensions on their way to their sessions.
    prompts: TaskTracker,
    /// Questions for grants that are not answered.
    questions: TaskTracker,
    /// How many custom events are on their way.
    depth: AtomicU32,
}

impl Extensions {
    /// The host, without extensions yet.
    pub fn new(ports: Ports, settings: ExtensionSettings) -> Arc<Self> {
        Arc::new_cyclic(|me| {
            let options = Options::default();
            options.set_settings(settings.options.clone());
            Self {
                me: Weak::clone(me),
                engine: Engine::new(&ports.paths.cache),
                javascript: Mutex::default(),
                grants: Grants::new(&ports.paths.config),
                board: Board::new(Arc::clone(&ports.sink)),
                settings: RwLock::new(settings),
                elsewhere: Arc::default(),
                current: RwLock::default(),
                any: AtomicBool::new(false),
                pending: tokio::sync::watch::Sender::new(0),
                waits: AtomicBool::new(false),
                sessions: OnceLock::new(),
                loading: tokio::sync::Mutex::default(),
                options,
                states: States::default(),
                feed: Feed::default(),
                problems: Mutex::default(),
                running_tools: RunningTools::default(),
                facts: AllFacts::default(),
                active_tools: Mutex::default(),
                ids: AtomicU64::new(1),
                tasks: TaskTracker::new(),
                prompts: TaskTracker::new(),
                questions: TaskTracker::new(),
                depth: AtomicU32::new(0),
                ports,
            }
        })
    }

    /// Connects the sessions, and begins to load. Must be called within a runtime.
    pub fn attach(&self, sessions: &Arc<Sessions>) {
        // There are one set of sessions in a process; a second would be the first again.
        let _again = self.sessions.set(Arc::downgrade(sessions));
        self.reload_soon();
        if let Some(hub) = self.me.upgrade() {
            self.spawn(hub.watch());
        }
    }

    /// Waits until what was there when it was last asked for is loaded.
    pub async fn ready(&self) {
        let mut pending = self.pending.subscribe();
        // The sender lives as long as this.
        let _closed = pending.wait_for(|pending| *pending == 0).await;
    }

    /// The same, and waits until the user has said what they may reach.
    pub async fn granted(&self) {
        self.ready().await;
        self.questions.close();
        self.questions.wait().await;
    }

    /// Other settings hold from now on.
    pub fn apply(&self, settings: ExtensionSettings) {
        self.options.set_settings(settings.options.clone());
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        self.elsewhere.notify_one();
        self.reload_soon();
    }

    /// Loads again what changed, soon. Turns wait for extensions that are new.
    pub fn reload_soon(&self) {
        let Some(hub) = self.me.upgrade() else { return };
        let generation = self.generation();
        let waits = self.candidates().iter().any(|path| generation.by_path(path).is_none());
        if waits {
            self.pending.send_modify(|pending| *pending += 1);
            self.waits.store(true, Ordering::Release);
        }
        self.spawn(async move {
            hub.load_all().await;
            if waits {
                hub.pending.send_modify(|pending| *pending -= 1);
                hub.waits.store(*hub.pending.borrow() > 0, Ordering::Release);
            }
        });
    }

    /// Waits until extensions have heard of everything that happened so far, their handlers are done, and sessions have
    /// the prompts that they sent.
    pub async fn settle(&self) {
        self.feed.delivered().await;
        let generation = self.generation();
        futures::future::join_all(generation.extensions.iter().map(|extension| extension.settled())).await;
        self.prompted().await;
    }

    /// Waits until sessions have the prompts that extensions sent.
    pub(crate) async fn prompted(&self) {
        self.prompts.close();
        self.prompts.wait().await;
    }

    /// Ends all extensions and writes what they keep.
    pub async fn shutdown(&self) {
        let generation = self.replace(Generation::default());
        let ends = generation.extensions.iter().map(|extension| extension.shut_down("exit"));
        futures::future::join_all(ends).await;
        self.states.flush().await;
    }

    pub(crate) fn me(&self) -> Weak<Self> {
        Weak::clone(&self.me)
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(crate) fn settings(&self) -> ExtensionSettings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(crate) fn running_tools(&self) -> &RunningTools {
        &self.running_tools
    }

    /// The sessions, while there are any.
    pub(crate) fn sessions(&self) -> Result<Arc<Sessions>, Failure> {
        let sessions = self.sessions.get().and_then(Weak::upgrade);
        sessions.ok_or_else(|| Failure::new(FailureCode::Unavailable, NO_SESSIONS))
    }

    /// The generation that holds now.
    pub(crate) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Swaps the next generation in; answers the one before.
    pub(crate) fn replace(&self, next: Generation) -> Arc<Generation> {
        self.any.store(!next.extensions.is_empty(), Ordering::Release);
        std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), Arc::new(next))
    }

    /// Whether anybody handles an event.
    pub(crate) fn wants(&self, event: &str) -> bool {
        self.waits.load(Ordering::Acquire)
            || (self.any.load(Ordering::Acquire) && self.generation().wants(event))
    }

    /// Waits for what is being loaded at the start, for a while.
    pub(crate) async fn loaded_soon(&self) {
        if self.waits.load(Ordering::Acquire) && tokio::time::timeout(FIRST_LOAD, self.ready()).await.is_err()
        {
            tracing::warn!("extensions take long to load; a turn goes on without them");
        }
    }

    /// Runs something that belongs to no call.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Brings a prompt of an extension to its session, when the extension's own call is over.
    pub(crate) fn spawn_prompt(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.prompts.spawn(work);
    }

    /// Asks the user for a grant, while everything else goes on.
    pub(crate) fn spawn_question(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.questions.spawn(work);
    }

    pub(crate) fn next_id(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// The session that the user works in.
    pub(crate) fn current_session(&self) -> Option<SessionId> {
        self.sessions().ok()?.status().session
    }

    /// The turn that runs in it.
    pub(crate) fn current_turn(&self) -> Option<TurnId> {
        self.sessions().ok()?.status().turn
    }

    /// The folder that paths are relative to.
    pub(crate) fn cwd(&self) -> PathBuf {
        self.ports.workspace.roots().into_iter().next().map(|root| root.path).unwrap_or_default()
    }

    /// Where an extension is called from.
    pub(crate) fn context(&self, session: Option<&SessionId>) -> SessionContext {
        let session = session.cloned().or_else(|| self.current_session());
        let known = session.as_ref().and_then(|session| self.facts.get(session));
        let (cwd, model) = match known {
            Some(facts) => (facts.cwd, facts.model),
            None => (self.cwd(), String::new()),
        };
        let of_status = || self.sessions().ok().and_then(|sessions| sessions.status().model);
        let model = Some(model).filter(|model| !model.is_empty()).or_else(of_status);
        SessionContext {
            session_id: session.map(|session| session.to_string()).unwrap_or_default(),
            cwd: cwd.to_string_lossy().into_owned(),
            model: model.unwrap_or_default(),
            interactive: self.ports.interactive,
            documents: Vec::new(),
        }
    }

    /// An event's JSON.
    pub(crate) fn payload<T: Serialize>(&self, event: T, session: Option<&SessionId>) -> Arc<str> {
        let payload = Payload { event, context: self.context(session) };
        match serde_json::to_string(&payload) {
            Ok(text) => text.into(),
            Err(error) => {
                tracing::error!(%error, "an event of extensions has no JSON");
                "{}".into()
            }
        }
    }

    /// Tells one extension something, if it wants to hear it.
    pub(crate) fn tell_caller<T: Serialize>(&self, caller: &Caller, name: &'static str, event: T) {
        let generation = self.generation();
        let Some(extension) = generation.by_path(caller.path()) else { return };
        if extension.handles(name).is_some() {
            extension.observe(&name.into(), &self.payload(event, None));
        }
    }

    /// The same, and waits for its handler, for a while.
    pub(crate) async fn tell_caller_and_wait<T: Serialize>(
        &self,
        caller: &Caller,
        name: &'static str,
        event: T,
    ) {
        let generation = self.generation();
        let Some(extension) = generation.by_path(caller.path()) else { return };
        if extension.handles(name).is_some() {
            let (name, payload) = (name.into(), self.payload(event, None));
            if tokio::time::timeout(HEARING, extension.tell(&name, &payload)).await.is_err() {
                tracing::debug!(
                    extension = extension.name,
                    "an extension is slow to hear the end of an answer"
                );
            }
        }
    }

    /// The value of an option for an extension.
    pub(crate) fn option(&self, caller: &Caller, name: &str) -> String {
        let own = || caller.defaults.get().and_then(|defaults| defaults.get(name).cloned());
        let of_others = || {
            let generation = self.generation();
            let options = generation.extensions.iter().flat_map(|extension| &extension.registration.options);
            options.into_iter().find(|option| option.name == name).map(|option| option.default.clone())
        };
        self.options.get(name, &*self.ports.environment, || of_others().or_else(own))
    }

    /// What is known about sessions.
    pub(crate) fn facts(&self) -> &AllFacts {
        &self.facts
    }

    /// Whether a model may call a tool in a session, as far as extensions are concerned.
    pub(crate) fn is_active(&self, session: Option<&SessionId>, tool: &str) -> bool {
        let active = self.active_tools.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = session.and_then(|session| active.get(session));
        listed.is_none_or(|names| names.iter().any(|name| name == tool))
    }

    /// Lets a model call these tools only, or all of them.
    pub(crate) fn set_active_tools(&self, session: SessionId, names: Option<Vec<String>>) {
        let mut active = self.active_tools.lock().unwrap_or_else(PoisonError::into_inner);
        match names {
            Some(names) => active.insert(session, names),
            None => active.remove(&session),
        };
    }

    /// What the user's own rules forbid is forbidden to extensions, whatever was granted.
    pub(crate) fn check_rules(
        &self,
        session: &SessionId,
        root: &Path,
        command: &str,
        cwd: &Path,
    ) -> Result<(), Failure> {
        let access = Access::Execute { command: command.to_owned(), cwd: cwd.to_path_buf() };
        let roots = self.ports.workspace.roots();
        let call = Call {
            session,
            worker: session,
            mode: kit_protocol::Mode::Edit,
            root,
            roots: &roots,
            tool: "bash",
            kind: kit_protocol::ToolKind::Execute,
            access: &access,
            unconfined: None,
        };
        match self.ports.policy.decide(&call) {
            Decision::Deny { why } => {
                Err(Failure::new(FailureCode::Denied, format!("permission denied: {why}")))
            }
            Decision::Allow { .. } | Decision::Ask { .. } => Ok(()),
        }
    }

    /// Sends a custom event and waits for its handlers, in load order.
    pub(crate) async fn emit(
        &self,
        caller: &Caller,
        parameters: &str,
    ) -> Result<EmitCustomEventResult, Failure> {
        let EmitCustomEventParameters { name, data } = parse("emitCustomEvent", parameters)?;
        let event: Arc<str> = format!("{CUSTOM_EVENT}{name}").into();
        let session = caller.session(self, parameters);
        let generation = self.generation();
        let handlers = generation.handlers(&event);
        if handlers.is_empty() {
            return Ok(EmitCustomEventResult { handlers: 0 });
        }
        // Handlers that emit run on tasks of their own, so all that is on its way is counted together.
        let _deeper = self.descend(&event)?;
        let payload = self.payload(CustomEvent { data }, session.as_ref());
        let mut ran = 0;
        for handler in handlers {
            // Failures were told; the others still hear of the event.
            if handler.extension.tell(&event, &payload).await.is_ok() {
                ran += 1;
            }
        }
        Ok(EmitCustomEventResult { handlers: ran })
    }

    fn descend(&self, event: &str) -> Result<Descent<'_>, Failure> {
        let descent = Descent(&self.depth);
        if self.depth.fetch_add(1, Ordering::AcqRel) >= DEEPEST {
            let text = format!("events of extensions call each other {DEEPEST} deep, at `{event}`");
            return Err(Failure::new(FailureCode::Invalid, text));
        }
        Ok(descent)
    }

    /// A handler, tool or command of an extension failed: shown at its line, where it tells one.
    pub(crate) fn report_failure(&self, name: &str, path: &Path, text: &str, fault: &Fault) {
        let place = match fault {
            Fault::Failed(failure) => failure.place(),
            Fault::Crashed(_) | Fault::TimedOut(_) | Fault::Busy | Fault::Gone => None,
        };
        let line = place.map_or(0, |(_, line)| line);
        self.set_problem(
            path,
            Some(FileProblem {
                path: path.to_string_lossy().into_owned(),
                line,
                message: format!("the extension {name} failed in {text}"),
            }),
        );
    }

    /// A guest crashed.
    pub(crate) fn crashed(&self, caller: &Caller, why: &str, disabled: bool) {
        let (name, path) = (caller.name(), caller.path());
        tracing::error!(extension = name, why, disabled, "an extension crashed");
        let end = if disabled { "it is disabled until its file changes" } else { "it was started again" };
        let message = format!("the extension {name} crashed: {why}; {end}");
        caller.note(&message);
        if disabled {
            let generation = self.generation();
            if let Some(extension) = generation.by_path(path) {
                extension.disable();
                self.withdraw(extension);
            }
            let style = BTreeMap::from([("kind".to_owned(), "error".to_owned())]);
            let item = UiItem { text: format!("{name} is disabled"), style, ..UiItem::default() };
            if let Err(error) = self.show(name, UiSlot::Status, "disabled", item) {
                tracing::warn!(%error, "the status line does not say that an extension is disabled");
            }
        }
        let problem = FileProblem { path: path.to_string_lossy().into_owned(), line: 0, message };
        self.set_problem(path, Some(problem));
    }

    /// Takes away what a disabled extension shows and offers.
    fn withdraw(&self, extension: &Loaded) {
        self.board.clear(&extension.name);
        self.take_back_tools(extension);
    }

    /// Notes what is wrong with a file, or that nothing is any more, and shows all that is.
    pub(crate) fn set_problem(&self, path: &Path, problem: Option<FileProblem>) {
        let all: Vec<FileProblem> = {
            let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
            match problem {
                Some(problem) => problems.insert(path.to_path_buf(), problem),
                None => problems.remove(path),
            };
            problems.values().cloned().collect()
        };
        self.ports.sink.problems("extensions", all);
    }

    /// What is wrong with a file.
    pub(crate) fn problem(&self, path: &Path) -> Option<FileProblem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Everything that is wrong.
    pub(crate) fn problems(&self) -> Vec<FileProblem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A custom event that is on its way.
struct Descent<'a>(&'a AtomicU32);

impl Drop for Descent<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
