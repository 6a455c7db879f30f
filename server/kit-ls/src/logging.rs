//! The log: a file per day under the logs folder, never stdout, which belongs to the protocol.

use std::path::Path;
use std::str::FromStr as _;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// Days whose log is kept.
const KEPT: usize = 7;
/// The library of the Model Context Protocol.
const QUIET: &str = "rmcp=warn";

/// Starts logging; the guard flushes when it is dropped. Without a writable folder there is no log.
pub(crate) fn start(folder: &Path, filter: Option<&str>) -> Option<WorkerGuard> {
    std::fs::create_dir_all(folder).ok()?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("kit-ls")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(folder)
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = EnvFilter::try_new(filter.unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    // It logs whole messages and the codes of logins at lower levels.
    let filter = filter.add_directive(tracing_subscriber::filter::Directive::from_str(QUIET).ok()?);
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer).try_init().ok()?;
    Some(guard)
}
