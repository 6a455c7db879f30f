//! Logins at remote servers: OAuth with PKCE, where the server says who gives tokens and registers this client by itself.
//!
//! A login belongs to an address, not to a name: a project that gives a known name another address gets no token of the
//! old one. What is stored is opened by the address alone and renewed under a lock that all processes take.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use kit_protocol::Secret;
use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationRequest, CredentialRefreshGuard, CredentialStore,
    OAuthClientConfig, OAuthState, StoredCredentials,
};

use super::config::LoginConfig;
use super::hub::HttpClients;
use super::remote::Web;

/// The name under which this client registers.
const CLIENT_NAME: &str = "Kit";

/// Where logins are kept. The text is JSON and secret.
pub trait LoginStore: Send + Sync {
    /// What is stored for an address.
    fn load(&self, address: &str) -> Result<Option<Secret>, String>;
    /// Stores it.
    fn save(&self, address: &str, login: &Secret) -> Result<(), String>;
    /// Forgets it and tells whether there was something.
    fn remove(&self, address: &str) -> Result<bool, String>;
    /// Keeps other processes from renewing the login until the result is dropped.
    fn lock<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<StoreLock, String>>;
}

/// Held while a login is renewed.
pub struct StoreLock(Box<dyn Send>);

impl StoreLock {
    /// Whatever releases the lock when it is dropped.
    pub fn new(lock: impl Send + 'static) -> Self {
        Self(Box::new(lock))
    }
}

/// The login of one address.
pub(super) struct Stored {
    pub(super) store: Arc<dyn LoginStore>,
    pub(super) address: String,
}

#[async_trait]
impl CredentialStore for Stored {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        let text = self.store.load(&self.address).map_err(AuthError::CredentialStoreError)?;
        // What is no login any more is as good as none: the user logs in again.
        Ok(text.and_then(|text| serde_json::from_str(text.expose()).ok()))
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        let text = serde_json::to_string(&credentials)
            .map_err(|_| AuthError::CredentialStoreError("the login is no JSON".to_owned()))?;
        self.store.save(&self.address, &Secret::from(text)).map_err(AuthError::CredentialStoreError)
    }

    async fn clear(&self) -> Result<(), AuthError> {
        self.store.remove(&self.address).map(drop).map_err(AuthError::CredentialStoreError)
    }

    async fn acquire_refresh_guard(&self) -> Result<Option<CredentialRefreshGuard>, AuthError> {
        let StoreLock(lock) =
            self.store.lock(&self.address).await.map_err(AuthError::CredentialStoreError)?;
        Ok(Some(CredentialRefreshGuard::new(lock)))
    }
}

/// Whoever has the tokens of an address.
pub(super) async fn manager(
    address: &str,
    http: &HttpClients,
    store: &Arc<dyn LoginStore>,
) -> Result<AuthorizationManager, AuthError> {
    let web = Arc::new(Web::new(Arc::clone(http)));
    let mut manager = AuthorizationManager::new_with_oauth_http_client(address, web).await?;
    manager.set_credential_store(Stored { store: Arc::clone(store), address: address.to_owned() });
    Ok(manager)
}

/// The same with the stored login, if there is one.
pub(super) async fn logged_in(
    address: &str,
    config: &LoginConfig,
    http: &HttpClients,
    store: &Arc<dyn LoginStore>,
) -> Result<AuthorizationManager, AuthError> {
    let mut manager = manager(address, http, store).await?;
    let is_known = manager.initialize_from_store().await?;
    if let (true, Some(id), Some(secret)) = (is_known, &config.client_id, &config.client_secret) {
        let client = OAuthClientConfig::new(id.clone(), address).with_client_secret(secret.expose());
        manager.configure_client(client)?;
    }
    Ok(manager)
}

/// A login that waits for the user.
pub struct LoginPage {
    url: String,
    state: OAuthState,
}

impl LoginPage {
    /// Finds out who gives tokens for the address, and makes the page where the user logs in.
    pub(super) async fn open(
        address: &str,
        config: &LoginConfig,
        challenge: Option<String>,
        redirect: &str,
        http: &HttpClients,
        store: &Arc<dyn LoginStore>,
    ) -> Result<Self, String> {
        let manager = manager(address, http, store).await.map_err(|error| sentence(&error))?;
        let mut state = OAuthState::Unauthorized(manager);
        let mut request = AuthorizationRequest::new(redirect).with_client_name(CLIENT_NAME);
        if !config.scopes.is_empty() {
            request = request.with_scopes(config.scopes.clone());
        } else {
            request = request.with_initial_scope_selection();
        }
        if let Some(id) = &config.client_id {
            request = request.with_preregistered_client(id.clone());
            if let Some(secret) = &config.client_secret {
                request = request.with_client_secret(secret.expose());
            }
        }
        if let Some(challenge) = challenge {
            request = request.with_challenge(challenge);
        }
        state.start_authorization(request).await.map_err(|error| sentence(&error))?;
        let url = state.get_authorization_url().await.map_err(|error| sentence(&error))?;
        Ok(Self { url, state })
    }

    /// The page.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gets and stores the tokens for the address that the browser came back to.
    pub async fn finish(mut self, returned: &Secret) -> Result<(), String> {
        self.state.handle_callback_url(returned.expose()).await.map_err(|error| sentence(&error))
    }
}

/// What an error says to people, with the cause that the library keeps behind it.
pub(super) fn sentence(error: &AuthError) -> String {
    match error {
        AuthError::RegistrationFailed(why) => format!(
            "the login server does not register this client ({why}); set `oauthClientId` in the settings of the server"
        ),
        AuthError::NoAuthorizationSupport => "the server names nobody who gives logins".to_owned(),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            crate::caps::line(&text, 500).into_owned()
        }
    }
}
