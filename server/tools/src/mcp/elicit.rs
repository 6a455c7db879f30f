//! Questions of a server, asked one field after the other. Pages that a server wants to be opened are declined: what
//! stands behind them cannot be shown here.

use kit_protocol::{AskKind, AskRequest, QuestionId};
use kit_workspace::Editor;
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::caps;

/// Fields of one question.
const MOST_FIELDS: usize = 20;
/// Bytes of a text that a server shows to the user.
const LONGEST: usize = 1000;

/// One field of a question.
struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    required: bool,
}

/// Asks the user.
pub(super) async fn ask(
    server: &str,
    request: &ElicitRequestParams,
    editor: &dyn Editor,
    withdrawn: &CancellationToken,
) -> ElicitResult {
    let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = request else {
        return ElicitResult::new(ElicitationAction::Decline);
    };
    let Ok(schema) = serde_json::to_value(requested_schema) else {
        return ElicitResult::new(ElicitationAction::Decline);
    };
    let opening = format!("The MCP server {server} asks: {}", caps::line(message, LONGEST));
    let fields = fields(&schema);
    if fields.len() > MOST_FIELDS {
        return ElicitResult::new(ElicitationAction::Decline);
    }
    if fields.is_empty() {
        let confirm = question(AskKind::Confirm, opening, Vec::new(), None, None);
        let answer = editor.ask(confirm, withdrawn.clone()).await;
        return match answer.value.as_ref().and_then(Value::as_bool).filter(|_| !answer.cancelled) {
            Some(true) => accepted(Map::new()),
            Some(false) => ElicitResult::new(ElicitationAction::Decline),
            None => cancelled(),
        };
    }
    let mut content = Map::new();
    for field in fields {
        match ask_field(&opening, &field, editor, withdrawn).await {
            Some(Some(value)) => {
                content.insert(field.name.to_owned(), value);
            }
            Some(None) => {}
            None => return cancelled(),
        }
    }
    accepted(content)
}

/// The user put the question away.
pub(super) fn cancelled() -> ElicitResult {
    ElicitResult::new(ElicitationAction::Cancel)
}

fn accepted(content: Map<String, Value>) -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(Value::Object(content))
}

fn fields(schema: &Value) -> Vec<Field<'_>> {
    let required = |name: &str| {
        let listed = schema.get("required").and_then(Value::as_array);
        listed.is_some_and(|listed| listed.iter().any(|listed| listed == name))
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    properties.map(|(name, schema)| Field { name, schema, required: required(name) }).collect()
}

/// The value of one field: nothing where the user left it out, `None` where the question was put away.
async fn ask_field(
    opening: &str,
    field: &Field<'_>,
    editor: &dyn Editor,
    withdrawn: &CancellationToken,
) -> Option<Option<Value>> {
    let text = |key: &str| field.schema.get(key).and_then(Value::as_str);
    let title = text("title").unwrap_or(field.name);
    let detail = text("description").map(|detail| format!(" ({})", caps::line(detail, LONGEST)));
    let message = format!("{opening}\n\n{}{}", caps::line(title, LONGEST), detail.unwrap_or_default());
    let default = field.schema.get("default").cloned();
    let choices = choices(field.schema);
    let kind = match text("type") {
        _ if !choices.is_empty() => AskKind::Select,
        Some("boolean") => AskKind::Confirm,
        Some("string" | "number" | "integer") => AskKind::Input,
        Some(_) | None => return Some(default),
    };
    let options = choices.iter().map(|(_, shown)| shown.clone()).collect();
    let placeholder = (!field.required).then(|| "may stay empty".to_owned());
    let answer = editor.ask(question(kind, message, options, default, placeholder), withdrawn.clone()).await;
    if answer.cancelled {
        return None;
    }
    match kind {
        AskKind::Select => {
            let index = answer.index.and_then(|index| usize::try_from(index).ok());
            let by_words = || {
                choices.iter().position(|(_, shown)| answer.value.as_ref() == Some(&shown.as_str().into()))
            };
            let chosen = index.or_else(by_words).and_then(|index| choices.get(index));
            Some(chosen.map(|(value, _)| value.clone()))
        }
        AskKind::Confirm => Some(answer.value.filter(Value::is_boolean)),
        AskKind::Input | AskKind::MultiSelect | AskKind::Overlay => {
            let typed = answer.value.as_ref().and_then(Value::as_str).unwrap_or_default();
            Some(typed_value(typed, text("type")).filter(|_| field.required || !typed.is_empty()))
        }
    }
}

/// What was typed, as the field wants it; a server checks it again.
fn typed_value(typed: &str, wanted: Option<&str>) -> Option<Value> {
    match wanted {
        Some("integer") => typed.trim().parse::<i64>().ok().map(Value::from),
        Some("number") => typed.trim().parse::<f64>().ok().map(Value::from),
        Some(_) | None => Some(Value::from(typed)),
    }
}

/// The values to choose from, with what is shown for each.
fn choices(schema: &Value) -> Vec<(Value, String)> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let names = schema.get("enumNames").and_then(Value::as_array);
        let named = |index: usize, value: &Value| {
            names.and_then(|names| names.get(index)).map_or_else(|| shown(value), shown)
        };
        return values
            .iter()
            .enumerate()
            .map(|(index, value)| (value.clone(), named(index, value)))
            .collect();
    }
    let alternatives = schema.get("oneOf").and_then(Value::as_array);
    let alternatives = alternatives.into_iter().flatten();
    alternatives
        .filter_map(|one| {
            let value = one.get("const")?;
            Some((value.clone(), one.get("title").map_or_else(|| shown(value), shown)))
        })
        .collect()
}

fn question(
    kind: AskKind,
    message: String,
    options: Vec<String>,
    default: Option<Value>,
    placeholder: Option<String>,
) -> AskRequest {
    AskRequest {
        id: QuestionId::random(),
        kind,
        message,
        options,
        default,
        placeholder,
        masked: false,
        copy: None,
    }
}
