//! From a step of a script and a request to the beats of one attempt. Pure: waiting is the player's business.

use std::collections::VecDeque;
use std::time::Duration;

use kit_protocol::{
    ErrorKind, Message, ModelId, Part, Price, ReasoningPart, Role, StopReason, TextPart, ToolCallId,
    ToolCallPart,
};
use serde_json::Value;

use super::facts::Facts;
use super::script::{Action, AtEnd, Chunks, Count, ErrorAction, Script, Step, ToolAction, UsageAction};
use crate::error::{ModelError, Retry};
use crate::model::{Completion, ModelEvent, Request};
use crate::usage::{Cost, TokenCounts};

/// One thing that the player does.
#[derive(Debug, PartialEq)]
pub(super) enum Beat {
    Emit(ModelEvent),
    Wait(Duration),
    Gate(String),
    Fail(ModelError),
}

/// Which call of a conversation a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The step of the script.
    step: usize,
    /// The answers that the request holds; it makes ids unique within the conversation.
    pub(super) answers: usize,
}

impl Position {
    pub(super) fn of(request: &Request, count: Count) -> Self {
        let answers =
            |messages: &[Message]| messages.iter().filter(|message| message.role == Role::Assistant).count();
        let all = answers(&request.messages);
        let step = match count {
            Count::Conversation => all,
            Count::Prompt => {
                let prompt =
                    request.messages.iter().rposition(|message| message.role == Role::User).unwrap_or(0);
                answers(request.messages.get(prompt..).unwrap_or_default())
            }
        };
        Self { step, answers: all }
    }
}

/// The beats of one attempt; `attempt` counts from 0.
pub(super) fn beats(
    script: &Script,
    model: &ModelId,
    request: &Request,
    position: Position,
    attempt: u32,
) -> VecDeque<Beat> {
    let facts = Facts::of(request);
    let over = [Action::Text(Chunks::One(format!("The script {model} has no more steps.")))];
    let step = script.steps.get(position.step).or(match script.options.at_end {
        AtEnd::Last => script.steps.last(),
        AtEnd::Say => None,
    });
    let mut player = Player::new(model, position);
    player.pace = script.options.every_ms.map(Duration::from_millis);
    for action in step.map_or(over.as_slice(), |step| actions(step, &facts)) {
        if player.act(action, &facts, attempt).is_break() {
            return player.beats;
        }
    }
    player.finish(request, script.options.price.unwrap_or(FREE))
}

const FREE: Price = Price { input: 0, output: 0, cache_read: None, cache_write: None };

/// The actions of the first branch whose needs are met.
fn actions<'a>(step: &'a Step, facts: &Facts) -> &'a [Action] {
    match step {
        Step::Actions(actions) => actions,
        Step::Branch { needs, then, otherwise } => {
            let met = needs.iter().all(|need| facts.holds(need));
            actions(if met { then } else { otherwise }, facts)
        }
    }
}

/// Collects beats, and with them the answer that they make up.
struct Player<'a> {
    model: &'a ModelId,
    position: Position,
    pace: Option<Duration>,
    beats: VecDeque<Beat>,
    parts: Vec<Part>,
    calls: usize,
    started: bool,
    stop: Option<StopReason>,
    tokens: Option<TokenCounts>,
}

impl<'a> Player<'a> {
    fn new(model: &'a ModelId, position: Position) -> Self {
        Self {
            model,
            position,
            pace: None,
            beats: VecDeque::from([Beat::Emit(ModelEvent::Connected { request_id: None })]),
            parts: Vec::new(),
            calls: 0,
            started: false,
            stop: None,
            tokens: None,
        }
    }

    fn emit(&mut self, event: ModelEvent) {
        self.beats.push_back(Beat::Emit(event));
    }

    fn act(&mut self, action: &Action, facts: &Facts, attempt: u32) -> std::ops::ControlFlow<()> {
        match action {
            Action::Text(chunks) => {
                let text = self.stream(chunks, facts, ModelEvent::TextDelta);
                self.parts.push(Part::Text(TextPart { text }));
            }
            Action::Reasoning(chunks) => {
                let thinking = self.stream(chunks, facts, ModelEvent::ReasoningDelta);
                self.parts.push(Part::Reasoning(ReasoningPart { thinking, ..ReasoningPart::default() }));
            }
            Action::Tool(tool) => self.call(tool, facts),
            Action::Usage(usage) => {
                let UsageAction { input, output, cache_read, cache_write, reasoning } = *usage;
                let tokens =
                    TokenCounts { input, output, cache_read, cache_write, cache_write_hour: 0, reasoning };
                self.tokens = Some(tokens);
                self.emit(ModelEvent::Usage(tokens));
            }
            Action::Stop(stop) => self.stop = Some(*stop),
            Action::Error(error) if error.times.is_none_or(|times| attempt < times) => {
                let error = self.error(error);
                return self.fail(error);
            }
            Action::Cut(cut) if cut.times.is_none_or(|times| attempt < times) => {
                let message = format!("the answer of {} ended before it was complete", self.model);
                return self.fail(ModelError::unavailable(message));
            }
            Action::Error(_) | Action::Cut(_) => {}
            Action::Gate(path) => self.beats.push_back(Beat::Gate(facts.fill(path))),
            Action::DelayMs(delay) => self.beats.push_back(Beat::Wait(Duration::from_millis(*delay))),
        }
        std::ops::ControlFlow::Continue(())
    }

    fn fail(&mut self, error: ModelError) -> std::ops::ControlFlow<()> {
        self.beats.push_back(Beat::Fail(ModelError { started: self.started, ..error }));
        std::ops::ControlFlow::Break(())
    }

    /// Emits text and returns all of it.
    fn stream(&mut self, chunks: &Chunks, facts: &Facts, event: fn(String) -> ModelEvent) -> String {
        let chunks = chunks.clone().into_vec().into_iter().map(|chunk| facts.fill(&chunk));
        let mut text = String::new();
        for chunk in chunks {
            text.push_str(&chunk);
            self.started = true;
            let Some(pace) = self.pace else {
                self.emit(event(chunk));
                continue;
            };
            for word in chunk.split_inclusive(char::is_whitespace) {
                self.emit(event(word.to_owned()));
                self.beats.push_back(Beat::Wait(pace));
            }
        }
        text
    }

    fn call(&mut self, tool: &ToolAction, facts: &Facts) {
        self.calls += 1;
        let made_up = || format!("call_{}_{}", self.position.answers + 1, self.calls);
        let id = ToolCallId::new(tool.id.as_ref().map_or_else(made_up, |id| facts.fill(id)));
        let mut input =
            if tool.input.is_null() { "{}".to_owned() } else { fill_value(&tool.input, facts).to_string() };
        if tool.truncated {
            input.pop();
        }
        self.started = true;
        self.emit(ModelEvent::ToolCallStart { id: id.clone(), name: tool.name.clone() });
        self.emit(ModelEvent::ToolCallDelta { id: id.clone(), delta: input.clone() });
        if !tool.truncated {
            self.emit(ModelEvent::ToolCallEnd { id: id.clone() });
        }
        self.parts.push(Part::ToolCall(ToolCallPart {
            id,
            name: tool.name.clone(),
            input,
            finished: !tool.truncated,
        }));
    }

    fn error(&self, action: &ErrorAction) -> ModelError {
        let retry = match (action.retry_after_ms, action.kind) {
            (Some(delay), _) => Retry::After(Duration::from_millis(delay)),
            (None, ErrorKind::RateLimit | ErrorKind::Unavailable | ErrorKind::Busy) => Retry::Backoff,
            (
                None,
                ErrorKind::InvalidRequest
                | ErrorKind::NotFound
                | ErrorKind::Conflict
                | ErrorKind::Untrusted
                | ErrorKind::Auth
                | ErrorKind::ContextOverflow
                | ErrorKind::Permission
                | ErrorKind::Budget
                | ErrorKind::Cancelled
                | ErrorKind::Internal,
            ) => Retry::Never,
        };
        let message =
            action.message.clone().unwrap_or_else(|| format!("{} fails here as its script says", self.model));
        ModelError { retry, status: action.status, ..ModelError::new(action.kind, message) }
    }

    fn finish(mut self, request: &Request, price: Price) -> VecDeque<Beat> {
        let tokens = self.tokens.unwrap_or_else(|| {
            let tokens = estimate(request, &self.parts);
            self.emit(ModelEvent::Usage(tokens));
            tokens
        });
        let message = Message { role: Role::Assistant, parts: std::mem::take(&mut self.parts) };
        let runnable = message.tool_calls().any(|call| call.finished);
        let stop = self.stop.unwrap_or(match (runnable, self.calls) {
            (true, _) => StopReason::ToolUse,
            (false, 0) => StopReason::EndTurn,
            (false, _) => StopReason::MaxTokens,
        });
        self.emit(ModelEvent::Finished(Completion {
            message,
            stop,
            finish_reason: serde_json::to_value(stop).ok().and_then(|word| word.as_str().map(str::to_owned)),
            tokens,
            cost: Cost::of(tokens, price),
            model: self.model.clone(),
            request_id: None,
        }));
        self.beats
    }
}

/// The value with the templates in all its strings filled in.
fn fill_value(value: &Value, facts: &Facts) -> Value {
    match value {
        Value::String(text) => Value::String(facts.fill(text)),
        Value::Array(items) => items.iter().map(|item| fill_value(item, facts)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), fill_value(field, facts))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What an image is worth, in bytes of text.
const IMAGE: usize = 6400;

/// A quarter of the bytes, which is what a token is worth in English text and code.
fn estimate(request: &Request, answer: &[Part]) -> TokenCounts {
    let input =
        request.system.len() + request.messages.iter().map(|message| bytes(&message.parts)).sum::<usize>();
    let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
    TokenCounts { input: tokens(input), output: tokens(bytes(answer)), ..TokenCounts::default() }
}

fn bytes(parts: &[Part]) -> usize {
    let sizes = parts.iter().map(|part| match part {
        Part::Text(part) => part.text.len(),
        Part::Reasoning(part) => part.thinking.len(),
        Part::ToolCall(part) => part.name.len() + part.input.len(),
        Part::ToolResult(part) => part.content.len(),
        Part::Image(_) => IMAGE,
        Part::Finish(_) | Part::Unknown(_) => 0,
    });
    sizes.sum()
}
