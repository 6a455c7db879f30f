//! Resources that prompts mentioned. Each is watched from then on, and one that changed is read again before the next
//! model call, so that the model does not work with what is no longer so: once in a turn at most, and only where it is
//! another than the model has.

use kit_protocol::{EventBody, TurnId};

use super::Actor;
use crate::compose::{Fingerprint, Renewal};
use crate::contributions::Watch;
use crate::reference::Reference;

/// How many are watched; of more the oldest are watched no longer.
const MOST: usize = 16;

/// A resource that is in the conversation.
pub(super) struct WatchedResource {
    name: String,
    watch: Box<dyn Watch>,
    /// What the model has of it, once it was read.
    known: Option<Fingerprint>,
    /// The turn that read it last.
    read_in: Option<TurnId>,
}

impl Actor {
    /// Watches the resources among what a prompt refers to.
    pub(super) fn watch(&mut self, references: &[Reference]) {
        for reference in references {
            let Reference::Resource(name) = reference else { continue };
            if self.watched.iter().any(|watched| watched.name == *name) {
                continue;
            }
            let contributions = &self.shared.with.contributions;
            let source =
                name.split_once(':').and_then(|(scheme, name)| contributions.mentions(scheme)?.watch(name));
            let Some(watch) = source else { continue };
            if self.watched.len() >= MOST {
                self.watched.remove(0);
            }
            self.watched.push(WatchedResource { name: name.clone(), watch, known: None, read_in: None });
        }
    }

    /// Those that may be others than the model has, for the next call of the running turn.
    pub(super) fn renewals(&mut self) -> Vec<Renewal> {
        let Some(turn) = self.running.as_ref().map(|running| running.machine.turn().clone()) else {
            return Vec::new();
        };
        let due = self.watched.iter_mut().filter_map(|watched| {
            let known = watched.known?;
            // What changes once more stays changed until the next turn.
            if watched.read_in.as_ref() == Some(&turn) || !watched.watch.take_change() {
                return None;
            }
            watched.read_in = Some(turn.clone());
            Some(Renewal { name: watched.name.clone(), known })
        });
        due.collect()
    }

    /// The model has this of resources from now on.
    pub(super) fn read(&mut self, seen: Vec<(String, Fingerprint)>) {
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        for (name, fingerprint) in seen {
            if let Some(watched) = self.watched.iter_mut().find(|watched| watched.name == name) {
                watched.known = Some(fingerprint);
                watched.read_in.clone_from(&turn);
            }
        }
    }

    /// Tells that the model has resources anew.
    pub(super) async fn tell_renewed(&mut self, renewed: Vec<String>) {
        for name in renewed {
            let message = format!("@{name} has changed since it was read, so the model got it anew");
            self.emit(EventBody::Notice { message }).await;
        }
    }
}
