//! The methods of the host, by the door through which they are called.
//!
//! Parameters arrive as JSON and are read into the types of the contract; results leave the same way. Whatever an
//! editor has no place for is accepted and does nothing.

mod completion;
mod models;
mod pieces;
mod prompts;
mod sessions;
mod show;
mod subagents;
mod system;
mod text;
mod tree;

use std::sync::Arc;

use serde::Serialize;

use crate::caller::Caller;
use crate::extensions::Extensions;
use crate::sandbox::{Body, Failure, FailureCode, HostAnswer};

/// What every method that needs them says without sessions.
pub(crate) const NO_SESSIONS: &str = "there are no sessions";

/// `notify`.
pub(crate) fn notify(
    hub: &Arc<Extensions>,
    caller: &Caller,
    method: &str,
    parameters: &str,
) -> Result<(), Failure> {
    match method {
        "print" | "printInfo" | "printError" => show::print(hub, caller, method, parameters),
        "printBlock" => show::block(hub, caller, parameters),
        "setWidget" => show::set_widget(hub, caller, parameters),
        "removeWidget" => show::remove_widget(hub, caller, parameters),
        "setHeader" | "setFooter" => show::set_bar(hub, caller, method, parameters),
        "removeHeader" | "removeFooter" => show::remove_bar(hub, caller, method),
        "setStatus" => show::set_status(hub, caller, parameters),
        "removeStatus" => show::remove_status(hub, caller, parameters),
        "setEditorText" => show::set_prompt(hub, caller, parameters),
        "sendMessage" => sessions::send(hub, caller, parameters),
        "cancelAndSend" => sessions::cancel_and_send(hub, caller, parameters),
        "sendMultimodalMessage" => sessions::send_with_files(hub, caller, parameters),
        "abort" => sessions::abort(hub, caller, parameters),
        "exit" => sessions::exit(hub),
        "setOption" => sessions::set_option(hub, parameters),
        "setActiveTools" => sessions::set_active_tools(hub, caller, parameters),
        "killSubagent" => subagents::kill(hub, caller, parameters),
        "tool.progress" => sessions::tool_progress(hub, parameters),
        "reloadExtensions" => {
            hub.reload_soon();
            Ok(())
        }
        // Editors have their own themes, keys and windows.
        "setUIVisibility" | "setTheme" | "registerTheme" | "setEditor" | "resetEditor" => Ok(()),
        other => Err(unknown("notify", other)),
    }
}

/// `get`.
pub(crate) fn get(
    hub: &Arc<Extensions>,
    caller: &Caller,
    method: &str,
    parameters: &str,
) -> Result<String, Failure> {
    match method {
        "isIdle" => answer(&sessions::is_idle(hub, caller, parameters)),
        "getContextStats" => answer(&sessions::context_stats(hub, caller, parameters)),
        "getState" => answer(&sessions::get_state(hub, caller, parameters)?),
        "listState" => answer(&sessions::list_state(hub, caller, parameters)?),
        "getOption" => answer(&sessions::get_option(hub, caller, parameters)?),
        "getCurrentModelId" => answer(&models::current(hub, caller, parameters).1),
        "getCurrentProvider" => answer(&models::current(hub, caller, parameters).0),
        "getThinkingLevel" => answer(&models::thinking_level(hub, caller, parameters)),
        "getAllTools" => answer(&sessions::all_tools(hub, caller, parameters)),
        "tool.isCancelled" => answer(&sessions::is_cancelled(hub, parameters)?),
        "parseTemplate" => answer(&text::parse_template(parameters)?),
        "renderTemplate" => answer(&text::render_template(parameters)?),
        "parseArguments" => answer(&text::parse_arguments(parameters)?),
        "simpleParseArguments" => answer(&text::simple_parse_arguments(parameters)?),
        "evaluateModelConditional" => {
            answer(&text::model_condition(&models::current_id(hub, caller, parameters), parameters)?)
        }
        "renderWithModelConditionals" => {
            answer(&text::model_conditions(&models::current_id(hub, caller, parameters), parameters)?)
        }
        "env.get" => answer(&system::environment(hub, caller, parameters)?),
        "getTerminalSize" => answer(&kit_contract::TerminalSize::default()),
        "listThemes" => answer::<[String; 0]>(&[]),
        "getTheme" => answer(""),
        other => Err(unknown("get", other)),
    }
}

/// `call` and `call-bytes`.
pub(crate) async fn call(
    hub: &Arc<Extensions>,
    caller: &Arc<Caller>,
    method: &str,
    parameters: &str,
    body: Body,
) -> HostAnswer {
    match method {
        "fs.read" => return system::read(hub, caller, parameters, body).await,
        "fs.write" => return system::write(hub, caller, parameters, body).await,
        "http.fetch" => return system::fetch(hub, caller, parameters, body).await,
        _ => {}
    }
    if let Body::Bytes(_) = body {
        let text = format!("call-bytes has fs.read, fs.write and http.fetch, not {method}");
        return Err(Failure::new(FailureCode::NotFound, text));
    }
    let text = match method {
        "renderMessage" => answer(&show::render_message(hub, caller, parameters).await?),
        "promptSelect" => answer(&prompts::select(hub, parameters).await?),
        "promptConfirm" => answer(&prompts::confirm(hub, parameters).await?),
        "promptInput" => answer(&prompts::input(hub, parameters).await?),
        "promptMultiSelect" => answer(&prompts::multi_select(hub, parameters).await?),
        "showOverlay" => answer(&prompts::overlay(hub, parameters).await?),
        "setState" => answer(&sessions::set_state(hub, caller, parameters).await?),
        "deleteState" => answer(&sessions::delete_state(hub, caller, parameters).await?),
        "compact" => answer(&sessions::compact(hub, caller, parameters).await?),
        "newSession" => answer(&sessions::new_session(hub, parameters).await?),
        "getSessionUsage" => answer(&sessions::usage(hub, caller, parameters).await?),
        "getSessionPath" => answer(&sessions::path(hub, caller, parameters).await?),
        "getMessages" => answer(&sessions::messages(hub, caller, parameters).await?),
        "appendEntry" => answer(&sessions::append_entry(hub, caller, parameters).await?),
        "getEntries" => answer(&sessions::entries(hub, caller, parameters).await?),
        "emitCustomEvent" => answer(&hub.emit(caller, parameters).await?),
        "setModel" => answer(&models::set(hub, caller, parameters).await?),
        "setThinkingLevel" => answer(&models::set_thinking(hub, caller, parameters).await?),
        "getAvailableModels" => answer(&models::available(hub).await?),
        "getModelCapabilities" => answer(&models::capabilities(hub, caller, parameters).await?),
        "checkModelAvailable" => answer(&models::is_available(hub, parameters).await?),
        "resolveModelChain" => answer(&models::resolve_chain(hub, parameters).await?),
        "complete" => answer(&completion::complete(hub, caller, parameters).await?),
        "spawnSubagent" => answer(&subagents::spawn(hub, caller, parameters).await?),
        "listSubagents" => answer(&subagents::list(hub, caller, parameters).await?),
        "waitSubagent" => answer(&subagents::wait(hub, caller, parameters).await?),
        "getTreeNode" => answer(&tree::node(hub, caller, parameters).await?),
        "getCurrentBranch" => answer(&tree::branch(hub, caller, parameters).await?),
        "getChildren" => answer(&tree::children(hub, caller, parameters).await?),
        "navigateTo" => answer(&tree::navigate(hub, caller, parameters).await?),
        "summarizeBranch" => answer(&tree::summarize(hub, caller, parameters).await?),
        "collapseBranch" => answer(&tree::collapse(hub, caller, parameters).await?),
        "getAvailableSkills" | "discoverSkills" => answer(&text::skills(hub, caller, parameters).await?),
        "loadSkill" => answer(&system::load_skill(hub, caller, parameters).await?),
        "loadSkillsFromDir" => answer(&system::load_skills(hub, caller, parameters).await?),
        "injectSkillAsContext" => answer(&text::inject_skill(hub, caller, parameters).await?),
        "injectRawSkillAsContext" => answer(&system::inject_skill(hub, caller, parameters).await?),
        "fs.list" => answer(&system::list(hub, caller, parameters).await?),
        "fs.stat" => answer(&system::stat(hub, caller, parameters).await?),
        "exec.run" => answer(&system::run(hub, caller, parameters).await?),
        "sleep" => answer(&system::sleep(parameters).await?),
        other => Err(unknown("call", other)),
    }?;
    Ok((text, Vec::new()))
}

fn answer<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::new(FailureCode::Internal, error.to_string()))
}

fn unknown(door: &str, method: &str) -> Failure {
    let known = kit_contract::METHODS.iter().find(|known| known.name == method);
    let text = match known {
        Some(known) => format!("{method} is called by {:?}, not by {door}", known.door).to_lowercase(),
        None => format!("there is no method {method}"),
    };
    Failure::new(FailureCode::NotFound, text)
}

fn unavailable(text: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Unavailable, text)
}
