//! The handlers: each validates, hands over and answers.

use std::sync::Arc;

use kit_protocol::{ContentAnswer, ContentArguments, ErrorKind, KitError, ServerCapabilities};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;
use tower_lsp::{Client, LanguageServer, async_trait, lsp_types as lsp};

use crate::editor::RemoteEditor;
use crate::error::{not_started, to_jsonrpc, to_value};
use crate::shared::{Profile, Running, SettingsChange, Shared, Startup};
use crate::window::RemoteWindow;
use crate::{actions, commands, convert};

/// The language server behind the guard.
pub(crate) struct Backend {
    client: Client,
    shared: Arc<Shared>,
}

impl Backend {
    /// Serves `shared` to `client`.
    pub(crate) fn new(client: Client, shared: Arc<Shared>) -> Self {
        Self { client, shared }
    }

    fn running(&self) -> Result<&Running> {
        self.shared.running.get().ok_or_else(not_started)
    }

    fn profile(&self) -> Profile {
        self.shared.profile.get().cloned().unwrap_or_default()
    }

    /// `workspace/textDocumentContent`.
    pub(crate) async fn content(&self, arguments: ContentArguments) -> Result<ContentAnswer> {
        let running = self.running()?;
        let text = running.sessions.content(&arguments.uri).await.map_err(to_jsonrpc)?;
        Ok(ContentAnswer { text })
    }

    /// `window/workDoneProgress/cancel`.
    pub(crate) async fn cancel_progress(&self, params: lsp::WorkDoneProgressCancelParams) {
        let Some(running) = self.shared.running.get() else { return };
        self.shared.progress.cancel_task(&params.token);
        if let Some(turn) = self.shared.progress.turn_of(&params.token) {
            running.sessions.cancel_turn(&turn);
        }
    }
}

fn capabilities(profile: &Profile) -> lsp::ServerCapabilities {
    let kit = ServerCapabilities {
        version: kit_protocol::PROTOCOL_VERSION,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        commands: kit_protocol::COMMANDS.to_vec(),
    };
    lsp::ServerCapabilities {
        position_encoding: Some(convert::encoding_kind(profile.encoding)),
        text_document_sync: Some(lsp::TextDocumentSyncCapability::Options(lsp::TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(lsp::TextDocumentSyncKind::INCREMENTAL),
            save: Some(lsp::TextDocumentSyncSaveOptions::Supported(true)),
            ..lsp::TextDocumentSyncOptions::default()
        })),
        code_action_provider: Some(lsp::CodeActionProviderCapability::Options(lsp::CodeActionOptions {
            code_action_kinds: Some(actions::kinds()),
            ..lsp::CodeActionOptions::default()
        })),
        code_lens_provider: (!profile.kit.review)
            .then_some(lsp::CodeLensOptions { resolve_provider: Some(false) }),
        execute_command_provider: Some(lsp::ExecuteCommandOptions {
            commands: kit_protocol::COMMANDS.iter().map(|command| command.id.to_owned()).collect(),
            work_done_progress_options: lsp::WorkDoneProgressOptions { work_done_progress: Some(true) },
        }),
        workspace: Some(lsp::WorkspaceServerCapabilities {
            workspace_folders: Some(lsp::WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(lsp::OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        experimental: Some(json!({ "kit": to_value(&kit) })),
        ..lsp::ServerCapabilities::default()
    }
}

/// The settings in a `workspace/didChangeConfiguration`: those under `kit`, or the object itself; nothing where it says
/// nothing, as editors do that want to be asked.
fn own_settings(settings: Value) -> Option<Value> {
    let Value::Object(mut settings) = settings else { return None };
    match settings.remove("kit") {
        Some(own) => own.is_object().then_some(own),
        None => (!settings.is_empty()).then_some(Value::Object(settings)),
    }
}

#[async_trait]
impl LanguageServer for Backend {
    async fn initialize(&self, params: lsp::InitializeParams) -> Result<lsp::InitializeResult> {
        let profile = Profile::read(&params);
        let client = params.client_info.as_ref().map_or_else(
            || "unknown".to_owned(),
            |info| format!("{} {}", info.name, info.version.as_deref().unwrap_or_default()),
        );
        tracing::info!(%client, ?profile, "initialize");
        let startup = Startup {
            roots: convert::roots(&params),
            options: params.initialization_options.clone().unwrap_or(Value::Null),
            client,
            editor: Arc::new(RemoteEditor::new(self.client.clone(), Arc::clone(&self.shared))),
            window: Arc::new(RemoteWindow::new(self.client.clone(), Arc::clone(&self.shared))),
            sink: self.shared.pump.clone(),
        };
        let answer = capabilities(&profile);
        // tower-lsp lets one `initialize` through, so neither cell is set yet.
        let first = self.shared.profile.set(profile).is_ok();
        let running = self.shared.application.start(startup).map_err(to_jsonrpc)?;
        if !first || self.shared.running.set(running).is_err() {
            return Err(to_jsonrpc(KitError::new(ErrorKind::InvalidRequest, "initialize was called twice")));
        }
        Ok(lsp::InitializeResult {
            capabilities: answer,
            server_info: Some(lsp::ServerInfo {
                name: "kit-ls".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        })
    }

    async fn initialized(&self, _: lsp::InitializedParams) {
        let pump = Arc::clone(&self.shared.pump);
        let progress = Arc::clone(&self.shared.progress);
        tokio::spawn(pump.run(self.client.clone(), self.profile(), progress));
        if let Some(running) = self.shared.running.get() {
            running.sessions.announce();
            tokio::spawn(Arc::clone(&self.shared.application).watch(running.clone()));
        }
        if let Some(version) = self.profile().foreign_version {
            let sentence = format!(
                "The client speaks version {version} of the Kit protocol and this kit-ls version {}: update the older \
                 one; until then the agent works as in any other editor.",
                kit_protocol::PROTOCOL_VERSION
            );
            tracing::warn!("{sentence}");
            self.client.show_message(lsp::MessageType::WARNING, sentence).await;
        }
    }

    async fn shutdown(&self) -> Result<()> {
        if let Some(running) = self.shared.running.get() {
            running.shut_down().await;
        }
        Ok(())
    }

    async fn execute_command(&self, params: lsp::ExecuteCommandParams) -> Result<Option<Value>> {
        let running = self.running()?;
        commands::execute(&self.shared, running, params).await.map(Some).map_err(to_jsonrpc)
    }

    async fn code_action(&self, params: lsp::CodeActionParams) -> Result<Option<lsp::CodeActionResponse>> {
        let kit = self.profile().kit;
        Ok(Some(actions::actions(self.running()?, kit.review, kit.ask, params).await))
    }

    async fn code_lens(&self, params: lsp::CodeLensParams) -> Result<Option<Vec<lsp::CodeLens>>> {
        if self.profile().kit.review {
            return Ok(None);
        }
        Ok(Some(actions::lenses(self.running()?, params.text_document.uri.as_str()).await))
    }

    async fn did_change_configuration(&self, params: lsp::DidChangeConfigurationParams) {
        if self.shared.running.get().is_none() {
            return;
        }
        if let Some(options) = own_settings(params.settings) {
            self.shared.application.settings_changed(SettingsChange::Editor(options));
        } else if self.profile().configuration {
            let (client, shared) = (self.client.clone(), Arc::clone(&self.shared));
            // In its own task: tower-lsp panics when the answer to a dropped request arrives.
            tokio::spawn(async move {
                let item = lsp::ConfigurationItem { scope_uri: None, section: Some("kit".to_owned()) };
                match client.configuration(vec![item]).await {
                    Ok(answers) => {
                        if let Some(options) = answers.into_iter().next().filter(Value::is_object) {
                            shared.application.settings_changed(SettingsChange::Editor(options));
                        }
                    }
                    Err(error) => tracing::warn!(%error, "the editor did not tell its settings"),
                }
            });
        }
    }
}
