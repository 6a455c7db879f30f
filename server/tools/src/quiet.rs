//! Short programs that are run for the agent's context and not by its model, such as `git diff`.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exec::{self, Ending, Invocation};

/// What a short program printed, cut in the middle where it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a program to its end. A program that takes longer than it may is an error like one that cannot be started.
pub async fn printed_by(
    program: &str,
    arguments: &[&str],
    cwd: &Path,
    timeout: Duration,
) -> io::Result<Printed> {
    let invocation = Invocation {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        cwd: cwd.to_owned(),
        private_variables: Vec::new(),
        timeout,
    };
    let finished = exec::run(invocation, &(Arc::new(|_, _| {}) as _), &CancellationToken::new()).await?;
    match finished.ending {
        Ending::Exited { code } => Ok(Printed { code, stdout: finished.stdout, stderr: finished.stderr }),
        Ending::TimedOut | Ending::Cancelled => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("{program} took longer than {timeout:?}")))
        }
    }
}
