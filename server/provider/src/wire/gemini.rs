//! Gemini's `streamGenerateContent`, as AI Studio and Vertex serve it.
//!
//! A call arrives whole in one part. A thought signature belongs to the part that it came on and returns on it, so a
//! part with a signature is never joined with its neighbors. The answer is complete when a finish reason was seen, or when
//! the prompt was blocked; later frames may still correct the usage.

mod request;

use kit_protocol::StopReason;
use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::seal::Seal;
use super::{Adapter, Answer, CallIds, Failure, Flow};
use crate::model::ModelEvent;
use crate::usage::TokenCounts;

pub(super) use request::{body, takes_budget};

/// Reads an answer.
#[derive(Debug)]
pub(super) struct Reader {
    draft: Draft,
    /// The model that was asked.
    asked: String,
    /// The last part had a signature, so the next text begins a part.
    apart: bool,
    tokens: TokenCounts,
    model: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Usage>,
    model_version: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: Option<String>,
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

/// Totals so far; the prompt includes what a cache served, the candidates exclude the thoughts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

impl Usage {
    fn tokens(&self) -> TokenCounts {
        let cache_read = self.cached_content_token_count.unwrap_or_default();
        let fresh = self.prompt_token_count.unwrap_or_default().saturating_sub(cache_read);
        let thoughts = self.thoughts_token_count.unwrap_or_default();
        TokenCounts {
            input: fresh.saturating_add(self.tool_use_prompt_token_count.unwrap_or_default()),
            output: self.candidates_token_count.unwrap_or_default().saturating_add(thoughts),
            cache_read,
            cache_write: 0,
            cache_write_hour: 0,
            reasoning: self.thoughts_token_count,
        }
    }
}

impl Reader {
    pub(super) fn new(ids: CallIds, asked: &str) -> Self {
        Self {
            draft: Draft::new(ids),
            asked: asked.to_owned(),
            apart: false,
            tokens: TokenCounts::default(),
            model: None,
            finish_reason: None,
        }
    }

    fn part(&mut self, part: Part, events: &mut Vec<ModelEvent>) {
        let text = part.text.unwrap_or_default();
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        let signed = signature.is_some();
        if let Some(signature) = signature {
            let alone = part.function_call.is_none() && (text.is_empty() || part.thought == Some(true));
            let seal = Seal::Gemini { model: self.asked.clone(), signature, alone };
            let at = self.draft.open_reasoning();
            self.draft.seal(at, seal.text());
        }
        if let Some(call) = part.function_call {
            let at = self.draft.open_call(call.id.as_deref(), &call.name.unwrap_or_default(), events);
            let arguments = call.args.filter(|args| !args.is_null()).map(|args| args.to_string());
            self.draft.append(at, arguments.as_deref().unwrap_or("{}"), events);
            self.draft.close(at, events);
        } else if !text.is_empty() {
            let at = match (part.thought == Some(true), signed || self.apart) {
                (true, true) => self.draft.open_reasoning(),
                (true, false) => self.draft.current_reasoning(),
                (false, true) => self.draft.open_text(),
                (false, false) => self.draft.current_text(),
            };
            self.draft.append(at, &text, events);
        }
        self.apart = signed;
    }

    fn chunk(&mut self, chunk: Chunk, events: &mut Vec<ModelEvent>) -> Result<(), Failure> {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Failure::Reported(error));
        }
        self.model = chunk.model_version.filter(|model| !model.is_empty()).or(self.model.take());
        if let Some(usage) = chunk.usage_metadata {
            let tokens = usage.tokens();
            if tokens != self.tokens {
                self.tokens = tokens;
                events.push(ModelEvent::Usage(tokens));
            }
        }
        if let Some(reason) = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            self.finish_reason = Some(reason);
        }
        let Some(candidate) = chunk.candidates.unwrap_or_default().into_iter().next() else { return Ok(()) };
        for part in candidate.content.and_then(|content| content.parts).unwrap_or_default() {
            self.part(part, events);
        }
        self.finish_reason =
            candidate.finish_reason.filter(|reason| !reason.is_empty()).or(self.finish_reason.take());
        match self.finish_reason.as_deref() {
            // The model garbled its own answer; another attempt usually does not.
            Some(
                reason @ ("MALFORMED_FUNCTION_CALL"
                | "MALFORMED_RESPONSE"
                | "UNEXPECTED_TOOL_CALL"
                | "TOO_MANY_TOOL_CALLS"),
            ) => {
                let message = format!("the provider ended the answer with `{reason}`");
                Err(Failure::Reported(serde_json::json!({"code": 502, "message": message})))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Adapter for Reader {
    fn frame(&mut self, data: &str, events: &mut Vec<ModelEvent>) -> Result<Flow, Failure> {
        if data.trim() == "[DONE]" {
            return Ok(Flow::Done);
        }
        let malformed = |error: serde_json::Error| Failure::Malformed(error.to_string());
        // A server or gateway that does not stream answers with all chunks in one array.
        if data.trim_start().starts_with('[') {
            for chunk in serde_json::from_str::<Vec<Chunk>>(data).map_err(malformed)? {
                self.chunk(chunk, events)?;
            }
        } else {
            self.chunk(serde_json::from_str(data).map_err(malformed)?, events)?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, events: &mut Vec<ModelEvent>) -> Option<Answer> {
        let stop = match self.finish_reason.as_deref()? {
            "STOP" | "CONTINUATION" => StopReason::EndTurn,
            "FUNCTION_CALL" => StopReason::ToolUse,
            "MAX_TOKENS" => StopReason::MaxTokens,
            "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "MODEL_ARMOR"
            | "JAILBREAK"
            | "BLOCK_REASON_UNSPECIFIED" => StopReason::Refusal,
            _ => StopReason::Error,
        };
        let (parts, stop) = self.draft.finish(stop, events);
        Some(Answer {
            parts,
            stop,
            finish_reason: self.finish_reason.take(),
            tokens: self.tokens,
            model: self.model.take(),
            cost_micros: None,
        })
    }

    fn is_complete(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn has_started(&self) -> bool {
        self.draft.has_started()
    }
}

#[cfg(test)]
mod tests;
