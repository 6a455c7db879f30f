//! `edit`: texts replaced in a file, all matched against what is there now.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use kit_protocol::{DiffBlock, ToolKind};
use kit_text::Text;
use kit_text::diff::Block;
use kit_text::find::{Located, MatchError, Replacement, locate};
use kit_workspace::Author;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::diff_report::{failed, file_diff, numbered, shown_diff, unsaved_note, wire_blocks};
use crate::read::{missing, shown_path, unreadable};
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Replaces texts in a file.
pub(crate) struct EditFile;

/// Arguments of `edit`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditInput {
    /// The file: relative to the workspace folder, or absolute.
    #[serde(alias = "file_path", alias = "filePath", alias = "file")]
    path: String,
    /// The replacements. All are matched against the file as it is before the call, and must not overlap.
    #[schemars(length(min = 1))]
    edits: Vec<EditRequest>,
}

/// One replacement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditRequest {
    /// The text to replace, exactly as in the file, without line numbers. It must occur once: add lines around it to
    /// make it unique.
    #[serde(alias = "oldText", alias = "old_string", alias = "old")]
    old_text: String,
    /// The text to put there; empty to delete.
    #[serde(alias = "newText", alias = "new_string", alias = "new")]
    new_text: String,
}

impl EditInput {
    fn replacements(&self) -> Result<Vec<Replacement>, ToolError> {
        if self.edits.is_empty() {
            return Err(ToolError::Arguments("edits array is required and must not be empty".to_owned()));
        }
        let replacement =
            |edit: &EditRequest| Replacement { old: edit.old_text.clone(), new: edit.new_text.clone() };
        Ok(self.edits.iter().map(replacement).collect())
    }
}

impl Tool for EditFile {
    type Input = EditInput;
    const NAME: &'static str = "edit";

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Replace texts in a file. Each old_text must occur exactly once in the file as it stands now; if any does not, \
             nothing is changed and the error says which and shows what is there. Several changes to one file go into \
             one call. A file that is open in the editor is changed there, at its unsaved text. Line ends are kept.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Edit
    }

    fn title(&self, input: &EditInput, context: &ToolContext) -> String {
        format!("Edit {}", shown_path(&input.path, context))
    }

    fn access(&self, input: &EditInput, context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Edit { locations: vec![context.resolve(&input.path)?] })
    }

    async fn preview(&self, input: EditInput, context: ToolContext) -> Result<Vec<DiffBlock>, ToolError> {
        let replacements = input.replacements()?;
        let location = context.resolve(&input.path)?;
        let snapshot =
            context.workspace.snapshot(&location).await.map_err(|error| unreadable(&location, error))?;
        if !snapshot.exists() {
            return Err(missing(&location, &context).await);
        }
        let located =
            locate(&snapshot.text, &replacements).map_err(|error| explained(&error, &snapshot.text))?;
        Ok(wire_blocks(located.blocks))
    }

    async fn run(&self, input: EditInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let replacements = input.replacements()?;
        let location = context.resolve(&input.path)?;
        let snapshot =
            context.workspace.snapshot(&location).await.map_err(|error| unreadable(&location, error))?;
        if !snapshot.exists() {
            return Err(missing(&location, &context).await);
        }
        let title = self.title(&input, &context);
        let author = Author::Agent(context.attribution(title.clone()));
        let located: Mutex<Vec<Block>> = Mutex::default();
        let plan = |current: &Text| {
            let Located { blocks, new_text, .. } =
                locate(current, &replacements).map_err(|error| explained(&error, current).to_string())?;
            *located.lock().unwrap_or_else(PoisonError::into_inner) = blocks;
            Ok(new_text)
        };
        let wanted: Vec<&str> = replacements.iter().map(|replacement| replacement.old.as_str()).collect();
        let applied = context
            .workspace
            .edit(&location, author, &title, &plan, &context.cancel)
            .await
            .map_err(|error| failed(&location, error, &wanted))?;
        let blocks = located.into_inner().unwrap_or_else(PoisonError::into_inner);
        let fuzzy = blocks.iter().filter(|block| block.fuzzy).count();
        let summary = match (blocks.len(), fuzzy) {
            (1, 0) => format!("Applied edit to {}", location.display),
            (1, _) => format!("Applied edit to {} (fuzzy match)", location.display),
            (count, 0) => format!("Applied {count} edits to {}", location.display),
            (count, fuzzy) => format!("Applied {count} edits to {} ({fuzzy} fuzzy)", location.display),
        };
        let content = format!("{summary}\n{}{}", shown_diff(&applied).trim_end(), unsaved_note(&applied));
        Ok(ToolOutput::text(content).with_diff(file_diff(&location, &applied, blocks)))
    }
}

/// A failed match with what the file holds instead.
fn explained(error: &MatchError, current: &Text) -> ToolError {
    let shown = match error {
        MatchError::NotFound { nearest: Some(nearest), .. } => {
            let lines = nearest.lines.start.as_usize()
                ..nearest.lines.end.as_usize().min(nearest.lines.start.as_usize() + 60);
            Some(format!(". The most similar text now in the file:\n{}", numbered(current, lines)))
        }
        MatchError::NotFound { nearest: None, .. } => Some(". Read the file again.".to_owned()),
        MatchError::Empty { .. }
        | MatchError::Ambiguous { .. }
        | MatchError::Overlap { .. }
        | MatchError::Identical { .. } => None,
    };
    let text = format!("{error}{}", shown.as_deref().unwrap_or("."));
    ToolError::Failed(format!("{}\nNothing was changed.", text.trim_end()))
}
