//! Summaries: of what a compaction replaces, and of a branch that is left.
//!
//! One summary is written at a time, in a task of its own; the session goes on taking requests, but begins no turn and
//! moves to no other branch until it is there. A compaction is one entry behind the leaf, so nothing is lost and the
//! tree stays in one piece. Whatever goes wrong, the session stays as it was and one sentence says why.

use std::sync::Arc;

use kit_protocol::{ErrorKind, EventBody, KitError, Message, ModelId, Usage};
use kit_provider::Request;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::{Actor, internal};
use crate::budget::Reservation;
use crate::compaction::Limits;
use crate::compaction::plan::{self, Depth, Plan};
use crate::compaction::summary::{self, Written};
use crate::history::EntryIndex;
use crate::hooks::{CompactionPlan, CompactionVerdict, HookPoint, HookScope};
use crate::journal::entry::{Body, MediaLeftOutNote, Note, UsageNote};
use crate::journal::write::Durability;
use crate::turn::{Failure, Input, Spent};
use crate::update_plan;

const COMPACTING: &str = "compacting the conversation";
const SUMMARIZING: &str = "summarizing the branch";
const NOTHING: &str =
    "there is nothing to compact: the conversation needs at least two messages before the last one";

/// Who waits for the end of a compaction. Dropped, it tells that the compaction was given up.
pub(crate) type Done = oneshot::Sender<Result<(), KitError>>;

/// A compaction that somebody asked for.
pub(crate) struct Asked {
    /// What the summary should keep in mind.
    pub(crate) focus: Option<String>,
    pub(crate) done: Option<Done>,
}

/// Why a conversation is compacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The user asked for it.
    Asked { focus: Option<String> },
    /// The context is nearly full.
    Full,
    /// The model refused the context as too large.
    Overflow,
}

/// What a summary is for.
enum Purpose {
    Compaction(Cause, Plan),
    /// The branch that ended at this entry was left.
    Branch(EntryIndex),
}

/// A summary that is being written. Dropping it stops that.
pub(super) struct Summarizing {
    purpose: Purpose,
    done: Option<Done>,
    task: AbortOnDropHandle<Outcome>,
    /// What it may cost.
    reservation: Option<Reservation>,
    /// Withdraws what was asked for it.
    _withdraw: DropGuard,
}

impl Summarizing {
    /// What the status says meanwhile.
    pub(super) fn label(&self) -> &'static str {
        match self.purpose {
            Purpose::Compaction(..) => COMPACTING,
            Purpose::Branch(_) => SUMMARIZING,
        }
    }
}

/// What came of it.
pub(super) enum Outcome {
    Written(Written),
    /// An extension does not want it; the reason.
    Vetoed(String),
    /// The task itself failed.
    Lost(String),
}

/// The outcome of a running summary; waits forever where there is none.
pub(super) async fn next(summarizing: &mut Option<Summarizing>) -> Outcome {
    match summarizing {
        Some(summarizing) => match (&mut summarizing.task).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Lost(internal(&error).message),
        },
        None => std::future::pending().await,
    }
}

impl Actor {
    /// `kit.session.compact`: begins at once, or at the next call of the running turn.
    pub(super) async fn compact(&mut self, asked: Asked) -> Result<(), KitError> {
        if self.summarizing.is_some() || self.asked_compaction.is_some() {
            return Err(KitError::new(ErrorKind::Busy, "the session is being compacted already"));
        }
        if self.running.is_some() {
            self.asked_compaction = Some(asked);
            return Ok(());
        }
        let reservation = match self.reserve_summary().await {
            Ok(reservation) => reservation,
            Err(error) => return Err(told(asked.done, error)),
        };
        if self.begin_asked(asked, reservation).await? {
            return Ok(());
        }
        Err(nothing())
    }

    /// Begins a compaction that was asked for during the last turn and found no call to precede.
    pub(super) async fn begin_asked_compaction(&mut self) {
        let Some(asked) = self.asked_compaction.take() else { return };
        if let Err(error) = self.compact(asked).await {
            self.emit(EventBody::Notice { message: error.message }).await;
        }
    }

    /// Begins a compaction that was asked for; false when there is too little to replace.
    pub(super) async fn begin_asked(
        &mut self,
        asked: Asked,
        reservation: Option<Reservation>,
    ) -> Result<bool, KitError> {
        let Asked { focus, done } = asked;
        match self.begin_compaction(Cause::Asked { focus }, Depth::Something, reservation).await {
            Ok(true) => {
                if let Some(summarizing) = &mut self.summarizing {
                    summarizing.done = done;
                }
                Ok(true)
            }
            Ok(false) => {
                told(done, nothing());
                Ok(false)
            }
            Err(error) => Err(told(done, error)),
        }
    }

    /// Begins a compaction; false when there is too little to replace.
    pub(super) async fn begin_compaction(
        &mut self,
        cause: Cause,
        depth: Depth,
        reservation: Option<Reservation>,
    ) -> Result<bool, KitError> {
        self.load().await?;
        let limits = self.limits();
        let history = self.journal.history();
        let branch = history.current_branch();
        let planned =
            self.on_branch(branch, move |history, lines| Plan::new(history, lines, limits, depth)).await?;
        let Some(mut plan) = planned else { return Ok(false) };
        if let Cause::Asked { focus } = &cause {
            plan.material.focus.clone_from(focus);
        }
        let (model, limits) = self.writer()?;
        let request = summary::of_conversation(&plan.material, limits.window, limits.reserve);
        let asked = CompactionPlan {
            estimated_tokens: self.meter.size().tokens,
            context_limit: self.context_window,
            message_count: self.conversation.as_ref().map_or(0, Vec::len),
            automatic: !matches!(cause, Cause::Asked { .. }),
        };
        self.begin_summary(Purpose::Compaction(cause, plan), Some(asked), reservation, model, request);
        Ok(true)
    }

    /// Begins the summary of what was left when the branch that ended at `from` was left for the current one; false
    /// when nothing was said there.
    pub(super) async fn begin_branch_summary(
        &mut self,
        from: EntryIndex,
        focus: Option<&str>,
    ) -> Result<bool, KitError> {
        let history = self.journal.history();
        let here = history.current_branch();
        let mut left = history.branch(Some(from));
        left.retain(|index| here.binary_search(index).is_err());
        let messages: Vec<Message> = self
            .on_branch(left.clone(), move |history, lines| {
                let records = left.iter().filter_map(|index| history.get(*index));
                let bodies = records.map(|record| Body::parse(&lines.get(record.span)));
                bodies.filter_map(crate::conversation::message_of).collect()
            })
            .await?;
        if messages.is_empty() {
            return Ok(false);
        }
        let reservation = self.reserve_summary().await?;
        let (model, limits) = self.writer()?;
        let request = summary::of_branch(&messages, focus, limits.window, limits.reserve);
        self.begin_summary(Purpose::Branch(from), None, reservation, model, request);
        Ok(true)
    }

    /// Reserves what a summary costs at least, where nobody can be asked about a limit that does not allow it.
    async fn reserve_summary(&self) -> Result<Option<Reservation>, KitError> {
        let (writer, _) = self.writer()?;
        self.reserve_call(writer.as_ref()).await.map_err(KitError::from)
    }

    /// The model that writes summaries, and its limits.
    pub(super) fn writer(&self) -> Result<(Option<ModelId>, Limits), KitError> {
        let setup = self.setup();
        let settings = &setup.settings;
        let chosen = settings.compaction.as_ref().and_then(|settings| settings.model.as_deref());
        let wrong =
            |error: kit_protocol::InvalidModelId| KitError::new(ErrorKind::InvalidRequest, error.to_string());
        let model =
            chosen.map(str::parse::<ModelId>).transpose().map_err(wrong)?.or_else(|| self.model.clone());
        let known = model.as_ref().and_then(|model| setup.models.resolve(model).ok());
        Ok((model, Limits::of(known.as_ref().map(|model| model.info()), settings.compaction.as_ref())))
    }

    fn begin_summary(
        &mut self,
        purpose: Purpose,
        asked: Option<CompactionPlan>,
        reservation: Option<Reservation>,
        model: Option<ModelId>,
        request: Request,
    ) {
        let cancel = CancellationToken::new();
        let withdraw = cancel.clone().drop_guard();
        let hooks = Arc::clone(&self.shared.with.hooks);
        let models = Arc::clone(&self.setup().models);
        let scope = HookScope {
            session: self.session.clone(),
            turn: self.running.as_ref().map(|running| running.machine.turn().clone()),
            agent: None,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Some(asked) = asked.filter(|_| hooks.wants(HookPoint::BeforeCompact)) {
                match hooks.before_compact(scope, asked).await {
                    CompactionVerdict::Continue => {}
                    CompactionVerdict::Summary(text) => {
                        return Outcome::Written(Written { text: Ok(text), spent: Vec::new() });
                    }
                    CompactionVerdict::Veto(reason) => return Outcome::Vetoed(reason),
                }
            }
            Outcome::Written(summary::write(&models, model, request, cancel).await)
        }));
        let summarizing = Summarizing { purpose, done: None, task, reservation, _withdraw: withdraw };
        summarizing.label().clone_into(&mut self.label);
        self.summarizing = Some(summarizing);
        self.post();
    }

    /// The user wants no summary any more.
    pub(super) async fn cancel_summary(&mut self) {
        let Some(summarizing) = self.summarizing.take() else { return };
        self.label.clear();
        let message = match summarizing.purpose {
            Purpose::Compaction(..) => "the compaction was cancelled; the conversation is as it was",
            Purpose::Branch(_) => "the summary of the branch was cancelled",
        };
        self.emit(EventBody::Notice { message: message.to_owned() }).await;
    }

    /// Takes in what came of a summary, and goes on with what waited for it.
    pub(super) async fn summarized(&mut self, outcome: Outcome) {
        let Some(Summarizing { purpose, done: awaited, reservation, .. }) = self.summarizing.take() else {
            return;
        };
        self.label.clear();
        let text = match outcome {
            Outcome::Written(Written { text, spent }) => {
                self.pay_summary(spent).await;
                drop(reservation);
                text.map_err(|error| error.message)
            }
            Outcome::Vetoed(reason) => Err(format!("an extension refused it: {reason}")),
            Outcome::Lost(why) => Err(why),
        };
        match purpose {
            Purpose::Compaction(cause, plan) => {
                let done = match text {
                    Ok(text) => self.save_compaction(&cause, plan, text).await.map_err(|error| error.message),
                    Err(why) => Err(why),
                };
                if let Some(awaited) = awaited {
                    let failed = |why: String| KitError::new(ErrorKind::Unavailable, not_compacted(&why));
                    // Whoever waited may have gone.
                    let _unread = awaited.send(done.clone().map_err(failed));
                }
                self.after_compaction(cause, done).await;
            }
            Purpose::Branch(from) => {
                let done = match text {
                    Ok(text) => self.save_branch_summary(from, text).await.map_err(|error| error.message),
                    Err(why) => Err(why),
                };
                if let Err(why) = done {
                    let message = format!("the branch that was left is not summarized: {why}");
                    self.emit(EventBody::Error { kind: ErrorKind::Unavailable, message }).await;
                }
            }
        }
        self.post();
    }

    /// Counts what the summary cost. It says nothing about the size of the conversation.
    async fn pay_summary(&mut self, spent: Vec<Spent>) {
        let meter = self.meter;
        for spent in spent {
            if self.running.is_some() {
                self.input(Input::Spent(Box::new(spent))).await;
            } else {
                self.spend_aside(spent).await;
            }
        }
        self.meter = meter;
    }

    /// Counts a call that no turn made.
    async fn spend_aside(&mut self, spent: Spent) {
        let usage = Usage { call: self.usage.next_call(), ..spent.into_usage(0) };
        let note = Note::Usage(UsageNote { turn: None, agent: None, usage: usage.clone() });
        if let Err(error) = self.append(vec![Body::from(&note)], Durability::Written).await {
            tracing::error!(%error, "the usage of a summary is not saved");
        }
        self.usage.add_aside(usage.clone());
        self.paid(&usage);
        self.shared.spend(&self.session, &usage).await;
        self.emit(EventBody::StepUsage(usage)).await;
    }

    async fn save_compaction(&mut self, cause: &Cause, plan: Plan, text: String) -> Result<(), KitError> {
        let Plan { first_kept, removed, kept, files, .. } = plan;
        let first_kept_entry_id =
            self.journal.history().get(first_kept).map(|record| record.id.to_string()).unwrap_or_default();
        let summary = text + &files.tags() + &update_plan::tag(&self.plan);
        let tokens_before = self.meter.size().tokens;
        let mut meter = self.meter;
        meter.replace(&plan::compacted(&summary, &kept));
        let tokens_after = meter.size().tokens;
        let (read_files, modified_files): (Vec<String>, Vec<String>) =
            (files.read.into_iter().collect(), files.modified.into_iter().collect());
        let messages_removed = u64::try_from(removed).unwrap_or(u64::MAX);
        let mut entries = vec![Body::Compaction {
            summary: summary.clone(),
            first_kept_entry_id,
            tokens_before,
            tokens_after,
            messages_removed,
            read_files: read_files.clone(),
            modified_files: modified_files.clone(),
        }];
        if *cause == Cause::Overflow && plan::has_media(&kept) {
            entries.push(Body::from(&Note::MediaLeftOut(MediaLeftOutNote {})));
        }
        // The messages are read anew: they begin with the summary now.
        self.conversation = None;
        self.append(entries, Durability::Synced).await?;
        self.load().await?;
        self.meter = meter;
        self.emit(EventBody::Compaction {
            summary,
            original_tokens: tokens_before,
            compacted_tokens: tokens_after,
            messages_removed,
            read_files,
            modified_files,
        })
        .await;
        Ok(())
    }

    /// Goes on with the call that a compaction came before, or says what went wrong.
    async fn after_compaction(&mut self, cause: Cause, done: Result<(), String>) {
        let overflow = cause == Cause::Overflow;
        match done {
            Ok(()) => {}
            Err(why) if overflow => {
                let what = "the conversation does not fit into the model's context window";
                let failure = overflow_failure(what, &format!("it could not be compacted: {why}"));
                return self.input(Input::Failed(failure)).await;
            }
            Err(why) => {
                let message = not_compacted(&why);
                let asked = matches!(cause, Cause::Asked { .. });
                let body = if asked && self.running.is_none() {
                    EventBody::Error { kind: ErrorKind::Unavailable, message }
                } else {
                    EventBody::Notice { message }
                };
                self.emit(body).await;
            }
        }
        self.resume_call().await;
    }

    async fn save_branch_summary(&mut self, from: EntryIndex, summary: String) -> Result<(), KitError> {
        let from_id =
            self.journal.history().get(from).map(|record| record.id.to_string()).unwrap_or_default();
        self.append(vec![Body::BranchSummary { from_id, summary }], Durability::Synced).await?;
        let message = "what was tried on the branch that was left is summarized for the model".to_owned();
        self.emit(EventBody::Notice { message }).await;
        Ok(())
    }

    /// The context was too large for the model: compacts it once and tries again. True when that has begun.
    pub(super) async fn overflowed(&mut self) -> Result<bool, KitError> {
        let reservation = self.reserve_summary().await?;
        if self.begin_compaction(Cause::Overflow, Depth::Something, reservation).await? {
            return Ok(true);
        }
        if !self.conversation.as_deref().is_some_and(plan::has_media) {
            return Ok(false);
        }
        self.conversation = None;
        let note = Body::from(&Note::MediaLeftOut(MediaLeftOutNote {}));
        self.append(vec![note], Durability::Synced).await?;
        self.resume_call().await;
        Ok(true)
    }
}

fn not_compacted(why: &str) -> String {
    format!("the conversation was not compacted: {why}")
}

fn nothing() -> KitError {
    KitError::new(ErrorKind::InvalidRequest, NOTHING)
}

/// Tells an error to whoever waits, and hands it back.
fn told(done: Option<Done>, error: KitError) -> KitError {
    if let Some(done) = done {
        // Whoever waited may have gone.
        let _unread = done.send(Err(error.clone()));
    }
    error
}

/// The failure of a context that cannot be made smaller.
pub(super) fn overflow_failure(what: &str, why: &str) -> Failure {
    Failure {
        kind: ErrorKind::ContextOverflow,
        message: format!(
            "{what}, and {why}; start a new session, go on from an earlier entry, or choose a model with a larger window"
        ),
        retry: None,
        spent: None,
    }
}
