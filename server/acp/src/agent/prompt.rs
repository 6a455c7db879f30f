//! `session/prompt`: accepted here, answered when its turn ends.
//!
//! A second prompt of a session that is busy waits for its turn, as in every other front end. A prompt that begins with
//! the name of a command of an extension runs it; templates, skills and prompts of MCP servers are a matter of the
//! sessions.

use agent_client_protocol_schema::v1::{PromptRequest, PromptResponse, SessionUpdate, StopReason};
use kit_protocol::{CommandRunArguments, KitError, PromptArguments, SessionId, TurnId};
use kit_session::InputSource;
use kit_text::Encoding;

use super::{Agent, Answer, OpenFolder};
use crate::content::{self, Content};
use crate::error::to_value;
use crate::teller::text_chunk;

impl Agent {
    pub(super) async fn prompt(&self, request: PromptRequest, turn: TurnId) -> Result<Answer, KitError> {
        let session = SessionId::new(&*request.session_id.0);
        let open = self.open_session(&session)?;
        open.folder.set_current(&session);
        let content = content::read(request.prompt, open.place.workspace())?;
        ask_for_trust(&open);
        if self.prompts.is_cancelled(&turn) {
            return Ok(Answer::Now(to_value(&PromptResponse::new(StopReason::Cancelled)), Vec::new()));
        }
        if let Some(answer) = self.run_command(&open, &session, &content, &turn).await? {
            return Ok(answer);
        }
        let Content { text, attachments, enclosures } = content;
        let arguments =
            PromptArguments { session: Some(session.clone()), attachments, ..PromptArguments::new(text) };
        let sessions = open.place.sessions();
        sessions
            .prompt_with(InputSource::Interactive, arguments, enclosures, Encoding::Utf8, turn.clone())
            .await?;
        self.accepted(&open, &turn);
        match self.commands(&open, &session).await {
            Ok(update) => update.into_iter().for_each(|update| self.peer.send(update)),
            Err(error) => tracing::warn!(%error, "the commands are not told"),
        }
        Ok(Answer::Later)
    }

    /// A cancellation that came while the prompt was being accepted is carried out now.
    fn accepted(&self, open: &OpenFolder, turn: &TurnId) {
        if self.prompts.is_cancelled(turn) {
            open.place.sessions().cancel_turn(turn);
        }
    }

    /// Runs the command that a prompt names, if it is one of an extension.
    async fn run_command(
        &self,
        open: &OpenFolder,
        session: &SessionId,
        content: &Content,
        turn: &TurnId,
    ) -> Result<Option<Answer>, KitError> {
        let sessions = open.place.sessions();
        let Some(command) = sessions.command_in(&content.text, Some(session.clone())).await? else {
            return Ok(None);
        };
        let arguments = CommandRunArguments { attachments: content.attachments.clone(), ..command };
        let ran = sessions.run_command(arguments, Encoding::Utf8, turn.clone()).await?;
        if ran.turn.as_ref() == Some(turn) {
            self.accepted(open, turn);
            return Ok(Some(Answer::Later));
        }
        if let Some(output) = ran.output.filter(|output| !output.is_empty()) {
            self.peer.update(session, SessionUpdate::AgentMessageChunk(text_chunk(&output)));
        }
        Ok(Some(Answer::Now(to_value(&PromptResponse::new(StopReason::EndTurn)), Vec::new())))
    }
}

/// Asks the user once about roots that bring something of their own. It runs beside the turn, which goes on without what
/// the root brings, and ends with the question.
fn ask_for_trust(open: &OpenFolder) {
    let open = open.clone();
    tokio::spawn(async move { open.place.sessions().ask_for_trust(|trust| open.place.trust(trust)).await });
}
