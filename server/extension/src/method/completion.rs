//! One call of a model for an extension. It counts for the session, the day and their budgets.

use std::sync::Arc;

use kit_contract::{CompleteMessage, CompleteParameters, CompleteResult};
use kit_protocol::{Message, Role};
use kit_session::{Chunk, Inquiry};
use tokio_util::sync::CancellationToken;

use super::models::model_id;
use super::pieces::Pieces;
use super::sessions::refused;
use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};

pub(super) async fn complete(
    hub: &Arc<Extensions>,
    caller: &Arc<Caller>,
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
    let pieces = Pieces::new(hub, caller, stream);
    let mut heard = |chunk: Chunk<'_>| match chunk {
        Chunk::Text(text) => pieces.add(text),
        Chunk::Reset => pieces.reset(),
    };
    let answer = sessions.ask_model(inquiry, &mut heard, cancel).await;
    pieces.finish().await;
    let answer = answer.map_err(refused)?;
    let usage = answer.usage;
    Ok(CompleteResult {
        text: answer.text,
        input_tokens: usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        output_tokens: usage.output_tokens,
        model: format!("{}/{}", usage.provider, usage.model),
    })
}
