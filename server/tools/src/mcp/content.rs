//! What servers answer, as text for a model. Media cannot be shown to it here and are named with their kind and size.

use kit_protocol::McpServer;
use rmcp::model::{
    CallToolResult, ContentBlock, GetPromptResult, ReadResourceResult, ResourceContents, Role,
};

use super::config;
use crate::caps;
use crate::tool::ToolOutput;

/// Bytes of one resource or prompt.
const LARGEST: usize = caps::MAX_RESULT_BYTES;
const LINES: usize = 2 * caps::MAX_LINES;
/// Bytes of names and addresses.
const LONGEST_NAME: usize = 500;

/// The outcome of a tool.
pub(super) fn output(result: CallToolResult) -> ToolOutput {
    let mut content = joined(result.content.iter().map(block));
    // Servers repeat the structured content as text for clients that do not know it.
    if content.trim().is_empty()
        && let Some(structured) = &result.structured_content
    {
        content = serde_json::to_string_pretty(structured).unwrap_or_else(|_| structured.to_string());
    }
    if content.trim().is_empty() {
        content = "(the tool answered without content)".to_owned();
    }
    ToolOutput { content, is_error: result.is_error.unwrap_or(false), ..ToolOutput::default() }
}

/// The messages of a prompt as one text.
pub(super) fn prompt(result: &GetPromptResult) -> String {
    let only_user = result.messages.iter().all(|message| message.role == Role::User);
    joined(result.messages.iter().map(|message| {
        let text = block(&message.content);
        match message.role {
            Role::Assistant => format!("Assistant: {text}"),
            Role::User if !only_user => format!("User: {text}"),
            Role::User => text,
        }
    }))
}

/// The contents of a resource as one text.
pub(super) fn resource(result: &ReadResourceResult) -> String {
    joined(result.contents.iter().map(contents))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut kept = caps::HeadTail::new(LINES, LARGEST);
    for part in parts {
        if !kept.is_empty() {
            kept.push("\n");
        }
        kept.push(&part);
    }
    kept.into_text()
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => media("image", Some(&image.mime_type), &image.data),
        ContentBlock::Audio(audio) => media("audio", Some(&audio.mime_type), &audio.data),
        ContentBlock::Resource(resource) => contents(&resource.resource),
        ContentBlock::ResourceLink(link) => {
            let more = link.description.as_deref().map(|more| format!(": {more}")).unwrap_or_default();
            let kind = link.mime_type.as_deref().map(|kind| format!(", {kind}")).unwrap_or_default();
            let text = format!("[resource {} ({}{kind}){more}]", link.uri, link.name);
            caps::line(&text, LONGEST_NAME).into_owned()
        }
        _ => "[content of a kind that this version does not know]".to_owned(),
    }
}

fn contents(contents: &ResourceContents) -> String {
    match contents {
        ResourceContents::TextResourceContents { uri, text, .. } => {
            format!("[resource {}]\n{text}", caps::line(uri, LONGEST_NAME))
        }
        ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
            let named = format!("resource {},", caps::line(uri, LONGEST_NAME));
            media(&named, mime_type.as_deref(), blob)
        }
        _ => "[a resource of a kind that this version does not know]".to_owned(),
    }
}

/// A note in place of data.
fn media(what: &str, kind: Option<&str>, base64: &str) -> String {
    let bytes = base64.trim_end_matches('=').len() as u64 * 3 / 4;
    let kind = caps::line(kind.unwrap_or("data"), LONGEST_NAME);
    format!("[{what} {kind}, {} bytes, not shown]", caps::grouped(bytes))
}

/// A name that providers take for a tool: letters, digits, `_` and `-`, at most 64 of them. One that is cut ends with a
/// number made of the whole, so that two stay two.
pub(super) fn tool_name(server: &str, tool: &str) -> String {
    const LONGEST: usize = 64;
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let whole = format!("mcp__{server}__{tool}");
    let mut name: String = whole.chars().map(plain).collect();
    if name.len() > LONGEST {
        let hash = whole
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        name.truncate(LONGEST - 9);
        name.push_str(&format!("_{hash:08x}"));
    }
    name
}

/// A name as a word behind a slash or an `@`.
pub(super) fn word(name: &str) -> String {
    let plain =
        |letter: char| if letter.is_whitespace() || matches!(letter, '/' | ':' | '@') { '_' } else { letter };
    name.chars().map(plain).collect()
}

/// Whether a tool of the server is offered.
pub(super) fn is_offered(settings: &McpServer, tool: &str) -> bool {
    config::allows(settings, tool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(result: serde_json::Value, expected: (&str, bool)) {
        let result: CallToolResult = serde_json::from_value(result).unwrap();
        let output = output(result);
        assert_eq!((output.content.as_str(), output.is_error), expected);
    }

    #[test]
    fn every_kind_of_content_becomes_text() {
        check(
            json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            ("a\nb", false),
        );
        check(json!({"content": [{"type": "text", "text": "no"}], "isError": true}), ("no", true));
        check(json!({"content": [], "structuredContent": {"a": 1}}), ("{\n  \"a\": 1\n}", false));
        check(
            json!({"content": [{"type": "text", "text": "{\"a\":1}"}], "structuredContent": {"a": 1}}),
            ("{\"a\":1}", false),
        );
        check(
            json!({"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}),
            ("[image image/png, 3 bytes, not shown]", false),
        );
        check(
            json!({"content": [{"type": "resource", "resource": {"uri": "a://b", "text": "t"}}]}),
            ("[resource a://b]\nt", false),
        );
        check(
            json!({"content": [{"type": "resource", "resource": {"uri": "a://b", "blob": "AAAA"}}]}),
            ("[resource a://b, data, 3 bytes, not shown]", false),
        );
        check(
            json!({"content": [{"type": "resource_link", "uri": "a://b", "name": "n", "mimeType": "text/plain"}]}),
            ("[resource a://b (n, text/plain)]", false),
        );
        check(json!({"content": []}), ("(the tool answered without content)", false));
    }

    #[test]
    fn names_are_such_that_providers_take_them() {
        assert_eq!(tool_name("git hub", "list/issues"), "mcp__git_hub__list_issues");
        let long = |end: &str| tool_name("server", &format!("{}{end}", "x".repeat(80)));
        assert_eq!(long("a").len(), 64);
        assert_ne!(long("a"), long("b"));
    }
}
