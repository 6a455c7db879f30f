//! The engine of single JavaScript files: QuickJS as a component without any import but the host's.
//!
//! One instance runs one file. `init` evaluates the prelude and the file, and keeps them in a thread-local
//! [`Engine`]; `event` and `invoke` enter it. A handler that awaits something leaves the engine, so that other calls of
//! the same instance go on meanwhile; what it awaits is a task that enters the engine again when the host answers.
//!
//! Every entry into JavaScript goes through [`Engine::enter`]: it sets the deadline after which QuickJS interrupts
//! itself, and runs the jobs that became ready. The host has its own deadline behind this one, as it must not trust
//! what is in here; this one is earlier and knows the line.

mod calls;
mod deadline;
mod engine;
mod failure;
mod modules;
mod native;
mod text;

wit_bindgen::generate!({ world: "extension", path: "../wit" });

use std::cell::RefCell;
use std::rc::Rc;

use crate::engine::Engine;
use crate::exports::kit::extension::guest::Guest;
use crate::failure::Failure;
use crate::kit::extension::types::{Error, ErrorCode};

thread_local!(static ENGINE: RefCell<Option<Rc<Engine>>> = const { RefCell::new(None) });

/// The engine, once `init` made it.
fn engine() -> Option<Rc<Engine>> {
    ENGINE.with(|engine| engine.borrow().clone())
}

fn started() -> Result<Rc<Engine>, Error> {
    engine().ok_or_else(|| Failure::new(ErrorCode::Unavailable, "the extension is not loaded").into())
}

/// Runs once, when the component is built: every instance begins with the memory that this leaves. There is no host
/// here, so nothing may ask for the time.
#[unsafe(export_name = "wizer-initialize")]
extern "C" fn prepare() {
    // Without an engine `init` makes one itself and says what fails.
    if let Ok(prepared) = Engine::new() {
        ENGINE.with(|engine| *engine.borrow_mut() = Some(Rc::new(prepared)));
    }
    deadline::host_is_there();
}

/// The clock of QuickJS, in microseconds.
#[unsafe(no_mangle)]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    deadline::now_ms() as f64 * 1000.0
}

struct Extension;

impl Guest for Extension {
    async fn init(config: String) -> Result<String, Error> {
        let engine = match engine() {
            Some(prepared) => prepared,
            None => Rc::new(Engine::new()?),
        };
        ENGINE.with(|slot| *slot.borrow_mut() = Some(engine.clone()));
        Ok(engine.load(config).await?)
    }

    async fn event(name: String, payload: String) -> Result<String, Error> {
        Ok(started()?.call("event", &name, &payload).await?)
    }

    async fn invoke(kind: String, name: String, input: String) -> Result<String, Error> {
        Ok(started()?.call(&kind, &name, &input).await?)
    }

    async fn shutdown(_reason: String) {
        // The instance goes with everything in it; JavaScript has seen `session_shutdown`.
    }
}

export!(Extension);
