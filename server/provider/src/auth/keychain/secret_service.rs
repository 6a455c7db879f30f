//! The secret service of a desktop, such as those of GNOME, KDE and KeePassXC, over the bus of the user's session.
//!
//! Every call makes a connection of its own, so that a service that comes late or starts again is found. Two limits end the
//! waiting: a short one for what programs answer by themselves, and a long one for the user, who may have to unlock the
//! keychain in a dialog of the service. Secrets are encrypted on the bus.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use tokio::time::timeout;

use super::{SERVICE, SystemVault, Vault};
use crate::auth::error::AuthError;

/// How long the service may take for what needs no user.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long the user may take to unlock the keychain.
const USER_LIMIT: Duration = Duration::from_secs(60);

impl Vault for SystemVault {
    fn get(&self, item: &str) -> Result<Option<SecretString>, AuthError> {
        call(async |service| {
            let Some(found) = find(&service, item).await? else { return Ok(None) };
            let bytes = soon(found.get_secret()).await?;
            Ok(String::from_utf8(bytes).ok().map(SecretString::from))
        })
    }

    fn set(&self, item: &str, secret: &SecretString) -> Result<(), AuthError> {
        call(async |service| {
            let keychain = match soon(service.get_default_collection()).await {
                // Nobody has used a keychain here yet; the service asks for the password of the first one.
                Err(Failure::Service(Error::NoResult)) => {
                    user(service.create_collection("Default keyring", "default")).await?
                }
                found => found?,
            };
            unlock(&keychain).await?;
            let label = format!("{SERVICE}: {item}");
            let secret = secret.expose_secret().as_bytes();
            soon(keychain.create_item(&label, attributes(item), secret, true, "text/plain")).await?;
            Ok(())
        })
    }

    fn delete(&self, item: &str) -> Result<(), AuthError> {
        call(async |service| match find(&service, item).await? {
            Some(found) => user(found.delete()).await,
            None => Ok(()),
        })
    }
}

fn attributes(item: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", item)])
}

/// Speaks to the service on a thread of its own, because callers may be inside of a runtime or not.
fn call<T: Send>(
    work: impl AsyncFnOnce(SecretService<'_>) -> Result<T, Failure> + Send,
) -> Result<T, AuthError> {
    let speak = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let spoken = runtime.block_on(async {
            let service = soon(SecretService::connect(EncryptionType::Dh)).await?;
            work(service).await
        });
        spoken.map_err(Failure::into_reason)
    };
    let spoken = std::thread::scope(|scope| scope.spawn(speak).join());
    let spoken = spoken.unwrap_or_else(|_| Err("the work with it broke".to_owned()));
    spoken.map_err(|reason| AuthError::Keychain { reason })
}

/// The item of that name, unlocked.
async fn find<'a>(service: &'a SecretService<'_>, item: &str) -> Result<Option<Item<'a>>, Failure> {
    let found = soon(service.search_items(attributes(item))).await?;
    if let Some(unlocked) = found.unlocked.into_iter().next() {
        return Ok(Some(unlocked));
    }
    let Some(locked) = found.locked.into_iter().next() else { return Ok(None) };
    user(locked.unlock()).await?;
    Ok(Some(locked))
}

async fn unlock(keychain: &Collection<'_>) -> Result<(), Failure> {
    if soon(keychain.is_locked()).await? { user(keychain.unlock()).await } else { Ok(()) }
}

/// Waits for the service.
async fn soon<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    timeout(ANSWER_LIMIT, answer).await.map_err(|_| Failure::Silent)?.map_err(Failure::Service)
}

/// Waits for the user.
async fn user<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    timeout(USER_LIMIT, answer).await.map_err(|_| Failure::NoUser)?.map_err(Failure::Service)
}

/// Why the service did not do what was asked.
enum Failure {
    /// It did not answer in time.
    Silent,
    /// The user did not answer in time.
    NoUser,
    /// It said so, or is not there.
    Service(Error),
}

impl Failure {
    fn into_reason(self) -> String {
        match self {
            Self::Silent => format!("it did not answer within {} s", ANSWER_LIMIT.as_secs()),
            Self::NoUser => format!("it is locked and nobody unlocked it within {} s", USER_LIMIT.as_secs()),
            Self::Service(Error::Locked) => "it is locked".to_owned(),
            Self::Service(Error::Prompt | Error::PromptDisconnected) => {
                "it is locked and was not unlocked".to_owned()
            }
            Self::Service(error) if is_absent(&error) => {
                "no secret service runs here, as without a desktop".to_owned()
            }
            Self::Service(error) => error.to_string(),
        }
    }
}

/// Whether there is no bus, or nobody on it who keeps secrets.
fn is_absent(error: &Error) -> bool {
    let text = error.to_string();
    matches!(error, Error::Unavailable)
        || text.contains("Failed to connect")
        || text.contains("ServiceUnknown")
        || text.contains("NameHasNoOwner")
        || text.contains("Connection refused")
}
