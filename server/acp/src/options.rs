//! Modes, models and thinking levels as the protocol has them: session modes, and the options of a session.

use agent_client_protocol_schema::v1::{
    SessionConfigOption, SessionConfigOptionCategory, SessionConfigSelectGroup, SessionConfigSelectOption,
    SessionMode, SessionModeState, SetSessionConfigOptionRequest,
};
use kit_protocol::{
    ErrorKind, KitError, Mode, ModeSetArguments, ModelId, ModelListArguments, ModelSetArguments, SessionId,
    ThinkingLevel, ThinkingSetArguments,
};
use kit_session::{ChangedBy, Sessions};

use crate::error::invalid;

const MODE: &str = "mode";
const MODEL: &str = "model";
const THINKING: &str = "thinking";

const MODES: [(Mode, &str, &str, &str); 4] = [
    (Mode::Plan, "plan", "Plan", "Reads and plans; changes nothing"),
    (Mode::Ask, "ask", "Ask", "Asks before every change"),
    (Mode::Edit, "edit", "Edit", "Edits files of the workspace; asks before commands and everything else"),
    (Mode::Auto, "auto", "Auto", "Does everything that the sandbox allows"),
];

const LEVELS: [ThinkingLevel; 6] = [
    ThinkingLevel::Off,
    ThinkingLevel::None,
    ThinkingLevel::Minimal,
    ThinkingLevel::Low,
    ThinkingLevel::Medium,
    ThinkingLevel::High,
];

/// The word for a mode.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    MODES.iter().find(|(known, ..)| *known == mode).map_or("edit", |(_, name, ..)| name)
}

/// The mode for a word.
pub(crate) fn mode_of(name: &str) -> Result<Mode, KitError> {
    let found = MODES.iter().find(|(_, known, ..)| *known == name).map(|(mode, ..)| *mode);
    found.ok_or_else(|| invalid(format!("there is no mode `{name}`; it is one of plan, ask, edit and auto")))
}

/// The modes, and which one holds.
pub(crate) fn modes(current: Mode) -> SessionModeState {
    let modes = MODES.iter().map(|(_, id, name, about)| SessionMode::new(*id, *name).description(*about));
    SessionModeState::new(mode_name(current), modes.collect())
}

/// The options of a session as they are now.
pub(crate) async fn options(
    sessions: &Sessions,
    session: &SessionId,
) -> Result<Vec<SessionConfigOption>, KitError> {
    let view = sessions.view(session).await?;
    let modes: Vec<SessionConfigSelectOption> = MODES
        .iter()
        .map(|(_, id, name, about)| SessionConfigSelectOption::new(*id, *name).description(*about))
        .collect();
    let mode = SessionConfigOption::select(MODE, "Mode", mode_name(view.mode), modes)
        .category(SessionConfigOptionCategory::Mode);
    let levels: Vec<SessionConfigSelectOption> = LEVELS
        .iter()
        .map(|level| SessionConfigSelectOption::new(level.name(), capitalized(level.name())))
        .collect();
    let thinking = SessionConfigOption::select(THINKING, "Thinking", view.thinking.name(), levels)
        .category(SessionConfigOptionCategory::ThoughtLevel);
    let current = match view.model {
        Some(model) => model,
        None => sessions.models().default_model().await,
    };
    let groups = models(sessions, &current).await?;
    let model = SessionConfigOption::select(MODEL, "Model", current.to_string(), groups)
        .category(SessionConfigOptionCategory::Model);
    Ok(vec![mode, model, thinking])
}

/// The models of providers that can be used now, by provider, and the one in use.
async fn models(sessions: &Sessions, current: &ModelId) -> Result<Vec<SessionConfigSelectGroup>, KitError> {
    let known = sessions.models();
    let listed = sessions.model_list(ModelListArguments::default()).await?.models;
    let mut groups: Vec<SessionConfigSelectGroup> = Vec::new();
    let mut add = |provider: &str, option: SessionConfigSelectOption| match groups
        .iter_mut()
        .find(|group| *group.name == *provider)
    {
        Some(group) => group.options.push(option),
        None => groups.push(SessionConfigSelectGroup::new(provider.to_owned(), provider, vec![option])),
    };
    if !listed.iter().any(|model| model.id == *current) {
        add(current.provider(), SessionConfigSelectOption::new(current.to_string(), current.name()));
    }
    // Whether a provider can be used is the same for all of its models.
    let mut usable: Vec<(String, bool)> = Vec::new();
    for model in listed {
        let is_usable = match usable.iter().find(|(provider, _)| *provider == model.provider) {
            Some((_, is_usable)) => *is_usable,
            None => {
                let is_usable = known.is_signed_in(&model.id) && known.resolve(&model.id).is_ok();
                usable.push((model.provider.clone(), is_usable));
                is_usable
            }
        };
        if is_usable || model.id == *current {
            add(&model.provider, SessionConfigSelectOption::new(model.id.to_string(), model.name));
        }
    }
    Ok(groups)
}

/// What a request to set an option changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The mode, of which clients learn in two ways.
    Mode(Mode),
    /// Something else.
    Other,
}

/// Sets an option.
pub(crate) async fn set(
    sessions: &Sessions,
    session: &SessionId,
    request: SetSessionConfigOptionRequest,
) -> Result<Changed, KitError> {
    let id = request.config_id.0;
    let value = request.value.as_value_id().map(|value| value.0.to_string());
    let value = value
        .ok_or_else(|| invalid(format!("the value of `{id}` must be one of the texts that it offers")))?;
    let session = Some(session.clone());
    match &*id {
        MODE => {
            let mode = mode_of(&value)?;
            sessions.mode_set(ModeSetArguments { mode, session }).await?;
            Ok(Changed::Mode(mode))
        }
        MODEL => {
            let model: ModelId = value.parse().map_err(|error| invalid(format!("{error}")))?;
            sessions.model_set(ModelSetArguments { model, session }, ChangedBy::User).await?;
            Ok(Changed::Other)
        }
        THINKING => {
            let level = LEVELS.into_iter().find(|level| level.name() == value).ok_or_else(|| {
                invalid(format!("there is no thinking level `{value}`; it is one of {}", names(&LEVELS)))
            })?;
            sessions.thinking_set(ThinkingSetArguments { level, session }, ChangedBy::User).await?;
            Ok(Changed::Other)
        }
        _ => Err(KitError::new(
            ErrorKind::NotFound,
            format!("there is no option `{id}`; it is one of {MODE}, {MODEL} and {THINKING}"),
        )),
    }
}

fn names(levels: &[ThinkingLevel]) -> String {
    levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", ")
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::to_value;

    #[test]
    fn modes_have_names_both_ways() {
        for (mode, name, ..) in MODES {
            assert_eq!((mode_name(mode), mode_of(name).unwrap()), (name, mode));
        }
        assert!(mode_of("turbo").unwrap_err().message.contains("plan, ask, edit and auto"));
        let shown = to_value(&modes(Mode::Ask));
        assert_eq!(shown["currentModeId"], json!("ask"));
        assert_eq!(shown["availableModes"].as_array().map(Vec::len), Some(4));
    }
}
