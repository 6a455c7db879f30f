//! A model behind HTTP: one attempt is one request.

use std::sync::Arc;

use futures::StreamExt as _;
use kit_protocol::ModelInfo;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Abilities;
use crate::endpoint::Endpoint;
use crate::error::ModelError;
use crate::http::Http;
use crate::model::{Model, ModelEvent, ModelStream, Request};
use crate::pump::{Call, Pump};
use crate::wire::{Plain, Target};

/// A model of a provider.
pub(crate) struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    call: Call,
    abilities: Abilities,
    http: Arc<Http>,
}

/// How far an attempt is. Boxed, because most of the time a stream is moved around idle.
enum Attempt {
    Waiting(Box<Request>),
    Reading(Box<Pump>),
    Ended,
}

impl Remote {
    pub(crate) fn new(endpoint: Endpoint, call: Call, abilities: Abilities, http: Arc<Http>) -> Self {
        Self { shared: Arc::new(Shared { endpoint, call, abilities, http }) }
    }
}

impl Model for Remote {
    fn info(&self) -> &ModelInfo {
        &self.shared.call.info
    }

    fn stream(&self, request: Request, cancel: CancellationToken) -> ModelStream {
        let state = (Attempt::Waiting(Box::new(request)), self.shared.clone(), cancel);
        let events = futures::stream::unfold(state, |(mut attempt, shared, cancel)| async move {
            if matches!(attempt, Attempt::Ended) {
                return None;
            }
            let item = tokio::select! {
                biased;
                () = cancel.cancelled() => Some(Err(ModelError::cancelled())),
                item = Box::pin(shared.advance(&mut attempt)) => item,
            }?;
            if item.is_err() {
                attempt = Attempt::Ended;
            }
            Some((item, (attempt, shared, cancel)))
        });
        events.boxed()
    }
}

impl Shared {
    /// The next event of the attempt; sends the request first.
    async fn advance(&self, attempt: &mut Attempt) -> Option<Result<ModelEvent, ModelError>> {
        if let Attempt::Waiting(request) = attempt {
            match self.open(request).await {
                Ok(pump) => *attempt = Attempt::Reading(Box::new(pump)),
                Err(error) => return Some(Err(error)),
            }
        }
        match attempt {
            Attempt::Reading(pump) => pump.next().await,
            Attempt::Waiting(_) | Attempt::Ended => None,
        }
    }

    async fn open(&self, request: &Request) -> Result<Pump, ModelError> {
        let Self { endpoint, call, abilities, http } = self;
        let headers = endpoint.headers()?;
        let target = Target {
            name: &call.remote_name,
            abilities: *abilities,
            max_output: call.info.max_output,
            context_window: call.info.context_window,
            plain: Plain::default(),
        };
        let body = endpoint.wire.body(request, target);
        let url = endpoint.url(&call.remote_name);
        let opened = http.open(&url, headers, &body, call.subject(), call.limits).await?;
        let adapter = endpoint.wire.adapter(request, target);
        Ok(Pump::new(call.clone(), opened, endpoint.wire.framing(), adapter))
    }
}

#[cfg(test)]
mod tests;
