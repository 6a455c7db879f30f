//! What a headless run prints, in the four styles.
//!
//! stdout carries the answer, the object or the events and nothing else; everything for people beside it goes to stderr.
//! `--json` prints one object: upstream's fields in upstream's spelling, with the cost beside them; errors are an object
//! with `error` and `kind` in its place. `--events` prints the events as clients get them.

use std::io::Write as _;

use kit_protocol::{
    CommandRunAnswer, CostKind, Event, EventBody, FileProblem, KitError, Remark, SessionId, StopReason, UiOp,
    UiSlot, UiUpdate, UsageTotals,
};
use serde_json::{Value, json};

use super::Style;
use super::feed::News;

/// Prints a run. A closed stdout ends the printing and not the run, whose exit code still counts.
pub(super) struct Output {
    style: Style,
    /// Whether the last line of the answer on stdout is not ended.
    open_line: bool,
    /// Whether the text of the running model call is printed already.
    streamed: bool,
}

impl Output {
    pub(super) fn new(style: Style) -> Self {
        Self { style, open_line: false, streamed: false }
    }

    /// Something that was left out or is to be known, for people.
    pub(super) fn notice(&self, text: &str) {
        if self.style == Style::Text {
            aside(&format!("note: {text}"));
        }
    }

    /// Anything that the run is told.
    pub(super) fn news(&mut self, news: &News) {
        match news {
            News::Event(event) => self.event(event),
            News::Shown(update) if self.style == Style::Text => self.shown(update),
            News::Problem(FileProblem { path, line, message }) if self.style == Style::Text => {
                self.end_line();
                aside(&format!("note: {path}:{}: {message}", line + 1));
            }
            News::Shown(_) | News::Problem(_) => {}
        }
    }

    /// What an extension prints. What stays in an editor's view, such as a widget, has no place here.
    fn shown(&mut self, update: &UiUpdate) {
        let Some(text) = update.text.as_deref().filter(|_| update.op == UiOp::Set) else { return };
        match update.slot {
            UiSlot::Print => {
                self.end_line();
                let is_error = update.style.get("kind").is_some_and(|kind| kind == "error");
                aside(&format!("{}{text}", if is_error { "error: " } else { "" }));
            }
            UiSlot::Block => {
                self.end_line();
                text.lines().for_each(|line| aside(&format!("│ {line}")));
                if let Some(subtitle) = update.style.get("subtitle") {
                    aside(&format!("╰ {subtitle}"));
                }
            }
            UiSlot::Widget | UiSlot::Header | UiSlot::Footer | UiSlot::Status | UiSlot::Prompt => {}
        }
    }

    /// What a command says, before the turns that it asked for.
    pub(super) fn said(&self, answer: &CommandRunAnswer) {
        let said = answer.output.as_deref().unwrap_or_default().trim_end();
        match self.style {
            Style::Json => {}
            Style::Text | Style::Quiet if said.is_empty() => {}
            Style::Text | Style::Quiet => out(&format!("{said}\n")),
            Style::Events => match serde_json::to_string(answer) {
                Ok(line) => out(&format!("{line}\n")),
                Err(error) => tracing::error!(%error, "what a command says cannot be printed"),
            },
        }
    }

    /// The end of a run in which there was a command and no turn.
    pub(super) fn ended_without_turn(
        &self,
        answer: &CommandRunAnswer,
        session: Option<&SessionId>,
        model: Option<String>,
    ) {
        match self.style {
            Style::Quiet | Style::Events => {}
            Style::Text => session.into_iter().for_each(|session| aside(&format!("session {session}"))),
            Style::Json => print_object(&json!({
                "response": answer.output.as_deref().unwrap_or_default().trim_end(),
                "model": model.unwrap_or_default(),
                "stop_reason": StopReason::EndTurn,
                "messages": [],
                "session_id": session,
            })),
        }
    }

    /// Prints an event as far as the style shows it.
    fn event(&mut self, event: &Event) {
        match self.style {
            Style::Events => match serde_json::to_string(event) {
                Ok(line) => out(&format!("{line}\n")),
                Err(error) => tracing::error!(%error, "an event cannot be printed"),
            },
            Style::Text if event.agent.is_none() => self.show(&event.body),
            Style::Text | Style::Quiet | Style::Json => {}
        }
    }

    fn show(&mut self, body: &EventBody) {
        match (body, body.remark()) {
            (EventBody::MessageUpdate { chunk }, _) => {
                out(chunk);
                self.open_line = !chunk.ends_with('\n');
                self.streamed = true;
            }
            (EventBody::MessageEnd { .. }, _) => {
                self.end_line();
                self.streamed = false;
            }
            (EventBody::StreamReset {}, _) if self.streamed => self.aside("(the answer starts again)"),
            (EventBody::ToolCall { title, .. }, _) => self.aside(&format!("• {title}")),
            (EventBody::ToolResult { is_error: true, result, .. }, _) => {
                let first = result.lines().next().unwrap_or_default();
                self.aside(&format!("  failed: {first}"));
            }
            (_, Some(Remark::Failure(message))) => self.aside(&format!("error: {message}")),
            (_, Some(Remark::Delay(text))) => self.aside(&text),
            (_, Some(Remark::Note(text))) => self.aside(&format!("({text})")),
            (_, None) => {}
        }
    }

    /// Prints a line for people behind what of the answer is printed.
    fn aside(&mut self, text: &str) {
        self.end_line();
        aside(text);
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.open_line) {
            out("\n");
        }
    }

    /// Prints the end of a turn. `session` is absent when it is not kept.
    pub(super) fn ended(
        &mut self,
        end: &Event,
        session: Option<&SessionId>,
        model: Option<String>,
        messages: &[Value],
    ) {
        let EventBody::TurnEnd { response, stop_reason, error, usage, llm_call_count, .. } = &end.body else {
            return;
        };
        match self.style {
            Style::Events => {}
            Style::Quiet => match error {
                None => out(&format!("{}\n", response.trim_end_matches('\n'))),
                Some(error) => aside(&format!("error: {error}")),
            },
            Style::Text => {
                self.end_line();
                let model = model.unwrap_or_default();
                let session = session.map(|session| format!(" · session {session}")).unwrap_or_default();
                let spent = match llm_call_count {
                    0 => "no call".to_owned(),
                    1 => format!("1 call · {}", spent(usage)),
                    calls => format!("{calls} calls · {}", spent(usage)),
                };
                if let Some(why) = cut_short(*stop_reason) {
                    aside(why);
                }
                aside(&format!("{model} · {spent}{session}"));
            }
            Style::Json => {
                let mut object = json!({
                    "response": response,
                    "model": model,
                    "stop_reason": stop_reason,
                    "usage": {
                        "input_tokens": usage.input_tokens,
                        "output_tokens": usage.output_tokens,
                        "total_tokens": usage.input_tokens + usage.output_tokens
                            + usage.cache_read_tokens + usage.cache_write_tokens,
                        "cache_read_tokens": usage.cache_read_tokens,
                        "cache_creation_tokens": usage.cache_write_tokens,
                        "cost_micros": usage.cost_micros,
                        "cost_kind": usage.cost_kind,
                    },
                    "messages": messages,
                });
                if let Some(object) = object.as_object_mut() {
                    object.extend(session.map(|session| ("session_id".to_owned(), json!(session))));
                    object.extend(error.as_ref().map(|error| ("error".to_owned(), json!(error))));
                }
                print_object(&object);
            }
        }
    }

    /// Prints an error that came before any turn.
    pub(super) fn failed(&self, error: &KitError) -> anyhow::Result<()> {
        let object = json!({"error": error.message, "kind": error.kind});
        match self.style {
            Style::Json => print_object(&object),
            Style::Events => out(&format!("{object}\n")),
            Style::Text | Style::Quiet => crate::complain(&error.message),
        }
        Ok(())
    }
}

/// Why a turn ended before the model was done, in words.
fn cut_short(reason: StopReason) -> Option<&'static str> {
    match reason {
        StopReason::EndTurn | StopReason::ToolUse | StopReason::Error => None,
        StopReason::Cancelled => Some("cancelled"),
        StopReason::MaxTokens => Some("stopped: the answer reached its largest length"),
        StopReason::Refusal => Some("stopped: the model refused"),
        StopReason::Budget => Some("stopped: the budget is used up"),
        StopReason::MaxSteps => Some("stopped: the largest number of model calls is reached"),
    }
}

/// Tokens and money in words.
fn spent(usage: &UsageTotals) -> String {
    let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    let money = match (usage.cost_micros, usage.cost_kind) {
        (Some(micros), CostKind::Priced) => {
            format!("${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100)
        }
        (Some(micros), CostKind::Unknown | CostKind::Subscription) => {
            format!("at least ${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100)
        }
        (None, CostKind::Subscription) => "subscription".to_owned(),
        (None, CostKind::Unknown | CostKind::Priced) => "price unknown".to_owned(),
    };
    format!("{input} tokens in, {} out · {money}", usage.output_tokens)
}

fn print_object(object: &Value) {
    match serde_json::to_string_pretty(object) {
        Ok(text) => out(&format!("{text}\n")),
        Err(error) => tracing::error!(%error, "the result cannot be printed"),
    }
}

fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A closed stdout is told by the exit code of whoever closed it.
    let _closed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn aside(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_said_with_what_is_known_of_it() {
        let usage = |cost_micros, cost_kind| UsageTotals {
            input_tokens: 10,
            output_tokens: 5,
            cache_read_tokens: 2,
            cost_micros,
            cost_kind,
            ..UsageTotals::default()
        };
        let said = [
            usage(Some(1_234_560), CostKind::Priced),
            usage(Some(300), CostKind::Unknown),
            usage(None, CostKind::Subscription),
            usage(None, CostKind::Unknown),
        ]
        .map(|usage| spent(&usage));
        let expected = ["$1.2345", "at least $0.0003", "subscription", "price unknown"]
            .map(|money| format!("12 tokens in, 5 out · {money}"));
        assert_eq!(said, expected);
    }
}
