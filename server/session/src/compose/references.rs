//! Fetches what a prompt refers to, all at once, as the message that follows the prompt: the prompt of an MCP server that
//! its command stands for, and the resources that it mentions.
//!
//! A resource that cannot be had is named with the reason, and so is a command that joins a running turn. Without the
//! command that a turn begins with there is nothing to do, so that one is the error of the turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use kit_protocol::{ErrorKind, KitError, Part, SessionId, TextPart};
use kit_text::Encoding;
use kit_tools::mcp::McpContent;
use kit_tools::media;

use super::pieces::{self, Block, unreadable};
use crate::contributions::{CommandCall, CommandOutcome, Contributions};
use crate::reference::{CommandReference, Reference};

/// How long a resource may take, whoever has it.
const RESOURCE_LIMIT: Duration = Duration::from_secs(20);
/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);

/// Who asks.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) contributions: Arc<Contributions>,
    pub(crate) session: SessionId,
    pub(crate) cwd: PathBuf,
}

/// Fetches the command that a turn begins with, and the rest.
pub(crate) async fn fetch(
    asker: Asker,
    command: Option<CommandReference>,
    others: Vec<Reference>,
) -> Result<Vec<Part>, KitError> {
    let command = async {
        match &command {
            Some(reference) => Some((&reference.name, asker.command(reference).await)),
            None => None,
        }
    };
    let (command, found) = join(command, join_all(others.iter().map(|other| asker.fetch(other)))).await;
    let (mut block, mut texts, mut shown) = (Block::default(), Vec::new(), Vec::new());
    if let Some((name, content)) = command {
        let McpContent { text, media } = content?;
        texts.push(pieces::command(name, &text));
        shown.extend(media);
    }
    for (reference, found) in others.iter().zip(found) {
        match (reference, found) {
            (Reference::Command(command), Ok(McpContent { text, media })) => {
                texts.push(pieces::command(&command.name, &text));
                shown.extend(media);
            }
            (Reference::Resource(name), Ok(McpContent { text, media })) => {
                block.add(pieces::resource(name, &text));
                shown.extend(media);
            }
            (Reference::Command(CommandReference { name, .. }) | Reference::Resource(name), Err(error)) => {
                block.add(unreadable(name, &error.message));
            }
        }
    }
    let left_out = shown.len().saturating_sub(media::MOST);
    if left_out > 0 {
        shown.truncate(media::MOST);
        block.add(format!("[{left_out} more images and documents are left out]\n"));
    }
    texts.extend(block.finish().map(|text| text.trim_start().to_owned()));
    let texts = texts.into_iter().map(|text| Part::Text(TextPart { text }));
    Ok(texts.chain(shown.into_iter().map(Part::Image)).collect())
}

impl Asker {
    async fn fetch(&self, reference: &Reference) -> Result<McpContent, KitError> {
        match reference {
            Reference::Resource(name) => self.resource(name).await,
            Reference::Command(command) => self.command(command).await,
        }
    }

    async fn resource(&self, name: &str) -> Result<McpContent, KitError> {
        let source = name
            .split_once(':')
            .and_then(|(scheme, name)| Some((self.contributions.mentions(scheme)?, name)));
        let Some((source, name)) = source else {
            return Err(KitError::new(ErrorKind::NotFound, "nobody has it any more"));
        };
        match tokio::time::timeout(RESOURCE_LIMIT, source.read(name.to_owned())).await {
            Ok(read) => read,
            Err(_) => Err(late("it", RESOURCE_LIMIT)),
        }
    }

    async fn command(&self, command: &CommandReference) -> Result<McpContent, KitError> {
        let CommandReference { name, words, line } = command.clone();
        let call = CommandCall {
            name,
            words,
            line,
            session: Some(self.session.clone()),
            cwd: self.cwd.clone(),
            context: Vec::new(),
            encoding: Encoding::default(),
        };
        let Some(running) = self.contributions.run(call) else {
            let text = format!("nobody has the command /{} any more", command.name);
            return Err(KitError::new(ErrorKind::NotFound, text));
        };
        match tokio::time::timeout(COMMAND_LIMIT, running).await {
            Ok(Ok(CommandOutcome::Prompt { text, media })) => Ok(McpContent { text, media }),
            Ok(Ok(CommandOutcome::Output(text))) => Ok(McpContent { text, media: Vec::new() }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late(&format!("/{}", command.name), COMMAND_LIMIT)),
        }
    }
}

fn late(what: &str, limit: Duration) -> KitError {
    KitError::new(ErrorKind::Unavailable, format!("{what} did not come within {} s", limit.as_secs()))
}
