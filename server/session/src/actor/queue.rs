//! The prompts that wait: listing them, and taking them back before the model reads them.
//!
//! A prompt that was accepted is on disk, and so is that it was taken back: neither a crash nor a restart brings it
//! again. Prompts that join the running turn come first, because the model reads them first.

use kit_protocol::{Delivery, ErrorKind, KitError, QueueAnswer, QueueItem, TurnId};

use super::Actor;
use crate::journal::entry::{Body, Note, TakenBackNote};
use crate::journal::write::Durability;
use crate::op::TakeBack;
use crate::restore::own_text;
use crate::turn::Input;

impl Actor {
    /// Takes waiting prompts back and tells which ones are left.
    pub(super) async fn take_back(&mut self, taken: TakeBack) -> Result<QueueAnswer, KitError> {
        match taken {
            TakeBack::Nothing => {}
            TakeBack::One(id) => {
                let queued = self.queue.iter().find(|waiting| waiting.turn.as_str() == id);
                match queued.map(|waiting| waiting.turn.clone()) {
                    Some(turn) => self.cancel_waiting(&turn).await,
                    None => self.take_back_steers(|steer| steer == id).await?,
                }
            }
            TakeBack::All => {
                let queued: Vec<TurnId> = self.queue.iter().map(|waiting| waiting.turn.clone()).collect();
                for turn in queued {
                    self.cancel_waiting(&turn).await;
                }
                if self.running.as_ref().is_some_and(|running| !running.steers.is_empty()) {
                    self.take_back_steers(|_| true).await?;
                }
            }
        }
        self.post();
        Ok(QueueAnswer { items: self.waiting() })
    }

    async fn take_back_steers(&mut self, is_taken: impl Fn(&str) -> bool) -> Result<(), KitError> {
        let steers = self.running.as_ref().map(|running| running.steers.as_slice()).unwrap_or_default();
        let taken: Vec<String> =
            steers.iter().map(|steer| steer.id.clone()).filter(|id| is_taken(id)).collect();
        if taken.is_empty() {
            return Err(KitError::new(
                ErrorKind::NotFound,
                "no waiting prompt has this id; it may have been sent to the model already",
            ));
        }
        let notes = taken.iter().map(|id| Body::from(&Note::TakenBack(TakenBackNote { id: id.clone() })));
        self.append(notes.collect(), Durability::Synced).await?;
        if let Some(running) = &mut self.running {
            running.steers.retain(|steer| !taken.contains(&steer.id));
        }
        self.tell_queue();
        if self.running.as_ref().is_some_and(|running| running.steers.is_empty()) {
            self.input(Input::Unsteered).await;
        }
        Ok(())
    }

    fn waiting(&self) -> Vec<QueueItem> {
        let steers = self.running.iter().flat_map(|running| &running.steers).map(|steer| QueueItem {
            id: steer.id.clone(),
            turn: steer.turn.clone(),
            delivery: Delivery::Steer,
            text: own_text(&steer.parts),
        });
        let queued = self.queue.iter().map(|waiting| QueueItem {
            id: waiting.turn.to_string(),
            turn: waiting.turn.clone(),
            delivery: Delivery::Queue,
            text: own_text(&waiting.parts),
        });
        steers.chain(queued).collect()
    }
}
