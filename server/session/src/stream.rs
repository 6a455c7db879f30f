//! The event stream of one session: merging, numbering, remembering.
//!
//! Deltas of text, reasoning and tool output are merged before they get their `seq`, so that numbers have no gaps on
//! the wire: the first delta goes out at once, those that follow within `MERGE` wait and go out as one. Every other
//! event lets the waiting ones go first (I8). The newest events are remembered for clients that missed some.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{AgentRef, DeltaOf, Event, EventBody, SessionId, ToolDisplay, TurnId};
use tokio::time::Instant;

use crate::clock::Millis;
use crate::replay::Replayed;
use crate::sink::Sink;
use crate::subagent::relay::Channel;

/// How long deltas are collected.
const MERGE: Duration = Duration::from_millis(33);
/// How many events are remembered.
const REMEMBERED_EVENTS: usize = 10_000;
/// How much text of events is remembered, in bytes.
const REMEMBERED_BYTES: usize = 16 << 20;

/// The stream of one session.
pub(crate) struct Stream {
    session: SessionId,
    sink: Arc<dyn Sink>,
    next_seq: u64,
    remembered: VecDeque<Event>,
    bytes: usize,
    /// Deltas that wait to go out, with their turn.
    held: Vec<(Option<TurnId>, EventBody)>,
    last_delta: Option<Instant>,
    /// Where events go instead of the sink, while the session works for another one.
    channel: Option<Channel>,
}

impl Stream {
    /// A stream whose next event has the number.
    pub(crate) fn new(session: SessionId, sink: Arc<dyn Sink>, next_seq: u64) -> Self {
        Self {
            session,
            sink,
            next_seq,
            remembered: VecDeque::new(),
            bytes: 0,
            held: Vec::new(),
            last_delta: None,
            channel: None,
        }
    }

    /// Sends events into the stream of another session from here on, or to the sink again.
    pub(crate) fn lend(&mut self, channel: Option<Channel>) {
        self.flush();
        self.channel = channel;
    }

    /// Numbers and remembers what the session's file tells, without sending it.
    pub(crate) fn remember_told(&mut self, told: Vec<Replayed>) {
        for Replayed { turn, at, agent, body } in told {
            let event = Event { agent, ..self.stamp(turn, at, body) };
            self.remember(event);
        }
    }

    /// Keeps numbers free for what the session's file tells, to be told when somebody asks.
    pub(crate) fn skip(&mut self, numbers: u64) {
        self.next_seq = self.next_seq.saturating_add(numbers);
    }

    /// Forgets what was told, because another branch is the current one.
    pub(crate) fn forget(&mut self) {
        self.flush();
        self.remembered.clear();
        self.bytes = 0;
    }

    /// The number that the next event will have.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Sends an event, or holds a delta back for a moment.
    pub(crate) fn emit(&mut self, turn: Option<&TurnId>, body: EventBody) {
        if body.delta().is_none() {
            self.flush();
            self.send(None, turn.cloned(), body);
            return;
        }
        if let Some(body) = self.merge(turn, body) {
            self.held.push((turn.cloned(), body));
        }
        if self.last_delta.is_none_or(|last| last.elapsed() >= MERGE) {
            self.flush();
        }
    }

    /// Sends an event of a subagent, whose own stream has merged its deltas.
    pub(crate) fn relay(&mut self, agent: AgentRef, turn: Option<TurnId>, body: EventBody) {
        self.flush();
        self.send(Some(agent), turn, body);
    }

    /// When held deltas have to go out.
    pub(crate) fn due(&self) -> Option<Instant> {
        let last = self.last_delta.filter(|_| !self.held.is_empty())?;
        Some(last + MERGE)
    }

    /// Lets held deltas go.
    pub(crate) fn flush(&mut self) {
        if self.held.is_empty() {
            return;
        }
        self.last_delta = Some(Instant::now());
        for (turn, body) in std::mem::take(&mut self.held) {
            self.send(None, turn, body);
        }
    }

    /// The remembered events from `from` on, if all of them are remembered.
    pub(crate) fn since(&self, from: u64) -> Option<Vec<Event>> {
        let first = self.remembered.front().map_or(self.next_seq, |event| event.seq);
        let skip = usize::try_from(from.checked_sub(first)?).unwrap_or(usize::MAX);
        Some(self.remembered.iter().skip(skip).cloned().collect())
    }

    /// All events of the session: what is remembered, and before it what the file tells about turns that are no longer
    /// remembered from their start. The numbers of the told events are new; they end where the remembered ones begin.
    pub(crate) fn all(&self, told: Vec<Replayed>) -> Vec<Event> {
        let starts = |event: &Event| matches!(event.body, EventBody::TurnStart { .. });
        let whole = self.remembered.iter().position(starts).unwrap_or(0);
        let remembered: Vec<&Event> = self.remembered.iter().skip(whole).collect();
        let first_seq = remembered.first().map_or(self.next_seq, |event| event.seq);
        let is_remembered = |turn: &Option<TurnId>| remembered.iter().any(|event| event.turn == *turn);
        let told: Vec<Replayed> = told.into_iter().filter(|one| !is_remembered(&one.turn)).collect();
        let room = usize::try_from(first_seq.saturating_sub(1)).unwrap_or(usize::MAX);
        let cut = told.len().saturating_sub(room);
        let count = u64::try_from(told.len() - cut).unwrap_or(0);
        let mut events: Vec<Event> = Vec::with_capacity(told.len() + remembered.len());
        let told = told.into_iter().skip(cut);
        for (seq, Replayed { turn, at, agent, body }) in (first_seq - count..).zip(told) {
            events.push(Event { session: self.session.clone(), turn, seq, at: at.0, agent, body });
        }
        events.extend(remembered.into_iter().cloned());
        events
    }

    /// Whether events of the past are no longer remembered.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.remembered.front().is_none_or(|event| event.seq > 1) && self.next_seq > 1
    }

    /// Appends to a held delta of the same kind; answers the body when there is none.
    fn merge(&mut self, turn: Option<&TurnId>, body: EventBody) -> Option<EventBody> {
        let key = body.delta();
        // Output of tools may be told in any order among each other; text and reasoning may not.
        let same = |held: &(Option<TurnId>, EventBody)| held.0.as_ref() == turn && held.1.delta() == key;
        let target = match key {
            Some(DeltaOf::Output(..)) => self.held.iter_mut().rev().find(|held| same(held)),
            Some(DeltaOf::Text | DeltaOf::Reasoning) | None => self.held.last_mut().filter(|held| same(held)),
        };
        let Some((_, held)) = target else { return Some(body) };
        join(held, body)
    }

    fn send(&mut self, agent: Option<AgentRef>, turn: Option<TurnId>, body: EventBody) {
        let event = Event { agent, ..self.stamp(turn, Millis::now(), body) };
        self.remember(event.clone());
        match &self.channel {
            Some(channel) => channel.tell(&event),
            None => self.sink.event(event),
        }
    }

    fn stamp(&mut self, turn: Option<TurnId>, at: Millis, body: EventBody) -> Event {
        let seq = self.next_seq;
        self.next_seq += 1;
        Event { session: self.session.clone(), turn, seq, at: at.0, agent: None, body }
    }

    fn remember(&mut self, event: Event) {
        self.bytes += weight(&event);
        self.remembered.push_back(event);
        while self.remembered.len() > REMEMBERED_EVENTS
            || (self.bytes > REMEMBERED_BYTES && self.remembered.len() > 1)
        {
            let Some(forgotten) = self.remembered.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(weight(&forgotten));
        }
    }
}

/// Appends a delta to one of the same kind; answers the event when it is none.
pub(crate) fn join(into: &mut EventBody, body: EventBody) -> Option<EventBody> {
    if body.delta().is_none() || body.delta() != into.delta() {
        return Some(body);
    }
    let mut body = body;
    let Some(more) = body.delta_text() else { return Some(body) };
    let Some(text) = into.delta_text() else { return Some(body) };
    text.push_str(more);
    None
}

/// About how much memory an event takes.
fn weight(event: &Event) -> usize {
    let text = match &event.body {
        EventBody::TurnStart { prompt } | EventBody::SteerConsumed { prompt } => prompt.len(),
        EventBody::MessageUpdate { chunk } | EventBody::ToolOutput { chunk, .. } => chunk.len(),
        EventBody::ReasoningDelta { delta } => delta.len(),
        EventBody::MessageEnd { content }
        | EventBody::ToolCallContent { content }
        | EventBody::Response { content } => content.len(),
        EventBody::ToolCall { tool_args, .. } => tool_args.len() * 2,
        EventBody::ToolDisplay(ToolDisplay { header, body, .. }) => {
            header.as_ref().map_or(0, String::len) + body.as_ref().map_or(0, String::len)
        }
        EventBody::ToolResult { tool_args, result, metadata, media, .. } => {
            let blocks =
                metadata.iter().flat_map(|metadata| &metadata.file_diffs).flat_map(|diff| &diff.diff_blocks);
            let diffs: usize = blocks.map(|block| block.old_text.len() + block.new_text.len()).sum();
            let media: usize = media.iter().map(|medium| medium.data.len()).sum();
            tool_args.len() * 2 + result.len() + diffs + media
        }
        EventBody::Plan { entries } => entries.iter().map(|entry| entry.content.len() + 32).sum(),
        EventBody::Compaction { summary, .. } => summary.len(),
        EventBody::TurnEnd { response, .. } => response.len(),
        EventBody::MessageStart {}
        | EventBody::ToolExecutionStart { .. }
        | EventBody::ToolExecutionEnd { .. }
        | EventBody::StepUsage(_)
        | EventBody::Retry { .. }
        | EventBody::StreamReset {}
        | EventBody::Queue { .. }
        | EventBody::Notice { .. }
        | EventBody::Error { .. }
        | EventBody::ModelChange { .. }
        | EventBody::ThinkingChange { .. } => 0,
    };
    text + 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Collected(Mutex<Vec<Event>>);

    impl Sink for Collected {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
        fn status(&self, _status: kit_protocol::Status) {}
        fn review(&self, _state: kit_protocol::ReviewState) {}
    }

    impl Collected {
        fn chunks(&self) -> Vec<(u64, String)> {
            let events = self.0.lock().unwrap();
            let text = |event: &Event| {
                let value = serde_json::to_value(&event.body).unwrap();
                let text = ["chunk", "delta", "content"].iter().find_map(|name| value[name].as_str());
                text.unwrap_or("-").to_owned()
            };
            events.iter().map(|event| (event.seq, text(event))).collect()
        }
    }

    fn text(chunk: &str) -> EventBody {
        EventBody::MessageUpdate { chunk: chunk.into() }
    }

    fn output(call: &str, chunk: &str) -> EventBody {
        EventBody::ToolOutput {
            tool_call_id: call.into(),
            tool_name: "bash".into(),
            chunk: chunk.into(),
            is_stderr: false,
        }
    }

    fn stream() -> (Stream, Arc<Collected>) {
        let sink = Arc::new(Collected::default());
        (Stream::new("s".into(), sink.clone(), 1), sink)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_delta_goes_at_once_and_the_next_ones_together() {
        let (mut stream, sink) = stream();
        stream.emit(None, text("a"));
        assert_eq!((sink.chunks().len(), stream.due()), (1, None));
        stream.emit(None, text("b"));
        stream.emit(None, text("c"));
        assert_eq!(sink.chunks().len(), 1);
        tokio::time::sleep_until(stream.due().unwrap()).await;
        stream.flush();
        stream.emit(None, text("d"));
        stream.emit(None, EventBody::MessageEnd { content: "end".into() });
        let expected = [(1, "a"), (2, "bc"), (3, "d"), (4, "end")].map(|(seq, text)| (seq, text.to_owned()));
        assert_eq!(sink.chunks(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn only_like_joins_like() {
        let (mut stream, sink) = stream();
        for body in [
            text("0"),
            text("a"),
            EventBody::ReasoningDelta { delta: "r".into() },
            text("b"),
            output("x", "1"),
            output("y", "2"),
            output("x", "3"),
        ] {
            stream.emit(None, body);
        }
        stream.flush();
        let texts: Vec<String> = sink.chunks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0", "a", "r", "b", "13", "2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_missed_events_gets_them_again() {
        let (mut stream, _sink) = stream();
        for number in 0..4 {
            stream.emit(None, EventBody::Queue { length: number });
        }
        let seqs =
            |from| stream.since(from).map(|events| events.iter().map(|event| event.seq).collect::<Vec<_>>());
        assert_eq!((seqs(1), seqs(3), seqs(5)), (Some(vec![1, 2, 3, 4]), Some(vec![3, 4]), Some(vec![])));
        assert_eq!(seqs(0), None);
        assert!(!stream.has_forgotten());
    }

    #[tokio::test(start_paused = true)]
    async fn forgotten_turns_are_told_from_the_file_with_numbers_that_fit() {
        let (mut stream, _sink) = stream();
        let large = "x".repeat(REMEMBERED_BYTES / 2);
        for turn in ["t1", "t2"] {
            let turn = TurnId::from(turn);
            stream.emit(Some(&turn), EventBody::TurnStart { prompt: "p".into() });
            stream.emit(Some(&turn), EventBody::MessageEnd { content: large.clone() });
            stream.emit(Some(&turn), EventBody::Response { content: String::new() });
        }
        assert!(stream.has_forgotten());
        assert_eq!(stream.since(1), None);
        let told = ["t1", "t1", "t2"].map(|turn| Replayed {
            turn: Some(turn.into()),
            at: Millis(0),
            agent: None,
            body: EventBody::StreamReset {},
        });
        let all = stream.all(told.into());
        let seqs: Vec<(u64, &str)> =
            all.iter().map(|event| (event.seq, event.turn.as_ref().unwrap().as_str())).collect();
        assert_eq!(seqs, [(2, "t1"), (3, "t1"), (4, "t2"), (5, "t2"), (6, "t2")]);
    }
}
