//! The review desk: keeps the ledger of agent changes up to date while the user types and agents edit.
//!
//! The workspace tells it every change; that call only queues. A worker, off the transport task, takes what is queued
//! and works it into the ledger in order, so changes and commands see each other in the order in which they came. What
//! the user types in one file is merged while it waits, which bounds the queue, and is worked in at most every
//! `TYPING_PAUSE`; an agent's change or a command is worked in at once. After each round the review is published if it
//! changed.
//!
//! A tool's result is announced only after `settled`: then the ledger has the change on disk. The desk writes no file
//! of the user except by plans that a command asked for, through the workspace and its compare-and-swap.

mod commands;
mod commits;
mod onlooker;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use kit_protocol::{ErrorKind, KitError};
use kit_review::{Current, CurrentTexts, JOURNAL, Ledger, Notice, StoreError};
use kit_text::Text;
use kit_workspace::{
    Author, Base, Change, ChangeObserver, DocumentUri, Paths, Watch, WatchError, Watched, Workspace,
};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::board::Board;
use crate::journal::files;
use crate::sink::Sink;

pub(crate) use onlooker::Onlooker;

/// How often typing is worked in.
const TYPING_PAUSE: Duration = Duration::from_millis(40);
/// How far back a change looks for one that it can be merged with.
const MERGE_DISTANCE: usize = 16;
/// How much of a root's path a ledger's folder is named with.
const LONGEST_FOLDER: usize = 80;

type Job = Box<dyn FnOnce(Result<&mut Ledger, &KitError>) + Send>;

enum Item {
    Changed(Change),
    Opened { uri: DocumentUri, text: Text, version: i32 },
    Closed { uri: DocumentUri },
    Command(Job),
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// How many items were ever queued, merged ones included.
    queued: u64,
    /// Whether somebody waits, so that typing is not held back.
    urgent: bool,
    /// Who wants to know which files change.
    touched: Vec<Weak<Mutex<HashSet<DocumentUri>>>>,
}

/// What the desk works with once the sessions are there.
struct Attached {
    workspace: Weak<Workspace>,
    sink: Arc<dyn Sink>,
    board: Arc<Board>,
    _worker: AbortOnDropHandle<()>,
    _follower: AbortOnDropHandle<()>,
}

/// Owner of the ledger, and the workspace's observer. Make it first, give it to the workspace, then to the sessions.
pub struct ReviewDesk {
    queue: Mutex<Queue>,
    wake: Notify,
    /// How many of the queued items are worked in.
    done: watch::Sender<u64>,
    attached: OnceLock<Attached>,
}

impl ReviewDesk {
    /// A desk that collects changes; it works them in as soon as the sessions exist.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            wake: Notify::new(),
            done: watch::Sender::new(0),
            attached: OnceLock::new(),
        })
    }

    /// Starts the worker, which opens the ledger of the workspace's roots. Writes no file of the user.
    pub(crate) fn attach(
        self: &Arc<Self>,
        paths: &Paths,
        workspace: &Arc<Workspace>,
        sink: Arc<dyn Sink>,
        board: Arc<Board>,
    ) {
        let folder = ledger_folder(paths, workspace);
        let follow = follow(Arc::downgrade(self), folder.join(JOURNAL));
        let work = work(Arc::downgrade(self), folder, Arc::downgrade(workspace));
        let attached = Attached {
            workspace: Arc::downgrade(workspace),
            sink,
            board,
            _worker: AbortOnDropHandle::new(tokio::spawn(work)),
            _follower: AbortOnDropHandle::new(tokio::spawn(follow)),
        };
        if self.attached.set(attached).is_err() {
            tracing::error!("the review desk serves one set of sessions");
        }
        self.wake.notify_one();
    }

    /// Waits until everything that was told so far is in the ledger and on disk.
    pub(crate) async fn settled(&self) {
        let until = {
            let mut queue = self.lock();
            queue.urgent = true;
            queue.queued
        };
        self.wake.notify_one();
        let mut done = self.done.subscribe();
        // The sender lives as long as the desk.
        let _alive = done.wait_for(|done| *done >= until).await;
    }

    /// Runs a function on the ledger after everything that was told so far.
    pub(crate) async fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, KitError> {
        let (answer, answered) = oneshot::channel();
        self.push(Item::Command(Box::new(move |ledger| {
            let result = match ledger {
                Ok(ledger) => work(ledger).map_err(|error| unavailable(&error)),
                Err(error) => Err(error.clone()),
            };
            // Whoever asked may have given up.
            let _unread = answer.send(result);
        })));
        answered
            .await
            .unwrap_or_else(|_| Err(KitError::new(ErrorKind::Internal, "the review failed unexpectedly")))
    }

    fn attached(&self) -> Result<(&Attached, Arc<Workspace>), KitError> {
        let attached = self.attached.get();
        attached
            .and_then(|attached| Some((attached, attached.workspace.upgrade()?)))
            .ok_or_else(|| KitError::new(ErrorKind::Unavailable, "the review has not started yet"))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, item: Item) {
        {
            let mut queue = self.lock();
            queue.queued += 1;
            queue.urgent |= match &item {
                Item::Changed(change) => change.author != Author::User,
                Item::Opened { .. } | Item::Closed { .. } => false,
                Item::Command(_) => true,
            };
            if let Some(item) = merge(&mut queue.items, item) {
                queue.items.push_back(item);
            }
        }
        self.wake.notify_one();
    }

    fn publish(&self, ledger: &Ledger, published: &mut Option<u64>) {
        if *published == Some(ledger.revision()) {
            return;
        }
        let Some(attached) = self.attached.get() else { return };
        let state = ledger.snapshot();
        *published = Some(ledger.revision());
        attached.board.set_review(state.summary);
        attached.sink.review(state);
    }
}

impl ChangeObserver for ReviewDesk {
    fn changed(&self, change: Change) {
        self.note_touched(&change.uri);
        self.push(Item::Changed(change));
    }

    fn opened(&self, uri: &DocumentUri, text: &Text, version: i32) {
        self.push(Item::Opened { uri: uri.clone(), text: text.clone(), version });
    }

    fn closed(&self, uri: &DocumentUri) {
        self.push(Item::Closed { uri: uri.clone() });
    }
}

/// Merges typing into typing that waits for the same file; answers the item if there is nothing to merge it with.
fn merge(items: &mut VecDeque<Item>, item: Item) -> Option<Item> {
    let Item::Changed(change) = item else { return Some(item) };
    if change.author != Author::User {
        return Some(Item::Changed(change));
    }
    for waiting in items.iter_mut().rev().take(MERGE_DISTANCE) {
        match waiting {
            Item::Changed(before) if before.uri == change.uri => {
                if before.author == Author::User
                    && before.exists == change.existed
                    && before.after == change.before
                {
                    before.after = change.after;
                    before.exists = change.exists;
                    before.version = change.version;
                    return None;
                }
                return Some(Item::Changed(change));
            }
            Item::Opened { uri, .. } | Item::Closed { uri } if *uri == change.uri => {
                return Some(Item::Changed(change));
            }
            Item::Command(_) => return Some(Item::Changed(change)),
            Item::Changed(_) | Item::Opened { .. } | Item::Closed { .. } => {}
        }
    }
    Some(Item::Changed(change))
}

fn unavailable(error: &StoreError) -> KitError {
    KitError::new(ErrorKind::Unavailable, error.to_string())
}

/// One ledger for each set of roots, so that the editors that work on it share it.
fn ledger_folder(paths: &Paths, workspace: &Workspace) -> PathBuf {
    let mut roots: Vec<String> =
        workspace.roots().iter().map(|root| root.real.to_string_lossy().into_owned()).collect();
    roots.sort();
    let name = files::encode_directory(roots.first().map_or("none", String::as_str));
    let shown: String =
        name.chars().rev().take(LONGEST_FOLDER).collect::<Vec<_>>().into_iter().rev().collect();
    let hash = Text::from_str(&roots.join("\n")).hash().0;
    paths.state.join("review").join(format!("{shown}-{hash:016x}"))
}

/// The ledger as the worker has it: open, or why not.
type Opened = Result<Ledger, KitError>;

async fn work(desk: Weak<ReviewDesk>, folder: PathBuf, workspace: Weak<Workspace>) {
    let texts = Texts { runtime: tokio::runtime::Handle::current(), workspace };
    let opening = tokio::task::spawn_blocking(move || open(folder, texts));
    let Ok(mut ledger) = opening.await else { return };
    let mut published = None;
    loop {
        let items = {
            let Some(desk) = desk.upgrade() else { return };
            let mut queue = desk.lock();
            queue.urgent = false;
            let items = std::mem::take(&mut queue.items);
            (items, queue.queued)
        };
        let round = tokio::task::spawn_blocking({
            let desk = desk.clone();
            move || {
                let (items, count) = items;
                let mut published = published;
                for item in items {
                    take_in(&mut ledger, item);
                }
                if let Some(desk) = desk.upgrade() {
                    if let Ok(ledger) = &ledger {
                        desk.publish(ledger, &mut published);
                    }
                    desk.done.send_replace(count);
                }
                (ledger, published)
            }
        });
        match round.await {
            Ok((returned, last)) => (ledger, published) = (returned, last),
            Err(error) => {
                tracing::error!(%error, "the review failed");
                return;
            }
        }
        let Some(desk) = desk.upgrade() else { return };
        if !desk.wait_for_work().await {
            return;
        }
    }
}

/// Takes over what other processes decide about the same files, as soon as they do.
async fn follow(desk: Weak<ReviewDesk>, journal: PathBuf) {
    let look = async || match desk.upgrade() {
        Some(desk) => desk
            .with(Ledger::look)
            .await
            .inspect_err(|error| tracing::warn!(%error, "the review is not followed"))
            .is_ok(),
        None => false,
    };
    // The folder is there once the ledger is open.
    if !look().await {
        return;
    }
    let watching = tokio::task::spawn_blocking(move || {
        let mut watch = Watch::new()?;
        watch.set(&[Watched::File(journal)]);
        Ok::<_, WatchError>(watch)
    });
    let mut watch = match watching.await {
        Ok(Ok(watch)) => watch,
        Ok(Err(error)) => {
            return tracing::warn!(%error, "what other editors decide is seen with the next operation");
        }
        Err(_) => return,
    };
    while look().await {
        watch.changed().await;
    }
}

impl ReviewDesk {
    /// Waits until something is queued; typing waits a moment for more of it.
    async fn wait_for_work(&self) -> bool {
        let waiting = || {
            let queue = self.lock();
            (!queue.items.is_empty() || queue.queued > *self.done.borrow(), queue.urgent)
        };
        loop {
            match waiting() {
                (true, true) => return true,
                (true, false) => {
                    tokio::select! {
                        () = tokio::time::sleep(TYPING_PAUSE) => return true,
                        () = self.wake.notified() => {}
                    }
                }
                (false, _) => self.wake.notified().await,
            }
        }
    }
}

/// What the ledger asks of the workspace.
struct Texts {
    runtime: tokio::runtime::Handle,
    workspace: Weak<Workspace>,
}

impl CurrentTexts for Texts {
    fn current(&self, uri: &DocumentUri) -> Result<Current, String> {
        current(&self.runtime, &self.workspace, uri)
    }

    fn is_kept_at_once(&self, uri: &DocumentUri) -> bool {
        let Some(workspace) = self.workspace.upgrade() else { return false };
        workspace.locate(uri).is_ok_and(|location| workspace.is_kept_at_once(&location))
    }
}

fn open(folder: PathBuf, texts: Texts) -> Opened {
    let mut ledger = Ledger::open(&folder, Arc::new(texts)).map_err(|error| {
        tracing::error!(folder = %folder.display(), %error, "the review cannot be restored");
        unavailable(&error)
    })?;
    for notice in ledger.take_notices() {
        match notice {
            Notice::Lost { uri, why } => {
                tracing::warn!(uri = uri.as_str(), why, "changes can no longer be reviewed")
            }
            Notice::SetAside(path) => {
                tracing::warn!(path = %path.display(), "an unreadable review was set aside")
            }
        }
    }
    Ok(ledger)
}

fn take_in(ledger: &mut Opened, item: Item) {
    let ledger = match (ledger, item) {
        (Ok(ledger), Item::Changed(change)) => {
            if let Err(error) = ledger.record(&change) {
                tracing::error!(uri = change.uri.as_str(), %error, "a change is not saved for review");
            }
            return;
        }
        (Ok(ledger), Item::Opened { uri, text, version }) => {
            ledger.observe(&uri, &Current { text: Some(text), version: Some(version) });
            return;
        }
        (Ok(ledger), Item::Closed { uri }) => {
            // Unsaved text is gone with the document; what counts now is the file. The next operation reads it.
            if let Some(text) = ledger.file(&uri).map(|file| file.current().cloned()) {
                ledger.observe(&uri, &Current { text, version: None });
            }
            return;
        }
        (Ok(ledger), Item::Command(work)) => (Ok(ledger), work),
        (Err(error), Item::Command(work)) => (Err(&*error), work),
        (Err(_), Item::Changed(_) | Item::Opened { .. } | Item::Closed { .. }) => return,
    };
    let (ledger, work) = ledger;
    work(ledger);
}

/// What a file holds now, for the ledger; called on threads that may block.
fn current(
    runtime: &tokio::runtime::Handle,
    workspace: &Weak<Workspace>,
    uri: &DocumentUri,
) -> Result<Current, String> {
    let workspace = workspace.upgrade().ok_or("the workspace is closed")?;
    let location = workspace.locate(uri).map_err(|error| error.to_string())?;
    let snapshot = runtime.block_on(workspace.snapshot(&location)).map_err(|error| error.to_string())?;
    Ok(match snapshot.base {
        Base::Open { version, .. } => Current { text: Some(snapshot.text), version: Some(version) },
        Base::Disk { .. } => Current { text: Some(snapshot.text), version: None },
        Base::Missing => Current { text: None, version: None },
    })
}

#[cfg(test)]
mod tests;
