//! The keychains of macOS and Windows, which answer by themselves in a dialog of the system.

use keyring::{Entry, Error};
use secrecy::{ExposeSecret as _, SecretString};

use super::{SERVICE, SystemVault, Vault};
use crate::auth::error::AuthError;

fn failed(error: &Error) -> AuthError {
    AuthError::Keychain { reason: error.to_string() }
}

impl Vault for SystemVault {
    fn get(&self, item: &str) -> Result<Option<SecretString>, AuthError> {
        match Entry::new(SERVICE, item).and_then(|entry| entry.get_password()) {
            Ok(secret) => Ok(Some(SecretString::from(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn set(&self, item: &str, secret: &SecretString) -> Result<(), AuthError> {
        let entry = Entry::new(SERVICE, item);
        entry.and_then(|entry| entry.set_password(secret.expose_secret())).map_err(|error| failed(&error))
    }

    fn delete(&self, item: &str) -> Result<(), AuthError> {
        match Entry::new(SERVICE, item).and_then(|entry| entry.delete_credential()) {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}
