//! The answer while it arrives: blocks in the order in which they began, several of them open at once.
//!
//! A tool call counts as complete when its arguments are a JSON object. An object ends itself, so a truncated one is
//! never mistaken for a complete one; only a call without any argument text needs the stop reason to decide.

use kit_protocol::{Part, ReasoningPart, StopReason, TextPart, ToolCallId, ToolCallPart};
use serde_json::{Map, Value};

use super::CallIds;
use crate::model::ModelEvent;

/// Where a block is in its draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockIndex(usize);

/// Collects blocks and emits their events.
#[derive(Debug)]
pub(crate) struct Draft {
    ids: CallIds,
    blocks: Vec<Block>,
    started: bool,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Reasoning,
    Call,
}

#[derive(Debug)]
enum Block {
    Text(String),
    Reasoning(ReasoningPart),
    Call(Call),
}

#[derive(Debug)]
struct Call {
    id: ToolCallId,
    name: String,
    input: String,
    ended: bool,
}

impl Draft {
    pub(crate) fn new(ids: CallIds) -> Self {
        Self { ids, blocks: Vec::new(), started: false }
    }

    /// Whether anything has been emitted.
    pub(crate) fn has_started(&self) -> bool {
        self.started
    }

    fn push(&mut self, block: Block) -> BlockIndex {
        self.blocks.push(block);
        BlockIndex(self.blocks.len() - 1)
    }

    /// Begins a text block.
    pub(crate) fn open_text(&mut self) -> BlockIndex {
        self.push(Block::Text(String::new()))
    }

    /// Begins a reasoning block.
    pub(crate) fn open_reasoning(&mut self) -> BlockIndex {
        self.push(Block::Reasoning(ReasoningPart::default()))
    }

    /// Begins a tool call.
    pub(crate) fn open_call(
        &mut self,
        id: Option<&str>,
        name: &str,
        events: &mut Vec<ModelEvent>,
    ) -> BlockIndex {
        let id = self.ids.claim(id);
        self.started = true;
        events.push(ModelEvent::ToolCallStart { id: id.clone(), name: name.to_owned() });
        self.push(Block::Call(Call { id, name: name.to_owned(), input: String::new(), ended: false }))
    }

    /// The last block if it is text, else a new one: for wires without block boundaries.
    pub(crate) fn current_text(&mut self) -> BlockIndex {
        match self.blocks.last() {
            Some(Block::Text(_)) => BlockIndex(self.blocks.len() - 1),
            Some(Block::Reasoning(_) | Block::Call(_)) | None => self.open_text(),
        }
    }

    /// The last block if it is reasoning, else a new one.
    pub(crate) fn current_reasoning(&mut self) -> BlockIndex {
        match self.blocks.last() {
            Some(Block::Reasoning(_)) => BlockIndex(self.blocks.len() - 1),
            Some(Block::Text(_) | Block::Call(_)) | None => self.open_reasoning(),
        }
    }

    /// The first block if it is reasoning, else a new one in front of all others. It moves the blocks that are there,
    /// so it is for the end of an answer.
    pub(crate) fn first_reasoning(&mut self) -> BlockIndex {
        if !matches!(self.blocks.first(), Some(Block::Reasoning(_))) {
            self.blocks.insert(0, Block::Reasoning(ReasoningPart::default()));
        }
        BlockIndex(0)
    }

    /// Appends to a block of any kind.
    pub(crate) fn append(&mut self, at: BlockIndex, delta: &str, events: &mut Vec<ModelEvent>) {
        let Some(block) = self.blocks.get_mut(at.0).filter(|_| !delta.is_empty()) else { return };
        self.started = true;
        match block {
            Block::Text(text) => {
                text.push_str(delta);
                events.push(ModelEvent::TextDelta(delta.to_owned()));
            }
            Block::Reasoning(reasoning) => {
                reasoning.thinking.push_str(delta);
                events.push(ModelEvent::ReasoningDelta(delta.to_owned()));
            }
            Block::Call(call) => {
                call.input.push_str(delta);
                events.push(ModelEvent::ToolCallDelta { id: call.id.clone(), delta: delta.to_owned() });
            }
        }
    }

    /// Whether a block is of that kind.
    pub(crate) fn is(&self, at: BlockIndex, kind: Kind) -> bool {
        let own = self.blocks.get(at.0).map(|block| match block {
            Block::Text(_) => Kind::Text,
            Block::Reasoning(_) => Kind::Reasoning,
            Block::Call(_) => Kind::Call,
        });
        own == Some(kind)
    }

    /// Appends what is still missing of a block's whole text. A text that does not continue what came is left out,
    /// because what was shown cannot be taken back.
    pub(crate) fn complete(&mut self, at: BlockIndex, whole: &str, events: &mut Vec<ModelEvent>) {
        let rest = self.blocks.get(at.0).and_then(|block| match block {
            Block::Text(text) => whole.strip_prefix(text.as_str()),
            Block::Reasoning(reasoning) => whole.strip_prefix(reasoning.thinking.as_str()),
            Block::Call(call) => whole.strip_prefix(call.input.as_str()),
        });
        self.append(at, rest.unwrap_or_default(), events);
    }

    /// Sets the signature of a reasoning block; a later one replaces an earlier one, an empty one is none.
    pub(crate) fn sign(&mut self, at: BlockIndex, signature: &str) {
        if let Some(Block::Reasoning(reasoning)) = self.blocks.get_mut(at.0).filter(|_| !signature.is_empty())
        {
            reasoning.signature = Some(signature.to_owned());
        }
    }

    /// Sets what a reasoning block must return unread.
    pub(crate) fn seal(&mut self, at: BlockIndex, encrypted: String) {
        if let Some(Block::Reasoning(reasoning)) = self.blocks.get_mut(at.0) {
            reasoning.encrypted = Some(encrypted);
        }
    }

    /// Whether a block is a call whose arguments are complete, or that has none yet.
    pub(crate) fn call_may_be_over(&self, at: BlockIndex) -> bool {
        match self.blocks.get(at.0) {
            Some(Block::Call(call)) => call.input.is_empty() || is_object(&call.input),
            Some(Block::Text(_) | Block::Reasoning(_)) | None => false,
        }
    }

    /// Ends a block: a call with complete arguments is announced as complete.
    pub(crate) fn close(&mut self, at: BlockIndex, events: &mut Vec<ModelEvent>) {
        if let Some(Block::Call(call)) = self.blocks.get_mut(at.0) {
            call.end_if(is_object(&call.input), events);
        }
    }

    /// Ends the answer. The stop reason becomes `ToolUse` when there is a call to run, whatever the provider said.
    pub(crate) fn finish(
        &mut self,
        stop: StopReason,
        events: &mut Vec<ModelEvent>,
    ) -> (Vec<Part>, StopReason) {
        let (may_run, may_be_empty) = match stop {
            StopReason::EndTurn | StopReason::ToolUse => (true, true),
            StopReason::MaxTokens => (true, false),
            StopReason::Refusal
            | StopReason::Cancelled
            | StopReason::Budget
            | StopReason::MaxSteps
            | StopReason::Error => (false, false),
        };
        let mut runnable = false;
        let mut parts = Vec::new();
        for block in std::mem::take(&mut self.blocks) {
            match block {
                Block::Text(text) if text.is_empty() => {}
                Block::Text(text) => parts.push(Part::Text(TextPart { text })),
                Block::Reasoning(reasoning) if reasoning == ReasoningPart::default() => {}
                Block::Reasoning(reasoning) => parts.push(Part::Reasoning(reasoning)),
                Block::Call(mut call) => {
                    let complete = is_object(&call.input) || (may_be_empty && call.input.trim().is_empty());
                    call.end_if(may_run && complete, events);
                    let finished = may_run && complete;
                    runnable |= finished;
                    parts.push(Part::ToolCall(ToolCallPart {
                        id: call.id,
                        name: call.name,
                        input: call.input,
                        finished,
                    }));
                }
            }
        }
        let stop = match stop {
            StopReason::EndTurn if runnable => StopReason::ToolUse,
            StopReason::ToolUse if !runnable => StopReason::EndTurn,
            StopReason::EndTurn
            | StopReason::ToolUse
            | StopReason::MaxTokens
            | StopReason::Refusal
            | StopReason::Cancelled
            | StopReason::Budget
            | StopReason::MaxSteps
            | StopReason::Error => stop,
        };
        (parts, stop)
    }
}

impl Call {
    fn end_if(&mut self, complete: bool, events: &mut Vec<ModelEvent>) {
        if complete && !self.ended {
            self.ended = true;
            events.push(ModelEvent::ToolCallEnd { id: self.id.clone() });
        }
    }
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls of an answer with these arguments, as `(finished, announced)`, and the stop reason that comes out.
    fn check(arguments: &[&str], stop: StopReason) -> (Vec<(bool, bool)>, StopReason) {
        let mut draft = Draft::new(CallIds::default());
        let mut events = Vec::new();
        for text in arguments {
            let block = draft.open_call(None, "edit", &mut events);
            draft.append(block, text, &mut events);
            draft.close(block, &mut events);
        }
        let (parts, stop) = draft.finish(stop, &mut events);
        let calls =
            parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
        let announced =
            |call: &ToolCallPart| events.contains(&ModelEvent::ToolCallEnd { id: call.id.clone() });
        (calls.map(|call| (call.finished, announced(call))).collect(), stop)
    }

    #[test]
    fn a_truncated_call_can_never_run() {
        assert_eq!(
            check(&[r#"{"a":1}"#, r#"{"b":"#], StopReason::MaxTokens),
            (vec![(true, true), (false, false)], StopReason::MaxTokens)
        );
        assert_eq!(check(&[""], StopReason::MaxTokens), (vec![(false, false)], StopReason::MaxTokens));
        assert_eq!(check(&["{"], StopReason::ToolUse), (vec![(false, false)], StopReason::EndTurn));
        assert_eq!(check(&["[1]"], StopReason::ToolUse), (vec![(false, false)], StopReason::EndTurn));
    }

    #[test]
    fn calls_run_because_they_are_there() {
        assert_eq!(check(&["{}"], StopReason::EndTurn), (vec![(true, true)], StopReason::ToolUse));
        assert_eq!(check(&[""], StopReason::EndTurn), (vec![(true, true)], StopReason::ToolUse));
        assert_eq!(check(&[], StopReason::ToolUse), (vec![], StopReason::EndTurn));
    }

    #[test]
    fn no_call_of_a_refusal_runs() {
        assert_eq!(check(&["{}"], StopReason::Refusal), (vec![(false, true)], StopReason::Refusal));
    }
}
