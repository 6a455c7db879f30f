//! Wires the crates together at `initialize`, and again where the settings change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use kit_extension::{ExtensionCommands, ExtensionHooks, ExtensionSink, Extensions, Ports};
use kit_lsp::{Application, AuthCommand, Running, SettingsChange, Startup, Window};
use kit_protocol::{
    AuthAnswer, AuthArguments, Check, CredentialStore, DoctorAnswer, ErrorKind, KitError, Settings, Trust,
};
use kit_provider::auth::Credentials;
use kit_provider::{Environment, ModelError, Models, ProviderSettings};
use kit_session::{
    Attention, Contributions, CurrentSetup, Dependencies, McpContributions, Projects, ReviewDesk, Sessions,
    Setup, Setups, Sink,
};
use kit_tools::mcp::McpServers;
use kit_tools::sandbox::Sandbox;
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{DiskEditor, DocumentUri, Documents, Paths, Root, Workspace};
use serde_json::Value;
use tokio::sync::Notify;

use crate::arguments::Options;
use crate::configuration::{self, Configuration, Problem};
use crate::doctor;
use crate::extension_ports::{self, Desk, Requests};
use crate::live::Reload;
use crate::logins::{Logins, Surroundings};
use crate::mcp::{self, Connections};

/// The application behind the language server.
pub(crate) struct Kit {
    paths: Paths,
    options: Options,
    trust: kit_workspace::Trust,
    logins: Arc<Logins>,
    /// How remote MCP servers are connected.
    connections: Arc<Connections>,
    state: Mutex<State>,
    /// Told when settings changed that are in no file.
    pub(crate) changed: Notify,
    /// Held while settings are read again and taken over.
    pub(crate) reloading: Mutex<()>,
}

/// What the doctor tells and trust changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) options: Value,
    pub(crate) configuration: Configuration,
    pub(crate) policy: Option<Arc<Policy>>,
    sink: Option<Arc<dyn Sink>>,
    pub(crate) window: Option<Arc<dyn Window>>,
    pub(crate) extensions: Option<Arc<Extensions>>,
    pub(crate) mcp: Option<Arc<McpServers>>,
}

impl State {
    /// Tells what is wrong with settings files where they are shown.
    pub(crate) fn tell_problems(&self) {
        for problem in &self.configuration.problems {
            tracing::warn!(%problem, "settings");
        }
        if let Some(sink) = &self.sink {
            let problems = self.configuration.problems.iter().filter_map(Problem::in_file);
            sink.problems("settings", problems.collect());
        }
    }
}

impl Kit {
    /// An application that keeps its files in `paths`.
    pub(crate) fn new(paths: Paths, options: Options) -> Self {
        let mut trust = kit_workspace::Trust::new(&paths);
        if let Some(root) = options.trusted() {
            trust = trust.also(root);
        }
        Self {
            paths,
            options,
            trust,
            logins: Arc::default(),
            connections: Arc::new(Connections::new(&Settings::default())),
            state: Mutex::default(),
            changed: Notify::new(),
            reloading: Mutex::default(),
        }
    }

    /// Where the product keeps its files.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The settings file that the command line names in place of the user's.
    pub(crate) fn explicit_settings(&self) -> Option<&PathBuf> {
        self.options.config.as_ref()
    }

    /// All settings for roots; `before` is what was read the last time.
    pub(crate) fn configure(
        &self,
        roots: &[PathBuf],
        options: Value,
        before: &Configuration,
    ) -> Configuration {
        let trusted = roots.iter().map(PathBuf::as_path).filter(|root| self.trust.is_trusted(root));
        configuration::load(
            &self.paths.home,
            self.options.config.as_ref(),
            &trusted.collect::<Vec<_>>(),
            &|name| std::env::var(name).ok(),
            options,
            self.options.settings(),
            before,
        )
    }

    /// The models that there are under the settings, with the user's own list of them and the stored logins.
    fn models(&self, settings: &Settings) -> Result<Models, ModelError> {
        let environment = Environment::capture();
        let credentials = Credentials::of(&environment);
        let models = Models::new(&ProviderSettings::from(settings), environment)
            .with_catalogue(self.paths.cache.join("models.json"));
        let models = match (credentials, settings.credential_store.unwrap_or_default()) {
            (None, _) => models,
            (Some(credentials), CredentialStore::File) => models.with_credentials(credentials),
            (Some(credentials), CredentialStore::Keychain) => {
                models.with_credentials(credentials.in_keychain())
            }
        };
        match &self.options.record_model {
            Some(file) => models.with_recording(file),
            None => Ok(models),
        }
    }

    /// The models for a folder, without an editor.
    pub(crate) fn models_for(&self, root: Option<&Path>) -> Result<Models, ModelError> {
        let roots: Vec<PathBuf> = root.map(Path::to_owned).into_iter().collect();
        self.models(&self.configure(&roots, Value::Null, &Configuration::default()).settings)
    }

    /// What sessions work with, in all roots and in those of which other settings hold.
    pub(crate) fn setups(&self, configuration: &Configuration) -> Result<Setups, ModelError> {
        let all = &configuration.settings;
        let models = Arc::new(self.models(all)?);
        let mut setups = Setups::from(self.setup(all, Arc::clone(&models)));
        for (root, settings) in &configuration.roots {
            let own = if about_models(settings) == about_models(all) {
                Arc::clone(&models)
            } else {
                Arc::new(self.models(settings)?)
            };
            setups = setups.with_root(root.clone(), self.setup(settings, own));
        }
        Ok(setups)
    }

    /// What sessions work with under settings.
    fn setup(&self, settings: &Settings, models: Arc<Models>) -> Setup {
        // Upstream's folder for logins is beside the one for settings.
        let logins = Credentials::of(&Environment::capture());
        let logins = logins.and_then(|logins| logins.path().parent().map(Path::to_owned));
        let own = [self.paths.config.clone(), self.paths.user_settings()];
        let sandbox = std::env::current_exe().ok().map(|helper| Sandbox {
            helper,
            writable: Vec::new(),
            hidden: own.into_iter().chain(logins).collect(),
        });
        let tool_settings = Arc::new(ToolSettings::new(settings, sandbox));
        Setup { models, tool_settings, settings: settings.clone() }
    }

    /// The checks of the doctor for a folder, without an editor.
    pub(crate) fn examine(&self, root: &Path) -> anyhow::Result<DoctorAnswer> {
        let configuration = self.configuration(root);
        let models = self.models(&configuration.settings)?;
        let roots = [Root::new(root)];
        let projects = Projects::with_trust(&self.paths, &configuration.settings, self.trust.clone());
        let mut checks = doctor::checks(&self.paths, &configuration, &models, &roots, &projects);
        checks.push(mcp::check(&self.mcp_servers(root)?.0));
        Ok(DoctorAnswer { checks })
    }

    /// What was wrong with the settings at start.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.state().configuration.problems.iter().map(ToString::to_string).collect()
    }

    /// What holds in a folder, without an editor.
    pub(crate) fn configuration(&self, folder: &Path) -> Configuration {
        self.configure(&[folder.to_owned()], Value::Null, &Configuration::default())
    }

    /// The settings file of a folder that is not read, because the folder is not trusted.
    pub(crate) fn unread(&self, folder: &Path) -> Option<PathBuf> {
        configuration::path_in(folder).filter(|_| !self.trust.is_trusted(folder))
    }

    /// The MCP servers that hold in a folder, without an editor, and what is wrong with the settings.
    pub(crate) fn mcp_servers(&self, folder: &Path) -> anyhow::Result<(Arc<McpServers>, Vec<String>)> {
        let configuration = self.configuration(folder);
        let settings = &configuration.settings;
        let desk = ReviewDesk::new();
        let (roots, documents) = (vec![Root::new(folder)], Arc::new(Documents::new()));
        let workspace = Arc::new(Workspace::new(roots, documents, Arc::new(DiskEditor), desk));
        let tool_settings = ToolSettings::new(settings, None);
        let servers = mcp::servers(Arc::clone(&self.connections), Arc::default(), &tool_settings, workspace);
        self.apply_mcp(&servers, &configuration, &[folder.to_owned()]);
        Ok((servers, configuration.problems.iter().map(ToString::to_string).collect()))
    }

    /// Lets the servers of the settings be there and no others. The program of a root's file runs in that root, any other
    /// in the first root. That of a root that nobody trusts may hold programs with the names of others, so it is not used.
    pub(crate) fn apply_mcp(&self, servers: &McpServers, configuration: &Configuration, roots: &[PathBuf]) {
        let first = roots.first().filter(|root| self.trust.is_trusted(root)).unwrap_or(&self.paths.home);
        let settings = configuration.settings.mcp_servers.iter().flatten().map(|(name, server)| {
            let folder = configuration.root_of_server(name).unwrap_or(first).to_owned();
            (name.clone(), (server.clone(), folder))
        });
        self.connections.set(&configuration.settings);
        servers.apply(&settings.collect());
    }

    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of the settings decides which models there are.
fn about_models(settings: &Settings) -> Settings {
    Settings {
        model: settings.model.clone(),
        provider_url: settings.provider_url.clone(),
        provider_wire: settings.provider_wire.clone(),
        provider_api_key: settings.provider_api_key.clone(),
        providers: settings.providers.clone(),
        custom_models: settings.custom_models.clone(),
        borrowed_identity: settings.borrowed_identity.clone(),
        tls_skip_verify: settings.tls_skip_verify,
        ca_certificates: settings.ca_certificates.clone(),
        proxy: settings.proxy.clone(),
        credential_store: settings.credential_store,
        ..Settings::default()
    }
}

impl Application for Kit {
    fn start(&self, startup: Startup) -> Result<Running, KitError> {
        let roots = if startup.roots.is_empty() {
            // A lone file: the editor started us in the folder that it works in.
            std::env::current_dir().map(Root::new).into_iter().collect()
        } else {
            startup.roots
        };
        let folders: Vec<PathBuf> = roots.iter().map(|root| root.path.clone()).collect();
        let configuration = self.configure(&folders, startup.options.clone(), &Configuration::default());
        let settings = &configuration.settings;
        let setups = self.setups(&configuration).map_err(|error| KitError::new(error.kind, error.message))?;
        let tool_settings = Arc::clone(&setups.all().tool_settings);
        let policy = Arc::new(Policy::new(&self.paths, &configuration.rules));
        let documents = Arc::new(Documents::new());
        let desk = ReviewDesk::new();
        let attention = Attention::new();
        let interactive = startup.editor.has_person();
        let editor = attention.watch(startup.editor);
        let workspace = Arc::new(Workspace::new(roots, Arc::clone(&documents), editor, desk.clone()));
        workspace.set_save_after_edit(settings.save_after_edit.unwrap_or_default());
        workspace.set_auto_keep(settings.auto_keep.as_deref().unwrap_or_default());
        let tools = Arc::new(Registry::builtin());
        let sink = ExtensionSink::new(startup.sink);
        let extensions = Extensions::new(
            Ports {
                paths: self.paths.clone(),
                workspace: Arc::clone(&workspace),
                tools: Arc::clone(&tools),
                tool_settings: Arc::clone(&tool_settings),
                policy: Arc::clone(&policy),
                sink: Arc::clone(&sink.client),
                fetch: Arc::new(Requests::default()),
                trust: self.trust.clone(),
                environment: Arc::new(|name| std::env::var(name).ok()),
                interactive,
            },
            extension_ports::settings(settings),
        );
        sink.connect(&extensions);
        let connections = Arc::clone(&self.connections);
        let servers = mcp::servers(connections, Arc::clone(&tools), &tool_settings, Arc::clone(&workspace));
        self.apply_mcp(&servers, &configuration, &folders);
        let contributions = Contributions::new();
        contributions.add_commands(Arc::new(ExtensionCommands(Arc::clone(&extensions))));
        contributions.add_commands(Arc::new(McpContributions(Arc::clone(&servers))));
        contributions.add_mentions(Arc::new(McpContributions(Arc::clone(&servers))));
        let desk_of_servers =
            mcp::Desk::new(Arc::clone(&servers), Arc::clone(workspace.editor()), Arc::clone(&startup.window));
        let sessions = Sessions::new(Dependencies {
            workspace: Arc::clone(&workspace),
            documents: Arc::clone(&documents),
            tools,
            projects: Projects::with_trust(&self.paths, settings, self.trust.clone()),
            policy: Arc::clone(&policy),
            paths: self.paths.clone(),
            setup: CurrentSetup::from(setups),
            sink: Arc::clone(&sink) as Arc<dyn Sink>,
            desk,
            attention,
            contributions,
            hooks: Arc::new(ExtensionHooks(Arc::clone(&extensions))),
        });
        extensions.attach(&sessions);
        let state = State {
            options: startup.options,
            configuration,
            policy: Some(policy),
            sink: Some(Arc::clone(&sink.client)),
            window: Some(startup.window),
            extensions: Some(Arc::clone(&extensions)),
            mcp: Some(servers),
        };
        state.tell_problems();
        *self.state() = state;
        let (extensions, mcp) = (Arc::new(Desk(extensions)), Arc::new(desk_of_servers));
        Ok(Running { extensions, mcp, sessions, documents, workspace })
    }

    fn watch(self: Arc<Self>, running: Running) -> BoxFuture<'static, ()> {
        self.watch_settings(running)
    }

    fn settings_changed(&self, change: SettingsChange) {
        self.note(change);
    }

    fn doctor(&self, running: &Running) -> DoctorAnswer {
        let configuration = self.state().configuration.clone();
        let models = running.sessions.models();
        let roots = running.workspace.roots();
        let mut checks =
            doctor::checks(&self.paths, &configuration, &models, &roots, running.sessions.projects());
        checks.push(doctor::connections(models.connections()));
        checks.extend(doctor::project_files(&running.sessions.projects().problems()));
        let model = running.sessions.status().model;
        let provider = model.as_deref().and_then(|model| model.split('/').next());
        checks.extend(provider.and_then(|provider| doctor::limits(&models, provider)));
        checks.push(Check {
            name: "documents".to_owned(),
            ok: true,
            detail: format!("{} open", running.documents.list().len()),
            fix: None,
        });
        checks.extend(self.state().extensions.as_deref().map(extension_ports::check));
        checks.extend(self.state().mcp.as_deref().map(mcp::check));
        DoctorAnswer { checks }
    }

    fn trust(&self, running: &Running, trust: Trust) -> Result<Trust, KitError> {
        let root = DocumentUri::parse(&trust.root).to_path().unwrap_or_else(|| PathBuf::from(&trust.root));
        if !root.is_absolute() {
            let text = format!("`root` must be an absolute path or a file URI, not `{}`", trust.root);
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        }
        self.trust.set(&root, trust.trusted).map_err(|error| {
            let text = format!("the trust in {} could not be stored: {error}", root.display());
            KitError::new(ErrorKind::Unavailable, text)
        })?;
        running.sessions.projects().decided(&root);
        self.reload(running, Reload::Everything);
        self.changed.notify_one();
        Ok(Trust { root: trust.root, trusted: self.trust.is_trusted(&root) })
    }

    fn auth(
        &self,
        running: &Running,
        command: AuthCommand,
        arguments: AuthArguments,
    ) -> Result<AuthAnswer, KitError> {
        let Some(window) = self.state().window.clone() else {
            return Err(KitError::new(ErrorKind::Busy, "the server has not started yet"));
        };
        let with = Surroundings {
            models: running.sessions.models(),
            sessions: Arc::clone(&running.sessions),
            editor: Arc::clone(running.workspace.editor()),
            window,
        };
        let provider = arguments.provider.as_deref();
        match command {
            AuthCommand::Status => {
                // Who asks about one provider may know of a key that was stored from a terminal.
                if provider.is_some() {
                    with.sessions.logins_changed();
                }
                self.logins.status(&with.models, provider)
            }
            AuthCommand::Login => self.logins.log_in(&with, provider),
            AuthCommand::Logout => self.logins.log_out(&with, provider),
        }
    }
}
