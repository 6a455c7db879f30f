//! How extensions show tool calls.
//!
//! The events of sessions pass by here on their way to the client. The last that registered a renderer for a tool is
//! asked for the header when a call is told, and for the body when its result is told, in a task of its own, so that
//! the turn goes on. What it answers within its limit goes into the session's stream as an event behind the one that it
//! is about; otherwise the call is shown as usual.

use std::sync::Arc;

use kit_contract::{RenderToolAnswer, RenderToolInvocation, ToolRenderer};
use kit_protocol::{Event, EventBody, ToolDisplay};
use kit_session::CallDisplay;
use kit_tools::caps;

use crate::extensions::Extensions;
use crate::loaded::Loaded;

/// Bytes of a header.
const LARGEST_HEADER: usize = 1024;
/// Bytes of a body.
const LARGEST_BODY: usize = 64 * 1024;

impl Extensions {
    /// Lets an extension show a tool call, if the event is about one and there is a renderer for it.
    pub(crate) fn show_call(self: &Arc<Self>, event: &Event) {
        let (call, tool, input) = if let EventBody::ToolCall { tool_call_id, tool_name, tool_args, .. } =
            &event.body
        {
            let input = RenderToolInvocation { tool_args: tool_args.clone(), ..Default::default() };
            (tool_call_id, tool_name, input)
        } else if let EventBody::ToolResult { tool_call_id, tool_name, tool_args, result, is_error, .. } =
            &event.body
        {
            let input = RenderToolInvocation {
                tool_args: tool_args.clone(),
                result: Some(result.clone()),
                is_error: *is_error,
                ..Default::default()
            };
            (tool_call_id, tool_name, input)
        } else {
            return;
        };
        let generation = self.generation();
        let Some((extension, renderer)) = generation.tool_renderer(tool) else { return };
        let is_result = input.result.is_some();
        let renders = if is_result { renderer.body } else { renderer.header };
        if is_result && !renders {
            return;
        }
        let display = ToolDisplay {
            name: filled(renderer.display_name.clone()),
            border_color: filled(renderer.border_color.clone()),
            background: filled(renderer.background.clone()),
            ..ToolDisplay::new(call.clone(), tool.clone())
        };
        let (session, turn, agent) = (event.session.clone(), event.turn.clone(), event.agent.clone());
        let input = RenderToolInvocation { context: self.context(Some(&session)), ..input };
        let (hub, extension, renderer) = (Arc::clone(self), Arc::clone(extension), renderer.clone());
        self.spawn(async move {
            let display =
                if renders { rendered(&extension, &renderer, &input, display).await } else { display };
            let is_usual = display.name.is_none()
                && display.header.is_none()
                && display.body.is_none()
                && display.border_color.is_none()
                && display.background.is_none();
            if is_usual {
                return;
            }
            let Ok(sessions) = hub.sessions() else { return };
            if let Err(error) = sessions.display_call(&session, CallDisplay { turn, agent, display }) {
                tracing::debug!(%error, "a tool call is shown as usual");
            }
        });
    }
}

/// What the renderer says; a failure was told already and leaves the call as usual.
async fn rendered(
    extension: &Loaded,
    renderer: &ToolRenderer,
    input: &RenderToolInvocation,
    display: ToolDisplay,
) -> ToolDisplay {
    let answer: Result<RenderToolAnswer, _> =
        extension.render("render_tool", &renderer.tool_name, input).await;
    let Ok(RenderToolAnswer { header, body }) = answer else { return display };
    if input.result.is_none() {
        let line = header.lines().next().unwrap_or_default();
        let header =
            filled(Some(line.get(..line.floor_char_boundary(LARGEST_HEADER)).unwrap_or_default().to_owned()));
        return ToolDisplay { header, ..display };
    }
    let body = filled(Some(caps::head_and_tail(&body, usize::MAX, LARGEST_BODY).into_owned()));
    let markdown = (body.is_some() && renderer.body_markdown).then_some(true);
    ToolDisplay { body, markdown, ..display }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}
