//! What extensions and MCP servers add to the commands and mentions of prompts.
//!
//! Whoever has commands implements [`CommandSource`], whoever has resources [`MentionSource`], and adds it once; the
//! lists that a source gives may change at any time. Templates and skills come before all sources, and of several
//! sources with one name the first answers. Sources are asked often, so listing must be quick; running may take its time.

use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{ContextItem, ImagePart, KitError, NamedCommand, SessionId};
use kit_text::Encoding;
use kit_tools::mcp::McpContent;

/// A command that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandCall {
    /// Its name, as the source listed it.
    pub name: String,
    /// What stands behind the name, word by word.
    pub words: Vec<String>,
    /// The same as it was typed.
    pub line: String,
    /// The session that it is run in, where there is one already.
    pub session: Option<SessionId>,
    /// The folder that it is run for.
    pub cwd: PathBuf,
    /// Documents and selections that it is about.
    pub context: Vec<ContextItem>,
    /// What their positions count.
    pub encoding: Encoding,
}

/// An argument of a command that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionCall {
    /// The command, as the source listed it.
    pub name: String,
    /// What is typed behind it, up to the cursor.
    pub typed: String,
    /// The session that the prompt is for, where there is one already.
    pub session: Option<SessionId>,
}

/// A command that editors offer among their code actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandAction {
    /// The command, as the source listed it.
    pub name: String,
    /// What the editor shows.
    pub title: String,
    /// The kind of code action; the one of actions without a better kind where it is absent.
    pub kind: Option<String>,
}

/// What comes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// A prompt, which starts a turn.
    Prompt {
        /// Its text.
        text: String,
        /// Images, PDFs and sounds that go with it.
        media: Vec<ImagePart>,
    },
    /// Something to show to the user.
    Output(String),
}

/// Somebody who has commands.
pub trait CommandSource: Send + Sync {
    /// The commands for a folder. Must return at once.
    fn commands(&self, cwd: &Path) -> Vec<NamedCommand>;

    /// Waits, for a while at most, until those that are just being loaded are there.
    fn arrived(&self) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    /// Runs one of them.
    fn run(&self, call: CommandCall) -> BoxFuture<'static, Result<CommandOutcome, KitError>>;

    /// Whether a command is one of its own, listed or not, and what is wrong with the call as far as that is known at
    /// once. Must return at once.
    fn check(&self, call: &CommandCall) -> Option<Result<(), KitError>> {
        self.commands(&call.cwd).iter().any(|command| command.name == call.name).then_some(Ok(()))
    }

    /// The arguments that fit what is typed behind one of them, best first. Whoever types waits for it.
    fn complete(&self, call: CompletionCall) -> BoxFuture<'static, Vec<String>> {
        let _ = call;
        std::future::ready(Vec::new()).boxed()
    }

    /// Those that are code actions as well. Must return at once.
    fn actions(&self) -> Vec<CommandAction> {
        Vec::new()
    }
}

/// A resource that a prompt can mention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What stands behind the scheme: `@mcp:` and then this.
    pub name: String,
    /// A word for people.
    pub description: Option<String>,
}

/// A resource that is watched.
pub trait Watch: Send + Sync {
    /// Whether it may have changed since this was asked last.
    fn take_change(&self) -> bool;
}

/// Somebody who has resources, mentioned as `@SCHEME:NAME`.
pub trait MentionSource: Send + Sync {
    /// The word before the colon.
    fn scheme(&self) -> &str;

    /// The resources whose name begins with what was typed. Must return at once.
    fn resources(&self, typed: &str) -> Vec<Resource>;

    /// Watches a resource as long as the answer lives, where it can be watched. Must return at once.
    fn watch(&self, name: &str) -> Option<Box<dyn Watch>> {
        let _ = name;
        None
    }

    /// What a resource holds. The turn of the prompt that mentions it waits for it, and a cancel drops the future.
    fn read(&self, name: String) -> BoxFuture<'static, Result<McpContent, KitError>>;
}

/// All sources of a process.
#[derive(Default)]
pub struct Contributions {
    commands: RwLock<Vec<Arc<dyn CommandSource>>>,
    mentions: RwLock<Vec<Arc<dyn MentionSource>>>,
}

impl Contributions {
    /// No sources.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds a source of commands.
    pub fn add_commands(&self, source: Arc<dyn CommandSource>) {
        self.commands.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Adds a source of resources.
    pub fn add_mentions(&self, source: Arc<dyn MentionSource>) {
        self.mentions.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// The commands of all sources.
    pub(crate) fn commands(&self, cwd: &Path) -> Vec<NamedCommand> {
        self.command_sources().iter().flat_map(|source| source.commands(cwd)).collect()
    }

    /// Waits until commands that are just being loaded are there.
    pub(crate) async fn arrived(&self) {
        let arriving = self.command_sources().into_iter().map(|source| source.arrived());
        futures::future::join_all(arriving).await;
    }

    /// Runs a command of the first source that has it; `None` when no source does.
    pub(crate) fn run(
        &self,
        call: CommandCall,
    ) -> Option<BoxFuture<'static, Result<CommandOutcome, KitError>>> {
        Some(self.command_sources().into_iter().find(|source| source.check(&call).is_some())?.run(call))
    }

    /// What is wrong with a call as far as that is known at once; `None` when no source has the command.
    pub(crate) fn check(&self, call: &CommandCall) -> Option<Result<(), KitError>> {
        self.command_sources().iter().find_map(|source| source.check(call))
    }

    /// The arguments that fit behind a command of the first source that has it.
    pub(crate) async fn complete(&self, cwd: &Path, call: CompletionCall) -> Vec<String> {
        let has = |source: &&Arc<dyn CommandSource>| {
            source.commands(cwd).iter().any(|command| command.name == call.name)
        };
        match self.command_sources().iter().find(has) {
            Some(source) => source.complete(call).await,
            None => Vec::new(),
        }
    }

    /// The commands of all sources that are code actions.
    pub(crate) fn actions(&self) -> Vec<CommandAction> {
        self.command_sources().iter().flat_map(|source| source.actions()).collect()
    }

    /// The source of a scheme.
    pub(crate) fn mentions(&self, scheme: &str) -> Option<Arc<dyn MentionSource>> {
        self.mention_sources().into_iter().find(|source| source.scheme() == scheme)
    }

    pub(crate) fn mention_sources(&self) -> Vec<Arc<dyn MentionSource>> {
        self.mentions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn command_sources(&self) -> Vec<Arc<dyn CommandSource>> {
        self.commands.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
