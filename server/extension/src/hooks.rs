//! The interceptors of sessions: handlers run in load order, rewrites chain, the first veto wins.
//!
//! A handler that fails passes, unless it registered with `onError: "block"`: then what it guards does not happen.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_contract::{
    BeforeAgentStartAnswer, BeforeAgentStartEvent, BeforeCompactAnswer, BeforeCompactEvent, BeforeForkEvent,
    BeforeSessionSwitchEvent, CancelAnswer, ContextPrepareEvent, InputAction, InputAnswer, InputEvent,
    MessagesAnswer, OnError, PrepareStepEvent, ToolCallAnswer, ToolCallEvent, ToolResultAnswer,
    ToolResultEvent,
};
use kit_protocol::Message;
use kit_session::{
    CompactionPlan, CompactionVerdict, HookCall, HookPoint, HookResult, HookScope, Hooks, Injection,
    InputSource, InputVerdict, Observation, SwitchReason, Verdict,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::convert::{rewritten, window, word};
use crate::extensions::Extensions;
use crate::generation::{Handler, event_of};
use crate::sandbox::{Failure, FailureCode, Fault};

/// What a handler said.
enum Said<A> {
    /// It has no opinion.
    Nothing,
    /// This.
    Answer(A),
    /// It failed, and what it guards must not happen.
    Blocks(String),
}

impl Extensions {
    /// Asks one handler.
    async fn ask<E: Serialize, A: DeserializeOwned>(
        &self,
        handler: &Handler,
        scope: &HookScope,
        name: &str,
        event: &E,
    ) -> Said<A> {
        if handler.extension.is_disabled() {
            return match handler.on_error {
                OnError::Pass => Said::Nothing,
                OnError::Block => {
                    Said::Blocks(format!("the extension {} is disabled", handler.extension.name))
                }
            };
        }
        handler.extension.caller.hears_of(&scope.session);
        let payload = self.payload(event, Some(&scope.session));
        let answer = handler.extension.intercept(&name.into(), &payload).await;
        let parsed = answer.and_then(|text| match text.as_str() {
            "" | "null" => Ok(None),
            text => serde_json::from_str(text).map(Some).map_err(|error| {
                let text = format!("a handler of {name} answered something else: {error}");
                Fault::Failed(Failure::new(FailureCode::Invalid, text))
            }),
        });
        match (parsed, handler.on_error) {
            (Ok(Some(answer)), _) => Said::Answer(answer),
            (Ok(None), _) => Said::Nothing,
            (Err(fault), OnError::Block) => {
                Said::Blocks(format!("the extension {} could not decide: {fault}", handler.extension.name))
            }
            (Err(fault), OnError::Pass) => {
                tracing::warn!(extension = handler.extension.name, event = name, %fault, "a handler is passed over");
                Said::Nothing
            }
        }
    }

    async fn handlers(&self, name: &str) -> Vec<Handler> {
        self.loaded_soon().await;
        self.generation().handlers(name).to_vec()
    }

    /// The first that cancels decides.
    async fn veto<E: Serialize>(&self, scope: HookScope, name: &str, event: E, default: &str) -> Verdict {
        for handler in self.handlers(name).await {
            match self.ask(&handler, &scope, name, &event).await {
                Said::Answer(CancelAnswer { cancel: true, reason }) => {
                    return Verdict::Veto(filled(reason).unwrap_or_else(|| default.to_owned()));
                }
                Said::Blocks(why) => return Verdict::Veto(why),
                Said::Answer(CancelAnswer { cancel: false, .. }) | Said::Nothing => {}
            }
        }
        Verdict::Continue
    }

    /// Each sees the messages that the one before left.
    async fn messages<E: Serialize>(
        &self,
        scope: HookScope,
        name: &str,
        mut messages: Vec<Message>,
        event: impl Fn(&[Message]) -> E + Send,
    ) -> Vec<Message> {
        for handler in self.handlers(name).await {
            let shown = event(&messages);
            match self.ask(&handler, &scope, name, &shown).await {
                Said::Answer(MessagesAnswer { messages: Some(after) }) => {
                    messages = rewritten(&messages, after)
                }
                Said::Answer(MessagesAnswer { messages: None }) | Said::Nothing | Said::Blocks(_) => {}
            }
        }
        messages
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn source_name(source: InputSource) -> &'static str {
    match source {
        InputSource::Interactive => "interactive",
        InputSource::Cli => "cli",
        InputSource::Script => "script",
        InputSource::Queue => "queue",
    }
}

/// The interceptors that sessions are given: those of a host that they are made before.
pub struct ExtensionHooks(pub Arc<Extensions>);

impl Hooks for ExtensionHooks {
    fn wants(&self, point: HookPoint) -> bool {
        self.0.wants(event_of(point))
    }

    fn input(&self, scope: HookScope, text: String, source: InputSource) -> BoxFuture<'_, InputVerdict> {
        async move {
            let hub = &self.0;
            let mut event = InputEvent { text, source: source_name(source).to_owned() };
            let mut changed = false;
            for handler in hub.handlers("input").await {
                match hub.ask(&handler, &scope, "input", &event).await {
                    Said::Answer(InputAnswer { action: InputAction::Handled, text }) => {
                        return InputVerdict::Handled(filled(text));
                    }
                    Said::Answer(InputAnswer { action: InputAction::Transform, text: Some(text) }) => {
                        event.text = text;
                        changed = true;
                    }
                    Said::Blocks(why) => return InputVerdict::Handled(Some(why)),
                    Said::Answer(InputAnswer {
                        action: InputAction::Transform | InputAction::Continue,
                        ..
                    })
                    | Said::Nothing => {}
                }
            }
            if changed { InputVerdict::Rewrite(event.text) } else { InputVerdict::Continue }
        }
        .boxed()
    }

    fn before_agent_start(&self, scope: HookScope, prompt: String) -> BoxFuture<'_, Injection> {
        async move {
            let hub = &self.0;
            let event = BeforeAgentStartEvent { prompt };
            let mut injection = Injection::default();
            let join = |before: Option<String>, more: Option<String>| match (before, filled(more)) {
                (Some(before), Some(more)) => Some(format!("{before}\n\n{more}")),
                (before, more) => before.or(more),
            };
            for handler in hub.handlers("before_agent_start").await {
                let said = hub.ask(&handler, &scope, "before_agent_start", &event).await;
                if let Said::Answer(BeforeAgentStartAnswer { system_prompt, inject_text }) = said {
                    injection.system = join(injection.system, system_prompt);
                    injection.user = join(injection.user, inject_text);
                }
            }
            injection
        }
        .boxed()
    }

    fn context_prepare(&self, scope: HookScope, messages: Vec<Message>) -> BoxFuture<'_, Vec<Message>> {
        let event = |messages: &[Message]| ContextPrepareEvent { messages: window(messages) };
        async move { self.0.messages(scope, "context_prepare", messages, event).await }.boxed()
    }

    fn prepare_step(
        &self,
        scope: HookScope,
        step: u32,
        messages: Vec<Message>,
    ) -> BoxFuture<'_, Vec<Message>> {
        let event =
            move |messages: &[Message]| PrepareStepEvent { step_number: step, messages: window(messages) };
        async move { self.0.messages(scope, "prepare_step", messages, event).await }.boxed()
    }

    fn tool_call(&self, scope: HookScope, call: HookCall) -> BoxFuture<'_, Verdict> {
        async move {
            let hub = &self.0;
            let event = ToolCallEvent {
                tool_name: call.name,
                tool_call_id: call.id.to_string(),
                tool_kind: word(&call.kind),
                input: call.arguments,
                parsed_args: call.parsed,
                source: "llm".to_owned(),
            };
            for handler in hub.handlers("tool_call").await {
                match hub.ask(&handler, &scope, "tool_call", &event).await {
                    Said::Answer(ToolCallAnswer { block: true, reason }) => {
                        return Verdict::Veto(
                            filled(reason).unwrap_or_else(|| "blocked by extension".to_owned()),
                        );
                    }
                    Said::Blocks(why) => return Verdict::Veto(why),
                    Said::Answer(ToolCallAnswer { block: false, .. }) | Said::Nothing => {}
                }
            }
            Verdict::Continue
        }
        .boxed()
    }

    fn tool_result(&self, scope: HookScope, call: HookCall, result: HookResult) -> BoxFuture<'_, HookResult> {
        async move {
            let hub = &self.0;
            let HookResult { content, is_error, metadata } = result;
            let mut event = ToolResultEvent {
                tool_name: call.name,
                tool_call_id: call.id.to_string(),
                tool_kind: word(&call.kind),
                input: call.arguments,
                content,
                is_error,
                metadata: metadata.as_ref().and_then(|metadata| serde_json::to_value(metadata).ok()),
            };
            for handler in hub.handlers("tool_result").await {
                match hub.ask(&handler, &scope, "tool_result", &event).await {
                    Said::Answer(ToolResultAnswer { content, is_error }) => {
                        event.content = content.unwrap_or(event.content);
                        event.is_error = is_error.unwrap_or(event.is_error);
                    }
                    Said::Blocks(why) => {
                        event.content = why;
                        event.is_error = true;
                    }
                    Said::Nothing => {}
                }
            }
            HookResult { content: event.content, is_error: event.is_error, metadata }
        }
        .boxed()
    }

    fn before_fork(
        &self,
        scope: HookScope,
        target: String,
        user_text: Option<String>,
    ) -> BoxFuture<'_, Verdict> {
        let event = BeforeForkEvent {
            target_id: target,
            is_user_message: user_text.is_some(),
            user_text: user_text.unwrap_or_default(),
        };
        async move { self.0.veto(scope, "before_fork", event, "Fork cancelled by extension.").await }.boxed()
    }

    fn before_session_switch(
        &self,
        scope: HookScope,
        reason: SwitchReason,
        prompt: Option<String>,
    ) -> BoxFuture<'_, Verdict> {
        let reason = match reason {
            SwitchReason::New => "new",
            SwitchReason::Open => "open",
            SwitchReason::Clear => "clear",
        };
        let event = BeforeSessionSwitchEvent { reason: reason.to_owned(), initial_prompt: prompt };
        async move {
            self.0.veto(scope, "before_session_switch", event, "Session switch cancelled by extension.").await
        }
        .boxed()
    }

    fn before_compact(&self, scope: HookScope, plan: CompactionPlan) -> BoxFuture<'_, CompactionVerdict> {
        async move {
            let hub = &self.0;
            let share = |used: u64, of: u64| if of == 0 { 0.0 } else { used as f64 / of as f64 };
            let event = BeforeCompactEvent {
                estimated_tokens: plan.estimated_tokens,
                context_limit: plan.context_limit,
                usage_percent: share(plan.estimated_tokens, plan.context_limit),
                message_count: u64::try_from(plan.message_count).unwrap_or(u64::MAX),
                is_automatic: plan.automatic,
            };
            let mut verdict = CompactionVerdict::Continue;
            for handler in hub.handlers("before_compact").await {
                match hub.ask(&handler, &scope, "before_compact", &event).await {
                    Said::Answer(BeforeCompactAnswer { cancel: true, reason, .. }) => {
                        let why =
                            filled(reason).unwrap_or_else(|| "Compaction cancelled by extension.".to_owned());
                        return CompactionVerdict::Veto(why);
                    }
                    Said::Answer(BeforeCompactAnswer { summary: Some(summary), .. }) => {
                        verdict = CompactionVerdict::Summary(summary);
                    }
                    Said::Blocks(why) => return CompactionVerdict::Veto(why),
                    Said::Answer(BeforeCompactAnswer { .. }) | Said::Nothing => {}
                }
            }
            verdict
        }
        .boxed()
    }

    fn observe(&self, scope: HookScope, observation: Observation) {
        self.0.feed.observe(&self.0, scope, observation);
    }
}
