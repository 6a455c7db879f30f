//! What a session remembers of itself when its file is opened: settings, usage, and what a crash left undone.

use kit_protocol::{Mode, ModelId, Part, PlanEntry, Role, StopReason, ThinkingLevel, TurnId, UsageTotals};

use crate::history::{EntryIndex, History, RecordKind};
use crate::journal::entry::{
    Body, JoinNote, Note, PromptNote, ResourcesNote, SettingsNote, SubagentNote, TurnEndNote, UsageNote,
};
use crate::journal::read::Lines;
use crate::replay::INTERRUPTED;
use crate::tokens;
use crate::usage::SessionUsage;

/// What the notes of a file tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Remembered {
    pub(crate) usage: SessionUsage,
    /// Accepted prompts whose turn never started.
    pub(crate) waiting: Vec<PromptNote>,
    /// Accepted prompts that never joined their turn.
    pub(crate) unjoined: Vec<PromptNote>,
    /// Changes of mode and thinking level, on whatever branch.
    pub(crate) settings: Vec<(EntryIndex, SettingsNote)>,
    /// Where turns begin, on whatever branch.
    pub(crate) turns: Vec<(EntryIndex, TurnId)>,
    /// The turns that ended, on whatever branch.
    pub(crate) ended: Vec<TurnId>,
    /// How large the context was after calls of the conversation, where the provider counted, on whatever branch.
    pub(crate) counts: Vec<(EntryIndex, u64)>,
    /// The plans, on whatever branch.
    pub(crate) plans: Vec<(EntryIndex, Vec<PlanEntry>)>,
    /// The resources that the model has, on whatever branch.
    pub(crate) resources: Vec<(EntryIndex, ResourcesNote)>,
    /// What a subagent is.
    pub(crate) role: Option<SubagentNote>,
}

/// Reads the notes of a file in order.
pub(crate) fn remember(notes: Vec<(EntryIndex, Note)>) -> Remembered {
    let mut found = Remembered::default();
    for (index, note) in notes {
        match note {
            Note::Prompt(prompt) if prompt.steer => found.unjoined.push(prompt),
            Note::Prompt(prompt) => found.waiting.push(prompt),
            Note::Join(JoinNote { prompts, .. }) => {
                found.unjoined.drain(..prompts.min(found.unjoined.len()));
            }
            Note::TurnStart(start) => {
                found.waiting.retain(|prompt| prompt.turn != start.turn);
                found.usage.begin_turn();
                found.turns.push((index, start.turn));
            }
            Note::TurnEnd(end) => {
                found.waiting.retain(|prompt| prompt.turn != end.turn);
                found.ended.push(end.turn);
            }
            Note::Usage(UsageNote { turn: Some(_), agent: None, usage }) => {
                found.counts.extend(tokens::counted(&usage).map(|tokens| (index, tokens)));
                found.usage.add(usage);
            }
            Note::Usage(UsageNote { turn: Some(_), agent: Some(_), usage }) => {
                found.usage.add_of_subagent(usage);
            }
            Note::Usage(UsageNote { turn: None, usage, .. }) => found.usage.add_aside(usage),
            Note::Settings(note) => found.settings.push((index, note)),
            Note::TakenBack(taken) => found.unjoined.retain(|prompt| prompt.id != taken.id),
            Note::Subagent(note) => found.role = Some(note),
            Note::Plan(note) => found.plans.push((index, note.entries)),
            Note::Resources(note) => found.resources.push((index, note)),
            Note::Tool(_) | Note::MediaLeftOut(_) | Note::Display(_) | Note::Agent(_) => {}
        }
    }
    found
}

impl Remembered {
    /// The entries that settle what a crash left undone; they are written before the next entry. Prompts that never
    /// started are closed, since nobody knows whether they are still wanted; those that never joined are kept as
    /// messages, since their turn has run.
    pub(crate) fn repairs(&self) -> Vec<Body> {
        let closed =
            self.waiting.iter().map(|prompt| Body::from(&Note::TurnEnd(unstarted(prompt.turn.clone()))));
        closed.chain(join_entries(&self.unjoined)).collect()
    }
}

/// The end of a turn that never started.
pub(crate) fn unstarted(turn: TurnId) -> TurnEndNote {
    TurnEndNote {
        turn,
        response: String::new(),
        stop_reason: StopReason::Cancelled,
        error_kind: None,
        error: Some(INTERRUPTED.to_owned()),
        tool_names: Vec::new(),
        llm_call_count: 0,
        usage: UsageTotals::default(),
        duration_ms: 0,
    }
}

/// The entries of prompts that join a turn.
pub(crate) fn join_entries(prompts: &[PromptNote]) -> Vec<Body> {
    let Some(first) = prompts.first() else { return Vec::new() };
    let join = Note::Join(JoinNote { turn: first.turn.clone(), prompts: prompts.len() });
    let messages = prompts.iter().map(|prompt| Body::message(Role::User, prompt.parts.clone()));
    std::iter::once(Body::from(&join)).chain(messages).collect()
}

/// What the current branch says about the session's settings; later entries win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BranchSettings {
    pub(crate) model: Option<ModelId>,
    pub(crate) mode: Option<Mode>,
    pub(crate) thinking: Option<ThinkingLevel>,
}

/// The entries of a branch that say something about settings, in order: all settings notes are among our notes, and
/// of answers and model changes the last ones count.
pub(crate) fn settings_entries(history: &History, branch: &[EntryIndex]) -> Vec<EntryIndex> {
    let last = |wanted: RecordKind| {
        branch
            .iter()
            .rev()
            .copied()
            .find(|index| history.get(*index).is_some_and(|record| record.kind == wanted))
    };
    let answer = last(RecordKind::Message(Some(Role::Assistant)));
    let change = last(RecordKind::ModelChange);
    // A change that was noted outranks the model of an answer that came before it, and the other way round.
    let mut entries: Vec<EntryIndex> = answer.into_iter().chain(change).collect();
    entries.sort_unstable();
    entries
}

/// Reads the model from those entries, and mode and thinking level from the settings notes of the branch.
pub(crate) fn settings(
    history: &History,
    lines: &Lines,
    entries: &[EntryIndex],
    notes: impl Iterator<Item = SettingsNote>,
) -> BranchSettings {
    let mut found = BranchSettings::default();
    for note in notes {
        found.mode = note.mode.or(found.mode);
        found.thinking = note.thinking.or(found.thinking);
    }
    for record in entries.iter().filter_map(|index| history.get(*index)) {
        let (provider, model) = match Body::parse(&lines.get(record.span)) {
            Body::ModelChange { provider, model_id } => (provider, model_id),
            Body::Message { model: Some(model), provider: Some(provider), .. } => (provider, model),
            Body::Message { .. }
            | Body::BranchSummary { .. }
            | Body::Label { .. }
            | Body::SessionInfo { .. }
            | Body::ExtensionData { .. }
            | Body::Compaction { .. }
            | Body::Unknown => continue,
        };
        found.model = format!("{provider}/{model}").parse().ok().or(found.model);
    }
    found
}

/// The user's own words of a message.
pub(crate) fn own_text(parts: &[Part]) -> String {
    let text = parts.iter().find_map(|part| match part {
        Part::Text(text) => Some(text.text.clone()),
        Part::Reasoning(_)
        | Part::ToolCall(_)
        | Part::ToolResult(_)
        | Part::Image(_)
        | Part::Finish(_)
        | Part::Unknown(_) => None,
    });
    text.unwrap_or_default()
}
