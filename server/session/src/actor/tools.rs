//! The tool calls that run right now, and what they say while they run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::{EventBody, ToolCallId};
use kit_tools::{OutputSink, ToolOutput};
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};

use crate::turn::{CallNumber, ToolOutcome};

/// How much output of one call is shown while it runs. Its result has its own cap.
const LARGEST_LIVE_OUTPUT: usize = 256 * 1024;
const CUT: &str = "\n[more output is not shown while the call runs]\n";

/// A call that ended.
pub(super) struct ToolDone {
    pub(super) number: CallNumber,
    pub(super) outcome: ToolOutcome,
}

/// The running calls of a turn. Dropping it stops them.
#[derive(Default)]
pub(super) struct Tools {
    tasks: JoinSet<ToolOutput>,
    numbers: HashMap<Id, CallNumber>,
}

impl Tools {
    /// Runs a call.
    pub(super) fn start(
        &mut self,
        number: CallNumber,
        call: impl Future<Output = ToolOutput> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(call);
        self.numbers.insert(handle.id(), number);
    }

    /// The next call that ends; waits forever where none runs.
    pub(super) async fn next(&mut self) -> ToolDone {
        loop {
            let (id, outcome) = match self.tasks.join_next_with_id().await {
                None => std::future::pending().await,
                Some(Ok((id, output))) => {
                    let metadata = Some(output.metadata).filter(|metadata| *metadata != Default::default());
                    let ToolOutput { content, media, is_error, .. } = output;
                    (id, ToolOutcome { content, media: media.into(), is_error, metadata })
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "a tool call failed");
                    (
                        error.id(),
                        ToolOutcome::error("the call failed unexpectedly; this is a defect of kit-ls"),
                    )
                }
            };
            if let Some(number) = self.numbers.remove(&id) {
                return ToolDone { number, outcome };
            }
        }
    }

    /// Stops what still runs.
    pub(super) fn abort(&mut self) {
        *self = Self::default();
    }
}

/// What is new about running calls and the session has not told yet: that they run, and what they wrote.
#[derive(Default)]
pub(super) struct Outputs {
    pending: Mutex<Pending>,
    wake: Notify,
}

#[derive(Default)]
struct Pending {
    news: VecDeque<Pieces>,
    /// How much of each call was taken in.
    shown: HashMap<ToolCallId, usize>,
}

enum Pieces {
    Executes(CallNumber),
    Written(Chunk),
}

/// What is new about a call.
pub(super) enum News {
    /// It was permitted and runs now.
    Executes(CallNumber),
    /// It wrote something.
    Event(Box<EventBody>),
}

struct Chunk {
    call: ToolCallId,
    tool: String,
    text: String,
    is_stderr: bool,
}

impl Outputs {
    /// Where a call writes to.
    pub(super) fn sink(self: &Arc<Self>, call: &ToolCallId, tool: &str) -> OutputSink {
        let (outputs, call, tool) = (Arc::clone(self), call.clone(), tool.to_owned());
        Arc::new(move |text: String, is_stderr: bool| outputs.write(&call, &tool, text, is_stderr))
    }

    /// Says once that a call runs.
    pub(super) fn executes(self: &Arc<Self>, number: CallNumber) -> Box<dyn FnOnce() + Send> {
        let outputs = Arc::clone(self);
        Box::new(move || {
            outputs.lock().news.push_back(Pieces::Executes(number));
            outputs.wake.notify_one();
        })
    }

    fn write(&self, call: &ToolCallId, tool: &str, mut text: String, is_stderr: bool) {
        {
            let mut pending = self.lock();
            let shown = pending.shown.entry(call.clone()).or_default();
            if *shown >= LARGEST_LIVE_OUTPUT {
                return;
            }
            let room = LARGEST_LIVE_OUTPUT - *shown;
            *shown += text.len();
            if text.len() > room {
                text.truncate(text.floor_char_boundary(room));
                text.push_str(CUT);
            }
            match pending.news.back_mut() {
                Some(Pieces::Written(last)) if last.call == *call && last.is_stderr == is_stderr => {
                    last.text.push_str(&text);
                }
                Some(_) | None => {
                    let chunk = Chunk { call: call.clone(), tool: tool.to_owned(), text, is_stderr };
                    pending.news.push_back(Pieces::Written(chunk));
                }
            }
        }
        self.wake.notify_one();
    }

    /// Waits until there is news.
    pub(super) async fn ready(&self) {
        while self.lock().news.is_empty() {
            self.wake.notified().await;
        }
    }

    /// The news in order.
    pub(super) fn take(&self) -> Vec<News> {
        let news = std::mem::take(&mut self.lock().news);
        let told = |piece: Pieces| match piece {
            Pieces::Executes(number) => News::Executes(number),
            Pieces::Written(chunk) => News::Event(Box::new(EventBody::ToolOutput {
                tool_call_id: chunk.call,
                tool_name: chunk.tool,
                chunk: chunk.text,
                is_stderr: chunk.is_stderr,
            })),
        };
        news.into_iter().map(told).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_merged_per_call_and_capped() {
        let outputs = Arc::new(Outputs::default());
        let one = outputs.sink(&"a".into(), "bash");
        one("1".into(), false);
        one("2".into(), false);
        outputs.sink(&"b".into(), "bash")("x".into(), true);
        one("y".repeat(LARGEST_LIVE_OUTPUT), false);
        one("lost".into(), false);
        let texts: Vec<(String, usize)> = outputs
            .take()
            .into_iter()
            .map(|news| {
                let News::Event(event) = news else { panic!("nothing was said to run") };
                let event = serde_json::to_value(&event).unwrap();
                (event["toolCallId"].as_str().unwrap().to_owned(), event["chunk"].as_str().unwrap().len())
            })
            .collect();
        let cut = LARGEST_LIVE_OUTPUT - 2 + CUT.len();
        assert_eq!(texts, [("a".into(), 2), ("b".into(), 1), ("a".into(), cut)]);
    }
}
