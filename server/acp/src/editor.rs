//! The `Editor` port over the protocol: the client's files and its user.
//!
//! A client that offers to read and to write text files is asked for every file: what it shows is the truth, saved or not,
//! and it writes, so that its own review sees the change. Before each write the text is read once more, and a write on
//! another text than the expected one is refused. A client that offers one of the two or none has no say in files: they
//! are those of the disk, replaced if they still have the content that was read.
//!
//! The user is asked by permission requests. A question that is none becomes one where its answers are a list; any other
//! counts as not answered.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent_client_protocol_schema::v1::{
    Diff, PermissionOption, PermissionOptionKind, ReadTextFileRequest, ReadTextFileResponse,
    RequestPermissionOutcome, RequestPermissionRequest, RequestPermissionResponse, ToolCallContent,
    ToolCallLocation, ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields, WriteTextFileRequest,
    WriteTextFileResponse,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit_protocol::{
    AgentRef, AskAnswer, AskKind, AskRequest, FileDiagnostics, PermissionAnswer, PermissionRequest, SessionId,
};
use kit_text::{Encoding, Text};
use kit_workspace::{
    ApplyAnswer, ContentChange, DocumentEdit, DocumentUri, Documents, Editor, FilePut, Shown, same_lines,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::folder::Folder;
use crate::peer::{Patience, Unanswered};
use crate::teller::{call_id, kind, path_of, text_content, titled};

/// How long the client may take to read or write a file.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the options of a question are called, with their number behind it.
const OPTION: &str = "option-";
const DECLINE: &str = "decline";

/// The client as an editor.
pub(crate) struct RemoteEditor {
    folder: Arc<Folder>,
    /// Set once the folder is open.
    documents: OnceLock<Arc<Documents>>,
}

impl RemoteEditor {
    pub(crate) fn new(folder: Arc<Folder>) -> Self {
        Self { folder, documents: OnceLock::new() }
    }

    /// Where what the client shows is kept.
    pub(crate) fn attach(&self, documents: Arc<Documents>) {
        // A folder is opened once.
        let _already = self.documents.set(documents);
    }

    /// The session in whose name files are asked for, if the client has a say in files.
    fn session(&self) -> Option<SessionId> {
        let fs = self.folder.peer.capabilities().fs;
        self.folder.current().filter(|_| fs.read_text_file && fs.write_text_file)
    }

    async fn read(&self, session: &SessionId, path: PathBuf) -> Result<Text, Unanswered> {
        let request = ReadTextFileRequest::new(session.as_str().to_owned(), path);
        let never = CancellationToken::new();
        let peer = &self.folder.peer;
        let read = peer.request("fs/read_text_file", &request, Patience::Until(PATIENCE), &never);
        let ReadTextFileResponse { content, .. } = read.await?;
        Ok(Text::from(content.as_str()))
    }

    async fn write(&self, session: &SessionId, path: PathBuf, text: &Text) -> ApplyAnswer {
        let request = WriteTextFileRequest::new(session.as_str().to_owned(), path, text.to_string());
        let never = CancellationToken::new();
        let peer = &self.folder.peer;
        let written = peer.request::<_, Option<WriteTextFileResponse>>(
            "fs/write_text_file",
            &request,
            Patience::Until(PATIENCE),
            &never,
        );
        match written.await {
            Ok(_) => ApplyAnswer { applied: true, reason: None },
            Err(why) => refused(why.to_string()),
        }
    }

    /// Notes another text of a document, as if the client had told it.
    fn note(&self, uri: &DocumentUri, text: &Text) {
        let Some(documents) = self.documents.get() else { return };
        let Some(document) = documents.get(uri) else { return };
        let whole = ContentChange { range: None, text: text.to_string() };
        let version = document.version.saturating_add(1);
        if let Err(error) = documents.change(uri, version, &[whole], Encoding::Utf8) {
            tracing::warn!(%uri, %error, "what the client shows was not taken");
        }
    }

    /// Asks the user and tells the chosen option. `None`: nobody could be asked, or the question was withdrawn.
    async fn choose(
        &self,
        request: RequestPermissionRequest,
        cancel: &CancellationToken,
    ) -> Option<RequestPermissionOutcome> {
        let peer = &self.folder.peer;
        let asked = peer.request("session/request_permission", &request, Patience::Endless, cancel).await;
        match asked {
            Ok(RequestPermissionResponse { outcome, .. }) => Some(outcome),
            Err(Unanswered::Withdrawn) => None,
            Err(why) => {
                tracing::warn!(%why, "the client did not answer a question");
                None
            }
        }
    }
}

impl Editor for RemoteEditor {
    fn shown<'a>(&'a self, uri: &'a DocumentUri) -> BoxFuture<'a, Shown> {
        async move {
            let (Some(session), Some(path)) = (self.session(), uri.to_path()) else { return Shown::Told };
            match self.read(&session, path).await {
                Ok(text) => Shown::Text(text.to_string()),
                Err(why) => {
                    tracing::debug!(%uri, %why, "the client does not show a file");
                    Shown::Unknown
                }
            }
        }
        .boxed()
    }

    fn put(&self, put: FilePut) -> BoxFuture<'_, Option<ApplyAnswer>> {
        async move {
            let FilePut { uri, before, after } = put;
            let (session, path) = (self.session()?, uri.to_path()?);
            match (self.read(&session, path.clone()).await, before) {
                (Ok(now), Some(before)) if same_lines(&now, &before) => {}
                (Ok(now), None) if now.is_empty() => {}
                (Ok(_), _) => return Some(refused("its text changed in the client")),
                (Err(Unanswered::Refused(_)), None) => {}
                // A file of which the client says nothing is none of its own.
                (Err(Unanswered::Refused(_)), Some(_)) => return None,
                (Err(why), _) => return Some(refused(why.to_string())),
            }
            Some(self.write(&session, path, &after).await)
        }
        .boxed()
    }

    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        async move {
            let (Some(session), Some(path)) = (self.session(), edit.uri.to_path()) else {
                return refused(format!("the client does not write {}", edit.uri));
            };
            match self.read(&session, path.clone()).await {
                Ok(now) if now == edit.base => {}
                Ok(now) => {
                    self.note(&edit.uri, &now);
                    return refused("its text changed in the client");
                }
                Err(why) => return refused(why.to_string()),
            }
            let after = edit.edits.result();
            let answer = self.write(&session, path, &after).await;
            if answer.applied {
                self.note(&edit.uri, &after);
            }
            answer
        }
        .boxed()
    }

    /// Writing through the client saves.
    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        std::future::ready(uris).boxed()
    }

    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        async move {
            let reject = request
                .options
                .iter()
                .find(|option| option.kind == kit_protocol::PermissionOptionKind::RejectOnce)
                .map(|option| option.id.clone());
            let session = self.folder.peer.known_session(&request.session);
            let outcome = self.choose(permission_request(&session, request), &cancel).await?;
            if let RequestPermissionOutcome::Selected(selected) = outcome {
                let feedback = selected.meta.as_ref().and_then(|meta| meta.get("feedback"));
                let feedback = feedback.and_then(Value::as_str).map(str::to_owned);
                return Some(PermissionAnswer { option: selected.option_id.0.to_string(), feedback });
            }
            // Closed by the user; in a turn that is cancelled it does not matter any more.
            let option = reject.filter(|_| !cancel.is_cancelled())?;
            Some(PermissionAnswer { option, feedback: None })
        }
        .boxed()
    }

    fn ask(&self, request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        async move {
            let cancelled = AskAnswer { cancelled: true, ..AskAnswer::default() };
            let options = match request.kind {
                AskKind::Select | AskKind::Overlay => request.options.clone(),
                AskKind::Confirm => vec!["Yes".to_owned(), "No".to_owned()],
                AskKind::MultiSelect | AskKind::Input => return cancelled,
            };
            let (Some(session), false) = (self.folder.current(), options.is_empty()) else {
                return cancelled;
            };
            let question = question_request(&session, &request, &options);
            let Some(RequestPermissionOutcome::Selected(selected)) = self.choose(question, &cancel).await
            else {
                return cancelled;
            };
            let chosen = selected.option_id.0.strip_prefix(OPTION).and_then(|number| number.parse().ok());
            let Some((index, option)) = chosen.and_then(|index: usize| Some((index, options.get(index)?)))
            else {
                return cancelled;
            };
            let value = match request.kind {
                AskKind::Confirm => Value::Bool(index == 0),
                AskKind::Select | AskKind::Overlay | AskKind::MultiSelect | AskKind::Input => {
                    Value::String(option.clone())
                }
            };
            AskAnswer { value: Some(value), index: u32::try_from(index).ok(), ..AskAnswer::default() }
        }
        .boxed()
    }

    fn diagnostics(&self, _uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        std::future::ready(Vec::new()).boxed()
    }
}

fn refused(why: impl Into<String>) -> ApplyAnswer {
    ApplyAnswer { applied: false, reason: Some(why.into()) }
}

/// A permission request as the protocol has it: about the tool call that waits, with what it would do.
fn permission_request(session: &SessionId, request: PermissionRequest) -> RequestPermissionRequest {
    let PermissionRequest { id, agent, tool_call_id, title, tool_kind, subject, options, why, .. } = request;
    let agent = (agent != AgentRef::main()).then_some(agent);
    let call = match &tool_call_id {
        Some(call) => call_id(agent.as_ref(), call),
        None => id.to_string(),
    };
    let mut content: Vec<ToolCallContent> = Vec::new();
    if let Some(command) = &subject.command {
        let folder = subject.cwd.as_ref().map(|cwd| format!("\nin {cwd}")).unwrap_or_default();
        content.push(text_content(&format!("{command}{folder}")));
    }
    if let Some(uri) = &subject.uri {
        let diffs = subject
            .diff_blocks
            .iter()
            .map(|block| Diff::new(path_of(uri), block.new_text.clone()).old_text(block.old_text.clone()));
        content.extend(diffs.map(ToolCallContent::Diff));
    }
    content.extend(why.as_deref().map(text_content));
    let tool = subject.tool.clone().unwrap_or_default();
    let mut fields = ToolCallUpdateFields::new()
        .title(titled(agent.as_ref(), &title))
        .kind(kind(tool_kind, &tool))
        .status(ToolCallStatus::Pending)
        .content(content);
    if let Some(uri) = &subject.uri {
        fields = fields.locations(vec![ToolCallLocation::new(path_of(uri))]);
    }
    if let Some(args) = subject.args {
        fields = fields.raw_input(args);
    }
    let options = options.into_iter().map(|option| {
        let kind = match option.kind {
            kit_protocol::PermissionOptionKind::AllowOnce => PermissionOptionKind::AllowOnce,
            kit_protocol::PermissionOptionKind::AllowAlways => PermissionOptionKind::AllowAlways,
            kit_protocol::PermissionOptionKind::RejectOnce => PermissionOptionKind::RejectOnce,
            kit_protocol::PermissionOptionKind::RejectAlways => PermissionOptionKind::RejectAlways,
        };
        PermissionOption::new(option.id, option.label, kind)
    });
    let update = ToolCallUpdate::new(call, fields);
    RequestPermissionRequest::new(session.as_str().to_owned(), update, options.collect())
}

/// A question with a list of answers, in the shape of a permission request.
fn question_request(
    session: &SessionId,
    request: &AskRequest,
    options: &[String],
) -> RequestPermissionRequest {
    let fields = ToolCallUpdateFields::new()
        .title(request.message.lines().next().unwrap_or_default().to_owned())
        .kind(kind(kit_protocol::ToolKind::Other, ""))
        .status(ToolCallStatus::Pending)
        .content(vec![text_content(&request.message)]);
    let is_no = |index: usize| request.kind == AskKind::Confirm && index == 1;
    let mut offered: Vec<PermissionOption> = options
        .iter()
        .enumerate()
        .map(|(index, option)| {
            let kind = match is_no(index) {
                true => PermissionOptionKind::RejectOnce,
                false => PermissionOptionKind::AllowOnce,
            };
            PermissionOption::new(format!("{OPTION}{index}"), option.clone(), kind)
        })
        .collect();
    if request.kind != AskKind::Confirm {
        offered.push(PermissionOption::new(DECLINE, "Do not answer", PermissionOptionKind::RejectOnce));
    }
    let update = ToolCallUpdate::new(request.id.to_string(), fields);
    RequestPermissionRequest::new(session.as_str().to_owned(), update, offered)
}

#[cfg(test)]
mod tests {
    use kit_protocol::{AgentId, DiffBlock, LineSpan, PermissionSubject, QuestionId, ToolCallId, ToolKind};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_permission_names_its_call_what_it_does_and_who_asks() {
        let block = DiffBlock {
            old_text: "a\n".into(),
            new_text: "b\n".into(),
            old_range: LineSpan { start: 0, end: 1 },
            new_range: LineSpan { start: 0, end: 1 },
        };
        let option = kit_protocol::PermissionOption {
            id: "allow-session".into(),
            label: "Allow in this session".into(),
            kind: kit_protocol::PermissionOptionKind::AllowAlways,
            scope: None,
            rule: None,
        };
        let request = PermissionRequest {
            id: QuestionId::from("q"),
            session: "child".into(),
            agent: AgentRef {
                id: AgentId::from("child"),
                name: Some("tests".into()),
                path: vec!["tests".into()],
                tool_call_id: None,
            },
            tool_call_id: Some(ToolCallId::from("c")),
            title: "edit a.rs".into(),
            tool_kind: ToolKind::Edit,
            subject: PermissionSubject {
                uri: Some("file:///w/a.rs".into()),
                diff_blocks: vec![block],
                tool: Some("edit".into()),
                args: Some(json!({"path": "a.rs"})),
                ..PermissionSubject::default()
            },
            options: vec![option],
            why: Some("the mode is ask".into()),
        };
        let asked = serde_json::to_value(permission_request(&"s".into(), request)).unwrap();
        let expected = json!({
            "sessionId": "s",
            "toolCall": {
                "toolCallId": "child/c",
                "kind": "edit",
                "status": "pending",
                "title": "tests: edit a.rs",
                "content": [
                    {"type": "diff", "path": "/w/a.rs", "oldText": "a\n", "newText": "b\n"},
                    {"type": "content", "content": {"type": "text", "text": "the mode is ask"}},
                ],
                "locations": [{"path": "/w/a.rs"}],
                "rawInput": {"path": "a.rs"},
            },
            "options": [{"optionId": "allow-session", "name": "Allow in this session", "kind": "allow_always"}],
        });
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_question_offers_its_answers_and_a_way_out() {
        let request = |kind| AskRequest {
            id: QuestionId::from("q"),
            kind,
            message: "Trust it?\nIt brings a lot.".into(),
            options: vec!["one".into()],
            default: None,
            placeholder: None,
            masked: false,
            copy: None,
        };
        let offered = |kind, options: &[&str]| {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            let asked = question_request(&"s".into(), &request(kind), &options);
            let offered = asked.options.into_iter().map(|option| {
                (option.option_id.0.to_string(), option.name, serde_json::to_value(option.kind).unwrap())
            });
            offered.collect::<Vec<_>>()
        };
        let expected = [
            ("option-0".into(), "Yes".into(), json!("allow_once")),
            ("option-1".into(), "No".into(), json!("reject_once")),
        ];
        assert_eq!(offered(AskKind::Confirm, &["Yes", "No"]), expected);
        let expected = [
            ("option-0".into(), "one".into(), json!("allow_once")),
            ("decline".into(), "Do not answer".into(), json!("reject_once")),
        ];
        assert_eq!(offered(AskKind::Select, &["one"]), expected);
    }
}
