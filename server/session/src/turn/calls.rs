//! The tool calls of one answer: which may start, which still run, and what each result looks like.

use std::sync::Arc;

use kit_protocol::{
    EventBody, ImagePart, MediaFacts, Part, Role, ToolCallPart, ToolKind, ToolMetadata, ToolResultPart,
    TurnId,
};
use serde_json::Value;

use super::PARALLEL_CALLS;
use crate::journal::entry::{Body, Note, ToolNote};

/// What the model reads about a call that the user cancelled.
const CANCELLED: &str = "cancelled by the user";

/// The position of a call among the calls of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallNumber(pub(crate) usize);

/// A call as the model made it, with what the tool says about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedCall {
    pub(crate) number: CallNumber,
    pub(crate) part: ToolCallPart,
    pub(crate) kind: ToolKind,
    pub(crate) title: String,
    pub(crate) parsed: Option<Value>,
    /// Whether it may run beside others.
    pub(crate) parallel: bool,
    /// Why it is answered without being run: the tool is unknown, or the arguments were cut off.
    pub(crate) refusal: Option<String>,
}

/// What a tool call ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolOutcome {
    /// What the model reads.
    pub(crate) content: String,
    /// What it gets beside the text.
    pub(crate) media: Arc<[ImagePart]>,
    pub(crate) is_error: bool,
    pub(crate) metadata: Option<ToolMetadata>,
}

impl ToolOutcome {
    /// A failure without further facts.
    pub(crate) fn error(content: impl Into<String>) -> Self {
        Self { content: content.into(), media: Arc::default(), is_error: true, metadata: None }
    }
}

impl PlannedCall {
    pub(super) fn announcement(&self) -> EventBody {
        EventBody::ToolCall {
            tool_call_id: self.part.id.clone(),
            tool_name: self.part.name.clone(),
            tool_kind: self.kind,
            tool_args: self.part.input.clone(),
            parsed_args: self.parsed.clone(),
            title: self.title.clone(),
        }
    }

    pub(super) fn start_event(&self) -> EventBody {
        EventBody::ToolExecutionStart {
            tool_call_id: self.part.id.clone(),
            tool_name: self.part.name.clone(),
            tool_kind: self.kind,
        }
    }

    pub(super) fn end_event(&self) -> EventBody {
        EventBody::ToolExecutionEnd {
            tool_call_id: self.part.id.clone(),
            tool_name: self.part.name.clone(),
            tool_kind: self.kind,
        }
    }
}

/// A call that just got its outcome.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) call: PlannedCall,
    /// Whether it was permitted and ran, as its events tell.
    pub(super) executed: bool,
    pub(super) outcome: ToolOutcome,
}

impl Settled {
    pub(super) fn entries(&self, turn: &TurnId) -> Vec<Body> {
        let result = Part::ToolResult(ToolResultPart {
            tool_call_id: self.call.part.id.clone(),
            name: self.call.part.name.clone(),
            content: self.outcome.content.clone(),
            is_error: self.outcome.is_error,
        });
        let media = self.outcome.media.iter().cloned().map(Part::Image);
        let parts = std::iter::once(result).chain(media).collect();
        let note = Note::Tool(ToolNote {
            turn: turn.clone(),
            tool_call_id: self.call.part.id.clone(),
            tool_kind: self.call.kind,
            title: self.call.title.clone(),
            metadata: self.outcome.metadata.clone(),
        });
        vec![Body::message(Role::Tool, parts), Body::from(&note)]
    }

    pub(super) fn result_event(&self) -> EventBody {
        EventBody::ToolResult {
            tool_call_id: self.call.part.id.clone(),
            tool_name: self.call.part.name.clone(),
            tool_kind: self.call.kind,
            tool_args: self.call.part.input.clone(),
            parsed_args: self.call.parsed.clone(),
            result: self.outcome.content.clone(),
            is_error: self.outcome.is_error,
            metadata: told_metadata(self.outcome.metadata.clone(), &self.outcome.media),
            media: Arc::clone(&self.outcome.media),
        }
    }
}

/// What clients learn about a result: the facts of its tool, and what its media are.
pub(crate) fn told_metadata(metadata: Option<ToolMetadata>, media: &[ImagePart]) -> Option<ToolMetadata> {
    if media.is_empty() {
        return metadata;
    }
    let media = media.iter().map(MediaFacts::from).collect();
    Some(ToolMetadata { media, ..metadata.unwrap_or_default() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Pending,
    /// It was handed over; the user may still be asked.
    Started,
    /// It was permitted and runs.
    Executing,
    Done,
}

/// The calls of one answer and how far each is.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    calls: Vec<(PlannedCall, Progress)>,
}

impl Calls {
    pub(super) fn new(planned: Vec<PlannedCall>) -> Self {
        Self { calls: planned.into_iter().map(|call| (call, Progress::Pending)).collect() }
    }

    pub(super) fn planned(&self) -> impl Iterator<Item = &PlannedCall> {
        self.calls.iter().map(|(call, _)| call)
    }

    pub(super) fn all_done(&self) -> bool {
        self.calls.iter().all(|(_, progress)| *progress == Progress::Done)
    }

    /// Answers the calls that are not to be run.
    pub(super) fn refuse(&mut self) -> Vec<Settled> {
        self.settle_where(|call, progress| match (progress, &call.refusal) {
            (Progress::Pending, Some(refusal)) => Some(ToolOutcome::error(refusal.clone())),
            (Progress::Pending | Progress::Started | Progress::Executing | Progress::Done, _) => None,
        })
    }

    /// Answers the calls that did not start yet, because the turn ends.
    pub(super) fn withdraw(&mut self) -> Vec<Settled> {
        self.settle_where(|_, progress| {
            (progress == Progress::Pending).then(|| ToolOutcome::error(CANCELLED))
        })
    }

    /// Answers the calls that do not end by themselves.
    pub(super) fn abandon(&mut self) -> Vec<Settled> {
        self.settle_where(|_, progress| (progress != Progress::Done).then(|| ToolOutcome::error(CANCELLED)))
    }

    fn settle_where(
        &mut self,
        outcome: impl Fn(&PlannedCall, Progress) -> Option<ToolOutcome>,
    ) -> Vec<Settled> {
        let mut settled = Vec::new();
        for (call, progress) in &mut self.calls {
            if let Some(outcome) = outcome(call, *progress) {
                let executed = *progress == Progress::Executing;
                *progress = Progress::Done;
                settled.push(Settled { call: call.clone(), executed, outcome });
            }
        }
        settled
    }

    /// Marks the calls that may start now as started.
    pub(super) fn start(&mut self) -> Vec<PlannedCall> {
        let mut started = Vec::new();
        let (mut running, mut agents) = (0, 0);
        for (call, progress) in &mut self.calls {
            match progress {
                Progress::Done => {}
                Progress::Started | Progress::Executing if call.kind == ToolKind::Agent && call.parallel => {
                    agents += 1;
                }
                Progress::Started | Progress::Executing if call.parallel => running += 1,
                Progress::Started | Progress::Executing => break,
                Progress::Pending if call.kind == ToolKind::Agent && call.parallel => {
                    *progress = Progress::Started;
                    agents += 1;
                    started.push(call.clone());
                }
                Progress::Pending if call.parallel && running < PARALLEL_CALLS => {
                    *progress = Progress::Started;
                    running += 1;
                    started.push(call.clone());
                }
                Progress::Pending if running + agents == 0 => {
                    *progress = Progress::Started;
                    started.push(call.clone());
                    break;
                }
                Progress::Pending => break,
            }
        }
        started
    }

    /// Marks a started call as executing; anything else has no effect.
    pub(super) fn execute(&mut self, number: CallNumber) -> Option<&PlannedCall> {
        let (call, progress) = self.calls.get_mut(number.0)?;
        if *progress != Progress::Started {
            return None;
        }
        *progress = Progress::Executing;
        Some(call)
    }

    /// Takes the outcome of a started call; anything else has no effect.
    pub(super) fn done(&mut self, number: CallNumber, outcome: ToolOutcome) -> Option<Settled> {
        let (call, progress) = self.calls.get_mut(number.0)?;
        let executed = match progress {
            Progress::Started => false,
            Progress::Executing => true,
            Progress::Pending | Progress::Done => return None,
        };
        *progress = Progress::Done;
        Some(Settled { call: call.clone(), executed, outcome })
    }
}
