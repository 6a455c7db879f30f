//! MCP servers as the program has them: their ports filled, the receiver of their commands, and their logins.

pub(crate) mod command;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_lsp::{McpDesk, Weight, Window};
use kit_protocol::{
    Check, ErrorKind, KitError, McpListAnswer, McpListArguments, McpLogin, McpNameArguments, Secret, Settings,
};
use kit_provider::auth::{AuthError, BrowserErrand, Credentials, Drawer, LoginUi};
use kit_provider::{Connector, Environment, ModelError, ProviderSettings};
use kit_tools::mcp::{LoginStore, McpPorts, McpServers, Redirections, StoreLock};
use kit_tools::{Registry, ToolSettings};
use kit_workspace::{Editor, Workspace};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::logins::EditorUi;

/// The servers of a process, none of which is there before [`McpServers::apply`].
pub(crate) fn servers(
    connections: Arc<Connections>,
    tools: Arc<Registry>,
    tool_settings: &ToolSettings,
    workspace: Arc<Workspace>,
) -> Arc<McpServers> {
    let environment = Environment::capture();
    let logins = Credentials::of(&environment)
        .map(|logins| Arc::new(Store(Drawer::at(logins.path().with_file_name("mcp_logins.json")))) as _);
    McpServers::new(McpPorts {
        tools,
        workspace,
        environment: Arc::new(|name| std::env::var(name).ok()),
        private_variables: tool_settings.private_variables.clone(),
        http: Arc::new(move |url, redirections| {
            let made = connections.now().client(url, redirections == Redirections::SameOrigin);
            made.map_err(|error| error.message)
        }),
        logins,
    })
}

/// How remote servers are connected: by the proxy and the certificates that the settings name at that moment.
pub(crate) struct Connections(RwLock<Connector>);

impl Connections {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self(RwLock::new(connector(settings)))
    }

    /// From the next connection on these settings count.
    pub(crate) fn set(&self, settings: &Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = connector(settings);
    }

    fn now(&self) -> RwLockReadGuard<'_, Connector> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connector(settings: &Settings) -> Connector {
    Connector::new(ProviderSettings::from(settings).connections, &Environment::capture())
}

/// The line of the doctor; starts nothing.
pub(crate) fn check(servers: &McpServers) -> Check {
    let (total, ready, wrong) = servers.summary();
    let detail = match (total, wrong.is_empty()) {
        (0, _) => "no servers are set".to_owned(),
        (total, true) => format!("{total} servers, {ready} connected; the others start when they are needed"),
        (total, false) => format!("{total} servers, {ready} connected; {}", wrong.join("; ")),
    };
    let fix = (!wrong.is_empty()).then(|| "`kit-ls mcp test NAME` tries one of them".to_owned());
    Check { name: "MCP servers".to_owned(), ok: wrong.is_empty(), detail, fix }
}

/// The file of logins.
struct Store(Drawer);

impl LoginStore for Store {
    fn load(&self, address: &str) -> Result<Option<Secret>, String> {
        let found = self.0.get(address).map_err(|error| error.to_string())?;
        Ok(found.map(|text| Secret::from(text.expose_secret().to_owned())))
    }

    fn save(&self, address: &str, login: &Secret) -> Result<(), String> {
        self.0.put(address, &SecretString::from(login.expose())).map_err(|error| error.to_string())
    }

    fn remove(&self, address: &str) -> Result<bool, String> {
        self.0.remove(address).map_err(|error| error.to_string())
    }

    fn lock<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, Result<StoreLock, String>> {
        let locked = self.0.lock();
        async move { locked.await.map(StoreLock::new).map_err(|error| error.to_string()) }.boxed()
    }
}

/// Logs in at a server; the login is stored, and the server is connected with it.
async fn log_in(
    servers: &McpServers,
    name: &str,
    ui: &dyn LoginUi,
    cancel: &CancellationToken,
) -> Result<(), KitError> {
    let to_kit = |error: AuthError| {
        let error = ModelError::from(error);
        KitError::new(error.kind, error.message)
    };
    let errand = BrowserErrand::open().await.map_err(to_kit)?;
    let redirect = errand.redirect();
    let page = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            return Err(to_kit(AuthError::Cancelled { provider: name.to_owned() }));
        }
        page = servers.login_page(name, &redirect) => page?,
    };
    let returned = errand.run(name, page.url(), ui, cancel).await.map_err(to_kit)?;
    page.finish(&Secret::from(returned.expose_secret().to_owned())).await.map_err(|why| {
        KitError::new(ErrorKind::Auth, format!("the login at {name} failed: {why}; start it again"))
    })?;
    servers.reconnect(name).map(drop)
}

/// The receiver of the commands about MCP servers.
pub(crate) struct Desk {
    servers: Arc<McpServers>,
    editor: Arc<dyn Editor>,
    window: Arc<dyn Window>,
    logins: Arc<Mutex<Logins>>,
}

#[derive(Default)]
struct Logins {
    pending: BTreeMap<String, CancellationToken>,
    /// They end with the application.
    tasks: JoinSet<()>,
}

impl Desk {
    pub(crate) fn new(servers: Arc<McpServers>, editor: Arc<dyn Editor>, window: Arc<dyn Window>) -> Self {
        Self { servers, editor, window, logins: Arc::default() }
    }

    fn listed(&self, name: Option<&str>) -> Result<McpListAnswer, KitError> {
        let mut answer = self.servers.list(name)?;
        let logins = lock(&self.logins);
        for server in &mut answer.servers {
            if logins.pending.contains_key(&server.name) {
                server.login = Some(McpLogin::Pending);
            }
        }
        Ok(answer)
    }
}

fn lock(logins: &Mutex<Logins>) -> MutexGuard<'_, Logins> {
    logins.lock().unwrap_or_else(PoisonError::into_inner)
}

impl McpDesk for Desk {
    fn list(&self, arguments: McpListArguments) -> Result<McpListAnswer, KitError> {
        self.listed(arguments.name.as_deref())
    }

    fn reconnect(&self, arguments: McpNameArguments) -> Result<McpListAnswer, KitError> {
        self.servers.reconnect(&arguments.name)?;
        self.listed(Some(&arguments.name))
    }

    fn log_in(&self, arguments: McpNameArguments) -> Result<McpListAnswer, KitError> {
        let name = arguments.name;
        self.servers.takes_logins(&name)?;
        {
            let mut logins = lock(&self.logins);
            while logins.tasks.try_join_next().is_some() {}
            if !logins.pending.contains_key(&name) {
                let work = self.window.begin("Kit login", &format!("logging in at {name}"));
                let cancel = work.cancel();
                logins.pending.insert(name.clone(), cancel.clone());
                let (servers, window) = (Arc::clone(&self.servers), Arc::clone(&self.window));
                let ui = EditorUi::new(Arc::clone(&self.editor), Arc::clone(&window), work, cancel.clone());
                let (running, name) = (Arc::clone(&self.logins), name.clone());
                logins.tasks.spawn(async move {
                    let made = log_in(&servers, &name, &ui, &cancel).await;
                    drop(ui);
                    lock(&running).pending.remove(&name);
                    match made {
                        Ok(()) => window.tell(Weight::Info, format!("Kit: logged in at {name}")),
                        Err(error) if error.kind == ErrorKind::Cancelled => {
                            window.tell(Weight::Info, format!("Kit: {error}"));
                        }
                        Err(error) => window.tell(Weight::Error, format!("Kit: {error}")),
                    }
                });
            }
        }
        self.listed(Some(&name))
    }

    fn log_out(&self, arguments: McpNameArguments) -> Result<McpListAnswer, KitError> {
        if let Some(cancel) = lock(&self.logins).pending.get(&arguments.name) {
            cancel.cancel();
        }
        self.servers.log_out(&arguments.name)?;
        self.listed(Some(&arguments.name))
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.servers.shutdown().boxed()
    }
}
