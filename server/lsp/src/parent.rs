//! Notices the death of the process that the client named in `initialize`.
//!
//! Some editors keep our stdin open when they are killed, through a child that inherited it. The check runs once a
//! second and only while there is a process to watch.

use std::time::Duration;

use crate::shared::Shared;

const INTERVAL: Duration = Duration::from_secs(1);

/// Completes with the process id when the client's process no longer exists.
pub(crate) async fn gone(shared: &Shared) -> u32 {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(profile) = shared.profile.get() {
            match profile.parent {
                Some(parent) if !exists(parent) => return parent,
                Some(_) => {}
                None => return std::future::pending().await,
            }
        }
    }
}

#[cfg(unix)]
fn exists(process: u32) -> bool {
    let Some(process) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    // A process of another user exists too: only "no such process" means that it is gone.
    rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
}

/// Windows closes the pipe with the process, so the end of the input is enough there.
#[cfg(not(unix))]
fn exists(_process: u32) -> bool {
    true
}
