//! One process with everything that it starts: run, streamed, bounded, and gone at the end.
//!
//! The command runs in a session of its own with nothing on standard input, so it can neither read the protocol nor
//! prompt on the editor's terminal. Its output is read as it comes, decoded across chunk borders, passed on and kept
//! as head and tail. It ends in one of four ways, and whatever the way is, what it printed so far is kept:
//!
//! 1. *Exit.* What stays in its process group gets [`GRACE`] to finish writing and is then stopped. A process that
//!    made itself a daemon with a session of its own is left alone.
//! 2. *Timeout* and 3. *cancel.* The group, all descendants, and every process that carries this call's mark in its
//!    environment (daemons too; Linux) get SIGTERM, and after [`TERMINATION`] SIGKILL.
//! 4. *Drop* of the future: SIGKILL to the group.

mod capture;
mod environment;
mod service;
mod strays;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{FusedFuture, join};
use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio_util::sync::CancellationToken;

use crate::tool::OutputSink;
use capture::{Capture, Streamed};
pub(crate) use environment::Shell;
pub(crate) use service::{Pipes, Service, ServiceLine};

/// How long processes that outlive the command itself may go on writing.
const GRACE: Duration = Duration::from_secs(1);

/// How long a process may take to end by itself after SIGTERM.
const TERMINATION: Duration = Duration::from_millis(300);

/// How long the kernel may take to end a process after SIGKILL.
const KILL: Duration = Duration::from_secs(2);

/// The variable that marks every process of a call.
const MARK: &str = "KIT_TOOL_CALL";

/// A command to run.
pub(crate) struct Invocation {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// Variables that it must not see, beside the known ones.
    pub(crate) private_variables: Vec<String>,
    /// When it is stopped.
    pub(crate) timeout: Duration,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Exited {
        /// The code that a shell would show.
        code: i32,
    },
    /// Its time was up.
    TimedOut,
    /// The user cancelled.
    Cancelled,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) ending: Ending,
    /// Standard output, cut in the middle where it is long.
    pub(crate) stdout: String,
    /// Standard error, likewise.
    pub(crate) stderr: String,
    /// Whether processes in the background were stopped after the command exited by itself.
    pub(crate) stopped_background: bool,
}

/// Runs the command to its end.
pub(crate) async fn run(
    invocation: Invocation,
    output: &OutputSink,
    cancel: &CancellationToken,
) -> io::Result<Finished> {
    let mark = next_mark();
    let mut child = spawn(&invocation, &mark)?;
    let mut tree = Tree { group: child.id(), mark };
    let streamed = Streamed::new(output.clone());
    let stdout = Mutex::new(Capture::new(false));
    let stderr = Mutex::new(Capture::new(true));
    let pipes = (child.stdout().take(), child.stderr().take());
    let both = join(capture::pump(pipes.0, &stdout, &streamed), capture::pump(pipes.1, &stderr, &streamed));
    let mut pumping = pin!(both.map(drop).fuse());
    let mut deadline = pin!(tokio::time::sleep(invocation.timeout));
    let ending = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break Ending::Cancelled,
            status = child.wait() => break Ending::Exited { code: shell_code(status?) },
            () = &mut deadline => break Ending::TimedOut,
            () = &mut pumping, if !pumping.is_terminated() => {}
        }
    };
    let stopped_background = match ending {
        Ending::Exited { .. } => {
            let quiet = async {
                if !pumping.is_terminated() {
                    pumping.as_mut().await;
                }
                tree.group_is_gone().await;
            };
            let left = tokio::time::timeout(GRACE, quiet).await.is_err();
            if left {
                tree.stop(&mut *child, Reach::Group, pumping).await;
            }
            left
        }
        Ending::TimedOut | Ending::Cancelled => {
            tree.stop(&mut *child, Reach::Everything, pumping).await;
            false
        }
    };
    tree.group = None;
    Ok(Finished { ending, stdout: take(&stdout), stderr: take(&stderr), stopped_background })
}

fn take(capture: &Mutex<Capture>) -> String {
    let mut capture = capture.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    std::mem::replace(&mut *capture, Capture::new(false)).into_text()
}

fn next_mark() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(1);
    format!("{}-{}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed))
}

fn spawn(invocation: &Invocation, mark: &str) -> io::Result<Box<dyn ChildWrapper>> {
    let mut command = CommandWrap::with_new(&invocation.program, |command| {
        command
            .args(&invocation.arguments)
            .current_dir(&invocation.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env(MARK, mark);
        environment::prepare(command, &invocation.private_variables);
    });
    #[cfg(unix)]
    command.wrap(process_wrap::tokio::ProcessSession);
    #[cfg(windows)]
    command.wrap(process_wrap::tokio::JobObject);
    command.wrap(process_wrap::tokio::KillOnDrop);
    command.spawn()
}

#[cfg(unix)]
fn shell_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[cfg(not(unix))]
fn shell_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

/// Which processes are stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those of the command's group.
    Group,
    /// Also descendants and daemons outside it.
    Everything,
}

/// The processes of one call. Dropped before the call's end, it kills the group.
struct Tree {
    group: Option<u32>,
    mark: String,
}

impl Tree {
    /// Stops the processes. What they still print is kept, and a full pipe blocks none of them.
    async fn stop(
        &self,
        child: &mut dyn ChildWrapper,
        reach: Reach,
        mut pumping: Pin<&mut (impl FusedFuture<Output = ()> + ?Sized)>,
    ) {
        let stopping = async {
            let found = self.strays(reach).await;
            strays::terminate(self.group, &found);
            let ending = async {
                wait_logged(child).await;
                self.group_is_gone().await;
                strays::gone(&found).await;
            };
            let graceful = tokio::time::timeout(TERMINATION, ending).await.is_ok();
            if graceful && self.strays(reach).await.is_empty() {
                return;
            }
            // A process may start another while it is being looked for, so look again until none is found.
            let killing = async {
                loop {
                    let found = self.strays(reach).await;
                    strays::kill(self.group, &found);
                    if let Err(error) = child.start_kill() {
                        tracing::debug!(%error, "nothing left to kill");
                    }
                    wait_logged(child).await;
                    strays::gone(&found).await;
                    if self.strays(reach).await.is_empty() {
                        break self.group_is_gone().await;
                    }
                }
            };
            if tokio::time::timeout(KILL, killing).await.is_err() {
                tracing::warn!(group = self.group, "processes of a command could not be ended");
            }
        };
        let mut stopping = pin!(stopping);
        loop {
            tokio::select! {
                () = &mut stopping => break,
                () = pumping.as_mut(), if !pumping.is_terminated() => {}
            }
        }
        // What the pipes still hold is read; a holder that survived everything must not hang the call.
        if !pumping.is_terminated() && tokio::time::timeout(TERMINATION, pumping).await.is_err() {
            tracing::debug!("a process outside the command's group holds its output open");
        }
    }

    async fn strays(&self, reach: Reach) -> Vec<strays::Process> {
        match (reach, self.group) {
            (Reach::Everything, Some(leader)) => {
                let mark = format!("{MARK}={}", self.mark);
                tokio::task::spawn_blocking(move || strays::find(leader, &mark)).await.unwrap_or_default()
            }
            (Reach::Everything, None) | (Reach::Group, _) => Vec::new(),
        }
    }

    async fn has_strays(&self) -> bool {
        !self.strays(Reach::Everything).await.is_empty()
    }

    async fn group_is_gone(&self) {
        while self.group.is_some_and(strays::group_lives) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.group.is_some() {
            strays::kill(self.group, &[]);
        }
    }
}

async fn wait_logged(child: &mut dyn ChildWrapper) {
    if let Err(error) = child.wait().await {
        tracing::debug!(%error, "the end of a command could not be awaited");
    }
}
