//! Making a login: the steps of each flow, in order, with whoever talks to the user behind a port.
//!
//! A browser login opens a port on this machine, shows the provider's page and takes the code from whichever comes first:
//! the browser, or what the user pastes. Where no port can be opened, only pasting is left. A device login shows a code and
//! asks until it was typed. Nothing is stored before the provider has given its tokens, and a login that is cancelled or
//! fails leaves what was there before.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::callback::Callback;
use super::device::{Pace, RealPace};
use super::error::AuthError;
use super::oauth::Grant;
use super::proof::{Proof, Returned, read_pasted};
use super::request::Endpoints;
use super::service::{Flow, Redirect, Service};
use super::store::Credential;
use crate::http::Http;

/// How long a browser login may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What a login shows and asks, implemented by a terminal, an editor or a test.
pub trait LoginUi: Send + Sync {
    /// Shows a step; returns at once.
    fn show(&self, step: LoginStep);

    /// Waits for what the user pastes. `None` when nothing will come; a login with another way goes on then.
    fn paste(&self, page: &str) -> BoxFuture<'_, Option<SecretString>>;
}

/// A step of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// The user logs in on a page, in a browser.
    Browse {
        /// What one logs in with.
        name: String,
        /// The page.
        url: String,
        /// Whether the browser reports back by itself; otherwise what the page shows must be pasted.
        comes_back: bool,
    },
    /// The user types a code on a page, on any device.
    Enter {
        /// What one logs in with.
        name: String,
        /// The code.
        code: String,
        /// The page.
        url: String,
        /// The page with the code filled in, or the same one.
        filled_url: String,
    },
    /// What was pasted is no answer to this login; the user may paste again.
    Retry {
        /// One sentence.
        why: String,
    },
    /// The user has done their part.
    Finishing,
}

/// Makes a login and returns its tokens.
pub(super) async fn log_in(
    http: &Http,
    service: &Service,
    ui: &dyn LoginUi,
    cancel: &CancellationToken,
) -> Result<Credential, AuthError> {
    let endpoints = Endpoints { http, service };
    let steps = async {
        match &service.flow {
            Flow::Browser { authorize_url, parameters, redirect } => {
                browse(endpoints, authorize_url, parameters, redirect, ui).await
            }
            Flow::Device { exchange_url, .. } => {
                let account = enter(endpoints, ui, &RealPace, cancel).await?;
                match (exchange_url, account) {
                    (Some(_), Credential::Tokens { access, .. }) => {
                        endpoints.exchange(&access, Timestamp::now()).await
                    }
                    (_, account) => Ok(account),
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(AuthError::Cancelled { provider: endpoints.provider() }),
        made = steps => made,
    }
}

async fn enter(
    endpoints: Endpoints<'_>,
    ui: &dyn LoginUi,
    pace: &dyn Pace,
    cancel: &CancellationToken,
) -> Result<Credential, AuthError> {
    let code = endpoints.device_code(pace.now()).await?;
    ui.show(LoginStep::Enter {
        name: endpoints.service.name.clone().into_owned(),
        code: code.user.clone(),
        url: code.url.clone(),
        filled_url: code.filled_url.clone().unwrap_or_else(|| code.url.clone()),
    });
    let made = endpoints.wait_for_device(&code, pace, cancel).await?;
    ui.show(LoginStep::Finishing);
    Ok(made)
}

async fn browse(
    endpoints: Endpoints<'_>,
    page: &str,
    parameters: &[(&str, &str)],
    redirect: &Redirect,
    ui: &dyn LoginUi,
) -> Result<Credential, AuthError> {
    let service = endpoints.service;
    let proof = Proof::random(service)?;
    let callback = match Callback::bind(redirect.port, redirect.path).await {
        Ok(callback) => Some(callback),
        Err(error) => {
            tracing::info!(%error, port = redirect.port, "the browser cannot come back to this machine");
            None
        }
    };
    let back = match (&callback, redirect.page) {
        (Some(callback), _) => callback.url(),
        (None, Some(page)) => page.to_owned(),
        // The browser shows an error then, but its address bar has the code.
        (None, None) => format!("http://localhost:{}{}", redirect.port, redirect.path),
    };
    let url = proof.authorize_url(service, page, parameters, &back)?;
    ui.show(LoginStep::Browse {
        name: service.name.clone().into_owned(),
        url: url.to_string(),
        comes_back: callback.is_some(),
    });
    let pasting = pasted(endpoints, &proof, url.as_str(), callback.is_some(), ui);
    let comes_back = async {
        match callback {
            Some(callback) => callback.answer(&proof).await,
            None => std::future::pending().await,
        }
    };
    let returned = async {
        tokio::select! {
            returned = comes_back => Ok(returned),
            pasted = pasting => pasted,
        }
    };
    let timed_out = || AuthError::TimedOut { provider: endpoints.provider() };
    let returned = tokio::time::timeout(PATIENCE, returned).await.map_err(|_| timed_out())??;
    ui.show(LoginStep::Finishing);
    match returned {
        Returned::Code { code, .. } => {
            let grant =
                Grant::Code { code: &code, state: &proof.state, verifier: &proof.verifier, redirect: &back };
            endpoints.token(grant, Timestamp::now()).await
        }
        Returned::Refusal { error, .. } if error == "access_denied" => {
            Err(AuthError::Denied { provider: endpoints.provider() })
        }
        Returned::Refusal { error, .. } => Err(endpoints.answer(crate::classify::sentence(&error))),
    }
}

/// What the user pastes, once it is an answer to this login.
async fn pasted(
    endpoints: Endpoints<'_>,
    proof: &Proof,
    page: &str,
    comes_back: bool,
    ui: &dyn LoginUi,
) -> Result<Returned, AuthError> {
    loop {
        let Some(text) = ui.paste(page).await else {
            if comes_back {
                // The time limit is that of the whole login.
                return std::future::pending().await;
            }
            return Err(AuthError::Cancelled { provider: endpoints.provider() });
        };
        let why = match read_pasted(text.expose_secret()) {
            Some(returned) if returned.is_of(proof) => return Ok(returned),
            Some(_) => AuthError::OtherLogin,
            None => AuthError::NoCode,
        };
        tracing::info!(%why, provider = %endpoints.service.provider, "what was pasted is of no use");
        ui.show(LoginStep::Retry { why: why.to_string() });
    }
}
