//! One extension as its host sees it: who asks, for which session, and with which permit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::SessionId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::extensions::Extensions;
use crate::method;
use crate::permit::{Permit, SharedPermit};
use crate::sandbox::{Body, Failure, FailureCode, Fault, Host, HostAnswer, LogLevel};

/// One extension as its host sees it.
pub(crate) struct Caller {
    name: String,
    path: PathBuf,
    me: Weak<Caller>,
    hub: Weak<Extensions>,
    permit: SharedPermit,
    /// Defaults of its options, once it registered them.
    pub(crate) defaults: OnceLock<BTreeMap<String, String>>,
    /// The session that it was last told of.
    session: Mutex<Option<SessionId>>,
    /// What went wrong last; a flood of the same is told once.
    trouble: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct InSession {
    #[serde(default)]
    session: Option<String>,
}

impl Caller {
    pub(crate) fn new(name: String, path: PathBuf, hub: Weak<Extensions>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            name,
            path,
            me: Weak::clone(me),
            hub,
            permit: RwLock::new(Arc::new(Permit::new(kit_contract::Permissions::default()))),
            defaults: OnceLock::new(),
            session: Mutex::default(),
            trouble: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it may reach from now on.
    pub(crate) fn grant(&self, permissions: kit_contract::Permissions) {
        *self.permit.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Permit::new(permissions));
    }

    pub(crate) fn permit(&self) -> Arc<Permit> {
        Arc::clone(&self.permit.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// It is told something about a session.
    pub(crate) fn hears_of(&self, session: &SessionId) {
        let mut last = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(session) {
            *last = Some(session.clone());
        }
    }

    /// The session that parameters are about: the one that they name, else the one last heard of, else the current one.
    pub(crate) fn session(&self, hub: &Extensions, parameters: &str) -> Option<SessionId> {
        let named: Option<InSession> = serde_json::from_str(parameters).ok();
        named
            .and_then(|named| named.session)
            .filter(|session| !session.is_empty())
            .map(|session| SessionId::from(session.as_str()))
            .or_else(|| self.session.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .or_else(|| hub.current_session())
    }

    /// The last thing that went wrong.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Something of the extension failed: told to the log, and to the user where it is new. A crash is told as such, and
    /// why a guest is gone was told before.
    pub(crate) fn failed(&self, what: &str, fault: &Fault) {
        tracing::warn!(extension = self.name, what, %fault, "an extension failed");
        if matches!(fault, Fault::Crashed(_) | Fault::Gone) {
            return;
        }
        let text = format!("{what}: {fault}");
        // What floods fails in many places.
        let is_flood = matches!(fault, Fault::Failed(failure) if failure.code == FailureCode::RateLimited);
        if is_flood && self.trouble().is_some_and(|last| last.ends_with(&fault.to_string())) {
            return;
        }
        if self.note(&text)
            && let Some(hub) = self.hub.upgrade()
        {
            hub.report_failure(&self.name, &self.path, &text, fault);
        }
    }

    /// Keeps what went wrong; whether it is something else than before.
    pub(crate) fn note(&self, trouble: &str) -> bool {
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(trouble.to_owned()).as_deref() != Some(trouble)
    }
}

/// Reads parameters.
pub(crate) fn parse<P: DeserializeOwned>(method: &str, parameters: &str) -> Result<P, Failure> {
    let parameters = if parameters.is_empty() { "{}" } else { parameters };
    serde_json::from_str(parameters).map_err(|error| {
        Failure::new(FailureCode::Invalid, format!("the parameters of {method} are wrong: {error}"))
    })
}

impl Host for Caller {
    fn log(&self, level: LogLevel, text: &str) {
        let extension = self.name.as_str();
        match level {
            LogLevel::Debug => tracing::debug!(extension, "{text}"),
            LogLevel::Info => tracing::info!(extension, "{text}"),
            LogLevel::Warning => tracing::warn!(extension, "{text}"),
            LogLevel::Error => tracing::error!(extension, "{text}"),
        }
    }

    fn notify(&self, method: &str, parameters: &str) -> Result<(), Failure> {
        let hub = self.hub.upgrade().ok_or_else(gone)?;
        let answer = method::notify(&hub, self, method, parameters);
        if let Err(failure) = &answer
            && failure.code == FailureCode::RateLimited
        {
            Self::failed(self, method, &Fault::Failed(failure.clone()));
        }
        answer
    }

    fn get(&self, method: &str, parameters: &str) -> Result<String, Failure> {
        let hub = self.hub.upgrade().ok_or_else(gone)?;
        method::get(&hub, self, method, parameters)
    }

    fn call(&self, method: String, parameters: String, body: Body) -> BoxFuture<'static, HostAnswer> {
        let Some(hub) = self.hub.upgrade() else { return std::future::ready(Err(gone())).boxed() };
        let Some(caller) = self.me.upgrade() else { return std::future::ready(Err(gone())).boxed() };
        async move { method::call(&hub, &caller, &method, &parameters, body).await }.boxed()
    }

    fn waits_for_people(&self, method: &str) -> bool {
        matches!(
            method,
            "promptSelect" | "promptConfirm" | "promptInput" | "promptMultiSelect" | "showOverlay"
        )
    }

    fn failed(&self, what: &str, fault: &Fault) {
        Self::failed(self, what, fault);
    }

    fn crashed(&self, why: &str, disabled: bool) {
        if let Some(hub) = self.hub.upgrade() {
            hub.crashed(self, why, disabled);
        }
    }
}

fn gone() -> Failure {
    Failure::new(FailureCode::Unavailable, "the host of extensions has ended")
}
