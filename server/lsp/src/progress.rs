//! `$/progress`: one token per running turn, created by us or brought along by the client's request, and one for each work
//! of the application beside turns. The turn of a subagent has a token of its own, so that it can be seen and stopped
//! alone.
//!
//! Each turn has a task that owns its token: it creates the token, then sends `begin`, a `report` for each tool that is
//! current, and `end`, in this order and each `begin` and `end` exactly once. A client that refuses the token gets no
//! progress at all. The turn's tasks end with the turn; the registry holds their senders only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kit_protocol::{AgentId, Event, EventBody, Remark, TurnId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower_lsp::Client;
use tower_lsp::lsp_types as lsp;
use tower_lsp::lsp_types::notification::Progress as ProgressNotification;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;

use crate::shared::Profile;
use crate::window::Work;

/// Reports that wait per turn; the newest are dropped when the client does not read.
const QUEUE: usize = 64;
/// What the tokens of turns begin with.
const TURN: &str = "kit/";
/// What the tokens of other work begin with.
const TASK: &str = "kit-task/";

enum Step {
    Report(String),
    End(String),
}

/// The turns whose progress is shown.
#[derive(Default)]
pub(crate) struct Registry {
    turns: Mutex<HashMap<TurnId, mpsc::Sender<Step>>>,
    given: Mutex<HashMap<TurnId, lsp::ProgressToken>>,
    tasks: Mutex<Tasks>,
    /// The turns that subagents run, since what they do is told as part of their parent's turn.
    subagents: Mutex<HashMap<AgentId, TurnId>>,
}

/// Work beside turns, by number.
#[derive(Default)]
struct Tasks {
    last: u64,
    running: HashMap<u64, CancellationToken>,
}

/// Work beside turns that is shown until it is dropped.
pub(crate) struct Task {
    number: u64,
    registry: Arc<Registry>,
    cancel: CancellationToken,
    /// None where the client shows no progress.
    steps: Option<mpsc::Sender<Step>>,
}

impl Task {
    /// Registers work and shows its beginning to a client that shows progress.
    pub(crate) fn begin(
        registry: &Arc<Registry>,
        client: Option<Client>,
        title: &str,
        message: &str,
    ) -> Self {
        let cancel = CancellationToken::new();
        let number = {
            let mut tasks = registry.tasks();
            tasks.last += 1;
            let number = tasks.last;
            tasks.running.insert(number, cancel.clone());
            number
        };
        let steps = client.map(|client| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let token = Token::New(format!("{TASK}{number}"));
            tokio::spawn(show(client, token, title.to_owned(), message.to_owned(), receiver));
            sender
        });
        Self { number, registry: Arc::clone(registry), cancel, steps }
    }
}

impl Work for Task {
    fn report(&self, message: &str) {
        if let Some(steps) = &self.steps
            && steps.try_send(Step::Report(message.to_owned())).is_err()
        {
            tracing::debug!("a progress report was dropped");
        }
    }

    fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.registry.tasks().running.remove(&self.number);
        // The receiver ends with its last sender, and the token with the receiver.
        self.steps = None;
    }
}

impl Registry {
    /// Notes the token that the client brought for a turn, before the turn's first event.
    pub(crate) fn give(&self, turn: TurnId, token: lsp::ProgressToken) {
        self.given().insert(turn, token);
    }

    /// Forgets the token of a turn that did not come to be.
    pub(crate) fn take_back(&self, turn: &TurnId) {
        self.given().remove(turn);
    }

    /// The turn that a token names: one of ours, or one that the client brought.
    pub(crate) fn turn_of(&self, token: &lsp::ProgressToken) -> Option<TurnId> {
        if let lsp::ProgressToken::String(text) = token
            && let Some(turn) = text.strip_prefix(TURN)
        {
            return Some(TurnId::new(turn));
        }
        self.given().iter().find(|(_, given)| *given == token).map(|(turn, _)| turn.clone())
    }

    /// Cancels the work beside turns that a token names, if it is one.
    pub(crate) fn cancel_task(&self, token: &lsp::ProgressToken) {
        if let lsp::ProgressToken::String(text) = token
            && let Some(number) = text.strip_prefix(TASK).and_then(|number| number.parse().ok())
            && let Some(cancel) = self.tasks().running.get(&number)
        {
            cancel.cancel();
        }
    }

    /// Follows one event of the stream.
    pub(crate) fn observe(&self, client: &Client, profile: &Profile, event: &Event) {
        let Some(turn) = &self.own_turn(event) else { return };
        match (&event.body, event.body.remark()) {
            (EventBody::TurnStart { prompt }, _) => {
                let given = self.given().get(turn).cloned();
                if given.is_none() && !profile.progress {
                    return;
                }
                let (sender, receiver) = mpsc::channel(QUEUE);
                self.lock().insert(turn.clone(), sender);
                let title: String = prompt.lines().next().unwrap_or_default().chars().take(60).collect();
                let name = event.agent.as_ref().and_then(|agent| agent.name.as_deref());
                let title = name.map(|name| format!("{name}: {title}")).unwrap_or(title);
                let token = given.map_or_else(|| Token::New(format!("{TURN}{turn}")), Token::Given);
                tokio::spawn(show(client.clone(), token, "Kit".to_owned(), title, receiver));
            }
            (EventBody::ToolCall { title, .. }, _) => self.step(turn, Step::Report(title.clone())),
            (EventBody::TurnEnd { stop_reason, error, .. }, _) => {
                let message = error.clone().unwrap_or_else(|| match stop_reason {
                    kit_protocol::StopReason::Cancelled => "cancelled".to_owned(),
                    kit_protocol::StopReason::EndTurn
                    | kit_protocol::StopReason::MaxTokens
                    | kit_protocol::StopReason::ToolUse
                    | kit_protocol::StopReason::Refusal
                    | kit_protocol::StopReason::Budget
                    | kit_protocol::StopReason::MaxSteps
                    | kit_protocol::StopReason::Error => "done".to_owned(),
                });
                self.take_back(turn);
                let sender = self.lock().remove(turn);
                if let Some(sender) = sender {
                    // The queue may be full of reports; the end must not be lost, so it waits in its own task.
                    tokio::spawn(async move { sender.send(Step::End(message)).await });
                }
            }
            (_, Some(Remark::Delay(text))) => self.step(turn, Step::Report(text)),
            (_, Some(Remark::Failure(_) | Remark::Note(_)) | None) => {}
        }
    }

    /// The turn of the agent that an event comes from. A subagent names it when it begins and when it ends.
    fn own_turn(&self, event: &Event) -> Option<TurnId> {
        let Some(agent) = &event.agent else { return event.turn.clone() };
        let mut subagents = self.subagents.lock().unwrap_or_else(PoisonError::into_inner);
        if let EventBody::TurnStart { .. } = event.body {
            subagents.insert(agent.id.clone(), event.turn.clone()?);
        }
        if let EventBody::TurnEnd { .. } = event.body {
            return subagents.remove(&agent.id);
        }
        subagents.get(&agent.id).cloned()
    }

    fn step(&self, turn: &TurnId, step: Step) {
        if let Some(sender) = self.lock().get(turn)
            && sender.try_send(step).is_err()
        {
            tracing::debug!(%turn, "a progress report was dropped");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TurnId, mpsc::Sender<Step>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<TurnId, lsp::ProgressToken>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token of a progress.
enum Token {
    /// The client brought it.
    Given(lsp::ProgressToken),
    /// It has to be created.
    New(String),
}

async fn show(client: Client, token: Token, title: String, message: String, mut steps: mpsc::Receiver<Step>) {
    let token = match token {
        Token::Given(token) => token,
        Token::New(name) => {
            let token = lsp::ProgressToken::String(name);
            let params = lsp::WorkDoneProgressCreateParams { token: token.clone() };
            if let Err(error) = client.send_request::<WorkDoneProgressCreate>(params).await {
                tracing::debug!(%error, "the client refused a progress token");
                return;
            }
            token
        }
    };
    let send = |value: lsp::WorkDoneProgress| {
        let params =
            lsp::ProgressParams { token: token.clone(), value: lsp::ProgressParamsValue::WorkDone(value) };
        client.send_notification::<ProgressNotification>(params)
    };
    send(lsp::WorkDoneProgress::Begin(lsp::WorkDoneProgressBegin {
        title,
        cancellable: Some(true),
        message: Some(message),
        percentage: None,
    }))
    .await;
    let mut last = None;
    while let Some(step) = steps.recv().await {
        match step {
            Step::Report(message) => {
                send(lsp::WorkDoneProgress::Report(lsp::WorkDoneProgressReport {
                    cancellable: Some(true),
                    message: Some(message),
                    percentage: None,
                }))
                .await;
            }
            Step::End(message) => {
                last = Some(message);
                break;
            }
        }
    }
    send(lsp::WorkDoneProgress::End(lsp::WorkDoneProgressEnd { message: last })).await;
}
