//! The commands of extensions: `kit.extension.list`, `.reload` and `.grant`.

use std::sync::Arc;

use kit_contract::{Permissions, Registration};
use kit_protocol::{
    ErrorKind, ExtensionArguments, ExtensionGrantArguments, ExtensionInfo, ExtensionListAnswer,
    ExtensionShortcut, ExtensionState, KitError,
};
use serde_json::Value;

use crate::extensions::Extensions;
use crate::loaded::Loaded;
use crate::shortcut::normalized;
use crate::source::name_of;

impl Extensions {
    /// `kit.extension.list`: what is loaded, and what could not be.
    pub fn list(&self, arguments: &ExtensionArguments) -> ExtensionListAnswer {
        let generation = self.generation();
        let mut extensions: Vec<ExtensionInfo> =
            generation.extensions.iter().map(|extension| self.describe(extension)).collect();
        for problem in self.problems() {
            let path = std::path::Path::new(&problem.path);
            if generation.by_path(path).is_none() {
                extensions.push(ExtensionInfo {
                    name: name_of(path),
                    version: None,
                    description: None,
                    path: problem.path.clone(),
                    state: ExtensionState::Broken,
                    events: Vec::new(),
                    tools: Vec::new(),
                    commands: Vec::new(),
                    shortcuts: Vec::new(),
                    asks: None,
                    grants: None,
                    error: Some(format!("line {}: {}", problem.line + 1, problem.message)),
                });
            }
        }
        if let Some(name) = &arguments.name {
            extensions.retain(|extension| extension.name == *name);
        }
        ExtensionListAnswer { extensions }
    }

    /// `kit.extension.reload`: what is loaded agrees with the disk when it answers; a named extension is made anew even
    /// if it is the same.
    pub async fn reload(
        self: &Arc<Self>,
        arguments: ExtensionArguments,
    ) -> Result<ExtensionListAnswer, KitError> {
        if let Some(name) = &arguments.name {
            self.find(name)?;
        }
        self.renew(arguments.name.as_deref()).await;
        Ok(self.list(&arguments))
    }

    /// `kit.extension.grant`.
    pub fn decide(&self, arguments: ExtensionGrantArguments) -> Result<ExtensionListAnswer, KitError> {
        let extension = self.find(&arguments.name)?;
        let permissions = match arguments.grants {
            None | Some(Value::Bool(true)) => extension.asks.clone(),
            Some(Value::Null | Value::Bool(false)) => Permissions::default(),
            Some(named) => serde_json::from_value(named).map_err(|error| {
                let text = format!("`grants` is neither true, false nor a set of permissions: {error}");
                KitError::new(ErrorKind::InvalidRequest, text)
            })?,
        };
        self.grant(&extension, Some(extension.hash.clone()), permissions);
        Ok(self.list(&ExtensionArguments { name: Some(arguments.name) }))
    }

    /// One line for the doctor.
    pub fn summary(&self) -> (bool, String) {
        let listed = self.list(&ExtensionArguments::default()).extensions;
        let (running, others): (Vec<_>, Vec<_>) =
            listed.iter().partition(|extension| extension.state == ExtensionState::Running);
        let names = |extensions: Vec<&ExtensionInfo>| {
            extensions.iter().map(|extension| extension.name.clone()).collect::<Vec<_>>().join(", ")
        };
        if others.is_empty() {
            let text = if running.is_empty() { "none".to_owned() } else { names(running) };
            return (true, text);
        }
        let why =
            others.iter().filter_map(|extension| extension.error.clone()).collect::<Vec<_>>().join("; ");
        (false, format!("{} do not run: {why}", names(others)))
    }

    fn find(&self, name: &str) -> Result<Arc<Loaded>, KitError> {
        let unknown = || KitError::new(ErrorKind::NotFound, format!("no extension is called {name}"));
        self.generation().by_name(name).cloned().ok_or_else(unknown)
    }

    fn describe(&self, extension: &Loaded) -> ExtensionInfo {
        let Loaded { registration, asks, .. } = extension;
        let granted = self.grants().find(&extension.path, &extension.hash);
        let json = |permissions: &Permissions| serde_json::to_value(permissions).ok();
        ExtensionInfo {
            name: extension.name.clone(),
            version: registration.version.clone(),
            description: registration.description.clone(),
            path: extension.path.to_string_lossy().into_owned(),
            state: if extension.is_disabled() { ExtensionState::Disabled } else { ExtensionState::Running },
            events: own_events(registration).map(str::to_owned).collect(),
            tools: registration.tools.iter().map(|tool| tool.name.clone()).collect(),
            commands: registration
                .commands
                .iter()
                .map(|command| command.name.trim_start_matches('/').to_owned())
                .collect(),
            shortcuts: registration
                .shortcuts
                .iter()
                .map(|shortcut| ExtensionShortcut {
                    key: normalized(&shortcut.key),
                    description: shortcut.description.clone(),
                })
                .collect(),
            asks: (!asks.is_empty()).then(|| json(asks)).flatten(),
            grants: granted.as_ref().and_then(json),
            error: extension
                .caller
                .trouble()
                .or_else(|| self.problem(&extension.path).map(|problem| problem.message)),
        }
    }
}

/// The events that an extension itself handles; names with a dot are for its engine.
pub fn own_events(registration: &Registration) -> impl Iterator<Item = &str> {
    registration.events.iter().map(|event| event.name.as_str()).filter(|name| !name.contains('.'))
}
