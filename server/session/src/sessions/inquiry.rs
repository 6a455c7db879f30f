//! One call of a model for a program, beside any conversation: no tools, and nothing of it is kept but what it cost.

use std::sync::Arc;

use futures::StreamExt;
use kit_protocol::{ErrorKind, KitError, Message, ModelId, SessionId, ThinkingLevel, Usage};
use kit_provider::retry::Schedule;
use kit_provider::{Completion, Cost, Model, ModelError, ModelEvent, Parameters, Request, TokenCounts};
use tokio_util::sync::CancellationToken;

use super::Sessions;
use crate::actor::{chance, from_model};
use crate::budget::{self, Purses};
use crate::op::Op;
use crate::tokens;
use crate::turn::Spent;

/// What a program asks of a model.
#[derive(Clone, Debug, Default)]
pub struct Inquiry {
    /// The session that pays, and whose model answers where none is named; none is charged where it is absent.
    pub session: Option<SessionId>,
    /// The model; otherwise the session's, or the one that new sessions use.
    pub model: Option<ModelId>,
    /// Instructions.
    pub system: Option<String>,
    /// The messages; the last one is the prompt.
    pub messages: Vec<Message>,
    /// The largest answer in tokens.
    pub max_tokens: Option<u64>,
}

/// What the model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct InquiryAnswer {
    /// The text.
    pub text: String,
    /// What the call used.
    pub usage: Usage,
}

/// Hears an answer as it arrives. Must return at once.
pub(crate) type ChunkSink<'a> = &'a mut (dyn FnMut(Chunk<'_>) + Send);

/// Something that happened to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// More of its text.
    Text(&'a str),
    /// The call is repeated: the text so far is void.
    Reset,
}

impl Sessions {
    /// Asks a model. What can be repeated is, as in a turn. The call counts for the day and, where it names one, for its
    /// session, also when it fails or is cancelled, and is refused when their budgets are used up.
    pub async fn ask_model(
        &self,
        request: Inquiry,
        on_chunk: ChunkSink<'_>,
        cancel: CancellationToken,
    ) -> Result<InquiryAnswer, KitError> {
        let Inquiry { session, model, system, messages, max_tokens } = request;
        if messages.is_empty() {
            return Err(KitError::new(ErrorKind::InvalidRequest, "there is no message for the model"));
        }
        let (of_session, setup) = match &session {
            Some(session) => {
                let view = self.view(session).await?;
                (view.model, self.shared.setup_of(&view.cwd))
            }
            None => (None, self.shared.setup()),
        };
        let model = match model.or(of_session) {
            Some(model) => model,
            None => setup.models.default_model().await,
        };
        let model = setup.models.resolve(&model).map_err(from_model)?;
        let request = Request {
            system: system.unwrap_or_default().into(),
            messages: crate::conversation::paired(&messages).into(),
            tools: Arc::from([]),
            parameters: Parameters {
                max_output_tokens: max_tokens.or(setup.settings.max_tokens),
                temperature: setup.settings.temperature,
                top_p: setup.settings.top_p,
                stop_sequences: Vec::new(),
                thinking: ThinkingLevel::Off,
            },
            cache_key: None,
        };
        let tokens = tokens::of_text(&request.system).saturating_add(tokens::of_messages(&messages));
        let mut schedule = Schedule::default();
        loop {
            let next = budget::least_cost(tokens, model.info().price, None);
            let _reserved = match &session {
                Some(session) => self.ask(session, |answer| Op::Reserve(next, answer)).await?,
                None => {
                    let day = Arc::clone(&self.shared.day_purse);
                    let purses = Purses { own: Arc::default(), day };
                    self.shared
                        .reserve(&purses, setup.settings.budget.into(), next)
                        .await
                        .map_err(KitError::from)?
                }
            };
            let (spent, outcome) = attempt(&model, request.clone(), on_chunk, cancel.child_token()).await;
            let usage = match spent {
                Some(spent) => Some(self.pay(session.as_ref(), spent.into_usage(0)).await?),
                None => None,
            };
            let error = match outcome {
                Ok(text) => {
                    let unknown =
                        || KitError::new(ErrorKind::Internal, "the call of the model was not counted");
                    return Ok(InquiryAnswer { text, usage: usage.ok_or_else(unknown)? });
                }
                Err(error) => error,
            };
            let Some(after) = schedule.next(&error, chance()) else {
                return Err(KitError::new(error.kind, schedule.failure(&error)));
            };
            on_chunk(Chunk::Reset);
            tokio::select! {
                () = cancel.cancelled() => return Err(from_model(ModelError::cancelled())),
                () = tokio::time::sleep(after) => {}
            }
        }
    }

    /// Counts a call.
    async fn pay(&self, session: Option<&SessionId>, usage: Usage) -> Result<Usage, KitError> {
        match session {
            Some(session) => self.ask(session, |answer| Op::Paid(usage, answer)).await,
            None => {
                self.shared.spend_alone(&usage).await;
                Ok(usage)
            }
        }
    }
}

/// One attempt: what it cost as far as that is known, and the text.
async fn attempt(
    model: &Arc<dyn Model>,
    request: Request,
    on_chunk: &mut (dyn FnMut(Chunk<'_>) + Send),
    cancel: CancellationToken,
) -> (Option<Spent>, Result<String, ModelError>) {
    let mut stream = model.stream(request, cancel);
    let mut tokens: Option<TokenCounts> = None;
    let mut request_id = None;
    while let Some(event) = stream.next().await {
        match event {
            Ok(ModelEvent::Connected { request_id: id }) => request_id = id,
            Ok(ModelEvent::TextDelta(text)) => on_chunk(Chunk::Text(&text)),
            Ok(ModelEvent::Usage(counts)) => tokens = Some(counts),
            Ok(
                ModelEvent::ReasoningDelta(_)
                | ModelEvent::ToolCallStart { .. }
                | ModelEvent::ToolCallDelta { .. }
                | ModelEvent::ToolCallEnd { .. },
            ) => {}
            Ok(ModelEvent::Finished(completion)) => {
                let text = completion.message.joined_text();
                let Completion { model, tokens, cost, finish_reason, request_id, .. } = completion;
                return (Some(Spent { model, tokens, cost, finish_reason, request_id }), Ok(text));
            }
            Err(error) => return (partial(model, tokens, request_id), Err(error)),
        }
    }
    let cut = format!("the answer of {} stopped before its end", model.info().id);
    (partial(model, tokens, request_id), Err(ModelError { started: true, ..ModelError::unavailable(cut) }))
}

/// What an attempt cost that did not end well.
fn partial(model: &Arc<dyn Model>, tokens: Option<TokenCounts>, request_id: Option<String>) -> Option<Spent> {
    let tokens = tokens?;
    let info = model.info();
    let cost = info.price.map_or(Cost::UNKNOWN, |price| Cost::of(tokens, price));
    Some(Spent { model: info.id.clone(), tokens, cost, finish_reason: None, request_id })
}
