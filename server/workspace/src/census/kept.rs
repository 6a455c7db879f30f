//! The last look at all files, kept for a while, so that the next one reads only what changed since.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::Seen;

/// How long after a command. The commands of one turn follow each other sooner.
const LIFETIME: Duration = Duration::from_secs(60);

/// A place for one look.
#[derive(Default)]
pub(crate) struct Kept {
    place: Arc<Mutex<Option<Arc<Seen>>>>,
    expiry: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Kept {
    /// The look that is kept.
    pub(super) fn get(&self) -> Option<Arc<Seen>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a look instead of the one before, from now on for its lifetime.
    pub(super) fn set(&self, seen: Arc<Seen>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        let place = Arc::clone(&self.place);
        let expiry = tokio::spawn(async move {
            tokio::time::sleep(LIFETIME).await;
            place.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        let expiry = Some(AbortOnDropHandle::new(expiry));
        *self.expiry.lock().unwrap_or_else(PoisonError::into_inner) = expiry;
    }
}
