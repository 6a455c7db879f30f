//! From the settings of a server to a connection that was initialized.
//!
//! The handshake that all versions before 2026-07-28 know comes first; a server that does not know it any more is asked
//! with `server/discover`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ErrorCode, ProtocolVersion, RequestId,
    SubscriptionFilter,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, Peer, RoleClient, RunningService, ServiceError,
    serve_client_with_lifecycle_and_ct,
};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::auth::{AuthClient, AuthError};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, InsufficientScopeError, StreamableHttpClientTransport, StreamableHttpError,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::client::Client;
use super::config::{self, Endpoint};
use super::guard::{Counted, Metered, Verdict};
use super::hub::Redirections;
use super::listen::Topics;
use super::login;
use super::offers::Lists;
use super::remote;
use super::server::Server;
use super::stderr::{self, LastWords};
use crate::caps;
use crate::exec::{Pipes, Service, ServiceLine};

/// How long the end of a connection may take before its process is ended.
const CLOSING: Duration = Duration::from_millis(300);
/// How long a word to the server may take on its way.
const TELLING: Duration = Duration::from_secs(1);
/// Bytes of a reason.
const LONGEST_REASON: usize = 500;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// The server wants a login, and may say which.
    Login(Option<String>),
    /// One sentence.
    Failed(String),
}

/// A connection as calls see it.
pub(super) struct Connection {
    pub(super) peer: Peer<RoleClient>,
    pub(super) client: Arc<Client>,
    /// Cancelled by whoever notices that it does not work any more.
    pub(super) broken: CancellationToken,
    /// Cancelled when it is over.
    pub(super) ended: CancellationToken,
    /// How the server tells of what changes.
    pub(super) telling: Telling,
    verdict: Arc<Verdict>,
    words: Arc<LastWords>,
}

/// How a server tells of what changes.
pub(super) enum Telling {
    /// That its lists changed, unasked; of resources where it takes subscriptions to them.
    Unasked { takes_subscriptions: bool },
    /// In streams that are listened to.
    InStreams(Topics),
}

impl Connection {
    /// Whether single resources are subscribed to.
    pub(super) fn takes_subscriptions(&self) -> bool {
        matches!(self.telling, Telling::Unasked { takes_subscriptions: true })
    }

    /// Why it ended.
    pub(super) async fn why(&self, error: &ServiceError) -> String {
        match error {
            ServiceError::TransportSend(error) => self.reason(root(error.error.as_ref())).await,
            _ => self.reason("it ended".to_owned()).await,
        }
    }

    /// Why it ended, when the connection itself has nothing better to say than `otherwise`.
    pub(super) async fn reason(&self, otherwise: String) -> String {
        let words = self.words.get().await.map(|words| format!("{otherwise} (its last words: {words})"));
        self.verdict.get().map(str::to_owned).or(words).unwrap_or(otherwise)
    }

    /// Tells the server that the roots are others; one that does not take it in time may ask for them later.
    pub(super) async fn tell_roots_changed(&self) {
        match tokio::time::timeout(TELLING, self.peer.notify_roots_list_changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an MCP server was not told of other roots"),
            Err(_) => tracing::debug!("an MCP server did not take the word of other roots"),
        }
    }

    /// Tells the server that nobody waits for the answer to a request any more.
    pub(super) async fn withdraw(&self, id: RequestId) {
        let params = CancelledNotificationParam::new(Some(id), Some("the user cancelled".to_owned()));
        let told = self.peer.send_notification(CancelledNotification::new(params).into());
        match tokio::time::timeout(TELLING, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the cancel of a request did not reach its MCP server"),
            Err(_) => tracing::debug!("the cancel of a request was not taken by its MCP server"),
        }
    }

    /// What the server says about the login that it wants, if that is what an error is about.
    #[expect(clippy::unused_self, reason = "what an error means is a matter of its connection")]
    pub(super) fn wants_login(&self, error: &ServiceError) -> Option<Option<String>> {
        let ServiceError::TransportSend(error) = error else { return None };
        login_wanted(error.error.as_ref())
    }
}

/// A connection as its task owns it.
pub(super) struct Link {
    pub(super) connection: Arc<Connection>,
    running: RunningService<RoleClient, Arc<Client>>,
    process: Option<Service>,
    _listening: Option<AbortOnDropHandle<()>>,
    pub(super) lists: Lists,
    /// The server's name and version.
    pub(super) identity: Option<String>,
}

impl Link {
    /// Returns when the other side is gone or does not work any more.
    pub(super) async fn gone(&self) {
        tokio::select! {
            () = self.connection.ended.cancelled() => {}
            () = self.connection.broken.cancelled() => {}
        }
    }

    /// Ends the connection, and the process with everything that it started.
    pub(super) async fn close(mut self) {
        self.connection.ended.cancel();
        match self.running.close_with_timeout(CLOSING).await {
            Ok(Some(_)) => {}
            Ok(None) => tracing::debug!("a connection to an MCP server did not end in time"),
            Err(error) => tracing::debug!(%error, "a connection to an MCP server ended badly"),
        }
        if let Some(process) = self.process.take() {
            process.end().await;
        }
    }
}

/// Connects to a server.
pub(super) async fn connect(server: &Server) -> Result<Link, ConnectError> {
    match attempt(server, ClientLifecycleMode::Initialize).await {
        Err(Refused::Initialize) => {
            let preferred_versions = vec![ProtocolVersion::LATEST];
            match attempt(server, ClientLifecycleMode::Discover { preferred_versions }).await {
                Err(Refused::Initialize) => Err(ConnectError::Failed(
                    "it speaks no version of the protocol that is known here".to_owned(),
                )),
                Err(Refused::Finally(error)) => Err(error),
                Ok(link) => Ok(link),
            }
        }
        Err(Refused::Finally(error)) => Err(error),
        Ok(link) => Ok(link),
    }
}

/// Why an attempt failed.
enum Refused {
    /// The server does not know the first handshake.
    Initialize,
    Finally(ConnectError),
}

impl From<String> for Refused {
    fn from(sentence: String) -> Self {
        Self::Finally(ConnectError::Failed(sentence))
    }
}

async fn attempt(server: &Server, lifecycle: ClientLifecycleMode) -> Result<Link, Refused> {
    match config::endpoint(&server.settings)? {
        Endpoint::Program { program, arguments, variables, cwd } => {
            let values = server.values();
            let expand = |text: &str| values.expanded(text);
            let cwd = match cwd {
                Some(cwd) => server.folder.join(expand(&cwd)?),
                None => server.folder.clone(),
            };
            let mut revealed = BTreeMap::new();
            for (name, value) in &variables {
                let value = values.revealed(name, value.expose(), &cwd).await?;
                revealed.insert(name.clone(), value);
            }
            let arguments = arguments.iter().map(|text| expand(text)).collect::<Result<_, _>>()?;
            let secrets: Vec<String> = revealed.values().cloned().collect();
            let line = ServiceLine {
                program: expand(&program)?,
                arguments,
                cwd,
                variables: revealed,
                private_variables: server.ports.private_variables.clone(),
            };
            local(server, line, secrets, lifecycle).await
        }
        Endpoint::Address { url, headers, login } => {
            let values = server.values();
            let url = values.expanded(&url)?;
            let address = config::address(&url)?;
            let mut revealed = Vec::new();
            for (name, value) in &headers {
                let value = values.revealed(name, value.expose(), &server.folder).await?;
                revealed.push((name.clone(), value));
            }
            let configuration = remote::configuration(address.as_str(), &revealed)?;
            let http = &server.ports.http;
            let client = remote::client(http, address.as_str(), Redirections::SameOrigin).await?;
            match login.zip(server.ports.logins.as_ref()) {
                None => {
                    let transport = StreamableHttpClientTransport::with_client(client, configuration);
                    serve(server, transport, lifecycle, Parts::remote()).await
                }
                Some((config, store)) => {
                    let manager = login::logged_in(address.as_str(), &config, http, store).await;
                    let manager = manager.map_err(|error| login::sentence(&error))?;
                    let client = AuthClient::new(client, manager);
                    let transport = StreamableHttpClientTransport::with_client(client, configuration);
                    serve(server, transport, lifecycle, Parts::remote()).await
                }
            }
        }
    }
}

/// What belongs to a connection beside its transport.
struct Parts {
    verdict: Arc<Verdict>,
    words: Arc<LastWords>,
    process: Option<Service>,
    listening: Option<AbortOnDropHandle<()>>,
}

impl Parts {
    /// Those of a connection to an address.
    fn remote() -> Self {
        Self { verdict: Arc::default(), words: LastWords::none(), process: None, listening: None }
    }
}

async fn local(
    server: &Server,
    line: ServiceLine,
    secrets: Vec<String>,
    lifecycle: ClientLifecycleMode,
) -> Result<Link, Refused> {
    let (program, cwd) = (line.program.clone(), line.cwd.clone());
    let (process, pipes) = Service::start(line).map_err(|error| not_started(&program, &cwd, &error))?;
    let Pipes { stdin, stdout, stderr } = pipes;
    let verdict = Arc::<Verdict>::default();
    let words = Arc::<LastWords>::default();
    let listening = stderr::listen(stderr, server.name.clone(), secrets, Arc::clone(&words));
    let transport = AsyncRwTransport::new_client(Metered::new(stdout, Arc::clone(&verdict)), stdin);
    let listening = Some(AbortOnDropHandle::new(tokio::spawn(listening)));
    serve(server, transport, lifecycle, Parts { verdict, words, process: Some(process), listening }).await
}

fn not_started(program: &str, cwd: &Path, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return format!("`{program}` cannot be started: {error}");
    }
    if !cwd.is_dir() {
        return format!("there is no folder {}; correct `cwd`", cwd.display());
    }
    if program.contains(char::is_whitespace) {
        return format!("there is no program `{program}`; write `command` as a list of words");
    }
    format!("there is no program `{program}`; install it, or correct `command`")
}

async fn serve<T>(
    server: &Server,
    transport: T,
    lifecycle: ClientLifecycleMode,
    parts: Parts,
) -> Result<Link, Refused>
where
    T: Transport<RoleClient> + 'static,
{
    let Parts { verdict, words, process, listening } = parts;
    let (broken, ended) = (CancellationToken::new(), CancellationToken::new());
    let workspace = Arc::clone(&server.ports.workspace);
    let client = Client::new(&server.name, workspace, Arc::clone(&server.watched), ended.clone());
    let client = Arc::new(client);
    let transport = Counted::new(transport, Arc::clone(&verdict), ended.clone());
    let stop = server.stop.child_token();
    let in_streams = lifecycle != ClientLifecycleMode::Initialize;
    let served = serve_client_with_lifecycle_and_ct(Arc::clone(&client), transport, lifecycle, stop).await;
    let running = match served {
        Ok(running) => running,
        Err(error) => {
            let reach = if process.is_some() { Reach::Program } else { Reach::Address };
            if let Some(process) = process {
                process.end().await;
            }
            return Err(refused(&error, reach, &verdict, words.get().await));
        }
    };
    let info = running.peer().peer_info();
    let offered = info.as_ref().map(|info| &info.capabilities);
    let lists = Lists {
        tools: offered.is_some_and(|offered| offered.tools.is_some()),
        prompts: offered.is_some_and(|offered| offered.prompts.is_some()),
        resources: offered.is_some_and(|offered| offered.resources.is_some()),
    };
    let resources = offered.and_then(|offered| offered.resources.as_ref());
    let tells_resources = resources.and_then(|resources| resources.subscribe).unwrap_or(false);
    let telling = if in_streams {
        let lists = SubscriptionFilter::builder().tools_list_changed().prompts_list_changed();
        let lists = lists.resources_list_changed().build();
        let lists = offered.map(|offered| lists.supported_by(offered)).unwrap_or_default();
        Telling::InStreams(Topics { lists, resources: tells_resources })
    } else {
        Telling::Unasked { takes_subscriptions: tells_resources }
    };
    let identity = info
        .as_ref()
        .and_then(|info| info.server_info.as_ref())
        .map(|own| caps::line(&format!("{} {}", own.name, own.version), LONGEST_REASON).trim().to_owned());
    let peer = running.peer().clone();
    let connection = Arc::new(Connection { peer, client, broken, ended, telling, verdict, words });
    Ok(Link { connection, running, process, _listening: listening, lists, identity })
}

/// What is at the other end.
#[derive(Clone, Copy)]
enum Reach {
    Program,
    Address,
}

/// What a failed handshake means.
fn refused(error: &ClientInitializeError, reach: Reach, verdict: &Verdict, words: Option<String>) -> Refused {
    if let Some(challenge) = error.auth_challenge() {
        return Refused::Finally(ConnectError::Login(Some(challenge.to_owned())));
    }
    if error.is_authorization_required() {
        return Refused::Finally(ConnectError::Login(None));
    }
    if let Some(verdict) = verdict.get() {
        return verdict.to_owned().into();
    }
    let ended = |otherwise: &str| match &words {
        Some(words) => format!("{otherwise}: {words}"),
        None => otherwise.to_owned(),
    };
    match error {
        ClientInitializeError::JsonRpcError(answer) => match answer.code {
            ErrorCode::METHOD_NOT_FOUND | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION => Refused::Initialize,
            _ => format!("it refused the connection: {}", caps::line(&answer.message, LONGEST_REASON)).into(),
        },
        ClientInitializeError::ConnectionClosed(_) => ended("it ended before it answered").into(),
        ClientInitializeError::TransportError { error, .. } => {
            if let Some(challenge) = login_wanted(error.error.as_ref()) {
                return Refused::Finally(ConnectError::Login(challenge));
            }
            let cause = root(error.error.as_ref());
            match reach {
                Reach::Program => ended("it ended before it answered").into(),
                Reach::Address => format!("it cannot be reached: {cause}").into(),
            }
        }
        ClientInitializeError::ExpectedInitResponse(_) | ClientInitializeError::ExpectedInitResult(_) => {
            "it answered the handshake with something else; is it an MCP server?".to_owned().into()
        }
        other => caps::line(&other.to_string(), LONGEST_REASON).into_owned().into(),
    }
}

/// The innermost cause of an error.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    loop {
        // This library shows the error of the HTTP client and does not name it as a cause.
        let of_client = match innermost.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
            Some(StreamableHttpError::Client(error)) => Some(error as &(dyn Error + 'static)),
            Some(_) | None => None,
        };
        match of_client.or_else(|| innermost.source()) {
            Some(source) => innermost = source,
            None => break,
        }
    }
    caps::line(&innermost.to_string(), LONGEST_REASON).into_owned()
}

/// What a server says about the login that it wants, if an error is about one.
fn login_wanted(error: &(dyn Error + 'static)) -> Option<Option<String>> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(required) = error.downcast_ref::<AuthRequiredError>() {
            return Some(Some(required.www_authenticate_header.clone()));
        }
        if let Some(insufficient) = error.downcast_ref::<InsufficientScopeError>() {
            return Some(Some(insufficient.www_authenticate_header.clone()));
        }
        if matches!(error.downcast_ref::<AuthError>(), Some(AuthError::AuthorizationRequired)) {
            return Some(None);
        }
        next = error.source();
    }
    // A server without the header that the standard asks for says it with its status alone.
    error.to_string().contains("HTTP 401").then_some(None)
}
