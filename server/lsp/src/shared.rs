//! What all parts of the edge share: the client's profile and, after `initialize`, the running application.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use kit_protocol::{
    AuthAnswer, AuthArguments, ClientCapabilities, ExtensionArguments, ExtensionGrantArguments,
    ExtensionListAnswer, ExtensionShortcutAnswer, ExtensionShortcutArguments, KitError, McpListAnswer,
    McpListArguments, McpNameArguments,
};
use kit_session::{Sessions, Sink};
use kit_text::Encoding;
use kit_workspace::{Documents, Editor, Root, Workspace};
use serde_json::Value;
use tower_lsp::lsp_types::InitializeParams;

use crate::convert;
use crate::progress::Registry;
use crate::pump::Pump;
use crate::window::Window;

/// What the application learns at `initialize`.
pub struct Startup {
    /// The workspace roots; empty for a lone file.
    pub roots: Vec<Root>,
    /// `initializationOptions`: settings of the highest priority after the command line.
    pub options: Value,
    /// The editor's name and version, for the log.
    pub client: String,
    /// How to reach the editor.
    pub editor: Arc<dyn Editor>,
    /// How to show something outside of turns.
    pub window: Arc<dyn Window>,
    /// Where events, status and review go.
    pub sink: Arc<dyn Sink>,
}

/// Whoever has the extensions.
pub trait ExtensionDesk: Send + Sync {
    /// `kit.extension.list`.
    fn list(&self, arguments: ExtensionArguments) -> ExtensionListAnswer;
    /// `kit.extension.reload`.
    fn reload(&self, arguments: ExtensionArguments) -> BoxFuture<'_, Result<ExtensionListAnswer, KitError>>;
    /// `kit.extension.grant`.
    fn grant(&self, arguments: ExtensionGrantArguments) -> Result<ExtensionListAnswer, KitError>;
    /// `kit.extension.shortcut`.
    fn shortcut(
        &self,
        arguments: ExtensionShortcutArguments,
    ) -> BoxFuture<'_, Result<ExtensionShortcutAnswer, KitError>>;
    /// Waits until the extensions that were found are loaded, and their user has said what they may reach.
    fn granted(&self) -> BoxFuture<'_, ()>;
    /// Waits until extensions have heard of all that happened, and are done with it.
    fn settle(&self) -> BoxFuture<'_, ()>;
    /// Ends all extensions.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// Whoever has the MCP servers. Connections and logins go on after the answers.
pub trait McpDesk: Send + Sync {
    /// `kit.mcp.list`.
    fn list(&self, arguments: McpListArguments) -> Result<McpListAnswer, KitError>;
    /// `kit.mcp.reconnect`.
    fn reconnect(&self, arguments: McpNameArguments) -> Result<McpListAnswer, KitError>;
    /// `kit.mcp.login`.
    fn log_in(&self, arguments: McpNameArguments) -> Result<McpListAnswer, KitError>;
    /// `kit.mcp.logout`.
    fn log_out(&self, arguments: McpNameArguments) -> Result<McpListAnswer, KitError>;
    /// Ends all servers.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// What the application gives back.
#[derive(Clone)]
pub struct Running {
    /// The receiver of the commands about extensions.
    pub extensions: Arc<dyn ExtensionDesk>,
    /// The receiver of the commands about MCP servers.
    pub mcp: Arc<dyn McpDesk>,
    /// The commands' receiver.
    pub sessions: Arc<Sessions>,
    /// The store that document notifications are applied to.
    pub documents: Arc<Documents>,
    /// The roots and files.
    pub workspace: Arc<Workspace>,
}

/// How long extensions may take to hear of the end of their sessions.
const GOODBYE: Duration = Duration::from_millis(500);

impl Running {
    /// Ends everything. Sessions come before extensions, which hear of their end.
    pub async fn shut_down(&self) {
        let sessions_and_extensions = async {
            self.sessions.shutdown().await;
            if tokio::time::timeout(GOODBYE, self.extensions.settle()).await.is_err() {
                tracing::warn!("extensions were not done when their sessions ended");
            }
            self.extensions.shutdown().await;
        };
        tokio::join!(sessions_and_extensions, self.mcp.shutdown());
    }
}

/// Builds everything behind the language server; implemented by the binary and by tests.
pub trait Application: Send + Sync + 'static {
    /// Called once, at `initialize`; must return within milliseconds.
    fn start(&self, startup: Startup) -> Result<Running, KitError>;

    /// Takes over changes of settings until the task is dropped; begins when the client is ready.
    fn watch(self: Arc<Self>, running: Running) -> BoxFuture<'static, ()>;

    /// Called when something that settings come from changed; returns at once.
    fn settings_changed(&self, change: SettingsChange);

    /// Called for `kit.doctor`, in its own task.
    fn doctor(&self, running: &Running) -> kit_protocol::DoctorAnswer;

    /// Called for `kit.trust.set`; the answer is what holds from now on.
    fn trust(&self, running: &Running, trust: kit_protocol::Trust) -> Result<kit_protocol::Trust, KitError>;

    /// Called for `kit.auth.*`, in its own task; a login goes on after the answer.
    fn auth(
        &self,
        running: &Running,
        command: AuthCommand,
        arguments: AuthArguments,
    ) -> Result<AuthAnswer, KitError>;
}

/// What settings come from beside files.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingsChange {
    /// The editor's settings, in place of those that it sent before.
    Editor(Value),
    /// The folders of the workspace.
    Roots,
}

/// What is to be done with logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthCommand {
    /// Tell how it is.
    Status,
    /// Log in.
    Login,
    /// Forget what is stored.
    Logout,
}

/// What this client can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// `capabilities.experimental.kit`.
    pub(crate) kit: ClientCapabilities,
    /// The negotiated position encoding.
    pub(crate) encoding: Encoding,
    /// `window.workDoneProgress`.
    pub(crate) progress: bool,
    /// `workspace.configuration`.
    pub(crate) configuration: bool,
    /// `window.showDocument.support`.
    pub(crate) show_document: bool,
    /// `workspace.codeLens.refreshSupport`.
    pub(crate) lens_refresh: bool,
    /// `workspace.workspaceEdit.changeAnnotationSupport`.
    pub(crate) annotations: bool,
    /// Whether an edit's label is shown as an undo step and not as a message at each edit.
    pub(crate) labels: bool,
    /// The process that must stay alive.
    pub(crate) parent: Option<u32>,
    /// The version that the client announced when it is one that we do not speak; `kit` is empty then.
    pub(crate) foreign_version: Option<u64>,
}

impl Profile {
    /// Reads the profile from the handshake.
    pub(crate) fn read(params: &InitializeParams) -> Self {
        let capabilities = &params.capabilities;
        let kit = capabilities
            .experimental
            .as_ref()
            .and_then(|experimental| experimental.get("kit"))
            .and_then(|kit| serde_json::from_value::<ClientCapabilities>(kit.clone()).ok())
            .filter(|kit| kit.version == kit_protocol::PROTOCOL_VERSION)
            .unwrap_or_default();
        let window = capabilities.window.as_ref();
        let workspace = capabilities.workspace.as_ref();
        Self {
            kit,
            encoding: convert::negotiate(capabilities),
            progress: window.and_then(|window| window.work_done_progress).unwrap_or(false),
            configuration: workspace.and_then(|workspace| workspace.configuration).unwrap_or(false),
            show_document: window
                .and_then(|window| window.show_document.as_ref())
                .is_some_and(|show| show.support),
            lens_refresh: workspace
                .and_then(|workspace| workspace.code_lens.as_ref())
                .and_then(|lens| lens.refresh_support)
                .unwrap_or(false),
            annotations: workspace
                .and_then(|workspace| workspace.workspace_edit.as_ref())
                .is_some_and(|edit| edit.change_annotation_support.is_some()),
            labels: params.client_info.as_ref().is_none_or(|client| client.name != "Neovim"),
            parent: params.process_id,
            foreign_version: Self::foreign_version(params),
        }
    }

    fn foreign_version(params: &InitializeParams) -> Option<u64> {
        let version = params.capabilities.experimental.as_ref()?.get("kit")?.get("version")?.as_u64()?;
        (version != u64::from(kit_protocol::PROTOCOL_VERSION)).then_some(version)
    }
}

/// Shared by guard, handlers, pump and editor.
pub(crate) struct Shared {
    /// Builds the application.
    pub(crate) application: Arc<dyn Application>,
    /// Set by `initialize`.
    pub(crate) running: OnceLock<Running>,
    /// Set by `initialize`.
    pub(crate) profile: OnceLock<Profile>,
    /// Everything on its way to the client.
    pub(crate) pump: Arc<Pump>,
    /// Progress tokens of running turns.
    pub(crate) progress: Arc<Registry>,
}

impl Shared {
    /// Before `initialize`.
    pub(crate) fn new(application: Arc<dyn Application>) -> Self {
        Self {
            application,
            running: OnceLock::new(),
            profile: OnceLock::new(),
            pump: Arc::new(Pump::default()),
            progress: Arc::new(Registry::default()),
        }
    }

    /// The negotiated position encoding.
    pub(crate) fn encoding(&self) -> Encoding {
        self.profile.get().map(|profile| profile.encoding).unwrap_or_default()
    }
}
