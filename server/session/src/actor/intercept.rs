//! Interceptors of extensions around a turn: of its prompt, of the messages of its model calls, and of its tool calls.
//!
//! They run in tasks that the running turn owns and never in the session's loop, so a session answers while a handler
//! waits for a person, and a cancel drops them. A handler that fails counts as one that said nothing.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{EventBody, Message, Part, TextPart, ThinkingLevel, TurnId};
use kit_tools::{CallGate, GatedCall, Passage, ToolOutput};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use super::Actor;
use crate::conversation;
use crate::hooks::{
    HookCall, HookPoint, HookResult, HookScope, Hooks, InputSource, InputVerdict, Observation, Verdict,
};
use crate::subagent::Origin;
use crate::turn::{Input, Opening};

/// The running interceptors of a prompt.
pub(super) struct Interceptors {
    opening: oneshot::Receiver<Opening>,
    _task: AbortOnDropHandle<()>,
}

/// What became of the prompt; waits forever where nobody looks at it.
pub(super) async fn next(interceptors: &mut Option<Interceptors>) -> Opening {
    match interceptors {
        Some(interceptors) => (&mut interceptors.opening).await.unwrap_or_else(|_| Opening::untouched()),
        None => std::future::pending().await,
    }
}

/// Asks about a prompt: first whether it is handled or rewritten, then what is put before it.
async fn look_at(hooks: Arc<dyn Hooks>, scope: HookScope, prompt: String, source: InputSource) -> Opening {
    let mut rewritten = None;
    if hooks.wants(HookPoint::Input) {
        match hooks.input(scope.clone(), prompt.clone(), source).await {
            InputVerdict::Continue => {}
            InputVerdict::Rewrite(text) => rewritten = Some(text),
            InputVerdict::Handled(response) => return Opening::Handled(response),
        }
    }
    let mut injection = crate::hooks::Injection::default();
    if hooks.wants(HookPoint::BeforeAgentStart) {
        injection = hooks.before_agent_start(scope, rewritten.clone().unwrap_or(prompt)).await;
    }
    Opening::Prompt { text: rewritten, injection }
}

/// Puts another text in the place of the user's own words.
pub(super) fn rewrite(parts: &mut Vec<Part>, text: String) {
    let own = parts.iter_mut().find_map(|part| match part {
        Part::Text(own) => Some(own),
        Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::Image(_)
        | Part::Finish(_)
        | Part::Unknown(_) => None,
    });
    match own {
        Some(own) => own.text = text,
        None => parts.insert(0, Part::Text(TextPart { text })),
    }
}

/// What interceptors made of the conversation at the first call of a turn. Later messages follow it.
pub(super) struct Window {
    /// How many messages of the conversation it stands for.
    replaces: usize,
    messages: Vec<Message>,
}

/// Work on the messages of a model call, before it goes out.
pub(super) struct Preparation {
    hooks: Arc<dyn Hooks>,
    scope: HookScope,
    step: u32,
    /// Whether the whole window is prepared, and how many messages of the conversation that is.
    window: Option<usize>,
    each: bool,
}

/// The outcome of a [`Preparation`].
pub(super) struct Prepared {
    pub(super) window: Option<Window>,
    pub(super) messages: Arc<[Message]>,
}

impl Preparation {
    pub(super) async fn run(self, messages: &[Message]) -> Prepared {
        let Self { hooks, scope, step, window: replaces, each } = self;
        let mut messages = messages.to_vec();
        let mut window = None;
        if let Some(replaces) = replaces {
            messages = hooks.context_prepare(scope.clone(), messages).await;
            window = Some(Window { replaces, messages: messages.clone() });
        }
        if each {
            messages = hooks.prepare_step(scope, step, messages).await;
        }
        // Whatever was taken out, no call may be without its result.
        Prepared { window, messages: conversation::paired(&messages).into() }
    }
}

/// What the running turn knows of its prepared messages.
#[derive(Default)]
pub(super) struct PreparedContext {
    window: Option<Window>,
    /// The messages of the call that is under way, for another attempt.
    call: Option<Arc<[Message]>>,
}

impl PreparedContext {
    pub(super) fn take_in(&mut self, prepared: Prepared) {
        self.window = prepared.window.or(self.window.take());
        self.call = Some(prepared.messages);
    }

    /// The call was answered.
    pub(super) fn call_ended(&mut self) {
        self.call = None;
    }

    /// The messages of the next attempt, and whether they are prepared already.
    pub(super) fn messages(&self, conversation: &[Message]) -> (Arc<[Message]>, bool) {
        if let Some(messages) = &self.call {
            return (Arc::clone(messages), true);
        }
        let messages = match &self.window {
            None => conversation::paired(conversation),
            Some(Window { replaces, messages }) => {
                let later = conversation.get(*replaces..).unwrap_or_default();
                conversation::paired(&[messages, later].concat())
            }
        };
        (messages.into(), false)
    }
}

/// Lets hooks stop and change tool calls.
struct HookGate {
    hooks: Arc<dyn Hooks>,
    scope: HookScope,
}

fn hook_call(call: GatedCall) -> HookCall {
    let GatedCall { id, name, kind, arguments, parsed } = call;
    HookCall { id, name, kind, arguments, parsed: Some(parsed) }
}

impl CallGate for HookGate {
    fn before(&self, call: GatedCall) -> BoxFuture<'_, Passage> {
        async move {
            if !self.hooks.wants(HookPoint::ToolCall) {
                return Passage::Open;
            }
            match self.hooks.tool_call(self.scope.clone(), hook_call(call)).await {
                Verdict::Continue => Passage::Open,
                Verdict::Veto(reason) => Passage::Closed { reason },
            }
        }
        .boxed()
    }

    fn after(&self, call: GatedCall, output: ToolOutput) -> BoxFuture<'_, ToolOutput> {
        async move {
            if !self.hooks.wants(HookPoint::ToolResult) {
                return output;
            }
            let ToolOutput { content, media, is_error, metadata } = output;
            let told = Some(metadata.clone()).filter(|metadata| *metadata != Default::default());
            let result = HookResult { content, is_error, metadata: told };
            let changed = self.hooks.tool_result(self.scope.clone(), hook_call(call), result).await;
            // What a hook made a failure is not for the model, whatever it looks like.
            let media = if changed.is_error && !is_error { Vec::new() } else { media };
            ToolOutput { content: changed.content, media, is_error: changed.is_error, metadata }
        }
        .boxed()
    }
}

impl Actor {
    /// Whose hooks these are: those of a subagent's parent, for the subagent.
    pub(super) fn scope(&self, turn: Option<TurnId>) -> HookScope {
        match &self.work {
            Some(work) => {
                let Origin { session, turn, agent } = work.origin.clone();
                HookScope { session, turn: Some(turn), agent: Some(agent) }
            }
            None => HookScope { session: self.session.clone(), turn, agent: None },
        }
    }

    pub(super) fn observe(&self, observation: Observation) {
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        self.shared.with.hooks.observe(self.scope(turn), observation);
    }

    pub(super) fn tell_thinking(&mut self, level: ThinkingLevel, previous: ThinkingLevel, source: String) {
        self.observe(Observation::ThinkingLevelChange { level, previous, source: source.clone() });
        self.stream.emit(None, EventBody::ThinkingChange { level, previous, source });
    }

    /// Whether anybody looks at prompts before their turn is saved.
    pub(super) fn intercepts_prompts(&self) -> bool {
        let hooks = &self.shared.with.hooks;
        hooks.wants(HookPoint::Input) || hooks.wants(HookPoint::BeforeAgentStart)
    }

    /// Starts the interceptors of the running turn's prompt.
    pub(super) fn start_interceptors(&mut self) {
        let Some(running) = &self.running else { return };
        let Some(unopened) = &running.unopened else { return };
        let turn = running.machine.turn().clone();
        let prompt = crate::restore::own_text(&unopened.parts);
        let source = unopened.source;
        "looking at the prompt".clone_into(&mut self.label);
        let (hooks, scope) = (Arc::clone(&self.shared.with.hooks), self.scope(Some(turn)));
        let (answer, opening) = oneshot::channel();
        let task = tokio::spawn(async move {
            // The turn may have been cancelled, and nobody waits any more.
            let _dropped = answer.send(look_at(hooks, scope, prompt, source).await);
        });
        let interceptors = Interceptors { opening, _task: AbortOnDropHandle::new(task) };
        self.with_running(|running| running.interceptors = Some(interceptors));
    }

    pub(super) async fn intercepted(&mut self, opening: Opening) {
        self.with_running(|running| running.interceptors = None);
        self.input(Input::Intercepted(opening)).await;
    }

    /// What has to be done with the messages of the next call; nothing where nobody looks at them.
    pub(super) fn preparation(&self) -> Option<Preparation> {
        let running = self.running.as_ref()?;
        let hooks = &self.shared.with.hooks;
        let whole = hooks.wants(HookPoint::ContextPrepare) && running.prepared.window.is_none();
        let each = hooks.wants(HookPoint::PrepareStep);
        if !whole && !each {
            return None;
        }
        Some(Preparation {
            hooks: Arc::clone(hooks),
            scope: self.scope(Some(running.machine.turn().clone())),
            step: running.machine.step(),
            window: whole.then(|| self.conversation.as_ref().map_or(0, Vec::len)),
            each,
        })
    }

    /// Who may stop and change a tool call of a turn.
    pub(super) fn gate(&self, turn: TurnId) -> Option<Arc<dyn CallGate>> {
        let hooks = &self.shared.with.hooks;
        let wanted = hooks.wants(HookPoint::ToolCall) || hooks.wants(HookPoint::ToolResult);
        let scope = self.scope(Some(turn));
        wanted.then(|| Arc::new(HookGate { hooks: Arc::clone(hooks), scope }) as Arc<dyn CallGate>)
    }
}
