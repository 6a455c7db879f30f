//! Brings a conversation into the order that every provider demands, whatever file or program it came from.
//!
//! The result alternates between user and assistant and begins with the user. Each assistant turn with calls is followed
//! by exactly one result for each call, in the order of the calls and before anything else that the user says; a call
//! without a result gets an error, a result without a call is dropped. Ids fit every provider's pattern. Empty texts,
//! NULs and parts that no provider takes are left out. Images, documents and sounds stand where the wire can carry them:
//! in the result that they belong to, else behind the results of their turn with a word about whose they are; in the
//! place of what the model does not take stands a note that says so.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use kit_protocol::{
    ImagePart, MediaKind, Message, Part, ReasoningPart, Role, ToolCallId, ToolCallPart, ToolResultPart,
};

/// The longest id that all providers accept.
const LONGEST_ID: usize = 64;
const MISSING_RESULT: &str = "This call was interrupted and has no result.";
const TRUNCATED_CALL: &str = "This call was not run because its arguments were cut off.";

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Turn<'a> {
    User { results: Vec<ToolResult<'a>>, content: Vec<UserContent<'a>> },
    Assistant(Vec<AssistantContent<'a>>),
}

/// The result of a call of the turn before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolResult<'a> {
    pub(crate) id: String,
    pub(crate) name: &'a str,
    pub(crate) content: Cow<'a, str>,
    pub(crate) is_error: bool,
    /// What is carried inside the result.
    pub(crate) media: Vec<&'a ImagePart>,
}

/// How a wire carries a medium to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carriage {
    /// Where it stands: in the user's content, or in the result that it belongs to.
    InPlace,
    /// In the user's content behind the results.
    BehindResults,
    /// Not at all: the model does not take it.
    Named,
}

impl ToolResult<'_> {
    /// The text for wires without a field for a failed call: the text has to say it.
    pub(crate) fn for_text_field(&self) -> Cow<'_, str> {
        match (self.is_error, self.content.trim()) {
            (_, "") => Cow::Borrowed("(no output)"),
            (true, text) if !text.to_lowercase().starts_with("error") => Cow::Owned(format!("Error: {text}")),
            (true | false, _) => Cow::Borrowed(&self.content),
        }
    }
}

/// What the user says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum UserContent<'a> {
    Text(Cow<'a, str>),
    Image(&'a ImagePart),
}

/// What the model says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AssistantContent<'a> {
    Text(Cow<'a, str>),
    Reasoning(&'a ReasoningPart),
    Call {
        id: String,
        name: &'a str,
        /// A JSON object; empty for a call that never got complete arguments.
        input: serde_json::Value,
    },
}

/// The conversation as turns. `carry` says what becomes of a medium, with the result that it belongs to.
pub(crate) fn turns<'a>(
    messages: &'a [Message],
    carry: impl Fn(&ImagePart, Option<&ToolResultPart>) -> Carriage,
) -> Vec<Turn<'a>> {
    let mut results = Results::new();
    for result in messages.iter().flat_map(Message::tool_results) {
        results.entry(&result.0.tool_call_id).or_default().push_back(result);
    }
    let answered =
        |open: &mut Vec<&'a ToolCallPart>, results: &mut Results<'a>| answer(open, results, &carry);
    let user_content = |part: &'a Part| user_content(part, &carry);
    let mut turns: Vec<Turn<'_>> = Vec::new();
    let mut open: Vec<&ToolCallPart> = Vec::new();
    for message in messages {
        match message.role {
            Role::Assistant => {
                let content: Vec<_> = message.parts.iter().filter_map(assistant_content).collect();
                if content.is_empty() {
                    continue;
                }
                if !open.is_empty() {
                    turns.push(answered(&mut open, &mut results));
                }
                open.extend(message.tool_calls());
                match turns.last_mut() {
                    Some(Turn::Assistant(current)) => current.extend(content),
                    Some(Turn::User { .. }) => turns.push(Turn::Assistant(content)),
                    None => {
                        let start = UserContent::Text(Cow::Borrowed("(The conversation continues.)"));
                        turns.push(Turn::User { results: Vec::new(), content: vec![start] });
                        turns.push(Turn::Assistant(content));
                    }
                }
            }
            Role::User | Role::System | Role::Tool => {
                let content: Vec<_> = message.own_parts().filter_map(user_content).collect();
                if content.is_empty() {
                    continue;
                }
                if !matches!(turns.last(), Some(Turn::User { .. })) {
                    turns.push(answered(&mut open, &mut results));
                }
                if let Some(Turn::User { content: current, .. }) = turns.last_mut() {
                    current.extend(content);
                }
            }
        }
    }
    if !open.is_empty() {
        turns.push(answered(&mut open, &mut results));
    }
    turns
}

/// Results with what belongs to them, by call. Where an id was used twice, each call takes its own.
type Results<'a> = HashMap<&'a ToolCallId, VecDeque<(&'a ToolResultPart, Vec<&'a ImagePart>)>>;

/// The turn with the results of the open calls, which are open no more.
fn answer<'a>(
    open: &mut Vec<&'a ToolCallPart>,
    results: &mut Results<'a>,
    carry: &impl Fn(&ImagePart, Option<&ToolResultPart>) -> Carriage,
) -> Turn<'a> {
    let of_several = open.len() > 1;
    let mut content = Vec::new();
    let answered = open.drain(..).enumerate().map(|(place, call)| {
        let (id, name) = (safe_id(&call.id), call.name.as_str());
        let Some((result, media)) = results.get_mut(&call.id).and_then(VecDeque::pop_front) else {
            let content = Cow::Borrowed(if call.finished { MISSING_RESULT } else { TRUNCATED_CALL });
            return ToolResult { id, name, content, is_error: true, media: Vec::new() };
        };
        let mut answer = ToolResult {
            id,
            name,
            content: clean(&result.content),
            is_error: result.is_error,
            media: Vec::new(),
        };
        let mut behind = Vec::new();
        for medium in media {
            match carry(medium, Some(result)) {
                Carriage::InPlace => answer.media.push(medium),
                Carriage::BehindResults => behind.push(UserContent::Image(medium)),
                Carriage::Named => {
                    let text = answer.content.to_mut();
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&note(medium));
                }
            }
        }
        if !behind.is_empty() {
            let number = if of_several { format!(" {}", place + 1) } else { String::new() };
            content
                .push(UserContent::Text(format!("(Attached by result{number} of the tool {name}:)").into()));
            content.append(&mut behind);
        }
        answer
    });
    Turn::User { results: answered.collect(), content }
}

/// What a model gets instead of a medium that it does not take.
fn note(medium: &ImagePart) -> String {
    let (what, does_not) = match medium.kind() {
        MediaKind::Image => ("An image", "this model does not read images"),
        MediaKind::Document => ("A PDF", "this model does not read PDFs"),
        MediaKind::Sound => ("A sound", "this model does not take sounds"),
        MediaKind::Other => ("A file", "no model reads files of its type"),
    };
    format!("({what} was attached here, but {does_not}.)")
}

fn user_content<'a>(
    part: &'a Part,
    carry: &impl Fn(&ImagePart, Option<&ToolResultPart>) -> Carriage,
) -> Option<UserContent<'a>> {
    match part {
        Part::Text(text) => {
            Some(clean(&text.text)).filter(|text| !text.trim().is_empty()).map(UserContent::Text)
        }
        Part::Image(medium) => Some(match carry(medium, None) {
            Carriage::InPlace | Carriage::BehindResults => UserContent::Image(medium),
            Carriage::Named => UserContent::Text(note(medium).into()),
        }),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::Finish(_) | Part::Unknown(_) => {
            None
        }
    }
}

fn assistant_content(part: &Part) -> Option<AssistantContent<'_>> {
    match part {
        Part::Text(text) => {
            Some(clean(&text.text)).filter(|text| !text.trim().is_empty()).map(AssistantContent::Text)
        }
        Part::Reasoning(reasoning) => Some(AssistantContent::Reasoning(reasoning)),
        Part::ToolCall(call) => {
            let input = serde_json::from_str(&call.input).ok().filter(serde_json::Value::is_object);
            Some(AssistantContent::Call {
                id: safe_id(&call.id),
                name: &call.name,
                input: input.unwrap_or_else(|| serde_json::json!({})),
            })
        }
        Part::ToolResult(_) | Part::Image(_) | Part::Finish(_) | Part::Unknown(_) => None,
    }
}

/// The text without NULs, which some providers refuse.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// The id if every provider accepts it, else a readable start and a hash that keeps different ids different.
fn safe_id(id: &ToolCallId) -> String {
    let id = id.as_str();
    let safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(safe) {
        return id.to_owned();
    }
    let start: String =
        id.chars().take(40).map(|character| if safe(character) { character } else { '_' }).collect();
    format!("{start}_{:016x}", hash(id))
}

/// FNV-1a: stable between versions of the program, so that a cached prefix stays the same.
pub(crate) fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::fixtures::{assistant, call, image, results, text, truncated, user};
    use super::*;

    fn result<'a>(id: &str, content: &'a str, is_error: bool) -> ToolResult<'a> {
        ToolResult { id: id.into(), name: "read", content: content.into(), is_error, media: vec![] }
    }

    fn turns(messages: &[Message]) -> Vec<Turn<'_>> {
        super::turns(messages, |_, _| Carriage::InPlace)
    }

    fn said(text: &str) -> UserContent<'_> {
        UserContent::Text(text.into())
    }

    fn called<'a>(id: &str) -> AssistantContent<'a> {
        AssistantContent::Call { id: id.into(), name: "read", input: json!({}) }
    }

    #[test]
    fn results_come_first_and_in_the_order_of_the_calls() {
        let messages = [
            user("go"),
            assistant(vec![text("ok"), call("a", "read", "{}"), call("b", "read", "{}")]),
            user("wait"),
            results(&[("b", "two", false)]),
            results(&[("a", "one", true), ("stray", "x", false)]),
            user("more"),
        ];
        let expected = [
            Turn::User { results: vec![], content: vec![said("go")] },
            Turn::Assistant(vec![AssistantContent::Text("ok".into()), called("a"), called("b")]),
            Turn::User {
                results: vec![result("a", "one", true), result("b", "two", false)],
                content: vec![said("wait"), said("more")],
            },
        ];
        assert_eq!(turns(&messages), expected);
    }

    #[test]
    fn calls_without_result_get_an_error() {
        let messages =
            [user("go"), assistant(vec![call("a", "read", "{}"), truncated("b", "read", "{\"pa")])];
        let expected = Turn::User {
            results: vec![result("a", MISSING_RESULT, true), result("b", TRUNCATED_CALL, true)],
            content: vec![],
        };
        assert_eq!(turns(&messages).last(), Some(&expected));
    }

    #[test]
    fn empty_turns_vanish_and_their_neighbors_merge() {
        let messages =
            [assistant(vec![text("hi")]), user("a"), assistant(vec![text(" ")]), user(""), user("b\0")];
        let expected = [
            Turn::User { results: vec![], content: vec![said("(The conversation continues.)")] },
            Turn::Assistant(vec![AssistantContent::Text("hi".into())]),
            Turn::User { results: vec![], content: vec![said("a"), said("b")] },
        ];
        assert_eq!(turns(&messages), expected);
    }

    #[test]
    fn images_stay_with_the_user() {
        let Part::Image(part) = image() else { unreachable!() };
        let messages = [Message { role: Role::User, parts: vec![image()] }];
        assert_eq!(
            turns(&messages),
            [Turn::User { results: vec![], content: vec![UserContent::Image(&part)] }]
        );
    }

    #[test]
    fn media_of_results_go_where_the_wire_carries_them() {
        let Part::Image(part) = image() else { unreachable!() };
        let mut answered = results(&[("a", "one", false)]);
        answered.parts.push(image());
        let messages = [
            user("go"),
            assistant(vec![call("a", "read", "{}"), call("b", "read", "{}")]),
            answered,
            results(&[("b", "", false)]),
            user("and?"),
        ];
        let last = |carriage| super::turns(&messages, move |_, _| carriage).pop();
        let turn =
            |first, content| Some(Turn::User { results: vec![first, result("b", "", false)], content });
        let inside = ToolResult { media: vec![&part], ..result("a", "one", false) };
        assert_eq!(last(Carriage::InPlace), turn(inside, vec![said("and?")]));
        let behind =
            vec![said("(Attached by result 1 of the tool read:)"), UserContent::Image(&part), said("and?")];
        assert_eq!(last(Carriage::BehindResults), turn(result("a", "one", false), behind));
        let named =
            result("a", "one\n(An image was attached here, but this model does not read images.)", false);
        assert_eq!(last(Carriage::Named), turn(named, vec![said("and?")]));
    }

    #[test]
    fn ids_fit_the_pattern_and_stay_different() {
        let ids = ["toolu_01-A", "a.b", "a_b", "a:b", "", &"x".repeat(65), &format!("{}y", "x".repeat(64))];
        let safe: Vec<String> = ids.iter().map(|id| safe_id(&ToolCallId::new(*id))).collect();
        let fits = |id: &String| {
            (1..=64).contains(&id.len())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        assert!(safe.iter().all(fits), "{safe:?}");
        let different: std::collections::HashSet<_> = safe.iter().collect();
        assert_eq!((different.len(), &safe[0]), (ids.len(), &"toolu_01-A".to_owned()));
    }

    /// Conversations as no sane program would write them.
    fn conversation() -> impl Strategy<Value = Vec<Message>> {
        let part = prop_oneof![
            "[a ]{0,2}".prop_map(|content| text(&content)),
            "[abc]".prop_map(|id| call(&id, "read", "{}")),
            "[abc]".prop_map(|id| truncated(&id, "read", "{")),
            "[abc]".prop_map(|id| results(&[(&id, "x", false)]).parts.remove(0)),
            Just(image()),
        ];
        let role = prop_oneof![Just(Role::User), Just(Role::Assistant), Just(Role::Tool), Just(Role::System)];
        let message =
            (role, prop::collection::vec(part, 0..4)).prop_map(|(role, parts)| Message { role, parts });
        prop::collection::vec(message, 0..8)
    }

    proptest! {
        #[test]
        fn every_history_becomes_one_that_providers_accept(messages in conversation()) {
            let turns = turns(&messages);
            let mut open: Vec<String> = Vec::new();
            for (index, turn) in turns.iter().enumerate() {
                match turn {
                    Turn::User { results, content } => {
                        prop_assert_eq!(index % 2, 0);
                        prop_assert!(!results.is_empty() || !content.is_empty());
                        let answered: Vec<String> = results.iter().map(|result| result.id.clone()).collect();
                        prop_assert_eq!(&answered, &open);
                        open.clear();
                    }
                    Turn::Assistant(content) => {
                        prop_assert_eq!(index % 2, 1);
                        prop_assert!(!content.is_empty());
                        for part in content {
                            if let AssistantContent::Call { id, .. } = part {
                                open.push(id.clone());
                            }
                        }
                    }
                }
            }
            prop_assert!(open.is_empty());
        }
    }
}
