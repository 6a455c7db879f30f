//! What extensions show, so that it can be taken away with its extension.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kit_protocol::{UiOp, UiSlot, UiUpdate};
use kit_session::Sink;

/// Something that an extension shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UiItem {
    pub(crate) text: String,
    pub(crate) markdown: bool,
    pub(crate) priority: i32,
    pub(crate) style: BTreeMap<String, String>,
}

/// Whether something is shown until it is removed.
fn stays(slot: UiSlot) -> bool {
    match slot {
        UiSlot::Widget | UiSlot::Header | UiSlot::Footer | UiSlot::Status => true,
        UiSlot::Print | UiSlot::Block | UiSlot::Prompt => false,
    }
}

/// What extensions show right now.
pub(crate) struct Board {
    screen: Arc<dyn Sink>,
    shown: Mutex<BTreeMap<(String, UiSlot, String), UiItem>>,
}

impl Board {
    pub(crate) fn new(screen: Arc<dyn Sink>) -> Self {
        Self { screen, shown: Mutex::default() }
    }

    /// Shows something; what is shown already in the same way is not sent again.
    pub(crate) fn set(&self, extension: &str, slot: UiSlot, id: &str, item: UiItem) {
        if stays(slot) {
            let key = (extension.to_owned(), slot, id.to_owned());
            let before = self.lock().insert(key, item.clone());
            if before.as_ref() == Some(&item) {
                return;
            }
        }
        self.send(extension, slot, id, Some(item));
    }

    /// Takes something away.
    pub(crate) fn remove(&self, extension: &str, slot: UiSlot, id: &str) {
        if self.lock().remove(&(extension.to_owned(), slot, id.to_owned())).is_some() {
            self.send(extension, slot, id, None);
        }
    }

    /// Takes away all that an extension shows.
    pub(crate) fn clear(&self, extension: &str) {
        let mut gone = Vec::new();
        self.lock().retain(|(owner, slot, id), _| {
            let stays = owner != extension;
            if !stays {
                gone.push((*slot, id.clone()));
            }
            stays
        });
        for (slot, id) in gone {
            self.send(extension, slot, &id, None);
        }
    }

    fn send(&self, extension: &str, slot: UiSlot, id: &str, item: Option<UiItem>) {
        let op = if item.is_some() { UiOp::Set } else { UiOp::Remove };
        let (text, markdown, priority, style) = match item {
            Some(item) => (Some(item.text), Some(item.markdown), Some(item.priority), item.style),
            None => (None, None, None, BTreeMap::new()),
        };
        self.screen.ui(UiUpdate {
            op,
            slot,
            id: id.to_owned(),
            extension: extension.to_owned(),
            text,
            markdown: markdown.filter(|markdown| *markdown),
            priority: priority.filter(|priority| *priority != 0),
            style,
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, UiSlot, String), UiItem>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
