//! A login whose page and tokens are somebody else's business: opens the port, shows the page, and brings back the
//! address that the browser ended at.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::callback::Callback;
use super::error::AuthError;
use super::login::{LoginStep, LoginUi};
use super::proof::{Proof, Returned, read_pasted};

/// How long the user may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const PATH: &str = "/callback";

/// A port on this machine that waits for a browser.
pub struct BrowserErrand {
    callback: Callback,
}

impl BrowserErrand {
    /// Opens a port.
    pub async fn open() -> Result<Self, AuthError> {
        let callback = Callback::bind(0, PATH).await;
        let callback = callback.map_err(|error| AuthError::NoPort { reason: error.to_string() })?;
        Ok(Self { callback })
    }

    /// The address that the browser has to come back to.
    pub fn redirect(&self) -> String {
        self.callback.url()
    }

    /// Shows the page and waits for the browser, or for what the user pastes. `name` says what one logs in at.
    pub async fn run(
        self,
        name: &str,
        page: &str,
        ui: &dyn LoginUi,
        cancel: &CancellationToken,
    ) -> Result<SecretString, AuthError> {
        let provider = || name.to_owned();
        let url = page.parse::<Url>().ok();
        let state = url.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == "state"));
        let Some(state) = state.map(|(_, state)| state.into_owned()) else {
            let reason = "its page has no state that proves whose login comes back".to_owned();
            return Err(AuthError::Answer { provider: provider(), reason });
        };
        let proof = Proof { verifier: SecretString::from(String::new()), state: SecretString::from(state) };
        let redirect = self.redirect();
        ui.show(LoginStep::Browse { name: provider(), url: page.to_owned(), comes_back: true });
        let pasting = async {
            loop {
                let Some(text) = ui.paste(page).await else { return std::future::pending().await };
                match read_pasted(text.expose_secret()) {
                    Some(returned) if returned.is_of(&proof) => return returned,
                    Some(_) => ui.show(LoginStep::Retry { why: AuthError::OtherLogin.to_string() }),
                    None => ui.show(LoginStep::Retry { why: AuthError::NoCode.to_string() }),
                }
            }
        };
        let returned = async {
            tokio::select! {
                returned = self.callback.answer(&proof) => returned,
                returned = pasting => returned,
            }
        };
        let returned = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(AuthError::Cancelled { provider: provider() }),
            returned = tokio::time::timeout(PATIENCE, returned) => {
                returned.map_err(|_| AuthError::TimedOut { provider: provider() })?
            }
        };
        ui.show(LoginStep::Finishing);
        match returned {
            Returned::Code { code, issuer, state: _ } => {
                let Ok(mut back) = redirect.parse::<Url>() else { return Err(AuthError::NoCode) };
                back.query_pairs_mut()
                    .append_pair("code", code.expose_secret())
                    .append_pair("state", proof.state.expose_secret())
                    .extend_pairs(issuer.map(|issuer| ("iss", issuer)));
                Ok(SecretString::from(String::from(back)))
            }
            Returned::Refusal { error, .. } if error == "access_denied" => {
                Err(AuthError::Denied { provider: provider() })
            }
            Returned::Refusal { error, .. } => {
                Err(AuthError::Answer { provider: provider(), reason: crate::classify::sentence(&error) })
            }
        }
    }
}
