//! The language client of the tests: a `kit-ls` process, its traffic, and a fake editor that answers it.
//!
//! One lock holds documents, behavior and everything received; a change of any of it wakes whoever waits. Messages are
//! put into the outgoing queue under that lock, so their order is the order in which the editor's state changed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::checks::Checks;
use crate::documents::{Documents, Encoding};
use crate::editor::{self, Applied, Behavior, Outgoing};
use crate::frame;
use crate::launch::{Launch, Profile};
use crate::transcript::{From, Transcript};
use crate::turn::{Turn, TurnReport};
use crate::wait::{Look, Missing, deadline, until};

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseError {
    /// The code.
    pub code: i64,
    /// The sentence for people.
    pub message: String,
    /// `{ kind, retryAfterMs?, detail? }`.
    pub data: Value,
}

impl ResponseError {
    /// The kind in the error's data.
    pub fn kind(&self) -> &str {
        self.data["kind"].as_str().unwrap_or_default()
    }
}

pub(crate) struct State {
    transcript: Transcript,
    pub(crate) documents: Documents,
    pub(crate) behavior: Behavior,
    checks: Checks,
    next_id: i64,
    responses: HashMap<i64, Option<Result<Value, ResponseError>>>,
    notifications: Vec<(String, Value)>,
    requests: Vec<(Value, String, Value)>,
    applied: Vec<Applied>,
    stderr: String,
    ended: bool,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    outgoing: mpsc::Sender<Vec<u8>>,
    custom: bool,
}

/// A running `kit-ls` with its fake editor. Every test ends it with [`LanguageClient::close`], which checks the run, or
/// with [`LanguageClient::kill`].
pub struct LanguageClient {
    pub(crate) shared: Arc<Shared>,
    child: Mutex<Option<Child>>,
    id: u32,
    pub(crate) root: PathBuf,
    kit_home: PathBuf,
    close_input: mpsc::Sender<()>,
    finished: AtomicBool,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Queues a message. The queue is far larger than any test needs, so a full one is a server that does not read.
    pub(crate) fn send(&self, state: &mut State, message: &Value) {
        state.transcript.record(From::Editor, message);
        let body = message.to_string();
        if self.outgoing.try_send(frame::encode(body.as_bytes())).is_err() && !state.ended {
            state.checks.violation("the server stopped reading its input");
        }
    }

    fn receive(&self, message: Value) {
        let mut state = self.lock();
        let state = &mut *state;
        state.transcript.record(From::Server, &message);
        let method = message["method"].as_str().map(str::to_owned);
        match (message.get("id"), method) {
            (Some(id), Some(method)) => self.request(state, id.clone(), &method, &message["params"]),
            (None, Some(method)) => {
                state.checks.notification(&method, &message["params"], self.custom);
                state.notifications.push((method, message["params"].clone()));
            }
            (Some(id), None) => {
                let outcome = match message.get("error") {
                    Some(error) => Err(ResponseError {
                        code: error["code"].as_i64().unwrap_or_default(),
                        message: error["message"].as_str().unwrap_or_default().to_owned(),
                        data: error["data"].clone(),
                    }),
                    None => Ok(message["result"].clone()),
                };
                match id.as_i64().and_then(|id| state.responses.get_mut(&id)) {
                    Some(slot @ None) => *slot = Some(outcome),
                    Some(Some(_)) => state.checks.violation(format!("request {id} was answered twice")),
                    // An error with a null id is the answer to what could not be parsed.
                    None if id.is_null() => state.notifications.push(("error".into(), message.clone())),
                    None => {
                        state.checks.violation(format!("an answer to a request that was not made: {message}"))
                    }
                }
            }
            (None, None) => state.checks.violation(format!("neither request nor answer: {message}")),
        }
        self.wake();
    }

    fn request(&self, state: &mut State, id: Value, method: &str, params: &Value) {
        if method == "window/workDoneProgress/create" {
            state.checks.progress_created(&params["token"]);
        }
        let handled = editor::handle(method, params, &mut state.documents, &mut state.behavior, self.custom);
        if let Some(violation) = handled.violation {
            state.checks.violation(violation);
        }
        state.applied.extend(handled.applied);
        for outgoing in handled.send {
            let message = match outgoing {
                Outgoing::Notify(method, params) => {
                    json!({ "jsonrpc": "2.0", "method": method, "params": params })
                }
                Outgoing::Answer(Ok(result)) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
                Outgoing::Answer(Err((code, message))) => {
                    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
                }
            };
            self.send(state, &message);
        }
        state.requests.push((id, method.to_owned(), params.clone()));
    }
}

impl LanguageClient {
    pub(crate) async fn spawn(launch: Launch) -> LanguageClient {
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(&launch.environment)
            .current_dir(launch.kit_home.parent().expect("a home lies in a folder"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}", launch.program.display()));
        let (outgoing, queue) = mpsc::channel(65_536);
        let (close_input, closing) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                transcript: Transcript::default(),
                documents: Documents::new(),
                behavior: Behavior::default(),
                checks: Checks::default(),
                next_id: 1,
                responses: HashMap::new(),
                notifications: Vec::new(),
                requests: Vec::new(),
                applied: Vec::new(),
                stderr: String::new(),
                ended: false,
            }),
            changed: watch::channel(0).0,
            outgoing,
            custom: match &launch.profile {
                Profile::Full => true,
                Profile::Bare => false,
                Profile::Custom(capabilities) => capabilities["experimental"]["kit"].is_object(),
            },
        });
        let id = child.id().expect("a fresh process has an id");
        tokio::spawn(write_input(child.stdin.take().expect("piped"), queue, closing));
        tokio::spawn(read_output(child.stdout.take().expect("piped"), Arc::clone(&shared)));
        let mut stderr = child.stderr.take().expect("piped");
        let errors = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                errors.lock().stderr.push_str(&String::from_utf8_lossy(&buffer[..count]));
                errors.wake();
            }
        });
        LanguageClient {
            shared,
            child: Mutex::new(Some(child)),
            id,
            root: launch.root,
            kit_home: launch.kit_home,
            close_input,
            finished: AtomicBool::new(false),
        }
    }

    pub(crate) fn adopt_capabilities(&self, answer: &Value) {
        let encoding = match answer["capabilities"]["positionEncoding"].as_str() {
            Some("utf-8") => Encoding::Utf8,
            Some("utf-16") | None => Encoding::Utf16,
            Some(other) => panic!("the server chose the encoding {other}, which was not offered"),
        };
        self.shared.lock().documents.encoding = encoding;
    }

    /// The process id of the server.
    pub fn process_id(&self) -> u32 {
        self.id
    }

    /// Sends a request whose parameters are there and null, and waits for its answer.
    pub async fn request_with_null_parameters(&self, method: &str) -> Result<Value, ResponseError> {
        let id = self.send_request(method, Some(Value::Null));
        self.response(id).await
    }

    /// Sends a request and returns its id. `shutdown` has no parameters: null leaves the member out.
    pub fn start_request(&self, method: &str, params: Value) -> i64 {
        self.send_request(method, Some(params).filter(|params| !params.is_null()))
    }

    fn send_request(&self, method: &str, params: Option<Value>) -> i64 {
        let mut state = self.shared.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.responses.insert(id, None);
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if let Some(params) = params {
            message["params"] = params;
        }
        self.shared.send(&mut state, &message);
        id
    }

    /// Waits for the answer to a request.
    pub async fn response(&self, id: i64) -> Result<Value, ResponseError> {
        self.wait(&format!("the answer to request {id}"), |state| state.responses.get(&id).cloned().flatten())
            .await
    }

    /// Sends a request and waits for its answer.
    pub async fn request(&self, method: &str, params: Value) -> Result<Value, ResponseError> {
        let id = self.start_request(method, params);
        self.response(id).await
    }

    /// Runs a command with one argument.
    pub async fn command(&self, name: &str, argument: Value) -> Result<Value, ResponseError> {
        self.request("workspace/executeCommand", json!({ "command": name, "arguments": [argument] })).await
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: Value) {
        let mut state = self.shared.lock();
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if !params.is_null() {
            message["params"] = params;
        }
        self.shared.send(&mut state, &message);
    }

    /// Sends these bytes as they are.
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.shared.outgoing.try_send(bytes.to_vec()).expect("the server reads its input");
    }

    /// Answers a request of the server that a policy held back.
    pub fn answer(&self, id: &Value, result: Value) {
        let mut state = self.shared.lock();
        self.shared.send(&mut state, &json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    /// Closes the server's standard input.
    pub fn close_input(&self) {
        let _closing_already = self.close_input.try_send(());
    }

    pub(crate) async fn wait<T>(&self, what: &str, mut find: impl FnMut(&mut State) -> Option<T>) -> T {
        let look = || {
            let mut state = self.shared.lock();
            match find(&mut state) {
                Some(found) => Look::Found(found),
                None if state.ended => Look::Never,
                None => Look::NotYet,
            }
        };
        match until(&self.shared.changed, look).await {
            Ok(found) => found,
            Err(Missing::Ended) => panic!("the server ended before {what}{}", self.report()),
            Err(Missing::Late) => panic!("no {what} within {:?}{}", deadline(), self.report()),
        }
    }

    fn report(&self) -> String {
        let state = self.shared.lock();
        let violations = state.checks.violations.join("\n  ");
        format!(
            "\nlast messages:\n{}standard error:\n{}\nbroken rules:\n  {violations}",
            state.transcript.tail(40),
            state.stderr
        )
    }

    /// Waits until a notification of this method satisfies the condition and returns its parameters.
    pub async fn notification(&self, method: &str, mut matches: impl FnMut(&Value) -> bool) -> Value {
        self.wait(&format!("{method} that fits"), |state| {
            let of_method = state.notifications.iter().filter(|(name, _)| name == method);
            of_method.map(|(_, params)| params).find(|params| matches(params)).cloned()
        })
        .await
    }

    /// Waits until the newest notification of this method satisfies the condition and returns its parameters.
    pub async fn latest(&self, method: &str, mut matches: impl FnMut(&Value) -> bool) -> Value {
        self.wait(&format!("newest {method} that fits"), |state| {
            let newest = state.notifications.iter().rev().find(|(name, _)| name == method);
            newest.map(|(_, params)| params).filter(|params| matches(params)).cloned()
        })
        .await
    }

    /// All notifications of this method so far.
    pub fn notifications(&self, method: &str) -> Vec<Value> {
        let state = self.shared.lock();
        state
            .notifications
            .iter()
            .filter(|(name, _)| name == method)
            .map(|(_, params)| params.clone())
            .collect()
    }

    /// Waits for an event of the typed stream.
    pub async fn event(&self, matches: impl FnMut(&Value) -> bool) -> Value {
        self.notification("kit/event", matches).await
    }

    /// Waits for an event of this type in this turn.
    pub async fn turn_event(&self, turn: &Turn, kind: &str) -> Value {
        self.notification("kit/event", |event| turn.owns(event) && event["type"] == kind).await
    }

    /// Waits for a request of the server and returns its id and parameters; `nth` counts from 0.
    pub async fn server_request(&self, method: &str, nth: usize) -> (Value, Value) {
        self.wait(&format!("request {method} number {nth}"), |state| {
            let mut of_method = state.requests.iter().filter(|(_, name, _)| name == method);
            of_method.nth(nth).map(|(id, _, params)| (id.clone(), params.clone()))
        })
        .await
    }

    /// The parameters of every request of this method that the server made so far.
    pub fn server_requests(&self, method: &str) -> Vec<Value> {
        let state = self.shared.lock();
        state
            .requests
            .iter()
            .filter(|(_, name, _)| name == method)
            .map(|(.., params)| params.clone())
            .collect()
    }

    /// Every `workspace/applyEdit` so far.
    pub fn applied(&self) -> Vec<Applied> {
        self.shared.lock().applied.clone()
    }

    /// Waits until the newest `kit/review` satisfies the condition.
    pub async fn review(&self, matches: impl FnMut(&Value) -> bool) -> Value {
        self.latest("kit/review", matches).await
    }

    /// Starts a turn in the current session.
    pub async fn prompt(&self, text: &str) -> Turn {
        self.prompt_with(json!({ "text": text })).await
    }

    /// Starts a turn in this session.
    pub async fn prompt_in(&self, session: &str, text: &str) -> Turn {
        self.prompt_with(json!({ "text": text, "session": session })).await
    }

    /// Starts a turn with all arguments given.
    pub async fn prompt_with(&self, argument: Value) -> Turn {
        match self.command("kit.session.prompt", argument.clone()).await {
            Ok(answer) => Turn::from_answer(&answer),
            Err(error) => panic!("{argument} was refused: {error:?}{}", self.report()),
        }
    }

    /// Waits for the end of a turn and returns all its events.
    pub async fn finish(&self, turn: &Turn) -> TurnReport {
        self.turn_event(turn, "turn_end").await;
        let events = self.notifications("kit/event").into_iter().filter(|event| turn.owns(event)).collect();
        TurnReport { events }
    }

    /// Starts a turn and waits for its end.
    pub async fn run(&self, text: &str) -> TurnReport {
        let turn = self.prompt(text).await;
        self.finish(&turn).await
    }

    /// Waits for the end of the process and of its output.
    pub async fn exited(&self) -> ExitStatus {
        let child = self.child.lock().expect("no other holder").take();
        let mut child = child.expect("the process is waited for once");
        let Ok(status) = timeout(deadline(), child.wait()).await else {
            panic!("the server is still running{}", self.report());
        };
        self.finished.store(true, Ordering::Relaxed);
        self.wait("the end of the output", |state| state.ended.then_some(())).await;
        status.expect("the process can be waited for")
    }

    /// Shuts the server down as LSP says and checks the whole run.
    pub async fn close(self) {
        let answer = self.request("shutdown", Value::Null).await;
        assert_eq!(answer, Ok(Value::Null), "shutdown answers null");
        self.notify("exit", Value::Null);
        let status = self.exited().await;
        self.check();
        assert_eq!(status.code(), Some(0), "exit after shutdown gives 0{}", self.report());
    }

    /// Kills the process at once, as a crash would, and checks what was seen until then except open requests.
    pub async fn kill(self) {
        let child = self.child.lock().expect("no other holder").take();
        let mut child = child.expect("the process runs");
        child.kill().await.expect("the process can be killed");
        self.finished.store(true, Ordering::Relaxed);
        self.check_all_but_requests();
    }

    /// Checks the run of a process that has ended.
    pub fn check(&self) {
        {
            let mut state = self.shared.lock();
            let open: Vec<i64> =
                state.responses.iter().filter(|(_, answer)| answer.is_none()).map(|(id, _)| *id).collect();
            for id in open {
                state.checks.violation(format!("request {id} was never answered"));
            }
        }
        self.check_all_but_requests();
    }

    fn check_all_but_requests(&self) {
        self.finished.store(true, Ordering::Relaxed);
        let violations = {
            let mut state = self.shared.lock();
            let state = &mut *state;
            state.checks.secrets(&state.transcript, &state.stderr, &self.kit_home);
            if state.stderr.contains("panicked at") {
                state.checks.violation("the server panicked");
            }
            state.checks.violations.clone()
        };
        assert_eq!(violations, Vec::<String>::new(), "{}", self.report());
    }

    /// What the server printed to standard error so far.
    pub fn stderr(&self) -> String {
        self.shared.lock().stderr.clone()
    }
}

impl Drop for LanguageClient {
    fn drop(&mut self) {
        let finished = self.finished.load(Ordering::Relaxed);
        assert!(finished || std::thread::panicking(), "a test ends its client with close, exited or kill");
    }
}

async fn write_input(
    mut stdin: ChildStdin,
    mut queue: mpsc::Receiver<Vec<u8>>,
    mut closing: mpsc::Receiver<()>,
) {
    loop {
        tokio::select! {
            biased;
            bytes = queue.recv() => {
                let Some(bytes) = bytes else { return };
                if stdin.write_all(&bytes).await.is_err() || stdin.flush().await.is_err() {
                    return;
                }
            }
            _ = closing.recv() => return,
        }
    }
}

async fn read_output(stdout: ChildStdout, shared: Arc<Shared>) {
    let mut reader = BufReader::new(stdout);
    loop {
        match frame::read(&mut reader).await {
            Ok(Some(body)) => match serde_json::from_slice::<Value>(&body) {
                Ok(message) => shared.receive(message),
                Err(error) => {
                    let text = String::from_utf8_lossy(&body).into_owned();
                    shared.lock().checks.violation(format!("a body that is not JSON: {error}: {text:?}"));
                }
            },
            Ok(None) => break,
            Err(why) => {
                // A process that is killed may tear its last frame; anything else on this stream is a defect.
                if !why.starts_with("a torn frame") {
                    shared.lock().checks.violation(format!("standard output: {why}"));
                }
                break;
            }
        }
    }
    shared.lock().ended = true;
    shared.wake();
}
