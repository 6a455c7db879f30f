//! Logins: which key a provider gets, where it is kept, and how it is obtained.
//!
//! A key of the settings or of the command line wins over a stored login, and that over the environment; a status says
//! which of them it was. Any key may be `cmd:` and a command line, whose output is then the key. A stored login is a key or
//! the tokens of an account, which are renewed in time. Secrets are of a type that cannot be printed, here and in
//! everything that is returned.
//!
//! `service` has the providers with accounts as data, `login` the steps of a login, `proof`, `callback` and `device` their
//! parts, and `errand` those of a login whose tokens are not ours; `oauth` and `request` speak to the endpoints; `store` is
//! the file as `private` keeps it, `keychain` its other place, `tokens` keeps what is stored current, and `account` and
//! `dress` bring it into requests.

mod account;
mod callback;
mod command;
mod device;
mod drawer;
mod dress;
mod errand;
mod error;
mod expiry;
mod keychain;
mod login;
mod oauth;
mod private;
mod proof;
mod request;
mod service;
mod store;
mod tokens;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

pub(crate) use account::Account;
pub(crate) use command::{resolve, run};
pub use drawer::Drawer;
pub(crate) use dress::Dress;
pub use errand::BrowserErrand;
pub use error::AuthError;
pub use login::{LoginStep, LoginUi};
pub(crate) use service::{Flow, Service};
pub(crate) use store::Kind;
pub use store::{Credential, Credentials};
pub(crate) use tokens::Tokens;

use crate::http::Http;

/// Where the key of a provider comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// The setting `provider-api-key` or its flag.
    Setting,
    /// The credentials file.
    Stored,
    /// The environment variable of that name.
    Environment(String),
    /// An account of another program or of the machine, by what it is called.
    Account(String),
}

/// The login at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginStatus {
    /// The provider's id.
    pub provider: String,
    /// The provider's name for people.
    pub name: String,
    /// Where the key or token comes from that requests use; `None` when there is none.
    pub origin: Option<KeyOrigin>,
    /// Whether requests need a key at all.
    pub required: bool,
    /// The variables that may hold a key.
    pub variables: Vec<String>,
    /// What is stored, whether it is used or not.
    pub stored: Option<StoredLogin>,
    /// The account that one can log in with, where the provider has such logins.
    pub account: Option<AccountLogin>,
}

/// A stored login, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogin {
    /// A key, or the tokens of an account.
    pub kind: LoginKind,
    /// The secrets are in the system keychain, and the rest in the file.
    pub in_keychain: bool,
    /// The account's id at the provider, where it has one.
    pub account: Option<String>,
    /// When the login was made.
    pub created: Option<Timestamp>,
    /// When its token ends; it is renewed before that.
    pub expires: Option<Timestamp>,
}

/// What one logs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginKind {
    /// A key that is stored.
    Key,
    /// An account, such as a subscription.
    Account,
}

/// How one can log in with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLogin {
    /// What people call the account.
    pub name: String,
    /// Whether the account is the only way in, because the provider knows no keys.
    pub only_way: bool,
    /// Why such a login is refused as long as the user has not allowed it, and how to allow it.
    pub refusal: Option<String>,
}

/// Makes a login with an account and stores it.
pub(crate) async fn log_in(
    http: &Http,
    service: &Service,
    credentials: &Credentials,
    ui: &dyn LoginUi,
    cancel: &CancellationToken,
) -> Result<(), AuthError> {
    let made = login::log_in(http, service, ui, cancel).await?;
    let (credentials, provider) = (credentials.clone(), service.provider.clone());
    let path = credentials.path().to_owned();
    let stored = tokio::task::spawn_blocking(move || credentials.log_in(&provider, &made)).await;
    stored.unwrap_or_else(|error| Err(AuthError::File { path, error: std::io::Error::other(error) }))
}

/// A key and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) secret: SecretString,
    pub(crate) origin: KeyOrigin,
}

/// What a sentence calls a stored key.
const STORED: &str = "the stored login";
/// How a sentence begins to call the login with an account.
const ACCOUNT: &str = "the login at ";

/// Whether what a sentence calls the source of a key is something that one logs in for.
pub(crate) fn is_login(source: &str) -> bool {
    source == STORED || source.starts_with(ACCOUNT)
}

impl KeyOrigin {
    /// The words for a sentence about the key.
    pub fn describe(&self) -> String {
        match self {
            Self::Setting => "provider-api-key".to_owned(),
            Self::Stored => STORED.to_owned(),
            Self::Environment(name) | Self::Account(name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
