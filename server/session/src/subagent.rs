//! Subagents: sessions that work on one task for another session.
//!
//! A subagent is a session like any other, with its own actor, file and transcript, whose header names the session that
//! it works for. [`Sessions::spawn`](crate::Sessions::spawn) starts one or lets an earlier one go on; the tool
//! `subagent` does the same for models. While it works, its events go into the stream of its parent, its edits and
//! questions belong to the parent's turn, its spending is part of the parent's, and it ends with the parent. It has the
//! tools that the parent has right now without `subagent`, and a named agent can only take some away.

pub(crate) mod nursery;
pub(crate) mod relay;
pub(crate) mod report;
pub(crate) mod tool;

use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{AgentRef, Event, KitError, SessionId, ToolCallId, TurnId};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::relay::Channel;
pub use self::report::{SubagentOutcome, SubagentReport};
use crate::budget::Purse;
use crate::journal::entry::SubagentNote;
use crate::op::Changes;

/// How long a subagent may work when nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a subagent may work at most.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(1800);
/// How many subagents of a session run at once when the settings do not say.
pub const DEFAULT_PARALLEL: u32 = 5;

/// Hears every event of a subagent, under the subagent's own session and numbers. Must return at once.
pub type SubagentListener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Who wants a subagent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Spawner {
    /// A program or an extension; no turn waits for it, and the session's model does not hear of it.
    #[default]
    Program,
    /// A turn that waits for it. What it spends belongs to the turn, and it ends with the turn.
    Turn {
        /// The turn.
        turn: TurnId,
        /// The tool call that waits.
        call: Option<ToolCallId>,
    },
    /// A turn that goes on without it.
    Background {
        /// The turn.
        turn: TurnId,
        /// The tool call that started it.
        call: Option<ToolCallId>,
    },
}

/// What a subagent is to do.
#[derive(Clone)]
pub struct SpawnRequest {
    /// The session that it works for.
    pub parent: SessionId,
    /// The task. It sees nothing else of the parent's conversation.
    pub task: String,
    /// The named agent that it runs as; `general` otherwise.
    pub agent: Option<String>,
    /// Its model, as `provider/name` or as a name of the parent's provider; the named agent's or the parent's otherwise.
    pub model: Option<String>,
    /// Instructions instead of the named agent's.
    pub system_prompt: Option<String>,
    /// Sampling temperature; the named agent's or the settings' otherwise.
    pub temperature: Option<f64>,
    /// How long it may work, at most [`LONGEST_TIMEOUT`]; the named agent's time or [`DEFAULT_TIMEOUT`] otherwise.
    pub timeout: Option<Duration>,
    /// Only these of the tools that it would have.
    pub tools: Option<Vec<String>>,
    /// An earlier subagent that goes on with this task.
    pub session: Option<SessionId>,
    /// Whether nothing of it stays once it is done.
    pub temporary: bool,
    /// Who wants it.
    pub spawner: Spawner,
    /// Hears its events.
    pub listener: Option<SubagentListener>,
}

impl SpawnRequest {
    /// A task for a new general subagent.
    pub fn new(parent: SessionId, task: impl Into<String>) -> Self {
        Self {
            parent,
            task: task.into(),
            agent: None,
            model: None,
            system_prompt: None,
            temperature: None,
            timeout: None,
            tools: None,
            session: None,
            temporary: false,
            spawner: Spawner::Program,
            listener: None,
        }
    }
}

/// A subagent at work, or done. Clones are the same subagent; dropping them does not stop it.
#[derive(Clone)]
pub struct Subagent {
    pub(crate) session: SessionId,
    pub(crate) agent: AgentRef,
    pub(crate) cancel: CancellationToken,
    pub(crate) report: watch::Receiver<Option<Arc<SubagentReport>>>,
}

impl Subagent {
    /// Its id: that of its session, with which it can be resumed.
    pub fn id(&self) -> &SessionId {
        &self.session
    }

    /// The agent as events and permission questions name it.
    pub fn agent(&self) -> &AgentRef {
        &self.agent
    }

    /// Stops it and everything that it started. Has no effect on one that is done.
    pub fn kill(&self) {
        self.cancel.cancel();
    }

    /// What came of it, if it is done.
    pub fn report(&self) -> Option<Arc<SubagentReport>> {
        self.report.borrow().clone()
    }

    /// Waits until it is done.
    pub async fn wait(&self) -> Arc<SubagentReport> {
        let mut report = self.report.clone();
        let done = report.wait_for(Option::is_some).await.ok().and_then(|report| report.clone());
        // Without a sender its task is gone, which only the end of the program brings about.
        done.unwrap_or_else(|| {
            Arc::new(SubagentReport::unstarted(self.session.clone(), SubagentOutcome::Killed))
        })
    }
}

/// A task on its way to the session that works on it.
pub(crate) struct Errand {
    /// The session that works on it.
    pub(crate) session: SessionId,
    /// The turn of the subagent's session.
    pub(crate) turn: TurnId,
    pub(crate) task: String,
    pub(crate) changes: Changes,
    /// What the session is from now on.
    pub(crate) role: SubagentNote,
    pub(crate) timeout: Duration,
    pub(crate) channel: Channel,
    pub(crate) origin: Origin,
    /// What its model calls are paid from.
    pub(crate) purse: Arc<Purse>,
    pub(crate) cancel: CancellationToken,
    pub(crate) done: oneshot::Sender<SubagentReport>,
}

impl Errand {
    /// Reports that the task cannot begin; answers whether anybody heard it.
    pub(crate) fn refuse(self, error: KitError) -> bool {
        let report = SubagentReport::unstarted(self.session, SubagentOutcome::Failed(error.message));
        self.done.send(report).is_ok()
    }
}

/// On whose behalf a subagent's tools are called: permissions, questions and hunks are the parent's.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) session: SessionId,
    pub(crate) turn: TurnId,
    pub(crate) agent: AgentRef,
}
