//! One attempt to get an answer: a task that resolves the model, reads its stream and reports to the session.
//!
//! The session holds the only receiver. Dropping it and the task is how an attempt is abandoned: the connection goes
//! with them, and nothing that was under way can reach a later attempt.

use std::sync::Arc;

use futures::StreamExt;
use kit_protocol::{ErrorKind, ModelId};
use kit_provider::{Model, ModelError, ModelEvent, Models, Request, TokenCounts};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::intercept::{Preparation, Prepared};
use crate::turn::Spent;

/// Events that may wait for the session; the stream waits for room.
const EVENTS: usize = 64;

/// What an attempt reports.
pub(super) enum AttemptEvent {
    /// What interceptors made of the messages.
    Prepared(Prepared),
    /// The model that is asked.
    Using(Arc<dyn Model>),
    /// Part of the answer.
    Answer(ModelEvent),
    /// It failed; nothing follows.
    Failed(ModelError),
}

/// A running attempt.
pub(super) struct Attempt {
    events: mpsc::Receiver<AttemptEvent>,
    _task: AbortOnDropHandle<()>,
    /// The model, once it is known.
    pub(super) model: Option<Arc<dyn Model>>,
    /// Tokens that were reported so far.
    pub(super) tokens: Option<TokenCounts>,
    pub(super) request_id: Option<String>,
}

impl Attempt {
    /// Starts an attempt with a model, or with the default one. Interceptors that prepare its messages come first.
    pub(super) fn start(
        models: Arc<Models>,
        model: Option<ModelId>,
        mut request: Request,
        preparation: Option<Preparation>,
        cancel: CancellationToken,
    ) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Some(preparation) = preparation {
                let prepared = preparation.run(&request.messages).await;
                request.messages = Arc::clone(&prepared.messages);
                if sender.send(AttemptEvent::Prepared(prepared)).await.is_err() {
                    return;
                }
            }
            ask(models, model, request, cancel, sender).await;
        }));
        Self { events, _task: task, model: None, tokens: None, request_id: None }
    }

    /// What the attempt cost so far, where that is known although it did not end well.
    pub(super) fn spent(&self) -> Option<Spent> {
        let (model, tokens) = (self.model.as_ref()?, self.tokens?);
        let info = model.info();
        Some(Spent {
            model: info.id.clone(),
            tokens,
            cost: model.cost(tokens),
            finish_reason: None,
            request_id: self.request_id.clone(),
        })
    }
}

/// The next event of a running attempt; waits forever where there is none. `None`: its task failed.
pub(super) async fn next(attempt: &mut Option<Attempt>) -> Option<AttemptEvent> {
    match attempt {
        Some(attempt) => attempt.events.recv().await,
        None => std::future::pending().await,
    }
}

async fn ask(
    models: Arc<Models>,
    model: Option<ModelId>,
    request: Request,
    cancel: CancellationToken,
    events: mpsc::Sender<AttemptEvent>,
) {
    // A send fails only when the session has dropped the attempt, and then this task is about to be stopped.
    let id = match model {
        Some(id) => id,
        None => models.default_model().await,
    };
    let model = match models.resolve(&id) {
        Ok(model) => model,
        Err(error) => {
            let _dropped = events.send(AttemptEvent::Failed(error)).await;
            return;
        }
    };
    let mut stream = model.stream(request, cancel);
    if events.send(AttemptEvent::Using(model)).await.is_err() {
        return;
    }
    while let Some(event) = stream.next().await {
        let (event, last) = match event {
            Ok(event @ ModelEvent::Finished(_)) => (AttemptEvent::Answer(event), true),
            Ok(event) => (AttemptEvent::Answer(event), false),
            Err(error) => (AttemptEvent::Failed(error), true),
        };
        if events.send(event).await.is_err() || last {
            return;
        }
    }
    let cut = ModelError {
        started: true,
        ..ModelError::unavailable(format!("the answer of {id} stopped before its end"))
    };
    let _dropped = events.send(AttemptEvent::Failed(cut)).await;
}

/// The error of an attempt whose task is gone.
pub(super) fn lost() -> ModelError {
    ModelError::new(
        ErrorKind::Internal,
        "the request to the model failed unexpectedly; this is a defect of kit-ls",
    )
}
