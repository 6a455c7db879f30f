//! Loading, reloading and unloading, as a swap of generations.
//!
//! A load looks for all extensions, keeps those whose content is the same, and makes guests of the others first. Only
//! when they run is the next generation swapped in; then those that are gone are told and ended. A file that cannot be
//! loaded keeps what it was before, and what is wrong is shown at its line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_contract::{
    API_VERSION, Configuration, EVENTS, METHODS, Permissions, Registration, SessionShutdownEvent,
    SessionStartEvent,
};
use kit_protocol::FileProblem;
use kit_tools::ToolSource;

use crate::caller::Caller;
use crate::extensions::Extensions;
use crate::generation::Generation;
use crate::javascript;
use crate::loaded::Loaded;
use crate::sandbox::{Fault, Guest, Limits, LoadError, Program as Compiled, Recipe};
use crate::source::{Program, Source, SourceError, discover};
use crate::state::is_sidecar;
use crate::tool::ExtensionTool;

impl Extensions {
    /// The folders in which extensions lie: the user's, and those of trusted roots.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.ports().paths.config.join("extensions")];
        for root in self.ports().workspace.roots() {
            if self.ports().trust.is_trusted(&root.path) {
                folders.push(root.path.join(".kit/extensions"));
            }
        }
        folders
    }

    /// The main files of all extensions, in load order.
    pub(crate) fn candidates(&self) -> Vec<PathBuf> {
        let (settings, cwd) = (self.settings(), self.cwd());
        if settings.disabled {
            return Vec::new();
        }
        let named: Vec<PathBuf> = settings.named.iter().map(|path| cwd.join(path)).collect();
        discover(&self.folders(), &named)
    }

    /// Makes what is loaded agree with what is on disk.
    pub(crate) async fn load_all(self: &Arc<Self>) {
        self.load_with(Renew::Changed).await;
    }

    /// The same, and makes one extension anew, or all, even if they did not change.
    pub(crate) async fn renew(self: &Arc<Self>, name: Option<&str>) {
        self.load_with(name.map_or(Renew::All, Renew::Named)).await;
    }

    async fn load_with(self: &Arc<Self>, renew: Renew<'_>) {
        let _alone = self.loading.lock().await;
        let hub = Arc::clone(self);
        let paths = tokio::task::spawn_blocking(move || hub.candidates()).await.unwrap_or_default();
        let before = self.generation();
        let mut next = Vec::new();
        let mut fresh = Vec::new();
        for path in &paths {
            let old = before.by_path(path);
            let is_kept = |old: &&Arc<Loaded>| match renew {
                Renew::Changed => true,
                Renew::Named(name) => old.name != name,
                Renew::All => false,
            };
            match self.load(path, old.filter(is_kept)).await {
                Ok(Change::Same) => next.extend(old.cloned()),
                Ok(Change::New(extension)) => {
                    self.set_problem(path, None);
                    fresh.push(Arc::clone(&extension));
                    next.push(extension);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an extension cannot be loaded");
                    self.set_problem(path, Some(problem(path, &error)));
                    next.extend(old.cloned());
                }
            }
        }
        for problem in self.problems() {
            let path = Path::new(&problem.path);
            if !is_sidecar(path) && !paths.iter().any(|known| known == path) {
                self.set_problem(path, None);
            }
        }
        let kept = |extension: &&Arc<Loaded>| next.iter().any(|other| Arc::ptr_eq(other, extension));
        let gone: Vec<_> = before.extensions.iter().filter(|extension| !kept(extension)).cloned().collect();
        if gone.is_empty() && fresh.is_empty() {
            return;
        }
        for extension in &gone {
            self.take_back_tools(extension);
        }
        self.offer_tools(&next);
        let gone_names: Vec<String> = gone.iter().map(|extension| extension.name.clone()).collect();
        self.replace(Generation::new(next));
        // What an old one shows goes before the new one, told of its start, shows its own.
        for name in gone_names {
            self.board().clear(&name);
        }
        self.start(&fresh, !before.extensions.is_empty()).await;
        for extension in gone {
            self.end(extension);
        }
        for extension in fresh {
            self.ask_for_grant(extension);
        }
    }

    /// Offers the tools that are not offered yet, in load order: those of new extensions, and those whose name another
    /// tool had until now.
    fn offer_tools(&self, extensions: &[Arc<Loaded>]) {
        for extension in extensions.iter().filter(|extension| !extension.is_disabled()) {
            for tool in &extension.registration.tools {
                if extension.offered().contains(&tool.name) {
                    continue;
                }
                let registered = ExtensionTool::new(self.me(), extension.path.clone(), tool.clone());
                let is_offered = self.ports().tools.add(ToolSource::Extension, Arc::new(registered));
                let path = extension.path.to_string_lossy().into_owned();
                let message = format!(
                    "the tool {} of {} has a name that another tool has, and is not offered before that one is gone",
                    tool.name, extension.name
                );
                let taken = FileProblem { path, line: 0, message };
                let told = self.problem(&extension.path);
                if is_offered {
                    extension.offered().insert(tool.name.clone());
                    if told == Some(taken) {
                        self.set_problem(&extension.path, None);
                    }
                } else if told.is_none() {
                    self.set_problem(&extension.path, Some(taken));
                }
            }
        }
    }

    /// Models are not offered the tools of an extension any more; others that have their names stay.
    pub(crate) fn take_back_tools(&self, extension: &Loaded) {
        for tool in std::mem::take(&mut *extension.offered()) {
            self.ports().tools.remove(&tool);
        }
    }

    /// Tells new extensions of the sessions that are open.
    async fn start(&self, fresh: &[Arc<Loaded>], again: bool) {
        let Some(session) = self.current_session() else { return };
        if !again && !self.feed.knows(&session) {
            // The session will be announced by itself.
            return;
        }
        self.bind(&session).await;
        let path = self.session_path(&session).await;
        let event = SessionStartEvent {
            session_id: session.to_string(),
            session_path: path.map(|path| path.to_string_lossy().into_owned()),
            reason: "reload".to_owned(),
        };
        let payload = self.payload(event, Some(&session));
        let name: Arc<str> = "session_start".into();
        for extension in fresh.iter().filter(|extension| extension.handles(&name).is_some()) {
            extension.caller.hears_of(&session);
            extension.observe(&name, &payload);
        }
    }

    /// Tells an extension that it goes, and ends it when it is done with that.
    fn end(self: &Arc<Self>, extension: Arc<Loaded>) {
        let event = SessionShutdownEvent { reason: "reload".to_owned() };
        let payload = self.payload(event, None);
        self.spawn(async move {
            let name: Arc<str> = "session_shutdown".into();
            if extension.handles(&name).is_some() {
                // It goes in any case.
                let _failed = extension.tell(&name, &payload).await;
            }
            extension.shut_down("reload").await;
        });
    }

    async fn load(self: &Arc<Self>, path: &Path, old: Option<&Arc<Loaded>>) -> Result<Change, LoadFailure> {
        let file = path.to_path_buf();
        let read = tokio::task::spawn_blocking(move || Source::read(&file)).await;
        let source = read.map_err(|lost| LoadFailure::Lost(lost.to_string()))??;
        if old.is_some_and(|old| old.hash == source.hash) {
            return Ok(Change::Same);
        }
        let text = match &source.program {
            Program::JavaScript(text) => Some(text.clone()),
            Program::Component(_) => None,
        };
        let compiled = self.compile(source.program).await?;
        let caller = Caller::new(source.name.clone(), source.path.clone(), self.me());
        let mut context = self.context(None);
        context.session_id = self.current_session().map(|session| session.to_string()).unwrap_or_default();
        let configuration = Configuration {
            api: API_VERSION,
            name: source.name.clone(),
            path: source.path.to_string_lossy().into_owned(),
            methods: METHODS.iter().map(|method| method.name.to_owned()).collect(),
            events: EVENTS.iter().map(|event| event.name.to_owned()).collect(),
            options: self.settings().options,
            context,
            source: text,
            file_name: source.path.file_name().map(|name| name.to_string_lossy().into_owned()),
            ..Configuration::default()
        };
        let configuration =
            serde_json::to_string(&configuration).map_err(|error| LoadFailure::Lost(error.to_string()))?;
        let recipe = Recipe {
            program: compiled,
            configuration: configuration.into(),
            host: Arc::clone(&caller) as Arc<dyn crate::sandbox::Host>,
            limits: Limits::default(),
        };
        let (guest, registration) = Guest::start(recipe).await?;
        let registration: Registration = serde_json::from_str(&registration)
            .map_err(|error| LoadFailure::Registration(error.to_string()))?;
        let defaults =
            registration.options.iter().map(|option| (option.name.clone(), option.default.clone()));
        let defaults: BTreeMap<String, String> = defaults.collect();
        // It was made a moment ago.
        let _set_once = caller.defaults.set(defaults);
        let asks = source.permissions.or_else(|| registration.permissions.clone()).unwrap_or_default();
        if let Some(granted) = self.grants().find(&source.path, &source.hash) {
            caller.grant(within(granted, &asks));
        }
        Ok(Change::New(Arc::new(Loaded::new(source.path, source.hash, registration, asks, caller, guest))))
    }

    async fn compile(self: &Arc<Self>, program: Program) -> Result<Compiled, LoadFailure> {
        let hub = Arc::clone(self);
        let compiled = tokio::task::spawn_blocking(move || match program {
            Program::JavaScript(_) => {
                let mut engine = hub.javascript.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(compiled) = &*engine {
                    return Ok(compiled.clone());
                }
                let compiled = hub.engine.compile(javascript::ENGINE)?;
                *engine = Some(compiled.clone());
                Ok(compiled)
            }
            Program::Component(bytes) => Ok(hub.engine.compile(&bytes)?),
        });
        compiled.await.map_err(|lost| LoadFailure::Lost(lost.to_string()))?
    }
}

/// What was granted earlier, as far as it is still asked for.
pub(crate) fn within(granted: Permissions, asks: &Permissions) -> Permissions {
    let both = |granted: Vec<String>, asked: &[String]| {
        granted.into_iter().filter(|entry| asked.contains(entry)).collect::<Vec<_>>()
    };
    Permissions {
        http: both(granted.http, &asks.http),
        exec: both(granted.exec, &asks.exec),
        fs: kit_contract::FilePermissions {
            read: both(granted.fs.read, &asks.fs.read),
            write: both(granted.fs.write, &asks.fs.write),
        },
        env: both(granted.env, &asks.env),
    }
}

/// Which extensions are made anew although they did not change.
#[derive(Clone, Copy)]
enum Renew<'a> {
    Changed,
    Named(&'a str),
    All,
}

enum Change {
    Same,
    New(Arc<Loaded>),
}

#[derive(Debug, thiserror::Error)]
enum LoadFailure {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("its registration is wrong: {0}")]
    Registration(String),
    #[error("loading it failed unexpectedly: {0}")]
    Lost(String),
}

/// What is wrong with a file, at its line.
fn problem(path: &Path, error: &LoadFailure) -> FileProblem {
    let at = |path: &Path, line: u32| (path.to_string_lossy().into_owned(), line);
    let (path, line) = match error {
        LoadFailure::Source(source) => at(&source.path, source.line),
        LoadFailure::Load(LoadError::Init(Fault::Failed(failure))) => {
            at(path, failure.place().map_or(0, |(_, line)| line))
        }
        LoadFailure::Load(_) | LoadFailure::Registration(_) | LoadFailure::Lost(_) => at(path, 0),
    };
    FileProblem { path, line, message: error.to_string() }
}
