//! The body of a Gemini request.

use kit_protocol::{ImagePart, MediaKind, ThinkingLevel};
use serde_json::{Map, Value, json};

use crate::model::Request;
use crate::wire::history::{AssistantContent, Carriage, ToolResult, Turn, UserContent, clean, turns};
use crate::wire::messages::output_limit;
use crate::wire::seal::Seal;
use crate::wire::{Target, thinking};

/// What a call gets whose own signature is not known, because another model made it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The body. Models before the third generation take a reasoning budget and know neither ids of calls nor signatures nor
/// media inside of results.
pub(in crate::wire) fn body(request: &Request, target: Target<'_>) -> Value {
    let mut body = Map::new();
    body.insert("contents".into(), contents(request, target).into());
    let system = clean(&request.system);
    if !system.trim().is_empty() {
        body.insert("systemInstruction".into(), json!({"parts": [{"text": system}]}));
    }
    if !request.tools.is_empty() {
        let tool = |tool: &crate::model::ToolDefinition| {
            let mut function = json!({"name": tool.name, "description": tool.description});
            // A function without arguments must have no schema at all.
            let schema = target.schema(&tool.input_schema);
            let has_arguments = schema.get("properties").and_then(Value::as_object);
            if let Some((_, function)) =
                has_arguments.filter(|properties| !properties.is_empty()).zip(function.as_object_mut())
            {
                function.insert("parametersJsonSchema".into(), schema.into_owned());
            }
            function
        };
        let functions: Vec<Value> = request.tools.iter().map(tool).collect();
        body.insert("tools".into(), json!([{"functionDeclarations": functions}]));
    }
    body.insert("generationConfig".into(), generation(request, target));
    Value::Object(body)
}

fn generation(request: &Request, target: Target<'_>) -> Value {
    let Target { abilities, max_output, .. } = target;
    let parameters = &request.parameters;
    let mut config = Map::new();
    if parameters.max_output_tokens.is_some() || max_output > 0 {
        config
            .insert("maxOutputTokens".into(), output_limit(parameters.max_output_tokens, max_output).into());
    }
    if !abilities.fixed_sampling {
        if let Some(temperature) = parameters.temperature {
            config.insert("temperature".into(), temperature.into());
        }
        if let Some(top_p) = parameters.top_p {
            config.insert("topP".into(), top_p.into());
        }
    }
    if !parameters.stop_sequences.is_empty() {
        config.insert("stopSequences".into(), json!(parameters.stop_sequences));
    }
    if abilities.reasoning
        && let Some(thoughts) = thoughts(parameters.thinking, target)
    {
        config.insert("thinkingConfig".into(), thoughts);
    }
    Value::Object(config)
}

/// How much to think. Only models of the table are told to think less than they would by themselves.
fn thoughts(level: ThinkingLevel, target: Target<'_>) -> Option<Value> {
    let off = level == ThinkingLevel::Off;
    if off && !target.abilities.known {
        return None;
    }
    if takes_budget(target.name) {
        let least = if target.name.contains("pro") { 128 } else { 0 };
        let budget = thinking::budget(level).unwrap_or(least);
        return Some(json!({"thinkingBudget": budget, "includeThoughts": !off}));
    }
    let least = if target.abilities.effort_minimal { "minimal" } else { "low" };
    let level = match level {
        ThinkingLevel::Off | ThinkingLevel::None | ThinkingLevel::Minimal => least,
        ThinkingLevel::Low => "low",
        // The first of its generation knows two levels only.
        ThinkingLevel::Medium if target.name.starts_with("gemini-3-pro") => "high",
        ThinkingLevel::Medium => "medium",
        ThinkingLevel::High => "high",
    };
    Some(json!({"thinkingLevel": level, "includeThoughts": !off}))
}

/// Whether the model is of the generations before the third.
pub(in crate::wire) fn takes_budget(name: &str) -> bool {
    ["gemini-1", "gemini-2", "gemma"].iter().any(|start| name.starts_with(start))
}

fn contents(request: &Request, target: Target<'_>) -> Vec<Value> {
    let has_ids = !takes_budget(target.name);
    let mut contents = Vec::new();
    let carry = |medium: &ImagePart, result: Option<&_>| {
        let hears = medium.kind() == MediaKind::Sound && target.name.starts_with("gemini");
        match hears && !target.plain.images || target.reads(medium) {
            false => Carriage::Named,
            true if result.is_some() && !has_ids => Carriage::BehindResults,
            true => Carriage::InPlace,
        }
    };
    for turn in &turns(&request.messages, carry) {
        match turn {
            Turn::User { results, content } => {
                let response = |result: &ToolResult<'_>| {
                    let field = if result.is_error { "error" } else { "output" };
                    let response: Map<String, Value> =
                        [(field.to_owned(), result.content.as_ref().into())].into_iter().collect();
                    let mut part = json!({"name": result.name, "response": response});
                    if let Some(part) = part.as_object_mut().filter(|_| has_ids) {
                        part.insert("id".into(), result.id.as_str().into());
                    }
                    if let Some(part) = part.as_object_mut().filter(|_| !result.media.is_empty()) {
                        part.insert(
                            "parts".into(),
                            result.media.iter().map(|medium| inline(medium)).collect(),
                        );
                    }
                    json!({"functionResponse": part})
                };
                // Results are a turn of their own: nothing else may stand between them and their calls.
                let responses: Vec<Value> = results.iter().map(response).collect();
                if !responses.is_empty() {
                    contents.push(json!({"role": "user", "parts": responses}));
                }
                let parts: Vec<Value> = content.iter().map(user_part).collect();
                if !parts.is_empty() {
                    contents.push(json!({"role": "user", "parts": parts}));
                }
            }
            Turn::Assistant(content) => {
                contents.push(json!({"role": "model", "parts": assistant(content, target, has_ids)}));
            }
        }
    }
    contents
}

fn user_part(content: &UserContent<'_>) -> Value {
    match content {
        UserContent::Text(text) => json!({"text": text}),
        UserContent::Image(medium) => inline(medium),
    }
}

fn inline(medium: &ImagePart) -> Value {
    let media_type = match medium.media_type.as_str() {
        "audio/mpeg" => "audio/mp3",
        other => other,
    };
    json!({"inlineData": {"mimeType": media_type, "data": medium.data}})
}

fn assistant(content: &[AssistantContent<'_>], target: Target<'_>, has_ids: bool) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    let mut signature = None;
    let mut first_call = true;
    for part in content {
        let mut next = match part {
            AssistantContent::Text(text) => json!({"text": text}),
            AssistantContent::Call { id, name, input } => {
                if std::mem::take(&mut first_call) && has_ids && signature.is_none() {
                    signature = Some(NO_SIGNATURE.to_owned());
                }
                let mut call = json!({"name": name, "args": input});
                if let Some(call) = call.as_object_mut().filter(|_| has_ids) {
                    call.insert("id".into(), id.as_str().into());
                }
                json!({"functionCall": call})
            }
            AssistantContent::Reasoning(part) => {
                match Seal::on(part).filter(|_| !target.plain.reasoning) {
                    Some(Seal::Gemini { model, signature: own, alone }) if model == target.name => {
                        if alone {
                            parts.push(json!({"text": "", "thoughtSignature": own}));
                        } else {
                            signature = Some(own);
                        }
                    }
                    Some(Seal::Gemini { .. } | Seal::Responses { .. }) | None => {}
                }
                continue;
            }
        };
        if let Some((signature, next)) = signature.take().zip(next.as_object_mut()) {
            next.insert("thoughtSignature".into(), Value::String(signature));
        }
        parts.push(next);
    }
    if parts.is_empty() {
        // Reasoning alone is no content.
        parts.push(json!({"text": "(no answer)"}));
    }
    parts
}
