//! `grep`: lines that match, in files on disk and in open documents.

use std::borrow::Cow;
use std::fmt::Write;

use kit_protocol::ToolKind;
use kit_workspace::search::{self, GrepQuery, GrepResult, SearchError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caps::{self, grouped};
use crate::read::shown_path;
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Matching lines that are returned when the model names no limit, and at most.
const LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 2000;
const MAX_CONTEXT: u64 = 20;

/// Searches in files.
pub(crate) struct Grep;

/// Arguments of `grep`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrepInput {
    /// A regular expression (Rust syntax), or a literal text with `literal`. It may begin with `-`.
    #[serde(alias = "query", alias = "regex")]
    pattern: String,
    /// The file or folder to search. Default: the workspace folder.
    #[serde(default)]
    path: Option<String>,
    /// Only files that match this glob, for example `*.rs` or `src/**/*.ts`.
    #[serde(default, alias = "include")]
    glob: Option<String>,
    /// Whether case is ignored.
    #[serde(default)]
    ignore_case: bool,
    /// Whether the pattern is a literal text.
    #[serde(default)]
    literal: bool,
    /// Lines to show before and after each match.
    #[serde(default)]
    context: Option<u64>,
    /// How many matching lines to return. Default: 100.
    #[serde(default)]
    limit: Option<u64>,
}

impl Tool for Grep {
    type Input = GrepInput;
    const NAME: &'static str = "grep";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Search file contents by regular expression. Matches come back as `path:line:text`, lines of context as \
             `path-line-text`. Files that are ignored by git, hidden or binary are skipped. Files that are open in the \
             editor are searched with their unsaved changes.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Search
    }

    fn title(&self, input: &GrepInput, context: &ToolContext) -> String {
        let place =
            input.path.as_ref().map(|path| format!(" in {}", shown_path(path, context))).unwrap_or_default();
        format!("Search for {}{place}", caps::line(&input.pattern, 100))
    }

    fn access(&self, input: &GrepInput, context: &ToolContext) -> Result<Access, ToolError> {
        let path = input.path.as_deref().unwrap_or(".");
        Ok(Access::Search { locations: vec![context.resolve(path)?] })
    }

    async fn run(&self, input: GrepInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        if input.pattern.is_empty() {
            return Err(ToolError::Arguments("pattern: it is empty".to_owned()));
        }
        let location = context.resolve(input.path.as_deref().unwrap_or("."))?;
        let access = Access::Search { locations: vec![location.clone()] };
        let query = GrepQuery {
            pattern: input.pattern,
            literal: input.literal,
            ignore_case: input.ignore_case,
            glob: input.glob.filter(|glob| !glob.is_empty()),
            context: bounded(input.context, 0, MAX_CONTEXT),
            limit: bounded(input.limit, LIMIT, MAX_LIMIT),
        };
        let mut result = search::grep(&context.workspace, &location, query, &context.cancel)
            .await
            .map_err(search_failed)?;
        let roots = context.workspace.roots();
        let call = context.policy_call(Self::NAME, ToolKind::Search, &access, &roots, None);
        let hidden = context.policy.hidden(&call);
        let before = result.files.len();
        result.files.retain(|file| {
            context.resolve(&file.path.to_string_lossy()).is_ok_and(|location| !hidden.holds(&location))
        });
        let hidden = before - result.files.len();
        Ok(ToolOutput::text(shown(&result, hidden)))
    }
}

/// A number of the model within its bounds.
pub(crate) fn bounded(value: Option<u64>, default: u64, max: u64) -> usize {
    usize::try_from(value.unwrap_or(default).min(max)).unwrap_or(usize::MAX)
}

/// A search that has no result, for the model.
pub(crate) fn search_failed(error: SearchError) -> ToolError {
    match error {
        SearchError::Cancelled => ToolError::Cancelled,
        error @ (SearchError::Pattern { .. } | SearchError::Glob { .. }) => {
            ToolError::Failed(error.to_string())
        }
        SearchError::Workspace(error) => error.into(),
    }
}

fn shown(result: &GrepResult, hidden: usize) -> String {
    let mut text = String::new();
    for file in &result.files {
        let mut last: Option<u64> = None;
        for line in &file.lines {
            let has_context = file.lines.iter().any(|line| !line.matches);
            if has_context && last.is_some_and(|last| last + 1 != line.number) {
                text.push_str("--\n");
            }
            last = Some(line.number);
            let mark = if line.matches { ':' } else { '-' };
            let cut = if line.cut > 0 {
                format!("… [{} more characters]", grouped(line.cut as u64))
            } else {
                String::new()
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}{mark}{}{mark}{}{cut}", file.display, line.number, line.text);
        }
    }
    let text = caps::head(&text, caps::MAX_LINES, caps::MAX_BYTES);
    let mut parts = vec![text.trim_end().to_owned()];
    if result.files.is_empty() {
        parts = vec!["No matches found.".to_owned()];
    } else if result.shown_matches < result.total_matches {
        parts.push(format!(
            "[{} of {} matching lines shown, in {} of {} files; narrow the search or raise limit]",
            grouped(result.shown_matches as u64),
            grouped(result.total_matches as u64),
            grouped(result.files.len() as u64),
            grouped(result.total_files as u64)
        ));
    }
    let skipped = [
        (result.binary, "binary files were not searched"),
        (result.unreadable, "files or folders could not be read"),
        (hidden, "files with matches are hidden by permission rules"),
    ];
    parts.extend(
        skipped.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("[{count} {what}]")),
    );
    parts.join("\n")
}
