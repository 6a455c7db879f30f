//! One call of a model for an extension. It counts for the session, the day and their budgets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kit_contract::{CompleteMessage, CompleteParameters, CompleteResult, StreamChunkEvent};
use kit_protocol::{Message, Role};
use kit_session::{Chunk, Inquiry};
use tokio_util::sync::CancellationToken;

use super::models::model_id;
use super::sessions::refused;
use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};

/// How long pieces of an answer are collected, so that a quick model does not fill the queue of its extension.
const MERGE: Duration = Duration::from_millis(30);

/// The pieces of an answer on their way to whoever asked.
struct Pieces<'a> {
    hub: &'a Extensions,
    caller: &'a Caller,
    stream: String,
    text: String,
    sent_at: Option<Instant>,
}

impl Pieces<'_> {
    fn take(&mut self, chunk: Chunk<'_>) {
        match chunk {
            Chunk::Text(text) => self.text.push_str(text),
            Chunk::Reset => {
                self.text.clear();
                self.tell(String::new(), true);
            }
        }
        if self.sent_at.is_none_or(|sent| sent.elapsed() >= MERGE) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let chunk = std::mem::take(&mut self.text);
            self.tell(chunk, false);
        }
    }

    fn tell(&mut self, chunk: String, reset: bool) {
        self.sent_at = Some(Instant::now());
        let event = StreamChunkEvent { stream: self.stream.clone(), chunk, reset };
        self.hub.tell_caller(self.caller, "stream.chunk", event);
    }
}

pub(super) async fn complete(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<CompleteResult, Failure> {
    let CompleteParameters { model, prompt, system, messages, max_tokens, stream } =
        parse("complete", parameters)?;
    let mut system = system.unwrap_or_default();
    let mut conversation = Vec::new();
    for CompleteMessage { role, content } in messages {
        match role.as_str() {
            "system" => {
                let gap = if system.is_empty() { "" } else { "\n\n" };
                system = format!("{system}{gap}{content}");
            }
            "user" => conversation.push(Message::text(Role::User, content)),
            "assistant" => conversation.push(Message::text(Role::Assistant, content)),
            other => {
                let text =
                    format!("a message of complete is of `system`, `user` or `assistant`, not of `{other}`");
                return Err(Failure::new(FailureCode::Invalid, text));
            }
        }
    }
    if !prompt.is_empty() {
        conversation.push(Message::text(Role::User, prompt));
    }
    let inquiry = Inquiry {
        session: caller.session(hub, parameters),
        model: model.filter(|model| !model.is_empty()).map(|model| model_id(&model)).transpose()?,
        system: Some(system).filter(|system| !system.is_empty()),
        messages: conversation,
        max_tokens,
    };
    // Dropped with the call that asks, which ends the request to the provider.
    let cancel = CancellationToken::new();
    let _end = cancel.clone().drop_guard();
    let sessions = hub.sessions()?;
    let mut pieces = stream.map(|stream| Pieces { hub, caller, stream, text: String::new(), sent_at: None });
    let mut heard = |chunk: Chunk<'_>| {
        if let Some(pieces) = &mut pieces {
            pieces.take(chunk);
        }
    };
    let answer = sessions.ask_model(inquiry, &mut heard, cancel).await;
    if let Some(pieces) = &mut pieces {
        pieces.flush();
    }
    let answer = answer.map_err(refused)?;
    let usage = answer.usage;
    Ok(CompleteResult {
        text: answer.text,
        input_tokens: usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        output_tokens: usage.output_tokens,
        model: format!("{}/{}", usage.provider, usage.model),
    })
}
