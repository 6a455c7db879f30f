//! Commands of extensions as people run them.

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_contract::{CommandAnswer, CommandInvocation, CompleteInvocation, ContextDocument};
use kit_protocol::{CommandKind, ContextItem, ErrorKind, KitError, NamedCommand, WirePosition};
use kit_session::{CommandAction, CommandCall, CommandOutcome, CommandSource, CompletionCall};
use kit_text::{Encoding, Position};
use kit_workspace::{DocumentUri, Workspace};

use crate::extensions::Extensions;
use crate::sandbox::{FailureCode, Fault};

/// Bytes of a completion.
const LARGEST_ARGUMENT: usize = 1024;
/// Documents that a command is about.
const MOST_DOCUMENTS: usize = 20;
/// Bytes of a selection that a command is about.
const LARGEST_SELECTION: usize = 64 * 1024;

/// The commands of all extensions. Of several with one name the last registered wins.
pub struct ExtensionCommands(pub Arc<Extensions>);

impl CommandSource for ExtensionCommands {
    fn commands(&self, _cwd: &Path) -> Vec<NamedCommand> {
        let generation = self.0.generation();
        let mut commands: Vec<NamedCommand> = Vec::new();
        for extension in generation.running() {
            for command in &extension.registration.commands {
                let name = command.name.trim_start_matches('/').to_owned();
                commands.retain(|other| other.name != name);
                commands.push(NamedCommand {
                    name,
                    kind: CommandKind::Extension,
                    description: command.description.clone(),
                    arguments: command.completes.then(|| "[argument]".to_owned()),
                    required: 0,
                    source: Some(extension.name.clone()),
                });
            }
        }
        commands
    }

    fn arrived(&self) -> BoxFuture<'static, ()> {
        let hub = Arc::clone(&self.0);
        async move { hub.loaded_soon().await }.boxed()
    }

    fn run(&self, call: CommandCall) -> BoxFuture<'static, Result<CommandOutcome, KitError>> {
        let hub = Arc::clone(&self.0);
        async move {
            let generation = hub.generation();
            let unknown =
                || KitError::new(ErrorKind::NotFound, format!("no extension has a command {}", call.name));
            let (extension, command) = generation.command(&call.name).ok_or_else(unknown)?;
            let session = call.session.clone().or_else(|| hub.current_session());
            if let Some(session) = &session {
                extension.caller.hears_of(session);
                hub.bind(session).await;
            }
            let mut context = hub.context(session.as_ref());
            context.documents = documents(&hub.ports().workspace, &call.cwd, call.context, call.encoding);
            let input = CommandInvocation { args: call.line, context };
            let answer: Result<Option<CommandAnswer>, Fault> =
                extension.invoke("command", &command.name, &input).await;
            let output =
                answer.map_err(|fault| refused(&extension.name, "command", &command.name, &fault))?;
            // Whoever ran it sees a turn that it asked for.
            hub.prompted().await;
            Ok(CommandOutcome::Output(output.and_then(|answer| answer.output).unwrap_or_default()))
        }
        .boxed()
    }

    fn complete(&self, call: CompletionCall) -> BoxFuture<'static, Vec<String>> {
        let hub = Arc::clone(&self.0);
        async move {
            let generation = hub.generation();
            let found = generation.command(&call.name).filter(|(_, command)| command.completes);
            let Some((extension, command)) = found else { return Vec::new() };
            if let Some(session) = &call.session {
                extension.caller.hears_of(session);
                hub.bind(session).await;
            }
            let input =
                CompleteInvocation { prefix: call.typed, context: hub.context(call.session.as_ref()) };
            // A failure was told to the extension's author; whoever types gets no help.
            let mut fitting = extension.complete(&command.name, &input).await.unwrap_or_default();
            fitting.retain(|text| text.len() <= LARGEST_ARGUMENT);
            fitting
        }
        .boxed()
    }

    fn actions(&self) -> Vec<CommandAction> {
        let generation = self.0.generation();
        let actions = generation.running().flat_map(|extension| &extension.registration.commands);
        let actions = actions.filter_map(|command| {
            let action = command.code_action.as_ref()?;
            let kind = action.kind.clone().filter(|kind| !kind.is_empty());
            Some(CommandAction {
                name: command.name.trim_start_matches('/').to_owned(),
                title: if action.title.is_empty() { command.name.clone() } else { action.title.clone() },
                kind,
            })
        });
        // Of several with one name only the last is run.
        let mut last: Vec<CommandAction> = Vec::new();
        for action in actions {
            last.retain(|other| other.name != action.name);
            last.push(action);
        }
        last
    }
}

/// What a command is about, as its extension sees it. Whoever runs a command on a selection gives it what is selected.
fn documents(
    workspace: &Workspace,
    cwd: &Path,
    items: Vec<ContextItem>,
    encoding: Encoding,
) -> Vec<ContextDocument> {
    let described = items.into_iter().take(MOST_DOCUMENTS).map(|ContextItem { uri, range, .. }| {
        let uri = DocumentUri::parse(&uri);
        let path = match uri.to_path() {
            Some(path) => path.strip_prefix(cwd).unwrap_or(&path).to_string_lossy().into_owned(),
            None => uri.as_str().to_owned(),
        };
        let range = range.filter(|range| range.start != range.end);
        let text = range.zip(workspace.documents().get(&uri)).and_then(|(range, document)| {
            let at = |position: WirePosition| {
                document.text.offset_of(Position::new(position.line, position.character), encoding)
            };
            let selected = document.text.slice(at(range.start)..at(range.end))?;
            let kept = selected.floor_char_boundary(LARGEST_SELECTION);
            selected.get(..kept).map(str::to_owned)
        });
        let lines = range.map(|range| [range.start.line, range.end.line.saturating_add(1)]);
        ContextDocument { path, lines, text }
    });
    described.collect()
}

/// An extension's own words for a fault, as its user reads it.
pub(crate) fn refused(extension: &str, what: &str, name: &str, fault: &Fault) -> KitError {
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
    KitError::new(kind, format!("the {what} {name} of the extension {extension} failed: {fault}"))
}
