//! What came of a subagent, and how a model reads it.

use std::time::Duration;

use kit_protocol::{SessionId, StopReason, UsageTotals};

/// How much of an answer the parent's model reads, in bytes.
const LONGEST_ANSWER: usize = 12_000;
/// How much of an unfinished answer the parent's model reads, in bytes.
const LONGEST_PARTIAL: usize = 8_000;

/// How a subagent's work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubagentOutcome {
    /// It answered. The reason says whether it came to the end of what it had to say.
    Completed(StopReason),
    /// It could not go on.
    Failed(String),
    /// It did not answer in time.
    TimedOut(Duration),
    /// It was stopped.
    Killed,
}

/// What came of a subagent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubagentReport {
    /// Its session.
    pub session: SessionId,
    /// How it ended.
    pub outcome: SubagentOutcome,
    /// Its answer; empty unless it completed.
    pub response: String,
    /// What it had said until it ended, where it did not complete.
    pub partial: String,
    /// What it used.
    pub usage: UsageTotals,
    /// How long it worked.
    pub elapsed: Duration,
}

impl SubagentReport {
    /// The report about one that never began to work.
    pub(crate) fn unstarted(session: SessionId, outcome: SubagentOutcome) -> Self {
        Self {
            session,
            outcome,
            response: String::new(),
            partial: String::new(),
            usage: UsageTotals::default(),
            elapsed: Duration::ZERO,
        }
    }

    /// Whether it answered.
    pub fn is_success(&self) -> bool {
        matches!(self.outcome, SubagentOutcome::Completed(_))
    }

    /// What the parent's model reads.
    pub(crate) fn text(&self) -> String {
        let seconds = self.elapsed.as_secs_f64().round();
        let session =
            format!("Session ID: {} (pass it as session_id to go on with this subagent)", self.session);
        let why = match &self.outcome {
            SubagentOutcome::Completed(stop) => {
                let usage = &self.usage;
                let input = usage
                    .input_tokens
                    .saturating_add(usage.cache_read_tokens)
                    .saturating_add(usage.cache_write_tokens);
                let cut = match stop {
                    StopReason::MaxTokens => "\nThe answer reached its largest length and is cut off.",
                    StopReason::MaxSteps => {
                        "\nIt reached its largest number of steps; the answer may be unfinished."
                    }
                    StopReason::Refusal => "\nThe model refused.",
                    StopReason::Budget => "\nThe budget is used up; the answer may be unfinished.",
                    StopReason::EndTurn | StopReason::ToolUse | StopReason::Cancelled | StopReason::Error => {
                        ""
                    }
                };
                return format!(
                    "Subagent completed successfully in {seconds}s. (tokens: {input} in / {} out)\n{session}{cut}\n\nResult:\n{}",
                    usage.output_tokens,
                    cut_to(&self.response, LONGEST_ANSWER)
                );
            }
            SubagentOutcome::Failed(error) => error.clone(),
            SubagentOutcome::TimedOut(limit) => format!("it was stopped after its {}s", limit.as_secs()),
            SubagentOutcome::Killed => "it was stopped".to_owned(),
        };
        let mut text = format!("Subagent failed after {seconds}s.\n{session}\n\nError:\n{why}");
        if !self.partial.trim().is_empty() {
            text.push_str("\n\nPartial output:\n");
            text.push_str(&cut_to(&self.partial, LONGEST_PARTIAL));
        }
        text
    }
}

/// The beginning of a text, cut between characters, with a note of how much is missing.
fn cut_to(text: &str, most: usize) -> String {
    let text = text.trim();
    let keep = text.floor_char_boundary(most);
    let cut = text.len() - keep;
    let kept = text.get(..keep).unwrap_or_default();
    if cut == 0 { kept.to_owned() } else { format!("{kept}\n... [truncated — {cut} bytes omitted]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: SubagentOutcome, response: &str, partial: &str) -> String {
        let usage = UsageTotals {
            input_tokens: 10,
            cache_read_tokens: 5,
            output_tokens: 2,
            ..UsageTotals::default()
        };
        let session = SessionId::from("abc");
        let (response, partial) = (response.to_owned(), partial.to_owned());
        SubagentReport { session, outcome, response, partial, usage, elapsed: Duration::from_millis(1600) }
            .text()
    }

    const ID: &str = "Session ID: abc (pass it as session_id to go on with this subagent)";

    #[test]
    fn an_answer_tells_time_tokens_and_id() {
        assert_eq!(
            report(SubagentOutcome::Completed(StopReason::EndTurn), "found it\n", ""),
            format!(
                "Subagent completed successfully in 2s. (tokens: 15 in / 2 out)\n{ID}\n\nResult:\nfound it"
            )
        );
        let cut = report(SubagentOutcome::Completed(StopReason::MaxTokens), "half", "");
        assert!(
            cut.contains(&format!("{ID}\nThe answer reached its largest length and is cut off.\n")),
            "{cut}"
        );
    }

    #[test]
    fn a_failure_tells_why_and_what_there_was() {
        assert_eq!(
            report(SubagentOutcome::TimedOut(Duration::from_secs(1)), "", "half"),
            format!(
                "Subagent failed after 2s.\n{ID}\n\nError:\nit was stopped after its 1s\n\nPartial output:\nhalf"
            )
        );
        assert_eq!(
            report(SubagentOutcome::Failed("no key".into()), "", " "),
            format!("Subagent failed after 2s.\n{ID}\n\nError:\nno key")
        );
    }

    #[test]
    fn long_answers_are_cut_between_characters() {
        let long = "ä".repeat(LONGEST_ANSWER);
        let text = report(SubagentOutcome::Completed(StopReason::EndTurn), &long, "");
        assert!(text.ends_with("ä\n... [truncated — 12000 bytes omitted]"), "{}", &text[text.len() - 60..]);
        let partial = "€".repeat(LONGEST_PARTIAL);
        let text = report(SubagentOutcome::Killed, "", &partial);
        assert!(text.ends_with("€\n... [truncated — 16002 bytes omitted]"), "{}", &text[text.len() - 60..]);
    }
}
