//! The one task that writes to the client: it takes what is to be said in order, makes updates of events, answers the
//! prompts whose turns end, and writes whole lines. stdout carries nothing else.
//!
//! A session that is loaded is told again before anything new of it: what happens meanwhile waits here and is told behind
//! the transcript, without what the transcript had already.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use agent_client_protocol_schema::v1::{
    ConfigOptionUpdate, Cost, Error, Meta, NoticeSeverity, PromptResponse, SessionUpdate, StopReason, Usage,
    UsageUpdate,
};
use kit_protocol::{
    ErrorKind, Event, EventBody, KitError, SessionId, TranscriptAnswer, UsageArguments, UsageTotals,
};
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::application::Workplace;
use crate::error::{to_error, to_value};
use crate::options;
use crate::peer::{Outgoing, Peer, Told, answer_message, update_message};
use crate::prompts::Prompts;
use crate::teller::{Teller, Telling, Understands, ended_turn};

/// How long a session may take to tell about itself; it answers at once unless it is gone.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much is collected before it is written.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// Writes until the end is said or the output fails.
pub(crate) async fn run<O>(peer: Arc<Peer>, prompts: Arc<Prompts>, mut output: O) -> io::Result<()>
where
    O: AsyncWrite + Unpin,
{
    let mut pump = Pump { peer: Arc::clone(&peer), prompts, followed: HashMap::new() };
    let mut ended = false;
    while !ended {
        let mut next = Some(peer.next().await);
        let mut bytes = Vec::new();
        while let Some(outgoing) = next {
            ended |= matches!(outgoing, Outgoing::End);
            for message in pump.messages(outgoing).await {
                serde_json::to_writer(&mut bytes, &message)?;
                bytes.push(b'\n');
            }
            next = if bytes.len() < WRITTEN_AT_ONCE { peer.try_next() } else { None };
        }
        output.write_all(&bytes).await?;
        output.flush().await?;
    }
    Ok(())
}

struct Followed {
    place: Arc<dyn Workplace>,
    teller: Teller,
    /// Events that wait until the session was told again.
    held: Option<Vec<Event>>,
}

struct Pump {
    peer: Arc<Peer>,
    prompts: Arc<Prompts>,
    followed: HashMap<SessionId, Followed>,
}

impl Pump {
    async fn messages(&mut self, outgoing: Outgoing) -> Vec<Value> {
        match outgoing {
            Outgoing::Message(message) => vec![message],
            Outgoing::Follow { session, place, cwd, told, titled } => {
                let capabilities = self.peer.capabilities().session;
                let understands = Understands {
                    notices: capabilities.as_ref().is_some_and(|session| session.notices.is_some()),
                    compaction: capabilities.as_ref().is_some_and(|session| session.compaction.is_some()),
                };
                let held = match told {
                    Told::Everything => None,
                    Told::Nothing => Some(Vec::new()),
                };
                let teller = Teller::new(cwd, understands, titled);
                self.followed.insert(session, Followed { place, teller, held });
                Vec::new()
            }
            Outgoing::Event(event) => match self.followed.get_mut(&event.session) {
                None => Vec::new(),
                Some(Followed { held: Some(held), .. }) => {
                    held.push(*event);
                    Vec::new()
                }
                Some(Followed { held: None, .. }) => self.event(&event).await,
            },
            Outgoing::Replay { session, transcript } => self.replay(&session, transcript).await,
            Outgoing::Usage(session) => self.usage(&session).await.into_iter().collect(),
            Outgoing::Say { session, severity, sentence } => {
                let Some(followed) = self.followed.get(&session) else { return Vec::new() };
                let updates = followed.teller.notice(severity, &sentence);
                updates.into_iter().map(|update| update_message(&session, update)).collect()
            }
            Outgoing::Forget(session) => {
                self.followed.remove(&session);
                let left = self.prompts.finish_all(&session).into_iter();
                let cancelled = to_value(&PromptResponse::new(StopReason::Cancelled));
                left.map(|id| answer_message(&id, Ok(cancelled.clone()))).collect()
            }
            Outgoing::End => Vec::new(),
        }
    }

    async fn replay(&mut self, session: &SessionId, transcript: TranscriptAnswer) -> Vec<Value> {
        let Some(followed) = self.followed.get_mut(session) else { return Vec::new() };
        let mut messages = Vec::new();
        for event in &transcript.events {
            let updates = followed.teller.tell(event, Telling::Foreign);
            messages.extend(updates.into_iter().map(|update| update_message(session, update)));
        }
        for event in followed.held.take().unwrap_or_default() {
            if event.seq >= transcript.next_seq {
                messages.extend(self.event(&event).await);
            }
        }
        messages
    }

    async fn event(&mut self, event: &Event) -> Vec<Value> {
        let session = &event.session;
        let is_own = event.turn.as_ref().is_some_and(|turn| self.prompts.has(turn));
        let telling = if is_own { Telling::Own } else { Telling::Foreign };
        let Some(followed) = self.followed.get_mut(session) else { return Vec::new() };
        let updates = followed.teller.tell(event, telling);
        let ended = ended_turn(event).map(|turn| (turn.clone(), followed.teller.take_error()));
        let mut messages: Vec<Value> =
            updates.into_iter().map(|update| update_message(session, update)).collect();
        if let EventBody::StepUsage(_) = event.body {
            messages.extend(self.usage(session).await);
        }
        if let EventBody::ModelChange { source, .. } | EventBody::ThinkingChange { source, .. } = &event.body
            && source != "user"
        {
            messages.extend(self.options(session).await);
        }
        if let Some((turn, error)) = ended
            && let Some(id) = self.prompts.finish(&turn)
        {
            messages.push(answer_message(&id, answer(&event.body, error)));
        }
        messages
    }

    /// How full the context is and what the session cost.
    async fn usage(&self, session: &SessionId) -> Option<Value> {
        let place = &self.followed.get(session)?.place;
        let asked = place.sessions().usage(UsageArguments { session: Some(session.clone()) });
        let usage = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
        let context = usage.context?;
        let mut update = UsageUpdate::new(context.used, context.window);
        if let Some(micros) = usage.session.as_ref().and_then(|totals| totals.cost_micros) {
            update = update.cost(Cost::new(usd(micros), "USD"));
        }
        let kit = json!({
            "estimated": context.estimated,
            "turn": usage.turn,
            "session": usage.session,
            "today": usage.today,
        });
        let update = update.meta(Meta::from_iter([("kit".to_owned(), kit)]));
        Some(update_message(session, SessionUpdate::UsageUpdate(update)))
    }

    async fn options(&self, session: &SessionId) -> Option<Value> {
        let place = Arc::clone(&self.followed.get(session)?.place);
        let options = tokio::time::timeout(PATIENCE, options::options(place.sessions(), session)).await;
        let update = ConfigOptionUpdate::new(options.ok()?.ok()?);
        Some(update_message(session, SessionUpdate::ConfigOptionUpdate(update)))
    }
}

fn usd(micros: u64) -> f64 {
    // More money than fits exactly is not spent in a session.
    f64::from(u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX))
        + f64::from(u32::try_from(micros % 1_000_000).unwrap_or_default()) / 1e6
}

/// The answer to a prompt, for the end of its turn.
fn answer(end: &EventBody, error: Option<KitError>) -> Result<Value, Error> {
    let EventBody::TurnEnd { stop_reason, error: sentence, usage, .. } = end else {
        return Err(to_error(KitError::new(ErrorKind::Internal, "the turn has no end")));
    };
    let reason = match stop_reason {
        kit_protocol::StopReason::EndTurn | kit_protocol::StopReason::ToolUse => StopReason::EndTurn,
        kit_protocol::StopReason::MaxTokens => StopReason::MaxTokens,
        kit_protocol::StopReason::MaxSteps => StopReason::MaxTurnRequests,
        kit_protocol::StopReason::Refusal => StopReason::Refusal,
        kit_protocol::StopReason::Cancelled => StopReason::Cancelled,
        kit_protocol::StopReason::Budget | kit_protocol::StopReason::Error => {
            let is_budget = *stop_reason == kit_protocol::StopReason::Budget;
            let kind = if is_budget { ErrorKind::Budget } else { ErrorKind::Internal };
            let unknown =
                || KitError::new(kind, sentence.clone().unwrap_or_else(|| "the turn failed".to_owned()));
            return Err(to_error(error.unwrap_or_else(unknown)));
        }
    };
    Ok(to_value(&PromptResponse::new(reason).usage(tokens(usage))))
}

fn tokens(totals: &UsageTotals) -> Usage {
    let UsageTotals { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, .. } = totals;
    let total = [input_tokens, output_tokens, cache_read_tokens, cache_write_tokens].into_iter().sum();
    Usage::new(total, *input_tokens, *output_tokens)
        .cached_read_tokens(*cache_read_tokens)
        .cached_write_tokens(*cache_write_tokens)
}

/// Something to be known beside the conversation.
pub(crate) fn say(session: SessionId, severity: NoticeSeverity, sentence: impl Into<String>) -> Outgoing {
    Outgoing::Say { session, severity, sentence: sentence.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(stop_reason: kit_protocol::StopReason, error: Option<&str>) -> EventBody {
        let usage = UsageTotals { input_tokens: 3, output_tokens: 4, ..UsageTotals::default() };
        EventBody::TurnEnd {
            response: String::new(),
            stop_reason,
            error: error.map(str::to_owned),
            tool_call_count: 0,
            tool_names: Vec::new(),
            llm_call_count: 1,
            usage,
            duration_ms: 1,
        }
    }

    #[test]
    fn every_end_of_a_turn_has_its_answer() {
        use kit_protocol::StopReason as Ours;
        let reasons = [
            (Ours::EndTurn, "end_turn"),
            (Ours::ToolUse, "end_turn"),
            (Ours::MaxTokens, "max_tokens"),
            (Ours::MaxSteps, "max_turn_requests"),
            (Ours::Refusal, "refusal"),
            (Ours::Cancelled, "cancelled"),
        ];
        for (ours, theirs) in reasons {
            let answered = answer(&end(ours, None), None).unwrap();
            assert_eq!(answered["stopReason"], theirs);
            assert_eq!(answered["usage"]["totalTokens"], 7);
        }
        let budget = answer(&end(Ours::Budget, Some("no money")), None).unwrap_err();
        assert_eq!(
            (budget.message.as_str(), budget.data.unwrap()["kind"].clone()),
            ("no money", json!("budget"))
        );
        let auth = KitError::new(ErrorKind::Auth, "no key");
        let failed = answer(&end(Ours::Error, Some("no key")), Some(auth)).unwrap_err();
        assert_eq!(i32::from(failed.code), -32000);
        assert!(failed.message.contains("kit-ls auth login"), "{failed}");
    }

    #[test]
    fn money_is_told_in_dollars() {
        assert_eq!([usd(0), usd(1), usd(2_500_000)], [0.0, 0.000_001, 2.5]);
    }
}
