//! Completions of shells and manual pages, made from the definition of the command line.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::CommandLine;

/// The program's name in both.
const NAME: &str = "kit-ls";

/// Prints what makes a shell complete the command line.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<i32> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), NAME, &mut text);
    print(&text)
}

/// Prints the manual page, or writes the pages of all subcommands into a folder.
pub(crate) fn manual(folder: Option<&Path>) -> anyhow::Result<i32> {
    let Some(folder) = folder else {
        let mut text = Vec::new();
        clap_mangen::Man::new(CommandLine::command()).render(&mut text)?;
        return print(&text);
    };
    let cannot = || format!("the manual pages cannot be written into {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    clap_mangen::generate_to(CommandLine::command(), folder).with_context(cannot)?;
    Ok(0)
}

fn print(text: &[u8]) -> anyhow::Result<i32> {
    std::io::stdout().write_all(text).context("stdout is closed")?;
    Ok(0)
}
