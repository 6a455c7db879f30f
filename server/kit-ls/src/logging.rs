//! The log: a file per day under the logs folder, never stdout, which belongs to the protocol.

use std::path::Path;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Days whose log is kept.
const KEPT: usize = 7;
/// Lines that may wait for the disk; more are dropped. Their slots are memory from the start.
const WAITING: usize = 4096;
/// The library of the Model Context Protocol: it logs whole messages and the codes of logins at lower levels.
const QUIET: (&str, LevelFilter) = ("rmcp", LevelFilter::WARN);

/// Starts logging; the guard flushes when it is dropped. Without a writable folder there is no log.
///
/// The filter has a level or `target=level`, separated by commas; one that cannot be read counts as `info`.
pub(crate) fn start(folder: &Path, filter: Option<&str>) -> Option<WorkerGuard> {
    std::fs::create_dir_all(folder).ok()?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("kit-ls")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(folder)
        .ok()?;
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING).finish(appender);
    let filter = filter.and_then(|filter| filter.parse::<Targets>().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let (target, level) = QUIET;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    tracing_subscriber::registry().with(filter.with_target(target, level)).with(lines).try_init().ok()?;
    Some(guard)
}
