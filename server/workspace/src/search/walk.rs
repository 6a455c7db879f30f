//! The parallel walk below a directory that searches and the census share.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ignore::{DirEntry, WalkBuilder, WalkState};
use tokio_util::sync::CancellationToken;

/// More threads do not help, as ripgrep found.
const MAX_THREADS: usize = 12;

/// Whether names that begin with a dot are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    Skip,
    Visit,
}

/// Visits all files that are not ignored, on several threads, in no order. `worker` is called once per thread and
/// gives what that thread calls for each file. Answers how many entries could not be read.
pub(crate) fn walk<'scope, W>(
    top: &Path,
    hidden: Hidden,
    cancel: &CancellationToken,
    mut worker: impl FnMut() -> W,
) -> usize
where
    W: FnMut(&DirEntry) + Send + 'scope,
{
    let unreadable = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let mut builder = WalkBuilder::new(top);
    builder
        .threads(threads)
        .hidden(hidden == Hidden::Skip)
        .require_git(false)
        .add_custom_ignore_filename(".rgignore")
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
    builder.build_parallel().run(|| {
        let mut visit = worker();
        let unreadable = &unreadable;
        Box::new(move |entry| {
            if cancel.is_cancelled() {
                return WalkState::Quit;
            }
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => visit(&entry),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "could not be searched");
                    unreadable.fetch_add(1, Ordering::Relaxed);
                }
            }
            WalkState::Continue
        })
    });
    unreadable.into_inner()
}
