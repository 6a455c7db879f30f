//! From the bytes of a response to model events: decoder, adapter and limits put together.
//!
//! An answer ends with its terminal event. Bytes that end, break off or pause for too long before it are an error; after
//! it they are not, because the answer is complete.

use std::collections::VecDeque;

use futures::StreamExt as _;
use kit_protocol::{ErrorKind, Message, ModelId, ModelInfo, Role, StopReason};
use tokio::time::Instant;

use crate::catalogue::Catalogue;
use crate::classify::{OVERFLOW_MEND, RetryHints, Subject, classify};
use crate::error::{ModelError, Retry};
use crate::framing::{Decoder, Framing};
use crate::http::{Body, Limits, Opened, idle_error};
use crate::model::{Completion, ModelEvent};
use crate::usage::{Cost, Prices, TokenCounts};
use crate::wire::{Adapter, Answer, Failure, Flow};

/// What the pump must know about the call beside its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) info: ModelInfo,
    /// The name that the provider knows the model by.
    pub(crate) remote_name: String,
    /// The provider's name for people.
    pub(crate) provider_name: String,
    /// Where the key comes from.
    pub(crate) key_source: String,
    pub(crate) prices: Option<Prices>,
    /// A plan pays, and not the call.
    pub(crate) is_subscription: bool,
    pub(crate) limits: Limits,
    /// The models that are known.
    pub(crate) catalogue: Catalogue,
}

impl Call {
    /// What tokens cost with the prices of the model that was asked.
    pub(crate) fn cost(&self, tokens: TokenCounts) -> Cost {
        match &self.prices {
            _ if self.is_subscription => Cost::SUBSCRIPTION,
            Some(prices) => prices.cost(tokens),
            None => Cost::UNKNOWN,
        }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            provider: &self.info.provider,
            name: &self.provider_name,
            model: &self.remote_name,
            key_source: &self.key_source,
            catalogue: &self.catalogue,
        }
    }
}

/// One answer being read.
pub(crate) struct Pump {
    call: Call,
    body: Body,
    request_id: Option<String>,
    decoder: Decoder,
    adapter: Box<dyn Adapter>,
    pending: VecDeque<ModelEvent>,
    received: Received,
    /// All bytes that came.
    length: usize,
    /// Those of them that are text, reasoning or arguments, which are kept.
    said: usize,
    /// When the last whole frame came.
    last_frame: Instant,
    /// What ends the attempt once the events that came before it are taken.
    failure: Option<ModelError>,
    ended: bool,
}

/// What came so far, to tell an empty answer from a strange one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    Nothing,
    Bytes,
    Frames,
}

impl Pump {
    pub(crate) fn new(call: Call, opened: Opened, framing: Framing, adapter: Box<dyn Adapter>) -> Self {
        let connected = ModelEvent::Connected { request_id: opened.request_id.clone() };
        Self {
            call,
            body: opened.body,
            request_id: opened.request_id,
            decoder: Decoder::new(framing),
            adapter,
            pending: VecDeque::from([connected]),
            received: Received::Nothing,
            length: 0,
            said: 0,
            last_frame: Instant::now(),
            failure: None,
            ended: false,
        }
    }

    /// The next event; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(Ok(event));
            }
            if let Some(error) = self.failure.take() {
                return Some(Err(error));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read().await {
                self.ended = true;
                let started = self.adapter.has_started();
                self.failure = Some(ModelError { started, request_id: self.request_id.clone(), ..error });
            }
        }
    }

    /// Reads once and turns what came into pending events.
    async fn read(&mut self) -> Result<(), ModelError> {
        let limits = self.call.limits;
        let complete = self.adapter.is_complete();
        let limit = if complete { limits.grace } else { limits.idle };
        match tokio::time::timeout(limit, self.body.next()).await {
            Ok(Some(Ok(bytes))) => {
                if self.received == Received::Nothing && !bytes.is_empty() {
                    self.received = Received::Bytes;
                }
                self.length += bytes.len();
                self.decoder.push(&bytes);
                self.decode()?;
                if self.ended { Ok(()) } else { self.check_progress() }
            }
            Ok(None) => {
                self.decoder.finish();
                self.decode()?;
                if self.ended { Ok(()) } else { self.finish() }
            }
            Ok(Some(Err(_))) | Err(_) if complete => self.finish(),
            Ok(Some(Err(error))) => Err(error),
            Err(_) => Err(idle_error(&self.call.provider_name, limits)),
        }
    }

    /// Fails when the answer grows without end, or when bytes come and no event ever does.
    fn check_progress(&self) -> Result<(), ModelError> {
        let name = &self.call.provider_name;
        let Limits { largest: [largest, longest], event: limit, .. } = self.call.limits;
        let largest = if self.length > largest {
            Some(largest)
        } else {
            Some(longest).filter(|most| self.said > *most)
        };
        if let Some(largest) = largest {
            let message = format!(
                "{name} sent more than {} MiB in one answer; set max-tokens, or choose another model",
                largest >> 20
            );
            return Err(ModelError { retry: Retry::Never, ..ModelError::unavailable(message) });
        }
        if self.last_frame.elapsed() > limit {
            let seconds = limit.as_secs();
            return Err(ModelError::unavailable(format!(
                "{name} sent bytes for {seconds} s, but no whole event"
            )));
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), ModelError> {
        let mut events = Vec::new();
        let outcome = loop {
            let data = match self.decoder.next_data() {
                Ok(Some(data)) => data,
                Ok(None) => break Ok(Flow::More),
                Err(error) => {
                    let name = &self.call.provider_name;
                    let message = format!(
                        "the answer of {name} cannot be read: {error}; check the base URL, or choose another model"
                    );
                    break Err(ModelError::new(ErrorKind::Unavailable, message));
                }
            };
            if data.trim().is_empty() {
                continue;
            }
            self.received = Received::Frames;
            self.last_frame = Instant::now();
            match self.adapter.frame(&data, &mut events) {
                Ok(Flow::More) => {}
                Ok(Flow::Done) => break Ok(Flow::Done),
                Err(Failure::Reported(report)) => {
                    break Err(classify(self.call.subject(), None, &report, RetryHints::default()));
                }
                Err(Failure::Malformed(reason)) => {
                    let message =
                        format!("{} sent an event that cannot be read: {reason}", self.call.provider_name);
                    break Err(ModelError::unavailable(message));
                }
            }
        };
        self.said += events.iter().map(ModelEvent::length).sum::<usize>();
        self.pending.extend(events);
        match outcome? {
            Flow::More => Ok(()),
            Flow::Done => self.finish(),
        }
    }

    fn finish(&mut self) -> Result<(), ModelError> {
        let mut events = Vec::new();
        let Some(answer) = self.adapter.finish(&mut events) else {
            let name = &self.call.provider_name;
            let message = match self.received {
                Received::Nothing => format!("{name} sent an empty answer"),
                Received::Bytes => {
                    format!("{name} sent something that is not an event stream; check the base URL")
                }
                Received::Frames => format!("the answer of {name} ended before it was complete"),
            };
            return Err(ModelError::unavailable(message));
        };
        let completion = self.completion(answer)?;
        self.pending.extend(events);
        self.pending.push_back(ModelEvent::Finished(completion));
        self.ended = true;
        Ok(())
    }

    fn completion(&self, answer: Answer) -> Result<Completion, ModelError> {
        let Call { info, prices, remote_name, catalogue, .. } = &self.call;
        let tokens = answer.tokens;
        let full = info.context_window > 0
            && tokens.total_input() >= info.context_window - info.context_window / 100;
        if answer.stop == StopReason::MaxTokens && tokens.output == 0 && full {
            let message =
                format!("the conversation fills the context window of {remote_name}{OVERFLOW_MEND}");
            return Err(ModelError::new(ErrorKind::ContextOverflow, message));
        }
        let provider = &info.provider;
        let answered = answer.model.as_ref().unwrap_or(remote_name);
        let entry = catalogue.find(provider, answered);
        let prices = entry.and_then(|entry| entry.prices).or_else(|| prices.clone());
        let cost = match (answer.cost_micros, prices) {
            _ if self.call.is_subscription => Cost::SUBSCRIPTION,
            (Some(micros), _) => Cost { micros: Some(micros), kind: kit_protocol::CostKind::Priced },
            (None, Some(prices)) => prices.cost(tokens),
            (None, None) => Cost::UNKNOWN,
        };
        let model = format!("{provider}/{answered}").parse::<ModelId>();
        Ok(Completion {
            message: Message { role: Role::Assistant, parts: answer.parts },
            stop: answer.stop,
            finish_reason: answer.finish_reason,
            tokens,
            cost,
            model: model.unwrap_or_else(|_| info.id.clone()),
            request_id: self.request_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
