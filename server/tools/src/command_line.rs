//! A command that no model asked for: run by an extension that the user allowed it to.
//!
//! It runs as commands of the agent do, with the same environment and the same end of all that it starts, but outside of
//! the sandbox, as everything that the user allowed by name.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exec::{self, Ending, Invocation, Shell};
use crate::tool::OutputSink;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The line, for this machine's shell.
    pub command: String,
    /// Where it runs.
    pub cwd: PathBuf,
    /// When it is stopped.
    pub timeout: Duration,
    /// Variables that it must not see, beside the known ones.
    pub private_variables: Vec<String>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// Standard output, cut in the middle where it is long.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// The exit code; none where it did not end by itself.
    pub code: Option<i32>,
    /// Whether its time was up.
    pub timed_out: bool,
}

/// Runs a command to its end; a cancel stops it with all that it started.
pub async fn run_command(
    line: CommandLine,
    output: OutputSink,
    cancel: CancellationToken,
) -> io::Result<CommandEnd> {
    let shell = Shell::find();
    let invocation = Invocation {
        arguments: shell.arguments(&line.command),
        program: shell.program,
        cwd: line.cwd,
        private_variables: line.private_variables,
        timeout: line.timeout,
    };
    let finished = exec::run(invocation, &output, &cancel).await?;
    let code = match finished.ending {
        Ending::Exited { code } => Some(code),
        Ending::TimedOut | Ending::Cancelled => None,
    };
    let timed_out = finished.ending == Ending::TimedOut;
    Ok(CommandEnd { stdout: finished.stdout, stderr: finished.stderr, code, timed_out })
}
