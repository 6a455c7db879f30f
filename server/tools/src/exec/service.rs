//! A program that is spoken to over its pipes for as long as it runs, and that ends with everything it started.
//!
//! Its owner reads and writes the pipes and ends it; a value that is dropped kills the group at once.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use futures::future::Fuse;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::{MARK, Reach, Tree, environment, next_mark};

/// How long a program may take to end by itself once its input has ended.
const FAREWELL: Duration = Duration::from_millis(300);

/// What is to be run.
pub(crate) struct ServiceLine {
    /// The program.
    pub(crate) program: String,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// Variables that are set for it.
    pub(crate) variables: BTreeMap<String, String>,
    /// Variables that it must not see, beside the known ones.
    pub(crate) private_variables: Vec<String>,
}

/// The pipes of a program.
pub(crate) struct Pipes {
    /// What it reads.
    pub(crate) stdin: ChildStdin,
    /// What it writes.
    pub(crate) stdout: ChildStdout,
    /// What it complains.
    pub(crate) stderr: ChildStderr,
}

/// A running program.
pub(crate) struct Service {
    child: Box<dyn ChildWrapper>,
    tree: Tree,
}

impl Service {
    /// Starts the program.
    pub(crate) fn start(line: ServiceLine) -> io::Result<(Self, Pipes)> {
        let mark = next_mark();
        let mut command = CommandWrap::with_new(&line.program, |command| {
            command
                .args(&line.arguments)
                .current_dir(&line.cwd)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .env(MARK, &mark);
            environment::prepare(command, &line.private_variables);
            command.envs(&line.variables);
        });
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessSession);
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        command.wrap(KillOnDrop);
        let mut child = command.spawn()?;
        let tree = Tree { group: child.id(), mark };
        let pipes = child.stdin().take().zip(child.stdout().take()).zip(child.stderr().take());
        let Some(((stdin, stdout), stderr)) = pipes else {
            return Err(io::Error::other("the program has no pipes"));
        };
        Ok((Self { child, tree }, Pipes { stdin, stdout, stderr }))
    }

    /// Ends the program and all that it started; its input should be closed before.
    pub(crate) async fn end(mut self) {
        let quiet = async {
            if let Err(error) = self.child.wait().await {
                tracing::debug!(%error, "the end of a program could not be awaited");
            }
            self.tree.group_is_gone().await;
        };
        if tokio::time::timeout(FAREWELL, quiet).await.is_err() || self.tree.has_strays().await {
            let nothing_to_read = pin!(Fuse::<std::future::Ready<()>>::terminated());
            self.tree.stop(&mut *self.child, Reach::Everything, nothing_to_read).await;
        }
        self.tree.group = None;
    }
}
