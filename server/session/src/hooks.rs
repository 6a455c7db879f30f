//! The port through which extensions take part in a session.
//!
//! Two kinds of methods: *interceptors*, which the turn waits for and which may change what happens, and [`Hooks::observe`],
//! which must return at once and changes nothing. What extensions observe beside that, they read from the
//! [`Sink`](crate::Sink). A session asks [`Hooks::wants`] before it builds anything for an interceptor, so that a point
//! that nobody listens at costs nothing. Interceptors may wait for people; the session drops their future when the turn
//! is cancelled, and goes on as if nobody had answered.
//!
//! The rules of merging are the implementation's: handlers run in load order, rewrites chain, the first veto wins. The
//! session sees one answer.

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{AgentRef, Message, SessionId, ThinkingLevel, ToolCallId, ToolKind, ToolMetadata, TurnId};
use kit_provider::TokenCounts;
use serde_json::Value;

/// Where an interceptor can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookPoint {
    /// [`Hooks::input`].
    Input,
    /// [`Hooks::before_agent_start`].
    BeforeAgentStart,
    /// [`Hooks::context_prepare`].
    ContextPrepare,
    /// [`Hooks::prepare_step`].
    PrepareStep,
    /// [`Hooks::tool_call`].
    ToolCall,
    /// [`Hooks::tool_result`].
    ToolResult,
    /// [`Hooks::before_fork`].
    BeforeFork,
    /// [`Hooks::before_session_switch`].
    BeforeSessionSwitch,
    /// [`Hooks::before_compact`].
    BeforeCompact,
}

/// Whose turn a hook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookScope {
    /// The session.
    pub session: SessionId,
    /// The turn, where there is one.
    pub turn: Option<TurnId>,
    /// The subagent; absent for the session's own agent.
    pub agent: Option<AgentRef>,
}

/// Where a prompt comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputSource {
    /// A person in an editor.
    #[default]
    Interactive,
    /// The command line.
    Cli,
    /// An extension or an embedding program.
    Script,
    /// The queue of prompts that waited.
    Queue,
}

/// What becomes of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputVerdict {
    /// It goes on as it is.
    Continue,
    /// It goes on with another text.
    Rewrite(String),
    /// The turn ends before any model is called; the text, if any, is its response.
    Handled(Option<String>),
}

/// What is put before a prompt; both parts are saved in the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injection {
    /// Instructions before the prompt, as a message that is not the user's.
    pub system: Option<String>,
    /// A user message before the prompt.
    pub user: Option<String>,
}

/// A tool call before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct HookCall {
    /// The call.
    pub id: ToolCallId,
    /// The tool.
    pub name: String,
    /// What it does.
    pub kind: ToolKind,
    /// The arguments as JSON text.
    pub arguments: String,
    /// The arguments, where they parse.
    pub parsed: Option<Value>,
}

/// Whether something may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Continue,
    /// It may not; the reason is told to the model or the user.
    Veto(String),
}

/// What a tool answered, before the model reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct HookResult {
    /// What the model reads.
    pub content: String,
    /// Whether the call failed.
    pub is_error: bool,
    /// Facts that are not for the model; interceptors cannot change them.
    pub metadata: Option<ToolMetadata>,
}

/// A compaction that is about to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct CompactionPlan {
    /// Tokens of the context, estimated where no model told.
    pub estimated_tokens: u64,
    /// The model's context window.
    pub context_limit: u64,
    /// Messages of the current branch.
    pub message_count: usize,
    /// Whether it was not asked for.
    pub automatic: bool,
}

/// What becomes of a compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompactionVerdict {
    /// It goes on.
    Continue,
    /// It goes on with this summary instead of the model's.
    Summary(String),
    /// It does not happen.
    Veto(String),
}

/// Why the current session changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchReason {
    /// A new session begins.
    New,
    /// A stored session is opened.
    Open,
    /// The leaf moves to the beginning.
    Clear,
}

/// What extensions hear that is no event of the session's stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A session was opened, made or forked; its state can be bound. Those of subagents are not told of.
    SessionStart,
    /// A session is closed.
    SessionShutdown,
    /// A tool call begins to arrive.
    ToolInputStart {
        /// The call.
        id: ToolCallId,
        /// The tool.
        name: String,
    },
    /// More of the arguments of a tool call.
    ToolInputDelta {
        /// The call.
        id: ToolCallId,
        /// A fragment of JSON.
        delta: String,
    },
    /// The arguments of a tool call are complete.
    ToolInputEnd {
        /// The call.
        id: ToolCallId,
    },
    /// A model call of a turn begins.
    StepStart {
        /// Its number in the turn, from 0.
        step: u32,
    },
    /// A model call of a turn ended.
    StepFinish {
        /// Its number in the turn, from 0.
        step: u32,
        /// Whether the model called tools.
        has_tool_calls: bool,
        /// The provider's reason.
        finish_reason: Option<String>,
        /// What the call used.
        tokens: TokenCounts,
    },
    /// The thinking level changed.
    ThinkingLevelChange {
        /// The new level.
        level: ThinkingLevel,
        /// The one before.
        previous: ThinkingLevel,
        /// `user`, `extension` or `model_fallback`.
        source: String,
    },
}

/// What extensions do in sessions. Every method has the answer of nobody listening as its default.
pub trait Hooks: Send + Sync {
    /// Whether anybody listens at the point. Called often; must be cheap.
    fn wants(&self, point: HookPoint) -> bool {
        let _ = point;
        false
    }

    /// A prompt before it starts a turn. One that joins a running turn is not passed here.
    fn input(&self, scope: HookScope, text: String, source: InputSource) -> BoxFuture<'_, InputVerdict> {
        let _ = (scope, text, source);
        std::future::ready(InputVerdict::Continue).boxed()
    }

    /// A turn before its first model call; also after [`InputVerdict::Rewrite`].
    fn before_agent_start(&self, scope: HookScope, prompt: String) -> BoxFuture<'_, Injection> {
        let _ = (scope, prompt);
        std::future::ready(Injection::default()).boxed()
    }

    /// The messages of a turn before its first model call; the answer replaces them for this turn and is not saved.
    fn context_prepare(&self, scope: HookScope, messages: Vec<Message>) -> BoxFuture<'_, Vec<Message>> {
        let _ = scope;
        std::future::ready(messages).boxed()
    }

    /// The messages of one model call; the answer replaces them for this call.
    fn prepare_step(
        &self,
        scope: HookScope,
        step: u32,
        messages: Vec<Message>,
    ) -> BoxFuture<'_, Vec<Message>> {
        let _ = (scope, step);
        std::future::ready(messages).boxed()
    }

    /// A tool call after the permission rules denied nothing and before the user is asked.
    fn tool_call(&self, scope: HookScope, call: HookCall) -> BoxFuture<'_, Verdict> {
        let _ = (scope, call);
        std::future::ready(Verdict::Continue).boxed()
    }

    /// The result of a tool call before the model reads it.
    fn tool_result(&self, scope: HookScope, call: HookCall, result: HookResult) -> BoxFuture<'_, HookResult> {
        let _ = (scope, call);
        std::future::ready(result).boxed()
    }

    /// A fork or branch to an entry; `user_text` is the entry's text where it is a prompt.
    fn before_fork(
        &self,
        scope: HookScope,
        target: String,
        user_text: Option<String>,
    ) -> BoxFuture<'_, Verdict> {
        let _ = (scope, target, user_text);
        std::future::ready(Verdict::Continue).boxed()
    }

    /// Another session becomes the current one; a program may have a prompt for it already.
    fn before_session_switch(
        &self,
        scope: HookScope,
        reason: SwitchReason,
        prompt: Option<String>,
    ) -> BoxFuture<'_, Verdict> {
        let _ = (scope, reason, prompt);
        std::future::ready(Verdict::Continue).boxed()
    }

    /// A compaction before its summary is made. It is called by whoever compacts, as a task of the turn.
    fn before_compact(&self, scope: HookScope, plan: CompactionPlan) -> BoxFuture<'_, CompactionVerdict> {
        let _ = (scope, plan);
        std::future::ready(CompactionVerdict::Continue).boxed()
    }

    /// Something happened. Must return at once.
    fn observe(&self, scope: HookScope, observation: Observation) {
        let _ = (scope, observation);
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
