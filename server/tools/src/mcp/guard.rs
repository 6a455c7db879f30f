//! Keeps a server from flooding: its connection ends when too much comes at once, and the reason is kept.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The time in which messages and bytes are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// Messages in that time.
const MOST_MESSAGES: u64 = 5000;
/// Bytes in that time.
const MOST_BYTES: u64 = 48 * 1024 * 1024;

/// Why a connection ended, when this side ended it.
#[derive(Debug, Default)]
pub(super) struct Verdict(Mutex<Option<&'static str>>);

impl Verdict {
    fn set(&self, why: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    pub(super) fn get(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what comes in a window of time.
#[derive(Debug)]
struct Meter {
    most: u64,
    count: u64,
    since: Instant,
}

impl Meter {
    fn new(most: u64) -> Self {
        Self { most, count: 0, since: Instant::now() }
    }

    /// Whether it is still within the limit with so much more.
    fn takes(&mut self, more: u64) -> bool {
        let now = Instant::now();
        if now.duration_since(self.since) > WINDOW {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(more);
        self.count <= self.most
    }
}

/// A transport whose messages are counted, and that tells when it is over.
pub(super) struct Counted<T> {
    inner: T,
    meter: Meter,
    verdict: Arc<Verdict>,
    ended: CancellationToken,
}

impl<T> Counted<T> {
    pub(super) fn new(inner: T, verdict: Arc<Verdict>, ended: CancellationToken) -> Self {
        Self { inner, meter: Meter::new(MOST_MESSAGES), verdict, ended }
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Counted<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await;
        if message.is_some() {
            if self.meter.takes(1) {
                return message;
            }
            self.verdict.set("it sends more messages than anybody can need");
        }
        self.ended.cancel();
        None
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

/// A pipe whose bytes are counted.
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
    verdict: Arc<Verdict>,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, verdict: Arc<Verdict>) -> Self {
        Self { inner, meter: Meter::new(MOST_BYTES), verdict }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Metered<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let more = (buffer.filled().len() - before) as u64;
        if polled.is_pending() || self.meter.takes(more) {
            return polled;
        }
        self.verdict.set("it writes more than anybody can need");
        buffer.set_filled(before);
        // The end of the input ends the connection.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn much_at_once_is_too_much_and_much_over_time_is_not() {
        let mut meter = Meter::new(10);
        assert!((0..10).all(|_| meter.takes(1)));
        assert!(!meter.takes(1));
        tokio::time::advance(WINDOW + Duration::from_secs(1)).await;
        assert!(meter.takes(10));
    }
}
