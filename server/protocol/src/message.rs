//! Conversation messages: what goes to a model, and what the session file stores.
//!
//! The shape is upstream Kit's: a role and typed parts `{type, data}`. A part of an unknown type is kept verbatim,
//! so that a file written by a newer or another program survives a round trip.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::ToolCallId;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that are not the user's.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls.
    Tool,
}

/// One message of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one text part.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(TextPart { text: text.into() })] }
    }

    /// The text parts, joined without separator.
    pub fn joined_text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.text.as_str()) } else { None })
            .collect()
    }

    /// The tool calls in the order in which the model made them.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCallPart> {
        self.parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None })
    }

    /// The results of tool calls, each with the images, documents and sounds that belong to it: those that stand
    /// directly behind it.
    pub fn tool_results(&self) -> Vec<(&ToolResultPart, Vec<&ImagePart>)> {
        let mut results: Vec<(&ToolResultPart, Vec<&ImagePart>)> = Vec::new();
        let mut is_open = false;
        for part in &self.parts {
            match part {
                Part::ToolResult(result) => {
                    results.push((result, Vec::new()));
                    is_open = true;
                }
                Part::Image(media) => {
                    if let Some((_, belongings)) = results.last_mut().filter(|_| is_open) {
                        belongings.push(media);
                    }
                }
                Part::Text(_)
                | Part::Reasoning(_)
                | Part::ToolCall(_)
                | Part::Finish(_)
                | Part::Unknown(_) => {
                    is_open = false;
                }
            }
        }
        results
    }

    /// The parts without results of tool calls and what belongs to these.
    pub fn own_parts(&self) -> impl Iterator<Item = &Part> {
        let mut is_open = false;
        self.parts.iter().filter(move |part| {
            is_open = match part {
                Part::ToolResult(_) => true,
                Part::Image(_) => is_open,
                Part::Text(_)
                | Part::Reasoning(_)
                | Part::ToolCall(_)
                | Part::Finish(_)
                | Part::Unknown(_) => false,
            };
            !is_open
        })
    }
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Plain text.
    Text(TextPart),
    /// The model's reasoning, replayed exactly as it came.
    Reasoning(ReasoningPart),
    /// A tool call by the model.
    ToolCall(ToolCallPart),
    /// The result of a tool call.
    ToolResult(ToolResultPart),
    /// An image, document or sound. Directly behind a result of a tool call it belongs to that result.
    Image(ImagePart),
    /// Why the model stopped.
    Finish(FinishPart),
    /// A part of a type that this version does not know: `{type, data}` verbatim.
    Unknown(Value),
}

/// `text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPart {
    /// The text.
    pub text: String,
}

/// `reasoning`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasoningPart {
    /// The visible reasoning, possibly empty.
    #[serde(default)]
    pub thinking: String,
    /// The provider's signature, which must return byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Encrypted or redacted reasoning that must return byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}

/// `tool_call`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCallPart {
    /// The call's id.
    pub id: ToolCallId,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text; empty means `{}`.
    #[serde(default)]
    pub input: String,
    /// Whether the arguments arrived completely.
    #[serde(default)]
    pub finished: bool,
}

/// `tool_result`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResultPart {
    /// The call that this answers.
    pub tool_call_id: ToolCallId,
    /// The tool's name.
    #[serde(default)]
    pub name: String,
    /// What the model reads.
    #[serde(default)]
    pub content: String,
    /// Whether the tool failed.
    #[serde(default)]
    pub is_error: bool,
}

/// `image`: an image, document or sound, base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePart {
    /// The bytes in standard base64.
    pub data: String,
    /// The media type, such as `image/png` or `application/pdf`.
    pub media_type: String,
}

/// What models take a medium for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A PDF.
    Document,
    /// Something to hear.
    Sound,
    /// Something that no model takes.
    Other,
}

impl ImagePart {
    /// What models take it for.
    pub fn kind(&self) -> MediaKind {
        match self.media_type.split('/').next() {
            Some("image") => MediaKind::Image,
            Some("audio") => MediaKind::Sound,
            Some("application") if self.media_type == "application/pdf" => MediaKind::Document,
            Some(_) | None => MediaKind::Other,
        }
    }

    /// How many bytes the base64 stands for.
    pub fn byte_count(&self) -> u64 {
        let letters = u64::try_from(self.data.trim_end_matches('=').len()).unwrap_or(u64::MAX);
        letters.saturating_mul(3) / 4
    }
}

/// `finish`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishPart {
    /// The reason, in the wording of the writer.
    pub reason: String,
}

#[derive(Serialize)]
struct Tagged<'a, T> {
    r#type: &'static str,
    data: &'a T,
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(data) => Tagged { r#type: "text", data }.serialize(serializer),
            Self::Reasoning(data) => Tagged { r#type: "reasoning", data }.serialize(serializer),
            Self::ToolCall(data) => Tagged { r#type: "tool_call", data }.serialize(serializer),
            Self::ToolResult(data) => Tagged { r#type: "tool_result", data }.serialize(serializer),
            Self::Image(data) => Tagged { r#type: "image", data }.serialize(serializer),
            Self::Finish(data) => Tagged { r#type: "finish", data }.serialize(serializer),
            Self::Unknown(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let known =
            value.get("type").and_then(Value::as_str).zip(value.get("data")).and_then(|(kind, data)| {
                let data = data.clone();
                match kind {
                    "text" => serde_json::from_value(data).map(Self::Text).ok(),
                    "reasoning" => serde_json::from_value(data).map(Self::Reasoning).ok(),
                    "tool_call" => serde_json::from_value(data).map(Self::ToolCall).ok(),
                    "tool_result" => serde_json::from_value(data).map(Self::ToolResult).ok(),
                    "image" => serde_json::from_value(data).map(Self::Image).ok(),
                    "finish" => serde_json::from_value(data).map(Self::Finish).ok(),
                    _ => None,
                }
            });
        Ok(known.unwrap_or(Self::Unknown(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn media_belong_to_the_result_directly_before_them() {
        let image = |data: &str| Part::Image(ImagePart { data: data.into(), media_type: "image/png".into() });
        let result = |id: &str| {
            Part::ToolResult(ToolResultPart {
                tool_call_id: id.into(),
                name: "read".into(),
                content: String::new(),
                is_error: false,
            })
        };
        let text = Part::Text(TextPart { text: "t".into() });
        let parts =
            vec![image("AA=="), result("a"), image("AQ=="), image("Ag=="), result("b"), text, image("Aw==")];
        let message = Message { role: Role::Tool, parts };
        let told: Vec<(&str, Vec<&str>)> = message
            .tool_results()
            .into_iter()
            .map(|(result, media)| {
                (result.tool_call_id.as_str(), media.into_iter().map(|media| media.data.as_str()).collect())
            })
            .collect();
        assert_eq!(told, [("a", vec!["AQ==", "Ag=="]), ("b", vec![])]);
        let own: Vec<Part> = message.own_parts().cloned().collect();
        assert_eq!(own, [image("AA=="), Part::Text(TextPart { text: "t".into() }), image("Aw==")]);
    }

    #[test]
    fn media_know_what_they_are_and_how_large() {
        let medium =
            |media_type: &str, data: &str| ImagePart { data: data.into(), media_type: media_type.into() };
        let kinds = ["image/png", "application/pdf", "audio/wav", "application/zip", ""]
            .map(|media_type| medium(media_type, "").kind());
        assert_eq!(
            kinds,
            [MediaKind::Image, MediaKind::Document, MediaKind::Sound, MediaKind::Other, MediaKind::Other]
        );
        assert_eq!(
            ["", "AA==", "AAA=", "AAAA"].map(|data| medium("image/png", data).byte_count()),
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn parts_round_trip_in_upstream_shape() {
        let lines = json!([
            {"type": "text", "data": {"text": "hi"}},
            {"type": "tool_call", "data": {"id": "c1", "name": "read", "input": "{}", "finished": true}},
            {"type": "tool_result", "data": {"tool_call_id": "c1", "name": "read", "content": "x", "is_error": false}},
            {"type": "image", "data": {"data": "AA==", "media_type": "image/png"}},
            {"type": "finish", "data": {"reason": "stop"}},
            {"type": "hologram", "data": {"depth": 3}},
        ]);
        let parts: Vec<Part> = serde_json::from_value(lines.clone()).unwrap();
        assert!(matches!(parts[5], Part::Unknown(_)));
        assert_eq!(serde_json::to_value(&parts).unwrap(), lines);
    }
}
