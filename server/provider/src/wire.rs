//! A wire is the protocol of a provider, as two pure halves: from a request to a JSON body, and from the data of stream
//! frames to events. Neither half does I/O, so both are tested on texts.
//!
//! What all wires have in common is here and in the modules beside them: `history` brings a conversation into the order
//! that providers demand, `draft` collects the answer, `thinking` maps levels to what a model understands, `seal` keeps
//! what must return unread, `schema` reduces tool schemas for providers that refuse them.

pub(crate) mod chat;
pub(crate) mod converse;
pub(crate) mod draft;
pub(crate) mod gemini;
pub(crate) mod history;
pub(crate) mod messages;
pub(crate) mod ollama;
pub(crate) mod responses;
pub(crate) mod schema;
pub(crate) mod seal;
pub(crate) mod thinking;

use std::borrow::Cow;
use std::collections::HashSet;

use kit_protocol::{ImagePart, MediaKind, Part, StopReason, ThinkingLevel, ToolCallId};
use serde_json::Value;

use crate::aws::{Slash, encoded};
use crate::catalogue::Abilities;
use crate::framing::Framing;
use crate::model::{ModelEvent, Request};
use crate::usage::TokenCounts;
use crate::wire::thinking::Dial;

/// The protocol that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire {
    /// Anthropic Messages.
    Messages,
    /// Chat Completions as OpenAI made them and many others took them up.
    ChatCompletions(chat::Quirks),
    /// OpenAI Responses.
    Responses,
    /// Gemini's `streamGenerateContent`.
    Gemini,
    /// Ollama's own protocol.
    Ollama,
    /// Amazon Bedrock's Converse.
    Converse,
    /// Anthropic Messages as Vertex AI has them: the model is in the path.
    VertexMessages,
}

/// The model that a body is built for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The name that the provider knows.
    pub(crate) name: &'a str,
    pub(crate) abilities: Abilities,
    /// The largest answer in tokens; 0 when unknown.
    pub(crate) max_output: u64,
    /// The context window in tokens; 0 when unknown.
    pub(crate) context_window: u64,
    /// What the body must do without.
    pub(crate) plain: Plain,
}

impl Target<'_> {
    /// Whether the model reads a medium. Sounds are the matter of the wires that carry them.
    pub(crate) fn reads(&self, medium: &ImagePart) -> bool {
        let shows = self.abilities.images && !self.plain.images;
        shows && matches!(medium.kind(), MediaKind::Image | MediaKind::Document)
    }

    /// The schema of a tool's arguments in the form that the provider takes.
    pub(crate) fn schema<'s>(&self, schema: &'s Value) -> Cow<'s, Value> {
        if self.plain.schemas { Cow::Owned(schema::plain(schema)) } else { Cow::Borrowed(schema) }
    }
}

/// What a body does without after the provider refused the full one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plain {
    /// Tool schemas use only the keywords that every provider takes.
    pub(crate) schemas: bool,
    /// Reasoning of earlier answers is not replayed.
    pub(crate) reasoning: bool,
    /// Pictures are named and not sent.
    pub(crate) images: bool,
}

/// Takes the data of stream frames and makes events of them.
pub(crate) trait Adapter: Send {
    /// Takes the data of one frame.
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure>;

    /// The complete answer, if its terminal event has come. Called once, when nothing more is read.
    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer>;

    /// Whether the terminal event has come, so that what is still missing is worth no long wait.
    fn is_complete(&self) -> bool;

    /// Whether text, reasoning or a call has been emitted.
    fn has_started(&self) -> bool;
}

/// Whether more frames are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Done,
}

/// Why a frame ends the attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// The provider reported an error inside the stream: the object that describes it.
    Reported(Value),
    /// The frame is not what the wire defines.
    Malformed(String),
}

/// What the frames of an answer add up to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) parts: Vec<Part>,
    pub(crate) stop: StopReason,
    pub(crate) finish_reason: Option<String>,
    pub(crate) tokens: TokenCounts,
    /// The name of the model that answered, as the provider wrote it.
    pub(crate) model: Option<String>,
    /// The provider's own figure in micro-USD.
    pub(crate) cost_micros: Option<u64>,
}

impl Wire {
    /// The name in settings and recordings.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::ChatCompletions(_) => "chat-completions",
            Self::Responses => "responses",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Converse => "bedrock",
            Self::VertexMessages => "vertex-messages",
        }
    }

    /// The path that is appended to the base URL, for a model.
    pub(crate) fn path(&self, model: &str) -> Cow<'static, str> {
        match self {
            Self::Messages => "/v1/messages".into(),
            Self::ChatCompletions(_) => "/chat/completions".into(),
            Self::Responses => "/responses".into(),
            Self::Gemini => format!("/models/{model}:streamGenerateContent").into(),
            Self::Ollama => "/api/chat".into(),
            Self::Converse => format!("/model/{}/converse-stream", encoded(model, Slash::Encoded)).into(),
            Self::VertexMessages => format!("/models/{model}:streamRawPredict").into(),
        }
    }

    /// The query of the URL.
    pub(crate) fn query(&self) -> Option<&'static str> {
        match self {
            Self::Gemini => Some("alt=sse"),
            Self::Messages
            | Self::ChatCompletions(_)
            | Self::Responses
            | Self::Ollama
            | Self::Converse
            | Self::VertexMessages => None,
        }
    }

    /// The level at which a model of the wire reasons when this one is asked for.
    pub(crate) fn thinking(&self, level: ThinkingLevel, abilities: Abilities, model: &str) -> ThinkingLevel {
        let dial = match self {
            Self::Messages | Self::VertexMessages | Self::Converse if !abilities.adaptive => Dial::Budget,
            Self::Gemini if gemini::takes_budget(model) => Dial::Budget,
            Self::Ollama => return level,
            Self::Messages
            | Self::VertexMessages
            | Self::Converse
            | Self::Gemini
            | Self::ChatCompletions(_)
            | Self::Responses => Dial::Effort,
        };
        thinking::nearest(level, abilities, dial)
    }

    /// How the answer is cut into frames.
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Ollama => Framing::Lines,
            Self::Converse => Framing::Messages,
            Self::Messages
            | Self::ChatCompletions(_)
            | Self::Responses
            | Self::Gemini
            | Self::VertexMessages => Framing::Events,
        }
    }

    /// The body of the request.
    pub(crate) fn body(&self, request: &Request, target: Target<'_>) -> Value {
        match self {
            Self::Messages => messages::body(request, target),
            Self::ChatCompletions(quirks) => chat::body(request, target, quirks),
            Self::Responses => responses::body(request, target),
            Self::Gemini => gemini::body(request, target),
            Self::Ollama => ollama::body(request, target),
            Self::Converse => converse::body(request, target),
            Self::VertexMessages => messages::vertex_body(request, target),
        }
    }

    /// The reader of the answer to a request.
    pub(crate) fn adapter(&self, request: &Request, target: Target<'_>) -> Box<dyn Adapter> {
        let ids = CallIds::after(request);
        match self {
            Self::Messages | Self::VertexMessages => Box::new(messages::Reader::new(ids)),
            Self::ChatCompletions(_) => Box::new(chat::Reader::new(ids)),
            Self::Responses => Box::new(responses::Reader::new(ids, target.name)),
            Self::Gemini => Box::new(gemini::Reader::new(ids, target.name)),
            Self::Ollama => Box::new(ollama::Reader::new(ids, ollama::Size::of(request, target))),
            Self::Converse => Box::new(converse::Reader::new(ids)),
        }
    }
}

/// Makes the ids of tool calls unique within their conversation. Some servers count from zero in every answer and some
/// send no id at all, while results are matched to calls by id.
#[derive(Debug, Default)]
pub(crate) struct CallIds {
    taken: HashSet<ToolCallId>,
    /// The number of messages before the answer, which no other answer of the conversation shares.
    position: usize,
}

impl CallIds {
    fn after(request: &Request) -> Self {
        let calls = request.messages.iter().flat_map(|message| message.tool_calls());
        Self { taken: calls.map(|call| call.id.clone()).collect(), position: request.messages.len() }
    }

    /// The provider's id if it is new, else one made of it.
    pub(crate) fn claim(&mut self, id: Option<&str>) -> ToolCallId {
        let given = id.filter(|id| !id.is_empty());
        let first = given.map_or_else(|| format!("call_{}_1", self.position), str::to_owned);
        let base = given.unwrap_or("call");
        let others = (1..).map(|number| format!("{base}_{}_{number}", self.position));
        let free =
            std::iter::once(first).chain(others).map(ToolCallId::new).find(|id| !self.taken.contains(id));
        let id = free.unwrap_or_else(|| ToolCallId::new(base));
        self.taken.insert(id.clone());
        id
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! Requests for the tests of the wires.

    use kit_protocol::{Message, ReasoningPart, Role, TextPart, ToolCallPart, ToolResultPart};
    use serde_json::json;

    use super::*;
    use crate::framing::{Decoder, Framing};
    use crate::model::{Parameters, ToolDefinition};

    /// A model of the table, or one that nobody knows.
    pub(crate) fn target<'a>(provider: &str, name: &'a str) -> Target<'a> {
        let entry = crate::catalogue::Catalogue::default().find(provider, name);
        Target {
            name,
            abilities: entry.as_ref().map_or(Abilities::UNKNOWN, |entry| entry.abilities),
            max_output: entry.as_ref().map_or(0, |entry| entry.max_output),
            context_window: entry.as_ref().map_or(0, |entry| entry.context_window),
            plain: Plain::default(),
        }
    }

    pub(crate) fn request(messages: Vec<Message>) -> Request {
        Request {
            system: "Be brief.".into(),
            messages: messages.into(),
            tools: std::sync::Arc::new([]),
            parameters: Parameters::default(),
            cache_key: None,
        }
    }

    pub(crate) fn tool(name: &str) -> ToolDefinition {
        ToolDefinition {
            name: name.into(),
            description: format!("Runs {name}."),
            input_schema: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        }
    }

    pub(crate) fn user(text: &str) -> Message {
        Message::text(Role::User, text)
    }

    pub(crate) fn assistant(parts: Vec<Part>) -> Message {
        Message { role: Role::Assistant, parts }
    }

    pub(crate) fn text(text: &str) -> Part {
        Part::Text(TextPart { text: text.into() })
    }

    pub(crate) fn signed(thinking: &str, signature: &str) -> Part {
        Part::Reasoning(ReasoningPart {
            thinking: thinking.into(),
            signature: Some(signature.into()),
            encrypted: None,
        })
    }

    pub(crate) fn call(id: &str, name: &str, input: &str) -> Part {
        Part::ToolCall(ToolCallPart { id: id.into(), name: name.into(), input: input.into(), finished: true })
    }

    pub(crate) fn truncated(id: &str, name: &str, input: &str) -> Part {
        Part::ToolCall(ToolCallPart {
            id: id.into(),
            name: name.into(),
            input: input.into(),
            finished: false,
        })
    }

    pub(crate) fn results(results: &[(&str, &str, bool)]) -> Message {
        let part = |(id, content, is_error): &(&str, &str, bool)| {
            Part::ToolResult(ToolResultPart {
                tool_call_id: (*id).into(),
                name: "read".into(),
                content: (*content).into(),
                is_error: *is_error,
            })
        };
        Message { role: Role::Tool, parts: results.iter().map(part).collect() }
    }

    pub(crate) fn image() -> Part {
        medium("image/png")
    }

    pub(crate) fn medium(media_type: &str) -> Part {
        Part::Image(ImagePart { data: "AAAA".into(), media_type: media_type.into() })
    }

    /// A result with media that belong to it.
    pub(crate) fn shown(id: &str, content: &str, is_error: bool, media: &[&str]) -> Message {
        let mut message = results(&[(id, content, is_error)]);
        message.parts.extend(media.iter().map(|media_type| medium(media_type)));
        message
    }

    /// Reads a recorded event stream; the error is the failure of a frame.
    pub(crate) fn read(
        adapter: &mut dyn Adapter,
        stream: &str,
    ) -> (Vec<ModelEvent>, Result<Option<Answer>, Failure>) {
        read_framed(adapter, Framing::Events, stream)
    }

    /// Reads a recorded stream of any framing.
    pub(crate) fn read_framed(
        adapter: &mut dyn Adapter,
        framing: Framing,
        stream: &str,
    ) -> (Vec<ModelEvent>, Result<Option<Answer>, Failure>) {
        read_bytes(adapter, framing, stream.as_bytes())
    }

    /// Reads a recorded stream that is no text.
    pub(crate) fn read_bytes(
        adapter: &mut dyn Adapter,
        framing: Framing,
        stream: &[u8],
    ) -> (Vec<ModelEvent>, Result<Option<Answer>, Failure>) {
        let mut decoder = Decoder::new(framing);
        decoder.push(stream);
        decoder.finish();
        let mut events = Vec::new();
        while let Some(data) = decoder.next_data().unwrap() {
            if data.trim().is_empty() {
                continue;
            }
            match adapter.frame(&data, &mut events) {
                Ok(Flow::More) => {}
                Ok(Flow::Done) => break,
                Err(failure) => return (events, Err(failure)),
            }
        }
        let answer = adapter.finish(&mut events);
        (events, Ok(answer))
    }
}

#[cfg(test)]
mod crossings;

#[cfg(test)]
mod tests {
    use super::fixtures::{assistant, call, request, user};
    use super::*;

    #[test]
    fn ids_are_unique_within_the_conversation() {
        let request = request(vec![user("a"), assistant(vec![call("call_0", "read", "{}")])]);
        let mut ids = CallIds::after(&request);
        let claimed = [Some("call_0"), Some("own"), Some("own"), None, Some(""), None]
            .map(|id| ids.claim(id).to_string());
        assert_eq!(claimed, ["call_0_2_1", "own", "own_2_1", "call_2_1", "call_2_2", "call_2_3"]);
    }
}
