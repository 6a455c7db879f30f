//! What a headless run is told, in order: the events of its sessions, what extensions show, and what is wrong with files.
//! A run that prints slower than its agent works keeps what is not printed yet.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kit_protocol::{Event, FileProblem, ReviewState, Status, UiUpdate};
use kit_session::Sink;
use tokio::sync::Notify;

/// Whose problems the run tells by itself, when it starts.
const TOLD_AT_THE_START: &str = "settings";

/// One thing to tell.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// Something happened in a session.
    Event(Box<Event>),
    /// An extension shows something.
    Shown(UiUpdate),
    /// A file is wrong.
    Problem(FileProblem),
}

/// Keeps news until they are taken.
#[derive(Default)]
pub(super) struct Feed {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    news: VecDeque<News>,
    /// Problems come all again with each new one.
    told: BTreeSet<FileProblem>,
}

impl Feed {
    /// The next thing to tell.
    pub(super) async fn next(&self) -> News {
        loop {
            let arrived = self.arrived.notified();
            if let Some(news) = self.take() {
                return news;
            }
            arrived.await;
        }
    }

    /// The next thing to tell, if there is any.
    pub(super) fn take(&self) -> Option<News> {
        self.lock().news.pop_front()
    }

    fn push(&self, news: News) {
        self.lock().news.push_back(news);
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Feed {
    fn event(&self, event: Event) {
        self.push(News::Event(Box::new(event)));
    }

    fn status(&self, _status: Status) {}

    fn review(&self, _state: ReviewState) {}

    fn problems(&self, owner: &'static str, problems: Vec<FileProblem>) {
        if owner == TOLD_AT_THE_START {
            return;
        }
        for problem in problems {
            let is_new = self.lock().told.insert(problem.clone());
            if is_new {
                self.push(News::Problem(problem));
            }
        }
    }

    fn ui(&self, update: UiUpdate) {
        self.push(News::Shown(update));
    }
}
