//! A guest of a JavaScript text with a host that notes what it hears and answers when it is told to.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_extension::javascript::ENGINE;
use kit_extension::sandbox::{
    Body, Engine, Failure, Fault, Guest, Host, HostAnswer, Limits, LoadError, LogLevel, Program, Recipe,
    Weight,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

/// Compiled once for all tests of this program, and kept between runs.
static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    Engine::new(&cache).compile(ENGINE).expect("the engine compiles")
});

/// What the host of a test noted and answers.
#[derive(Clone)]
pub(crate) struct Script(Arc<Noted>);

struct Noted {
    lines: Mutex<Vec<String>>,
    crashes: Mutex<Vec<bool>>,
    asked: Notify,
    answer: watch::Sender<Option<String>>,
}

impl Default for Script {
    fn default() -> Self {
        Self(Arc::new(Noted {
            lines: Mutex::default(),
            crashes: Mutex::default(),
            asked: Notify::new(),
            answer: watch::Sender::new(None),
        }))
    }
}

impl Script {
    pub(crate) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    pub(crate) fn answer(&self, json: &str) {
        self.0.answer.send_replace(Some(json.to_owned()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    pub(crate) fn crashes(&self) -> Vec<bool> {
        self.0.crashes.lock().unwrap().clone()
    }
}

impl Host for Script {
    fn log(&self, _level: LogLevel, text: &str) {
        self.0.lines.lock().unwrap().push(text.to_owned());
    }

    fn notify(&self, _method: &str, _parameters: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn get(&self, _method: &str, _parameters: &str) -> Result<String, Failure> {
        Ok("null".to_owned())
    }

    fn call(&self, method: String, _parameters: String, _body: Body) -> BoxFuture<'static, HostAnswer> {
        let noted = Arc::clone(&self.0);
        async move {
            if method != "promptSelect" {
                return std::future::pending().await;
            }
            noted.asked.notify_one();
            let mut answer = noted.answer.subscribe();
            let answer = answer.wait_for(Option::is_some).await.expect("the test answers").clone();
            Ok((answer.unwrap_or_default(), Vec::new()))
        }
        .boxed()
    }

    fn waits_for_people(&self, method: &str) -> bool {
        method == "promptSelect"
    }

    fn failed(&self, _event: &str, _fault: &Fault) {}

    fn crashed(&self, _why: &str, disabled: bool) {
        self.0.crashes.lock().unwrap().push(disabled);
    }
}

/// A running guest.
pub(crate) struct Probe(Guest);

fn recipe(source: &str, script: Script, limits: Limits) -> Recipe {
    let configuration = json!({
        "api": 1, "name": "probe", "path": "/probe.js", "methods": [], "events": ["tool_call"],
        "options": {}, "context": { "sessionId": "s", "cwd": "/", "model": "a/b", "interactive": true },
        "source": source, "fileName": "probe.js",
    });
    Recipe {
        program: PROGRAM.clone(),
        configuration: configuration.to_string().into(),
        host: Arc::new(script),
        limits,
    }
}

/// A guest of a text that loads.
pub(crate) async fn start(source: &str, script: Script, limits: Limits) -> Probe {
    let (guest, _registration) = Guest::start(recipe(source, script, limits)).await.expect("it loads");
    Probe(guest)
}

/// Why a text does not load.
pub(crate) async fn fails(source: &str) -> LoadError {
    match Guest::start(recipe(source, Script::default(), Limits::default())).await {
        Ok(_) => panic!("it loads"),
        Err(error) => error,
    }
}

/// The answer of a tool that says a text.
pub(crate) fn tool(content: &str) -> String {
    json!({ "content": content }).to_string()
}

impl Probe {
    pub(crate) async fn event(&self, name: &str, mut fields: Value) -> Result<String, Fault> {
        fields["context"] = json!({ "sessionId": "s", "cwd": "/", "model": "a/b", "interactive": true });
        self.0.event(&name.into(), &fields.to_string().into(), Duration::from_secs(60)).await
    }

    pub(crate) async fn tool(&self, name: &str) -> Result<String, Fault> {
        self.tool_within(name, Duration::from_secs(60)).await
    }

    pub(crate) async fn tool_within(&self, name: &str, limit: Duration) -> Result<String, Fault> {
        let input =
            json!({ "toolCallId": "c", "arguments": {}, "input": "{}", "context": { "sessionId": "s" } });
        self.0.invoke("tool", name, input.to_string(), Weight::Heavy, limit).await
    }
}
