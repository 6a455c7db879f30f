//! What the project and the user bring to a session: instructions, skills and prompt templates.
//!
//! Everything here is read from files when it is needed. What lies in a project counts only while its root is trusted
//! (I19); what lies with the user, or is named by the user's settings, always does.

pub(crate) mod front_matter;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use kit_protocol::Settings;
use kit_workspace::{Paths, Trust};

/// The projects of a process: where their things lie, and which are trusted.
pub struct Projects {
    paths: Paths,
    trust: Trust,
    settings: RwLock<Arc<Settings>>,
    /// Grows whenever settings or trust change, so that sessions look again.
    generation: AtomicU64,
}

impl Projects {
    /// Projects under these settings. Reads nothing yet.
    pub fn new(paths: &Paths, settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            paths: paths.clone(),
            trust: Trust::new(paths),
            settings: RwLock::new(Arc::new(settings.clone())),
            generation: AtomicU64::new(0),
        })
    }

    /// Takes over changed settings or a changed trust: sessions read instructions and skills again.
    pub fn apply(&self, settings: &Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings.clone());
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the user trusts a folder or one above it.
    pub fn is_trusted(&self, folder: &Path) -> bool {
        self.trust.is_trusted(folder)
    }
}
