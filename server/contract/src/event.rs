//! Payloads and answers of events.
//!
//! A payload travels with a `context` beside its fields, see [`Payload`]. The answer of a handler is empty text where it
//! has no opinion, else the JSON of the answer type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SessionContext;

/// An event's fields with where it happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload<T> {
    /// The event.
    #[serde(flatten)]
    pub event: T,
    /// Where it happened.
    pub context: SessionContext,
}

data! {
    /// A session begins, is opened again, or the extension was loaded again.
    SessionStartEvent {
        /// The session.
        session_id: String,
        /// The file of the session; absent while it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_path: Option<String>,
        /// `start`, `open`, `fork` or `reload`.
        reason: String,
    }

    /// The session is closed, or the extension is about to be loaded again.
    SessionShutdownEvent {
        /// `exit`, `switch` or `reload`.
        reason: String,
    }

    /// A turn before its first model call.
    BeforeAgentStartEvent {
        /// The prompt.
        prompt: String,
    }

    /// What is put before a prompt; both are saved in the session.
    BeforeAgentStartAnswer {
        /// Instructions for this turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system_prompt: Option<String>,
        /// A user message before the prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inject_text: Option<String>,
    }

    /// A turn began.
    AgentStartEvent {
        /// The turn.
        turn_id: String,
        /// The prompt.
        prompt: String,
    }

    /// A turn ended; the counts are of this turn alone.
    AgentEndEvent {
        /// The turn.
        turn_id: String,
        /// The final text; empty after an error.
        response: String,
        /// `end_turn`, `max_tokens`, `tool_use`, `refusal`, `cancelled`, `budget`, `max_steps` or `error`.
        stop_reason: String,
        /// What failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// Tool calls that got a result.
        tool_call_count: u64,
        /// Their tools in order, repetitions kept.
        tool_names: Vec<String>,
        /// Model calls.
        llm_call_count: u64,
        /// Fresh input tokens.
        input_tokens_delta: u64,
        /// Output tokens.
        output_tokens_delta: u64,
        /// Input tokens read from the cache.
        cache_read_tokens_delta: u64,
        /// Input tokens written to the cache.
        cache_write_tokens_delta: u64,
        /// Cost in USD; 0 where it is not known, see `costKind`.
        cost_delta: f64,
        /// `priced`, `subscription` or `unknown`.
        cost_kind: String,
        /// Wall-clock time of the turn.
        duration_ms: u64,
    }

    /// A model asks for a tool; the call has not run.
    ToolCallEvent {
        /// The tool.
        tool_name: String,
        /// The call.
        tool_call_id: String,
        /// What the tool does: `read`, `edit`, `search`, `execute`, `agent` or `other`.
        tool_kind: String,
        /// The arguments as JSON text.
        input: String,
        /// The arguments, where they parse.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parsed_args: Option<Value>,
        /// Who asks: `llm`.
        source: String,
    }

    /// Whether a tool call may run; the first handler that blocks decides.
    ToolCallAnswer {
        /// Whether it is refused.
        #[serde(default)]
        block: bool,
        /// Why, for the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }

    /// A tool call begins to arrive.
    ToolCallInputStartEvent {
        /// The call.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What the tool does.
        tool_kind: String,
    }

    /// More of the arguments of a tool call.
    ToolCallInputDeltaEvent {
        /// The call.
        tool_call_id: String,
        /// A fragment of JSON.
        delta: String,
    }

    /// The arguments of a tool call are complete.
    ToolCallInputEndEvent {
        /// The call.
        tool_call_id: String,
    }

    /// A tool starts or ends to run.
    ToolExecutionEvent {
        /// The call.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What the tool does.
        tool_kind: String,
    }

    /// Output of a running tool.
    ToolOutputEvent {
        /// The call.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What the tool does.
        tool_kind: String,
        /// The text to append.
        chunk: String,
        /// Whether it came from standard error.
        is_stderr: bool,
    }

    /// The result of a tool call, before the model reads it.
    ToolResultEvent {
        /// The call.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What the tool does.
        tool_kind: String,
        /// The arguments as JSON text.
        input: String,
        /// What the model would read; what earlier handlers made of it.
        content: String,
        /// Whether the call failed.
        is_error: bool,
        /// Facts that are not for the model, such as the changed files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Value>,
    }

    /// Another result; absent fields are unchanged.
    ToolResultAnswer {
        /// What the model reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// Whether the call failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    }

    /// A prompt before it starts a turn.
    InputEvent {
        /// The text; what earlier handlers made of it.
        text: String,
        /// `interactive`, `cli`, `script` or `queue`.
        source: String,
    }

    /// What becomes of a prompt.
    InputAnswer {
        /// What to do.
        action: InputAction,
        /// The new prompt, or the response of a prompt that was handled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    }

    /// The model begins an answer.
    MessageStartEvent {}

    /// More text of the answer.
    MessageUpdateEvent {
        /// The text to append.
        chunk: String,
    }

    /// The answer's text is complete.
    MessageEndEvent {
        /// The whole text.
        content: String,
    }

    /// The session uses another model.
    ModelChangeEvent {
        /// The model from now on.
        new_model: String,
        /// The one before.
        previous_model: String,
        /// `user`, `extension` or `fallback`.
        source: String,
    }

    /// The thinking level changed.
    ThinkingLevelChangeEvent {
        /// The level from now on.
        new_level: String,
        /// The one before.
        previous_level: String,
        /// `user`, `extension` or `model_fallback`.
        source: String,
    }

    /// A message of the context window.
    ContextMessage {
        /// Its place in the window that was given; -1 for a message of the extension's own.
        index: i64,
        /// `system`, `user`, `assistant` or `tool`.
        role: String,
        /// Its text.
        content: String,
    }

    /// The context window of a turn before its first model call.
    ContextPrepareEvent {
        /// The messages.
        messages: Vec<ContextMessage>,
    }

    /// The context window of one model call.
    PrepareStepEvent {
        /// The call's number in the turn, from 0.
        step_number: u32,
        /// The messages.
        messages: Vec<ContextMessage>,
    }

    /// The window to use instead. A message with an index from 0 stays as it was, with its tool calls and reasoning; one
    /// with index -1 is made from role and content.
    MessagesAnswer {
        /// The messages; absent means unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<Vec<ContextMessage>>,
    }

    /// A fork or branch before it is made.
    BeforeForkEvent {
        /// The entry to go back to.
        target_id: String,
        /// Whether the entry is a prompt.
        is_user_message: bool,
        /// Its text, where it is a prompt.
        user_text: String,
    }

    /// Another session becomes the current one.
    BeforeSessionSwitchEvent {
        /// `new`, `open` or `clear`.
        reason: String,
        /// The first prompt of the new session, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial_prompt: Option<String>,
    }

    /// Whether something may go on; the first handler that cancels decides.
    CancelAnswer {
        /// Whether it does not happen.
        #[serde(default)]
        cancel: bool,
        /// Why, for the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }

    /// Older messages are about to be replaced by a summary.
    BeforeCompactEvent {
        /// Tokens of the context.
        estimated_tokens: u64,
        /// The model's context window.
        context_limit: u64,
        /// How full it is, from 0 to 1.
        usage_percent: f64,
        /// Messages of the current branch.
        message_count: u64,
        /// Whether nobody asked for it.
        is_automatic: bool,
    }

    /// What becomes of a compaction.
    BeforeCompactAnswer {
        /// Whether it does not happen.
        #[serde(default)]
        cancel: bool,
        /// Why, for the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The summary to use instead of the model's; not read with `cancel`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    }

    /// A subagent that the model asked for begins.
    SubagentStartEvent {
        /// The call.
        tool_call_id: String,
        /// Its task.
        task: String,
    }

    /// Something happened in a subagent.
    SubagentChunkEvent {
        /// The call.
        tool_call_id: String,
        /// Its task.
        task: String,
        /// `text`, `reasoning`, `tool_call`, `tool_execution_start`, `tool_execution_end`, `tool_result`, `turn_start`
        /// or `turn_end`.
        chunk_type: String,
        /// Text, where there is any.
        content: String,
        /// The tool, where it is about one.
        tool_name: String,
        /// The tool's arguments as JSON text.
        tool_args: String,
        /// The tool's result.
        tool_result: String,
        /// Whether the tool failed.
        is_error: bool,
    }

    /// A subagent ended.
    SubagentEndEvent {
        /// The call.
        tool_call_id: String,
        /// Its task.
        task: String,
        /// Its answer.
        response: String,
        /// What failed.
        error_msg: String,
    }

    /// One model call of a turn has its usage; once for each.
    LlmUsageEvent {
        /// The turn.
        turn_id: String,
        /// Fresh input tokens.
        input_tokens: u64,
        /// Output tokens.
        output_tokens: u64,
        /// Input tokens read from the cache.
        cache_read_tokens: u64,
        /// Input tokens written to the cache.
        cache_write_tokens: u64,
        /// Cost in USD; 0 where it is not known, see `costKind`.
        cost: f64,
        /// `priced`, `subscription` or `unknown`.
        cost_kind: String,
        /// The model that answered.
        model: String,
        /// The provider that answered.
        provider: String,
        /// The provider's id of the request; empty where it has none.
        request_id: String,
        /// The call's number in the turn, from 0.
        step_number: u32,
        /// The provider's reason to stop.
        finish_reason: String,
    }

    /// A model call of a turn begins.
    StepStartEvent {
        /// Its number in the turn, from 0.
        step_number: u32,
    }

    /// A model call of a turn ended.
    StepFinishEvent {
        /// Its number in the turn, from 0.
        step_number: u32,
        /// Whether the model called tools.
        has_tool_calls: bool,
        /// The provider's reason to stop.
        finish_reason: String,
        /// Fresh input tokens.
        input_tokens: u64,
        /// Output tokens.
        output_tokens: u64,
        /// Input tokens read from the cache.
        cache_read_tokens: u64,
        /// Input tokens written to the cache.
        cache_write_tokens: u64,
    }

    /// The model begins to reason.
    ReasoningStartEvent {
        /// Names this row of reasoning within the session.
        id: String,
    }

    /// The agent's plan as it is from here on.
    PlanEvent {
        /// All steps in order; none where it has no plan any more.
        entries: Vec<PlanStep>,
    }

    /// A step of the agent's plan.
    PlanStep {
        /// What is to be done.
        content: String,
        /// `pending`, `in_progress` or `completed`.
        status: String,
        /// `high`, `medium` or `low`; empty where it is not said.
        priority: String,
    }

    /// Something that the user should know.
    WarningsEvent {
        /// One sentence each.
        warnings: Vec<String>,
    }

    /// A source of an answer.
    SourceEvent {
        /// What kind of source it is.
        source_type: String,
        /// Its id.
        id: String,
        /// Its address.
        url: String,
        /// Its title.
        title: String,
    }

    /// Another size of the terminal.
    TerminalResizeEvent {
        /// Columns.
        width: u32,
        /// Lines.
        height: u32,
    }

    /// A model call failed and is repeated.
    RetryEvent {
        /// The coming attempt, counted from 1.
        attempt: u32,
        /// Why.
        error: String,
    }

    /// Something failed.
    ErrorEvent {
        /// One sentence.
        error: String,
    }

    /// The agent starts or stops to work.
    TurnStateChangeEvent {
        /// `working` or `idle`.
        state: String,
        /// The state before.
        previous: String,
    }

    /// An event of an extension; its name is `custom:<name>`.
    CustomEvent {
        /// What the sender gave.
        data: String,
    }

    /// A piece of a streamed answer that this extension asked for.
    StreamChunkEvent {
        /// The stream's id, as the request named it.
        stream: String,
        /// The text to append.
        chunk: String,
        /// Whether the text so far is void, because the call is made again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reset: bool,
    }

    /// A call of a tool of this extension is no longer wanted.
    ToolCancelledEvent {
        /// The call.
        tool_call_id: String,
    }

    /// Something happened in a subagent that this extension spawned.
    SubagentEvent {
        /// The subagent's id.
        subagent: String,
        /// As `chunkType` of `subagent_chunk`; `end` once, at its end.
        r#type: String,
        /// Text, where there is any.
        content: String,
        /// The tool call, where it is about one.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// What the tool does.
        tool_kind: String,
        /// The tool's arguments as JSON text.
        tool_args: String,
        /// The tool's result.
        tool_result: String,
        /// Whether the tool failed.
        is_error: bool,
    }
}

/// What becomes of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputAction {
    /// It goes on as it is.
    #[default]
    Continue,
    /// It goes on with `text` instead.
    Transform,
    /// The turn ends before any model is called; `text` is shown as its response.
    Handled,
}
