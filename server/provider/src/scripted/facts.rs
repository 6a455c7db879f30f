//! What a script may know about the request that it answers: names for `needs` and values for `{{templates}}`.
//!
//! | Name | Value |
//! |---|---|
//! | `prompt` | the text of the last prompt |
//! | `file` | the first text file that the prompts name, else the first one in a listing that a tool returned |
//! | `result` | the text of the first tool result since the last answer |
//! | `result:NAME` | the same, when the tool NAME succeeded |
//! | `first`, `last` | two lines of a file that was just read, each the only one of its kind, with a line between them |
//! | `tool:NAME` | the tool NAME is on offer |
//!
//! `{{comment TEXT}}` is TEXT as a comment in the syntax of `file`.

use kit_protocol::{Message, Part, Role, ToolResultPart};

use crate::model::Request;

/// Facts of one request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    prompt: String,
    file: Option<String>,
    results: Vec<ToolResultPart>,
    first: Option<String>,
    last: Option<String>,
    tools: Vec<String>,
}

/// File extensions of text that people edit, with the start and end of a comment.
const COMMENTS: &[(&[&str], &str, &str)] = &[
    (
        &[
            "c", "cc", "cjs", "cpp", "cs", "cts", "dart", "go", "h", "hpp", "java", "js", "jsx", "kt", "mjs",
            "mts", "php", "proto", "rs", "scala", "swift", "ts", "tsx", "zig",
        ],
        "// ",
        "",
    ),
    (
        &[
            "bash", "cmake", "conf", "ex", "exs", "fish", "jl", "nix", "pl", "py", "r", "rb", "sh", "tf",
            "toml", "yaml", "yml", "zsh",
        ],
        "# ",
        "",
    ),
    (&["elm", "hs", "lua", "sql"], "-- ", ""),
    (&["htm", "html", "markdown", "md", "svelte", "vue", "xml"], "<!-- ", " -->"),
    (&["css", "less", "scss"], "/* ", " */"),
    (&["clj", "el", "lisp", "scm"], ";; ", ""),
    (&["erl", "tex"], "% ", ""),
    (&["vim"], "\" ", ""),
    (&["rst", "text", "txt"], "", ""),
];

impl Facts {
    pub(super) fn of(request: &Request) -> Self {
        let messages = &request.messages;
        let users = || messages.iter().rev().filter(|message| message.role == Role::User);
        let since_answer = messages.iter().rev().take_while(|message| message.role != Role::Assistant);
        let mut results: Vec<_> =
            since_answer.flat_map(|message| message.parts.iter().rev()).filter_map(result).collect();
        results.reverse();
        let listings = messages.iter().flat_map(|message| message.parts.iter()).filter_map(result);
        let listed = listings
            .filter(|listing| !listing.is_error && matches!(listing.name.as_str(), "ls" | "find"))
            .find_map(|listing| listing.content.lines().find_map(|line| file_name(line.trim())));
        let read = results.iter().find(|result| result.name == "read" && !result.is_error);
        let (first, last) = read.map_or((None, None), |read| anchor_lines(&read.content));
        Self {
            prompt: users().next().map(Message::joined_text).unwrap_or_default(),
            file: users().find_map(file_of).or(listed),
            results,
            first,
            last,
            tools: request.tools.iter().map(|tool| tool.name.clone()).collect(),
        }
    }

    /// Whether the named fact holds; an unknown name never does.
    pub(super) fn holds(&self, name: &str) -> bool {
        match name.split_once(':') {
            Some(("tool", tool)) => self.tools.iter().any(|offered| offered == tool),
            Some(_) | None => self.value(name).is_some_and(|value| !value.is_empty()),
        }
    }

    /// The text with its `{{templates}}` filled in. An absent fact is empty; unknown names stay as they are.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, after)) = after.split_once("}}") else {
                filled.push_str("{{");
                rest = after;
                break;
            };
            match (name.strip_prefix("comment "), self.value(name)) {
                (Some(comment), _) => filled.push_str(&self.comment(comment)),
                (None, Some(value)) => filled.push_str(value),
                (None, None) if is_fact(name) => {}
                (None, None) => {
                    filled.push_str("{{");
                    filled.push_str(name);
                    filled.push_str("}}");
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "prompt" => Some(&self.prompt),
            "file" => self.file.as_deref(),
            "first" => self.first.as_deref(),
            "last" => self.last.as_deref(),
            "result" => self.results.first().map(|result| result.content.as_str()),
            _ => {
                let tool = name.strip_prefix("result:")?;
                let result = self.results.iter().find(|result| result.name == tool && !result.is_error);
                result.map(|result| result.content.as_str())
            }
        }
    }

    fn comment(&self, text: &str) -> String {
        let (start, end) = self.file.as_deref().and_then(comment_of).unwrap_or(("", ""));
        format!("{start}{text}{end}")
    }
}

fn is_fact(name: &str) -> bool {
    matches!(name, "prompt" | "file" | "first" | "last" | "result") || name.starts_with("result:")
}

fn result(part: &Part) -> Option<ToolResultPart> {
    if let Part::ToolResult(result) = part { Some(result.clone()) } else { None }
}

fn comment_of(file: &str) -> Option<(&'static str, &'static str)> {
    let (stem, extension) = file.rsplit_once('.')?;
    let known =
        |(extensions, ..): &&(&[&str], _, _)| extensions.contains(&extension.to_ascii_lowercase().as_str());
    let named = !stem.is_empty() && !stem.ends_with(['/', '\\']);
    COMMENTS.iter().find(known).filter(|_| named).map(|(_, start, end)| (*start, *end))
}

/// The first text file that a user message names. Its first text is what the user typed; the texts after it are
/// attachments, whose words mean nothing.
fn file_of(message: &Message) -> Option<String> {
    let texts = message
        .parts
        .iter()
        .filter_map(|part| if let Part::Text(part) = part { Some(&part.text) } else { None });
    let mut names = texts.enumerate().map(|(index, text)| {
        let word = || text.split_whitespace().find_map(file_name);
        let attached = attribute(text, "path").or_else(|| attribute(text, "uri"));
        attached.or_else(|| if index == 0 { word() } else { None })
    });
    names.find_map(|name| name)
}

/// The first text file in an attribute, as attachments have it.
fn attribute(text: &str, name: &str) -> Option<String> {
    let start = format!("{name}=\"");
    let mut values = text.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next());
    values.find(|path| comment_of(path).is_some()).map(path_of)
}

/// The word as a file name, without the punctuation and the line number that prose puts around it.
fn file_name(word: &str) -> Option<String> {
    let around = |character: char| {
        !character.is_alphanumeric() && !matches!(character, '/' | '\\' | '_' | '-' | '~' | '.')
    };
    let word = word.trim_matches(around).trim_end_matches('.').trim_start_matches('@');
    let name = match word
        .split_once(".")
        .and_then(|(_, rest)| rest.find(':').map(|colon| word.len() - rest.len() + colon))
    {
        Some(colon) => word.get(..colon)?,
        None => word,
    };
    comment_of(name).map(|_| path_of(name))
}

/// A `file:` URI as a path; anything else unchanged.
fn path_of(text: &str) -> String {
    let Some(path) = text.strip_prefix("file://") else { return text.to_owned() };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    let path = String::from_utf8_lossy(&bytes).into_owned();
    let drive =
        path.strip_prefix('/').filter(|drive| drive.as_bytes().get(1) == Some(&b':')).map(str::to_owned);
    drive.unwrap_or(path)
}

/// Two lines of a read file that an edit can name unambiguously, with at least one line between them.
fn anchor_lines(content: &str) -> (Option<String>, Option<String>) {
    let numbered = |line: &'_ str| -> Option<(usize, String)> {
        let (number, text) = line.split_once(": ")?;
        Some((number.trim().parse().ok()?, text.to_owned()))
    };
    let mut lines: Vec<(usize, String)> = content.lines().filter_map(numbered).collect();
    if lines.is_empty() {
        lines = content.lines().map(str::to_owned).enumerate().collect();
    }
    let occurrences = |text: &str| lines.iter().map(|(_, line)| line.matches(text).count()).sum::<usize>();
    let usable = |(_, text): &&(usize, String)| {
        text.chars().filter(|character| character.is_alphanumeric()).count() >= 3 && occurrences(text) == 1
    };
    let Some((start, first)) = lines.iter().find(usable) else { return (None, None) };
    let last = lines.iter().rev().take_while(|(number, _)| *number > start + 1).find(usable);
    (Some(first.clone()), last.map(|(_, text)| text.clone()))
}

#[cfg(test)]
mod tests {
    use kit_protocol::ToolCallId;

    use super::*;
    use crate::model::{Parameters, ToolDefinition};

    fn tool_result(name: &str, content: &str) -> Message {
        let part = ToolResultPart {
            tool_call_id: ToolCallId::from("c1"),
            name: name.into(),
            content: content.into(),
            is_error: false,
        };
        Message { role: Role::Tool, parts: vec![Part::ToolResult(part)] }
    }

    fn facts(messages: Vec<Message>) -> Facts {
        let edit = ToolDefinition {
            name: "edit".into(),
            description: String::new(),
            input_schema: serde_json::json!({}),
        };
        Facts::of(&Request {
            system: "".into(),
            messages: messages.into(),
            tools: [edit].into(),
            parameters: Parameters::default(),
            cache_key: None,
        })
    }

    fn file(prompt: &str) -> Option<String> {
        facts(vec![Message::text(Role::User, prompt)]).file
    }

    #[test]
    fn finds_the_file_that_a_prompt_names() {
        assert_eq!(file("tidy `src/main.rs`, please").as_deref(), Some("src/main.rs"));
        assert_eq!(file("look at lib.py:12: it fails.").as_deref(), Some("lib.py"));
        assert_eq!(file("change notes.md.").as_deref(), Some("notes.md"));
        assert_eq!(file("x.rs <file path=\"a b/c.lua\">").as_deref(), Some("a b/c.lua"));
        assert_eq!(file("<context uri=\"file:///home/u/a%20b.ts\"/>").as_deref(), Some("/home/u/a b.ts"));
        assert_eq!(file("open file:///C:/x/y.go now").as_deref(), Some("C:/x/y.go"));
        assert_eq!(file("e.g. see example.com or .rs"), None);
    }

    #[test]
    fn what_the_user_typed_wins_over_what_is_attached() {
        let part = |text: &str| Part::Text(kit_protocol::TextPart { text: text.into() });
        let file = |typed: &str| {
            let parts = vec![part(typed), part("<document path=\"main.rs\">\n1: see lib.rs\n</document>")];
            facts(vec![Message { role: Role::User, parts }]).file
        };
        assert_eq!(file("change notes.md").as_deref(), Some("notes.md"));
        assert_eq!(file("change it").as_deref(), Some("main.rs"));
    }

    #[test]
    fn finds_a_file_in_a_listing_when_no_prompt_names_one() {
        let listing = tool_result("ls", ".git/\nlogo.png\nsrc/\nREADME.md\nmain.rs");
        let facts = facts(vec![Message::text(Role::User, "hello"), listing]);
        assert_eq!(facts.file.as_deref(), Some("README.md"));
    }

    #[test]
    fn picks_two_lines_that_occur_once() {
        let read =
            tool_result("read", "1: fn a() {\n2:     work();\n3:     work();\n4: }\n5: fn b() {\n6: }\n");
        let facts = facts(vec![Message::text(Role::User, "a.rs"), read]);
        assert_eq!((facts.first.as_deref(), facts.last.as_deref()), (Some("fn a() {"), Some("fn b() {")));
        assert_eq!(anchor_lines("only\nshort"), (Some("only".into()), None));
        assert_eq!(anchor_lines("same\nsame"), (None, None));
        assert_eq!(anchor_lines(""), (None, None));
    }

    #[test]
    fn fills_templates_and_keeps_unknown_ones() {
        let facts = facts(vec![Message::text(Role::User, "fix a.rs"), tool_result("grep", "hit")]);
        assert_eq!(
            facts.fill("{{prompt}}|{{file}}|{{comment hi}}|{{result}}|{{result:read}}|{{other}}|{{open"),
            "fix a.rs|a.rs|// hi|hit||{{other}}|{{open"
        );
    }

    #[test]
    fn needs_are_facts_and_tools() {
        let facts = facts(vec![Message::text(Role::User, "fix a.rs"), tool_result("grep", "hit")]);
        let names = ["file", "first", "result:grep", "result:read", "tool:edit", "tool:write", "unknown"];
        let held: Vec<_> = names.into_iter().filter(|name| facts.holds(name)).collect();
        assert_eq!(held, ["file", "result:grep", "tool:edit"]);
    }
}
