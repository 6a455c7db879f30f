//! `find`: files by name or path.

use std::borrow::Cow;

use kit_protocol::ToolKind;
use kit_workspace::search::{self, FindQuery};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caps::{self, grouped};
use crate::grep::{bounded, search_failed};
use crate::read::shown_path;
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Paths that are returned when the model names no limit, and at most.
const LIMIT: u64 = 1000;
const MAX_LIMIT: u64 = 2000;

/// Finds files.
pub(crate) struct FindFiles;

/// Arguments of `find`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindInput {
    /// A glob: without a slash it is matched against file names (`*.rs`), with one against paths (`src/**/*.ts`).
    #[serde(alias = "glob", alias = "query")]
    pattern: String,
    /// The folder to look in. Default: the workspace folder.
    #[serde(default)]
    path: Option<String>,
    /// How many paths to return. Default: 1000.
    #[serde(default)]
    limit: Option<u64>,
}

impl Tool for FindFiles {
    type Input = FindInput;
    const NAME: &'static str = "find";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Find files by name or path with a glob. Paths come back relative to the workspace folder, sorted, one a line. \
             Files that git ignores are left out; hidden ones are included.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Search
    }

    fn title(&self, input: &FindInput, context: &ToolContext) -> String {
        let place =
            input.path.as_ref().map(|path| format!(" in {}", shown_path(path, context))).unwrap_or_default();
        format!("Find {}{place}", caps::line(&input.pattern, 100))
    }

    fn access(&self, input: &FindInput, context: &ToolContext) -> Result<Access, ToolError> {
        let path = input.path.as_deref().unwrap_or(".");
        Ok(Access::Search { locations: vec![context.resolve(path)?] })
    }

    async fn run(&self, input: FindInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        if input.pattern.is_empty() {
            return Err(ToolError::Arguments("pattern: it is empty".to_owned()));
        }
        let location = context.resolve(input.path.as_deref().unwrap_or("."))?;
        let access = Access::Search { locations: vec![location.clone()] };
        let query = FindQuery { pattern: input.pattern, limit: bounded(input.limit, LIMIT, MAX_LIMIT) };
        let result = search::find(&context.workspace, &location, query, &context.cancel)
            .await
            .map_err(search_failed)?;
        let roots = context.workspace.roots();
        let call = context.policy_call(Self::NAME, ToolKind::Search, &access, &roots, None);
        let hidden = context.policy.hidden(&call);
        let found = result.paths.len();
        let paths: Vec<String> = result
            .paths
            .into_iter()
            .filter(|path| context.resolve(path).is_ok_and(|location| !hidden.holds(&location)))
            .collect();
        let hidden = found - paths.len();
        let total = result.total;
        let mut parts = Vec::new();
        if paths.is_empty() {
            parts.push("No files found.".to_owned());
        } else {
            parts.push(caps::head(&paths.join("\n"), caps::MAX_LINES, caps::MAX_BYTES).into_owned());
        }
        if total > found {
            parts.push(format!(
                "[truncated: showing {} of {} files; narrow the pattern or raise limit]",
                grouped(found as u64),
                grouped(total as u64)
            ));
        }
        if result.unreadable > 0 {
            parts.push(format!("[{} folders could not be read]", result.unreadable));
        }
        if hidden > 0 {
            parts.push(format!("[{hidden} files are hidden by permission rules]"));
        }
        Ok(ToolOutput::text(parts.join("\n")))
    }
}
