//! Sessions come and go: new, load, resume, fork, list, close, delete.
//!
//! The protocol's session is ours, by the same id. A session works in the folder that its file names, so one is loaded
//! for that folder alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent_client_protocol_schema::v1::{
    AvailableCommand, AvailableCommandInput, AvailableCommandsUpdate, CloseSessionRequest,
    CloseSessionResponse, DeleteSessionRequest, DeleteSessionResponse, ForkSessionRequest,
    ForkSessionResponse, ListSessionsRequest, ListSessionsResponse, LoadSessionRequest, LoadSessionResponse,
    NewSessionRequest, NewSessionResponse, ResumeSessionRequest, ResumeSessionResponse, SessionConfigOption,
    SessionInfo, SessionModeState, SessionUpdate, UnstructuredCommandInput,
};
use kit_protocol::{
    CommandListArguments, ErrorKind, KitError, ListScope, NamedCommand, SessionArguments, SessionId,
    SessionListArguments, SessionSummary, TranscriptArguments,
};
use kit_session::SessionView;

use super::{Agent, Answer, OpenFolder};
use crate::error::{invalid, to_value};
use crate::options;
use crate::peer::{Outgoing, Told, update_message};
use crate::teller::title_of;

/// Sessions of one page of the list.
const PAGE: usize = 100;

/// What a client learns of a session that it opens.
struct Opened {
    modes: SessionModeState,
    options: Vec<SessionConfigOption>,
    /// What is told behind the answer.
    behind: Vec<Outgoing>,
}

impl Agent {
    pub(super) async fn new_session(&self, request: NewSessionRequest) -> Result<Answer, KitError> {
        let open = self.open_folder(&request.cwd, &request.additional_directories, &request.mcp_servers)?;
        let made = open.place.sessions().new_session(SessionArguments::default()).await?;
        let view = open.place.sessions().view(&made.session).await?;
        self.follow(&open, &view, Told::Everything);
        let Opened { modes, options, behind } = self.opened(&open, &view).await?;
        let response = NewSessionResponse::new(made.session.as_str().to_owned());
        Ok(Answer::Now(to_value(&response.modes(modes).config_options(options)), behind))
    }

    pub(super) async fn load(&self, request: LoadSessionRequest) -> Result<Answer, KitError> {
        let open = self.open_folder(&request.cwd, &request.additional_directories, &request.mcp_servers)?;
        let session = SessionId::new(&*request.session_id.0);
        let view = self.open_stored(&open, &session).await?;
        self.follow(&open, &view, Told::Nothing);
        let arguments = TranscriptArguments { session: session.clone(), from: None };
        let transcript = open.place.sessions().transcript(arguments).await?;
        self.peer.send(Outgoing::Replay { session: session.clone(), transcript });
        self.peer.send(Outgoing::Usage(session));
        let Opened { modes, options, behind } = self.opened(&open, &view).await?;
        let response = LoadSessionResponse::new().modes(modes).config_options(options);
        Ok(Answer::Now(to_value(&response), behind))
    }

    pub(super) async fn resume(&self, request: ResumeSessionRequest) -> Result<Answer, KitError> {
        let open = self.open_folder(&request.cwd, &request.additional_directories, &request.mcp_servers)?;
        let session = SessionId::new(&*request.session_id.0);
        let view = self.open_stored(&open, &session).await?;
        self.follow(&open, &view, Told::Everything);
        self.peer.send(Outgoing::Usage(session));
        let Opened { modes, options, behind } = self.opened(&open, &view).await?;
        let response = ResumeSessionResponse::new().modes(modes).config_options(options);
        Ok(Answer::Now(to_value(&response), behind))
    }

    pub(super) async fn fork(&self, request: ForkSessionRequest) -> Result<Answer, KitError> {
        let open = self.open_folder(&request.cwd, &request.additional_directories, &request.mcp_servers)?;
        let source = SessionId::new(&*request.session_id.0);
        self.open_stored(&open, &source).await?;
        let arguments = SessionArguments { session: Some(source), ..SessionArguments::default() };
        let forked = open.place.sessions().fork(arguments).await?;
        let view = open.place.sessions().view(&forked.session).await?;
        self.follow(&open, &view, Told::Everything);
        let Opened { modes, options, mut behind } = self.opened(&open, &view).await?;
        behind.push(Outgoing::Usage(forked.session.clone()));
        let response = ForkSessionResponse::new(forked.session.as_str().to_owned());
        Ok(Answer::Now(to_value(&response.modes(modes).config_options(options)), behind))
    }

    /// The newest sessions first, without those of subagents.
    pub(super) async fn list(&self, request: ListSessionsRequest) -> Result<ListSessionsResponse, KitError> {
        let skipped = match &request.cursor {
            None => 0,
            Some(cursor) => cursor.parse::<usize>().map_err(|_| {
                invalid(format!("`{cursor}` is no cursor of a list; leave it out to begin anew"))
            })?,
        };
        let open = self.any_folder()?;
        let listed = open.place.sessions().list(SessionListArguments { scope: ListScope::All }).await?;
        let wanted = |session: &SessionSummary| {
            session.subagent_task.is_none()
                && request.cwd.as_ref().is_none_or(|cwd| is_same(cwd, Path::new(&session.cwd)))
        };
        let mut sessions: Vec<SessionInfo> =
            listed.sessions.into_iter().filter(wanted).skip(skipped).take(PAGE + 1).map(info).collect();
        let more = sessions.len() > PAGE;
        sessions.truncate(PAGE);
        let response = ListSessionsResponse::new(sessions);
        Ok(match more {
            true => response.next_cursor((skipped + PAGE).to_string()),
            false => response,
        })
    }

    pub(super) async fn close(&self, request: CloseSessionRequest) -> Result<CloseSessionResponse, KitError> {
        let session = SessionId::new(&*request.session_id.0);
        let open = self.open_session(&session)?;
        open.place.sessions().close(&session).await?;
        self.forget(&session);
        Ok(CloseSessionResponse::new())
    }

    pub(super) async fn delete(
        &self,
        request: DeleteSessionRequest,
    ) -> Result<DeleteSessionResponse, KitError> {
        let session = SessionId::new(&*request.session_id.0);
        let open = match self.open_session(&session) {
            Ok(open) => open,
            Err(_) => self.any_folder()?,
        };
        let arguments = SessionArguments { session: Some(session.clone()), ..SessionArguments::default() };
        open.place.sessions().delete(arguments).await?;
        self.forget(&session);
        Ok(DeleteSessionResponse::new())
    }

    /// Opens a session of a file and sees that it belongs to the folder.
    async fn open_stored(&self, open: &OpenFolder, session: &SessionId) -> Result<SessionView, KitError> {
        if let Ok(elsewhere) = self.open_session(session)
            && !Arc::ptr_eq(&elsewhere.place, &open.place)
        {
            let sentence =
                format!("the session {session} is open for other folders or MCP servers; close it first");
            return Err(KitError::new(ErrorKind::Busy, sentence));
        }
        let sessions = open.place.sessions();
        let arguments = SessionArguments { session: Some(session.clone()), ..SessionArguments::default() };
        sessions.open(arguments).await?;
        let view = sessions.view(session).await?;
        let works_here = open.roots.iter().any(|root| is_same(root, &view.cwd));
        if !works_here {
            if !self.has(session) {
                sessions.close(session).await?;
            }
            let sentence =
                format!("the session {session} works in {}; open it for that folder", view.cwd.display());
            return Err(invalid(sentence));
        }
        Ok(view)
    }

    /// From now on the client hears of the session.
    fn follow(&self, open: &OpenFolder, view: &SessionView, told: Told) {
        open.folder.set_current(&view.session);
        self.state().sessions.insert(view.session.clone(), open.clone());
        self.peer.send(Outgoing::Follow {
            session: view.session.clone(),
            place: Arc::clone(&open.place),
            cwd: view.cwd.clone(),
            told,
            titled: view.name.is_some() || (view.context.used > 0 && told == Told::Everything),
        });
    }

    fn forget(&self, session: &SessionId) {
        let mut state = self.state();
        state.sessions.remove(session);
        state.commands.remove(session);
        drop(state);
        self.peer.send(Outgoing::Forget(session.clone()));
    }

    /// What the answer says about a session, and the commands and warnings behind it.
    async fn opened(&self, open: &OpenFolder, view: &SessionView) -> Result<Opened, KitError> {
        self.state().commands.remove(&view.session);
        let mut behind: Vec<Outgoing> = self.commands(open, &view.session).await?.into_iter().collect();
        behind.extend(Self::warnings(open, &view.session));
        let options = options::options(open.place.sessions(), &view.session).await?;
        Ok(Opened { modes: options::modes(view.mode), options, behind })
    }

    /// The commands of a session, if the client does not know them yet: extensions and MCP servers come and go.
    pub(super) async fn commands(
        &self,
        open: &OpenFolder,
        session: &SessionId,
    ) -> Result<Option<Outgoing>, KitError> {
        let arguments = CommandListArguments { session: Some(session.clone()) };
        let listed = open.place.sessions().command_list(arguments).await?;
        let commands: Vec<AvailableCommand> = listed.commands.into_iter().map(command).collect();
        if self.state().commands.get(session) == Some(&commands) {
            return Ok(None);
        }
        self.state().commands.insert(session.clone(), commands.clone());
        let update = SessionUpdate::AvailableCommandsUpdate(AvailableCommandsUpdate::new(commands));
        Ok(Some(Outgoing::Message(update_message(session, update))))
    }
}

fn command(command: NamedCommand) -> AvailableCommand {
    let described = AvailableCommand::new(command.name, command.description);
    match command.arguments {
        Some(hint) => {
            described.input(AvailableCommandInput::Unstructured(UnstructuredCommandInput::new(hint)))
        }
        None => described,
    }
}

fn info(session: SessionSummary) -> SessionInfo {
    let title =
        session.name.filter(|name| !name.is_empty()).unwrap_or_else(|| title_of(&session.first_message));
    let info = SessionInfo::new(session.id.as_str().to_owned(), PathBuf::from(session.cwd));
    let info = info.updated_at(session.modified);
    if title.is_empty() { info } else { info.title(title) }
}

/// Whether two paths are one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    one == other || real(one) == real(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_listed_under_its_name_or_its_first_prompt() {
        let summary = |name: Option<&str>, first: &str| SessionSummary {
            id: "s".into(),
            name: name.map(str::to_owned),
            path: "/x.jsonl".into(),
            cwd: "/w".into(),
            created: "2026-01-01T00:00:00Z".into(),
            modified: "2026-01-02T00:00:00Z".into(),
            message_count: 1,
            first_message: first.into(),
            parent_session: None,
            subagent_task: None,
            running: false,
        };
        let title = |summary| info(summary).title;
        assert_eq!(title(summary(Some("mine"), "hello")).as_deref(), Some("mine"));
        assert_eq!(title(summary(None, "hello\nworld")).as_deref(), Some("hello"));
        assert_eq!(title(summary(None, "")), None);
    }
}
