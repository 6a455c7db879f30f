//! The transport alone: frames, guard and service between two byte streams.
//!
//! tower-lsp stops reading when it cannot write. So it writes into an outbox in memory, which a task of its own empties: a
//! client that is busy writing and does not read for a while stops neither its own messages nor the server. Only when the
//! outbox is full does the server wait for the client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tower::Service;
use tower_lsp::jsonrpc::{Request, Response};
use tower_lsp::{ClientSocket, Server};

use crate::frames::FrameReader;
use crate::guard::{Ending, Guard, WireOrder};
use crate::record::{Recorder, RecordingWriter};

/// How long answers on their way may take after the input ended.
const GRACE: Duration = Duration::from_millis(300);

/// What may wait for a client that does not read, in bytes. Memory is taken only as far as it is needed.
const OUTBOX: usize = 64 << 20;

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// `exit` after `shutdown`: exit code 0.
    Orderly,
    /// Anything else: exit code 1, as LSP says.
    Abrupt,
}

impl Ended {
    /// The exit code that LSP demands.
    pub fn code(self) -> u8 {
        match self {
            Self::Orderly => 0,
            Self::Abrupt => 1,
        }
    }
}

/// Both ends of the byte stream and what records them.
pub(crate) struct Wire<I, O> {
    /// What the client sends.
    pub(crate) input: I,
    /// What the client gets.
    pub(crate) output: O,
    /// Where both are recorded.
    pub(crate) recorder: Option<Arc<Recorder>>,
}

/// Runs the transport alone: frames, guard, service; returns when the protocol, the input or the parent ended.
pub(crate) async fn transport<I, O, S>(
    wire: Wire<I, O>,
    service: S,
    socket: ClientSocket,
    wire_order: WireOrder,
    parent: impl Future<Output = u32>,
) -> Ended
where
    I: AsyncRead + Unpin + Send + 'static,
    O: AsyncWrite + Unpin + Send + 'static,
    S: Service<Request, Response = Option<Response>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let ending = Arc::new(Ending::default());
    let input_ended = Arc::new(Notify::new());
    let guard = Guard::new(service, wire_order, Arc::clone(&ending));
    let reader = FrameReader::new(wire.input, Arc::clone(&input_ended), wire.recorder.clone());
    let (outbox, mut waiting) = tokio::io::duplex(OUTBOX);
    let mut output = wire.output;
    let mut delivering = tokio::spawn(async move { tokio::io::copy(&mut waiting, &mut output).await });
    let writer = RecordingWriter::new(outbox, wire.recorder);
    // Every future starts at once, so the queue never fills; safe because handlers only hand over.
    let server = Server::new(reader, writer, socket).concurrency_level(usize::MAX >> 1);
    let mut serving = tokio::spawn(server.serve(guard));
    tokio::select! {
        result = &mut serving => {
            if let Err(error) = result {
                tracing::error!(%error, "the transport failed");
            }
        }
        () = ending.exit.notified() => {}
        () = input_ended.notified() => {
            if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
                tracing::warn!("requests were still open when the input ended");
            }
        }
        pid = parent => tracing::warn!(pid, "the client's process is gone"),
    }
    serving.abort();
    if let Ok(Ok(Err(error))) = tokio::time::timeout(GRACE, &mut delivering).await {
        tracing::debug!(%error, "the client does not read any more");
    }
    delivering.abort();
    if ending.orderly.load(Ordering::SeqCst) { Ended::Orderly } else { Ended::Abrupt }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
