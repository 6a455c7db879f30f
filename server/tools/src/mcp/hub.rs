//! All servers of a process: which there are, when they start, and what others may ask of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use kit_protocol::{ErrorKind, KitError, McpListAnswer, McpServer, McpState};
use kit_workspace::Workspace;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::login::{LoginPage, LoginStore};
use super::server::{self, LoginPlace, Server};
use crate::registry::{Arrivals, Registry};

/// How long after its start a server may hold up a turn.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long all servers together may take to end.
const FAREWELL: Duration = Duration::from_millis(1200);

/// Which redirections a client follows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirections {
    /// None.
    None,
    /// Those that stay at the same place.
    SameOrigin,
}

/// Makes HTTP clients for an address, with the proxy and the certificates of the settings.
pub type HttpClients = Arc<dyn Fn(&str, Redirections) -> Result<reqwest::Client, String> + Send + Sync>;

/// Looks up environment variables.
pub type EnvironmentLookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What servers need of the rest.
pub struct McpPorts {
    /// Where their tools are registered.
    pub tools: Arc<Registry>,
    /// The roots, and the editor for questions.
    pub workspace: Arc<Workspace>,
    /// Looks up environment variables.
    pub environment: EnvironmentLookup,
    /// Variables that programs must not see, beside the known ones.
    pub private_variables: Vec<String>,
    /// HTTP clients.
    pub http: HttpClients,
    /// Where logins are kept, if there is a place for them.
    pub logins: Option<Arc<dyn LoginStore>>,
}

/// The servers of a process.
pub struct McpServers {
    ports: Arc<McpPorts>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    servers: BTreeMap<String, Arc<Server>>,
    /// Whether something needed servers.
    is_awake: bool,
    /// When each server was started.
    started: BTreeMap<String, Instant>,
    tasks: JoinSet<()>,
    is_over: bool,
}

impl Inner {
    /// Starts a server unless that was done.
    fn start(&mut self, server: &Arc<Server>) {
        if self.is_over || server.is_disabled() || self.started.contains_key(&server.name) {
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        self.started.insert(server.name.clone(), Instant::now());
        // So that whoever looks next does not take it for one that nothing needs.
        server.status.send_modify(|status| status.state = McpState::Starting);
        self.tasks.spawn(server::run(Arc::clone(server)));
    }
}

impl McpServers {
    /// No servers yet. Turns wait for those that are being started.
    pub fn new(ports: McpPorts) -> Arc<Self> {
        let tools = Arc::clone(&ports.tools);
        let servers = Arc::new(Self { ports: Arc::new(ports), inner: Mutex::default() });
        tools.set_arrivals(Arc::downgrade(&servers) as std::sync::Weak<dyn Arrivals>);
        servers
    }

    /// Lets these servers be there and no others: what is new is started when something needs servers, what is gone is
    /// ended, what changed is both, and what is as before goes on. A program runs in the folder beside its settings unless
    /// they name another.
    pub fn apply(&self, servers: &BTreeMap<String, (McpServer, PathBuf)>) {
        let mut inner = self.lock();
        let stays = |server: &Server| {
            servers
                .get(&server.name)
                .is_some_and(|(settings, folder)| *settings == server.settings && *folder == server.folder)
        };
        let gone: Vec<String> = inner
            .servers
            .values()
            .filter(|server| !stays(server))
            .map(|server| server.name.clone())
            .collect();
        for name in gone {
            inner.started.remove(&name);
            if let Some(server) = inner.servers.remove(&name) {
                server.stop.cancel();
                server.retract();
            }
        }
        for (name, (settings, folder)) in servers {
            if inner.servers.contains_key(name) {
                continue;
            }
            let server = Server::new(name, settings.clone(), Arc::clone(&self.ports), folder.clone());
            inner.servers.insert(name.clone(), Arc::clone(&server));
            if inner.is_awake {
                inner.start(&server);
            }
        }
    }

    /// Starts the servers unless that was done. Returns at once.
    pub fn wake(&self) {
        let mut inner = self.lock();
        if inner.is_awake {
            return;
        }
        inner.is_awake = true;
        let servers: Vec<Arc<Server>> = inner.servers.values().cloned().collect();
        for server in servers {
            inner.start(&server);
        }
    }

    /// How it is with one server, or with all. Starts those that nothing needed yet.
    pub fn list(&self, name: Option<&str>) -> Result<McpListAnswer, KitError> {
        self.wake();
        self.listed(name)
    }

    fn listed(&self, name: Option<&str>) -> Result<McpListAnswer, KitError> {
        let servers = match name {
            Some(name) => vec![self.named(name)?],
            None => self.servers(),
        };
        Ok(McpListAnswer { servers: servers.iter().map(|server| server.info()).collect() })
    }

    /// How many servers there are, how many of them can be used, and what is wrong with the others; starts none.
    pub fn summary(&self) -> (usize, usize, Vec<String>) {
        let infos: Vec<_> = self.servers().iter().map(|server| server.info()).collect();
        let ready = infos.iter().filter(|info| info.state == McpState::Ready).count();
        let wrong = infos.iter().filter(|info| matches!(info.state, McpState::Failed | McpState::NeedsLogin));
        let told = wrong.map(|info| format!("{}: {}", info.name, info.error.clone().unwrap_or_default()));
        (infos.len(), ready, told.collect())
    }

    /// Connects a server anew and answers how it is then.
    pub fn reconnect(&self, name: &str) -> Result<McpListAnswer, KitError> {
        let server = self.named(name)?;
        if server.is_disabled() {
            let text = format!("the settings switch {name} off; remove `disabled` there");
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        }
        self.lock().start(&server);
        server.reconnect();
        self.listed(Some(name))
    }

    /// Starts one server, waits until it is connected or cannot be, and answers how it is then.
    pub async fn settled(&self, name: &str) -> Result<McpListAnswer, KitError> {
        let server = self.named(name)?;
        self.lock().start(&server);
        let mut status = server.status.subscribe();
        let moving = |state| matches!(state, McpState::Starting | McpState::Reconnecting);
        // A server that is gone is as settled as it will be.
        drop(status.wait_for(|status| !moving(status.state)).await);
        self.listed(Some(name))
    }

    /// The page where the user logs in at a server, coming back to `redirect`.
    pub async fn login_page(&self, name: &str, redirect: &str) -> Result<LoginPage, KitError> {
        let server = self.named(name)?;
        let (LoginPlace { address, config }, store) = self.login_place(&server)?;
        let challenge = server.status.borrow().challenge.clone();
        let page = LoginPage::open(&address, &config, challenge, redirect, &self.ports.http, &store).await;
        page.map_err(|why| KitError::new(ErrorKind::Auth, format!("the login at {name} cannot begin: {why}")))
    }

    /// Whether one can log in at a server at all; the error says why not.
    pub fn takes_logins(&self, name: &str) -> Result<(), KitError> {
        let server = self.named(name)?;
        self.login_place(&server).map(drop)
    }

    /// Forgets the login at a server and tells whether there was one; the server is connected anew.
    pub fn log_out(&self, name: &str) -> Result<bool, KitError> {
        let server = self.named(name)?;
        let (LoginPlace { address, .. }, store) = self.login_place(&server)?;
        let removed = store.remove(&address).map_err(|why| KitError::new(ErrorKind::Unavailable, why))?;
        if removed {
            server.reconnect();
        }
        Ok(removed)
    }

    fn login_place(&self, server: &Server) -> Result<(LoginPlace, Arc<dyn LoginStore>), KitError> {
        server.login_place().zip(self.ports.logins.clone()).ok_or_else(|| {
            let text = format!(
                "{} takes no logins: only a remote server without `noOAuth` and without a header Authorization does",
                server.name
            );
            KitError::new(ErrorKind::InvalidRequest, text)
        })
    }

    /// Ends all servers and everything that they started.
    pub async fn shutdown(&self) {
        let mut tasks = {
            let mut inner = self.lock();
            inner.is_over = true;
            for server in inner.servers.values() {
                server.stop.cancel();
            }
            std::mem::take(&mut inner.tasks)
        };
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("MCP servers did not end in time and were killed");
        }
    }

    pub(super) fn servers(&self) -> Vec<Arc<Server>> {
        self.lock().servers.values().cloned().collect()
    }

    fn named(&self, name: &str) -> Result<Arc<Server>, KitError> {
        let inner = self.lock();
        if let Some(server) = inner.servers.get(name) {
            return Ok(Arc::clone(server));
        }
        let known: Vec<&str> = inner.servers.keys().map(String::as_str).collect();
        let text = if known.is_empty() {
            format!("there is no MCP server {name}: the settings name none under `mcpServers`")
        } else {
            format!("there is no MCP server {name}; there are {}", known.join(", "))
        };
        Err(KitError::new(ErrorKind::NotFound, text))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals for McpServers {
    fn arriving(&self) -> Option<BoxFuture<'static, ()>> {
        self.wake();
        let inner = self.lock();
        let waits = inner.servers.values().filter_map(|server| {
            server.retry_if_rested();
            let until = *inner.started.get(&server.name)? + PATIENCE;
            if server.status.borrow().state != McpState::Starting || Instant::now() >= until {
                return None;
            }
            let mut status = server.status.subscribe();
            Some(async move {
                let started = status.wait_for(|status| status.state != McpState::Starting);
                // Whoever is late is used by the next turn.
                drop(tokio::time::timeout_at(until, started).await);
            })
        });
        let waits: Vec<_> = waits.collect();
        (!waits.is_empty()).then(|| join_all(waits).map(drop).boxed())
    }

    fn missing(&self) -> Vec<String> {
        self.servers().iter().filter_map(|server| server.absence()).collect()
    }
}
