//! A model behind HTTP: one attempt is one request, unless the provider refuses something that it can do without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use kit_protocol::{ErrorKind, ModelInfo, Part, ThinkingLevel};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Abilities;
use crate::endpoint::Endpoint;
use crate::error::ModelError;
use crate::http::Http;
use crate::model::{Model, ModelEvent, ModelStream, Request};
use crate::pump::{Call, Pump};
use crate::recorded::Recorder;
use crate::usage::{Cost, TokenCounts};
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
    recorder: Option<Recorder>,
    /// The provider refused the full schemas and took plain ones.
    plain_schemas: AtomicBool,
    /// The server at a configured address has the provider's older wire only.
    alternative: AtomicBool,
    /// A plan paid for the last call.
    is_subscription: AtomicBool,
}

/// How far an attempt is. Boxed, because most of the time a stream is moved around idle.
enum Attempt {
    Waiting(Box<Request>),
    Reading(Box<Pump>),
    Ended,
}

impl Remote {
    pub(crate) fn new(
        endpoint: Endpoint,
        call: Call,
        abilities: Abilities,
        http: Arc<Http>,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                endpoint,
                call,
                abilities,
                http,
                recorder,
                plain_schemas: AtomicBool::new(false),
                alternative: AtomicBool::new(false),
                is_subscription: AtomicBool::new(false),
            }),
        }
    }
}

impl Model for Remote {
    fn info(&self) -> &ModelInfo {
        &self.shared.call.info
    }

    fn thinking(&self, level: ThinkingLevel) -> ThinkingLevel {
        let Shared { endpoint, abilities, call, .. } = &*self.shared;
        endpoint.wire.thinking(level, *abilities, &call.remote_name)
    }

    fn cost(&self, tokens: TokenCounts) -> Cost {
        let is_subscription = self.shared.is_subscription.load(Ordering::Relaxed);
        Call { is_subscription, ..self.shared.call.clone() }.cost(tokens)
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

    /// Opens the stream. A token that the provider refuses is replaced once, because it may have been withdrawn early.
    async fn open(&self, request: &Request) -> Result<Pump, ModelError> {
        let endpoint = self.endpoint.current().await?;
        match self.open_on_a_wire(endpoint.clone(), request).await {
            Err(error) if error.status == Some(401) && endpoint.refused() => {
                self.open_on_a_wire(self.endpoint.current().await?, request).await
            }
            opened => opened,
        }
    }

    /// A server that does not know the path of the wire is asked on the alternative one from then on.
    async fn open_on_a_wire(&self, mut endpoint: Endpoint, request: &Request) -> Result<Pump, ModelError> {
        let Some(alternative) = endpoint.alternative else { return self.open_at(&endpoint, request).await };
        let unknown = |error: &ModelError| matches!(error.status, Some(404 | 405 | 501));
        let mut first = None;
        if !self.alternative.load(Ordering::Relaxed) {
            match self.open_at(&endpoint, request).await {
                Err(error) if unknown(&error) => first = Some(error),
                opened => return opened,
            }
        }
        endpoint.wire = alternative;
        match (self.open_at(&endpoint, request).await, first) {
            // Neither is known there, so the first answer is about what was meant.
            (Err(error), Some(first)) if unknown(&error) => Err(first),
            (opened, _) => {
                if opened.is_ok() {
                    self.alternative.store(true, Ordering::Relaxed);
                }
                opened
            }
        }
    }

    async fn open_at(&self, endpoint: &Endpoint, request: &Request) -> Result<Pump, ModelError> {
        let http = &self.http;
        let is_subscription = endpoint.dress().is_some_and(|dress| dress.is_subscription);
        self.is_subscription.store(is_subscription, Ordering::Relaxed);
        let call = Call { key_source: endpoint.key_source.clone(), is_subscription, ..self.call.clone() };
        let url = endpoint.url(&call.remote_name);
        let mut refused: Option<(Value, ModelError)> = None;
        for plain in self.stages() {
            let target = self.target(plain);
            let mut body = endpoint.wire.body(request, target);
            if let Some(dress) = endpoint.dress() {
                dress.adapt(&mut body);
            }
            if refused.as_ref().is_some_and(|(tried, _)| *tried == body) {
                continue;
            }
            // A server that fails may do so because of a picture, but hardly because of anything else that can be left out.
            let failed = refused.as_ref().is_some_and(|(_, error)| error.status == Some(500));
            if failed && !plain.images {
                continue;
            }
            let bytes = body.to_string().into_bytes();
            let headers = endpoint.headers_for(request, &url, &bytes)?;
            let opened = http.open(&url, headers, bytes, call.subject(), call.limits).await;
            let opened = match &self.recorder {
                Some(recorder) => recorder.record(endpoint.wire, &call, opened),
                None => opened,
            };
            match opened {
                Ok(opened) => {
                    self.plain_schemas.store(plain.schemas, Ordering::Relaxed);
                    let adapter = endpoint.wire.adapter(request, target);
                    return Ok(Pump::new(call.clone(), opened, endpoint.wire.framing(), adapter));
                }
                Err(error)
                    if is_refusal(&error) || (error.status == Some(500) && shows_something(request)) =>
                {
                    // The first refusal is about what was meant to be sent, so it is the one to report.
                    let first = refused.map_or(error, |(_, first)| first);
                    refused = Some((body, first));
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.map_or_else(ModelError::cancelled, |(_, error)| error))
    }

    /// What to do without, one refusal after the other: first keywords in tool schemas, which some providers do not take,
    /// then reasoning of earlier answers, which a provider may not know again, then pictures, which a model may not read.
    /// Schemas stay plain once that helped.
    fn stages(&self) -> [Plain; 4] {
        let first = Plain { schemas: self.plain_schemas.load(Ordering::Relaxed), ..Plain::default() };
        let schemas = Plain { schemas: true, ..first };
        let reasoning = Plain { reasoning: true, ..schemas };
        [first, schemas, reasoning, Plain { images: true, ..reasoning }]
    }

    fn target(&self, plain: Plain) -> Target<'_> {
        let Self { call, abilities, .. } = self;
        Target {
            name: &call.remote_name,
            abilities: *abilities,
            max_output: call.info.max_output,
            context_window: call.info.context_window,
            plain,
        }
    }
}

/// Whether the provider understood the request and took exception to something in it.
fn is_refusal(error: &ModelError) -> bool {
    error.kind == ErrorKind::InvalidRequest && matches!(error.status, Some(400 | 422))
}

/// Whether a picture is part of the conversation.
fn shows_something(request: &Request) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(part, Part::Image(_)))
}

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod tests;
