//! Logins: which key a provider gets, where it is kept, and how it is obtained.
//!
//! A key of the settings or of the command line wins over a stored one, and a stored one over the environment; a status
//! says which of them it was. Any of them may be `cmd:` and a command line, whose output is then the key. Secrets are of a
//! type that cannot be printed, here and in everything that is returned.

mod command;
mod store;

use jiff::Timestamp;
use secrecy::SecretString;

pub(crate) use command::{resolve, run};
pub use store::{AuthError, Credential, Credentials};

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
    /// Where the key comes from that requests use; `None` when there is none.
    pub origin: Option<KeyOrigin>,
    /// Whether requests need a key at all.
    pub required: bool,
    /// The variables that may hold a key.
    pub variables: Vec<String>,
    /// When the stored login was made.
    pub created: Option<Timestamp>,
    /// When the stored login ends, if it is not a key without end.
    pub expires: Option<Timestamp>,
}

/// A key and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) secret: SecretString,
    pub(crate) origin: KeyOrigin,
}

impl KeyOrigin {
    /// The words for a sentence about the key.
    pub fn describe(&self) -> String {
        match self {
            Self::Setting => "provider-api-key".to_owned(),
            Self::Stored => "the stored login".to_owned(),
            Self::Environment(name) | Self::Account(name) => name.clone(),
        }
    }
}
