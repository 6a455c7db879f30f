//! Whose requests they are: keys of the environment, of a profile, or of a command.
//!
//! What only the AWS command line can do (single sign-on, roles, the identity of a machine) is left to it: where it is
//! installed, it is asked for keys. Keys that end are kept until five minutes before that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kit_protocol::ErrorKind;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::profile::Profile;
use crate::auth::{KeyOrigin, run};
use crate::environment::Environment;
use crate::error::ModelError;

/// How long before their end keys are replaced.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How long a command may take; it may ask the user for a second factor.
const LIMIT: Duration = Duration::from_secs(60);

/// The keys of an account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(super) access_key: String,
    pub(super) secret_key: SecretString,
    pub(super) session_token: Option<SecretString>,
    pub(super) expires: Option<Timestamp>,
}

/// Where the keys of an account come from.
#[derive(Clone)]
pub(crate) struct Identity {
    source: Source,
    region: Option<String>,
    cached: Arc<Mutex<Option<Account>>>,
}

#[derive(Clone)]
enum Source {
    /// Keys that are there already, and what they are called.
    Keys(Account, String),
    /// A command that prints keys, and what it is called.
    Command(String, String),
    None,
}

/// What a command prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

impl Identity {
    /// The identity that environment and profile name. Reads small files and asks nobody.
    pub(crate) fn find(environment: &Environment) -> Self {
        let profile = Profile::read(environment);
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| environment.get(name));
        let region = region.or_else(|| profile.get("region")).map(str::to_owned);
        let variables = keys(
            environment.get("AWS_ACCESS_KEY_ID"),
            environment.secret("AWS_SECRET_ACCESS_KEY"),
            environment.secret("AWS_SESSION_TOKEN"),
        );
        let variables = variables.map(|keys| Source::Keys(keys, "AWS_ACCESS_KEY_ID".to_owned()));
        let secret = |name: &str| profile.get(name).map(SecretString::from);
        let called = format!("the AWS profile {}", profile.name);
        let stored = || {
            let found = keys(
                profile.get("aws_access_key_id"),
                secret("aws_secret_access_key"),
                secret("aws_session_token"),
            );
            found.map(|keys| Source::Keys(keys, called.clone()))
        };
        let own = || Some(Source::Command(profile.get("credential_process")?.to_owned(), called.clone()));
        let export = || {
            let by_machine = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
            let by_machine = by_machine.iter().any(|name| environment.get(name).is_some());
            let line = format!(
                "aws configure export-credentials --format process --profile {}",
                quoted(&profile.name)
            );
            (profile.has_login() || by_machine).then(|| Source::Command(line, called.clone()))
        };
        let source = variables.or_else(stored).or_else(own).or_else(export).unwrap_or(Source::None);
        Self { source, region, cached: Arc::default() }
    }

    /// The region that environment and profile name.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Where the keys come from, if there is a place.
    pub(crate) fn origin(&self) -> Option<KeyOrigin> {
        match &self.source {
            Source::Keys(_, name) if name.starts_with("AWS_") => Some(KeyOrigin::Environment(name.clone())),
            Source::Keys(_, name) | Source::Command(_, name) => Some(KeyOrigin::Account(name.clone())),
            Source::None => None,
        }
    }

    /// The keys. Fails when there are none or their command does.
    pub(crate) async fn account(&self) -> Result<Account, ModelError> {
        let (line, name) = match &self.source {
            Source::Keys(account, _) => return Ok(account.clone()),
            Source::Command(line, name) => (line, name),
            Source::None => {
                let message = "no account for Amazon Bedrock: set AWS_BEARER_TOKEN_BEDROCK or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE";
                return Err(ModelError::new(ErrorKind::Auth, message));
            }
        };
        let mut cached = self.cached.lock().await;
        let now = Timestamp::now();
        if let Some(account) = cached.as_ref().filter(|account| account.is_good(now)) {
            return Ok(account.clone());
        }
        let failed = |why: String| {
            let message =
                format!("{name} gave no keys: {why}; log in with the AWS command line, or set AWS_PROFILE");
            ModelError::new(ErrorKind::Auth, message)
        };
        let printed = run(line, LIMIT).await.map_err(failed)?;
        let printed: Printed = serde_json::from_str(&printed)
            .map_err(|_| failed("its command did not print the keys as JSON".to_owned()))?;
        let account = Account {
            access_key: printed.access_key_id,
            secret_key: printed.secret_access_key.into(),
            session_token: printed.session_token.map(SecretString::from),
            expires: printed.expiration.and_then(|end| end.parse().ok()),
        };
        *cached = Some(account.clone());
        Ok(account)
    }
}

impl Account {
    fn is_good(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires.duration_since(now) > EARLY)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

fn keys(access: Option<&str>, secret: Option<SecretString>, token: Option<SecretString>) -> Option<Account> {
    Some(Account { access_key: access?.to_owned(), secret_key: secret?, session_token: token, expires: None })
}

/// A word of a shell's line. Names of profiles hold nothing that needs more.
fn quoted(word: &str) -> String {
    let word: String =
        word.chars().filter(|letter| !matches!(letter, '"' | '\'' | '\\' | '`' | '$' | '%')).collect();
    format!("\"{word}\"")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn find(config: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Identity) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, config).unwrap();
        let path = path.display().to_string();
        let files = [("AWS_CONFIG_FILE", path.as_str()), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")];
        let identity = Identity::find(&files.into_iter().chain(variables.iter().copied()).collect());
        (folder, identity)
    }

    const STORED: &str =
        "[default]\nregion = eu-west-1\naws_access_key_id = AK2\naws_secret_access_key = planted\n";

    #[tokio::test]
    async fn variables_win_over_the_profile() {
        let (_folder, stored) = find(STORED, &[]);
        assert_eq!(stored.origin(), Some(KeyOrigin::Account("the AWS profile default".to_owned())));
        assert_eq!(
            (stored.region(), stored.account().await.unwrap().access_key),
            (Some("eu-west-1"), "AK2".to_owned())
        );
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AK1"),
            ("AWS_SECRET_ACCESS_KEY", "planted"),
            ("AWS_SESSION_TOKEN", "planted"),
            ("AWS_REGION", "us-east-2"),
        ];
        let (_folder, set) = find(STORED, &variables);
        assert_eq!(set.origin(), Some(KeyOrigin::Environment("AWS_ACCESS_KEY_ID".to_owned())));
        assert_eq!(
            (set.region(), set.account().await.unwrap().access_key),
            (Some("us-east-2"), "AK1".to_owned())
        );
        assert!(!format!("{set:?} {:?}", set.account().await.unwrap()).contains("planted"));
    }

    #[tokio::test]
    async fn without_keys_the_error_says_what_to_set() {
        let (_folder, none) = find("", &[]);
        assert_eq!(none.origin(), None);
        let error = none.account().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth);
        assert!(error.message.contains("AWS_PROFILE"), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_is_asked_again_when_its_keys_end() {
        let counting = tempfile::NamedTempFile::new().unwrap();
        let count = |identity: Identity| async move {
            for _ in 0..2 {
                let account = identity.account().await.unwrap();
                assert_eq!(account.secret_key.expose_secret(), "s");
            }
        };
        let config = |expiration: &str| {
            let path = counting.path().display();
            format!(
                "[default]\ncredential_process = echo >> {path}; echo '{{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\", \"Expiration\": \"{expiration}\"}}'\n"
            )
        };
        let asked = || std::fs::read_to_string(counting.path()).unwrap().lines().count();
        let (_folder, lasting) = find(&config("2999-01-01T00:00:00Z"), &[]);
        count(lasting).await;
        assert_eq!(asked(), 1);
        let (_folder, ended) = find(&config("2001-01-01T00:00:00Z"), &[]);
        count(ended).await;
        assert_eq!(asked(), 3);
        let (_folder, broken) = find("[default]\ncredential_process = exit 4\n", &[]);
        let message = broken.account().await.unwrap_err().message;
        assert!(message.starts_with("the AWS profile default gave no keys: it ended with"), "{message}");
    }
}
