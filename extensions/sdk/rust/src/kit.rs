//! What an extension registers with, and what it registered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use kit_contract::{
    CommandDefinition, Configuration, MessageRenderer, OptionDefinition, Permissions, Registration,
    ShortcutDefinition, Subscription, ToolAnswer, ToolDefinition, ToolRenderer,
};
use serde::de::DeserializeOwned;

use crate::context::{Context, ToolContext};
use crate::error::Error;
use crate::event::Event;

pub use kit_contract::OnError;

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<String, Error>>>>;
pub(crate) type EventHandler = Rc<dyn Fn(String) -> Answer>;
pub(crate) type InvokeHandler = Rc<dyn Fn(String) -> Answer>;

/// What an extension registers with.
pub struct Kit {
    /// What the host said: the name, the options that were set, the methods and events that there are.
    pub configuration: Configuration,
    pub(crate) registration: Registration,
    pub(crate) handlers: BTreeMap<String, EventHandler>,
    pub(crate) invocations: BTreeMap<(&'static str, String), InvokeHandler>,
}

thread_local!(static LOADED: RefCell<Option<Rc<Kit>>> = const { RefCell::new(None) });

/// What is loaded.
pub(crate) fn loaded() -> Option<Rc<Kit>> {
    LOADED.with(|kit| kit.borrow().clone())
}

pub(crate) fn set_loaded(kit: Kit) {
    LOADED.with(|slot| *slot.borrow_mut() = Some(Rc::new(kit)));
}

impl Kit {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Kit {
            configuration,
            registration: Registration::default(),
            handlers: BTreeMap::new(),
            invocations: BTreeMap::new(),
        }
    }

    /// What the extension asks for; a manifest beside the component comes first.
    pub fn permissions(&mut self, permissions: Permissions) {
        self.registration.permissions = Some(permissions);
    }

    /// Name, version and one sentence, as lists show them.
    pub fn describe(&mut self, name: &str, version: &str, description: &str) {
        self.registration.name = Some(name.to_owned());
        self.registration.version = Some(version.to_owned());
        self.registration.description = Some(description.to_owned());
    }

    /// Handles an event; the event goes on when the handler fails.
    pub fn on<E, Handler>(&mut self, handler: Handler)
    where
        E: Event,
        Handler: AsyncFn(E::Payload, Context) -> Result<Option<E::Answer>, Error> + 'static,
    {
        self.on_with::<E, Handler>(OnError::Pass, handler);
    }

    /// Handles an event; when the handler fails, what it is about does not happen. For gates.
    pub fn gate<E, Handler>(&mut self, handler: Handler)
    where
        E: Event,
        Handler: AsyncFn(E::Payload, Context) -> Result<Option<E::Answer>, Error> + 'static,
    {
        self.on_with::<E, Handler>(OnError::Block, handler);
    }

    fn on_with<E, Handler>(&mut self, on_error: OnError, handler: Handler)
    where
        E: Event,
        Handler: AsyncFn(E::Payload, Context) -> Result<Option<E::Answer>, Error> + 'static,
    {
        let handler = Rc::new(handler);
        let entry: EventHandler = Rc::new(move |payload| {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let (event, context) = parsed::<E::Payload>(&payload)?;
                let answer = handler(event, context).await?;
                Ok(answer.map(|answer| serde_json::to_string(&answer)).transpose()?.unwrap_or_default())
            })
        });
        self.registration.events.retain(|known| known.name != E::NAME);
        self.registration.events.push(Subscription { name: E::NAME.to_owned(), on_error });
        self.handlers.insert(E::NAME.to_owned(), entry);
    }

    /// Handles an event that an extension sent with `emit_custom_event`.
    pub fn on_custom_event<Handler>(&mut self, name: &str, handler: Handler)
    where
        Handler: AsyncFn(String, Context) -> Result<(), Error> + 'static,
    {
        let name = format!("{}{name}", kit_contract::CUSTOM_EVENT);
        let handler = Rc::new(handler);
        let entry: EventHandler = Rc::new(move |payload| {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let (event, context) = parsed::<kit_contract::CustomEvent>(&payload)?;
                handler(event.data, context).await?;
                Ok(String::new())
            })
        });
        self.registration.events.push(Subscription { name: name.clone(), on_error: OnError::Pass });
        self.handlers.insert(name, entry);
    }

    /// Offers a tool to the model. Its input is read into `Input`; it answers with a text, or with a `ToolAnswer` that has
    /// images, PDFs or sounds beside it. An error is told to the model.
    pub fn tool<Input, Output, Handler>(&mut self, definition: ToolDefinition, handler: Handler)
    where
        Input: DeserializeOwned,
        Output: Into<ToolAnswer>,
        Handler: AsyncFn(Input, ToolContext) -> Result<Output, Error> + 'static,
    {
        let handler = Rc::new(handler);
        self.invoked("tool", definition.name.clone(), move |input| {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let call: kit_contract::ToolInvocation = serde_json::from_str(&input)?;
                let context = ToolContext::new(Context::new(call.context), call.tool_call_id);
                let result = match serde_json::from_value::<Input>(call.arguments) {
                    Ok(input) => handler(input, context).await,
                    Err(error) => Err(Error::invalid("the arguments are wrong", &error)),
                };
                let answer = match result {
                    Ok(output) => output.into(),
                    Err(error) => ToolAnswer { is_error: true, ..error.message.into() },
                };
                Ok(serde_json::to_string(&answer)?)
            })
        });
        self.registration.tools.push(definition);
    }

    /// Offers a command to people; the text that it returns is shown.
    pub fn command<Handler>(&mut self, definition: CommandDefinition, handler: Handler)
    where
        Handler: AsyncFn(String, Context) -> Result<Option<String>, Error> + 'static,
    {
        let handler = Rc::new(handler);
        let name = definition.name.trim_start_matches('/').to_owned();
        self.invoked("command", name, move |input| {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let call: kit_contract::CommandInvocation = serde_json::from_str(&input)?;
                let output = handler(call.args, Context::new(call.context)).await?;
                Ok(serde_json::to_string(&kit_contract::CommandAnswer { output })?)
            })
        });
        self.registration.commands.push(definition);
    }

    /// Completes the argument of a command that was registered with `completes`.
    pub fn complete<Handler>(&mut self, command: &str, handler: Handler)
    where
        Handler: AsyncFn(String, Context) -> Result<Vec<String>, Error> + 'static,
    {
        let handler = Rc::new(handler);
        self.invoked("complete", command.trim_start_matches('/').to_owned(), move |input| {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let call: kit_contract::CompleteInvocation = serde_json::from_str(&input)?;
                Ok(serde_json::to_string(&handler(call.prefix, Context::new(call.context)).await?)?)
            })
        });
    }

    /// Binds a key where an editor can; the text that the handler returns is shown.
    pub fn shortcut<Handler>(&mut self, definition: ShortcutDefinition, handler: Handler)
    where
        Handler: AsyncFn(Context) -> Result<Option<String>, Error> + 'static,
    {
        let handler = Rc::new(handler);
        self.invoked("shortcut", definition.key.clone(), move |input| {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let call: kit_contract::ShortcutInvocation = serde_json::from_str(&input)?;
                let output = handler(Context::new(call.context)).await?;
                Ok(serde_json::to_string(&kit_contract::CommandAnswer { output })?)
            })
        });
        self.registration.shortcuts.push(definition);
    }

    /// Declares an option.
    pub fn option(&mut self, name: &str, description: &str, default: &str) {
        self.registration.options.push(OptionDefinition {
            name: name.to_owned(),
            description: description.to_owned(),
            default: default.to_owned(),
        });
    }

    /// Shows the calls of a tool in its own way.
    pub fn tool_renderer<Handler>(&mut self, definition: ToolRenderer, render: Handler)
    where
        Handler: Fn(kit_contract::RenderToolInvocation) -> kit_contract::RenderToolAnswer + 'static,
    {
        let render = Rc::new(render);
        self.invoked("render_tool", definition.tool_name.clone(), move |input| {
            let render = Rc::clone(&render);
            Box::pin(async move { Ok(serde_json::to_string(&render(serde_json::from_str(&input)?))?) })
        });
        self.registration.tool_renderers.push(definition);
    }

    /// Names a way to show messages: a function of the content and the width.
    pub fn message_renderer<Handler>(&mut self, name: &str, render: Handler)
    where
        Handler: Fn(&str, u32) -> String + 'static,
    {
        let render = Rc::new(render);
        self.invoked("render_message", name.to_owned(), move |input| {
            let render = Rc::clone(&render);
            Box::pin(async move {
                let call: kit_contract::RenderMessageInvocation = serde_json::from_str(&input)?;
                let answer = kit_contract::RenderAnswer { text: render(&call.content, call.width) };
                Ok(serde_json::to_string(&answer)?)
            })
        });
        self.registration.message_renderers.push(MessageRenderer { name: name.to_owned() });
    }

    /// Renders a widget that was set with `content.render`.
    pub fn widget_renderer<Handler>(&mut self, id: &str, render: Handler)
    where
        Handler: Fn(u32) -> String + 'static,
    {
        let render = Rc::new(render);
        self.invoked("render_widget", id.to_owned(), move |input| {
            let render = Rc::clone(&render);
            Box::pin(async move {
                let call: kit_contract::RenderWidgetInvocation = serde_json::from_str(&input)?;
                Ok(serde_json::to_string(&kit_contract::RenderAnswer { text: render(call.width) })?)
            })
        });
    }

    fn invoked(&mut self, kind: &'static str, name: String, handler: impl Fn(String) -> Answer + 'static) {
        self.invocations.insert((kind, name), Rc::new(handler));
    }
}

/// A payload, and where it happened.
fn parsed<Payload: DeserializeOwned>(text: &str) -> Result<(Payload, Context), Error> {
    let wrong = |error: serde_json::Error| Error::invalid("the payload is wrong", &error);
    let mut value: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
    let context = value.get_mut("context").map(serde_json::Value::take).unwrap_or_default();
    let context = serde_json::from_value(context).unwrap_or_default();
    Ok((serde_json::from_value(value).map_err(wrong)?, Context::new(context)))
}
