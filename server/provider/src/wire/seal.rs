//! What a wire must get back unread, kept beside the reasoning that it belongs to.
//!
//! A history may go to any wire, so everything sealed says which wire and model made it. Another one leaves it out.
//! A seal stands directly before the part that it belongs to. Anthropic's own redacted data is no seal and stays as it
//! came, and so do the details of chat gateways, which are an array; a seal is always an object.

use kit_protocol::ReasoningPart;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Sealed data of one wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "wire", rename_all = "lowercase")]
pub(crate) enum Seal {
    /// Reasoning of the Responses wire.
    Responses {
        /// The model that was asked.
        model: String,
        /// The encrypted reasoning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<String>,
        /// The summary as it came.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        summary: Value,
        /// What role the text that follows has in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
    },
    /// A thought signature of the Gemini wire.
    Gemini {
        /// The model that was asked.
        model: String,
        /// The signature.
        signature: String,
        /// It came in a part of its own, and so it returns.
        #[serde(default, skip_serializing_if = "is_false")]
        alone: bool,
    },
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Seal {
    /// The text to keep.
    pub(crate) fn text(&self) -> String {
        serde_json::to_value(self).unwrap_or_default().to_string()
    }

    /// The seal on a part, if it has one.
    pub(crate) fn on(part: &ReasoningPart) -> Option<Self> {
        let text = part.encrypted.as_deref().filter(|text| text.starts_with('{'))?;
        serde_json::from_str(text).ok()
    }
}

/// Whether the data was sealed by a wire other than Anthropic's.
pub(crate) fn is_foreign(encrypted: &str) -> bool {
    encrypted.starts_with(['[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_read_as_it_was_written() {
        let seals = [
            Seal::Gemini { model: "g".into(), signature: "c2ln".into(), alone: true },
            Seal::Responses {
                model: "m".into(),
                encrypted_content: Some("x".into()),
                summary: serde_json::json!([{"type": "summary_text", "text": "hm"}]),
                phase: None,
            },
        ];
        for seal in seals {
            let part = ReasoningPart { encrypted: Some(seal.text()), ..ReasoningPart::default() };
            assert!(is_foreign(&seal.text()));
            assert_eq!(Seal::on(&part), Some(seal));
        }
    }

    #[test]
    fn other_sealed_data_is_no_seal() {
        for text in ["c2VjcmV0", "[{\"type\":\"reasoning.text\"}]", "{\"wire\":\"morse\"}"] {
            let part = ReasoningPart { encrypted: Some(text.into()), ..ReasoningPart::default() };
            assert_eq!(Seal::on(&part), None, "{text}");
        }
        assert_eq!(Seal::on(&ReasoningPart::default()), None);
    }
}
