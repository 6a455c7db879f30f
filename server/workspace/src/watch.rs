//! Files and folders that change while the process runs, as the system tells it.
//!
//! A [`Watch`] has a set of places. A folder is watched with all that is below it; a file by the folder that it lies in,
//! because editors replace files, and behind a link by its target, too. A place that is not there yet is seen to appear
//! by the nearest folder that is. What changes beside the places wakes nobody. Changes that come together are told once,
//! since editors save in several steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::real_path::real_path;

/// How long nothing must change before a change is told.
const QUIET: Duration = Duration::from_millis(50);
/// How long a change waits at most while others follow it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Something to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// One file.
    File(PathBuf),
    /// A folder with all that is below it.
    Folder(PathBuf),
}

/// The system cannot watch files.
#[derive(Debug, thiserror::Error)]
#[error("the system tells no changes of files: {0}")]
pub struct WatchError(String);

/// Watches places and waits for their changes.
pub struct Watch {
    watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    /// The real paths of the places.
    wanted: Arc<RwLock<Vec<PathBuf>>>,
    /// The folders that the system watches.
    watched: BTreeMap<PathBuf, RecursiveMode>,
}

impl Watch {
    /// A watch without places.
    pub fn new() -> Result<Self, WatchError> {
        let wanted: Arc<RwLock<Vec<PathBuf>>> = Arc::default();
        let known = Arc::clone(&wanted);
        // A change that comes while another waits to be told is the same change: one slot is enough.
        let (changed, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let wanted = known.read().unwrap_or_else(PoisonError::into_inner);
            if event.is_ok_and(|event| concerns(&wanted, &event)) {
                // A full channel has a change in it already.
                let _known = changed.try_send(());
            }
        });
        let watcher = watcher.map_err(|error| WatchError(error.to_string()))?;
        Ok(Self { watcher, changes, wanted, watched: BTreeMap::new() })
    }

    /// Watches these places from now on and no others. To be called again after a change, which may have brought a
    /// folder. Looks at the disk.
    pub fn set(&mut self, places: &[Watched]) {
        let mut wanted = Vec::new();
        let mut folders: BTreeMap<PathBuf, RecursiveMode> = BTreeMap::new();
        for place in places {
            for real in real_places(place) {
                if let Some((folder, mode)) = folder_to_watch(place, &real) {
                    let known = folders.entry(folder).or_insert(mode);
                    if mode == RecursiveMode::Recursive {
                        *known = mode;
                    }
                }
                wanted.push(real);
            }
        }
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = wanted;
        let gone: Vec<PathBuf> =
            self.watched.keys().filter(|old| !folders.contains_key(*old)).cloned().collect();
        for folder in gone {
            self.watched.remove(&folder);
            if let Err(error) = self.watcher.unwatch(&folder) {
                tracing::debug!(folder = %folder.display(), %error, "a folder was not watched any more");
            }
        }
        for (folder, mode) in folders {
            // Also those that are known: one that went and came again is a new one for the system.
            match self.watcher.watch(&folder, mode) {
                Ok(()) => drop(self.watched.insert(folder, mode)),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "changes in a folder are not seen");
                }
            }
        }
    }

    /// Waits for a change, and until nothing changes for a moment.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watcher lives as long as this and has the sender.
            return std::future::pending().await;
        }
        let latest = Instant::now() + LONGEST_WAIT;
        loop {
            let until = (Instant::now() + QUIET).min(latest);
            match tokio::time::timeout_at(until, self.changes.recv()).await {
                Ok(Some(())) if Instant::now() < latest => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// The real paths that stand for a place.
fn real_places(place: &Watched) -> Vec<PathBuf> {
    let (Watched::File(path) | Watched::Folder(path)) = place;
    let parent = path.parent().and_then(|parent| real_path(parent).ok());
    let named = parent.zip(path.file_name()).map(|(parent, name)| parent.join(name));
    let mut found: Vec<PathBuf> = real_path(path).ok().into_iter().chain(named).collect();
    found.dedup();
    found
}

/// The folder by which a place is seen.
fn folder_to_watch(place: &Watched, real: &Path) -> Option<(PathBuf, RecursiveMode)> {
    if matches!(place, Watched::Folder(_)) && real.is_dir() {
        return Some((real.to_path_buf(), RecursiveMode::Recursive));
    }
    // Two levels: the folders that this product knows lie that deep in others that are there.
    let above = real.ancestors().skip(1).take(2).find(|parent| parent.is_dir())?;
    Some((above.to_path_buf(), RecursiveMode::NonRecursive))
}

/// Whether an event is about a place, something below it, or a folder above it.
fn concerns(wanted: &[PathBuf], event: &Event) -> bool {
    if event.kind.is_access() {
        return false;
    }
    let about =
        |path: &PathBuf| wanted.iter().any(|place| path.starts_with(place) || place.starts_with(path));
    event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(about)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn changes(watch: &mut Watch) -> bool {
        tokio::time::timeout(PATIENCE, watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn replaced_linked_and_new_files_are_seen_and_their_neighbours_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("elsewhere")).unwrap();
        std::fs::write(at("elsewhere/real.yml"), "1").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("elsewhere/real.yml"), at("linked.yml")).unwrap();
        let places = [
            Watched::File(at("settings.yml")),
            Watched::File(at("linked.yml")),
            Watched::Folder(at("kit/skills")),
        ];
        let mut watch = Watch::new().unwrap();
        watch.set(&places);

        std::fs::write(at("new"), "1").unwrap();
        std::fs::rename(at("new"), at("settings.yml")).unwrap();
        assert!(changes(&mut watch).await, "a file that is moved into its place");
        #[cfg(unix)]
        {
            std::fs::write(at("elsewhere/real.yml"), "2").unwrap();
            assert!(changes(&mut watch).await, "the target of a link");
        }
        std::fs::create_dir_all(at("kit/skills")).unwrap();
        assert!(changes(&mut watch).await, "a folder that appears");
        watch.set(&places);
        std::fs::create_dir_all(at("kit/skills/deep")).unwrap();
        std::fs::write(at("kit/skills/deep/SKILL.md"), "x").unwrap();
        assert!(changes(&mut watch).await, "a file deep in a folder");

        // What comes behind these writes has passed them: the neighbours woke nobody before it.
        let beside = Event::new(notify::EventKind::Any).add_path(real_path(&at("other.yml")).unwrap());
        assert!(!concerns(&watch.wanted.read().unwrap(), &beside));
    }
}
