//! The settings of a session: how they change, what the file says about them, and what follows from the model.

use kit_protocol::{EventBody, KitError};
use kit_provider::Model;

use super::{Actor, from_model};
use crate::hooks::Observation;
use crate::journal::entry::{Body, Note, SettingsNote};
use crate::journal::write::Durability;
use crate::op::Changes;
use crate::restore;

impl Actor {
    /// Changes settings of the session from here on.
    pub(super) async fn change(&mut self, changes: Changes) -> Result<(), KitError> {
        let Changes { mode, model, thinking, by } = changes;
        let mode = mode.filter(|mode| *mode != self.mode);
        let thinking = thinking.filter(|thinking| *thinking != self.thinking);
        let mut entries = Vec::new();
        if mode.is_some() || thinking.is_some() {
            entries.push(Body::from(&Note::Settings(SettingsNote { mode, thinking })));
        }
        let model = model.filter(|model| self.model.as_ref() != Some(model));
        if let Some(model) = &model {
            self.shared.setup().models.resolve(model).map_err(from_model)?;
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

    /// Takes over what new sessions start with, as long as nothing was said or chosen in this one.
    pub(super) fn adopt(&mut self, defaults: Changes) {
        if self.journal.history().records().is_empty() && self.repairs.is_empty() && self.running.is_none() {
            self.mode = defaults.mode.unwrap_or_default();
            self.model = defaults.model;
            self.thinking = defaults.thinking.unwrap_or_default();
        }
        self.know_window();
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
        let known = self.model.as_ref().and_then(|model| self.shared.setup().models.resolve(model).ok());
        self.context_window = known.map_or(0, |model| model.info().context_window);
    }

    /// Sets model, mode and thinking level to what the current branch says.
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
        self.mode = found.mode.unwrap_or(self.mode);
        self.thinking = found.thinking.unwrap_or(self.thinking);
        self.noted_model.clone_from(&found.model);
        self.model = found.model.or(self.model.take());
        self.know_window();
        self.measure();
        Ok(())
    }
}
