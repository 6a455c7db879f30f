//! The extensions that are loaded together, and who handles what.
//!
//! A generation never changes: a reload makes the next one and swaps it in as a whole, so whoever works with one goes
//! on with it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use kit_contract::{CommandDefinition, OnError, ToolRenderer};
use kit_session::HookPoint;

use crate::loaded::Loaded;

/// One who handles an event.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) extension: Arc<Loaded>,
    pub(crate) on_error: OnError,
}

/// The extensions that are loaded together, in load order.
#[derive(Default)]
pub(crate) struct Generation {
    pub(crate) extensions: Vec<Arc<Loaded>>,
    handlers: HashMap<String, Vec<Handler>>,
}

impl Generation {
    pub(crate) fn new(extensions: Vec<Arc<Loaded>>) -> Self {
        let mut handlers: HashMap<String, Vec<Handler>> = HashMap::new();
        for extension in &extensions {
            let mut seen = BTreeMap::new();
            for subscription in &extension.registration.events {
                // One that is named twice is called once, by its stricter word.
                let on_error = seen.entry(subscription.name.as_str()).or_insert(OnError::Pass);
                if subscription.on_error == OnError::Block {
                    *on_error = OnError::Block;
                }
            }
            for (name, on_error) in seen {
                let handler = Handler { extension: Arc::clone(extension), on_error };
                handlers.entry(name.to_owned()).or_default().push(handler);
            }
        }
        Self { extensions, handlers }
    }

    /// Who handles an event, in load order.
    pub(crate) fn handlers(&self, event: &str) -> &[Handler] {
        self.handlers.get(event).map_or(&[], Vec::as_slice)
    }

    /// Whether anybody handles an event.
    pub(crate) fn wants(&self, event: &str) -> bool {
        self.handlers.contains_key(event)
    }

    /// Who shows the calls of a tool: the last that registered for it.
    pub(crate) fn tool_renderer(&self, tool: &str) -> Option<(&Arc<Loaded>, &ToolRenderer)> {
        self.running().rev().find_map(|extension| {
            let renderers = &extension.registration.tool_renderers;
            Some((extension, renderers.iter().rfind(|renderer| renderer.tool_name == tool)?))
        })
    }

    /// A command by its name without a slash, and who has it: the last that registered it.
    pub(crate) fn command(&self, name: &str) -> Option<(&Arc<Loaded>, &CommandDefinition)> {
        self.running().rev().find_map(|extension| {
            let commands = &extension.registration.commands;
            Some((extension, commands.iter().find(|command| command.name.trim_start_matches('/') == name)?))
        })
    }

    /// Those that are not disabled, in load order.
    pub(crate) fn running(&self) -> impl DoubleEndedIterator<Item = &Arc<Loaded>> {
        self.extensions.iter().filter(|extension| !extension.is_disabled())
    }

    /// The extension of a main file.
    pub(crate) fn by_path(&self, path: &Path) -> Option<&Arc<Loaded>> {
        self.extensions.iter().find(|extension| extension.path == path)
    }

    /// The extension of a name; of several the last.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Loaded>> {
        self.extensions.iter().rev().find(|extension| extension.name == name)
    }
}

/// The event of a point where a session asks.
pub(crate) fn event_of(point: HookPoint) -> &'static str {
    match point {
        HookPoint::Input => "input",
        HookPoint::BeforeAgentStart => "before_agent_start",
        HookPoint::ContextPrepare => "context_prepare",
        HookPoint::PrepareStep => "prepare_step",
        HookPoint::ToolCall => "tool_call",
        HookPoint::ToolResult => "tool_result",
        HookPoint::BeforeFork => "before_fork",
        HookPoint::BeforeSessionSwitch => "before_session_switch",
        HookPoint::BeforeCompact => "before_compact",
    }
}
