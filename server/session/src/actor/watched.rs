//! Resources that prompts mentioned. Each is watched from then on, and one that changed is read again before the next
//! model call, so that the model does not work with what is no longer so: once in a turn at most, and only where it is
//! another than the model has.
//!
//! What the model has is noted in the session file. Nobody heard of changes while a session was not open or on another
//! branch, so its resources are read again with the next turn, and watched from then on.

use kit_protocol::{EventBody, TurnId};

use super::Actor;
use crate::compose::Renewal;
use crate::contributions::{Contributions, Watch};
use crate::history::EntryIndex;
use crate::journal::entry::{Body, Note, ReadResource, ResourcesNote};
use crate::reference::{Fingerprint, Reference};

/// How many are watched; of more the oldest are watched no longer.
const MOST: usize = 16;

/// A resource that is in the conversation.
pub(super) struct WatchedResource {
    name: String,
    /// `None` until it can be watched.
    watch: Option<Box<dyn Watch>>,
    /// What the model has of it, once it was read.
    known: Option<Fingerprint>,
    /// Whether it may be another than the model has.
    stale: bool,
    /// The turn that read it last.
    read_in: Option<TurnId>,
}

fn watch(contributions: &Contributions, name: &str) -> Option<Box<dyn Watch>> {
    let (scheme, name) = name.split_once(':')?;
    contributions.mentions(scheme)?.watch(name)
}

impl Actor {
    /// Watches the resources among what a prompt refers to.
    pub(super) fn watch(&mut self, references: &[Reference]) {
        for reference in references {
            let Reference::Resource(name) = reference else { continue };
            if self.watched.iter().any(|watched| watched.name == *name) {
                continue;
            }
            let Some(watch) = watch(&self.shared.with.contributions, name) else { continue };
            if self.watched.len() >= MOST {
                self.watched.remove(0);
            }
            let (name, watch) = (name.clone(), Some(watch));
            self.watched.push(WatchedResource { name, watch, known: None, stale: false, read_in: None });
        }
    }

    /// Watches the resources that the model has on a branch, and no others.
    pub(super) fn watch_again(&mut self, branch: &[EntryIndex]) {
        let mut before = std::mem::take(&mut self.watched);
        let on_branch = self.resources.iter().filter(|(index, _)| branch.binary_search(index).is_ok());
        for ReadResource { name, fingerprint } in on_branch.flat_map(|(_, note)| &note.read) {
            let has_name = |watched: &WatchedResource| watched.name == *name;
            let known = Some(*fingerprint);
            if let Some(watched) = self.watched.iter_mut().find(|watched| has_name(watched)) {
                watched.known = known;
                continue;
            }
            let watch = before.iter_mut().find(|watched| has_name(watched));
            let watch = watch.and_then(|watched| watched.watch.take());
            self.watched.push(WatchedResource {
                name: name.clone(),
                watch,
                known,
                stale: true,
                read_in: None,
            });
        }
        let above = self.watched.len().saturating_sub(MOST);
        self.watched.drain(..above);
    }

    /// Those that may be others than the model has, for the next call of the running turn.
    pub(super) fn renewals(&mut self) -> Vec<Renewal> {
        let Some(turn) = self.running.as_ref().map(|running| running.machine.turn().clone()) else {
            return Vec::new();
        };
        let contributions = &self.shared.with.contributions;
        let due = self.watched.iter_mut().filter_map(|watched| {
            let known = watched.known?;
            if watched.watch.is_none() {
                watched.watch = watch(contributions, &watched.name);
            }
            watched.stale |= watched.watch.as_ref()?.take_change();
            // What changes once more stays changed until the next turn.
            if !watched.stale || watched.read_in.as_ref() == Some(&turn) {
                return None;
            }
            watched.read_in = Some(turn.clone());
            Some(Renewal { name: watched.name.clone(), known })
        });
        due.collect()
    }

    /// The model has this of resources from now on. Answers what the session file has to say of it, if anything.
    pub(super) fn read(&mut self, seen: Vec<(String, Fingerprint)>) -> Option<Body> {
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        let mut read = Vec::new();
        for (name, fingerprint) in seen {
            let Some(watched) = self.watched.iter_mut().find(|watched| watched.name == name) else {
                continue;
            };
            watched.stale = false;
            watched.read_in.clone_from(&turn);
            if watched.known.replace(fingerprint) != Some(fingerprint) {
                read.push(ReadResource { name, fingerprint });
            }
        }
        (!read.is_empty()).then(|| Body::from(&Note::Resources(ResourcesNote { read })))
    }

    /// Tells that the model has resources anew.
    pub(super) async fn tell_renewed(&mut self, renewed: Vec<String>) {
        for name in renewed {
            let message = format!("@{name} has changed since it was read, so the model got it anew");
            self.emit(EventBody::Notice { message }).await;
        }
    }
}
