//! Which call a delta belongs to. Servers disagree on every field, so the rules are these, in order:
//!
//! - An index that is new begins a call, an index that is known continues its call.
//! - A known index with another id begins a call when the call before may be over: some servers number all calls 0.
//! - Without index, another id begins a call, and so does a name after a call that is over.
//! - A name is set once and never appended: some servers repeat id and name on every delta.

use serde::Deserialize;
use serde_json::Value;

use crate::model::ModelEvent;
use crate::wire::draft::{BlockIndex, Draft};

/// One entry of `tool_calls`.
#[derive(Deserialize)]
pub(super) struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    /// Text, or the object itself.
    arguments: Option<Value>,
}

/// The calls of an answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    /// Where the call is in the draft, once its name is known.
    block: Option<BlockIndex>,
    /// Arguments that came before the name.
    early: String,
}

impl Calls {
    pub(super) fn push(&mut self, delta: CallDelta, draft: &mut Draft, events: &mut Vec<ModelEvent>) {
        let id = delta.id.filter(|id| !id.is_empty());
        let (name, arguments) = match delta.function {
            Some(function) => (function.name.filter(|name| !name.is_empty()), function.arguments),
            None => (None, None),
        };
        let arguments = match arguments {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(value) => value.to_string(),
        };
        let known = match delta.index {
            Some(index) => self.calls.iter().rposition(|call| call.index == Some(index)),
            None => self.calls.len().checked_sub(1),
        };
        let continues = known.and_then(|at| self.calls.get(at)).is_some_and(|call| {
            let over = call.block.is_none_or(|block| draft.call_may_be_over(block));
            let other_id = id.is_some() && call.id.is_some() && id != call.id;
            let begins = match delta.index {
                Some(_) => other_id && name.is_some() && over,
                None => other_id || (id.is_none() && name.is_some() && call.block.is_some() && over),
            };
            !begins
        });
        let at = match known.filter(|_| continues) {
            Some(at) => at,
            None => {
                if let Some(block) = self.calls.last().and_then(|call| call.block) {
                    draft.close(block, events);
                }
                self.calls.push(Call { index: delta.index, id: None, block: None, early: String::new() });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return };
        call.id = call.id.take().or(id);
        match (call.block, name) {
            (Some(block), _) => draft.append(block, &arguments, events),
            (None, Some(name)) => {
                let block = draft.open_call(call.id.as_deref(), &name, events);
                call.block = Some(block);
                let early = std::mem::take(&mut call.early);
                draft.append(block, &early, events);
                draft.append(block, &arguments, events);
            }
            (None, None) => call.early.push_str(&arguments),
        }
    }

    /// Ends all calls. A call that never got a name was none.
    pub(super) fn finish(&mut self, draft: &mut Draft, events: &mut Vec<ModelEvent>) {
        for block in self.calls.drain(..).filter_map(|call| call.block) {
            draft.close(block, events);
        }
    }
}
