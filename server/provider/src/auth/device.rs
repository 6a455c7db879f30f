//! The device flow (RFC 8628): the user types a short code on a page of the provider while we ask whether it happened.
//!
//! The first question comes after one interval, never before. `slow_down` makes the interval longer for good, by five
//! seconds or to what the provider says if that is more. A failure of the connection or the server, or an answer that is
//! no JSON, is no failure of the login: the next question comes after twice the wait, until the code has ended.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::error::AuthError;
use super::expiry;
use super::request::{Endpoints, Reply};
use super::service::{Encoding, Flow};
use super::store::Credential;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The interval of a provider that names none.
const USUAL_INTERVAL: Duration = Duration::from_secs(5);
/// How much slower `slow_down` makes us at least.
const SLOWER: Duration = Duration::from_secs(5);
/// The longest interval; a provider that wants more is asked this often.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// How long a login may take, however long its code is good.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// What the user has to do.
#[derive(Clone, Debug)]
pub(super) struct Code {
    device: SecretString,
    /// What the user types.
    pub(super) user: String,
    /// Where.
    pub(super) url: String,
    /// The same page with the code filled in, where the provider has one.
    pub(super) filled_url: Option<String>,
    interval: Duration,
    deadline: Timestamp,
}

/// Time as a login sees it, so that tests need not wait.
pub(super) trait Pace: Send + Sync {
    fn now(&self) -> Timestamp;
    fn pause(&self, duration: Duration) -> BoxFuture<'_, ()>;
}

/// Real time.
pub(super) struct RealPace;

impl Pace for RealPace {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn pause(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// What one question brought.
enum Poll {
    Done(Credential),
    /// Not yet.
    Pending,
    /// Not yet, and not so often.
    SlowDown(Option<Duration>),
    /// It could not be asked.
    Failed(AuthError),
}

impl Endpoints<'_> {
    /// Asks for a code.
    pub(super) async fn device_code(&self, now: Timestamp) -> Result<Code, AuthError> {
        let Flow::Device { device_url, .. } = &self.service.flow else {
            return Err(self.answer("it has no codes for devices"));
        };
        let fields = [("client_id", self.service.client_id.as_ref()), ("scope", &self.service.scopes)];
        let reply = self.post(device_url, Encoding::Form, &fields).await?;
        let text = |field: &str| reply.text(field).map(str::to_owned);
        // Google and others that are older than the standard call the page so.
        let url = text("verification_uri").or_else(|| text("verification_url"));
        let (Some(device), Some(user), Some(url)) = (text("device_code"), text("user_code"), url) else {
            return Err(if reply.is_transient() {
                self.unreachable(reply.reason())
            } else {
                self.answer(reply.reason())
            });
        };
        let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if !web(&url) {
            return Err(self.answer("its page for the code is no web page"));
        }
        let lasts = reply.field("expires_in").and_then(expiry::seconds).filter(|lasts| !lasts.is_zero());
        let deadline = now.checked_add(lasts.map_or(LONGEST, |lasts| lasts.min(LONGEST)));
        Ok(Code {
            device: SecretString::from(device),
            user,
            url,
            filled_url: text("verification_uri_complete").filter(web),
            interval: interval(&reply).unwrap_or(USUAL_INTERVAL),
            deadline: deadline.unwrap_or(Timestamp::MAX),
        })
    }

    /// Asks until the user has typed the code, refused, or let it end.
    pub(super) async fn wait_for_device(
        &self,
        code: &Code,
        pace: &dyn Pace,
        cancel: &CancellationToken,
    ) -> Result<Credential, AuthError> {
        let mut interval = code.interval;
        let mut wait = interval;
        let mut failure = None;
        loop {
            let left = Duration::try_from(code.deadline.duration_since(pace.now())).unwrap_or_default();
            if left.is_zero() {
                let timed_out = || AuthError::TimedOut { provider: self.provider() };
                return Err(failure.unwrap_or_else(timed_out));
            }
            let polled = async {
                pace.pause(wait.min(left)).await;
                self.poll(code, pace.now()).await
            };
            let polled = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(AuthError::Cancelled { provider: self.provider() }),
                polled = polled => polled?,
            };
            failure = None;
            match polled {
                Poll::Done(credential) => return Ok(credential),
                Poll::Pending => wait = interval,
                Poll::SlowDown(told) => {
                    interval = told.unwrap_or_default().max(interval + SLOWER).min(LONGEST_INTERVAL);
                    wait = interval;
                }
                Poll::Failed(error) => {
                    tracing::debug!(%error, "the login could not be asked for");
                    failure = Some(error);
                    wait = (wait * 2).min(LONGEST_INTERVAL);
                }
            }
        }
    }

    async fn poll(&self, code: &Code, now: Timestamp) -> Result<Poll, AuthError> {
        let fields = [
            ("client_id", self.service.client_id.as_ref()),
            ("device_code", code.device.expose_secret()),
            ("grant_type", GRANT),
        ];
        let reply = match self.post(&self.service.token_url, Encoding::Form, &fields).await {
            Ok(reply) => reply,
            Err(error @ AuthError::Unreachable { .. }) => return Ok(Poll::Failed(error)),
            Err(error) => return Err(error),
        };
        if reply.text("access_token").is_some() {
            return self.credential(&reply, None, now).map(Poll::Done);
        }
        // GitHub answers errors with 200, others with 400: the code of the error decides.
        match reply.error() {
            Some("authorization_pending") => Ok(Poll::Pending),
            Some("slow_down") => Ok(Poll::SlowDown(interval(&reply))),
            Some("expired_token") => Err(AuthError::CodeExpired { provider: self.provider() }),
            Some("access_denied") => Err(AuthError::Denied { provider: self.provider() }),
            _ if reply.is_transient() || reply.body.is_none() => {
                Ok(Poll::Failed(self.unreachable(reply.reason())))
            }
            Some(_) | None => Err(self.answer(reply.reason())),
        }
    }
}

fn interval(reply: &Reply) -> Option<Duration> {
    let told = reply.field("interval").and_then(expiry::seconds)?;
    let told = Duration::try_from(told).ok().filter(|told| !told.is_zero())?;
    Some(told.min(LONGEST_INTERVAL))
}
