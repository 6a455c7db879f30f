//! Commands of extensions as people run them.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_contract::{CommandAnswer, CommandInvocation};
use kit_protocol::{CommandKind, ErrorKind, KitError, NamedCommand};
use kit_session::{CommandCall, CommandOutcome, CommandSource};

use crate::extensions::Extensions;
use crate::sandbox::{FailureCode, Fault};

/// The commands of all extensions. Of several with one name the last registered wins.
pub struct ExtensionCommands(pub Arc<Extensions>);

impl CommandSource for ExtensionCommands {
    fn commands(&self, _cwd: &Path) -> Vec<NamedCommand> {
        let generation = self.0.generation();
        let mut commands: Vec<NamedCommand> = Vec::new();
        for extension in generation.extensions.iter().filter(|extension| !extension.is_disabled()) {
            for command in &extension.registration.commands {
                let name = command.name.trim_start_matches('/').to_owned();
                commands.retain(|other| other.name != name);
                commands.push(NamedCommand {
                    name,
                    kind: CommandKind::Extension,
                    description: command.description.clone(),
                    arguments: None,
                    required: 0,
                    source: Some(extension.name.clone()),
                });
            }
        }
        commands
    }

    fn run(&self, call: CommandCall) -> BoxFuture<'static, Result<CommandOutcome, KitError>> {
        let hub = Arc::clone(&self.0);
        async move {
            let generation = hub.generation();
            let has = |name: &str| name.trim_start_matches('/') == call.name;
            let found = generation.extensions.iter().rev().find_map(|extension| {
                let command = extension.registration.commands.iter().find(|command| has(&command.name))?;
                Some((extension, command))
            });
            let unknown =
                || KitError::new(ErrorKind::NotFound, format!("no extension has a command {}", call.name));
            let (extension, command) = found.ok_or_else(unknown)?;
            let session = call.session.clone().or_else(|| hub.current_session());
            if let Some(session) = &session {
                extension.caller.hears_of(session);
                hub.bind(session).await;
            }
            let input = CommandInvocation { args: call.line, context: hub.context(session.as_ref()) };
            let answer: Result<Option<CommandAnswer>, Fault> =
                extension.invoke("command", &command.name, &input).await;
            let output = answer.map_err(|fault| refused(&extension.name, &command.name, &fault))?;
            Ok(CommandOutcome::Output(output.and_then(|answer| answer.output).unwrap_or_default()))
        }
        .boxed()
    }
}

fn refused(extension: &str, command: &str, fault: &Fault) -> KitError {
    let kind = match fault {
        Fault::Failed(failure) => match failure.code {
            FailureCode::Denied => ErrorKind::Permission,
            FailureCode::Cancelled => ErrorKind::Cancelled,
            FailureCode::NotFound => ErrorKind::NotFound,
            FailureCode::Invalid => ErrorKind::InvalidRequest,
            FailureCode::RateLimited => ErrorKind::RateLimit,
            FailureCode::Timeout | FailureCode::Unavailable => ErrorKind::Unavailable,
            FailureCode::Internal => ErrorKind::Internal,
        },
        Fault::Busy => ErrorKind::Busy,
        Fault::Crashed(_) | Fault::TimedOut(_) | Fault::Gone => ErrorKind::Unavailable,
    };
    KitError::new(kind, format!("the command {command} of the extension {extension} failed: {fault}"))
}
