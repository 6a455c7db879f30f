//! Which processes run in a folder: how a test sees that nothing was left behind.

use std::fs;
use std::path::Path;

/// The command lines of all processes whose working directory is in or below a folder. Linux alone can tell.
pub fn processes_below(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let runs_there =
        |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    let command = |process: &Path| fs::read(process.join("cmdline")).unwrap_or_default();
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|process| runs_there(process))
        .map(|process| String::from_utf8_lossy(&command(&process)).replace('\0', " ").trim().to_owned())
        .filter(|command| !command.is_empty())
        .collect()
}
