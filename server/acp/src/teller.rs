//! What a session tells, as updates of the protocol: a pure function from events to updates with a little memory.
//!
//! Text is told once, as it streams; the events that repeat it as a whole are used only where nothing streamed. Every tool
//! call that was shown gets exactly one final status, also when its turn ends without a result for it. What a subagent
//! does is shown as tool calls whose titles name it; its text is the result of the call that started it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agent_client_protocol_schema::v1::{
    AudioContent, CompactionStatus, CompactionUpdate, Content, ContentBlock, ContentChunk, Diff,
    ImageContent, MessageId, Notice, NoticeSeverity, Plan, PlanEntry, PlanEntryPriority, PlanEntryStatus,
    SessionInfoUpdate, SessionUpdate, TextContent, ToolCall, ToolCallContent, ToolCallLocation,
    ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields, ToolKind,
};
use kit_protocol::{
    AgentId, AgentRef, Event, EventBody, ImagePart, KitError, MediaKind, PlanPriority, PlanStatus,
    ToolCallId, ToolDisplay, ToolMetadata, TurnId,
};
use kit_workspace::DocumentUri;
use serde_json::{Value, json};

/// How much of a running tool's output is shown; the newest counts.
const SHOWN_OUTPUT: usize = 8 * 1024;
/// How long a title may be.
const LONGEST_TITLE: usize = 80;

/// What the client understands beyond the basics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Understands {
    /// Notices beside the conversation.
    pub(crate) notices: bool,
    /// Updates about compactions.
    pub(crate) compaction: bool,
}

/// Whether events happen now or are told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// The client sent the prompt itself.
    Own,
    /// Somebody else began the turn, or it is told again.
    Foreign,
}

/// A tool call that has no final status yet.
#[derive(Debug, Default)]
struct OpenCall {
    /// The subagent that made it.
    agent: Option<AgentId>,
    output: String,
    /// Whether the model announced it in the answer that is streaming right now.
    fresh: bool,
}

/// What a tool call ended with.
struct Outcome<'a> {
    result: &'a str,
    media: &'a [ImagePart],
    is_error: bool,
    metadata: Option<&'a ToolMetadata>,
}

/// The memory of one session.
#[derive(Debug)]
pub(crate) struct Teller {
    cwd: PathBuf,
    understands: Understands,
    calls: BTreeMap<String, OpenCall>,
    /// Counts messages, to name them.
    message: u64,
    /// Whether text of the running message was told.
    streamed: bool,
    /// Whether the session has a title.
    titled: bool,
    compactions: u64,
    /// The last error of the running turn.
    error: Option<KitError>,
}

impl Teller {
    /// Of a session that works in `cwd`.
    pub(crate) fn new(cwd: PathBuf, understands: Understands, titled: bool) -> Self {
        Self {
            cwd,
            understands,
            calls: BTreeMap::new(),
            message: 0,
            streamed: false,
            titled,
            compactions: 0,
            error: None,
        }
    }

    /// The error that ended the turn that just ended.
    pub(crate) fn take_error(&mut self) -> Option<KitError> {
        self.error.take()
    }

    /// The updates for one event.
    pub(crate) fn tell(&mut self, event: &Event, telling: Telling) -> Vec<SessionUpdate> {
        let agent = event.agent.as_ref();
        match &event.body {
            EventBody::ToolCall { tool_call_id, tool_name, tool_kind, tool_args, parsed_args, title } => {
                let id = call_id(agent, tool_call_id);
                let of = agent.map(|agent| agent.id.clone());
                let fresh = of.is_none();
                self.calls.insert(id.clone(), OpenCall { agent: of, output: String::new(), fresh });
                let input = parsed_args.clone().unwrap_or_else(|| Value::String(tool_args.clone()));
                let call = ToolCall::new(id, titled(agent, title))
                    .kind(kind(*tool_kind, tool_name))
                    .status(ToolCallStatus::Pending)
                    .name(tool_name.clone())
                    .locations(named_location(&self.cwd, &input).into_iter().collect())
                    .raw_input(input);
                vec![SessionUpdate::ToolCall(call)]
            }
            EventBody::ToolExecutionStart { tool_call_id, .. } => {
                let fields = ToolCallUpdateFields::new().status(ToolCallStatus::InProgress);
                self.update(agent, tool_call_id, fields)
            }
            EventBody::ToolOutput { tool_call_id, chunk, .. } => self.output(agent, tool_call_id, chunk),
            EventBody::ToolResult {
                tool_call_id,
                tool_args,
                parsed_args,
                result,
                is_error,
                metadata,
                media,
                ..
            } => {
                let input = parsed_args.clone().unwrap_or_else(|| Value::String(tool_args.clone()));
                let outcome = Outcome { result, media, is_error: *is_error, metadata: metadata.as_ref() };
                self.result(agent, tool_call_id, &input, outcome)
            }
            EventBody::ToolDisplay(display) => shown(agent, display),
            EventBody::Notice { message } => self.notice(NoticeSeverity::Info, message),
            EventBody::Retry { attempt, after_ms, reason } => {
                let sentence = format!("retry {attempt} in {after_ms} ms: {reason}");
                self.notice(NoticeSeverity::Warning, &sentence)
            }
            EventBody::TurnEnd { .. } => self.turn_end(agent),
            _ if agent.is_some() => Vec::new(),
            EventBody::TurnStart { prompt } => self.turn_start(prompt, telling),
            EventBody::SteerConsumed { prompt } => vec![SessionUpdate::UserMessageChunk(text_chunk(prompt))],
            EventBody::MessageStart {} => {
                self.message += 1;
                self.streamed = false;
                for call in self.calls.values_mut() {
                    call.fresh = false;
                }
                Vec::new()
            }
            EventBody::MessageUpdate { chunk } => {
                self.streamed = true;
                vec![SessionUpdate::AgentMessageChunk(self.chunk(chunk))]
            }
            EventBody::MessageEnd { content } => {
                if std::mem::replace(&mut self.streamed, true) || content.is_empty() {
                    return Vec::new();
                }
                vec![SessionUpdate::AgentMessageChunk(self.chunk(content))]
            }
            EventBody::ReasoningDelta { delta } => {
                vec![SessionUpdate::AgentThoughtChunk(text_chunk(delta))]
            }
            EventBody::Plan { entries } => {
                vec![SessionUpdate::Plan(Plan::new(entries.iter().map(plan_entry).collect()))]
            }
            EventBody::StreamReset {} => self.reset(),
            EventBody::Compaction { summary, original_tokens, compacted_tokens, .. } => {
                self.compaction(summary, *original_tokens, *compacted_tokens)
            }
            EventBody::Error { kind, message } => {
                self.error = Some(KitError::new(*kind, message.clone()));
                Vec::new()
            }
            EventBody::ToolExecutionEnd { .. }
            | EventBody::ToolCallContent { .. }
            | EventBody::StepUsage(_)
            | EventBody::Response { .. }
            | EventBody::Queue { .. }
            | EventBody::ModelChange { .. }
            | EventBody::ThinkingChange { .. } => Vec::new(),
        }
    }

    fn turn_start(&mut self, prompt: &str, telling: Telling) -> Vec<SessionUpdate> {
        self.error = None;
        let mut updates = Vec::new();
        if telling == Telling::Foreign && !prompt.is_empty() {
            updates.push(SessionUpdate::UserMessageChunk(text_chunk(prompt)));
        }
        let title = title_of(prompt);
        if !title.is_empty() && !std::mem::replace(&mut self.titled, true) {
            updates.push(SessionUpdate::SessionInfoUpdate(SessionInfoUpdate::new().title(title)));
        }
        updates
    }

    /// The calls of this agent that got no result are failed; a subagent may go on behind its parent's turn.
    fn turn_end(&mut self, agent: Option<&AgentRef>) -> Vec<SessionUpdate> {
        let ended = agent.map(|agent| agent.id.clone());
        self.fail("the turn ended before the call did", |call| call.agent == ended)
    }

    fn reset(&mut self) -> Vec<SessionUpdate> {
        let mut updates = self.fail("the model's answer broke off and starts again", |call| call.fresh);
        if std::mem::take(&mut self.streamed) {
            // What was told cannot be taken back.
            let text = "\n\n(The answer broke off and starts again.)\n\n";
            updates.push(SessionUpdate::AgentMessageChunk(self.chunk(text)));
        }
        updates
    }

    fn fail(&mut self, why: &str, is_meant: impl Fn(&OpenCall) -> bool) -> Vec<SessionUpdate> {
        let ids: Vec<String> =
            self.calls.iter().filter(|(_, call)| is_meant(call)).map(|(id, _)| id.clone()).collect();
        let failed = ids.into_iter().map(|id| {
            self.calls.remove(&id);
            let fields =
                ToolCallUpdateFields::new().status(ToolCallStatus::Failed).content(vec![text_content(why)]);
            SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(id, fields))
        });
        failed.collect()
    }

    fn update(
        &self,
        agent: Option<&AgentRef>,
        call: &ToolCallId,
        fields: ToolCallUpdateFields,
    ) -> Vec<SessionUpdate> {
        let id = call_id(agent, call);
        // After the final status nothing more is said.
        if !self.calls.contains_key(&id) {
            return Vec::new();
        }
        vec![SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(id, fields))]
    }

    fn output(&mut self, agent: Option<&AgentRef>, call: &ToolCallId, chunk: &str) -> Vec<SessionUpdate> {
        let Some(open) = self.calls.get_mut(&call_id(agent, call)) else { return Vec::new() };
        open.output.push_str(chunk);
        if open.output.len() > SHOWN_OUTPUT {
            let cut = open.output.ceil_char_boundary(open.output.len() - SHOWN_OUTPUT);
            open.output.drain(..cut);
        }
        let content = vec![text_content(&open.output)];
        self.update(agent, call, ToolCallUpdateFields::new().content(content))
    }

    fn result(
        &mut self,
        agent: Option<&AgentRef>,
        call: &ToolCallId,
        input: &Value,
        outcome: Outcome<'_>,
    ) -> Vec<SessionUpdate> {
        let Outcome { result, media, is_error, metadata } = outcome;
        let status = if is_error { ToolCallStatus::Failed } else { ToolCallStatus::Completed };
        let mut content = diffs(metadata);
        // A diff says it all; a failure says why.
        if content.is_empty() || is_error {
            content.push(text_content(result));
        }
        content.extend(media.iter().filter_map(media_content));
        let mut output = json!({"result": result, "isError": is_error});
        if let (Some(metadata), Some(output)) = (metadata, output.as_object_mut()) {
            output.insert("metadata".to_owned(), json!(metadata));
        }
        let mut fields = ToolCallUpdateFields::new().status(status).content(content).raw_output(output);
        let mut locations = changed_locations(metadata);
        if locations.is_empty() {
            locations.extend(named_location(&self.cwd, input));
        }
        if !locations.is_empty() {
            fields = fields.locations(locations);
        }
        let updates = self.update(agent, call, fields);
        self.calls.remove(&call_id(agent, call));
        updates
    }

    fn compaction(&mut self, summary: &str, before: u64, after: u64) -> Vec<SessionUpdate> {
        self.compactions += 1;
        if self.understands.compaction {
            let block = ContentBlock::Text(TextContent::new(summary));
            let id = format!("compaction-{}", self.compactions);
            let done = CompactionUpdate::new(id, CompactionStatus::Completed).summary(vec![block]);
            return vec![SessionUpdate::CompactionUpdate(done)];
        }
        let sentence = format!("older messages were summarized: {before} tokens became {after}");
        self.notice(NoticeSeverity::Info, &sentence)
    }

    /// Something beside the conversation; a client without notices reads it among the thoughts.
    pub(crate) fn notice(&self, severity: NoticeSeverity, sentence: &str) -> Vec<SessionUpdate> {
        vec![if self.understands.notices {
            SessionUpdate::Notice(Notice::new(severity, sentence))
        } else {
            SessionUpdate::AgentThoughtChunk(text_chunk(&format!("\n(Kit: {sentence})\n")))
        }]
    }

    fn chunk(&self, text: &str) -> ContentChunk {
        text_chunk(text).message_id(MessageId::new(format!("message-{}", self.message)))
    }
}

/// A call as an extension shows it, which changes no status.
fn shown(agent: Option<&AgentRef>, display: &ToolDisplay) -> Vec<SessionUpdate> {
    let mut fields = ToolCallUpdateFields::new();
    if let Some(header) = &display.header {
        fields = fields.title(titled(agent, header));
    }
    if let Some(body) = &display.body {
        fields = fields.content(vec![text_content(body)]);
    }
    if fields == ToolCallUpdateFields::new() {
        return Vec::new();
    }
    let id = call_id(agent, &display.tool_call_id);
    vec![SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(id, fields))]
}

/// A step of a plan; the protocol wants a priority for each.
fn plan_entry(entry: &kit_protocol::PlanEntry) -> PlanEntry {
    let priority = match entry.priority {
        Some(PlanPriority::High) => PlanEntryPriority::High,
        Some(PlanPriority::Medium) | None => PlanEntryPriority::Medium,
        Some(PlanPriority::Low) => PlanEntryPriority::Low,
    };
    let status = match entry.status {
        PlanStatus::Pending => PlanEntryStatus::Pending,
        PlanStatus::InProgress => PlanEntryStatus::InProgress,
        PlanStatus::Completed => PlanEntryStatus::Completed,
    };
    PlanEntry::new(entry.content.clone(), priority, status)
}

/// The turn that an event ends, if it is the end of the session's own turn.
pub(crate) fn ended_turn(event: &Event) -> Option<&TurnId> {
    let is_end = matches!(event.body, EventBody::TurnEnd { .. }) && event.agent.is_none();
    event.turn.as_ref().filter(|_| is_end)
}

/// The id of a call as the client knows it; those of subagents are told apart from their parent's.
pub(crate) fn call_id(agent: Option<&AgentRef>, call: &ToolCallId) -> String {
    match agent {
        None => call.to_string(),
        Some(agent) => format!("{}/{call}", agent.id),
    }
}

/// A title with the path of the subagent that it is about.
pub(crate) fn titled(agent: Option<&AgentRef>, title: &str) -> String {
    match agent.map(|agent| agent.path.join(" › ")).filter(|path| !path.is_empty()) {
        None => title.to_owned(),
        Some(path) => format!("{path}: {title}"),
    }
}

/// The kind of a tool.
pub(crate) fn kind(kind: kit_protocol::ToolKind, name: &str) -> ToolKind {
    match kind {
        kit_protocol::ToolKind::Read => ToolKind::Read,
        kit_protocol::ToolKind::Edit => ToolKind::Edit,
        kit_protocol::ToolKind::Search => ToolKind::Search,
        kit_protocol::ToolKind::Execute => ToolKind::Execute,
        kit_protocol::ToolKind::Agent => ToolKind::Think,
        kit_protocol::ToolKind::Other if name.contains("fetch") => ToolKind::Fetch,
        kit_protocol::ToolKind::Other => ToolKind::Other,
    }
}

/// The title of a session that begins with this prompt.
pub(crate) fn title_of(prompt: &str) -> String {
    let line = prompt.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut title: String = line.chars().take(LONGEST_TITLE).collect();
    if title.len() < line.len() {
        title.push('…');
    }
    title
}

/// A text as a piece of content.
pub(crate) fn text_content(text: &str) -> ToolCallContent {
    ToolCallContent::Content(Content::new(ContentBlock::Text(TextContent::new(text))))
}

/// An image or sound as a piece of content. The text of the result names a document.
fn media_content(medium: &ImagePart) -> Option<ToolCallContent> {
    let (data, media_type) = (medium.data.clone(), medium.media_type.clone());
    let block = match medium.kind() {
        MediaKind::Image => ContentBlock::Image(ImageContent::new(data, media_type)),
        MediaKind::Sound => ContentBlock::Audio(AudioContent::new(data, media_type)),
        MediaKind::Document | MediaKind::Other => return None,
    };
    Some(ToolCallContent::Content(Content::new(block)))
}

/// A text as a piece of a message.
pub(crate) fn text_chunk(text: &str) -> ContentChunk {
    ContentChunk::new(ContentBlock::Text(TextContent::new(text)))
}

/// The regions that a call changed, each as it really was.
fn diffs(metadata: Option<&ToolMetadata>) -> Vec<ToolCallContent> {
    let mut content = Vec::new();
    for file in metadata.map(|metadata| metadata.file_diffs.as_slice()).unwrap_or_default() {
        for block in &file.diff_blocks {
            let diff = Diff::new(path_of(&file.uri), block.new_text.clone());
            content.push(ToolCallContent::Diff(match file.is_new {
                true => diff,
                false => diff.old_text(block.old_text.clone()),
            }));
        }
    }
    content
}

fn changed_locations(metadata: Option<&ToolMetadata>) -> Vec<ToolCallLocation> {
    let files = metadata.map(|metadata| metadata.file_diffs.as_slice()).unwrap_or_default();
    let located = files.iter().map(|file| {
        let location = ToolCallLocation::new(path_of(&file.uri));
        match file.diff_blocks.first() {
            Some(block) => location.line(block.new_range.start),
            None => location,
        }
    });
    located.collect()
}

/// The file that the arguments of a call name.
fn named_location(cwd: &Path, input: &Value) -> Option<ToolCallLocation> {
    let path = ["path", "file_path", "file"].into_iter().find_map(|name| input.get(name)?.as_str())?;
    let path = DocumentUri::parse(path).to_path().unwrap_or_else(|| cwd.join(path));
    // Without dots in between.
    let path = DocumentUri::from_path(&path).to_path().unwrap_or(path);
    let line = input.get("offset").and_then(Value::as_u64).and_then(|line| u32::try_from(line).ok());
    let location = ToolCallLocation::new(path);
    Some(match line.filter(|line| *line > 0) {
        Some(line) => location.line(line - 1),
        None => location,
    })
}

/// The path of a document; what is no file keeps its address.
pub(crate) fn path_of(uri: &str) -> PathBuf {
    DocumentUri::parse(uri).to_path().unwrap_or_else(|| PathBuf::from(uri))
}

#[cfg(test)]
mod tests;
