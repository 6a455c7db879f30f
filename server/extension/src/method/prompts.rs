//! Questions of extensions. Where nobody can be asked they are answered as cancelled.

use kit_contract::{
    OverlayParameters, OverlayResult, PromptConfirmParameters, PromptConfirmResult, PromptInputParameters,
    PromptInputResult, PromptMultiSelectParameters, PromptMultiSelectResult, PromptSelectParameters,
    PromptSelectResult,
};
use kit_protocol::{AskAnswer, AskKind, AskRequest, QuestionId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::caller::parse;
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};

async fn ask(hub: &Extensions, request: AskRequest) -> AskAnswer {
    if !hub.ports().interactive {
        return AskAnswer { cancelled: true, ..AskAnswer::default() };
    }
    // Dropped with the call that asks, which withdraws the question.
    let cancel = CancellationToken::new();
    let _withdraw = cancel.clone().drop_guard();
    hub.ports().workspace.editor().ask(request, cancel).await
}

fn request(kind: AskKind, message: String) -> AskRequest {
    AskRequest {
        id: QuestionId::random(),
        kind,
        message,
        options: Vec::new(),
        default: None,
        placeholder: None,
        masked: false,
        copy: None,
    }
}

fn needs_options(options: &[String], method: &str) -> Result<(), Failure> {
    if options.is_empty() {
        return Err(Failure::new(FailureCode::Invalid, format!("{method} has no options to choose from")));
    }
    Ok(())
}

pub(super) async fn select(hub: &Extensions, parameters: &str) -> Result<PromptSelectResult, Failure> {
    let PromptSelectParameters { message, options } = parse("promptSelect", parameters)?;
    needs_options(&options, "promptSelect")?;
    let answer = ask(hub, AskRequest { options: options.clone(), ..request(AskKind::Select, message) }).await;
    Ok(match chosen(&answer, &options) {
        Some(index) => PromptSelectResult {
            value: options.get(index).cloned().unwrap_or_default(),
            index: i64::try_from(index).unwrap_or(-1),
            cancelled: false,
        },
        None => PromptSelectResult { value: String::new(), index: -1, cancelled: true },
    })
}

/// The place of the chosen option; clients name it by place or by text.
fn chosen(answer: &AskAnswer, options: &[String]) -> Option<usize> {
    if answer.cancelled {
        return None;
    }
    let by_index = answer.index.and_then(|index| usize::try_from(index).ok());
    let by_value = || {
        answer
            .value
            .as_ref()
            .and_then(Value::as_str)
            .and_then(|value| options.iter().position(|option| option == value))
    };
    by_index.filter(|index| *index < options.len()).or_else(by_value)
}

pub(super) async fn confirm(hub: &Extensions, parameters: &str) -> Result<PromptConfirmResult, Failure> {
    let PromptConfirmParameters { message, default_value } = parse("promptConfirm", parameters)?;
    let question = AskRequest { default: Some(default_value.into()), ..request(AskKind::Confirm, message) };
    let answer = ask(hub, question).await;
    let value = answer.value.as_ref().and_then(Value::as_bool);
    Ok(PromptConfirmResult {
        value: !answer.cancelled && value.unwrap_or(false),
        cancelled: answer.cancelled || value.is_none(),
    })
}

pub(super) async fn input(hub: &Extensions, parameters: &str) -> Result<PromptInputResult, Failure> {
    let PromptInputParameters { message, placeholder, default } = parse("promptInput", parameters)?;
    let default = default.map(Value::from);
    let answer = ask(hub, AskRequest { placeholder, default, ..request(AskKind::Input, message) }).await;
    let value = answer.value.as_ref().and_then(Value::as_str).filter(|_| !answer.cancelled);
    Ok(PromptInputResult { value: value.unwrap_or_default().to_owned(), cancelled: value.is_none() })
}

pub(super) async fn multi_select(
    hub: &Extensions,
    parameters: &str,
) -> Result<PromptMultiSelectResult, Failure> {
    let PromptMultiSelectParameters { message, options, default_selected } =
        parse("promptMultiSelect", parameters)?;
    needs_options(&options, "promptMultiSelect")?;
    let pick = |is_chosen: &dyn Fn(usize, &str) -> bool, cancelled| {
        let mut result = PromptMultiSelectResult { cancelled, ..PromptMultiSelectResult::default() };
        for (index, option) in options.iter().enumerate().filter(|(index, option)| is_chosen(*index, option))
        {
            result.values.push(option.clone());
            result.indices.push(u32::try_from(index).unwrap_or(u32::MAX));
        }
        result
    };
    if !hub.ports().interactive {
        return Ok(pick(&|_, _| true, false));
    }
    let suggested: Vec<&String> = match &default_selected {
        Some(indices) => {
            indices.iter().filter_map(|index| options.get(usize::try_from(*index).ok()?)).collect()
        }
        None => options.iter().collect(),
    };
    let default = Some(serde_json::json!(suggested));
    let question = AskRequest { options: options.clone(), default, ..request(AskKind::MultiSelect, message) };
    let answer = ask(hub, question).await;
    Ok(match answer.values.filter(|_| !answer.cancelled) {
        Some(values) => pick(&|_, option| values.iter().any(|value| value == option), false),
        None => pick(&|_, _| false, true),
    })
}

pub(super) async fn overlay(hub: &Extensions, parameters: &str) -> Result<OverlayResult, Failure> {
    let OverlayParameters { title, content, actions, .. } = parse("showOverlay", parameters)?;
    let message = if title.is_empty() { content.text } else { format!("# {title}\n\n{}", content.text) };
    let question = AskRequest { options: actions.clone(), ..request(AskKind::Overlay, message) };
    let answer = ask(hub, question).await;
    Ok(match chosen(&answer, &actions) {
        Some(index) => OverlayResult {
            action: actions.get(index).cloned().unwrap_or_default(),
            index: i64::try_from(index).unwrap_or(-1),
            cancelled: false,
        },
        None => OverlayResult {
            action: String::new(),
            index: -1,
            cancelled: answer.cancelled && !actions.is_empty(),
        },
    })
}
