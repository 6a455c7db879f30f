//! Starting subagents and reaching those that are there.
//!
//! A subagent is registered with its parent before it begins, so that a cancel of the parent finds it wherever it is: in
//! line for a place, opening its file, or at work. Each has a task that takes it from there to its report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_protocol::{
    AgentId, AgentListAnswer, AgentListArguments, AgentRef, ErrorKind, KitError, Mode, ModelId, SessionId,
    SessionSummary, TurnId,
};
use kit_tools::Registry;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{Sessions, blocking};
use crate::actor::Start;
use crate::board::{Agent, Enlisted};
use crate::clock::Millis;
use crate::journal::entry::{Header, SubagentNote};
use crate::journal::{files, list};
use crate::op::{Changes, Heritage, Op};
use crate::project::agents::NamedAgent;
use crate::subagent::nursery::{Ending, Nursery};
use crate::subagent::relay::Channel;
use crate::subagent::tool::SubagentTool;
use crate::subagent::{
    DEFAULT_TIMEOUT, Errand, LONGEST_TIMEOUT, Origin, SpawnRequest, Spawner, Subagent, SubagentOutcome,
    SubagentReport,
};

/// How many subagents an error names.
const MOST_NAMED: usize = 5;

/// Everything that the task of a subagent needs.
struct Run {
    errand: Errand,
    reported: oneshot::Receiver<SubagentReport>,
    start: Start,
    nursery: Arc<Nursery>,
    report: watch::Sender<Option<Arc<SubagentReport>>>,
    enlisted: Enlisted,
    temporary: bool,
}

impl Sessions {
    /// Puts the tool that starts subagents among the others.
    pub(super) fn offer_subagents(self: &Arc<Self>) {
        self.shared.with.tools.add_core(Arc::new(SubagentTool::new(self)));
    }

    /// Starts a subagent, or lets an earlier one go on. Returns as soon as it is registered; when as many as may run at
    /// once are at work, it waits for its place.
    pub async fn spawn(self: &Arc<Self>, request: SpawnRequest) -> Result<Subagent, KitError> {
        if request.task.trim().is_empty() {
            return Err(KitError::new(ErrorKind::InvalidRequest, "the task of the subagent is empty"));
        }
        let heritage = self.ask(&request.parent, Op::Heritage).await?;
        if heritage.is_subagent {
            let text = "a subagent cannot have subagents of its own";
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        }
        let library = self.shared.library(&heritage.cwd).await;
        let named = library.agents.find(request.agent.as_deref())?;
        let model = self.model_of(&request, named, &heritage)?;
        let changes = Changes {
            mode: Some(heritage.mode),
            model,
            thinking: Some(heritage.thinking),
            ..Changes::default()
        };
        let (session, start) = self.session_of(&request, &heritage, &changes).await?;
        let role = self.role_of(&request, named, heritage.tools);

        let (spawner_turn, call, ending) = match request.spawner {
            Spawner::Program => (None, None, Ending::Kept),
            Spawner::Turn { turn, call } => (Some(turn), call, Ending::Awaited),
            Spawner::Background { turn, call } => (Some(turn), call, Ending::Told),
        };
        let agent = AgentRef {
            id: AgentId::new(session.as_str()),
            name: Some(named.name.clone()),
            path: vec![named.name.clone()],
            tool_call_id: call,
        };
        let turn = TurnId::random();
        let (report, reports) = watch::channel(None);
        let cancel = CancellationToken::new();
        let subagent = Subagent {
            session: session.clone(),
            agent: agent.clone(),
            cancel: cancel.clone(),
            report: reports,
        };
        let channel = Channel {
            relay: Arc::clone(&heritage.nursery.relay),
            agent: agent.clone(),
            turn: spawner_turn.clone().filter(|_| ending == Ending::Awaited),
            listener: request.listener,
        };
        let (done, reported) = oneshot::channel();
        let timeout = request.timeout.or(named.timeout).unwrap_or(DEFAULT_TIMEOUT).min(LONGEST_TIMEOUT);
        let origin = Origin {
            session: request.parent.clone(),
            turn: spawner_turn.unwrap_or_else(|| turn.clone()),
            agent,
        };
        let enlisted = self.shared.board.enlist(Agent {
            session: session.clone(),
            parent: request.parent,
            name: named.name.clone(),
            task: list::preview(&request.task),
            cancel: cancel.clone(),
        });
        let errand = Errand {
            session,
            turn,
            task: request.task,
            changes,
            role,
            timeout,
            channel,
            origin,
            purse: heritage.purse,
            cancel,
            done,
        };
        heritage.nursery.take_in(subagent.clone(), ending);
        let (nursery, temporary) = (heritage.nursery, request.temporary);
        let run = Run { errand, reported, start, nursery, report, enlisted, temporary };
        self.actors.spawn(Arc::clone(self).see_through(run));
        Ok(subagent)
    }

    /// A subagent of a session that works, waits for its place, or was started in the background and is done.
    pub async fn subagent(&self, parent: &SessionId, id: &SessionId) -> Result<Subagent, KitError> {
        let heritage = self.ask(parent, Op::Heritage).await?;
        match heritage.nursery.find(id) {
            Some(subagent) => Ok(subagent),
            None => Err(self.unknown_subagent(parent, id, &heritage).await),
        }
    }

    /// The subagents of a session that work, wait for their place, or were started in the background and are done.
    pub async fn subagents(&self, parent: &SessionId) -> Result<Vec<Subagent>, KitError> {
        Ok(self.ask(parent, Op::Heritage).await?.nursery.all())
    }

    /// Marks the report of a subagent as read, so that its session is not told of its end.
    pub(crate) async fn report_is_read(&self, parent: &SessionId, id: &SessionId) {
        if let Ok(heritage) = self.ask(parent, Op::Heritage).await {
            heritage.nursery.read(id);
        }
    }

    /// Lets the subagents of a session follow it into another mode.
    pub(super) fn lead_subagents(&self, parent: &SessionId, mode: Mode) {
        for child in self.shared.board.agents().into_iter().filter(|agent| agent.parent == *parent) {
            let (answer, _) = oneshot::channel();
            if let Err(error) = self.hand_over(&child.session, Op::SetMode(mode, answer)) {
                let child = child.session;
                tracing::debug!(%child, %error, "a subagent does not follow into another mode");
            }
        }
    }

    /// `kit.agent.list`: the named agents of the session's folder, or of the first root.
    pub async fn agent_list(&self, arguments: AgentListArguments) -> Result<AgentListAnswer, KitError> {
        let cwd = match arguments.session.or_else(|| self.shared.board.current()) {
            Some(session) => self.ask(&session, Op::Heritage).await?.cwd,
            None => self.root_for(None),
        };
        Ok(self.shared.library(&cwd).await.agents.answer())
    }

    /// The sessions of subagents of a session whose file lies, or lay, at a path.
    pub(super) async fn stored_subagents(
        &self,
        parent: &SessionId,
        file: &Path,
    ) -> Result<Vec<SessionId>, KitError> {
        let summaries = self.summaries_of(parent, file.parent().map(Path::to_path_buf)).await?;
        Ok(summaries.into_iter().map(|summary| summary.id).collect())
    }

    /// What is stored of the subagents of a session in a folder, newest first.
    async fn summaries_of(
        &self,
        parent: &SessionId,
        folder: Option<PathBuf>,
    ) -> Result<Vec<SessionSummary>, KitError> {
        let cache = self.shared.with.paths.cache.clone();
        let paths = move || folder.map(|folder| files::in_folder(&folder)).unwrap_or_default();
        let mut found = blocking(move || list::list(paths(), &cache)).await?;
        found.retain(|one| one.subagent_task.is_some() && one.parent_session.as_ref() == Some(parent));
        Ok(found)
    }

    /// The model that the request, the named agent or the parent names, in this order.
    fn model_of(
        &self,
        request: &SpawnRequest,
        named: &NamedAgent,
        heritage: &Heritage,
    ) -> Result<Option<ModelId>, KitError> {
        let wanted = request.model.as_deref().or(named.model.as_deref()).map(str::trim);
        let Some(wanted) = wanted.filter(|model| !model.is_empty() && *model != "inherit") else {
            return Ok(heritage.model.clone());
        };
        let id = if wanted.contains('/') {
            wanted.to_owned()
        } else {
            match &heritage.model {
                Some(parent) => format!("{}/{wanted}", parent.provider()),
                None => {
                    let text = format!("write the model `{wanted}` as provider/name");
                    return Err(KitError::new(ErrorKind::InvalidRequest, text));
                }
            }
        };
        let id: ModelId = id.parse().map_err(|error: kit_protocol::InvalidModelId| {
            KitError::new(ErrorKind::InvalidRequest, error.to_string())
        })?;
        let setup = self.shared.setup_of(&heritage.cwd);
        let models = &setup.models;
        models.resolve(&id).map_err(|error| KitError::new(error.kind, error.message))?;
        let near = models.suggestions(&id);
        if near.is_empty() {
            return Ok(Some(id));
        }
        let near: Vec<String> = near.iter().map(|near| format!("`{near}`")).collect();
        let text = format!("there is no model `{id}`; you may mean {}", near.join(" or "));
        Err(KitError::new(ErrorKind::NotFound, text))
    }

    /// The session that works: a new one, or an earlier one of a subagent in the same folder.
    async fn session_of(
        &self,
        request: &SpawnRequest,
        heritage: &Heritage,
        settings: &Changes,
    ) -> Result<(SessionId, Start), KitError> {
        let cwd = heritage.cwd.to_string_lossy().into_owned();
        let Some(session) = request.session.clone() else {
            let session = SessionId::random();
            let mut header = Header::new(session.clone(), Millis::now(), cwd);
            header.parent_session = Some(heritage.file.to_string_lossy().into_owned());
            header.parent_session_id = Some(request.parent.clone());
            header.subagent_task = Some(request.task.clone());
            header.temporary = request.temporary;
            return Ok((session, Start::Subagent { header, settings: settings.clone() }));
        };
        if heritage.nursery.find(&session).is_some_and(|known| known.report().is_none()) {
            let text = format!("the subagent {session} is still at work; wait for it or stop it first");
            return Err(KitError::new(ErrorKind::Busy, text));
        }
        let (sessions, id) = (self.shared.with.paths.sessions.clone(), session.clone());
        let found = blocking(move || {
            let path = files::find(&sessions, &id).ok()?;
            let header = files::read_header(&path).ok().flatten()?;
            Some((path, header))
        })
        .await?;
        // Any other session is none of the model's business.
        match found.filter(|(_, header)| header.subagent_task.is_some() && header.cwd == cwd) {
            Some((path, _)) => Ok((session, Start::Stored { path })),
            None => Err(self.unknown_subagent(&request.parent, &session, heritage).await),
        }
    }

    /// What a subagent is: its instructions, and its tools, which can only be fewer than those of its parent.
    fn role_of(&self, request: &SpawnRequest, named: &NamedAgent, tools: BTreeSet<String>) -> SubagentNote {
        let registry = &self.shared.with.tools;
        let lists = [named.tools.as_deref(), request.tools.as_deref()];
        let allowed = |tool: &String| {
            lists.iter().flatten().all(|list| list.iter().any(|name| names_tool(registry, name, tool)))
        };
        SubagentNote {
            agent: named.name.clone(),
            instructions: named.instructions(request.system_prompt.as_deref()),
            tools: tools.into_iter().filter(allowed).collect(),
            temperature: request.temperature.or(named.temperature),
        }
    }

    /// Takes a subagent from its place in the line to its report.
    async fn see_through(self: Arc<Self>, run: Run) {
        let Run { mut errand, reported, start, nursery, report, enlisted, temporary } = run;
        let session = errand.session.clone();
        let mut began = false;
        let place = place(&nursery, &errand.cancel).await;
        let came = match place {
            None => SubagentReport::unstarted(session.clone(), SubagentOutcome::Killed),
            Some(_) => {
                // The mode may have changed while it waited.
                if let Ok(parent) = self.ask(&errand.origin.session, Op::Heritage).await {
                    errand.changes.mode = Some(parent.mode);
                }
                self.start(session.clone(), start);
                match self.hand_over(&session, Op::Work(Box::new(errand))) {
                    Ok(()) => {
                        began = true;
                        reported.await.unwrap_or_else(|_| {
                            let failed = "its session failed unexpectedly; this is a defect of kit-ls";
                            SubagentReport::unstarted(
                                session.clone(),
                                SubagentOutcome::Failed(failed.to_owned()),
                            )
                        })
                    }
                    Err(error) => {
                        SubagentReport::unstarted(session.clone(), SubagentOutcome::Failed(error.message))
                    }
                }
            }
        };
        drop(enlisted);
        drop(place);
        report.send_replace(Some(Arc::new(came)));
        nursery.ended(&session);
        if temporary
            && began
            && let Err(error) = self.remove_session(&session).await
        {
            tracing::warn!(%session, %error, "a subagent of which nothing was to stay stays until the next start");
        }
    }

    async fn unknown_subagent(&self, parent: &SessionId, id: &SessionId, heritage: &Heritage) -> KitError {
        let listed = self.summaries_of(parent, heritage.file.parent().map(Path::to_path_buf)).await;
        let mut known: Vec<String> = listed
            .unwrap_or_default()
            .into_iter()
            .take(MOST_NAMED)
            .map(|summary| {
                let task = summary.subagent_task.unwrap_or_default();
                format!("{} ({})", summary.id, list::preview(&task))
            })
            .collect();
        if known.is_empty() {
            known.push("this session has none yet".to_owned());
        }
        let text = format!("there is no subagent with the session id {id}; known are: {}", known.join(", "));
        KitError::new(ErrorKind::NotFound, text)
    }
}

/// Waits for a place among those that may run at once; `None` if it was stopped before.
async fn place(nursery: &Nursery, cancel: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        place = nursery.place() => place,
    }
}

/// Whether a name of an allow-list means a tool: by its own name, by one that models know it by, or by a beginning that
/// ends in `*`.
fn names_tool(registry: &Registry, name: &str, tool: &str) -> bool {
    let name = name.trim();
    if let Some(beginning) = name.strip_suffix('*') {
        return tool.starts_with(beginning);
    }
    name == tool || registry.get(name).is_some_and(|found| found.name() == tool)
}
