//! The body of a chat request.

use std::borrow::Cow;

use kit_protocol::{ImagePart, MediaKind, ThinkingLevel};
use serde_json::{Map, Value, json};

use super::{Effort, Quirks, ResultMedia};
use crate::model::Request;
use crate::wire::history::{AssistantContent, Carriage, ToolResult, Turn, UserContent, clean, hash, turns};
use crate::wire::messages::output_limit;
use crate::wire::{Target, thinking};

/// The body, with what the provider expects.
pub(in crate::wire) fn body(request: &Request, target: Target<'_>, quirks: &Quirks) -> Value {
    let Target { name, abilities, max_output, .. } = target;
    let parameters = &request.parameters;
    let mut body = Map::new();
    body.insert("model".into(), name.into());
    body.insert("messages".into(), messages(request, target, quirks).into());
    if !request.tools.is_empty() {
        let tool = |tool: &crate::model::ToolDefinition| {
            let parameters = target.schema(&tool.input_schema);
            let function =
                json!({"name": tool.name, "description": tool.description, "parameters": parameters});
            json!({"type": "function", "function": function})
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect::<Vec<Value>>().into());
    }
    body.insert("stream".into(), true.into());
    if quirks.asks_usage {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    // A server whose limit is not known chooses better than a guess would.
    if parameters.max_output_tokens.is_some() || max_output > 0 {
        body.insert(
            quirks.output_limit.into(),
            output_limit(parameters.max_output_tokens, max_output).into(),
        );
    }
    let effort = thinking::effort(parameters.thinking, abilities);
    let thinks = !matches!(parameters.thinking, ThinkingLevel::Off | ThinkingLevel::None);
    let asked = match (quirks.effort, effort) {
        (Effort::Field, Some(effort)) => Some(("reasoning_effort", effort.into())),
        (Effort::Object, Some(effort)) => Some(("reasoning", json!({"effort": effort}))),
        (Effort::Thinking, _) => {
            Some(("thinking", json!({"type": if thinks { "enabled" } else { "disabled" }})))
        }
        (Effort::EnableThinking, _) => Some(("enable_thinking", thinks.into())),
        (Effort::Enabled, _) => Some(("reasoning", json!({"enabled": thinks}))),
        (Effort::Field | Effort::Object, None) | (Effort::None, _) => None,
    };
    // A switch is for models that are known to have it.
    let has_levels = matches!(quirks.effort, Effort::Field | Effort::Object);
    if let Some((field, value)) = asked.filter(|_| has_levels || (abilities.known && abilities.reasoning)) {
        body.insert(field.into(), value);
    }
    if !abilities.fixed_sampling {
        if let Some(temperature) = parameters.temperature {
            body.insert("temperature".into(), temperature.into());
        }
        if let Some(top_p) = parameters.top_p {
            body.insert("top_p".into(), top_p.into());
        }
    }
    if !parameters.stop_sequences.is_empty() {
        body.insert("stop".into(), json!(parameters.stop_sequences));
    }
    if let Some((field, key)) = quirks.cache_key.zip(request.cache_key.as_deref()) {
        body.insert(field.into(), key.chars().take(64).collect::<String>().into());
    }
    if quirks.reports_cost {
        body.insert("usage".into(), json!({"include": true}));
    }
    Value::Object(body)
}

fn messages(request: &Request, target: Target<'_>, quirks: &Quirks) -> Vec<Value> {
    let carry = |medium: &ImagePart, result: Option<&_>| match quirks.result_media {
        _ if !target.reads(medium) => Carriage::Named,
        ResultMedia::Behind if result.is_some() => Carriage::BehindResults,
        ResultMedia::Behind | ResultMedia::Inside => Carriage::InPlace,
    };
    let turns = turns(&request.messages, carry);
    let marks = quirks.cache_breakpoints.iter().any(|prefix| target.name.starts_with(prefix));
    let users = turns.iter().filter(|turn| matches!(turn, Turn::User { .. })).count();
    let mut messages = Vec::new();
    let system = clean(&request.system);
    if !system.trim().is_empty() {
        let text = json!(system);
        let content = if marks { json!([marked(json!({"type": "text", "text": text}))]) } else { text };
        messages.push(json!({"role": "system", "content": content}));
    }
    let mut user = 0;
    for turn in &turns {
        match turn {
            Turn::User { results, content } => {
                user += 1;
                let mut group = Vec::new();
                for result in results {
                    let id = call_id(&result.id, quirks);
                    let content = result_content(result);
                    group.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
                }
                if !content.is_empty() {
                    group.push(json!({"role": "user", "content": user_content(content)}));
                }
                if marks && user + 1 >= users {
                    mark_last(&mut group);
                }
                messages.append(&mut group);
            }
            Turn::Assistant(content) => messages.push(assistant(content, quirks)),
        }
    }
    messages
}

fn result_content(result: &ToolResult<'_>) -> Value {
    let text = result.for_text_field();
    if result.media.is_empty() {
        return json!(text);
    }
    let text = json!({"type": "text", "text": text});
    std::iter::once(text).chain(result.media.iter().map(|medium| media_part(medium))).collect()
}

/// Plain text where possible, because not every server takes parts.
fn user_content(content: &[UserContent<'_>]) -> Value {
    let texts = content.iter().map(|content| match content {
        UserContent::Text(text) => Some(text.as_ref()),
        UserContent::Image(_) => None,
    });
    if let Some(texts) = texts.collect::<Option<Vec<&str>>>() {
        return texts.join("\n\n").into();
    }
    let part = |content: &UserContent<'_>| match content {
        UserContent::Text(text) => json!({"type": "text", "text": text}),
        UserContent::Image(medium) => media_part(medium),
    };
    content.iter().map(part).collect()
}

fn media_part(medium: &ImagePart) -> Value {
    let url = format!("data:{};base64,{}", medium.media_type, medium.data);
    if medium.kind() == MediaKind::Document {
        json!({"type": "file", "file": {"filename": "document.pdf", "file_data": url}})
    } else {
        json!({"type": "image_url", "image_url": {"url": url}})
    }
}

fn assistant(content: &[AssistantContent<'_>], quirks: &Quirks) -> Value {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut details = Vec::new();
    let mut thoughts = String::new();
    for part in content {
        match part {
            AssistantContent::Text(more) => text.push_str(more),
            AssistantContent::Call { id, name, input } => {
                let function = json!({"name": name, "arguments": input.to_string()});
                let id = call_id(id, quirks);
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            AssistantContent::Reasoning(part) if quirks.returns_details => {
                let sealed = part
                    .encrypted
                    .as_deref()
                    .and_then(|sealed| serde_json::from_str::<Vec<Value>>(sealed).ok());
                details.extend(sealed.unwrap_or_default());
            }
            AssistantContent::Reasoning(part) => thoughts.push_str(&part.thinking),
        }
    }
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
    message.insert("content".into(), content);
    if quirks.returns_reasoning {
        message.insert("reasoning_content".into(), thoughts.into());
    }
    if !details.is_empty() {
        message.insert("reasoning_details".into(), details.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    Value::Object(message)
}

/// The id as it is, or nine letters and digits that are made of it.
fn call_id<'a>(id: &'a str, quirks: &Quirks) -> Cow<'a, str> {
    if !quirks.short_ids || (id.len() == 9 && id.chars().all(|letter| letter.is_ascii_alphanumeric())) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("{:09x}", hash(id) & 0xf_ffff_ffff))
}

fn marked(mut part: Value) -> Value {
    if let Some(part) = part.as_object_mut() {
        part.insert("cache_control".into(), json!({"type": "ephemeral"}));
    }
    part
}

/// Marks the last part of the last message, whose content becomes parts for it.
fn mark_last(group: &mut [Value]) {
    let Some(content) = group.last_mut().and_then(|message| message.get_mut("content")) else { return };
    let taken = content.take();
    *content = match taken.as_array().and_then(|parts| parts.split_last()) {
        Some((last, before)) => before.iter().cloned().chain([marked(last.clone())]).collect(),
        None => json!([marked(json!({"type": "text", "text": taken}))]),
    };
}
