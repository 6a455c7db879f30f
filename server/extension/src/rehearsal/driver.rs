//! The host of a test file: what its tests do with the extension.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_contract::Registration;
use serde_json::{Map, Value, json};

use super::scene::{Ask, Scene};
use super::{Script, configuration, context, registered};
use crate::sandbox::{
    Body, Failure, FailureCode, Fault, Guest, Host, HostAnswer, Limits, LoadError, LogLevel, Recipe, Weight,
};

/// The methods of this host and their doors.
pub(super) const METHODS: [(&str, &str); 7] = [
    ("test.emit", "call"),
    ("test.invoke", "call"),
    ("test.reload", "call"),
    ("test.given", "notify"),
    ("test.records", "get"),
    ("test.registration", "get"),
    ("sleep", "call"),
];
const KINDS: [&str; 7] =
    ["tool", "command", "complete", "shortcut", "render_tool", "render_message", "render_widget"];
/// How long a handler of the extension may take.
const CALL: Duration = Duration::from_secs(10);

/// The host of a test file.
pub(super) struct Driver {
    extension: Script,
    stage: Mutex<Option<Stage>>,
    /// The test file, which answers methods by its functions.
    tests: Mutex<Weak<Guest>>,
    me: Weak<Driver>,
}

/// The extension under test.
#[derive(Clone)]
struct Stage {
    guest: Arc<Guest>,
    scene: Arc<Scene>,
    registration: Registration,
}

/// Starts an extension with a scene as its host.
pub(super) async fn start(extension: &Script, scene: &Arc<Scene>) -> Result<(Guest, String), LoadError> {
    let configuration = configuration(&extension.file_name, extension.source.as_deref());
    let recipe = Recipe {
        program: extension.program.clone(),
        configuration: Value::Object(configuration).to_string().into(),
        host: Arc::clone(scene) as Arc<dyn Host>,
        limits: Limits::default(),
    };
    Guest::start(recipe).await
}

impl Driver {
    pub(super) fn new(extension: Script) -> Arc<Self> {
        Arc::new_cyclic(|me| Driver {
            extension,
            stage: Mutex::default(),
            tests: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// The test file is there.
    pub(super) fn connect(&self, tests: &Arc<Guest>) {
        *self.tests.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(tests);
    }

    /// A fresh extension with nothing that happened before.
    pub(super) async fn set_up(&self) -> Result<(), LoadError> {
        let scene = Scene::new();
        scene.connect(self.ask());
        self.load(scene).await
    }

    /// Ends the extension.
    pub(super) async fn tear_down(&self) {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stage) = stage {
            stage.guest.shut_down("done").await;
        }
    }

    async fn load(&self, scene: Arc<Scene>) -> Result<(), LoadError> {
        let (guest, registration) = start(&self.extension, &scene).await?;
        let registration = registered(&registration)?;
        scene.registered(&registration);
        let stage = Stage { guest: Arc::new(guest), scene, registration };
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        Ok(())
    }

    /// Asks the test file what a method answers.
    fn ask(&self) -> Ask {
        let tests = self.tests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Arc::new(move |method: String, parameters: Value| {
            let tests = tests.clone();
            async move {
                let Some(tests) = tests.upgrade() else { return Err(failure(&Fault::Gone)) };
                let question = json!({ "method": method, "parameters": parameters }).to_string();
                let input = json!({ "args": question, "context": context() }).to_string();
                let answer = tests.invoke("command", "answer", input, Weight::Heavy, CALL).await;
                let answer: Value = parse(&answer.map_err(|fault| failure(&fault))?)?;
                Ok(answer.get("output").and_then(Value::as_str).unwrap_or("null").to_owned())
            }
            .boxed()
        })
    }

    fn stage(&self) -> Result<Stage, Failure> {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stage.ok_or_else(|| Failure::new(FailureCode::Unavailable, "no test is running"))
    }

    async fn act(&self, method: &str, parameters: Map<String, Value>) -> Result<String, Failure> {
        let text = |field: &str| parameters.get(field).and_then(Value::as_str).unwrap_or_default();
        match method {
            "test.emit" => {
                let payload = in_context(parameters.get("payload"));
                let (name, payload) = (text("name").into(), payload.to_string().into());
                let answer = self.stage()?.guest.event(&name, &payload, CALL).await;
                answer.map_err(|fault| failure(&fault))
            }
            "test.invoke" => {
                let Some(kind) = KINDS.into_iter().find(|kind| *kind == text("kind")) else {
                    let text = format!("there is no kind of call {}", text("kind"));
                    return Err(Failure::new(FailureCode::NotFound, text));
                };
                let input = in_context(parameters.get("input"));
                let guest = self.stage()?.guest;
                let answer = guest.invoke(kind, text("name"), input.to_string(), Weight::Heavy, CALL).await;
                answer.map_err(|fault| failure(&fault))
            }
            "test.reload" => {
                let stage = self.stage()?;
                stage.guest.shut_down("reload").await;
                stage.scene.clear_screen();
                self.load(stage.scene)
                    .await
                    .map_err(|error| Failure::new(FailureCode::Internal, error.to_string()))?;
                Ok(String::new())
            }
            "sleep" => {
                let ms = parameters.get("ms").and_then(Value::as_u64).unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(String::new())
            }
            other => Err(Failure::new(FailureCode::NotFound, format!("there is no method {other}"))),
        }
    }
}

impl Host for Driver {
    fn log(&self, level: LogLevel, text: &str) {
        tracing::debug!(?level, text, "a line of a test file");
    }

    fn notify(&self, method: &str, parameters: &str) -> Result<(), Failure> {
        if method != "test.given" {
            return Err(Failure::new(FailureCode::NotFound, format!("there is no method {method}")));
        }
        self.stage()?.scene.given(&parse(parameters)?);
        Ok(())
    }

    fn get(&self, method: &str, _parameters: &str) -> Result<String, Failure> {
        let stage = self.stage()?;
        match method {
            "test.records" => Ok(stage.scene.records().to_string()),
            "test.registration" => Ok(json!(stage.registration).to_string()),
            other => Err(Failure::new(FailureCode::NotFound, format!("there is no method {other}"))),
        }
    }

    fn call(&self, method: String, parameters: String, _body: Body) -> BoxFuture<'static, HostAnswer> {
        let Some(driver) = self.me.upgrade() else {
            return std::future::ready(Err(failure(&Fault::Gone))).boxed();
        };
        async move { Ok((driver.act(&method, parse(&parameters)?).await?, Vec::new())) }.boxed()
    }

    fn waits_for_people(&self, _method: &str) -> bool {
        false
    }

    fn failed(&self, event: &str, fault: &Fault) {
        tracing::debug!(event, %fault, "a test file failed");
    }

    fn crashed(&self, why: &str, _disabled: bool) {
        tracing::debug!(why, "a test file crashed");
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::new(FailureCode::Invalid, error.to_string()))
}

fn failure(fault: &Fault) -> Failure {
    match fault {
        Fault::Failed(failure) => failure.clone(),
        Fault::Crashed(_) | Fault::TimedOut(_) | Fault::Busy | Fault::Gone => {
            Failure::new(FailureCode::Internal, fault.to_string())
        }
    }
}

/// A payload or input as a test gave it, with where the extension believes to be.
fn in_context(given: Option<&Value>) -> Value {
    let mut fields = given.and_then(Value::as_object).cloned().unwrap_or_default();
    fields.insert("context".to_owned(), json!(context()));
    Value::Object(fields)
}
