//! One tool call from its arguments to its only outcome (I14).
//!
//! Arguments are parsed, the tool says what the call reaches, the policy decides, the gate may stop it, the user is
//! asked where the policy says so, the tool runs, and the gate may change what it answered. Whatever happens — wrong
//! arguments, a refusal, an unanswered question, a cancel, a panic — the caller gets one [`ToolOutput`], capped (I20). The tool runs in a task that this future owns: dropping the future
//! stops it, and a tool that does not react to a cancel is stopped after [`CANCEL_PATIENCE`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{
    Denial, Mode, PermissionAnswer, PermissionOptionKind, PermissionRequest, PermissionSubject, QuestionId,
    ToolMetadata,
};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::arguments;
use crate::caps::{MAX_LINES, MAX_RESULT_BYTES, head_and_tail};
use crate::gate::{CallGate, GatedCall, Passage};
use crate::media;
use crate::policy::Decision;
use crate::question::{self, Choice};
use crate::sandbox;
use crate::settings::{Confinement, ToolSettings};
use crate::tool::{Access, AnyTool, ToolContext, ToolError, ToolOutput};

/// How long a tool may take to end after a cancel; a command needs it to end its processes.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);
const MOVED: &str = "what the call would reach changed while it waited for leave; call the tool again";

/// Runs a call to its outcome. `executes` is called when it is permitted, right before the tool runs.
pub async fn run_call(
    tool: Arc<dyn AnyTool>,
    arguments: String,
    context: ToolContext,
    executes: Box<dyn FnOnce() + Send>,
) -> ToolOutput {
    let cancel = context.cancel.clone();
    if cancel.is_cancelled() {
        return ToolError::Cancelled.into();
    }
    let name = tool.name().into_owned();
    let mut tasks = JoinSet::new();
    tasks.spawn(Box::pin(permitted(tool, arguments, context, executes)));
    let overdue = async {
        cancel.cancelled().await;
        tokio::time::sleep(CANCEL_PATIENCE).await;
    };
    let output = tokio::select! {
        biased;
        joined = tasks.join_next() => match joined {
            Some(Ok(output)) => output,
            Some(Err(error)) => {
                tracing::error!(tool = name, %error, "a tool failed unexpectedly");
                ToolOutput::error(format!("the tool {name} failed unexpectedly; this is a defect of kit-ls, not of the call"))
            }
            None => ToolError::Cancelled.into(),
        },
        () = overdue => ToolError::Cancelled.into(),
    };
    capped(output)
}

fn capped(mut output: ToolOutput) -> ToolOutput {
    let mut content = head_and_tail(&output.content, 2 * MAX_LINES, MAX_RESULT_BYTES).into_owned();
    if let Some(note) = media::cut(&mut output.media) {
        content.push_str(&format!("\n\n[{note}]"));
    }
    ToolOutput { content, ..output }
}

async fn permitted(
    tool: Arc<dyn AnyTool>,
    text: String,
    context: ToolContext,
    executes: Box<dyn FnOnce() + Send>,
) -> ToolOutput {
    match permission(&tool, &text, &context).await {
        Ok(Granted { confinement, note, gated }) => {
            executes();
            let settings = Arc::new(ToolSettings { confinement, ..(*context.settings).clone() });
            let (gate, cancel) = (context.gate.clone(), context.cancel.clone());
            let mut output = tool.call(text, ToolContext { settings, ..context }).await;
            if let Some(note) = note {
                output.content.push_str(&format!("\n\n[{note}]"));
            }
            match gate.zip(gated) {
                Some((gate, call)) => passed_on(gate.as_ref(), call, capped(output), &cancel).await,
                None => output,
            }
        }
        Err(Refusal::Failed(error)) => error.into(),
        Err(Refusal::Denied { denial, content }) => {
            let metadata = ToolMetadata { denied: Some(denial), ..ToolMetadata::default() };
            ToolOutput { metadata, ..ToolOutput::error(content) }
        }
    }
}

/// The result of a call as the gate leaves it; as it is where nobody waits for the gate any more.
async fn passed_on(
    gate: &dyn CallGate,
    call: GatedCall,
    output: ToolOutput,
    cancel: &CancellationToken,
) -> ToolOutput {
    tokio::select! {
        biased;
        changed = gate.after(call, output.clone()) => ToolOutput { metadata: output.metadata, ..changed },
        () = cancel.cancelled() => output,
    }
}

struct Granted {
    confinement: Confinement,
    /// What the model must know beside the result.
    note: Option<String>,
    /// The call as the gate saw it.
    gated: Option<GatedCall>,
}

enum Refusal {
    Failed(ToolError),
    Denied { denial: Denial, content: String },
}

impl From<ToolError> for Refusal {
    fn from(error: ToolError) -> Self {
        Self::Failed(error)
    }
}

async fn permission(tool: &Arc<dyn AnyTool>, text: &str, context: &ToolContext) -> Result<Granted, Refusal> {
    let parsed = arguments::parse(text)?;
    let access = tool.access(&parsed, context)?;
    let decision = decide(tool.as_ref(), &access, context).await;
    let gated = match (&decision, &context.gate) {
        (Decision::Deny { .. }, _) | (_, None) => None,
        (Decision::Allow { .. } | Decision::Ask { .. }, Some(gate)) => {
            let call = GatedCall {
                id: context.call.clone(),
                name: tool.name().into_owned(),
                kind: tool.kind(),
                arguments: text.to_owned(),
                parsed: parsed.clone(),
            };
            pass(gate.as_ref(), call.clone(), context).await?;
            Some(call)
        }
    };
    let waited = gated.is_some() || matches!(decision, Decision::Ask { .. });
    let granted = match decision {
        Decision::Deny { why } => {
            return Err(Refusal::Denied {
                denial: Denial::DeniedByRules,
                content: format!(
                    "permission denied: {why}. Do not try to reach the same in another way; go on without it or tell the user."
                ),
            });
        }
        Decision::Allow { why, confined } => {
            tracing::debug!(tool = %tool.name(), why, "tool call allowed");
            let confinement = if confined { Confinement::Sandboxed } else { Confinement::Free };
            Granted { confinement, note: None, gated }
        }
        Decision::Ask { why, suggestions } => {
            let choices = question::choices(&suggestions, context.policy.file());
            let answer = ask(tool.as_ref(), &parsed, &access, &choices, &why, context).await?;
            let note = answered(answer, &choices, &why, context)?;
            Granted { confinement: Confinement::Free, note, gated }
        }
    };
    // People and gates may take hours: a link that was replaced meanwhile must not lead elsewhere.
    if waited && tool.access(&parsed, context)? != access {
        return Err(ToolError::Failed(MOVED.to_owned()).into());
    }
    Ok(granted)
}

/// Lets the gate stop the call.
async fn pass(gate: &dyn CallGate, call: GatedCall, context: &ToolContext) -> Result<(), Refusal> {
    let passage = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(ToolError::Cancelled.into()),
        passage = gate.before(call) => passage,
    };
    match passage {
        Passage::Open => Ok(()),
        Passage::Closed { reason } => {
            Err(Refusal::Denied { denial: Denial::DeniedByExtension, content: format!("Error: {reason}") })
        }
    }
}

/// Asks the user; `None` if nobody could be asked.
async fn ask(
    tool: &dyn AnyTool,
    parsed: &Value,
    access: &Access,
    choices: &[Choice],
    why: &str,
    context: &ToolContext,
) -> Result<Option<PermissionAnswer>, Refusal> {
    let blocks = tool.preview(parsed.clone(), context.clone()).await?;
    let request = PermissionRequest {
        id: QuestionId::random(),
        session: context.session.clone(),
        agent: context.agent.clone(),
        tool_call_id: Some(context.call.clone()),
        title: tool.title(parsed, context),
        tool_kind: tool.kind(),
        subject: subject(tool, access, blocks, parsed),
        options: choices.iter().map(|choice| choice.option.clone()).collect(),
        why: Some(why.to_owned()),
    };
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ToolError::Cancelled.into()),
        answer = context.workspace.editor().permission(request, context.cancel.clone()) => Ok(answer),
    }
}

async fn decide(tool: &dyn AnyTool, access: &Access, context: &ToolContext) -> Decision {
    let roots = context.workspace.roots();
    let unconfined = match (access, context.mode) {
        (Access::Execute { .. }, Mode::Auto) => {
            let sandbox = context.settings.sandbox.clone();
            let folders: Vec<PathBuf> = roots.iter().map(|root| root.real.clone()).collect();
            let obstacle = tokio::task::spawn_blocking(move || match sandbox {
                Some(sandbox) => sandbox::obstacle(&sandbox, &folders),
                None => Some("it is not set up".to_owned()),
            });
            obstacle.await.unwrap_or_else(|error| Some(error.to_string()))
        }
        (_, _) => None,
    };
    let name = tool.name();
    let call = context.policy_call(&name, tool.kind(), access, &roots, unconfined.as_deref());
    context.policy.decide(&call)
}

/// What the answer means; `Ok` with a note for the model if it may run.
fn answered(
    answer: Option<PermissionAnswer>,
    choices: &[Choice],
    why: &str,
    context: &ToolContext,
) -> Result<Option<String>, Refusal> {
    let Some(answer) = answer else {
        if context.cancel.is_cancelled() {
            return Err(ToolError::Cancelled.into());
        }
        return Err(Refusal::Denied {
            denial: Denial::DeniedNoApprovalRuleAndCouldNotRequestFromUser,
            content: format!("permission denied: {why}, and nobody could be asked."),
        });
    };
    let choice = choices.iter().find(|choice| choice.option.id == answer.option);
    let kind = choice.map_or(PermissionOptionKind::RejectOnce, |choice| choice.option.kind);
    let saved = match choice {
        Some(Choice { remembers: Some((scope, effect, rule)), .. }) => {
            context.policy.remember(&context.session, &context.cwd, *scope, *effect, rule)
        }
        Some(_) | None => Ok(()),
    };
    let note = saved.err().map(|error| {
        tracing::warn!(%error, "a permission could not be remembered");
        format!(
            "the answer holds for this call only: it could not be written to {}: {error}",
            context.policy.file().display()
        )
    });
    match kind {
        PermissionOptionKind::AllowOnce | PermissionOptionKind::AllowAlways => Ok(note),
        PermissionOptionKind::RejectOnce | PermissionOptionKind::RejectAlways => {
            let content = match answer.feedback.as_deref().map(str::trim).filter(|feedback| !feedback.is_empty()) {
                Some(feedback) => format!("the user rejected this call and says: {feedback}"),
                None => "the user rejected this call. Do not try to reach the same in another way; ask what to do instead.".to_owned(),
            };
            Err(Refusal::Denied { denial: Denial::DeniedInteractivelyByUser, content })
        }
    }
}

fn subject(
    tool: &dyn AnyTool,
    access: &Access,
    diff_blocks: Vec<kit_protocol::DiffBlock>,
    arguments: &Value,
) -> PermissionSubject {
    let mut subject =
        PermissionSubject { diff_blocks, tool: Some(tool.name().into_owned()), ..Default::default() };
    match access {
        Access::Free => {}
        Access::Read { locations } | Access::Search { locations } | Access::Edit { locations } => {
            subject.uri = locations.first().map(|location| location.uri.as_str().to_owned());
        }
        Access::Execute { command, cwd } => {
            subject.command = Some(command.clone());
            subject.cwd = Some(cwd.to_string_lossy().into_owned());
        }
        Access::Other { .. } => subject.args = Some(arguments.clone()),
    }
    subject
}
