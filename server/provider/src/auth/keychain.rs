//! The system keychain: of macOS, of Windows, and the secret service of a desktop on Linux and the like.

#[cfg_attr(any(windows, target_os = "macos"), path = "keychain/native.rs")]
#[cfg_attr(not(any(windows, target_os = "macos")), path = "keychain/secret_service.rs")]
mod system;

use std::fmt;

use secrecy::SecretString;

use super::error::AuthError;

/// The name under which a keychain lists us.
const SERVICE: &str = "kit-ls";

/// A place for secrets by name. A call may take as long as the user needs to unlock it, and not longer than a limit.
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
