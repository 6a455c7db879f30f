//! What the editor's other servers and linters say about files: read, compared, and as a tool.
//!
//! Diagnostics come as LSP has them. Two of one file are the same when they say the same with the same severity; that
//! lines moved does not make one new. After an edit other servers need a moment, so [`settled`] asks until the answer
//! stands still.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use kit_protocol::{FileDiagnostics, ToolKind};
use kit_workspace::{DocumentUri, Workspace};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Findings that are told at once.
const MOST: usize = 50;
/// Characters of one finding.
const LONGEST: usize = 500;
/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(120);
/// When a look that found nothing changed is believed.
const UNCHANGED: Duration = Duration::from_millis(480);
/// When the last look counts, whatever it shows.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Files that are asked about at once.
const MOST_FILES: usize = 100;

/// One finding about a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as people see it.
    pub path: String,
    /// Its line, from 1.
    pub line: u64,
    /// Its column, from 1.
    pub column: u64,
    /// `error`, `warning`, `info` or `hint`.
    pub severity: Severity,
    /// What is wrong, with who says so.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does not work.
    Error,
    /// It may not work.
    Warning,
    /// Worth knowing.
    Information,
    /// A suggestion.
    Hint,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "info",
            Self::Hint => "hint",
        }
    }
}

/// The findings in diagnostics, sorted; what is no diagnostic is passed over.
pub fn findings(workspace: &Workspace, items: &[FileDiagnostics]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = items
        .iter()
        .flat_map(|item| {
            let located = workspace.locate(&DocumentUri::parse(&item.uri));
            let path = located.map_or_else(|_| item.uri.clone(), |location| location.display);
            item.diagnostics.iter().filter_map(move |diagnostic| finding(&path, diagnostic))
        })
        .collect();
    findings.sort();
    findings
}

fn finding(path: &str, diagnostic: &Value) -> Option<Finding> {
    let message = diagnostic.get("message")?.as_str()?;
    let place = |name: &str| diagnostic.pointer(&format!("/range/start/{name}")).and_then(Value::as_u64);
    let severity = match diagnostic.get("severity").and_then(Value::as_u64) {
        Some(2) => Severity::Warning,
        Some(3) => Severity::Information,
        Some(4) => Severity::Hint,
        Some(_) | None => Severity::Error,
    };
    let text = |name: &str| match diagnostic.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    let by: Vec<String> = [text("source"), text("code")].into_iter().flatten().collect();
    let mut message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    if !by.is_empty() {
        message.push_str(&format!(" [{}]", by.join(" ")));
    }
    Some(Finding {
        path: path.to_owned(),
        line: place("line").unwrap_or(0) + 1,
        column: place("character").unwrap_or(0) + 1,
        severity,
        message,
    })
}

/// The findings that were not there before, wherever in their file they stood.
pub fn new_ones(before: &[Finding], after: Vec<Finding>) -> Vec<Finding> {
    let key = |finding: &Finding| (finding.path.clone(), finding.severity, finding.message.clone());
    let mut known: HashMap<(String, Severity, String), usize> = HashMap::new();
    for finding in before {
        *known.entry(key(finding)).or_default() += 1;
    }
    let mut is_new = |finding: &Finding| match known.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        Some(_) | None => true,
    };
    after.into_iter().filter(|finding| is_new(finding)).collect()
}

/// One line for each finding, the worst first, and how many are left out.
pub fn listed(mut findings: Vec<Finding>) -> String {
    findings.sort_by(|one, other| one.severity.cmp(&other.severity).then_with(|| one.cmp(other)));
    let mut text = String::new();
    for Finding { path, line, column, severity, message } in findings.iter().take(MOST) {
        text.push_str(&format!("{path}:{line}:{column} {}: {message}\n", severity.name()));
    }
    if findings.len() > MOST {
        text.push_str(&format!("[{} more are left out]\n", findings.len() - MOST));
    }
    text
}

/// The open files, with some more.
pub fn watched_files(workspace: &Workspace, more: &[DocumentUri]) -> Vec<DocumentUri> {
    let mut files = more.to_vec();
    let open = workspace.documents().list();
    files.extend(open.into_iter().map(|document| document.uri).filter(DocumentUri::is_file));
    files.truncate(MOST_FILES);
    files.sort();
    files.dedup();
    files
}

/// What the editor says once it stands still after a change. `before` is what it said before that.
pub async fn settled(
    workspace: &Workspace,
    files: &[DocumentUri],
    before: &[Finding],
    cancel: &CancellationToken,
) -> Vec<Finding> {
    let begun = Instant::now();
    let mut last = before.to_vec();
    loop {
        let look = async {
            tokio::time::sleep(PAUSE).await;
            findings(workspace, &workspace.editor().diagnostics(files.to_vec()).await)
        };
        let now = tokio::select! {
            () = cancel.cancelled() => return last,
            now = look => now,
        };
        let stands = now == last;
        let changed = now != before;
        last = now;
        if begun.elapsed() >= PATIENCE || stands && (changed || begun.elapsed() >= UNCHANGED) {
            return last;
        }
    }
}

/// The `diagnostics` tool. It is on offer only where the editor can answer.
pub struct Diagnostics;

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiagnosticsInput {
    /// The file. Without it, all files that are open in the editor.
    path: Option<String>,
}

impl Tool for Diagnostics {
    type Input = DiagnosticsInput;

    const NAME: &'static str = "diagnostics";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Lists errors and warnings that the editor's language servers and linters report for a file, or for all open \
             files. New ones are also told after each edit.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Read
    }

    fn title(&self, input: &DiagnosticsInput, context: &ToolContext) -> String {
        match &input.path {
            Some(path) => {
                let shown = context.resolve(path).map_or_else(|_| path.clone(), |location| location.display);
                format!("Diagnostics of {shown}")
            }
            None => "Diagnostics of open files".to_owned(),
        }
    }

    fn access(&self, input: &DiagnosticsInput, context: &ToolContext) -> Result<Access, ToolError> {
        match &input.path {
            Some(path) => Ok(Access::Read { locations: vec![context.resolve(path)?] }),
            None => Ok(Access::Free),
        }
    }

    async fn run(&self, input: DiagnosticsInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let workspace: &Workspace = &context.workspace;
        let files = match &input.path {
            Some(path) => vec![context.resolve(path)?.uri],
            None => watched_files(workspace, &[]),
        };
        let answer = tokio::select! {
            () = context.cancel.cancelled() => return Err(ToolError::Cancelled),
            answer = workspace.editor().diagnostics(files) => answer,
        };
        let found = findings(workspace, &answer);
        Ok(ToolOutput::text(if found.is_empty() {
            "No diagnostics.".to_owned()
        } else {
            listed(found).trim_end().to_owned()
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(line: u64, severity: u64, message: &str) -> Finding {
        let diagnostic = json!({
            "range": { "start": { "line": line, "character": 4 }, "end": { "line": line, "character": 5 } },
            "severity": severity, "message": message, "source": "rustc", "code": 308,
        });
        finding("a.rs", &diagnostic).unwrap()
    }

    #[test]
    fn findings_are_one_line_each_with_the_worst_first() {
        let text = listed(vec![one(0, 2, "unused\n  variable"), one(7, 1, "mismatched types")]);
        assert_eq!(
            text,
            "a.rs:8:5 error: mismatched types [rustc 308]\na.rs:1:5 warning: unused variable [rustc 308]\n"
        );
        let many = listed((0..60).map(|line| one(line, 4, "x")).collect());
        assert!(many.ends_with("[10 more are left out]\n"), "{many}");
        assert_eq!(finding("a.rs", &json!({ "severity": 1 })), None);
    }

    #[test]
    fn a_finding_that_only_moved_is_not_new_and_a_second_one_is() {
        let before = [one(1, 1, "a"), one(2, 2, "b")];
        let after = vec![one(9, 1, "a"), one(10, 1, "a"), one(2, 1, "b")];
        assert_eq!(new_ones(&before, after), [one(10, 1, "a"), one(2, 1, "b")]);
    }
}
