//! `write`: the whole content of a file, applied as the smallest edits where the file is open.

use std::borrow::Cow;

use kit_protocol::{DiffBlock, ToolKind};
use kit_text::{Text, diff, line_end};
use kit_workspace::Author;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caps;
use crate::diff_report::{failed, file_diff, unsaved_note, wire_blocks};
use crate::read::{shown_path, unreadable};
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Writes a whole file.
pub(crate) struct WriteFile;

/// Arguments of `write`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteInput {
    /// The file: relative to the workspace folder, or absolute. Missing folders are created.
    #[serde(alias = "file_path", alias = "filePath", alias = "file")]
    path: String,
    /// The whole new content.
    #[serde(alias = "contents", alias = "text")]
    content: String,
}

impl Tool for WriteFile {
    type Input = WriteInput;
    const NAME: &'static str = "write";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Create a file or replace its whole content. Missing folders are created. To change parts of an existing \
             file use edit: it is shorter and keeps what you did not read. A file that is open in the editor is changed \
             there, unsaved changes of the user included in what is replaced, so read it first. Line ends of an \
             existing file are kept.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Edit
    }

    fn title(&self, input: &WriteInput, context: &ToolContext) -> String {
        format!("Write {}", shown_path(&input.path, context))
    }

    fn access(&self, input: &WriteInput, context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Edit { locations: vec![context.resolve(&input.path)?] })
    }

    async fn preview(&self, input: WriteInput, context: ToolContext) -> Result<Vec<DiffBlock>, ToolError> {
        let location = context.resolve(&input.path)?;
        let snapshot =
            context.workspace.snapshot(&location).await.map_err(|error| unreadable(&location, error))?;
        let after = line_end::adopt(&snapshot.text, &input.content);
        Ok(wire_blocks(diff::blocks(&snapshot.text, &after)))
    }

    async fn run(&self, input: WriteInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let location = context.resolve(&input.path)?;
        context.workspace.snapshot(&location).await.map_err(|error| unreadable(&location, error))?;
        let title = self.title(&input, &context);
        let author = Author::Agent(context.attribution(title.clone()));
        let plan = |current: &Text| Ok(line_end::adopt(current, &input.content));
        let applied = context
            .workspace
            .edit(&location, author, &title, &plan, &context.cancel)
            .await
            .map_err(|error| failed(&location, error, &[]))?;
        let report = file_diff(&location, &applied, diff::blocks(&applied.before, &applied.after));
        let content = if !applied.created && applied.before == applied.after {
            format!("{} has this content already; nothing was changed.", location.display)
        } else {
            let bytes = caps::grouped(applied.after.len_bytes() as u64);
            let what = if applied.created {
                "new file".to_owned()
            } else {
                format!("+{} -{} lines", report.additions, report.deletions)
            };
            format!("Wrote {bytes} bytes to {} ({what}).{}", location.display, unsaved_note(&applied))
        };
        Ok(ToolOutput::text(content).with_diff(report))
    }
}
