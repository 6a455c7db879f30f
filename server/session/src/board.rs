//! The status, computed whole in one place from what each session last said about itself.
//!
//! Sessions post their `Pulse`; review, waiting questions and today's spending are posted by their owners. After every
//! post the status is computed anew and sent if it differs from the one before. It is about the current session, or
//! about another one that runs while the current one does not; subagents have their own list in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::{
    AgentId, Mode, ModelId, ReviewSummary, RunState, SessionId, Status, StatusAgent, StatusBudget,
    StatusPlan, StatusReview, StatusUsage, TurnId, UsageTotals,
};

use tokio_util::sync::CancellationToken;

use crate::attention::Attention;
use crate::sink::Sink;
use crate::tokens::Size;

const WAITS: &str = "waiting for permission";
const UNCHECKED: &str = "certificates are not checked";
/// What the status says where there is neither key nor login.
pub(crate) const SIGNED_OUT: &str = "signed out";
const WAITS_FOR_PLACE: &str = "waiting for others to finish";

/// What a session says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    pub(crate) state: RunState,
    /// One short phrase.
    pub(crate) label: String,
    /// The running turn.
    pub(crate) turn: Option<TurnId>,
    /// Turns that wait, in order.
    pub(crate) queued: Vec<TurnId>,
    pub(crate) model: Option<ModelId>,
    pub(crate) context_window: u64,
    pub(crate) mode: Mode,
    /// How large the context is.
    pub(crate) context: Size,
    /// Whether the session writes a summary.
    pub(crate) summarizing: bool,
    /// The agent's plan in numbers.
    pub(crate) plan: Option<StatusPlan>,
    /// The budget that is used up most.
    pub(crate) budget: Option<StatusBudget>,
    pub(crate) turn_usage: UsageTotals,
    pub(crate) session_usage: UsageTotals,
}

/// What new sessions start with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) mode: Mode,
    pub(crate) model: Option<ModelId>,
    pub(crate) context_window: u64,
    /// The certificates of model servers are not checked, which the user must see all the time.
    pub(crate) is_unchecked: bool,
    /// The model has neither key nor login.
    pub(crate) is_signed_out: bool,
}

/// A subagent that works or waits for its place.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) session: SessionId,
    /// The session that it works for.
    pub(crate) parent: SessionId,
    pub(crate) name: String,
    /// The beginning of its task.
    pub(crate) task: String,
    /// Stops it, wherever it is.
    pub(crate) cancel: CancellationToken,
}

/// Keeps a subagent in the status until it is dropped.
pub(crate) struct Enlisted {
    board: Arc<Board>,
    session: SessionId,
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        self.board.change(|posted| posted.agents.retain(|agent| agent.session != self.session));
    }
}

#[derive(Default)]
struct Posted {
    current: Option<SessionId>,
    pulses: HashMap<SessionId, Pulse>,
    /// In the order in which they were started.
    agents: Vec<Agent>,
    defaults: Defaults,
    review: ReviewSummary,
    today: UsageTotals,
    sent: Option<Status>,
}

/// The board that all parts post to.
pub(crate) struct Board {
    sink: Arc<dyn Sink>,
    attention: Arc<Attention>,
    posted: Mutex<Posted>,
}

impl Board {
    pub(crate) fn new(sink: Arc<dyn Sink>, attention: Arc<Attention>) -> Arc<Self> {
        let board = Arc::new(Self { sink, attention: Arc::clone(&attention), posted: Mutex::default() });
        attention.attach(&board);
        board
    }

    /// A session says how it is.
    pub(crate) fn post(&self, session: &SessionId, pulse: Pulse) {
        self.change(|posted| {
            posted.pulses.insert(session.clone(), pulse);
        });
    }

    /// A subagent begins or waits for its place.
    pub(crate) fn enlist(self: &Arc<Self>, agent: Agent) -> Enlisted {
        let session = agent.session.clone();
        self.change(|posted| posted.agents.push(agent));
        Enlisted { board: Arc::clone(self), session }
    }

    /// The subagents that work or wait, in the order in which they were started.
    pub(crate) fn agents(&self) -> Vec<Agent> {
        self.lock().agents.clone()
    }

    /// A session is gone.
    pub(crate) fn remove(&self, session: &SessionId) {
        self.change(|posted| {
            posted.pulses.remove(session);
            if posted.current.as_ref() == Some(session) {
                posted.current = None;
            }
        });
    }

    /// The user turned to a session.
    pub(crate) fn set_current(&self, session: &SessionId) {
        self.change(|posted| posted.current = Some(session.clone()));
    }

    /// The session that the user is in.
    pub(crate) fn current(&self) -> Option<SessionId> {
        self.lock().current.clone()
    }

    /// What new sessions start with.
    pub(crate) fn set_defaults(&self, change: impl FnOnce(&mut Defaults)) {
        self.change(|posted| change(&mut posted.defaults));
    }

    pub(crate) fn defaults(&self) -> Defaults {
        self.lock().defaults.clone()
    }

    /// The review changed.
    pub(crate) fn set_review(&self, review: ReviewSummary) {
        self.change(|posted| posted.review = review);
    }

    /// Today's spending changed.
    pub(crate) fn set_today(&self, today: UsageTotals) {
        self.change(|posted| posted.today = today);
    }

    /// The running and waiting turns of all sessions.
    pub(crate) fn turns(&self) -> Vec<(SessionId, Pulse)> {
        let posted = self.lock();
        let mut turns: Vec<(SessionId, Pulse)> = posted
            .pulses
            .iter()
            .filter(|(_, pulse)| pulse.turn.is_some() || !pulse.queued.is_empty())
            .map(|(session, pulse)| (session.clone(), pulse.clone()))
            .collect();
        turns.sort_by(|one, other| one.0.cmp(&other.0));
        turns
    }

    /// The sessions that write a summary.
    pub(crate) fn summarizing(&self) -> Vec<SessionId> {
        let posted = self.lock();
        let mut sessions: Vec<SessionId> = posted
            .pulses
            .iter()
            .filter(|(_, pulse)| pulse.summarizing)
            .map(|(session, _)| session.clone())
            .collect();
        sessions.sort();
        sessions
    }

    /// The status now.
    pub(crate) fn status(&self) -> Status {
        self.compute(&self.lock())
    }

    /// Sends the status if it changed.
    pub(crate) fn refresh(&self) {
        self.change(|_| {});
    }

    /// Sends the status whether it changed or not.
    pub(crate) fn announce(&self) {
        self.change(|posted| posted.sent = None);
    }

    fn lock(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Posted)) {
        let mut posted = self.lock();
        change(&mut posted);
        let status = self.compute(&posted);
        if posted.sent.as_ref() != Some(&status) {
            posted.sent = Some(status.clone());
            // Under the lock, so that a later status cannot overtake; a sink returns at once.
            self.sink.status(status);
        }
    }

    fn compute(&self, posted: &Posted) -> Status {
        let runs =
            |session: &&SessionId| posted.pulses.get(*session).is_some_and(|pulse| pulse.turn.is_some());
        let current = posted.current.as_ref();
        let is_agent = |session: &SessionId| posted.agents.iter().any(|agent| agent.session == *session);
        let other = || posted.pulses.keys().filter(runs).filter(|session| !is_agent(session)).min();
        let session = current.filter(runs).or_else(other).or(current);
        let signed_out = posted.defaults.is_signed_out;
        let idle = Pulse {
            state: if signed_out { RunState::SignedOut } else { RunState::Idle },
            label: if signed_out { SIGNED_OUT.to_owned() } else { String::new() },
            mode: posted.defaults.mode,
            model: posted.defaults.model.clone(),
            context_window: posted.defaults.context_window,
            ..Pulse::default()
        };
        let pulse = session.and_then(|session| posted.pulses.get(session)).unwrap_or(&idle);
        let waits = session.is_some_and(|session| self.attention.waits_for(session));
        let pending = self.attention.pending();
        let (state, label) = if pulse.state == RunState::Running && waits {
            (RunState::Waiting, WAITS.to_owned())
        } else {
            (pulse.state, pulse.label.clone())
        };
        let label = match (posted.defaults.is_unchecked, label.as_str()) {
            (false, _) => label,
            (true, "") => UNCHECKED.to_owned(),
            (true, _) => format!("{label} · {UNCHECKED}"),
        };
        Status {
            state,
            label,
            session: session.cloned(),
            turn: pulse.turn.clone(),
            model: pulse.model.as_ref().or(posted.defaults.model.as_ref()).map(ToString::to_string),
            mode: pulse.mode,
            usage: StatusUsage {
                context_used: pulse.context.tokens,
                context_estimated: pulse.context.estimated,
                context_window: pulse.context_window,
                turn: pulse.turn_usage.clone(),
                session: pulse.session_usage.clone(),
                today: posted.today.clone(),
                budget: pulse.budget.clone(),
            },
            review: StatusReview { files: posted.review.files, hunks: posted.review.hunks },
            pending,
            plan: pulse.plan.clone(),
            agents: posted.agents.iter().map(|agent| self.agent(posted, agent)).collect(),
        }
    }

    fn agent(&self, posted: &Posted, agent: &Agent) -> StatusAgent {
        let id = AgentId::new(agent.session.as_str());
        let pulse = posted.pulses.get(&agent.session).filter(|pulse| pulse.turn.is_some());
        let (state, label) = match pulse {
            None => (RunState::Waiting, WAITS_FOR_PLACE.to_owned()),
            Some(_) if self.attention.waits_for_agent(&id) => (RunState::Waiting, WAITS.to_owned()),
            Some(pulse) => (pulse.state, pulse.label.clone()),
        };
        StatusAgent {
            id,
            name: agent.name.clone(),
            state,
            label,
            task: agent.task.clone(),
            session: agent.parent.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Sent(Mutex<Vec<Status>>);

    impl Sink for Sent {
        fn event(&self, _event: kit_protocol::Event) {}
        fn status(&self, status: Status) {
            self.0.lock().unwrap().push(status);
        }
        fn review(&self, _state: kit_protocol::ReviewState) {}
    }

    fn pulse(label: &str, turn: Option<&str>) -> Pulse {
        Pulse {
            state: if turn.is_some() { RunState::Running } else { RunState::Idle },
            label: label.into(),
            turn: turn.map(TurnId::from),
            ..Pulse::default()
        }
    }

    #[test]
    fn the_status_is_about_the_current_session_or_another_that_runs() {
        let sink = Arc::new(Sent::default());
        let board = Board::new(sink, Attention::new());
        let (a, b) = (SessionId::from("a"), SessionId::from("b"));
        board.set_current(&a);
        board.post(&a, pulse("", None));
        board.post(&b, pulse("thinking", Some("t")));
        let about = |status: &Status| (status.session.clone(), status.label.clone());
        assert_eq!(about(&board.status()), (Some(b.clone()), "thinking".into()));
        board.post(&a, pulse("edit", Some("u")));
        assert_eq!(about(&board.status()), (Some(a.clone()), "edit".into()));
        board.remove(&a);
        assert_eq!(about(&board.status()), (Some(b), "thinking".into()));
    }

    #[test]
    fn unchecked_certificates_are_said_all_the_time() {
        let board = Board::new(Arc::new(Sent::default()), Attention::new());
        board.set_defaults(|defaults| defaults.is_unchecked = true);
        assert_eq!(board.status().label, UNCHECKED);
        let session = SessionId::from("a");
        board.set_current(&session);
        board.post(&session, pulse("thinking", Some("t")));
        assert_eq!(board.status().label, "thinking · certificates are not checked");
    }

    #[test]
    fn subagents_are_listed_as_long_as_they_work_and_the_status_is_not_about_them() {
        let board = Board::new(Arc::new(Sent::default()), Attention::new());
        let (parent, child) = (SessionId::from("p"), SessionId::from("c"));
        board.post(&parent, pulse("explore: look", Some("t")));
        let agent = |session: &SessionId| Agent {
            session: session.clone(),
            parent: parent.clone(),
            name: "explore".into(),
            task: "look".into(),
            cancel: CancellationToken::new(),
        };
        let first = board.enlist(agent(&child));
        let second = board.enlist(agent(&"d".into()));
        board.post(&child, pulse("thinking", Some("u")));
        let listed = || {
            let agents = board.status().agents.into_iter();
            agents.map(|agent| (agent.id.to_string(), agent.state, agent.label)).collect::<Vec<_>>()
        };
        let waits = ("d".to_owned(), RunState::Waiting, WAITS_FOR_PLACE.to_owned());
        assert_eq!(listed(), [("c".into(), RunState::Running, "thinking".into()), waits.clone()]);
        assert_eq!(board.status().session, Some(parent.clone()));
        assert_eq!(board.agents().iter().filter(|agent| agent.parent == parent).count(), 2);
        drop(first);
        assert_eq!(listed(), [waits]);
        drop(second);
        assert_eq!(listed(), []);
    }

    #[test]
    fn the_same_status_is_sent_once() {
        let sink = Arc::new(Sent::default());
        let board = Board::new(sink.clone(), Attention::new());
        board.set_defaults(|defaults| defaults.mode = Mode::Plan);
        board.refresh();
        board.set_defaults(|defaults| defaults.mode = Mode::Plan);
        assert_eq!(sink.0.lock().unwrap().iter().map(|status| status.mode).collect::<Vec<_>>(), [Mode::Plan]);
        board.announce();
        assert_eq!(sink.0.lock().unwrap().len(), 2);
    }
}
