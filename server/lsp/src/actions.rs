//! Code actions and code lenses.
//!
//! An action never calls a model: it carries `kit.session.prompt`, which starts a turn. Prompt templates and commands of
//! extensions that ask to be actions are offered beside the built-in ones; the latter carry `kit.command.run`. Lenses
//! and the keep and undo actions serve clients that do not draw hunks themselves.

use kit_protocol::{
    CommandRunArguments, ContextItem, HunkId, PromptArguments, ReviewHunk, ReviewListArguments, WirePosition,
    WireRange,
};
use kit_session::{ActionKind, CommandAction};
use kit_workspace::DocumentUri;
use serde_json::json;
use tower_lsp::lsp_types as lsp;

use crate::error::to_value;
use crate::shared::Running;

/// Fixes offered at most for one request.
const FIX_LIMIT: usize = 5;
/// Characters of a diagnostic's message in a title.
const TITLE_LIMIT: usize = 60;

/// Kinds that the handshake announces.
pub(crate) fn kinds() -> Vec<lsp::CodeActionKind> {
    vec![
        lsp::CodeActionKind::QUICKFIX,
        lsp::CodeActionKind::new("refactor.rewrite.kit"),
        lsp::CodeActionKind::new("source.kit"),
    ]
}

struct Offer {
    kind: &'static str,
    title: String,
    command: &'static str,
    text: String,
}

/// Actions for a range of a document.
pub(crate) async fn actions(
    running: &Running,
    draws_hunks: bool,
    can_ask: bool,
    params: lsp::CodeActionParams,
) -> lsp::CodeActionResponse {
    let uri = params.text_document.uri.as_str().to_owned();
    let only = params.context.only.clone();
    let wanted = |kind: &str| {
        only.as_ref().is_none_or(|only| {
            only.iter().any(|only| {
                kind == only.as_str()
                    || kind.strip_prefix(only.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        })
    };
    let version = running.documents.get(&DocumentUri::parse(&uri)).map(|document| document.version);
    let empty = params.range.start == params.range.end;
    let what = if empty { "file" } else { "selection" };
    let mut offers: Vec<Offer> = params
        .context
        .diagnostics
        .iter()
        .take(FIX_LIMIT)
        .map(|diagnostic| Offer {
            kind: "quickfix",
            title: format!("Kit: fix {}", shorten(&diagnostic.message)),
            command: "kit.session.prompt",
            text: format!(
                "Fix this problem at line {}: {}",
                diagnostic.range.start.line + 1,
                diagnostic.message
            ),
        })
        .collect();
    let mut offer = |kind, title: String, text: String| {
        offers.push(Offer { kind, title, command: "kit.session.prompt", text });
    };
    offer(
        "refactor.rewrite.kit",
        format!("Kit: improve this {what}"),
        format!("Improve this {what}: make it simpler and more robust without changing what it does."),
    );
    offer("source.kit", format!("Kit: explain this {what}"), format!("Explain this {what}. Change nothing."));
    offer("source.kit", format!("Kit: test this {what}"), format!("Write tests for this {what}."));
    offer("source.kit", format!("Kit: document this {what}"), format!("Document this {what}."));
    if can_ask {
        offers.push(Offer {
            kind: "source.kit",
            title: format!("Kit: ask about this {what} …"),
            command: "kit.session.ask",
            text: String::new(),
        });
    }
    for template in running.sessions.code_actions(&uri).await {
        let kind = match template.kind {
            ActionKind::Source => "source.kit",
            ActionKind::Refactor => "refactor.rewrite.kit",
            ActionKind::QuickFix if params.context.diagnostics.is_empty() => continue,
            ActionKind::QuickFix => "quickfix",
        };
        let what = if template.description.is_empty() { &template.name } else { &template.description };
        offers.push(Offer {
            kind,
            title: format!("Kit: {}", shorten(what)),
            command: "kit.session.prompt",
            text: format!("/{}", template.name),
        });
    }
    let mut actions: lsp::CodeActionResponse = offers
        .into_iter()
        .filter(|offer| wanted(offer.kind))
        .map(|offer| {
            let range = (!empty).then(|| to_wire(params.range)).or_else(|| {
                let diagnostic = params.context.diagnostics.first()?;
                (offer.kind == "quickfix").then(|| to_wire(diagnostic.range))
            });
            let arguments = PromptArguments {
                text: offer.text,
                session: None,
                context: vec![ContextItem { uri: uri.clone(), range, version }],
                attachments: Vec::new(),
                mode: None,
                model: None,
                thinking: None,
                delivery: None,
            };
            action(&offer.title, offer.kind, offer.command, to_value(&arguments))
        })
        .collect();
    let fixes = !params.context.diagnostics.is_empty();
    for CommandAction { name, title, kind } in running.sessions.command_actions() {
        let kind = kind.unwrap_or_else(|| "source.kit".to_owned());
        if !wanted(&kind) || (!fixes && (kind == "quickfix" || kind.starts_with("quickfix."))) {
            continue;
        }
        let range = (!empty).then(|| to_wire(params.range));
        let arguments = CommandRunArguments {
            name,
            args: None,
            context: vec![ContextItem { uri: uri.clone(), range, version }],
            attachments: Vec::new(),
            session: None,
            mode: None,
            model: None,
            thinking: None,
            delivery: None,
        };
        actions.push(action(&shorten(&title), &kind, "kit.command.run", to_value(&arguments)));
    }
    if !draws_hunks && wanted("source.kit") {
        let touched = |hunk: &&ReviewHunk| {
            hunk.lines.start <= params.range.end.line && params.range.start.line <= hunk.lines.end
        };
        for hunk in hunks(running, &uri).await.iter().filter(touched) {
            let title = shorten(&hunk.title);
            actions.push(action(
                &format!("Kit: keep “{title}”"),
                "source.kit",
                "kit.review.keep",
                one_hunk(&hunk.id),
            ));
            actions.push(action(
                &format!("Kit: undo “{title}”"),
                "source.kit",
                "kit.review.undo",
                one_hunk(&hunk.id),
            ));
        }
    }
    actions
}

/// Keep and undo above every hunk of a document.
pub(crate) async fn lenses(running: &Running, uri: &str) -> Vec<lsp::CodeLens> {
    let hunks = hunks(running, uri).await;
    let count = hunks.len();
    hunks
        .iter()
        .enumerate()
        .flat_map(|(index, hunk)| {
            let position = lsp::Position { line: hunk.lines.start, character: 0 };
            let range = lsp::Range { start: position, end: position };
            let lens = |title: String, command: &str| lsp::CodeLens {
                range,
                command: Some(lsp::Command {
                    title,
                    command: command.to_owned(),
                    arguments: Some(vec![one_hunk(&hunk.id)]),
                }),
                data: None,
            };
            [
                lens(format!("Keep {}/{count}", index + 1), "kit.review.keep"),
                lens("Undo".to_owned(), "kit.review.undo"),
            ]
        })
        .collect()
}

async fn hunks(running: &Running, uri: &str) -> Vec<ReviewHunk> {
    let arguments = ReviewListArguments { session: None, uri: Some(uri.to_owned()) };
    match running.sessions.review_list(arguments).await {
        Ok(state) => state.files.into_iter().flat_map(|file| file.hunks).collect(),
        Err(error) => {
            tracing::warn!(%error, "the review could not be read");
            Vec::new()
        }
    }
}

fn one_hunk(id: &HunkId) -> serde_json::Value {
    json!({ "hunks": [id] })
}

fn action(title: &str, kind: &str, command: &str, argument: serde_json::Value) -> lsp::CodeActionOrCommand {
    lsp::CodeActionOrCommand::CodeAction(lsp::CodeAction {
        title: title.to_owned(),
        kind: Some(lsp::CodeActionKind::from(kind.to_owned())),
        command: Some(lsp::Command {
            title: title.to_owned(),
            command: command.to_owned(),
            arguments: Some(vec![argument]),
        }),
        ..lsp::CodeAction::default()
    })
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= TITLE_LIMIT {
        return line.to_owned();
    }
    line.chars().take(TITLE_LIMIT - 1).chain(['…']).collect()
}

fn to_wire(range: lsp::Range) -> WireRange {
    let position =
        |position: lsp::Position| WirePosition { line: position.line, character: position.character };
    WireRange { start: position(range.start), end: position(range.end) }
}
