//! The command table's other half: which function answers which command.
//!
//! Every function validates, hands over and answers; none waits for a model or a tool (invariant: answers within 100 ms).
//! The names, titles and shapes stand in `kit_protocol::COMMANDS`; a test checks that the two lists agree.

use std::sync::Arc;

use kit_protocol::{
    AgentListArguments, AskKind, AskRequest, AuthArguments, CancelArguments, CommandListArguments,
    CommandRunArguments, CompleteArguments, ErrorKind, KitError, ModeSetArguments, ModelListArguments,
    ModelSetArguments, NoArguments, PromptArguments, QuestionId, ReviewArguments, ReviewListArguments,
    RewindArguments, SessionArguments, SessionListArguments, SessionOnly, ThinkingSetArguments,
    TranscriptArguments, Trust, TurnId, UsageArguments,
};
use kit_session::ChangedBy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types as lsp;

use crate::error::to_value;
use crate::shared::{AuthCommand, Running, Shared};
use crate::trust;

/// The longest argument list that is looked at: one object.
const ONE_ARGUMENT: usize = 1;

/// Runs one command.
pub(crate) async fn execute(
    shared: &Arc<Shared>,
    running: &Running,
    params: lsp::ExecuteCommandParams,
) -> Result<Value, KitError> {
    let command = params.command.as_str();
    let sessions = &running.sessions;
    let encoding = shared.encoding();
    let argument = single(command, params.arguments)?;
    match command {
        "kit.session.prompt" => {
            let arguments: PromptArguments = parse(command, argument)?;
            let turn = TurnId::random();
            if let Some(token) = params.work_done_progress_params.work_done_token {
                shared.progress.give(turn.clone(), token);
            }
            let answer = sessions.prompt(arguments, encoding, turn.clone()).await;
            if answer.as_ref().map_or(true, |answer| answer.turn != turn) {
                shared.progress.take_back(&turn);
            }
            trust::ask(shared, running);
            answer_with(&answer?)
        }
        "kit.command.list" => {
            answer_with(&sessions.command_list(parse::<CommandListArguments>(command, argument)?).await?)
        }
        "kit.command.run" => {
            let arguments: CommandRunArguments = parse(command, argument)?;
            let turn = TurnId::random();
            if let Some(token) = params.work_done_progress_params.work_done_token {
                shared.progress.give(turn.clone(), token);
            }
            let answer = sessions.run_command(arguments, encoding, turn.clone()).await;
            if answer.as_ref().map_or(true, |answer| answer.turn.as_ref() != Some(&turn)) {
                shared.progress.take_back(&turn);
            }
            trust::ask(shared, running);
            answer_with(&answer?)
        }
        "kit.prompt.complete" => {
            let arguments: CompleteArguments = parse(command, argument)?;
            answer_with(&sessions.complete(arguments, encoding).await?)
        }
        "kit.session.ask" => {
            let arguments: PromptArguments = parse(command, argument)?;
            ask(shared, running, arguments, encoding);
            answer_with(&NoArguments {})
        }
        "kit.session.cancel" => {
            let arguments: CancelArguments = parse(command, argument)?;
            answer_with(&sessions.cancel(arguments))
        }
        "kit.session.new" => answer_with(&sessions.new_session(parse(command, argument)?).await?),
        "kit.session.open" => answer_with(&sessions.open(parse(command, argument)?).await?),
        "kit.session.fork" => answer_with(&sessions.fork(parse(command, argument)?).await?),
        "kit.session.branch" => answer_with(&sessions.branch(parse(command, argument)?).await?),
        "kit.session.rename" => answer_with(&sessions.rename(parse(command, argument)?).await?),
        "kit.session.delete" => answer_with(&sessions.delete(parse(command, argument)?).await?),
        "kit.session.export" => answer_with(&sessions.export(parse(command, argument)?).await?),
        "kit.session.import" => answer_with(&sessions.import(parse(command, argument)?).await?),
        "kit.session.compact" => answer_with(&sessions.compact(parse(command, argument)?).await?),
        "kit.session.label" => answer_with(&sessions.label(parse(command, argument)?).await?),
        "kit.session.retry" => {
            answer_with(&sessions.retry(parse::<SessionArguments>(command, argument)?).await?)
        }
        "kit.session.list" => {
            answer_with(&sessions.list(parse::<SessionListArguments>(command, argument)?).await?)
        }
        "kit.session.tree" => answer_with(&sessions.tree(parse::<SessionOnly>(command, argument)?).await?),
        "kit.session.transcript" => {
            answer_with(&sessions.transcript(parse::<TranscriptArguments>(command, argument)?).await?)
        }
        "kit.queue.list" => answer_with(&sessions.queue_list(parse(command, argument)?).await?),
        "kit.queue.remove" => answer_with(&sessions.queue_remove(parse(command, argument)?).await?),
        "kit.queue.clear" => answer_with(&sessions.queue_clear(parse(command, argument)?).await?),
        "kit.review.list" => {
            answer_with(&sessions.review_list(parse::<ReviewListArguments>(command, argument)?).await?)
        }
        "kit.review.keep" => {
            answer_with(&sessions.review_keep(parse::<ReviewArguments>(command, argument)?).await?)
        }
        "kit.review.undo" => {
            answer_with(&sessions.review_undo(parse::<ReviewArguments>(command, argument)?).await?)
        }
        "kit.review.revert" => {
            let NoArguments {} = parse(command, argument)?;
            answer_with(&sessions.review_revert().await?)
        }
        "kit.review.rewind" => {
            answer_with(&sessions.review_rewind(parse::<RewindArguments>(command, argument)?).await?)
        }
        "kit.model.list" => {
            answer_with(&sessions.model_list(parse::<ModelListArguments>(command, argument)?).await?)
        }
        "kit.model.set" => answer_with(
            &sessions.model_set(parse::<ModelSetArguments>(command, argument)?, ChangedBy::User).await?,
        ),
        "kit.thinking.set" => answer_with(
            &sessions
                .thinking_set(parse::<ThinkingSetArguments>(command, argument)?, ChangedBy::User)
                .await?,
        ),
        "kit.mode.set" => {
            answer_with(&sessions.mode_set(parse::<ModeSetArguments>(command, argument)?).await?)
        }
        "kit.agent.list" => {
            answer_with(&sessions.agent_list(parse::<AgentListArguments>(command, argument)?).await?)
        }
        "kit.usage.get" => answer_with(&sessions.usage(parse::<UsageArguments>(command, argument)?).await?),
        "kit.auth.status" => auth(shared, running, AuthCommand::Status, parse(command, argument)?),
        "kit.auth.login" => auth(shared, running, AuthCommand::Login, parse(command, argument)?),
        "kit.auth.logout" => auth(shared, running, AuthCommand::Logout, parse(command, argument)?),
        "kit.extension.list" => answer_with(&running.extensions.list(parse(command, argument)?)),
        "kit.extension.reload" => answer_with(&running.extensions.reload(parse(command, argument)?).await?),
        "kit.extension.grant" => answer_with(&running.extensions.grant(parse(command, argument)?)?),
        "kit.extension.shortcut" => {
            answer_with(&running.extensions.shortcut(parse(command, argument)?).await?)
        }
        "kit.mcp.list" => answer_with(&running.mcp.list(parse(command, argument)?)?),
        "kit.mcp.reconnect" => answer_with(&running.mcp.reconnect(parse(command, argument)?)?),
        "kit.mcp.login" => answer_with(&running.mcp.log_in(parse(command, argument)?)?),
        "kit.mcp.logout" => answer_with(&running.mcp.log_out(parse(command, argument)?)?),
        "kit.trust.set" => {
            answer_with(&shared.application.trust(running, parse::<Trust>(command, argument)?)?)
        }
        "kit.doctor" => {
            let NoArguments {} = parse(command, argument)?;
            answer_with(&shared.application.doctor(running))
        }
        unknown => Err(unknown_command(unknown)),
    }
}

fn auth(
    shared: &Shared,
    running: &Running,
    command: AuthCommand,
    arguments: AuthArguments,
) -> Result<Value, KitError> {
    answer_with(&shared.application.auth(running, command, arguments)?)
}

fn unknown_command(name: &str) -> KitError {
    let near: Vec<&str> = kit_protocol::COMMANDS
        .iter()
        .map(|command| command.id)
        .filter(|id| id.rsplit('.').next() == name.rsplit('.').next())
        .collect();
    let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    KitError::new(ErrorKind::InvalidRequest, format!("kit-ls has no command `{name}`{hint}"))
}

fn single(command: &str, mut arguments: Vec<Value>) -> Result<Value, KitError> {
    if arguments.len() > ONE_ARGUMENT {
        let text = format!("`{command}` takes one object as its only argument, not {}", arguments.len());
        return Err(KitError::new(ErrorKind::InvalidRequest, text));
    }
    Ok(match arguments.pop() {
        None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
        Some(argument) => argument,
    })
}

fn parse<T: DeserializeOwned>(command: &str, argument: Value) -> Result<T, KitError> {
    serde_path_to_error::deserialize(argument).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(", at `{path}`") };
        let text = format!("the argument of `{command}` is wrong{place}: {}", error.inner());
        KitError::new(ErrorKind::InvalidRequest, text)
    })
}

fn answer_with<T: Serialize>(answer: &T) -> Result<Value, KitError> {
    Ok(to_value(answer))
}

/// Asks the user what to do and starts the turn with the answer; owned by nobody because it ends with the question.
fn ask(
    shared: &Arc<Shared>,
    running: &Running,
    mut arguments: PromptArguments,
    encoding: kit_text::Encoding,
) {
    let (shared, running) = (Arc::clone(shared), running.clone());
    tokio::spawn(async move {
        let question = AskRequest {
            id: QuestionId::random(),
            kind: AskKind::Input,
            message: "What should Kit do?".to_owned(),
            options: Vec::new(),
            default: (!arguments.text.is_empty()).then(|| Value::String(arguments.text.clone())),
            placeholder: Some("explain this, rename x to y, add a test …".to_owned()),
            masked: false,
            copy: None,
        };
        let answer = running.workspace.editor().ask(question, CancellationToken::new()).await;
        let text = answer.value.as_ref().and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        if answer.cancelled || text.is_empty() {
            return;
        }
        arguments.text = text;
        if let Err(error) = running.sessions.prompt(arguments, encoding, TurnId::random()).await {
            tracing::warn!(%error, "the asked prompt was not accepted");
        }
        trust::ask(&shared, &running);
    });
}
