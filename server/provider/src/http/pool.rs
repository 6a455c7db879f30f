//! The clients: one for each server that is spoken to, shared by all who speak to it.
//!
//! A client is made at first use, because reading the certificates takes longer than starting the program, and outside
//! the lock; when two make the same one, the second is thrown away. Whoever uses a client holds a lease, which returns
//! itself. A client that nobody has used for a while is closed when the next lease is taken or the pool is looked at, so
//! that no timer has to wake the process.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit_protocol::{ErrorKind, Secret};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, Url};
use tokio::time::Instant;

use super::{CONNECT_LIMIT, is_loopback, origin, root_cause};
use crate::environment::Environment;
use crate::error::ModelError;
use crate::settings::ConnectionSettings;

/// How long a client is kept without users.
const IDLE_LIMIT: Duration = Duration::from_secs(300);
/// How many redirections are followed where some are.
const MOST_REDIRECTIONS: usize = 5;
/// Variables in which programs are told of further certificates.
const CERTIFICATE_VARIABLES: [&str; 4] =
    ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// How many clients there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    /// All of them.
    pub total: usize,
    /// Those in use.
    pub active: usize,
    /// Those that wait for their next use.
    pub idle: usize,
}

/// The clients by origin.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    settings: ConnectionSettings,
    /// Certificates that the environment names.
    certificates: Vec<PathBuf>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    client: Client,
    users: usize,
    last_used: Instant,
}

/// A client in use.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    origin: String,
    client: Client,
}

impl Pool {
    pub(super) fn new(settings: ConnectionSettings, environment: &Environment) -> Self {
        let named = CERTIFICATE_VARIABLES.iter().filter_map(|name| environment.get(name));
        Self { settings, certificates: named.map(PathBuf::from).collect(), entries: Mutex::default() }
    }

    /// The client for a server.
    pub(super) fn lease(self: &Arc<Self>, url: &Url) -> Result<Lease, ModelError> {
        let origin = origin(url);
        let known = self.take(&origin, None);
        let client = match known {
            Some(client) => client,
            None => {
                let made = self.make(url)?;
                self.take(&origin, Some(made.clone())).unwrap_or(made)
            }
        };
        Ok(Lease { pool: self.clone(), origin, client })
    }

    /// Counts one more user of a client: of the one that is there, else of the one that was made.
    fn take(&self, origin: &str, made: Option<Client>) -> Option<Client> {
        let mut entries = self.entries();
        let now = Instant::now();
        close_idle(&mut entries, now);
        if let Some(client) = made {
            entries.entry(origin.to_owned()).or_insert(Entry { client, users: 0, last_used: now });
        }
        let entry = entries.get_mut(origin)?;
        entry.users += 1;
        Some(entry.client.clone())
    }

    /// How many clients there are now.
    pub(super) fn stats(&self) -> ConnectionStats {
        let mut entries = self.entries();
        close_idle(&mut entries, Instant::now());
        let active = entries.values().filter(|entry| entry.users > 0).count();
        ConnectionStats { total: entries.len(), active, idle: entries.len() - active }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, url: &Url) -> Result<Client, ModelError> {
        self.make_following(url, Policy::none())
    }

    fn make_following(&self, url: &Url, redirections: Policy) -> Result<Client, ModelError> {
        let builder = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .redirect(redirections)
            .tls_danger_accept_invalid_certs(self.settings.skip_verify)
            .user_agent(concat!("kit-ls/", env!("CARGO_PKG_VERSION")));
        let builder = self.proxied(builder, url)?;
        let is_plain = url.scheme() == "http" && is_loopback(url);
        // Reading the certificates takes longer than a local server does to answer, and nothing there needs them.
        let builder = if is_plain { builder.tls_certs_only([]) } else { self.trusting(builder)? };
        builder.build().map_err(|error| {
            let message = format!("the HTTP client cannot be set up: {}", root_cause(&error));
            ModelError::new(ErrorKind::Internal, message)
        })
    }

    fn proxied(&self, builder: ClientBuilder, url: &Url) -> Result<ClientBuilder, ModelError> {
        match self.settings.proxy.as_ref().map(Secret::expose) {
            _ if is_loopback(url) => Ok(builder.no_proxy()),
            None => Ok(builder),
            Some("none") => Ok(builder.no_proxy()),
            Some(proxy) => {
                let proxy = Proxy::all(proxy).map_err(|_| {
                    let message =
                        "the setting `proxy` is no URL such as http://proxy.example:3128; correct it";
                    ModelError::new(ErrorKind::InvalidRequest, message)
                })?;
                Ok(builder.proxy(proxy.no_proxy(NoProxy::from_env())))
            }
        }
    }

    /// The builder with the certificates of settings and environment beside those of the system. A file that only the
    /// environment names is for many programs, so one that cannot be used here is passed over.
    fn trusting(&self, builder: ClientBuilder) -> Result<ClientBuilder, ModelError> {
        let mut certificates = Vec::new();
        for path in &self.settings.certificates {
            certificates.extend(read(path).map_err(|why| {
                let message = format!(
                    "the certificates {} of the setting `ca-certificates` cannot be used: {why}; correct the setting",
                    path.display()
                );
                ModelError::new(ErrorKind::InvalidRequest, message)
            })?);
        }
        for path in &self.certificates {
            match read(path) {
                Ok(read) => certificates.extend(read),
                Err(why) => tracing::warn!(path = %path.display(), why, "certificates that cannot be used"),
            }
        }
        Ok(if certificates.is_empty() { builder } else { builder.tls_certs_merge(certificates) })
    }
}

/// Makes clients for servers that are no providers, with the same proxy and certificates.
#[derive(Debug)]
pub struct Connector(Pool);

impl Connector {
    /// What the settings and the environment say of connections.
    pub fn new(settings: ConnectionSettings, environment: &Environment) -> Self {
        Self(Pool::new(settings, environment))
    }

    /// A client for an address. Where it follows redirections, it follows only those that stay at the same place.
    /// Reading the certificates takes its time.
    pub fn client(&self, url: &str, follows: bool) -> Result<Client, ModelError> {
        let url = url.parse::<Url>().map_err(|error| {
            ModelError::new(ErrorKind::InvalidRequest, format!("{url} is no address: {error}"))
        })?;
        self.0.make_following(&url, if follows { Policy::custom(stay) } else { Policy::none() })
    }
}

/// Follows a redirection that leads to the same scheme, host and port.
fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let first = attempt.previous().first().map(Url::origin);
    if attempt.previous().len() > MOST_REDIRECTIONS || first != Some(attempt.url().origin()) {
        attempt.stop()
    } else {
        attempt.follow()
    }
}

fn read(path: &PathBuf) -> Result<Vec<Certificate>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates = Certificate::from_pem_bundle(&bytes).map_err(|error| root_cause(&error))?;
    if certificates.is_empty() {
        Err("there is no certificate in PEM form in it".to_owned())
    } else {
        Ok(certificates)
    }
}

fn close_idle(entries: &mut BTreeMap<String, Entry>, now: Instant) {
    entries.retain(|_, entry| entry.users > 0 || now.duration_since(entry.last_used) <= IDLE_LIMIT);
}

impl Deref for Lease {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(entry) = self.pool.entries().get_mut(&self.origin) {
            entry.users = entry.users.saturating_sub(1);
            entry.last_used = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn pool(settings: ConnectionSettings) -> Arc<Pool> {
        Arc::new(Pool::new(settings, &Environment::default()))
    }

    fn stats(pool: &Pool) -> (usize, usize, usize) {
        let ConnectionStats { total, active, idle } = pool.stats();
        (total, active, idle)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_has_one_client_until_nobody_wants_it() {
        let pool = pool(ConnectionSettings::default());
        let first = pool.lease(&url("http://127.0.0.1:1/a")).unwrap();
        let second = pool.lease(&url("http://127.0.0.1:1/b")).unwrap();
        let other = pool.lease(&url("http://127.0.0.1:2/")).unwrap();
        assert_eq!(stats(&pool), (2, 2, 0));
        drop((first, other));
        assert_eq!(stats(&pool), (2, 1, 1));
        tokio::time::advance(IDLE_LIMIT + Duration::from_secs(1)).await;
        assert_eq!(stats(&pool), (1, 1, 0), "a client in use is kept however old it is");
        drop(second);
        tokio::time::advance(IDLE_LIMIT).await;
        assert_eq!(stats(&pool), (1, 0, 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(stats(&pool), (0, 0, 0));
    }

    #[test]
    fn settings_that_cannot_work_are_said_before_anything_is_sent() {
        let error = |settings: ConnectionSettings| {
            pool(settings).lease(&url("https://api.example")).unwrap_err().message
        };
        let proxy =
            ConnectionSettings { proxy: Some("::".to_owned().into()), ..ConnectionSettings::default() };
        assert!(error(proxy).starts_with("the setting `proxy` is no URL"));
        let missing = || vec![PathBuf::from("/nowhere/ca.pem")];
        let certificates = ConnectionSettings { certificates: missing(), ..ConnectionSettings::default() };
        let said = error(certificates.clone());
        assert!(said.starts_with("the certificates /nowhere/ca.pem of the setting"), "{said}");
        assert!(pool(certificates).lease(&url("http://127.0.0.1:1")).is_ok());
    }
}
