//! The host of an extension under test: records every call, and pretends to be the agent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_contract::{Door, FilePermissions, METHODS, Permissions, Permit, Registration, SESSION_PARAMETER};
use serde_json::{Map, Value, json};

use super::driver::parse;
use crate::sandbox::{Body, Failure, FailureCode, Fault, Host, HostAnswer, LogLevel};

/// Asks the test file what a method answers.
pub(super) type Ask = Arc<dyn Fn(String, Value) -> BoxFuture<'static, Result<String, Failure>> + Send + Sync>;

/// The host of an extension under test.
pub(super) struct Scene {
    me: Weak<Scene>,
    ask: OnceLock<Ask>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Value>,
    log: Vec<Value>,
    given: BTreeMap<String, Value>,
    /// Methods that functions of the test answer.
    asked: BTreeSet<String>,
    defaults: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
    keys: Map<String, Value>,
    files: Map<String, Value>,
    entries: Vec<Value>,
    permissions: Permissions,
}

impl Scene {
    pub(super) fn new() -> Arc<Self> {
        Arc::new_cyclic(|me| Scene { me: Weak::clone(me), ask: OnceLock::new(), state: Mutex::default() })
    }

    pub(super) fn connect(&self, ask: Ask) {
        // A scene belongs to one test file.
        let _connected_before = self.ask.set(ask);
    }

    /// Takes defaults of options, and grants what the extension asks for, as a user would.
    pub(super) fn registered(&self, registration: &Registration) {
        let mut state = self.lock();
        let defaults =
            registration.options.iter().map(|option| (option.name.clone(), option.default.clone()));
        state.defaults = defaults.collect();
        state.permissions = registration.permissions.clone().unwrap_or_default();
    }

    /// What extensions show goes with a reload.
    pub(super) fn clear_screen(&self) {
        let removals = [("setWidget", "removeWidget", "id"), ("setStatus", "removeStatus", "key")];
        let mut state = self.lock();
        let shown: Vec<Value> = state
            .calls
            .iter()
            .filter_map(|call| {
                let (_, remove, key) = removals
                    .iter()
                    .find(|(set, ..)| call.get("method").is_some_and(|method| method == *set))?;
                let value = call.get("parameters").and_then(|parameters| parameters.get(*key));
                Some(json!({ "method": remove, "parameters": { *key: value } }))
            })
            .collect();
        state.calls.extend(shown);
        for bar in ["removeHeader", "removeFooter"] {
            state.calls.push(json!({ "method": bar, "parameters": {} }));
        }
    }

    /// What a test says about the world.
    pub(super) fn given(&self, said: &Map<String, Value>) {
        let text = |field: &str| said.get(field).and_then(Value::as_str).map(str::to_owned);
        let mut state = self.lock();
        if let Some(path) = text("file") {
            state.files.insert(path, text("text").unwrap_or_default().into());
        }
        if let Some(option) = text("option") {
            state.options.insert(option, text("value").unwrap_or_default());
        }
        if let Some(method) = text("method") {
            if said.get("asks") == Some(&Value::Bool(true)) {
                state.given.remove(&method);
                state.asked.insert(method);
            } else {
                state.asked.remove(&method);
                state.given.insert(method, said.get("answer").cloned().unwrap_or_default());
            }
        }
    }

    /// Everything that happened.
    pub(super) fn records(&self) -> Value {
        let state = self.lock();
        json!({ "calls": state.calls, "log": state.log, "state": state.keys, "files": state.files })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call; the session that it is about is always the same.
    fn record(&self, method: &str, parameters: &str) -> Result<Map<String, Value>, Failure> {
        let mut parameters: Map<String, Value> = parse(parameters)?;
        parameters.shift_remove(SESSION_PARAMETER);
        self.lock().calls.push(json!({ "method": method, "parameters": parameters }));
        self.lock().check(method, &parameters)?;
        Ok(parameters)
    }

    async fn answer(
        self: Arc<Self>,
        method: String,
        parameters: Map<String, Value>,
    ) -> Result<Value, Failure> {
        let asked = self.lock().asked.contains(&method);
        if asked && let Some(ask) = self.ask.get() {
            let answer = ask(method, Value::Object(parameters)).await?;
            return parse(&answer);
        }
        if method == "sleep" {
            let ms = parameters.get("ms").and_then(Value::as_u64).unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(ms)).await;
            return Ok(Value::Null);
        }
        self.lock().call(&method, &parameters)
    }
}

impl State {
    /// Whether the extension asks for the permission that a method needs, and the path or command is covered.
    fn check(&self, method: &str, parameters: &Map<String, Value>) -> Result<(), Failure> {
        let Some(known) = METHODS.iter().find(|known| known.name == method) else {
            return Err(Failure::new(FailureCode::NotFound, format!("there is no method {method}")));
        };
        let text = |field: &str| parameters.get(field).and_then(Value::as_str).unwrap_or_default();
        let Permissions { http, exec, fs: FilePermissions { read, write }, env } = &self.permissions;
        let (covered, wanted) = match known.permit {
            Permit::Free => return Ok(()),
            Permit::Http => (!http.is_empty(), "http"),
            Permit::Exec => (exec.iter().any(|pattern| covers_command(pattern, text("command"))), "exec"),
            Permit::Read => (read.iter().any(|pattern| covers_path(pattern, text("path"))), "fs.read"),
            Permit::Write => (write.iter().any(|pattern| covers_path(pattern, text("path"))), "fs.write"),
            Permit::Environment => (env.iter().any(|name| name == text("name")), "env"),
        };
        if covered {
            return Ok(());
        }
        let text = format!("{method} is not granted: the exported permissions do not cover it in {wanted}");
        Err(Failure::new(FailureCode::Denied, text))
    }

    fn get(&self, method: &str, parameters: &Map<String, Value>) -> Result<Value, Failure> {
        if let Some(given) = self.given.get(method) {
            return Ok(given.clone());
        }
        let text = |field: &str| parameters.get(field).and_then(Value::as_str).unwrap_or_default();
        Ok(match method {
            "isIdle" => true.into(),
            "getState" => self.keys.get(text("key")).cloned().unwrap_or_default(),
            "listState" => self.keys.keys().cloned().collect(),
            "getOption" => {
                let value = self.options.get(text("name")).or_else(|| self.defaults.get(text("name")));
                value.cloned().unwrap_or_default().into()
            }
            "getContextStats" => {
                json!({ "estimatedTokens": 0, "contextLimit": 0, "usagePercent": 0.0, "messageCount": 0 })
            }
            "getCurrentModelId" => "demo".into(),
            "getCurrentProvider" => "scripted".into(),
            "getThinkingLevel" => "off".into(),
            "getAllTools" | "listThemes" => json!([]),
            "getTheme" => "".into(),
            "tool.isCancelled" => false.into(),
            "env.get" => Value::Null,
            other => return Err(nothing_given(other)),
        })
    }

    fn call(&mut self, method: &str, parameters: &Map<String, Value>) -> Result<Value, Failure> {
        if let Some(given) = self.given.get(method) {
            return Ok(given.clone());
        }
        let text = |field: &str| parameters.get(field).and_then(Value::as_str).unwrap_or_default();
        Ok(match method {
            "setState" => {
                self.keys.insert(text("key").to_owned(), text("value").into());
                Value::Null
            }
            "deleteState" => self.keys.shift_remove(text("key")).is_some().into(),
            "renderMessage" | "injectSkillAsContext" | "compact" | "setModel" | "setThinkingLevel" => {
                Value::Null
            }
            "newSession" => json!({ "sessionId": "session-2" }),
            "appendEntry" => {
                let id = format!("entry-{}", self.entries.len() + 1);
                self.entries.push(json!({
                    "id": id, "entryType": text("entryType"), "data": text("data"),
                    "timestamp": format!("2026-01-01T00:00:{:02}Z", self.entries.len() % 60),
                }));
                json!({ "id": id })
            }
            "getEntries" => {
                let of_type =
                    |entry: &&Value| text("entryType").is_empty() || entry["entryType"] == text("entryType");
                self.entries.iter().filter(of_type).cloned().collect()
            }
            "getMessages" | "getCurrentBranch" | "getChildren" | "getAvailableModels"
            | "getAvailableSkills" | "discoverSkills" | "listSubagents" => json!([]),
            "getSessionUsage" => json!(kit_contract::SessionUsage::default()),
            "getSessionPath" => "".into(),
            "promptSelect" => json!({ "value": "", "index": -1, "cancelled": true }),
            "promptConfirm" => json!({ "value": false, "cancelled": true }),
            "promptInput" => json!({ "value": "", "cancelled": true }),
            "showOverlay" => json!({ "action": "", "index": -1, "cancelled": true }),
            "emitCustomEvent" => json!({ "handlers": 0 }),
            "fs.read" => match self.files.get(text("path")) {
                Some(file) => json!({ "text": file }),
                None => {
                    return Err(Failure::new(
                        FailureCode::NotFound,
                        format!("there is no file {}", text("path")),
                    ));
                }
            },
            "fs.write" => {
                let created = self.files.insert(text("path").to_owned(), text("text").into()).is_none();
                json!({ "created": created })
            }
            "fs.list" => self.list(text("path")),
            "fs.stat" => self.stat(text("path")),
            other => return Err(nothing_given(other)),
        })
    }

    fn list(&self, folder: &str) -> Value {
        let mut entries = BTreeMap::new();
        for path in self.files.keys() {
            let below = if matches!(folder, "" | ".") {
                Some(path.as_str())
            } else {
                path.strip_prefix(&format!("{folder}/"))
            };
            if let Some(below) = below {
                let (name, kind) =
                    below.split_once('/').map_or((below, "file"), |(name, _)| (name, "directory"));
                entries.insert(name, kind);
            }
        }
        entries.into_iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect()
    }

    fn stat(&self, path: &str) -> Value {
        let size = self.files.get(path).and_then(Value::as_str).map(str::len);
        let is_folder = self.files.keys().any(|file| file.starts_with(&format!("{path}/")));
        let kind = if size.is_some() {
            "file"
        } else if is_folder {
            "directory"
        } else {
            ""
        };
        json!({ "exists": !kind.is_empty(), "kind": kind, "size": size.unwrap_or_default(), "modifiedMs": 0 })
    }
}

impl Host for Scene {
    fn log(&self, level: LogLevel, text: &str) {
        let level = match level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warn",
            LogLevel::Error => "error",
        };
        self.lock().log.push(json!({ "level": level, "text": text }));
    }

    fn notify(&self, method: &str, parameters: &str) -> Result<(), Failure> {
        let parameters = self.record(method, parameters)?;
        if method == "setOption" {
            let text =
                |field: &str| parameters.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            self.lock().options.insert(text("name"), text("value"));
        }
        Ok(())
    }

    fn get(&self, method: &str, parameters: &str) -> Result<String, Failure> {
        let parameters = self.record(method, parameters)?;
        Ok(self.lock().get(method, &parameters)?.to_string())
    }

    fn call(&self, method: String, parameters: String, body: Body) -> BoxFuture<'static, HostAnswer> {
        let recorded = self.record(&method, &parameters);
        let scene = self.me.upgrade();
        async move {
            let mut parameters = recorded?;
            let Some(scene) = scene else { return Err(nothing_given(&method)) };
            if let Body::Bytes(bytes) = &body {
                parameters.insert("body".to_owned(), String::from_utf8_lossy(bytes).into());
            }
            let mut answer = scene.answer(method, parameters).await?;
            if body == Body::Text {
                return Ok((answer.to_string(), Vec::new()));
            }
            // The body of an answer is bytes beside it.
            let bytes = answer.get_mut("body").map(Value::take).unwrap_or_default();
            let bytes = bytes.as_str().map_or_else(|| bytes.to_string(), str::to_owned).into_bytes();
            Ok((answer.to_string(), bytes))
        }
        .boxed()
    }

    fn waits_for_people(&self, method: &str) -> bool {
        method.starts_with("prompt") || method == "showOverlay"
    }

    fn failed(&self, event: &str, fault: &Fault) {
        self.lock().log.push(json!({ "level": "error", "text": format!("{event}: {fault}") }));
    }

    fn crashed(&self, why: &str, _disabled: bool) {
        self.lock().log.push(json!({ "level": "error", "text": format!("the extension crashed: {why}") }));
    }
}

fn nothing_given(method: &str) -> Failure {
    let waits = METHODS.iter().any(|known| known.name == method && known.door == Door::Call);
    let kind = if waits { "a value or a function" } else { "a value" };
    let text = format!("the test says nothing about {method}: t.given(\"{method}\", …) takes {kind}");
    Failure::new(FailureCode::Unavailable, text)
}

/// `git *` covers `git` with anything behind it; without a star the whole command must be the same.
fn covers_command(pattern: &str, command: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (pattern, command) = (words(pattern), words(command));
    match pattern.split_last() {
        Some((last, beginning)) if last == "*" => command.starts_with(beginning),
        Some(_) | None => pattern == command,
    }
}

/// A path covers itself and everything below; with stars, only what is before them counts.
fn covers_path(pattern: &str, path: &str) -> bool {
    let stem = pattern.split('*').next().unwrap_or_default().trim_end_matches('/');
    matches!(stem, "" | ".")
        || path == stem
        || path.strip_prefix(stem).is_some_and(|rest| rest.starts_with('/') || pattern.contains('*'))
}
