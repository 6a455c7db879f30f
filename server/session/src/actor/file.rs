//! What the session writes into its file and reads back from it.

use std::sync::Arc;

use kit_protocol::KitError;

use super::{Actor, internal};
use crate::clock::Millis;
use crate::conversation;
use crate::history::{EntryIndex, History};
use crate::journal::entry::{Body, Note, UsageNote};
use crate::journal::lines_of;
use crate::journal::read::Lines;
use crate::journal::write::Durability;
use crate::replay::{self, Replayed, Turns};
use crate::tokens;

impl Actor {
    /// Appends entries, with the repairs that are due, and takes them into the conversation.
    pub(super) async fn append(&mut self, bodies: Vec<Body>, durability: Durability) -> Result<(), KitError> {
        let mut all = self.repairs.clone();
        all.extend(bodies);
        if all.is_empty() {
            return Ok(());
        }
        let first = self.journal.append(Millis::now(), &all, durability).await?;
        self.repairs.clear();
        for (offset, body) in all.into_iter().enumerate() {
            let index = EntryIndex(first.0 + offset);
            match body.note() {
                Some(Note::Settings(note)) => self.settings.push((index, note)),
                Some(Note::TurnStart(start)) => self.turns.push((index, start.turn)),
                Some(Note::TurnEnd(end)) => self.ended.push(end.turn),
                Some(Note::Plan(plan)) => {
                    self.plan.clone_from(&plan.entries);
                    self.plans.push((index, plan.entries));
                }
                Some(Note::Resources(note)) => self.resources.push((index, note)),
                Some(Note::Usage(UsageNote { turn: Some(_), agent: None, usage })) => {
                    self.counts.extend(tokens::counted(&usage).map(|tokens| (index, tokens)));
                }
                Some(
                    Note::Prompt(_)
                    | Note::Join(_)
                    | Note::Usage(_)
                    | Note::Tool(_)
                    | Note::TakenBack(_)
                    | Note::MediaLeftOut(_)
                    | Note::Subagent(_)
                    | Note::Display(_)
                    | Note::Agent(_),
                )
                | None => {}
            }
            if let Some(conversation) = &mut self.conversation
                && let Some(message) = conversation::message_of(body)
            {
                self.meter.add(&message);
                conversation.push(message);
            }
        }
        Ok(())
    }

    /// Reads entries of the current branch and works on them where that may take its time.
    pub(super) async fn on_branch<R: Send + 'static>(
        &self,
        entries: Vec<EntryIndex>,
        work: impl FnOnce(&History, &Lines) -> R + Send + 'static,
    ) -> Result<R, KitError> {
        let history = Arc::clone(self.journal.history());
        let path = self.journal.path().to_owned();
        let worked = tokio::task::spawn_blocking(move || {
            let lines = lines_of(&path, &history, &entries)?;
            Ok(work(&history, &lines))
        });
        worked.await.map_err(|error| internal(&error))?.map_err(|error: crate::JournalError| error.into())
    }

    /// What the file tells about the current branch.
    pub(super) async fn told(&self) -> Result<Vec<Replayed>, KitError> {
        let turns = Turns {
            live: self.live_turns().cloned().collect(),
            begun: self.turns.iter().map(|(_, turn)| turn.clone()).collect(),
            ended: self.ended.clone(),
            working: self.nursery.working(),
        };
        let branch = self.journal.history().current_branch();
        self.on_branch(branch, move |history, lines| replay::events(history, lines, &turns)).await
    }
}
