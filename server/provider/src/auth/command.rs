//! Keys that a command prints, such as one of a password manager.

use std::process::Stdio;
use std::time::Duration;

use kit_protocol::ErrorKind;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::Command;

use crate::error::ModelError;

/// What marks a command line in the place of a key.
const MARK: &str = "cmd:";
/// How long a command may take; it may ask the user to unlock something.
const LIMIT: Duration = Duration::from_secs(60);

/// The key itself: the text, or what its command prints first.
pub(crate) async fn resolve(key: &SecretString, source: &str) -> Result<SecretString, ModelError> {
    let Some(line) = key.expose_secret().strip_prefix(MARK) else { return Ok(key.clone()) };
    let failed = |why: String| {
        ModelError::new(ErrorKind::Auth, format!("the command of {source} gave no key: {why}; correct it"))
    };
    let text = run(line.trim(), LIMIT).await.map_err(failed)?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(SecretString::from(line)),
        None => Err(failed("it printed nothing".to_owned())),
    }
}

/// What a command line prints; the error is why it printed nothing of use.
pub(crate) async fn run(line: &str, limit: Duration) -> Result<String, String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut command = Command::new(shell);
    command.args([flag, line]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("it did not end within {} s", limit.as_secs())),
    };
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn key(text: &str) -> Result<String, String> {
        let resolved = resolve(&SecretString::from(text), "MY_KEY").await;
        resolved.map(|key| key.expose_secret().to_owned()).map_err(|error| error.message)
    }

    #[tokio::test]
    async fn a_key_is_a_text_or_what_a_command_prints() {
        assert_eq!(key("sk-1").await.as_deref(), Ok("sk-1"));
        assert_eq!(key("cmd: echo ' sk-2'; echo more").await.as_deref(), Ok("sk-2"));
        let failure = |why: &str| Err(format!("the command of MY_KEY gave no key: {why}; correct it"));
        assert_eq!(key("cmd:true").await, failure("it printed nothing"));
        assert_eq!(key("cmd:exit 3").await, failure("it ended with exit status: 3"));
    }
}
