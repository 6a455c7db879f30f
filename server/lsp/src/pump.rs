//! The outbound pump: the one task that sends notifications to the client.
//!
//! The session hands over events, status and review without waiting ([`Sink`]); the pump sends them in order and awaits
//! the transport, which parks when the editor stops reading. What waits is bounded: status and review are whole states
//! of which only the newest is kept (status at most five, review at most ten times a second), and when more than
//! [`EVENT_LIMIT`] events wait, the queue is emptied of deltas: the client sees the gap in `seq` and asks for the
//! transcript. Timers run only while something waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kit_protocol::{Event, EventBody, FileProblem, Remark, ReviewState, Status, UiSlot, UiUpdate};
use kit_session::Sink;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower_lsp::Client;
use tower_lsp::lsp_types as lsp;
use tower_lsp::lsp_types::notification::Notification;

use crate::problems::Problems;
use crate::progress::Registry;
use crate::shared::Profile;

/// How many changes of what extensions show may wait; of more the oldest are left out.
const UI_LIMIT: usize = 1000;
const EVENT_LIMIT: usize = 8192;
const STATUS_INTERVAL: Duration = Duration::from_millis(200);
const REVIEW_INTERVAL: Duration = Duration::from_millis(100);
/// How much of an answer a client without `kit/event` gets as a message.
const MESSAGE_LIMIT: usize = 2000;

/// `kit/event`.
pub(crate) enum EventNotification {}

impl Notification for EventNotification {
    type Params = Event;
    const METHOD: &'static str = "kit/event";
}

/// `kit/status`.
pub(crate) enum StatusNotification {}

impl Notification for StatusNotification {
    type Params = Status;
    const METHOD: &'static str = "kit/status";
}

/// `kit/review`.
pub(crate) enum ReviewNotification {}

impl Notification for ReviewNotification {
    type Params = ReviewState;
    const METHOD: &'static str = "kit/review";
}

/// `kit/ui`.
pub(crate) enum UiNotification {}

impl Notification for UiNotification {
    type Params = UiUpdate;
    const METHOD: &'static str = "kit/ui";
}

#[derive(Default)]
struct Outbox {
    events: VecDeque<Event>,
    ui: VecDeque<UiUpdate>,
    status: Option<Status>,
    review: Option<ReviewState>,
    problems: Problems,
}

/// Queue and wake-up of the pump.
#[derive(Default)]
pub(crate) struct Pump {
    outbox: Mutex<Outbox>,
    wake: Notify,
}

impl Sink for Pump {
    fn event(&self, event: Event) {
        self.with(|outbox| {
            outbox.events.push_back(event);
            if outbox.events.len() > EVENT_LIMIT {
                outbox.events.retain(|event| event.body.delta().is_none());
            }
            while outbox.events.len() > EVENT_LIMIT {
                outbox.events.pop_front();
            }
        });
    }

    fn status(&self, status: Status) {
        self.with(|outbox| outbox.status = Some(status));
    }

    fn review(&self, state: ReviewState) {
        self.with(|outbox| outbox.review = Some(state));
    }

    fn problems(&self, owner: &'static str, problems: Vec<FileProblem>) {
        self.with(|outbox| outbox.problems.replace(owner, problems));
    }

    fn ui(&self, update: UiUpdate) {
        self.with(|outbox| {
            // What is replaced before it was sent needs not be sent.
            outbox.ui.retain(|other| {
                (other.slot, &other.id, &other.extension) != (update.slot, &update.id, &update.extension)
            });
            outbox.ui.push_back(update);
            while outbox.ui.len() > UI_LIMIT {
                outbox.ui.pop_front();
            }
        });
    }
}

impl Pump {
    fn with(&self, change: impl FnOnce(&mut Outbox)) {
        change(&mut self.outbox.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
    }

    fn next_event(&self) -> Option<Event> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).events.pop_front()
    }

    /// Sends until the task is dropped.
    pub(crate) async fn run(self: Arc<Self>, client: Client, profile: Profile, progress: Arc<Registry>) {
        let mut status_at = Throttle::new(STATUS_INTERVAL);
        let mut review_at = Throttle::new(REVIEW_INTERVAL);
        loop {
            while let Some(event) = self.next_event() {
                progress.observe(&client, &profile, &event);
                if profile.kit.events {
                    client.send_notification::<EventNotification>(event).await;
                } else {
                    tell(&client, event).await;
                }
            }
            let updates = std::mem::take(&mut self.outbox.lock().unwrap_or_else(PoisonError::into_inner).ui);
            for update in updates {
                if profile.kit.ui {
                    client.send_notification::<UiNotification>(update).await;
                } else {
                    tell_ui(&client, update).await;
                }
            }
            let (status, review, due, problems) = {
                let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
                let status = status_at.take(&mut outbox.status);
                let review = review_at.take(&mut outbox.review);
                let due = [
                    outbox.status.as_ref().map(|_| status_at.next()),
                    outbox.review.as_ref().map(|_| review_at.next()),
                ];
                (status, review, due.into_iter().flatten().min(), outbox.problems.take_changes())
            };
            for (uri, diagnostics) in problems {
                client.publish_diagnostics(uri, diagnostics, None).await;
            }
            if let Some(status) = status
                && profile.kit.status
            {
                client.send_notification::<StatusNotification>(status).await;
            }
            if let Some(review) = review {
                if profile.kit.review {
                    client.send_notification::<ReviewNotification>(review).await;
                } else if profile.lens_refresh {
                    let client = client.clone();
                    tokio::spawn(async move {
                        if let Err(error) = client.code_lens_refresh().await {
                            tracing::debug!(%error, "the client did not refresh its code lenses");
                        }
                    });
                }
            }
            match due {
                Some(due) => {
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
                None => self.wake.notified().await,
            }
        }
    }
}

/// Lets a value through at most once per interval.
struct Throttle {
    interval: Duration,
    last: Option<Instant>,
}

impl Throttle {
    fn new(interval: Duration) -> Self {
        Self { interval, last: None }
    }

    fn next(&self) -> Instant {
        self.last.map_or_else(Instant::now, |last| last + self.interval)
    }

    fn take<T>(&mut self, slot: &mut Option<T>) -> Option<T> {
        let now = Instant::now();
        if slot.is_some() && self.last.is_none_or(|last| now.duration_since(last) >= self.interval) {
            self.last = Some(now);
            return slot.take();
        }
        None
    }
}

/// What a client without `kit/ui` learns: printed text as messages.
async fn tell_ui(client: &Client, update: UiUpdate) {
    let Some(text) = update.text.filter(|text| !text.trim().is_empty()) else { return };
    match update.slot {
        UiSlot::Print | UiSlot::Block => {
            let text: String = text.chars().take(MESSAGE_LIMIT).collect();
            match update.style.get("kind").map(String::as_str) {
                Some("error") => client.show_message(lsp::MessageType::ERROR, text).await,
                Some("info") => client.show_message(lsp::MessageType::INFO, text).await,
                Some(_) | None => client.log_message(lsp::MessageType::INFO, text).await,
            }
        }
        UiSlot::Widget | UiSlot::Header | UiSlot::Footer | UiSlot::Status | UiSlot::Prompt => {}
    }
}

/// What a client without `kit/event` learns: answers and failures as messages, the rest in its log.
async fn tell(client: &Client, event: Event) {
    if event.agent.is_some() {
        return;
    }
    match event.body.remark() {
        Some(Remark::Failure(message)) => client.show_message(lsp::MessageType::ERROR, message).await,
        Some(Remark::Delay(text)) => client.log_message(lsp::MessageType::WARNING, text).await,
        Some(Remark::Note(text)) => client.log_message(lsp::MessageType::INFO, text).await,
        None => {}
    }
    let EventBody::Response { content } = event.body else { return };
    if !content.trim().is_empty() {
        let mut text: String = content.chars().take(MESSAGE_LIMIT).collect();
        let left = content.chars().count().saturating_sub(MESSAGE_LIMIT);
        if left > 0 {
            text.push_str(&format!(" … ({left} more characters in the session)"));
        }
        client.show_message(lsp::MessageType::INFO, text).await;
    }
}
