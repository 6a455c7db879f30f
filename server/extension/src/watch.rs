//! Files of extensions that change, appear or go.
//!
//! The folders of extensions and those of named files are watched, as far as they exist; a folder that appears later is
//! seen by its parent. Changes are waited out, as editors save in several steps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::extensions::Extensions;

/// How long nothing must change before extensions are loaded again.
const QUIET: Duration = Duration::from_millis(50);

impl Extensions {
    /// Loads again whenever something changes, until the host is dropped.
    pub(crate) async fn watch(self: Arc<Self>) {
        // A change that comes while another is waited out is the same change: one slot is enough.
        let (changed, mut changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel has a change in it already.
                let _known = changed.try_send(());
            }
        });
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "changes of extensions are not seen; reload them by kit.extension.reload");
                return;
            }
        };
        let later = Arc::downgrade(&self);
        let mut watched = BTreeSet::new();
        self.watch_folders(&mut watcher, &mut watched);
        drop(self);
        while changes.recv().await.is_some() {
            while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
            let Some(hub) = later.upgrade() else { return };
            hub.load_all().await;
            hub.watch_folders(&mut watcher, &mut watched);
        }
    }

    fn watch_folders(&self, watcher: &mut RecommendedWatcher, watched: &mut BTreeSet<PathBuf>) {
        let cwd = self.cwd();
        let named = self.settings().named.into_iter().filter_map(|path| {
            let path = cwd.join(path);
            if path.is_dir() { Some(path) } else { path.parent().map(Path::to_path_buf) }
        });
        for folder in self.folders().into_iter().chain(named) {
            // A folder that is not there yet appears in the nearest one that is.
            let (folder, mode) = match folder.is_dir() {
                true => (folder, RecursiveMode::Recursive),
                false => match folder.ancestors().skip(1).take(2).find(|parent| parent.is_dir()) {
                    Some(parent) => (parent.to_path_buf(), RecursiveMode::NonRecursive),
                    None => continue,
                },
            };
            if watched.insert(folder.clone())
                && let Err(error) = watcher.watch(&folder, mode)
            {
                tracing::debug!(folder = %folder.display(), %error, "a folder of extensions is not watched");
                watched.remove(&folder);
            }
        }
    }
}
