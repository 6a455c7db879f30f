//! Models, modes, thinking levels and usage: of one session, of the current one, or of those to come.

use std::sync::{Arc, PoisonError};

use kit_protocol::{
    ErrorKind, KitError, ModeSetAnswer, ModeSetArguments, ModelId, ModelListAnswer, ModelListArguments,
    ModelSetAnswer, ModelSetArguments, SessionId, Settings, ThinkingSetAnswer, ThinkingSetArguments,
    UsageAnswer, UsageArguments,
};

use kit_provider::Models;
use tokio::sync::oneshot;

use super::Sessions;
use crate::activate_skill;
use crate::dependencies::{Setup, Setups};
use crate::op::{Adoption, ChangedBy, Changes, Op};

impl Sessions {
    /// The models that there are now.
    pub fn models(&self) -> Arc<Models> {
        Arc::clone(&self.shared.setup().models)
    }

    /// `kit.model.list`.
    pub async fn model_list(&self, arguments: ModelListArguments) -> Result<ModelListAnswer, KitError> {
        Ok(ModelListAnswer { models: self.shared.setup().models.list(arguments.provider.as_deref()) })
    }

    /// `kit.model.set`. Without a session it is for the current one and new ones.
    pub async fn model_set(
        &self,
        arguments: ModelSetArguments,
        by: ChangedBy,
    ) -> Result<ModelSetAnswer, KitError> {
        let ModelSetArguments { model, session } = arguments;
        let resolved = self.shared.setup().models.resolve(&model);
        let info = resolved.map_err(|error| KitError::new(error.kind, error.message))?;
        if session.is_none() {
            self.choose(|chosen| chosen.model = Some(model.clone()));
            let window = info.info().context_window;
            self.shared.board.set_defaults(|board| {
                board.model = Some(model.clone());
                board.context_window = window;
            });
        }
        match self.target(session) {
            Some(session) => self.ask(&session, |answer| Op::SetModel(model, by, answer)).await,
            None => Ok(ModelSetAnswer { model }),
        }
    }

    /// `kit.thinking.set`.
    pub async fn thinking_set(
        &self,
        arguments: ThinkingSetArguments,
        by: ChangedBy,
    ) -> Result<ThinkingSetAnswer, KitError> {
        let ThinkingSetArguments { level, session } = arguments;
        if session.is_none() {
            self.choose(|chosen| chosen.thinking = Some(level));
        }
        match self.target(session) {
            Some(session) => self.ask(&session, |answer| Op::SetThinking(level, by, answer)).await,
            None => Ok(ThinkingSetAnswer { level }),
        }
    }

    /// `kit.mode.set`.
    pub async fn mode_set(&self, arguments: ModeSetArguments) -> Result<ModeSetAnswer, KitError> {
        let ModeSetArguments { mode, session } = arguments;
        if session.is_none() {
            self.choose(|chosen| chosen.mode = Some(mode));
            self.shared.board.set_defaults(|board| board.mode = mode);
        }
        match self.target(session) {
            Some(session) => {
                let answer = self.ask(&session, |answer| Op::SetMode(mode, answer)).await?;
                self.lead_subagents(&session, mode);
                Ok(answer)
            }
            None => Ok(ModeSetAnswer { mode }),
        }
    }

    /// `kit.usage.get`. Without any session, only today's spending.
    pub async fn usage(&self, arguments: UsageArguments) -> Result<UsageAnswer, KitError> {
        match self.target(arguments.session) {
            Some(session) => self.ask(&session, Op::Usage).await,
            None => {
                let today = self.shared.today().await;
                Ok(UsageAnswer { turn: None, session: None, today, context: None, calls: Vec::new() })
            }
        }
    }

    fn target(&self, session: Option<SessionId>) -> Option<SessionId> {
        session.or_else(|| self.shared.board.current())
    }

    fn choose(&self, change: impl FnOnce(&mut Changes)) {
        change(&mut self.chosen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What new sessions start with under a setup.
    pub(super) fn defaults(&self, setup: &Setup) -> Changes {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone().or_as(&setup.settings)
    }

    /// Lets other settings hold from now on. Permissions, budgets and the mode hold at once, everything else from the
    /// next turn on, also in sessions that are open. What the user chose, for new sessions or for one, outranks them.
    pub fn set_settings(self: &Arc<Self>, setups: impl Into<Setups>) {
        let before = self.shared.setups();
        self.shared.replace_setups(setups.into());
        let setup = self.shared.setup();
        self.apply_to_tools(&setup.settings);
        self.look_at_projects();
        let defaults = self.defaults(&setup);
        let is_unchecked = setup.settings.tls_skip_verify == Some(true);
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_chosen = chosen.model.is_some();
        self.shared.board.set_defaults(|board| {
            board.mode = defaults.mode.unwrap_or_default();
            board.is_unchecked = is_unchecked;
            if !is_chosen {
                board.model = None;
                board.context_window = 0;
            }
        });
        self.find_default_model();
        let adoption = Adoption { chosen, before, now: self.shared.setups() };
        let open: Vec<SessionId> = self.lock().keys().cloned().collect();
        let mut asked = Vec::new();
        for session in open {
            let (answer, answered) = oneshot::channel();
            match self.hand_over(&session, Op::Adopt(adoption.clone(), answer)) {
                Ok(()) => asked.push((session, answered)),
                Err(error) => tracing::debug!(%session, %error, "a session keeps its settings"),
            }
        }
        let sessions = Arc::clone(self);
        self.in_background(async move {
            for (session, answered) in asked {
                match answered.await {
                    Ok(Ok(Some(mode))) => sessions.lead_subagents(&session, mode),
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%session, %error, "a session keeps its settings");
                    }
                    // A session that rests has nothing to adopt.
                    Err(_) => {}
                }
            }
        });
    }

    /// Lets the settings decide which built-in tools there are.
    pub(super) fn apply_to_tools(&self, settings: &Settings) {
        let mut settings = settings.clone();
        if settings.no_skills == Some(true) {
            settings.exclude_core_tools.get_or_insert_default().push(activate_skill::NAME.to_owned());
        }
        self.shared.with.tools.choose(&settings);
    }

    /// A login came or went: who is signed out, and which model is used when nobody chooses one, is found out anew.
    pub fn logins_changed(&self) {
        let is_chosen = self.defaults(&self.shared.setup()).model.is_some();
        self.shared.board.set_defaults(|board| {
            if !is_chosen {
                board.model = None;
                board.context_window = 0;
            }
        });
        self.find_default_model();
        let open: Vec<_> = self.lock().values().cloned().collect();
        for ops in open {
            if ops.try_send(Op::LookAtLogins).is_err() {
                tracing::debug!(
                    "a session that is closed or has too much to do looks at its login with its next turn"
                );
            }
        }
    }

    /// Finds out in the background which model is used when nobody chooses one, to show it before the first prompt.
    pub(super) fn find_default_model(&self) {
        let shared = Arc::clone(&self.shared);
        self.in_background(async move {
            let models = Arc::clone(&shared.setup().models);
            let model: ModelId = models.default_model().await;
            let window = match models.resolve(&model) {
                Ok(resolved) => resolved.info().context_window,
                Err(error) => {
                    let signed_out = error.kind == ErrorKind::Auth;
                    tracing::info!(%model, %error, signed_out, "the default model cannot be used yet");
                    0
                }
            };
            let is_signed_in = models.is_signed_in(&model);
            shared.board.set_defaults(|board| {
                if board.model.is_none() {
                    board.model = Some(model);
                    board.context_window = window;
                }
                board.is_signed_out = !is_signed_in;
            });
            shared.today().await;
        });
    }
}
