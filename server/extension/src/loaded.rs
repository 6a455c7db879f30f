//! A loaded extension: its guest, what it registered, and how long its handlers may take.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit_contract::{CompleteInvocation, OnError, Permissions, Registration};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::caller::Caller;
use crate::sandbox::{Failure, FailureCode, Fault, Guest, Weight};

/// How long the turn waits for a handler.
pub(crate) const INTERCEPT: Duration = Duration::from_secs(5);
/// How long a handler of an observed event may take.
pub(crate) const OBSERVE: Duration = Duration::from_secs(30);
/// How long a tool or command may take.
pub(crate) const TOOL: Duration = Duration::from_mins(10);
/// How long a renderer may take. Nobody waits for it, and what comes later is not shown.
pub(crate) const RENDER: Duration = Duration::from_secs(1);
/// How long whoever types waits for a completion.
pub(crate) const COMPLETE: Duration = Duration::from_millis(250);

/// A loaded extension.
pub(crate) struct Loaded {
    /// Its name.
    pub(crate) name: String,
    /// Its main file.
    pub(crate) path: PathBuf,
    /// The hash of its content.
    pub(crate) hash: String,
    /// What it registered.
    pub(crate) registration: Registration,
    /// What it asks for.
    pub(crate) asks: Permissions,
    /// Its side of the host.
    pub(crate) caller: Arc<Caller>,
    guest: Guest,
    /// Its tools that models are offered; one whose name another tool has is not among them.
    offered: Mutex<BTreeSet<String>>,
    disabled: AtomicBool,
}

impl Loaded {
    pub(crate) fn new(
        path: PathBuf,
        hash: String,
        registration: Registration,
        asks: Permissions,
        caller: Arc<Caller>,
        guest: Guest,
    ) -> Self {
        let name = caller.name().to_owned();
        let (offered, disabled) = (Mutex::default(), AtomicBool::new(false));
        Self { name, path, hash, registration, asks, caller, guest, offered, disabled }
    }

    /// What follows from a failure of its handler of an event; `None` when it has none.
    pub(crate) fn handles(&self, event: &str) -> Option<OnError> {
        self.registration
            .events
            .iter()
            .find(|subscription| subscription.name == event)
            .map(|found| found.on_error)
    }

    /// Asks its handler of an event.
    pub(crate) async fn intercept(&self, name: &Arc<str>, payload: &Arc<str>) -> Result<String, Fault> {
        let answer = self.guest.event(name, payload, INTERCEPT).await;
        if let Err(fault) = &answer {
            self.caller.failed(name, fault);
        }
        answer
    }

    /// Tells it an event.
    pub(crate) fn observe(&self, name: &Arc<str>, payload: &Arc<str>) {
        self.guest.notify(name, payload, OBSERVE);
    }

    /// Tells it an event and waits for its handler.
    pub(crate) async fn tell(&self, name: &Arc<str>, payload: &Arc<str>) -> Result<String, Fault> {
        let answer = self.guest.event(name, payload, OBSERVE).await;
        if let Err(fault) = &answer {
            self.caller.failed(name, fault);
        }
        answer
    }

    /// Invokes a tool or command.
    pub(crate) async fn invoke<I: Serialize, O: DeserializeOwned>(
        &self,
        kind: &'static str,
        name: &str,
        input: &I,
    ) -> Result<O, Fault> {
        self.call(kind, name, input, Weight::Heavy, TOOL).await
    }

    /// Completes what is typed behind a command.
    pub(crate) async fn complete(
        &self,
        name: &str,
        input: &CompleteInvocation,
    ) -> Result<Vec<String>, Fault> {
        self.call("complete", name, input, Weight::Light, COMPLETE).await
    }

    /// Invokes a renderer.
    pub(crate) async fn render<I: Serialize, O: DeserializeOwned>(
        &self,
        kind: &'static str,
        name: &str,
        input: &I,
    ) -> Result<O, Fault> {
        self.call(kind, name, input, Weight::Light, RENDER).await
    }

    async fn call<I: Serialize, O: DeserializeOwned>(
        &self,
        kind: &'static str,
        name: &str,
        input: &I,
        weight: Weight,
        limit: Duration,
    ) -> Result<O, Fault> {
        let invalid = |error: serde_json::Error| {
            Fault::Failed(Failure::new(
                FailureCode::Invalid,
                format!("{kind} {name} answered something else: {error}"),
            ))
        };
        let input = serde_json::to_string(input).map_err(invalid)?;
        let answer = self.guest.invoke(kind, name, input, weight, limit).await;
        if let Err(fault) = &answer {
            self.caller.failed(&format!("{kind} {name}"), fault);
        }
        let answer = answer?;
        // Some outputs are nothing, which an extension may say as no text at all.
        serde_json::from_str(if answer.is_empty() { "null" } else { &answer }).map_err(invalid)
    }

    /// Waits until its handlers, tools and commands are done.
    pub(crate) async fn settled(&self) {
        self.guest.settled().await;
    }

    /// Ends it.
    pub(crate) async fn shut_down(&self, reason: &'static str) {
        self.guest.shut_down(reason).await;
        let dropped = self.guest.dropped_notifications();
        if dropped > 0 {
            tracing::warn!(extension = self.name, dropped, "an extension was too slow for some events");
        }
    }

    /// Its tools that models are offered.
    pub(crate) fn offered(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It crashed too often and takes part in nothing any more.
    pub(crate) fn disable(&self) {
        self.disabled.store(true, Ordering::Release);
    }

    /// Whether it crashed too often.
    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled.load(Ordering::Acquire)
    }
}
