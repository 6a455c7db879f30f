//! Sessions without an editor: what a program needs beside its own idea of what to do with the events.
//!
//! Files are edited on disk, and what would need an answer of the user is refused. Whoever has an editor, other tools or
//! extensions makes the [`Dependencies`] field by field instead, or changes fields of these.

use std::path::PathBuf;
use std::sync::Arc;

use kit_protocol::{Event, EventBody, ReviewState, Settings, Status, TurnId};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{DiskEditor, Documents, Paths, Root, Workspace};
use tokio::sync::{broadcast, watch};

use crate::attention::Attention;
use crate::contributions::Contributions;
use crate::dependencies::{CurrentSetup, Dependencies, Setup};
use crate::desk::ReviewDesk;
use crate::hooks::NoHooks;
use crate::project::Projects;
use crate::sink::Sink;

/// Events that a listener may be behind; what is older is missed, and the listener learns how many.
const EVENTS: usize = 4096;

impl Dependencies {
    /// Everything for sessions in one folder of the disk, with the models of the environment and of the settings.
    pub fn local(root: impl Into<PathBuf>, paths: Paths, settings: Settings, sink: Arc<dyn Sink>) -> Self {
        let documents = Arc::new(Documents::new());
        // The desk and the attention come first, because the workspace reports to them.
        let (desk, attention) = (ReviewDesk::new(), Attention::new());
        let editor = attention.watch(Arc::new(DiskEditor));
        let roots = vec![Root::new(root.into())];
        Self {
            workspace: Arc::new(Workspace::new(roots, Arc::clone(&documents), editor, desk.clone())),
            documents,
            tools: Arc::new(Registry::builtin()),
            policy: Arc::new(Policy::new(&paths, &[])),
            projects: Projects::new(&paths, &settings),
            paths,
            setup: CurrentSetup::from(Setup {
                models: Arc::new(Models::new(&ProviderSettings::from(&settings), Environment::capture())),
                tool_settings: Arc::new(ToolSettings::new(&settings, None)),
                settings,
            }),
            sink,
            desk,
            attention,
            contributions: Contributions::new(),
            hooks: Arc::new(NoHooks),
        }
    }
}

/// A sink that any number of listeners in the same program can follow.
pub struct Feed {
    events: broadcast::Sender<Event>,
    status: watch::Sender<Status>,
    review: watch::Sender<Option<ReviewState>>,
}

impl Feed {
    /// A feed that nobody follows yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            events: broadcast::Sender::new(EVENTS),
            status: watch::Sender::new(Status::default()),
            review: watch::Sender::new(None),
        })
    }

    /// The events from now on.
    pub fn events(&self) -> Events {
        Events(self.events.subscribe())
    }

    /// The newest status.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// The newest review; `None` before the first one.
    pub fn review(&self) -> watch::Receiver<Option<ReviewState>> {
        self.review.subscribe()
    }
}

impl Sink for Feed {
    fn event(&self, event: Event) {
        // Nobody may listen, which is as good.
        let _unheard = self.events.send(event);
    }

    fn status(&self, status: Status) {
        self.status.send_replace(status);
    }

    fn review(&self, state: ReviewState) {
        self.review.send_replace(Some(state));
    }
}

/// The events of all sessions, for one listener.
pub struct Events(broadcast::Receiver<Event>);

/// A listener was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were missed; `Sessions::transcript` has them")]
pub struct Missed(pub u64);

impl Events {
    /// The next event; `None` when the feed is gone.
    pub async fn next(&mut self) -> Result<Option<Event>, Missed> {
        match self.0.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(count)) => Err(Missed(count)),
        }
    }

    /// The next event of a turn, whose last one is `turn_end`; `None` when the feed is gone.
    pub async fn next_of(&mut self, turn: &TurnId) -> Result<Option<Event>, Missed> {
        while let Some(event) = self.next().await? {
            if event.turn.as_ref() == Some(turn) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Waits for the end of a turn and answers its response, which is empty when it failed.
    pub async fn response(&mut self, turn: &TurnId) -> Result<String, Missed> {
        while let Some(event) = self.next_of(turn).await? {
            if let EventBody::TurnEnd { response, .. } = event.body {
                return Ok(response);
            }
        }
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, turn: &str) -> Event {
        let body = EventBody::Queue { length: 0 };
        Event { session: "s".into(), turn: Some(turn.into()), seq, at: 0, agent: None, body }
    }

    #[tokio::test]
    async fn a_listener_gets_the_events_of_its_turn_and_learns_what_it_missed() {
        let feed = Feed::new();
        let mut events = feed.events();
        for (seq, turn) in [(1, "a"), (2, "b"), (3, "a")] {
            feed.event(event(seq, turn));
        }
        let seq = |event: Result<Option<Event>, Missed>| event.map(|event| event.map(|event| event.seq));
        assert_eq!(seq(events.next_of(&"b".into()).await), Ok(Some(2)));
        assert_eq!(seq(events.next().await), Ok(Some(3)));
        for number in 0..EVENTS + 2 {
            feed.event(event(u64::try_from(number).unwrap(), "a"));
        }
        assert_eq!(seq(events.next().await), Err(Missed(2)));
        assert_eq!(seq(events.next().await), Ok(Some(2)));
        drop(feed);
        let mut last = Ok(Some(0));
        while let Ok(Some(_)) = last {
            last = seq(events.next().await);
        }
        assert_eq!(last, Ok(None));
    }
}
