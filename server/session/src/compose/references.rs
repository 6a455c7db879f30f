//! Fetches what a prompt refers to, all at once, as the message that follows the prompt: the prompt of an MCP server that
//! its command stands for, and the resources that it mentions.
//!
//! Resources that may have changed since are read again with them, and told where they did.
//!
//! A resource that cannot be had is named with the reason, and so is a command that joins a running turn. Without the
//! command that a turn begins with there is nothing to do, so that one is the error of the turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, join3};
use kit_protocol::{ErrorKind, KitError, Part, SessionId, TextPart};
use kit_text::Encoding;
use kit_tools::mcp::McpContent;
use kit_tools::media;

use super::pieces::{self, Block, unreadable};
use crate::contributions::{CommandCall, CommandOutcome, Contributions};
use crate::reference::{CommandReference, Fingerprint, Reference};

/// How long a resource may take, whoever has it.
const RESOURCE_LIMIT: Duration = Duration::from_secs(20);
/// How long a resource may take that the model has already.
const RENEWAL_LIMIT: Duration = Duration::from_secs(5);
/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);

/// Who asks.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) contributions: Arc<Contributions>,
    pub(crate) session: SessionId,
    pub(crate) cwd: PathBuf,
}

/// What is wanted.
pub(crate) struct Wanted {
    /// The command that a turn begins with.
    pub(crate) command: Option<CommandReference>,
    pub(crate) others: Vec<Reference>,
    pub(crate) renewals: Vec<Renewal>,
}

/// A resource that the model has and that may be another by now.
pub(crate) struct Renewal {
    pub(crate) name: String,
    pub(crate) known: Fingerprint,
}

/// What was fetched.
#[derive(Default)]
pub(crate) struct Fetched {
    /// The message that follows the prompt; without parts there is none.
    pub(crate) parts: Vec<Part>,
    /// What the resources are that were read.
    pub(crate) seen: Vec<(String, Fingerprint)>,
    /// Those of them that the model had otherwise before.
    pub(crate) renewed: Vec<String>,
}

/// Fetches what is wanted.
pub(crate) async fn fetch(asker: Asker, wanted: Wanted) -> Result<Fetched, KitError> {
    let Wanted { command, others, renewals } = wanted;
    let command = async {
        match &command {
            Some(reference) => Some((&reference.name, asker.command(reference).await)),
            None => None,
        }
    };
    let found = join_all(others.iter().map(|other| asker.fetch(other)));
    let again = join_all(renewals.iter().map(|renewal| asker.resource(&renewal.name, RENEWAL_LIMIT)));
    let (command, found, again) = join3(command, found, again).await;
    let (mut block, mut texts, mut shown) = (Block::default(), Vec::new(), Vec::new());
    let mut fetched = Fetched::default();
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
            (Reference::Resource(name), Ok(content)) => {
                fetched.seen.push((name.clone(), Fingerprint::of(&content)));
                block.add(pieces::resource(name, &content.text));
                shown.extend(content.media);
            }
            (Reference::Command(CommandReference { name, .. }) | Reference::Resource(name), Err(error)) => {
                block.add(unreadable(name, &error.message));
            }
        }
    }
    for (Renewal { name, known }, found) in renewals.into_iter().zip(again) {
        match found {
            Ok(content) => {
                let found = Fingerprint::of(&content);
                fetched.seen.push((name.clone(), found));
                if found != known {
                    block.add(pieces::changed_resource(&name, &content.text));
                    fetched.renewed.push(name);
                    shown.extend(content.media);
                }
            }
            Err(error) => tracing::debug!(name, %error, "a resource that changed cannot be read"),
        }
    }
    let left_out = shown.len().saturating_sub(media::MOST);
    if left_out > 0 {
        shown.truncate(media::MOST);
        block.add(format!("[{left_out} more images and documents are left out]\n"));
    }
    texts.extend(block.finish().map(|text| text.trim_start().to_owned()));
    let texts = texts.into_iter().map(|text| Part::Text(TextPart { text }));
    fetched.parts = texts.chain(shown.into_iter().map(Part::Image)).collect();
    Ok(fetched)
}

impl Asker {
    async fn fetch(&self, reference: &Reference) -> Result<McpContent, KitError> {
        match reference {
            Reference::Resource(name) => self.resource(name, RESOURCE_LIMIT).await,
            Reference::Command(command) => self.command(command).await,
        }
    }

    async fn resource(&self, name: &str, limit: Duration) -> Result<McpContent, KitError> {
        let source = name
            .split_once(':')
            .and_then(|(scheme, name)| Some((self.contributions.mentions(scheme)?, name)));
        let Some((source, name)) = source else {
            return Err(KitError::new(ErrorKind::NotFound, "nobody has it any more"));
        };
        match tokio::time::timeout(limit, source.read(name.to_owned())).await {
            Ok(read) => read,
            Err(_) => Err(late("it", limit)),
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
