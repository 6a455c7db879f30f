//! A session as a Markdown document, for `kit-session:` and exports.

use kit_protocol::{CostKind, EventBody, PlanEntry, PlanStatus, UsageTotals};

use crate::replay::Replayed;

/// Results of tools are cut at this length.
const LONGEST_RESULT: usize = 4000;

/// The document.
pub(crate) fn transcript(name: &str, events: &[Replayed]) -> String {
    let mut text = format!("# {name}\n");
    // What subagents did is in documents of their own.
    for Replayed { body, .. } in events.iter().filter(|event| event.agent.is_none()) {
        match body {
            EventBody::TurnStart { prompt } => {
                text.push_str(&format!("\n## Prompt\n\n{}\n", prompt.trim_end()))
            }
            EventBody::SteerConsumed { prompt } => {
                text.push_str(&format!("\n## Said meanwhile\n\n{}\n", prompt.trim_end()));
            }
            EventBody::MessageEnd { content } if !content.trim().is_empty() => {
                text.push_str(&format!("\n{}\n", content.trim_end()));
            }
            EventBody::ToolResult { tool_name, tool_args, result, is_error, metadata, .. } => {
                let outcome = if *is_error { "failed" } else { "done" };
                text.push_str(&format!(
                    "\n<details><summary><code>{tool_name}</code> {outcome}</summary>\n\n"
                ));
                text.push_str(&fenced("json", tool_args));
                text.push_str(&fenced("", result));
                for diff in metadata.iter().flat_map(|metadata| &metadata.file_diffs) {
                    text.push_str(&format!("\n`{}` +{} −{}\n", diff.path, diff.additions, diff.deletions));
                }
                text.push_str("\n</details>\n");
            }
            EventBody::Plan { entries } if !entries.is_empty() => text.push_str(&plan(entries)),
            EventBody::Notice { message } => text.push_str(&format!("\n> {message}\n")),
            EventBody::Error { message, .. } => text.push_str(&format!("\n> **Error:** {message}\n")),
            EventBody::ThinkingChange { level, .. } => {
                text.push_str(&format!("\n*Thinking level: {}*\n", level.name()));
            }
            EventBody::ModelChange { model, .. } => text.push_str(&format!("\n*Model: {model}*\n")),
            EventBody::Compaction { summary, messages_removed, .. } => text.push_str(&format!(
                "\n*{messages_removed} earlier messages are replaced by this summary:*\n\n{}\n",
                summary.trim_end()
            )),
            EventBody::TurnEnd { usage, duration_ms, .. } => {
                text.push_str(&format!("\n*{} · {}*\n", seconds(*duration_ms), spent(usage)));
            }
            EventBody::MessageStart {}
            | EventBody::MessageUpdate { .. }
            | EventBody::MessageEnd { .. }
            | EventBody::ReasoningDelta { .. }
            | EventBody::ToolCall { .. }
            | EventBody::ToolExecutionStart { .. }
            | EventBody::ToolOutput { .. }
            | EventBody::ToolExecutionEnd { .. }
            | EventBody::ToolDisplay(_)
            | EventBody::Plan { .. }
            | EventBody::ToolCallContent { .. }
            | EventBody::StepUsage(_)
            | EventBody::Response { .. }
            | EventBody::Retry { .. }
            | EventBody::StreamReset {}
            | EventBody::Queue { .. } => {}
        }
    }
    text
}

/// A plan as a task list.
fn plan(entries: &[PlanEntry]) -> String {
    let line = |entry: &PlanEntry| {
        let content = entry.content.split_whitespace().collect::<Vec<_>>().join(" ");
        match entry.status {
            PlanStatus::Completed => format!("- [x] {content}\n"),
            PlanStatus::InProgress => format!("- [ ] **{content}**\n"),
            PlanStatus::Pending => format!("- [ ] {content}\n"),
        }
    };
    let lines: String = entries.iter().map(line).collect();
    format!("\n**Plan**\n\n{lines}")
}

/// A code block whose fence is longer than any inside it.
fn fenced(language: &str, content: &str) -> String {
    let content = content.trim_end();
    let keep = content.floor_char_boundary(LONGEST_RESULT);
    let shown = content.get(..keep).unwrap_or_default();
    let longest = shown.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let cut = content.len() - keep;
    let note = if cut > 0 { format!("\n[{cut} more bytes]") } else { String::new() };
    format!("{fence}{language}\n{shown}{note}\n{fence}\n")
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

fn spent(usage: &UsageTotals) -> String {
    let input =
        usage.input_tokens.saturating_add(usage.cache_read_tokens).saturating_add(usage.cache_write_tokens);
    let cost = match (usage.cost_kind, usage.cost_micros) {
        (CostKind::Subscription, _) => ", subscription".to_owned(),
        (CostKind::Priced | CostKind::Unknown, Some(micros)) => {
            format!(", ${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100)
        }
        (CostKind::Priced | CostKind::Unknown, None) => String::new(),
    };
    format!("{input} tokens in, {} out{cost}", usage.output_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("", "a ```` b\n"), "`````\na ```` b\n`````\n");
        assert_eq!(fenced("json", "{}"), "```json\n{}\n```\n");
    }

    #[test]
    fn spending_reads_like_money() {
        let usage = UsageTotals {
            input_tokens: 10,
            cache_read_tokens: 5,
            output_tokens: 2,
            cost_micros: Some(1_234_567),
            ..UsageTotals::default()
        };
        assert_eq!(spent(&usage), "15 tokens in, 2 out, $1.2345");
        assert_eq!(
            (seconds(61_950), spent(&UsageTotals::default())),
            ("61.9 s".into(), "0 tokens in, 0 out".into())
        );
    }
}
