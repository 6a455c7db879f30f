//! Running an extension's own tests: in the same sandbox as always, with a host that records and pretends.
//!
//! A test file is JavaScript that imports `kit:test`. It runs as a guest of its own; what its tests do with the
//! extension arrives here as calls of its host, and goes on to the extension, which is another guest. Every test gets a
//! fresh one. What the extension asks its host for is answered by a [`Scene`]: from what the test said, else from
//! plain defaults, else by an error that tells the author what to say.

mod driver;
mod scene;

use std::sync::Arc;
use std::time::Duration;

use kit_contract::{API_VERSION, EVENTS, METHODS, Registration, SessionContext};
use serde_json::{Map, Value, json};

use self::driver::Driver;
use crate::sandbox::{Failure, Fault, Guest, Limits, LoadError, Program, Recipe, Weight};

/// The module that test files import.
const MODULE: &str = "kit:test";
const MODULE_SOURCE: &str = include_str!("../../../extensions/sdk/js/test.js");
/// How long one test may take.
const TEST: Duration = Duration::from_secs(30);
/// The folder that an extension under test sees as its session's.
pub(crate) const FOLDER: &str = "/workspace";

/// An extension or a test file, ready to run.
#[derive(Clone)]
pub struct Script {
    /// The compiled component, or the JavaScript engine.
    pub program: Program,
    /// The JavaScript text, for the engine.
    pub source: Option<String>,
    /// The name of the file in messages.
    pub file_name: String,
}

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Why it failed: a sentence with the place in the file.
    pub failure: Option<String>,
}

/// Runs every test of a file against an extension.
pub async fn rehearse(extension: &Script, test: &Script) -> Result<Vec<Outcome>, LoadError> {
    let driver = Driver::new(extension.clone());
    let mut configuration = configuration(&test.file_name, test.source.as_deref());
    configuration.insert("modules".to_owned(), json!({ MODULE: MODULE_SOURCE }));
    configuration.insert("setup".to_owned(), MODULE.into());
    configuration.insert("events".to_owned(), json!([]));
    configuration.insert("methods".to_owned(), json!(driver::METHODS.map(|(name, _)| name)));
    let doors: Map<String, Value> =
        driver::METHODS.iter().map(|(name, door)| ((*name).to_owned(), (*door).into())).collect();
    configuration.insert("doors".to_owned(), doors.into());
    let recipe = Recipe {
        program: test.program.clone(),
        configuration: Value::Object(configuration).to_string().into(),
        host: Arc::clone(&driver) as Arc<dyn crate::sandbox::Host>,
        limits: Limits::default(),
    };
    let (guest, registration) = Guest::start(recipe).await?;
    let registration = registered(&registration)?;
    let guest = Arc::new(guest);
    driver.connect(&guest);
    let mut outcomes = Vec::new();
    for command in registration.commands.iter().filter(|command| command.name.starts_with("test-")) {
        let failure = match driver.set_up().await {
            Ok(()) => {
                let input = json!({ "args": "", "context": context() }).to_string();
                guest
                    .invoke("command", &command.name, input, Weight::Heavy, TEST)
                    .await
                    .err()
                    .map(|fault| told(&fault))
            }
            Err(error) => Some(format!("the extension cannot be loaded: {error}")),
        };
        driver.tear_down().await;
        outcomes.push(Outcome { name: command.description.clone(), failure });
    }
    guest.shut_down("done").await;
    Ok(outcomes)
}

/// Loads an extension as far as its registration, with a host that answers nothing.
pub async fn inspect(extension: &Script) -> Result<Registration, LoadError> {
    let (guest, registration) = driver::start(extension, &scene::Scene::new()).await?;
    guest.shut_down("done").await;
    registered(&registration)
}

/// A sentence about a fault, with the place in the file where there is one.
pub fn told(fault: &Fault) -> String {
    match fault {
        Fault::Failed(failure) => match failure.place() {
            Some((file, line)) => format!("{file}:{}: {failure}", line + 1),
            None => failure.to_string(),
        },
        Fault::Crashed(_) | Fault::TimedOut(_) | Fault::Busy | Fault::Gone => fault.to_string(),
    }
}

pub(crate) fn registered(text: &str) -> Result<Registration, LoadError> {
    serde_json::from_str(text).map_err(|error| {
        let text = format!("the registration is wrong: {error}");
        LoadError::Init(Fault::Failed(Failure::new(crate::sandbox::FailureCode::Invalid, text)))
    })
}

/// Where an extension under test believes to be.
pub(crate) fn context() -> SessionContext {
    SessionContext {
        session_id: "session-1".to_owned(),
        cwd: FOLDER.to_owned(),
        model: "scripted/demo".to_owned(),
        interactive: true,
        documents: Vec::new(),
    }
}

pub(crate) fn configuration(file_name: &str, source: Option<&str>) -> Map<String, Value> {
    let configuration = json!({
        "api": API_VERSION,
        "name": file_name.split('.').next().unwrap_or_default(),
        "path": format!("{FOLDER}/.kit/extensions/{file_name}"),
        "methods": METHODS.iter().map(|method| method.name).collect::<Vec<_>>(),
        "events": EVENTS.iter().map(|event| event.name).collect::<Vec<_>>(),
        "options": {},
        "context": context(),
        "source": source,
        "fileName": file_name,
    });
    match configuration {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
