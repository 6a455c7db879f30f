//! Work that blocks or computes for milliseconds, off the threads that drive futures.

use thiserror::Error;

/// The work panicked, or the runtime is going down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a background task ended without a result")]
pub(crate) struct Lost;

/// Runs the work on a blocking thread. When the caller goes away the work still runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lost> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a background task ended without a result");
        Lost
    })
}
