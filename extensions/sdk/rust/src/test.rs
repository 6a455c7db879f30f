//! Running an extension in an ordinary `cargo test`, with a host that records what it is asked.
//!
//! ```no_run
//! # use kit_extension_sdk::{Error, Extension, Kit, event, test::Harness};
//! # use kit_extension_sdk::contract::ToolCallEvent;
//! # struct Gate;
//! # impl Extension for Gate { fn init(_: &mut Kit) -> Result<(), Error> { Ok(()) } }
//! let harness = Harness::load::<Gate>();
//! let call = ToolCallEvent { tool_name: "bash".into(), input: "{}".into(), ..Default::default() };
//! let answer = harness.emit::<event::ToolCall>(call).unwrap();
//! assert_eq!(answer, None);
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use kit_contract::{CommandAnswer, Configuration, EVENTS, METHODS, Registration, SessionContext, ToolAnswer};
use serde_json::{Value, json};

use crate::error::{Error, ErrorCode};
use crate::event::Event;
use crate::{Extension, dispatch};

thread_local!(static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) });

type Given = Box<dyn Fn(&Value) -> Result<Value, Error>>;

#[derive(Default)]
struct Recorder {
    calls: Vec<(String, Value)>,
    log: Vec<String>,
    given: BTreeMap<String, Given>,
    state: BTreeMap<String, Value>,
    options: BTreeMap<String, String>,
}

pub(crate) fn is_running() -> bool {
    cfg!(not(target_family = "wasm")) && RECORDER.with_borrow(Option::is_some)
}

pub(crate) fn log(text: &str) {
    RECORDER.with_borrow_mut(|recorder| recorder.get_or_insert_default().log.push(text.to_owned()));
}

pub(crate) fn answer(method: &str, parameters: &str) -> Result<String, Error> {
    let parameters: Value = serde_json::from_str(parameters)?;
    RECORDER.with_borrow_mut(|recorder| {
        let recorder = recorder.get_or_insert_default();
        recorder.calls.push((method.to_owned(), parameters.clone()));
        if let Some(given) = recorder.given.get(method) {
            return given(&parameters).map(|value| value.to_string());
        }
        let text = |field: &str| parameters[field].as_str().unwrap_or_default().to_owned();
        let value = match method {
            "getState" => recorder.state.get(&text("key")).cloned().unwrap_or_default(),
            "setState" => {
                recorder.state.insert(text("key"), parameters["value"].clone());
                Value::Null
            }
            "deleteState" => recorder.state.remove(&text("key")).is_some().into(),
            "listState" => recorder.state.keys().cloned().collect(),
            "getOption" => recorder.options.get(&text("name")).cloned().unwrap_or_default().into(),
            "isIdle" => true.into(),
            _ => match METHODS.iter().find(|known| known.name == method) {
                Some(known) if known.door == kit_contract::Door::Notify => Value::Null,
                Some(_) => {
                    let what = format!("the test gives no answer to {method}");
                    return Err(Error::new(ErrorCode::Unavailable, what));
                }
                None => return Err(Error::new(ErrorCode::NotFound, format!("there is no method {method}"))),
            },
        };
        Ok(value.to_string())
    })
}

/// A loaded extension, and what it asked of its host.
pub struct Harness {
    registration: Registration,
    context: SessionContext,
}

impl Harness {
    /// Loads an extension. One at a time in each thread, which is what `cargo test` gives each test.
    ///
    /// # Panics
    /// When its `init` fails.
    pub fn load<E: Extension>() -> Self {
        RECORDER.with_borrow_mut(|recorder| *recorder = Some(Recorder::default()));
        let context = SessionContext {
            session_id: "session-1".into(),
            cwd: "/workspace".into(),
            model: "scripted/demo".into(),
            interactive: true,
            documents: Vec::new(),
        };
        let configuration = Configuration {
            api: kit_contract::API_VERSION,
            name: "test".into(),
            methods: METHODS.iter().map(|method| method.name.to_owned()).collect(),
            events: EVENTS.iter().map(|event| event.name.to_owned()).collect(),
            context: context.clone(),
            ..Configuration::default()
        };
        let configuration = serde_json::to_string(&configuration).expect("a configuration is JSON");
        let registration = dispatch::init::<E>(&configuration).expect("the extension loads");
        let registration: Registration = serde_json::from_str(&registration).expect("a registration is JSON");
        RECORDER.with_borrow_mut(|recorder| {
            let recorder = recorder.get_or_insert_default();
            for option in &registration.options {
                recorder.options.insert(option.name.clone(), option.default.clone());
            }
        });
        Harness { registration, context }
    }

    /// What it registered.
    pub fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Says what a method of the host answers.
    pub fn given(&self, method: &str, answer: impl Fn(&Value) -> Result<Value, Error> + 'static) {
        RECORDER.with_borrow_mut(|recorder| {
            recorder.get_or_insert_default().given.insert(method.to_owned(), Box::new(answer));
        });
    }

    /// Sets an option as the user's settings do.
    pub fn option(&self, name: &str, value: &str) {
        RECORDER.with_borrow_mut(|recorder| {
            recorder.get_or_insert_default().options.insert(name.to_owned(), value.to_owned());
        });
    }

    /// Sends an event; `None` where the extension has no opinion.
    pub fn emit<E: Event>(&self, payload: E::Payload) -> Result<Option<E::Answer>, Error> {
        let mut payload = serde_json::to_value(payload)?;
        payload["context"] = serde_json::to_value(&self.context)?;
        let answer = block_on(dispatch::event(E::NAME, &payload.to_string()))?;
        if answer.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&answer)?)) }
    }

    /// Calls a tool as a model does.
    pub fn tool(&self, name: &str, arguments: Value) -> Result<ToolAnswer, Error> {
        let input = json!({
            "toolCallId": "call-1",
            "input": arguments.to_string(),
            "arguments": arguments,
            "context": self.context,
        });
        Ok(serde_json::from_str(&block_on(dispatch::invoke("tool", name, &input.to_string()))?)?)
    }

    /// Runs a command.
    pub fn command(&self, name: &str, args: &str) -> Result<Option<String>, Error> {
        let input = json!({ "args": args, "context": self.context });
        let answer = block_on(dispatch::invoke("command", name, &input.to_string()))?;
        Ok(serde_json::from_str::<CommandAnswer>(&answer)?.output)
    }

    /// Every call of the host so far: method and parameters.
    pub fn calls(&self) -> Vec<(String, Value)> {
        RECORDER.with_borrow(|recorder| {
            recorder.as_ref().map(|recorder| recorder.calls.clone()).unwrap_or_default()
        })
    }

    /// What was printed.
    pub fn printed(&self) -> Vec<String> {
        let prints = ["print", "printInfo", "printError", "printBlock"];
        let calls = self.calls().into_iter().filter(|(method, _)| prints.contains(&method.as_str()));
        calls.map(|(_, parameters)| parameters["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Lines of the log.
    pub fn log(&self) -> Vec<String> {
        RECORDER.with_borrow(|recorder| {
            recorder.as_ref().map(|recorder| recorder.log.clone()).unwrap_or_default()
        })
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        RECORDER.with_borrow_mut(|recorder| *recorder = None);
    }
}

/// Everything that a recording host is asked is answered at once, so nothing ever has to wake up.
fn block_on<Output>(future: impl Future<Output = Output>) -> Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("a handler waits for something that does not come from the host")
}
