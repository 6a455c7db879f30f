//! Running other programs from the root of the repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    kit_testkit::cache::repository()
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A program with arguments, started from the root.
pub(crate) fn program(name: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Runs to the end; fails when the program does.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{} ended with {status}", describe(command));
    }
    Ok(())
}

/// Runs to the end and returns standard output; fails when the program does.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", describe(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).context("output that is not UTF-8")
}

/// The command as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let mut words =
        vec![Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

/// The name of npm on this system.
pub(crate) fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

/// Installs what the VS Code client is built with, checks its types and bundles it.
pub(crate) fn build_vscode_client() -> Result<()> {
    let folder = root().join("editors/vscode");
    for arguments in
        [&["ci", "--no-audit", "--no-fund", "--loglevel=error"][..], &["run", "check"], &["run", "build"]]
    {
        succeed(program(npm(), arguments).current_dir(&folder))?;
    }
    Ok(())
}

/// Builds `kit-ls` in a profile and returns its path.
pub(crate) fn build_server(profile: &str) -> Result<PathBuf> {
    succeed(cargo().args(["build", "--quiet", "--package", "kit-ls", "--profile", profile]))?;
    server_path(if profile == "dev" { "debug" } else { profile })
}

/// Where cargo puts `kit-ls`; the folder of the development profile is called `debug`.
pub(crate) fn server_path(folder: &str) -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    Ok(Path::new(target).join(folder).join(format!("kit-ls{}", std::env::consts::EXE_SUFFIX)))
}
