//! What the editor or git must be asked for: `@diagnostics` and `@diff`.
//!
//! A prompt waits for them, but never long. Where git must not be run, and where there is no repository, the agent's
//! changes that wait for review are the diff.

use std::path::Path;

use kit_protocol::ReviewListArguments;
use kit_tools::diagnostics;

use super::pieces;
use crate::dependencies::Shared;
use crate::git::Git;

/// Bytes of a diff.
const LARGEST: usize = 48 * 1024;
/// New files that are named.
const MOST_NEW: usize = 50;

/// What other servers say about the open files.
pub(super) async fn diagnostics(shared: &Shared) -> String {
    let workspace = &shared.with.workspace;
    if !workspace.editor().has_diagnostics() {
        return "<diagnostics error=\"the editor cannot tell them\"/>\n".to_owned();
    }
    let files = diagnostics::watched_files(workspace, &[]);
    let found = diagnostics::findings(workspace, &workspace.editor().diagnostics(files).await);
    if found.is_empty() {
        return "<diagnostics>\nNo errors or warnings in the open files.\n</diagnostics>\n".to_owned();
    }
    format!("<diagnostics>\n{}</diagnostics>\n", diagnostics::listed(found))
}

/// What is changed and not committed.
pub(super) async fn diff(shared: &Shared, cwd: &Path) -> String {
    let body = match of_git(shared, cwd).await {
        Some(text) => text,
        None => of_review(shared).await,
    };
    let keep = body.floor_char_boundary(LARGEST);
    let mut text = body.get(..keep).unwrap_or_default().trim_end().to_owned();
    if keep < body.len() {
        text.push_str(&format!("\n[{} more bytes are cut; run `git diff` for them]", body.len() - keep));
    }
    let open = pieces::open_documents(&shared.with.workspace).await;
    let unsaved: Vec<String> =
        open.into_iter().filter(|(_, unsaved)| *unsaved).map(|(name, _)| name).collect();
    if !unsaved.is_empty() {
        text.push_str(&format!(
            "\n[unsaved in the editor, so not all of it is here: {}]",
            unsaved.join(", ")
        ));
    }
    format!("<diff>\n{text}\n</diff>\n")
}

/// `None` where git cannot tell or must not be run.
async fn of_git(shared: &Shared, cwd: &Path) -> Option<String> {
    let git = Git::of(&shared.with.projects, cwd).await?;
    let differ = ["diff", "--no-color", "--no-ext-diff", "--no-textconv"];
    // Without any commit there is no HEAD; what is staged is all there is.
    let changed = match git.printed(&[&differ[..], &["HEAD", "--"]].concat()).await {
        Some(printed) => printed,
        None => git.printed(&[&differ[..], &["--cached", "--"]].concat()).await?,
    };
    let new = git.printed(&["ls-files", "--others", "--exclude-standard"]).await;
    let new: Vec<String> = new.iter().flat_map(|printed| printed.stdout.lines()).map(str::to_owned).collect();
    let mut text = changed.stdout;
    if !new.is_empty() {
        let more = new.len().saturating_sub(MOST_NEW);
        let shown = new.into_iter().take(MOST_NEW).collect::<Vec<_>>().join(", ");
        let note = if more > 0 { format!(" and {more} more") } else { String::new() };
        text.push_str(&format!("\n[new files that git does not know: {shown}{note}]\n"));
    }
    if text.trim().is_empty() {
        text.push_str("Nothing is changed since the last commit.\n");
    }
    Some(text)
}

/// The agent's changes that wait for review.
async fn of_review(shared: &Shared) -> String {
    let review = match shared.with.desk.list(ReviewListArguments::default()).await {
        Ok(review) => review,
        Err(error) => return error.message,
    };
    let mut text = String::new();
    for file in &review.files {
        let located = shared.with.workspace.locate(&kit_workspace::DocumentUri::parse(&file.uri));
        let name = located.map_or_else(|_| file.uri.clone(), |location| location.display);
        text.push_str(&format!("--- {name}\n+++ {name}\n"));
        for hunk in &file.hunks {
            let (base, live) = (hunk.base_lines, hunk.lines);
            let span = |start: u32, end: u32| format!("{},{}", start + 1, end - start.min(end));
            text.push_str(&format!(
                "@@ -{} +{} @@\n",
                span(base.start, base.end),
                span(live.start, live.end)
            ));
            let mut lines = |sign: char, side: &str| {
                side.lines().for_each(|line| text.push_str(&format!("{sign}{line}\n")));
            };
            lines('-', &hunk.old_text);
            lines('+', &hunk.new_text);
        }
    }
    if text.is_empty() {
        return "No change of the agent waits for review.\n".to_owned();
    }
    format!("The agent's changes that wait for review:\n{text}")
}
