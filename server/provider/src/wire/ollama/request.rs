//! The body of a request to Ollama, and the size of the context that it asks for.

use kit_protocol::{ImagePart, MediaKind, ThinkingLevel};
use serde_json::{Map, Value, json};

use crate::model::Request;
use crate::wire::Target;
use crate::wire::history::{AssistantContent, Carriage, Turn, UserContent, clean, turns};

/// The smallest context to ask for: an agent's instructions and a few files.
const LEAST_CONTEXT: u64 = 32_768;
/// The room for an answer of unknown size.
const ANSWER_ROOM: u64 = 8192;
/// Bytes of text that are about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// The room for one picture: few models look closer.
const IMAGE_ROOM: u64 = 1600;

/// How much a request holds and how much its context can hold, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::wire) struct Size {
    /// About how many tokens the text of the prompt has.
    pub(in crate::wire) prompt: u64,
    /// The context that is asked for.
    pub(in crate::wire) context: u64,
}

impl Size {
    /// The size for a request to a model.
    pub(in crate::wire) fn of(request: &Request, target: Target<'_>) -> Self {
        let tools = request
            .tools
            .iter()
            .map(|tool| tool.name.len() + tool.description.len() + tool.input_schema.to_string().len());
        let said = request.messages.iter().flat_map(|message| &message.parts).map(|part| match part {
            kit_protocol::Part::Text(text) => text.text.len(),
            kit_protocol::Part::ToolCall(call) => call.name.len() + call.input.len(),
            kit_protocol::Part::ToolResult(result) => result.content.len(),
            kit_protocol::Part::Reasoning(_)
            | kit_protocol::Part::Image(_)
            | kit_protocol::Part::Finish(_)
            | kit_protocol::Part::Unknown(_) => 0,
        });
        let bytes = request.system.len() + tools.sum::<usize>() + said.sum::<usize>();
        let prompt = u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_TOKEN;
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let pictures = parts
            .filter(|part| matches!(part, kit_protocol::Part::Image(medium) if is_shown(medium, target)));
        let pictures = u64::try_from(pictures.count()).unwrap_or(u64::MAX).saturating_mul(IMAGE_ROOM);
        let room = request.parameters.max_output_tokens.unwrap_or(ANSWER_ROOM).min(LEAST_CONTEXT);
        // A third more than the estimate, because code has fewer bytes in a token than prose.
        let needed = (prompt + prompt / 3).saturating_add(pictures).saturating_add(room);
        let mut context = LEAST_CONTEXT;
        while context < needed && context < u64::MAX / 2 {
            context *= 2;
        }
        let limit = if target.context_window == 0 { u64::MAX } else { target.context_window };
        Self { prompt, context: context.min(limit) }
    }

    /// Whether a server that read this many tokens left out a part of the prompt.
    pub(in crate::wire) fn was_cut(self, read: u64) -> bool {
        let tight = self.prompt > self.context / 4 * 3;
        tight && read > 0 && read < self.prompt / 2
    }
}

/// The body. A server that is new enough is told to fail rather than to drop the beginning.
pub(in crate::wire) fn body(request: &Request, target: Target<'_>) -> Value {
    let parameters = &request.parameters;
    let mut body = Map::new();
    body.insert("model".into(), target.name.into());
    body.insert("messages".into(), messages(request, target).into());
    body.insert("stream".into(), true.into());
    body.insert("truncate".into(), false.into());
    body.insert("shift".into(), false.into());
    if !request.tools.is_empty() {
        let tool = |tool: &crate::model::ToolDefinition| {
            let parameters = target.schema(&tool.input_schema);
            json!({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": parameters}})
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect::<Vec<Value>>().into());
    }
    if let Some(think) = think(parameters.thinking, target) {
        body.insert("think".into(), think);
    }
    let mut options = Map::new();
    options.insert("num_ctx".into(), Size::of(request, target).context.into());
    if let Some(limit) = parameters.max_output_tokens {
        options.insert("num_predict".into(), limit.into());
    }
    if let Some(temperature) = parameters.temperature {
        options.insert("temperature".into(), temperature.into());
    }
    if let Some(top_p) = parameters.top_p {
        options.insert("top_p".into(), top_p.into());
    }
    if !parameters.stop_sequences.is_empty() {
        options.insert("stop".into(), json!(parameters.stop_sequences));
    }
    body.insert("options".into(), options.into());
    Value::Object(body)
}

/// Whether to think. A model that cannot refuses the field, so it is sent only when the model is known to think; gpt-oss
/// takes a level and cannot be switched off.
fn think(level: ThinkingLevel, target: Target<'_>) -> Option<Value> {
    if !target.abilities.known || !target.abilities.reasoning || target.plain.reasoning {
        return None;
    }
    let is_on = !matches!(level, ThinkingLevel::Off | ThinkingLevel::None);
    if !target.name.contains("gpt-oss") {
        return Some(is_on.into());
    }
    let level = match level {
        ThinkingLevel::Off | ThinkingLevel::None | ThinkingLevel::Minimal | ThinkingLevel::Low => "low",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High => "high",
    };
    Some(level.into())
}

fn messages(request: &Request, target: Target<'_>) -> Vec<Value> {
    let mut messages = Vec::new();
    let system = clean(&request.system);
    if !system.trim().is_empty() {
        messages.push(json!({"role": "system", "content": system}));
    }
    let carry = |medium: &ImagePart, result: Option<&_>| match is_shown(medium, target) {
        false => Carriage::Named,
        true if result.is_some() => Carriage::BehindResults,
        true => Carriage::InPlace,
    };
    for turn in &turns(&request.messages, carry) {
        match turn {
            Turn::User { results, content } => {
                for result in results {
                    let text = result.for_text_field();
                    messages.push(json!({"role": "tool", "tool_name": result.name, "content": text}));
                }
                if !content.is_empty() {
                    messages.push(user(content));
                }
            }
            Turn::Assistant(content) => messages.push(assistant(content)),
        }
    }
    messages
}

/// Whether a medium is sent: pictures only.
fn is_shown(medium: &ImagePart, target: Target<'_>) -> bool {
    medium.kind() == MediaKind::Image && target.reads(medium)
}

fn user(content: &[UserContent<'_>]) -> Value {
    let mut texts: Vec<&str> = Vec::new();
    let mut pictures: Vec<&str> = Vec::new();
    for part in content {
        match part {
            UserContent::Text(text) => texts.push(text),
            UserContent::Image(image) => pictures.push(&image.data),
        }
    }
    let mut message = json!({"role": "user", "content": texts.join("\n\n")});
    if let Some(message) = message.as_object_mut().filter(|_| !pictures.is_empty()) {
        message.insert("images".into(), json!(pictures));
    }
    message
}

fn assistant(content: &[AssistantContent<'_>]) -> Value {
    let mut text = String::new();
    let mut thinking = String::new();
    let mut calls = Vec::new();
    for part in content {
        match part {
            AssistantContent::Text(more) => text.push_str(more),
            AssistantContent::Reasoning(part) => thinking.push_str(&part.thinking),
            AssistantContent::Call { name, input, .. } => {
                calls.push(json!({"function": {"name": name, "arguments": input}}));
            }
        }
    }
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    message.insert("content".into(), text.into());
    // Thoughts help with the calls that they led to; thoughts of finished answers only fill the context.
    if !thinking.is_empty() && !calls.is_empty() {
        message.insert("thinking".into(), thinking.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    Value::Object(message)
}
