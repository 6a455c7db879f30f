//! Subagents of extensions. They are the session's own: its tools, its permissions, its budgets, its stream of events.

use std::sync::Arc;
use std::time::Duration;

use kit_contract::{
    SpawnSubagentParameters, SpawnSubagentResult, SubagentEvent, SubagentInfo, SubagentParameters,
    SubagentResult, SubagentUsage,
};
use kit_protocol::{Event, EventBody, SessionId, StopReason};
use kit_session::{SpawnRequest, Subagent, SubagentListener, SubagentOutcome, SubagentReport};

use super::sessions::{refused, session_of};
use crate::caller::{Caller, parse};
use crate::convert::{chunk_of, word};
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};

/// The event that tells an extension what its subagent does.
const EVENT: &str = "subagent.event";

pub(super) async fn spawn(
    hub: &Arc<Extensions>,
    caller: &Arc<Caller>,
    parameters: &str,
) -> Result<SpawnSubagentResult, Failure> {
    let SpawnSubagentParameters {
        prompt,
        agent,
        model,
        system_prompt,
        timeout_ms,
        blocking,
        no_session,
        session_id,
        tools,
        events,
    } = parse("spawnSubagent", parameters)?;
    let parent = session_of(hub, caller, parameters)?;
    let session_id = filled(session_id);
    if no_session && session_id.is_some() {
        let text = "spawnSubagent goes on with sessionId, or stores nothing with noSession, not both";
        return Err(Failure::new(FailureCode::Invalid, text));
    }
    let request = SpawnRequest {
        agent: filled(agent),
        model: filled(model),
        system_prompt: filled(system_prompt),
        timeout: (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms)),
        tools,
        session: session_id.map(|id| SessionId::from(id.as_str())),
        temporary: no_session,
        listener: events.then(|| listener(hub, caller)),
        ..SpawnRequest::new(parent, prompt)
    };
    let subagent = hub.sessions()?.spawn(request).await.map_err(refused)?;
    if events {
        see_off(hub, caller, subagent.clone());
    }
    let id = subagent.id().to_string();
    if !blocking {
        return Ok(SpawnSubagentResult { id, result: None });
    }
    // Whoever waits and gives up wants nothing of it any more.
    let unwanted = Unwanted(Some(subagent.clone()));
    let report = subagent.wait().await;
    unwanted.done();
    let mut result = described(&report);
    result.session_id = result.session_id.filter(|_| !no_session);
    Ok(SpawnSubagentResult { id, result: Some(result) })
}

pub(super) async fn wait(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<SubagentResult, Failure> {
    let SubagentParameters { id } = parse("waitSubagent", parameters)?;
    let parent = session_of(hub, caller, parameters)?;
    let found = hub.sessions()?.subagent(&parent, &SessionId::from(id.as_str())).await;
    Ok(described(&*found.map_err(refused)?.wait().await))
}

pub(super) fn kill(hub: &Arc<Extensions>, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let SubagentParameters { id } = parse("killSubagent", parameters)?;
    let (sessions, parent) = (hub.sessions()?, session_of(hub, caller, parameters)?);
    hub.spawn(async move {
        match sessions.subagent(&parent, &SessionId::from(id.as_str())).await {
            Ok(subagent) => subagent.kill(),
            Err(error) => tracing::debug!(%error, "a subagent is not killed"),
        }
    });
    Ok(())
}

pub(super) async fn list(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<SubagentInfo>, Failure> {
    let parent = session_of(hub, caller, parameters)?;
    let subagents = hub.sessions()?.subagents(&parent).await.map_err(refused)?;
    let info = |subagent: Subagent| {
        let report = subagent.report();
        SubagentInfo {
            id: subagent.id().to_string(),
            agent: subagent.agent().name.clone().unwrap_or_default(),
            running: report.is_none(),
            result: report.map(|report| described(&report)),
        }
    };
    Ok(subagents.into_iter().map(info).collect())
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Kills a subagent when nobody waits for it any more.
struct Unwanted(Option<Subagent>);

impl Unwanted {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Unwanted {
    fn drop(&mut self) {
        if let Some(subagent) = &self.0 {
            subagent.kill();
        }
    }
}

/// Tells an extension what its subagent does, while both are there.
fn listener(hub: &Arc<Extensions>, caller: &Arc<Caller>) -> SubagentListener {
    let (hub, caller) = (Arc::downgrade(hub), Arc::downgrade(caller));
    Arc::new(move |event: &Event| {
        if let (Some(hub), Some(caller)) = (hub.upgrade(), caller.upgrade())
            && let Some(event) = heard(event)
        {
            hub.tell_caller(&caller, EVENT, event);
        }
    })
}

fn heard(event: &Event) -> Option<SubagentEvent> {
    let chunk = chunk_of(&event.body)?;
    let call = if let EventBody::ToolCall { tool_call_id, tool_kind, .. }
    | EventBody::ToolExecutionStart { tool_call_id, tool_kind, .. }
    | EventBody::ToolExecutionEnd { tool_call_id, tool_kind, .. }
    | EventBody::ToolResult { tool_call_id, tool_kind, .. } = &event.body
    {
        Some((tool_call_id.to_string(), word(tool_kind)))
    } else {
        None
    };
    let (tool_call_id, tool_kind) = call.unwrap_or_default();
    Some(SubagentEvent {
        subagent: event.session.to_string(),
        r#type: chunk.chunk_type,
        content: chunk.content,
        tool_call_id,
        tool_name: chunk.tool_name,
        tool_kind,
        tool_args: chunk.tool_args,
        tool_result: chunk.tool_result,
        is_error: chunk.is_error,
    })
}

/// Tells the end of a subagent to whoever listens.
fn see_off(hub: &Arc<Extensions>, caller: &Arc<Caller>, subagent: Subagent) {
    let (later, caller) = (Arc::clone(hub), Arc::clone(caller));
    hub.spawn(async move {
        let report = subagent.wait().await;
        let SubagentResult { response, error, exit_code, .. } = described(&report);
        let event = SubagentEvent {
            subagent: subagent.id().to_string(),
            r#type: "end".to_owned(),
            content: if error.is_empty() { response } else { error },
            is_error: exit_code != 0,
            ..SubagentEvent::default()
        };
        later.tell_caller(&caller, EVENT, event);
    });
}

fn described(report: &SubagentReport) -> SubagentResult {
    let error = match &report.outcome {
        SubagentOutcome::Completed(StopReason::Budget) => "the budget is used up".to_owned(),
        SubagentOutcome::Completed(_) => String::new(),
        SubagentOutcome::Failed(error) => error.clone(),
        SubagentOutcome::TimedOut(limit) => format!("it was stopped after its {} s", limit.as_secs_f64()),
        SubagentOutcome::Killed => "it was stopped".to_owned(),
    };
    let usage = &report.usage;
    SubagentResult {
        response: if report.is_success() { report.response.clone() } else { report.partial.clone() },
        exit_code: i32::from(!error.is_empty()),
        error,
        elapsed_ms: u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        usage: Some(SubagentUsage {
            input_tokens: usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
            output_tokens: usage.output_tokens,
        }),
        session_id: Some(report.session.to_string()),
    }
}
