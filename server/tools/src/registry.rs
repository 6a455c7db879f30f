//! The tools of all sessions, by name.
//!
//! Tools come and go while sessions run: those of MCP servers when a server connects, those of extensions when one is
//! loaded again. The registry is shared and every look at it is a moment's lock; a call that already has its tool goes
//! on with it. Of several tools with one name the first stays, and a core tool that the settings leave comes before any
//! other.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use futures::future::BoxFuture;
use kit_protocol::{Mode, Settings, ToolKind};
use serde_json::Value;

use crate::bash::Bash;
use crate::edit::EditFile;
use crate::find::FindFiles;
use crate::grep::Grep;
use crate::ls::ListFolder;
use crate::read::ReadFile;
use crate::tool::AnyTool;
use crate::write::WriteFile;

/// Names under which models may know a tool from elsewhere.
const OTHER_NAMES: [(&str, &str); 16] = [
    ("shell", "bash"),
    ("run_command", "bash"),
    ("execute_command", "bash"),
    ("read_file", "read"),
    ("view", "read"),
    ("cat", "read"),
    ("write_file", "write"),
    ("create_file", "write"),
    ("edit_file", "edit"),
    ("multiedit", "edit"),
    ("search", "grep"),
    ("ripgrep", "grep"),
    ("glob", "find"),
    ("list", "ls"),
    ("list_dir", "ls"),
    ("spawn_subagent", "subagent"),
];

/// A tool as it is told to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What it does and how to use it.
    pub description: String,
    /// JSON schema of its arguments.
    pub input_schema: Value,
}

/// Where a tool comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolSource {
    /// It is built in.
    Core,
    /// An MCP server has it.
    Mcp,
    /// An extension registered it.
    Extension,
    /// The program that embeds Kit brings it.
    Program,
}

/// A tool with where it comes from.
#[derive(Clone)]
struct Entry {
    source: ToolSource,
    tool: Arc<dyn AnyTool>,
}

/// Whoever brings tools that take their time.
pub trait Arrivals: Send + Sync {
    /// Returns when the tools that are on their way are there, or late; `None` when there is nothing to wait for.
    fn arriving(&self) -> Option<BoxFuture<'static, ()>>;

    /// Why tools that were to come are not there, a sentence for the user each. Must return at once.
    fn missing(&self) -> Vec<String>;
}

/// Tools by name.
#[derive(Default)]
pub struct Registry {
    tools: RwLock<Tools>,
    arrivals: OnceLock<Weak<dyn Arrivals>>,
}

#[derive(Default)]
struct Tools {
    /// All built-in tools.
    core: BTreeMap<String, Arc<dyn AnyTool>>,
    /// The others.
    further: BTreeMap<String, Entry>,
    /// The built-in tools that the settings name as the only ones.
    included: Option<Vec<String>>,
    /// The built-in tools that the settings leave out.
    excluded: Vec<String>,
}

impl Tools {
    fn get(&self, name: &str) -> Option<(ToolSource, &Arc<dyn AnyTool>)> {
        let core = self.core.get(name).filter(|_| self.is_chosen(name)).map(|tool| (ToolSource::Core, tool));
        core.or_else(|| self.further.get(name).map(|entry| (entry.source, &entry.tool)))
    }

    fn is_chosen(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|listed| listed.eq_ignore_ascii_case(name));
        self.included.as_deref().is_none_or(named) && !named(&self.excluded)
    }

    /// All that there are, in the order of their names.
    fn all(&self) -> impl Iterator<Item = (&String, ToolSource, &Arc<dyn AnyTool>)> {
        let mut names: Vec<&String> = self.core.keys().chain(self.further.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| self.get(name).map(|(source, tool)| (name, source, tool)))
    }
}

impl Registry {
    /// All built-in tools.
    pub fn builtin() -> Self {
        let all: [Arc<dyn AnyTool>; 7] = [
            Arc::new(ReadFile),
            Arc::new(WriteFile),
            Arc::new(EditFile),
            Arc::new(Bash::new()),
            Arc::new(Grep),
            Arc::new(FindFiles),
            Arc::new(ListFolder),
        ];
        let registry = Self::default();
        for tool in all {
            registry.add_core(tool);
        }
        registry
    }

    /// Lets the settings decide which of the built-in tools there are.
    pub fn choose(&self, settings: &Settings) {
        let mut tools = self.write();
        tools.included.clone_from(&settings.include_core_tools);
        tools.excluded = settings.exclude_core_tools.clone().unwrap_or_default();
    }

    /// Adds a built-in tool.
    pub fn add_core(&self, tool: Arc<dyn AnyTool>) {
        self.write().core.insert(tool.name().into_owned(), tool);
    }

    /// Adds a tool; the first of a name stays, and the answer says whether it was this one.
    pub fn add(&self, source: ToolSource, tool: Arc<dyn AnyTool>) -> bool {
        let name = tool.name().into_owned();
        let mut tools = self.write();
        let is_new = tools.get(&name).is_none();
        if is_new {
            tools.further.insert(name, Entry { source, tool });
        }
        is_new
    }

    /// Removes a tool that is not built in. Calls that run go on.
    pub fn remove(&self, name: &str) -> Option<Arc<dyn AnyTool>> {
        self.write().further.remove(name).map(|entry| entry.tool)
    }

    /// Lets turns wait for the tools that somebody brings. Only the first is asked.
    pub fn set_arrivals(&self, arrivals: Weak<dyn Arrivals>) {
        self.arrivals.get_or_init(|| arrivals);
    }

    /// What a turn waits for before it tells a model its tools.
    pub fn arriving(&self) -> Option<BoxFuture<'static, ()>> {
        self.arrivals.get()?.upgrade()?.arriving()
    }

    /// Why tools that were to come are not there, a sentence for the user each.
    pub fn missing(&self) -> Vec<String> {
        let arrivals = self.arrivals.get().and_then(Weak::upgrade);
        arrivals.map(|arrivals| arrivals.missing()).unwrap_or_default()
    }

    /// The names in order.
    pub fn names(&self) -> Vec<String> {
        self.read().all().map(|(name, ..)| name.clone()).collect()
    }

    /// The tools in order, with where they come from.
    pub fn list(&self) -> Vec<(ToolSource, Arc<dyn AnyTool>)> {
        self.read().all().map(|(_, source, tool)| (source, Arc::clone(tool))).collect()
    }

    /// The tool that a model means by a name: without case, and by names that other programs give it.
    pub fn get(&self, name: &str) -> Option<Arc<dyn AnyTool>> {
        let tools = self.read();
        let exact = tools.get(name);
        let lower = name.to_ascii_lowercase();
        let other =
            || OTHER_NAMES.iter().find(|(other, _)| *other == lower).and_then(|(_, own)| tools.get(own));
        exact.or_else(|| tools.get(&lower)).or_else(other).map(|(_, tool)| Arc::clone(tool))
    }

    /// What a model is told in the mode, in a fixed order so that providers can cache it.
    pub fn definitions(&self, mode: Mode) -> Vec<Definition> {
        let offered = |tool: &&Arc<dyn AnyTool>| match mode {
            Mode::Plan => !matches!(tool.kind(), ToolKind::Edit | ToolKind::Execute),
            Mode::Ask | Mode::Edit | Mode::Auto => true,
        };
        self.read()
            .all()
            .map(|(_, _, tool)| tool)
            .filter(offered)
            .map(|tool| Definition {
                name: tool.name().into_owned(),
                description: tool.description().into_owned(),
                input_schema: tool.input_schema(),
            })
            .collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Tools> {
        self.tools.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tools> {
        self.tools.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_listed_in_a_fixed_order() {
        let registry = Registry::builtin();
        assert_eq!(registry.names(), ["bash", "edit", "find", "grep", "ls", "read", "write"]);
        let plan: Vec<String> = registry.definitions(Mode::Plan).into_iter().map(|tool| tool.name).collect();
        assert_eq!(plan, ["find", "grep", "ls", "read"]);
        assert_eq!(registry.definitions(Mode::Auto).len(), 7);
    }

    #[test]
    fn settings_choose_the_tools() {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let registry = Registry::builtin();
        let chosen = |settings: Settings| {
            registry.choose(&settings);
            registry.names()
        };
        let only = Settings { include_core_tools: list(&["Read", "ls"]), ..Settings::default() };
        assert_eq!(chosen(only), ["ls", "read"]);
        let without = Settings { exclude_core_tools: list(&["bash"]), ..Settings::default() };
        assert_eq!(chosen(without), ["edit", "find", "grep", "ls", "read", "write"]);
        assert_eq!(chosen(Settings::default()).len(), 7);
    }

    #[test]
    fn a_tool_is_found_by_the_names_that_models_use() {
        let registry = Registry::builtin();
        let found = |name: &str| registry.get(name).map(|tool| tool.name().into_owned());
        assert_eq!(found("Read"), Some("read".to_owned()));
        assert_eq!(found("read_file"), Some("read".to_owned()));
        assert_eq!(found("spawn_subagent"), None);
        assert_eq!(found("unknown"), None);
    }
}
