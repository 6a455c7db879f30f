//! What extensions show.

use std::collections::BTreeMap;
use std::sync::Arc;

use kit_contract::{
    BarParameters, BlockParameters, Content, ContentStyle, IdParameters, KeyParameters, PrintParameters,
    RenderAnswer, RenderMessageInvocation, RenderMessageParameters, RenderWidgetInvocation, StatusParameters,
    WidgetParameters,
};

use kit_protocol::UiSlot;

use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::sandbox::Failure;
use crate::screen::UiItem;

pub(super) fn print(
    hub: &Extensions,
    caller: &Caller,
    method: &str,
    parameters: &str,
) -> Result<(), Failure> {
    let PrintParameters { text } = parse(method, parameters)?;
    let kind = match method {
        "printInfo" => Some("info"),
        "printError" => Some("error"),
        _ => None,
    };
    let style = kind.map(|kind| ("kind".to_owned(), kind.to_owned())).into_iter().collect();
    let item = UiItem { text, style, ..UiItem::default() };
    hub.show(caller.name(), UiSlot::Print, &hub.next_id("print"), item)
}

pub(super) fn block(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let BlockParameters { text, border_color, subtitle } = parse("printBlock", parameters)?;
    let style = named([("borderColor", border_color), ("subtitle", subtitle)]);
    let item = UiItem { text, style, ..UiItem::default() };
    hub.show(caller.name(), UiSlot::Block, &hub.next_id("block"), item)
}

pub(super) fn set_widget(hub: &Arc<Extensions>, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let WidgetParameters { id, placement, content, style, priority } = parse("setWidget", parameters)?;
    let mut styles = styles(style);
    styles.extend(named([("placement", placement)]));
    let item = UiItem { text: content.text, markdown: content.markdown, priority, style: styles };
    if content.render {
        render_widget(hub, caller, id, item);
        return Ok(());
    }
    hub.show(caller.name(), UiSlot::Widget, &id, item)
}

/// The text comes from the extension itself, which is in the middle of saying so: it is asked later.
fn render_widget(hub: &Arc<Extensions>, caller: &Caller, id: String, item: UiItem) {
    let (hub_later, path) = (Arc::clone(hub), caller.path().to_path_buf());
    hub.spawn(async move {
        let Some(extension) = hub_later.generation().by_path(&path).cloned() else { return };
        let input = RenderWidgetInvocation { width: 0, context: hub_later.context(None) };
        let rendered: Result<RenderAnswer, _> = extension.render("render_widget", &id, &input).await;
        // A renderer that fails hides its widget; the failure was told.
        let text = rendered.map(|answer| answer.text).unwrap_or_default();
        if text.is_empty() {
            hub_later.board().remove(&extension.name, UiSlot::Widget, &id);
        } else if let Err(failure) =
            hub_later.show(&extension.name, UiSlot::Widget, &id, UiItem { text, ..item })
        {
            extension.caller.failed(&format!("setWidget {id}"), &failure.into());
        }
    });
}

pub(super) fn remove_widget(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let IdParameters { id } = parse("removeWidget", parameters)?;
    hub.board().remove(caller.name(), UiSlot::Widget, &id);
    Ok(())
}

pub(super) fn set_bar(
    hub: &Extensions,
    caller: &Caller,
    method: &str,
    parameters: &str,
) -> Result<(), Failure> {
    let BarParameters { content: Content { text, markdown, .. }, style } = parse(method, parameters)?;
    let item = UiItem { text, markdown, priority: 0, style: styles(style) };
    hub.show(caller.name(), bar(method), "", item)
}

pub(super) fn remove_bar(hub: &Extensions, caller: &Caller, method: &str) -> Result<(), Failure> {
    hub.board().remove(caller.name(), bar(method), "");
    Ok(())
}

fn bar(method: &str) -> UiSlot {
    if method.ends_with("Header") { UiSlot::Header } else { UiSlot::Footer }
}

pub(super) fn set_status(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let StatusParameters { key, text, priority } = parse("setStatus", parameters)?;
    let item = UiItem { text, priority, ..UiItem::default() };
    hub.show(caller.name(), UiSlot::Status, &key, item)
}

pub(super) fn remove_status(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let KeyParameters { key } = parse("removeStatus", parameters)?;
    hub.board().remove(caller.name(), UiSlot::Status, &key);
    Ok(())
}

pub(super) fn set_prompt(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let PrintParameters { text } = parse("setEditorText", parameters)?;
    hub.show(caller.name(), UiSlot::Prompt, "", UiItem { text, ..UiItem::default() })
}

pub(super) async fn render_message(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<(), Failure> {
    let RenderMessageParameters { name, content } = parse("renderMessage", parameters)?;
    let has = |extension: &&Arc<crate::loaded::Loaded>| {
        extension.registration.message_renderers.iter().any(|renderer| renderer.name == name)
    };
    let generation = hub.generation();
    let text = match generation.extensions.iter().rev().find(has) {
        Some(extension) => {
            let context = hub.context(None);
            let input = RenderMessageInvocation { content: content.clone(), width: 0, context };
            let rendered: Result<RenderAnswer, _> = extension.render("render_message", &name, &input).await;
            rendered.map(|answer| answer.text).unwrap_or(content)
        }
        None => content,
    };
    let item = UiItem { text, markdown: true, ..UiItem::default() };
    hub.show(caller.name(), UiSlot::Block, &hub.next_id("block"), item)
}

fn styles(style: Option<ContentStyle>) -> BTreeMap<String, String> {
    let ContentStyle { border_color, background, no_border } = style.unwrap_or_default();
    let border = no_border.then(|| "none".to_owned());
    named([("borderColor", border_color), ("background", background), ("border", border)])
}

fn named<const N: usize>(pairs: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
