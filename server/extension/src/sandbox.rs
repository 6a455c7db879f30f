//! One guest in its sandbox: loading, calling, limits, restarts. It knows components and JSON texts, and nothing of
//! sessions.
//!
//! [`Engine`] is made when the first guest is loaded and compiles components once, into a cache on disk. A [`Guest`] is
//! an actor: a task that owns the WebAssembly store, keeps many calls in flight, and starts a fresh instance after a
//! crash. What the guest asks of its host arrives at a [`Host`].

mod actor;
mod bindings;
mod bucket;
mod cache;
mod calls;
mod engine;
mod fault;
mod limits;
mod meter;
mod queue;
mod store;
mod ticker;
mod wasi;

use futures::future::BoxFuture;

pub use actor::{Guest, Recipe};
pub(crate) use bucket::{Bucket, Token};
pub use engine::{Engine, Program};
pub use fault::{Failure, FailureCode, Fault, LoadError};
pub use limits::{Limits, Weight};

/// How loud a line of a guest's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For the author.
    Debug,
    /// Ordinary.
    Info,
    /// Something is odd.
    Warning,
    /// Something failed.
    Error,
}

/// What a call of a guest has, beside its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON in, JSON out.
    Text,
    /// Bytes in, bytes out, beside the JSON.
    Bytes(Vec<u8>),
}

/// The answer to a call of a guest: JSON, and bytes where the call had bytes.
pub type HostAnswer = Result<(String, Vec<u8>), Failure>;

/// What a guest asks of its host. Limits are enforced before anything arrives here.
pub trait Host: Send + Sync {
    /// A line of its log.
    fn log(&self, level: LogLevel, text: &str);
    /// Says something. Must return at once.
    fn notify(&self, method: &str, parameters: &str) -> Result<(), Failure>;
    /// Asks for what is known at once. Must return at once.
    fn get(&self, method: &str, parameters: &str) -> Result<String, Failure>;
    /// Asks for what may take long. Dropped when the guest crashes or the call is given up.
    fn call(&self, method: String, parameters: String, body: Body) -> BoxFuture<'static, HostAnswer>;
    /// Whether a method waits for a person, which does not count as the guest's time.
    fn waits_for_people(&self, method: &str) -> bool;
    /// Something failed that no caller learns: the handler of an event that nobody waits for, or the first of a flood of
    /// calls of a method.
    fn failed(&self, what: &str, fault: &Fault);
    /// The guest crashed and starts again, or, after too many crashes, does not.
    fn crashed(&self, why: &str, disabled: bool);
}
