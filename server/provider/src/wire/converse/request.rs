//! The body of a Converse request.

use kit_protocol::{ImagePart, MediaKind, ThinkingLevel, ToolResultPart};
use serde_json::{Map, Value, json};

use crate::model::{Request, ToolDefinition};
use crate::wire::history::{AssistantContent, Carriage, ToolResult, Turn, UserContent, clean, turns};
use crate::wire::messages::output_limit;
use crate::wire::seal::is_foreign;
use crate::wire::{Plain, Target, thinking};

/// What the maker of a model lets a request hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Maker {
    /// Reasoning as Anthropic has it, and its replay.
    claude: bool,
    /// Marks after which the provider caches.
    caches: bool,
    /// Such a mark after the tools too.
    caches_tools: bool,
    /// Images and documents inside of results.
    shows_results: bool,
}

impl Maker {
    /// The maker, from an id such as `eu.anthropic.claude-sonnet-4-5-20250929-v1:0` or the name of a profile with it.
    fn of(model: &str) -> Self {
        let claude = model.contains("claude");
        let nova = model.contains("nova");
        Self { claude, caches: claude || nova, caches_tools: claude, shows_results: claude || nova }
    }
}

/// The body. Cache marks stand where the Messages wire has them.
pub(in crate::wire) fn body(request: &Request, target: Target<'_>) -> Value {
    let maker = Maker::of(target.name);
    let parameters = &request.parameters;
    let mut body = Map::new();
    let mut limit = output_limit(parameters.max_output_tokens, target.max_output);
    let (reasoning, budget) = reasoning(parameters.thinking, target, maker);
    limit = limit.max(budget.map_or(0, |budget| budget + thinking::ANSWER_ROOM));
    let system = clean(&request.system);
    if !system.trim().is_empty() {
        let mut blocks = vec![json!({"text": system})];
        blocks.extend(maker.caches.then(mark));
        body.insert("system".into(), blocks.into());
    }
    body.insert("messages".into(), messages(request, target, maker).into());
    let mut inference = Map::from_iter([("maxTokens".to_owned(), limit.into())]);
    let samples = reasoning.is_empty() && !target.abilities.fixed_sampling;
    match (parameters.temperature, parameters.top_p) {
        (Some(temperature), _) if samples => inference.insert("temperature".into(), temperature.into()),
        (None, Some(top_p)) if samples => inference.insert("topP".into(), top_p.into()),
        (Some(_) | None, Some(_) | None) => None,
    };
    if !parameters.stop_sequences.is_empty() {
        inference.insert("stopSequences".into(), json!(parameters.stop_sequences));
    }
    body.insert("inferenceConfig".into(), inference.into());
    if !request.tools.is_empty() {
        let tool = |tool: &ToolDefinition| {
            let schema = target.schema(&tool.input_schema);
            json!({"toolSpec": {"name": tool.name, "description": tool.description, "inputSchema": {"json": schema}}})
        };
        let mut tools: Vec<Value> = request.tools.iter().map(tool).collect();
        tools.extend(maker.caches_tools.then(mark));
        body.insert("toolConfig".into(), json!({"tools": tools}));
    }
    if !reasoning.is_empty() {
        body.insert("additionalModelRequestFields".into(), reasoning.into());
    }
    Value::Object(body)
}

fn mark() -> Value {
    json!({"cachePoint": {"type": "default"}})
}

/// The fields that ask a model of Anthropic to reason, and their budget.
fn reasoning(level: ThinkingLevel, target: Target<'_>, maker: Maker) -> (Map<String, Value>, Option<u64>) {
    let mut fields = Map::new();
    if !maker.claude || !target.abilities.reasoning || level == ThinkingLevel::Off {
        return (fields, None);
    }
    if target.abilities.adaptive {
        fields.insert("thinking".into(), json!({"type": "adaptive", "display": "summarized"}));
        if let Some(effort) = thinking::effort(level, target.abilities) {
            fields.insert("output_config".into(), json!({"effort": effort}));
        }
        return (fields, None);
    }
    let budget = thinking::budget(level);
    if let Some(budget) = budget {
        fields.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": budget}));
    }
    (fields, budget)
}

fn messages(request: &Request, target: Target<'_>, maker: Maker) -> Vec<Value> {
    let carry = |medium: &ImagePart, result: Option<&ToolResultPart>| match result {
        _ if !target.reads(medium) => Carriage::Named,
        // A result of Claude's that failed may hold nothing but text.
        Some(result) if !maker.shows_results || (maker.claude && result.is_error) => Carriage::BehindResults,
        Some(_) | None => Carriage::InPlace,
    };
    let turns = turns(&request.messages, carry);
    let users = turns.iter().filter(|turn| matches!(turn, Turn::User { .. })).count();
    let mut user = 0;
    let mut messages = Vec::new();
    for turn in &turns {
        match turn {
            Turn::User { results, content } => {
                user += 1;
                let mut documents = 0;
                let mut blocks: Vec<Value> =
                    results.iter().map(|result| result_block(result, &mut documents)).collect();
                blocks.extend(content.iter().map(|content| user_block(content, &mut documents)));
                blocks.extend((maker.caches && user + 1 >= users).then(mark));
                messages.push(json!({"role": "user", "content": blocks}));
            }
            Turn::Assistant(content) => {
                let blocks =
                    content.iter().filter_map(|content| assistant_block(content, target.plain, maker));
                let blocks: Vec<Value> = blocks.collect();
                // Reasoning alone is no message; it is only kept for the calls that it led to.
                let blocks = if blocks.is_empty() { vec![json!({"text": "(no answer)"})] } else { blocks };
                messages.push(json!({"role": "assistant", "content": blocks}));
            }
        }
    }
    messages
}

fn result_block(result: &ToolResult<'_>, documents: &mut usize) -> Value {
    let text = if result.content.trim().is_empty() { "(no output)" } else { &result.content };
    let status = if result.is_error { "error" } else { "success" };
    let media = result.media.iter().map(|medium| media_block(medium, documents));
    let content: Vec<Value> = std::iter::once(json!({"text": text})).chain(media).collect();
    json!({"toolResult": {"toolUseId": result.id, "content": content, "status": status}})
}

fn user_block(content: &UserContent<'_>, documents: &mut usize) -> Value {
    match content {
        UserContent::Text(text) => json!({"text": text}),
        UserContent::Image(medium) => media_block(medium, documents),
    }
}

/// A picture or a document. The name of a document must differ from those of the same message, so they are counted.
fn media_block(medium: &ImagePart, documents: &mut usize) -> Value {
    let source = json!({"bytes": medium.data});
    let format = medium.media_type.rsplit('/').next().unwrap_or_default();
    if medium.kind() == MediaKind::Document {
        *documents += 1;
        return json!({"document": {"format": "pdf", "name": format!("document-{documents}"), "source": source}});
    }
    let format = if format == "jpg" { "jpeg" } else { format };
    json!({"image": {"format": format, "source": source}})
}

fn assistant_block(content: &AssistantContent<'_>, plain: Plain, maker: Maker) -> Option<Value> {
    match content {
        AssistantContent::Text(text) => Some(json!({"text": text})),
        AssistantContent::Call { id, name, input } => {
            Some(json!({"toolUse": {"toolUseId": id, "name": name, "input": input}}))
        }
        AssistantContent::Reasoning(_) if plain.reasoning || !maker.claude => None,
        AssistantContent::Reasoning(part) => match (&part.signature, &part.encrypted) {
            (Some(signature), None) => {
                let text = json!({"text": part.thinking, "signature": signature});
                Some(json!({"reasoningContent": {"reasoningText": text}}))
            }
            (_, Some(data)) if !is_foreign(data) => {
                Some(json!({"reasoningContent": {"redactedContent": data}}))
            }
            (Some(_) | None, Some(_)) | (None, None) => None,
        },
    }
}
