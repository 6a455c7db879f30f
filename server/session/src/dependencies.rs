//! What sessions are built from, and what all of them share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use kit_protocol::{SessionId, Settings, Usage, UsageTotals};
use kit_provider::Models;
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{Documents, Paths, Workspace};

use crate::attention::Attention;
use crate::board::Board;
use crate::budget::{DayPurse, Level, Limits, Purses, Reservation, Spend};
use crate::clock::Millis;
use crate::contributions::Contributions;
use crate::day::DayLedger;
use crate::desk::ReviewDesk;
use crate::hooks::Hooks;
use crate::project::{Library, Projects};
use crate::sink::Sink;

/// Everything that the sessions use. The order in which to make it: `desk` and `attention` first, then the workspace
/// with the desk as its observer and `attention.watch(editor)` as its editor, then this.
pub struct Dependencies {
    /// Roots, files and the editor.
    pub workspace: Arc<Workspace>,
    /// The open documents.
    pub documents: Arc<Documents>,
    /// The tools on offer.
    pub tools: Arc<Registry>,
    /// What may run.
    pub policy: Arc<Policy>,
    /// Where files are kept.
    pub paths: Paths,
    /// The settings and what follows from them.
    pub setup: CurrentSetup,
    /// Where events, status and review go.
    pub sink: Arc<dyn Sink>,
    /// The review of the agent's changes.
    pub desk: Arc<ReviewDesk>,
    /// What waits for the user.
    pub attention: Arc<Attention>,
    /// Instructions, skills and prompt templates of projects and the user, and which projects are trusted.
    pub projects: Arc<Projects>,
    /// Commands and resources of extensions and MCP servers.
    pub contributions: Arc<Contributions>,
    /// What extensions do; [`NoHooks`](crate::NoHooks) without them.
    pub hooks: Arc<dyn Hooks>,
}

/// The merged settings and what is made from them.
pub struct Setup {
    /// The settings.
    pub settings: Settings,
    /// Which models there are.
    pub models: Arc<Models>,
    /// Limits of the tools.
    pub tool_settings: Arc<ToolSettings>,
}

/// The setups that hold together: one for all, and those of the roots where others hold.
pub struct Setups {
    all: Arc<Setup>,
    roots: Vec<(PathBuf, Arc<Setup>)>,
}

impl From<Setup> for Setups {
    fn from(setup: Setup) -> Self {
        Self { all: Arc::new(setup), roots: Vec::new() }
    }
}

impl Setups {
    /// The same, with a setup of its own for sessions that work in a root.
    #[must_use]
    pub fn with_root(mut self, root: PathBuf, setup: Setup) -> Self {
        self.roots.push((root, Arc::new(setup)));
        self
    }

    /// The setup of all that is no session's.
    pub fn all(&self) -> &Setup {
        &self.all
    }

    /// The setup of sessions that work in a folder: that of the innermost root around it.
    pub(crate) fn of(&self, folder: &Path) -> &Arc<Setup> {
        let around = self.roots.iter().filter(|(root, _)| folder.starts_with(root));
        around.max_by_key(|(root, _)| root.as_os_str().len()).map_or(&self.all, |(_, setup)| setup)
    }
}

/// The setups that hold now. Whoever took one goes on with it; the next look finds the new one.
pub struct CurrentSetup(RwLock<Arc<Setups>>);

impl From<Setup> for CurrentSetup {
    fn from(setup: Setup) -> Self {
        Self::from(Setups::from(setup))
    }
}

impl From<Setups> for CurrentSetup {
    fn from(setups: Setups) -> Self {
        Self(RwLock::new(Arc::new(setups)))
    }
}

impl CurrentSetup {
    fn now(&self) -> Arc<Setups> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, setups: Setups) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setups);
    }
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) with: Dependencies,
    pub(crate) board: Arc<Board>,
    /// What calls may draw from the budget of the day.
    pub(crate) day_purse: Arc<DayPurse>,
    day: Mutex<DayLedger>,
}

impl Shared {
    pub(crate) fn new(with: Dependencies) -> Arc<Self> {
        let board = Board::new(Arc::clone(&with.sink), Arc::clone(&with.attention));
        let day = Mutex::new(DayLedger::new(&with.paths.state));
        Arc::new(Self { with, board, day_purse: Arc::default(), day })
    }

    /// The settings and what follows from them, as they hold now for all that is no session's.
    pub(crate) fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.with.setup.now().all)
    }

    /// The same for sessions that work in a folder.
    pub(crate) fn setup_of(&self, folder: &Path) -> Arc<Setup> {
        Arc::clone(self.with.setup.now().of(folder))
    }

    /// What holds for all sessions.
    pub(crate) fn setups(&self) -> Arc<Setups> {
        self.with.setup.now()
    }

    /// Lets other setups hold from now on.
    pub(crate) fn replace_setups(&self, setups: Setups) {
        self.with.projects.apply(&setups.all.settings);
        self.with.setup.replace(setups);
    }

    /// Whether a folder is trusted.
    pub(crate) async fn is_trusted(&self, cwd: &Path) -> bool {
        let (projects, folder) = (Arc::clone(&self.with.projects), cwd.to_owned());
        tokio::task::spawn_blocking(move || projects.is_trusted(&folder)).await.unwrap_or_default()
    }

    /// What holds for a folder now. Tells what is wrong with its files.
    pub(crate) async fn library(&self, cwd: &Path) -> Arc<Library> {
        let (projects, folder) = (Arc::clone(&self.with.projects), cwd.to_owned());
        let loaded = tokio::task::spawn_blocking(move || projects.load(&folder)).await;
        self.with.sink.problems("project", self.with.projects.problems());
        loaded.unwrap_or_default()
    }

    /// The same, possibly as it was a moment ago: for menus.
    pub(crate) async fn recent_library(&self, cwd: &Path) -> Arc<Library> {
        let (projects, folder) = (Arc::clone(&self.with.projects), cwd.to_owned());
        let loaded = tokio::task::spawn_blocking(move || projects.recent(&folder)).await;
        self.with.sink.problems("project", self.with.projects.problems());
        loaded.unwrap_or_default()
    }

    /// Reserves an amount in the accounts; or the first limit that does not allow it.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        purses: &Purses,
        limits: Limits,
        next: Spend,
    ) -> Result<Option<Reservation>, Level> {
        if !limits.any() {
            return Ok(None);
        }
        if limits.has_day() {
            self.today().await;
        }
        purses.reserve(limits, next).map(Some)
    }

    /// Adds a call to today's spending.
    pub(crate) async fn spend(self: &Arc<Self>, session: &SessionId, usage: &Usage) {
        let (session, usage) = (session.clone(), usage.clone());
        self.on_day(move |day, today| day.add(today, Some(&session), &usage)).await;
    }

    /// Adds a call that belongs to no session to today's spending.
    pub(crate) async fn spend_alone(self: &Arc<Self>, usage: &Usage) {
        let usage = usage.clone();
        self.on_day(move |day, today| day.add(today, None, &usage)).await;
    }

    /// Today's spending, with what other processes added.
    pub(crate) async fn today(self: &Arc<Self>) -> UsageTotals {
        self.on_day(|day, today| day.refresh(today)).await
    }

    async fn on_day(
        self: &Arc<Self>,
        work: impl FnOnce(&mut DayLedger, &str) -> std::io::Result<()> + Send + 'static,
    ) -> UsageTotals {
        let shared = Arc::clone(self);
        let worked = tokio::task::spawn_blocking(move || {
            let mut day = shared.day.lock().unwrap_or_else(PoisonError::into_inner);
            let today = Millis::now().local_day();
            if let Err(error) = work(&mut day, &today) {
                tracing::warn!(%error, "today's spending is not up to date");
            }
            shared.day_purse.set(&today, day.totals());
            day.totals().clone()
        });
        let totals = worked.await.unwrap_or_default();
        self.board.set_today(totals.clone());
        totals
    }
}
