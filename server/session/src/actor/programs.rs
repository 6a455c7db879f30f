//! What programs ask of a session beside prompts: extensions and embedders.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use kit_protocol::{
    ContextUsage, Delivery, EntryId, ErrorKind, EventBody, KitError, PlanEntry, PromptAnswer, TurnId, Usage,
};

use super::plan::Plan;
use super::{Actor, Durability};
use crate::budget::{Reservation, Spend};
use crate::entries;
use crate::history::{EntryIndex, RecordKind};
use crate::journal::entry::{Body, DisplayNote, NOTE_PREFIX, Note, PlanNote, UsageNote};
use crate::op::{Answer, Prompt, TakeBack, View, reply};
use crate::sessions::look::SessionView;
use crate::sessions::programs::{CallDisplay, SessionTool};

impl Actor {
    /// How the session is, and its tree as it is now.
    pub(super) fn view(&self) -> View {
        let size = self.meter.size();
        let facts = SessionView {
            session: self.session.clone(),
            path: self.journal.path().to_owned(),
            cwd: self.cwd.clone(),
            name: self.name.clone(),
            mode: self.mode,
            model: self.model.clone(),
            thinking: self.thinking,
            running: self.running.as_ref().map(|running| running.machine.turn().clone()),
            waiting: self.queue.len(),
            context: ContextUsage {
                used: size.tokens,
                window: self.context_window,
                estimated: size.estimated,
            },
        };
        View { history: Arc::clone(self.journal.history()), facts }
    }

    /// Cancels what runs and takes back what waits; the turns that this ends.
    pub(super) async fn abort(&mut self) -> Result<Vec<TurnId>, KitError> {
        let running = self.running.as_ref().map(|running| running.machine.turn().clone());
        let ended =
            running.into_iter().chain(self.queue.iter().map(|waiting| waiting.turn.clone())).collect();
        self.take_back(TakeBack::All).await?;
        self.cancel(None).await;
        Ok(ended)
    }

    /// Puts a prompt in the place of all that runs and waits.
    pub(super) async fn interrupt(&mut self, prompt: Prompt, answer: Answer<PromptAnswer>) {
        match self.abort().await {
            Ok(_) => self.prompt(Prompt { delivery: Delivery::Queue, ..prompt }, answer).await,
            Err(error) => reply(answer, Err(error)),
        }
    }

    pub(super) async fn append_entry(&mut self, kind: String, data: String) -> Result<EntryId, KitError> {
        if kind.is_empty() || kind.starts_with(NOTE_PREFIX) {
            let text = format!(
                "`{kind}` cannot be the type of an entry: it must say something and not start with `{NOTE_PREFIX}`"
            );
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        }
        self.append_one(Body::ExtensionData { ext_type: kind, data }).await
    }

    /// Appends one entry and answers its id.
    async fn append_one(&mut self, body: Body) -> Result<EntryId, KitError> {
        self.append(vec![body], Durability::Synced).await?;
        let lost = || KitError::new(ErrorKind::Internal, "the entry that was written is not in the tree");
        self.journal.history().leaf_id().cloned().ok_or_else(lost)
    }

    /// Sets apart what a program's model call costs at least. Nobody is asked: a program can do without.
    pub(super) async fn reserve_aside(&self, next: Spend) -> Result<Option<Reservation>, KitError> {
        self.reserve(next).await.map_err(KitError::from)
    }

    /// Counts a model call that a program made beside the conversation.
    pub(super) async fn paid_aside(&mut self, usage: Usage) -> Result<Usage, KitError> {
        let usage = Usage { call: self.usage.next_call(), ..usage };
        let note = Body::from(&Note::Usage(UsageNote { turn: None, agent: None, usage: usage.clone() }));
        // A session without messages has no file yet, and a call alone is no reason to make one.
        if self.journal.history().records().is_empty() {
            self.repairs.push(note);
        } else {
            self.append(vec![note], Durability::Written).await?;
        }
        self.usage.add_aside(usage.clone());
        self.purse.pay(&usage);
        self.shared.spend(&self.session, &usage).await;
        self.stream.emit(None, EventBody::StepUsage(usage.clone()));
        Ok(usage)
    }

    /// Tells how an extension shows a tool call. What a subagent's look like is told, but not kept: its calls are in
    /// another file.
    pub(super) async fn display(&mut self, shown: CallDisplay) {
        let CallDisplay { turn, agent, display } = shown;
        if let Some(agent) = agent {
            self.stream.relay(agent, turn, EventBody::ToolDisplay(display));
            return;
        }
        let note = Note::Display(DisplayNote { turn: turn.clone(), display: display.clone() });
        if let Err(error) = self.append(vec![Body::from(&note)], Durability::Written).await {
            tracing::warn!(%error, "how an extension shows a tool call is not saved");
        }
        self.stream.emit(turn.as_ref(), EventBody::ToolDisplay(display));
    }

    /// Puts a plan in the place of the one before.
    pub(super) async fn set_plan(&mut self, entries: Vec<PlanEntry>) -> Result<(), KitError> {
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        let note = Note::Plan(PlanNote { turn, entries: entries.clone() });
        self.append(vec![Body::from(&note)], Durability::Written).await?;
        self.emit(EventBody::Plan { entries }).await;
        Ok(())
    }

    pub(super) fn tools(&self) -> Vec<SessionTool> {
        let tools = self.shared.with.tools.list().into_iter().map(|(source, tool)| {
            let name = tool.name().into_owned();
            SessionTool {
                enabled: self.is_enabled(&name),
                description: tool.description().into_owned(),
                kind: tool.kind(),
                source,
                name,
            }
        });
        tools.collect()
    }

    pub(super) fn set_active_tools(&mut self, names: Vec<String>) {
        self.active = Some(names).filter(|names| !names.is_empty()).map(BTreeSet::from_iter);
    }

    /// Whether programs left the tool switched on.
    pub(super) fn is_enabled(&self, name: &str) -> bool {
        self.active.as_ref().is_none_or(|active| active.contains(name))
    }

    /// Refuses calls of tools that are switched off.
    pub(super) fn refuse_disabled(&self, plans: &mut [Plan]) {
        for plan in plans {
            let name = plan.tool.as_ref().map(|tool| tool.name().into_owned());
            if let Some(name) = name.filter(|name| !self.is_enabled(name)) {
                plan.call.refusal = Some(format!("Error: tool \"{name}\" is currently disabled"));
            }
        }
    }

    /// Puts a summary in the place of a part of the current branch.
    pub(super) async fn collapse(
        &mut self,
        from: &EntryId,
        to: &EntryId,
        summary: String,
    ) -> Result<EntryId, KitError> {
        self.must_be_idle()?;
        let history = Arc::clone(self.journal.history());
        let branch = history.current_branch();
        let at = |entry: &EntryId| {
            let found = history.find(entry).and_then(|index| branch.binary_search(&index).ok());
            found.ok_or_else(|| KitError::new(ErrorKind::NotFound, entries::not_on_branch(entry)))
        };
        let (first, last) = (at(from)?, at(to)?);
        if first > last {
            let text = format!("the entry {from} comes after {to}");
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        }
        let is_note =
            |index: &EntryIndex| history.get(*index).is_some_and(|record| record.kind == RecordKind::Note);
        // Notes right before the part, such as the one that begins a turn, belong to it.
        let before =
            branch.get(..first).unwrap_or_default().iter().rev().find(|index| !is_note(index)).copied();
        let later: Vec<EntryIndex> = branch.get(last + 1..).unwrap_or_default().to_vec();
        let copies = self
            .on_branch(later.clone(), move |history, lines| {
                let records = later.iter().filter_map(|index| history.get(*index));
                copied(records.map(|record| Body::parse(&lines.get(record.span))))
            })
            .await?;
        self.move_to(before).await?;
        let entry = self.append_one(Body::BranchSummary { from_id: to.to_string(), summary }).await?;
        if !copies.is_empty() {
            self.append(copies, Durability::Synced).await?;
        }
        Ok(entry)
    }
}

/// What of later entries comes along: all but what was paid, what waited, and the end of a turn that begins before.
fn copied(bodies: impl Iterator<Item = Body>) -> Vec<Body> {
    let mut begun: HashSet<TurnId> = HashSet::new();
    let comes = |body: &Body| match (body, body.note()) {
        (_, Some(Note::TurnStart(start))) => {
            begun.insert(start.turn);
            true
        }
        (_, Some(Note::TurnEnd(end))) => begun.contains(&end.turn),
        (
            _,
            Some(
                Note::Tool(_)
                | Note::Settings(_)
                | Note::MediaLeftOut(_)
                | Note::Subagent(_)
                | Note::Display(_)
                | Note::Plan(_)
                | Note::Agent(_)
                | Note::Resources(_),
            ),
        ) => true,
        (_, Some(Note::Prompt(_) | Note::Join(_) | Note::Usage(_) | Note::TakenBack(_)))
        | (Body::Unknown, None) => false,
        (
            Body::Message { .. }
            | Body::ModelChange { .. }
            | Body::BranchSummary { .. }
            | Body::Label { .. }
            | Body::SessionInfo { .. }
            | Body::ExtensionData { .. }
            | Body::Compaction { .. },
            None,
        ) => true,
    };
    bodies.filter(comes).collect()
}
