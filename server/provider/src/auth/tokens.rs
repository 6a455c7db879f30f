//! The current token of a login, renewed in time.
//!
//! Refresh tokens rotate: each is good once, and a second renewal with the same one ends the login. So there is one at a
//! time, within the process by a mutex and between processes by a file lock, and whoever gets the lock reads the file
//! again before it asks the provider. A renewal runs in a task of its own and is never given up half-way, because the
//! token that it brings must be stored even when nobody waits for it any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::AuthError;
use super::expiry::{is_due, is_valid};
use super::oauth::Grant;
use super::request::Endpoints;
use super::service::{Flow, Service};
use super::store::{Credential, Credentials};
use crate::http::Http;

/// The tokens of the logins in one file.
#[derive(Debug)]
pub(crate) struct Tokens {
    credentials: Credentials,
    http: Arc<Http>,
    renewals: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A token as a request carries it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) token: SecretString,
    /// The account at the provider, where requests have to name it.
    pub(crate) account: Option<String>,
}

impl Tokens {
    pub(crate) fn new(credentials: Credentials, http: Arc<Http>) -> Self {
        Self { credentials, http, renewals: Mutex::default() }
    }

    /// A token that is good for a while; `None` when there is no login. One that ends soon is renewed first; when that
    /// fails for a reason that may pass, the old one is used for as long as it lasts.
    pub(crate) async fn access(self: &Arc<Self>, service: &Service) -> Result<Option<Access>, AuthError> {
        let Some(stored) = self.stored(service).await? else { return Ok(None) };
        let now = Timestamp::now();
        if !stored.is_due(now) {
            return Ok(Some(stored.access()));
        }
        match self.renew(service, None).await {
            Err(error @ (AuthError::Unreachable { .. } | AuthError::Locked { .. }))
                if stored.is_valid(now) =>
            {
                tracing::info!(%error, provider = %service.provider, "the token is not renewed yet");
                Ok(Some(stored.access()))
            }
            renewed => renewed.map(Some),
        }
    }

    /// Another token than the one that the provider refused.
    pub(crate) async fn another(
        self: &Arc<Self>,
        service: &Service,
        refused: SecretString,
    ) -> Result<Access, AuthError> {
        self.renew(service, Some(refused)).await
    }

    async fn renew(
        self: &Arc<Self>,
        service: &Service,
        refused: Option<SecretString>,
    ) -> Result<Access, AuthError> {
        let (tokens, service) = (Arc::clone(self), service.clone());
        let provider = service.provider.clone().into_owned();
        let renewal = tokio::spawn(async move { tokens.renew_alone(&service, refused).await });
        renewal.await.unwrap_or_else(|error| {
            Err(AuthError::Unreachable { provider, reason: format!("its renewal broke: {error}") })
        })
    }

    async fn renew_alone(
        &self,
        service: &Service,
        refused: Option<SecretString>,
    ) -> Result<Access, AuthError> {
        let turn = {
            let mut renewals = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(renewals.entry(service.provider.clone().into_owned()).or_default())
        };
        let _alone_here = turn.lock().await;
        let _alone_everywhere = self.credentials.lock_renewal(&service.provider).await?;
        let Some(stored) = self.stored(service).await? else {
            let reason = "it was removed meanwhile".to_owned();
            return Err(AuthError::Ended { provider: service.provider.clone().into_owned(), reason });
        };
        let other = refused.as_ref().is_some_and(|refused| {
            refused.expose_secret() != stored.access.expose_secret() && stored.is_valid(Timestamp::now())
        });
        // Somebody else has renewed it while this one waited.
        if other || (refused.is_none() && !stored.is_due(Timestamp::now())) {
            return Ok(stored.access());
        }
        let (used, renewed) = match self.ask(service, &stored.refresh).await {
            Ok(renewed) => (stored, renewed),
            Err(ended @ AuthError::Ended { .. }) => {
                // Upstream Kit renews without our lock: its new token may be there by now.
                match self.stored(service).await?.filter(|current| !current.is_same(&stored)) {
                    Some(current) if current.is_valid(Timestamp::now()) => return Ok(current.access()),
                    Some(current) => {
                        let renewed = self.ask(service, &current.refresh).await?;
                        (current, renewed)
                    }
                    None => return Err(ended),
                }
            }
            Err(error) => return Err(error),
        };
        let renewed = Stored { account: renewed.account.or(used.account), ..renewed };
        let (refresh, credential) = (used.refresh, renewed.credential());
        self.file(service, move |file, provider| file.renew(provider, &refresh, &credential)).await?;
        Ok(renewed.access())
    }

    async fn ask(&self, service: &Service, refresh: &SecretString) -> Result<Stored, AuthError> {
        let endpoints = Endpoints { http: &self.http, service };
        let provider = || service.provider.clone().into_owned();
        if refresh.expose_secret().is_empty() {
            let reason = "nothing is stored that could renew it".to_owned();
            return Err(AuthError::Ended { provider: provider(), reason });
        }
        let now = Timestamp::now();
        let renewed = match &service.flow {
            Flow::Device { exchange_url: Some(_), .. } => endpoints.exchange(refresh, now).await,
            Flow::Device { exchange_url: None, .. } | Flow::Browser { .. } => {
                endpoints.token(Grant::Refresh { token: refresh }, now).await
            }
        };
        Stored::of(renewed?).ok_or_else(|| endpoints.answer("it sent no token"))
    }

    async fn stored(&self, service: &Service) -> Result<Option<Stored>, AuthError> {
        let stored = self.file(service, |file, provider| file.get(provider)).await?;
        Ok(stored.and_then(Stored::of))
    }

    /// Works on the file, which may mean to wait for a lock or for the system keychain.
    async fn file<T: Send + 'static>(
        &self,
        service: &Service,
        work: impl FnOnce(&Credentials, &str) -> Result<T, AuthError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let (credentials, provider) = (self.credentials.clone(), service.provider.clone());
        let done = tokio::task::spawn_blocking(move || work(&credentials, &provider)).await;
        done.unwrap_or_else(|error| {
            let error = std::io::Error::other(error);
            Err(AuthError::File { path: self.credentials.path().to_owned(), error })
        })
    }
}

/// The tokens of a login, taken apart.
struct Stored {
    access: SecretString,
    refresh: SecretString,
    expires: Option<Timestamp>,
    account: Option<String>,
    created: Option<Timestamp>,
}

impl Stored {
    fn of(credential: Credential) -> Option<Self> {
        match credential {
            Credential::Tokens { access, refresh, expires, account, created } => {
                Some(Self { access, refresh, expires, account, created })
            }
            Credential::ApiKey { .. } => None,
        }
    }

    fn credential(&self) -> Credential {
        Credential::Tokens {
            access: self.access.clone(),
            refresh: self.refresh.clone(),
            expires: self.expires,
            account: self.account.clone(),
            created: self.created,
        }
    }

    /// A login at GitHub may not have been exchanged for a token yet.
    fn is_due(&self, now: Timestamp) -> bool {
        self.access.expose_secret().is_empty() || is_due(self.expires, now)
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        !self.access.expose_secret().is_empty() && is_valid(self.expires, now)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.refresh.expose_secret() == other.refresh.expose_secret()
            && self.access.expose_secret() == other.access.expose_secret()
    }

    fn access(&self) -> Access {
        Access { token: self.access.clone(), account: self.account.clone() }
    }
}
