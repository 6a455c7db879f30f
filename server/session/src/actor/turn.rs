//! Performs the effects of the turn machine, and feeds it what comes of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{
    DeltaOf, ErrorKind, EventBody, KitError, Part, Role, RunState, StopReason, TextPart, TurnId, Usage,
};
use kit_provider::retry::Schedule;
use kit_provider::{ModelError, ModelEvent, OVERFLOW_MEND, Parameters, Request, ToolDefinition};
use kit_tools::OutputSink;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::afterwards::Aftermath;
use super::attempt::{self, Attempt, AttemptEvent};
use super::gate::{Arrival, Asking, Passage};
use super::intercept::{Interceptors, Preparation, PreparedContext};
use super::plan::{self, Plan};
use super::prompts::Unopened;
use super::summaries::overflow_failure;
use super::tools::{News, Outputs, ToolDone, Tools};
use super::{Actor, Millis};
use crate::budget::Reservation;
use crate::conversation;
use crate::dependencies::Setup;
use crate::hooks::Observation;
use crate::journal::entry::{Body, Note, PromptNote, UsageNote};
use crate::journal::write::Durability;
use crate::reference::{CommandReference, Reference};
use crate::restore;
use crate::system;
use crate::tokens;
use crate::turn::{Answer, Effect, Failure, Input, Machine, RetryPlan, Spent, ToolOutcome};
use crate::update_plan;

/// How long cancelled tools have to end by themselves; the turn has ended a second after the cancel.
const CANCEL_PATIENCE: Duration = Duration::from_millis(800);
/// The same for those of a subagent, whose parent waits for it.
const SUBAGENT_PATIENCE: Duration = Duration::from_millis(500);
const THINKING: &str = "thinking";
/// The longest label of the status.
const LONGEST_LABEL: usize = 48;

/// The turn that runs.
pub(super) struct Running {
    pub(super) machine: Machine,
    /// The settings that it started with.
    pub(super) setup: Arc<Setup>,
    pub(super) cancel: CancellationToken,
    /// The prompt, until the beginning of the turn is saved.
    pub(super) unopened: Option<Unopened>,
    pub(super) interceptors: Option<Interceptors>,
    /// The messages of model calls as interceptors left them.
    pub(super) prepared: PreparedContext,
    schedule: Schedule,
    pub(super) attempt: Option<Attempt>,
    /// What the call may cost, reserved until what it did cost is counted.
    reservation: Option<Reservation>,
    pub(super) retry_at: Option<Instant>,
    pub(super) deadline: Option<Instant>,
    pub(super) tools: Tools,
    pub(super) outputs: Arc<Outputs>,
    /// The calls of the last answer.
    pub(super) plans: Vec<Plan>,
    /// What follows them.
    pub(super) aftermath: Aftermath,
    /// Prompts that wait to join.
    pub(super) steers: Vec<PromptNote>,
    /// The question that the next call waits for.
    pub(super) asking: Option<Asking>,
    /// What the next call waits for: tools, of which a turn waits for some once, or what prompts refer to.
    pub(super) arriving: Option<AbortOnDropHandle<Arrival>>,
    pub(super) awaited_tools: bool,
    /// What prompts refer to and was not fetched yet: the command that the turn begins with, and the rest.
    pub(super) command: Option<CommandReference>,
    pub(super) references: Vec<Reference>,
    /// What the next call went through already: the user let it exceed a budget, a full context was compacted for it, a
    /// context that overflowed was.
    pub(super) allowed: bool,
    pub(super) compacted: bool,
    overflowed: bool,
}

impl Running {
    /// A turn whose beginning is saved, but for a prompt that interceptors look at first.
    pub(super) fn new(machine: Machine, setup: Arc<Setup>, unopened: Option<Unopened>) -> Self {
        Self {
            machine,
            setup,
            cancel: CancellationToken::new(),
            unopened,
            interceptors: None,
            prepared: PreparedContext::default(),
            schedule: Schedule::default(),
            attempt: None,
            reservation: None,
            retry_at: None,
            deadline: None,
            tools: Tools::default(),
            outputs: Arc::default(),
            plans: Vec::new(),
            aftermath: Aftermath::default(),
            steers: Vec::new(),
            asking: None,
            arriving: None,
            awaited_tools: false,
            command: None,
            references: Vec::new(),
            allowed: false,
            compacted: false,
            overflowed: false,
        }
    }
}

impl Actor {
    /// Feeds the machine and performs what it answers, until nothing more follows at once.
    pub(super) async fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(running) = &mut self.running else { break };
            let effects = running.machine.on(Millis::now(), input);
            self.perform(effects, &mut inputs).await;
        }
        if let Some(running) = self.running.as_mut().filter(|running| running.attempt.is_none()) {
            running.reservation = None;
        }
        self.post();
    }

    /// Performs effects in order. When the file cannot be written, nothing that would go on from there is done, and
    /// the machine learns it.
    async fn perform(&mut self, effects: Vec<Effect>, inputs: &mut VecDeque<Input>) {
        let mut unsaved = None;
        for effect in effects {
            match effect {
                Effect::Persist(bodies, durability) if unsaved.is_none() => {
                    unsaved = self.append(bodies, durability).await.err().map(|error| error.message);
                }
                Effect::Join if unsaved.is_none() => {
                    unsaved = self.join().await.err().map(|error| error.message);
                }
                Effect::Spend(usage) if unsaved.is_none() => {
                    unsaved = self.spend(usage).await.err().map(|error| error.message);
                }
                Effect::Open(opening) if unsaved.is_none() => {
                    unsaved = self.open_turn(opening).await.err().map(|error| error.message);
                }
                Effect::Persist(..) | Effect::Join | Effect::Spend(_) | Effect::Open(_) => {}
                Effect::Intercept => self.start_interceptors(),
                Effect::DropInterceptors => self.with_running(|running| running.interceptors = None),
                Effect::Emit(body) => {
                    if let (Some(message), EventBody::TurnEnd { error: None, .. }) = (&unsaved, &body) {
                        // The end itself is not saved, and nothing else would say so.
                        self.emit(EventBody::Error {
                            kind: ErrorKind::Unavailable,
                            message: message.clone(),
                        })
                        .await;
                    }
                    self.emit(body).await;
                }
                Effect::CallModel if unsaved.is_none() => {
                    inputs.extend(self.call_model().await.map(Input::Failed));
                }
                Effect::CallModel => {}
                Effect::StartTool(number) if unsaved.is_none() => self.start_tool(number),
                Effect::StartTool(number) => {
                    inputs.push_back(Input::ToolDone(
                        number,
                        ToolOutcome::error("not run: the session cannot be saved"),
                    ));
                }
                Effect::DropModel => self.withdraw_call(),
                Effect::WaitForRetry(after) => {
                    self.label = format!("retry in {} s", after.as_secs_f64().ceil());
                    self.with_running(|running| running.retry_at = Some(Instant::now() + after));
                }
                Effect::CancelTools => {
                    let patience = if self.work.is_some() { SUBAGENT_PATIENCE } else { CANCEL_PATIENCE };
                    self.with_running(|running| {
                        running.cancel.cancel();
                        running.deadline = Some(Instant::now() + patience);
                    });
                }
                Effect::AbortTools => self.with_running(|running| running.tools.abort()),
                Effect::Finish => self.finish_turn().await,
            }
        }
        if let Some(message) = unsaved
            && self.running.as_ref().is_some_and(|running| !running.machine.is_ending())
        {
            inputs.push_front(Input::Unsaved(message));
        }
    }

    pub(super) fn with_running(&mut self, change: impl FnOnce(&mut Running)) {
        if let Some(running) = &mut self.running {
            change(running);
        }
    }

    pub(super) async fn emit(&mut self, body: EventBody) {
        self.overhear(&body);
        match (&body, body.delta()) {
            (EventBody::Error { kind, message }, _) => {
                let signed_out = *kind == ErrorKind::Auth;
                self.state = if signed_out { RunState::SignedOut } else { RunState::Error };
                self.label = short(message);
            }
            (EventBody::TurnEnd { stop_reason, .. }, _) if *stop_reason != StopReason::Error => {
                self.state = RunState::Idle;
                self.label.clear();
            }
            (EventBody::TurnStart { .. }, _) | (_, Some(DeltaOf::Reasoning)) => {
                THINKING.clone_into(&mut self.label);
            }
            (_, Some(DeltaOf::Text)) => "answering".clone_into(&mut self.label),
            (_, Some(DeltaOf::Output(..)) | None) => {}
        }
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        self.stream.emit(turn.as_ref(), body);
    }

    /// Counts a model call of the running turn: its number, its place in the file, the day's spending.
    async fn spend(&mut self, usage: Usage) -> Result<(), KitError> {
        let Some(turn) = self.running.as_ref().map(|running| running.machine.turn().clone()) else {
            return Ok(());
        };
        let usage = Usage { call: self.usage.next_call(), ..usage };
        let note = Note::Usage(UsageNote { turn: Some(turn), agent: None, usage: usage.clone() });
        self.append(vec![Body::from(&note)], Durability::Written).await?;
        self.usage.add(usage.clone());
        self.paid(&usage);
        self.shared.spend(&self.session, &usage).await;
        self.emit(EventBody::StepUsage(usage)).await;
        Ok(())
    }

    /// Takes waiting prompts, news of the review and of subagents into the conversation.
    async fn join(&mut self) -> Result<(), KitError> {
        let steers = self.running.as_ref().map(|running| running.steers.clone()).unwrap_or_default();
        let mut entries = restore::join_entries(&steers);
        if let Some(feedback) = self.news().await {
            entries.push(Body::message(Role::User, vec![Part::Text(TextPart { text: feedback })]));
        }
        entries.extend(self.subagent_news());
        if entries.is_empty() {
            return Ok(());
        }
        self.append(entries, Durability::Written).await?;
        if !steers.is_empty() {
            self.with_running(Running::joined);
            self.tell_queue();
            self.tell_joined(&steers).await;
        }
        Ok(())
    }

    async fn tell_joined(&mut self, steers: &[PromptNote]) {
        for steer in steers {
            self.emit(EventBody::SteerConsumed { prompt: restore::own_text(&steer.parts) }).await;
        }
    }

    /// Starts an attempt, unless something comes first; or answers why the request cannot be made.
    pub(super) async fn call_model(&mut self) -> Option<Failure> {
        THINKING.clone_into(&mut self.label);
        // The call before this one is counted by now.
        self.with_running(|running| running.reservation = None);
        let failure =
            |error: KitError| Failure { kind: error.kind, message: error.message, retry: None, spent: None };
        if self.awaits_tools() || self.awaits_references() {
            return None;
        }
        if let Err(error) = self.load().await {
            return Some(failure(error));
        }
        match self.compacts_first().await {
            Ok(false) => {}
            Ok(true) => return None,
            Err(error) => return Some(failure(error)),
        }
        let (request, preparation) = match self.request().await {
            Ok(request) => request,
            Err(error) => return Some(failure(error)),
        };
        self.meter.set_frame(tokens::of_frame(&request.system, &request.tools));
        let Passage::Open(reservation) = self.may_call().await else { return None };
        let models = Arc::clone(&self.setup().models);
        let model = self.model.clone();
        self.with_running(|running| {
            running.retry_at = None;
            let cancel = running.cancel.child_token();
            let attempt = Attempt::start(models, model, request, preparation, cancel);
            running.attempt = Some(attempt);
            running.reservation = reservation;
        });
        if let Some(running) = self.running.as_ref().filter(|running| running.schedule.attempt == 0) {
            self.observe(Observation::StepStart { step: running.machine.step() });
        }
        None
    }

    /// The request of the next call, and what interceptors have to do with its messages first.
    async fn request(&mut self) -> Result<(Request, Option<Preparation>), KitError> {
        let conversation = self.conversation.as_deref().unwrap_or_default();
        let (messages, is_prepared) = match &self.running {
            Some(running) => running.prepared.messages(conversation),
            None => (conversation::paired(conversation).into(), false),
        };
        let preparation = if is_prepared { None } else { self.preparation() };
        let setup = self.setup();
        let settings = &setup.settings;
        let roots = self.shared.with.workspace.roots();
        let offered = self.shared.with.tools.definitions(self.mode).into_iter();
        let offered =
            offered.filter(|tool| self.has_tool(&tool.name) && self.is_enabled(&tool.name)).collect();
        let (project, definitions) = self.project_section(offered).await;
        let plans = update_plan::is_offered(&definitions);
        let tools = definitions.into_iter().map(|tool| ToolDefinition {
            name: tool.name,
            description: tool.description,
            input_schema: tool.input_schema,
        });
        let own = settings.system_prompt.as_deref();
        let mut system = system::prompt(&self.cwd, &roots, self.mode, own, &project);
        if plans {
            system.push_str(update_plan::INSTRUCTIONS);
        }
        let role = self.role.as_ref();
        if let Some(role) = role {
            system.push_str(&role.instructions);
        }
        let request = Request {
            system: system.into(),
            messages,
            tools: tools.collect(),
            parameters: Parameters {
                max_output_tokens: settings.max_tokens,
                temperature: role.and_then(|role| role.temperature).or(settings.temperature),
                top_p: settings.top_p,
                stop_sequences: settings.stop_sequences.clone().unwrap_or_default(),
                thinking: self.thinking,
            },
            cache_key: Some(self.session.to_string()),
        };
        Ok((request, preparation))
    }

    /// Takes in what the running attempt reports.
    pub(super) async fn attempt_event(&mut self, event: Option<AttemptEvent>) {
        match event {
            None => self.attempt_failed(attempt::lost()).await,
            Some(AttemptEvent::Failed(error)) => self.attempt_failed(error).await,
            Some(AttemptEvent::Prepared(prepared)) => {
                self.with_running(|running| running.prepared.take_in(prepared));
            }
            Some(AttemptEvent::Using(model)) => {
                self.context_window = model.info().context_window;
                if self.model.is_none() {
                    self.model = Some(model.info().id.clone());
                }
                if let Some(missing) = self.missing_level(model.as_ref()) {
                    self.emit(missing).await;
                }
                self.with_running(|running| {
                    if let Some(attempt) = &mut running.attempt {
                        attempt.model = Some(model);
                    }
                });
                self.post();
            }
            Some(AttemptEvent::Answer(event)) => self.answer_event(event).await,
        }
    }

    async fn answer_event(&mut self, event: ModelEvent) {
        match event {
            ModelEvent::Connected { request_id } => {
                self.with_attempt(|attempt| attempt.request_id = request_id);
                self.input(Input::Connected).await;
            }
            ModelEvent::TextDelta(text) => self.input(Input::Text(text)).await,
            ModelEvent::ReasoningDelta(delta) => self.input(Input::Reasoning(delta)).await,
            ModelEvent::ToolCallStart { id, name } => {
                self.label = short(&format!("preparing {name}"));
                self.post();
                self.observe(Observation::ToolInputStart { id, name });
            }
            ModelEvent::ToolCallDelta { id, delta } => {
                self.observe(Observation::ToolInputDelta { id, delta });
            }
            ModelEvent::ToolCallEnd { id } => self.observe(Observation::ToolInputEnd { id }),
            ModelEvent::Usage(tokens) => self.with_attempt(|attempt| attempt.tokens = Some(tokens)),
            ModelEvent::Finished(completion) => {
                let mut message = completion.message;
                plan::distinct_ids(&mut message, self.conversation.as_deref().unwrap_or_default());
                let Some(turn) = self.running.as_ref().map(|running| running.machine.turn().clone()) else {
                    return;
                };
                let quiet: OutputSink = Arc::new(|_, _| {});
                let names: Vec<String> = self.own_tools().collect();
                let mut plans = plan::plan(&message, &self.shared.with.tools, &names, |call| {
                    self.context(&turn, call, Arc::clone(&quiet), CancellationToken::new())
                });
                self.refuse_disabled(&mut plans);
                let calls: Vec<_> = plans.iter().map(|plan| plan.call.clone()).collect();
                if let Some(running) = &self.running {
                    self.observe(Observation::StepFinish {
                        step: running.machine.step(),
                        has_tool_calls: !calls.is_empty(),
                        finish_reason: completion.finish_reason.clone(),
                        tokens: completion.tokens,
                    });
                }
                self.with_running(|running| {
                    running.attempt = None;
                    running.prepared.call_ended();
                    running.schedule = Schedule::default();
                    running.plans = plans;
                    running.allowed = false;
                    running.compacted = false;
                    running.overflowed = false;
                    running.aftermath.begin_answer();
                });
                let spent = Spent {
                    model: completion.model,
                    tokens: completion.tokens,
                    cost: completion.cost,
                    finish_reason: completion.finish_reason,
                    request_id: completion.request_id,
                };
                let answer = Answer { message, stop: completion.stop, spent, calls };
                self.input(Input::Answered(Box::new(answer))).await;
            }
        }
    }

    fn with_attempt(&mut self, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.running.as_mut().and_then(|running| running.attempt.as_mut()) {
            change(attempt);
        }
    }

    async fn attempt_failed(&mut self, error: ModelError) {
        let Some(running) = &mut self.running else { return };
        let spent = running.attempt.take().and_then(|attempt| attempt.spent());
        if error.kind == ErrorKind::ContextOverflow {
            return self.context_overflowed(error, spent).await;
        }
        let after = running.schedule.next(&error, chance());
        let failure = Failure {
            kind: error.kind,
            message: if after.is_some() { error.message.clone() } else { running.schedule.failure(&error) },
            retry: after.map(|after| RetryPlan { attempt: running.schedule.attempt, after }),
            spent,
        };
        self.input(Input::Failed(failure)).await;
    }

    /// The context was too large: compacts it once and tries again, once.
    async fn context_overflowed(&mut self, error: ModelError, spent: Option<Spent>) {
        if let Some(spent) = spent {
            self.input(Input::Spent(Box::new(spent))).await;
        }
        let Some(running) = &mut self.running else { return };
        let why = if std::mem::replace(&mut running.overflowed, true) {
            "compacting it did not help".to_owned()
        } else {
            match self.overflowed().await {
                Ok(true) => return,
                Ok(false) => "there is nothing to compact".to_owned(),
                Err(why) => format!("it could not be compacted: {}", why.message),
            }
        };
        let what = error.message.strip_suffix(OVERFLOW_MEND).unwrap_or(&error.message);
        self.input(Input::Failed(overflow_failure(what, &why))).await;
    }

    pub(super) async fn retry_due(&mut self) {
        self.with_running(|running| running.retry_at = None);
        self.input(Input::RetryDue).await;
    }

    pub(super) async fn deadline(&mut self) {
        self.with_running(|running| running.deadline = None);
        self.input(Input::Deadline).await;
    }

    pub(super) async fn tool_done(&mut self, done: ToolDone) {
        self.tell_news().await;
        // All that a subagent did comes before the result of the call that waited for it.
        self.tell_relayed().await;
        self.input(Input::ToolDone(done.number, done.outcome)).await;
    }

    /// Tells which calls run now and what they wrote.
    pub(super) async fn tell_news(&mut self) {
        let Some(running) = &self.running else { return };
        let turn = running.machine.turn().clone();
        for news in running.outputs.take() {
            match news {
                News::Executes(number) => self.input(Input::ToolExecutes(number)).await,
                News::Event(body) => self.stream.emit(Some(&turn), *body),
            }
        }
    }

    /// Cancels a turn: the running one, or one that waits.
    pub(super) async fn cancel(&mut self, turn: Option<TurnId>) {
        let runs = self
            .running
            .as_ref()
            .is_some_and(|running| turn.as_ref().is_none_or(|turn| running.machine.turn() == turn));
        if runs || turn.is_none() {
            self.nursery.kill_all();
        }
        if self.running.is_none() && turn.is_none() {
            self.cancel_summary().await;
        } else if runs {
            let spent =
                self.running.as_ref().and_then(|running| running.attempt.as_ref()).and_then(Attempt::spent);
            self.with_running(|running| running.retry_at = None);
            self.input(Input::Cancel(spent)).await;
        } else if let Some(turn) = turn {
            self.cancel_waiting(&turn).await;
        }
    }

    /// The turn is over. Prompts that came too late to join are kept in the conversation.
    async fn finish_turn(&mut self) {
        let Some(running) = self.running.take() else { return };
        self.shared.with.policy.widen(&self.session);
        self.report();
        self.adopt_rest().await;
        if !running.steers.is_empty() {
            if let Err(error) = self.append(restore::join_entries(&running.steers), Durability::Written).await
            {
                tracing::error!(%error, "a prompt that came too late to join its turn is not saved");
            }
            self.tell_queue();
            self.tell_joined(&running.steers).await;
        }
    }

    /// Starts the next waiting prompt when no turn runs.
    pub(super) async fn start_next(&mut self) {
        while self.running.is_none()
            && self.summarizing.is_none()
            && self.closing.is_empty()
            && let Some(next) = self.queue.pop_front()
        {
            self.tell_queue();
            let (turn, prompt) = (next.turn.clone(), restore::own_text(&next.parts));
            match self.start(next).await {
                Ok(()) => self.input(Input::Begin).await,
                // It was accepted, so it has to end as a turn although it never ran.
                Err(error) => self.end_unstarted(&turn, prompt, StopReason::Error, Some(error)),
            }
        }
    }
}

/// A number from `0.0..1.0`, to keep many clients from returning together.
pub(crate) fn chance() -> f64 {
    let (_, bits) = uuid::Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(bits & 0xFFFF_FFFF).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

/// A label on one short line.
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_LABEL) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
