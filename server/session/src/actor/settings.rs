//! The settings of a session: how they change, what the file says about them, and what follows from the model.

use std::sync::Arc;

use kit_protocol::{EventBody, KitError, Mode};
use kit_provider::Model;

use super::{Actor, from_model};
use crate::dependencies::Setup;
use crate::hooks::Observation;
use crate::journal::entry::{Body, Note, SettingsNote};
use crate::journal::write::Durability;
use crate::op::{Adoption, ChangedBy, Changes};
use crate::{restore, subagent};

/// What somebody chose for a session while this process had it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    mode: bool,
    model: bool,
    thinking: bool,
}

impl Actor {
    /// Changes settings of the session from here on.
    pub(super) async fn change(&mut self, changes: Changes) -> Result<(), KitError> {
        let Changes { mode, model, thinking, by } = changes;
        if by != ChangedBy::Settings {
            self.chosen.mode |= mode.is_some();
            self.chosen.model |= model.is_some();
            self.chosen.thinking |= thinking.is_some();
        }
        let mode = mode.filter(|mode| *mode != self.mode);
        let thinking = thinking.filter(|thinking| *thinking != self.thinking);
        let mut entries = Vec::new();
        if mode.is_some() || thinking.is_some() {
            entries.push(Body::from(&Note::Settings(SettingsNote { mode, thinking })));
        }
        let model = model.filter(|model| self.model.as_ref() != Some(model));
        if let Some(model) = &model {
            self.shared.setup_of(&self.cwd).models.resolve(model).map_err(from_model)?;
            entries.push(Body::ModelChange {
                provider: model.provider().to_owned(),
                model_id: model.name().to_owned(),
            });
        }
        // A session without messages has no file yet, and a choice alone is no reason to make one.
        if self.journal.history().records().is_empty() {
            self.repairs.extend(entries);
        } else if !entries.is_empty() {
            self.append(entries, Durability::Synced).await?;
        }
        self.mode = mode.unwrap_or(self.mode);
        if let Some(level) = thinking {
            let previous = std::mem::replace(&mut self.thinking, level);
            self.told_level = None;
            self.tell_thinking(level, previous, by.word().to_owned());
        }
        if let Some(model) = model {
            self.noted_model = Some(model.clone());
            self.told_level = None;
            let previous = self.model.replace(model.clone()).map(|previous| previous.to_string());
            self.know_window();
            self.stream.emit(
                None,
                EventBody::ModelChange {
                    model: model.to_string(),
                    previous: previous.unwrap_or_default(),
                    source: by.word().to_owned(),
                },
            );
        }
        Ok(())
    }

    /// Takes over what the settings say now: all that new sessions start with while nothing was said or chosen in this
    /// one, later what is another than before and nobody chose. The mode holds at once, model and thinking level from
    /// the next turn on. A subagent goes on as its session started it. Answers the mode if it is another one now.
    pub(super) async fn adopt(&mut self, adoption: Adoption) -> Result<Option<Mode>, KitError> {
        let parallel = self.shared.setup_of(&self.cwd).settings.max_subagents;
        self.nursery.resize(parallel.unwrap_or(subagent::DEFAULT_PARALLEL));
        let before = self.mode;
        if self.role.is_none() {
            let (defaults, changed) = adoption.of(&self.cwd);
            let is_untouched = self.journal.history().records().is_empty() && self.repairs.is_empty();
            if is_untouched && self.running.is_none() && self.chosen == Chosen::default() {
                self.mode = defaults.mode.unwrap_or_default();
                self.model = defaults.model;
                self.thinking = defaults.thinking.unwrap_or_default();
            } else {
                let Changes { mode, model, thinking, .. } = changed;
                let mode = mode.filter(|_| !self.chosen.mode);
                self.change(Changes { mode, by: ChangedBy::Settings, ..Changes::default() }).await?;
                let waiting = self.adopting.take().unwrap_or_default();
                self.adopting = Some(Changes {
                    model: model.or(waiting.model),
                    thinking: thinking.or(waiting.thinking),
                    by: ChangedBy::Settings,
                    mode: None,
                });
                if self.running.is_none() {
                    self.adopt_rest().await;
                }
            }
        }
        self.know_window();
        Ok((self.mode != before).then_some(self.mode))
    }

    /// Takes over what waited for the end of the turn.
    pub(super) async fn adopt_rest(&mut self) {
        let Some(Changes { model, thinking, by, .. }) = self.adopting.take() else { return };
        let model = model.filter(|_| !self.chosen.model);
        let thinking = thinking.filter(|_| !self.chosen.thinking);
        if let Err(error) = self.change(Changes { mode: None, model, thinking, by }).await {
            let message = format!("the session goes on as before: {}", error.message);
            self.stream.emit(None, EventBody::Notice { message });
        }
    }

    /// The settings of the running turn, or of the next one.
    pub(super) fn setup(&self) -> Arc<Setup> {
        self.running
            .as_ref()
            .map_or_else(|| self.shared.setup_of(&self.cwd), |running| Arc::clone(&running.setup))
    }

    /// The event that says that the model lacks the level that was asked for, unless that was told already.
    pub(super) fn missing_level(&mut self, model: &dyn Model) -> Option<EventBody> {
        let level = model.thinking(self.thinking);
        if level == self.thinking || self.told_level == Some(level) {
            return None;
        }
        self.told_level = Some(level);
        let (previous, source) = (self.thinking, "model_fallback".to_owned());
        self.observe(Observation::ThinkingLevelChange { level, previous, source: source.clone() });
        Some(EventBody::ThinkingChange { level, previous, source })
    }

    pub(super) fn know_window(&mut self) {
        let known =
            self.model.as_ref().and_then(|model| self.shared.setup_of(&self.cwd).models.resolve(model).ok());
        self.context_window = known.map_or(0, |model| model.info().context_window);
    }

    /// Sets model, mode, thinking level and plan to what the current branch says.
    pub(super) async fn read_branch_settings(&mut self) -> Result<(), KitError> {
        let branch = self.journal.history().current_branch();
        let entries = restore::settings_entries(self.journal.history(), &branch);
        let notes: Vec<SettingsNote> = self
            .settings
            .iter()
            .filter(|(index, _)| branch.binary_search(index).is_ok())
            .map(|(_, note)| *note)
            .collect();
        let wanted = entries.clone();
        let found = self
            .on_branch(entries, move |history, lines| {
                restore::settings(history, lines, &wanted, notes.into_iter())
            })
            .await?;
        let plan = self.plans.iter().rev().find(|(index, _)| branch.binary_search(index).is_ok());
        self.plan = plan.map(|(_, entries)| entries.clone()).unwrap_or_default();
        self.watch_again(&branch);
        self.mode = found.mode.unwrap_or(self.mode);
        self.thinking = found.thinking.unwrap_or(self.thinking);
        self.noted_model.clone_from(&found.model);
        self.model = found.model.or(self.model.take());
        self.know_window();
        self.measure();
        Ok(())
    }
}
