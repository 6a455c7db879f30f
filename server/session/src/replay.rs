//! Tells the events of a session from its file, so that a client can draw a session that this process did not run.
//!
//! The current branch is walked from its root. Our own notes say where turns begin and end; a session of another
//! writer has none, so each of its user messages begins a turn that is named after its entry. Texts come as one update,
//! and a turn that a crash cut off ends with an error and its open calls with an error result.

use std::collections::HashMap;
use std::sync::Arc;

use kit_protocol::{
    AgentRef, ErrorKind, EventBody, ImagePart, Message, Part, Role, SessionId, StopReason, ToolCallId,
    ToolCallPart, ToolKind, ToolResultPart, TurnId, UsageTotals,
};
use serde_json::Value;

use crate::clock::Millis;
use crate::history::History;
use crate::journal::entry::{
    self, AgentNote, Body, DisplayNote, Note, PlanNote, PromptNote, ToolNote, TurnEndNote, UsageNote,
};
use crate::journal::read::Lines;
use crate::restore;
use crate::turn::{message, told_metadata};

/// What clients are told about a turn that a crash cut off.
pub(crate) const INTERRUPTED: &str = "Kit was stopped before this turn ended; send the prompt again to go on";

/// An event that the file tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replayed {
    pub(crate) turn: Option<TurnId>,
    pub(crate) at: Millis,
    /// The subagent that it comes from.
    pub(crate) agent: Option<AgentRef>,
    pub(crate) body: EventBody,
}

/// Where the turns of a session are, on whatever branch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    /// Those that run or wait right now; they are left open.
    pub(crate) live: Vec<TurnId>,
    /// Those that began: a prompt of theirs that waited on this branch was not forgotten.
    pub(crate) begun: Vec<TurnId>,
    /// Those that ended: where this branch lacks their end, it left them on purpose.
    pub(crate) ended: Vec<TurnId>,
    /// Subagents that work or wait right now; they are left open.
    pub(crate) working: Vec<SessionId>,
}

/// The events of the current branch.
pub(crate) fn events(history: &History, lines: &Lines, turns: &Turns) -> Vec<Replayed> {
    let Turns { live, begun, .. } = turns;
    let mut entries = Vec::new();
    let mut notes = HashMap::new();
    for record in history.current_branch().into_iter().filter_map(|index| history.get(index)) {
        let line = lines.get(record.span);
        let at = entry::time_of(&line).unwrap_or_default();
        let body = Body::parse(&line);
        let note = body.note();
        if let Some(Note::Tool(tool)) = &note {
            notes.insert(tool.tool_call_id.clone(), tool.clone());
        }
        entries.push((record.id.as_str().to_owned(), at, body, note));
    }
    let mut teller = Teller {
        told: Vec::new(),
        turn: None,
        at: Millis(0),
        notes,
        calls: Vec::new(),
        waiting: Vec::new(),
        joining: 0,
        model: None,
        agents: Vec::new(),
        ended: &turns.ended,
    };
    for (id, at, body, note) in entries {
        teller.at = at;
        teller.entry(&id, body, note);
    }
    if teller.turn.as_ref().is_some_and(|turn| !live.contains(&turn.id)) {
        teller.close();
    }
    for (agent, turn) in std::mem::take(&mut teller.agents) {
        if !turns.working.iter().any(|session| session.as_str() == agent.id.as_str()) {
            teller.agent(AgentNote { agent, turn, event: cut_off() });
        }
    }
    for prompt in std::mem::take(&mut teller.waiting) {
        if !live.contains(&prompt.turn) && !begun.contains(&prompt.turn) {
            teller.unstarted(prompt);
        }
    }
    teller.told
}

struct OpenTurn {
    id: TurnId,
    began: Millis,
    /// Whether a note began it, so that a note has to end it.
    noted: bool,
    /// Whether a model answered.
    answered: bool,
    response: String,
}

struct Teller<'a> {
    told: Vec<Replayed>,
    turn: Option<OpenTurn>,
    at: Millis,
    notes: HashMap<ToolCallId, ToolNote>,
    /// Calls without a result yet.
    calls: Vec<ToolCallPart>,
    /// Accepted prompts whose turn has not started yet.
    waiting: Vec<PromptNote>,
    /// How many of the messages to come joined the conversation while a turn ran.
    joining: usize,
    model: Option<String>,
    /// Subagents that have not ended yet, with their turns.
    agents: Vec<(AgentRef, Option<TurnId>)>,
    ended: &'a [TurnId],
}

impl Teller<'_> {
    fn tell(&mut self, body: EventBody) {
        let turn = self.turn.as_ref().map(|turn| turn.id.clone());
        self.told.push(Replayed { turn, at: self.at, agent: None, body });
    }

    fn entry(&mut self, id: &str, body: Body, note: Option<Note>) {
        match (body, note) {
            (_, Some(Note::TurnStart(start))) => {
                self.waiting.retain(|prompt| prompt.turn != start.turn);
                self.begin(start.turn, start.prompt, true);
            }
            (_, Some(Note::TurnEnd(end))) => {
                match self.waiting.iter().position(|prompt| prompt.turn == end.turn) {
                    Some(at) => {
                        let prompt = self.waiting.remove(at);
                        self.unstarted(prompt);
                    }
                    None => self.end(end),
                }
            }
            (_, Some(Note::Prompt(prompt))) if !prompt.steer => self.waiting.push(prompt),
            (_, Some(Note::Join(join))) => self.joining = join.prompts,
            (_, Some(Note::Usage(UsageNote { turn, agent, usage }))) => {
                self.told.push(Replayed { turn, at: self.at, agent, body: EventBody::StepUsage(usage) });
            }
            (
                _,
                Some(
                    Note::Prompt(_)
                    | Note::Tool(_)
                    | Note::Settings(_)
                    | Note::TakenBack(_)
                    | Note::MediaLeftOut(_)
                    | Note::Subagent(_)
                    | Note::Resources(_),
                ),
            ) => {}
            (_, Some(Note::Display(DisplayNote { turn, display }))) => {
                let body = EventBody::ToolDisplay(display);
                self.told.push(Replayed { turn, at: self.at, agent: None, body });
            }
            (_, Some(Note::Agent(note))) => self.agent(note),
            (_, Some(Note::Plan(PlanNote { turn, entries }))) => {
                let body = EventBody::Plan { entries };
                self.told.push(Replayed { turn, at: self.at, agent: None, body });
            }
            (Body::Message { role, parts, .. }, None) => self.message(id, Message { role, parts }),
            (Body::ModelChange { provider, model_id }, None) => {
                let model = format!("{provider}/{model_id}");
                // The first one only tells which model it began with.
                if let Some(previous) = self.model.replace(model.clone()) {
                    self.tell(EventBody::ModelChange { model, previous, source: "user".to_owned() });
                }
            }
            (
                Body::Compaction {
                    summary,
                    tokens_before,
                    tokens_after,
                    messages_removed,
                    read_files,
                    modified_files,
                    ..
                },
                None,
            ) => self.tell(EventBody::Compaction {
                summary,
                original_tokens: tokens_before,
                compacted_tokens: tokens_after,
                messages_removed,
                read_files,
                modified_files,
            }),
            (
                Body::BranchSummary { .. }
                | Body::Label { .. }
                | Body::SessionInfo { .. }
                | Body::ExtensionData { .. }
                | Body::Unknown,
                None,
            ) => {}
        }
    }

    fn message(&mut self, id: &str, message: Message) {
        match message.role {
            Role::System => {}
            Role::User if self.joining > 0 => {
                self.joining -= 1;
                self.tell(EventBody::SteerConsumed { prompt: restore::own_text(&message.parts) });
            }
            Role::User => {
                if self.turn.as_ref().is_none_or(|turn| !turn.noted) {
                    self.begin(TurnId::new(id), message.joined_text(), false);
                }
            }
            Role::Assistant => self.answer(message),
            Role::Tool => {
                for (result, media) in message.tool_results() {
                    self.result(result, media.into_iter().cloned().collect());
                }
            }
        }
    }

    fn begin(&mut self, id: TurnId, prompt: String, noted: bool) {
        self.close();
        self.turn = Some(OpenTurn { id, began: self.at, noted, answered: false, response: String::new() });
        self.tell(EventBody::TurnStart { prompt });
    }

    fn answer(&mut self, message: Message) {
        self.tell(EventBody::MessageStart {});
        for part in &message.parts {
            if let Part::Reasoning(reasoning) = part
                && !reasoning.thinking.is_empty()
            {
                self.tell(EventBody::ReasoningDelta { delta: reasoning.thinking.clone() });
            }
        }
        let content = message.joined_text();
        if !content.is_empty() {
            self.tell(EventBody::MessageUpdate { chunk: content.clone() });
        }
        self.tell(EventBody::MessageEnd { content: content.clone() });
        let calls: Vec<ToolCallPart> = message.tool_calls().cloned().collect();
        if !calls.is_empty() && !content.is_empty() {
            self.tell(EventBody::ToolCallContent { content: content.clone() });
        }
        for call in &calls {
            let note = self.notes.get(&call.id);
            let body = EventBody::ToolCall {
                tool_call_id: call.id.clone(),
                tool_name: call.name.clone(),
                tool_kind: note.map_or_else(|| kind_of(&call.name), |note| note.tool_kind),
                tool_args: call.input.clone(),
                parsed_args: parse(&call.input),
                title: note.map_or_else(|| call.name.clone(), |note| note.title.clone()),
            };
            self.tell(body);
        }
        self.calls.extend(calls);
        if let Some(turn) = &mut self.turn {
            turn.answered = true;
            turn.response = content;
        }
    }

    fn result(&mut self, result: &ToolResultPart, media: Arc<[ImagePart]>) {
        let note = self.notes.get(&result.tool_call_id);
        let kind = note.map_or_else(|| kind_of(&result.name), |note| note.tool_kind);
        let metadata = note.and_then(|note| note.metadata.clone());
        let at = self.calls.iter().position(|call| call.id == result.tool_call_id);
        let Some(call) = at.map(|at| self.calls.remove(at)) else { return };
        self.tell(EventBody::ToolExecutionStart {
            tool_call_id: call.id.clone(),
            tool_name: call.name.clone(),
            tool_kind: kind,
        });
        self.tell(EventBody::ToolExecutionEnd {
            tool_call_id: call.id.clone(),
            tool_name: call.name.clone(),
            tool_kind: kind,
        });
        self.tell(EventBody::ToolResult {
            tool_call_id: call.id,
            tool_name: call.name,
            tool_kind: kind,
            parsed_args: parse(&call.input),
            tool_args: call.input,
            result: result.content.clone(),
            is_error: result.is_error,
            metadata: told_metadata(metadata, &media),
            media,
        });
    }

    /// Tells that a subagent began or ended. Of what it said its answer is told; the rest is in its own file.
    fn agent(&mut self, AgentNote { agent, turn, event }: AgentNote) {
        self.agents.retain(|(open, _)| open.id != agent.id);
        let mut bodies = Vec::new();
        if let EventBody::TurnEnd { response, .. } = &event {
            bodies.extend(message(response));
        } else {
            self.agents.push((agent.clone(), turn.clone()));
        }
        bodies.push(event);
        for body in bodies {
            self.told.push(Replayed { turn: turn.clone(), at: self.at, agent: Some(agent.clone()), body });
        }
    }

    /// Tells a prompt that was accepted and never started.
    fn unstarted(&mut self, prompt: PromptNote) {
        let open = self.turn.take();
        let calls = std::mem::take(&mut self.calls);
        self.turn = Some(OpenTurn {
            id: prompt.turn.clone(),
            began: self.at,
            noted: true,
            answered: false,
            response: String::new(),
        });
        self.tell(EventBody::TurnStart { prompt: restore::own_text(&prompt.parts) });
        self.end(restore::unstarted(prompt.turn));
        self.turn = open;
        self.calls = calls;
    }

    fn end(&mut self, end: TurnEndNote) {
        self.answer_open_calls();
        if self.turn.as_ref().is_some_and(|turn| !turn.answered) {
            for body in message(&end.response) {
                self.tell(body);
            }
        }
        if !end.response.is_empty() {
            self.tell(EventBody::Response { content: end.response.clone() });
        }
        if let (Some(kind), Some(message)) = (end.error_kind, end.error.clone()) {
            self.tell(EventBody::Error { kind, message });
        }
        self.tell(EventBody::TurnEnd {
            response: end.response,
            stop_reason: end.stop_reason,
            error: end.error,
            tool_call_count: u64::try_from(end.tool_names.len()).unwrap_or(u64::MAX),
            tool_names: end.tool_names,
            llm_call_count: end.llm_call_count,
            usage: end.usage,
            duration_ms: end.duration_ms,
        });
        self.turn = None;
    }

    /// Ends a turn whose end the file does not tell.
    fn close(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        let response = std::mem::take(&mut turn.response);
        let is_cut = turn.noted && !self.ended.contains(&turn.id);
        let (stop_reason, error_kind, error, response) = if is_cut {
            (StopReason::Error, Some(ErrorKind::Cancelled), Some(INTERRUPTED.to_owned()), String::new())
        } else {
            (StopReason::EndTurn, None, None, response)
        };
        let end = TurnEndNote {
            turn: turn.id.clone(),
            response,
            stop_reason,
            error_kind,
            error,
            tool_names: Vec::new(),
            llm_call_count: 0,
            usage: UsageTotals::default(),
            duration_ms: self.at.since(turn.began),
        };
        self.end(end);
    }

    fn answer_open_calls(&mut self) {
        for call in std::mem::take(&mut self.calls) {
            let kind = self.notes.get(&call.id).map_or_else(|| kind_of(&call.name), |note| note.tool_kind);
            self.tell(EventBody::ToolResult {
                tool_call_id: call.id,
                tool_name: call.name,
                tool_kind: kind,
                parsed_args: parse(&call.input),
                tool_args: call.input,
                result: "interrupted".to_owned(),
                is_error: true,
                metadata: None,
                media: Arc::default(),
            });
        }
    }
}

/// The end of a subagent's turn that a crash cut off.
fn cut_off() -> EventBody {
    EventBody::TurnEnd {
        response: String::new(),
        stop_reason: StopReason::Error,
        error: Some(INTERRUPTED.to_owned()),
        tool_call_count: 0,
        tool_names: Vec::new(),
        llm_call_count: 0,
        usage: UsageTotals::default(),
        duration_ms: 0,
    }
}

fn parse(args: &str) -> Option<Value> {
    if args.trim().is_empty() {
        Some(Value::Object(serde_json::Map::new()))
    } else {
        serde_json::from_str(args).ok()
    }
}

/// The kind of a tool that no note describes, as upstream has it.
fn kind_of(name: &str) -> ToolKind {
    match name {
        "read" | "ls" => ToolKind::Read,
        "edit" | "write" => ToolKind::Edit,
        "grep" | "find" => ToolKind::Search,
        "subagent" | "spawn_subagent" => ToolKind::Agent,
        "bash" => ToolKind::Execute,
        _ => ToolKind::Other,
    }
}

#[cfg(test)]
mod tests;
