//! What a model call has to pass before it goes out: tools that are on their way, what a prompt refers to, a compaction
//! that is due, a model that goes in circles, the budgets.
//!
//! Each may have to wait, for others, a summary or a person; the call is then asked for again when the wait is over. The
//! turn machine knows nothing of it: to it the call is on its way.

use std::sync::Arc;

use futures::FutureExt;
use kit_protocol::{
    AskAnswer, AskKind, AskRequest, CostKind, EventBody, KitError, ModelId, QuestionId, Role, Usage,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::Actor;
use super::intercept::PreparedContext;
use super::summaries::Cause;
use crate::budget::{self, Level, Limits as Budgets, Purses, Reservation, Spend};
use crate::compaction::Limits;
use crate::compaction::plan::Depth;
use crate::compose::{self, Asker, Fetched, Wanted};
use crate::conversation;
use crate::history::{EntryIndex, RecordKind};
use crate::journal::entry::Body;
use crate::journal::write::Durability;
use crate::tokens::{self, Meter};
use crate::turn::{Failure, Input, Repetition};

const GO_ON: &str = "Go on this once";
const KEEP_GOING: &str = "Go on";
const STOP: &str = "Stop";
const STARTING: &str = "starting MCP servers";
const READING: &str = "reading what the prompt mentions";
const FETCHING: &str = "fetching the prompt of an MCP server";

/// A question that a call waits for.
pub(super) struct Asking {
    about: About,
    options: Vec<String>,
    task: AbortOnDropHandle<AskAnswer>,
    /// Withdraws the question.
    _withdraw: DropGuard,
}

enum About {
    Budget(Level),
    Circle(Repetition),
}

/// The answer to a question; waits forever where there is none.
pub(super) async fn answered(asking: &mut Option<Asking>) -> AskAnswer {
    match asking {
        Some(asking) => (&mut asking.task).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a question failed");
            AskAnswer { cancelled: true, ..AskAnswer::default() }
        }),
        None => std::future::pending().await,
    }
}

/// What a call waited for.
pub(super) enum Arrival {
    /// The tools are there, or late.
    Tools,
    /// What prompts refer to, or why there is nothing to do.
    References(Result<Fetched, KitError>),
}

/// What the call waits for; waits forever where it waits for nothing.
pub(super) async fn arrived(arriving: &mut Option<AbortOnDropHandle<Arrival>>) -> Arrival {
    match arriving {
        Some(arriving) => arriving.await.unwrap_or_else(|error| {
            tracing::error!(%error, "what a call waits for cannot be had");
            Arrival::Tools
        }),
        None => std::future::pending().await,
    }
}

/// Whether a call may go out.
pub(super) enum Passage {
    /// It may, and this is reserved for it.
    Open(Option<Reservation>),
    /// It waits.
    Waits,
}

impl Actor {
    /// Reads the messages of the current branch, unless they are known.
    pub(super) async fn load(&mut self) -> Result<(), KitError> {
        if self.conversation.is_some() {
            return Ok(());
        }
        let branch = self.journal.history().current_branch();
        let entries = self.on_branch(branch, conversation::entries).await?;
        let known = self
            .counted_at()
            .map(|(at, tokens)| (tokens, entries.iter().take_while(|(index, _)| *index < at).count()));
        let messages: Vec<_> = entries.into_iter().map(|(_, message)| message).collect();
        self.meter = Meter::of(&messages, known);
        self.conversation = Some(messages);
        // What interceptors prepared stands for messages that are others now.
        self.with_running(|running| running.prepared = PreparedContext::default());
        Ok(())
    }

    /// What the provider last counted on the current branch, and where the file says so, unless a compaction follows.
    fn counted_at(&self) -> Option<(EntryIndex, u64)> {
        let branch = self.journal.history().current_branch();
        let compaction = branch.iter().rev().find(|index| self.is_compaction(**index));
        let on_branch = |at| branch.binary_search(&at).is_ok() && compaction.is_none_or(|last| *last < at);
        self.counts.iter().rev().find(|(at, _)| on_branch(*at)).copied()
    }

    fn is_compaction(&self, index: EntryIndex) -> bool {
        self.journal.history().get(index).is_some_and(|record| record.kind == RecordKind::Compaction)
    }

    /// The size of the context as far as the file tells it without its messages being read.
    pub(super) fn measure(&mut self) {
        self.meter = Meter::of(&[], self.counted_at().map(|(_, tokens)| (tokens, 0)));
    }

    /// The limits of the model's context.
    pub(super) fn limits(&self) -> Limits {
        let setup = self.setup();
        let known = self.model.as_ref().and_then(|model| setup.models.resolve(model).ok());
        Limits::of(known.as_ref().map(|model| model.info()), setup.settings.compaction.as_ref())
    }

    /// Begins a compaction that is due; true when the call has to wait for it, or for an answer about its cost.
    pub(super) async fn compacts_first(&mut self) -> Result<bool, KitError> {
        let is_on = self.setup().settings.auto_compact.unwrap_or(true);
        let is_full = is_on && self.limits().are_reached(self.meter.size().tokens);
        // Once before a call is enough: what a summary does not make smaller, a second one does not either.
        let is_due = is_full && self.running.as_ref().is_some_and(|running| !running.compacted);
        if self.asked_compaction.is_none() && !is_due {
            return Ok(false);
        }
        let (writer, _) = self.writer()?;
        let reservation = match self.reserve_call(writer.as_ref()).await {
            Ok(reservation) => reservation,
            Err(level) => {
                self.ask_about(level);
                return Ok(true);
            }
        };
        if let Some(asked) = self.asked_compaction.take() {
            return self.begin_asked(asked, reservation).await;
        }
        self.with_running(|running| running.compacted = true);
        self.begin_compaction(Cause::Full, Depth::Usual, reservation).await
    }

    /// Begins to wait for tools that are on their way, once in a turn; true when the call has to wait for them.
    pub(super) fn awaits_tools(&mut self) -> bool {
        let Some(running) = self.running.as_mut().filter(|running| !running.awaited_tools) else {
            return false;
        };
        running.awaited_tools = true;
        let Some(arriving) = self.shared.with.tools.arriving() else {
            self.tell_missing();
            return false;
        };
        let arriving = arriving.map(|()| Arrival::Tools);
        running.arriving = Some(AbortOnDropHandle::new(tokio::spawn(arriving)));
        STARTING.clone_into(&mut self.label);
        self.post();
        true
    }

    /// Tells the user once which tools are not there and why.
    fn tell_missing(&mut self) {
        if self.work.is_some() || self.role.is_some() {
            return;
        }
        let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
        for message in self.shared.with.tools.missing() {
            if !self.told_missing.contains(&message) {
                self.told_missing.push(message.clone());
                self.stream.emit(turn.as_ref(), EventBody::Notice { message });
            }
        }
    }

    /// What the call waited for is there. What prompts refer to follows them.
    pub(super) async fn arrived(&mut self, arrival: Arrival) {
        self.with_running(|running| running.arriving = None);
        match arrival {
            Arrival::Tools => self.tell_missing(),
            Arrival::References(Err(KitError { kind, message, .. })) => {
                let failure = Failure { kind, message, retry: None, spent: None };
                return self.input(Input::Failed(failure)).await;
            }
            Arrival::References(Ok(Fetched { parts, seen, renewed })) => {
                let note = self.read(seen);
                if !parts.is_empty() {
                    let message = Body::message(Role::User, parts);
                    let entries = std::iter::once(message).chain(note).collect();
                    if let Err(error) = self.append(entries, Durability::Written).await {
                        return self.input(Input::Unsaved(error.message)).await;
                    }
                    self.tell_renewed(renewed).await;
                }
            }
        }
        self.resume_call().await;
    }

    /// Begins to fetch what prompts refer to; true when the call has to wait for it.
    pub(super) fn awaits_references(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        let (command, others) = (running.command.take(), std::mem::take(&mut running.references));
        self.watch(&others);
        let renewals = self.renewals();
        if command.is_none() && others.is_empty() && renewals.is_empty() {
            return false;
        }
        let label = if command.is_some() { FETCHING } else { READING };
        let asker = Asker {
            contributions: Arc::clone(&self.shared.with.contributions),
            session: self.session.clone(),
            cwd: self.cwd.clone(),
        };
        let wanted = Wanted { command, others, renewals };
        let fetching = compose::fetch(asker, wanted).map(Arrival::References);
        let Some(running) = &mut self.running else { return false };
        running.arriving = Some(AbortOnDropHandle::new(tokio::spawn(fetching)));
        label.clone_into(&mut self.label);
        self.post();
        true
    }

    /// Whether the next call may go out. If not, the user is being asked.
    pub(super) async fn may_call(&mut self) -> Passage {
        let found = self.running.as_mut().and_then(|running| running.machine.repetition());
        if let Some(repetition) = found {
            let message = format!(
                "The model called `{}` {} times in this turn with the same arguments and the same result. Should it go on?",
                repetition.tool, repetition.count
            );
            self.ask(About::Circle(repetition), message, vec![KEEP_GOING.to_owned(), STOP.to_owned()]);
            return Passage::Waits;
        }
        match self.reserve_call(self.model.as_ref()).await {
            Ok(reservation) => Passage::Open(reservation),
            Err(level) => {
                self.ask_about(level);
                Passage::Waits
            }
        }
    }

    /// Reserves what a call of a model with the conversation costs at least; or the first limit that does not allow it.
    pub(super) async fn reserve_call(&self, model: Option<&ModelId>) -> Result<Option<Reservation>, Level> {
        let price = model.and_then(|model| self.setup().models.resolve(model).ok()?.info().price);
        let next = budget::least_cost(self.meter.size().tokens, price, self.usage.last.as_ref());
        if self.running.as_ref().is_some_and(|running| running.allowed) {
            return Ok(Some(self.purses().reserve_anyway(next)));
        }
        self.reserve(next).await
    }

    /// Reserves an amount; or the first limit that does not allow it.
    pub(super) async fn reserve(&self, next: Spend) -> Result<Option<Reservation>, Level> {
        let limits = Budgets::from(self.shared.setup_of(&self.cwd).settings.budget);
        self.shared.reserve(&self.purses(), limits, next).await
    }

    /// Asks what to do about a limit.
    fn ask_about(&mut self, level: Level) {
        let budgets = Budgets::from(self.shared.setup_of(&self.cwd).settings.budget);
        let raised = level.limit.saturating_add(budget::raise_of(budgets, &level));
        let raise = format!("Raise the {}'s budget to {}", level.scope.word(), level.amount(raised));
        let message = format!("Kit paused: {}. Should it go on?", level.sentence());
        self.ask(About::Budget(level), message, vec![GO_ON.to_owned(), raise, STOP.to_owned()]);
    }

    fn ask(&mut self, about: About, message: String, options: Vec<String>) {
        let cancel = CancellationToken::new();
        let withdraw = cancel.clone().drop_guard();
        let workspace = Arc::clone(&self.shared.with.workspace);
        let request = AskRequest {
            id: QuestionId::random(),
            kind: AskKind::Select,
            message,
            options: options.clone(),
            default: None,
            placeholder: None,
            masked: false,
            copy: None,
        };
        let task =
            AbortOnDropHandle::new(tokio::spawn(
                async move { workspace.editor().ask(request, cancel).await },
            ));
        let label = match &about {
            About::Budget(level) => format!("the {}'s budget is used up", level.scope.word()),
            About::Circle(_) => "the model goes in circles".to_owned(),
        };
        self.label = label;
        if let Some(running) = &mut self.running {
            running.asking = Some(Asking { about, options, task, _withdraw: withdraw });
        }
        self.post();
    }

    /// Goes on as the user answered. An answer that is none stops the turn.
    pub(super) async fn told_to(&mut self, answer: AskAnswer) {
        let Some(running) = &mut self.running else { return };
        let Some(Asking { about, options, .. }) = running.asking.take() else { return };
        let by_words =
            answer.value.as_ref().and_then(|value| options.iter().position(|option| value == option));
        let index = answer.index.and_then(|index| usize::try_from(index).ok()).or(by_words);
        let chosen = index.filter(|_| !answer.cancelled);
        let why = match (about, chosen) {
            (About::Budget(_), Some(0)) => {
                running.allowed = true;
                None
            }
            (About::Budget(level), Some(1)) => {
                let budgets = Budgets::from(self.shared.setup_of(&self.cwd).settings.budget);
                self.purses().raise(budgets, &level);
                None
            }
            (About::Budget(level), _) => Some(level.refusal()),
            (About::Circle(_), Some(0)) => None,
            (About::Circle(repetition), _) => Some(format!(
                "the model called `{}` {} times with the same arguments and the same result, so the turn was stopped; \
                 tell it what to do differently",
                repetition.tool, repetition.count
            )),
        };
        match why {
            Some(why) => self.input(Input::Stop(why)).await,
            None => self.resume_call().await,
        }
    }

    /// Asks again for the call that waited.
    pub(super) async fn resume_call(&mut self) {
        if self.running.as_ref().is_none_or(|running| !running.machine.waits_for_call()) {
            return;
        }
        if let Some(failure) = self.call_model().await {
            self.input(Input::Failed(failure)).await;
        }
    }

    /// The accounts that calls of this session are paid from.
    pub(super) fn purses(&self) -> Purses {
        Purses { own: Arc::clone(&self.purse), day: Arc::clone(&self.shared.day_purse) }
    }

    /// A model call was paid: counts it where it is limited, and says once what a limit in money cannot count.
    pub(super) fn paid(&mut self, usage: &Usage) {
        self.purse.pay(usage);
        self.meter.count(tokens::counted(usage));
        let budgets = Budgets::from(self.shared.setup_of(&self.cwd).settings.budget);
        if usage.cost_kind == CostKind::Unknown && budgets.has_money() && !self.told_unpriced {
            self.told_unpriced = true;
            let message = format!(
                "the price of {}/{} is not known, so its calls do not count against budgets in money; set a budget in tokens, \
                 or the model's `cost` under `custom-models`",
                usage.provider, usage.model
            );
            let turn = self.running.as_ref().map(|running| running.machine.turn().clone());
            self.stream.emit(turn.as_ref(), EventBody::Notice { message });
        }
    }

    /// Drops what a call waits for.
    pub(super) fn withdraw_call(&mut self) {
        self.summarizing = None;
        if let Some(running) = &mut self.running {
            running.attempt = None;
            running.asking = None;
            running.arriving = None;
        }
    }
}
