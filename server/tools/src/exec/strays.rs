//! Finding and ending the processes of a call.
//!
//! A process is known by its number and start time, so that a number that was given to another process in between is
//! never signalled. Descendants and marked processes are found through `/proc`; systems without it have the group alone.

#[cfg(unix)]
use nix::sys::signal::{Signal, kill as send, killpg};
#[cfg(unix)]
use nix::unistd::Pid;

use std::time::Duration;

/// A process outside the command's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux finds processes outside the group")
)]
pub(super) struct Process {
    pid: u32,
    parent: u32,
    group: u32,
    started: u64,
}

/// Asks the group and the others to end.
pub(super) fn terminate(group: Option<u32>, others: &[Process]) {
    #[cfg(unix)]
    signal(group, others, Signal::SIGTERM);
    #[cfg(not(unix))]
    let _ = (group, others);
}

/// Ends the group and the others.
pub(super) fn kill(group: Option<u32>, others: &[Process]) {
    #[cfg(unix)]
    signal(group, others, Signal::SIGKILL);
    #[cfg(not(unix))]
    let _ = (group, others);
}

#[cfg(unix)]
fn signal(group: Option<u32>, others: &[Process], signal: Signal) {
    if let Some(group) = group.and_then(pid) {
        // ESRCH means that the group is gone already, which is what is wanted.
        if let Err(error) = killpg(group, signal)
            && error != nix::errno::Errno::ESRCH
        {
            tracing::debug!(%error, %signal, "the group of a command could not be signalled");
        }
    }
    for other in others {
        if lives(other)
            && let Some(pid) = pid(other.pid)
            && let Err(error) = send(pid, signal)
        {
            tracing::debug!(%error, %signal, "a process of a command could not be signalled");
        }
    }
}

#[cfg(unix)]
fn pid(number: u32) -> Option<Pid> {
    // 0 and 1 would reach this process's own group or every process.
    i32::try_from(number).ok().filter(|number| *number > 1).map(Pid::from_raw)
}

/// Whether the group has a member that still runs.
pub(super) fn group_lives(group: u32) -> bool {
    #[cfg(target_os = "linux")]
    return answers(group) && has_member(group);
    #[cfg(all(unix, not(target_os = "linux")))]
    return answers(group);
    #[cfg(not(unix))]
    return group == 0;
}

/// Whether the group exists; one member that ended and was not awaited is enough for that.
#[cfg(unix)]
fn answers(group: u32) -> bool {
    pid(group).is_some_and(|group| killpg(group, None).is_ok())
}

/// Returns when none of them lives.
pub(super) async fn gone(processes: &[Process]) {
    while processes.iter().any(lives) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(target_os = "linux")]
mod proc_files {
    use super::Process;
    use std::collections::HashSet;
    use std::fs;

    /// Descendants of the leader, and processes whose environment holds the mark.
    pub(in super::super) fn find(leader: u32, mark: &str) -> Vec<Process> {
        let processes = all();
        let mut tree = HashSet::from([leader]);
        loop {
            let before = tree.len();
            tree.extend(
                processes
                    .iter()
                    .filter(|one| tree.contains(&one.parent))
                    .map(|one| one.pid)
                    .collect::<Vec<_>>(),
            );
            if tree.len() == before {
                break;
            }
        }
        let ours = |process: &Process| {
            process.pid != leader && (tree.contains(&process.pid) || is_marked(process.pid, mark))
        };
        processes.into_iter().filter(ours).collect()
    }

    fn all() -> Vec<Process> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
    }

    pub(super) fn has_member(group: u32) -> bool {
        all().iter().any(|process| process.group == group)
    }

    pub(super) fn lives(process: &Process) -> bool {
        read(process.pid).is_some_and(|now| now.started == process.started)
    }

    fn is_marked(pid: u32, mark: &str) -> bool {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        })
    }

    /// A process that still runs; one that ended and was not awaited does not count.
    fn read(pid: u32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, so fields are counted from its end.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse().ok();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        Some(Process { pid, parent: number(1)?, group: number(2)?, started: fields.get(19)?.parse().ok()? })
    }
}

#[cfg(target_os = "linux")]
pub(super) use proc_files::find;
#[cfg(target_os = "linux")]
use proc_files::{has_member, lives};

#[cfg(not(target_os = "linux"))]
pub(super) fn find(_leader: u32, _mark: &str) -> Vec<Process> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
fn lives(_process: &Process) -> bool {
    false
}
