//! One server: what it is right now, and the task that connects it and keeps its tools registered.
//!
//! A server that ends is connected again after 1, 2, 4, 8 and 16 seconds, then no more by itself; one that never was
//! connected waits for somebody to need it. No timer runs while a server is connected or has failed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kit_protocol::{McpLogin, McpServer, McpServerInfo, McpState, McpToolInfo};
use kit_workspace::RootChanges;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config;
use super::connect::{self, ConnectError, Connection, Link};
use super::hub::McpPorts;
use super::offers::{self, Offers};
use super::secret::Values;
use super::tool::McpTool;
use super::watch::WatchedResources;
use super::{prompts, resources};
use crate::caps;
use crate::registry::ToolSource;
use crate::tool::AnyTool;

/// How often a server that ended is connected again by itself.
const MOST_RETRIES: u32 = 5;
/// After so long a connection counts as one that holds.
const STEADY: Duration = Duration::from_secs(60);
/// How long a server that failed is left alone by turns.
const REST: Duration = Duration::from_secs(30);
/// Changes that a server tells in this time are looked at together.
const GATHERING: Duration = Duration::from_millis(50);
/// Names that are told of what was left out.
const MOST_LEFT_OUT: usize = 5;
const LONGEST_DESCRIPTION: usize = 200;

/// What a server is right now.
#[derive(Clone)]
pub(super) struct Status {
    pub(super) state: McpState,
    pub(super) error: Option<String>,
    pub(super) offers: Arc<Offers>,
    pub(super) connection: Option<Arc<Connection>>,
    /// Since when it is in this state.
    since: Instant,
    identity: Option<String>,
    /// What it said about the login that it wants.
    pub(super) challenge: Option<String>,
}

/// What logins at a server belong to.
pub(super) struct LoginPlace {
    pub(super) address: String,
    pub(super) config: config::LoginConfig,
}

/// One server.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) settings: McpServer,
    pub(super) ports: Arc<McpPorts>,
    /// The folder in which its program runs unless the settings name another.
    pub(super) folder: PathBuf,
    pub(super) status: watch::Sender<Status>,
    /// Somebody wants it to be connected now.
    nudge: Notify,
    pub(super) stop: CancellationToken,
    /// The resources that somebody watches.
    pub(super) watched: Arc<WatchedResources>,
    tasks: Mutex<JoinSet<()>>,
}

impl Server {
    pub(super) fn new(name: &str, settings: McpServer, ports: Arc<McpPorts>, folder: PathBuf) -> Arc<Self> {
        let off = settings.disabled.unwrap_or(false);
        let status = Status {
            state: if off { McpState::Disabled } else { McpState::Idle },
            error: None,
            offers: Arc::default(),
            connection: None,
            since: Instant::now(),
            identity: None,
            challenge: None,
        };
        Arc::new(Self {
            name: name.to_owned(),
            settings,
            ports,
            folder,
            status: watch::Sender::new(status),
            nudge: Notify::new(),
            stop: CancellationToken::new(),
            watched: Arc::default(),
            tasks: Mutex::default(),
        })
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.settings.disabled.unwrap_or(false)
    }

    /// A connection, waited for as long as `patience`; the error is a sentence for a model.
    pub(super) async fn connection(&self, patience: Duration) -> Result<Arc<Connection>, String> {
        let mut status = self.status.subscribe();
        if self.status.borrow().state == McpState::Failed {
            self.rouse();
        }
        let settled = status.wait_for(|status| {
            status.connection.is_some()
                || matches!(status.state, McpState::Failed | McpState::NeedsLogin | McpState::Disabled)
        });
        let found = match tokio::time::timeout(patience, settled).await {
            Ok(Ok(status)) => status.clone(),
            Ok(Err(_)) => return Err(format!("the MCP server {} is not there any more", self.name)),
            Err(_) => {
                return Err(format!(
                    "the MCP server {} is still being connected; try again later or go on without it",
                    self.name
                ));
            }
        };
        match (found.connection, found.state) {
            (Some(connection), _) => Ok(connection),
            (None, McpState::NeedsLogin) => Err(self.login_sentence()),
            (None, _) => Err(self.failure_sentence(found.error.as_deref().unwrap_or("it is switched off"))),
        }
    }

    /// Why it cannot be used, unless it can or is on its way or switched off.
    pub(super) fn absence(&self) -> Option<String> {
        let status = self.status.borrow();
        match status.state {
            McpState::NeedsLogin => Some(self.login_sentence()),
            McpState::Failed => Some(self.failure_sentence(status.error.as_deref()?)),
            McpState::Disabled
            | McpState::Idle
            | McpState::Starting
            | McpState::Ready
            | McpState::Reconnecting => None,
        }
    }

    fn failure_sentence(&self, why: &str) -> String {
        format!("the MCP server {} cannot be used: {why}", self.name)
    }

    /// One sentence that says how the user logs in.
    pub(super) fn login_sentence(&self) -> String {
        format!(
            "the MCP server {0} wants a login; the user can log in with `kit-ls mcp login {0}`, or with the command kit.mcp.login in the editor",
            self.name
        )
    }

    /// The server said in the middle of its use that it wants a login.
    pub(super) fn wants_login(&self, challenge: Option<String>) {
        let connection = self.status.borrow().connection.clone();
        self.status.send_modify(|status| status.challenge = challenge.or(status.challenge.take()));
        if let Some(connection) = connection {
            connection.broken.cancel();
        }
    }

    /// Lets it be connected anew, whatever it does now.
    pub(super) fn reconnect(&self) {
        let connection = self.status.borrow().connection.clone();
        self.rouse();
        if let Some(connection) = connection {
            connection.broken.cancel();
        }
    }

    /// Lets it be connected again if it failed a while ago.
    pub(super) fn retry_if_rested(&self) {
        let is_rested = {
            let status = self.status.borrow();
            status.state == McpState::Failed && status.since.elapsed() > REST
        };
        if is_rested {
            self.rouse();
        }
    }

    /// Ends the rest of a server that failed or wants a login. That it rests is no longer told from here on, so that who
    /// waits for the outcome does not take the one from before for it.
    fn rouse(&self) {
        self.status.send_if_modified(|status| {
            let rests = matches!(status.state, McpState::Failed | McpState::NeedsLogin);
            if rests {
                status.state = McpState::Reconnecting;
            }
            rests
        });
        self.nudge.notify_one();
    }

    /// Runs something that belongs to the server.
    pub(super) fn in_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Takes its tools away, for good where it was stopped.
    pub(super) fn retract(&self) {
        self.publish(None);
    }

    /// Lets the registry have these tools of the server and no others.
    fn publish(&self, offered: Option<(Offers, &Arc<Self>)>) {
        // Whoever stops the server takes its tools away under the same lock, so that none comes back later.
        self.status.send_modify(|status| {
            let (offers, server) = match offered.filter(|_| !self.stop.is_cancelled()) {
                Some((offers, server)) => (Arc::new(offers), Some(server)),
                None => (Arc::default(), None),
            };
            let before = std::mem::replace(&mut status.offers, Arc::clone(&offers));
            for tool in before.tools.iter().filter(|tool| !offers.tools.contains(tool)) {
                self.ports.tools.remove(&tool.name);
            }
            let Some(server) = server else { return };
            for offer in offers.tools.iter().filter(|tool| !before.tools.contains(tool)) {
                let tool: Arc<dyn AnyTool> = Arc::new(McpTool::new(Arc::downgrade(server), offer.clone()));
                if !self.ports.tools.add(ToolSource::Mcp, tool) {
                    tracing::warn!(
                        server = self.name,
                        tool = offer.name,
                        "another tool has this name already"
                    );
                }
            }
        });
    }

    fn set(&self, state: McpState, error: Option<String>) {
        if let Some(error) = &error {
            tracing::warn!(server = self.name, ?state, error, "MCP server");
        } else {
            tracing::info!(server = self.name, ?state, "MCP server");
        }
        self.status.send_modify(|status| {
            status.state = state;
            status.error = error;
            status.since = Instant::now();
            if state != McpState::Ready {
                status.connection = None;
            }
        });
    }

    /// What people are told.
    pub(super) fn info(&self) -> McpServerInfo {
        let status = self.status.borrow().clone();
        let tools = status.offers.tools.iter().map(|tool| McpToolInfo {
            name: tool.name.clone(),
            title: tool.title.clone(),
            description: caps::line(tool.description.lines().next().unwrap_or_default(), LONGEST_DESCRIPTION)
                .into_owned(),
            reads_only: tool.reads_only,
        });
        let left_out = (status.state == McpState::Ready && !status.offers.left_out.is_empty()).then(|| {
            let named = status.offers.left_out.iter().take(MOST_LEFT_OUT).cloned().collect::<Vec<_>>();
            format!("left out: {}", named.join("; "))
        });
        let error = match status.state {
            McpState::NeedsLogin => Some(self.login_sentence()),
            McpState::Disabled
            | McpState::Idle
            | McpState::Starting
            | McpState::Ready
            | McpState::Reconnecting
            | McpState::Failed => status.error.or(left_out),
        };
        McpServerInfo {
            name: self.name.clone(),
            transport: config::transport(&self.settings),
            state: status.state,
            server: status.identity,
            tools: tools.collect(),
            prompts: status
                .offers
                .prompts
                .iter()
                .map(|prompt| prompts::command(&self.name, prompt))
                .collect(),
            resources: status
                .offers
                .resources
                .iter()
                .map(|resource| format!("mcp:{}", resources::mention(&self.name, &resource.uri)))
                .collect(),
            error,
            login: self.login(),
        }
    }

    /// How the values of its settings are read.
    pub(super) fn values(&self) -> Values<'_> {
        Values { environment: &self.ports.environment, literal: self.settings.literal.unwrap_or(false) }
    }

    fn login(&self) -> Option<McpLogin> {
        let LoginPlace { address, .. } = self.login_place()?;
        let stored = self.ports.logins.as_ref()?.load(&address);
        Some(if matches!(stored, Ok(Some(_))) { McpLogin::SignedIn } else { McpLogin::SignedOut })
    }

    /// The address that logins of the server belong to, if it takes any.
    pub(super) fn login_place(&self) -> Option<LoginPlace> {
        let Ok(config::Endpoint::Address { url, login: Some(login), .. }) = config::endpoint(&self.settings)
        else {
            return None;
        };
        let url = self.values().expanded(&url).ok()?;
        Some(LoginPlace { address: config::address(&url).ok()?.to_string(), config: login })
    }
}

/// Why a connection that was made is over.
enum Over {
    Stopped,
    Lost(String),
}

/// Connects the server and keeps it connected until it is stopped.
pub(super) async fn run(server: Arc<Server>) {
    let mut failures = 0;
    while !server.stop.is_cancelled() {
        // Those that change while it is being connected are told, too.
        let mut roots = server.ports.workspace.root_changes();
        server.set(if failures == 0 { McpState::Starting } else { McpState::Reconnecting }, None);
        let (why, was_ready) = match opened(&server).await {
            Ok(link) => {
                let since = Instant::now();
                let over = live(&server, &link, &mut roots).await;
                link.close().await;
                if since.elapsed() > STEADY {
                    failures = 0;
                }
                match over {
                    Over::Stopped => break,
                    Over::Lost(why) => (why, true),
                }
            }
            Err(ConnectError::Login(challenge)) => {
                server.status.send_modify(|status| status.challenge = challenge);
                server.set(McpState::NeedsLogin, None);
                server.retract();
                failures = 0;
                wait(&server, None).await;
                continue;
            }
            Err(ConnectError::Failed(why)) => (why, failures > 0),
        };
        if server.stop.is_cancelled() {
            break;
        }
        if was_ready && failures < MOST_RETRIES {
            let pause = Duration::from_secs(1 << failures);
            failures += 1;
            server.set(McpState::Reconnecting, Some(why));
            wait(&server, Some(pause)).await;
        } else {
            failures = 0;
            server.set(McpState::Failed, Some(why));
            wait(&server, None).await;
        }
    }
    server.retract();
    server.set(McpState::Idle, None);
}

/// A connection within the time that the settings allow for it.
async fn opened(server: &Arc<Server>) -> Result<Link, ConnectError> {
    let limit = config::start_timeout(&server.settings);
    let connecting = async {
        let link = connect::connect(server).await?;
        let connection = Arc::clone(&link.connection);
        let listed = offers::list(&connection.peer, &server.name, &server.settings, link.lists).await;
        match listed {
            Ok(offers) => Ok((link, offers)),
            Err(error) => {
                let why = connection.why(&error).await;
                link.close().await;
                Err(ConnectError::Failed(format!("it did not say what it offers: {why}")))
            }
        }
    };
    let connected = tokio::select! {
        () = server.stop.cancelled() => Err(ConnectError::Failed("it was stopped".to_owned())),
        connected = tokio::time::timeout(limit, connecting) => connected.unwrap_or_else(|_| {
            Err(ConnectError::Failed(format!(
                "it did not answer within {} s; `startTimeout` in its settings allows more",
                limit.as_secs()
            )))
        }),
    };
    let (link, offers) = connected?;
    server.publish(Some((offers, server)));
    server.status.send_modify(|status| {
        status.identity = link.identity.clone();
        status.connection = Some(Arc::clone(&link.connection));
    });
    server.set(McpState::Ready, None);
    server.subscribe_anew(&link.connection);
    Ok(link)
}

/// Follows what the server offers, and tells it of other roots, until the connection is over.
async fn live(server: &Arc<Server>, link: &Link, roots: &mut RootChanges) -> Over {
    let connection = &link.connection;
    loop {
        tokio::select! {
            () = server.stop.cancelled() => return Over::Stopped,
            () = link.gone() => return Over::Lost(connection.reason("it ended".to_owned()).await),
            () = roots.changed() => {
                connection.tell_roots_changed().await;
                continue;
            }
            () = connection.client.changed.notified() => {}
        }
        tokio::time::sleep(GATHERING).await;
        let listing = offers::list(&connection.peer, &server.name, &server.settings, link.lists);
        let listed = tokio::select! {
            () = server.stop.cancelled() => return Over::Stopped,
            listed = listing => listed,
        };
        match listed {
            Ok(offers) => server.publish(Some((offers, server))),
            Err(error) => return Over::Lost(connection.why(&error).await),
        }
    }
}

/// Waits for a nudge, for the end of the server, or for the end of a pause.
async fn wait(server: &Server, pause: Option<Duration>) {
    let paused = async {
        match pause {
            Some(pause) => tokio::time::sleep(pause).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = server.stop.cancelled() => {}
        () = server.nudge.notified() => {}
        () = paused => {}
    }
}
