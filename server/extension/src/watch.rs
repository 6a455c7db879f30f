//! Files of extensions that change, appear or go: those in the folders of extensions and those that settings name.

use std::sync::Arc;

use kit_workspace::{Watch, Watched};

use crate::extensions::Extensions;

impl Extensions {
    /// Loads again whenever something changes, until the host is dropped.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut watch = match Watch::new() {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "changes of extensions are not seen; reload them by kit.extension.reload");
                return;
            }
        };
        let elsewhere = Arc::clone(&self.elsewhere);
        let later = Arc::downgrade(&self);
        watch.set(&self.places());
        drop(self);
        loop {
            let changed = tokio::select! {
                () = watch.changed() => true,
                () = elsewhere.notified() => false,
            };
            let Some(hub) = later.upgrade() else { return };
            if changed {
                hub.load_all().await;
            }
            watch.set(&hub.places());
        }
    }

    /// Where extensions may lie.
    fn places(&self) -> Vec<Watched> {
        let cwd = self.cwd();
        let named = self.settings().named.into_iter().map(|path| {
            let path = cwd.join(path);
            if path.is_dir() { Watched::Folder(path) } else { Watched::File(path) }
        });
        self.folders().into_iter().map(Watched::Folder).chain(named).collect()
    }
}
