//! This side of a connection as a server sees it: its roots, its answers to questions, and where notifications go.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use kit_workspace::{DocumentUri, Workspace};
use rmcp::ErrorData;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationCapability,
    FormElicitationCapability, Implementation, ProgressNotificationParam, ProgressToken,
    ResourceUpdatedNotificationParam, RootsCapabilities,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::elicit;
use super::watch::WatchedResources;
use crate::caps;
use crate::tool::OutputSink;

/// Progress that came before its call was known: so much is kept.
const MOST_EARLY: usize = 32;
/// Bytes of one message of progress or of the log.
const LONGEST_MESSAGE: usize = 500;

/// This side of a connection.
pub(super) struct Client {
    server: String,
    workspace: Arc<Workspace>,
    /// What the server offers has changed.
    pub(super) changed: Notify,
    watched: Arc<WatchedResources>,
    progress: Mutex<Progress>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Progress {
    sinks: HashMap<ProgressToken, OutputSink>,
    early: VecDeque<(ProgressToken, String)>,
}

impl Client {
    pub(super) fn new(
        server: &str,
        workspace: Arc<Workspace>,
        watched: Arc<WatchedResources>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            server: server.to_owned(),
            workspace,
            changed: Notify::new(),
            watched,
            progress: Mutex::default(),
            stop,
        }
    }

    /// Shows the progress of a call until the result is dropped.
    pub(super) fn follow(self: &Arc<Self>, token: ProgressToken, sink: OutputSink) -> Following {
        let mut progress = self.progress();
        let early: Vec<String> = progress
            .early
            .iter()
            .filter(|(early, _)| *early == token)
            .map(|(_, text)| text.clone())
            .collect();
        progress.early.retain(|(early, _)| *early != token);
        progress.sinks.insert(token.clone(), Arc::clone(&sink));
        drop(progress);
        for text in early {
            sink(text, false);
        }
        Following { client: Arc::clone(self), token }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call whose progress is shown.
pub(super) struct Following {
    client: Arc<Client>,
    token: ProgressToken,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.client.progress().sinks.remove(&self.token);
    }
}

/// One line about progress.
fn line(params: &ProgressNotificationParam) -> String {
    let amount = match params.total {
        Some(total) if total > 0.0 => format!("{} of {total}", params.progress),
        Some(_) | None => params.progress.to_string(),
    };
    match params.message.as_deref().map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => format!("{}: {amount}\n", caps::line(message, LONGEST_MESSAGE)),
        None => format!("{amount}\n"),
    }
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        let mut roots = RootsCapabilities::default();
        roots.list_changed = Some(true);
        capabilities.roots = Some(roots);
        capabilities.elicitation =
            Some(ElicitationCapability::new().with_form(FormElicitationCapability::new()));
        let own = Implementation::new("kit-ls", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(capabilities, own)
    }

    #[expect(deprecated, reason = "servers of all versions before 2026-07-28 ask for roots")]
    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<rmcp::model::ListRootsResult, ErrorData> {
        let roots = self.workspace.roots();
        let told = roots.iter().map(|root| {
            let told = rmcp::model::Root::new(DocumentUri::from_path(&root.path).to_string());
            match root.path.file_name() {
                Some(name) => told.with_name(name.to_string_lossy()),
                None => told,
            }
        });
        Ok(rmcp::model::ListRootsResult::new(told.collect()))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let withdrawn = self.stop.child_token();
        let _withdraw = withdrawn.clone().drop_guard();
        let asking = elicit::ask(&self.server, &request, self.workspace.editor().as_ref(), &withdrawn);
        tokio::select! {
            answer = asking => Ok(answer),
            () = context.ct.cancelled() => Ok(elicit::cancelled()),
        }
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let text = line(&params);
        let sink = {
            let mut progress = self.progress();
            let sink = progress.sinks.get(&params.progress_token).cloned();
            if sink.is_none() {
                if progress.early.len() >= MOST_EARLY {
                    progress.early.pop_front();
                }
                progress.early.push_back((params.progress_token, text.clone()));
            }
            sink
        };
        if let Some(sink) = sink {
            sink(text, false);
        }
    }

    #[expect(deprecated, reason = "servers of all versions before 2026-07-28 send their log so")]
    async fn on_logging_message(
        &self,
        params: rmcp::model::LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let text = params.data.as_str().map_or_else(|| params.data.to_string(), str::to_owned);
        tracing::debug!(server = self.server, level = ?params.level, "{}", caps::line(&text, LONGEST_MESSAGE));
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.watched.changed(&params.uri);
    }

    async fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}
