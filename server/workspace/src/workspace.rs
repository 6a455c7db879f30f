//! The workspace: roots, documents, editor and the locks that make one writer per file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use kit_protocol::SaveAfterEdit;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::census::Kept;
use crate::roots::Roots;
use crate::search::PathGlob;
use crate::{
    ChangeObserver, DocumentUri, Documents, Editor, Location, Root, Snapshot, WorkspaceError, snapshot,
};

/// What tools and sessions see of files and documents.
pub struct Workspace {
    roots: watch::Sender<Arc<Roots>>,
    documents: Arc<Documents>,
    editor: Arc<dyn Editor>,
    save_after_edit: RwLock<SaveAfterEdit>,
    auto_keep: RwLock<Vec<PathGlob>>,
    writers: Writers,
    /// What a command may find unchanged.
    pub(crate) kept: Kept,
}

impl Workspace {
    /// A workspace over the roots; the observer is told of all documents that are open already.
    pub fn new(
        roots: Vec<Root>,
        documents: Arc<Documents>,
        editor: Arc<dyn Editor>,
        observer: Arc<dyn ChangeObserver>,
    ) -> Self {
        documents.observe(observer);
        Self {
            roots: watch::Sender::new(Arc::new(Roots::new(roots, std::env::home_dir()))),
            documents,
            editor,
            save_after_edit: RwLock::default(),
            auto_keep: RwLock::default(),
            writers: Writers::default(),
            kept: Kept::default(),
        }
    }

    /// Replaces the roots.
    pub fn set_roots(&self, roots: Vec<Root>) {
        let roots = Arc::new(Roots::new(roots, std::env::home_dir()));
        self.roots.send_if_modified(|current| {
            let is_other = current.list != roots.list;
            *current = roots;
            is_other
        });
    }

    /// Tells from now on when the roots are others.
    pub fn root_changes(&self) -> RootChanges {
        RootChanges(self.roots.subscribe())
    }

    /// The roots in the editor's order.
    pub fn roots(&self) -> Vec<Root> {
        self.current_roots().list.clone()
    }

    /// Says when an edited document is saved.
    pub fn set_save_after_edit(&self, save: SaveAfterEdit) {
        *self.save_after_edit.write().unwrap_or_else(PoisonError::into_inner) = save;
    }

    /// Says which files need no review, by globs; what is none counts for no file.
    pub fn set_auto_keep(&self, globs: &[String]) {
        let globs = globs.iter().filter_map(|glob| PathGlob::new(glob, Path::new("")).ok()).collect();
        *self.auto_keep.write().unwrap_or_else(PoisonError::into_inner) = globs;
    }

    /// Whether what an agent changes in a file is kept at once.
    pub fn is_kept_at_once(&self, location: &Location) -> bool {
        let globs = self.auto_keep.read().unwrap_or_else(PoisonError::into_inner);
        let Some(root) = location.root.as_ref().filter(|_| !globs.is_empty()) else { return false };
        let relative = location.path.strip_prefix(root).unwrap_or(&location.path);
        globs.iter().any(|glob| glob.matches(relative, None))
    }

    /// The open documents.
    pub fn documents(&self) -> &Arc<Documents> {
        &self.documents
    }

    /// The editor.
    pub fn editor(&self) -> &Arc<dyn Editor> {
        &self.editor
    }

    /// What a path means that a model or user wrote; `base` is the directory that it is relative to.
    ///
    /// The location need not exist. A URI of another scheme means the open document of that name.
    pub fn resolve(&self, base: &Path, path: &str) -> Result<Location, WorkspaceError> {
        let uri = DocumentUri::parse(path);
        if !uri.is_file() && self.documents.get(&uri).is_some() {
            return Ok(opaque(uri));
        }
        self.current_roots().resolve(base, path)
    }

    /// Where a document lies.
    pub fn locate(&self, uri: &DocumentUri) -> Result<Location, WorkspaceError> {
        match uri.to_path() {
            Some(path) => self.current_roots().locate(&path, &path),
            None => Ok(opaque(uri.clone())),
        }
    }

    /// What a file holds now: the open document's text where there is one, else the disk's. An editor that tells
    /// nothing by itself is asked first.
    pub async fn snapshot(&self, location: &Location) -> Result<Snapshot, WorkspaceError> {
        self.look(location).await;
        let (documents, wanted) = (Arc::clone(&self.documents), location.clone());
        blocking(move || snapshot::take(&documents, &wanted)).await.unwrap_or_else(|lost| {
            Err(WorkspaceError::Io { path: location.path.clone(), why: lost.to_string() })
        })
    }

    /// The bytes of a file on disk that no editor has open, if `limit` takes it by its first bytes: it says how many bytes
    /// the file may have. What is no file or cannot be opened is `None`.
    pub async fn bytes(
        &self,
        location: &Location,
        limit: impl FnOnce(&[u8]) -> Option<u64> + Send + 'static,
    ) -> Result<Option<Vec<u8>>, WorkspaceError> {
        let (documents, wanted) = (Arc::clone(&self.documents), location.clone());
        blocking(move || snapshot::take_bytes(&documents, &wanted, limit)).await.unwrap_or_else(|lost| {
            Err(WorkspaceError::Io { path: location.path.clone(), why: lost.to_string() })
        })
    }

    pub(crate) fn current_roots(&self) -> Arc<Roots> {
        Arc::clone(&self.roots.borrow())
    }

    pub(crate) fn saves_after_edit(&self) -> bool {
        match *self.save_after_edit.read().unwrap_or_else(PoisonError::into_inner) {
            SaveAfterEdit::IfWasClean => true,
            SaveAfterEdit::Never => false,
        }
    }

    /// Becomes the one writer of a file; `None` when cancelled before.
    pub(crate) async fn writer(&self, location: &Location, cancel: &CancellationToken) -> Option<Writer> {
        let lock = self.writers.of(&location.real);
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            guard = lock.lock_owned() => Some(Writer { _guard: guard }),
        }
    }
}

/// Changes of the roots.
pub struct RootChanges(watch::Receiver<Arc<Roots>>);

impl RootChanges {
    /// Returns when the roots are others than when this was last asked; never once the workspace is gone.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// The location of a document that is not a file.
fn opaque(uri: DocumentUri) -> Location {
    let path = PathBuf::from(uri.as_str());
    Location { display: uri.as_str().to_owned(), real: path.clone(), path, uri, inside: true, root: None }
}

/// Locks by real path, kept only while somebody uses them.
#[derive(Default)]
struct Writers {
    locks: Mutex<HashMap<PathBuf, Weak<tokio::sync::Mutex<()>>>>,
}

/// The right to write one file, until it is dropped.
pub(crate) struct Writer {
    _guard: tokio::sync::OwnedMutexGuard<()>,
}

impl Writers {
    fn of(&self, real: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(real).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        locks.insert(real.to_path_buf(), Arc::downgrade(&lock));
        lock
    }
}
