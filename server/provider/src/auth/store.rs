//! The credentials file, in the place and shape of upstream Kit, so that a login of one is a login of the other.
//!
//! `private` reads and changes the file, so that a login in another process counts at once and everything that this version
//! does not know stays.
//!
//! Where the settings say so, the secrets of new logins go into the system keychain instead: the entry in the file then
//! has everything else and `"keychain": true`, so that listing and looking up need no keychain.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::error::AuthError;
use super::keychain::{SystemVault, Vault};
use super::private::PrivateFile;
use crate::copilot;
use crate::environment::Environment;
use crate::providers;

/// What marks an entry whose secrets are elsewhere.
const ELSEWHERE: &str = "keychain";
/// The fields that go there.
const SECRETS: [&str; 5] =
    ["api_key", "access_token", "refresh_token", "github_token", "copilot_access_token"];
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

/// What is known of a stored login without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) kind: Kind,
    /// The secrets are in the system keychain.
    pub(crate) in_keychain: bool,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) account: Option<String>,
    pub(crate) created: Option<Timestamp>,
}

/// What a stored login consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Tokens,
}

/// The credentials file.
#[derive(Clone, Debug)]
pub struct Credentials {
    file: PrivateFile,
    vault: Arc<dyn Vault>,
    place: Place,
}

/// Where the secrets of new logins go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    File,
    Keychain,
}

impl Credentials {
    /// The logins in that file, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { file: PrivateFile { path }, vault: Arc::new(SystemVault), place: Place::File }
    }

    /// The logins in the place of upstream Kit, or below `KIT_HOME` when that is set.
    pub fn of(environment: &Environment) -> Option<Self> {
        let own = environment.get("KIT_HOME").map(|home| Path::new(home).join("config"));
        let set = || environment.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || environment.get("HOME").or_else(|| environment.get("USERPROFILE"));
        let folder = own.or_else(set).or_else(|| home().map(|home| Path::new(home).join(".config")))?;
        Some(Self::at(folder.join(".kit").join("credentials.json")))
    }

    /// Keeps the secrets of new logins in the system keychain. Those that are in the file stay there until they change.
    #[must_use]
    pub fn in_keychain(self) -> Self {
        Self { place: Place::Keychain, ..self }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The login at a provider, if there is one. May ask the system keychain, which may ask the user.
    pub fn get(&self, provider: &str) -> Result<Option<Credential>, AuthError> {
        match self.file.read()?.get(name(provider)) {
            Some(entry) => Ok(credential(&self.whole(provider, entry)?)),
            None => Ok(None),
        }
    }

    /// What the file alone says of the login at a provider.
    pub(crate) fn outline(&self, provider: &str) -> Result<Option<Outline>, AuthError> {
        Ok(self.file.read()?.get(name(provider)).and_then(outline))
    }

    /// The ids of the providers with a login.
    pub fn providers(&self) -> Result<Vec<String>, AuthError> {
        let stored = self.file.read()?;
        let found = stored.iter().filter(|(_, entry)| outline(entry).is_some());
        Ok(found.map(|(name, _)| name.clone()).collect())
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
        self.file.change(|stored| self.put(stored, provider, entry))
    }

    /// Stores the tokens of a new login in the place of whatever was there.
    pub(crate) fn log_in(&self, provider: &str, tokens: &Credential) -> Result<(), AuthError> {
        let Credential::Tokens { created, .. } = tokens else { return Ok(()) };
        let mut entry = Map::new();
        fill(&mut entry, provider, tokens);
        entry.insert("created_at".into(), created.map_or(0, Timestamp::as_second).into());
        self.file.change(|stored| self.put(stored, provider, Value::Object(entry)))
    }

    /// Stores renewed tokens; the time of the login and fields that are not known stay. Nothing changes when the login that
    /// they belong to is not there any more, because it was removed or another was made.
    pub(crate) fn renew(
        &self,
        provider: &str,
        refresh: &SecretString,
        tokens: &Credential,
    ) -> Result<(), AuthError> {
        self.file.change(|stored| {
            let Some(entry) = stored.get(name(provider)) else { return Ok(()) };
            let Value::Object(mut entry) = self.whole(provider, entry)? else { return Ok(()) };
            let [_, field] = token_fields(provider);
            if entry.get(field).and_then(Value::as_str) != Some(refresh.expose_secret()) {
                return Ok(());
            }
            fill(&mut entry, provider, tokens);
            self.put(stored, provider, Value::Object(entry))
        })
    }

    /// Forgets the login at a provider and tells whether there was one. The file goes with the last login.
    pub fn remove(&self, provider: &str) -> Result<bool, AuthError> {
        let mut was_there = false;
        self.file.change(|stored| {
            let removed = stored.remove(name(provider));
            was_there = removed.is_some();
            // A keychain that cannot be used keeps the entry too, so that the secret in it is not forgotten there.
            if removed.as_ref().is_some_and(is_elsewhere) {
                self.vault.delete(&self.item(provider))
            } else {
                Ok(())
            }
        })?;
        Ok(was_there)
    }

    /// Takes the lock that keeps other processes from renewing the tokens of a provider, until the result is dropped.
    pub(crate) async fn lock_renewal(&self, provider: &str) -> Result<File, AuthError> {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let provider = name(provider).chars().map(plain).collect::<String>();
        self.file.lock(&provider).await
    }

    /// Puts an entry where new secrets go.
    fn put(&self, stored: &mut Map<String, Value>, provider: &str, entry: Value) -> Result<(), AuthError> {
        let Value::Object(mut entry) = entry else { return Ok(()) };
        let was_elsewhere = stored.get(name(provider)).is_some_and(is_elsewhere);
        entry.shift_remove(ELSEWHERE);
        match self.place {
            Place::File if was_elsewhere => {
                // The way out of a keychain that cannot be used must not lead through it.
                if let Err(error) = self.vault.delete(&self.item(provider)) {
                    tracing::warn!(%error, provider, "the old login stays in the keychain");
                }
            }
            Place::File => {}
            Place::Keychain => {
                let found = SECRETS.into_iter().filter_map(|field| entry.shift_remove_entry(field));
                let secrets = Value::Object(found.collect()).to_string();
                self.vault.set(&self.item(provider), &SecretString::from(secrets))?;
                entry.insert(ELSEWHERE.into(), true.into());
            }
        }
        stored.insert(name(provider).to_owned(), Value::Object(entry));
        Ok(())
    }

    /// An entry with its secrets, wherever they are.
    fn whole(&self, provider: &str, entry: &Value) -> Result<Value, AuthError> {
        let mut whole = entry.clone();
        if is_elsewhere(entry)
            && let Some(entry) = whole.as_object_mut()
        {
            let secrets = self.vault.get(&self.item(provider))?;
            let secrets = secrets.and_then(|secrets| serde_json::from_str(secrets.expose_secret()).ok());
            match secrets {
                Some(Value::Object(secrets)) => entry.extend(secrets),
                Some(_) | None => {
                    let reason = format!("it has no login at {provider}");
                    return Err(AuthError::Keychain { reason });
                }
            }
        }
        Ok(whole)
    }

    /// The name of a provider's secrets in the keychain. Files in other places are other logins.
    fn item(&self, provider: &str) -> String {
        format!("{} of {}", name(provider), self.file.path.display())
    }
}

fn is_elsewhere(entry: &Value) -> bool {
    entry.get(ELSEWHERE).and_then(Value::as_bool) == Some(true)
}

/// Writes tokens into an entry.
fn fill(entry: &mut Map<String, Value>, provider: &str, tokens: &Credential) {
    let Credential::Tokens { access, refresh, expires, account, .. } = tokens else { return };
    let [access_field, refresh_field] = token_fields(provider);
    entry.insert("type".into(), "oauth".into());
    entry.shift_remove("api_key");
    entry.insert(access_field.into(), access.expose_secret().into());
    entry.insert(refresh_field.into(), refresh.expose_secret().into());
    entry.insert("expires_at".into(), expires.map_or(0, Timestamp::as_second).into());
    if let Some(account) = account {
        entry.insert("account_id".into(), account.as_str().into());
    }
}

/// The name of a provider in the file.
fn name(provider: &str) -> &str {
    match providers::canonical(provider) {
        copilot::ID => "copilot",
        id => id,
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

fn time(entry: &Value, field: &str) -> Option<Timestamp> {
    let seconds = entry.get(field).and_then(Value::as_i64).filter(|seconds| *seconds > 0)?;
    Timestamp::from_second(seconds).ok()
}

fn text<'a>(entry: &'a Value, field: &str) -> Option<&'a str> {
    entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn credential(entry: &Value) -> Option<Credential> {
    let created = time(entry, "created_at");
    if let Some(key) = text(entry, "api_key") {
        return Some(Credential::ApiKey { key: SecretString::from(key), created });
    }
    let fields = [token_fields("anthropic"), token_fields("copilot")];
    // A login at GitHub counts before it was exchanged for a token.
    let found = fields.iter().find(|[access, renew]| {
        text(entry, access).is_some() || (*renew == "github_token" && text(entry, renew).is_some())
    });
    let [access, refresh] = found?;
    Some(Credential::Tokens {
        access: SecretString::from(text(entry, access).unwrap_or_default()),
        refresh: SecretString::from(text(entry, refresh).unwrap_or_default()),
        expires: time(entry, "expires_at"),
        account: text(entry, "account_id").map(str::to_owned),
        created,
    })
}

fn outline(entry: &Value) -> Option<Outline> {
    let kind = if is_elsewhere(entry) {
        if text(entry, "type") == Some("oauth") { Kind::Tokens } else { Kind::Key }
    } else {
        match credential(entry)? {
            Credential::ApiKey { .. } => Kind::Key,
            Credential::Tokens { .. } => Kind::Tokens,
        }
    };
    Some(Outline {
        kind,
        in_keychain: is_elsewhere(entry),
        expires: time(entry, "expires_at"),
        account: text(entry, "account_id").map(str::to_owned),
        created: time(entry, "created_at"),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        assert_eq!(
            refused("openai", " "),
            "this is no key of openai: it is empty; copy it again from where the provider shows it"
        );
        assert_eq!(
            refused("openai", "a b"),
            "this is no key of openai: it holds spaces or control characters; copy it again from where the provider shows it"
        );
        assert_eq!(
            refused("anthropic", "sk-1"),
            "this is no key of anthropic: those begin with sk-ant- and are longer; copy it again from where the provider shows it"
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
        store.renew("openai", &"another login's".into(), &renewed).unwrap();
        assert_eq!(fs::read_to_string(store.path()).unwrap(), upstream.to_string());
        store.renew("openai", &"rt".into(), &renewed).unwrap();
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

    #[test]
    fn a_new_login_takes_the_place_of_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        store.set_key_at("copilot", &"k".into(), Timestamp::UNIX_EPOCH).unwrap();
        let tokens = Credential::Tokens {
            access: "tid".into(),
            refresh: "gho".into(),
            expires: Some(now()),
            account: None,
            created: Some(now()),
        };
        store.log_in("github-copilot", &tokens).unwrap();
        let stored: Value = serde_json::from_str(&fs::read_to_string(store.path()).unwrap()).unwrap();
        let expected = json!({"copilot": {"type": "oauth", "copilot_access_token": "tid", "github_token": "gho",
            "expires_at": 1_795_255_200, "created_at": 1_795_255_200}});
        assert_eq!(stored, expected);
        // The renewal of a login that is gone brings nothing back.
        assert!(store.remove("copilot").unwrap());
        store.renew("copilot", &"gho".into(), &tokens).unwrap();
        assert!(!store.path().exists());
    }

    #[derive(Debug, Default)]
    struct Memory(std::sync::Mutex<std::collections::BTreeMap<String, String>>);

    impl Vault for Memory {
        fn get(&self, item: &str) -> Result<Option<SecretString>, AuthError> {
            Ok(self.0.lock().unwrap().get(item).map(|secret| secret.as_str().into()))
        }

        fn set(&self, item: &str, secret: &SecretString) -> Result<(), AuthError> {
            self.0.lock().unwrap().insert(item.into(), secret.expose_secret().into());
            Ok(())
        }

        fn delete(&self, item: &str) -> Result<(), AuthError> {
            self.0.lock().unwrap().remove(item);
            Ok(())
        }
    }

    #[test]
    fn the_keychain_has_the_secrets_and_the_file_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(Memory::default());
        let plain = Credentials { vault: memory.clone(), ..store(&folder) };
        let store = plain.clone().in_keychain();
        store.set_key_at("groq", &"gsk-planted".into(), now()).unwrap();
        let tokens = Credential::Tokens {
            access: "at-planted".into(),
            refresh: "rt-planted".into(),
            expires: Some(now()),
            account: Some("acc".into()),
            created: Some(now()),
        };
        store.log_in("openai", &tokens).unwrap();
        let file: Value = serde_json::from_str(&fs::read_to_string(store.path()).unwrap()).unwrap();
        let expected = json!({
            "groq": {"type": "api_key", "created_at": 1_795_255_200, "keychain": true},
            "openai": {"type": "oauth", "expires_at": 1_795_255_200, "account_id": "acc", "created_at": 1_795_255_200,
                "keychain": true},
        });
        assert_eq!(file, expected);
        // Where a secret is, is a matter of its entry and not of the setting.
        assert_eq!(key_of(&plain, "groq").as_deref(), Some("gsk-planted"));
        store.renew("openai", &"rt-planted".into(), &tokens).unwrap();
        assert_eq!(plain.outline("openai").unwrap().map(|outline| outline.kind), Some(Kind::Tokens));
        let Some(Credential::Tokens { refresh, .. }) = plain.get("openai").unwrap() else {
            panic!("no tokens")
        };
        assert_eq!(refresh.expose_secret(), "rt-planted");
        // Without the setting the next change brings it back into the file, and nothing stays behind.
        plain.set_key_at("groq", &"gsk-2".into(), now()).unwrap();
        assert!(plain.remove("openai").unwrap());
        assert_eq!(memory.0.lock().unwrap().len(), 0);
        assert_eq!(key_of(&store, "groq").as_deref(), Some("gsk-2"));
    }
}
