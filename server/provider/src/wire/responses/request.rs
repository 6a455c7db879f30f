//! The body of a Responses request.

use kit_protocol::{ImagePart, MediaKind};
use serde_json::{Map, Value, json};

use crate::model::Request;
use crate::wire::history::{AssistantContent, Carriage, ToolResult, Turn, UserContent, clean, turns};
use crate::wire::messages::output_limit;
use crate::wire::seal::Seal;
use crate::wire::{Target, thinking};

/// The body. Nothing is stored at the provider, so the reasoning comes back encrypted and goes out again.
pub(in crate::wire) fn body(request: &Request, target: Target<'_>) -> Value {
    let Target { name, abilities, max_output, plain, .. } = target;
    let parameters = &request.parameters;
    let mut body = Map::new();
    body.insert("model".into(), name.into());
    let system = clean(&request.system);
    if !system.trim().is_empty() {
        body.insert("instructions".into(), json!(system));
    }
    body.insert("input".into(), input(request, target).into());
    if !request.tools.is_empty() {
        let tool = |tool: &crate::model::ToolDefinition| {
            // Without the flag the provider would take the schema as a strict one and refuse most of them.
            json!({"type": "function", "name": tool.name, "description": tool.description,
                "parameters": target.schema(&tool.input_schema), "strict": false})
        };
        body.insert("tools".into(), request.tools.iter().map(tool).collect::<Vec<Value>>().into());
        body.insert("tool_choice".into(), "auto".into());
        body.insert("parallel_tool_calls".into(), true.into());
    }
    if abilities.reasoning {
        let mut reasoning = Map::new();
        let effort = thinking::effort(parameters.thinking, abilities);
        if let Some(effort) = effort {
            reasoning.insert("effort".into(), effort.into());
        }
        if !plain.reasoning && effort != Some("none") {
            reasoning.insert("summary".into(), "auto".into());
        }
        if !reasoning.is_empty() {
            body.insert("reasoning".into(), reasoning.into());
        }
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
    }
    body.insert("store".into(), false.into());
    body.insert("stream".into(), true.into());
    if parameters.max_output_tokens.is_some() || max_output > 0 {
        body.insert(
            "max_output_tokens".into(),
            output_limit(parameters.max_output_tokens, max_output).into(),
        );
    }
    if !abilities.fixed_sampling {
        if let Some(temperature) = parameters.temperature {
            body.insert("temperature".into(), temperature.into());
        }
        if let Some(top_p) = parameters.top_p {
            body.insert("top_p".into(), top_p.into());
        }
    }
    if let Some(key) = request.cache_key.as_deref() {
        body.insert("prompt_cache_key".into(), key.chars().take(64).collect::<String>().into());
    }
    Value::Object(body)
}

fn input(request: &Request, target: Target<'_>) -> Vec<Value> {
    let mut items = Vec::new();
    let carry = |medium: &ImagePart, _: Option<&_>| {
        if target.reads(medium) { Carriage::InPlace } else { Carriage::Named }
    };
    for turn in &turns(&request.messages, carry) {
        match turn {
            Turn::User { results, content } => {
                for result in results {
                    let output = output(result);
                    items.push(
                        json!({"type": "function_call_output", "call_id": result.id, "output": output}),
                    );
                }
                if !content.is_empty() {
                    let parts: Vec<Value> = content.iter().map(user_part).collect();
                    items.push(json!({"type": "message", "role": "user", "content": parts}));
                }
            }
            Turn::Assistant(content) => assistant(content, target, &mut items),
        }
    }
    items
}

/// A text where possible, because not every server of the wire takes parts.
fn output(result: &ToolResult<'_>) -> Value {
    let text = result.for_text_field();
    if result.media.is_empty() {
        return json!(text);
    }
    let text = json!({"type": "input_text", "text": text});
    std::iter::once(text).chain(result.media.iter().map(|medium| media_part(medium))).collect()
}

fn user_part(content: &UserContent<'_>) -> Value {
    match content {
        UserContent::Text(text) => json!({"type": "input_text", "text": text}),
        UserContent::Image(medium) => media_part(medium),
    }
}

fn media_part(medium: &ImagePart) -> Value {
    let url = format!("data:{};base64,{}", medium.media_type, medium.data);
    if medium.kind() == MediaKind::Document {
        json!({"type": "input_file", "filename": "document.pdf", "file_data": url})
    } else {
        json!({"type": "input_image", "image_url": url, "detail": "auto"})
    }
}

/// Items carry no ids: the provider keeps nothing that they could name.
fn assistant(content: &[AssistantContent<'_>], target: Target<'_>, items: &mut Vec<Value>) {
    let mut phase = None;
    for part in content {
        match part {
            AssistantContent::Text(text) => {
                let text = json!({"type": "output_text", "text": text, "annotations": []});
                let mut item = json!({"type": "message", "role": "assistant", "content": [text]});
                if let Some((phase, item)) = phase.take().zip(item.as_object_mut()) {
                    item.insert("phase".into(), Value::String(phase));
                }
                items.push(item);
            }
            AssistantContent::Call { id, name, input } => {
                let arguments = input.to_string();
                items.push(
                    json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}),
                );
            }
            AssistantContent::Reasoning(_) if target.plain.reasoning => {}
            AssistantContent::Reasoning(part) => match Seal::on(part) {
                Some(Seal::Responses { model, encrypted_content, summary, phase: own })
                    if model == target.name =>
                {
                    phase = own.or(phase);
                    if let Some(encrypted) = encrypted_content {
                        let summary = if summary.is_array() { summary } else { json!([]) };
                        items.push(json!({"type": "reasoning", "summary": summary, "content": null,
                            "encrypted_content": encrypted}));
                    }
                }
                Some(Seal::Responses { .. } | Seal::Gemini { .. }) | None => {}
            },
        }
    }
}
