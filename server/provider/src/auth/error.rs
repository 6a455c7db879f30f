//! Why a login cannot be read, made or used: one sentence that names the mend.

use std::io;
use std::path::PathBuf;

use kit_protocol::ErrorKind;
use thiserror::Error;

use crate::error::ModelError;

/// Why a login cannot be read, made or used.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The file or its folder cannot be read or written.
    #[error("the logins in {path} cannot be used: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is not what a login writes.
    #[error("the logins in {path} are damaged ({reason}); mend the file or delete it and log in again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process keeps the logins locked.
    #[error("the logins in {path} are in use by another process; try again when it has ended")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The system keychain does not do what is asked.
    #[error(
        "the system keychain cannot be used ({reason}); unlock it, or set credential-store to file and log in again"
    )]
    Keychain {
        /// What it says.
        reason: String,
    },
    /// The text cannot be a key of the provider.
    #[error("this is no key of {provider}: {reason}; copy it again from where the provider shows it")]
    Key {
        /// The provider.
        provider: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The provider has no accounts that one can log in with.
    #[error("{provider} takes keys and no logins; store one with `kit-ls auth login {provider}`")]
    NoAccounts {
        /// The provider.
        provider: String,
    },
    /// It would bear another product's name, and the user has not allowed that.
    #[error(
        "a login with {service} is refused: {risk}; to accept that, add {provider} to the setting borrowed-identity"
    )]
    NotPermitted {
        /// What people call the account.
        service: String,
        /// The provider.
        provider: String,
        /// What happens and what may follow.
        risk: &'static str,
    },
    /// The user or the provider said no.
    #[error("the login at {provider} was denied; start it again and allow the access there")]
    Denied {
        /// The provider.
        provider: String,
    },
    /// The provider's code ended before it was entered.
    #[error("the code of {provider} expired before it was entered; start the login again")]
    CodeExpired {
        /// The provider.
        provider: String,
    },
    /// Nobody finished the login in time.
    #[error("timed out waiting for the login at {provider}; start it again")]
    TimedOut {
        /// The provider.
        provider: String,
    },
    /// The login was given up.
    #[error("the login at {provider} was cancelled; nothing was changed")]
    Cancelled {
        /// The provider.
        provider: String,
    },
    /// What came back does not belong to this login.
    #[error(
        "what was pasted belongs to another login (its state differs); start again and use the new address"
    )]
    OtherLogin,
    /// What was pasted holds no code.
    #[error("no code is in what was pasted; paste the whole address of the page or the code that it shows")]
    NoCode,
    /// The browser cannot come back to this machine.
    #[error("no port can be opened for the browser to come back to: {reason}")]
    NoPort {
        /// What the system says.
        reason: String,
    },
    /// The provider does not take the login any more.
    #[error("the login at {provider} has ended ({reason}); log in again with `kit-ls auth login {provider}`")]
    Ended {
        /// The provider.
        provider: String,
        /// What the provider says.
        reason: String,
    },
    /// The provider's answer is not what the standard or its documentation says.
    #[error(
        "{provider} refused or garbled the login ({reason}); try again later, and check its addresses in the settings"
    )]
    Answer {
        /// The provider.
        provider: String,
        /// What is wrong.
        reason: String,
    },
    /// The provider cannot be reached right now.
    #[error("the login at {provider} cannot be reached ({reason}); check the network and try again")]
    Unreachable {
        /// The provider.
        provider: String,
        /// What went wrong.
        reason: String,
    },
}

impl From<AuthError> for ModelError {
    fn from(error: AuthError) -> Self {
        let message = error.to_string();
        match error {
            AuthError::Unreachable { .. } | AuthError::Locked { .. } => Self::unavailable(message),
            AuthError::Cancelled { .. } => Self::new(ErrorKind::Cancelled, message),
            AuthError::File { .. }
            | AuthError::Damaged { .. }
            | AuthError::Keychain { .. }
            | AuthError::Key { .. }
            | AuthError::NoAccounts { .. }
            | AuthError::NotPermitted { .. }
            | AuthError::Denied { .. }
            | AuthError::CodeExpired { .. }
            | AuthError::TimedOut { .. }
            | AuthError::OtherLogin
            | AuthError::NoCode
            | AuthError::NoPort { .. }
            | AuthError::Ended { .. }
            | AuthError::Answer { .. } => Self::new(ErrorKind::Auth, message),
        }
    }
}
