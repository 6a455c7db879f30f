//! What servers answer, for a model: text, and the images, PDFs and sounds that it may take as they are. The text names
//! each of these where it stood; what is nothing of the kind is named with its type and size alone.

use kit_protocol::{ImagePart, McpServer};
use rmcp::model::{
    CallToolResult, ContentBlock, GetPromptResult, ReadResourceResult, ResourceContents, Role,
};
use serde_json::Value;

use super::config;
use crate::caps;
use crate::media;
use crate::tool::ToolOutput;

/// Bytes of one resource or prompt.
const LARGEST: usize = caps::MAX_RESULT_BYTES;
const LINES: usize = 2 * caps::MAX_LINES;
/// Bytes of names and addresses.
const LONGEST_NAME: usize = 500;
/// Values of structured content that are looked for in the text.
const MOST_VALUES: usize = 2000;

/// What a prompt or resource holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpContent {
    /// Its text, which names the media where they stood.
    pub text: String,
    /// Images, PDFs and sounds.
    pub media: Vec<ImagePart>,
}

/// What a server said, piece by piece.
struct Reading {
    text: caps::HeadTail,
    media: Vec<ImagePart>,
}

impl Reading {
    fn new() -> Self {
        Self { text: caps::HeadTail::new(LINES, LARGEST), media: Vec::new() }
    }

    fn push(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push("\n");
        }
        self.text.push(text);
    }

    /// What a block says; its medium is kept.
    fn block(&mut self, block: &ContentBlock) -> String {
        match block {
            ContentBlock::Text(text) => text.text.clone(),
            ContentBlock::Image(image) => {
                media::keep(&mut self.media, "image", Some(&image.mime_type), &image.data)
            }
            ContentBlock::Audio(audio) => {
                media::keep(&mut self.media, "audio", Some(&audio.mime_type), &audio.data)
            }
            ContentBlock::Resource(resource) => self.contents(&resource.resource),
            ContentBlock::ResourceLink(link) => {
                let more = link.description.as_deref().map(|more| format!(": {more}")).unwrap_or_default();
                let kind = link.mime_type.as_deref().map(|kind| format!(", {kind}")).unwrap_or_default();
                let text = format!("[resource {} ({}{kind}){more}]", link.uri, link.name);
                caps::line(&text, LONGEST_NAME).into_owned()
            }
            _ => "[content of a kind that this version does not know]".to_owned(),
        }
    }

    fn contents(&mut self, contents: &ResourceContents) -> String {
        match contents {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                format!("[resource {}]\n{text}", caps::line(uri, LONGEST_NAME))
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                let named = format!("resource {}", caps::line(uri, LONGEST_NAME));
                match Some(blob)
                    .filter(|_| is_text(mime_type.as_deref()))
                    .and_then(|blob| media::text_of_base64(blob))
                {
                    Some(text) => format!("[{named}]\n{text}"),
                    None => media::keep(&mut self.media, &named, mime_type.as_deref(), blob),
                }
            }
            _ => "[a resource of a kind that this version does not know]".to_owned(),
        }
    }

    /// All of it, with no more media than one result may bring.
    fn finish(mut self) -> McpContent {
        let mut text = self.text.into_text();
        if let Some(note) = media::cut(&mut self.media) {
            text.push_str(&format!("\n[{note}]"));
        }
        McpContent { text, media: self.media }
    }
}

/// The outcome of a tool.
pub(super) fn output(result: &CallToolResult) -> ToolOutput {
    let mut reading = Reading::new();
    for block in &result.content {
        let text = reading.block(block);
        reading.push(&text);
    }
    // Servers repeat the structured content as text for clients that do not know it.
    if let Some(structured) =
        result.structured_content.as_ref().filter(|value| !is_repeated(value, &result.content))
    {
        let text = serde_json::to_string_pretty(structured).unwrap_or_else(|_| structured.to_string());
        reading.push(&text);
    }
    let mut content = reading.text.into_text();
    if content.trim().is_empty() {
        content = "(the tool answered without content)".to_owned();
    }
    let is_error = result.is_error.unwrap_or(false);
    ToolOutput { content, media: reading.media, is_error, ..ToolOutput::default() }
}

/// Whether all that the structured content says stands in the other content, in whatever form.
fn is_repeated(structured: &Value, content: &[ContentBlock]) -> bool {
    let mut texts = content.iter().filter_map(ContentBlock::as_text);
    if texts.any(|text| serde_json::from_str::<Value>(&text.text).is_ok_and(|said| said == *structured)) {
        return true;
    }
    let mut values = Vec::new();
    collect(structured, &mut values);
    let says = |block: &ContentBlock, value: &str| match block {
        ContentBlock::Text(text) => text.text.contains(value) || is_json_with(&text.text, value),
        ContentBlock::Image(image) => image.data == value || image.mime_type == value,
        ContentBlock::Audio(audio) => audio.data == value || audio.mime_type == value,
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => uri == value || text.contains(value),
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                blob == value || uri == value || mime_type.as_deref() == Some(value)
            }
            _ => false,
        },
        ContentBlock::ResourceLink(link) => link.uri == value || link.name == value,
        _ => false,
    };
    values.len() <= MOST_VALUES && values.iter().all(|value| content.iter().any(|block| says(block, value)))
}

/// The values in a structure, up to one more than are looked for.
fn collect(structured: &Value, values: &mut Vec<String>) {
    if values.len() > MOST_VALUES {
        return;
    }
    match structured {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => values.push(structured.to_string()),
        Value::String(text) => values.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        // The `type` of a block says nothing by itself.
        Value::Object(members) => {
            for (_, member) in members.iter().filter(|(name, _)| *name != "type") {
                collect(member, values);
            }
        }
    }
}

/// Whether a text holds a string in the escaped form of JSON.
fn is_json_with(text: &str, value: &str) -> bool {
    let escaped = Value::from(value).to_string();
    text.contains(escaped.trim_matches('"'))
}

/// The messages of a prompt, one after the other.
pub(super) fn prompt(result: &GetPromptResult) -> McpContent {
    let only_user = result.messages.iter().all(|message| message.role == Role::User);
    let mut reading = Reading::new();
    for message in &result.messages {
        let text = reading.block(&message.content);
        reading.push(&match message.role {
            Role::Assistant => format!("Assistant: {text}"),
            Role::User if !only_user => format!("User: {text}"),
            Role::User => text,
        });
    }
    reading.finish()
}

/// The contents of a resource.
pub(super) fn resource(result: &ReadResourceResult) -> McpContent {
    let mut reading = Reading::new();
    for contents in &result.contents {
        let text = reading.contents(contents);
        reading.push(&text);
    }
    reading.finish()
}

fn is_text(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| kind.starts_with("text/") || kind.starts_with("application/json"))
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

    fn check(result: serde_json::Value, expected: (&str, bool), media: &[&str]) {
        let result: CallToolResult = serde_json::from_value(result).unwrap();
        let output = output(&result);
        assert_eq!((output.content.as_str(), output.is_error), expected);
        let kinds: Vec<&str> = output.media.iter().map(|part| part.media_type.as_str()).collect();
        assert_eq!(kinds, media);
    }

    const PNG: &str = "iVBORw0KGgo=";
    const WAV: &str = "UklGRgAAAABXQVZF";
    const PDF: &str = "JVBERi0xLjcK";

    #[test]
    fn every_kind_of_content_has_its_place_in_the_text() {
        check(
            json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            ("a\nb", false),
            &[],
        );
        check(json!({"content": [{"type": "text", "text": "no"}], "isError": true}), ("no", true), &[]);
        check(
            json!({"content": [{"type": "resource", "resource": {"uri": "a://b", "text": "t"}}]}),
            ("[resource a://b]\nt", false),
            &[],
        );
        check(
            json!({"content": [{"type": "resource_link", "uri": "a://b", "name": "n", "mimeType": "text/plain"}]}),
            ("[resource a://b (n, text/plain)]", false),
            &[],
        );
        check(json!({"content": []}), ("(the tool answered without content)", false), &[]);
    }

    #[test]
    fn media_go_along_and_the_text_says_where_they_stood() {
        let blob = |uri: &str, kind: &str, blob: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": blob}});
        check(
            json!({"content": [
                {"type": "text", "text": "first"},
                {"type": "image", "data": PNG, "mimeType": "image/png"},
                {"type": "audio", "data": WAV, "mimeType": "audio/wav"},
                blob("a://b.pdf", "application/pdf", PDF),
            ]}),
            (
                "first\n[image, attached 1: image/png, 8 bytes]\n[audio, attached 2: audio/wav, 12 bytes]\n\
                 [resource a://b.pdf, attached 3: application/pdf, 9 bytes]",
                false,
            ),
            &["image/png", "audio/wav", "application/pdf"],
        );
        check(
            json!({"content": [
                {"type": "image", "data": "!", "mimeType": "image/png"},
                blob("a://b.zip", "application/zip", "UEsDBA=="),
                blob("a://b.txt", "text/plain", "aGk="),
            ]}),
            (
                "[image, image/png, 0 bytes, not shown: it cannot be read: it is not base64]\n\
                 [resource a://b.zip, application/zip, 4 bytes, not shown]\n[resource a://b.txt]\nhi",
                false,
            ),
            &[],
        );
    }

    #[test]
    fn the_messages_of_a_prompt_keep_their_order_and_number_their_media_together() {
        let said = |role: &str, content: serde_json::Value| json!({"role": role, "content": content});
        let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
        let check = |messages: serde_json::Value, text: &str, media: &[&str]| {
            let result = serde_json::from_value(json!({ "messages": messages })).unwrap();
            let McpContent { text: read, media: shown } = prompt(&result);
            let kinds: Vec<&str> = shown.iter().map(|part| part.media_type.as_str()).collect();
            assert_eq!((read.as_str(), kinds.as_slice()), (text, media));
        };
        check(
            json!([said("user", json!({"type": "text", "text": "a"})), said("user", image.clone())]),
            "a\n[image, attached 1: image/png, 8 bytes]",
            &["image/png"],
        );
        check(
            json!([
                said("user", image),
                said("assistant", json!({"type": "audio", "data": WAV, "mimeType": "audio/wav"})),
                said("user", json!({"type": "resource", "resource": {"uri": "a://b", "blob": PDF}})),
                said("user", json!({"type": "resource_link", "uri": "a://c", "name": "c"})),
            ]),
            "User: [image, attached 1: image/png, 8 bytes]\n\
             Assistant: [audio, attached 2: audio/wav, 12 bytes]\n\
             User: [resource a://b, attached 3: application/pdf, 9 bytes]\nUser: [resource a://c (c)]",
            &["image/png", "audio/wav", "application/pdf"],
        );
    }

    #[test]
    fn structured_content_is_read_unless_the_text_repeats_it() {
        check(json!({"content": [], "structuredContent": {"a": 1}}), ("{\n  \"a\": 1\n}", false), &[]);
        check(
            json!({"content": [{"type": "text", "text": "{\"a\":1}"}], "structuredContent": {"a": 1}}),
            ("{\"a\":1}", false),
            &[],
        );
        check(
            json!({"content": [{"type": "text", "text": "One."}], "structuredContent": {"a": 1}}),
            ("One.\n{\n  \"a\": 1\n}", false),
            &[],
        );
        check(
            json!({"content": [{"type": "text", "text": "a\nb"}], "structuredContent": {"content": "a\nb"}}),
            ("a\nb", false),
            &[],
        );
        let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
        check(
            json!({"content": [image], "structuredContent": {"content": [image]}}),
            ("[image, attached 1: image/png, 8 bytes]", false),
            &["image/png"],
        );
    }

    #[test]
    fn names_are_such_that_providers_take_them() {
        assert_eq!(tool_name("git hub", "list/issues"), "mcp__git_hub__list_issues");
        let long = |end: &str| tool_name("server", &format!("{}{end}", "x".repeat(80)));
        assert_eq!(long("a").len(), 64);
        assert_ne!(long("a"), long("b"));
    }
}
