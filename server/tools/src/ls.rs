//! `ls`: the entries of a folder.

use std::borrow::Cow;

use kit_protocol::ToolKind;
use kit_workspace::WorkspaceError;
use kit_workspace::search::{self, SearchError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caps::{self, grouped};
use crate::grep::{bounded, search_failed};
use crate::read::{missing, shown_path};
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Entries that are returned when the model names no limit, and at most.
const LIMIT: u64 = 500;
const MAX_LIMIT: u64 = 2000;

/// Lists a folder.
pub(crate) struct ListFolder;

/// Arguments of `ls`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// The folder. Default: the workspace folder.
    #[serde(default, alias = "directory", alias = "dir")]
    path: Option<String>,
    /// How many entries to return. Default: 500.
    #[serde(default)]
    limit: Option<u64>,
}

impl Tool for ListFolder {
    type Input = ListInput;
    const NAME: &'static str = "ls";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "List a folder: one entry a line, sorted, hidden ones included, folders with a slash at the end. To find files \
             further down use find.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Read
    }

    fn title(&self, input: &ListInput, context: &ToolContext) -> String {
        format!("List {}", shown_path(input.path.as_deref().unwrap_or("."), context))
    }

    fn access(&self, input: &ListInput, context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Read { locations: vec![context.resolve(input.path.as_deref().unwrap_or("."))?] })
    }

    async fn run(&self, input: ListInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let location = context.resolve(input.path.as_deref().unwrap_or("."))?;
        let limit = bounded(input.limit, LIMIT, MAX_LIMIT);
        let result = match search::list(&location, limit, &context.cancel).await {
            Ok(result) => result,
            Err(SearchError::Workspace(WorkspaceError::NotFound { .. })) => {
                return Err(missing(&location, &context).await);
            }
            Err(SearchError::Workspace(WorkspaceError::NotADirectory { .. })) => {
                let text = format!(
                    "'{}' is a file, not a directory. Use the read tool to read it.",
                    location.display
                );
                return Err(ToolError::Failed(text));
            }
            Err(error) => return Err(search_failed(error)),
        };
        if result.total == 0 {
            return Ok(ToolOutput::text("(empty directory)"));
        }
        let mut text = caps::head(&result.entries.join("\n"), caps::MAX_LINES, caps::MAX_BYTES).into_owned();
        if result.total > result.entries.len() {
            text.push_str(&format!(
                "\n[truncated: showing {} of {} entries]",
                grouped(result.entries.len() as u64),
                grouped(result.total as u64)
            ));
        }
        Ok(ToolOutput::text(text))
    }
}
