//! A `kit-ls` on its command line while it runs: what it prints, what is typed into it, and how it ends.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cache;
use crate::launch::Launch;
use crate::wait::{Look, Missing, deadline, until};

/// A running program. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    printed: Arc<Mutex<String>>,
    changed: watch::Sender<u64>,
    readers: Vec<JoinHandle<()>>,
}

impl Launch {
    /// Starts the program with these words on its command line, in the workspace root. Settings go into the user's file.
    pub fn begin(&self, words: &[&str]) -> Program {
        let settings = self.kit_home.join(".kit.json");
        std::fs::write(settings, self.settings.to_string()).expect("settings can be written");
        let program =
            if self.program.as_os_str().is_empty() { cache::kit_ls() } else { self.program.clone() };
        let mut child = Command::new(program)
            .args(&self.arguments)
            .args(words)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let printed = Arc::new(Mutex::new(String::new()));
        let changed = watch::channel(0).0;
        let stdout = read(child.stdout.take().expect("piped"), printed.clone(), changed.clone());
        let stderr = read(child.stderr.take().expect("piped"), printed.clone(), changed.clone());
        let stdin = child.stdin.take();
        Program { child, stdin, printed, changed, readers: vec![stdout, stderr] }
    }
}

fn read(
    mut from: impl AsyncReadExt + Unpin + Send + 'static,
    into: Arc<Mutex<String>>,
    changed: watch::Sender<u64>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            into.lock().expect("no holder fails").push_str(&String::from_utf8_lossy(&buffer[..count]));
            changed.send_modify(|count| *count += 1);
        }
    })
}

impl Program {
    /// Everything on stdout and stderr so far.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("no holder fails").clone()
    }

    /// Waits until what was printed has what is looked for.
    pub async fn prints<T>(&self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let look = || find(&self.printed()).map_or(Look::NotYet, Look::Found);
        match until(&self.changed, look).await {
            Ok(found) => found,
            Err(Missing::Ended | Missing::Late) => panic!("no {what} in\n{}", self.printed()),
        }
    }

    /// Types into it.
    pub async fn types(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(text.as_bytes()).await.expect("the program reads its input");
        stdin.flush().await.expect("the program reads its input");
    }

    /// Sends it a signal by its name, such as `TERM`.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let process = self.child.id().expect("the program runs").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "the signal {name} is sent");
    }

    /// Closes its input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end and gives the exit code and all that was printed.
    pub async fn ends(mut self) -> (Option<i32>, String) {
        let status = timeout(deadline(), self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end:\n{}", self.printed()));
        for reader in self.readers.drain(..) {
            reader.await.expect("the output can be read");
        }
        (status.expect("it can be waited for").code(), self.printed())
    }
}
