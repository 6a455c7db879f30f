//! Extensions may keep a session from being forked, branched or left. They are asked in the task of the command, before
//! the session hears of it.

use kit_protocol::{EntryId, ErrorKind, KitError, Role, SessionId};

use super::{Sessions, look, peek};
use crate::entries;
use crate::history::History;
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
        let wanted = target.cloned();
        let wanted = move |history: &History| match &wanted {
            Some(target) => history.find(target),
            None => entries::current(history).pop(),
        };
        let of = wanted.clone();
        let read = match self.read(session, move |history| of(history).into_iter().collect()).await {
            // Another process has the session, which can be copied all the same.
            Err(error) if error.kind == ErrorKind::Busy => {
                peek::entry(self.find_file(session).await?, wanted).await?
            }
            read => read?,
        };
        let entry = match (read.into_iter().next(), target) {
            (Some(entry), _) => entry,
            (None, Some(target)) => return Err(look::no_entry(target)),
            (None, None) => return Ok(()),
        };
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
