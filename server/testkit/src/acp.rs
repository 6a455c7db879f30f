//! The official client of the Agent Client Protocol: npm's `@agentclientprotocol/sdk`, driven through
//! `tests/acp/client.mjs`, with an editor and a user that a test decides about.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::cache;
use crate::launch::Launch;
use crate::wait::{Look, Missing, until};

/// What the client answers when it is asked: a result, or the code and sentence of an error.
pub type AcpAnswer = Result<Value, (i64, String)>;

/// Answers questions of the agent; `None` leaves one open.
pub type AcpBehavior = Box<dyn FnMut(&str, &Value) -> Option<AcpAnswer> + Send>;

/// The client and the agent that it started. Both are killed when the value is dropped.
pub struct AcpClient {
    _child: Child,
    commands: mpsc::Sender<Value>,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    last: u64,
    answers: HashMap<u64, AcpOutcome>,
    updates: Vec<Value>,
    asked: Vec<(u64, String, Value)>,
    complaints: Vec<String>,
    exit: Option<Value>,
    behavior: Option<AcpBehavior>,
}

/// What a request came to: its result, or the error with `code`, `message` and `data`.
pub type AcpOutcome = Result<Value, Value>;

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub struct AcpTicket(u64);

impl AcpClient {
    /// Starts `kit-ls acp` below the client that the installer printed, and does nothing more. Settings go into the user's
    /// file.
    pub fn spawn(program: &Path, launch: &Launch) -> AcpClient {
        let settings = launch.kit_home.join(".kit.json");
        std::fs::create_dir_all(&launch.kit_home).expect("the home can be made");
        std::fs::write(settings, launch.settings.to_string()).expect("settings can be written");
        let server: PathBuf =
            if launch.program.as_os_str().is_empty() { cache::kit_ls() } else { launch.program.clone() };
        let mut child = Command::new(program)
            .arg(server)
            .arg("acp")
            .args(&launch.arguments)
            .env_clear()
            .envs(&launch.environment)
            .current_dir(launch.root.parent().expect("the project lies in a folder"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let state = Arc::new(Mutex::new(State::default()));
        let changed = watch::channel(0).0;
        let (commands, waiting) = mpsc::channel(64);
        let writer = tokio::spawn(write(child.stdin.take().expect("piped"), waiting));
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let reader = tokio::spawn(read(lines, state.clone(), changed.clone(), commands.clone()));
        AcpClient { _child: child, commands, state, changed, tasks: vec![writer, reader] }
    }

    /// The same, and shakes hands with these client capabilities.
    pub async fn start(program: &Path, launch: &Launch, capabilities: Value) -> AcpClient {
        let client = AcpClient::spawn(program, launch);
        client.initialize(capabilities).await;
        client
    }

    /// Shakes hands and gives what the agent says.
    pub async fn initialize(&self, capabilities: Value) -> Value {
        let info = json!({ "name": "kit-testkit", "version": env!("CARGO_PKG_VERSION") });
        let params = json!({ "protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": info });
        self.request("initialize", params).await.expect("initialize succeeds")
    }

    /// Decides what the client answers from now on.
    pub fn behave(&self, behavior: impl FnMut(&str, &Value) -> Option<AcpAnswer> + Send + 'static) {
        self.lock().behavior = Some(Box::new(behavior));
    }

    /// Answers every permission request with the first option of this kind, as the protocol names kinds.
    pub fn permit(&self, kind: &'static str) {
        self.behave(move |method, params| {
            (method == "session/request_permission").then(|| Ok(chosen(params, kind)))
        });
    }

    /// A new session in a folder; gives its id.
    pub async fn session(&self, cwd: &Path) -> String {
        let made = self.request("session/new", json!({ "cwd": cwd, "mcpServers": [] })).await;
        made.expect("a session can be made")["sessionId"].as_str().expect("it has an id").to_owned()
    }

    /// Sends a prompt of one text and waits for its stop reason.
    pub async fn prompt(&self, session: &str, text: &str) -> String {
        let answered = self.answer(self.send_prompt(session, json!([text_block(text)])).await).await;
        let answered = answered.unwrap_or_else(|error| panic!("the prompt fails: {error}"));
        answered["stopReason"].as_str().expect("there is a stop reason").to_owned()
    }

    /// Sends a prompt of these blocks.
    pub async fn send_prompt(&self, session: &str, blocks: Value) -> AcpTicket {
        self.send("session/prompt", json!({ "sessionId": session, "prompt": blocks })).await
    }

    /// Sends a request and waits for what it came to.
    pub async fn request(&self, method: &str, params: Value) -> AcpOutcome {
        self.answer(self.send(method, params).await).await
    }

    /// Sends a request.
    pub async fn send(&self, method: &str, params: Value) -> AcpTicket {
        let id = {
            let mut state = self.lock();
            state.last += 1;
            state.last
        };
        self.command(json!({ "id": id, "request": method, "params": params })).await;
        AcpTicket(id)
    }

    /// What a request came to.
    pub async fn answer(&self, AcpTicket(id): AcpTicket) -> AcpOutcome {
        self.wait(&format!("answer to request {id}"), |state| state.answers.remove(&id)).await
    }

    /// Sends a notification.
    pub async fn notify(&self, method: &str, params: Value) {
        self.command(json!({ "notify": method, "params": params })).await;
    }

    /// Kills the agent without a word and waits until it is gone.
    pub async fn kill(&self) {
        self.command(json!({ "kill": true })).await;
        self.exit().await;
    }

    /// Closes the agent's input.
    pub async fn close_input(&self) {
        self.command(json!({ "end": true })).await;
    }

    /// Waits for the agent's end: `{code, signal}`.
    pub async fn exit(&self) -> Value {
        self.wait("end of the agent", |state| state.exit.clone()).await
    }

    /// All updates of a session so far.
    pub fn updates(&self, session: &str) -> Vec<Value> {
        let state = self.lock();
        let of_session = state.updates.iter().filter(|update| update["sessionId"] == session);
        of_session.map(|update| update["update"].clone()).collect()
    }

    /// Forgets the updates so far.
    pub fn clear_updates(&self) {
        self.lock().updates.clear();
    }

    /// Waits for an update of a session that fits.
    pub async fn update(&self, session: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(what, |state| {
            let mut updates = state.updates.iter().filter(|update| update["sessionId"] == session);
            updates.find(|update| fits(&update["update"])).map(|update| update["update"].clone())
        })
        .await
    }

    /// The text of a session's updates of one kind, in order.
    pub fn text(&self, session: &str, kind: &str) -> String {
        let updates = self.updates(session).into_iter().filter(|update| update["sessionUpdate"] == kind);
        updates.map(|update| update["content"]["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What the agent asked by this method so far.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        let state = self.lock();
        state.asked.iter().filter(|(_, name, _)| name == method).map(|(.., params)| params.clone()).collect()
    }

    /// Waits until the agent asked by this method so often, and gives the last of these questions.
    pub async fn asks(&self, method: &str, count: usize) -> Value {
        self.wait(&format!("question {count} by {method}"), |state| {
            let mut asked = state.asked.iter().filter(|(_, name, _)| name == method);
            asked.nth(count - 1).map(|(.., params)| params.clone())
        })
        .await
    }

    /// Answers the first question of this method, which was left open.
    pub async fn settle(&self, method: &str, result: Value) {
        let first = |state: &mut State| {
            state.asked.iter().find(|(_, name, _)| name == method).map(|(number, ..)| *number)
        };
        let number = self.wait(&format!("question by {method}"), first).await;
        self.command(json!({ "answer": number, "result": result })).await;
    }

    /// Fails if the SDK refused anything that the agent said.
    pub fn assert_understood(&self) {
        let complaints = self.lock().complaints.clone();
        assert!(complaints.is_empty(), "the SDK complains:\n{}", complaints.join("\n"));
    }

    async fn command(&self, command: Value) {
        self.commands.send(command).await.expect("the client reads");
    }

    async fn wait<T>(&self, what: &str, mut find: impl FnMut(&mut State) -> Option<T>) -> T {
        let look = || Look::from(find(&mut self.lock()));
        match until(&self.changed, look).await {
            Ok(found) => found,
            Err(Missing::Ended | Missing::Late) => {
                let state = self.lock();
                let (updates, complaints) = (&state.updates, &state.complaints);
                panic!("no {what}; updates: {updates:#?}, complaints: {complaints:#?}, end: {:?}", state.exit)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder fails")
    }
}

impl Drop for AcpClient {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A block of text.
pub fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The answer to a permission request that chooses the first option of a kind.
pub fn chosen(params: &Value, kind: &str) -> Value {
    let options = params["options"].as_array().cloned().unwrap_or_default();
    let option = options.iter().find(|option| option["kind"] == kind);
    let option = option.unwrap_or_else(|| panic!("no option of the kind {kind}: {params}"));
    json!({ "outcome": { "outcome": "selected", "optionId": option["optionId"] } })
}

async fn write(mut stdin: ChildStdin, mut waiting: mpsc::Receiver<Value>) {
    while let Some(command) = waiting.recv().await {
        if stdin.write_all(format!("{command}\n").as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read(
    output: impl tokio::io::AsyncBufRead + Unpin,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    commands: mpsc::Sender<Value>,
) {
    let mut lines = output.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let answer = {
            let mut state = state.lock().expect("no holder fails");
            if let Some(id) = told["answer"].as_u64() {
                let outcome = match told.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(told["result"].clone()),
                };
                state.answers.insert(id, outcome);
                None
            } else if let Some(number) = told["ask"].as_u64() {
                let method = told["method"].as_str().expect("a question has a method").to_owned();
                let answer = match state.behavior.as_mut() {
                    Some(behave) => behave(&method, &told["params"]),
                    None => Some(Err((-32601, format!("the client does not know {method}")))),
                };
                state.asked.push((number, method, told["params"].clone()));
                answer.map(|answer| (number, answer))
            } else {
                if told.get("update").is_some() {
                    state.updates.push(told["update"].clone());
                } else if let Some(complaint) = told["complaint"].as_str() {
                    state.complaints.push(complaint.to_owned());
                } else {
                    state.exit = Some(told["exit"].clone());
                }
                None
            }
        };
        changed.send_modify(|count| *count += 1);
        if let Some((number, answer)) = answer {
            let command = match answer {
                Ok(result) => json!({ "answer": number, "result": result }),
                Err((code, message)) => {
                    json!({ "answer": number, "error": { "code": code, "message": message } })
                }
            };
            if commands.send(command).await.is_err() {
                return;
            }
        }
    }
}
