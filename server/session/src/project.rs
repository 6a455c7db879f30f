//! What the project and the user bring to a session: instructions, skills, prompt templates and named agents.
//!
//! Everything here is read from files when it is needed. What lies in a project counts only while its root is trusted
//! (I19); what lies with the user, or is named by the user's settings, always does. The user is asked about a root once,
//! when there is something in it that trust would bring to life.

pub(crate) mod agents;
mod conditions;
mod folders;
pub(crate) mod front_matter;
pub(crate) mod instructions;
mod library;
mod origin;
mod placeholders;
pub(crate) mod skill;
pub(crate) mod template;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use kit_protocol::{AgentListAnswer, FileProblem, Settings};
use kit_workspace::{Paths, Trust, Watched};

use self::folders::Fence;
use self::instructions::Instructions;
pub(crate) use self::library::Library;
use self::library::Search;
pub(crate) use self::origin::Origin;
pub(crate) use self::placeholders::words;
use self::skill::Skill;

/// How long what was read is good enough for menus.
const RECENT: Duration = Duration::from_secs(2);

/// The projects of a process: where their things lie, and which are trusted.
pub struct Projects {
    paths: Paths,
    trust: Trust,
    settings: RwLock<Arc<Settings>>,
    /// Grows whenever settings or trust change, so that sessions look again.
    generation: AtomicU64,
    recent: Mutex<HashMap<PathBuf, Recent>>,
    /// What was wrong when each folder was last read.
    problems: Mutex<BTreeMap<PathBuf, Vec<FileProblem>>>,
    /// Roots about which the user has decided, or was asked.
    decided: Mutex<BTreeSet<PathBuf>>,
}

struct Recent {
    at: Instant,
    generation: u64,
    library: Arc<Library>,
}

/// A root about which the user should be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustQuestion {
    /// The root.
    pub(crate) root: PathBuf,
    /// The question.
    pub(crate) message: String,
}

impl Projects {
    /// Projects under these settings. Reads nothing yet.
    pub fn new(paths: &Paths, settings: &Settings) -> Arc<Self> {
        Self::with_trust(paths, settings, Trust::new(paths))
    }

    /// The same, where a program decides itself what is trusted.
    pub fn with_trust(paths: &Paths, settings: &Settings, trust: Trust) -> Arc<Self> {
        Arc::new(Self {
            paths: paths.clone(),
            trust,
            settings: RwLock::new(Arc::new(settings.clone())),
            generation: AtomicU64::new(0),
            recent: Mutex::default(),
            problems: Mutex::default(),
            decided: Mutex::default(),
        })
    }

    /// Takes over changed settings or a changed trust: sessions read instructions and skills again.
    pub fn apply(&self, settings: &Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The answer of `kit.agent.list` for a folder. Reads files.
    pub fn agent_list(&self, folder: &Path) -> AgentListAnswer {
        self.load(folder).agents.answer()
    }

    /// Whether the user trusts a folder or one above it.
    pub fn is_trusted(&self, folder: &Path) -> bool {
        self.trust.is_trusted(folder)
    }

    /// What of a root is not loaded because the root is not trusted. Looks at names only.
    pub fn withheld(&self, root: &Path) -> Vec<String> {
        if self.is_trusted(root) { Vec::new() } else { library::project_things(root) }
    }

    /// The user decided about a root by other means, so there is nothing to ask.
    pub fn decided(&self, root: &Path) {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).insert(root.to_owned());
    }

    /// The question about a root, where there is one and it was not asked before.
    pub(crate) fn question(&self, root: &Path) -> Option<TrustQuestion> {
        let things = self.withheld(root);
        if things.is_empty() || self.trust.is_declined(root) {
            return None;
        }
        let is_first = self.decided.lock().unwrap_or_else(PoisonError::into_inner).insert(root.to_owned());
        is_first.then(|| TrustQuestion {
            message: format!(
                "Trust {}? It brings {}, which Kit leaves out until you trust it.",
                root.display(),
                things.join(", ")
            ),
            root: root.to_owned(),
        })
    }

    /// The user was asked about a root and does not want to be asked again.
    pub fn decline(&self, root: &Path) -> io::Result<()> {
        self.trust.decline(root)
    }

    /// Grows whenever what was read no longer holds.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Where things of a folder and of the user are read from, to be watched.
    pub fn places(&self, folder: &Path) -> Vec<Watched> {
        let settings = Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner));
        let trusted = self.trust.is_trusted(folder);
        Search { paths: &self.paths, settings: &settings, cwd: folder, trusted }.places()
    }

    /// Reads all that holds for a folder. Blocks on the disk.
    pub(crate) fn load(&self, cwd: &Path) -> Arc<Library> {
        let generation = self.generation();
        let settings = Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner));
        let search =
            Search { paths: &self.paths, settings: &settings, cwd, trusted: self.trust.is_trusted(cwd) };
        let library = Arc::new(search.run());
        let recent = Recent { at: Instant::now(), generation, library: Arc::clone(&library) };
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).insert(cwd.to_owned(), recent);
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.insert(cwd.to_owned(), library.problems.clone());
        library
    }

    /// The same, possibly as it was a moment ago.
    pub(crate) fn recent(&self, cwd: &Path) -> Arc<Library> {
        let generation = self.generation();
        let known = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = |recent: &&Recent| recent.at.elapsed() < RECENT && recent.generation == generation;
            recent.get(cwd).filter(fresh).map(|recent| Arc::clone(&recent.library))
        };
        known.unwrap_or_else(|| self.load(cwd))
    }

    /// What is wrong in all folders that were read.
    pub fn problems(&self) -> Vec<FileProblem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }

    /// The instructions that hold for a file beside those of its root: of the folders between them, if the root is
    /// trusted. Blocks on the disk.
    pub(crate) fn nested_instructions(&self, root: &Path, file: &Path) -> Vec<Instructions> {
        if !self.is_trusted(root) {
            return Vec::new();
        }
        let fence = Fence::around(root);
        let found =
            instructions::nested(root, file).into_iter().filter_map(|path| {
                match instructions::read(path.clone(), &fence)? {
                    Ok(instructions) => Some(instructions),
                    Err(why) => {
                        tracing::warn!(path = %path.display(), why, "instructions are left out");
                        None
                    }
                }
            });
        found.collect()
    }

    /// What the model reads of a skill: its text as it is now, with the files beside it. Blocks on the disk.
    pub(crate) fn skill_content(&self, skill: &Skill) -> String {
        let folder = skill.path.parent().unwrap_or(&skill.path);
        // A skill in a file of its own shares its folder with others, whose files are not its own.
        let is_alone = skill.path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("SKILL"));
        let (resources, all) = if is_alone {
            folders::below(folder, &skill::RESOURCE_FOLDERS, skill::MOST_RESOURCES)
        } else {
            (Vec::new(), 0)
        };
        skill::content(skill, &resources, all)
    }
}
