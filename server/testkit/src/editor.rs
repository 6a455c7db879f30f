//! How the fake editor answers the server: it applies edits for real, and every habit of a real editor that has broken
//! an agent before can be switched on.
//!
//! Like an editor's main loop it answers one request after the other, under one lock together with the typing of the
//! user, so the versions and the order of messages are those that a server would really see.

use std::collections::VecDeque;
use std::fs;

use serde_json::{Value, json};

use crate::documents::{Document, Documents};
use crate::project::uri_path;

/// How one `workspace/applyEdit` is treated.
#[derive(Clone, Debug, PartialEq)]
pub enum Apply {
    /// Check the version, apply, send `didChange`, then answer: what VS Code does.
    EchoFirst,
    /// Check the version, apply, answer, then send `didChange`: what Neovim does with its debounce.
    AnswerFirst,
    /// Answer `applied: false` with this reason and apply nothing.
    Refuse(String),
    /// Answer `applied: true` and apply nothing: what Neovim does for a document that is newer than the edit.
    Lie,
    /// The user types this at the end of the document before the request is looked at, so that its version is old.
    TypeFirst(String),
    /// Apply and answer; the user's typing at the end of the document arrives before the echo was sent.
    TypeAfter(String),
    /// The editor applies the edit and never answers.
    Silent,
}

/// One `workspace/applyEdit` as the fake editor saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The whole parameters of the request.
    pub params: Value,
    /// The document it names first.
    pub uri: String,
    /// The version that the request names for it.
    pub version: Option<i64>,
    /// What was answered.
    pub answer: bool,
}

/// What a question gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// This result.
    Result(Value),
    /// A JSON-RPC error with this message.
    Error(String),
    /// Nothing yet; the test answers with `LanguageClient::answer`.
    Hold,
}

type Policy = Box<dyn FnMut(&Value) -> Answer + Send>;

/// The habits of the fake editor. Questions have a policy each; edits a standing habit and exceptions that are used up.
pub struct Behavior {
    /// What every edit gets that no exception takes.
    pub apply: Apply,
    /// Exceptions for the next edits, in order.
    pub next_apply: VecDeque<Apply>,
    /// `kit/permission`.
    pub permission: Policy,
    /// `kit/ask`.
    pub ask: Policy,
    /// `window/showMessageRequest`.
    pub message: Policy,
    /// The settings that `workspace/configuration` tells.
    pub settings: Value,
    /// Whether `kit/save` really saves.
    pub saves: bool,
    /// Items for `kit/diagnostics` by URI.
    pub diagnostics: Vec<(String, Value)>,
    /// What `diagnostics` becomes with the next edits that are applied, as other servers would report it.
    pub diagnostics_after_edit: VecDeque<Vec<(String, Value)>>,
}

impl std::fmt::Debug for Behavior {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Behavior").field("apply", &self.apply).finish_non_exhaustive()
    }
}

impl Default for Behavior {
    fn default() -> Self {
        Behavior {
            apply: Apply::EchoFirst,
            next_apply: VecDeque::new(),
            permission: Box::new(|params| Answer::option_of_kind(params, "rejectOnce")),
            ask: Box::new(|_| Answer::Result(json!({ "cancelled": true }))),
            message: Box::new(|_| Answer::Result(Value::Null)),
            settings: Value::Null,
            saves: true,
            diagnostics: Vec::new(),
            diagnostics_after_edit: VecDeque::new(),
        }
    }
}

impl Answer {
    /// The first option of a `kit/permission` that is of this kind.
    pub fn option_of_kind(params: &Value, kind: &str) -> Answer {
        let options = params["options"].as_array().cloned().unwrap_or_default();
        match options.iter().find(|option| option["kind"] == kind) {
            Some(option) => Answer::Result(json!({ "option": option["id"] })),
            None => Answer::Error(format!("the question offers no option of kind {kind}: {params}")),
        }
    }

    /// The first action of a message request whose title contains this word, whatever its case.
    pub fn action_with(params: &Value, word: &str) -> Answer {
        let actions = params["actions"].as_array().cloned().unwrap_or_default();
        let wanted = word.to_lowercase();
        let title = |action: &Value| action["title"].as_str().unwrap_or_default().to_lowercase();
        match actions.iter().find(|action| title(action).contains(&wanted)) {
            Some(action) => Answer::Result(action.clone()),
            None => Answer::Error(format!("the question offers no action with {word:?}: {params}")),
        }
    }
}

/// What the editor sends back for one request of the server.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Notify(&'static str, Value),
    Answer(Result<Value, (i64, String)>),
}

/// The outcome of one request: what to send, in order, and what broke a rule.
#[derive(Debug, Default)]
pub(crate) struct Handled {
    pub(crate) send: Vec<Outgoing>,
    pub(crate) violation: Option<String>,
    pub(crate) applied: Option<Applied>,
}

/// Handles one request of the server. `custom` says whether the methods of the `kit/` prefix were offered.
pub(crate) fn handle(
    method: &str,
    params: &Value,
    documents: &mut Documents,
    behavior: &mut Behavior,
    custom: bool,
) -> Handled {
    if method.starts_with("kit/") && !custom {
        return Handled {
            send: vec![Outgoing::Answer(Err((-32601, format!("no method {method}"))))],
            violation: Some(format!("{method} was sent to a client that does not offer it")),
            applied: None,
        };
    }
    let answer = match method {
        "workspace/applyEdit" => {
            let habit = behavior.next_apply.pop_front().unwrap_or_else(|| behavior.apply.clone());
            let handled = apply_edit(params, documents, habit);
            if handled.applied.as_ref().is_some_and(|applied| applied.answer)
                && let Some(next) = behavior.diagnostics_after_edit.pop_front()
            {
                behavior.diagnostics = next;
            }
            return handled;
        }
        "kit/permission" => (behavior.permission)(params),
        "kit/ask" => (behavior.ask)(params),
        "window/showMessageRequest" => (behavior.message)(params),
        "kit/save" => return save(params, documents, behavior.saves),
        "kit/diagnostics" => {
            let uris = params["uris"].as_array().cloned().unwrap_or_default();
            let known = |uri: &Value| {
                behavior.diagnostics.iter().find(|(of, _)| uri == of).map(|(_, items)| items.clone())
            };
            let items: Vec<Value> = uris
                .iter()
                .map(|uri| json!({ "uri": uri, "diagnostics": known(uri).unwrap_or_else(|| json!([])) }))
                .collect();
            Answer::Result(json!({ "items": items }))
        }
        "window/workDoneProgress/create"
        | "client/registerCapability"
        | "client/unregisterCapability"
        | "workspace/codeLens/refresh"
        | "workspace/diagnostic/refresh"
        | "workspace/textDocumentContent/refresh" => Answer::Result(Value::Null),
        "window/showDocument" => Answer::Result(json!({ "success": true })),
        "workspace/configuration" => {
            let count = params["items"].as_array().map_or(0, Vec::len);
            Answer::Result(Value::Array(vec![behavior.settings.clone(); count]))
        }
        unknown => {
            return Handled {
                send: vec![Outgoing::Answer(Err((-32601, format!("no method {unknown}"))))],
                violation: Some(format!("nobody expects a request {unknown}")),
                applied: None,
            };
        }
    };
    let send = match answer {
        Answer::Result(value) => vec![Outgoing::Answer(Ok(value))],
        Answer::Error(message) => vec![Outgoing::Answer(Err((-32803, message)))],
        Answer::Hold => Vec::new(),
    };
    Handled { send, ..Handled::default() }
}

fn apply_edit(params: &Value, documents: &mut Documents, habit: Apply) -> Handled {
    let mut handled = Handled::default();
    let changes = document_changes(params, documents);
    let uri = changes.first().map(|change| change.uri.clone()).unwrap_or_default();
    let version = changes.first().and_then(|change| change.version);
    let mut answered = false;
    let answer = |handled: &mut Handled, applied: bool, why: Option<&str>| {
        let mut result = json!({ "applied": applied });
        if let Some(why) = why {
            result["failureReason"] = json!(why);
        }
        handled.send.push(Outgoing::Answer(Ok(result)));
    };
    if let Apply::TypeFirst(text) = &habit {
        match type_at_end(documents, &uri, text) {
            Ok(change) => handled.send.push(Outgoing::Notify("textDocument/didChange", change)),
            Err(why) => handled.violation = Some(why),
        }
    }
    match habit {
        Apply::Refuse(why) => answer(&mut handled, false, Some(&why)),
        Apply::Lie => {
            answered = true;
            answer(&mut handled, true, None);
        }
        Apply::EchoFirst | Apply::AnswerFirst | Apply::TypeFirst(_) | Apply::TypeAfter(_) | Apply::Silent => {
            match apply_changes(&changes, documents) {
                Ok(echoes) => {
                    answered = true;
                    let echo = |echoes: Vec<Outgoing>, handled: &mut Handled| handled.send.extend(echoes);
                    match habit {
                        Apply::AnswerFirst => {
                            answer(&mut handled, true, None);
                            echo(echoes, &mut handled);
                        }
                        Apply::TypeAfter(text) => {
                            echo(echoes, &mut handled);
                            match type_at_end(documents, &uri, &text) {
                                Ok(change) => {
                                    handled.send.push(Outgoing::Notify("textDocument/didChange", change))
                                }
                                Err(why) => handled.violation = Some(why),
                            }
                            answer(&mut handled, true, None);
                        }
                        Apply::Silent => echo(echoes, &mut handled),
                        Apply::EchoFirst | Apply::TypeFirst(_) | Apply::Refuse(_) | Apply::Lie => {
                            echo(echoes, &mut handled);
                            answer(&mut handled, true, None);
                        }
                    }
                }
                Err(Rejection::Version(why)) => answer(&mut handled, false, Some(&why)),
                Err(Rejection::Invalid(why)) => {
                    answer(&mut handled, false, Some(&why));
                    handled.violation = Some(format!("an edit that no editor can apply: {why}"));
                }
            }
        }
    }
    handled.applied = Some(Applied { params: params.clone(), uri, version, answer: answered });
    handled
}

enum Rejection {
    Version(String),
    Invalid(String),
}

struct DocumentChange {
    uri: String,
    version: Option<i64>,
    what: Change,
}

enum Change {
    Edits(Vec<Value>),
    Create { overwrite: bool },
    Delete,
    Rename { to: String },
}

fn document_changes(params: &Value, documents: &Documents) -> Vec<DocumentChange> {
    let edit = &params["edit"];
    if let Some(changes) = edit["documentChanges"].as_array() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        return changes
            .iter()
            .map(|change| match change["kind"].as_str() {
                Some("create") => DocumentChange {
                    uri: text(&change["uri"]),
                    version: None,
                    what: Change::Create { overwrite: change["options"]["overwrite"] == true },
                },
                Some("delete") => {
                    DocumentChange { uri: text(&change["uri"]), version: None, what: Change::Delete }
                }
                Some("rename") => DocumentChange {
                    uri: text(&change["oldUri"]),
                    version: None,
                    what: Change::Rename { to: text(&change["newUri"]) },
                },
                Some(_) | None => DocumentChange {
                    uri: text(&change["textDocument"]["uri"]),
                    version: change["textDocument"]["version"].as_i64(),
                    what: Change::Edits(change["edits"].as_array().cloned().unwrap_or_default()),
                },
            })
            .collect();
    }
    let changes = edit["changes"].as_object().cloned().unwrap_or_default();
    changes
        .into_iter()
        .map(|(uri, edits)| DocumentChange {
            version: documents.open.get(&uri).map(|document| document.version),
            uri,
            what: Change::Edits(edits.as_array().cloned().unwrap_or_default()),
        })
        .collect()
}

fn apply_changes(changes: &[DocumentChange], documents: &mut Documents) -> Result<Vec<Outgoing>, Rejection> {
    for change in changes {
        let Some(document) = documents.open.get(&change.uri) else { continue };
        if change.version.is_some_and(|version| version != document.version) {
            return Err(Rejection::Version(format!(
                "{} is at version {}, the edit is for {:?}",
                change.uri, document.version, change.version
            )));
        }
    }
    let mut echoes = Vec::new();
    for change in changes {
        let path = uri_path(&change.uri);
        let invalid = |error: std::io::Error| Rejection::Invalid(format!("{}: {error}", change.uri));
        match &change.what {
            Change::Edits(edits) => {
                if !documents.open.contains_key(&change.uri) {
                    // A real editor opens the file to edit it.
                    let text = fs::read_to_string(&path).map_err(invalid)?;
                    let document = Document { path, text: text.clone(), version: 1, dirty: false };
                    documents.open.insert(change.uri.clone(), document);
                    echoes.push(Outgoing::Notify("textDocument/didOpen", opened(&change.uri, &text, 1)));
                }
                let echo = documents.apply(&change.uri, edits).map_err(Rejection::Invalid)?;
                echoes.extend(echo.map(|echo| Outgoing::Notify("textDocument/didChange", echo)));
            }
            Change::Create { overwrite } => {
                if path.exists() && !overwrite {
                    return Err(Rejection::Invalid(format!("{} exists", change.uri)));
                }
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(invalid)?;
                }
                fs::write(&path, "").map_err(invalid)?;
            }
            Change::Delete => {
                if path.exists() {
                    fs::remove_file(&path).map_err(invalid)?;
                }
                if documents.open.remove(&change.uri).is_some() {
                    let closed = json!({ "textDocument": { "uri": change.uri } });
                    echoes.push(Outgoing::Notify("textDocument/didClose", closed));
                }
            }
            Change::Rename { to } => fs::rename(&path, uri_path(to)).map_err(invalid)?,
        }
    }
    Ok(echoes)
}

fn type_at_end(documents: &mut Documents, uri: &str, text: &str) -> Result<Value, String> {
    let end = documents.open.get(uri).map_or(0, |document| document.text.len());
    documents.replace(uri, end..end, text)
}

/// The parameters of `didOpen`.
pub(crate) fn opened(uri: &str, text: &str, version: i64) -> Value {
    let language = match uri.rsplit('.').next() {
        Some("rs") => "rust",
        Some("md") => "markdown",
        Some("py") => "python",
        Some("ts") => "typescript",
        Some(_) | None => "plaintext",
    };
    json!({ "textDocument": { "uri": uri, "languageId": language, "version": version, "text": text } })
}

/// Writes the named documents and says so, as `kit/save` asks.
fn save(params: &Value, documents: &mut Documents, saves: bool) -> Handled {
    let mut handled = Handled::default();
    let mut saved = Vec::new();
    for uri in params["uris"].as_array().cloned().unwrap_or_default() {
        let Some(document) = uri.as_str().and_then(|uri| documents.open.get_mut(uri)) else { continue };
        if saves && fs::write(&document.path, &document.text).is_ok() {
            document.dirty = false;
            handled
                .send
                .push(Outgoing::Notify("textDocument/didSave", json!({ "textDocument": { "uri": uri } })));
            saved.push(uri);
        }
    }
    handled.send.push(Outgoing::Answer(Ok(json!({ "saved": saved }))));
    handled
}
