//! A real Neovim, driven over msgpack-RPC with a screen attached.
//!
//! A thread decodes what Neovim writes, because the msgpack decoder reads from a blocking source; everything else is
//! asynchronous. Waiting on the screen or on a Lua expression has the deadline of all waits and ends with the screen.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use rmpv::Value;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::screen::Screen;
use crate::wait::{Look, Missing, deadline, until};

/// How a Neovim is started.
#[derive(Clone, Debug)]
pub struct NvimOptions {
    /// The program.
    pub program: PathBuf,
    /// Where it runs.
    pub directory: PathBuf,
    /// Variables of its environment, which is otherwise empty but for `PATH`.
    pub environment: Vec<(OsString, OsString)>,
    /// Its arguments after `--embed`.
    pub arguments: Vec<OsString>,
    /// Columns of the screen.
    pub width: u16,
    /// Rows of the screen.
    pub height: u16,
}

type Pending = HashMap<u64, oneshot::Sender<Result<Value, Value>>>;

struct State {
    stdin: Option<ChildStdin>,
    next_id: u64,
    pending: Pending,
    /// What is being drawn, and what was complete at the last `flush`.
    drawing: Screen,
    screen: Screen,
    ended: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// A running Neovim. It is killed when the value is dropped.
pub struct Nvim {
    shared: Arc<Shared>,
    child: Child,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Nvim {
    /// Starts Neovim and attaches the screen.
    pub async fn start(options: NvimOptions) -> Nvim {
        let mut command = Command::new(&options.program);
        command
            .args(["--headless", "--embed"])
            .args(&options.arguments)
            .current_dir(&options.directory)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}", options.program.display()));
        let stdout = child.stdout.take().expect("piped");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                stdin: child.stdin.take(),
                next_id: 1,
                pending: HashMap::new(),
                drawing: Screen::default(),
                screen: Screen::default(),
                ended: false,
            }),
            changed: watch::channel(0).0,
        });
        let reading = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            while let Ok(message) = rmpv::decode::read_value(&mut reader) {
                receive(&reading, message);
            }
            let mut state = reading.lock();
            state.ended = true;
            state.pending.clear();
            drop(state);
            reading.changed.send_modify(|count| *count += 1);
        });
        let nvim = Nvim { shared, child };
        let interface = Value::Map(vec![("rgb".into(), true.into()), ("ext_linegrid".into(), true.into())]);
        nvim.request("nvim_ui_attach", vec![options.width.into(), options.height.into(), interface]).await;
        nvim
    }

    /// Calls a function of Neovim's API and returns its result; an error fails the test.
    pub async fn request(&self, method: &str, arguments: Vec<Value>) -> Value {
        match self.try_request(method, arguments.clone()).await {
            Ok(value) => value,
            Err(error) => panic!("{method}({arguments:?}): {error}\nscreen:\n{}", self.screen().text()),
        }
    }

    /// Calls a function of Neovim's API.
    pub async fn try_request(&self, method: &str, arguments: Vec<Value>) -> Result<Value, Value> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            let id = state.next_id;
            state.next_id += 1;
            state.pending.insert(id, answer);
            let message = Value::Array(vec![0.into(), id.into(), method.into(), Value::Array(arguments)]);
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &message).expect("a vector takes every byte");
            let stdin = state.stdin.as_mut().expect("the input is open");
            stdin.write_all(&bytes).and_then(|()| stdin.flush()).expect("Neovim reads its input");
        }
        match timeout(deadline(), answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => panic!("Neovim ended during {method}"),
            Err(_) => {
                panic!("no answer to {method} within {:?}\nscreen:\n{}", deadline(), self.screen().text())
            }
        }
    }

    /// Runs Lua and returns what it returns.
    pub async fn lua(&self, code: &str) -> Value {
        self.request("nvim_exec_lua", vec![code.into(), Value::Array(Vec::new())]).await
    }

    /// Runs Lua that returns a string.
    pub async fn lua_text(&self, code: &str) -> String {
        let value = self.lua(code).await;
        value.as_str().unwrap_or_else(|| panic!("{code} gives {value}")).to_owned()
    }

    /// Runs an Ex command.
    pub async fn command(&self, command: &str) {
        self.request("nvim_command", vec![command.into()]).await;
    }

    /// Types keys, in the notation of mappings.
    pub async fn input(&self, keys: &str) {
        self.request("nvim_input", vec![keys.into()]).await;
    }

    /// The screen as it was last complete.
    pub fn screen(&self) -> Screen {
        self.shared.lock().screen.clone()
    }

    /// Waits until the screen satisfies the condition.
    pub async fn screen_until(&self, what: &str, mut matches: impl FnMut(&Screen) -> bool) -> Screen {
        let look = || {
            let state = self.shared.lock();
            match matches(&state.screen) {
                true => Look::Found(state.screen.clone()),
                false if state.ended => Look::Never,
                false => Look::NotYet,
            }
        };
        match until(&self.shared.changed, look).await {
            Ok(screen) => screen,
            Err(Missing::Ended) => panic!("Neovim ended before {what}\nscreen:\n{}", self.screen().text()),
            Err(Missing::Late) => {
                panic!("no {what} within {:?}\nscreen:\n{}", deadline(), self.screen().text())
            }
        }
    }

    /// Waits until the screen shows this text.
    pub async fn shows(&self, text: &str) -> Screen {
        self.screen_until(&format!("{text:?} on the screen"), |screen| screen.text().contains(text)).await
    }

    /// Waits inside Neovim until a Lua expression is true, while its event loop goes on.
    pub async fn until(&self, expression: &str) {
        let wait = format!(
            "return vim.wait({}, function() return ({expression}) and true or false end, 20)",
            deadline().as_millis() * 4 / 5
        );
        let reached = self.lua(&wait).await;
        assert_eq!(
            reached,
            Value::Boolean(true),
            "never true: {expression}\nscreen:\n{}",
            self.screen().text()
        );
    }

    /// The lines of a buffer.
    pub async fn lines(&self, path: &Path) -> Vec<String> {
        let path = path.display().to_string();
        let code = "return vim.api.nvim_buf_get_lines(vim.fn.bufnr(...), 0, -1, true)";
        let lines = self.request("nvim_exec_lua", vec![code.into(), Value::Array(vec![path.into()])]).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Leaves Neovim as a user does, and waits for its end.
    pub async fn quit(mut self) {
        {
            let mut state = self.shared.lock();
            let message =
                Value::Array(vec![2.into(), "nvim_command".into(), Value::Array(vec!["qall!".into()])]);
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &message).expect("a vector takes every byte");
            if let Some(stdin) = state.stdin.as_mut() {
                let _ended_already = stdin.write_all(&bytes).and_then(|()| stdin.flush());
            }
        }
        let ended = until(&self.shared.changed, || self.shared.lock().ended.then_some(()).into()).await;
        assert!(ended.is_ok(), "Neovim does not end\nscreen:\n{}", self.screen().text());
        let status = self.child.wait().expect("the process can be waited for");
        assert!(status.success(), "Neovim ended with {status}");
    }
}

impl Drop for Nvim {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

fn receive(shared: &Shared, message: Value) {
    let Some(parts) = message.as_array() else { return };
    let mut state = shared.lock();
    match (parts.first().and_then(Value::as_u64), parts.as_slice()) {
        (Some(1), [_, id, error, result]) => {
            if let Some(answer) = id.as_u64().and_then(|id| state.pending.remove(&id)) {
                let outcome = if error.is_nil() { Ok(result.clone()) } else { Err(error.clone()) };
                // Whoever asked may have given up at the deadline.
                let _gone = answer.send(outcome);
            }
        }
        (Some(2), [_, method, events]) if method.as_str() == Some("redraw") => {
            let events = events.as_array().cloned().unwrap_or_default();
            if state.drawing.redraw(&events) {
                state.screen = state.drawing.clone();
                drop(state);
                shared.changed.send_modify(|count| *count += 1);
            }
        }
        (_, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Installed, install};

    #[tokio::test]
    async fn a_real_neovim_shows_what_is_typed() {
        let program = match install("neovim") {
            Installed::At(program) => program,
            Installed::Unsupported(why) => return eprintln!("SKIPPED: {why}"),
        };
        let home = tempfile::tempdir().expect("a temporary folder");
        let nvim = Nvim::start(NvimOptions {
            program,
            directory: home.path().to_owned(),
            environment: vec![("HOME".into(), home.path().into())],
            arguments: vec!["--clean".into()],
            width: 60,
            height: 8,
        })
        .await;
        nvim.input("ihello<Esc>").await;
        let screen = nvim.shows("hello").await;
        assert_eq!(screen.lines()[0], "hello");
        assert_eq!(nvim.lua("return vim.fn.has('nvim-0.11.3')").await, Value::from(1));
        nvim.until("vim.fn.getline(1) == 'hello'").await;
        nvim.quit().await;
    }
}
