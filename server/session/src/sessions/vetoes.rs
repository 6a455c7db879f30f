//! Extensions may keep a session from being forked, branched or left. They are asked in the task of the command, before
//! the session hears of it.

use kit_protocol::{EntryId, ErrorKind, KitError, Role, SessionId};

use super::Sessions;
use crate::hooks::{HookPoint, HookScope, SwitchReason, Verdict};

impl Sessions {
    /// Asks whether the session may go on from, or be copied up to, an entry.
    pub(super) async fn may_fork(
        &self,
        session: &SessionId,
        target: Option<&EntryId>,
    ) -> Result<(), KitError> {
        let hooks = &self.shared.with.hooks;
        if !hooks.wants(HookPoint::BeforeFork) {
            return Ok(());
        }
        let entry = match target {
            Some(target) => Some(self.entry(session, target).await?),
            None => self.branch_entries(session).await?.pop(),
        };
        let Some(entry) = entry else { return Ok(()) };
        let user_text = (entry.role == Some(Role::User)).then_some(entry.text);
        verdict(hooks.before_fork(scope(session), entry.id.to_string(), user_text).await)
    }

    /// Asks whether the user may leave the current session. Without one there is nothing to leave.
    pub(super) async fn may_leave(
        &self,
        reason: SwitchReason,
        prompt: Option<String>,
    ) -> Result<(), KitError> {
        let hooks = &self.shared.with.hooks;
        match self.shared.board.current() {
            Some(current) if hooks.wants(HookPoint::BeforeSessionSwitch) => {
                verdict(hooks.before_session_switch(scope(&current), reason, prompt).await)
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn scope(session: &SessionId) -> HookScope {
    HookScope { session: session.clone(), turn: None, agent: None }
}

fn verdict(verdict: Verdict) -> Result<(), KitError> {
    match verdict {
        Verdict::Continue => Ok(()),
        Verdict::Veto(reason) => Err(KitError::new(ErrorKind::Permission, reason)),
    }
}
