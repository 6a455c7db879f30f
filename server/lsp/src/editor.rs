//! The `Editor` port over LSP.
//!
//! Every request to the editor runs in its own task and reports through a oneshot, because tower-lsp 0.20 panics when the
//! answer to a dropped request arrives late. A caller that gives up drops the oneshot, never the waiter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{
    AskAnswer, AskKind, AskRequest, DiagnosticsAnswer, FileDiagnostics, FilesRequest, PermissionAnswer,
    PermissionOption, PermissionOptionKind, PermissionRequest, PermissionScope, QuestionId, SaveAnswer,
    Withdrawal,
};
use kit_workspace::{ApplyAnswer, Author, DocumentEdit, DocumentUri, Editor};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower_lsp::Client;
use tower_lsp::lsp_types as lsp;
use tower_lsp::lsp_types::notification::Notification;
use tower_lsp::lsp_types::request::{ApplyWorkspaceEdit, Request, ShowMessageRequest};

use crate::convert;
use crate::shared::Shared;

/// How long the editor may take for an edit or a save before the caller goes on.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the editor may take to collect diagnostics.
const DIAGNOSTICS_PATIENCE: Duration = Duration::from_millis(1500);
/// The one annotation of an edit.
const ANNOTATION: &str = "kit";

macro_rules! requests {
    ($($name:ident $method:literal $params:ty => $result:ty;)*) => {$(
        enum $name {}

        impl Request for $name {
            type Params = $params;
            type Result = $result;
            const METHOD: &'static str = $method;
        }
    )*};
}

requests! {
    Permission "kit/permission" PermissionRequest => Option<PermissionAnswer>;
    Ask "kit/ask" AskRequest => Option<AskAnswer>;
    Save "kit/save" FilesRequest => Option<SaveAnswer>;
    Diagnostics "kit/diagnostics" FilesRequest => Option<DiagnosticsAnswer>;
}

/// `kit/withdraw`.
enum Withdraw {}

impl Notification for Withdraw {
    type Params = Withdrawal;
    const METHOD: &'static str = "kit/withdraw";
}

/// The editor at the other end.
pub(crate) struct RemoteEditor {
    client: Client,
    shared: Arc<Shared>,
}

impl RemoteEditor {
    /// Reaches the editor through `client`.
    pub(crate) fn new(client: Client, shared: Arc<Shared>) -> Self {
        Self { client, shared }
    }

    /// Sends the request from its own task; `None` when it failed, which is logged.
    fn request<R>(&self, params: R::Params) -> oneshot::Receiver<Option<R::Result>>
    where
        R: Request + 'static,
        R::Params: Send,
        R::Result: Send,
    {
        let (sender, receiver) = oneshot::channel();
        let client = self.client.clone();
        tokio::spawn(async move {
            let answer = match client.send_request::<R>(params).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    tracing::warn!(method = R::METHOD, %error, "the editor did not answer");
                    None
                }
            };
            // Nobody listens any more when the caller gave up; the answer is void then.
            drop(sender.send(answer));
        });
        receiver
    }

    /// Sends a question from its own task; the editor is told when nobody waits for the answer any more.
    fn question<R>(&self, id: QuestionId, params: R::Params) -> oneshot::Receiver<Option<R::Result>>
    where
        R: Request + 'static,
        R::Params: Send,
        R::Result: Send,
    {
        let (mut sender, receiver) = oneshot::channel();
        let (client, mut answer) = (self.client.clone(), self.request::<R>(params));
        tokio::spawn(async move {
            tokio::select! {
                // Nobody listens any more when the caller gave up in this very moment.
                answer = &mut answer => drop(sender.send(answer.ok().flatten())),
                () = sender.closed() => client.send_notification::<Withdraw>(Withdrawal { id }).await,
            }
        });
        receiver
    }

    fn has(&self, capability: impl Fn(&kit_protocol::ClientCapabilities) -> bool) -> bool {
        self.shared.profile.get().is_some_and(|profile| capability(&profile.kit))
    }

    fn workspace_edit(&self, edit: &DocumentEdit) -> Option<lsp::ApplyWorkspaceEditParams> {
        let profile = self.shared.profile.get()?;
        let text_edits = edit
            .edits
            .iter()
            .map(|one| convert::to_text_edit(one, &edit.base, profile.encoding))
            .map(|text_edit| {
                if profile.annotations {
                    lsp::OneOf::Right(lsp::AnnotatedTextEdit {
                        text_edit,
                        annotation_id: ANNOTATION.to_owned(),
                    })
                } else {
                    lsp::OneOf::Left(text_edit)
                }
            })
            .collect();
        let annotations = profile.annotations.then(|| {
            HashMap::from([(
                ANNOTATION.to_owned(),
                lsp::ChangeAnnotation {
                    label: format!("Kit: {}", edit.label),
                    needs_confirmation: Some(false),
                    description: Some(origin(&edit.author)),
                },
            )])
        });
        let document = lsp::TextDocumentEdit {
            text_document: lsp::OptionalVersionedTextDocumentIdentifier {
                uri: convert::to_url(&edit.uri)?,
                version: Some(edit.version),
            },
            edits: text_edits,
        };
        Some(lsp::ApplyWorkspaceEditParams {
            label: profile.labels.then(|| format!("Kit: {}", edit.label)),
            edit: lsp::WorkspaceEdit {
                changes: None,
                document_changes: Some(lsp::DocumentChanges::Edits(vec![document])),
                change_annotations: annotations,
            },
        })
    }

    async fn choose(
        &self,
        message: String,
        options: Vec<String>,
        cancel: CancellationToken,
    ) -> Option<usize> {
        let actions = options
            .iter()
            .map(|title| lsp::MessageActionItem { title: title.clone(), properties: HashMap::new() })
            .collect();
        let answer = self.request::<ShowMessageRequest>(lsp::ShowMessageRequestParams {
            typ: lsp::MessageType::INFO,
            message,
            actions: Some(actions),
        });
        tokio::select! {
            () = cancel.cancelled() => None,
            answer = answer => {
                let chosen = answer.ok()???;
                options.iter().position(|title| *title == chosen.title)
            }
        }
    }
}

fn files(uris: &[DocumentUri]) -> FilesRequest {
    FilesRequest { uris: uris.iter().map(|uri| uri.as_str().to_owned()).collect() }
}

impl Editor for RemoteEditor {
    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        async move {
            let Some(params) = self.workspace_edit(&edit) else {
                let reason = format!("{} is not an address that the editor knows", edit.uri.as_str());
                return ApplyAnswer { applied: false, reason: Some(reason) };
            };
            let answer = self.request::<ApplyWorkspaceEdit>(params);
            match tokio::time::timeout(PATIENCE, answer).await {
                Ok(Ok(Some(answer))) => {
                    ApplyAnswer { applied: answer.applied, reason: answer.failure_reason }
                }
                Ok(Ok(None) | Err(_)) => ApplyAnswer {
                    applied: false,
                    reason: Some("the editor failed to apply the edit".to_owned()),
                },
                Err(_elapsed) => ApplyAnswer {
                    applied: false,
                    reason: Some("the editor did not answer within 10 s".to_owned()),
                },
            }
        }
        .boxed()
    }

    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        async move {
            if !self.has(|kit| kit.save) {
                return Vec::new();
            }
            let answer = self.request::<Save>(files(&uris));
            match tokio::time::timeout(PATIENCE, answer).await {
                Ok(Ok(Some(Some(answer)))) => {
                    answer.saved.iter().map(|uri| DocumentUri::parse(uri)).collect()
                }
                Ok(Ok(_) | Err(_)) | Err(_) => Vec::new(),
            }
        }
        .boxed()
    }

    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        async move {
            if self.has(|kit| kit.permission) {
                let answer = self.question::<Permission>(request.id.clone(), request);
                return tokio::select! {
                    () = cancel.cancelled() => None,
                    answer = answer => answer.ok()??,
                };
            }
            let offered = message_options(&request.options);
            let labels = offered.iter().map(|option| option.label.clone()).collect();
            let message = question_text(&request);
            let index = self.choose(message, labels, cancel).await?;
            let option = offered.get(index)?;
            Some(PermissionAnswer { option: option.id.clone(), feedback: None })
        }
        .boxed()
    }

    fn ask(&self, request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        async move {
            let cancelled = AskAnswer { cancelled: true, ..AskAnswer::default() };
            if self.has(|kit| kit.ask) {
                let answer = self.question::<Ask>(request.id.clone(), request);
                return tokio::select! {
                    () = cancel.cancelled() => cancelled,
                    answer = answer => answer.ok().flatten().flatten().unwrap_or(cancelled),
                };
            }
            let options = match request.kind {
                AskKind::Select | AskKind::Overlay => request.options,
                AskKind::Confirm => vec!["Yes".to_owned(), "No".to_owned()],
                AskKind::MultiSelect | AskKind::Input => return cancelled,
            };
            let confirm = request.kind == AskKind::Confirm;
            match self.choose(request.message, options.clone(), cancel).await {
                None => cancelled,
                Some(index) => AskAnswer {
                    value: if confirm {
                        Some(Value::Bool(index == 0))
                    } else {
                        options.get(index).map(|option| Value::String(option.clone()))
                    },
                    values: None,
                    index: u32::try_from(index).ok(),
                    cancelled: false,
                },
            }
        }
        .boxed()
    }

    fn has_diagnostics(&self) -> bool {
        self.has(|kit| kit.diagnostics)
    }

    fn diagnostics(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        async move {
            if !self.has(|kit| kit.diagnostics) {
                return Vec::new();
            }
            let answer = self.request::<Diagnostics>(files(&uris));
            match tokio::time::timeout(DIAGNOSTICS_PATIENCE, answer).await {
                Ok(Ok(Some(Some(answer)))) => answer.items,
                Ok(Ok(_) | Err(_)) | Err(_) => Vec::new(),
            }
        }
        .boxed()
    }
}

/// Which turn and tool call an edit comes from, for people.
fn origin(author: &Author) -> String {
    match author {
        Author::Agent(by) => format!("turn {}, call {}", by.turn, by.tool_call_id),
        Author::Review => "review".to_owned(),
        Author::User => "user".to_owned(),
    }
}

/// What a message request offers of a question: it has room for few buttons, so once, for this session, for good in the
/// narrowest scope, and no.
fn message_options(options: &[PermissionOption]) -> Vec<&PermissionOption> {
    let first = |fits: fn(&PermissionOption) -> bool| options.iter().find(|option| fits(option));
    [
        first(|option| option.kind == PermissionOptionKind::AllowOnce),
        first(|option| {
            option.kind == PermissionOptionKind::AllowAlways && option.scope == Some(PermissionScope::Session)
        }),
        first(|option| {
            option.kind == PermissionOptionKind::AllowAlways && option.scope != Some(PermissionScope::Session)
        }),
        first(|option| option.kind == PermissionOptionKind::RejectOnce),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The question as one message, for clients without `kit/permission`.
fn question_text(request: &PermissionRequest) -> String {
    let mut text = format!("Kit: {}", request.title);
    if let Some(command) = &request.subject.command {
        text.push_str(&format!("\n{command}"));
    }
    if let Some(cwd) = &request.subject.cwd {
        text.push_str(&format!("\nin {cwd}"));
    }
    if let Some(why) = &request.why {
        text.push_str(&format!("\n({why})"));
    }
    text
}
