//! What extensions observe, on its way to them.
//!
//! Sessions hand over and go on: events go through one bounded channel to a task that binds the state of their session
//! and puts them into the queues of those who want them. When it is full, what comes is left out and counted. Nobody
//! wants an event without a handler, so then nothing is made of it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kit_contract::{
    ReasoningStartEvent, SessionShutdownEvent, SessionStartEvent, StepFinishEvent, StepStartEvent,
    ThinkingLevelChangeEvent, ToolCallInputDeltaEvent, ToolCallInputEndEvent, ToolCallInputStartEvent,
};
use kit_protocol::{
    AgentId, AgentRef, Event, EventBody, FileProblem, ReviewState, SessionId, Status, UiUpdate,
};
use kit_session::{HookScope, Observation, Sink};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::convert::{Told, of_subagent, told, word};
use crate::extensions::Extensions;
use crate::facts::changes_facts;

/// How many observations may wait. Beyond that new ones are left out: a notification is never worth a delay.
const WAITING: usize = 4096;
/// How long the state of a session that ends waits for those who hear of the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// What extensions observe, on its way to them.
#[derive(Default)]
pub(crate) struct Feed {
    sender: OnceLock<mpsc::Sender<Passed>>,
    /// Sessions that were announced.
    known: Mutex<HashSet<SessionId>>,
    /// Sessions whose model reasons right now.
    reasoning: Mutex<HashSet<SessionId>>,
    /// Counts the rows of reasoning, for their ids.
    rows: AtomicU64,
    /// Tasks of subagents that work, by their ids.
    tasks: Mutex<HashMap<AgentId, String>>,
}

/// What goes through the channel.
enum Passed {
    Observed(Observed),
    /// Somebody wants to know when everything before it was delivered.
    Mark(oneshot::Sender<()>),
}

struct Observed {
    session: SessionId,
    /// Whether what is known about the session is out of date.
    stale: bool,
    events: Vec<Told>,
}

impl Feed {
    /// Whether a session was announced to extensions.
    pub(crate) fn knows(&self, session: &SessionId) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(session)
    }

    /// Something happened in a session that is no event of its stream.
    pub(crate) fn observe(&self, hub: &Arc<Extensions>, scope: HookScope, observation: Observation) {
        // What a subagent does is told as its own events.
        if scope.agent.is_some() {
            return;
        }
        let session = scope.session;
        let event = match observation {
            Observation::SessionStart => {
                let is_new =
                    self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone());
                let reason = if is_new { "start" } else { "open" };
                (
                    "session_start",
                    value(SessionStartEvent {
                        session_id: session.to_string(),
                        session_path: None,
                        reason: reason.to_owned(),
                    }),
                )
            }
            Observation::SessionShutdown => {
                ("session_shutdown", value(SessionShutdownEvent { reason: "exit".to_owned() }))
            }
            Observation::ToolInputStart { id, name } => {
                let kind = hub.kind_of(&name);
                (
                    "tool_call_input_start",
                    value(ToolCallInputStartEvent {
                        tool_call_id: id.to_string(),
                        tool_name: name,
                        tool_kind: kind,
                    }),
                )
            }
            Observation::ToolInputDelta { id, delta } => {
                let event = ToolCallInputDeltaEvent { tool_call_id: id.to_string(), delta };
                ("tool_call_input_delta", value(event))
            }
            Observation::ToolInputEnd { id } => {
                ("tool_call_input_end", value(ToolCallInputEndEvent { tool_call_id: id.to_string() }))
            }
            Observation::StepStart { step } => ("step_start", value(StepStartEvent { step_number: step })),
            Observation::StepFinish { step, has_tool_calls, finish_reason, tokens } => (
                "step_finish",
                value(StepFinishEvent {
                    step_number: step,
                    has_tool_calls,
                    finish_reason: finish_reason.unwrap_or_default(),
                    input_tokens: tokens.input,
                    output_tokens: tokens.output,
                    cache_read_tokens: tokens.cache_read,
                    cache_write_tokens: tokens.cache_write,
                }),
            ),
            Observation::ThinkingLevelChange { level, previous, source } => (
                "thinking_level_change",
                value(ThinkingLevelChangeEvent {
                    new_level: word(&level),
                    previous_level: word(&previous),
                    source,
                }),
            ),
        };
        // Starts and ends bind and free the state even where no extension wants to hear of them.
        let binds = matches!(event.0, "session_start" | "session_shutdown") && hub.is_loaded();
        if binds || hub.wants(event.0) {
            let stale = matches!(event.0, "session_start" | "thinking_level_change");
            self.send(hub, Observed { session, stale, events: vec![event] });
        }
    }

    /// An event of a session's stream.
    fn event(&self, hub: &Arc<Extensions>, event: &Event) {
        if !hub.is_loaded() {
            return;
        }
        hub.show_call(event);
        let mut events: Vec<Told> = match &event.agent {
            Some(agent) => self.subagent(agent, &event.body),
            None => told(event, |tool| hub.kind_of(tool)),
        };
        self.reasoning(event, &mut events);
        events.retain(|(name, _)| hub.wants(name));
        let stale = changes_facts(&event.body);
        if stale || !events.is_empty() {
            self.send(hub, Observed { session: event.session.clone(), stale, events });
        }
    }

    /// What a subagent does, if the model asked for it.
    fn subagent(&self, agent: &AgentRef, body: &EventBody) -> Vec<Told> {
        let Some(call) = &agent.tool_call_id else { return Vec::new() };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let EventBody::TurnStart { prompt } = body {
            tasks.insert(agent.id.clone(), prompt.clone());
        }
        let task = tasks.get(&agent.id).cloned().unwrap_or_default();
        if matches!(body, EventBody::TurnEnd { .. }) {
            tasks.remove(&agent.id);
        }
        of_subagent(call.as_str(), &task, body)
    }

    /// The first of a row of reasoning deltas is the start of reasoning.
    fn reasoning(&self, event: &Event, events: &mut Vec<Told>) {
        let mut reasoning = self.reasoning.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(event.body, EventBody::ReasoningDelta { .. }) {
            if event.agent.is_none() && reasoning.insert(event.session.clone()) {
                let id = format!("reasoning-{}", self.rows.fetch_add(1, Ordering::Relaxed) + 1);
                events.push(("reasoning_start", value(ReasoningStartEvent { id })));
            }
        } else {
            reasoning.remove(&event.session);
        }
    }

    /// Waits until everything so far is in the queues of those who want it.
    pub(crate) async fn delivered(&self) {
        let Some(sender) = self.sender.get() else { return };
        let (reached, delivered) = oneshot::channel();
        if sender.send(Passed::Mark(reached)).await.is_ok() {
            // The task that delivers ends only with everything else.
            let _ended = delivered.await;
        }
    }

    fn send(&self, hub: &Arc<Extensions>, observed: Observed) {
        let sender = self.sender.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(WAITING);
            let later = Arc::downgrade(hub);
            hub.spawn(async move {
                let mut receiver = receiver;
                while let Some(passed) = receiver.recv().await {
                    let Some(hub) = later.upgrade() else { return };
                    match passed {
                        Passed::Observed(observed) => deliver(&hub, observed).await,
                        Passed::Mark(reached) => {
                            // Whoever gave up waiting needs no answer.
                            let _gave_up = reached.send(());
                        }
                    }
                }
            });
            sender
        });
        if sender.try_send(Passed::Observed(observed)).is_err() {
            tracing::warn!("extensions are too slow, an event is left out");
        }
    }
}

async fn deliver(hub: &Extensions, Observed { session, stale, events }: Observed) {
    hub.bind(&session).await;
    if stale {
        hub.refresh(&session).await;
    }
    for (name, mut event) in events {
        if name == "session_start"
            && let Some(path) = hub.session_path(&session).await
            && let Value::Object(fields) = &mut event
        {
            fields.insert("sessionPath".to_owned(), path.to_string_lossy().into());
        }
        let generation = hub.generation();
        let handlers = generation.handlers(name);
        if !handlers.is_empty() {
            let payload = hub.payload(event, Some(&session));
            let shared: Arc<str> = name.into();
            let mut last = Vec::new();
            for handler in handlers.iter().filter(|handler| !handler.extension.is_disabled()) {
                handler.extension.caller.hears_of(&session);
                if name == "session_shutdown" {
                    last.push(handler.extension.tell(&shared, &payload));
                } else {
                    handler.extension.observe(&shared, &payload);
                }
            }
            // What is set now belongs to the session still.
            if tokio::time::timeout(GOODBYE, futures::future::join_all(last)).await.is_err() {
                tracing::warn!("an extension is slow to hear of a session's end");
            }
        }
        if name == "session_shutdown" {
            hub.states().forget(&session);
            hub.facts().forget(&session);
        }
    }
}

fn value<T: Serialize>(event: T) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

impl Extensions {
    /// What a tool does, as a word; empty for one that is not known.
    fn kind_of(&self, tool: &str) -> String {
        self.ports().tools.get(tool).map(|tool| word(&tool.kind())).unwrap_or_default()
    }

    /// Whether any extension is loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        !self.generation().extensions.is_empty()
    }

    /// The file of a session.
    pub(crate) async fn session_path(&self, session: &SessionId) -> Option<PathBuf> {
        let sessions = self.sessions().ok()?;
        Some(sessions.view(session).await.ok()?.path)
    }

    /// Makes the state of a session known, so that it can be read at once.
    pub(crate) async fn bind(&self, session: &SessionId) {
        if self.states().get(session).is_some() {
            return;
        }
        let path = self.refresh(session).await;
        let (_, error) = self.states().bind(session, path).await;
        if let Some(error) = error {
            tracing::warn!(%error, "the state of extensions is empty");
            let (path, line) = (error.path().to_path_buf(), 0);
            let message = error.to_string();
            self.set_problem(
                &path,
                Some(FileProblem { path: path.to_string_lossy().into_owned(), line, message }),
            );
        }
    }
}

/// A sink that tells extensions what it is told.
pub struct ExtensionSink {
    /// Where everything goes first.
    pub client: Arc<dyn Sink>,
    /// The extensions, once there are any.
    pub extensions: OnceLock<std::sync::Weak<Extensions>>,
}

impl ExtensionSink {
    /// A sink before a client.
    pub fn new(client: Arc<dyn Sink>) -> Arc<Self> {
        Arc::new(Self { client, extensions: OnceLock::new() })
    }

    /// The extensions that are told from now on.
    pub fn connect(&self, extensions: &Arc<Extensions>) {
        // There is one host of extensions in a process.
        let _again = self.extensions.set(Arc::downgrade(extensions));
    }
}

impl Sink for ExtensionSink {
    fn event(&self, event: Event) {
        if let Some(hub) = self.extensions.get().and_then(std::sync::Weak::upgrade) {
            hub.feed.event(&hub, &event);
        }
        self.client.event(event);
    }

    fn status(&self, status: Status) {
        self.client.status(status);
    }

    fn review(&self, state: ReviewState) {
        self.client.review(state);
    }

    fn problems(&self, owner: &'static str, problems: Vec<FileProblem>) {
        self.client.problems(owner, problems);
    }

    fn ui(&self, update: UiUpdate) {
        self.client.ui(update);
    }
}
