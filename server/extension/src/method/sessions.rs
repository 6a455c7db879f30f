//! Prompts, state, options, tools and messages of the session.

use std::sync::Arc;

use kit_contract::{
    AppendEntryParameters, AppendEntryResult, CompactParameters, ContextStats, FilePart,
    GetEntriesParameters, MessageParameters, MultimodalMessageParameters, NewSessionParameters,
    NewSessionResult, OptionParameters, SessionEntry, SessionMessage, SessionUsage, SetActiveToolsParameters,
    SetOptionParameters, SetStateParameters, StateKeyParameters, ToolCallParameters, ToolInfo,
    ToolProgressParameters,
};
use kit_protocol::{CostKind, ImagePart, KitError, SessionArguments, SessionId, ToolCallId, UsageArguments};
use kit_session::Script;
use kit_tools::ToolSource;

use super::unavailable;
use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};
use crate::state::{State, key_of, keys_for};

/// The session's own error as an extension sees it.
pub(super) fn refused(error: KitError) -> Failure {
    let code = match error.kind {
        kit_protocol::ErrorKind::NotFound => FailureCode::NotFound,
        kit_protocol::ErrorKind::InvalidRequest => FailureCode::Invalid,
        kit_protocol::ErrorKind::Permission | kit_protocol::ErrorKind::Untrusted => FailureCode::Denied,
        kit_protocol::ErrorKind::Cancelled => FailureCode::Cancelled,
        kit_protocol::ErrorKind::RateLimit => FailureCode::RateLimited,
        kit_protocol::ErrorKind::Internal => FailureCode::Internal,
        kit_protocol::ErrorKind::Busy
        | kit_protocol::ErrorKind::Conflict
        | kit_protocol::ErrorKind::Auth
        | kit_protocol::ErrorKind::ContextOverflow
        | kit_protocol::ErrorKind::Unavailable
        | kit_protocol::ErrorKind::Budget => FailureCode::Unavailable,
    };
    Failure::new(code, error.message)
}

/// The session that a call is about.
pub(super) fn session_of(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<SessionId, Failure> {
    caller.session(hub, parameters).ok_or_else(|| unavailable("there is no session yet"))
}

/// Images and documents of one message.
const MOST_FILES: usize = 8;

/// Starts a turn, or queues for one, when the extension's own call is over. The user stays in the session that they are
/// in.
pub(super) fn prompt_later(
    hub: &Arc<Extensions>,
    session: Option<SessionId>,
    script: Script,
) -> Result<(), Failure> {
    let sessions = hub.sessions()?;
    hub.spawn_prompt(async move {
        let session = match session {
            Some(session) => Ok(session),
            None => sessions.new_session(SessionArguments::default()).await.map(|made| made.session),
        };
        let sent = match session {
            Ok(session) => sessions.send(&session, script).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "a prompt of an extension was not taken");
        }
    });
    Ok(())
}

pub(super) fn text_only(text: String) -> Script {
    Script { text, ..Script::default() }
}

pub(super) fn send(hub: &Arc<Extensions>, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let MessageParameters { text } = parse("sendMessage", parameters)?;
    prompt_later(hub, caller.session(hub, parameters), text_only(text))
}

pub(super) fn cancel_and_send(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<(), Failure> {
    let MessageParameters { text } = parse("cancelAndSend", parameters)?;
    let Some(session) = caller.session(hub, parameters) else {
        return prompt_later(hub, None, text_only(text));
    };
    let sessions = hub.sessions()?;
    hub.spawn_prompt(async move {
        if let Err(error) = sessions.interrupt(&session, text_only(text)).await {
            tracing::warn!(%error, "a prompt of an extension was not taken");
        }
    });
    Ok(())
}

pub(super) fn send_with_files(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<(), Failure> {
    let MultimodalMessageParameters { text, files } = parse("sendMultimodalMessage", parameters)?;
    if files.len() > MOST_FILES {
        let text = format!("a message has at most {MOST_FILES} files, not {}", files.len());
        return Err(Failure::new(FailureCode::Invalid, text));
    }
    let mut media = Vec::new();
    for FilePart { filename, data, media_type } in files {
        if !media_type.starts_with("image/") && media_type != "application/pdf" {
            let text = format!(
                "{filename} is `{media_type}`; a message takes images and PDFs, and texts belong into its text"
            );
            return Err(Failure::new(FailureCode::Invalid, text));
        }
        media.push(ImagePart { data, media_type });
    }
    prompt_later(hub, caller.session(hub, parameters), Script { text, media, ..Script::default() })
}

pub(super) fn abort(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let (sessions, session) = (hub.sessions()?, session_of(hub, caller, parameters)?);
    hub.spawn(async move {
        if let Err(error) = sessions.abort(&session).await {
            tracing::debug!(%error, "nothing is aborted");
        }
    });
    Ok(())
}

pub(super) fn is_idle(hub: &Extensions, caller: &Caller, parameters: &str) -> bool {
    let session = caller.session(hub, parameters);
    hub.sessions().is_ok_and(|sessions| session.is_none_or(|session| sessions.is_idle(&session)))
}

/// Ends a headless run after its turns. An editor ends its server itself.
pub(super) fn exit(hub: &Extensions) -> Result<(), Failure> {
    hub.sessions()?.request_exit();
    Ok(())
}

pub(super) fn context_stats(hub: &Extensions, caller: &Caller, parameters: &str) -> ContextStats {
    let session = caller.session(hub, parameters);
    hub.known(session.as_ref()).map(|facts| facts.context).unwrap_or_default()
}

fn state_of(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<Arc<State>, Failure> {
    let session = session_of(hub, caller, parameters)?;
    hub.states().get(&session).ok_or_else(|| unavailable(format!("the session {session} is not open")))
}

pub(super) fn get_state(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Option<String>, Failure> {
    let StateKeyParameters { key } = parse("getState", parameters)?;
    Ok(state_of(hub, caller, parameters)?.get(&key_of(caller.name(), &key)))
}

pub(super) fn list_state(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<String>, Failure> {
    Ok(keys_for(caller.name(), &*state_of(hub, caller, parameters)?))
}

pub(super) async fn set_state(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let SetStateParameters { key, value } = parse("setState", parameters)?;
    let state = state_of(hub, caller, parameters)?;
    change_state(hub, &state, key_of(caller.name(), &key), Some(value)).await
}

async fn change_state(
    hub: &Extensions,
    state: &Arc<State>,
    key: String,
    value: Option<String>,
) -> Result<(), Failure> {
    hub.states().change(state, key, value).await.map_err(|error| unavailable(error.to_string()))?;
    // What was damaged before is whole now.
    if let Some(file) = state.file().filter(|file| hub.problem(file).is_some()) {
        hub.set_problem(file, None);
    }
    Ok(())
}

pub(super) async fn delete_state(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<bool, Failure> {
    let StateKeyParameters { key } = parse("deleteState", parameters)?;
    let state = state_of(hub, caller, parameters)?;
    let key = key_of(caller.name(), &key);
    if state.get(&key).is_none() {
        return Ok(false);
    }
    change_state(hub, &state, key, None).await?;
    Ok(true)
}

pub(super) fn get_option(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<String, Failure> {
    let OptionParameters { name } = parse("getOption", parameters)?;
    Ok(hub.option(caller, &name))
}

pub(super) fn set_option(hub: &Extensions, parameters: &str) -> Result<(), Failure> {
    let SetOptionParameters { name, value } = parse("setOption", parameters)?;
    hub.options().set(name, value);
    Ok(())
}

pub(super) fn all_tools(hub: &Extensions, caller: &Caller, parameters: &str) -> Vec<ToolInfo> {
    let session = caller.session(hub, parameters);
    let tools = hub.ports().tools.list();
    tools
        .into_iter()
        .map(|(source, tool)| {
            let name = tool.name().into_owned();
            ToolInfo {
                enabled: hub.is_active(session.as_ref(), &name),
                name,
                description: tool.description().into_owned(),
                source: match source {
                    ToolSource::Core => "core",
                    ToolSource::Mcp => "mcp",
                    ToolSource::Extension => "extension",
                    ToolSource::Program => "core",
                }
                .to_owned(),
            }
        })
        .collect()
}

pub(super) fn set_active_tools(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let SetActiveToolsParameters { names } = parse("setActiveTools", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let sessions = hub.sessions()?;
    let names = names.filter(|names| !names.is_empty());
    hub.set_active_tools(session.clone(), names.clone());
    sessions.choose_tools(&session, names.unwrap_or_default()).map_err(refused)
}

pub(super) fn tool_progress(hub: &Extensions, parameters: &str) -> Result<(), Failure> {
    let ToolProgressParameters { tool_call_id, text } = parse("tool.progress", parameters)?;
    hub.running_tools().progress(&ToolCallId::from(tool_call_id.as_str()), text);
    Ok(())
}

pub(super) fn is_cancelled(hub: &Extensions, parameters: &str) -> Result<bool, Failure> {
    let ToolCallParameters { tool_call_id } = parse("tool.isCancelled", parameters)?;
    Ok(hub.running_tools().is_cancelled(&ToolCallId::from(tool_call_id.as_str())))
}

pub(super) async fn compact(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let CompactParameters { custom_instructions } = parse("compact", parameters)?;
    let session = Some(session_of(hub, caller, parameters)?);
    let arguments = SessionArguments { session, focus: custom_instructions, ..SessionArguments::default() };
    hub.sessions()?.compact_to_end(arguments).await.map_err(refused)
}

pub(super) async fn new_session(
    hub: &Arc<Extensions>,
    parameters: &str,
) -> Result<NewSessionResult, Failure> {
    let NewSessionParameters { prompt } = parse("newSession", parameters)?;
    let prompt = prompt.filter(|prompt| !prompt.is_empty());
    let made = hub.sessions()?.new_session_for(SessionArguments::default(), prompt.clone()).await;
    let made = made.map_err(refused)?;
    if let Some(prompt) = prompt {
        prompt_later(hub, Some(made.session.clone()), text_only(prompt))?;
    }
    Ok(NewSessionResult { session_id: made.session.to_string() })
}

pub(super) async fn usage(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<SessionUsage, Failure> {
    let session = caller.session(hub, parameters);
    let answer = hub.sessions()?.usage(UsageArguments { session }).await.map_err(refused)?;
    let totals = answer.session.unwrap_or_default();
    Ok(SessionUsage {
        total_input_tokens: totals.input_tokens,
        total_output_tokens: totals.output_tokens,
        total_cache_read_tokens: totals.cache_read_tokens,
        total_cache_write_tokens: totals.cache_write_tokens,
        total_cost: crate::convert::dollars(totals.cost_micros),
        request_count: u64::try_from(answer.calls.len()).unwrap_or(u64::MAX),
        is_oauth: totals.cost_kind == CostKind::Subscription,
    })
}

pub(super) async fn path(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<String, Failure> {
    let session = session_of(hub, caller, parameters)?;
    let view = hub.sessions()?.view(&session).await.map_err(refused)?;
    Ok(view.path.to_string_lossy().into_owned())
}

pub(super) async fn messages(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<SessionMessage>, Failure> {
    let session = session_of(hub, caller, parameters)?;
    let entries = hub.sessions()?.messages(&session).await.map_err(refused)?;
    let message = |entry: kit_session::SessionEntry| SessionMessage {
        id: entry.id.to_string(),
        parent_id: entry.parent.map(|parent| parent.to_string()),
        role: entry.role.map(crate::convert::role_name).unwrap_or_default().to_owned(),
        content: entry.text,
        model: entry.model,
        provider: entry.provider,
        timestamp: entry.at,
    };
    Ok(entries.into_iter().map(message).collect())
}

pub(super) async fn append_entry(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<AppendEntryResult, Failure> {
    let AppendEntryParameters { entry_type, data } = parse("appendEntry", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let id = hub.sessions()?.append_entry(&session, &entry_type, &data).await.map_err(refused)?;
    Ok(AppendEntryResult { id: id.to_string() })
}

pub(super) async fn entries(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<SessionEntry>, Failure> {
    let GetEntriesParameters { entry_type } = parse("getEntries", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let kind = entry_type.as_deref().filter(|kind| !kind.is_empty());
    let entries = hub.sessions()?.entries(&session, kind).await.map_err(refused)?;
    let entry = |entry: kit_session::ExtensionEntry| SessionEntry {
        id: entry.id.to_string(),
        entry_type: entry.kind,
        data: entry.data,
        timestamp: entry.at,
    };
    Ok(entries.into_iter().map(entry).collect())
}
