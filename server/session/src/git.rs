//! What git knows of a folder.
//!
//! It is run only where the folder is trusted, because a repository's own configuration can make it run programs, and
//! never for long.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kit_tools::{Printed, printed_by};

use crate::project::Projects;

/// How long git may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Paths that are asked about at once, so that the answer is not cut.
const PATHS_AT_ONCE: usize = 100;

/// Git in one folder.
pub(crate) struct Git<'a> {
    folder: &'a Path,
}

impl<'a> Git<'a> {
    /// `None` where git must not be run.
    pub(crate) async fn of(projects: &Arc<Projects>, folder: &'a Path) -> Option<Self> {
        let (projects, asked) = (Arc::clone(projects), folder.to_owned());
        let is_trusted = tokio::task::spawn_blocking(move || projects.is_trusted(&asked)).await;
        is_trusted.unwrap_or(false).then_some(Self { folder })
    }

    /// What a git command printed; `None` where it failed.
    pub(crate) async fn printed(&self, arguments: &[&str]) -> Option<Printed> {
        const PLAIN: [&str; 6] = [
            "--no-optional-locks",
            "--literal-pathspecs",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.quotePath=false",
        ];
        let arguments = [&PLAIN, arguments].concat();
        match printed_by("git", &arguments, self.folder, PATIENCE).await {
            Ok(printed) if printed.code == 0 => Some(printed),
            Ok(printed) => {
                tracing::debug!(?arguments, code = printed.code, stderr = printed.stderr, "git failed");
                None
            }
            Err(error) => {
                tracing::debug!(%error, "git cannot be run");
                None
            }
        }
    }

    /// Which of these files, named by their real paths, are not as in the last commit; `None` without a commit.
    pub(crate) async fn uncommitted(&self, files: &[PathBuf]) -> Option<HashSet<PathBuf>> {
        let top = self.printed(&["rev-parse", "--verify", "--quiet", "--show-toplevel", "HEAD"]).await?;
        let top = PathBuf::from(top.stdout.lines().next()?);
        let mut uncommitted = HashSet::new();
        for files in files.chunks(PATHS_AT_ONCE) {
            let names: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
            let status = [
                "status",
                "--porcelain=v1",
                "-z",
                "--no-renames",
                "--untracked-files=all",
                "--ignored",
                "--",
            ];
            let printed = self.printed(&[&status[..], &names[..]].concat()).await?;
            // Two letters and a blank stand before each path.
            let paths = printed.stdout.split('\0').filter_map(|entry| entry.get(3..));
            uncommitted.extend(paths.map(|path| top.join(path)));
        }
        Some(uncommitted)
    }
}

/// The file that git writes to at every commit of a folder's working tree. Looks at the disk.
pub fn commit_log(folder: &Path) -> Option<PathBuf> {
    let git = folder.ancestors().map(|above| above.join(".git")).find(|git| git.exists())?;
    let git = match std::fs::read_to_string(&git) {
        // Of a linked working tree it is a file that names the folder.
        Ok(text) => git.parent()?.join(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => git,
    };
    Some(git.join("logs/HEAD"))
}
