//! Prompts and resources of MCP servers as commands and mentions.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{CommandKind, KitError, NamedCommand};
use kit_tools::mcp::{McpContent, McpPrompt, McpServers, ResourceWatch};

use crate::contributions::{CommandCall, CommandOutcome, CommandSource, MentionSource, Resource, Watch};

/// What MCP servers contribute to prompts.
pub struct McpContributions(pub Arc<McpServers>);

impl CommandSource for McpContributions {
    fn commands(&self, _cwd: &Path) -> Vec<NamedCommand> {
        self.0.prompts().into_iter().map(command).collect()
    }

    fn run(&self, call: CommandCall) -> BoxFuture<'static, Result<CommandOutcome, KitError>> {
        let servers = Arc::clone(&self.0);
        async move {
            let McpContent { text, media } = servers.prompt(&call.name, &call.words, &call.line).await?;
            Ok(CommandOutcome::Prompt { text, media })
        }
        .boxed()
    }

    fn check(&self, call: &CommandCall) -> Option<Result<(), KitError>> {
        self.0.check_prompt(&call.name, &call.words, &call.line)
    }
}

fn command(prompt: McpPrompt) -> NamedCommand {
    let McpPrompt { name, description, arguments, server } = prompt;
    let required = arguments.iter().filter(|(_, required)| *required).count();
    let shown = arguments
        .iter()
        .map(|(name, required)| if *required { format!("<{name}>") } else { format!("[{name}]") });
    let shown = shown.collect::<Vec<_>>().join(" ");
    NamedCommand {
        name,
        kind: CommandKind::Mcp,
        description,
        arguments: Some(shown).filter(|shown| !shown.is_empty()),
        required: u32::try_from(required).unwrap_or(u32::MAX),
        source: Some(server),
    }
}

struct Watched(ResourceWatch);

impl Watch for Watched {
    fn take_change(&self) -> bool {
        self.0.take_change()
    }
}

impl MentionSource for McpContributions {
    fn scheme(&self) -> &str {
        "mcp"
    }

    fn resources(&self, typed: &str) -> Vec<Resource> {
        let resources = self.0.resources(typed).into_iter();
        resources
            .map(|resource| Resource {
                name: resource.name,
                description: Some(resource.description).filter(|description| !description.is_empty()),
            })
            .collect()
    }

    fn watch(&self, name: &str) -> Option<Box<dyn Watch>> {
        Some(Box::new(Watched(self.0.watch(name)?)))
    }

    fn read(&self, name: String) -> BoxFuture<'static, Result<McpContent, KitError>> {
        let servers = Arc::clone(&self.0);
        async move { servers.resource(&name).await }.boxed()
    }
}
