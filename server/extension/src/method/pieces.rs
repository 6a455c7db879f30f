//! Pieces of a long answer on their way to the extension that asked, before the answer itself.
//!
//! What comes within `MERGE` is told together, so that a quick source does not fill the extension's queue. The last
//! piece is always held back until the end and told in a way that waits for its handler: whoever has the answer has
//! every piece.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use kit_contract::StreamChunkEvent;

use crate::caller::Caller;
use crate::extensions::Extensions;

/// How long pieces are collected.
const MERGE: Duration = Duration::from_millis(30);

/// Pieces of one answer.
pub(super) struct Pieces {
    hub: Weak<Extensions>,
    caller: Arc<Caller>,
    /// The stream, if the extension wants to hear pieces.
    stream: Option<String>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    text: String,
    told_at: Option<Instant>,
}

impl Pieces {
    pub(super) fn new(hub: &Arc<Extensions>, caller: &Arc<Caller>, stream: Option<String>) -> Self {
        Self { hub: Arc::downgrade(hub), caller: Arc::clone(caller), stream, held: Mutex::default() }
    }

    /// More text.
    pub(super) fn add(&self, text: &str) {
        if self.stream.is_none() || text.is_empty() {
            return;
        }
        let before = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let due = held.told_at.is_none_or(|told| told.elapsed() >= MERGE);
            let before = if due { std::mem::take(&mut held.text) } else { String::new() };
            if !before.is_empty() {
                held.told_at = Some(Instant::now());
            }
            held.text.push_str(text);
            before
        };
        if !before.is_empty() {
            self.tell(before, false);
        }
    }

    /// The text so far is void.
    pub(super) fn reset(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).text.clear();
        self.tell(String::new(), true);
    }

    /// Tells the last piece, and waits until it was heard.
    pub(super) async fn finish(&self) {
        let text = std::mem::take(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner).text);
        if let (Some(hub), Some(event)) = (self.hub.upgrade(), self.event(text, false)) {
            hub.tell_caller_and_wait(&self.caller, "stream.chunk", event).await;
        }
    }

    fn tell(&self, chunk: String, reset: bool) {
        if let (Some(hub), Some(event)) = (self.hub.upgrade(), self.event(chunk, reset)) {
            hub.tell_caller(&self.caller, "stream.chunk", event);
        }
    }

    fn event(&self, chunk: String, reset: bool) -> Option<StreamChunkEvent> {
        let stream = self.stream.clone().filter(|_| reset || !chunk.is_empty())?;
        Some(StreamChunkEvent { stream, chunk, reset })
    }
}
