//! The events by their types: each names its wire name, its payload and its answer.

use kit_contract::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An event that can be handled.
pub trait Event: 'static {
    /// Its name on the wire.
    const NAME: &'static str;
    /// What it tells.
    type Payload: DeserializeOwned + Serialize + 'static;
    /// What a handler may answer.
    type Answer: Serialize + DeserializeOwned + 'static;
}

macro_rules! events {
    ($($event:ident $name:literal $payload:ty => $answer:ty, $description:literal;)*) => {
        $(
            #[doc = $description]
            #[derive(Clone, Copy, Debug)]
            pub struct $event;

            impl Event for $event {
                const NAME: &'static str = $name;
                type Payload = $payload;
                type Answer = $answer;
            }
        )*

        #[cfg(test)]
        pub(crate) const NAMES: &[&str] = &[$($name),*];
    };
}

events! {
    SessionStart "session_start" SessionStartEvent => (), "A session begins, is opened again, or the extension was loaded again.";
    SessionShutdown "session_shutdown" SessionShutdownEvent => (), "The session is closed, or the extension is about to be loaded again.";
    Input "input" InputEvent => InputAnswer, "A prompt before it starts a turn. Rewrites chain; the first `handled` ends the turn before any model is called.";
    BeforeAgentStart "before_agent_start" BeforeAgentStartEvent => BeforeAgentStartAnswer, "A turn before its first model call, also after `input` rewrote the prompt. Every handler's parts are put before the prompt, in load order.";
    ContextPrepare "context_prepare" ContextPrepareEvent => MessagesAnswer, "The context window of a turn before its first model call. Rewrites chain and are not saved.";
    PrepareStep "prepare_step" PrepareStepEvent => MessagesAnswer, "The context window of one model call. Rewrites chain and hold for this call.";
    ToolCall "tool_call" ToolCallEvent => ToolCallAnswer, "A tool call before it runs and before the user is asked. The first that blocks decides.";
    ToolResult "tool_result" ToolResultEvent => ToolResultAnswer, "The result of a tool call before the model reads it. Rewrites chain.";
    BeforeFork "before_fork" BeforeForkEvent => CancelAnswer, "A fork or branch before it is made. The first that cancels decides.";
    BeforeSessionSwitch "before_session_switch" BeforeSessionSwitchEvent => CancelAnswer, "Another session before it becomes the current one. The first that cancels decides.";
    BeforeCompact "before_compact" BeforeCompactEvent => BeforeCompactAnswer, "Older messages before they are replaced by a summary. The first that cancels decides, else the last summary.";
    AgentStart "agent_start" AgentStartEvent => (), "A turn began.";
    AgentEnd "agent_end" AgentEndEvent => (), "A turn ended, with what it took.";
    TurnStateChange "turn_state_change" TurnStateChangeEvent => (), "The agent starts or stops to work.";
    Warnings "warnings" WarningsEvent => (), "Something that the user should know and that is no failure.";
    Plan "plan" PlanEvent => (), "The agent's plan changed.";
    StepStart "step_start" StepStartEvent => (), "A model call of a turn begins.";
    StepFinish "step_finish" StepFinishEvent => (), "A model call of a turn ended.";
    LlmUsage "llm_usage" LlmUsageEvent => (), "The usage of one model call; once for each call of a turn.";
    MessageStart "message_start" MessageStartEvent => (), "The model begins an answer.";
    MessageUpdate "message_update" MessageUpdateEvent => (), "More text of the answer.";
    MessageEnd "message_end" MessageEndEvent => (), "The answer's text is complete.";
    ReasoningStart "reasoning_start" ReasoningStartEvent => (), "The model begins to reason.";
    ToolCallInputStart "tool_call_input_start" ToolCallInputStartEvent => (), "A tool call begins to arrive.";
    ToolCallInputDelta "tool_call_input_delta" ToolCallInputDeltaEvent => (), "More of the arguments of a tool call.";
    ToolCallInputEnd "tool_call_input_end" ToolCallInputEndEvent => (), "The arguments of a tool call are complete.";
    ToolExecutionStart "tool_execution_start" ToolExecutionEvent => (), "A tool starts to run.";
    ToolOutput "tool_output" ToolOutputEvent => (), "Output of a running tool.";
    ToolExecutionEnd "tool_execution_end" ToolExecutionEvent => (), "A tool no longer runs.";
    ModelChange "model_change" ModelChangeEvent => (), "The session uses another model.";
    ThinkingLevelChange "thinking_level_change" ThinkingLevelChangeEvent => (), "The thinking level changed.";
    SubagentStart "subagent_start" SubagentStartEvent => (), "A subagent that the model asked for begins.";
    SubagentChunk "subagent_chunk" SubagentChunkEvent => (), "Something happened in a subagent that the model asked for.";
    SubagentEnd "subagent_end" SubagentEndEvent => (), "A subagent that the model asked for ended.";
    Retry "retry" RetryEvent => (), "A model call failed and is repeated.";
    Error "error" ErrorEvent => (), "Something failed.";
    Source "source" SourceEvent => (), "Never comes: no provider tells its sources here.";
    TerminalResize "terminal_resize" TerminalResizeEvent => (), "Never comes: editors have no terminal.";
    StreamChunk "stream.chunk" StreamChunkEvent => (), "A piece of a streamed answer that this extension asked for.";
    ToolCancelled "tool.cancelled" ToolCancelledEvent => (), "A call of a tool of this extension is no longer wanted.";
    SubagentEvent "subagent.event" kit_contract::SubagentEvent => (), "Something happened in a subagent that this extension spawned with `events`.";
}

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn every_event_of_the_contract_has_its_type() {
        let known: Vec<&str> = kit_contract::EVENTS.iter().map(|event| event.name).collect();
        assert_eq!(NAMES, known);
    }
}
