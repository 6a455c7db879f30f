//! Recording what a provider sends, and playing it again byte by byte with its timing: for bug reports and tests.
//!
//! A recording is a file of JSON lines. A call begins with a line that says which wire and model it is; the lines after it
//! are the pieces of the answer as they came, each with the milliseconds since the call, and its end. Neither headers
//! nor requests are recorded, so no key and no text of the user gets into the file, except what the model repeats.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use kit_protocol::{ErrorKind, ModelInfo};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Abilities;
use crate::endpoint;
use crate::error::{ModelError, Retry};
use crate::http::{Body, Opened};
use crate::model::{Model, ModelStream, Request};
use crate::pump::{Call, Pump};
use crate::wire::chat::Quirks;
use crate::wire::{Plain, Target, Wire};

/// The provider of models that play a recording.
pub(crate) const PROVIDER: &str = "recorded";

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Line {
    /// A call begins. One that was not answered has a failure and nothing else.
    Call { wire: String, provider: String, model: String, request_id: Option<String>, answered: bool },
    /// A piece that is text.
    Text { at: u64, text: String },
    /// A piece that is cut inside a character.
    Bytes { at: u64, bytes: Vec<u8> },
    /// The answer ended.
    End { at: u64 },
    /// The connection broke, or no answer began.
    Failure { at: u64, kind: ErrorKind, message: String, status: Option<u16>, retry_ms: Option<u64> },
}

impl Line {
    /// The error that the line stands for.
    fn failure(&self) -> Option<ModelError> {
        let Self::Failure { kind, message, status, retry_ms, .. } = self else { return None };
        let retry = match retry_ms {
            None => Retry::Never,
            Some(0) => Retry::Backoff,
            Some(delay) => Retry::After(Duration::from_millis(*delay)),
        };
        Some(ModelError { retry, status: *status, ..ModelError::new(*kind, message.as_str()) })
    }
}

/// Writes calls into a file.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    file: Arc<Mutex<File>>,
}

/// One call that is being written. Calls at the same time are written one after the other, each when it ends.
struct Recording {
    recorder: Recorder,
    started: Instant,
    lines: Vec<Line>,
}

impl Recorder {
    /// Appends to the file, which is made if it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
            let message = format!("the recording {} cannot be written: {error}", path.display());
            ModelError::new(ErrorKind::InvalidRequest, message)
        })?;
        Ok(Self { file: Arc::new(Mutex::new(file)) })
    }

    /// The answer as it is, written down while it passes.
    pub(crate) fn record(
        &self,
        wire: Wire,
        call: &Call,
        opened: Result<Opened, ModelError>,
    ) -> Result<Opened, ModelError> {
        let head = Line::Call {
            wire: wire.name().to_owned(),
            provider: call.info.provider.clone(),
            model: call.remote_name.clone(),
            request_id: opened.as_ref().ok().and_then(|opened| opened.request_id.clone()),
            answered: opened.is_ok(),
        };
        let mut recording = Recording { recorder: self.clone(), started: Instant::now(), lines: vec![head] };
        let Opened { request_id, body } = opened.inspect_err(|error| recording.fail(error))?;
        let body = futures::stream::unfold((body, Some(recording)), |(mut body, recording)| async move {
            let mut recording = recording?;
            match body.next().await {
                Some(Ok(bytes)) => {
                    recording.piece(&bytes);
                    Some((Ok(bytes), (body, Some(recording))))
                }
                Some(Err(error)) => {
                    recording.fail(&error);
                    Some((Err(error), (body, None)))
                }
                None => {
                    recording.end();
                    None
                }
            }
        });
        Ok(Opened { request_id, body: body.boxed() })
    }
}

impl Recording {
    fn at(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn piece(&mut self, bytes: &[u8]) {
        let at = self.at();
        self.lines.push(match std::str::from_utf8(bytes) {
            Ok(text) => Line::Text { at, text: text.to_owned() },
            Err(_) => Line::Bytes { at, bytes: bytes.to_vec() },
        });
    }

    fn end(&mut self) {
        self.lines.push(Line::End { at: self.at() });
    }

    fn fail(&mut self, error: &ModelError) {
        let retry_ms = match error.retry {
            Retry::After(delay) => Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            Retry::Backoff => Some(0),
            Retry::Never => None,
        };
        self.lines.push(Line::Failure {
            at: self.at(),
            kind: error.kind,
            message: error.message.clone(),
            status: error.status,
            retry_ms,
        });
    }
}

impl Drop for Recording {
    /// An answer that nobody read to its end is written as far as it was read.
    fn drop(&mut self) {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&serde_json::to_string(line).unwrap_or_default());
            text.push('\n');
        }
        let mut file = self.recorder.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::warn!(%error, "the recording cannot be written");
        }
    }
}

/// A model that plays a recording: each attempt is the next call of the file.
pub(crate) struct Recorded {
    info: ModelInfo,
    path: PathBuf,
    calls: Mutex<VecDeque<Vec<Line>>>,
    call: Call,
}

impl Recorded {
    /// Reads a recording. `call` describes a model of which nothing is known yet.
    pub(crate) fn read(path: &Path, call: Call) -> Result<Self, ModelError> {
        let wrong = |why: String| {
            let message = format!("the recording {} cannot be played: {why}", path.display());
            ModelError::new(ErrorKind::NotFound, message)
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let mut calls: VecDeque<Vec<Line>> = VecDeque::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let line: Line =
                serde_json::from_str(line).map_err(|error| wrong(format!("line {number}: {error}")))?;
            match (&line, calls.back_mut()) {
                (Line::Call { .. }, _) => calls.push_back(vec![line]),
                (_, Some(call)) => call.push(line),
                (_, None) => return Err(wrong(format!("line {number} comes before the first call"))),
            }
        }
        Ok(Self { info: call.info.clone(), path: path.to_owned(), calls: Mutex::new(calls), call })
    }

    /// The pump of the next call.
    fn play(&self, request: &Request) -> Result<Pump, ModelError> {
        let next = self.calls.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let mut lines = next.unwrap_or_default().into_iter();
        let Some(Line::Call { wire, provider, model, request_id, answered }) = lines.next() else {
            let message = format!("the recording {} has no further call", self.path.display());
            return Err(ModelError::new(ErrorKind::NotFound, message));
        };
        let mut lines = lines.peekable();
        if let Some(error) = lines.peek().and_then(Line::failure).filter(|_| !answered) {
            return Err(error);
        }
        let wire = endpoint::wire(&wire, Wire::ChatCompletions(Quirks::COMMON)).ok_or_else(|| {
            let message = format!("the recording {} names an unknown wire `{wire}`", self.path.display());
            ModelError::new(ErrorKind::InvalidRequest, message)
        })?;
        let entry = self.call.catalogue.find(&provider, &model);
        let mut call = Call { remote_name: model, ..self.call.clone() };
        call.info.provider = provider;
        call.prices = entry.and_then(|entry| entry.prices);
        let target = Target {
            name: &call.remote_name,
            abilities: Abilities::UNKNOWN,
            max_output: 0,
            context_window: 0,
            plain: Plain::default(),
        };
        let adapter = wire.adapter(request, target);
        let lines: Vec<Line> = lines.collect();
        Ok(Pump::new(call, Opened { request_id, body: body(lines) }, wire.framing(), adapter))
    }
}

/// The pieces of a call, each when its time has come.
fn body(lines: Vec<Line>) -> Body {
    let state = (lines.into_iter(), None::<Instant>);
    let pieces = futures::stream::unfold(state, |(mut lines, started)| async move {
        let line = lines.next()?;
        let started = started.unwrap_or_else(Instant::now);
        let (at, piece) = match line.clone() {
            Line::Text { at, text } => (at, Ok(Bytes::from(text))),
            Line::Bytes { at, bytes } => (at, Ok(Bytes::from(bytes))),
            Line::Failure { at, .. } => (at, Err(line.failure()?)),
            Line::End { .. } | Line::Call { .. } => return None,
        };
        let due = started + Duration::from_millis(at);
        // A timer takes a millisecond even where it is due already.
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        Some((piece, (lines, Some(started))))
    });
    pieces.boxed()
}

impl Model for Recorded {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn stream(&self, request: Request, cancel: CancellationToken) -> ModelStream {
        let pump = match self.play(&request) {
            Ok(pump) => pump,
            Err(error) => return futures::stream::once(std::future::ready(Err(error))).boxed(),
        };
        let events = futures::stream::unfold((Some(pump), cancel), |(pump, cancel)| async move {
            let mut pump = pump?;
            tokio::select! {
                biased;
                () = cancel.cancelled() => Some((Err(ModelError::cancelled()), (None, cancel))),
                event = pump.next() => Some((event?, (Some(pump), cancel))),
            }
        });
        events.boxed()
    }
}

#[cfg(test)]
mod tests;
