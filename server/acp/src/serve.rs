//! Serves one client on a pair of streams until the input ends or the output fails.
//!
//! Messages are read and told apart in order. Answers of the client are delivered and cancellations carried out there and
//! then, so that neither waits behind anything. Requests go to lanes, one for each session and one for everything about
//! sessions as a whole: within a lane they are done one after the other in the order in which they came, and a lane never
//! waits for a turn, because a prompt is answered by the end of its turn. A handler that panics fails its request alone.
//!
//! Whichever ends it, running turns are cancelled and flushed within [`FLUSH`], and the caller ends the process.

use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use agent_client_protocol_schema::v1::{CancelRequestNotification, Error, ErrorCode, RequestId};
use futures::FutureExt as _;
use kit_protocol::{ErrorKind, KitError, SessionId, TurnId};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::agent::{Agent, Answer};
use crate::application::Application;
use crate::error::to_error;
use crate::frames::{Incoming, Splitter, read};
use crate::peer::{Outgoing, Peer};
use crate::prompts::Prompts;
use crate::pump;

/// How long running turns may take to end.
const FLUSH: Duration = Duration::from_millis(1500);
/// How long the client may take to read what is said last.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Requests that wait in a lane; of more, each is refused as busy.
const LANE: usize = 64;
const READ_SIZE: usize = 64 * 1024;

/// Serves one client.
pub async fn serve<I, O>(mut input: I, output: O, application: Arc<dyn Application>) -> io::Result<()>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let peer = Arc::new(Peer::default());
    let prompts = Arc::new(Prompts::default());
    let agent = Arc::new(Agent::new(application, Arc::clone(&peer), Arc::clone(&prompts)));
    let mut pump = tokio::spawn(pump::run(Arc::clone(&peer), Arc::clone(&prompts), output));
    let mut reader =
        Reader { agent: Arc::clone(&agent), peer, prompts, lanes: HashMap::new(), tasks: JoinSet::new() };
    let mut splitter = Splitter::default();
    let mut chunk = vec![0_u8; READ_SIZE];
    let ended = loop {
        let count = tokio::select! {
            count = input.read(&mut chunk) => count,
            stopped = &mut pump => break stopped.unwrap_or_else(|error| Err(io::Error::other(error))),
        };
        match count {
            Ok(0) => {
                if let Some(line) = splitter.rest() {
                    reader.take(read(&line));
                }
                break Ok(());
            }
            Ok(count) => splitter.push(chunk.get(..count).unwrap_or_default()),
            Err(error) => break Err(error),
        }
        while let Some(line) = splitter.next() {
            reader.take(read(&line));
        }
    };
    if tokio::time::timeout(FLUSH, agent.shutdown()).await.is_err() {
        tracing::error!("running turns did not end in time");
    }
    reader.tasks.abort_all();
    if !pump.is_finished() {
        reader.peer.send(Outgoing::End);
        if tokio::time::timeout(LAST_WORDS, &mut pump).await.is_err() {
            tracing::warn!("the client does not read what is said last");
        }
        pump.abort();
    }
    ended
}

/// Where the requests of one kind wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    /// About sessions as a whole.
    Main,
    /// Within one session.
    Session(SessionId),
}

struct Job {
    id: RequestId,
    method: String,
    params: Value,
    turn: Option<TurnId>,
}

struct Reader {
    agent: Arc<Agent>,
    peer: Arc<Peer>,
    prompts: Arc<Prompts>,
    lanes: HashMap<Lane, mpsc::Sender<Job>>,
    tasks: JoinSet<()>,
}

impl Reader {
    fn take(&mut self, incoming: Option<Incoming>) {
        match incoming {
            None => {}
            Some(Incoming::Answer { id, outcome }) => self.peer.answered(id, outcome),
            Some(Incoming::Malformed { id, error }) => {
                tracing::warn!(%error, "a message is not understood");
                self.peer.answer::<()>(&id, Err(error));
            }
            Some(Incoming::Notification { method, params }) => self.notification(&method, params),
            Some(Incoming::Request { id, method, params }) => self.request(id, method, params),
        }
    }

    fn notification(&self, method: &str, params: Value) {
        match method {
            "session/cancel" => {
                let Some(session) = session_of(&params) else {
                    return tracing::warn!("a cancellation names no session");
                };
                self.agent.cancel(Some(&session), self.prompts.cancel(&session));
            }
            "$/cancel_request" => match serde_json::from_value::<CancelRequestNotification>(params) {
                Ok(request) => self.agent.cancel(None, self.prompts.cancel_request(&request.request_id)),
                Err(error) => tracing::warn!(%error, "a cancellation is not understood"),
            },
            _ => tracing::debug!(method, "a notification that means nothing here"),
        }
    }

    fn request(&mut self, id: RequestId, method: String, params: Value) {
        let session = session_of(&params);
        let (lane, turn) = match (method.as_str(), session) {
            ("session/prompt", Some(session)) if self.agent.has(&session) => {
                let turn = self.prompts.enter(id.clone(), session.clone());
                (Lane::Session(session), Some(turn))
            }
            ("session/prompt", _) => (Lane::Main, Some(TurnId::random())),
            ("session/set_mode" | "session/set_config_option" | "session/close", Some(session))
                if self.agent.has(&session) =>
            {
                (Lane::Session(session), None)
            }
            (_, _) => (Lane::Main, None),
        };
        if !KNOWN.contains(&method.as_str()) {
            let error =
                Error::new(ErrorCode::MethodNotFound.into(), format!("there is no method `{method}`"));
            return self.peer.answer::<()>(&id, Err(error));
        }
        let job = Job { id: id.clone(), method, params, turn: turn.clone() };
        if let Err(error) = self.lane(lane).try_send(job) {
            tracing::warn!(%error, "a request is refused");
            if let Some(turn) = turn {
                self.prompts.finish(&turn);
            }
            let busy = KitError::new(ErrorKind::Busy, "too many requests wait; try again");
            self.peer.answer::<()>(&id, Err(to_error(busy)));
        }
    }

    fn lane(&mut self, lane: Lane) -> &mpsc::Sender<Job> {
        // Lanes of sessions that were closed end with their last request.
        self.lanes.retain(|lane, _| match lane {
            Lane::Main => true,
            Lane::Session(session) => self.agent.has(session),
        });
        while self.tasks.try_join_next().is_some() {}
        let (agent, peer, prompts) = (&self.agent, &self.peer, &self.prompts);
        self.lanes.entry(lane).or_insert_with(|| {
            let (jobs, waiting) = mpsc::channel(LANE);
            self.tasks.spawn(work(Arc::clone(agent), Arc::clone(peer), Arc::clone(prompts), waiting));
            jobs
        })
    }
}

/// Every method that is answered.
const KNOWN: [&str; 12] = [
    "initialize",
    "authenticate",
    "session/new",
    "session/load",
    "session/resume",
    "session/fork",
    "session/list",
    "session/close",
    "session/delete",
    "session/set_mode",
    "session/set_config_option",
    "session/prompt",
];

/// Does the requests of a lane one after the other.
async fn work(agent: Arc<Agent>, peer: Arc<Peer>, prompts: Arc<Prompts>, mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { id, method, params, turn }) = jobs.recv().await {
        let done = AssertUnwindSafe(agent.request(&method, params, turn.clone())).catch_unwind().await;
        let done = done.unwrap_or_else(|_panic| {
            tracing::error!(method, "a handler failed unexpectedly");
            Err(KitError::new(
                ErrorKind::Internal,
                format!("`{method}` failed unexpectedly; the log says more"),
            ))
        });
        let (outcome, behind) = match done {
            Ok(Answer::Later) => continue,
            Ok(Answer::Now(answer, behind)) => (Ok(answer), behind),
            Err(error) => {
                tracing::info!(method, %error, "refused");
                (Err(to_error(error)), Vec::new())
            }
        };
        if let Some(turn) = turn {
            prompts.finish(&turn);
        }
        peer.answer(&id, outcome);
        behind.into_iter().for_each(|outgoing| peer.send(outgoing));
    }
}

fn session_of(params: &Value) -> Option<SessionId> {
    params.get("sessionId").and_then(Value::as_str).map(SessionId::new)
}
