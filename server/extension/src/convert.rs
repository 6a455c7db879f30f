//! Between the sessions' types and those of the contract.

use kit_contract::{
    AgentEndEvent, AgentStartEvent, ContextMessage, ErrorEvent, LlmUsageEvent, MessageEndEvent,
    MessageStartEvent, MessageUpdateEvent, ModelChangeEvent, PlanEvent, PlanStep, RetryEvent,
    SubagentChunkEvent, SubagentEndEvent, SubagentStartEvent, ToolExecutionEvent, ToolOutputEvent,
    TurnStateChangeEvent, WarningsEvent,
};
use kit_protocol::{Event, EventBody, Message, Part, PlanEntry, Role, StopReason, Usage};
use serde::Serialize;
use serde_json::Value;

/// An event for extensions: its name and its fields.
pub(crate) type Told = (&'static str, Value);

/// Micro-USD as USD; 0 where nothing is known.
pub(crate) fn dollars(micros: Option<u64>) -> f64 {
    // Exact up to nine billion dollars.
    micros.unwrap_or_default() as f64 / 1e6
}

/// The name of a role.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// The word that a plain enum has on the wire.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn value<T: Serialize>(event: T) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

/// What extensions are told about an event of a session's own agent; nothing for what they hear in another way.
/// `kind_of` knows what a tool does.
pub(crate) fn told(event: &Event, kind_of: impl Fn(&str) -> String) -> Vec<Told> {
    let turn_id = event.turn.as_ref().map(ToString::to_string).unwrap_or_default();
    let state = |now: &str, before: &str| {
        let event = TurnStateChangeEvent { state: now.to_owned(), previous: before.to_owned() };
        ("turn_state_change", value(event))
    };
    match &event.body {
        EventBody::TurnStart { prompt } => vec![
            ("agent_start", value(AgentStartEvent { turn_id, prompt: prompt.clone() })),
            state("working", "idle"),
        ],
        EventBody::MessageStart {} => vec![("message_start", value(MessageStartEvent {}))],
        EventBody::MessageUpdate { chunk } => {
            vec![("message_update", value(MessageUpdateEvent { chunk: chunk.clone() }))]
        }
        EventBody::MessageEnd { content } => {
            vec![("message_end", value(MessageEndEvent { content: content.clone() }))]
        }
        EventBody::ToolExecutionStart { tool_call_id, tool_name, tool_kind } => {
            vec![("tool_execution_start", execution(tool_call_id.as_str(), tool_name, &word(tool_kind)))]
        }
        EventBody::ToolExecutionEnd { tool_call_id, tool_name, tool_kind } => {
            vec![("tool_execution_end", execution(tool_call_id.as_str(), tool_name, &word(tool_kind)))]
        }
        EventBody::ToolOutput { tool_call_id, tool_name, chunk, is_stderr } => {
            let event = ToolOutputEvent {
                tool_call_id: tool_call_id.to_string(),
                tool_name: tool_name.clone(),
                tool_kind: kind_of(tool_name),
                chunk: chunk.clone(),
                is_stderr: *is_stderr,
            };
            vec![("tool_output", value(event))]
        }
        // A call beside the conversation, for a program, is nobody's turn.
        EventBody::StepUsage(usage) if event.turn.is_some() => {
            vec![("llm_usage", value(used(turn_id, usage)))]
        }
        EventBody::Notice { message } => {
            vec![("warnings", value(WarningsEvent { warnings: vec![message.clone()] }))]
        }
        EventBody::Plan { entries } => {
            let step = |entry: &PlanEntry| PlanStep {
                content: entry.content.clone(),
                status: word(&entry.status),
                priority: word(&entry.priority),
            };
            vec![("plan", value(PlanEvent { entries: entries.iter().map(step).collect() }))]
        }
        EventBody::Retry { attempt, reason, .. } => {
            vec![("retry", value(RetryEvent { attempt: *attempt, error: reason.clone() }))]
        }
        EventBody::Error { message, .. } => vec![("error", value(ErrorEvent { error: message.clone() }))],
        EventBody::ModelChange { model, previous, source } => {
            let event = ModelChangeEvent {
                new_model: model.clone(),
                previous_model: previous.clone(),
                source: source.clone(),
            };
            vec![("model_change", value(event))]
        }
        EventBody::TurnEnd {
            response,
            stop_reason,
            error,
            tool_call_count,
            tool_names,
            llm_call_count,
            usage,
            duration_ms,
        } => {
            let event = AgentEndEvent {
                turn_id,
                response: response.clone(),
                stop_reason: word(stop_reason),
                error: error.clone(),
                tool_call_count: *tool_call_count,
                tool_names: tool_names.clone(),
                llm_call_count: *llm_call_count,
                input_tokens_delta: usage.input_tokens,
                output_tokens_delta: usage.output_tokens,
                cache_read_tokens_delta: usage.cache_read_tokens,
                cache_write_tokens_delta: usage.cache_write_tokens,
                cost_delta: dollars(usage.cost_micros),
                cost_kind: word(&usage.cost_kind),
                duration_ms: *duration_ms,
            };
            vec![("agent_end", value(event)), state("idle", "working")]
        }
        // Calls and results come through the interceptors; the rest has no event of extensions.
        EventBody::SteerConsumed { .. }
        | EventBody::ToolCall { .. }
        | EventBody::ToolResult { .. }
        | EventBody::ToolDisplay(_)
        | EventBody::ReasoningDelta { .. }
        | EventBody::StepUsage(_)
        | EventBody::ToolCallContent { .. }
        | EventBody::Response { .. }
        | EventBody::Compaction { .. }
        | EventBody::StreamReset {}
        | EventBody::Queue { .. }
        | EventBody::ThinkingChange { .. } => Vec::new(),
    }
}

fn execution(tool_call_id: &str, tool_name: &str, tool_kind: &str) -> Value {
    value(ToolExecutionEvent {
        tool_call_id: tool_call_id.to_owned(),
        tool_name: tool_name.to_owned(),
        tool_kind: tool_kind.to_owned(),
    })
}

fn used(turn_id: String, usage: &Usage) -> LlmUsageEvent {
    LlmUsageEvent {
        turn_id,
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_write_tokens: usage.cache_write_tokens,
        cost: dollars(usage.cost_micros),
        cost_kind: word(&usage.cost_kind),
        model: usage.model.clone(),
        provider: usage.provider.clone(),
        request_id: usage.request_id.clone().unwrap_or_default(),
        step_number: usage.step,
        finish_reason: usage.finish_reason.clone().unwrap_or_default(),
    }
}

/// What extensions are told about an event of a subagent that a tool call started.
pub(crate) fn of_subagent(call: &str, task: &str, body: &EventBody) -> Vec<Told> {
    let Some(chunk) = chunk_of(body) else { return Vec::new() };
    let chunk = SubagentChunkEvent { tool_call_id: call.to_owned(), task: task.to_owned(), ..chunk };
    let chunk = ("subagent_chunk", value(chunk));
    let (tool_call_id, task) = (call.to_owned(), task.to_owned());
    if let EventBody::TurnStart { .. } = body {
        return vec![("subagent_start", value(SubagentStartEvent { tool_call_id, task })), chunk];
    }
    if let EventBody::TurnEnd { response, error, stop_reason, .. } = body {
        let failed = matches!(stop_reason, StopReason::Error | StopReason::Cancelled);
        let error_msg =
            error.clone().unwrap_or_else(|| if failed { word(stop_reason) } else { String::new() });
        let end = SubagentEndEvent { tool_call_id, task, response: response.clone(), error_msg };
        return vec![chunk, ("subagent_end", value(end))];
    }
    vec![chunk]
}

/// What a subagent did, without whose it is; nothing for what extensions do not hear.
pub(crate) fn chunk_of(body: &EventBody) -> Option<SubagentChunkEvent> {
    let chunk = SubagentChunkEvent::default();
    Some(match body {
        EventBody::TurnStart { prompt } => {
            SubagentChunkEvent { chunk_type: "turn_start".to_owned(), content: prompt.clone(), ..chunk }
        }
        EventBody::MessageUpdate { chunk: text } => {
            SubagentChunkEvent { chunk_type: "text".to_owned(), content: text.clone(), ..chunk }
        }
        EventBody::ReasoningDelta { delta } => {
            SubagentChunkEvent { chunk_type: "reasoning".to_owned(), content: delta.clone(), ..chunk }
        }
        EventBody::ToolCall { tool_name, tool_args, .. } => SubagentChunkEvent {
            chunk_type: "tool_call".to_owned(),
            tool_name: tool_name.clone(),
            tool_args: tool_args.clone(),
            ..chunk
        },
        EventBody::ToolExecutionStart { tool_name, .. } => SubagentChunkEvent {
            chunk_type: "tool_execution_start".to_owned(),
            tool_name: tool_name.clone(),
            ..chunk
        },
        EventBody::ToolExecutionEnd { tool_name, .. } => SubagentChunkEvent {
            chunk_type: "tool_execution_end".to_owned(),
            tool_name: tool_name.clone(),
            ..chunk
        },
        EventBody::ToolResult { tool_name, tool_args, result, is_error, .. } => SubagentChunkEvent {
            chunk_type: "tool_result".to_owned(),
            tool_name: tool_name.clone(),
            tool_args: tool_args.clone(),
            tool_result: result.clone(),
            is_error: *is_error,
            ..chunk
        },
        EventBody::TurnEnd { response, .. } => {
            SubagentChunkEvent { chunk_type: "turn_end".to_owned(), content: response.clone(), ..chunk }
        }
        EventBody::SteerConsumed { .. }
        | EventBody::MessageStart {}
        | EventBody::MessageEnd { .. }
        | EventBody::ToolOutput { .. }
        | EventBody::ToolDisplay(_)
        | EventBody::Plan { .. }
        | EventBody::ToolCallContent { .. }
        | EventBody::StepUsage(_)
        | EventBody::Response { .. }
        | EventBody::Compaction { .. }
        | EventBody::Retry { .. }
        | EventBody::StreamReset {}
        | EventBody::Queue { .. }
        | EventBody::Notice { .. }
        | EventBody::ThinkingChange { .. }
        | EventBody::Error { .. }
        | EventBody::ModelChange { .. } => return None,
    })
}

/// The window of a model call as extensions see it.
pub(crate) fn window(messages: &[Message]) -> Vec<ContextMessage> {
    let described = |(index, message): (usize, &Message)| ContextMessage {
        index: i64::try_from(index).unwrap_or(-1),
        role: role_name(message.role).to_owned(),
        content: readable(message),
    };
    messages.iter().enumerate().map(described).collect()
}

/// The text of a message, with results of tools.
fn readable(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.text.as_str()),
        Part::ToolResult(result) => Some(result.content.as_str()),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::Image(_) | Part::Finish(_) | Part::Unknown(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The window that an extension made of another. A message that it kept by its index stays as it was; of one that it
/// made itself, an unknown role is the user's.
pub(crate) fn rewritten(before: &[Message], after: Vec<ContextMessage>) -> Vec<Message> {
    let message = |message: ContextMessage| {
        let kept = usize::try_from(message.index).ok().and_then(|index| before.get(index));
        kept.cloned().unwrap_or_else(|| {
            let role = match message.role.as_str() {
                "system" => Role::System,
                "assistant" => Role::Assistant,
                _ => Role::User,
            };
            Message::text(role, message.content)
        })
    };
    after.into_iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_keeps_messages_by_index_and_makes_others() {
        let before = [Message::text(Role::User, "a"), Message::text(Role::Assistant, "b")];
        let mut seen = window(&before);
        assert_eq!(seen[1], ContextMessage { index: 1, role: "assistant".into(), content: "b".into() });
        seen[0].content = "changed, but kept by its index".to_owned();
        seen.push(ContextMessage { index: -1, role: "system".into(), content: "c".into() });
        seen.remove(1);
        assert_eq!(rewritten(&before, seen), [before[0].clone(), Message::text(Role::System, "c")]);
    }
}
