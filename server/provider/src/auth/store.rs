//! The credentials file, in the place and shape of upstream Kit, so that a login of one is a login of the other.
//!
//! The file is read when it is asked, so that a login in another process counts at once. Changes read, change and replace
//! it under a lock that all processes take, and they keep everything that this version does not know. The file is for the
//! user alone: 0600 in a folder of 0700, and looser rights are tightened.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use kit_protocol::ErrorKind;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::environment::Environment;
use crate::error::ModelError;
use crate::files::{Access, create_folder, replace, restrict};
use crate::providers;

/// Why logins cannot be read or changed.
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
    /// The text cannot be a key of the provider.
    #[error("this is no key of {provider}: {reason}")]
    Key {
        /// The provider.
        provider: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl From<AuthError> for ModelError {
    fn from(error: AuthError) -> Self {
        Self::new(ErrorKind::Auth, error.to_string())
    }
}

/// One stored login.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A key without end.
    ApiKey {
        /// The key.
        key: SecretString,
        /// When it was stored.
        created: Option<Timestamp>,
    },
    /// Tokens of a subscription or an account.
    Tokens {
        /// What requests carry.
        access: SecretString,
        /// What gets the next one.
        refresh: SecretString,
        /// When the access token ends; `None` when it does not.
        expires: Option<Timestamp>,
        /// The account at the provider, where it has to be named.
        account: Option<String>,
        /// When the login was made.
        created: Option<Timestamp>,
    },
}

/// The credentials file.
#[derive(Clone, Debug)]
pub struct Credentials {
    path: PathBuf,
}

impl Credentials {
    /// The logins in that file, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The logins in the place of upstream Kit, or below `KIT_HOME` when that is set.
    pub fn of(environment: &Environment) -> Option<Self> {
        let own = environment.get("KIT_HOME").map(|home| Path::new(home).join("config"));
        let set = || environment.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || environment.get("HOME").or_else(|| environment.get("USERPROFILE"));
        let folder = own.or_else(set).or_else(|| home().map(|home| Path::new(home).join(".config")))?;
        Some(Self::at(folder.join(".kit").join("credentials.json")))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The login at a provider, if there is one.
    pub fn get(&self, provider: &str) -> Result<Option<Credential>, AuthError> {
        Ok(self.read()?.get(name(provider)).and_then(credential))
    }

    /// The ids of the providers with a login.
    pub fn providers(&self) -> Result<Vec<String>, AuthError> {
        let stored = self.read()?;
        Ok(stored
            .iter()
            .filter(|(_, entry)| credential(entry).is_some())
            .map(|(name, _)| name.clone())
            .collect())
    }

    /// Stores a key. One that cannot be a key of the provider is refused before anything is changed.
    pub fn set_key(&self, provider: &str, key: &SecretString) -> Result<(), AuthError> {
        self.set_key_at(provider, key, Timestamp::now())
    }

    pub(crate) fn set_key_at(
        &self,
        provider: &str,
        key: &SecretString,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let text = key.expose_secret().trim();
        let is_command = text.starts_with("cmd:");
        let reason = match name(provider) {
            _ if text.is_empty() => Some("it is empty"),
            _ if !is_command && text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) => {
                Some("it holds spaces or control characters")
            }
            "anthropic" if !is_command && (!text.starts_with("sk-ant-") || text.len() < 20) => {
                Some("those begin with sk-ant- and are longer")
            }
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(AuthError::Key { provider: provider.to_owned(), reason });
        }
        let entry = json!({"type": "api_key", "api_key": text, "created_at": now.as_second()});
        self.change(|stored| {
            stored.insert(name(provider).to_owned(), entry);
        })
    }

    /// Stores tokens; the time of the first login and fields that are not known stay.
    pub fn set_tokens(&self, provider: &str, tokens: &Credential) -> Result<(), AuthError> {
        let Credential::Tokens { access, refresh, expires, account, created } = tokens else { return Ok(()) };
        self.change(|stored| {
            let entry = stored.entry(name(provider)).or_insert_with(|| json!({}));
            if !entry.is_object() {
                *entry = json!({});
            }
            let Some(entry) = entry.as_object_mut() else { return };
            let texts = token_fields(provider);
            entry.insert("type".into(), "oauth".into());
            entry.remove("api_key");
            entry.insert(texts[0].into(), access.expose_secret().into());
            entry.insert(texts[1].into(), refresh.expose_secret().into());
            entry.insert("expires_at".into(), expires.map_or(0, Timestamp::as_second).into());
            if let Some(account) = account {
                entry.insert("account_id".into(), account.as_str().into());
            }
            let first = created.map_or(0, Timestamp::as_second);
            entry.entry("created_at").or_insert_with(|| first.into());
        })
    }

    /// Forgets the login at a provider and tells whether there was one. The file goes with the last login.
    pub fn remove(&self, provider: &str) -> Result<bool, AuthError> {
        let mut removed = false;
        self.change(|stored| removed = stored.remove(name(provider)).is_some())?;
        Ok(removed)
    }

    /// Takes the lock that keeps other processes from changing the file, until the result is dropped.
    pub(crate) fn lock(&self) -> Result<File, AuthError> {
        let locked = || {
            create_folder(self.path.parent().unwrap_or(Path::new(".")), Access::Private)?;
            let path = self.path.with_extension("json.lock");
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            restrict(&path, 0o600)?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|error| self.file_error(error))
    }

    fn change(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), AuthError> {
        let _lock = self.lock()?;
        let before = self.read()?;
        let mut stored = before.clone();
        change(&mut stored);
        if stored == before {
            return Ok(());
        }
        let written = if stored.is_empty() {
            fs::remove_file(&self.path)
        } else {
            let text = serde_json::to_string_pretty(&stored).unwrap_or_default();
            replace(&self.path, text.as_bytes(), Access::Private)
        };
        written.map_err(|error| self.file_error(error))
    }

    fn read(&self) -> Result<Map<String, Value>, AuthError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(self.file_error(error)),
        };
        // A file that others may read is closed to them; that it cannot be changed is no reason not to use it.
        if let Err(error) = restrict(&self.path, 0o600) {
            tracing::warn!(%error, "others may read the stored logins");
        }
        let damaged = |reason: String| AuthError::Damaged { path: self.path.clone(), reason };
        match serde_json::from_str(&text) {
            Ok(Value::Object(stored)) => Ok(stored),
            Ok(_) => Err(damaged("no object".to_owned())),
            // The text of the error would quote the file.
            Err(error) => Err(damaged(format!("line {} is not JSON", error.line()))),
        }
    }

    fn file_error(&self, error: io::Error) -> AuthError {
        AuthError::File { path: self.path.clone(), error }
    }
}

/// The name of a provider in the file.
fn name(provider: &str) -> &str {
    match providers::canonical(provider) {
        "github-copilot" => "copilot",
        canonical => canonical,
    }
}

/// The fields of the access token and of what renews it.
fn token_fields(provider: &str) -> [&'static str; 2] {
    if name(provider) == "copilot" {
        ["copilot_access_token", "github_token"]
    } else {
        ["access_token", "refresh_token"]
    }
}

fn credential(entry: &Value) -> Option<Credential> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let time = |field: &str| {
        let seconds = entry.get(field).and_then(Value::as_i64).filter(|seconds| *seconds > 0)?;
        Timestamp::from_second(seconds).ok()
    };
    let created = time("created_at");
    if let Some(key) = text("api_key") {
        return Some(Credential::ApiKey { key: SecretString::from(key), created });
    }
    let fields = [token_fields("anthropic"), token_fields("copilot")];
    // A login at GitHub counts before it was exchanged for a token.
    let found = fields.iter().find(|[access, renew]| {
        text(access).is_some() || (*renew == "github_token" && text(renew).is_some())
    });
    let [access, refresh] = found?;
    Some(Credential::Tokens {
        access: SecretString::from(text(access).unwrap_or_default()),
        refresh: SecretString::from(text(refresh).unwrap_or_default()),
        expires: time("expires_at"),
        account: text("account_id").map(str::to_owned),
        created,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &tempfile::TempDir) -> Credentials {
        Credentials::at(folder.path().join(".kit/credentials.json"))
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_795_255_200).unwrap()
    }

    fn key_of(store: &Credentials, provider: &str) -> Option<String> {
        match store.get(provider).unwrap()? {
            Credential::ApiKey { key, created } => {
                assert_eq!(created, Some(now()));
                Some(key.expose_secret().to_owned())
            }
            other @ Credential::Tokens { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_stored_found_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        assert_eq!(key_of(&store, "groq"), None);
        assert!(!store.remove("groq").unwrap());
        store.set_key_at("groq", &" gsk-1\n".into(), now()).unwrap();
        store.set_key_at("gemini", &"g-1".into(), now()).unwrap();
        assert_eq!(
            (key_of(&store, "groq").as_deref(), key_of(&store, "google").as_deref()),
            (Some("gsk-1"), Some("g-1"))
        );
        let text = fs::read_to_string(store.path()).unwrap();
        let expected = json!({
            "groq": {"type": "api_key", "api_key": "gsk-1", "created_at": 1_795_255_200},
            "google": {"type": "api_key", "api_key": "g-1", "created_at": 1_795_255_200},
        });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        assert!(store.remove("groq").unwrap());
        assert_eq!(store.providers().unwrap(), ["google"]);
        assert!(store.remove("google").unwrap());
        assert!(!store.path().exists());
    }

    #[test]
    fn a_text_that_is_no_key_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let refused = |provider: &str, key: &str| {
            store.set_key_at(provider, &key.into(), now()).unwrap_err().to_string()
        };
        assert_eq!(refused("openai", " "), "this is no key of openai: it is empty");
        assert_eq!(
            refused("openai", "a b"),
            "this is no key of openai: it holds spaces or control characters"
        );
        assert_eq!(
            refused("anthropic", "sk-1"),
            "this is no key of anthropic: those begin with sk-ant- and are longer"
        );
        assert!(!store.path().exists());
        store.set_key_at("anthropic", &"cmd:pass show anthropic".into(), now()).unwrap();
        assert_eq!(key_of(&store, "anthropic").as_deref(), Some("cmd:pass show anthropic"));
    }

    #[test]
    fn upstream_logins_are_read_and_what_is_not_known_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        let upstream = json!({
            "openai": {"type": "oauth", "access_token": "at-planted", "refresh_token": "rt", "expires_at": 1_795_255_200,
                "created_at": 1_795_000_000, "account_id": "acc", "plan": "pro"},
            "copilot": {"type": "oauth", "github_token": "gho", "copilot_access_token": "", "expires_at": 0},
            "future": {"type": "hologram"},
        });
        fs::write(store.path(), upstream.to_string()).unwrap();
        assert_eq!(store.providers().unwrap(), ["openai", "copilot"]);
        let openai = store.get("openai").unwrap().unwrap();
        assert!(!format!("{openai:?}").contains("planted"));
        let Credential::Tokens { refresh, expires, account, created, .. } = openai else { panic!("a key") };
        assert_eq!((refresh.expose_secret(), expires, account.as_deref()), ("rt", Some(now()), Some("acc")));
        let renewed = Credential::Tokens {
            access: "new".into(),
            refresh: "rt2".into(),
            expires: None,
            account: None,
            created: Some(now()),
        };
        assert_eq!(created, Timestamp::from_second(1_795_000_000).ok());
        store.set_tokens("openai", &renewed).unwrap();
        let stored: Value = serde_json::from_str(&fs::read_to_string(store.path()).unwrap()).unwrap();
        let expected = json!({"type": "oauth", "access_token": "new", "refresh_token": "rt2", "expires_at": 0,
            "created_at": 1_795_000_000, "account_id": "acc", "plan": "pro"});
        assert_eq!((&stored["openai"], &stored["future"]), (&expected, &upstream["future"]));
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        fs::write(store.path(), "{\"openai\": {\"api_key\": planted").unwrap();
        let error = store.set_key_at("groq", &"gsk".into(), now()).unwrap_err().to_string();
        assert!(error.contains("line 1 is not JSON") && !error.contains("planted"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn looser_rights_are_tightened() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        fs::write(store.path(), "{}").unwrap();
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(store.providers().unwrap(), [""; 0]);
        assert_eq!(mode(store.path()), 0o600);
        store.set_key_at("groq", &"gsk".into(), now()).unwrap();
        assert_eq!((mode(store.path()), mode(store.path().parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let store = store.clone();
                scope.spawn(move || store.set_key_at(&format!("p{number}"), &"k".into(), now()).unwrap());
            }
        });
        assert_eq!(store.providers().unwrap().len(), 8);
    }

    #[test]
    fn the_place_is_that_of_upstream() {
        let path = |variables: &[(&str, &str)]| {
            let store = Credentials::of(&Environment::from_iter(variables.iter().copied()));
            store.map(|store| store.path().to_string_lossy().replace('\\', "/"))
        };
        assert_eq!(path(&[("HOME", "/h")]).as_deref(), Some("/h/.config/.kit/credentials.json"));
        assert_eq!(
            path(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]).as_deref(),
            Some("/x/.kit/credentials.json")
        );
        assert_eq!(
            path(&[("HOME", "/h"), ("KIT_HOME", "/k")]).as_deref(),
            Some("/k/config/.kit/credentials.json")
        );
        assert_eq!(path(&[]), None);
    }
}
