//! `subagent`: a model gives a task to a subagent, waits for one, or stops one.
//!
//! A call that waits ends with the subagent's report; when the call is cancelled, so is the subagent, and the call waits
//! a moment for it, so that everything that it did is told before. A call in the background answers with the id at once.

use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use kit_protocol::{SessionId, ToolKind, ToolMetadata};
use kit_tools::{Access, Tool, ToolContext, ToolError, ToolOutput};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{LONGEST_TIMEOUT, SpawnRequest, Spawner, Subagent, SubagentReport};
use crate::project::agents;
use crate::sessions::Sessions;

/// The tool's name.
pub(crate) const NAME: &str = "subagent";
/// How long a cancelled call waits for its subagent.
const CANCEL_PATIENCE: Duration = Duration::from_millis(700);
/// How much of a task is its title.
const LONGEST_TITLE: usize = 80;

/// Starts, awaits and stops subagents.
pub(crate) struct SubagentTool {
    sessions: Weak<Sessions>,
}

impl SubagentTool {
    pub(crate) fn new(sessions: &Arc<Sessions>) -> Self {
        Self { sessions: Arc::downgrade(sessions) }
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Operation {
    /// Gives a task to a new subagent, or to the one of session_id.
    #[default]
    Run,
    /// Waits for the subagent of session_id.
    Wait,
    /// Stops the subagent of session_id.
    Kill,
}

/// Arguments of `subagent`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubagentInput {
    /// What it should do, complete with all that it needs to know and what it should report: it sees nothing of this
    /// conversation. Required unless the operation is wait or kill.
    #[serde(default, alias = "prompt")]
    task: Option<String>,
    /// The agent that it runs as; general by default.
    #[serde(default)]
    agent: Option<String>,
    /// Its model, as provider/name or as a name of your own provider. By default the agent's, else yours.
    #[serde(default)]
    model: Option<String>,
    /// Instructions instead of the agent's.
    #[serde(default)]
    system_prompt: Option<String>,
    /// Seconds after which it is stopped. By default the agent's, else 300; at most 1800.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    timeout_seconds: Option<f64>,
    /// The id of an earlier subagent, which goes on with this task and remembers what it did.
    #[serde(default)]
    session_id: Option<String>,
    /// Whether to answer at once with its id instead of waiting for its report.
    #[serde(default)]
    background: bool,
    /// What to do: run by default.
    #[serde(default)]
    operation: Operation,
}

impl SubagentInput {
    fn task(&self) -> Result<&str, ToolError> {
        let task = self.task.as_deref().map(str::trim).filter(|task| !task.is_empty());
        task.ok_or_else(|| ToolError::Arguments("the task parameter is required".to_owned()))
    }

    fn session(&self) -> Option<SessionId> {
        let session = self.session_id.as_deref().map(str::trim).filter(|session| !session.is_empty());
        session.map(SessionId::from)
    }

    fn timeout(&self) -> Result<Option<Duration>, ToolError> {
        let Some(seconds) = self.timeout_seconds else { return Ok(None) };
        let wrong = || {
            ToolError::Arguments("timeout_seconds: it must be a number of seconds greater than 0".to_owned())
        };
        if seconds.is_nan() || seconds <= 0.0 {
            return Err(wrong());
        }
        // A number too large for a duration is as good as the largest.
        Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_TIMEOUT).min(LONGEST_TIMEOUT)))
    }
}

impl Tool for SubagentTool {
    type Input = SubagentInput;
    const NAME: &'static str = NAME;

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Give a task to a subagent: an agent with a conversation of its own and the tools that you have now, which \
             reports back when it is done. Use it for work that would fill your context, such as a broad search, and for \
             independent parts that can go on side by side: several calls in one answer run in parallel. The result holds \
             its report and its session id; pass the id as session_id to go on with the same subagent. With background \
             it answers with the id at once; operation wait gives the report later, and operation kill stops it.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Agent
    }

    fn parallel(&self) -> bool {
        true
    }

    fn title(&self, input: &SubagentInput, _context: &ToolContext) -> String {
        let id = || input.session().map_or_else(String::new, |session| session.to_string());
        match input.operation {
            Operation::Run => {
                let task = input.task.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>();
                let agent = input.agent.as_deref().unwrap_or(agents::GENERAL);
                format!("{agent}: {}", kit_tools::caps::line(&task.join(" "), LONGEST_TITLE))
            }
            Operation::Wait => format!("wait for {}", id()),
            Operation::Kill => format!("stop {}", id()),
        }
    }

    fn access(&self, input: &SubagentInput, _context: &ToolContext) -> Result<Access, ToolError> {
        input.timeout()?;
        match input.operation {
            Operation::Run => input.task().map(|_| ())?,
            Operation::Wait | Operation::Kill => named(input).map(|_| ())?,
        }
        Ok(Access::Free)
    }

    async fn run(&self, input: SubagentInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let Some(sessions) = self.sessions.upgrade() else { return Err(ToolError::Cancelled) };
        match input.operation {
            Operation::Run => run(&sessions, input, &context).await,
            Operation::Wait => wait(&sessions, &input, &context).await,
            Operation::Kill => kill(&sessions, &input, &context).await,
        }
    }
}

fn named(input: &SubagentInput) -> Result<SessionId, ToolError> {
    let missing = || ToolError::Arguments("the session_id parameter is required to wait or kill".to_owned());
    input.session().ok_or_else(missing)
}

fn failed(error: kit_protocol::KitError) -> ToolError {
    ToolError::Failed(error.message)
}

async fn run(
    sessions: &Arc<Sessions>,
    input: SubagentInput,
    context: &ToolContext,
) -> Result<ToolOutput, ToolError> {
    let (task, timeout, session) = (input.task()?.to_owned(), input.timeout()?, input.session());
    let (turn, call) = (context.turn.clone(), Some(context.call.clone()));
    let spawner =
        if input.background { Spawner::Background { turn, call } } else { Spawner::Turn { turn, call } };
    let request = SpawnRequest {
        agent: input.agent,
        model: input.model,
        system_prompt: input.system_prompt,
        timeout,
        session,
        spawner,
        ..SpawnRequest::new(context.session.clone(), task)
    };
    let subagent = sessions.spawn(request).await.map_err(failed)?;
    if input.background {
        let id = subagent.id();
        let text = format!(
            "Subagent started in the background.\nSession ID: {id} (pass it as session_id with operation wait to get its \
             report, or with operation kill to stop it)"
        );
        return Ok(output(text, id, false));
    }
    let stop = StopOnDrop(subagent.clone());
    let report = tokio::select! {
        biased;
        report = subagent.wait() => report,
        () = context.cancel.cancelled() => {
            drop(stop);
            if tokio::time::timeout(CANCEL_PATIENCE, subagent.wait()).await.is_err() {
                tracing::warn!(session = %subagent.id(), "a cancelled subagent takes long to end");
            }
            return Ok(output(ToolError::Cancelled.to_string(), subagent.id(), true));
        }
    };
    Ok(reported(&report))
}

async fn wait(
    sessions: &Arc<Sessions>,
    input: &SubagentInput,
    context: &ToolContext,
) -> Result<ToolOutput, ToolError> {
    let id = named(input)?;
    let subagent = sessions.subagent(&context.session, &id).await.map_err(failed)?;
    let patience = input.timeout()?.unwrap_or(LONGEST_TIMEOUT);
    tokio::select! {
        biased;
        report = subagent.wait() => {
            sessions.report_is_read(&context.session, &id).await;
            Ok(reported(&report))
        }
        () = context.cancel.cancelled() => Err(ToolError::Cancelled),
        () = tokio::time::sleep(patience) => {
            let text = format!("The subagent {id} is still at work after {}s of waiting.", patience.as_secs());
            Ok(output(text, &id, false))
        }
    }
}

async fn kill(
    sessions: &Arc<Sessions>,
    input: &SubagentInput,
    context: &ToolContext,
) -> Result<ToolOutput, ToolError> {
    let id = named(input)?;
    let subagent = sessions.subagent(&context.session, &id).await.map_err(failed)?;
    if let Some(report) = subagent.report() {
        sessions.report_is_read(&context.session, &id).await;
        return Ok(output(format!("The subagent had ended before.\n\n{}", report.text()), &id, false));
    }
    subagent.kill();
    let report = tokio::select! {
        biased;
        report = subagent.wait() => report,
        () = context.cancel.cancelled() => return Err(ToolError::Cancelled),
    };
    sessions.report_is_read(&context.session, &id).await;
    Ok(output(format!("The subagent is stopped.\n\n{}", report.text()), &id, false))
}

fn reported(report: &SubagentReport) -> ToolOutput {
    output(report.text(), &report.session, !report.is_success())
}

fn output(content: String, session: &SessionId, is_error: bool) -> ToolOutput {
    let metadata = ToolMetadata { subagent_session: Some(session.clone()), ..ToolMetadata::default() };
    ToolOutput { content, is_error, metadata, ..ToolOutput::default() }
}

/// Stops a subagent that nobody waits for any more.
struct StopOnDrop(Subagent);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}
