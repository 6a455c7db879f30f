//! The methods of the protocol: each validates, hands over to the sessions and answers.
//!
//! Every folder that a client names is opened once for each list of MCP servers that comes with it, with the settings, rules
//! and extensions that hold there, and no decision about a path is taken from the process's own folder.

mod lifecycle;
mod prompt;
mod servers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_client_protocol_schema::ProtocolVersion;
use agent_client_protocol_schema::v1::{
    AgentCapabilities, AuthMethod, AuthMethodAgent, AuthMethodTerminal, AuthenticateRequest,
    AuthenticateResponse, AvailableCommand, ConfigOptionUpdate, CurrentModeUpdate, Implementation,
    InitializeRequest, InitializeResponse, McpCapabilities, McpServer, NoticeSeverity, PromptCapabilities,
    SessionAdditionalDirectoriesCapabilities, SessionCapabilities, SessionCloseCapabilities,
    SessionDeleteCapabilities, SessionForkCapabilities, SessionListCapabilities, SessionResumeCapabilities,
    SessionUpdate, SetSessionConfigOptionRequest, SetSessionConfigOptionResponse, SetSessionModeRequest,
    SetSessionModeResponse,
};
use kit_protocol::{ErrorKind, KitError, ModeSetArguments, SessionId, TurnId};
use kit_workspace::Root;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::application::{Application, Opening, Workplace};
use crate::editor::RemoteEditor;
use crate::error::{invalid, to_value};
use crate::folder::Folder;
use crate::options::{self, Changed};
use crate::peer::{Outgoing, Peer};
use crate::prompts::Prompts;
use crate::pump::say;

/// The login that a person does in a terminal.
const LOGIN: &str = "kit-login";
/// The same, started by the client.
const TERMINAL_LOGIN: &str = "kit-login-terminal";

/// How a request is answered.
pub(crate) enum Answer {
    /// Now, with this, and these behind it: a client knows a session once it has its id.
    Now(Value, Vec<Outgoing>),
    /// When the turn ends.
    Later,
}

/// A folder with its further roots and the MCP servers for it, as the client names them.
#[derive(Clone)]
pub(crate) struct OpenFolder {
    roots: Vec<PathBuf>,
    options: Value,
    place: Arc<dyn Workplace>,
    folder: Arc<Folder>,
}

#[derive(Default)]
struct State {
    /// The client's name, once it introduced itself.
    client: Option<String>,
    folders: Vec<OpenFolder>,
    sessions: HashMap<SessionId, OpenFolder>,
    /// The commands that the client knows of a session.
    commands: HashMap<SessionId, Vec<AvailableCommand>>,
}

/// The agent's side of a connection.
pub(crate) struct Agent {
    application: Arc<dyn Application>,
    peer: Arc<Peer>,
    prompts: Arc<Prompts>,
    state: Mutex<State>,
}

impl Agent {
    pub(crate) fn new(application: Arc<dyn Application>, peer: Arc<Peer>, prompts: Arc<Prompts>) -> Self {
        Self { application, peer, prompts, state: Mutex::default() }
    }

    /// Answers one request. `turn` is the one that a prompt was entered with.
    pub(crate) async fn request(
        &self,
        method: &str,
        params: Value,
        turn: Option<TurnId>,
    ) -> Result<Answer, KitError> {
        if method == "initialize" {
            return now(&self.initialize(parse(method, params)?));
        }
        if self.state().client.is_none() {
            return Err(invalid(format!("`{method}` came before `initialize`")));
        }
        match method {
            "authenticate" => now(&self.authenticate(parse(method, params)?).await?),
            "session/new" => self.new_session(parse(method, with_servers(params))?).await,
            "session/load" => self.load(parse(method, with_servers(params))?).await,
            "session/resume" => self.resume(parse(method, with_servers(params))?).await,
            "session/fork" => self.fork(parse(method, with_servers(params))?).await,
            "session/list" => now(&self.list(parse(method, params)?).await?),
            "session/close" => now(&self.close(parse(method, params)?).await?),
            "session/delete" => now(&self.delete(parse(method, params)?).await?),
            "session/set_mode" => now(&self.set_mode(parse(method, params)?).await?),
            "session/set_config_option" => now(&self.set_option(parse(method, params)?).await?),
            "session/prompt" => {
                let turn =
                    turn.ok_or_else(|| KitError::new(ErrorKind::Internal, "the prompt has no turn"))?;
                self.prompt(parse(method, params)?, turn).await
            }
            unknown => Err(KitError::new(ErrorKind::NotFound, format!("there is no method `{unknown}`"))),
        }
    }

    /// `session/cancel`, and the cancellation of one request: done before the next message is read.
    pub(crate) fn cancel(&self, session: Option<&SessionId>, turns: Vec<TurnId>) {
        let places: Vec<Arc<dyn Workplace>> =
            self.state().folders.iter().map(|open| Arc::clone(&open.place)).collect();
        for turn in &turns {
            for place in &places {
                place.sessions().cancel_turn(turn);
            }
        }
        let Some(session) = session else { return };
        // Also what the client did not begin: a summary, a turn of an extension.
        if let Ok(open) = self.open_session(session) {
            let arguments =
                kit_protocol::CancelArguments { session: Some(session.clone()), ..Default::default() };
            open.place.sessions().cancel(arguments);
        }
    }

    /// Whether a session is open here.
    pub(crate) fn has(&self, session: &SessionId) -> bool {
        self.state().sessions.contains_key(session)
    }

    /// Ends everything.
    pub(crate) async fn shutdown(&self) {
        let folders = std::mem::take(&mut self.state().folders);
        futures::future::join_all(folders.iter().map(|open| open.place.shutdown())).await;
    }

    fn initialize(&self, request: InitializeRequest) -> InitializeResponse {
        let client = request
            .client_info
            .as_ref()
            .map_or_else(|| "an ACP client".to_owned(), |info| format!("{} {}", info.name, info.version));
        tracing::info!(%client, version = %request.protocol_version, "initialize");
        let with_terminal = request.client_capabilities.auth.terminal;
        self.peer.set_capabilities(request.client_capabilities);
        self.state().client = Some(client);
        let sessions = SessionCapabilities::new()
            .list(SessionListCapabilities::new())
            .resume(SessionResumeCapabilities::new())
            .fork(SessionForkCapabilities::new())
            .close(SessionCloseCapabilities::new())
            .delete(SessionDeleteCapabilities::new())
            .additional_directories(SessionAdditionalDirectoriesCapabilities::new());
        let capabilities = AgentCapabilities::new()
            .load_session(true)
            .prompt_capabilities(PromptCapabilities::new().image(true).embedded_context(true))
            .mcp_capabilities(McpCapabilities::new().http(true))
            .session_capabilities(sessions);
        let by_hand = AuthMethodAgent::new(LOGIN, "Log in with kit-ls").description(
            "Run `kit-ls auth login` in a terminal, or set the provider's key, such as ANTHROPIC_API_KEY",
        );
        let mut methods = vec![AuthMethod::Agent(by_hand)];
        if with_terminal {
            let started = AuthMethodTerminal::new(TERMINAL_LOGIN, "Log in in a terminal")
                .description("Runs `kit-ls auth login`")
                .args(vec!["auth".to_owned(), "login".to_owned()]);
            methods.push(AuthMethod::Terminal(started));
        }
        InitializeResponse::new(ProtocolVersion::V1)
            .agent_capabilities(capabilities)
            .auth_methods(methods)
            .agent_info(Implementation::new("kit-ls", env!("CARGO_PKG_VERSION")).title("Kit"))
    }

    async fn authenticate(&self, request: AuthenticateRequest) -> Result<AuthenticateResponse, KitError> {
        let method = &*request.method_id.0;
        if ![LOGIN, TERMINAL_LOGIN].contains(&method) {
            return Err(invalid(format!("there is no login `{method}`; it is {LOGIN} or {TERMINAL_LOGIN}")));
        }
        self.application.signed_in().await?;
        for open in self.state().folders.iter() {
            open.place.sessions().logins_changed();
        }
        Ok(AuthenticateResponse::new())
    }

    async fn set_mode(&self, request: SetSessionModeRequest) -> Result<SetSessionModeResponse, KitError> {
        let session = SessionId::new(&*request.session_id.0);
        let open = self.open_session(&session)?;
        let mode = options::mode_of(&request.mode_id.0)?;
        let sessions = open.place.sessions();
        sessions.mode_set(ModeSetArguments { mode, session: Some(session.clone()) }).await?;
        let options = options::options(sessions, &session).await?;
        self.peer.update(&session, SessionUpdate::ConfigOptionUpdate(ConfigOptionUpdate::new(options)));
        Ok(SetSessionModeResponse::new())
    }

    async fn set_option(
        &self,
        request: SetSessionConfigOptionRequest,
    ) -> Result<SetSessionConfigOptionResponse, KitError> {
        let session = SessionId::new(&*request.session_id.0);
        let open = self.open_session(&session)?;
        let sessions = open.place.sessions();
        if let Changed::Mode(mode) = options::set(sessions, &session, request).await? {
            let update = CurrentModeUpdate::new(options::mode_name(mode));
            self.peer.update(&session, SessionUpdate::CurrentModeUpdate(update));
        }
        Ok(SetSessionConfigOptionResponse::new(options::options(sessions, &session).await?))
    }

    /// A session that the client opened in this connection.
    fn open_session(&self, session: &SessionId) -> Result<OpenFolder, KitError> {
        self.state().sessions.get(session).cloned().ok_or_else(|| {
            let sentence = format!("the session {session} is not open; load or resume it first");
            KitError::new(ErrorKind::NotFound, sentence)
        })
    }

    /// The folder with these roots and servers, opened if it is not open yet.
    fn open_folder(
        &self,
        cwd: &Path,
        further: &[PathBuf],
        servers: &[McpServer],
    ) -> Result<OpenFolder, KitError> {
        let options = servers::settings(servers)?;
        let roots: Vec<PathBuf> = std::iter::once(cwd.to_owned()).chain(further.iter().cloned()).collect();
        for root in &roots {
            if !root.is_absolute() {
                return Err(invalid(format!("`cwd` must be an absolute path, not `{}`", root.display())));
            }
            if !root.is_dir() {
                return Err(invalid(format!("there is no folder {}", root.display())));
            }
        }
        let mut state = self.state();
        if let Some(open) = state.folders.iter().find(|open| open.roots == roots && open.options == options) {
            return Ok(open.clone());
        }
        let folder = Arc::new(Folder::new(Arc::clone(&self.peer)));
        let editor = Arc::new(RemoteEditor::new(Arc::clone(&folder)));
        let place = self.application.open(Opening {
            roots: roots.iter().map(Root::new).collect(),
            options: options.clone(),
            client: state.client.clone().unwrap_or_default(),
            editor: Arc::clone(&editor) as _,
            sink: Arc::clone(&folder) as _,
        })?;
        editor.attach(Arc::clone(place.workspace().documents()));
        let open = OpenFolder { roots, options, place, folder };
        state.folders.push(open.clone());
        Ok(open)
    }

    /// Any open folder, or the process's own.
    fn any_folder(&self) -> Result<OpenFolder, KitError> {
        if let Some(open) = self.state().folders.first() {
            return Ok(open.clone());
        }
        let folder = std::env::current_dir().map_err(|error| {
            KitError::new(ErrorKind::Unavailable, format!("the current folder is gone: {error}"))
        })?;
        self.open_folder(&folder, &[], &[])
    }

    /// What is wrong with the settings.
    fn warnings(open: &OpenFolder, session: &SessionId) -> Vec<Outgoing> {
        let warning = |sentence| say(session.clone(), NoticeSeverity::Warning, sentence);
        open.place.problems().into_iter().map(warning).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now<T: Serialize>(answer: &T) -> Result<Answer, KitError> {
    Ok(Answer::Now(to_value(answer), Vec::new()))
}

/// Parameters whose list of MCP servers is empty where a client leaves it out, as many do.
fn with_servers(mut params: Value) -> Value {
    if let Value::Object(fields) = &mut params {
        fields.entry("mcpServers").or_insert_with(|| Value::Array(Vec::new()));
    }
    params
}

fn parse<T: DeserializeOwned>(method: &str, params: Value) -> Result<T, KitError> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(", at `{path}`") };
        invalid(format!("the parameters of `{method}` are wrong{place}: {}", error.inner()))
    })
}
