//! What every front end of the binary starts with: the environment, the places of files and the async runtime.

use anyhow::Context as _;
use kit_workspace::Paths;

/// Worker threads: documents and turns need few, and each costs memory.
const WORKERS: usize = 2;

/// An environment variable that is text.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where files are kept.
pub(crate) fn paths() -> anyhow::Result<Paths> {
    Paths::discover(|name| std::env::var_os(name)).map_err(anyhow::Error::from)
}

/// Runs async work to its end.
pub(crate) fn with<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let worked = runtime.block_on(work);
    // Dropping the runtime would wait for the thread that reads stdin.
    runtime.shutdown_background();
    worked
}
