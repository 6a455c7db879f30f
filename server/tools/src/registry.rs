//! The tools of a session, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Tools by name.
#[derive(Clone, Default)]
pub struct Registry {
    tools: BTreeMap<String, Arc<dyn AnyTool>>,
}

impl Registry {
    /// The built-in tools that the settings leave.
    pub fn builtin(settings: &Settings) -> Self {
        let all: [Arc<dyn AnyTool>; 7] = [
            Arc::new(ReadFile),
            Arc::new(WriteFile),
            Arc::new(EditFile),
            Arc::new(Bash::new()),
            Arc::new(Grep),
            Arc::new(FindFiles),
            Arc::new(ListFolder),
        ];
        let mut registry = Self::default();
        let named = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().map(|list| list.iter().any(|listed| listed.eq_ignore_ascii_case(name)))
        };
        for tool in all {
            let name = tool.name().into_owned();
            let included = named(&settings.include_core_tools, &name).unwrap_or(true);
            let excluded = named(&settings.exclude_core_tools, &name).unwrap_or(false);
            if included && !excluded {
                registry.add(tool);
            }
        }
        registry
    }

    /// Adds a tool; the first of a name stays, and the answer says whether it was this one.
    pub fn add(&mut self, tool: Arc<dyn AnyTool>) -> bool {
        let name = tool.name().into_owned();
        let is_new = !self.tools.contains_key(&name);
        if is_new {
            self.tools.insert(name, tool);
        }
        is_new
    }

    /// Removes a tool.
    pub fn remove(&mut self, name: &str) -> Option<Arc<dyn AnyTool>> {
        self.tools.remove(name)
    }

    /// The names in order.
    pub fn names(&self) -> Vec<&str> {
        self.tools.keys().map(String::as_str).collect()
    }

    /// The tool that a model means by a name: without case, and by names that other programs give it.
    pub fn get(&self, name: &str) -> Option<Arc<dyn AnyTool>> {
        let exact = self.tools.get(name);
        let lower = name.to_ascii_lowercase();
        let other = || {
            OTHER_NAMES.iter().find(|(other, _)| *other == lower).and_then(|(_, own)| self.tools.get(*own))
        };
        exact.or_else(|| self.tools.get(&lower)).or_else(other).cloned()
    }

    /// What a model is told in the mode, in a fixed order so that providers can cache it.
    pub fn definitions(&self, mode: Mode) -> Vec<Definition> {
        let offered = |tool: &&Arc<dyn AnyTool>| match mode {
            Mode::Plan => !matches!(tool.kind(), ToolKind::Edit | ToolKind::Execute),
            Mode::Ask | Mode::Edit | Mode::Auto => true,
        };
        self.tools
            .values()
            .filter(offered)
            .map(|tool| Definition {
                name: tool.name().into_owned(),
                description: tool.description().into_owned(),
                input_schema: tool.input_schema(),
            })
            .collect()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.tools.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_listed_in_a_fixed_order() {
        let registry = Registry::builtin(&Settings::default());
        assert_eq!(registry.names(), ["bash", "edit", "find", "grep", "ls", "read", "write"]);
        let plan: Vec<String> = registry.definitions(Mode::Plan).into_iter().map(|tool| tool.name).collect();
        assert_eq!(plan, ["find", "grep", "ls", "read"]);
        assert_eq!(registry.definitions(Mode::Auto).len(), 7);
    }

    #[test]
    fn settings_choose_the_tools() {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let only = Settings { include_core_tools: list(&["Read", "ls"]), ..Settings::default() };
        assert_eq!(Registry::builtin(&only).names(), ["ls", "read"]);
        let without = Settings { exclude_core_tools: list(&["bash"]), ..Settings::default() };
        assert_eq!(Registry::builtin(&without).names(), ["edit", "find", "grep", "ls", "read", "write"]);
    }

    #[test]
    fn a_tool_is_found_by_the_names_that_models_use() {
        let registry = Registry::builtin(&Settings::default());
        let found = |name: &str| registry.get(name).map(|tool| tool.name().into_owned());
        assert_eq!(found("Read"), Some("read".to_owned()));
        assert_eq!(found("read_file"), Some("read".to_owned()));
        assert_eq!(found("spawn_subagent"), None);
        assert_eq!(found("unknown"), None);
    }
}
