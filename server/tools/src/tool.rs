//! What a tool is: typed for its author, erased for the registry.
//!
//! An author implements [`Tool`] with a plain input struct, whose doc comments are what the model reads about the
//! parameters. The registry and the session see [`AnyTool`], which every `Tool` is; tools whose arguments are known at
//! run time only (of extensions, of MCP servers) implement `AnyTool` themselves. A call goes through
//! [`run_call`](crate::run_call): nothing else may call [`AnyTool::call`] for a model.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{
    AgentRef, Attribution, DiffBlock, FileDiff, ImagePart, Mode, SessionId, ToolCallId, ToolKind,
    ToolMetadata, TurnId,
};
use kit_workspace::{Location, Root, Workspace, WorkspaceError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::arguments;
use crate::gate::CallGate;
use crate::policy::{Call, Policy};
use crate::settings::ToolSettings;

/// Receives output while a tool runs: the text to append, and whether it is from standard error. Must return at once.
pub type OutputSink = Arc<dyn Fn(String, bool) + Send + Sync>;

/// A tool as its author writes it.
pub trait Tool: Send + Sync + 'static {
    /// The arguments. Unknown fields should be refused, so that a model learns its mistake.
    type Input: DeserializeOwned + JsonSchema + Send + Sync;

    /// The name that models call.
    const NAME: &'static str;

    /// What the model reads about the tool.
    fn description(&self) -> Cow<'_, str>;

    /// What it does, for permissions and icons.
    fn kind(&self) -> ToolKind;

    /// Whether calls may run beside other calls.
    fn parallel(&self) -> bool {
        matches!(self.kind(), ToolKind::Read | ToolKind::Search)
    }

    /// One line for people about a call.
    fn title(&self, input: &Self::Input, context: &ToolContext) -> String;

    /// What a call reaches, for the policy.
    fn access(&self, input: &Self::Input, context: &ToolContext) -> Result<Access, ToolError>;

    /// What a call would change, to be shown with a question. An error ends the call before anybody is asked.
    fn preview(
        &self,
        input: Self::Input,
        context: ToolContext,
    ) -> impl Future<Output = Result<Vec<DiffBlock>, ToolError>> + Send {
        let _ = (input, context);
        std::future::ready(Ok(Vec::new()))
    }

    /// Runs a call that is allowed.
    fn run(
        &self,
        input: Self::Input,
        context: ToolContext,
    ) -> impl Future<Output = Result<ToolOutput, ToolError>> + Send;
}

/// A tool as the registry and the session see it.
pub trait AnyTool: Send + Sync {
    /// The name that models call.
    fn name(&self) -> Cow<'_, str>;
    /// What the model reads about the tool.
    fn description(&self) -> Cow<'_, str>;
    /// JSON schema of the arguments, an object.
    fn input_schema(&self) -> Value;
    /// What it does.
    fn kind(&self) -> ToolKind;
    /// Whether calls may run beside other calls.
    fn parallel(&self) -> bool;
    /// One line for people about a call; the arguments may be incomplete.
    fn title(&self, arguments: &Value, context: &ToolContext) -> String;
    /// What a call reaches, for the policy.
    fn access(&self, arguments: &Value, context: &ToolContext) -> Result<Access, ToolError>;
    /// What a call would change.
    fn preview(
        &self,
        arguments: Value,
        context: ToolContext,
    ) -> BoxFuture<'_, Result<Vec<DiffBlock>, ToolError>> {
        let _ = (arguments, context);
        std::future::ready(Ok(Vec::new())).boxed()
    }
    /// Runs a call that is allowed; `arguments` is JSON text.
    fn call(&self, arguments: String, context: ToolContext) -> BoxFuture<'_, ToolOutput>;
}

impl<T: Tool> AnyTool for T {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(T::NAME)
    }

    fn description(&self) -> Cow<'_, str> {
        Tool::description(self)
    }

    fn input_schema(&self) -> Value {
        arguments::schema::<T::Input>()
    }

    fn kind(&self) -> ToolKind {
        Tool::kind(self)
    }

    fn parallel(&self) -> bool {
        Tool::parallel(self)
    }

    fn title(&self, arguments: &Value, context: &ToolContext) -> String {
        match arguments::typed::<T::Input>(arguments.clone()) {
            Ok(input) => Tool::title(self, &input, context),
            Err(_) => T::NAME.to_owned(),
        }
    }

    fn access(&self, arguments: &Value, context: &ToolContext) -> Result<Access, ToolError> {
        Tool::access(self, &arguments::typed(arguments.clone())?, context)
    }

    fn preview(
        &self,
        arguments: Value,
        context: ToolContext,
    ) -> BoxFuture<'_, Result<Vec<DiffBlock>, ToolError>> {
        async move { Tool::preview(self, arguments::typed(arguments)?, context).await }.boxed()
    }

    fn call(&self, arguments: String, context: ToolContext) -> BoxFuture<'_, ToolOutput> {
        async move {
            let input = arguments::parse(&arguments).and_then(arguments::typed);
            let result = match input {
                Ok(input) => self.run(input, context).await,
                Err(error) => Err(error),
            };
            result.unwrap_or_else(ToolOutput::from)
        }
        .boxed()
    }
}

/// What a tool call is given.
#[derive(Clone)]
pub struct ToolContext {
    /// Files and open documents.
    pub workspace: Arc<Workspace>,
    /// The session's folder: relative paths start here, commands run here.
    pub cwd: PathBuf,
    /// The session in whose name the call is made.
    pub session: SessionId,
    /// The session whose model makes the call: the same, or a subagent's.
    pub worker: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// The call.
    pub call: ToolCallId,
    /// The agent.
    pub agent: AgentRef,
    /// Where output goes while the tool runs.
    pub output: OutputSink,
    /// Cancelled when the call is no longer wanted.
    pub cancel: CancellationToken,
    /// What may run.
    pub policy: Arc<Policy>,
    /// The session's mode.
    pub mode: Mode,
    /// Limits.
    pub settings: Arc<ToolSettings>,
    /// Who looks at the call from outside, if anybody does.
    pub gate: Option<Arc<dyn CallGate>>,
}

impl ToolContext {
    /// What a path of the model means.
    pub fn resolve(&self, path: &str) -> Result<Location, ToolError> {
        Ok(self.workspace.resolve(&self.cwd, path)?)
    }

    /// Whose work a change by this call is.
    pub fn attribution(&self, title: impl Into<String>) -> Attribution {
        Attribution {
            session: self.session.clone(),
            turn: self.turn.clone(),
            agent: self.agent.id.clone(),
            tool_call_id: self.call.clone(),
            title: title.into(),
        }
    }

    /// The call as the policy sees it.
    pub(crate) fn policy_call<'a>(
        &'a self,
        tool: &'a str,
        kind: ToolKind,
        access: &'a Access,
        roots: &'a [Root],
        unconfined: Option<&'a str>,
    ) -> Call<'a> {
        Call {
            session: &self.session,
            worker: &self.worker,
            mode: self.mode,
            root: &self.cwd,
            roots,
            tool,
            kind,
            access,
            unconfined,
        }
    }
}

/// What a call reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing outside the agent: it needs no permission.
    Free,
    /// The content of files or folders.
    Read {
        /// Which.
        locations: Vec<Location>,
    },
    /// Whatever lies beneath folders.
    Search {
        /// Which.
        locations: Vec<Location>,
    },
    /// Files that it changes.
    Edit {
        /// Which.
        locations: Vec<Location>,
    },
    /// A command line.
    Execute {
        /// The line.
        command: String,
        /// Where it runs.
        cwd: PathBuf,
    },
    /// Something that only the tool knows.
    Other {
        /// What, for people.
        subject: String,
    },
}

impl Access {
    /// What kind of tool would do this; `None` where the access does not tell.
    pub fn kind(&self) -> Option<ToolKind> {
        match self {
            Self::Free | Self::Other { .. } => None,
            Self::Read { .. } => Some(ToolKind::Read),
            Self::Search { .. } => Some(ToolKind::Search),
            Self::Edit { .. } => Some(ToolKind::Edit),
            Self::Execute { .. } => Some(ToolKind::Execute),
        }
    }
}

/// The outcome of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model reads.
    pub content: String,
    /// Images, documents and sounds that the model gets beside the text, if it takes them. The text should name them.
    pub media: Vec<ImagePart>,
    /// Whether the call failed.
    pub is_error: bool,
    /// Facts that are not for the model.
    pub metadata: ToolMetadata,
}

impl ToolOutput {
    /// A success without further facts.
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: content.into(), ..Self::default() }
    }

    /// A failure without further facts.
    pub fn error(content: impl Into<String>) -> Self {
        Self { content: content.into(), is_error: true, ..Self::default() }
    }

    /// Adds a changed file.
    #[must_use]
    pub fn with_diff(mut self, diff: FileDiff) -> Self {
        self.metadata.file_diffs.push(diff);
        self
    }
}

impl From<ToolError> for ToolOutput {
    fn from(error: ToolError) -> Self {
        Self::error(error.to_string())
    }
}

/// Why a call failed; the text is for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The arguments are not what the tool takes.
    #[error("invalid arguments: {0}")]
    Arguments(String),
    /// A path or file cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The user cancelled.
    #[error("cancelled by the user")]
    Cancelled,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}
