//! The subagents of one session, as long as the session is open.
//!
//! A subagent that a turn waits for is forgotten when it is done. One in the background, or of a program, is kept with
//! its report until as many newer ones are done, so that it can be asked for. Of one that its model started in the
//! background the session learns the end once; what a program started is the program's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::SessionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::relay::Relay;
use super::{Subagent, SubagentReport};

/// Reports of background subagents that are kept.
const MOST_KEPT: usize = 100;

/// How a subagent's end reaches its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Somebody waits for it.
    Awaited,
    /// The session is told.
    Told,
    /// Whoever started it asks for the report; the session is not told.
    Kept,
}

struct Child {
    subagent: Subagent,
    ending: Ending,
}

struct Parallel {
    wanted: usize,
    there: usize,
}

fn places(parallel: u32) -> usize {
    usize::try_from(parallel.max(1)).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

/// The subagents of one session.
pub(crate) struct Nursery {
    pub(crate) relay: Arc<Relay>,
    /// One permit for each subagent that may run.
    places: Arc<Semaphore>,
    /// How many permits there are to be; those above are taken away as their subagents end.
    parallel: Mutex<Parallel>,
    children: Mutex<Vec<Child>>,
}

impl Nursery {
    /// For a session of which so many subagents may run at once.
    pub(crate) fn new(parallel: u32) -> Arc<Self> {
        let places = places(parallel);
        Arc::new(Self {
            relay: Arc::default(),
            places: Arc::new(Semaphore::new(places)),
            parallel: Mutex::new(Parallel { wanted: places, there: places }),
            children: Mutex::default(),
        })
    }

    /// From now on so many may run at once; those that run go on.
    pub(crate) fn resize(&self, parallel: u32) {
        let mut parallel_now = self.parallel.lock().unwrap_or_else(PoisonError::into_inner);
        parallel_now.wanted = places(parallel);
        let missing = parallel_now.wanted.saturating_sub(parallel_now.there);
        self.places.add_permits(missing);
        parallel_now.there += missing;
        let surplus = parallel_now.there.saturating_sub(parallel_now.wanted);
        parallel_now.there -= self.places.forget_permits(surplus);
    }

    /// Waits for a place.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let mut parallel = self.parallel.lock().unwrap_or_else(PoisonError::into_inner);
            if parallel.there <= parallel.wanted {
                return Some(place);
            }
            parallel.there -= 1;
            place.forget();
        }
    }

    /// A subagent begins or waits for its place. Forgets an earlier task of the same one.
    pub(crate) fn take_in(&self, subagent: Subagent, ending: Ending) {
        let mut children = self.lock();
        children.retain(|child| child.subagent.id() != subagent.id());
        children.push(Child { subagent, ending });
        let done = children.iter().filter(|child| child.subagent.report().is_some()).count();
        let mut surplus = done.saturating_sub(MOST_KEPT);
        children.retain(|child| {
            let forget = surplus > 0 && child.subagent.report().is_some();
            surplus -= usize::from(forget);
            !forget
        });
    }

    /// A subagent is done.
    pub(crate) fn ended(&self, session: &SessionId) {
        self.lock().retain(|child| child.subagent.id() != session || child.ending != Ending::Awaited);
    }

    /// A subagent that works, waits, or is done and kept.
    pub(crate) fn find(&self, session: &SessionId) -> Option<Subagent> {
        self.lock().iter().find(|child| child.subagent.id() == session).map(|child| child.subagent.clone())
    }

    /// All that work, wait, or are done and kept.
    pub(crate) fn all(&self) -> Vec<Subagent> {
        self.lock().iter().map(|child| child.subagent.clone()).collect()
    }

    /// Those that work or wait.
    pub(crate) fn working(&self) -> Vec<SessionId> {
        let children = self.lock();
        let working = children.iter().filter(|child| child.subagent.report().is_none());
        working.map(|child| child.subagent.id().clone()).collect()
    }

    /// Stops all.
    pub(crate) fn kill_all(&self) {
        for child in self.lock().iter() {
            child.subagent.kill();
        }
    }

    /// Somebody reads the report of a subagent, so the session need not be told.
    pub(crate) fn read(&self, session: &SessionId) {
        for child in self.lock().iter_mut().filter(|child| child.subagent.id() == session) {
            child.ending = Ending::Awaited;
        }
    }

    /// The ends that the session has to be told.
    pub(crate) fn news(&self) -> Vec<(Subagent, Arc<SubagentReport>)> {
        let mut news = Vec::new();
        for child in self.lock().iter_mut().filter(|child| child.ending == Ending::Told) {
            if let Some(report) = child.subagent.report() {
                child.ending = Ending::Awaited;
                news.push((child.subagent.clone(), report));
            }
        }
        news
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
