//! Looks at the tool calls of an answer before anything runs: which tool is meant, what it is about, and whether it
//! can run at all.

use std::collections::HashSet;
use std::sync::Arc;

use kit_protocol::{Message, Part, Role, ToolCallId, ToolCallPart, ToolKind};
use kit_tools::{AnyTool, Registry, ToolContext};
use serde_json::Value;

use crate::near;
use crate::turn::{CallNumber, PlannedCall};

const TRUNCATED: &str = "the arguments of this call were cut off or are not a JSON object, so it was not run; \
send it again, in smaller pieces if it is large";

/// A planned call with the tool that will run it.
pub(super) struct Plan {
    pub(super) call: PlannedCall,
    pub(super) tool: Option<Arc<dyn AnyTool>>,
}

/// Plans the calls of an answer. `names` are the tools that the session may use, `context` makes the context of a call.
pub(super) fn plan(
    message: &Message,
    registry: &Registry,
    names: &[String],
    context: impl Fn(&ToolCallId) -> ToolContext,
) -> Vec<Plan> {
    let calls = message.tool_calls().enumerate();
    calls
        .map(|(number, part)| {
            let found = registry.get(&part.name);
            let tool = found.filter(|tool| names.iter().any(|name| *name == tool.name()));
            plan_one(CallNumber(number), part, tool, names, &context(&part.id))
        })
        .collect()
}

fn plan_one(
    number: CallNumber,
    part: &ToolCallPart,
    tool: Option<Arc<dyn AnyTool>>,
    names: &[String],
    context: &ToolContext,
) -> Plan {
    let parsed: Option<Value> = if part.input.trim().is_empty() {
        Some(Value::Object(serde_json::Map::new()))
    } else {
        serde_json::from_str(&part.input).ok()
    };
    let refusal = match &tool {
        None => Some(unknown(&part.name, names)),
        Some(_) if !part.finished => Some(TRUNCATED.to_owned()),
        Some(_) => None,
    };
    let title = tool.as_ref().map(|tool| tool.title(parsed.as_ref().unwrap_or(&Value::Null), context));
    let call = PlannedCall {
        number,
        part: part.clone(),
        kind: tool.as_ref().map_or(ToolKind::Other, |tool| tool.kind()),
        title: title.unwrap_or_else(|| part.name.clone()),
        parsed,
        parallel: tool.as_ref().is_some_and(|tool| tool.parallel()),
        refusal,
    };
    Plan { call, tool }
}

/// What the model reads about a tool that does not exist.
fn unknown(name: &str, names: &[String]) -> String {
    let hint = near::hint(name, names.iter().map(String::as_str));
    format!("there is no tool `{name}`{hint}. The tools are: {}", names.join(", "))
}

/// Gives calls whose id was used before one of their own, so that each can have exactly one result.
pub(super) fn distinct_ids(message: &mut Message, earlier: &[Message]) {
    let of_assistant = earlier.iter().filter(|message| message.role == Role::Assistant);
    let mut used: HashSet<String> =
        of_assistant.flat_map(Message::tool_calls).map(|call| call.id.to_string()).collect();
    for part in &mut message.parts {
        if let Part::ToolCall(call) = part {
            let mut id = call.id.to_string();
            let mut number = 2;
            while id.is_empty() || used.contains(&id) {
                id = format!("{}_{number}", call.id);
                number += 1;
            }
            if id != call.id.as_str() {
                call.id = ToolCallId::new(id.clone());
            }
            used.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_tool_is_answered_with_the_nearest_one() {
        let names = ["bash", "edit", "read"].map(str::to_owned);
        assert_eq!(
            unknown("reed", &names),
            "there is no tool `reed`; you may mean `read`. The tools are: bash, edit, read"
        );
        assert_eq!(unknown("deploy", &names), "there is no tool `deploy`. The tools are: bash, edit, read");
    }

    #[test]
    fn ids_that_were_used_before_are_made_distinct() {
        let calls = |ids: &[&str]| Message {
            role: Role::Assistant,
            parts: ids
                .iter()
                .map(|id| {
                    Part::ToolCall(ToolCallPart {
                        id: (*id).into(),
                        name: "read".into(),
                        input: String::new(),
                        finished: true,
                    })
                })
                .collect(),
        };
        let mut message = calls(&["a", "b", "b", ""]);
        distinct_ids(&mut message, &[calls(&["a"])]);
        assert_eq!(message, calls(&["a_2", "b", "b_2", "_2"]));
    }
}
