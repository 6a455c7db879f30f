//! A subagent's side: it takes a task, works on it in a turn of its own, and reports.
//!
//! While it works, its events go to the session that it works for. A task that takes too long is cancelled like a turn
//! that the user stops; a question that waits for the user at that moment gives it its whole time again. When the task
//! is done and nothing else waits, the session lets go of its file and rests until somebody asks it something.

use std::time::Duration;

use kit_protocol::{ErrorKind, EventBody, KitError, Part, StopReason, TextPart, TurnId, UsageTotals};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Actor;
use super::prompts::Waiting;
use crate::budget::Purse;
use crate::hooks::InputSource;
use crate::journal::entry::{Body, Note};
use crate::subagent::{Errand, Origin, SubagentOutcome, SubagentReport};
use crate::turn::Input;

/// How much of what a subagent says on the way is kept for its report.
const LONGEST_PARTIAL: usize = 64 * 1024;

/// The task that is worked on.
pub(super) struct Work {
    pub(super) origin: Origin,
    pub(super) cancel: CancellationToken,
    turn: TurnId,
    timeout: Duration,
    started: Instant,
    pub(super) deadline: Instant,
    timed_out: bool,
    /// What was said so far.
    said: String,
    end: Option<End>,
    done: oneshot::Sender<SubagentReport>,
}

/// What the end of the turn told.
struct End {
    stop: StopReason,
    response: String,
    error: Option<String>,
    usage: UsageTotals,
}

impl Actor {
    /// Begins a task, or reports why it cannot.
    pub(super) async fn work(&mut self, errand: Errand) {
        if self.running.is_some() {
            let busy = KitError::new(ErrorKind::Busy, "it is still at work; wait for it or stop it first");
            // Whoever waited may have gone.
            let _unread = errand.refuse(busy);
            return;
        }
        let Errand { turn, task, changes, role, timeout, channel, origin, purse, cancel, done, .. } = errand;
        if self.role.as_ref() != Some(&role) {
            self.repairs.push(Body::from(&Note::Subagent(role.clone())));
            self.role = Some(role);
        }
        let started = Instant::now();
        self.work = Some(Work {
            origin,
            cancel,
            turn: turn.clone(),
            timeout,
            started,
            deadline: started + timeout,
            timed_out: false,
            said: String::new(),
            end: None,
            done,
        });
        self.stream.lend(Some(channel));
        let parts = vec![Part::Text(TextPart { text: task })];
        match self
            .start(Waiting { turn, parts, references: Vec::new(), changes, source: InputSource::Script })
            .await
        {
            Ok(()) => {
                // Its calls are paid from its parent's purse; it got one of its own with its turn.
                self.purse = purse;
                self.input(Input::Begin).await;
            }
            Err(error) => {
                if let Some(work) = &mut self.work {
                    work.end = Some(End {
                        stop: StopReason::Error,
                        response: String::new(),
                        error: Some(error.message),
                        usage: UsageTotals::default(),
                    });
                }
                self.report();
            }
        }
    }

    /// Keeps what the report needs of an event.
    pub(super) fn overhear(&mut self, body: &EventBody) {
        let Some(work) = &mut self.work else { return };
        if let EventBody::MessageEnd { content } = body
            && !content.trim().is_empty()
        {
            if !work.said.is_empty() {
                work.said.push_str("\n\n");
            }
            work.said.push_str(content.trim());
            work.said.truncate(work.said.floor_char_boundary(LONGEST_PARTIAL));
        }
        if let EventBody::TurnEnd { response, stop_reason, error, usage, .. } = body {
            work.end = Some(End {
                stop: *stop_reason,
                response: response.clone(),
                error: error.clone(),
                usage: usage.clone(),
            });
        }
    }

    /// The time of the task is over.
    pub(super) async fn errand_overdue(&mut self) {
        let Some(work) = &mut self.work else { return };
        let asks = self.running.as_ref().is_some_and(|running| running.asking.is_some());
        if asks || self.shared.with.attention.waits_for_agent(&work.origin.agent.id) {
            work.deadline = Instant::now() + work.timeout;
            return;
        }
        work.timed_out = true;
        // It has been said once; the turn ends within its own time.
        work.deadline = Instant::now() + work.timeout;
        let turn = work.turn.clone();
        self.cancel(Some(turn)).await;
    }

    /// Somebody stopped the task.
    pub(super) async fn errand_cancelled(&mut self) {
        let Some(work) = &mut self.work else { return };
        // Said once: the next look at the token must wait.
        work.cancel = CancellationToken::new();
        let turn = work.turn.clone();
        self.cancel(Some(turn)).await;
    }

    /// Reports once the turn of the task is over.
    pub(super) fn report(&mut self) {
        if self.work.as_ref().is_none_or(|work| work.end.is_none()) {
            return;
        }
        self.stream.flush();
        self.stream.lend(None);
        let Some(work) = self.work.take() else { return };
        let Some(end) = work.end else { return };
        self.purse = Purse::new(&self.usage.session);
        let outcome = match (end.stop, end.error) {
            _ if work.timed_out => SubagentOutcome::TimedOut(work.timeout),
            (StopReason::Cancelled, _) => SubagentOutcome::Killed,
            (StopReason::Error, error) => {
                SubagentOutcome::Failed(error.unwrap_or_else(|| "the turn failed".to_owned()))
            }
            (
                stop @ (StopReason::EndTurn
                | StopReason::MaxTokens
                | StopReason::ToolUse
                | StopReason::Refusal
                | StopReason::Budget
                | StopReason::MaxSteps),
                _,
            ) => SubagentOutcome::Completed(stop),
        };
        let completed = matches!(outcome, SubagentOutcome::Completed(_));
        let report = SubagentReport {
            session: self.session.clone(),
            outcome,
            response: end.response,
            partial: if completed { String::new() } else { work.said },
            usage: end.usage,
            elapsed: work.started.elapsed(),
        };
        // Whoever waited may have gone.
        let _unread = work.done.send(report);
        self.rests = true;
    }
}

/// Waits until the task is stopped from outside; forever where there is none.
pub(super) async fn stopped(cancel: Option<CancellationToken>) {
    match cancel {
        Some(cancel) => cancel.cancelled().await,
        None => std::future::pending().await,
    }
}
