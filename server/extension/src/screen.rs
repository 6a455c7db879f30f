//! What extensions show, so that it can be taken away with its extension, and not faster than anybody can look.
//!
//! What replaces something within `MERGE` waits, and only the last of it is sent. Beyond that an extension may send so
//! many things and bytes in a second, show so many at once, and texts have a cap; whoever goes beyond that is refused,
//! which ends the call that does not mind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kit_protocol::{UiOp, UiSlot, UiUpdate};
use kit_session::Sink;
use kit_tools::caps;

use crate::extensions::Extensions;
use crate::sandbox::{Bucket, Failure, FailureCode, Token};

/// How long something is shown before the next text comes in its place.
const MERGE: Duration = Duration::from_millis(100);
/// Things that an extension sends in a second.
const MOST_SENT: u32 = 200;
/// Bytes that an extension sends in a second.
const MOST_BYTES: u32 = 1 << 20;
/// Bytes of one text.
const LARGEST_TEXT: usize = 64 * 1024;
/// Bytes of an id, and of a word about how it looks.
const LARGEST_NAME: usize = 256;
/// Things that an extension shows until they are removed.
const MOST_SHOWN: usize = 100;

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

/// What became of something to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// It was sent, or is there already.
    Now,
    /// It is due later, unless it is replaced until then.
    Later(Duration),
    /// It waits with what is due already.
    Waits,
}

/// What extensions show right now.
pub(crate) struct Board {
    screen: Arc<dyn Sink>,
    shows: Mutex<BTreeMap<String, Shows>>,
}

/// What one extension shows.
struct Shows {
    items: BTreeMap<(UiSlot, String), Item>,
    sent: Bucket,
    bytes: Bucket,
}

struct Item {
    item: UiItem,
    sent_at: Instant,
    /// Whether it waits to be sent.
    held: bool,
}

impl Default for Shows {
    fn default() -> Self {
        Self { items: BTreeMap::new(), sent: Bucket::new(MOST_SENT), bytes: Bucket::new(MOST_BYTES) }
    }
}

impl Shows {
    fn admit(&mut self, size: usize) -> Result<(), Failure> {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        if self.bytes.take(size) != Token::Granted {
            let text = format!("more than {MOST_BYTES} bytes to show in a second");
            return Err(Failure::new(FailureCode::RateLimited, text));
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Failure> {
        if self.sent.take(1) != Token::Granted {
            let text = format!("more than {MOST_SENT} things to show in a second");
            return Err(Failure::new(FailureCode::RateLimited, text));
        }
        Ok(())
    }
}

impl Extensions {
    /// Shows something of an extension.
    pub(crate) fn show(&self, extension: &str, slot: UiSlot, id: &str, item: UiItem) -> Result<(), Failure> {
        if let Shown::Later(due) = self.board().set(extension, slot, id, item)?
            && let Some(hub) = self.me().upgrade()
        {
            let (extension, id) = (extension.to_owned(), id.to_owned());
            self.spawn(async move {
                tokio::time::sleep(due).await;
                hub.board().send_held(&extension, slot, id);
            });
        }
        Ok(())
    }
}

impl Board {
    pub(crate) fn new(screen: Arc<dyn Sink>) -> Self {
        Self { screen, shows: Mutex::default() }
    }

    /// Shows something; what is shown already in the same way is not sent again.
    fn set(&self, extension: &str, slot: UiSlot, id: &str, mut item: UiItem) -> Result<Shown, Failure> {
        if id.len() > LARGEST_NAME {
            let text = format!("an id has at most {LARGEST_NAME} bytes, not {}", id.len());
            return Err(Failure::new(FailureCode::Invalid, text));
        }
        if item.text.len() > LARGEST_TEXT {
            item.text = caps::head_and_tail(&item.text, usize::MAX, LARGEST_TEXT).into_owned();
        }
        item.style.retain(|_, word| word.len() <= LARGEST_NAME);
        let mut shows = self.lock();
        let shows = shows.entry(extension.to_owned()).or_default();
        shows.admit(item.text.len())?;
        if !stays(slot) {
            shows.count()?;
            self.send(extension, slot, id, Some(item));
            return Ok(Shown::Now);
        }
        let now = Instant::now();
        let key = (slot, id.to_owned());
        if let Some(known) = shows.items.get_mut(&key) {
            if known.item == item {
                return Ok(Shown::Now);
            }
            known.item = item.clone();
            let due = MERGE.saturating_sub(now - known.sent_at);
            if known.held {
                return Ok(Shown::Waits);
            }
            if !due.is_zero() {
                known.held = true;
                return Ok(Shown::Later(due));
            }
            known.sent_at = now;
        } else {
            if shows.items.len() >= MOST_SHOWN {
                let text = format!("an extension shows at most {MOST_SHOWN} things at once");
                return Err(Failure::new(FailureCode::Invalid, text));
            }
            shows.count()?;
            shows.items.insert(key, Item { item: item.clone(), sent_at: now, held: false });
        }
        self.send(extension, slot, id, Some(item));
        Ok(Shown::Now)
    }

    /// Sends what waited long enough, if it is still there.
    fn send_held(&self, extension: &str, slot: UiSlot, id: String) {
        let mut shows = self.lock();
        let Some(shows) = shows.get_mut(extension) else { return };
        let key = (slot, id);
        if let Some(known) = shows.items.get_mut(&key).filter(|known| known.held) {
            known.held = false;
            known.sent_at = Instant::now();
            self.send(extension, slot, &key.1, Some(known.item.clone()));
        }
    }

    /// Takes something away.
    pub(crate) fn remove(&self, extension: &str, slot: UiSlot, id: &str) {
        let mut shows = self.lock();
        let Some(shows) = shows.get_mut(extension) else { return };
        if shows.items.remove(&(slot, id.to_owned())).is_some() {
            self.send(extension, slot, id, None);
        }
    }

    /// Takes away all that an extension shows.
    pub(crate) fn clear(&self, extension: &str) {
        let mut shows = self.lock();
        let Some(gone) = shows.remove(extension) else { return };
        for (slot, id) in gone.items.into_keys() {
            self.send(extension, slot, &id, None);
        }
    }

    /// Sends under the lock, so that what is sent is in the order of what is known.
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

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Shows>> {
        self.shows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit_protocol::{Event, ReviewState, Status};

    #[derive(Default)]
    struct Screen(Mutex<Vec<(UiOp, String, usize)>>);

    impl Sink for Screen {
        fn event(&self, _event: Event) {}
        fn status(&self, _status: Status) {}
        fn review(&self, _state: ReviewState) {}
        fn ui(&self, update: UiUpdate) {
            let size = update.text.map_or(0, |text| text.len());
            self.0.lock().unwrap().push((update.op, update.id, size));
        }
    }

    fn board() -> (Board, Arc<Screen>) {
        let screen = Arc::new(Screen::default());
        (Board::new(screen.clone()), screen)
    }

    fn item(text: &str) -> UiItem {
        UiItem { text: text.to_owned(), ..UiItem::default() }
    }

    #[test]
    fn what_is_replaced_quickly_waits_and_only_the_last_is_sent() {
        let (board, screen) = board();
        let set = |text: &str| board.set("a", UiSlot::Widget, "w", item(text)).unwrap();
        assert_eq!((set("1"), set("1")), (Shown::Now, Shown::Now));
        assert!(matches!(set("22"), Shown::Later(_)));
        assert_eq!(set("333"), Shown::Waits);
        board.send_held("a", UiSlot::Widget, "w".to_owned());
        board.send_held("a", UiSlot::Widget, "w".to_owned());
        set("4444");
        board.remove("a", UiSlot::Widget, "w");
        board.send_held("a", UiSlot::Widget, "w".to_owned());
        let set = |size| (UiOp::Set, "w".to_owned(), size);
        assert_eq!(*screen.0.lock().unwrap(), [set(1), set(3), (UiOp::Remove, "w".to_owned(), 0)]);
    }

    #[test]
    fn floods_are_refused_and_concern_nobody_else() {
        let (board, screen) = board();
        let print = |extension: &str| board.set(extension, UiSlot::Print, "p", item("x"));
        let refused = (0..=MOST_SENT).map(|_| print("a")).find_map(Result::err).unwrap();
        assert_eq!(refused.code, FailureCode::RateLimited);
        print("b").unwrap();
        let long = "y".repeat(2 * LARGEST_TEXT);
        let texts = (0..100).map(|_| board.set("c", UiSlot::Status, "s", item(&long)));
        assert_eq!(texts.filter_map(Result::err).next().unwrap().code, FailureCode::RateLimited);
        let largest = screen.0.lock().unwrap().iter().map(|(.., size)| *size).max().unwrap();
        assert!(largest < LARGEST_TEXT + 200, "{largest}");
        let many = (0..=MOST_SHOWN).map(|at| board.set("d", UiSlot::Status, &at.to_string(), item("x")));
        assert_eq!(many.filter_map(Result::err).next().unwrap().code, FailureCode::Invalid);
    }
}
