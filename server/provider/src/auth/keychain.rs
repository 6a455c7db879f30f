//! The system keychain: of macOS, of Windows, and the secret service of a Linux desktop.
//!
//! What speaks to the secret service is a large part of code for a small use, so it is compiled in with the feature
//! `keychain` alone; without it, asking for the keychain is an error that says so.

use std::fmt;

use secrecy::SecretString;

use super::error::AuthError;

/// A place for secrets by name. Every call may take as long as the user takes to unlock it.
pub(super) trait Vault: fmt::Debug + Send + Sync {
    /// The secret of that name.
    fn get(&self, item: &str) -> Result<Option<SecretString>, AuthError>;
    /// Stores a secret in the place of the last one.
    fn set(&self, item: &str, secret: &SecretString) -> Result<(), AuthError>;
    /// Forgets a secret, if it is there.
    fn delete(&self, item: &str) -> Result<(), AuthError>;
}

/// The keychain of this system.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemVault;

#[cfg(feature = "keychain")]
mod system {
    use keyring::{Entry, Error};
    use secrecy::ExposeSecret as _;

    use super::{AuthError, SecretString, SystemVault, Vault};

    /// The name under which a keychain lists us.
    const SERVICE: &str = "kit-ls";

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
}

#[cfg(not(feature = "keychain"))]
mod system {
    use super::{AuthError, SecretString, SystemVault, Vault};

    fn missing<T>() -> Result<T, AuthError> {
        Err(AuthError::Keychain { reason: "this kit-ls was built without the feature keychain".to_owned() })
    }

    impl Vault for SystemVault {
        fn get(&self, _item: &str) -> Result<Option<SecretString>, AuthError> {
            missing()
        }

        fn set(&self, _item: &str, _secret: &SecretString) -> Result<(), AuthError> {
            missing()
        }

        fn delete(&self, _item: &str) -> Result<(), AuthError> {
            missing()
        }
    }
}
