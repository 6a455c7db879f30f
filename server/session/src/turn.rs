//! The turn machine: what happens next in a turn, as a pure function of what happened.
//!
//! `Machine::on` takes one input and answers the effects that its owner performs in order. It never waits, reads no
//! clock and makes no ids, so every interleaving can be replayed in a test. It is total: an input that comes too late,
//! such as an answer after a cancel, has no effect.
//!
//! It upholds: a durable fact is persisted before it is announced (I7); every started call gets exactly one terminal
//! outcome, and every call that the model made exactly one result (I14); a turn always ends, once, with `turn_end`.
//!
//! The tool calls of one answer run in the order in which the model made them: read-only calls that stand side by
//! side run together, at most `PARALLEL_CALLS` at once, and any other call runs alone. Calls for subagents count among
//! the read-only ones, but are not counted: subagents have a limit of their own.

mod calls;
mod opening;
mod repetition;
mod spent;

use std::time::Duration;

use kit_protocol::{
    ErrorKind, EventBody, FinishPart, Message, Part, Role, StopReason, TextPart, TurnId, Usage, UsageTotals,
};

pub(crate) use self::calls::{CallNumber, PlannedCall, ToolOutcome, told_metadata};
use self::calls::{Calls, Settled};
pub(crate) use self::opening::{Opening, message};
use self::repetition::Repetitions;
pub(crate) use self::repetition::{Repetition, Thresholds};
pub(crate) use self::spent::Spent;
use crate::clock::Millis;
use crate::journal::entry::{Body, Note, TurnEndNote};
use crate::journal::write::Durability;

/// Read-only calls that run at once.
pub(crate) const PARALLEL_CALLS: usize = 5;
/// After so many answers in a row whose calls were all truncated, the turn ends.
const LONGEST_TRUNCATED_STREAK: u32 = 3;

/// A complete answer of the model, with what the tools say about its calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) message: Message,
    pub(crate) stop: StopReason,
    pub(crate) spent: Spent,
    pub(crate) calls: Vec<PlannedCall>,
}

/// A failed attempt to get an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// The sentence for the user.
    pub(crate) message: String,
    /// The retry that the schedule grants.
    pub(crate) retry: Option<RetryPlan>,
    /// What the attempt cost all the same.
    pub(crate) spent: Option<Spent>,
}

/// When an attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryPlan {
    pub(crate) attempt: u32,
    pub(crate) after: Duration,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    /// The turn begins; its user message is saved.
    Begin,
    /// The interceptors of the prompt are done.
    Intercepted(Opening),
    /// The provider accepted the request.
    Connected,
    /// More text of the answer.
    Text(String),
    /// More reasoning.
    Reasoning(String),
    /// The answer is complete.
    Answered(Box<Answer>),
    /// The attempt failed.
    Failed(Failure),
    /// The wait before the next attempt is over.
    RetryDue,
    /// A tool call was permitted and runs now.
    ToolExecutes(CallNumber),
    /// A tool call ended.
    ToolDone(CallNumber, ToolOutcome),
    /// A prompt waits to join the turn.
    Steered,
    /// No prompt waits to join it any more.
    Unsteered,
    /// The user cancels. What the running attempt cost so far is known to the owner.
    Cancel(Option<Spent>),
    /// Cancelled tools had their time to end by themselves.
    Deadline,
    /// The session file cannot be written.
    Unsaved(String),
    /// Something beside the answers was paid for the turn.
    Spent(Box<Spent>),
    /// The next call may not go out: the sentence for the user.
    Stop(String),
}

/// What the owner does, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Append to the session file. Nothing after it happens when that fails.
    Persist(Vec<Body>, Durability),
    /// Number the usage of a model call among those of the session, append it to the session file and tell it.
    Spend(Usage),
    /// Tell the clients.
    Emit(EventBody),
    /// Let interceptors look at the prompt, which is not part of the conversation yet.
    Intercept,
    /// Drop them.
    DropInterceptors,
    /// Save the beginning of the turn, with its messages.
    Open(Opening),
    /// Append waiting prompts and review feedback to the conversation.
    Join,
    /// Start an attempt.
    CallModel,
    /// Drop the running attempt.
    DropModel,
    /// Come back with `RetryDue` after this time.
    WaitForRetry(Duration),
    /// Run a call.
    StartTool(CallNumber),
    /// Ask the running calls to stop, and come back with `Deadline` soon.
    CancelTools,
    /// Stop what still runs; its outcome no longer matters.
    AbortTools,
    /// The turn is over.
    Finish,
}

/// Effects in order.
pub(crate) type Effects = Vec<Effect>;

/// What a turn is about and how far it may go.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) turn: TurnId,
    pub(crate) prompt: String,
    pub(crate) started: Millis,
    /// The most model calls; `None` means no limit.
    pub(crate) max_steps: Option<u32>,
    /// When identical calls are taken for a circle.
    pub(crate) repeated: Thresholds,
    /// Whether interceptors look at the prompt before its turn is saved.
    pub(crate) intercepted: bool,
}

/// An attempt to get an answer.
#[derive(Clone, Debug, Default)]
struct Attempt {
    /// Whether `message_start` was told.
    opened: bool,
    text: String,
    /// Whether anything was shown that a retry must take back.
    shown: bool,
}

#[derive(Clone, Debug)]
enum State {
    Ready,
    Intercepting,
    Calling(Attempt),
    Waiting(Attempt),
    Running(Calls),
    Ended,
}

/// How a turn ends.
#[derive(Clone, Debug)]
struct Ending {
    stop: StopReason,
    error: Option<(ErrorKind, String)>,
}

impl Ending {
    fn of(stop: StopReason) -> Self {
        Self { stop, error: None }
    }

    fn error(kind: ErrorKind, message: String) -> Self {
        Self { stop: StopReason::Error, error: Some((kind, message)) }
    }
}

/// One turn.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    plan: Plan,
    state: State,
    step: u32,
    llm_calls: u64,
    /// What its model calls and those of its subagents used.
    pub(crate) usage: UsageTotals,
    tool_names: Vec<String>,
    response: String,
    truncated_streak: u32,
    repetitions: Repetitions,
    /// Prompts that wait to join.
    steered: bool,
    /// Why the turn ends as soon as the running calls did.
    ending: Option<Ending>,
}

impl Machine {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            repetitions: Repetitions::new(plan.repeated),
            plan,
            state: State::Ready,
            step: 0,
            llm_calls: 0,
            usage: UsageTotals::default(),
            tool_names: Vec::new(),
            response: String::new(),
            truncated_streak: 0,
            steered: false,
            ending: None,
        }
    }

    pub(crate) fn turn(&self) -> &TurnId {
        &self.plan.turn
    }

    /// The number of the model call that is under way or comes next, from 0.
    pub(crate) fn step(&self) -> u32 {
        self.step
    }

    /// Whether the turn is over or only waits for cancelled calls.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.state, State::Ended) || self.ending.is_some()
    }

    /// Whether a model call is on its way.
    pub(crate) fn waits_for_call(&self) -> bool {
        matches!(self.state, State::Calling(_))
    }

    /// The call that the model made too often, once.
    pub(crate) fn repetition(&mut self) -> Option<Repetition> {
        self.repetitions.take()
    }

    /// Takes what happened and answers what to do.
    pub(crate) fn on(&mut self, now: Millis, input: Input) -> Effects {
        let mut effects = Effects::new();
        match (std::mem::replace(&mut self.state, State::Ended), input) {
            (State::Ready, Input::Begin) if self.plan.intercepted => self.intercept(&mut effects),
            (State::Intercepting, Input::Intercepted(opening)) => self.open(now, opening, &mut effects),
            (State::Intercepting, Input::Cancel(_)) => self.cancel_opening(now, &mut effects),
            (State::Intercepting, Input::Unsaved(message)) => self.fail_opening(now, message, &mut effects),
            (State::Ready, Input::Begin) => {
                effects.push(Effect::Emit(EventBody::TurnStart { prompt: self.plan.prompt.clone() }));
                self.call_model(&mut effects);
            }
            (State::Ready, Input::Cancel(_)) => {
                self.finish(now, Ending::of(StopReason::Cancelled), &mut effects);
            }
            (State::Ready, Input::Unsaved(message)) => {
                self.finish(now, Ending::error(ErrorKind::Unavailable, message), &mut effects);
            }
            (State::Calling(mut attempt), Input::Connected) => {
                open(&mut attempt, &mut effects);
                self.state = State::Calling(attempt);
            }
            (State::Calling(mut attempt), Input::Text(chunk)) => {
                open(&mut attempt, &mut effects);
                attempt.text.push_str(&chunk);
                attempt.shown = true;
                effects.push(Effect::Emit(EventBody::MessageUpdate { chunk }));
                self.state = State::Calling(attempt);
            }
            (State::Calling(mut attempt), Input::Reasoning(delta)) => {
                open(&mut attempt, &mut effects);
                attempt.shown = true;
                effects.push(Effect::Emit(EventBody::ReasoningDelta { delta }));
                self.state = State::Calling(attempt);
            }
            (State::Calling(attempt), Input::Answered(answer)) => {
                self.answered(now, attempt, *answer, &mut effects);
            }
            (State::Calling(attempt), Input::Failed(failure)) => {
                self.failed(now, attempt, failure, &mut effects);
            }
            (State::Calling(attempt), Input::Cancel(spent)) => {
                effects.push(Effect::DropModel);
                self.spend(spent, &mut effects);
                self.close(attempt, "cancelled", &mut effects);
                self.finish(now, Ending::of(StopReason::Cancelled), &mut effects);
            }
            (State::Calling(attempt), Input::Unsaved(message)) => {
                effects.push(Effect::DropModel);
                self.close(attempt, "error", &mut effects);
                self.finish(now, Ending::error(ErrorKind::Unavailable, message), &mut effects);
            }
            (State::Calling(attempt), Input::Stop(why)) => {
                self.close(attempt, "budget", &mut effects);
                let error = Some((ErrorKind::Budget, why));
                self.finish(now, Ending { stop: StopReason::Budget, error }, &mut effects);
            }
            (State::Waiting(attempt), Input::RetryDue) => {
                effects.push(Effect::CallModel);
                self.state = State::Calling(attempt);
            }
            (State::Waiting(attempt), Input::Cancel(_)) => {
                self.close(attempt, "cancelled", &mut effects);
                self.finish(now, Ending::of(StopReason::Cancelled), &mut effects);
            }
            (State::Waiting(attempt), Input::Unsaved(message)) => {
                self.close(attempt, "error", &mut effects);
                self.finish(now, Ending::error(ErrorKind::Unavailable, message), &mut effects);
            }
            (State::Running(mut calls), Input::ToolExecutes(number)) => {
                effects.extend(calls.execute(number).map(|call| Effect::Emit(call.start_event())));
                self.state = State::Running(calls);
            }
            (State::Running(mut calls), Input::ToolDone(number, outcome)) => {
                let settled = calls.done(number, outcome);
                self.settle(settled, &mut effects);
                self.proceed(now, calls, &mut effects);
            }
            (State::Running(calls), Input::Cancel(_)) => {
                self.stop_calls(now, calls, Ending::of(StopReason::Cancelled), &mut effects);
            }
            (State::Running(calls), Input::Unsaved(message)) => {
                self.stop_calls(now, calls, Ending::error(ErrorKind::Unavailable, message), &mut effects);
            }
            (State::Running(mut calls), Input::Deadline) if self.ending.is_some() => {
                effects.push(Effect::AbortTools);
                for settled in calls.abandon() {
                    self.settle(Some(settled), &mut effects);
                }
                self.proceed(now, calls, &mut effects);
            }
            (State::Ended, _) => {}
            (state, Input::Steered) => {
                self.steered = true;
                self.state = state;
            }
            (state, Input::Unsteered) => {
                self.steered = false;
                self.state = state;
            }
            (state, Input::Spent(spent)) => {
                self.spend(Some(*spent), &mut effects);
                self.state = state;
            }
            // Too late, or about an attempt that was dropped.
            (
                state,
                Input::Begin
                | Input::Intercepted(_)
                | Input::Connected
                | Input::Text(_)
                | Input::Reasoning(_)
                | Input::Answered(_)
                | Input::Failed(_)
                | Input::RetryDue
                | Input::ToolExecutes(_)
                | Input::ToolDone(..)
                | Input::Deadline
                | Input::Stop(_),
            ) => self.state = state,
        }
        effects
    }

    fn call_model(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.steered) {
            self.repetitions.clear();
        }
        effects.push(Effect::Join);
        effects.push(Effect::CallModel);
        self.state = State::Calling(Attempt::default());
    }

    fn answered(&mut self, now: Millis, mut attempt: Attempt, answer: Answer, effects: &mut Effects) {
        let Answer { message, stop, spent, calls } = answer;
        open(&mut attempt, effects);
        let content = message.joined_text();
        let model = spent.model.clone();
        effects.push(Effect::Persist(
            vec![Body::Message {
                role: Role::Assistant,
                parts: message.parts,
                model: Some(model.name().to_owned()),
                provider: Some(model.provider().to_owned()),
            }],
            Durability::Written,
        ));
        effects.push(Effect::Emit(EventBody::MessageEnd { content: content.clone() }));
        if !calls.is_empty() && !content.is_empty() {
            effects.push(Effect::Emit(EventBody::ToolCallContent { content: content.clone() }));
        }
        self.spend(Some(spent), effects);
        self.step = self.step.saturating_add(1);
        self.response = content;
        if calls.is_empty() {
            self.end_step(now, stop, effects);
            return;
        }
        let truncated = calls.iter().all(|call| !call.part.finished);
        self.truncated_streak = if truncated { self.truncated_streak + 1 } else { 0 };
        if truncated && (self.truncated_streak >= LONGEST_TRUNCATED_STREAK || stop == StopReason::Refusal) {
            self.ending = Some(Ending::of(stop));
        }
        let mut calls = Calls::new(calls);
        for call in calls.planned() {
            effects.push(Effect::Emit(call.announcement()));
        }
        for settled in calls.refuse() {
            self.settle(Some(settled), effects);
        }
        self.proceed(now, calls, effects);
    }

    /// The model is done, unless a prompt waits to join.
    fn end_step(&mut self, now: Millis, stop: StopReason, effects: &mut Effects) {
        let limit_reached = self.limit_reached();
        if self.steered && !limit_reached {
            self.call_model(effects);
            return;
        }
        let stop = match stop {
            StopReason::ToolUse => StopReason::EndTurn,
            StopReason::EndTurn
            | StopReason::MaxTokens
            | StopReason::Refusal
            | StopReason::Cancelled
            | StopReason::Budget
            | StopReason::MaxSteps
            | StopReason::Error => stop,
        };
        self.finish(now, Ending::of(stop), effects);
    }

    fn limit_reached(&self) -> bool {
        self.plan.max_steps.is_some_and(|most| self.step >= most)
    }

    /// Starts what may start, or goes on when all calls have their results.
    fn proceed(&mut self, now: Millis, mut calls: Calls, effects: &mut Effects) {
        if self.ending.is_none() {
            for call in calls.start() {
                effects.push(Effect::StartTool(call.number));
            }
        }
        if !calls.all_done() {
            self.state = State::Running(calls);
        } else if let Some(ending) = self.ending.take() {
            self.finish(now, ending, effects);
        } else if self.limit_reached() {
            self.finish(now, Ending::of(StopReason::MaxSteps), effects);
        } else {
            self.call_model(effects);
        }
    }

    fn stop_calls(&mut self, now: Millis, mut calls: Calls, ending: Ending, effects: &mut Effects) {
        if self.ending.is_none() {
            effects.push(Effect::CancelTools);
        }
        // The first reason to end a turn is the one that is told, but a loss of data outranks a cancel.
        if self.ending.is_none() || ending.error.is_some() {
            self.ending = Some(ending);
        }
        for settled in calls.withdraw() {
            self.settle(Some(settled), effects);
        }
        self.proceed(now, calls, effects);
    }

    fn settle(&mut self, settled: Option<Settled>, effects: &mut Effects) {
        let Some(mut settled) = settled else { return };
        let part = &settled.call.part;
        if let Some(note) = self.repetitions.count(&part.name, &part.input, &settled.outcome.content) {
            settled.outcome.content.push_str(&note);
        }
        self.tool_names.push(settled.call.part.name.clone());
        effects.push(Effect::Persist(settled.entries(&self.plan.turn), Durability::Written));
        if settled.executed {
            effects.push(Effect::Emit(settled.call.end_event()));
        }
        effects.push(Effect::Emit(settled.result_event()));
    }

    fn spend(&mut self, spent: Option<Spent>, effects: &mut Effects) {
        let Some(spent) = spent else { return };
        let usage = spent.into_usage(self.step);
        self.llm_calls += 1;
        self.usage.add(&usage);
        effects.push(Effect::Spend(usage));
    }

    fn failed(&mut self, now: Millis, mut attempt: Attempt, failure: Failure, effects: &mut Effects) {
        self.spend(failure.spent, effects);
        let Some(retry) = failure.retry else {
            self.close(attempt, "error", effects);
            self.finish(now, Ending::error(failure.kind, failure.message), effects);
            return;
        };
        if attempt.shown {
            effects.push(Effect::Emit(EventBody::StreamReset {}));
        }
        attempt.text.clear();
        attempt.shown = false;
        effects.push(Effect::Emit(EventBody::Retry {
            attempt: retry.attempt,
            after_ms: u64::try_from(retry.after.as_millis()).unwrap_or(u64::MAX),
            reason: failure.message,
        }));
        effects.push(Effect::WaitForRetry(retry.after));
        self.state = State::Waiting(attempt);
    }

    /// Ends an answer that stays incomplete. Its text was shown, so the conversation keeps it.
    fn close(&mut self, attempt: Attempt, reason: &str, effects: &mut Effects) {
        if !attempt.text.trim().is_empty() {
            let parts = vec![
                Part::Text(TextPart { text: attempt.text.clone() }),
                Part::Finish(FinishPart { reason: reason.to_owned() }),
            ];
            effects.push(Effect::Persist(vec![Body::message(Role::Assistant, parts)], Durability::Written));
        }
        if attempt.opened {
            effects.push(Effect::Emit(EventBody::MessageEnd { content: attempt.text }));
        }
    }

    fn finish(&mut self, now: Millis, ending: Ending, effects: &mut Effects) {
        self.state = State::Ended;
        let Ending { stop, error } = ending;
        let response = match stop {
            StopReason::Cancelled | StopReason::Error => String::new(),
            StopReason::EndTurn
            | StopReason::MaxTokens
            | StopReason::ToolUse
            | StopReason::Refusal
            | StopReason::Budget
            | StopReason::MaxSteps => std::mem::take(&mut self.response),
        };
        let duration_ms = now.since(self.plan.started);
        let note = Note::TurnEnd(TurnEndNote {
            turn: self.plan.turn.clone(),
            response: response.clone(),
            stop_reason: stop,
            error_kind: error.as_ref().map(|(kind, _)| *kind),
            error: error.as_ref().map(|(_, message)| message.clone()),
            tool_names: self.tool_names.clone(),
            llm_call_count: self.llm_calls,
            usage: self.usage.clone(),
            duration_ms,
        });
        effects.push(Effect::Persist(vec![Body::from(&note)], Durability::Synced));
        if !response.is_empty() {
            effects.push(Effect::Emit(EventBody::Response { content: response.clone() }));
        }
        let message = error.map(|(kind, message)| {
            effects.push(Effect::Emit(EventBody::Error { kind, message: message.clone() }));
            message
        });
        effects.push(Effect::Emit(EventBody::TurnEnd {
            response,
            stop_reason: stop,
            error: message,
            tool_call_count: u64::try_from(self.tool_names.len()).unwrap_or(u64::MAX),
            tool_names: std::mem::take(&mut self.tool_names),
            llm_call_count: self.llm_calls,
            usage: self.usage.clone(),
            duration_ms,
        }));
        effects.push(Effect::Finish);
    }
}

fn open(attempt: &mut Attempt, effects: &mut Effects) {
    if !attempt.opened {
        attempt.opened = true;
        effects.push(Effect::Emit(EventBody::MessageStart {}));
    }
}

#[cfg(test)]
mod tests;
