//! Has a model write a summary: of the messages that a compaction replaces, or of a branch that is left.
//!
//! The request has no tools and no reasoning, and every attempt is counted, also those that failed. Whoever drops the
//! future stops it. An empty answer is an error, because an empty summary would replace a conversation by nothing.

use std::sync::Arc;

use futures::StreamExt;
use kit_protocol::{ErrorKind, Message, ModelId, Role, ThinkingLevel};
use kit_provider::retry::Schedule;
use kit_provider::{Completion, Cost, ModelError, ModelEvent, Models, Parameters, Request, TokenCounts};
use tokio_util::sync::CancellationToken;

use super::material;
use crate::turn::Spent;

const SYSTEM: &str = "You write summaries of conversations between a user and a coding agent. The agent will work on \
from your summary and the last messages alone, so everything that it needs must be in it. You do not continue the \
conversation and you answer no question in it: you write the summary and nothing else.";

const SECTIONS: &str =
    "Write the summary in Markdown with exactly these sections, and leave a section out if there is \
nothing to say in it:

## Goal
What the user wants, in their words where the words matter.

## Constraints & Preferences
What the user demanded or refused, and how they want the work done.

## Progress
### Done
### In Progress
### Blocked

## Key Decisions
Each with its reason.

## Next Steps
In order.

## Critical Context
Names, paths, commands, error messages, numbers and results of tools that are still needed, verbatim.";

const CURRENT_TURN: &str = "\n\n## Current Turn (in progress)\nThe last prompt is in <current-turn> and is not answered \
yet. Quote it whole, then say what was done for it so far and what the results were.";

/// The largest summary where the reserve is larger.
const LARGEST_SUMMARY: u64 = 16_384;
const LEAST_SUMMARY: u64 = 1_024;

/// What is to be summarized.
#[derive(Clone, Debug, Default)]
pub(crate) struct Material {
    /// The messages, without those of a turn that is cut through.
    pub(crate) messages: Vec<Message>,
    /// The first messages of the turn that is cut through.
    pub(crate) current: Vec<Message>,
    /// The summary of what came before.
    pub(crate) previous: Option<String>,
    /// What the summary should keep in mind.
    pub(crate) focus: Option<String>,
}

/// The request for the summary of a conversation.
pub(crate) fn of_conversation(material: &Material, window: u64, reserve: u64) -> Request {
    let room = room(window, reserve);
    let mut text = String::new();
    if let Some(previous) = &material.previous {
        text.push_str(&format!("<previous-summary>\n{}\n</previous-summary>\n\n", previous.trim()));
    }
    if !material.messages.is_empty() {
        let messages = material::text(&material.messages, room);
        text.push_str(&format!("<conversation>\n{messages}</conversation>\n\n"));
    }
    if !material.current.is_empty() {
        let messages = material::text(&material.current, room / 2);
        text.push_str(&format!("<current-turn>\n{messages}</current-turn>\n\n"));
    }
    if material.previous.is_some() {
        text.push_str(
            "The conversation goes on from the previous summary. Keep what still holds of it, move what was finished, \
             and add what is new.\n\n",
        );
    }
    text.push_str(SECTIONS);
    if !material.current.is_empty() {
        text.push_str(CURRENT_TURN);
    }
    if let Some(focus) = material.focus.as_deref().map(str::trim).filter(|focus| !focus.is_empty()) {
        text.push_str(&format!("\n\nThe user asks to pay attention to this above all: {focus}"));
    }
    request(text, reserve)
}

/// The request for the summary of a branch that the user left.
pub(crate) fn of_branch(messages: &[Message], focus: Option<&str>, window: u64, reserve: u64) -> Request {
    let messages = material::text(messages, room(window, reserve));
    let focus = focus.map(str::trim).filter(|focus| !focus.is_empty());
    let focus = focus.map(|focus| format!(" Pay attention to this above all: {focus}")).unwrap_or_default();
    request(
        format!(
            "<conversation>\n{messages}</conversation>\n\nThe user left this branch of the conversation and goes on \
             from an earlier message. Say in a few paragraphs what was tried on it, what came of it, which files were \
             changed, and what is worth knowing for another attempt.{focus}"
        ),
        reserve,
    )
}

/// What a request may hold of the conversation.
fn room(window: u64, reserve: u64) -> u64 {
    if window == 0 { u64::MAX / 8 } else { window - reserve }
}

fn request(text: String, reserve: u64) -> Request {
    Request {
        system: SYSTEM.into(),
        messages: Arc::new([Message::text(Role::User, text)]),
        tools: Arc::new([]),
        parameters: Parameters {
            max_output_tokens: Some(reserve.clamp(LEAST_SUMMARY, LARGEST_SUMMARY)),
            thinking: ThinkingLevel::Off,
            ..Parameters::default()
        },
        cache_key: None,
    }
}

/// What came of a request for a summary.
#[derive(Debug)]
pub(crate) struct Written {
    /// The summary.
    pub(crate) text: Result<String, ModelError>,
    /// What the attempts cost, where that is known.
    pub(crate) spent: Vec<Spent>,
}

/// Asks the model until it answers, or its errors are final.
pub(crate) async fn write(
    models: &Models,
    model: Option<ModelId>,
    request: Request,
    cancel: CancellationToken,
) -> Written {
    let model = match model {
        Some(model) => model,
        None => models.default_model().await,
    };
    let mut schedule = Schedule::default();
    let mut spent = Vec::new();
    let text = loop {
        let answered = attempt(models, &model, request.clone(), cancel.clone(), &mut spent).await;
        let error = match answered {
            Ok(completion) => {
                let text = completion.message.joined_text().trim().to_owned();
                spent.push(Spent::from(completion));
                break if text.is_empty() { Err(empty(&model)) } else { Ok(text) };
            }
            Err(error) => error,
        };
        match schedule.next(&error, 0.5) {
            Some(after) => tokio::time::sleep(after).await,
            None => {
                let message = schedule.failure(&error);
                break Err(ModelError { message, ..error });
            }
        }
    };
    Written { text, spent }
}

fn empty(model: &ModelId) -> ModelError {
    ModelError::new(ErrorKind::Unavailable, format!("{model} answered with an empty summary"))
}

/// One attempt. What a failed one cost is noted.
async fn attempt(
    models: &Models,
    model: &ModelId,
    request: Request,
    cancel: CancellationToken,
    spent: &mut Vec<Spent>,
) -> Result<Completion, ModelError> {
    let model = models.resolve(model)?;
    let mut stream = model.stream(request, cancel);
    let mut counted: Option<TokenCounts> = None;
    let mut request_id = None;
    let failed = loop {
        match stream.next().await {
            Some(Ok(ModelEvent::Finished(completion))) => return Ok(completion),
            Some(Ok(ModelEvent::Usage(tokens))) => counted = Some(tokens),
            Some(Ok(ModelEvent::Connected { request_id: id })) => request_id = id,
            Some(Ok(
                ModelEvent::TextDelta(_)
                | ModelEvent::ReasoningDelta(_)
                | ModelEvent::ToolCallStart { .. }
                | ModelEvent::ToolCallDelta { .. }
                | ModelEvent::ToolCallEnd { .. },
            )) => {}
            Some(Err(error)) => break error,
            None => {
                break ModelError::unavailable(format!(
                    "the summary of {} stopped before its end",
                    model.info().id
                ));
            }
        }
    };
    if let Some(tokens) = counted {
        let info = model.info();
        spent.push(Spent {
            model: info.id.clone(),
            tokens,
            cost: info.price.map_or(Cost::UNKNOWN, |price| Cost::of(tokens, price)),
            finish_reason: None,
            request_id,
        });
    }
    Err(failed)
}

impl From<Completion> for Spent {
    fn from(completion: Completion) -> Self {
        Self {
            model: completion.model,
            tokens: completion.tokens,
            cost: completion.cost,
            finish_reason: completion.finish_reason,
            request_id: completion.request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request) -> String {
        request.messages[0].joined_text()
    }

    #[test]
    fn a_request_holds_the_previous_summary_the_conversation_the_open_turn_and_the_focus() {
        let say = |text: &str| vec![Message::text(Role::User, text)];
        let material = Material {
            messages: say("old"),
            current: say("now"),
            previous: Some("before".into()),
            focus: Some("the tests".into()),
        };
        let request = of_conversation(&material, 1000, 100);
        let text = text(&request);
        let order = [
            "<previous-summary>\nbefore\n</previous-summary>",
            "<conversation>\n[User]\nold\n\n</conversation>",
            "<current-turn>\n[User]\nnow\n\n</current-turn>",
            "## Goal",
            "## Current Turn (in progress)",
            "above all: the tests",
        ];
        assert!(order.map(|piece| text.find(piece)).is_sorted(), "{text}");
        assert!(order.iter().all(|piece| text.contains(piece)), "{text}");
        assert_eq!((request.tools.len(), request.parameters.max_output_tokens), (0, Some(1024)));
        let plain = of_conversation(&Material { messages: say("old"), ..Material::default() }, 0, 16_384);
        let plain = plain.messages[0].joined_text();
        let absent = ["<previous-summary>", "<current-turn>", "Current Turn", "above all"];
        assert_eq!(absent.map(|piece| plain.contains(piece)), [false; 4]);
    }
}
